use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "untrusted-chain",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the certificate does not come from a trusted authority",
    next: "use a certificate issued by your company's authority",
    help: r#"The SSH certificate is signed by a CA, or the X.509 certificate by a root, that the registry does not hold; or the chain between them is incomplete or broken."#,
};
