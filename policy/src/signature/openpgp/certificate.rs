//! OpenPGP certificates, compiled when they are registered.
//!
//! What a push needs is settled here once: which keys may sign, in which span, revoked how. Only the
//! owner's own signatures count. Whether a span holds *now* is asked by the hook at its own time.

use super::{email_of, packets};
use crate::id::Fingerprint;
use crate::keyring::{Material, OpenPgpCertificate, OpenPgpRevocation, OpenPgpSigner};
use crate::signature::oid::called;
use crate::signature::primitive::{Curve, VerifyKey};
use crate::signature::registration::{Refusal, Registration};
use crate::signature::settings::Settings;
use crate::time::Time;
use der::asn1::ObjectIdentifier;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::cert::prelude::*;
use sequoia_openpgp::crypto::mpi::PublicKey;
use sequoia_openpgp::packet::{Key as Packet4Or6, Signature, key};
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::policy::{AsymmetricAlgorithm, StandardPolicy};
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{Curve as PgpCurve, HashAlgorithm, RevocationStatus, RevocationType};
use sequoia_openpgp::{Cert, KeyHandle, Packet, armor};
use std::borrow::Cow;
use std::io::Read;
use std::time::SystemTime;

/// Bytes of a certificate as handed in. One with more third-party signatures was flooded, or should
/// be exported with `export-minimal`.
pub const MAX_CERTIFICATE: usize = 1024 * 1024;

/// Keys of one certificate; each is an entry of the published keyring.
const MAX_KEYS: usize = 64;

type AnyKey = Packet4Or6<key::PublicParts, key::UnspecifiedRole>;

/// Registers exactly one certificate, armoured or binary.
///
/// `known` is the source already kept for the same primary key: the two are merged, nothing that
/// was known disappears, least of all a revocation. Self-signatures dated later than `now`, but for
/// clocks that disagree, do not count yet.
pub fn register(bytes: &[u8], known: Option<&[u8]>, now: Time) -> Result<Registration, Refusal> {
    let mut notes = Vec::new();
    let mut cert = parse(bytes)?;
    if cert.is_tsk() {
        notes.push("secret key material was dropped; whoever sent it should consider the key as leaked".to_owned());
        cert = cert.strip_secret_key_material();
    }
    if let Some(known) = known {
        let known = parse(known)?;
        if known.fingerprint() != cert.fingerprint() {
            return Err(Refusal::new("OpenPGP certificate is not the one that it should be merged into"));
        }
        cert = known.merge_public(cert).map_err(|_| Refusal::new("OpenPGP certificates cannot be merged"))?;
    }
    if is_revoked_by_another(&cert) {
        return Err(Refusal::new(
            "OpenPGP certificate holds a revocation by a designated revoker, which cannot be checked here: if it is \
             real, revoke the key in the registry; if not, hand in the certificate without it",
        ));
    }
    let cert = stripped(&cert)?;
    let at = system_time(now.plus(Settings::default().clock_skew.get()))?;
    let policy = policy(at);
    // Every binding rests on the primary key.
    if let Err(Why::Weak(reason)) = usable(cert.primary_key().key().role_as_unspecified()) {
        return Err(Refusal::new(reason));
    }
    let valid = cert.with_policy(&policy, at).map_err(|error| {
        // What a key of an unknown kind signed cannot be checked, least of all its own certificate.
        if let Err(why) = usable(cert.primary_key().key().role_as_unspecified()) {
            return Refusal::new(format!(
                "OpenPGP certificate rests on a primary key that is not supported: {}",
                why.text()
            ));
        }
        let cause = error.chain().last().map(ToString::to_string).unwrap_or_default();
        Refusal::new(format!("OpenPGP certificate has no self-signature that counts: {cause}"))
    })?;
    let cert = without_unbound_user_ids(&valid, &mut notes)?;
    let valid = cert
        .with_policy(&policy, at)
        .map_err(|_| Refusal::new("OpenPGP certificate has no self-signature that counts"))?;

    let certificate =
        OpenPgpCertificate { emails: emails(&valid), signers: signers(&valid, &policy, now, &mut notes)? };
    if !certificate.signers.iter().any(|signer| signer.for_signing) {
        let reasons =
            if notes.is_empty() { "none of its keys is meant for signing".to_owned() } else { notes.join("; ") };
        return Err(Refusal::new(format!("OpenPGP certificate has no key that may sign: {reasons}")));
    }
    let fingerprint = Fingerprint::new(&cert.fingerprint().to_hex()).map_err(|bad| Refusal::new(bad.to_string()))?;
    let source = cert.to_vec().map_err(|_| Refusal::new("OpenPGP certificate cannot be written"))?;
    let emails = certificate.emails.clone();
    Ok(Registration { fingerprint, material: Material::OpenPgp(certificate), source, emails, notes })
}

/// The certificate without its secret key material, binary; `None` when there is none in it. The registry keeps for
/// good what it is handed, and must not keep that.
pub fn without_secrets(bytes: &[u8]) -> Option<Vec<u8>> {
    let cert = parse(bytes).ok()?;
    if cert.is_tsk() { cert.strip_secret_key_material().to_vec().ok() } else { None }
}

/// The certificates of a file: people hand in whole keyrings, and GitHub publishes its keys as one.
pub fn split(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    packets::certificates(&dearmored(bytes)?)
}

fn parse(bytes: &[u8]) -> Result<Cert, Refusal> {
    let all = split(bytes)?;
    let [one] = all.as_slice() else {
        return Err(Refusal::new(format!("holds {} OpenPGP certificates where one belongs", all.len())));
    };
    Cert::from_bytes(one).map_err(|error| {
        let cause = crate::text::shown(&error.to_string(), 200);
        Refusal::new(format!("is not exactly one OpenPGP certificate: {cause}"))
    })
}

/// The packets, whether they came armoured or binary.
pub(super) fn dearmored(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    if bytes.len() > MAX_CERTIFICATE {
        let reason = "OpenPGP certificate is larger than 1 MiB; export it with `gpg --export-options export-minimal`";
        return Err(Refusal::new(reason));
    }
    match bytes.windows(10).filter(|window| window == b"-----BEGIN").count() {
        0 => return Ok(Cow::Borrowed(bytes)),
        1 => {}
        _ => return Err(Refusal::new("holds more than one armoured block where one belongs")),
    }
    let mut packets = Vec::new();
    let mut armour = armor::Reader::from_bytes(bytes, armor::ReaderMode::Tolerant(None));
    armour.read_to_end(&mut packets).map_err(|_| Refusal::new("OpenPGP armour is garbled"))?;
    Ok(Cow::Owned(packets))
}

fn system_time(time: Time) -> Result<SystemTime, Refusal> {
    let seconds = u64::try_from(time.unix_seconds()).map_err(|_| Refusal::new("the server's clock is before 1970"))?;
    SystemTime::UNIX_EPOCH
        .checked_add(std::time::Duration::from_secs(seconds))
        .ok_or_else(|| Refusal::new("the server's clock is out of range"))
}

/// Keys that Sequoia still tolerates for old data.
const WEAK: [AsymmetricAlgorithm; 5] = {
    use AsymmetricAlgorithm::{DSA1024, DSA2048, DSA3072, DSA4096, RSA1024};
    [DSA1024, DSA2048, DSA3072, DSA4096, RSA1024]
};

/// Today's policy of Sequoia at the server's time, without what it still tolerates for old data.
fn policy(at: SystemTime) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(at);
    for hash in [HashAlgorithm::MD5, HashAlgorithm::SHA1, HashAlgorithm::RipeMD] {
        policy.reject_hash(hash);
    }
    for algorithm in WEAK {
        policy.reject_asymmetric_algo(algorithm);
    }
    policy
}

/// The same, but for weak keys: what is such a key meant for?
fn policy_of_meaning(at: SystemTime) -> StandardPolicy<'static> {
    let mut policy = policy(at);
    for algorithm in WEAK {
        policy.accept_asymmetric_algo(algorithm);
    }
    policy
}

/// Whether somebody whom the owner named as revoker seems to have revoked the certificate or a part of it.
fn is_revoked_by_another(cert: &Cert) -> bool {
    let primary = cert.primary_key();
    let named: Vec<KeyHandle> = primary
        .self_signatures()
        .chain(cert.userids().flat_map(|user_id| user_id.self_signatures()).collect::<Vec<_>>())
        .flat_map(|signature| signature.revocation_keys())
        .map(|revoker| KeyHandle::from(revoker.revoker().1.clone()))
        .collect();
    let by_another = |signature: &Signature| {
        signature.get_issuers().iter().any(|issuer| named.iter().any(|revoker| revoker.aliases(issuer)))
    };
    primary.other_revocations().any(by_another)
        || cert.keys().subkeys().any(|subkey| subkey.other_revocations().any(by_another))
}

/// Only what the owner signed: no third-party signatures, no pictures, nothing unverified.
fn stripped(cert: &Cert) -> Result<Cert, Refusal> {
    let mut packets: Vec<Packet> = Vec::new();
    let mut put = |component: Packet, signatures: Vec<&Signature>| {
        packets.push(component);
        packets.extend(signatures.into_iter().map(|signature| Packet::from(signature.clone())));
    };
    let primary = cert.primary_key();
    put(primary.key().clone().into(), primary.self_revocations().chain(primary.self_signatures()).collect());
    for user_id in cert.userids() {
        put(user_id.userid().clone().into(), user_id.self_revocations().chain(user_id.self_signatures()).collect());
    }
    for subkey in cert.keys().subkeys() {
        // Anybody can hang a key onto a certificate; without its owner's word it is not of it.
        if subkey.self_signatures().next().is_none() && subkey.self_revocations().next().is_none() {
            continue;
        }
        put(subkey.key().clone().into(), subkey.self_revocations().chain(subkey.self_signatures()).collect());
    }
    Cert::from_packets(packets.into_iter()).map_err(|_| Refusal::new("OpenPGP certificate is garbled"))
}

/// A user id with a revocation stays, because revocations stay; it gives no address.
fn without_unbound_user_ids(valid: &ValidCert<'_>, notes: &mut Vec<String>) -> Result<Cert, Refusal> {
    let (policy, at) = (valid.policy(), valid.time());
    let is_bound = |user_id: &UserIDAmalgamation<'_>| {
        user_id.self_revocations().next().is_some() || (*user_id).clone().with_policy(policy, at).is_ok()
    };
    for user_id in valid.cert().userids().filter(|user_id| !is_bound(user_id)) {
        let shown = crate::text::shown_bytes(user_id.userid().value(), 80);
        notes.push(format!("user id `{shown}` was dropped: it has no self-signature that counts"));
    }
    Ok(valid.cert().clone().retain_userids(|user_id| is_bound(&user_id)))
}

fn emails(valid: &ValidCert<'_>) -> Vec<crate::id::Email> {
    let mut emails = Vec::new();
    for user_id in valid.userids() {
        let revoked = matches!(user_id.revocation_status(), RevocationStatus::Revoked(_));
        if let Some(email) = email_of(user_id.userid().value())
            && !revoked
            && !emails.contains(&email)
        {
            emails.push(email);
        }
    }
    emails
}

fn signers(
    valid: &ValidCert<'_>,
    policy: &StandardPolicy<'_>,
    now: Time,
    notes: &mut Vec<String>,
) -> Result<Vec<OpenPgpSigner>, Refusal> {
    let at = valid.time();
    let primary = valid.primary_key();
    let above = Window {
        expires: earliest(expiry(primary.key_expiration_time()), binding_expiry(primary.binding_signature())),
        revoked: revocation(valid.cert().primary_key().self_revocations(), Some(primary.binding_signature()), now),
    };
    let meaning = policy_of_meaning(at);
    let mut signers = Vec::new();
    for key in valid.cert().keys() {
        if signers.len() == MAX_KEYS {
            return Err(Refusal::new(format!("OpenPGP certificate has more than {MAX_KEYS} keys")));
        }
        let usable = usable(key.key());
        let bound = key.clone().with_policy(policy, at);
        let own = Window {
            expires: bound.as_ref().ok().and_then(|bound| {
                earliest(expiry(bound.key_expiration_time()), binding_expiry(bound.binding_signature()))
            }),
            revoked: revocation(
                key.self_revocations(),
                bound.as_ref().ok().map(ValidAmalgamation::binding_signature),
                now,
            ),
        };
        let window = above.and(own);
        let flagged = bound.as_ref().is_ok_and(ValidKeyAmalgamation::for_signing);
        let meant = key.clone().with_policy(&meaning, at).is_ok_and(|bound| bound.for_signing());
        let key_id = key.key().keyid().to_hex();
        let verify = match (&usable, &bound) {
            (Ok(verify), Ok(_)) => verify.clone(),
            (Ok(_), Err(error)) => {
                let cause = error.chain().last().map(ToString::to_string).unwrap_or_default();
                let reason = format!("its binding does not count: {}", crate::text::shown(&cause, 160));
                notes.push(format!("key {key_id} may not sign: {reason}"));
                VerifyKey::Unusable { reason }
            }
            (Err(why), _) => {
                if flagged || matches!(why, Why::Weak(_)) {
                    notes.push(format!("key {key_id} may not sign: {}", why.text()));
                }
                VerifyKey::Unusable { reason: why.text().to_owned() }
            }
        };
        let created = Time::from_system(key.key().creation_time());
        if flagged && window.expires.is_some_and(|expires| expires <= Time::from_system(at)) {
            let on = window.expires.map_or_else(String::new, |expires| format!(" on {}", expires.date()));
            notes.push(format!("key {key_id} expired{on}: it brings nothing new in"));
        }
        if flagged && window.revoked.is_some() {
            notes.push(format!("key {key_id} is revoked by its owner"));
        }
        signers.push(OpenPgpSigner {
            fingerprint: key.key().fingerprint().to_hex(),
            key_id,
            algorithm: algorithm(key.key(), &verify),
            for_signing: flagged && !matches!(verify, VerifyKey::Unusable { .. }),
            meant_for_signing: meant,
            verify,
            created,
            expires: window.expires,
            revoked: window.revoked,
        });
    }
    Ok(signers)
}

/// The end of a key's life. The primary key's bounds every subkey's.
#[derive(Clone)]
struct Window {
    expires: Option<Time>,
    revoked: Option<OpenPgpRevocation>,
}

impl Window {
    fn and(&self, own: Window) -> Window {
        let revoked = match (&self.revoked, own.revoked) {
            (Some(a), Some(b)) => {
                let soft_since = a.soft_since.and_then(|a| b.soft_since.map(|b| a.min(b)));
                Some(OpenPgpRevocation { soft_since })
            }
            (one, other) => one.clone().or(other),
        };
        Window { expires: earliest(self.expires, own.expires), revoked }
    }
}

fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    one.into_iter().chain(other).min()
}

fn expiry(time: Option<SystemTime>) -> Option<Time> {
    time.map(Time::from_system)
}

/// A self-signature may itself expire, and with it what it binds.
fn binding_expiry(signature: &Signature) -> Option<Time> {
    expiry(signature.signature_expiration_time())
}

/// What the owner's revocations amount to. They count whatever hash they were made over: to believe
/// a forged revocation costs a key, to ignore a real one costs more.
///
/// A hard one, or one without a reason, counts for all time. A soft one counts from its date, unless
/// the newest self-signature is younger: then the owner took the key into use again. One that is dated ahead
/// counts at once: its owner has published it.
fn revocation<'a>(
    revocations: impl Iterator<Item = &'a Signature>,
    newest: Option<&Signature>,
    now: Time,
) -> Option<OpenPgpRevocation> {
    let bound_again = newest.and_then(|signature| signature.signature_creation_time());
    let mut found: Option<OpenPgpRevocation> = None;
    for revocation in revocations {
        let date = revocation.signature_creation_time();
        let soft = revocation
            .reason_for_revocation()
            .is_some_and(|(reason, _)| reason.revocation_type() == RevocationType::Soft);
        match date.filter(|_| soft) {
            None => return Some(OpenPgpRevocation { soft_since: None }),
            Some(date) if bound_again.is_some_and(|again| again > date) => {}
            Some(date) => {
                let since = earliest(Some(Time::from_system(date).min(now)), found.and_then(|found| found.soft_since));
                found = Some(OpenPgpRevocation { soft_since: since });
            }
        }
    }
    found
}

/// Why a key cannot verify signatures.
enum Why {
    Weak(String),
    /// Nothing wrong with it, but not for signing or not known here.
    Foreign(String),
}

impl Why {
    fn text(&self) -> &str {
        let (Why::Weak(text) | Why::Foreign(text)) = self;
        text
    }
}

fn usable(key: &AnyKey) -> Result<VerifyKey, Why> {
    let foreign = || Why::Foreign(format!("{} is not for signing here", key.pk_algo()));
    let found = match key.mpis() {
        PublicKey::RSA { e, n } => VerifyKey::rsa(n.value(), e.value()),
        PublicKey::Ed25519 { a } => VerifyKey::ed25519(a),
        PublicKey::EdDSA { curve: PgpCurve::Ed25519, q } => match q.value().split_first() {
            Some((0x40, point)) => VerifyKey::ed25519(point),
            _ => Err("Ed25519 key is garbled".to_owned()),
        },
        PublicKey::ECDSA { curve, q } => {
            let curve = match curve {
                PgpCurve::NistP256 => Curve::P256,
                PgpCurve::NistP384 => Curve::P384,
                PgpCurve::NistP521 => Curve::P521,
                other => {
                    let name = ObjectIdentifier::from_bytes(other.oid());
                    let name = name.map_or_else(|_| other.to_string(), |oid| called(&oid));
                    let reason = format!("curve {name} is not supported: Ed25519, P-256, P-384 or P-521");
                    return Err(Why::Foreign(reason));
                }
            };
            VerifyKey::ecdsa(curve, q.value())
        }
        PublicKey::DSA { .. } => Err("DSA keys are no longer safe".to_owned()),
        PublicKey::ElGamal { .. } => Err("ElGamal keys cannot sign".to_owned()),
        _ => return Err(foreign()),
    };
    found.map(VerifyKey::registered).map_err(Why::Weak)
}

/// `RSA 3072`, `Ed25519`, `P-256`; the registry's name where the key cannot be used.
fn algorithm(key: &AnyKey, verify: &VerifyKey) -> String {
    match (verify, key.mpis().bits()) {
        (VerifyKey::Unusable { .. }, Some(bits)) => format!("{} {bits}", key.pk_algo()),
        (VerifyKey::Unusable { .. }, None) => key.pk_algo().to_string(),
        _ => verify.algorithm(),
    }
}

/// The registered certificate without the user ids that are not of `email`; `None` when it has none that is.
pub fn with_address(source: &[u8], email: &crate::id::Email) -> Result<Option<Vec<u8>>, Refusal> {
    let cert = Cert::from_bytes(source).map_err(|_| Refusal::new("OpenPGP certificate is garbled"))?;
    let cert = cert.retain_userids(|user_id| email_of(user_id.userid().value()).as_ref() == Some(email));
    if cert.userids().next().is_none() {
        return Ok(None);
    }
    let bytes = cert.to_vec().map_err(|_| Refusal::new("OpenPGP certificate cannot be written"))?;
    Ok(Some(bytes))
}
