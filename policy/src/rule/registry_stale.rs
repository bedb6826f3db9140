use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "registry-stale",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "the server's list of keys is too old",
    next: "nothing is wrong with your push; tell the administrator",
    help: r#"The published keyring is older than the policy's `registry_max_age`: offboarding may not have reached this server. For the administrator: `keyring-sync publish` confirms it; where `registry_max_age` is set, run that by a timer."#,
};
