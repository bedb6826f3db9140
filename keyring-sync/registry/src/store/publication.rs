//! Table `publication`: the epoch of the last commit.

use super::{StoreError, Tables};
use countersign_policy::time::Time;
use rusqlite::params;

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
        Ok(())
    }
}
