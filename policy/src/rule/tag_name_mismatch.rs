use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "tag-name-mismatch",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the tag's own name differs from the ref",
    next: "make the tag under the name you push it to: `git tag -s NAME OLDNAME^{}`",
    help: r#"A signed tag holds its own name. Pushed under another one, an old signed release could be passed off as a new one."#,
};
