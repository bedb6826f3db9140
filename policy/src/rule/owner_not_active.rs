use super::{Answers, Rule};
use crate::config::People;
use crate::judge::Objection;
use crate::keyring::{Keyring, KeyringError, Lifecycle, Person, PersonKind};
use crate::time::Time;
use crate::verdict::{Effect, Problem};

pub const RULE: Rule = Rule {
    id: "owner-not-active",
    effect: Effect::Deny,
    answers: Answers::Authority,
    summary: "the owner of the service account is not active",
    next: "the account needs a new owner before it can push again",
    help: r#"A service account acts on the word of the person who owns it. While that person is not active, it may push nowhere."#,
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
    let owner = match &signer.owner {
        Some(owner) => keyring.person(owner)?,
        None => None,
    };
    let reason = match owner {
        None => format!("is signed by the service account {}, which has no owner", signer.id),
        Some(owner) if owner.is_active(now) || in_grace(&owner, people, now) => return Ok(None),
        Some(owner) => {
            format!("is signed by the service account {}, whose owner {} is not an active member", signer.id, owner.id)
        }
    };
    Ok(Some(Objection::of(Problem::new(&RULE, reason).of(&signer.id))))
}

fn in_grace(owner: &Person, people: &People, now: Time) -> bool {
    let compromised = owner.keys.iter().any(|key| key.compromised.is_some_and(|mark| mark.from <= now));
    let ordinary = matches!(owner.state(now), Lifecycle::Leave | Lifecycle::Terminated) && !owner.left_abruptly(now);
    let recent = owner.state_since(now).is_some_and(|since| now < since.plus(people.owner_grace.get()));
    ordinary && recent && !compromised
}
