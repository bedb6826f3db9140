use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "revocation-unknown",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "whether the certificate is revoked could not be found out",
    next: "try again later; the administrator must provide a fresh revocation list",
    help: r#"The policy names a folder of revocation lists, and the one for this certificate's issuer is missing, unreadable or too old. Nothing is wrong with the push as far as we know.

For the administrator: put a current CRL of the issuer into the folder that `x509.crls` names."#,
};
