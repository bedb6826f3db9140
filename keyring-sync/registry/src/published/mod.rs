//! The published keyring: an immutable base and a small overlay of what changed since.

mod base;
mod codec;
mod index;
pub(crate) mod overlay;
pub(crate) mod publish;

pub(crate) use index::IndexKey;

use base::{Base, OpenBase};
use countersign_policy::id::{Account, Email, KeyHandle, PersonId};
use countersign_policy::keyring::{Authorities, Keyring, KeyringError, Person};
use countersign_policy::sha256::sha256;
use countersign_policy::time::Time;
use overlay::Overlay;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Name of the overlay file, the only name a reader has to know.
pub(crate) const CURRENT: &str = "cur";

/// How often a reader starts over when the base vanished under it. The writer keeps the base
/// before the latest, so a second miss already needs two rebuilds within one open.
const OPEN_ATTEMPTS: usize = 8;

/// One epoch of the registry, read from its folder.
///
/// It holds the files it was opened with: whatever is published later, every answer is of the
/// same epoch.
#[derive(Debug)]
pub struct PublishedKeyring {
    overlay: Overlay,
    base: Base,
    authorities: Arc<Authorities>,
    persons: Mutex<HashMap<PersonId, Option<Known>>>,
    /// Holders of the handles that were asked for and found: a push of ten thousand commits is by a few keys.
    holders: RwLock<HashMap<KeyHandle, Vec<PersonId>>>,
}

/// A person who was asked for, with the digest of their record.
#[derive(Clone, Debug)]
struct Known {
    person: Arc<Person>,
    digest: [u8; 32],
}

/// A person as stored, with the SHA-256 of that.
pub(crate) struct Record {
    bytes: Vec<u8>,
    digest: [u8; 32],
}

impl Record {
    fn of(bytes: Vec<u8>) -> Self {
        Record { digest: sha256([bytes.as_slice()]), bytes }
    }
}

impl PublishedKeyring {
    /// Opens the latest epoch in `dir`.
    pub fn open(dir: &Path) -> Result<Self, KeyringError> {
        for _ in 0..OPEN_ATTEMPTS {
            let overlay = Overlay::read(&dir.join(CURRENT))?;
            match Base::open(&dir.join(overlay.base_name()), overlay.base_digest())? {
                OpenBase::Open(base) => {
                    let authorities = Arc::new(overlay.authorities()?);
                    return Ok(PublishedKeyring {
                        overlay,
                        base,
                        authorities,
                        persons: Mutex::default(),
                        holders: RwLock::default(),
                    });
                }
                OpenBase::Gone => continue,
            }
        }
        Err(KeyringError(format!("keyring in {}: its base file is missing", dir.display())))
    }

    /// Whether what is published in `dir` now is still exactly this. Reads one small file.
    pub fn is_latest(&self, dir: &Path) -> Result<bool, KeyringError> {
        self.overlay.is_still(&dir.join(CURRENT))
    }

    /// When an epoch of this registry was committed; `None` for one long past or still to come.
    pub fn committed_at(&self, epoch: u64) -> Option<Time> {
        self.overlay.committed_at(epoch)
    }

    /// SHA-256 of the stored record: it changes when anything about the person or their keys does.
    pub fn person_digest(&self, id: &PersonId) -> Result<Option<[u8; 32]>, KeyringError> {
        if let Some(known) = self.persons().get(id) {
            return Ok(known.as_ref().map(|known| known.digest));
        }
        Ok(self.record(id)?.map(|record| record.digest))
    }

    /// Ids of all persons, in order. Reads the whole keyring: for reports, never for a push.
    pub fn person_ids(&self) -> Result<Vec<PersonId>, KeyringError> {
        let mut ids: BTreeSet<PersonId> = self.overlay.ids().cloned().collect();
        self.base.each_record(|record| {
            ids.insert(decode(record)?.id);
            Ok(())
        })?;
        Ok(ids.into_iter().collect())
    }

    /// Bytes read from the base so far; a look-up reads a few KB, however many persons there are.
    pub fn bytes_read(&self) -> u64 {
        self.base.bytes_read()
    }

    fn record(&self, id: &PersonId) -> Result<Option<Record>, KeyringError> {
        match self.overlay.record(id)? {
            Some(changed) => Ok(Some(changed)),
            None => Ok(self.base.record(&IndexKey::person(id))?.map(Record::of)),
        }
    }

    fn persons(&self) -> MutexGuard<'_, HashMap<PersonId, Option<Known>>> {
        // A panic while it was held cannot leave it half changed.
        self.persons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &PersonId) -> Result<Option<Known>, KeyringError> {
        if let Some(known) = self.persons().get(id) {
            return Ok(known.clone());
        }
        // Read without the lock: at the start of a push every thread asks for somebody else.
        let known = match self.record(id)? {
            None => None,
            Some(Record { bytes, digest }) => {
                let person = decode(&bytes)?;
                if &person.id != id {
                    return Err(KeyringError(format!("keyring: the record of {id} is that of {}", person.id)));
                }
                Some(Known { person: Arc::new(person), digest })
            }
        };
        // Whoever was first gave the person that all share.
        Ok(self.persons().entry(id.clone()).or_insert(known).clone())
    }

    /// The index only suggests; a person counts when their own record says so.
    fn suggested(&self, key: &IndexKey, really: impl Fn(&Person) -> bool) -> Result<Vec<PersonId>, KeyringError> {
        let mut ids: BTreeSet<PersonId> = self.base.persons(key)?.into_iter().collect();
        ids.extend(self.overlay.persons(key).cloned());
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let person = self.person(&id)?;
            let person =
                person.ok_or_else(|| KeyringError(format!("keyring: its index names {id}, who is not in it")))?;
            if really(&person) {
                found.push(id);
            }
        }
        Ok(found)
    }
}

impl Keyring for PublishedKeyring {
    fn epoch(&self) -> u64 {
        self.overlay.epoch()
    }

    fn published_at(&self) -> Time {
        self.overlay.published_at()
    }

    fn person(&self, id: &PersonId) -> Result<Option<Arc<Person>>, KeyringError> {
        Ok(self.known(id)?.map(|known| known.person))
    }

    fn holders(&self, handle: &KeyHandle) -> Result<Vec<PersonId>, KeyringError> {
        if let Some(known) = self.holders.read().unwrap_or_else(PoisonError::into_inner).get(handle) {
            return Ok(known.clone());
        }
        let found = self.suggested(&IndexKey::handle(handle), |person| {
            person.keys.iter().any(|key| key.handles().contains(handle))
        })?;
        // Strangers' keys are without number, and are not kept.
        if !found.is_empty() {
            let mut holders = self.holders.write().unwrap_or_else(PoisonError::into_inner);
            holders.insert(handle.clone(), found.clone());
        }
        Ok(found)
    }

    fn by_email(&self, email: &Email) -> Result<Vec<PersonId>, KeyringError> {
        self.suggested(&IndexKey::email(email), |person| person.emails.iter().any(|held| &held.value == email))
    }

    fn by_account(&self, account: &Account) -> Result<Vec<PersonId>, KeyringError> {
        self.suggested(&IndexKey::account(account), |person| person.accounts.iter().any(|held| &held.value == account))
    }

    fn compromised(&self) -> Result<Vec<PersonId>, KeyringError> {
        self.suggested(&IndexKey::compromised(), |person| person.keys.iter().any(|key| key.compromised.is_some()))
    }

    fn authorities(&self) -> Result<Arc<Authorities>, KeyringError> {
        Ok(Arc::clone(&self.authorities))
    }
}

fn decode(record: &[u8]) -> Result<Person, KeyringError> {
    serde_json::from_slice(record).map_err(|error| KeyringError(format!("keyring: a record cannot be read: {error}")))
}

#[cfg(test)]
mod tests;
