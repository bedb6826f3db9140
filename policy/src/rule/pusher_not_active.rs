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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{Change, Lifecycle};

    #[test]
    fn the_account_that_pushes_belongs_to_somebody_who_is_there() {
        let (now, later) = (Time::from_unix_seconds(10), Time::from_unix_seconds(20));
        let mut alice = crate::testing::person("E1001", "alice@example.com").unwrap();
        alice.lifecycle.push(Change { from: later, state: Lifecycle::Leave, abrupt: false });
        assert!(check(&alice, "gitea:alice", now).is_none());
        let finding = check(&alice, "gitea:alice", later).unwrap();
        assert_eq!((finding.id(), &finding.subject), ("pusher-not-active", &Subject::Push));
        assert_eq!((finding.problem.person, finding.problem.state), (Some(alice.id), Some(Lifecycle::Leave)));
        assert!(finding.problem.reason.contains("gitea:alice") && !finding.problem.reason.contains("leave"));
    }

    #[test]
    fn whoever_has_a_scope_pushes_only_there() {
        let repository = RepositoryNames { path: "/srv/git/app.git".to_owned(), forge: None };
        let mut alice = crate::testing::person("E1001", "alice@example.com").unwrap();
        let name = RefName::new(b"refs/heads/main");
        assert!(check_scope(&alice, "gitea:alice", &repository, &name).is_none());
        alice.scope = vec!["app:topic".parse().unwrap()];
        let finding = check_scope(&alice, "gitea:alice", &repository, &name).unwrap();
        assert_eq!((finding.id(), &finding.subject), ("pusher-not-active", &Subject::Ref(name)));
        assert!(check_scope(&alice, "gitea:alice", &repository, &RefName::new(b"refs/heads/topic")).is_none());
    }
}
