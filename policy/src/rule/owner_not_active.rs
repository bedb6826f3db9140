use super::{Answers, Rule, owner_in_grace};
use crate::config::People;
use crate::judge::Objection;
use crate::keyring::{Change, Keyring, KeyringError, Lifecycle, Person, PersonKind};
use crate::time::Time;
use crate::verdict::{Effect, Finding, Problem, Subject};

pub const RULE: Rule = Rule {
    id: "owner-not-active",
    effect: Effect::Deny,
    answers: Answers::Authority,
    summary: "the owner of the service account is not active",
    next: "the account needs a new owner before it can push again",
    help: r#"A service account acts on the word of the person who owns it. While that person is not active, it may push nowhere. A deputy stands in for an owner who is on leave or has left, and for none who was suspended or killed."#,
};

/// A service account without an owner, or whose owner is away for longer than the grace, pushes nowhere.
/// There is no grace after a suspension, a kill or a compromise: then the account may be in wrong hands too.
pub fn check(
    signer: &Person,
    keyring: &dyn Keyring,
    people: &People,
    now: Time,
) -> Result<Option<Objection>, KeyringError> {
    if signer.kind != PersonKind::Service {
        return Ok(None);
    }
    let owner =
        match &signer.owner {
            Some(owner) => {
                let known = keyring.person(owner)?;
                Some(known.ok_or_else(|| {
                    KeyringError(format!("keyring: it does not know {owner}, who owns {}", signer.id))
                })?)
            }
            None => None,
        };
    let reason = match owner {
        None => format!("is signed by the service account {}, which has no owner", signer.id),
        // Only a person answers for an account: a chain of accounts would outlive whoever began it.
        Some(owner) if owner.kind != PersonKind::Human => {
            format!("is signed by the service account {}, whose owner {} is an account too", signer.id, owner.id)
        }
        Some(owner) if owner.is_active(now) || in_grace(&owner, people, now) => return Ok(None),
        Some(owner) if is_away_in_order(&owner, now) && deputy_is_there(signer, keyring, now)? => return Ok(None),
        Some(owner) => {
            format!("is signed by the service account {}, whose owner {} is not an active member", signer.id, owner.id)
        }
    };
    Ok(Some(Objection::of(Problem::new(&RULE, reason).of(&signer.id))))
}

/// The note on each push of an account that goes on for a while without its owner.
pub fn note(account: &Person, keyring: &dyn Keyring, people: &People, now: Time) -> Option<Finding> {
    let owner = keyring.person(account.owner.as_ref()?).ok().flatten()?;
    let service = account.kind == PersonKind::Service && !owner.is_active(now);
    let until = grace_ends(&owner, people, now).filter(|_| service)?;
    let reason =
        format!("rests on the service account {}, which needs a new owner before {}", account.id, until.date());
    Some(Problem::new(&owner_in_grace::RULE, reason).of(&account.id).about(Subject::Push))
}

/// A deputy is a human too, and another one than the owner.
fn deputy_is_there(account: &Person, keyring: &dyn Keyring, now: Time) -> Result<bool, KeyringError> {
    let Some(id) = account.deputy.as_ref().filter(|deputy| account.owner.as_ref() != Some(*deputy)) else {
        return Ok(false);
    };
    let deputy = keyring.person(id)?;
    let deputy = deputy.ok_or_else(|| {
        KeyringError(format!("keyring: it does not know {id}, who stands in for the owner of {}", account.id))
    })?;
    Ok(deputy.kind == PersonKind::Human && deputy.is_active(now))
}

fn in_grace(owner: &Person, people: &People, now: Time) -> bool {
    grace_ends(owner, people, now).is_some()
}

/// Counted from when the owner was last active: a leaver's leave and dismissal are one absence.
fn grace_ends(owner: &Person, people: &People, now: Time) -> Option<Time> {
    let ends = absence(owner, now).last()?.from.plus(people.owner_grace.get());
    (is_away_in_order(owner, now) && now < ends).then_some(ends)
}

/// Since the owner was last active, the latest change first.
fn absence(owner: &Person, now: Time) -> impl Iterator<Item = &Change> {
    owner.lifecycle.iter().filter(move |change| change.from <= now).rev().take_while(|it| !it.is_active())
}

/// On leave or gone, and nothing worse: a suspension, a kill or a compromise anywhere in the absence says that the
/// account may be in wrong hands too.
fn is_away_in_order(owner: &Person, now: Time) -> bool {
    let compromised = owner.keys.iter().any(|key| key.compromised.is_some_and(|mark| mark.from <= now));
    let ordinary = absence(owner, now)
        .all(|change| !change.abrupt && matches!(change.state, Lifecycle::Leave | Lifecycle::Terminated));
    ordinary && !compromised && absence(owner, now).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Time {
        Time::from_unix_seconds(1_790_000_000 + number * 86_400)
    }

    fn in_grace_on(today: i64, changes: &[(i64, Lifecycle, bool)]) -> bool {
        let mut owner = crate::testing::person("o1", "o1@example.com").unwrap();
        owner.lifecycle =
            changes.iter().map(|&(from, state, abrupt)| Change { from: day(from), state, abrupt }).collect();
        in_grace(&owner, &People::default(), day(today))
    }

    #[test]
    fn the_grace_begins_with_the_absence_and_only_once() {
        use Lifecycle::{Active, Leave, Suspended, Terminated};
        assert!(in_grace_on(16, &[(0, Active, false), (10, Terminated, false)]));
        assert!(!in_grace_on(17, &[(0, Active, false), (10, Terminated, false)]), "a week is over");
        let left_on_leave = [(0, Active, false), (10, Leave, false), (40, Terminated, false)];
        assert!(!in_grace_on(41, &left_on_leave), "a month on leave used it up");
        assert!(!in_grace_on(12, &[(0, Active, false), (10, Suspended, true), (11, Terminated, false)]));
        assert!(!in_grace_on(12, &[(0, Active, false), (10, Terminated, true)]));
        assert!(in_grace_on(42, &[(0, Active, false), (10, Leave, false), (40, Active, false), (41, Leave, false)]));
    }

    #[test]
    fn a_compromised_key_of_the_owner_ends_the_grace() {
        use crate::keyring::Compromised;
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB+wAdWZaBRAWSYoS8+AwUfPL7LbfTTz6JLGwiaybL6D";
        let mut owner = leaver();
        owner.keys = vec![crate::testing::key(crate::signature::ssh::register(line).unwrap())];
        let goes_on = |owner: &Person, today| in_grace(owner, &People::default(), day(today));
        assert!(goes_on(&owner, 12));
        owner.keys[0].compromised = Some(Compromised { since: None, from: day(12) });
        assert!(goes_on(&owner, 11) && !goes_on(&owner, 12));
    }

    #[test]
    fn a_deputy_stands_in_for_an_owner_who_left_and_for_none_who_was_killed() {
        use crate::testing::{MemoryKeyring, person};
        let mut account = person("ci", "ci@example.com").unwrap();
        (account.kind, account.owner) = (PersonKind::Service, Some(leaver().id));
        let mut deputy = person("d1", "d1@example.com").unwrap();
        let may = |account: &Person, owner: Person, deputy: &Person| {
            let keyring = MemoryKeyring::default().with(owner).with(deputy.clone());
            check(account, &keyring, &People::default(), day(100)).unwrap().is_none()
        };
        assert!(!may(&account, leaver(), &deputy), "the grace is over, and nobody stands in");
        account.deputy = Some(deputy.id.clone());
        assert!(may(&account, leaver(), &deputy));
        let mut killed = leaver();
        killed.lifecycle[1].abrupt = true;
        assert!(!may(&account, killed, &deputy));
        deputy.lifecycle.push(Change { from: day(50), state: Lifecycle::Leave, abrupt: false });
        assert!(!may(&account, leaver(), &deputy), "away as well");
        deputy.lifecycle.pop();
        deputy.kind = PersonKind::Service;
        assert!(!may(&account, leaver(), &deputy), "an account stands in for nobody");
        account.deputy = account.owner.clone();
        assert!(!may(&account, leaver(), &deputy), "nor does the owner for themselves");
    }

    fn leaver() -> Person {
        let mut owner = crate::testing::person("o1", "o1@example.com").unwrap();
        let change = |from, state| Change { from: day(from), state, abrupt: false };
        owner.lifecycle = vec![change(0, Lifecycle::Active), change(10, Lifecycle::Terminated)];
        owner
    }

    #[test]
    fn each_push_in_the_grace_is_noted() {
        use crate::testing::{MemoryKeyring, person};
        let mut account = person("ci", "ci@example.com").unwrap();
        (account.kind, account.owner) = (PersonKind::Service, Some(leaver().id));
        let keyring = MemoryKeyring::default().with(leaver());
        let note = |account: &Person, today| note(account, &keyring, &People::default(), day(today));
        let finding = note(&account, 11).unwrap();
        assert_eq!((finding.id(), finding.effect, &finding.subject), ("owner-in-grace", Effect::Note, &Subject::Push));
        assert_eq!(finding.problem.person.as_ref(), Some(&account.id));
        assert!(finding.problem.reason.ends_with(&format!("before {}", day(17).date())), "{}", finding.problem.reason);
        assert!(note(&account, 9).is_none(), "the owner is there");
        assert!(note(&account, 17).is_none(), "then it is refused");
        let mut human = account.clone();
        human.kind = PersonKind::Human;
        assert!(note(&human, 11).is_none());
        account.owner = None;
        assert!(note(&account, 11).is_none());
    }
}
