use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "keyring-unreadable",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server cannot look up keys",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"The published keyring is missing, damaged or cannot be read by the git user. For the administrator: `keyring-sync publish` writes it again."#,
};
