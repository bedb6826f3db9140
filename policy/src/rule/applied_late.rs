use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "applied-late",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "the ref was updated later than the verdict allows",
    next: "the administrator should install the reference-transaction hook (`countersign install`)",
    help: r#"An accepting verdict is good for a short time. On this server nothing checked it again when git moved the ref."#,
};
