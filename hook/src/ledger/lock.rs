//! The queue of writers.
//!
//! SQLite's own busy handler sleeps and retries: among 500 short writers somebody starves for
//! seconds. A file lock is a queue.

use super::LedgerError;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The ledger's files are its owner's alone; a group gets in by the operator's chmod.
pub(super) const FILE_MODE: u32 = 0o600;

/// The file beside the ledger at which writers queue. Made by root, it is the ledger's owner's.
pub(super) fn lock_file(ledger: &Path) -> Result<File, LedgerError> {
    let mut path = ledger.to_owned().into_os_string();
    path.push("-lock");
    let path = PathBuf::from(path);
    let open = || -> std::io::Result<File> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(&path)?;
        let (here, there) = (file.metadata()?, std::fs::metadata(ledger)?);
        if (here.uid(), here.gid()) != (there.uid(), there.gid()) {
            fchown(&file, Some(there.uid()), Some(there.gid()))?;
        }
        Ok(file)
    };
    open().map_err(|source| LedgerError::Io { path: path.clone(), source })
}

/// Takes the writers' lock. The kernel queues waiters fairly but knows no time-out, so a thread
/// waits; one that wins too late drops the lock at once, because nobody receives it.
pub(super) fn lock(ledger: &Path, wait: Duration) -> Result<File, LedgerError> {
    let io = |source| LedgerError::Io { path: ledger.to_owned(), source };
    let file = lock_file(ledger)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    let (send, receive) = mpsc::sync_channel(0);
    let start = Instant::now();
    std::thread::Builder::new()
        .name("ledger-lock".to_owned())
        .spawn(move || {
            let locked = file.lock().map(|()| file);
            // A rendezvous: it fails, and drops the lock, once the receiver has gone.
            let _ = send.send(locked);
        })
        .map_err(io)?;
    match receive.recv_timeout(wait) {
        Ok(locked) => locked.map_err(io),
        Err(_) => Err(LedgerError::Busy(start.elapsed())),
    }
}
