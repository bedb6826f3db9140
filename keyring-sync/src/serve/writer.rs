//! The one writer: what several requests ask for goes into one commit and one publication, and each hears of its own.

use super::metrics::Metrics;
use crate::door::Door;
use crate::sources::Ranks;
use countersign_policy::time::Time;
use countersign_registry::{Published, Registry, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Requests that wait for the writer; more are told to come back. A commit takes milliseconds, and each takes in
/// [`BATCH_MAX`] of them.
const QUEUE_MAX: usize = 4096;

/// Requests in one commit. The first of them waits for the last, and the lock is held so long: some tens of
/// milliseconds.
const BATCH_MAX: usize = 256;

/// How often a quiet registry is published again, which tells the hooks that it is current and mends what is damaged.
const CONFIRM_EVERY: Duration = Duration::from_secs(600);

/// Why a request was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The work itself said no.
    #[error("{0}")]
    Refused(E),
    /// Nothing is wrong with the request; it may come again.
    #[error("the registry cannot be written now: {0}")]
    Unavailable(String),
    /// Our bug. Nothing of the request was kept.
    #[error("the request brought a fault of this program to light")]
    Panicked,
}

/// What was agreed inside a change, waiting to hear whether it was committed.
type Answer = Box<dyn FnOnce(&Result<Option<Published>, String>) + Send>;
/// `None`: there is no change to work in, for this reason.
type Job = Box<dyn FnOnce(Result<&mut Door<'_>, &str>) -> Answer + Send>;

/// A handle to the writer. The writer ends when the last handle is gone and its queue is empty.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the writer on a thread of its own.
    pub fn start(
        registry: Registry,
        ranks: Ranks,
        metrics: Arc<Metrics>,
        runtime: Handle,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || run(registry, jobs, &ranks, &metrics, &runtime))?;
        Ok((Writer { queue }, thread))
    }

    /// Whether the writer still takes work.
    pub fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Does `work` in a change, whole or not at all; returns once it is durable and published.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut Door<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (told, hears) = oneshot::channel();
        let job: Job = Box::new(move |door| {
            let done = match door {
                Err(reason) => Err(WriteError::Unavailable(reason.to_owned())),
                Ok(door) => match catch_unwind(AssertUnwindSafe(|| door.attempt(work))) {
                    Ok(done) => done.map_err(WriteError::Refused),
                    Err(_) => Err(WriteError::Panicked),
                },
            };
            Box::new(move |committed| {
                let answer = match (done, committed) {
                    (Ok(_), Err(reason)) => Err(WriteError::Unavailable(reason.clone())),
                    (done, _) => done,
                };
                // Whoever asked may have gone away; what was written stays written.
                let _ = told.send(answer);
            })
        });
        if self.queue.try_send(job).is_err() {
            return Err(WriteError::Unavailable("too many requests wait for it".to_owned()));
        }
        hears.await.unwrap_or(Err(WriteError::Panicked))
    }
}

fn now() -> Time {
    Time::from_system(SystemTime::now())
}

fn run(mut registry: Registry, mut jobs: mpsc::Receiver<Job>, ranks: &Ranks, metrics: &Metrics, runtime: &Handle) {
    let mut confirmed = Instant::now();
    loop {
        let patience = CONFIRM_EVERY.saturating_sub(confirmed.elapsed());
        match runtime.block_on(async { tokio::time::timeout(patience, jobs.recv()).await }) {
            Ok(None) => return,
            Ok(Some(first)) => {
                let mut batch = vec![first];
                while batch.len() < BATCH_MAX
                    && let Ok(job) = jobs.try_recv()
                {
                    batch.push(job);
                }
                commit(&mut registry, batch, ranks, metrics);
            }
            Err(_) => {
                confirmed = Instant::now();
                match registry.publish(now()) {
                    Ok(published) => metrics.published(published.epoch),
                    Err(error) => tracing::error!(%error, "the keyring could not be confirmed"),
                }
            }
        }
    }
}

/// Everybody's work in one change; then everybody's answer.
fn commit(registry: &mut Registry, batch: Vec<Job>, ranks: &Ranks, metrics: &Metrics) {
    let begun = Instant::now();
    let mut answers: Vec<Answer> = Vec::with_capacity(batch.len());
    let committed = match registry.begin(now()) {
        Err(error) => {
            let reason = error.to_string();
            answers.extend(batch.into_iter().map(|job| job(Err(&reason))));
            Err(reason)
        }
        Ok(change) => {
            // Under the lock: what another writer did while this one waited was received before.
            let mut door = Door::new(change, now()).with_ranks(ranks.clone());
            answers.extend(batch.into_iter().map(|job| job(Ok(&mut door))));
            door.settle().map_err(|error| error.to_string())
        }
    };
    match &committed {
        Ok(Some(published)) => metrics.committed(begun.elapsed(), published.epoch),
        Ok(None) => {}
        Err(error) => {
            metrics.commit_failed();
            tracing::error!(%error, "a change of the registry was not committed");
        }
    }
    for answer in answers {
        answer(&committed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Refused;
    use crate::event::Event;
    use countersign_policy::keyring::Keyring;
    use countersign_registry::PublishedKeyring;

    fn hire(door: &mut Door<'_>, person: &str) -> Result<(), Refused> {
        let line = format!(r#"{{"id":"h-{person}","source":"hr","person":"{person}","type":"hired"}}"#);
        door.admit(Event::parse(&line, door.now()).unwrap()).map(|_| ())
    }

    /// Each hears of its own work, and what failed or panicked half done leaves nothing beside what succeeded.
    #[test]
    fn one_request_never_fails_another() {
        let dir = tempfile::TempDir::new().unwrap();
        let (path, keyring) = (dir.path().join("registry.db"), dir.path().join("keyring"));
        let registry = Registry::create(&path, &keyring, now()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (writer, thread) =
            Writer::start(registry, Ranks::default(), Arc::default(), runtime.handle().clone()).unwrap();
        // Held by another writer until all of them wait, so that they share one change.
        let mut other = Registry::open(&path, &keyring).unwrap();
        let held = other.begin(now()).unwrap();
        let told = runtime.block_on(async {
            let write = |work: fn(&mut Door<'_>) -> Result<(), Refused>| {
                let writer = writer.clone();
                tokio::spawn(async move { writer.write(work).await })
            };
            let first = write(|door| hire(door, "E0"));
            tokio::time::sleep(Duration::from_millis(200)).await;
            let good = write(|door| hire(door, "E1"));
            let refused = write(|door| {
                hire(door, "E2")?;
                Err(Refused::UnknownPerson("E9".parse().unwrap()))
            });
            let panicked = write(|door| {
                hire(door, "E3")?;
                panic!("as planned");
            });
            let last = write(|door| hire(door, "E4"));
            tokio::time::sleep(Duration::from_millis(200)).await;
            drop(held);
            let mut told = Vec::new();
            for task in [first, good, refused, panicked, last] {
                told.push(task.await.unwrap());
            }
            told
        });
        assert!(matches!(
            told.as_slice(),
            [Ok(()), Ok(()), Err(WriteError::Refused(_)), Err(WriteError::Panicked), Ok(())]
        ));
        let published = PublishedKeyring::open(&keyring).unwrap();
        let ids: Vec<String> = published.person_ids().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["E0", "E1", "E4"]);
        drop(writer);
        thread.join().unwrap();
        drop(runtime);
        assert_eq!(published.epoch(), 2, "the first alone, the others together");
    }
}
