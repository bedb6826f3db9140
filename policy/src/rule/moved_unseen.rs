use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "moved-unseen",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "the ref had moved without being judged",
    next: "nothing for the pusher; the administrator should find out what moved it",
    help: r#"The ref stood at a commit that no accepted push of this repository brought there. What came in that way was judged now, like new work."#,
};
