//! Where the ledger stands: the tree over all leaves, and what a later writer may not fall behind.

use super::LedgerError;
use super::column::{from_sql, to_sql};
use super::leaf::{Facts, Lineage};
use super::tree::{Frontier, Hash};
use countersign_policy::time::Time;
use rusqlite::{Connection, OptionalExtension, params};

/// Where the ledger stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
    /// The latest write time of a leaf in this lineage; a clock behind it went back.
    pub written_at: Option<Time>,
    /// The highest registry epoch seen in this lineage; an older keyring is a rollback.
    pub registry_epoch: u64,
    /// When that epoch was committed, as far as known.
    pub registry_committed_at: Option<Time>,
    pub(super) frontier: Frontier,
}

impl Head {
    pub(super) fn empty() -> Head {
        let frontier = Frontier::default();
        Head {
            size: 0,
            root: frontier.root(),
            written_at: None,
            registry_epoch: 0,
            registry_committed_at: None,
            frontier,
        }
    }

    pub(super) fn append(&mut self, hash: Hash) {
        self.frontier.append(hash);
        self.size = self.frontier.size();
        self.root = self.frontier.root();
    }

    /// The head after one more leaf.
    pub(super) fn take(&mut self, hash: Hash, at: Time, facts: &Facts) {
        self.append(hash);
        self.written_at = self.written_at.max(Some(at));
        match facts {
            Facts::Verdict(verdict) if verdict.registry_epoch > self.registry_epoch => {
                self.registry_epoch = verdict.registry_epoch;
                self.registry_committed_at = verdict.registry_committed_at;
            }
            Facts::Lineage(accepted) => match accepted.lineage {
                Lineage::Clock => self.written_at = Some(at),
                Lineage::Registry { epoch, committed_at } => {
                    self.registry_epoch = epoch;
                    self.registry_committed_at = committed_at;
                }
            },
            _ => {}
        }
    }

    pub(super) fn read(connection: &Connection) -> Result<Head, LedgerError> {
        let damaged = || LedgerError::Corrupt("its head does not fit its tree".to_owned());
        let (size, root, frontier, written_at, epoch, committed_at) = connection
            .prepare_cached("SELECT size, root, frontier, written_at, registry_epoch, registry_committed_at FROM head")?
            .query_row([], |row| {
                let time =
                    |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Time::from_unix_millis));
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?, time(3)?, row.get(4)?, time(5)?))
            })
            .optional()?
            .ok_or_else(damaged)?;
        let size = from_sql(size)?;
        let frontier = Frontier::from_bytes(size, &frontier).ok_or_else(damaged)?;
        if frontier.root() != root {
            return Err(damaged());
        }
        Ok(Head {
            size,
            root,
            written_at,
            registry_epoch: from_sql(epoch)?,
            registry_committed_at: committed_at,
            frontier,
        })
    }

    pub(super) fn write(&self, connection: &Connection) -> Result<(), LedgerError> {
        connection
            .prepare_cached("REPLACE INTO head (one, size, root, frontier, written_at, registry_epoch, registry_committed_at) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![
                to_sql(self.size)?,
                self.root,
                self.frontier.to_bytes(),
                self.written_at.map(Time::unix_millis),
                to_sql(self.registry_epoch)?,
                self.registry_committed_at.map(Time::unix_millis),
            ])?;
        Ok(())
    }
}
