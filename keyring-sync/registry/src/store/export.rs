//! Table `export`: the whole lists of a source that were taken. Insert-only.

use super::{StoreError, Tables};
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, params};

/// One list that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRow {
    pub source: Source,
    /// When the source says that it wrote the list.
    pub exported_at: Time,
    /// Lower-case hex, of the whole file.
    pub sha256: String,
    pub rows: u64,
    pub received_at: Time,
}

impl Tables<'_> {
    pub fn add_export(&self, export: &ExportRow) -> Result<(), StoreError> {
        self.connection.prepare_cached("INSERT INTO export VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            export.source.as_str(),
            export.exported_at.unix_millis(),
            export.sha256,
            i64::try_from(export.rows).map_err(StoreError::damaged)?,
            export.received_at.unix_millis(),
        ])?;
        Ok(())
    }

    /// The newest list of the source.
    pub fn last_export(&self, source: &Source) -> Result<Option<ExportRow>, StoreError> {
        let sql = "SELECT exported_at, sha256, row_count, received_at FROM export
             WHERE source = ?1 ORDER BY exported_at DESC LIMIT 1";
        let row = self
            .connection
            .prepare_cached(sql)?
            .query_row([source.as_str()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
            })
            .optional()?;
        row.map(|(exported_at, sha256, rows, received_at)| {
            Ok(ExportRow {
                source: source.clone(),
                exported_at: Time::from_unix_millis(exported_at),
                sha256,
                rows: u64::try_from(rows).map_err(StoreError::damaged)?,
                received_at: Time::from_unix_millis(received_at),
            })
        })
        .transpose()
    }
}
