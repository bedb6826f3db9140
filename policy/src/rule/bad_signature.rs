use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "bad-signature",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signature does not fit the content",
    next: "sign it again: `git commit --amend --no-edit -S`, or `git rebase -r --force-rebase -S BASE` for several",
    help: r#"The signature is by a registered key, but over other bytes: the object was changed after signing, or the signature was copied from another object.

BASE is the last commit that the server has, such as `origin/main`; for a first push say `--root` instead."#,
};
