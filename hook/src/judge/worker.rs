//! Examining commits on one core.

use super::batch::Batch;
use crate::git::objects::{Kind, hash_is};
use crate::progress::Progress;
use countersign_policy::id::ObjectId;
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::keyring::Person;
use countersign_policy::rule;
use countersign_policy::signature::together::Together;
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

/// What one thread examines with.
pub(super) struct Worker<'a> {
    ground: &'a Ground<'a>,
    signers: Signers,
    together: Together,
}

impl<'a> Worker<'a> {
    pub fn new(ground: &'a Ground<'a>) -> Self {
        Worker { ground, signers: Signers::default(), together: Together::new(random_seed()) }
    }

    /// Adds what is found out of each commit.
    pub fn examine(&mut self, batches: &[Batch], progress: &Progress, done: &mut Done) {
        let before = done.len();
        let commits = batches.iter().flat_map(Batch::commits);
        let (genuine, others): (Vec<_>, Vec<_>) = commits.partition(|(id, raw)| hash_is(id, Kind::Commit, raw));
        let raws: Vec<&[u8]> = genuine.iter().map(|(_, raw)| *raw).collect();
        let examined = self
            .ground
            .examine_commits(&raws, &mut self.together)
            .into_iter()
            .map(|examined| Examined { signer: examined.signer.map(|signer| self.signers.share(signer)), ..examined });
        let refused = others.into_iter().map(|(id, _)| {
            let problem = Problem::new(&rule::malformed_object::RULE, "does not have the hash it goes by");
            (id, Examined::refused(problem))
        });
        done.extend(genuine.iter().map(|(id, _)| *id).zip(examined).chain(refused));
        progress.add(done.len() - before);
    }
}

/// From the system. Without it signatures are checked one by one.
fn random_seed() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    let filled = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
    (filled == Ok(seed.len())).then_some(seed)
}
