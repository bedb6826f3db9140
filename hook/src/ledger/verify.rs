//! Proof that the ledger is what its writers wrote, as far as the file itself can tell:
//! who can rewrite every byte is only found by a head that was kept elsewhere.

use super::column::to_sql;
use super::fold::{self, Bodies};
use super::head::Head;
use super::leaf::{Facts, Leaf};
use super::pack::View;
use super::schema::{self, Derived};
use super::tree::{self, Frontier, Hash};
use super::{Ledger, LedgerError, Reader};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Rows, params};
use std::fmt;
use std::time::Duration;

/// More faults than this are no longer listed; one is enough to distrust the ledger.
const FAULTS_MAX: usize = 100;

/// Something in the file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The leaf it belongs to, where one can be named.
    pub leaf: Option<u64>,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leaf {
            Some(leaf) => write!(f, "leaf {leaf}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What was looked at, and what was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    pub leaves: u64,
    pub packs: u64,
    /// Computed anew from the leaves.
    pub root: Hash,
    pub faults: Vec<Fault>,
}

impl VerifyReport {
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Leaves are looked at in order and before the tables, so this is where to look first.
    pub fn first_bad_leaf(&self) -> Option<u64> {
        self.faults.iter().find_map(|fault| fault.leaf)
    }

    fn fault(&mut self, leaf: Option<u64>, what: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { leaf, what: what.into() });
        }
    }
}

impl Reader<'_> {
    /// Hashes every leaf and pack again, folds them into fresh tables and compares everything with
    /// what is stored. `progress` hears the number of leaves done and the number there are.
    /// An error means that the ledger could not be read, not that it is unsound.
    pub fn verify(&self, mut progress: impl FnMut(u64, u64)) -> Result<VerifyReport, LedgerError> {
        let _snapshot = self.snapshot()?;
        let mut report = VerifyReport { leaves: 0, packs: 0, root: Frontier::default().root(), faults: Vec::new() };
        let stored = match self.head() {
            Ok(head) => Some(head),
            Err(LedgerError::Corrupt(reason)) => {
                report.fault(None, reason);
                None
            }
            Err(error) => return Err(error),
        };
        let total = stored.as_ref().map_or(0, |head| head.size);
        // A private temporary file of SQLite's, gone with the connection.
        let fresh = Connection::open("")?;
        fresh.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")?;
        schema::create(&fresh)?;
        check_file(self.connection, &fresh, &mut report)?;
        let computed = self.replay(&fresh, &mut report, |done| progress(done, total))?;
        report.leaves = computed.size;
        report.root = computed.root;
        if let Some(stored) = stored {
            compare_heads(&stored, &computed, &mut report);
        }
        for derived in schema::DERIVED {
            compare(self.connection, &fresh, derived, &mut report)?;
        }
        check_index(self.connection, &fresh, &mut report)?;
        Ok(report)
    }

    /// Folds every leaf into the tables of `into`; reports what does not hash to what it should.
    fn replay(
        &self,
        into: &Connection,
        report: &mut VerifyReport,
        mut progress: impl FnMut(u64),
    ) -> Result<Head, LedgerError> {
        let mut head = Head::empty();
        let mut packs = 0;
        let mut statement = self.connection.prepare("SELECT seq, kind, hash, body FROM leaf ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let seq = head.size;
            let (found, kind, hash, body): (i64, String, Vec<u8>, Vec<u8>) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            if found != to_sql(seq)? {
                report.fault(Some(seq), "it is missing");
                break;
            }
            let computed = tree::leaf_hash(&body);
            if computed[..] != hash[..] {
                report.fault(Some(seq), "its hash is not that of its bytes");
            }
            let facts = match Leaf::decode(seq, &body) {
                Ok(mut leaf) => {
                    if leaf.facts.kind().as_str() != kind {
                        report.fault(Some(seq), "it is filed under another kind");
                    }
                    let sound = fill(self.connection, seq, &mut leaf.facts, &mut packs, report)?;
                    head.take(computed, leaf.at, &leaf.facts);
                    sound.then_some((leaf.at, leaf.facts))
                }
                Err(error) => {
                    report.fault(Some(seq), error.to_string());
                    head.append(computed);
                    None
                }
            };
            if let Some((at, facts)) = facts {
                match fold::apply(into, seq, at, &facts, Bodies::Stored) {
                    Ok(()) => {}
                    Err(LedgerError::Database(error)) if !contradicts(&error) => return Err(error.into()),
                    Err(error) => report.fault(Some(seq), format!("its facts cannot follow the earlier ones: {error}")),
                }
            }
            progress(head.size);
        }
        report.packs = packs;
        Ok(head)
    }
}

impl Ledger {
    /// Makes every table that is folded from the leaves again, the look-up index too. Refuses while
    /// leaves or packs themselves are damaged. Holds the writers' lock all the while.
    pub fn rebuild(&mut self, wait: Duration) -> Result<(), LedgerError> {
        self.transaction(wait, |connection| {
            for table in schema::DERIVED.iter().map(|derived| derived.table).chain(schema::INDEX.iter().copied()) {
                connection.execute(&format!("DELETE FROM {table}"), [])?;
            }
            let mut report = VerifyReport { leaves: 0, packs: 0, root: Frontier::default().root(), faults: Vec::new() };
            let reader = Reader { connection };
            let head = reader.replay(connection, &mut report, |_| {})?;
            compare_heads(&reader.head()?, &head, &mut report);
            match report.faults.into_iter().next() {
                Some(fault) => Err(LedgerError::Corrupt(fault.to_string())),
                None => Ok(()),
            }
        })
    }
}

/// Whether the database refused the facts, rather than failed at its work.
fn contradicts(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

/// Gives the packs of a leaf their bytes. `packs` counts those before; it is how they are numbered.
fn fill(
    connection: &Connection,
    seq: u64,
    facts: &mut Facts,
    packs: &mut u64,
    report: &mut VerifyReport,
) -> Result<bool, LedgerError> {
    let mut sound = true;
    for pack in facts.packs_mut() {
        *packs += 1;
        let mut statement = connection.prepare_cached("SELECT bytes FROM pack_body WHERE pack = ?1")?;
        let bytes = statement.query_row([to_sql(*packs)?], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        let filled = bytes.ok_or_else(|| "its commit pack is missing".to_owned()).and_then(|bytes| pack.fill(bytes));
        if let Err(reason) = filled {
            report.fault(Some(seq), reason);
            sound = false;
        }
    }
    Ok(sound)
}

/// What leaves and tables cannot tell: that the tables are those which were made, and that the database fits together.
fn check_file(stored: &Connection, fresh: &Connection, report: &mut VerifyReport) -> Result<(), LedgerError> {
    let rows = "SELECT NULL, type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
    compare(stored, fresh, &Derived { table: "sqlite_schema", rows }, report)?;
    let mut statement = stored.prepare("PRAGMA integrity_check(10)")?;
    for said in statement.query_map([], |row| row.get::<_, String>(0))? {
        let said = said?;
        if said != "ok" {
            report.fault(None, format!("the database does not fit together: {said}"));
        }
    }
    Ok(())
}

fn compare_heads(stored: &Head, computed: &Head, report: &mut VerifyReport) {
    if stored.size != computed.size {
        report.fault(None, format!("its head says {} leaves, there are {}", stored.size, computed.size));
    } else if stored.root != computed.root {
        report.fault(None, "its head names another root than its leaves have");
    } else if stored != computed {
        report.fault(None, "its head names another clock or registry epoch than its leaves");
    }
}

/// Names the first row of a table that the leaves do not give, or give otherwise.
fn compare(
    stored: &Connection,
    fresh: &Connection,
    derived: &Derived,
    report: &mut VerifyReport,
) -> Result<(), LedgerError> {
    let (mut stored, mut fresh) = (stored.prepare(derived.rows)?, fresh.prepare(derived.rows)?);
    let columns = fresh.column_count();
    let (mut stored, mut fresh) = (stored.query([])?, fresh.query([])?);
    loop {
        let (here, there) = (next(&mut stored, columns)?, next(&mut fresh, columns)?);
        if here == there {
            if here.is_none() {
                return Ok(());
            }
            continue;
        }
        let leaf = there.or(here).and_then(|row| match row.first() {
            Some(Value::Integer(seq)) => u64::try_from(*seq).ok(),
            _ => None,
        });
        report.fault(leaf, format!("table `{}` is not what the leaves say", derived.table));
        return Ok(());
    }
}

fn next(rows: &mut Rows<'_>, columns: usize) -> Result<Option<Vec<Value>>, LedgerError> {
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((0..columns).map(|at| row.get(at)).collect::<Result<_, _>>()?))
}

/// The look-up index must hold the ids of every pack that can give receipts, as far as it is
/// folded, and nothing else. `fresh` is trusted here, `stored` is not.
fn check_index(stored: &Connection, fresh: &Connection, report: &mut VerifyReport) -> Result<(), LedgerError> {
    let wrong = "table `receipt` is not what the packs say";
    let (mut rows_seen, mut unfolded_seen): (u64, u64) = (0, 0);
    let mut packs = fresh
        .prepare("SELECT num, seq, repo FROM pack WHERE tips = 0 AND level > 0 AND repo IS NOT NULL ORDER BY num")?;
    let mut packs = packs.query([])?;
    while let Some(pack) = packs.next()? {
        let (number, seq, repo): (i64, i64, i64) = (pack.get(0)?, pack.get(1)?, pack.get(2)?);
        let leaf = u64::try_from(seq).ok();
        let signers: Vec<i64> = fresh
            .prepare_cached("SELECT signer FROM pack_signer WHERE pack = ?1 ORDER BY idx")?
            .query_map([number], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let done = stored
            .prepare_cached("SELECT done FROM unfolded WHERE pack = ?1 AND repo = ?2")?
            .query_row(params![number, repo], |row| row.get::<_, u32>(0))
            .optional()?;
        unfolded_seen += u64::from(done.is_some());
        let bytes: Option<Vec<u8>> = stored
            .prepare_cached("SELECT bytes FROM pack_body WHERE pack = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let Some(view) = bytes.as_deref().and_then(View::new) else { continue }; // reported with its leaf
        let mut look_up =
            stored.prepare_cached("SELECT signer FROM receipt WHERE repo = ?1 AND id = ?2 AND pack = ?3")?;
        let folded = done.map_or(usize::MAX, |done| done as usize);
        for entry in view.entries().take(folded).filter(|entry| entry.finding.is_none()) {
            let indexed = look_up
                .query_row(params![repo, entry.id.as_bytes(), number], |row| row.get::<_, Option<i64>>(0))
                .optional()?;
            let signer = entry.signer.and_then(|at| signers.get(usize::from(at)).copied());
            if indexed != Some(signer) {
                report.fault(leaf, wrong);
                return Ok(());
            }
            rows_seen += 1;
        }
    }
    let count =
        |table: &str| stored.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| super::column::seq(row, 0));
    if count("receipt")? != rows_seen {
        report.fault(None, wrong);
    }
    if count("unfolded")? != unfolded_seen {
        report.fault(None, "table `unfolded` names packs that give no receipts");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{BaselineFacts, BaselineId, PackBuilder};
    use super::*;

    /// One of everything: leaves 0 to 6, two packs, one of them not in the index.
    fn furnished() -> (tempfile::TempDir, Ledger) {
        let (folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        let mut facts = verdict(Some(repo), at(1), 9);
        let mut mixed = PackBuilder::new();
        for n in 0..30 {
            mixed.add(id(n), Some(&signer(if n % 2 == 0 { "alice" } else { "bob" })), None).unwrap();
        }
        facts.mainline = vec![main_ref()];
        facts.updates =
            vec![update(zero(), id(29), mixed.build().unwrap()), update(id(29), id(40), pack([40], &signer("carol")))];
        let first = record(&mut ledger, 1, facts);
        apply(&mut ledger, 2, first);
        let baseline = BaselineFacts {
            id: BaselineId::generate(),
            repository: repo,
            commit: id(77),
            onto: main_ref(),
            level: 2,
            reason: "import".into(),
            expires: at(100),
        };
        ledger.write(WAIT, at(3), |w| w.add_baseline(baseline, b"{}")).unwrap();
        ledger.write(WAIT, at(4), |w| w.note(b"a report was read")).unwrap();
        assert_sound(&ledger);
        (folder, ledger)
    }

    /// Past the triggers, which stand again afterwards.
    fn tamper(ledger: &Ledger, sql: &str) {
        let connection = &ledger.connection;
        let mut triggers = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        let triggers = triggers.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let triggers: Vec<(String, String)> = triggers.collect::<Result<_, _>>().unwrap();
        let each = |run: &dyn Fn(&(String, String)) -> String| {
            triggers.iter().for_each(|trigger| connection.execute_batch(&run(trigger)).unwrap());
        };
        each(&|(name, _)| format!("DROP TRIGGER {name}"));
        assert!(connection.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
        each(&|(_, sql)| sql.clone());
    }

    #[test]
    fn a_changed_schema_and_an_index_that_lacks_a_row_are_found() {
        for (from, to) in [(b"pack_of_tips ON", b"pack_of_tipS ON"), (b"refs/heads/main", b"refs/heads/maim")] {
            let (folder, ledger) = furnished();
            let path = folder.path().join("ledger.db");
            assert_sound(&ledger);
            ledger.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            drop(ledger);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = bytes.windows(from.len()).rposition(|found| found == from).unwrap();
            bytes[at..at + to.len()].copy_from_slice(to);
            std::fs::write(&path, bytes).unwrap();
            let report = Ledger::open_read_only(&path).unwrap().read().verify(|_, _| {});
            assert!(!report.is_ok_and(|report| report.is_sound()), "{}", String::from_utf8_lossy(to));
        }
    }

    #[test]
    fn tampering_with_what_was_hashed_names_the_leaf() {
        for (sql, leaf) in [
            (
                "UPDATE leaf SET body = CAST(replace(CAST(body AS TEXT), 'accept', 'deny') AS BLOB) WHERE seq = 1",
                Some(1),
            ),
            ("UPDATE leaf SET body = x'00' WHERE seq = 4", Some(4)),
            ("UPDATE leaf SET kind = 'note' WHERE seq = 2", Some(2)),
            ("UPDATE leaf SET hash = zeroblob(32) WHERE seq = 3", Some(3)),
            ("DELETE FROM leaf WHERE seq = 2", Some(2)),
            ("DELETE FROM leaf WHERE seq = 4", None),
            ("INSERT INTO leaf SELECT 5, kind, hash, body FROM leaf WHERE seq = 4", None),
            (
                "UPDATE pack_body SET bytes = CAST(substr(bytes, 1, 30) || x'ee' || substr(bytes, 32) AS BLOB) WHERE pack = 1",
                Some(1),
            ),
            ("DELETE FROM pack_body WHERE pack = 2", Some(1)),
            ("UPDATE head SET registry_epoch = 3", None),
            ("UPDATE head SET registry_committed_at = 3", None),
            ("UPDATE head SET written_at = written_at - 1", None),
            ("UPDATE head SET size = 4", None),
            ("UPDATE head SET root = zeroblob(32)", None),
            ("DELETE FROM head", None),
        ] {
            let (_folder, mut ledger) = furnished();
            tamper(&ledger, sql);
            let report = ledger.read().verify(|_, _| {}).unwrap();
            assert!(!report.is_sound(), "{sql}");
            assert_eq!(report.first_bad_leaf(), leaf, "{sql}: {:?}", report.faults);
            assert!(ledger.rebuild(WAIT).is_err(), "{sql}: nothing sound can be rebuilt from it");
        }
    }

    #[test]
    fn tampering_with_a_table_is_found_and_can_be_rebuilt() {
        for sql in [
            "UPDATE repository SET path = '/srv/evil.git'",
            "DELETE FROM mainline",
            "UPDATE verdict SET decision = 'deny'",
            "DELETE FROM verdict_person WHERE person = 'bob'",
            "UPDATE ref_update SET applied_at = 1 WHERE idx = 1",
            "UPDATE ref_update SET superseded = 1",
            "UPDATE signer SET person = 'mallory' WHERE person = 'bob'",
            "UPDATE pack SET level = 2, tips = 1",
            "UPDATE pack SET first = last",
            "UPDATE pack_signer SET signer = 3 WHERE idx = 1",
            "UPDATE key_use SET newest = 0",
            "UPDATE baseline SET expires = expires + 1",
            "INSERT INTO receipt SELECT repo, x'ababababababababababababababababababababab', pack, signer FROM receipt",
            "UPDATE receipt SET signer = 1",
            "DELETE FROM receipt",
            "DELETE FROM unfolded",
            "UPDATE unfolded SET done = 5",
            "INSERT INTO unfolded VALUES (9, 2, 0)",
        ] {
            let (_folder, mut ledger) = furnished();
            tamper(&ledger, sql);
            assert!(!ledger.read().verify(|_, _| {}).unwrap().is_sound(), "{sql}");
            ledger.rebuild(WAIT).unwrap();
            assert_sound(&ledger);
        }
    }

    #[test]
    fn progress_is_told_leaf_by_leaf() {
        let (_folder, ledger) = furnished();
        let mut heard = Vec::new();
        let report = ledger.read().verify(|done, total| heard.push((done, total))).unwrap();
        assert_eq!(heard, (1..=5).map(|done| (done, 5)).collect::<Vec<_>>());
        assert_eq!((report.leaves, report.packs), (5, 2));
    }
}
