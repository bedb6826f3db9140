use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "key-revoked",
    effect: Effect::Deny,
    answers: Answers::KeyValidity,
    summary: "the key was revoked",
    next: "sign again with your current key, or ask an active colleague to adopt the work",
    help: r#"The key was retired or replaced in the registry, or its owner revoked it. What it brought in before stays good; nothing new comes in with it.

Sign again with your current key: `git rebase -r --force-rebase -S BASE`. BASE is the last commit that the server has, such as `origin/main`; for a first push say `--root` instead.

A colleague adopts such work by becoming its committer: fetch the branch, `git rebase -r --force-rebase -S BASE`, push. The author lines stay."#,
};
