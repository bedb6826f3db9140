//! All cores examine commits: threads of their own, and whoever else of the push has time.
//!
//! A kernel moves a waiting thread to an idle core only after milliseconds, which is as long as a small push takes. So
//! nobody who could examine waits for others who do.

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
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Commits handed over at once: enough that the hand-over costs nothing beside 30 µs a signature. The first batches
/// are smaller, so that all workers end a small push together.
pub(super) const BATCH: usize = 32;

/// Batches that wait. The walk is faster than those who examine; what waits is held in memory, and is what signatures
/// checked together come from: two take 17 batches each as long as the walk goes on.
const WAITING: usize = 64;

/// One takes so many batches at once that each could do so this many times: the more at once, the less a signature
/// costs, and towards the end always fewer, so that all end together.
const SHARES: usize = 2;

/// More threads than this only wait for the disk.
const THREADS_MAX: usize = 16;

/// Raw commits, one behind the other: no allocation and no release on another thread for each.
#[derive(Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    /// Where each ends.
    pub ends: Vec<(ObjectId, usize)>,
}

impl Batch {
    /// For commits as they usually are.
    pub fn with_room() -> Self {
        Batch { bytes: Vec::with_capacity(BATCH * 1024), ends: Vec::with_capacity(BATCH) }
    }

    pub fn push(&mut self, id: ObjectId, raw: &[u8]) {
        self.bytes.extend_from_slice(raw);
        self.ends.push((id, self.bytes.len()));
    }

    fn commits(&self) -> impl Iterator<Item = (ObjectId, &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let ranges = begins.zip(&self.ends);
        ranges.map(|(begin, (id, end))| (*id, self.bytes.get(begin..*end).unwrap_or_default()))
    }
}

pub(super) type Done = Vec<(ObjectId, Examined)>;

/// Where the walk hands over what it meets.
pub struct Hands {
    send: SyncSender<Batch>,
    queue: Arc<Queue>,
    /// Those of our own beside the walk and others who help.
    threads: usize,
}

impl std::fmt::Debug for Hands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hands").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Hands {
    /// One for each core: the walk itself, `helpers` who will call [`Help::examine`], the others threads.
    pub fn new(helpers: usize) -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let (send, receive) = sync_channel(WAITING);
        let queue = Queue { receive: Mutex::new(receive), waiting: AtomicUsize::new(0), hands: count };
        Hands { send, queue: Arc::new(queue), threads: count.saturating_sub(1 + helpers) }
    }

    pub fn help(&self) -> Help {
        Help(self.queue.clone())
    }

    /// Where a thread cannot be had, the others do its work.
    pub(super) fn start<'scope, 'env>(
        &self,
        scope: &'scope Scope<'scope, 'env>,
        ground: &'env Ground<'env>,
        progress: &'env Progress,
    ) -> Vec<ScopedJoinHandle<'scope, Done>> {
        let started = (0..self.threads).map(|_| {
            let queue = self.queue.clone();
            Builder::new().spawn_scoped(scope, move || {
                let mut worker = Worker::new(ground);
                let mut done = Vec::new();
                while let Some(batches) = queue.share() {
                    worker.examine_more(&batches, progress, &mut done);
                }
                done
            })
        });
        started.filter_map(Result::ok).collect()
    }

    /// Hands over, or, where too much waits, first does some of it.
    pub(super) fn take(&self, batch: Batch, worker: &mut Worker<'_>, progress: &Progress, done: &mut Done) {
        self.queue.waiting.fetch_add(1, Ordering::Relaxed);
        let mut batch = batch;
        // We hold the other end ourselves, so that it is full or takes it.
        while let Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) = self.send.try_send(batch) {
            batch = back;
            if let Some(batches) = self.queue.share_now() {
                worker.examine_more(&batches, progress, done);
            }
        }
    }

    /// There is no more. Works on what waits still.
    pub(super) fn finish(self, worker: &mut Worker<'_>, progress: &Progress, done: &mut Done) {
        let Hands { send, queue, .. } = self;
        drop(send);
        while let Some(batches) = queue.share_now() {
            worker.examine_more(&batches, progress, done);
        }
    }
}

/// For a thread of the push that has nothing else to do.
pub struct Help(Arc<Queue>);

impl std::fmt::Debug for Help {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Help")
    }
}

impl Help {
    /// Examines until there is no more. `ground` is asked once there is something.
    pub fn examine<'a>(self, progress: &Progress, ground: impl FnOnce() -> Option<Ground<'a>>) -> Done {
        let mut done = Vec::new();
        if let Some(first) = self.0.share()
            && let Some(ground) = ground()
        {
            let mut worker = Worker::new(&ground);
            worker.examine_more(&first, progress, &mut done);
            while let Some(batches) = self.0.share() {
                worker.examine_more(&batches, progress, &mut done);
            }
        }
        done
    }
}

/// What the walk has handed over and nobody has taken.
struct Queue {
    receive: Mutex<Receiver<Batch>>,
    /// Counted before a batch is sent, so that it is never less than what is there.
    waiting: AtomicUsize,
    hands: usize,
}

impl Queue {
    /// One's share; nothing once the walk is over and all is taken.
    fn share(&self) -> Option<Vec<Batch>> {
        let receive = self.receive.lock().unwrap_or_else(PoisonError::into_inner);
        Some(self.with_more(receive.recv().ok()?, &receive))
    }

    /// The same for whoever does not wait.
    fn share_now(&self) -> Option<Vec<Batch>> {
        let receive = self.receive.lock().unwrap_or_else(PoisonError::into_inner);
        Some(self.with_more(receive.try_recv().ok()?, &receive))
    }

    fn with_more(&self, first: Batch, receive: &Receiver<Batch>) -> Vec<Batch> {
        let mut batches = vec![first];
        let more = self.waiting.load(Ordering::Relaxed) / (SHARES * self.hands);
        batches.extend(receive.try_iter().take(more));
        self.waiting.fetch_sub(batches.len(), Ordering::Relaxed);
        batches
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
pub(super) struct Worker<'a> {
    ground: &'a Ground<'a>,
    signers: Signers,
    together: Together,
}

impl<'a> Worker<'a> {
    pub fn new(ground: &'a Ground<'a>) -> Self {
        Worker { ground, signers: Signers::default(), together: Together::new(random_seed()) }
    }

    pub fn examine_more(&mut self, batches: &[Batch], progress: &Progress, done: &mut Done) {
        let before = done.len();
        done.extend(self.examine(batches));
        progress.add(done.len() - before);
    }

    pub fn examine(&mut self, batches: &[Batch]) -> Done {
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
        genuine.iter().map(|(id, _)| *id).zip(examined).chain(refused).collect()
    }
}

/// From the system. Without it signatures are checked one by one.
fn random_seed() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    let filled = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
    (filled == Ok(seed.len())).then_some(seed)
}
