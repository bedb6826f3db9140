use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "carried",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "it was brought in on a colleague's signature",
    next: "nothing",
    help: r#"The signer could not have brought this commit here today; it was received earlier from a valid key, and an active colleague's merge carries it."#,
};
