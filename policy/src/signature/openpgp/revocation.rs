//! Revocation certificates that an owner deposits ahead of the day they are needed.

use super::packets;
use crate::signature::registration::Refusal;
use crate::time::Time;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::{MarshalInto, SerializeInto};
use sequoia_openpgp::types::{ReasonForRevocation, SignatureType};
use sequoia_openpgp::{Cert, Packet};
use std::fmt;

/// Bytes of a revocation certificate with the words that GnuPG writes around it; one by RSA-8192 has 3,000.
const REVOCATION_MAX: usize = 64 * 1024;

/// Why an owner revokes (RFC 9580, section 5.2.3.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// None given; counts like a compromise.
    Unspecified,
    Superseded,
    Compromised,
    Retired,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Unspecified => "unspecified",
            Reason::Superseded => "superseded",
            Reason::Compromised => "compromised",
            Reason::Retired => "retired",
        }
    }

    /// Whether it takes back everything the key ever signed.
    pub fn is_hard(self) -> bool {
        matches!(self, Reason::Unspecified | Reason::Compromised)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A revocation by the primary key of one certificate, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub reason: Reason,
    pub made_at: Option<Time>,
    /// The signature packet, binary.
    pub packet: Vec<u8>,
}

/// Reads one revocation certificate, armoured or binary, and checks that the primary key of `certificate` made it
/// over itself. The colon that GnuPG puts before the armour, against an import by mistake, is overlooked.
pub fn revocation(bytes: &[u8], certificate: &[u8]) -> Result<Revocation, Refusal> {
    if bytes.len() > REVOCATION_MAX {
        return Err(Refusal::new(format!("revocation certificate is larger than {REVOCATION_MAX} bytes")));
    }
    let unguarded = match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("\n:-----BEGIN", "\n-----BEGIN").into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    let packets = super::certificate::dearmored(&unguarded)?;
    let not_one = || Refusal::new("is not one OpenPGP revocation certificate, as `gpg --gen-revoke` writes it");
    let (packet, rest) = packets::first(&packets).ok_or_else(not_one)?;
    if packet.tag != packets::SIGNATURE || !rest.is_empty() {
        return Err(not_one());
    }
    let signature = Signature::from_bytes(packets::with_plain_numbers(packet.body).as_ref()).map_err(|_| not_one())?;
    if signature.typ() != SignatureType::KeyRevocation {
        return Err(Refusal::new("is an OpenPGP signature that revokes no certificate"));
    }
    let cert = Cert::from_bytes(certificate).map_err(|_| Refusal::new("OpenPGP certificate is garbled"))?;
    let primary = cert.primary_key().key();
    signature
        .verify_primary_key_revocation(primary, primary)
        .map_err(|_| Refusal::new(format!("is no revocation by key {}", cert.fingerprint().to_hex())))?;
    let reason = match signature.reason_for_revocation() {
        Some((ReasonForRevocation::KeySuperseded, _)) => Reason::Superseded,
        Some((ReasonForRevocation::KeyRetired, _)) => Reason::Retired,
        Some((ReasonForRevocation::KeyCompromised, _)) => Reason::Compromised,
        _ => Reason::Unspecified,
    };
    let made_at = signature.signature_creation_time().map(Time::from_system);
    let packet = MarshalInto::to_vec(&Packet::from(signature))
        .map_err(|_| Refusal::new("revocation certificate cannot be written"))?;
    Ok(Revocation { reason, made_at, packet })
}

/// The certificate with the revocation in it, binary.
pub fn revoked(certificate: &[u8], revocation: &Revocation) -> Result<Vec<u8>, Refusal> {
    let garbled = || Refusal::new("OpenPGP certificate cannot be merged with its revocation");
    let cert = Cert::from_bytes(certificate).map_err(|_| garbled())?;
    let packet = Packet::from_bytes(&revocation.packet).map_err(|_| garbled())?;
    let (cert, _) = cert.insert_packets(Some(packet)).map_err(|_| garbled())?;
    SerializeInto::to_vec(&cert).map_err(|_| garbled())
}
