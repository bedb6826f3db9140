//! A keyring in memory, for tests here and in other crates (feature `testing`).

use crate::id::{Account, Email, KeyHandle, PersonId};
use crate::keyring::{Authorities, Authority, Change, Held, Key, Keyring, KeyringError, Lifecycle, Person};
use crate::rule::verifier_unavailable;
use crate::signature::payload::Payload;
use crate::signature::primitive::{Hash, Numbers, Signed, VerifyKey};
use crate::signature::registration::Registration;
use crate::signature::together::Together;
use crate::signature::{Context, SignedBy, X509Verifier};
use crate::time::{Span, Time};
use crate::verdict::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Persons and authorities of one made-up epoch.
#[derive(Debug, Default, Clone)]
pub struct MemoryKeyring {
    persons: BTreeMap<PersonId, Arc<Person>>,
    authorities: Authorities,
    broken: bool,
}

impl MemoryKeyring {
    pub fn with(mut self, person: Person) -> Self {
        self.persons.insert(person.id.clone(), Arc::new(person));
        self
    }

    pub fn with_ssh_authority(mut self, authority: Authority) -> Self {
        self.authorities.ssh.push(authority);
        self
    }

    pub fn with_x509_authority(mut self, authority: Authority) -> Self {
        self.authorities.x509.push(authority);
        self
    }

    /// A keyring that cannot be read.
    pub fn broken() -> Self {
        MemoryKeyring { broken: true, ..Default::default() }
    }

    fn ids(&self, wanted: impl Fn(&Person) -> bool) -> Result<Vec<PersonId>, KeyringError> {
        self.readable()?;
        Ok(self.persons.values().filter(|person| wanted(person)).map(|person| person.id.clone()).collect())
    }

    fn readable(&self) -> Result<(), KeyringError> {
        if self.broken { Err(KeyringError("the disk is gone".to_owned())) } else { Ok(()) }
    }
}

impl Keyring for MemoryKeyring {
    fn epoch(&self) -> u64 {
        1
    }

    fn published_at(&self) -> Time {
        Time::MIN
    }

    fn person(&self, id: &PersonId) -> Result<Option<Arc<Person>>, KeyringError> {
        self.readable()?;
        Ok(self.persons.get(id).cloned())
    }

    fn holders(&self, handle: &KeyHandle) -> Result<Vec<PersonId>, KeyringError> {
        self.ids(|person| person.keys.iter().any(|key| key.handles().contains(handle)))
    }

    fn by_email(&self, email: &Email) -> Result<Vec<PersonId>, KeyringError> {
        self.ids(|person| person.emails.iter().any(|held| &held.value == email))
    }

    fn by_account(&self, account: &Account) -> Result<Vec<PersonId>, KeyringError> {
        self.ids(|person| person.accounts.iter().any(|held| &held.value == account))
    }

    fn compromised(&self) -> Result<Vec<PersonId>, KeyringError> {
        self.ids(|person| person.keys.iter().any(|key| key.compromised.is_some()))
    }

    fn authorities(&self) -> Result<Arc<Authorities>, KeyringError> {
        self.readable()?;
        Ok(Arc::new(self.authorities.clone()))
    }
}

/// An active human with one e-mail since ever, without keys. `None` for ids that are none.
pub fn person(id: &str, email: &str) -> Option<Person> {
    let email = Held { value: Email::new(email).ok()?, span: Span::since(Time::MIN) };
    Some(Person {
        id: PersonId::new(id).ok()?,
        name: id.to_owned(),
        names: Vec::new(),
        kind: Default::default(),
        owner: None,
        deputy: None,
        emails: vec![email],
        accounts: Vec::new(),
        lifecycle: vec![Change { from: Time::MIN, state: Lifecycle::Active, abrupt: false }],
        probation: Vec::new(),
        watch: Vec::new(),
        legal_hold: Vec::new(),
        roles: Vec::new(),
        scope: Vec::new(),
        keys: Vec::new(),
    })
}

/// A registered key, there since ever.
pub fn key(registration: Registration) -> Key {
    Key {
        fingerprint: registration.fingerprint,
        added: Time::MIN,
        scope: None,
        retired: None,
        compromised: None,
        enrolled_by: None,
        material: registration.material,
    }
}

/// A registered authority, there since ever.
pub fn authority(registration: Registration) -> Authority {
    Authority {
        fingerprint: registration.fingerprint,
        added: Time::MIN,
        retired: None,
        compromised: None,
        material: registration.material,
    }
}

/// How a large push checks Ed25519 signatures: key, message and signature of each. They are good if they settle, and
/// all that was found is `true`.
pub fn check_together(signed: &[(&[u8], &[u8], &[u8; 64])], together: &mut Together<bool>) {
    together.find(|checks, found| {
        found.extend(signed.iter().map(|(key, message, signature)| {
            let key = VerifyKey::Ed25519 { point: key.to_vec(), torsion_free: true };
            checks.verify(&key, Hash::Sha512, Signed::Message(message), &Numbers::Ed25519(signature)).is_ok()
        }));
    });
}

/// The X.509 helper of a server that has none.
#[derive(Debug, Clone, Copy)]
pub struct NoX509;

impl X509Verifier for NoX509 {
    fn verify(&self, _: &Payload<'_>, _: &[u8], _: &Context<'_>) -> Result<SignedBy, Problem> {
        Err(Problem::new(&verifier_unavailable::RULE, "has an X.509 signature, which nobody can check here"))
    }
}
