//! Table `challenge`: what persons were asked to sign, to show that they hold a key. The nonce itself is not kept.

use super::{StoreError, Tables};
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, Row, params};

/// One challenge, without its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRow {
    /// SHA-256 of the nonce, hex.
    pub nonce_sha256: String,
    pub person: PersonId,
    pub key: Fingerprint,
    /// The name of the server that asked.
    pub server: String,
    /// The key that this one replaces, and when.
    pub replaces: Option<(Fingerprint, Time)>,
    pub begun_at: Time,
    pub expires_at: Time,
    /// Answers that were looked at.
    pub attempts: u32,
    pub spent_at: Option<Time>,
}

const COLUMNS: &str =
    "nonce_sha256, person, key, server, replaces, replaced_at, begun_at, expires_at, attempts, spent_at";

impl Tables<'_> {
    pub fn add_challenge(&self, challenge: &ChallengeRow) -> Result<(), StoreError> {
        let (replaces, replaced_at) = challenge.replaces.clone().unzip();
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO challenge ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            ))?
            .execute(params![
                challenge.nonce_sha256,
                challenge.person.as_str(),
                challenge.key.as_str(),
                challenge.server,
                replaces.as_ref().map(Fingerprint::as_str),
                replaced_at.map(Time::unix_millis),
                challenge.begun_at.unix_millis(),
                challenge.expires_at.unix_millis(),
                challenge.attempts,
                challenge.spent_at.map(Time::unix_millis),
            ])?;
        Ok(())
    }

    pub fn challenge(&self, nonce_sha256: &str) -> Result<Option<ChallengeRow>, StoreError> {
        let row = self
            .connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM challenge WHERE nonce_sha256 = ?1"))?
            .query_row([nonce_sha256], |row| Ok(read(row)))
            .optional()?;
        row.transpose()
    }

    /// The challenges that may still be answered at `now`, the oldest first.
    pub fn open_challenges(&self, attempts_max: u32, now: Time) -> Result<Vec<ChallengeRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM challenge WHERE spent_at IS NULL AND expires_at > ?1 AND attempts < ?2
             ORDER BY begun_at, nonce_sha256"
        ))?;
        let mut rows = statement.query(params![now.unix_millis(), attempts_max])?;
        let mut open = Vec::new();
        while let Some(row) = rows.next()? {
            open.push(read(row)?);
        }
        Ok(open)
    }

    /// Counts an answer before anybody looks at it; false when the challenge takes none any more.
    pub fn attempt_challenge(&self, nonce_sha256: &str, attempts_max: u32, now: Time) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE challenge SET attempts = attempts + 1
                 WHERE nonce_sha256 = ?1 AND spent_at IS NULL AND expires_at > ?2 AND attempts < ?3",
            )?
            .execute(params![nonce_sha256, now.unix_millis(), attempts_max])?;
        Ok(changed == 1)
    }

    /// Spends the challenge; false when it was spent or has expired since.
    pub fn spend_challenge(&self, nonce_sha256: &str, now: Time) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE challenge SET spent_at = ?2 WHERE nonce_sha256 = ?1 AND spent_at IS NULL AND expires_at > ?2",
            )?
            .execute(params![nonce_sha256, now.unix_millis()])?;
        Ok(changed == 1)
    }
}

fn read(row: &Row<'_>) -> Result<ChallengeRow, StoreError> {
    let person: String = row.get(1)?;
    let key: String = row.get(2)?;
    let fingerprint = |text: &str| Fingerprint::new(text).map_err(StoreError::damaged);
    let (replaces, replaced_at): (Option<String>, Option<i64>) = (row.get(4)?, row.get(5)?);
    let spent_at: Option<i64> = row.get(9)?;
    Ok(ChallengeRow {
        nonce_sha256: row.get(0)?,
        person: PersonId::new(&person).map_err(StoreError::damaged)?,
        key: fingerprint(&key)?,
        server: row.get(3)?,
        replaces: match replaces.zip(replaced_at) {
            Some((key, at)) => Some((fingerprint(&key)?, Time::from_unix_millis(at))),
            None => None,
        },
        begun_at: Time::from_unix_millis(row.get(6)?),
        expires_at: Time::from_unix_millis(row.get(7)?),
        attempts: row.get(8)?,
        spent_at: spent_at.map(Time::from_unix_millis),
    })
}
