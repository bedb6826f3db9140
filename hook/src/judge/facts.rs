//! Examining commits on all cores while the walk goes on.
//!
//! The walk hands over raw bytes; workers parse and verify, and only the outcome is kept.

use crate::git::history::Met;
use crate::git::objects::{Kind, hash_is};
use crate::progress::Progress;
use countersign_policy::id::ObjectId;
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::keyring::Person;
use countersign_policy::rule;
use countersign_policy::signature::{Format, SignedBy};
use countersign_policy::verdict::Problem;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

/// Commits handed to a worker at once: enough that the hand-over costs nothing beside 30 µs a signature. The first
/// batches are smaller, so that all workers end a small push together.
const BATCH: usize = 32;
const FIRST_BATCH: usize = 4;

/// A batch of large commits is handed over early: with all that wait and are worked on it stays below 10 MiB.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches waiting for a worker. The walk is faster than the workers; what waits is held in memory.
const WAITING: usize = 16;

/// More threads than this only wait for the disk.
const WORKERS_MAX: usize = 16;

/// Raw commits, one behind the other: no allocation and no release on another thread for each.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<(ObjectId, usize)>,
}

impl Batch {
    /// For commits as they usually are.
    fn with_room() -> Self {
        Batch { bytes: Vec::with_capacity(BATCH * 1024), ends: Vec::with_capacity(BATCH) }
    }

    fn push(&mut self, id: ObjectId, raw: &[u8]) {
        self.bytes.extend_from_slice(raw);
        self.ends.push((id, self.bytes.len()));
    }

    fn commits(&self) -> impl Iterator<Item = (ObjectId, &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let ranges = begins.zip(&self.ends);
        ranges.map(|(begin, (id, end))| (*id, self.bytes.get(begin..*end).unwrap_or_default()))
    }
}

type Done = Vec<(ObjectId, Examined)>;

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

/// Examines what it is handed: the first few here, more on worker threads.
pub struct Examiner<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    ground: &'env Ground<'env>,
    progress: &'env Progress,
    /// From earlier walks of the same push.
    before: &'env Facts,
    known: HashMap<ObjectId, Option<Examined>>,
    batch: Batch,
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
    pub fn new(
        scope: &'scope Scope<'scope, 'env>,
        (ground, progress): (&'env Ground<'env>, &'env Progress),
        before: &'env Facts,
    ) -> Self {
        Examiner { scope, ground, progress, before, known: HashMap::new(), batch: Batch::default(), workers: None }
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
                let enough = (self.known.len() / 8).clamp(FIRST_BATCH, BATCH);
                if self.batch.ends.len() >= enough || self.batch.bytes.len() >= BATCH_BYTES {
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
        let (scope, ground, progress) = (self.scope, self.ground, self.progress);
        let workers = self.workers.get_or_insert_with(|| Workers::start(scope, ground, progress));
        if let Err(refused) = workers.send.send(batch) {
            // Every worker is gone, which only a panic does; `finish` brings it to light.
            self.batch = refused.0;
        }
    }

    /// Waits for the workers, and gives what is new. A worker's panic is passed on.
    pub fn finish(self) -> Facts {
        let mut facts: HashMap<ObjectId, Examined> = HashMap::with_capacity(self.known.len());
        facts.extend(examine_all(self.ground, &self.batch, &mut Signers::default()));
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
    fn start<'env>(scope: &'scope Scope<'scope, 'env>, ground: &'env Ground<'env>, progress: &'env Progress) -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
        let (send, receive) = sync_channel::<Batch>(WAITING);
        let receive = std::sync::Arc::new(Mutex::new(receive));
        let handles = (0..count)
            .map(|_| {
                let receive = receive.clone();
                scope.spawn(move || {
                    let mut done = Vec::new();
                    let mut signers = Signers::default();
                    while let Some(batch) = next(&receive) {
                        done.extend(examine_all(ground, &batch, &mut signers));
                        progress.add(batch.ends.len());
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

fn examine_all<'a>(
    ground: &'a Ground<'_>,
    batch: &'a Batch,
    signers: &'a mut Signers,
) -> impl Iterator<Item = (ObjectId, Examined)> + 'a {
    batch.commits().map(|(id, raw)| {
        if !hash_is(&id, Kind::Commit, raw) {
            let problem = Problem::new(&rule::malformed_object::RULE, "does not have the hash it goes by");
            return (id, Examined::refused(problem));
        }
        let mut examined = ground.examine_commit(raw);
        examined.signer = examined.signer.map(|signer| signers.share(signer));
        (id, examined)
    })
}
