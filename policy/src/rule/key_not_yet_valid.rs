use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "key-not-yet-valid",
    effect: Effect::Deny,
    answers: Answers::KeyValidity,
    summary: "the key is not valid yet",
    next: "sign when the key has become valid, or with another registered key",
    help: r#"The key or certificate begins to be valid only later, or the signature claims to be older than the key."#,
};
