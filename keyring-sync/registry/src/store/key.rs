//! Tables `key` and `fingerprint`: keys with their source, and whose every fingerprint is.

use super::{StoreError, Tables};
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::keyring::Material;
use rusqlite::{OptionalExtension, Row, params};

/// One registered key of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub fingerprint: Fingerprint,
    pub person: PersonId,
    pub material: Material,
    /// What the material was compiled from; an OpenPGP certificate with everything merged in so far.
    pub source: Vec<u8>,
}

/// Whose a fingerprint is, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The key that the fingerprint belongs to: the primary key of an OpenPGP subkey.
    pub key: Fingerprint,
    /// None: an authority's.
    pub person: Option<PersonId>,
}

impl Tables<'_> {
    /// Adds a key or replaces its source by a grown one. `fingerprints` are all that lead to it.
    /// Fails when one of them belongs to somebody else: ask [`Tables::owner`] first.
    pub fn put_key(&self, key: &KeyRow, fingerprints: &[&str]) -> Result<(), StoreError> {
        let material = serde_json::to_vec(&key.material).map_err(StoreError::json)?;
        self.connection
            .prepare_cached(
                "INSERT INTO key (fingerprint, person, material, source) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (fingerprint) DO UPDATE SET person = ?2, material = ?3, source = ?4",
            )?
            .execute(params![key.fingerprint.as_str(), key.person.as_str(), material, key.source])?;
        for fingerprint in fingerprints {
            self.own(fingerprint, &key.fingerprint, Some(&key.person))?;
        }
        Ok(())
    }

    pub(super) fn own(
        &self,
        fingerprint: &str,
        key: &Fingerprint,
        person: Option<&PersonId>,
    ) -> Result<(), StoreError> {
        match self.owner(fingerprint)? {
            Some(owner) if owner.person.as_ref() == person && &owner.key == key => return Ok(()),
            Some(_) => return Err(StoreError::Damaged(format!("{fingerprint} belongs to somebody else"))),
            None => {}
        }
        self.connection
            .prepare_cached("INSERT INTO fingerprint (fingerprint, key, person) VALUES (?1, ?2, ?3)")?
            .execute(params![fingerprint, key.as_str(), person.map(PersonId::as_str)])?;
        Ok(())
    }

    pub fn owner(&self, fingerprint: &str) -> Result<Option<Owner>, StoreError> {
        let row: Option<(String, Option<String>)> = self
            .connection
            .prepare_cached("SELECT key, person FROM fingerprint WHERE fingerprint = ?1")?
            .query_row([fingerprint], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((key, person)) = row else { return Ok(None) };
        Ok(Some(Owner {
            key: Fingerprint::new(&key).map_err(StoreError::damaged)?,
            person: person.map(|id| PersonId::new(&id).map_err(StoreError::damaged)).transpose()?,
        }))
    }

    /// Whose OpenPGP fingerprints end in these 16 upper-case hex digits. Reads all of them: for an operator's
    /// question, not for a push.
    pub fn owners_by_key_id(&self, id: &str) -> Result<Vec<Owner>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT fingerprint FROM fingerprint WHERE length(fingerprint) = 40 AND substr(fingerprint, 25) = ?1",
        )?;
        let found: Vec<String> = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        found.iter().filter_map(|fingerprint| self.owner(fingerprint).transpose()).collect()
    }

    pub fn key(&self, fingerprint: &Fingerprint) -> Result<Option<KeyRow>, StoreError> {
        let row = self
            .connection
            .prepare_cached("SELECT fingerprint, person, material, source FROM key WHERE fingerprint = ?1")?
            .query_row([fingerprint.as_str()], |row| Ok(read(row)))
            .optional()?;
        row.transpose()
    }

    pub fn keys_of(&self, person: &PersonId) -> Result<Vec<KeyRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT fingerprint, person, material, source FROM key WHERE person = ?1 ORDER BY fingerprint",
        )?;
        let mut rows = statement.query([person.as_str()])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(read(row)?);
        }
        Ok(keys)
    }

    pub fn key_count(&self) -> Result<u64, StoreError> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM key", [], |row| row.get(0))?;
        u64::try_from(count).map_err(StoreError::damaged)
    }
}

fn read(row: &Row<'_>) -> Result<KeyRow, StoreError> {
    let (fingerprint, person): (String, String) = (row.get(0)?, row.get(1)?);
    let material: Vec<u8> = row.get(2)?;
    Ok(KeyRow {
        fingerprint: Fingerprint::new(&fingerprint).map_err(StoreError::damaged)?,
        person: PersonId::new(&person).map_err(StoreError::damaged)?,
        material: serde_json::from_slice(&material).map_err(StoreError::json)?,
        source: row.get(3)?,
    })
}
