use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "missing-object",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "part of its history is missing",
    next: "push from a complete clone: `git fetch --unshallow`",
    help: r#"A commit names a parent that is neither in the push nor on the server, so what lies behind it cannot be judged."#,
};
