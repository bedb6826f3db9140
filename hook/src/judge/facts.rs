//! Examining commits on all cores while the walk goes on.
//!
//! The walk hands over raw bytes; workers parse and verify, and only the outcome is kept.

use crate::git::history::Met;
use crate::git::objects::{Kind, hash_is};
use countersign_policy::id::ObjectId;
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::rule;
use countersign_policy::verdict::Problem;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

/// Commits handed to a worker at once: enough that the hand-over costs nothing beside 30 µs a signature.
const BATCH: usize = 32;

/// A batch of large commits is handed over early: with all that wait and are worked on it stays below 10 MiB.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches waiting for a worker. The walk is faster than the workers; what waits is held in memory.
const WAITING: usize = 16;

/// More threads than this only wait for the disk.
const WORKERS_MAX: usize = 16;

type Batch = Vec<(ObjectId, Vec<u8>)>;
type Done = Vec<(ObjectId, Examined)>;

/// What is known of each commit of this push, wherever it goes.
#[derive(Debug, Default)]
pub struct Facts(HashMap<ObjectId, Examined>);

impl Facts {
    pub fn get(&self, id: &ObjectId) -> Option<&Examined> {
        self.0.get(id)
    }

    pub fn add(&mut self, more: Facts) {
        self.0.extend(more.0);
    }
}

/// Examines what it is handed: the first few here, more on worker threads.
pub struct Examiner<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    ground: &'env Ground<'env>,
    /// From earlier walks of the same push.
    before: &'env Facts,
    known: HashMap<ObjectId, Option<Examined>>,
    batch: Batch,
    /// Bytes in the batch.
    bytes: usize,
    workers: Option<Workers<'scope>>,
}

struct Workers<'scope> {
    send: SyncSender<Batch>,
    handles: Vec<ScopedJoinHandle<'scope, Done>>,
}

impl std::fmt::Debug for Examiner<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examiner").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl<'scope, 'env> Examiner<'scope, 'env> {
    pub fn new(scope: &'scope Scope<'scope, 'env>, ground: &'env Ground<'env>, before: &'env Facts) -> Self {
        Examiner {
            scope,
            ground,
            before,
            known: HashMap::new(),
            batch: Vec::with_capacity(BATCH),
            bytes: 0,
            workers: None,
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
                self.batch.push((id, raw.to_vec()));
                self.bytes += raw.len();
                if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
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
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.bytes = 0;
        let (scope, ground) = (self.scope, self.ground);
        let workers = self.workers.get_or_insert_with(|| Workers::start(scope, ground));
        if let Err(refused) = workers.send.send(batch) {
            // Every worker is gone, which only a panic does; `finish` brings it to light.
            self.batch = refused.0;
        }
    }

    /// Waits for the workers, and gives what is new. A worker's panic is passed on.
    pub fn finish(mut self) -> Facts {
        let mut facts: HashMap<ObjectId, Examined> = HashMap::with_capacity(self.known.len());
        facts.extend(examine_all(self.ground, std::mem::take(&mut self.batch)));
        if let Some(workers) = self.workers {
            drop(workers.send);
            for handle in workers.handles {
                match handle.join() {
                    Ok(done) => facts.extend(done),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        }
        facts.extend(self.known.into_iter().filter_map(|(id, examined)| Some((id, examined?))));
        Facts(facts)
    }
}

impl<'scope> Workers<'scope> {
    fn start<'env>(scope: &'scope Scope<'scope, 'env>, ground: &'env Ground<'env>) -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
        let (send, receive) = sync_channel::<Batch>(WAITING);
        let receive = std::sync::Arc::new(Mutex::new(receive));
        let handles = (0..count)
            .map(|_| {
                let receive = receive.clone();
                scope.spawn(move || {
                    let mut done = Vec::new();
                    while let Some(batch) = next(&receive) {
                        done.extend(examine_all(ground, batch));
                    }
                    done
                })
            })
            .collect();
        Workers { send, handles }
    }
}

fn next(receive: &Mutex<Receiver<Batch>>) -> Option<Batch> {
    receive.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn examine_all<'a>(ground: &'a Ground<'_>, batch: Batch) -> impl Iterator<Item = (ObjectId, Examined)> + 'a {
    batch.into_iter().map(|(id, raw)| {
        if !hash_is(&id, Kind::Commit, &raw) {
            let problem = Problem::new(&rule::malformed_object::RULE, "does not have the hash it goes by");
            return (id, Examined::refused(problem));
        }
        let mut examined = ground.examine_commit(&raw);
        // Read again for the few that are shown: the titles of a hundred thousand commits are not kept.
        examined.title = None;
        (id, examined)
    })
}
