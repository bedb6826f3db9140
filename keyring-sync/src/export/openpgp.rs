//! OpenPGP certificates for `gpg --import` and for a Web Key Directory.

use countersign_policy::keyring::{Key, Material, Person};
use countersign_policy::time::Time;

/// Whether others should have the certificate at `now`: it is in use, or its owner revoked it and the word must spread.
/// What only the registry ended is left out, for no other program would know that it ended.
pub fn is_exported(person: &Person, key: &Key, now: Time) -> bool {
    is_revoked(key) || person.is_active(now) && is_current(key, now)
}

/// Whether the certificate itself says that it was revoked.
pub fn is_revoked(key: &Key) -> bool {
    match &key.material {
        Material::OpenPgp(certificate) => {
            // The revocation of the primary key is that of all.
            let primary = certificate.signers.iter().find(|signer| signer.fingerprint == key.fingerprint.as_str());
            primary.is_some_and(|primary| primary.revoked.is_some())
        }
        Material::Ssh(_) | Material::X509(_) => false,
    }
}

fn is_current(key: &Key, now: Time) -> bool {
    matches!(key.material, Material::OpenPgp(_))
        && key.added <= now
        && key.compromised.is_none()
        && key.retired.is_none_or(|retired| retired.at > now)
}
