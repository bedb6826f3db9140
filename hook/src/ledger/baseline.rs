//! Baselines: the operator's word that history from before may come in.

use super::column::to_sql;
use super::leaf::{BaselineFacts, BaselineId, BaselineUsedFacts, Facts, RepositoryId, VerdictId};
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

    /// This verdict lets history in by the baseline. Once git has applied it the baseline counts as used, and no
    /// longer expires.
    pub fn claim_baseline(
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

/// Only before its end.
pub(super) fn claim(connection: &Connection, at: Time, facts: &BaselineUsedFacts) -> Result<(), LedgerError> {
    let id = facts.baseline.to_bytes();
    let known: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM baseline WHERE id = ?1)")?
        .query_row([id], |row| row.get(0))?;
    if !known {
        return Err(LedgerError::UnknownBaseline(facts.baseline));
    }
    connection
        .prepare_cached(
            "INSERT INTO baseline_claim (verdict, baseline)
             SELECT ?2, num FROM baseline WHERE id = ?1 AND (used_at IS NOT NULL OR expires > ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![id, facts.verdict.to_bytes(), at.unix_millis()])?;
    Ok(())
}

/// An update of the verdict at `seq` was applied to this ref: what it claimed for it is used. Only the first use counts.
pub(super) fn mark_used(
    connection: &Connection,
    seq: i64,
    repo: i64,
    name: &[u8],
    at: Time,
) -> Result<(), LedgerError> {
    connection
        .prepare_cached(
            "UPDATE baseline SET used_at = ?4, used_by = (SELECT id FROM verdict WHERE seq = ?1)
             WHERE repo = ?2 AND onto = ?3 AND used_at IS NULL AND num IN
             (SELECT c.baseline FROM baseline_claim c JOIN verdict v ON v.id = c.verdict WHERE v.seq = ?1)",
        )?
        .execute(params![seq, repo, name, at.unix_millis()])?;
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
        let push = |ledger: &mut crate::ledger::Ledger, second| {
            let change = push(ledger, repository, second, update(zero(), id(1), pack([1], &signer("alice"))));
            let verdict = ledger.read().verdict_at(change.verdict).unwrap().unwrap().facts.id;
            ledger.write(WAIT, at(second), |w| w.claim_baseline(baseline, verdict, b"{}")).unwrap();
            change
        };
        let used_at = |ledger: &crate::ledger::Ledger| ledger.read().baselines(&repository).unwrap()[0].used_at;
        let refused = push(&mut ledger, 50);
        ledger.write(WAIT, at(51), |w| w.refused(&[refused], b"{}")).unwrap();
        assert_eq!(used_at(&ledger), None, "git did not take it");
        let late = push(&mut ledger, 100);
        apply(&mut ledger, 101, late);
        assert_eq!(used_at(&ledger), None, "it was over");
        let in_time = push(&mut ledger, 60);
        apply(&mut ledger, 102, in_time);
        assert_eq!(used_at(&ledger), Some(at(102)), "the verdict was in time");
        let unknown =
            ledger.write(WAIT, at(1), |w| w.claim_baseline(BaselineId::generate(), VerdictId::generate(), b""));
        assert!(matches!(unknown, Err(LedgerError::UnknownBaseline(_))));
        assert_sound(&ledger);
    }
}
