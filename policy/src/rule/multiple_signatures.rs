use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "multiple-signatures",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "there is more than one signature",
    next: "sign once: `git commit --amend --no-edit -S`",
    help: r#"A commit or tag carries exactly one signature. With two, different tools verify different ones, and a good one could hide a bad one."#,
};
