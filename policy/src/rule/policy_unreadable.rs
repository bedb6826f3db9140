use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "policy-unreadable",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server's policy cannot be read",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"The policy file is missing, unreadable or wrong. For the administrator: `countersign policy check --config FILE` says where."#,
};
