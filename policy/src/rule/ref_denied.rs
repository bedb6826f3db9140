use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "ref-denied",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "this ref may not be changed this way",
    next: "push a new branch or tag under another name",
    help: r#"Mainline branches are not deleted, tags are neither moved nor deleted, and names that would make two refs one are refused. The policy lists the exceptions."#,
};
