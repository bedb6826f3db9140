use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "tag-target",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the tag does not point to a commit",
    next: "tag a commit",
    help: r#"Tags of files, folders or long chains of tags are not releases, and what they hold would not be judged."#,
};
