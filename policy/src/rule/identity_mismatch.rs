use super::{Answers, Rule};
use crate::judge::Objection;
use crate::keyring::Person;
use crate::time::Time;
use crate::verdict::{Effect, Problem};

pub const RULE: Rule = Rule {
    id: "identity-mismatch",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the signer is not the committer",
    next: "commit under your own registered e-mail address: `git config user.email YOU@COMPANY`, then `git rebase -r --force-rebase -S BASE`",
    help: r#"The key belongs to one person, the committer (or tagger) line names an e-mail that is not theirs. E-mails and names in commits are free text; only the signature proves who made them, so both must agree.

`git rebase -r --force-rebase -S BASE` makes you the committer of all your new commits and keeps their authors. BASE is the last commit that the server has, such as `origin/main`; for a first push say `--root` instead."#,
};

/// The committer's or tagger's e-mail must be one that the registry gives the signer. An address that the
/// signer held earlier is answered by a receipt: it was theirs when the work came in.
pub fn check(signer: &Person, what: &str, email: &str, now: Time) -> Option<Objection> {
    if signer.has_email(email, now) {
        return None;
    }
    let shown = crate::text::shown(email, 80);
    let problem = Problem::new(&RULE, format!("is signed by {}, but the {what} is {shown}", signer.id)).of(&signer.id);
    let once = signer.emails.iter().any(|held| held.value.as_str().eq_ignore_ascii_case(email));
    Some(Objection { problem, answers: if once { Answers::KeyValidity } else { RULE.answers } })
}
