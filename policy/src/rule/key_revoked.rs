use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "key-revoked",
    effect: Effect::Deny,
    answers: Answers::KeyValidity,
    summary: "the key was revoked",
    next: "re-sign with a registered key, or ask an active colleague to adopt it",
    help: r#"The key was retired or replaced in the registry, or its owner revoked it. What it brought in before stays good; nothing new comes in with it.

Sign again with your current key: `git rebase --exec 'git commit --amend --no-edit -S' BASE`."#,
};
