use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "unknown-namespace",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "refs of this kind are not taken",
    next: "push to `refs/heads/…` or `refs/tags/…`",
    help: r#"Only branches and tags are judged by rules, so only they may be pushed. Other namespaces (`refs/replace`, `refs/notes`, `refs/pull` …) could carry unsigned work past the rules, or change what others read."#,
};
