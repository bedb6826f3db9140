use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "malformed-signature",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signature block cannot be read",
    next: "sign it again: `git commit --amend --no-edit -S`, or `git rebase -r --force-rebase -S BASE` for several",
    help: r#"There is a signature block, but it is not one complete detached signature: text before or after it, a damaged armor, no signature packet, or a packet that does not belong there.

BASE is the last commit that the server has, such as `origin/main`; for a first push say `--root` instead."#,
};
