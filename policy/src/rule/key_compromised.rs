use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "key-compromised",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the key is marked as compromised",
    next: "re-sign your own work with a new registered key; report work that is not yours to your security team",
    help: r#"Somebody else may hold this key. What it signed since the mark is not believed, however it got here, until an active person signs for it afresh."#,
};
