use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "recorded",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "the ref is recorded and not judged",
    next: "nothing",
    help: r#"A review ref written by the forge itself gives no trust: its commits are judged when they come to a branch."#,
};
