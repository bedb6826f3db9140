use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "unknown-key",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signing key is not registered",
    next: "sign with a registered key, or have this one registered by whoever looks after keys in your company",
    help: r#"The signature may be fine, but nobody in the registry holds the key. Uploading it to your forge account is not enough: keys count only once they are registered to a person.

Which key is yours: `git config user.signingkey`, and `ssh-keygen -lf FILE.pub` or `gpg --list-secret-keys --keyid-format long` show its name as the message has it."#,
};
