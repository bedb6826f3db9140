use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "weak-algorithm",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signature uses an algorithm that is no longer safe",
    next: "sign with a current key (Ed25519, or RSA of 3072 bits or more) and SHA-256 or better",
    help: r#"SHA-1, MD5, DSA, short RSA keys and the like can be forged or will be soon. `ssh-keygen -t ed25519` makes a key that is fine."#,
};
