//! The write-ahead log of the ledger's file: when it is written back, and that it is written in place.
//!
//! SQLite's own checkpoints do not restart the log where each writer is a process of its own, and a log that is cut
//! and grows again costs the file system a transaction of its own with each sync. So the log is made with room,
//! written back when there is much in it, and then written from its beginning.

use super::schema;
use rusqlite::Connection;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The log is written back above so many bytes. Each of the four hooks of a push reads all of it when it opens the
/// ledger, 100 KB in 0.2 ms; writing it back takes one of them 1 ms.
pub(super) const WAL_MAX: u64 = 150_000;

/// Above so many bytes even who is in a hurry writes it back: where all pushes are denied, no hook comes afterwards.
pub(super) const WAL_HARD_MAX: u64 = 4 * WAL_MAX;

/// A page of 4096 bytes with its frame's header.
const FRAME: u64 = 4096 + 24;

/// How much is in the log, and how much may be.
#[derive(Debug)]
pub(super) struct Wal {
    path: PathBuf,
    /// In the log after our last commit.
    pages: Arc<AtomicU64>,
    max: u64,
    /// Its folder does not know for certain yet that it is there.
    new: bool,
}

impl Wal {
    /// Of the ledger at `path`, before it is opened: that makes the log.
    pub fn of(path: &Path) -> Self {
        let mut log = path.to_owned().into_os_string();
        log.push("-wal");
        let log = PathBuf::from(log);
        let new = !log.exists();
        Wal { path: log, pages: Arc::default(), max: WAL_MAX, new }
    }

    /// Hears of each commit.
    pub fn watch(&self, connection: &mut Connection) -> Result<(), rusqlite::Error> {
        let pages = self.pages.clone();
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, told: std::ffi::c_int| {
            pages.store(u64::try_from(told).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))
    }

    pub fn in_a_hurry(&mut self) {
        self.max = WAL_HARD_MAX;
    }

    /// Bytes that somebody who opens the ledger reads of it.
    fn used(&self) -> u64 {
        self.pages.load(Ordering::Relaxed) * FRAME
    }

    /// What a new ledger's log grows into. Under the writer's lock, or while nobody else knows the file.
    pub fn make_room(&self) -> std::io::Result<()> {
        let log = OpenOptions::new().write(true).open(&self.path)?;
        let length = log.metadata()?.len();
        let room = vec![0; usize::try_from(WAL_MAX.saturating_sub(length)).unwrap_or_default()];
        log.write_all_at(&room, length)?;
        log.sync_all()
    }

    /// After a commit, under the writer's lock.
    pub fn committed(&mut self, connection: &Connection, patience: Duration) -> std::io::Result<()> {
        if self.new {
            // SQLite is built not to: once for each process would be too often.
            sync_folder(&self.path)?;
            self.new = false;
        }
        if self.used() > self.max {
            // Best effort: what is in the log is durable already, and a reader may stand in the way.
            let written = connection.busy_timeout(Duration::ZERO).and_then(|()| write_back(connection));
            if let Err(error) = connection.busy_timeout(patience).and(written) {
                tracing::warn!(%error, "the ledger's log could not be written back");
            }
        }
        Ok(())
    }
}

/// The next process would not know that everything is written back, and go on at the log's end: so something is
/// written at its beginning at once, the format's number, which is written even where it is the same.
fn write_back(connection: &Connection) -> Result<(), rusqlite::Error> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))?;
    if !busy {
        connection.pragma_update(None, "user_version", schema::KNOWN)?;
    }
    Ok(())
}

/// That a file was made in the folder of `path` outlives a loss of power.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::super::testing::{at, new_ledger};
    use super::*;

    const WAIT: Duration = Duration::from_secs(60);

    #[test]
    fn the_log_is_written_back_before_it_grows() {
        let (_folder, mut ledger) = new_ledger();
        for n in 0..40 {
            ledger.write(WAIT, at(n), |w| w.note(&[b'x'; 50_000])).unwrap();
            assert!(ledger.wal.used() <= WAL_MAX, "{}", ledger.wal.used());
        }
    }

    #[test]
    fn who_is_in_a_hurry_leaves_the_log_to_the_next_but_not_for_ever() {
        let (folder, ledger) = new_ledger();
        let mut hurried = ledger.in_a_hurry();
        let mut largest = 0;
        for n in 0..40 {
            hurried.write(WAIT, at(n), |w| w.note(&[b'x'; 50_000])).unwrap();
            largest = hurried.wal.used().max(largest);
        }
        assert!(largest > WAL_MAX && largest <= WAL_HARD_MAX, "{largest}");
        hurried.write(WAIT, at(40), |w| w.note(&[b'x'; 200_000])).unwrap();
        drop(hurried);
        let mut next = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        next.write(WAIT, at(41), |w| w.note(b"x")).unwrap();
        assert!(next.wal.used() <= WAL_MAX, "{}", next.wal.used());
    }

    #[test]
    fn processes_one_after_the_other_write_in_the_same_place() {
        let (folder, ledger) = new_ledger();
        drop(ledger);
        let (path, log) = (folder.path().join("ledger.db"), folder.path().join("ledger.db-wal"));
        let length = || std::fs::metadata(&log).unwrap().len();
        assert_eq!(length(), WAL_MAX);
        let mut most = 0;
        for n in 0..100 {
            let mut ledger = Ledger::open(&path).unwrap();
            ledger.write(WAIT, at(n), |w| w.note(&[b'x'; 3_000])).unwrap();
            most = most.max(length());
        }
        assert!(most <= WAL_MAX + 10 * FRAME, "{most}");
        let ledger = Ledger::open(&path).unwrap();
        assert!(ledger.read().verify(|_, _| {}).unwrap().is_sound());
        assert_eq!(ledger.head().unwrap().size, 100);
    }

    #[test]
    fn a_log_that_somebody_took_away_is_made_again() {
        let (folder, mut ledger) = new_ledger();
        ledger.write(WAIT, at(0), |w| w.note(b"first")).unwrap();
        drop(ledger);
        // As any other program does that is the last to close the file.
        drop({
            let other = Connection::open(folder.path().join("ledger.db")).unwrap();
            other.query_row("SELECT count(*) FROM leaf", [], |row| row.get::<_, i64>(0)).unwrap();
            other
        });
        assert!(!folder.path().join("ledger.db-wal").exists());
        let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        assert!(ledger.wal.new, "nobody knows yet that its folder is on the disk");
        ledger.write(WAIT, at(1), |w| w.note(b"second")).unwrap();
        assert!(!ledger.wal.new && !Ledger::open(&folder.path().join("ledger.db")).unwrap().wal.new);
        assert_eq!(ledger.head().unwrap().size, 2);
    }
}
