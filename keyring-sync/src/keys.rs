//! Key text ─► registration, by the policy crate's compilers.

use crate::event::KeyText;
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_policy::keyring::{Material, OpenPgpSigner};
use countersign_policy::signature::registration::{Refusal, Registration};
use countersign_policy::signature::{openpgp, ssh, x509};
use countersign_policy::time::Time;

/// A key that the registry does not take.
#[derive(Debug, thiserror::Error)]
pub enum KeyRefused {
    #[error("key refused: {0}")]
    Refused(#[from] Refusal),
    #[error("key refused: neither armour nor base64")]
    NotBase64,
}

/// Registers a key at `now`. `known` finds the source already kept of the same OpenPGP primary key.
pub fn register<E>(
    key: &KeyText,
    now: Time,
    known: impl FnOnce(&Registration) -> Result<Option<Vec<u8>>, E>,
) -> Result<Registration, E>
where
    E: From<KeyRefused>,
{
    let refused = |refusal: Refusal| E::from(KeyRefused::Refused(refusal));
    match key {
        KeyText::Ssh(line) => ssh::register(line).map_err(refused),
        KeyText::X509(text) => x509::register(text.as_bytes(), now).map_err(refused),
        KeyText::OpenPgp(text) => {
            let bytes = openpgp_bytes(text)?;
            let registration = openpgp::register(&bytes, None, now).map_err(refused)?;
            match known(&registration)? {
                None => Ok(registration),
                Some(source) => openpgp::register(&bytes, Some(&source), now).map_err(refused),
            }
        }
    }
}

fn openpgp_bytes(text: &str) -> Result<Vec<u8>, KeyRefused> {
    if text.trim_start().starts_with("-----BEGIN") {
        return Ok(text.as_bytes().to_vec());
    }
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).map_err(|_| KeyRefused::NotBase64)
}

/// The certificates of an OpenPGP file, armoured or binary; an event carries one, as text.
pub fn openpgp_texts(bytes: &[u8]) -> Result<Vec<KeyText>, KeyRefused> {
    let certificates = openpgp::split(bytes)?;
    Ok(certificates.iter().map(|certificate| KeyText::OpenPgp(STANDARD.encode(certificate))).collect())
}

/// Every fingerprint that the key proves to be its own; each belongs to one person for good. A subkey that may
/// not sign has signed nothing itself: anybody can bind somebody else's key as one.
pub fn proven(registration: &Registration) -> Vec<&str> {
    fingerprints(registration, |signer| signer.for_signing)
}

/// Every fingerprint that stands in the key.
pub fn named(registration: &Registration) -> Vec<&str> {
    fingerprints(registration, |_| true)
}

fn fingerprints(registration: &Registration, wanted: impl Fn(&OpenPgpSigner) -> bool) -> Vec<&str> {
    let mut all = vec![registration.fingerprint.as_str()];
    if let Material::OpenPgp(certificate) = &registration.material {
        all.extend(
            certificate.signers.iter().filter(|signer| wanted(signer)).map(|signer| signer.fingerprint.as_str()),
        );
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The text of an OpenPGP key without its secret parts, where somebody handed those in.
pub fn without_secrets(key: &KeyText) -> Option<KeyText> {
    let KeyText::OpenPgp(text) = key else { return None };
    let public = openpgp::without_secrets(&openpgp_bytes(text).ok()?)?;
    Some(KeyText::OpenPgp(STANDARD.encode(public)))
}
