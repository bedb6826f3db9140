use super::{Answers, Rule};
use crate::judge::Objection;
use crate::keyring::{Lifecycle, Person};
use crate::time::Time;
use crate::verdict::{Effect, Problem};

pub const RULE: Rule = Rule {
    id: "signer-not-active",
    effect: Effect::Deny,
    answers: Answers::KeyValidity,
    summary: "the signer is not an active member",
    next: "ask an active colleague to adopt the work, or your HR department if this is a mistake",
    help: r#"The key is registered, but its owner is not active at the moment: not yet started, away, or no longer here. Work that this person pushed earlier can still be merged by an active colleague; new work cannot come in under this signature.

A colleague adopts such work by becoming its committer: fetch the branch, `git rebase -r --force-rebase -S BASE`, push. The author lines stay."#,
};

/// Everybody but an active person is refused. The pusher is not told which state it is: a suspension
/// is between the person and the company. A suspended person's earlier work is not carried on a merge.
pub fn check(signer: &Person, now: Time) -> Option<Objection> {
    let state = signer.state(now);
    if state == Lifecycle::Active {
        return None;
    }
    let problem = Problem::new(&RULE, format!("is signed by {}, who is not an active member", signer.id))
        .of(&signer.id)
        .in_state(state);
    let answers = if state == Lifecycle::Suspended { Answers::Never } else { RULE.answers };
    Some(Objection { problem, answers })
}
