//! Examining commits on one core.

use super::batch::Batch;
use crate::git::objects::{Kind, hash_is};
use crate::progress::Progress;
use countersign_policy::id::ObjectId;
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::keyring::Person;
use countersign_policy::rule;
use countersign_policy::signature::together::{Question, Together};
use countersign_policy::signature::{Format, SignedBy};
use countersign_policy::verdict::Problem;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) type Done = Vec<(ObjectId, Examined)>;

/// Who was met, each once: a history by fifty people holds fifty of these, not one for each commit.
#[derive(Default)]
struct Signers(HashMap<(*const Person, Format), Vec<Arc<SignedBy>>>);

/// Keys and certificates of one person that are kept; others are only not shared.
const SIGNERS_OF_ONE: usize = 16;

impl Signers {
    fn share(&mut self, signer: Arc<SignedBy>) -> Arc<SignedBy> {
        let known = self.0.entry((Arc::as_ptr(signer.person()), signer.format())).or_default();
        if let Some(same) = known.iter().find(|known| known.is_like(&signer)) {
            return same.clone();
        }
        if known.len() < SIGNERS_OF_ONE {
            known.push(signer.clone());
        }
        signer
    }
}

/// How signatures are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checking {
    /// Where that is possible.
    Together,
    OneByOne,
}

/// What one thread examines with, and what it found.
pub(super) struct Worker<'a> {
    ground: &'a Ground<'a>,
    signers: Signers,
    pub found: Found,
}

/// What was found; it counts once it is settled.
pub(super) struct Found {
    together: Together<(ObjectId, Examined)>,
    /// What has another hash than it says.
    forged: Done,
}

impl<'a> Worker<'a> {
    pub fn new(ground: &'a Ground<'a>, found: Found) -> Self {
        Worker { ground, signers: Signers::default(), found }
    }

    pub fn examine(&mut self, batch: &Batch, progress: &Progress) {
        let (genuine, others): (Vec<_>, Vec<_>) = batch.commits().partition(|(id, raw)| hash_is(id, Kind::Commit, raw));
        self.found.forged.extend(others.into_iter().map(|(id, _)| {
            let problem = Problem::new(&rule::malformed_object::RULE, "does not have the hash it goes by");
            (id, Examined::refused(problem))
        }));
        let signers = &mut self.signers;
        self.ground.examine_commits(genuine, &mut self.found.together, |id, examined| {
            (id, Examined { signer: examined.signer.map(|signer| signers.share(signer)), ..examined })
        });
        progress.add(batch.commits_held());
    }
}

impl Found {
    /// Nothing yet.
    pub fn new(checking: Checking) -> Self {
        Found { together: Together::new(checking.seed()), forged: Vec::new() }
    }

    /// Nothing yet, for another worker whose findings are settled with these.
    pub fn beside(&self, checking: Checking) -> Self {
        Found { together: self.together.beside(checking.seed()), forged: Vec::new() }
    }

    /// Of all workers; nothing where a signature is bad that was checked together with others.
    pub fn settle(all: Vec<Found>, ask: impl FnOnce(Vec<Question>) -> bool) -> Option<Done> {
        let (together, forged): (Vec<_>, Vec<_>) = all.into_iter().map(|found| (found.together, found.forged)).unzip();
        let mut done = Together::settle(together, ask)?;
        done.extend(forged.into_iter().flatten());
        Some(done)
    }
}

impl Checking {
    /// From the system. Without one, signatures are checked one by one.
    fn seed(self) -> Option<[u8; 32]> {
        let mut seed = [0; 32];
        let filled = match self {
            Checking::OneByOne => return None,
            Checking::Together => rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty()),
        };
        (filled == Ok(seed.len())).then_some(seed)
    }
}
