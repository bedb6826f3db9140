//! Table `hint`: who was suspended on a source's hint that they left, and what became of the hint.

use super::{StoreError, Tables};
use countersign_policy::id::{EventId, PersonId, Source};
use countersign_policy::time::Time;
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// A hint that suspended somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHint {
    pub source: Source,
    pub person: PersonId,
    /// The suspension that rests on it.
    pub event: EventId,
    /// In the source's words.
    pub said: String,
    /// Access ends at once, whatever date the employment ends on.
    pub at_once: bool,
    pub received_at: Time,
}

/// What a hint turned out to be. A confirmed one may be refuted yet; a refuted one stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintOutcome {
    Confirmed,
    Refuted,
}

impl HintOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            HintOutcome::Confirmed => "confirmed",
            HintOutcome::Refuted => "refuted",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintRow {
    pub seq: i64,
    pub hint: NewHint,
    /// `None`: it is open.
    pub outcome: Option<HintOutcome>,
    pub decided_at: Option<Time>,
    /// A source or an operator.
    pub decided_by: Option<String>,
}

const COLUMNS: &str = "seq, source, person, event, said, at_once, received_at, outcome, decided_at, decided_by";

impl Tables<'_> {
    /// Opens a hint; one that rests on the same event is there already.
    pub fn open_hint(&self, hint: &NewHint) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO hint (source, person, event, said, at_once, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (source, event) DO NOTHING",
            )?
            .execute(params![
                hint.source.as_str(),
                hint.person.as_str(),
                hint.event.as_str(),
                hint.said,
                hint.at_once,
                hint.received_at.unix_millis(),
            ])?;
        Ok(())
    }

    /// Every hint that nobody confirmed or refuted, the oldest first.
    pub fn open_hints(&self) -> Result<Vec<HintRow>, StoreError> {
        self.hints_where("outcome IS NULL", &[])
    }

    /// What this source hinted at and was not refuted.
    pub fn standing_hints(&self, source: &Source) -> Result<Vec<HintRow>, StoreError> {
        self.hints_where("outcome IS NOT 'refuted' AND source = ?1", &[&source.as_str()])
    }

    /// What was hinted of the person and was not refuted, whoever hinted it.
    pub fn standing_hints_of(&self, person: &PersonId) -> Result<Vec<HintRow>, StoreError> {
        self.hints_where("outcome IS NOT 'refuted' AND person = ?1", &[&person.as_str()])
    }

    pub fn decide_hint(&self, seq: i64, outcome: HintOutcome, by: &str, at: Time) -> Result<(), StoreError> {
        let sql = "UPDATE hint SET outcome = ?2, decided_by = ?3, decided_at = ?4 WHERE seq = ?1";
        self.connection.prepare_cached(sql)?.execute(params![seq, outcome.as_str(), by, at.unix_millis()])?;
        Ok(())
    }

    /// How many hints of each source are open.
    pub fn open_hint_counts(&self) -> Result<BTreeMap<Source, u64>, StoreError> {
        let sql = "SELECT source, COUNT(*) FROM hint WHERE outcome IS NULL GROUP BY source";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        rows.map(|row| {
            let (source, count) = row?;
            let source = Source::new(&source).map_err(StoreError::damaged)?;
            Ok((source, u64::try_from(count).map_err(StoreError::damaged)?))
        })
        .collect()
    }

    fn hints_where(&self, condition: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<HintRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM hint WHERE {condition} ORDER BY seq");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values)?;
        let mut hints = Vec::new();
        while let Some(row) = rows.next()? {
            hints.push(read(row)?);
        }
        Ok(hints)
    }
}

fn read(row: &Row<'_>) -> Result<HintRow, StoreError> {
    let text = |column: usize| -> Result<String, StoreError> { Ok(row.get(column)?) };
    let outcome: Option<String> = row.get(7)?;
    let decided_at: Option<i64> = row.get(8)?;
    Ok(HintRow {
        seq: row.get(0)?,
        hint: NewHint {
            source: Source::new(&text(1)?).map_err(StoreError::damaged)?,
            person: PersonId::new(&text(2)?).map_err(StoreError::damaged)?,
            event: EventId::new(&text(3)?).map_err(StoreError::damaged)?,
            said: text(4)?,
            at_once: row.get(5)?,
            received_at: Time::from_unix_millis(row.get(6)?),
        },
        outcome: outcome.map(|outcome| match outcome.as_str() {
            "confirmed" => HintOutcome::Confirmed,
            _ => HintOutcome::Refuted,
        }),
        decided_at: decided_at.map(Time::from_unix_millis),
        decided_by: row.get(9)?,
    })
}
