use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "ref-denied",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "this ref may not be changed this way",
    next: "leave it as it is; if it must change, the administrator can list an exception in the policy",
    help: r#"Mainline branches are not deleted; tags are neither moved nor deleted, since others rely on what they name. For a new release make a tag with a new name.

For the administrator: `refs.movable_tags` lists tags that may move, such as `nightly`; a branch that is mainline by a pattern like `release/*` may go once another mainline branch or a signed tag holds its tip."#,
};
