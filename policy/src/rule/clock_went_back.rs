use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "clock-went-back",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server's clock went back",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"The ledger holds entries from later than now. For the administrator: set the clock; if the later one was wrong, `countersign ledger accept clock --reason TEXT`."#,
};
