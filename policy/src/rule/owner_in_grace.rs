use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "owner-in-grace",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "the owner of the service account has left",
    next: "nothing for the pusher; the account needs a new owner (`keyring-sync person set ID --owner PERSON`)",
    help: r#"After its owner left in the ordinary way a service account goes on for a while, so that somebody else can take it over. The policy says for how long (`people.owner_grace`); after that it may push nowhere."#,
};
