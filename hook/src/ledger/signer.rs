//! Signers: each is one row, however many commits it signed.

use super::pack::Signer;
use super::{LedgerError, column};
use countersign_policy::id::Fingerprint;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;

/// Who signed what a pack attributes to `position` of its list.
pub(super) fn of_pack(connection: &Connection, pack: i64, position: u16) -> Result<i64, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT signer FROM pack_signer WHERE pack = ?1 AND idx = ?2")?;
    let number = statement.query_row(params![pack, position], |row| row.get(0)).optional()?;
    number.ok_or_else(|| LedgerError::Corrupt(format!("pack {pack} names no signer {position}")))
}

/// The number of a signer, who gets one at first sight.
pub(super) fn number(connection: &Connection, signer: &Signer) -> Result<i64, LedgerError> {
    let authority = signer.authority.as_ref().map_or("", Fingerprint::as_str);
    let columns = params![signer.key.as_str(), signer.person.as_str(), authority, signer.format];
    let known = connection
        .prepare_cached("SELECT num FROM signer WHERE key = ?1 AND person = ?2 AND authority = ?3 AND format = ?4")?
        .query_row(columns, |row| row.get(0))
        .optional()?;
    match known {
        Some(number) => Ok(number),
        None => {
            connection
                .prepare_cached("INSERT INTO signer (key, person, authority, format) VALUES (?1, ?2, ?3, ?4)")?
                .execute(columns)?;
            Ok(connection.last_insert_rowid())
        }
    }
}

pub(super) fn read(connection: &Connection, number: i64) -> Result<Signer, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT key, person, authority, format FROM signer WHERE num = ?1")?;
    let signer = statement.query_row([number], |row| {
        let none = row.get_ref(2)?.as_str()?.is_empty();
        let authority = if none { None } else { Some(column::text(row, 2)?) };
        Ok(Signer { key: column::text(row, 0)?, person: column::text(row, 1)?, authority, format: row.get(3)? })
    });
    signer.optional()?.ok_or_else(|| LedgerError::Corrupt(format!("signer {number} is missing")))
}

/// Each signer is read and made once for a question.
#[derive(Default)]
pub(super) struct Signers(HashMap<i64, Arc<Signer>>);

impl Signers {
    pub fn get(&mut self, connection: &Connection, number: i64) -> Result<Arc<Signer>, LedgerError> {
        match self.0.get(&number) {
            Some(signer) => Ok(Arc::clone(signer)),
            None => Ok(Arc::clone(self.0.entry(number).or_insert(Arc::new(read(connection, number)?)))),
        }
    }
}
