//! Table `source_life`: when each source last gave a sign of life, and what its transmitter says of the stream.

use super::{StoreError, Tables};
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, params};

/// What is known of whether a source lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLife {
    /// Since when it is listened to.
    pub watched_at: Time,
    pub heard_at: Option<Time>,
    /// What the transmitter was last asked to send back.
    pub asked: Option<String>,
    pub asked_at: Option<Time>,
    pub verified_at: Option<Time>,
    /// Why the transmitter says that nothing more comes; `None` while it goes on.
    pub stopped: Option<String>,
}

impl Tables<'_> {
    pub fn source_life(&self, source: &Source) -> Result<Option<SourceLife>, StoreError> {
        let sql =
            "SELECT watched_at, heard_at, asked, asked_at, verified_at, stopped FROM source_life WHERE source = ?1";
        let time = |millis: Option<i64>| millis.map(Time::from_unix_millis);
        let found = self.connection.prepare_cached(sql)?.query_row([source.as_str()], |row| {
            Ok(SourceLife {
                watched_at: Time::from_unix_millis(row.get(0)?),
                heard_at: time(row.get(1)?),
                asked: row.get(2)?,
                asked_at: time(row.get(3)?),
                verified_at: time(row.get(4)?),
                stopped: row.get(5)?,
            })
        });
        Ok(found.optional()?)
    }

    /// From `at` on the source is listened to, unless it was before.
    pub fn watch_source(&self, source: &Source, at: Time) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO source_life (source, watched_at) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(params![source.as_str(), at.unix_millis()])?;
        Ok(())
    }

    /// The source gave a sign of life.
    pub fn heard_source(&self, source: &Source, at: Time) -> Result<(), StoreError> {
        let sql = "INSERT INTO source_life (source, watched_at, heard_at) VALUES (?1, ?2, ?2)
             ON CONFLICT (source) DO UPDATE SET heard_at = max(coalesce(heard_at, ?2), ?2)";
        self.connection.prepare_cached(sql)?.execute(params![source.as_str(), at.unix_millis()])?;
        Ok(())
    }

    /// The transmitter was asked to send `state` back.
    pub fn asked_source(&self, source: &Source, state: &str, at: Time) -> Result<(), StoreError> {
        let sql = "INSERT INTO source_life (source, watched_at, asked, asked_at) VALUES (?1, ?2, ?3, ?2)
             ON CONFLICT (source) DO UPDATE SET asked = ?3, asked_at = ?2";
        self.connection.prepare_cached(sql)?.execute(params![source.as_str(), at.unix_millis(), state])?;
        Ok(())
    }

    /// It showed that the stream works. Whatever was said of its end before is over.
    pub fn verified_source(&self, source: &Source, at: Time) -> Result<(), StoreError> {
        let sql = "UPDATE source_life SET verified_at = ?2, stopped = NULL WHERE source = ?1";
        self.connection.prepare_cached(sql)?.execute(params![source.as_str(), at.unix_millis()])?;
        Ok(())
    }

    /// The transmitter says that the stream stops, and why, or that it goes on.
    pub fn stopped_source(&self, source: &Source, why: Option<&str>) -> Result<(), StoreError> {
        let sql = "UPDATE source_life SET stopped = ?2 WHERE source = ?1";
        self.connection.prepare_cached(sql)?.execute(params![source.as_str(), why])?;
        Ok(())
    }
}
