//! All cores examine commits: threads of their own, and the walk where it is ahead of them.

use super::batch::Batch;
use super::worker::{Done, Worker};
use crate::progress::Progress;
use countersign_policy::judge::Ground;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Batches that wait. The walk is faster than those who examine, and what signatures checked together come from is
/// what waits: two take up to 64 batches each as long as the walk goes on, beside which what is once for all of them
/// costs a twentieth. Memory for it is had anyway, in smaller pieces.
const WAITING: usize = 128;

/// Bytes that wait, and that one takes at once: commits may have a megabyte each. Of the usual size, as many batches as
/// may wait have three together.
const WAITING_BYTES: usize = 8 * 1024 * 1024;
const SHARE_BYTES: usize = 2 * 1024 * 1024;

/// More threads than this only wait for the disk.
const THREADS_MAX: usize = 16;

/// Where the walk hands over what it meets.
pub struct Hands {
    queue: Arc<Queue>,
    /// Beside the walk.
    threads: usize,
}

impl std::fmt::Debug for Hands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hands").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// Also when the walk ends by a panic: whoever waits for more must not wait for ever.
impl Drop for Hands {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Hands {
    /// One for each core: the walk itself and threads.
    pub fn for_all_cores() -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        Hands { queue: Arc::new(Queue::for_hands(count)), threads: count.saturating_sub(1) }
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
            Builder::new().spawn_scoped(scope, move || queue.examine(ground, progress))
        });
        started.filter_map(Result::ok).collect()
    }

    /// Hands over, or, where too much waits, first does some of it.
    pub(super) fn take(&self, batch: Batch, worker: &mut Worker<'_>, progress: &Progress, done: &mut Done) {
        let mut refused = self.queue.put(batch);
        while let Err(batch) = refused {
            if let Some(share) = self.queue.share_now() {
                worker.examine(&share, progress, done);
            }
            refused = self.queue.put(batch);
        }
    }

    /// There is no more. Works on what waits still.
    pub(super) fn finish(self, worker: &mut Worker<'_>, progress: &Progress, done: &mut Done) {
        self.queue.close();
        while let Some(share) = self.queue.share_now() {
            worker.examine(&share, progress, done);
        }
    }
}

/// What the walk has handed over and nobody has taken.
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    hands: usize,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// There will be no more.
    closed: bool,
}

impl Queue {
    fn for_hands(hands: usize) -> Self {
        Queue { waiting: Mutex::default(), changed: Condvar::new(), hands }
    }

    /// Examines until there is no more.
    fn examine(&self, ground: &Ground<'_>, progress: &Progress) -> Done {
        let mut worker = Worker::new(ground);
        let mut done = Vec::new();
        while let Some(share) = self.share() {
            worker.examine(&share, progress, &mut done);
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the batch back where too much waits. One alone is never too much.
    fn put(&self, batch: Batch) -> Result<(), Batch> {
        let mut waiting = self.lock();
        if waiting.batches.len() >= WAITING || waiting.bytes >= WAITING_BYTES {
            return Err(batch);
        }
        waiting.bytes += batch.bytes_held();
        waiting.batches.push_back(batch);
        self.changed.notify_one();
        Ok(())
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// One's share; nothing once the walk is over and all is taken.
    fn share(&self) -> Option<Vec<Batch>> {
        let waiting = self.changed.wait_while(self.lock(), |waiting| waiting.batches.is_empty() && !waiting.closed);
        waiting.unwrap_or_else(PoisonError::into_inner).share(self.hands)
    }

    /// The same for whoever does not wait.
    fn share_now(&self) -> Option<Vec<Batch>> {
        self.lock().share(self.hands)
    }
}

impl Waiting {
    /// The more at once, the less a signature costs; towards the end shares become smaller, so that all end together.
    fn share(&mut self, hands: usize) -> Option<Vec<Batch>> {
        let most = self.batches.len().div_ceil(hands);
        let (mut share, mut bytes) = (Vec::new(), 0);
        while share.len() < most && bytes < SHARE_BYTES {
            let Some(batch) = self.batches.pop_front() else { break };
            bytes += batch.bytes_held();
            share.push(batch);
        }
        self.bytes -= bytes;
        (!share.is_empty()).then_some(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_policy::id::ObjectId;

    fn batch(bytes: usize) -> Batch {
        let mut batch = Batch::default();
        batch.push(ObjectId::from_hex(&[b'a'; 40]).unwrap(), &vec![b'x'; bytes]);
        batch
    }

    #[test]
    fn no_more_waits_than_memory_has_room_for() {
        let queue = Queue::for_hands(2);
        let mut taken = 0;
        while queue.put(batch(10)).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, WAITING);
        let queue = Queue::for_hands(2);
        let mut bytes = 0;
        while queue.put(batch(1024 * 1024)).is_ok() {
            bytes += 1024 * 1024;
        }
        assert_eq!(bytes, WAITING_BYTES);
        assert_eq!(queue.share_now().unwrap().len(), 2, "by bytes");
        assert!(queue.put(batch(1)).is_ok(), "there is room again");
    }

    #[test]
    fn shares_become_smaller_and_nothing_stays() {
        let queue = Queue::for_hands(2);
        for _ in 0..20 {
            assert!(queue.put(batch(10)).is_ok());
        }
        let shares: Vec<usize> = std::iter::from_fn(|| queue.share_now()).map(|share| share.len()).collect();
        assert_eq!(shares, [10, 5, 3, 1, 1]);
    }

    #[test]
    fn whoever_waits_is_told_that_there_is_no_more() {
        let hands = Hands::for_all_cores();
        let queue = hands.queue.clone();
        let waiting = std::thread::spawn(move || queue.share().map(|share| share.len()));
        assert!(hands.queue.put(batch(10)).is_ok());
        assert_eq!(waiting.join().unwrap(), Some(1));
        let queue = hands.queue.clone();
        let waiting = std::thread::spawn(move || queue.share().map(|share| share.len()));
        drop(hands);
        assert_eq!(waiting.join().unwrap(), None);
    }
}
