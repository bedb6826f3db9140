use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "registry-rollback",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server's list of keys is not what follows the one used before",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"A keyring of a later epoch, or of the same epoch from another registry, has been used here already: an old copy may have been restored, and with it keys of people who left. For the administrator: bring in what it missed, kills first; if it was put back on purpose, `countersign ledger accept registry --reason TEXT`."#,
};
