use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "signature-expired",
    effect: Effect::Deny,
    answers: Answers::KeyValidity,
    summary: "the signature itself has expired",
    next: "sign it again: `git commit --amend --no-edit -S`",
    help: r#"The signature carries an expiry date of its own, and that has passed."#,
};
