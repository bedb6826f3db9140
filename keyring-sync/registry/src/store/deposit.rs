//! Table `deposit`: revocation certificates that owners made ahead, for the day a key is to end.

use super::{StoreError, Tables};
use countersign_policy::id::Fingerprint;
use countersign_policy::time::Time;
use rusqlite::{Row, params};

/// One deposited revocation certificate; its signature was verified when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    pub key: Fingerprint,
    /// `superseded`, `compromised`, `retired` or `unspecified`.
    pub reason: String,
    /// The signature packet, binary.
    pub packet: Vec<u8>,
    pub deposited_at: Time,
    pub published_at: Option<Time>,
}

impl Tables<'_> {
    /// False: it is there already.
    pub fn add_deposit(&self, deposit: &Deposit) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO deposit (key, reason, packet, deposited_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                deposit.key.as_str(),
                deposit.reason,
                deposit.packet,
                deposit.deposited_at.unix_millis()
            ])?;
        Ok(changed == 1)
    }

    /// The deposits of one key, the oldest first.
    pub fn deposits_of(&self, key: &Fingerprint) -> Result<Vec<Deposit>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key, reason, packet, deposited_at, published_at FROM deposit WHERE key = ?1
             ORDER BY deposited_at, reason, packet",
        )?;
        let mut rows = statement.query([key.as_str()])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }

    pub fn publish_deposit(&self, deposit: &Deposit, now: Time) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE deposit SET published_at = coalesce(published_at, ?3) WHERE key = ?1 AND packet = ?2",
            )?
            .execute(params![deposit.key.as_str(), deposit.packet, now.unix_millis()])?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> Result<Deposit, StoreError> {
    let key: String = row.get(0)?;
    let published_at: Option<i64> = row.get(4)?;
    Ok(Deposit {
        key: Fingerprint::new(&key).map_err(StoreError::damaged)?,
        reason: row.get(1)?,
        packet: row.get(2)?,
        deposited_at: Time::from_unix_millis(row.get(3)?),
        published_at: published_at.map(Time::from_unix_millis),
    })
}
