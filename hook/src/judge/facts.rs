//! What is known of the commits of a push. The walk hands over raw bytes; only the outcome is kept.

use super::batch::{BATCH, Batch};
use super::hands::Hands;
use super::worker::{Checking, Found, Worker};
use crate::git::history::Met;
use crate::progress::Progress;
use countersign_policy::id::ObjectId;
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::rule;
use countersign_policy::signature::together::all_hold;
use countersign_policy::verdict::Problem;
use std::collections::HashMap;
use std::thread::Scope;

/// Commits that one core examines alone, all at once: so few cost less than threads that wake each other.
const ALONE: usize = 8;

/// A batch of large commits is handed over early.
const BATCH_BYTES: usize = 256 * 1024;

/// What is known of each commit of this push, wherever it goes.
#[derive(Debug, Default)]
pub struct Facts(HashMap<ObjectId, Examined>);

impl Facts {
    pub fn get(&self, id: &ObjectId) -> Option<&Examined> {
        self.0.get(id)
    }

    pub fn add(&mut self, more: Facts) {
        if self.0.is_empty() {
            *self = more;
        } else {
            self.0.extend(more.0);
        }
    }
}

/// Examines what it is handed: few here, more on all cores.
pub struct Examiner<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    ground: &'env Ground<'env>,
    progress: &'env Progress,
    checking: Checking,
    /// From earlier walks of the same push.
    before: &'env Facts,
    known: HashMap<ObjectId, Option<Examined>>,
    batch: Batch,
    /// Once there is enough to do, all cores, and what this one does of it.
    all: Option<(Hands, Worker<'env>)>,
}

impl std::fmt::Debug for Examiner<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examiner").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl<'scope, 'env> Examiner<'scope, 'env> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        (ground, checking): (&'env Ground<'env>, Checking),
        progress: &'env Progress,
        before: &'env Facts,
    ) -> Self {
        Examiner {
            scope,
            ground,
            progress,
            checking,
            before,
            known: HashMap::new(),
            batch: Batch::default(),
            all: None,
        }
    }

    /// Takes a commit that the walk met; a second time it costs nothing.
    pub fn meet(&mut self, id: ObjectId, met: Met<'_>) {
        if self.before.0.contains_key(&id) || self.known.contains_key(&id) {
            return;
        }
        let limits = &self.ground.policy.limits;
        let refused = match met {
            Met::Commit(raw) => {
                self.known.insert(id, None);
                self.batch.push(id, raw);
                let enough = if self.all.is_some() { BATCH } else { ALONE };
                if self.batch.commits_held() >= enough || self.batch.bytes_held() >= BATCH_BYTES {
                    self.hand_over();
                }
                return;
            }
            Met::TooLarge(size) => Problem::new(
                &rule::limit_exceeded::RULE,
                format!("is {size} bytes large; a commit may have {}", limits.commit_bytes),
            ),
            Met::Missing => Problem::new(&rule::missing_object::RULE, "is neither in the push nor on the server"),
            Met::NotACommit(kind) => {
                Problem::new(&rule::malformed_object::RULE, format!("is named as a parent but is a {}", kind.as_str()))
            }
        };
        self.known.insert(id, Some(Examined::refused(refused)));
    }

    fn hand_over(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Batch::with_room());
        let Examiner { scope, ground, progress, checking, .. } = *self;
        let (hands, worker) = self.all.get_or_insert_with(|| {
            let first = Found::new(checking);
            let hands = Hands::for_all_cores(scope, (ground, checking), &first, progress);
            (hands, Worker::new(ground, first))
        });
        hands.take(batch, worker, progress);
    }

    /// Does what is left, waits for the others, and gives what is new; nothing where it has to be done again one by
    /// one.
    pub fn finish(self) -> Option<Facts> {
        let done = match self.all {
            None => {
                let mut alone = Worker::new(self.ground, Found::new(Checking::OneByOne));
                alone.examine(&self.batch, self.progress);
                Found::settle(vec![alone.found], all_hold)
            }
            Some((hands, mut worker)) => {
                worker.examine(&self.batch, self.progress);
                hands.settle(worker, self.progress)
            }
        };
        let mut facts: HashMap<ObjectId, Examined> = HashMap::with_capacity(self.known.len());
        facts.extend(done?);
        facts.extend(self.known.into_iter().filter_map(|(id, examined)| Some((id, examined?))));
        Some(Facts(facts))
    }
}
