use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "distrusted",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "it contains work signed by a compromised key",
    next: "the security team should review the commits named",
    help: r#"The history of this branch holds commits that were signed by a key after it was compromised. They need a fresh approval before they enter another mainline branch."#,
};
