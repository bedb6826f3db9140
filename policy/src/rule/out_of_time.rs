use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "out-of-time",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "judging the push took too long",
    next: "push fewer commits at once, or try again when the server is less busy",
    help: r#"The time for one push ran out before everything was judged. Nothing was found to be wrong."#,
};
