use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "verdict-stale",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the verdict no longer holds",
    next: "push again",
    help: r#"Between the verdict and the moment git wanted to move the ref, too much time passed, or a person or key that the verdict relied on changed. Pushing again asks anew."#,
};
