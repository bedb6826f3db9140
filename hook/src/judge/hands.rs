//! All cores examine commits: threads of their own, and the walk where it is ahead of them. Then all answer what their
//! signatures come down to.

use super::batch::Batch;
use super::worker::{Checking, Done, Found, Worker};
use crate::progress::Progress;
use crate::spread::{Spread, threads};
use countersign_policy::judge::Ground;
use countersign_policy::signature::together::Question;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};

/// Batches that wait. Where the walk is faster than those who examine, it helps them; who examines never waits for it
/// to come back.
const WAITING: usize = 32;

/// Bytes that wait: commits may have a megabyte each.
const WAITING_BYTES: usize = 8 * 1024 * 1024;

/// More threads than this only wait for the disk.
const THREADS_MAX: usize = 16;

/// Where the walk hands over what it meets.
pub struct Hands {
    queue: Arc<Queue>,
    /// Beside the walk.
    threads: usize,
    told: Receiver<Told>,
    _spread: Spread,
}

/// What a thread tells the walk.
enum Told {
    /// Once there are no more commits; or its panic.
    Found(Box<std::thread::Result<Found>>),
    Answer(bool),
}

impl std::fmt::Debug for Hands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hands").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// Also when the walk ends by a panic: whoever waits for more must not wait for ever.
impl Drop for Hands {
    fn drop(&mut self) {
        self.queue.change(|waiting| (waiting.closed, waiting.over) = (true, true));
    }
}

impl Hands {
    /// One for each core: the walk itself, which begins with `first`, and threads. Where a thread cannot be had, the
    /// others do its work.
    pub(super) fn for_all_cores<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        (ground, checking): (&'env Ground<'env>, Checking),
        first: &Found,
        progress: &'env Progress,
    ) -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let (tell, told) = channel();
        let queue: Arc<Queue> = Arc::default();
        let known: Vec<_> = threads().collect();
        let started = (1..count).map(|_| {
            let (queue, tell, found) = (queue.clone(), tell.clone(), first.beside(checking));
            Builder::new().spawn_scoped(scope, move || queue.help(Worker::new(ground, found), progress, &tell))
        });
        let threads = started.filter(Result::is_ok).count();
        Hands { queue, threads, told, _spread: Spread::new(&known) }
    }

    /// Hands over, or, where too much waits, first does some of it.
    pub(super) fn take(&self, batch: Batch, worker: &mut Worker<'_>, progress: &Progress) {
        let mut refused = self.queue.put(batch);
        while let Err(batch) = refused {
            if let Some(waiting) = self.queue.next_now() {
                worker.examine(&waiting, progress);
            }
            refused = self.queue.put(batch);
        }
    }

    /// There is no more. Works on what waits still, and settles what all have found. Another's panic is passed on.
    pub(super) fn settle(self, mut worker: Worker<'_>, progress: &Progress) -> Option<Done> {
        self.queue.change(|waiting| waiting.closed = true);
        while let Some(batch) = self.queue.next_now() {
            worker.examine(&batch, progress);
        }
        let mut all = vec![worker.found];
        for told in self.told.iter().take(self.threads) {
            if let Told::Found(found) = told {
                all.push(found.unwrap_or_else(|panic| resume_unwind(panic)));
            }
        }
        Found::settle(all, |questions| self.all_hold(questions))
    }

    fn all_hold(&self, questions: Vec<Question>) -> bool {
        let mut left = questions.len();
        self.queue.change(|waiting| waiting.questions.extend(questions));
        let mut all = true;
        loop {
            let question = self.queue.lock().questions.pop_front();
            let Some(question) = question else { break };
            all &= question.holds();
            left -= 1;
        }
        all && all_said_yes(self.told.iter(), left)
    }
}

/// What nobody answers does not hold.
fn all_said_yes(told: impl Iterator<Item = Told>, count: usize) -> bool {
    told.take(count).filter(|told| matches!(told, Told::Answer(true))).count() == count
}

/// What the walk has handed over and nobody has taken.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// There will be no more batches.
    closed: bool,
    questions: VecDeque<Question>,
    /// Nor any questions.
    over: bool,
}

impl Queue {
    /// What a thread does: it examines until there is no more, and then answers.
    fn help(&self, worker: Worker<'_>, progress: &Progress, tell: &Sender<Told>) {
        let found = catch_unwind(AssertUnwindSafe(|| self.examine(worker, progress)));
        // Whoever does not listen any more has no questions either.
        let _ = tell.send(Told::Found(Box::new(found)));
        while let Some(question) = self.wait_for(|waiting| waiting.questions.pop_front(), |waiting| waiting.over) {
            let holds = catch_unwind(AssertUnwindSafe(|| question.holds()));
            let _ = tell.send(Told::Answer(holds.unwrap_or(false)));
        }
    }

    fn examine(&self, mut worker: Worker<'_>, progress: &Progress) -> Found {
        while let Some(batch) = self.wait_for(Waiting::next, |waiting| waiting.closed) {
            worker.examine(&batch, progress);
        }
        worker.found
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
        // Whoever wakes up wants the lock.
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// And tells all.
    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until there is something, or until there will be nothing any more.
    fn wait_for<T>(
        &self,
        something: impl Fn(&mut Waiting) -> Option<T>,
        nothing: impl Fn(&Waiting) -> bool,
    ) -> Option<T> {
        let mut waiting = self.lock();
        loop {
            let found = something(&mut waiting);
            if found.is_some() || nothing(&waiting) {
                return found;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn next_now(&self) -> Option<Batch> {
        self.lock().next()
    }
}

impl Waiting {
    fn next(&mut self) -> Option<Batch> {
        let batch = self.batches.pop_front()?;
        self.bytes -= batch.bytes_held();
        Some(batch)
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
        let queue = Queue::default();
        let mut taken = 0;
        while queue.put(batch(10)).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, WAITING);
        let queue = Queue::default();
        let mut bytes = 0;
        while queue.put(batch(1024 * 1024)).is_ok() {
            bytes += 1024 * 1024;
        }
        assert_eq!(bytes, WAITING_BYTES);
        assert!(queue.next_now().is_some() && queue.put(batch(1)).is_ok(), "there is room again");
    }

    #[test]
    fn a_no_counts_and_so_does_no_answer() {
        let said = |answers: &[bool], count| all_said_yes(answers.iter().copied().map(Told::Answer), count);
        assert!(said(&[], 0) && said(&[true, true], 2));
        assert!(!said(&[true, false], 2) && !said(&[false, true], 2));
        assert!(!said(&[true], 2) && !said(&[], 1), "somebody went without a word");
    }

    #[test]
    fn whoever_waits_is_told_that_there_is_no_more() {
        let queue: Arc<Queue> = Arc::default();
        let waiting = || {
            let queue = queue.clone();
            std::thread::spawn(move || queue.wait_for(Waiting::next, |waiting| waiting.closed).is_some())
        };
        let one = waiting();
        assert!(queue.put(batch(10)).is_ok());
        assert!(one.join().unwrap());
        let one = waiting();
        drop(Hands { queue: queue.clone(), threads: 0, told: channel().1, _spread: Spread::new(&[]) });
        assert!(!one.join().unwrap());
        assert!(queue.wait_for(|waiting| waiting.questions.pop_front(), |waiting| waiting.over).is_none());
    }
}
