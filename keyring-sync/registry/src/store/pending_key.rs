//! Table `pending_key`: keys that somebody says are a person's, and that nobody has shown to hold yet. They are in no
//! keyring and keep nobody from enrolling the same key.

use super::{StoreError, Tables};
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, Row, params};

/// A key that waits for its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingKey {
    pub person: PersonId,
    pub key: Fingerprint,
    /// What a `key_added` will say of it, JSON.
    pub data: String,
    /// Where it came from: `enrol`, or a file.
    pub origin: String,
    /// When it ends, as its origin has it.
    pub valid_before: Option<Time>,
    pub received_at: Time,
}

const COLUMNS: &str = "person, key, data, origin, valid_before, received_at";

impl Tables<'_> {
    /// Notes the key; what is said later of one that waits already counts instead. False: nothing new.
    pub fn put_pending_key(&self, pending: &PendingKey) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .prepare_cached(&format!(
                "INSERT INTO pending_key ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (person, key) DO UPDATE SET data = ?3, origin = ?4, valid_before = ?5, received_at = ?6,
                     proven_at = NULL
                 WHERE data <> ?3 OR valid_before IS NOT ?5 OR proven_at IS NOT NULL"
            ))?
            .execute(params![
                pending.person.as_str(),
                pending.key.as_str(),
                pending.data,
                pending.origin,
                pending.valid_before.map(Time::unix_millis),
                pending.received_at.unix_millis(),
            ])?;
        Ok(changed == 1)
    }

    pub fn pending_key(&self, person: &PersonId, key: &Fingerprint) -> Result<Option<PendingKey>, StoreError> {
        let row = self
            .connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM pending_key WHERE person = ?1 AND key = ?2 AND proven_at IS NULL"
            ))?
            .query_row([person.as_str(), key.as_str()], |row| Ok(read(row)))
            .optional()?;
        row.transpose()
    }

    /// Every key that waits, by person and key.
    pub fn pending_keys(&self) -> Result<Vec<PendingKey>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM pending_key WHERE proven_at IS NULL ORDER BY person, key"
        ))?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }

    pub fn prove_pending_key(&self, person: &PersonId, key: &Fingerprint, now: Time) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE pending_key SET proven_at = ?3 WHERE person = ?1 AND key = ?2")?
            .execute(params![person.as_str(), key.as_str(), now.unix_millis()])?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> Result<PendingKey, StoreError> {
    let (person, key): (String, String) = (row.get(0)?, row.get(1)?);
    let valid_before: Option<i64> = row.get(4)?;
    Ok(PendingKey {
        person: PersonId::new(&person).map_err(StoreError::damaged)?,
        key: Fingerprint::new(&key).map_err(StoreError::damaged)?,
        data: row.get(2)?,
        origin: row.get(3)?,
        valid_before: valid_before.map(Time::from_unix_millis),
        received_at: Time::from_unix_millis(row.get(5)?),
    })
}
