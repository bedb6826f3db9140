use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "key-not-for-signing",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the key may not sign",
    next: "sign with a key that is meant for signing",
    help: r#"The certificate says that this key is for encryption, authentication or certification only, or lacks the back-signature that ties a signing subkey to its owner."#,
};
