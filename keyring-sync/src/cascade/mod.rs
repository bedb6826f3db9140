//! From the registry to the forges: who is out there is out here too.
//!
//! `persons ─► wanted ─► journal ─► each forge asked, told, asked again ─► journal`, until everything is confirmed. Who
//! is in again gets back what was blocked by this program alone: the account, and never a key or a token.

pub mod journal;
pub mod run;
pub mod task;

use crate::forge::Step;
use countersign_policy::id::{Account, PersonId};
use countersign_policy::keyring::{Held, Lifecycle, Person, PersonKind};
use countersign_policy::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between the first attempt and the second.
const RETRY_FIRST: Duration = Duration::from_secs(5);

/// The longest wait between two attempts: IPSIE's draft gives an application five minutes to cut access, and a forge
/// that comes back should not wait for longer than that again.
const RETRY_MAX: Duration = Duration::from_secs(5 * 60);

/// Something that must end on a forge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub person: PersonId,
    pub account: Account,
    pub step: Step,
    /// Since when the person is out.
    pub since: Time,
}

/// Everything that must end at `now`: all ways into every account of who is suspended or terminated. An account that
/// somebody else holds now is theirs, whoever had it before.
pub fn wanted(persons: &[Person], now: Time) -> Vec<Wanted> {
    let mut holders: BTreeMap<&Account, Vec<&PersonId>> = BTreeMap::new();
    for person in persons.iter().filter(|person| !is_out(person, now)) {
        for account in held(&person.accounts, now) {
            holders.entry(account).or_default().push(&person.id);
        }
    }
    persons.iter().flat_map(|person| wanted_of(person, |account| holders.contains_key(account), now)).collect()
}

/// What must end of one person, whose accounts may be `held` by somebody who is not out.
pub fn wanted_of(person: &Person, held: impl Fn(&Account) -> bool, now: Time) -> Vec<Wanted> {
    if !is_out(person, now) {
        return Vec::new();
    }
    let since = person.state_since(now).unwrap_or(now);
    let had = person
        .accounts
        .iter()
        .filter(|held| held.span.from <= now && held.span.until.is_none_or(|until| until > since));
    let mut accounts: Vec<&Account> = had.map(|held| &held.value).collect();
    accounts.sort();
    accounts.dedup();
    let steps = |account: &Account| {
        Step::ALL.map(|step| Wanted { person: person.id.clone(), account: account.clone(), step, since })
    };
    accounts.into_iter().filter(|account| !held(account)).flat_map(steps).collect()
}

/// Whether the person may have back what was blocked of this account: they are at work again, and it is theirs.
pub fn is_back(person: &Person, account: &Account, now: Time) -> bool {
    person.is_active(now) && person.has_account(account, now)
}

pub(crate) fn is_out(person: &Person, now: Time) -> bool {
    matches!(person.state(now), Lifecycle::Suspended | Lifecycle::Terminated)
}

fn held<T>(held: &[Held<T>], now: Time) -> impl Iterator<Item = &T> {
    held.iter().filter(move |held| held.span.contains(now)).map(|held| &held.value)
}

/// A service account whose owner is out: nobody answers for it, and it is not this program's to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    pub account: PersonId,
    pub owner: PersonId,
    pub logins: Vec<Account>,
}

/// The service accounts that need a new owner at `now`.
pub fn orphans(persons: &[Person], now: Time) -> Vec<Orphan> {
    let out: BTreeMap<&PersonId, &Person> =
        persons.iter().filter(|person| is_out(person, now)).map(|person| (&person.id, person)).collect();
    let accounts = persons.iter().filter(|person| person.kind == PersonKind::Service && !is_out(person, now));
    let orphan = |account: &Person| {
        let owner = account.owner.as_ref().filter(|owner| out.contains_key(owner))?;
        let logins = held(&account.accounts, now).cloned().collect();
        Some(Orphan { account: account.id.clone(), owner: owner.clone(), logins })
    };
    accounts.filter_map(orphan).collect()
}

/// When a step that failed `attempts` times is tried again.
pub fn next_attempt(attempts: u32, now: Time) -> Time {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1).min(16));
    now.plus(RETRY_FIRST.saturating_mul(doubled).min(RETRY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_policy::keyring::Change;
    use countersign_policy::time::Span;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(seconds)
    }

    fn person(id: &str, account: &str, span: Span, lifecycle: &[(i64, Lifecycle)]) -> Person {
        Person {
            id: id.parse().unwrap(),
            name: id.to_owned(),
            names: Vec::new(),
            kind: PersonKind::Human,
            owner: None,
            deputy: None,
            emails: Vec::new(),
            accounts: vec![Held { value: account.parse().unwrap(), span }],
            lifecycle: lifecycle
                .iter()
                .map(|(from, state)| Change { from: at(*from), state: *state, abrupt: false })
                .collect(),
            probation: Vec::new(),
            watch: Vec::new(),
            legal_hold: Vec::new(),
            roles: Vec::new(),
            scope: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn names(persons: &[Person], now: i64) -> Vec<String> {
        let mut names: Vec<String> = wanted(persons, at(now)).iter().map(|wanted| wanted.account.to_string()).collect();
        names.dedup();
        names
    }

    const ALWAYS: Span = Span { from: Time::MIN, until: None };

    #[test]
    fn who_is_suspended_or_terminated_loses_every_way_in_and_nobody_else() {
        use Lifecycle::{Active, Leave, Prehire, Suspended, Terminated};
        for (state, out) in [(Prehire, false), (Active, false), (Leave, false), (Suspended, true), (Terminated, true)] {
            let all = wanted(&[person("E1", "gitea:alice", ALWAYS, &[(0, Active), (10, state)])], at(20));
            assert_eq!(all.len(), if out { Step::ALL.len() } else { 0 }, "{state:?}");
            assert!(all.iter().all(|wanted| wanted.since == at(10)));
        }
    }

    #[test]
    fn a_termination_to_come_is_none_yet() {
        let alice = person("E1", "gitea:alice", ALWAYS, &[(0, Lifecycle::Active), (10, Lifecycle::Terminated)]);
        assert_eq!(names(std::slice::from_ref(&alice), 9), Vec::<String>::new());
        assert_eq!(names(&[alice], 10), ["gitea:alice"]);
    }

    #[test]
    fn an_account_that_somebody_else_holds_now_is_theirs() {
        let left = [(0, Lifecycle::Active), (10, Lifecycle::Terminated)];
        let alice = person("E1", "gitea:alice", Span { from: at(0), until: Some(at(30)) }, &left);
        let anna = person("E2", "gitea:alice", Span::since(at(30)), &[(0, Lifecycle::Active)]);
        assert_eq!(names(&[alice.clone(), anna.clone()], 20), ["gitea:alice"]);
        assert_eq!(names(&[alice, anna], 40), Vec::<String>::new());
        let renamed = person("E3", "gitea:old", Span { from: at(0), until: Some(at(5)) }, &left);
        assert_eq!(names(&[renamed], 20), Vec::<String>::new(), "given up while still employed");
    }

    #[test]
    fn only_who_is_at_work_and_holds_the_account_gets_it_back() {
        use Lifecycle::{Active, Leave, Suspended, Terminated};
        let account = "gitea:alice".parse().unwrap();
        for (state, back) in [(Active, true), (Leave, false), (Suspended, false), (Terminated, false)] {
            let alice = person("E1", "gitea:alice", ALWAYS, &[(0, Active), (10, Suspended), (20, state)]);
            assert_eq!(is_back(&alice, &account, at(20)), back, "{state:?}");
        }
        let renamed = person("E1", "gitea:alice", Span { from: at(0), until: Some(at(15)) }, &[(0, Active)]);
        assert!(!is_back(&renamed, &account, at(20)));
    }

    #[test]
    fn a_service_account_is_escalated_and_not_cut() {
        let owner = person("E1", "gitea:alice", ALWAYS, &[(0, Lifecycle::Terminated)]);
        let mut bot = person("ci", "gitea:ci", ALWAYS, &[(0, Lifecycle::Active)]);
        (bot.kind, bot.owner) = (PersonKind::Service, Some(owner.id.clone()));
        let persons = [owner, bot];
        assert_eq!(names(&persons, 1), ["gitea:alice"]);
        let found = orphans(&persons, at(1));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].account.as_str(), found[0].logins[0].as_str()), ("ci", "gitea:ci"));
    }

    #[test]
    fn attempts_come_ever_slower_and_never_end() {
        let waits: Vec<u64> = (1..=9).map(|attempts| next_attempt(attempts, at(0)).since(at(0)).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(next_attempt(u32::MAX, at(0)), at(300));
    }

    proptest! {
        #[test]
        fn nobody_who_is_active_is_ever_wanted(states in proptest::collection::vec((0_i64..50, 0_usize..5), 0..8), now in 0_i64..60) {
            use Lifecycle::{Active, Leave, Prehire, Suspended, Terminated};
            let mut changes: Vec<(i64, Lifecycle)> =
                states.iter().map(|(from, state)| (*from, [Prehire, Active, Leave, Suspended, Terminated][*state])).collect();
            changes.sort_by_key(|(from, _)| *from);
            let alice = person("E1", "gitea:alice", ALWAYS, &changes);
            let all = wanted(std::slice::from_ref(&alice), at(now));
            prop_assert_eq!(all.is_empty(), !matches!(alice.state(at(now)), Suspended | Terminated));
        }
    }
}
