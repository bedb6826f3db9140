//! What the registry learns from a key when it is registered.

use crate::id::{Email, Fingerprint};
use crate::keyring::Material;

/// A key as the registry keeps it: compiled once, so that no push pays for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub fingerprint: Fingerprint,
    pub material: Material,
    /// The canonical bytes that the registry keeps: the stripped binary OpenPGP certificate, the SSH
    /// public line without its comment, the DER of an X.509 certificate. Registering them again
    /// gives the same registration.
    pub source: Vec<u8>,
    /// Addresses that stand in the key: never an identity, but whose they are is worth a look.
    pub emails: Vec<Email>,
    /// What was dropped or may not sign, for people.
    pub notes: Vec<String>,
}

/// Why a key is not registered, for people: `RSA key of 1024 bits is too short: at least 2048`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub(crate) String);

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Refusal(reason.into())
    }
}
