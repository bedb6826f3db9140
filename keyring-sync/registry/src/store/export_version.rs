//! Table `export_version`: the last version of each export that bears one. It only rises.

use super::{StoreError, Tables};
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, params};

/// What was exported last under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportVersion {
    pub version: u64,
    /// SHA-256 of what it tells, hex.
    pub digest: String,
    pub exported_at: Time,
}

impl Tables<'_> {
    pub fn export_version(&self, name: &str) -> Result<Option<ExportVersion>, StoreError> {
        let row: Option<(i64, String, i64)> = self
            .connection
            .prepare_cached("SELECT version, digest, exported_at FROM export_version WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((version, digest, exported_at)) = row else { return Ok(None) };
        Ok(Some(ExportVersion {
            version: u64::try_from(version).map_err(StoreError::damaged)?,
            digest,
            exported_at: Time::from_unix_millis(exported_at),
        }))
    }

    /// The version must be above the one before.
    pub fn put_export_version(&self, name: &str, export: &ExportVersion) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO export_version (name, version, digest, exported_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET version = ?2, digest = ?3, exported_at = ?4",
            )?
            .execute(params![
                name,
                i64::try_from(export.version).map_err(StoreError::damaged)?,
                export.digest,
                export.exported_at.unix_millis()
            ])?;
        Ok(())
    }
}
