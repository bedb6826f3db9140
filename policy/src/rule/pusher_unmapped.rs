use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "pusher-unmapped",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "the account that pushed is not known to the registry",
    next: "nothing; the administrator can map the account (`keyring-sync person set ID --account FORGE:NAME`)",
    help: r#"The server names an account that the registry maps to nobody. Recorded, or denied where the policy says so."#,
};
