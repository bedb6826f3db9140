use super::{Answers, Rule};
use crate::id::{Fingerprint, RefName};
use crate::judge::Objection;
use crate::keyring::{Person, PersonKind, RepositoryNames};
use crate::verdict::{Effect, Problem};

pub const RULE: Rule = Rule {
    id: "out-of-scope",
    effect: Effect::Deny,
    answers: Answers::Authority,
    summary: "the signer or key may not be used for this repository or branch",
    next: "push to a branch inside the scope, or let a colleague merge it",
    help: r#"Service accounts, and keys registered for one purpose, name the repositories and refs they may push to. This one is not among them."#,
};

/// Both the person's scope and the key's own must cover the ref.
pub fn check(signer: &Person, key: &Fingerprint, repository: &RepositoryNames, name: &RefName) -> Option<Objection> {
    let who = match signer.kind {
        PersonKind::Service => "the service account ",
        PersonKind::Human | PersonKind::Forge => "",
    };
    let reason = if !signer.may_reach(repository, name) {
        format!("is signed by {who}{}, which may not push to {} of this repository", signer.id, name.shown())
    } else if !signer.key(key).is_none_or(|key| key.may_reach(repository, name)) {
        format!("is signed with key {}, which is not for {} of this repository", key.short(), name.shown())
    } else {
        return None;
    };
    Some(Objection::of(Problem::new(&RULE, reason).of(&signer.id).with_key(key)))
}
