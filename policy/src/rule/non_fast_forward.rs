use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "non-fast-forward",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "history would be rewritten",
    next: "fetch, rebase or merge your work onto the branch, and push again without force",
    help: r#"A mainline branch only moves forward: the new tip must contain the old one."#,
};
