//! Tables `publication` and `epoch`: the epoch of the last commit, and when the latest ones were committed.

use super::{StoreError, Tables};
use countersign_policy::time::Time;
use rusqlite::params;

/// So many epochs can be told from others of the same number. 16 bytes each that every cold start of a hook reads; a
/// registry that was restored makes this many changes before it passes for the one that a hook saw last.
const EPOCHS_KEPT: i64 = 512;

/// The epoch of the registry beside the one that readers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication {
    pub registry: u64,
    pub published: Option<u64>,
}

impl Tables<'_> {
    /// The epoch of the last commit; 0 of a new registry.
    pub fn epoch(&self) -> Result<u64, StoreError> {
        let epoch: i64 = self.connection.query_row("SELECT epoch FROM publication", [], |row| row.get(0))?;
        u64::try_from(epoch).map_err(StoreError::damaged)
    }

    pub(super) fn put_epoch(&self, epoch: u64, now: Time) -> Result<(), StoreError> {
        let epoch = i64::try_from(epoch).map_err(StoreError::damaged)?;
        let mut statement = self.connection.prepare_cached("UPDATE publication SET epoch = ?1, committed_at = ?2")?;
        statement.execute(params![epoch, now.unix_millis()])?;
        self.connection
            .prepare_cached("INSERT INTO epoch (epoch, committed_at) VALUES (?1, ?2)")?
            .execute(params![epoch, now.unix_millis()])?;
        self.connection
            .prepare_cached("DELETE FROM epoch WHERE epoch <= ?1")?
            .execute([epoch.saturating_sub(EPOCHS_KEPT)])?;
        Ok(())
    }

    /// When each of the latest epochs was committed, the oldest first.
    pub(crate) fn commits(&self) -> Result<Vec<(u64, Time)>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT epoch, committed_at FROM epoch ORDER BY epoch")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (epoch, at): (i64, i64) = row?;
            Ok((u64::try_from(epoch).map_err(StoreError::damaged)?, Time::from_unix_millis(at)))
        })
        .collect()
    }
}
