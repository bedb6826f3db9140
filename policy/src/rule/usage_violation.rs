use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "usage-violation",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the certificate may not be used this way",
    next: "use a certificate made for signing by a user",
    help: r#"The certificate is a host certificate, has no principals, holds a critical option we do not know, or its key usage does not allow signatures."#,
};
