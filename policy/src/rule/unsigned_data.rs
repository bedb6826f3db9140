use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "unsigned-data",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "part of the object is not covered by the signature",
    next: "make the object again with git itself and sign it",
    help: r#"Bytes outside the signed payload, such as text after the signature of a tag or a second signature header of the other hash, could be changed by anybody without breaking the signature."#,
};
