//! Repositories: their ids and paths, what they were enrolled with, what is mainline in them.

use super::column::to_sql;
use super::fold::Bodies;
use super::leaf::{EnrolledFacts, Facts, MainlineFacts, RepositoryFacts, RepositoryId, TipFacts};
use super::{LedgerError, Reader, Writer, column, receipt};
use countersign_policy::id::RefName;
use countersign_policy::time::Time;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// One repository that the ledger knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub id: RepositoryId,
    /// Where it is, or was when another repository took the path over.
    pub path: String,
    /// Whether the path is still its own.
    pub holds_path: bool,
    pub forge: Option<String>,
    /// When its tips were first put on record.
    pub enrolled_at: Option<Time>,
}

const COLUMNS: &str = "SELECT id, path, holds_path, forge, enrolled_at FROM repository";

fn repository(row: &Row<'_>) -> rusqlite::Result<Repository> {
    Ok(Repository {
        id: RepositoryId::from_bytes(row.get(0)?),
        path: row.get(1)?,
        holds_path: row.get(2)?,
        forge: row.get(3)?,
        enrolled_at: column::optional_time(row, 4)?,
    })
}

/// The short number that tables know a repository by.
pub(super) fn number(connection: &Connection, id: &RepositoryId) -> Result<Option<i64>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT num FROM repository WHERE id = ?1")?;
    Ok(statement.query_row([id.to_bytes()], |row| row.get(0)).optional()?)
}

pub(super) fn known(connection: &Connection, id: &RepositoryId) -> Result<i64, LedgerError> {
    number(connection, id)?.ok_or(LedgerError::UnknownRepository(*id))
}

impl Reader<'_> {
    pub fn repository(&self, id: &RepositoryId) -> Result<Option<Repository>, LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
        Ok(statement.query_row([id.to_bytes()], repository).optional()?)
    }

    /// The repository that is at this canonical path now.
    pub fn repository_at(&self, path: &str) -> Result<Option<Repository>, LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} WHERE path = ?1 AND holds_path = 1"))?;
        Ok(statement.query_row([path], repository).optional()?)
    }

    /// The repository that the forge calls `forge`, `gitea:12`.
    pub fn repository_of_forge(&self, forge: &str) -> Result<Option<Repository>, LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} WHERE forge = ?1"))?;
        Ok(statement.query_row([forge], repository).optional()?)
    }

    /// All of them, in the order in which they came.
    pub fn repositories(&self) -> Result<Vec<Repository>, LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} ORDER BY num"))?;
        let rows = statement.query_map([], repository)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The refs that were ever mainline and that no operator took off the list.
    pub fn mainline_refs(&self, repository: &RepositoryId) -> Result<Vec<RefName>, LedgerError> {
        let Some(repo) = number(self.connection, repository)? else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare_cached("SELECT ref FROM mainline WHERE repo = ?1 ORDER BY ref")?;
        let rows = statement.query_map([repo], |row| column::ref_name(row, 0))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Writer<'_> {
    /// Puts a repository on record, or moves one that is. Path and forge id are taken from
    /// whatever repository had them; what that one's pushes left behind stays its own.
    pub fn place_repository(&mut self, facts: RepositoryFacts, document: &[u8]) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Repository(facts), document)
    }

    /// Trusts ids that a repository had before it was guarded. May be done again.
    pub fn enrol(
        &mut self,
        repository: RepositoryId,
        tips: Vec<TipFacts>,
        mainline: Vec<RefName>,
        document: &[u8],
    ) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Enrolled(EnrolledFacts { repository, tips, mainline }), document)
    }

    /// The operator's word; a push can only add, as part of its verdict.
    pub fn set_mainline(
        &mut self,
        repository: RepositoryId,
        add: Vec<RefName>,
        remove: Vec<RefName>,
        document: &[u8],
    ) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Mainline(MainlineFacts { repository, add, remove }), document)
    }
}

pub(super) fn place(connection: &Connection, seq: u64, facts: &RepositoryFacts) -> Result<(), LedgerError> {
    let id = facts.id.to_bytes();
    connection
        .prepare_cached("UPDATE repository SET holds_path = 0 WHERE path = ?1 AND holds_path = 1 AND id <> ?2")?
        .execute(params![facts.path, id])?;
    if let Some(forge) = &facts.forge {
        connection
            .prepare_cached("UPDATE repository SET forge = NULL WHERE forge = ?1 AND id <> ?2")?
            .execute(params![forge, id])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO repository (id, path, holds_path, forge, seq) VALUES (?1, ?2, 1, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET path = excluded.path, holds_path = 1, forge = ifnull(excluded.forge, forge)",
        )?
        .execute(params![id, facts.path, facts.forge, to_sql(seq)?])?;
    Ok(())
}

pub(super) fn enrol(
    connection: &Connection,
    seq: u64,
    at: Time,
    facts: &EnrolledFacts,
    bodies: Bodies,
) -> Result<(), LedgerError> {
    let repo = known(connection, &facts.repository)?;
    connection
        .prepare_cached("UPDATE repository SET enrolled_at = ?2 WHERE num = ?1 AND enrolled_at IS NULL")?
        .execute(params![repo, at.unix_millis()])?;
    for (index, tips) in (0u32..).zip(&facts.tips) {
        receipt::store_pack(
            connection,
            receipt::Place { seq, index, repo: Some(repo), tips: true, level: tips.level },
            &tips.ids,
            bodies,
        )?;
    }
    add_mainline(connection, seq, repo, &facts.mainline)
}

pub(super) fn set_mainline(connection: &Connection, seq: u64, facts: &MainlineFacts) -> Result<(), LedgerError> {
    let repo = known(connection, &facts.repository)?;
    for name in &facts.remove {
        connection
            .prepare_cached("DELETE FROM mainline WHERE repo = ?1 AND ref = ?2")?
            .execute(params![repo, name.as_bytes()])?;
    }
    add_mainline(connection, seq, repo, &facts.add)
}

pub(super) fn add_mainline(connection: &Connection, seq: u64, repo: i64, names: &[RefName]) -> Result<(), LedgerError> {
    for name in names {
        connection
            .prepare_cached("INSERT INTO mainline (repo, ref, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![repo, name.as_bytes(), to_sql(seq)?])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Pack;
    use super::super::testing::{self, WAIT, at, new_ledger};
    use super::*;

    #[test]
    fn a_path_passes_on_and_what_was_there_keeps_its_history() {
        let (_folder, mut ledger) = new_ledger();
        let place = |id, path: &str, forge: Option<&str>| RepositoryFacts {
            id,
            path: path.into(),
            forge: forge.map(str::to_owned),
        };
        let (old, new) = (RepositoryId::generate(), RepositoryId::generate());
        let mut write = |facts| ledger.write(WAIT, at(1), |w| w.place_repository(facts, b"{}")).unwrap();
        write(place(old, "/srv/a.git", Some("gitea:12")));
        write(place(new, "/srv/a.git", None));
        let at_path = ledger.read().repository_at("/srv/a.git").unwrap().unwrap();
        assert_eq!((at_path.id, at_path.forge), (new, None));
        let before = ledger.read().repository_of_forge("gitea:12").unwrap().unwrap();
        assert_eq!((before.id, before.path.as_str(), before.holds_path), (old, "/srv/a.git", false));
        ledger.write(WAIT, at(2), |w| w.place_repository(place(old, "/srv/b.git", None), b"{}")).unwrap();
        let moved = ledger.read().repository_at("/srv/b.git").unwrap().unwrap();
        assert_eq!((moved.id, moved.forge.as_deref()), (old, Some("gitea:12")), "a move keeps the forge id");
        assert_eq!(ledger.read().repositories().unwrap().len(), 2);
        testing::assert_sound(&ledger);
    }

    #[test]
    fn a_ref_once_mainline_stays_so_until_the_operator_says_otherwise() {
        let (_folder, mut ledger) = new_ledger();
        let repo = testing::repository(&mut ledger, "/srv/a.git");
        let other = testing::repository(&mut ledger, "/srv/b.git");
        let [main, odd] = [RefName::new(b"refs/heads/main"), RefName::new(b"refs/heads/\xff")];
        let mut facts = testing::verdict(Some(repo), at(1), 1);
        facts.mainline = vec![main.clone(), odd.clone()];
        testing::record(&mut ledger, 1, facts.clone());
        facts = testing::verdict(Some(repo), at(2), 1);
        testing::record(&mut ledger, 2, facts);
        assert_eq!(ledger.read().mainline_refs(&repo).unwrap(), vec![main.clone(), odd.clone()]);
        assert_eq!(ledger.read().mainline_refs(&other).unwrap(), vec![]);
        ledger.write(WAIT, at(3), |w| w.set_mainline(repo, vec![], vec![main], b"{}")).unwrap();
        assert_eq!(ledger.read().mainline_refs(&repo).unwrap(), vec![odd]);
        testing::assert_sound(&ledger);
    }

    #[test]
    fn what_nobody_placed_can_neither_be_enrolled_nor_pushed_to() {
        let (_folder, mut ledger) = new_ledger();
        let unknown = RepositoryId::generate();
        let tips = vec![TipFacts { level: 1, ids: Pack::of_ids([testing::id(1)]).unwrap() }];
        let enrolled = ledger.write(WAIT, at(1), |w| w.enrol(unknown, tips, vec![], b"{}"));
        assert!(matches!(enrolled, Err(LedgerError::UnknownRepository(_))));
        let facts = testing::verdict(Some(unknown), at(1), 1);
        assert!(ledger.write(WAIT, at(1), |w| w.verdict(facts, b"{}")).is_err());
        assert_eq!(ledger.head().unwrap().size, 0);
    }
}
