use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "limit-exceeded",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the push is over a limit",
    next: "split the push into smaller ones, or make the object smaller",
    help: r#"Limits keep one push from taking the server away from everybody. The message says which limit and what was found; the administrator can raise it under `limits` in the policy."#,
};
