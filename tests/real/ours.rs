//! Our verdict on one object: the grammar, the signature, and what the key may do at an instant.
//!
//! Who a committer is and where they may push is for a registry of people, which a folder of keys
//! is not; nobody else has an opinion on that to compare.

use countersign_policy::commit::Commit;
use countersign_policy::id::ObjectFormat;
use countersign_policy::rule::identity_mismatch;
use countersign_policy::signature::payload::Payload;
use countersign_policy::signature::settings::Settings;
use countersign_policy::signature::{self, Context, SignedBy};
use countersign_policy::tag::Tag;
use countersign_policy::testing::{MemoryKeyring, NoX509};
use countersign_policy::time::Time;
use countersign_policy::verdict::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Commit,
    Tag,
}

#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Finding ids; none of them is an acceptance.
    pub findings: Vec<&'static str>,
    /// The first finding in words.
    pub reason: String,
    /// The key whose signature verified, as the registry calls it.
    pub key: Option<String>,
}

impl Verdict {
    pub fn accepted(&self) -> bool {
        self.findings.is_empty()
    }

    fn of(problems: &[Problem], key: Option<String>) -> Verdict {
        Verdict {
            findings: problems.iter().map(|problem| problem.rule.id).collect(),
            reason: problems.first().map(|problem| problem.reason.clone()).unwrap_or_default(),
            key,
        }
    }
}

/// Both verdicts on one object: as if it were pushed now, and as if at its own date.
pub struct Judged {
    pub now: Verdict,
    pub at_its_date: Verdict,
}

pub fn judge(kind: Kind, raw: &[u8], format: ObjectFormat, keyring: &MemoryKeyring, now: Time) -> Judged {
    match kind {
        Kind::Commit => match Commit::parse(raw, format) {
            Err(problem) => both(problem),
            Ok(commit) => {
                let date = commit.committer().when;
                let signature = commit.signature();
                let part = Signed {
                    payload: commit.payload(),
                    signature: signature.as_deref(),
                    message_problem: commit.message_problem(),
                };
                part.judge(keyring, now, date)
            }
        },
        Kind::Tag => match Tag::parse(raw, format) {
            Err(problem) => both(problem),
            Ok(tag) => {
                let date = tag.tagger().map_or(now, |tagger| tagger.when);
                let part = Signed {
                    payload: tag.payload(),
                    signature: tag.signature(),
                    message_problem: tag.message_problem().or_else(|| no_tagger(&tag)),
                };
                part.judge(keyring, now, date)
            }
        },
    }
}

/// Nobody takes such a tag, whoever signed it: git does not even ask gpg.
fn no_tagger(tag: &Tag<'_>) -> Option<Problem> {
    tag.tagger().is_none().then(|| Problem::new(&identity_mismatch::RULE, "names no tagger"))
}

fn both(problem: Problem) -> Judged {
    let verdict = Verdict::of(&[problem], None);
    Judged { now: verdict.clone(), at_its_date: verdict }
}

struct Signed<'a> {
    payload: Payload<'a>,
    signature: Option<&'a [u8]>,
    message_problem: Option<Problem>,
}

impl Signed<'_> {
    fn judge(&self, keyring: &MemoryKeyring, now: Time, date: Time) -> Judged {
        Judged { now: self.judge_at(keyring, now), at_its_date: self.judge_at(keyring, date) }
    }

    fn judge_at(&self, keyring: &MemoryKeyring, now: Time) -> Verdict {
        let Some(signature) = self.signature else {
            return Verdict { findings: vec!["unsigned"], reason: "is not signed".to_owned(), key: None };
        };
        let settings = Settings::default();
        let context = Context { keyring, settings: &settings, now, x509: &NoX509 };
        match signature::verify(&self.payload, signature, &context) {
            Err(problem) => Verdict::of(&[problem], None),
            Ok(signed) => self.signed(&signed),
        }
    }

    fn signed(&self, signed: &SignedBy) -> Verdict {
        let problems: Vec<Problem> = signed.problems().iter().cloned().chain(self.message_problem.clone()).collect();
        Verdict::of(&problems, Some(signed.key().as_str().to_owned()))
    }
}
