use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "key-expired",
    effect: Effect::Deny,
    answers: Answers::KeyValidity,
    summary: "the key has expired",
    next: "extend the key and have it registered again, or sign with another registered key",
    help: r#"The signing key, or the certificate it belongs to, was past its end when the push arrived. The date inside the commit does not matter: only the server's clock counts.

OpenPGP: `gpg --quick-set-expire FINGERPRINT 1y`, then hand in the new public key. SSH certificate: ask for a new one. Then sign again."#,
};
