use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "pusher-unmapped",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "the account that pushed is not known to the registry",
    next: "ask the administrator to map your account to you",
    help: r#"The server names an account that the registry maps to nobody. Noted, or rejected where the policy says so (`people.unmapped_pusher`).

For the administrator: `keyring-sync person set ID --account FORGE:NAME`, naming all accounts of the person, for the list replaces the one before. The forms: `gitea:NAME` (Forgejo too), `gitea:deploy-key-NUMBER`, `gitlab:NAME`, `gitolite:NAME`, `http:NAME`."#,
};
