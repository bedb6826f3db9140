use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "pending-baseline",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "history from before came in by a baseline",
    next: "nothing",
    help: r#"An administrator's baseline waived the signature rules for this commit and its ancestors; the waiver and its reason are on record."#,
};
