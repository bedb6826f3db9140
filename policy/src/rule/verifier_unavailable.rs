use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "verifier-unavailable",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server cannot check X.509 signatures at the moment",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"X.509 signatures need gpgsm, which is missing or did not answer. For the administrator: install gpgsm and countersign-x509 beside the countersign binary."#,
};
