use super::{Answers, Rule};
use crate::time::Time;
use crate::verdict::{Effect, Problem};
use std::time::Duration;

pub const RULE: Rule = Rule {
    id: "time-skew",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "its date lies in the future",
    next: "set the clock of your computer and make the commit again: `git commit --amend --no-edit -S`",
    help: r#"The commit, tag or signature bears a date that lies further ahead of the server's clock than the policy allows. Dates decide nothing here, but a date in the future is always a mistake or a trick."#,
};

/// `what` names the date: `a committer date`.
pub fn check(what: &str, when: Time, skew: Duration, now: Time) -> Option<Problem> {
    (when > now.plus(skew)).then(|| Problem::new(&RULE, format!("has {what} in the future ({when})")))
}
