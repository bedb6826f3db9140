use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "internal-error",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "countersign made a mistake",
    next: "tell the administrator the incident id",
    help: r#"This is a fault of Countersign itself, not of the push. The incident id finds the details in the server's log."#,
};
