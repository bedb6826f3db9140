//! What speaks against a commit or tag: first by itself, then at the place it is to enter.

use crate::commit::Commit;
use crate::config::{Level, Policy};
use crate::id::{ObjectFormat, RefName};
use crate::keyring::{Keyring, PersonKind, RepositoryNames};
use crate::rule::{self, Answers};
use crate::signature::{self, SignedBy, X509Verifier};
use crate::tag::Tag;
use crate::time::Time;
use crate::verdict::Problem;

/// A reason against a commit, and what may answer it.
#[derive(Clone, Debug)]
pub struct Objection {
    pub problem: Problem,
    pub answers: Answers,
}

impl Objection {
    /// Answered by what the rule says.
    pub fn of(problem: Problem) -> Self {
        Objection { answers: problem.rule.answers, problem }
    }
}

impl From<Problem> for Objection {
    fn from(problem: Problem) -> Self {
        Objection::of(problem)
    }
}

/// The ground on which one push is judged: one policy, one epoch of the keyring, one instant.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    pub policy: &'a Policy,
    pub keyring: &'a dyn Keyring,
    pub x509: &'a dyn X509Verifier,
    pub now: Time,
    pub format: ObjectFormat,
}

impl std::fmt::Debug for Ground<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("now", &self.now).finish_non_exhaustive()
    }
}

/// What was found out about an object wherever it goes.
#[derive(Debug, Default)]
pub struct Examined {
    /// Present when the signature verified, whatever else speaks against it. Boxed: a flood of unsigned commits has none.
    pub signer: Option<Box<SignedBy>>,
    pub objections: Vec<Objection>,
    /// First line of the message, kept only where there is something to say about the object.
    pub title: Option<String>,
    /// A commit without parents.
    pub is_root: bool,
}

impl Examined {
    pub fn refused(problem: Problem) -> Self {
        Examined { objections: vec![problem.into()], ..Examined::default() }
    }
}

impl Ground<'_> {
    fn verify(
        &self,
        payload: &crate::signature::payload::Payload<'_>,
        block: Option<&[u8]>,
    ) -> Result<SignedBy, Problem> {
        let Some(block) = block else { return Err(Problem::new(&rule::unsigned::RULE, "is not signed")) };
        let context = signature::Context {
            keyring: self.keyring,
            settings: &self.policy.signatures,
            now: self.now,
            x509: self.x509,
        };
        signature::verify(payload, block, &context)
    }

    /// The checks that every signer must pass, for commits and tags alike.
    fn object_to(&self, signer: &SignedBy, objections: &mut Vec<Objection>) {
        let person = signer.person();
        objections.extend(signer.problems().iter().cloned().map(|problem| key_objection(signer, problem)));
        objections.extend(rule::forge_key_outside::check(person, &self.policy.people));
        objections.extend(rule::signer_not_active::check(person, self.now));
        match rule::owner_not_active::check(person, self.keyring, &self.policy.people, self.now) {
            Ok(objection) => objections.extend(objection),
            Err(error) => objections.push(Problem::new(&rule::keyring_unreadable::RULE, error.to_string()).into()),
        }
    }

    /// Judges a commit by its raw bytes.
    pub fn examine_commit(&self, raw: &[u8]) -> Examined {
        let commit = match Commit::parse(raw, self.format) {
            Ok(commit) => commit,
            Err(problem) => return Examined::refused(problem),
        };
        let mut objections = Vec::new();
        let skew = self.policy.signatures.clock_skew.get();
        for (what, when) in [("a committer date", commit.committer().when), ("an author date", commit.author().when)] {
            objections.extend(rule::time_skew::check(what, when, skew, self.now).map(Objection::from));
        }
        if commit.parents().len() > self.policy.limits.parents {
            let reason = format!("has {} parents, more than {}", commit.parents().len(), self.policy.limits.parents);
            objections.push(Problem::new(&rule::limit_exceeded::RULE, reason).into());
        }
        let signer = match self.verify(&commit.payload(), commit.signature().as_deref()) {
            Ok(signer) => {
                objections.extend(commit.message_problem().map(Objection::from));
                self.object_to(&signer, &mut objections);
                // The forge's key signs for whoever clicked; its commits never bear its own name.
                if signer.person().kind != PersonKind::Forge {
                    let identity = &self.policy.identity;
                    if identity.committer_is_signer {
                        let email = commit.committer().email;
                        objections.extend(rule::identity_mismatch::check(
                            signer.person(),
                            "committer",
                            email,
                            self.now,
                        ));
                    }
                    if identity.author_is_signer {
                        objections.extend(rule::author_mismatch::check(
                            signer.person(),
                            commit.author().email,
                            self.now,
                        ));
                    }
                }
                Some(Box::new(signer))
            }
            Err(problem) => {
                // Without a signer nothing else could be asked, and so nothing is answered by a receipt.
                objections.push(Objection { problem, answers: Answers::Never });
                None
            }
        };
        let title = Some(commit.title());
        Examined { signer, objections, title, is_root: commit.parents().is_empty() }
    }

    /// Judges a tag object by its raw bytes; `name` is the part of the ref after `refs/tags/`.
    pub fn examine_tag(&self, tag: &Tag<'_>, name: &[u8]) -> Examined {
        let mut objections = Vec::new();
        if tag.name() != name {
            let reason = format!("calls itself {}", crate::text::shown_bytes(tag.name(), 80));
            objections.push(Problem::new(&rule::tag_name_mismatch::RULE, reason).into());
        }
        let signer = match self.verify(&tag.payload(), tag.signature()) {
            Ok(signer) => {
                objections.extend(tag.message_problem().map(Objection::from));
                self.object_to(&signer, &mut objections);
                let skew = self.policy.signatures.clock_skew.get();
                match tag.tagger() {
                    Some(tagger) => {
                        objections.extend(
                            rule::time_skew::check("a tagger date", tagger.when, skew, self.now).map(Objection::from),
                        );
                        if self.policy.identity.committer_is_signer && signer.person().kind != PersonKind::Forge {
                            objections.extend(rule::identity_mismatch::check(
                                signer.person(),
                                "tagger",
                                tagger.email,
                                self.now,
                            ));
                        }
                    }
                    None => objections.push(
                        Problem::new(&rule::identity_mismatch::RULE, "names no tagger").of(&signer.person().id).into(),
                    ),
                }
                Some(Box::new(signer))
            }
            Err(problem) => {
                objections.push(problem.into());
                None
            }
        };
        Examined { signer, objections, title: Some(tag.title()), is_root: false }
    }
}

/// "Compromised since T" leaves what a receipt from before T answers; without T nothing does. Key and authority are
/// told apart to people, but the harsher mark is on both.
pub(crate) fn key_objection(signer: &SignedBy, problem: Problem) -> Objection {
    match signer.compromised_since() {
        Some(since) if problem.rule.id == rule::key_compromised::RULE.id && since > Time::MIN => {
            Objection { problem, answers: Answers::KeyValidityBefore(since) }
        }
        _ => Objection::of(problem),
    }
}

/// Where an object is to enter.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub repository: &'a RepositoryNames,
    pub name: &'a RefName,
    pub level: Level,
}

/// What speaks against the signer here and now, besides what speaks against the object itself.
pub fn objections_at(place: &Place<'_>, signer: &SignedBy, policy: &Policy, now: Time) -> Vec<Objection> {
    let scope = rule::out_of_scope::check(signer.person(), signer.key(), place.repository, place.name);
    let probation = rule::signer_on_probation::check(signer.person(), place.level, &policy.people, now);
    scope.into_iter().chain(probation).collect()
}
