use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "malformed-signature",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signature block cannot be read",
    next: "sign again with `git commit --amend -S`, or `git rebase --exec 'git commit --amend --no-edit -S' BASE` for several",
    help: r#"There is a signature block, but it is not one complete detached signature: text before or after it, a damaged armor, no signature packet, or a packet that does not belong there."#,
};
