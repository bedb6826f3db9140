//! The proof that somebody holds a key: a signature over a statement of this server, made for nothing else.
//!
//! What is signed names its purpose, so that such a signature is none over a commit, and no signature over a commit
//! is one of these: SSH binds the purpose as a namespace, the other formats by the statement itself.

use super::armor::{self, Label};
use super::payload::Payload;
use super::registration::Registration;
use super::settings::Settings;
use super::together::Checks;
use super::{Context, MAX_SIGNATURE, SignedBy, X509Verifier, openpgp, ssh, x509};
use crate::id::{Account, Email, Fingerprint, KeyHandle, PersonId};
use crate::keyring::{Authorities, Key, Keyring, KeyringError, Person};
use crate::rule::{unknown_key, verifier_unavailable};
use crate::time::Time;
use crate::verdict::Problem;
use std::sync::Arc;

/// What is to be signed, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    pub bytes: &'a [u8],
    /// The SSH namespace; never `git`.
    pub namespace: &'a str,
}

/// A key was used by its holder. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possession {
    key: Fingerprint,
}

impl Possession {
    pub fn key(&self) -> &Fingerprint {
        &self.key
    }
}

/// Why a signature proves nothing; a clause that follows its subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    #[error("is longer than {MAX_SIGNATURE} bytes")]
    TooLong,
    #[error("is by another key, not by {0}")]
    OtherKey(Fingerprint),
    #[error("{0}")]
    Bad(String),
}

/// Whether `signature` shows that whoever enrols `key` for `person` holds it.
pub fn of_new_key(
    person: &Person,
    key: &Registration,
    statement: &Statement<'_>,
    signature: &[u8],
    now: Time,
) -> Result<Possession, NotProven> {
    let key = Key {
        fingerprint: key.fingerprint.clone(),
        added: now,
        scope: None,
        retired: None,
        compromised: None,
        enrolled_by: None,
        material: key.material.clone(),
    };
    let fingerprint = key.fingerprint.clone();
    of_held_key(&Person { keys: vec![key], ..person.clone() }, &fingerprint, statement, signature, now)
}

/// Whether `signature` shows that a key which `person` holds, and which may still bring something in, was used.
pub fn of_held_key(
    person: &Person,
    key: &Fingerprint,
    statement: &Statement<'_>,
    signature: &[u8],
    now: Time,
) -> Result<Possession, NotProven> {
    if signature.len() > MAX_SIGNATURE {
        return Err(NotProven::TooLong);
    }
    let (keyring, settings) = (Holder(Arc::new(person.clone())), Settings::default());
    let context = Context { keyring: &keyring, settings: &settings, now, x509: &NoHelper };
    let payload = Payload::whole(statement.bytes);
    match verify(&payload, statement.namespace, signature, &context) {
        Ok(signed) if signed.key() != key => Err(NotProven::OtherKey(key.clone())),
        Ok(signed) => match signed.problems().first() {
            None => Ok(Possession { key: key.clone() }),
            Some(problem) => Err(NotProven::Bad(problem.reason.clone())),
        },
        Err(problem) if problem.rule.id == unknown_key::RULE.id => Err(NotProven::OtherKey(key.clone())),
        Err(problem) => Err(NotProven::Bad(problem.reason)),
    }
}

fn verify(
    payload: &Payload<'_>,
    namespace: &str,
    signature: &[u8],
    context: &Context<'_>,
) -> Result<SignedBy, Problem> {
    if armor::is_cms(signature) {
        return x509::possession(payload, signature, Label::Cms, context);
    }
    match armor::label(signature)? {
        Label::OpenPgp => openpgp::verify(payload, signature, context, Checks::AT_ONCE),
        Label::Ssh => ssh::verify_for(namespace.as_bytes(), payload, signature, context, Checks::AT_ONCE),
        label @ (Label::X509 | Label::Cms) => x509::possession(payload, signature, label, context),
    }
}

/// A keyring of one person: nobody else can have made the signature that is asked for.
struct Holder(Arc<Person>);

impl Holder {
    fn if_so(&self, so: bool) -> Vec<PersonId> {
        if so { vec![self.0.id.clone()] } else { Vec::new() }
    }
}

impl Keyring for Holder {
    fn epoch(&self) -> u64 {
        0
    }

    fn published_at(&self) -> Time {
        Time::MIN
    }

    fn person(&self, id: &PersonId) -> Result<Option<Arc<Person>>, KeyringError> {
        Ok((id == &self.0.id).then(|| self.0.clone()))
    }

    fn holders(&self, handle: &KeyHandle) -> Result<Vec<PersonId>, KeyringError> {
        Ok(self.if_so(self.0.keys.iter().any(|key| key.handles().contains(handle))))
    }

    fn by_email(&self, email: &Email) -> Result<Vec<PersonId>, KeyringError> {
        Ok(self.if_so(self.0.emails.iter().any(|held| &held.value == email)))
    }

    fn by_account(&self, account: &Account) -> Result<Vec<PersonId>, KeyringError> {
        Ok(self.if_so(self.0.accounts.iter().any(|held| &held.value == account)))
    }

    fn compromised(&self) -> Result<Vec<PersonId>, KeyringError> {
        Ok(self.if_so(self.0.keys.iter().any(|key| key.compromised.is_some())))
    }

    fn authorities(&self) -> Result<Arc<Authorities>, KeyringError> {
        Ok(Arc::new(Authorities::default()))
    }
}

/// No helper is asked: [`x509::possession`] needs none.
struct NoHelper;

impl X509Verifier for NoHelper {
    fn verify(&self, _: &Payload<'_>, _: &[u8], _: &Context<'_>) -> Result<SignedBy, Problem> {
        Err(Problem::new(&verifier_unavailable::RULE, "has an X.509 signature, which nobody can check here"))
    }
}
