//! Table `delivery`: the webhooks that were taken, for as long as their senders may repeat them.

use super::{StoreError, Tables};
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, params};

/// One webhook that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    pub source: Source,
    /// What its sender calls it, or what its content is called by.
    pub id: String,
    /// Of the raw body, lower-case hex.
    pub sha256: String,
    /// It may have given access back, and is never forgotten.
    pub restores: bool,
    pub received_at: Time,
}

impl Tables<'_> {
    pub fn add_delivery(&self, delivery: &DeliveryRow) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO delivery (source, id, sha256, restores, received_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                delivery.source.as_str(),
                delivery.id,
                delivery.sha256,
                delivery.restores,
                delivery.received_at.unix_millis()
            ])?;
        Ok(())
    }

    pub fn delivery(&self, source: &Source, id: &str) -> Result<Option<DeliveryRow>, StoreError> {
        let row = self
            .connection
            .prepare_cached("SELECT sha256, restores, received_at FROM delivery WHERE source = ?1 AND id = ?2")?
            .query_row(params![source.as_str(), id], |row| {
                Ok(DeliveryRow {
                    source: source.clone(),
                    id: id.to_owned(),
                    sha256: row.get(0)?,
                    restores: row.get(1)?,
                    received_at: Time::from_unix_millis(row.get(2)?),
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Forgets what was received before then; nobody repeats it any more.
    pub fn prune_deliveries(&self, before: Time) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached("DELETE FROM delivery WHERE restores = 0 AND received_at < ?1")?;
        Ok(statement.execute([before.unix_millis()])?)
    }
}
