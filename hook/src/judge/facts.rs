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
use countersign_policy::signature::together::Together;
use countersign_policy::signature::{Format, SignedBy};
use countersign_policy::verdict::Problem;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

/// Commits handed over at once: enough that the hand-over costs nothing beside 30 µs a signature. The first batches
/// are smaller, so that all workers end a small push together.
const BATCH: usize = 32;
const FIRST_BATCH: usize = 4;

/// A batch of large commits is handed over early: with all that wait and are worked on it stays below 16 MiB.
const BATCH_BYTES: usize = 128 * 1024;

/// Batches waiting for a worker. The walk is faster than the workers; what waits is held in memory, and is what
/// signatures checked together come from: two workers take 17 batches each as long as the walk goes on.
const WAITING: usize = 64;

/// A worker takes so many batches at once that each could do so this many times: the more at once, the less a signature
/// costs, and towards the end always fewer, so that all end together.
const SHARES: usize = 2;

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
    /// Counted before a batch is sent, so that it is never less than what is there.
    waiting: Arc<AtomicUsize>,
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
        workers.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = workers.send.send(batch) {
            // Every worker is gone, which only a panic does; `finish` brings it to light.
            self.batch = refused.0;
        }
    }

    /// Waits for the workers, and gives what is new. A worker's panic is passed on.
    pub fn finish(self) -> Facts {
        let mut facts: HashMap<ObjectId, Examined> = HashMap::with_capacity(self.known.len());
        facts.extend(Worker::new(self.ground).examine(&[self.batch]));
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
        let waiting = Arc::new(AtomicUsize::new(0));
        let queue = Arc::new(Queue { receive: Mutex::new(receive), waiting: waiting.clone(), workers: count });
        let handles = (0..count)
            .map(|_| {
                let queue = queue.clone();
                scope.spawn(move || {
                    let mut done = Vec::new();
                    let mut worker = Worker::new(ground);
                    while let Some(batches) = queue.share() {
                        let before = done.len();
                        done.extend(worker.examine(&batches));
                        progress.add(done.len() - before);
                    }
                    done
                })
            })
            .collect();
        Workers { send, waiting, handles }
    }
}

/// What the walk has handed over and no worker has taken. Only the workers hold it: when they are gone, the walk hears
/// of it.
struct Queue {
    receive: Mutex<Receiver<Batch>>,
    waiting: Arc<AtomicUsize>,
    workers: usize,
}

impl Queue {
    /// One worker's share; nothing once the walk is over and all is taken.
    fn share(&self) -> Option<Vec<Batch>> {
        let receive = self.receive.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batches = vec![receive.recv().ok()?];
        let more = self.waiting.load(Ordering::Relaxed) / (SHARES * self.workers);
        batches.extend(receive.try_iter().take(more));
        self.waiting.fetch_sub(batches.len(), Ordering::Relaxed);
        Some(batches)
    }
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

/// What one thread examines with.
struct Worker<'a> {
    ground: &'a Ground<'a>,
    signers: Signers,
    together: Together,
}

impl<'a> Worker<'a> {
    fn new(ground: &'a Ground<'a>) -> Self {
        Worker { ground, signers: Signers::default(), together: Together::new(random_seed()) }
    }

    fn examine(&mut self, batches: &[Batch]) -> Done {
        let commits = batches.iter().flat_map(Batch::commits);
        let (genuine, others): (Vec<_>, Vec<_>) = commits.partition(|(id, raw)| hash_is(id, Kind::Commit, raw));
        let raws: Vec<&[u8]> = genuine.iter().map(|(_, raw)| *raw).collect();
        let examined = self.ground.examine_commits(&raws, &mut self.together).into_iter().map(|examined| Examined {
            signer: examined.signer.map(|signer| self.signers.share(signer)),
            ..examined
        });
        let refused = others.into_iter().map(|(id, _)| {
            let problem = Problem::new(&rule::malformed_object::RULE, "does not have the hash it goes by");
            (id, Examined::refused(problem))
        });
        genuine.iter().map(|(id, _)| *id).zip(examined).chain(refused).collect()
    }
}

/// From the system. Without it signatures are checked one by one.
fn random_seed() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    let filled = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
    (filled == Ok(seed.len())).then_some(seed)
}
