//! Tables `staged` and `staged_vote`: what the brake held back, and what operators said of it.
//!
//! Nothing is ever deleted; a row is decided once.

use super::{StoreError, Tables};
use countersign_policy::id::{EventId, PersonId, Source};
use countersign_policy::time::Time;
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// One event that waits for two people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStaged {
    /// What came together and is decided together.
    pub batch: String,
    pub source: Source,
    pub id: EventId,
    pub person: PersonId,
    /// The event's `type`.
    pub kind: String,
    /// Concluded from the person's absence in a list, not said of them by name.
    pub absent: bool,
    /// Which limit held it back, in words.
    pub cause: String,
    pub received_at: Time,
    pub rank: Option<u8>,
    /// The whole line, byte for byte.
    pub line: String,
}

/// How the waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Approved,
    Rejected,
    /// The source itself no longer says so.
    Withdrawn,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Approved => "approved",
            Outcome::Rejected => "rejected",
            Outcome::Withdrawn => "withdrawn",
        }
    }
}

/// A staged event with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedRow {
    pub seq: i64,
    pub staged: NewStaged,
}

/// What an operator said of a staged event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    pub approve: bool,
    pub operator: String,
    /// The Unix user who ran the command.
    pub login: String,
    pub reason: Option<String>,
    pub at: Time,
}

const COLUMNS: &str = "seq, batch, source, id, person, type, absent, cause, received_at, rank, line";

impl Tables<'_> {
    pub fn stage(&self, staged: &NewStaged) -> Result<(), StoreError> {
        let sql = "INSERT INTO staged (batch, source, id, person, type, absent, cause, received_at, rank, line)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        self.connection.prepare_cached(sql)?.execute(params![
            staged.batch,
            staged.source.as_str(),
            staged.id.as_str(),
            staged.person.as_str(),
            staged.kind,
            staged.absent,
            staged.cause,
            staged.received_at.unix_millis(),
            staged.rank,
            staged.line,
        ])?;
        Ok(())
    }

    /// Everything that waits, the oldest first.
    pub fn staged(&self) -> Result<Vec<StagedRow>, StoreError> {
        self.staged_where("outcome IS NULL", &[])
    }

    /// What waits of one batch.
    pub fn staged_of_batch(&self, batch: &str) -> Result<Vec<StagedRow>, StoreError> {
        self.staged_where("outcome IS NULL AND batch = ?1", &[&batch])
    }

    /// What waits of what this source said of the person.
    pub fn staged_of(&self, source: &Source, person: &PersonId) -> Result<Vec<StagedRow>, StoreError> {
        self.staged_where("outcome IS NULL AND source = ?1 AND person = ?2", &[&source.as_str(), &person.as_str()])
    }

    /// Of whom something waits that was concluded from their absence in this source's lists.
    pub fn staged_absent(&self, source: &Source) -> Result<Vec<StagedRow>, StoreError> {
        self.staged_where("outcome IS NULL AND source = ?1 AND absent = 1", &[&source.as_str()])
    }

    /// When two people let this event happen, if it had to wait for them.
    pub fn approved_at(&self, source: &Source, id: &EventId) -> Result<Option<Time>, StoreError> {
        let sql = "SELECT max(decided_at) FROM staged WHERE source = ?1 AND id = ?2 AND outcome = 'approved'";
        let mut statement = self.connection.prepare_cached(sql)?;
        let at: Option<i64> = statement.query_row([source.as_str(), id.as_str()], |row| row.get(0))?;
        Ok(at.map(Time::from_unix_millis))
    }

    /// Whether two people rejected this event of the source.
    pub fn was_rejected(&self, source: &Source, id: &EventId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM staged WHERE source = ?1 AND id = ?2 AND outcome = 'rejected')";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![source.as_str(), id.as_str()], |row| row.get(0))?)
    }

    /// How many changes of each source wait.
    pub fn staged_counts(&self) -> Result<BTreeMap<Source, u64>, StoreError> {
        let sql = "SELECT source, COUNT(*) FROM staged WHERE outcome IS NULL GROUP BY source";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (source, count): (String, i64) = row?;
            let count = u64::try_from(count).map_err(StoreError::damaged)?;
            Ok((Source::new(&source).map_err(StoreError::damaged)?, count))
        })
        .collect()
    }

    pub fn decide(&self, seq: i64, outcome: Outcome, at: Time) -> Result<(), StoreError> {
        let sql = "UPDATE staged SET outcome = ?2, decided_at = ?3 WHERE seq = ?1";
        self.connection.prepare_cached(sql)?.execute(params![seq, outcome.as_str(), at.unix_millis()])?;
        Ok(())
    }

    pub fn vote(&self, seq: i64, vote: &Vote) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO staged_vote (staged, approve, operator, login, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.prepare_cached(sql)?.execute(params![
            seq,
            vote.approve,
            vote.operator,
            vote.login,
            vote.reason,
            vote.at.unix_millis(),
        ])?;
        Ok(())
    }

    /// All votes on a staged event, the oldest first.
    pub fn votes(&self, seq: i64) -> Result<Vec<Vote>, StoreError> {
        let sql = "SELECT approve, operator, login, reason, at FROM staged_vote WHERE staged = ?1 ORDER BY seq";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([seq], |row| {
            Ok(Vote {
                approve: row.get(0)?,
                operator: row.get(1)?,
                login: row.get(2)?,
                reason: row.get(3)?,
                at: Time::from_unix_millis(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn staged_where(&self, condition: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<StagedRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM staged WHERE {condition} ORDER BY seq");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values)?;
        let mut staged = Vec::new();
        while let Some(row) = rows.next()? {
            staged.push(read(row)?);
        }
        Ok(staged)
    }
}

fn read(row: &Row<'_>) -> Result<StagedRow, StoreError> {
    let text = |column: usize| -> Result<String, StoreError> { Ok(row.get(column)?) };
    Ok(StagedRow {
        seq: row.get(0)?,
        staged: NewStaged {
            batch: text(1)?,
            source: Source::new(&text(2)?).map_err(StoreError::damaged)?,
            id: EventId::new(&text(3)?).map_err(StoreError::damaged)?,
            person: PersonId::new(&text(4)?).map_err(StoreError::damaged)?,
            kind: text(5)?,
            absent: row.get(6)?,
            cause: text(7)?,
            received_at: Time::from_unix_millis(row.get(8)?),
            rank: row.get(9)?,
            line: text(10)?,
        },
    })
}
