//! Table `passed`: whom the brake let go, for its sliding window. Insert-only.

use super::{StoreError, Tables};
use countersign_policy::id::{PersonId, Source};
use countersign_policy::time::Time;
use rusqlite::params;

/// Somebody whom the brake let go, however often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub person: PersonId,
    /// Each time alone and by name.
    pub single: bool,
}

impl Tables<'_> {
    pub fn add_passed(&self, source: &Source, person: &PersonId, single: bool, at: Time) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO passed (source, person, single, at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![source.as_str(), person.as_str(), single, at.unix_millis()])?;
        Ok(())
    }

    /// Who passed after `since`, by one source or by any, each once. What a clock that went back left in the future
    /// counts too.
    pub fn passed_since(&self, since: Time, source: Option<&Source>) -> Result<Vec<Passed>, StoreError> {
        let sql = "SELECT person, min(single) FROM passed
             WHERE at > ?1 AND (?2 IS NULL OR source = ?2) GROUP BY person ORDER BY person";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![since.unix_millis(), source.map(Source::as_str)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        rows.map(|row| {
            let (person, single): (String, bool) = row?;
            Ok(Passed { person: PersonId::new(&person).map_err(StoreError::damaged)?, single })
        })
        .collect()
    }
}
