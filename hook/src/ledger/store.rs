//! The file: one SQLite connection, one lock for writers, one head.

use super::column::{from_sql, to_sql};
use super::head::Head;
use super::leaf::{Facts, Leaf, Lineage};
use super::lock::{FILE_MODE, lock, lock_file};
use super::tree::{self, Frontier, Hash};
use super::wal::{Wal, sync_folder};
use super::{LedgerError, fold, schema};
use countersign_policy::time::Time;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};
use std::fs::OpenOptions;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long SQLite may wait for its own locks, which others hold only while they recover the log.
const SQLITE_WAIT: Duration = Duration::from_secs(2);

/// Prepared statements kept; more than one push uses.
const STATEMENTS: usize = 64;

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    pub(super) connection: Connection,
    path: PathBuf,
    pub(super) wal: Wal,
}

impl Ledger {
    /// Makes a new, empty ledger; fails if there is any file at `path`.
    pub fn create(path: &Path) -> Result<Ledger, LedgerError> {
        let io = |source| LedgerError::Io { path: path.to_owned(), source };
        match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(LedgerError::Exists(path.to_owned()));
            }
            Err(error) => return Err(io(error)),
        }
        lock_file(path)?;
        let wal = Wal::of(path);
        let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | PLAIN)?;
        configure(&connection)?;
        wal.watch(&mut connection)?;
        let journal: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if journal != "wal" {
            return Err(LedgerError::Corrupt(format!("its file system allows no write-ahead log, only `{journal}`")));
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        schema::create(&transaction)?;
        Head::empty().write(&transaction)?;
        transaction.commit()?;
        wal.make_room().and_then(|()| sync_folder(path)).map_err(io)?;
        Ok(Ledger { connection, path: path.to_owned(), wal })
    }

    /// Leaves writing back the log to the hook that follows, while the pusher waits for the verdict.
    pub fn in_a_hurry(mut self) -> Self {
        self.wal.in_a_hurry();
        self
    }

    /// Opens an existing ledger for reading and writing, and migrates an older one.
    pub fn open(path: &Path) -> Result<Ledger, LedgerError> {
        let wal = Wal::of(path);
        let mut connection = open_existing(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        wal.watch(&mut connection)?;
        let mut ledger = Ledger { connection, path: path.to_owned(), wal };
        if schema::version(&ledger.connection, path)? < schema::KNOWN {
            ledger.transaction(SQLITE_WAIT, |connection| {
                let from = schema::version(connection, path)?; // another process may have been first
                schema::migrate(connection, from)
            })?;
        }
        Ok(ledger)
    }

    /// Opens an existing ledger for reports. The user must be the ledger's owner or root:
    /// a reader of a write-ahead log takes part in its shared memory.
    pub fn open_read_only(path: &Path) -> Result<Ledger, LedgerError> {
        let wal = Wal::of(path);
        let connection = open_existing(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let found = schema::version(&connection, path)?;
        if found < schema::KNOWN {
            return Err(LedgerError::Corrupt(format!("format {found} is old; open it for writing once")));
        }
        Ok(Ledger { connection, path: path.to_owned(), wal })
    }

    pub fn head(&self) -> Result<Head, LedgerError> {
        self.read().head()
    }

    /// Runs `f` as the only writer, at `now`, after waiting at most `wait` for the others.
    /// What it appends is on disk when this returns, or, if anything fails, not at all.
    pub fn write<T>(
        &mut self,
        wait: Duration,
        now: Time,
        f: impl FnOnce(&mut Writer<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.transaction(wait, |connection| {
            let mut writer = Writer { connection, now, head: Head::read(connection)?, broken: false };
            let out = f(&mut writer)?;
            // A leaf that failed halfway must not be committed, even if the caller went on.
            if writer.broken { Err(LedgerError::Unfinished) } else { Ok(out) }
        })
    }

    /// One write transaction under the lock.
    pub(super) fn transaction<T>(
        &mut self,
        wait: Duration,
        f: impl FnOnce(&Connection) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let lock = lock(&self.path, wait)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(busy)?;
        let out = f(&transaction)?;
        transaction.commit()?;
        self.wal
            .committed(&self.connection, SQLITE_WAIT)
            .map_err(|source| LedgerError::Io { path: self.path.clone(), source })?;
        drop(lock);
        Ok(out)
    }

    /// Everything that can be asked of the ledger.
    pub fn read(&self) -> Reader<'_> {
        Reader { connection: &self.connection }
    }
}

/// Questions to the ledger; inside [`Ledger::write`] they see what the writer appended.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub(super) connection: &'a Connection,
}

/// While it lives, all questions on its connection are answered from one state.
#[derive(Debug)]
pub struct Snapshot<'a> {
    _transaction: Option<rusqlite::Transaction<'a>>,
}

impl<'a> Reader<'a> {
    pub fn head(self) -> Result<Head, LedgerError> {
        Head::read(self.connection)
    }

    /// Holds one state of the ledger for several questions, until the answer is dropped.
    pub fn snapshot(self) -> Result<Snapshot<'a>, LedgerError> {
        // Inside a writer, or another snapshot, there is a transaction already.
        let outside = self.connection.is_autocommit();
        Ok(Snapshot { _transaction: outside.then(|| self.connection.unchecked_transaction()).transpose()? })
    }

    /// One leaf; `None` past the end.
    pub fn leaf(self, seq: u64) -> Result<Option<Leaf>, LedgerError> {
        let body = self
            .connection
            .prepare_cached("SELECT body FROM leaf WHERE seq = ?1")?
            .query_row([to_sql(seq)?], |row| row.get::<_, Vec<u8>>(0))
            .optional()?;
        body.map(|body| Leaf::decode(seq, &body)).transpose()
    }

    /// Hands each leaf from `from` on to `f`, oldest first, until `f` says false:
    /// its number, kind, and the exact bytes that are hashed.
    pub fn each_leaf(self, from: u64, mut f: impl FnMut(u64, &str, &[u8]) -> bool) -> Result<(), LedgerError> {
        let mut statement =
            self.connection.prepare_cached("SELECT seq, kind, body FROM leaf WHERE seq >= ?1 ORDER BY seq")?;
        let mut rows = statement.query([to_sql(from)?])?;
        while let Some(row) = rows.next()? {
            let text = |error| LedgerError::Corrupt(format!("a leaf is of the wrong type: {error}"));
            let kind = row.get_ref(1)?.as_str().map_err(text)?;
            if !f(from_sql(row.get(0)?)?, kind, row.get_ref(2)?.as_blob().map_err(text)?) {
                break;
            }
        }
        Ok(())
    }

    /// The tree head over the leaves of `range` alone; what the proofs in [`tree`] are made of.
    pub fn root_of(self, range: Range<u64>) -> Result<Hash, LedgerError> {
        let expected = range.end.saturating_sub(range.start);
        let mut frontier = Frontier::default();
        let mut statement =
            self.connection.prepare_cached("SELECT hash FROM leaf WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
        for hash in statement.query_map([to_sql(range.start)?, to_sql(range.end)?], |row| row.get(0))? {
            frontier.append(hash?);
        }
        if frontier.size() != expected {
            return Err(LedgerError::Corrupt(format!("leaves are missing between {} and {}", range.start, range.end)));
        }
        Ok(frontier.root())
    }
}

/// The one writer, inside its transaction.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) connection: &'a Connection,
    now: Time,
    head: Head,
    broken: bool,
}

impl Writer<'_> {
    pub fn read(&self) -> Reader<'_> {
        Reader { connection: self.connection }
    }

    /// Where the ledger stands, with what this writer appended.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The write time of this writer's leaves.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Appends a leaf and folds its facts into the tables. `document` is kept byte for byte.
    /// Returns the leaf's sequence number, counted from 0.
    pub fn leaf(&mut self, facts: &Facts, document: &[u8]) -> Result<u64, LedgerError> {
        let appended = self.append(facts, document);
        self.broken |= appended.is_err();
        appended
    }

    fn append(&mut self, facts: &Facts, document: &[u8]) -> Result<u64, LedgerError> {
        let seq = self.head.size;
        let body = Leaf::encode(self.now, facts, document)?;
        let hash = tree::leaf_hash(&body);
        self.connection
            .prepare_cached("INSERT INTO leaf (seq, kind, hash, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![to_sql(seq)?, facts.kind().as_str(), hash, body])?;
        fold::apply(self.connection, seq, self.now, facts, fold::Bodies::Store)?;
        self.head.take(hash, self.now, facts);
        self.head.write(self.connection)?;
        Ok(seq)
    }

    /// Appends a leaf that is nothing but its document.
    pub fn note(&mut self, document: &[u8]) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Note, document)
    }

    /// Accepts a clock or a registry that went back; `reason` is the operator's.
    pub fn accept(&mut self, lineage: Lineage, reason: &str, document: &[u8]) -> Result<u64, LedgerError> {
        let facts = super::leaf::LineageFacts { lineage, reason: reason.to_owned() };
        self.leaf(&Facts::Lineage(facts), document)
    }
}

/// No URI file names; a connection stays in one thread at a time, which the borrow checker sees to.
const PLAIN: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;

fn open_existing(path: &Path, mode: OpenFlags) -> Result<Connection, LedgerError> {
    match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(LedgerError::NotYours(path.to_owned()));
        }
        // SQLite takes an empty file for a new database, and removes the log beside it: that log holds leaves.
        Ok(file) if file.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) => {
            return Err(LedgerError::NotALedger(path.to_owned()));
        }
        _ => {}
    }
    let connection = Connection::open_with_flags(path, mode | PLAIN).map_err(|error| {
        if path.exists() { LedgerError::Database(error) } else { LedgerError::Missing(path.to_owned()) }
    })?;
    configure(&connection).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => LedgerError::NotALedger(path.to_owned()),
        _ => LedgerError::Database(error),
    })?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(SQLITE_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Otherwise each statement is prepared again once its parameters are known.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // FULL: the log is synced before a commit returns, for a lost verdict would be a lost record. Its checkpoints of its
    // own end where `Wal::watch` begins.
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    Ok(())
}

fn busy(error: rusqlite::Error) -> LedgerError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => LedgerError::Busy(SQLITE_WAIT),
        _ => LedgerError::Database(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, at, new_ledger};
    use super::super::{Lineage, VerdictFacts, VerifyReport};
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    const WAIT: Duration = Duration::from_secs(60);

    fn verify(path: &Path) -> VerifyReport {
        Ledger::open_read_only(path).unwrap().read().verify(|_, _| {}).unwrap()
    }

    #[test]
    fn fifty_writers_at_once_lose_nothing() {
        let (folder, _) = new_ledger();
        let path = folder.path().join("ledger.db");
        std::thread::scope(|scope| {
            for writer in 0..50 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..4 {
                        let mut ledger = Ledger::open(path).unwrap();
                        let note = format!("{writer} {n}");
                        ledger.write(WAIT, at(n), |w| w.note(note.as_bytes())).unwrap();
                    }
                });
            }
        });
        let mut notes = std::collections::BTreeSet::new();
        let ledger = Ledger::open(&path).unwrap();
        ledger.read().each_leaf(0, |seq, _, bytes| notes.insert(Leaf::decode(seq, bytes).unwrap().document)).unwrap();
        assert_eq!(notes.len(), 200);
        let report = verify(&path);
        assert_eq!((report.leaves, report.faults), (200, vec![]));
        assert_eq!(report.root, ledger.head().unwrap().root);
    }

    /// Not a test of its own: the process that the next one kills.
    #[test]
    fn writer_to_be_killed() {
        let Some(path) = std::env::var_os("LEDGER_OF_A_WRITER_TO_BE_KILLED") else { return };
        for n in 0.. {
            let mut ledger = Ledger::open(Path::new(&path)).unwrap();
            ledger.write(WAIT, at(n), |w| w.note(&vec![b'x'; 4000]).and_then(|_| w.note(b"second"))).unwrap();
            println!("\ndone {}", ledger.head().unwrap().size);
        }
    }

    #[test]
    fn a_killed_writer_leaves_whole_transactions() {
        let (folder, _) = new_ledger();
        let path = folder.path().join("ledger.db");
        for round in 0..8u64 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "ledger::store::tests::writer_to_be_killed", "--nocapture"])
                .env("LEDGER_OF_A_WRITER_TO_BE_KILLED", &path)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let done = |line: String| line.strip_prefix("done ").and_then(|size| size.parse::<u64>().ok());
            let mut promised = lines.by_ref().find_map(|line| done(line.unwrap())).unwrap();
            std::thread::sleep(Duration::from_micros(round * 1_700));
            child.kill().unwrap();
            child.wait().unwrap();
            promised = lines.map_while(Result::ok).filter_map(done).last().unwrap_or(promised);
            let report = verify(&path);
            assert_eq!(report.faults, vec![]);
            assert!(report.leaves >= promised, "{} leaves, {promised} were promised", report.leaves);
            assert_eq!(report.leaves % 2, 0, "half a transaction");
        }
    }

    #[test]
    fn who_waits_too_long_is_told_and_the_lock_is_free_again() {
        let (folder, mut ledger) = new_ledger();
        let path = folder.path().join("ledger.db");
        let held = lock(&path, WAIT).unwrap();
        let error = ledger.write(Duration::from_millis(20), at(0), |w| w.note(b"")).unwrap_err();
        assert!(matches!(error, LedgerError::Busy(_)), "{error}");
        drop(held);
        ledger.write(WAIT, at(0), |w| w.note(b"")).unwrap();
        assert_eq!(ledger.head().unwrap().size, 1);
    }

    #[test]
    fn only_a_ledger_of_a_known_format_is_opened() {
        let (folder, ledger) = new_ledger();
        let path = folder.path().join("ledger.db");
        assert!(matches!(Ledger::create(&path), Err(LedgerError::Exists(_))));
        assert!(matches!(Ledger::open(&folder.path().join("none")), Err(LedgerError::Missing(_))));
        let other = folder.path().join("other");
        std::fs::write(&other, "text that is surely no database, and is long enough to be looked at").unwrap();
        assert!(matches!(Ledger::open(&other), Err(LedgerError::NotALedger(_))));
        std::fs::write(&other, "").unwrap();
        assert!(matches!(Ledger::open(&other), Err(LedgerError::NotALedger(_))));
        ledger.connection.pragma_update(None, "user_version", schema::KNOWN + 1).unwrap();
        assert!(matches!(Ledger::open(&path), Err(LedgerError::Newer { .. })));
    }

    #[test]
    fn a_ledger_of_an_older_format_is_brought_to_the_newest() {
        let (folder, mut ledger) = new_ledger();
        let repo = testing::repository(&mut ledger, "/srv/a.git");
        let alice = testing::signer("alice");
        let many = testing::pack(1..=100, &alice);
        let facts = VerdictFacts {
            updates: vec![testing::update(testing::id(200), testing::id(100), many)],
            ..testing::verdict(Some(repo), at(1), 1)
        };
        testing::record(&mut ledger, 1, facts);
        let waiting = |ledger: &Ledger| {
            let count = "SELECT count(*), sum(pack), sum(repo) FROM unfolded";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            ledger.connection.query_row::<(i64, i64, i64), _, _>(count, [], row).unwrap()
        };
        let before = waiting(&ledger);
        assert_eq!(before.0, 1);
        let first = "CREATE TABLE was AS SELECT * FROM unfolded; DROP TABLE unfolded;
            CREATE TABLE unfolded (pack INTEGER PRIMARY KEY, repo INTEGER NOT NULL, done INTEGER NOT NULL) STRICT;
            INSERT INTO unfolded SELECT pack, repo, done FROM was; DROP TABLE was; PRAGMA user_version = 1";
        ledger.connection.execute_batch(first).unwrap();
        drop(ledger);
        let path = folder.path().join("ledger.db");
        assert!(matches!(Ledger::open_read_only(&path), Err(LedgerError::Corrupt(_))), "it is opened for writing once");
        assert_eq!(waiting(&Ledger::open(&path).unwrap()), before);
        let report = verify(&path);
        assert!(report.is_sound(), "{report:?}");
    }

    #[test]
    fn an_empty_file_in_place_of_the_ledger_costs_no_leaf() {
        let (folder, mut ledger) = new_ledger();
        ledger.write(WAIT, at(0), |w| w.note(b"in the log alone")).unwrap();
        drop(ledger);
        let (path, away) = (folder.path().join("ledger.db"), folder.path().join("away"));
        std::fs::rename(&path, &away).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Ledger::open(&path), Err(LedgerError::NotALedger(_))));
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(verify(&path).leaves, 1);
    }

    #[test]
    fn files_are_their_owners_alone() {
        let (folder, mut ledger) = new_ledger();
        ledger.write(WAIT, at(0), |w| w.note(b"")).unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        }
    }

    #[test]
    fn leaves_can_only_be_appended() {
        let (_folder, mut ledger) = new_ledger();
        ledger.write(WAIT, at(0), |w| w.note(b"a").and_then(|_| w.note(b"b"))).unwrap();
        for sql in [
            "UPDATE leaf SET body = x'00'",
            "DELETE FROM leaf",
            "INSERT INTO leaf VALUES (9, 'note', x'', x'')",
            "REPLACE INTO leaf VALUES (0, 'note', x'', x'')",
        ] {
            assert!(ledger.connection.execute(sql, []).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_failed_append_takes_the_whole_transaction_with_it() {
        let (_folder, mut ledger) = new_ledger();
        let unknown = super::super::UpdateId { verdict: 7, index: 0 };
        let ignored = ledger.write(WAIT, at(0), |w| {
            w.note(b"first")?;
            let _ = w.applied(&[unknown], b"");
            Ok(())
        });
        assert!(matches!(ignored, Err(LedgerError::Unfinished)));
        assert_eq!(ledger.head().unwrap(), Head::empty());
    }

    #[test]
    fn the_floor_of_clock_and_registry_only_rises_until_the_operator_says_so() {
        let (_folder, mut ledger) = new_ledger();
        let verdict = |epoch| super::super::testing::verdict(None, at(0), epoch);
        ledger.write(WAIT, at(100), |w| w.verdict(verdict(42), b"")).unwrap();
        ledger.write(WAIT, at(50), |w| w.verdict(verdict(7), b"")).unwrap();
        let head = ledger.head().unwrap();
        assert_eq!((head.written_at, head.registry_epoch), (Some(at(100)), 42));
        ledger.write(WAIT, at(60), |w| w.accept(Lineage::Clock, "it was wrong", b"")).unwrap();
        ledger
            .write(WAIT, at(61), |w| w.accept(Lineage::Registry { epoch: 7, committed_at: None }, "restored", b""))
            .unwrap();
        let head = ledger.head().unwrap();
        assert_eq!((head.written_at, head.registry_epoch), (Some(at(61)), 7));
        assert!(ledger.read().verify(|_, _| {}).unwrap().is_sound());
    }

    #[test]
    fn a_snapshot_keeps_its_state_and_stops_no_writer() {
        let (folder, ledger) = new_ledger();
        let mut other = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        let read = ledger.read();
        let snapshot = read.snapshot().unwrap();
        assert_eq!(read.head().unwrap().size, 0);
        for n in 0..10 {
            other.write(WAIT, at(n), |w| w.note(&[b'x'; 100_000])).unwrap();
        }
        assert_eq!(read.head().unwrap().size, 0);
        drop(snapshot);
        assert_eq!(read.head().unwrap().size, 10);
    }

    #[test]
    fn proofs_can_be_made_from_the_store() {
        let (_folder, mut ledger) = new_ledger();
        ledger.write(WAIT, at(0), |w| (0..11).try_for_each(|n: u8| w.note(&[n]).map(|_| ()))).unwrap();
        let read = ledger.read();
        assert_eq!(read.root_of(0..11).unwrap(), read.head().unwrap().root);
        let proof = tree::inclusion_proof(4, 11, |range| read.root_of(range)).unwrap().unwrap();
        assert_eq!(proof.len(), 4);
        assert!(read.root_of(0..12).is_err(), "there is no twelfth leaf");
        assert!(read.leaf(11).unwrap().is_none());
    }
}
