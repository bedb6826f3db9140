use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "wrong-namespace",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the SSH signature was made for another purpose",
    next: "sign with git itself (`git commit -S`), which uses the namespace `git`",
    help: r#"An SSH signature names what it was made for. Only `git` counts here, so that a signature made for a file or a login cannot be passed off as a commit's."#,
};
