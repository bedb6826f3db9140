use super::{Answers, Rule};
use crate::config::{Answer, Level, People};
use crate::judge::Objection;
use crate::keyring::Person;
use crate::time::Time;
use crate::verdict::{Effect, Problem};

pub const RULE: Rule = Rule {
    id: "signer-on-probation",
    effect: Effect::Deny,
    answers: Answers::Authority,
    summary: "the signer may not push to this branch during probation",
    next: "push to another branch and let a colleague merge it",
    help: r#"During probation a person pushes to branches of their own, and somebody past probation merges them to the main branches with a signed merge commit."#,
};

pub fn check(signer: &Person, level: Level, people: &People, now: Time) -> Option<Objection> {
    let denied = level == Level::Mainline && people.probation_on_mainline == Answer::Deny && signer.on_probation(now);
    denied.then(|| {
        let reason = format!("is signed by {}, who may not push here during probation", signer.id);
        Objection::of(Problem::new(&RULE, reason).of(&signer.id))
    })
}
