//! Table `pinned_keys`: the key sets that were fetched from transmitters, so that a start needs none of them.

use super::{StoreError, Tables};
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, params};

/// A key set as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedKeys {
    pub source: Source,
    pub url: String,
    pub body: Vec<u8>,
    pub fetched_at: Time,
}

impl Tables<'_> {
    /// What was fetched from this address last.
    pub fn pinned_keys(&self, source: &Source, url: &str) -> Result<Option<PinnedKeys>, StoreError> {
        let sql = "SELECT body, fetched_at FROM pinned_keys WHERE source = ?1 AND url = ?2";
        let found: Option<(Vec<u8>, i64)> = self
            .connection
            .prepare_cached(sql)?
            .query_row([source.as_str(), url], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.map(|(body, fetched_at)| PinnedKeys {
            source: source.clone(),
            url: url.to_owned(),
            body,
            fetched_at: Time::from_unix_millis(fetched_at),
        }))
    }

    pub fn pin_keys(&self, keys: &PinnedKeys) -> Result<(), StoreError> {
        let sql = "INSERT INTO pinned_keys (source, url, body, fetched_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (source) DO UPDATE SET url = ?2, body = ?3, fetched_at = ?4";
        let values = params![keys.source.as_str(), keys.url, keys.body, keys.fetched_at.unix_millis()];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
