//! Carries the journal out until it is told to stop: one thread keeps it in line with the registry, and each forge has
//! one of its own, so that a slow one holds up no other.

use super::task::{Opened, Outcome, Task, failed};
use super::{Orphan, journal};
use crate::config::Config;
use crate::forge::{BadForge, ForgeConfig};
use countersign_policy::id::PersonId;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::{Attempt, Registry, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How often the registry's epoch and each forge's part of the journal are looked at: one row each.
const LOOK: Duration = Duration::from_millis(250);

/// How often everybody is compared although nothing was written: a date may have come.
const READ_WHOLE: Duration = Duration::from_secs(30);

/// Reading everybody takes at most this part of the time, however many they are.
const WHOLE_SHARE: u32 = 20;

/// A call that takes longer to end is given up: it is tried again at the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Characters of a forge's words in the log.
const TROUBLE_LOGGED: usize = 200;

/// Why nothing can be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CascadeError {
    #[error(transparent)]
    Forge(#[from] BadForge),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("another keyring-sync carries it out right now: keyring-sync cascade status tells how far it is")]
    Busy,
}

fn now() -> Time {
    Time::from_system(SystemTime::now())
}

/// How the attempts on one forge ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub confirmed: u64,
    pub failed: u64,
}

/// What the threads tell of themselves.
#[derive(Debug, Default)]
pub struct Progress {
    attempts: Mutex<BTreeMap<String, Attempts>>,
    /// Service accounts whose owner is out.
    orphans: AtomicUsize,
    has_ended: AtomicBool,
}

impl Progress {
    /// With every forge that is configured, so that one on which nothing was done yet is seen.
    pub(crate) fn named<'f>(forges: impl IntoIterator<Item = &'f str>) -> Self {
        let attempts = forges.into_iter().map(|forge| (forge.to_owned(), Attempts::default())).collect();
        Progress { attempts: Mutex::new(attempts), ..Progress::default() }
    }

    pub fn orphans(&self) -> usize {
        self.orphans.load(Ordering::Relaxed)
    }

    pub fn attempts(&self) -> BTreeMap<String, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn is_alive(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }

    fn count(&self, forge: &str, attempt: &Attempt) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = attempts.entry(forge.to_owned()).or_default();
        match attempt {
            Attempt::Confirmed { .. } => counts.confirmed += 1,
            Attempt::Failed { .. } => counts.failed += 1,
        }
    }
}

/// One process at a time: two would cut and give back against each other.
#[derive(Debug)]
struct Turn(#[expect(dead_code, reason = "the lock ends with it")] File);

impl Turn {
    fn take(registry: &Path) -> Result<Option<Self>, CascadeError> {
        let path = registry.with_extension("cascade");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let io = |source| CascadeError::Io { path: path.clone(), source };
        let file = opened.map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

#[derive(Debug, Default)]
struct Stop {
    is_set: Mutex<bool>,
    told: Condvar,
}

impl Stop {
    fn is_set(&self) -> bool {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    /// Whether it was told within the pause.
    fn within(&self, pause: Duration) -> bool {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.told.wait_timeout_while(is_set, pause, |is_set| !*is_set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The threads at work.
#[derive(Debug)]
pub struct Running {
    stop: Arc<Stop>,
    thread: JoinHandle<()>,
    ended: mpsc::Receiver<()>,
    pub progress: Arc<Progress>,
}

impl Running {
    /// Starts what goes on until [`Running::stop`]; while another process is at it, this one waits for its turn.
    pub fn start(config: &Config) -> Result<Self, CascadeError> {
        let work = Work::new(config)?;
        let (stop, progress) = (Arc::clone(&work.stop), Arc::clone(&work.progress));
        let (tell, ended) = mpsc::channel();
        let io = |source| CascadeError::Io { path: config.registry.clone(), source };
        let begun = std::thread::Builder::new().name("cascade".to_owned()).spawn(move || {
            let _ended = Ended(Arc::clone(&work.progress), tell);
            work.lead();
        });
        Ok(Running { stop, thread: begun.map_err(io)?, ended, progress })
    }

    /// Lets what was begun end, and waits for it a while: whatever was noted by then stays noted.
    pub fn stop(self) {
        self.stop.set();
        match self.ended.recv_timeout(STOP_PATIENCE) {
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tracing::warn!("a forge still keeps an attempt waiting; it is tried again at the next start");
            }
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                if self.thread.join().is_err() {
                    tracing::error!("the cascade ended in a panic");
                }
            }
        }
    }

    /// Waits until it ends by itself, which it does not but for a fault.
    pub fn wait(self) {
        let _ = self.thread.join();
    }
}

/// Tells the end of the thread, however it comes.
struct Ended(Arc<Progress>, mpsc::Sender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Relaxed);
        let _ = self.1.send(());
    }
}

struct Work {
    registry: PathBuf,
    keyring: PathBuf,
    forges: Vec<ForgeConfig>,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
}

impl Work {
    fn new(config: &Config) -> Result<Self, CascadeError> {
        let mut names = BTreeSet::new();
        if let Some(twice) = config.forges.iter().find(|forge| !names.insert(&forge.name)) {
            return Err(BadForge::Twice(twice.name.clone()).into());
        }
        Ok(Work {
            registry: config.registry.clone(),
            keyring: config.keyring.clone(),
            forges: config.forges.clone(),
            stop: Arc::default(),
            progress: Arc::new(Progress::named(config.forges.iter().map(|forge| forge.name.as_str()))),
        })
    }

    fn open(&self) -> Result<Registry, StoreError> {
        let mut registry = Registry::open(&self.registry, &self.keyring)?;
        // What a forge was seen to have done is noted, however long another writer takes.
        registry.wait_without_end();
        Ok(registry)
    }

    fn lead(&self) {
        let mut told = false;
        let _turn = loop {
            match Turn::take(&self.registry) {
                Ok(Some(turn)) => break turn,
                Ok(None) if !told => {
                    told = true;
                    tracing::info!("another keyring-sync carries terminations to the forges; waiting for it to end");
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "the cascade cannot begin"),
            }
            if self.stop.within(LOOK) {
                return;
            }
        };
        std::thread::scope(|scope| {
            for forge in &self.forges {
                scope.spawn(|| self.again_and_again("forge", &mut |registry| self.serve(registry, forge)));
            }
            let mut line = Line::default();
            self.again_and_again("journal", &mut |registry| line.keep(registry, &self.progress));
        });
    }

    /// Does `work` every [`LOOK`] until it is told to stop. A fault, and a panic, ends one round and not the thread.
    fn again_and_again(&self, what: &str, work: &mut dyn FnMut(&mut Registry) -> Result<(), StoreError>) {
        let (mut registry, mut known): (Option<Registry>, Option<String>) = (None, None);
        loop {
            let round = catch_unwind(AssertUnwindSafe(|| {
                if registry.is_none() {
                    registry = Some(self.open()?);
                }
                registry.as_mut().map_or(Ok(()), &mut *work)
            }));
            let fault = match round {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("it ended in a panic".to_owned()),
            };
            if fault.is_some() {
                registry = None;
            }
            // Once, and not four times a second.
            if fault != known
                && let Some(error) = &fault
            {
                tracing::error!(error, what, "the cascade is held up");
            }
            known = fault;
            if self.stop.within(LOOK) {
                return;
            }
        }
    }

    /// Everything that is due on the forge, the most urgent first: what comes up meanwhile has its turn in between.
    fn serve(&self, registry: &mut Registry, forge: &ForgeConfig) -> Result<(), StoreError> {
        let name = forge.name.as_str();
        // Its secrets are read anew each time: they may have been renewed.
        let mut opened: Option<Opened> = None;
        while !self.stop.is_set()
            && let Some(task) = journal::next(&registry.tables(), name, now())?
        {
            let opened = opened.get_or_insert_with(|| forge.open().map_err(|error| error.to_string()));
            let Outcome { attempt, unreachable } = task.attempt(&forge.name, opened, now);
            self.note(registry, name, [(task, attempt)])?;
            if let Some(why) = unreachable {
                let due = journal::open(&registry.tables(), name, now())?;
                let due = due.into_iter().filter(|task| task.step().next_at <= now());
                let postponed = due.map(|task| {
                    let attempt = failed(task.step(), &why, now());
                    (task, attempt)
                });
                self.note(registry, name, postponed)?;
            }
        }
        Ok(())
    }

    fn note(
        &self,
        registry: &mut Registry,
        forge: &str,
        done: impl IntoIterator<Item = (Task, Attempt)>,
    ) -> Result<(), StoreError> {
        let done: Vec<(Task, Attempt)> = done.into_iter().collect();
        if done.is_empty() {
            return Ok(());
        }
        let change = registry.begin(now())?;
        for (task, attempt) in &done {
            task.note(&change.tables(), attempt, now())?;
        }
        change.commit_unseen()?;
        for (task, attempt) in &done {
            self.progress.count(forge, attempt);
            tell(task, attempt);
        }
        Ok(())
    }

    /// Every task of the forge once, whenever it is next due. After one lost answer the others are not tried: a hundred
    /// timeouts would keep a forge waiting that is back by then.
    fn once(&self, forge: &ForgeConfig) -> Result<(), StoreError> {
        let mut registry = self.open()?;
        let opened = forge.open().map_err(|error| error.to_string());
        let mut unreachable: Option<String> = None;
        for task in journal::open(&registry.tables(), forge.name.as_str(), now())? {
            let attempt = match &unreachable {
                Some(why) => failed(task.step(), why, now()),
                None => {
                    let outcome = task.attempt(&forge.name, &opened, now);
                    unreachable = outcome.unreachable;
                    outcome.attempt
                }
            };
            self.note(&mut registry, forge.name.as_str(), [(task, attempt)])?;
        }
        Ok(())
    }
}

/// Tries everything that is not confirmed, once.
pub fn once(config: &Config) -> Result<(), CascadeError> {
    let work = Work::new(config)?;
    let Some(_turn) = Turn::take(&work.registry)? else { return Err(CascadeError::Busy) };
    journal::align(&mut work.open()?, now)?;
    std::thread::scope(|scope| {
        let forges: Vec<_> = work.forges.iter().map(|forge| scope.spawn(|| work.once(forge))).collect();
        let ended: Vec<_> = forges.into_iter().map(|forge| forge.join()).collect();
        let fault = || StoreError::Damaged("an attempt on a forge ended in a panic".to_owned());
        ended.into_iter().try_for_each(|ended| ended.unwrap_or_else(|_| Err(fault())))
    })?;
    Ok(())
}

/// What of the registry the journal knows.
#[derive(Debug, Default)]
struct Line {
    epoch: Option<u64>,
    next_whole: Option<Instant>,
    orphans: BTreeSet<PersonId>,
}

impl Line {
    fn keep(&mut self, registry: &mut Registry, progress: &Progress) -> Result<(), StoreError> {
        let epoch = registry.tables().epoch()?;
        let begun = Instant::now();
        match self.epoch {
            // An older registry that was put back is another one.
            Some(known) if self.next_whole.is_some_and(|at| begun < at) && known <= epoch => {
                if known < epoch {
                    journal::follow(registry, known, now)?;
                }
            }
            _ => {
                let orphans = journal::align(registry, now)?;
                progress.orphans.store(orphans.len(), Ordering::Relaxed);
                self.escalate(&orphans);
                self.next_whole = begun.checked_add(READ_WHOLE.max(begun.elapsed().saturating_mul(WHOLE_SHARE)));
            }
        }
        self.epoch = Some(epoch);
        Ok(())
    }

    /// Nobody answers for the account any more, which is for people to mend: once for each that is found.
    fn escalate(&mut self, orphans: &[Orphan]) {
        for Orphan { account, owner, .. } in orphans.iter().filter(|orphan| !self.orphans.contains(&orphan.account)) {
            tracing::warn!(%account, %owner, "the owner of a service account is out: give it another one, or end it");
        }
        self.orphans = orphans.iter().map(|orphan| orphan.account.clone()).collect();
    }
}

fn tell(task: &Task, attempt: &Attempt) {
    let (step, what) = match task {
        Task::Cut(step) => (step, "cut"),
        Task::Return(step) => (step, "give back"),
    };
    let (person, account, way) = (&step.person, &step.account, &step.step);
    match attempt {
        Attempt::Confirmed { found, .. } => {
            tracing::info!(%person, %account, way, what, found, "confirmed by the forge");
        }
        Attempt::Failed { trouble, next_at } => {
            let trouble = shown(trouble, TROUBLE_LOGGED);
            tracing::warn!(%person, %account, way, what, trouble, next = %next_at, "not confirmed by the forge");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::TempDir::new().unwrap();
        let registry = dir.path().join("registry.db");
        let first = Turn::take(&registry).unwrap().unwrap();
        assert!(Turn::take(&registry).unwrap().is_none());
        drop(first);
        assert!(Turn::take(&registry).unwrap().is_some());
    }

    #[test]
    fn a_stop_ends_every_wait() {
        let stop = Arc::new(Stop::default());
        assert!(!stop.within(Duration::from_millis(1)));
        let other = Arc::clone(&stop);
        let waits = std::thread::spawn(move || other.within(Duration::from_secs(60)));
        stop.set();
        assert!(waits.join().unwrap() && stop.is_set());
    }
}
