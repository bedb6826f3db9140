use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "ledger-unwritable",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server cannot record the push",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"No push passes without its record. For the administrator: check that the git user can write the ledger, and the disk."#,
};
