//! `registry.db`: the facts, private to `keyring-sync`. Nothing in it is ever deleted.
//!
//! One file a table; this one opens, locks and commits.

pub(crate) mod authority;
pub(crate) mod cascade;
pub(crate) mod challenge;
pub(crate) mod delivery;
pub(crate) mod deposit;
pub(crate) mod event;
pub(crate) mod export;
pub(crate) mod export_version;
pub(crate) mod hint;
pub(crate) mod key;
mod migration;
pub(crate) mod passed;
pub(crate) mod pending_key;
pub(crate) mod person;
pub(crate) mod pinned_keys;
pub(crate) mod publication;
pub(crate) mod scim;
pub(crate) mod signal;
pub(crate) mod source_life;
pub(crate) mod staged;
pub(crate) mod token;
pub(crate) mod watch;

use crate::published::publish::{self, Published};
use countersign_policy::keyring::KeyringError;
use countersign_policy::time::Time;
use publication::Publication;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::cell::Cell;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a writer waits for another one. A bulk import may hold the lock for some seconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
/// Short, so that an urgent offboarding follows right after the writer before it.
const LOCK_RETRY: Duration = Duration::from_millis(1);
/// Whoever waits longer is told what for.
const LOCK_TOLD: Duration = Duration::from_secs(1);

/// Why the registry could not be read, written or published.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} does not exist: run keyring-sync init first")]
    Missing(PathBuf),
    #[error("{0} exists already")]
    Exists(PathBuf),
    #[error("the registry is in use by another keyring-sync, and was for the last {} s", LOCK_PATIENCE.as_secs())]
    Locked,
    #[error("{path} was written by a newer program (schema {found}, this one knows {known}): update keyring-sync", path = path.display())]
    TooNew { path: PathBuf, found: i64, known: i64 },
    #[error(
        "the keyring in {dir} is at epoch {published}, the registry only at {registry}: an older registry was put back. \
         Put back the keyring that belongs to it, or remove {dir}/cur to publish the older state anyway",
        dir = dir.display()
    )]
    Rollback { dir: PathBuf, published: u64, registry: u64 },
    #[error(
        "a keyring of epoch {published} is published in {dir}, and its registry is gone: put back the registry from a \
         backup. An empty one would put everybody out; for that, remove {dir}/cur first",
        dir = dir.display()
    )]
    Lost { dir: PathBuf, published: u64 },
    #[error("registry: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("registry is damaged: {0}")]
    Damaged(String),
    #[error(transparent)]
    Keyring(KeyringError),
}

impl StoreError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    }

    pub(crate) fn json(error: serde_json::Error) -> StoreError {
        StoreError::Damaged(error.to_string())
    }

    pub(crate) fn damaged(error: impl std::fmt::Display) -> StoreError {
        StoreError::Damaged(error.to_string())
    }
}

/// The open registry and the folder where its keyring is published.
#[derive(Debug)]
pub struct Registry {
    connection: Connection,
    path: PathBuf,
    keyring: PathBuf,
    /// How long to wait for another writer; `None`: as long as it takes.
    patience: Option<Duration>,
}

impl Registry {
    /// Makes an empty registry and publishes an empty keyring.
    pub fn create(path: &Path, keyring: &Path, now: Time) -> Result<Self, StoreError> {
        if let Some(epoch) = publish::announced_epoch(keyring).filter(|epoch| *epoch > 0) {
            return Err(StoreError::Lost { dir: keyring.to_owned(), published: epoch });
        }
        // Only for its owner, before SQLite writes a byte; -wal and -shm take the mode over.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists(path.to_owned()));
            }
            Err(error) => return Err(StoreError::io(path)(error)),
        }
        let mut registry = Self::connect(path, keyring)?;
        registry.connection.pragma_update(None, "journal_mode", "wal")?;
        let lock = registry.lock()?;
        migration::migrate(&mut registry.connection, path)?;
        sync_folder(path)?;
        publish::publish(keyring, &registry.tables(), now)?;
        drop(lock);
        Ok(registry)
    }

    /// Opens the registry; brings an older schema up to date.
    pub fn open(path: &Path, keyring: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        let mut registry = Self::connect(path, keyring)?;
        if migration::is_due(&registry.connection, path)? {
            let lock = registry.lock()?;
            migration::migrate(&mut registry.connection, path)?;
            drop(lock);
        }
        Ok(registry)
    }

    fn connect(path: &Path, keyring: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(LOCK_PATIENCE)?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Registry { connection, path: path.to_owned(), keyring: keyring.to_owned(), patience: Some(LOCK_PATIENCE) })
    }

    /// From now on waits for other writers as long as it takes.
    pub fn wait_without_end(&mut self) {
        self.patience = None;
    }

    /// What the registry holds at this moment, for reading.
    pub fn tables(&self) -> Tables<'_> {
        Tables { connection: &self.connection }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the published keyring.
    pub fn keyring(&self) -> &Path {
        &self.keyring
    }

    /// What is published, and whether it is this registry's latest epoch.
    pub fn publication(&self) -> Result<Publication, StoreError> {
        Ok(Publication { registry: self.tables().epoch()?, published: publish::published_epoch(&self.keyring) })
    }

    /// Publishes this epoch again, confirmed at `now`; a damaged keyring is written anew.
    pub fn publish(&self, now: Time) -> Result<Published, StoreError> {
        let _lock = self.lock()?;
        publish::mend(&self.keyring, &self.tables(), now)
    }

    /// Makes up for a publication that is missing because a program ended between its commit and its rename.
    pub fn repair(&self, now: Time) -> Result<(), StoreError> {
        if !self.is_published()? {
            let _lock = self.lock()?;
            self.make_up(now)?;
        }
        Ok(())
    }

    fn is_published(&self) -> Result<bool, StoreError> {
        let Publication { registry, published } = self.publication()?;
        Ok(published == Some(registry))
    }

    /// Under the lock.
    fn make_up(&self, now: Time) -> Result<(), StoreError> {
        if !self.is_published()? {
            publish::publish(&self.keyring, &self.tables(), now)?;
        }
        Ok(())
    }

    /// Waits for the writers before this one and begins a change.
    pub fn begin(&mut self, now: Time) -> Result<Change<'_>, StoreError> {
        let lock = self.lock()?;
        self.make_up(now)?;
        let epoch = self.tables().epoch()?;
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        Ok(Change {
            marks: Cell::new(0),
            connection: &self.connection,
            transaction,
            path: &self.path,
            keyring: &self.keyring,
            next: epoch.saturating_add(1),
            _lock: lock,
        })
    }

    /// One writer at a time, by flock on a file of its own: it ends with the process, however that ends.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.path.with_extension("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.map_err(StoreError::io(&path))?;
        let begun = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if self.patience.is_none_or(|most| begun.elapsed() < most) => {
                    if !told && begun.elapsed() > LOCK_TOLD {
                        told = true;
                        tracing::warn!("another keyring-sync is writing to the registry; waiting for it");
                    }
                    std::thread::sleep(LOCK_RETRY);
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked),
                Err(TryLockError::Error(error)) => return Err(StoreError::io(&path)(error)),
            }
        }
    }
}

/// The log beside the registry is made anew by each process, and SQLite is built not to sync folders.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io(folder))
}

/// Reads and writes of all tables, on one connection.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'c> {
    connection: &'c Connection,
}

/// An open transaction under the writer's lock. Dropped without [`Change::commit`], nothing happened.
#[derive(Debug)]
pub struct Change<'r> {
    connection: &'r Connection,
    transaction: Transaction<'r>,
    path: &'r Path,
    keyring: &'r Path,
    /// The epoch that a commit makes.
    next: u64,
    /// How many marks were set.
    marks: Cell<u64>,
    // After the transaction: fields are dropped in order.
    _lock: File,
}

/// A point within a change.
#[derive(Debug)]
#[must_use]
pub struct Mark(u64);

impl Change<'_> {
    pub fn tables(&self) -> Tables<'_> {
        Tables { connection: &self.transaction }
    }

    /// Makes the change durable and visible to readers, in that order.
    pub fn commit(self, now: Time) -> Result<Published, StoreError> {
        self.tables().put_epoch(self.next, now)?;
        let Change { transaction, connection, path, keyring, _lock, .. } = self;
        transaction.commit()?;
        sync_folder(path)?;
        publish::publish(keyring, &Tables { connection }, now)
    }

    /// Makes durable what no reader of the keyring ever sees; neither epoch nor publication. For changes that touched
    /// no person and no authority.
    pub fn commit_unseen(self) -> Result<(), StoreError> {
        let Change { transaction, path, _lock, .. } = self;
        transaction.commit()?;
        sync_folder(path)
    }

    /// A point to come back to within the change, ended by [`Change::keep`] or [`Change::back`]. Whatever is marked
    /// after it ends with it.
    pub fn mark(&self) -> Result<Mark, StoreError> {
        let mark = Mark(self.marks.get() + 1);
        self.marks.set(mark.0);
        self.transaction.execute_batch(&format!("SAVEPOINT mark{}", mark.0))?;
        Ok(mark)
    }

    /// What was done since the mark stays.
    pub fn keep(&self, mark: Mark) -> Result<(), StoreError> {
        Ok(self.transaction.execute_batch(&format!("RELEASE mark{}", mark.0))?)
    }

    /// What was done since the mark never was.
    pub fn back(&self, mark: Mark) -> Result<(), StoreError> {
        let Mark(mark) = mark;
        Ok(self.transaction.execute_batch(&format!("ROLLBACK TO mark{mark}; RELEASE mark{mark}"))?)
    }

    /// The epoch that records written in this change belong to.
    pub(crate) fn next_epoch(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests;
