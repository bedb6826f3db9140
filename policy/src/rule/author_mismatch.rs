use super::{Answers, Rule};
use crate::judge::Objection;
use crate::keyring::Person;
use crate::time::Time;
use crate::verdict::{Effect, Problem};

pub const RULE: Rule = Rule {
    id: "author-mismatch",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signer is not the author",
    next: "commit as yourself: `git commit --amend --no-edit --reset-author -S`",
    help: r#"The policy wants the author of a commit to be the person who signed it."#,
};

/// Asked only where the policy wants it: a rebase or cherry-pick keeps the author.
pub fn check(signer: &Person, email: &str, now: Time) -> Option<Objection> {
    (!signer.has_email(email, now)).then(|| {
        let shown = crate::text::shown(email, 80);
        Objection::of(
            Problem::new(&RULE, format!("is signed by {}, but the author is {shown}", signer.id)).of(&signer.id),
        )
    })
}
