use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "format-not-allowed",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the policy does not take this kind of signature",
    next: "sign with a kind of key that the policy takes",
    help: r#"The server's policy lists the signature formats it takes (OpenPGP, SSH, SSH certificates, X.509). This one is not among them."#,
};
