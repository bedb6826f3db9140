use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "repository-unreadable",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server cannot read the repository",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"The hook could not read an object or ref it needs. For the administrator: `git fsck` in the repository."#,
};
