//! OpenPGP signatures (RFC 9580, RFC 4880) and certificates.
//!
//! Sequoia reads the one packet; the key comes compiled from the registry, so that no certificate
//! is parsed and no binding verified while a push waits.

mod certificate;
mod packets;
mod revocation;

pub use certificate::{MAX_CERTIFICATE, register, split, with_address, without_secrets};
pub use revocation::{Reason, Revocation, revocation, revoked};

use super::armor::{self, Label};
use super::payload::Payload;
use super::primitive::{Hash, Numbers, Signed};
use super::together::Checks;
use super::{Context, Format, SignedBy, unknown};
use crate::id::{Email, Fingerprint, KeyHandle};
use crate::keyring::{Key, Material, OpenPgpCertificate, OpenPgpSigner, Person};
use crate::rule::{bad_signature, identity_mismatch, key_expired, key_not_for_signing, key_not_yet_valid};
use crate::rule::{
    key_revoked, limit_exceeded, malformed_signature, multiple_signatures, signature_expired, time_skew,
};
use crate::rule::{unknown_key, usage_violation, weak_algorithm};
use crate::time::Time;
use crate::verdict::Problem;
use sequoia_openpgp::crypto::hash::Hash as _;
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::signature::subpacket::SubpacketTag;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::MarshalInto;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use std::borrow::Cow;
use std::sync::Arc;

/// Hints at the signer in one signature: a fingerprint and a key id are usual, each costs a look-up.
const MAX_ISSUERS: usize = 4;

/// What a critical subpacket may say and be understood here. Any other is refused.
/// GnuPG does not know a critical signer's user id either.
const CRITICAL_KNOWN: [SubpacketTag; 4] = [
    SubpacketTag::SignatureCreationTime,
    SubpacketTag::SignatureExpirationTime,
    SubpacketTag::Issuer,
    SubpacketTag::IssuerFingerprint,
];

/// What a signature says once or not at all: of two, one reader takes the first and another the last.
const ONCE: [SubpacketTag; 3] =
    [SubpacketTag::SignatureCreationTime, SubpacketTag::SignatureExpirationTime, SubpacketTag::SignersUserID];

/// Bytes of either subpacket area, as with GnuPG. An honest one has a hundred.
const MAX_AREA: usize = 10_000;

pub(super) fn verify(
    payload: &Payload<'_>,
    signature: &[u8],
    context: &Context<'_>,
    checks: Checks<'_>,
) -> Result<SignedBy, Problem> {
    let bytes = armor::decode(signature, Label::OpenPgp)?;
    let signature = Signature::from_bytes(only_packet(&bytes)?.as_ref()).map_err(|_| garbled())?;
    let hash = acceptable(&signature, context)?;
    let made = claimed_times(&signature, context)?;
    let candidates = candidates(&signature, context)?;
    let digest = digest(&signature, payload)?;
    let numbers = Scratch::new(&signature)?;

    let mut refusal = None;
    for candidate in &candidates {
        let signer = candidate.signer()?;
        // The hint names a key; a person is named only once a signature has verified.
        let claimed = |problem: Problem| problem.with_key(&candidate.key);
        // A key that is too weak is not among those that may sign either; the reason is the weakness.
        let weakness = context.settings.key_problem(&signer.verify).filter(|_| signer.meant_for_signing);
        if let Some(problem) = weakness {
            refusal = Some(claimed(problem));
        } else if !signer.for_signing {
            let reason = format!("is signed with OpenPGP key {}, which may not sign", signer.key_id);
            refusal = Some(claimed(Problem::new(&key_not_for_signing::RULE, reason)));
        } else if let Some(problem) = context.settings.key_problem(&signer.verify) {
            refusal = Some(claimed(problem));
        } else if checks.verify(&signer.verify, hash, Signed::Digest(&digest), &numbers.get()).is_err() {
            let reason = "has an OpenPGP signature that does not fit its bytes: it was changed after signing, or the signature was taken from elsewhere";
            refusal = Some(claimed(Problem::new(&bad_signature::RULE, reason)));
        } else {
            return verified(candidate, &signature, made, context)
                .map_err(|problem| problem.of(&candidate.person.id).with_key(&candidate.key));
        }
    }
    Err(refusal.unwrap_or_else(|| unknown(Format::OpenPgp, "without a name")))
}

/// The signature is by this registered key: what is there to say about the key?
fn verified(
    candidate: &Candidate,
    signature: &Signature,
    made: Times,
    context: &Context<'_>,
) -> Result<SignedBy, Problem> {
    let (key, certificate) = candidate.key_and_certificate()?;
    let signer = candidate.signer()?;
    if let Some(user_id) = signature.signers_user_id() {
        // JGit names the committer where the key is a subkey: an address that the registry gives the person will do.
        let is_theirs = |email: &Email| {
            certificate.emails.contains(email) || candidate.person.has_email(email.as_str(), context.now)
        };
        let email = email_of(user_id).filter(|email| is_theirs(email));
        if !email.map_or(Ok(false), |email| may_speak_for(candidate, &email, context))? {
            let shown = crate::text::shown_bytes(user_id, 80);
            let reason = format!("is signed in the name of `{shown}`, which is not the signer's");
            return Err(Problem::new(&identity_mismatch::RULE, reason).next(super::ASK_FOR_KEY));
        }
    }
    let mut signed = SignedBy::new(candidate.person.clone(), candidate.key.clone(), Format::OpenPgp).at(made.created);
    signed.judge(key, context.now);
    if let Some(revocation) = &signer.revoked {
        match revocation.soft_since {
            // What such a key signed proves nothing, whenever it was: there is no proof to hand out.
            None => {
                let reason = format!("is signed with {}, which its owner revoked for all time", signed.made_by());
                return Err(Problem::new(&key_revoked::RULE, reason));
            }
            Some(since) if since <= context.now => {
                signed.found(&key_revoked::RULE, format_args!("its owner revoked on {}", since.date()));
            }
            Some(_) => {}
        }
    }
    if made.created < signer.created {
        signed.found(
            &key_not_yet_valid::RULE,
            format_args!("was made only on {}, after the signature", signer.created.date()),
        );
    }
    signed.until(signer.expires);
    signed.until(made.expires);
    if let Some(expires) = signer.expires.filter(|expires| *expires <= context.now) {
        signed.found(&key_expired::RULE, format_args!("expired on {}", expires.date()));
    }
    if let Some(expires) = made.expires.filter(|expires| *expires <= context.now) {
        signed.found(&signature_expired::RULE, format_args!("signed only until {}", expires.date()));
    }
    Ok(signed)
}

fn malformed(reason: &str) -> Problem {
    Problem::new(&malformed_signature::RULE, reason)
}

fn garbled() -> Problem {
    malformed("has an OpenPGP signature that is garbled")
}

/// The body of the one signature packet that the block is.
fn only_packet(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Problem> {
    let not_one = || malformed("has an OpenPGP block that is not one signature packet");
    if !matches!(bytes.first(), Some(0xc2 | 0x88..=0x8a)) {
        return Err(not_one());
    }
    let (packet, after) = packets::first(bytes).ok_or_else(garbled)?;
    match after {
        [] => Ok(packets::with_plain_numbers(packet.body)),
        [0xc2 | 0x88..=0x8b, ..] => {
            Err(Problem::new(&multiple_signatures::RULE, "has more than one OpenPGP signature"))
        }
        _ => Err(malformed("has an OpenPGP block with something besides the signature")),
    }
}

/// Version, type, hash and subpackets are such that the signature can mean "I signed this commit".
fn acceptable(signature: &Signature, context: &Context<'_>) -> Result<Hash, Problem> {
    if !matches!(signature.version(), 4 | 6) {
        return Err(malformed("has an OpenPGP signature of an unknown version"));
    }
    if signature.typ() != SignatureType::Binary {
        return Err(malformed("has an OpenPGP signature of a type that does not sign documents"));
    }
    let hash = match signature.hash_algo() {
        HashAlgorithm::SHA256 => Hash::Sha256,
        HashAlgorithm::SHA384 => Hash::Sha384,
        HashAlgorithm::SHA512 => Hash::Sha512,
        other => {
            let reason = format!("is signed over {other}, which is no longer safe or not taken");
            return Err(Problem::new(&weak_algorithm::RULE, reason));
        }
    };
    if !context.settings.takes_hash(hash) {
        return Err(Problem::new(&weak_algorithm::RULE, "is signed over a hash that the policy does not take"));
    }
    if let Some(salt) = signature.salt()
        && signature.hash_algo().salt_size().ok() != Some(salt.len())
    {
        return Err(malformed("has an OpenPGP signature whose salt has the wrong length"));
    }
    if [signature.hashed_area(), signature.unhashed_area()].iter().any(|area| area.serialized_len() > MAX_AREA) {
        let reason = format!("has an OpenPGP signature with more than {MAX_AREA} bytes of notes");
        return Err(Problem::new(&limit_exceeded::RULE, reason));
    }
    for tag in ONCE {
        if signature.hashed_area().subpackets(tag).count() > 1 {
            let reason = format!("has an OpenPGP signature that says twice what it may say once ({tag})");
            return Err(malformed(&reason));
        }
    }
    // Beside the signature anybody can write. To refuse for what stands there takes nothing from its maker.
    for subpacket in signature.hashed_area().iter().chain(signature.unhashed_area().iter()) {
        if subpacket.critical() && !CRITICAL_KNOWN.contains(&subpacket.tag()) {
            let reason = format!(
                "has an OpenPGP signature with a critical part that this server does not know ({})",
                subpacket.tag()
            );
            return Err(malformed(&reason));
        }
    }
    if signature.intended_recipients().next().is_some() {
        let reason = "has an OpenPGP signature made for one recipient, not for a repository";
        return Err(Problem::new(&usage_violation::RULE, reason));
    }
    Ok(hash)
}

#[derive(Clone, Copy)]
struct Times {
    created: Time,
    expires: Option<Time>,
}

fn claimed_times(signature: &Signature, context: &Context<'_>) -> Result<Times, Problem> {
    let created = signature.signature_creation_time().map(Time::from_system);
    let created = created.ok_or_else(|| malformed("has an OpenPGP signature without a date"))?;
    if created > context.settings.latest(context.now) {
        let reason = format!("has an OpenPGP signature dated {created}, which is still to come");
        return Err(Problem::new(&time_skew::RULE, reason));
    }
    let expires = signature.signature_expiration_time().map(Time::from_system);
    Ok(Times { created, expires })
}

/// A registered key that goes by one of the signature's hints.
struct Candidate {
    person: Arc<Person>,
    key: Fingerprint,
    /// Its place among the certificate's keys.
    signer: usize,
}

impl Candidate {
    fn key_and_certificate(&self) -> Result<(&Key, &OpenPgpCertificate), Problem> {
        match self.person.key(&self.key) {
            Some(key @ Key { material: Material::OpenPgp(certificate), .. }) => Ok((key, certificate)),
            _ => Err(super::broken_keyring("a holder does not have the key")),
        }
    }

    fn signer(&self) -> Result<&OpenPgpSigner, Problem> {
        let signer = self.key_and_certificate()?.1.signers.get(self.signer);
        signer.ok_or_else(|| super::broken_keyring("a holder does not have the key"))
    }
}

/// The registered keys that the signature may be by. The hints are only hints: they may stand in
/// the unhashed area, where anybody can write.
fn candidates(signature: &Signature, context: &Context<'_>) -> Result<Vec<Candidate>, Problem> {
    let issuers = signature.get_issuers();
    if issuers.is_empty() {
        return Err(Problem::new(&unknown_key::RULE, "has an OpenPGP signature that does not say by which key"));
    }
    if issuers.len() > MAX_ISSUERS {
        return Err(malformed("has an OpenPGP signature that names too many keys"));
    }
    let mut found: Vec<Candidate> = Vec::new();
    for issuer in &issuers {
        let (handle, by_id) = match issuer {
            sequoia_openpgp::KeyHandle::Fingerprint(full) => (KeyHandle::OpenPgpFingerprint(full.to_hex()), false),
            sequoia_openpgp::KeyHandle::KeyID(id) => (KeyHandle::OpenPgpKeyId(id.to_hex()), true),
        };
        let text = handle.to_string();
        for person in context.holders(&handle)? {
            for key in &person.keys {
                let Material::OpenPgp(certificate) = &key.material else { continue };
                for (place, signer) in certificate.signers.iter().enumerate() {
                    let named = if by_id { signer.key_id == text } else { signer.fingerprint == text };
                    // A signature and its key are of one version.
                    let same_version = (signer.fingerprint.len() == 64) == (signature.version() == 6);
                    let is_new = |other: &Candidate| other.key != key.fingerprint || other.signer != place;
                    if named && same_version && found.iter().all(is_new) {
                        found.push(Candidate { person: person.clone(), key: key.fingerprint.clone(), signer: place });
                    }
                }
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    match (found.is_empty(), issuers.first()) {
        (true, Some(issuer)) => {
            let problem = unknown(Format::OpenPgp, &sequoia_openpgp::KeyID::from(issuer).to_hex());
            Err(match Fingerprint::new(&issuer.to_hex()) {
                Ok(full) => problem.with_key(&full),
                Err(_) => problem,
            })
        }
        _ => Ok(found),
    }
}

fn digest(signature: &Signature, payload: &Payload<'_>) -> Result<Vec<u8>, Problem> {
    let context = signature.hash_algo().context().map_err(|_| garbled())?;
    let mut context = context.for_signature(signature.version());
    if let Some(salt) = signature.salt() {
        context.update(salt);
    }
    for part in payload.parts() {
        context.update(part);
    }
    signature.hash(&mut context).map_err(|_| garbled())?;
    context.into_digest().map_err(|_| garbled())
}

/// The numbers of the signature in the form that the primitives take.
enum Scratch<'a> {
    Ed25519([u8; 64]),
    Ecdsa { r: &'a [u8], s: &'a [u8] },
    Rsa(&'a [u8]),
}

impl<'a> Scratch<'a> {
    fn new(signature: &'a Signature) -> Result<Self, Problem> {
        match signature.mpis() {
            mpi::Signature::Ed25519 { s } => Ok(Scratch::Ed25519(**s)),
            // The older form: the two halves as numbers, which lose their leading zeros.
            mpi::Signature::EdDSA { r, s } => {
                let mut out = [0; 64];
                for (half, number) in out.as_chunks_mut::<32>().0.iter_mut().zip([r, s]) {
                    half.copy_from_slice(&number.value_padded(32).map_err(|_| garbled())?);
                }
                Ok(Scratch::Ed25519(out))
            }
            mpi::Signature::ECDSA { r, s } => Ok(Scratch::Ecdsa { r: r.value(), s: s.value() }),
            mpi::Signature::RSA { s } => Ok(Scratch::Rsa(s.value())),
            _ => {
                let reason = format!("is signed by {}, which this server does not take", signature.pk_algo());
                Err(Problem::new(&weak_algorithm::RULE, reason))
            }
        }
    }

    fn get(&self) -> Numbers<'_> {
        match self {
            Scratch::Ed25519(bytes) => Numbers::Ed25519(bytes),
            Scratch::Ecdsa { r, s } => Numbers::Ecdsa { r, s },
            Scratch::Rsa(s) => Numbers::Rsa(s),
        }
    }
}

/// A certificate bears what its owner wrote into it: nobody signs in the name of another person of the registry.
fn may_speak_for(candidate: &Candidate, email: &Email, context: &Context<'_>) -> Result<bool, Problem> {
    if candidate.person.has_email(email.as_str(), context.now) {
        return Ok(true);
    }
    let holders = context.keyring.by_email(email).map_err(super::unreadable)?;
    for id in holders.iter().filter(|id| **id != candidate.person.id) {
        if context.person(id)?.has_email(email.as_str(), context.now) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The address of a user id: `Name <address>`, whatever surrounds it and in whatever encoding the name is, or an
/// address alone.
fn email_of(user_id: &[u8]) -> Option<Email> {
    let address = match user_id.iter().rposition(|&byte| byte == b'<') {
        Some(start) => user_id.get(start + 1..)?.split(|&byte| byte == b'>').next()?,
        None => user_id.trim_ascii(),
    };
    Email::new(std::str::from_utf8(address).ok()?).ok()
}
