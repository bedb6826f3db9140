use super::{Answers, Rule};
use crate::id::RefName;
use crate::keyring::{Person, RepositoryNames};
use crate::time::Time;
use crate::verdict::{Effect, Finding, Problem, Subject};

pub const RULE: Rule = Rule {
    id: "pusher-not-active",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the account that pushed may not push here",
    next: "push with your own account, or ask your HR department if this is a mistake",
    help: r#"Signatures aside, somebody who is not active in the company may not move refs here, whoever signed the commits; and a service account only where its scope says."#,
};

/// The mapped account's person must be active.
pub fn check(pusher: &Person, account: &str, now: Time) -> Option<Finding> {
    let state = pusher.state(now);
    (!pusher.is_active(now)).then(|| {
        Problem::new(&RULE, format!("was made with the account {account}, whose owner is not an active member"))
            .of(&pusher.id)
            .in_state(state)
            .about(Subject::Push)
    })
}

/// Whoever has a scope pushes only there, also what others signed.
pub fn check_scope(pusher: &Person, account: &str, repository: &RepositoryNames, name: &RefName) -> Option<Finding> {
    (!pusher.may_reach(repository, name)).then(|| {
        Problem::new(&RULE, format!("may not be changed by the account {account}"))
            .of(&pusher.id)
            .next("push with your own account, or let the administrator widen the scope of this one")
            .about(Subject::Ref(name.clone()))
    })
}
