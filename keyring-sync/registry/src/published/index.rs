//! What a person is looked up by.

use countersign_policy::id::{Account, Email, KeyHandle, PersonId};
use countersign_policy::keyring::Person;
use countersign_policy::sha256::sha256;
use std::collections::BTreeSet;

/// SHA-256 of a kind and a name: of one length, evenly spread, and nobody can aim two names at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct IndexKey(pub [u8; 32]);

impl IndexKey {
    pub const LEN: usize = 32;

    fn of(kind: &str, name: &str) -> Self {
        IndexKey(sha256([kind.as_bytes(), &[0], name.as_bytes()]))
    }

    pub fn person(id: &PersonId) -> Self {
        Self::of("person", id.as_str())
    }

    pub fn handle(handle: &KeyHandle) -> Self {
        match handle {
            KeyHandle::Ssh(fingerprint) => Self::of("ssh", fingerprint.as_str()),
            KeyHandle::OpenPgpFingerprint(fingerprint) => Self::of("openpgp", fingerprint),
            KeyHandle::OpenPgpKeyId(id) => Self::of("openpgp-id", id),
            KeyHandle::X509(fingerprint) => Self::of("x509", fingerprint.as_str()),
        }
    }

    pub fn email(email: &Email) -> Self {
        Self::of("email", email.as_str())
    }

    pub fn account(account: &Account) -> Self {
        Self::of("account", account.as_str())
    }

    /// Leads to every person one of whose keys is marked as compromised.
    pub fn compromised() -> Self {
        Self::of("compromised", "")
    }

    /// Everything that leads to `person`, except their id.
    pub fn all_of(person: &Person) -> BTreeSet<IndexKey> {
        let handles = person.keys.iter().flat_map(|key| key.handles()).map(|handle| Self::handle(&handle));
        let emails = person.emails.iter().map(|held| Self::email(&held.value));
        let accounts = person.accounts.iter().map(|held| Self::account(&held.value));
        let compromised = person.keys.iter().any(|key| key.compromised.is_some()).then(Self::compromised);
        handles.chain(emails).chain(accounts).chain(compromised).collect()
    }

    /// The first 32 bits, by which buckets are chosen.
    pub fn prefix(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}
