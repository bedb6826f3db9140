use super::{Answers, Rule};
use crate::config::{ForgeKeys, People};
use crate::judge::Objection;
use crate::keyring::{Person, PersonKind};
use crate::verdict::{Effect, Problem};

pub const RULE: Rule = Rule {
    id: "forge-key-outside",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "it is signed by the server's own key",
    next: "make the commit on your own computer and sign it with your own key",
    help: r#"The forge's key signs what is made by a click in the browser. A click is not a signature: the key proves that the server made the commit, not who asked for it."#,
};

pub fn check(signer: &Person, people: &People) -> Option<Objection> {
    (signer.kind == PersonKind::Forge && people.forge_keys == ForgeKeys::Refuse).then(|| {
        Objection::of(Problem::new(&RULE, format!("is signed by the server's own key ({})", signer.id)).of(&signer.id))
    })
}
