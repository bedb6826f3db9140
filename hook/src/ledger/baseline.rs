//! Baselines: the operator's word that history from before may come in.

use super::leaf::{BaselineFacts, BaselineId, BaselineUsedFacts, Facts, RepositoryId, VerdictId};
use super::store::to_sql;
use super::{LedgerError, Reader, Writer, column, repository};
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::time::Time;
use rusqlite::{Connection, Row, params};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    pub id: BaselineId,
    pub commit: ObjectId,
    pub onto: RefName,
    pub level: u8,
    pub reason: String,
    pub created: Time,
    pub expires: Time,
    pub used_at: Option<Time>,
    pub used_by: Option<VerdictId>,
}

impl Baseline {
    /// Usable or used: once used it counts for good.
    pub fn is_active(&self, now: Time) -> bool {
        self.used_at.is_some() || now < self.expires
    }
}

fn baseline(row: &Row<'_>) -> rusqlite::Result<Baseline> {
    Ok(Baseline {
        id: BaselineId::from_bytes(row.get(0)?),
        commit: column::object_id(row, 1)?,
        onto: column::ref_name(row, 2)?,
        level: row.get(3)?,
        reason: row.get(4)?,
        created: column::time(row, 5)?,
        expires: column::time(row, 6)?,
        used_at: column::optional_time(row, 7)?,
        used_by: row.get::<_, Option<[u8; 16]>>(8)?.map(VerdictId::from_bytes),
    })
}

impl Reader<'_> {
    /// Every baseline of a repository, oldest first.
    pub fn baselines(&self, repository: &RepositoryId) -> Result<Vec<Baseline>, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare_cached(
            "SELECT id, commit_id, onto, level, reason, created, expires, used_at, used_by
             FROM baseline WHERE repo = ?1 ORDER BY num",
        )?;
        let rows = statement.query_map([repo], baseline)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Those that are used, or may still be.
    pub fn active_baselines(&self, repository: &RepositoryId, now: Time) -> Result<Vec<Baseline>, LedgerError> {
        let mut baselines = self.baselines(repository)?;
        baselines.retain(|baseline| baseline.is_active(now));
        Ok(baselines)
    }
}

impl Writer<'_> {
    pub fn add_baseline(&mut self, facts: BaselineFacts, document: &[u8]) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Baseline(facts), document)
    }

    /// The baseline brought history in with this verdict; from now on it does not expire.
    pub fn use_baseline(
        &mut self,
        baseline: BaselineId,
        verdict: VerdictId,
        document: &[u8],
    ) -> Result<u64, LedgerError> {
        self.leaf(&Facts::BaselineUsed(BaselineUsedFacts { baseline, verdict }), document)
    }
}

pub(super) fn add(connection: &Connection, seq: u64, at: Time, facts: &BaselineFacts) -> Result<(), LedgerError> {
    let repo = repository::known(connection, &facts.repository)?;
    connection
        .prepare_cached(
            "INSERT INTO baseline (id, seq, repo, commit_id, onto, level, reason, created, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            facts.id.to_bytes(),
            to_sql(seq)?,
            repo,
            facts.commit.as_bytes(),
            facts.onto.as_bytes(),
            facts.level,
            facts.reason,
            at.unix_millis(),
            facts.expires.unix_millis(),
        ])?;
    Ok(())
}

/// Only the first use counts, and only before the end.
pub(super) fn mark_used(connection: &Connection, at: Time, facts: &BaselineUsedFacts) -> Result<(), LedgerError> {
    let id = facts.baseline.to_bytes();
    let known: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM baseline WHERE id = ?1)")?
        .query_row([id], |row| row.get(0))?;
    if !known {
        return Err(LedgerError::UnknownBaseline(facts.baseline));
    }
    connection
        .prepare_cached(
            "UPDATE baseline SET used_at = ?2, used_by = ?3 WHERE id = ?1 AND used_at IS NULL AND expires > ?2",
        )?
        .execute(params![id, at.unix_millis(), facts.verdict.to_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn an_expired_baseline_cannot_be_used_and_an_unknown_one_is_an_error() {
        let (_folder, mut ledger) = new_ledger();
        let repository = repository(&mut ledger, "/srv/a.git");
        let facts = BaselineFacts {
            id: BaselineId::generate(),
            repository,
            commit: id(1),
            onto: main_ref(),
            level: 2,
            reason: "import".into(),
            expires: at(100),
        };
        let baseline = facts.id;
        ledger.write(WAIT, at(0), |w| w.add_baseline(facts, b"{}")).unwrap();
        assert_eq!(ledger.read().active_baselines(&repository, at(99)).unwrap().len(), 1);
        assert_eq!(ledger.read().active_baselines(&repository, at(100)).unwrap(), vec![]);
        ledger.write(WAIT, at(100), |w| w.use_baseline(baseline, VerdictId::generate(), b"{}")).unwrap();
        assert_eq!(ledger.read().baselines(&repository).unwrap()[0].used_at, None);
        let unknown = ledger.write(WAIT, at(1), |w| w.use_baseline(BaselineId::generate(), VerdictId::generate(), b""));
        assert!(matches!(unknown, Err(LedgerError::UnknownBaseline(_))));
        assert_sound(&ledger);
    }
}
