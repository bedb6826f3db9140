//! Tables `person` and `claim`: the folded records, and who ever claimed an address or account.

use super::{Change, StoreError, Tables};
use crate::published::IndexKey;
use crate::published::overlay::StoredPerson;
use countersign_policy::id::{Account, Email, PersonId};
use countersign_policy::keyring::Person;
use countersign_policy::time::Span;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// How much changed since an epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changed {
    pub persons: u64,
    pub bytes: u64,
}

/// What the registry keeps to itself.
#[derive(Default, Serialize, Deserialize)]
struct Marks {
    watch: Vec<Span>,
    legal_hold: Vec<Span>,
}

/// The record that everybody may read, and the rest.
fn split(person: &Person) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let mut public = person.clone();
    let marks = Marks { watch: std::mem::take(&mut public.watch), legal_hold: std::mem::take(&mut public.legal_hold) };
    let write = |record: Result<Vec<u8>, serde_json::Error>| record.map_err(StoreError::json);
    Ok((write(serde_json::to_vec(&public))?, write(serde_json::to_vec(&marks))?))
}

fn join(record: &[u8], marks: &[u8]) -> Result<Person, StoreError> {
    let mut person: Person = serde_json::from_slice(record).map_err(StoreError::json)?;
    let Marks { watch, legal_hold } = serde_json::from_slice(marks).map_err(StoreError::json)?;
    (person.watch, person.legal_hold) = (watch, legal_hold);
    Ok(person)
}

impl Change<'_> {
    /// Replaces the folded record of a person.
    pub fn put_person(&self, person: &Person) -> Result<(), StoreError> {
        let (record, marks) = split(person)?;
        let keys: Vec<u8> = IndexKey::all_of(person).into_iter().flat_map(|key| key.0).collect();
        let epoch = i64::try_from(self.next_epoch()).map_err(StoreError::damaged)?;
        let tables = self.tables();
        let mut statement = tables.connection.prepare_cached(
            "INSERT INTO person (id, epoch, record, index_keys, marks) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET epoch = iif(record = ?3, epoch, ?2), record = ?3, index_keys = ?4, marks = ?5",
        )?;
        statement.execute(params![person.id.as_str(), epoch, record, keys, marks])?;
        Ok(())
    }
}

impl Tables<'_> {
    pub fn person(&self, id: &PersonId) -> Result<Option<Person>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT record, marks FROM person WHERE id = ?1")?;
        let found: Option<(Vec<u8>, Vec<u8>)> =
            statement.query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        found.map(|(record, marks)| join(&record, &marks)).transpose()
    }

    /// Every person, ordered by id.
    pub fn persons(&self) -> Result<Vec<Person>, StoreError> {
        let mut persons = Vec::new();
        self.show_persons(|person| {
            persons.push(person);
            Ok(())
        })?;
        Ok(persons)
    }

    /// Shows every person, ordered by id, one at a time: a hundred thousand of them fill a memory.
    pub fn show_persons(&self, mut see: impl FnMut(Person) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT record, marks FROM person ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (record, marks): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            see(join(&record, &marks)?)?;
        }
        Ok(())
    }

    /// Whose published record was changed after this epoch.
    pub fn persons_changed_since(&self, epoch: u64) -> Result<Vec<Person>, StoreError> {
        let epoch = i64::try_from(epoch).map_err(StoreError::damaged)?;
        // By name, or the planner walks through everybody.
        let sql = "SELECT record, marks FROM person INDEXED BY person_epoch WHERE epoch > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([epoch])?;
        let mut persons = Vec::new();
        while let Some(row) = rows.next()? {
            let (record, marks): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            persons.push(join(&record, &marks)?);
        }
        Ok(persons)
    }

    /// Notes that the person claimed the address at some time.
    pub fn claim_email(&self, email: &Email, person: &PersonId) -> Result<(), StoreError> {
        self.claim(email.as_str(), person)
    }

    /// Notes that the person claimed the account at some time.
    pub fn claim_account(&self, account: &Account, person: &PersonId) -> Result<(), StoreError> {
        self.claim(account.as_str(), person)
    }

    /// Who ever claimed the address.
    pub fn claimants_of_email(&self, email: &Email) -> Result<Vec<PersonId>, StoreError> {
        self.claimants(email.as_str())
    }

    /// Who ever claimed the account.
    pub fn claimants_of_account(&self, account: &Account) -> Result<Vec<PersonId>, StoreError> {
        self.claimants(account.as_str())
    }

    // An address holds an `@` and an account a `:` before any; where one text is both, a claimant
    // too many is harmless: their record is asked.
    fn claim(&self, name: &str, person: &PersonId) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached("INSERT OR IGNORE INTO claim VALUES (?1, ?2)")?;
        statement.execute([name, person.as_str()])?;
        Ok(())
    }

    fn claimants(&self, name: &str) -> Result<Vec<PersonId>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT person FROM claim WHERE name = ?1")?;
        let mut rows = statement.query([name])?;
        let mut persons = Vec::new();
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            persons.push(PersonId::new(&id).map_err(StoreError::damaged)?);
        }
        Ok(persons)
    }

    pub(crate) fn changed_since(&self, epoch: u64) -> Result<Changed, StoreError> {
        let epoch = i64::try_from(epoch).map_err(StoreError::damaged)?;
        let sql = "SELECT count(*), coalesce(sum(length(record) + length(index_keys)), 0) FROM person INDEXED BY person_epoch WHERE epoch > ?1";
        let (persons, bytes): (i64, i64) =
            self.connection.prepare_cached(sql)?.query_row([epoch], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Changed {
            persons: u64::try_from(persons).map_err(StoreError::damaged)?,
            bytes: u64::try_from(bytes).map_err(StoreError::damaged)?,
        })
    }

    pub(crate) fn persons_since(&self, epoch: u64) -> Result<Vec<StoredPerson>, StoreError> {
        let epoch = i64::try_from(epoch).map_err(StoreError::damaged)?;
        let mut persons = Vec::new();
        // By name, or the planner walks through everybody in the order of their ids.
        self.stored("INDEXED BY person_epoch WHERE epoch > ?1", &[&epoch], |person| {
            persons.push(person);
            Ok(())
        })?;
        Ok(persons)
    }

    pub(crate) fn each_person(
        &self,
        see: impl FnMut(StoredPerson) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.stored("", &[], see)
    }

    fn stored(
        &self,
        condition: &str,
        values: &[&dyn rusqlite::ToSql],
        mut see: impl FnMut(StoredPerson) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT id, index_keys, record FROM person {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            see(StoredPerson { id: row.get(0)?, keys: row.get(1)?, record: row.get(2)? })?;
        }
        Ok(())
    }
}
