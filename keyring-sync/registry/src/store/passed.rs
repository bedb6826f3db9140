//! Table `passed`: whom the brake let go, for its sliding window. Insert-only.

use super::{StoreError, Tables};
use countersign_policy::id::{PersonId, Source};
use countersign_policy::time::Time;
use rusqlite::params;

/// How many deactivations passed: one at a time by name, and all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedCount {
    pub singles: u32,
    pub bulk: u32,
}

impl Tables<'_> {
    pub fn add_passed(&self, source: &Source, person: &PersonId, single: bool, at: Time) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO passed (source, person, single, at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![source.as_str(), person.as_str(), single, at.unix_millis()])?;
        Ok(())
    }

    /// What passed after `since`, of one source or of all. What a clock that went back left in the future counts too.
    pub fn passed_since(&self, since: Time, source: Option<&Source>) -> Result<PassedCount, StoreError> {
        let sql = "SELECT coalesce(sum(single), 0), coalesce(sum(1 - single), 0) FROM passed
             WHERE at > ?1 AND (?2 IS NULL OR source = ?2)";
        let (singles, bulk): (i64, i64) = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![since.unix_millis(), source.map(Source::as_str)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let count = |number: i64| u32::try_from(number).map_err(StoreError::damaged);
        Ok(PassedCount { singles: count(singles)?, bulk: count(bulk)? })
    }
}
