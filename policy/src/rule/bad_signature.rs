use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "bad-signature",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signature does not fit the content",
    next: "sign it again: `git commit --amend -S`",
    help: r#"The signature is by a registered key, but over other bytes: the object was changed after signing, or the signature was copied from another object."#,
};
