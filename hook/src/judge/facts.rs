//! What is known of the commits of a push. The walk hands over raw bytes; only the outcome is kept.

use super::batch::{BATCH, Batch};
use super::hands::Hands;
use super::worker::{Done, Worker};
use crate::git::history::Met;
use crate::progress::Progress;
use countersign_policy::id::ObjectId;
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::rule;
use countersign_policy::verdict::Problem;
use std::collections::HashMap;
use std::thread::{Scope, ScopedJoinHandle};

/// Commits that one core examines alone, all at once: so few cost less than threads that wake each other.
const ALONE: usize = 128;

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
    /// From earlier walks of the same push.
    before: &'env Facts,
    known: HashMap<ObjectId, Option<Examined>>,
    batch: Batch,
    /// With their threads; once there is enough to do.
    hands: Option<(Hands, Vec<ScopedJoinHandle<'scope, Done>>)>,
    worker: Worker<'env>,
    done: Done,
}

impl std::fmt::Debug for Examiner<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examiner").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl<'scope, 'env> Examiner<'scope, 'env> {
    pub fn new(
        scope: &'scope Scope<'scope, 'env>,
        (ground, progress): (&'env Ground<'env>, &'env Progress),
        before: &'env Facts,
    ) -> Self {
        Examiner {
            scope,
            ground,
            progress,
            before,
            known: HashMap::new(),
            batch: Batch::default(),
            hands: None,
            worker: Worker::new(ground),
            done: Vec::new(),
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
                let enough = if self.hands.is_some() { BATCH } else { ALONE };
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
        let Examiner { scope, ground, progress, .. } = *self;
        let (hands, _) = self.hands.get_or_insert_with(|| {
            let hands = Hands::for_all_cores();
            let threads = hands.start(scope, ground, progress);
            (hands, threads)
        });
        hands.take(batch, &mut self.worker, progress, &mut self.done);
    }

    /// Does what is left, waits for the others, and gives what is new. Another's panic is passed on.
    pub fn finish(mut self) -> Facts {
        let mut facts: HashMap<ObjectId, Examined> = HashMap::with_capacity(self.known.len());
        self.worker.examine(&[self.batch], self.progress, &mut self.done);
        let mut threads = Vec::new();
        if let Some((hands, started)) = self.hands {
            hands.finish(&mut self.worker, self.progress, &mut self.done);
            threads = started;
        }
        facts.extend(self.done);
        for thread in threads {
            match thread.join() {
                Ok(done) => facts.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        facts.extend(self.known.into_iter().filter_map(|(id, examined)| Some((id, examined?))));
        Facts(facts)
    }
}
