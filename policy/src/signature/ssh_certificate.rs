//! SSH certificates (OpenSSH's PROTOCOL.certkeys): an authority's word for who holds a key.

use super::payload::Payload;
use super::ssh::{Envelope, bad_label, malformed};
use super::ssh_wire::{BadSignature, Garbled, KeyType, PublicKey, RawSignature, Reader, fingerprint};
use super::together::Checks;
use super::{Context, Format, SignedBy, broken_keyring, unreadable};
use crate::id::{Email, KeyHandle, PersonId};
use crate::keyring::{Authority, Material, Person};
use crate::rule::{identity_mismatch, key_expired, key_not_yet_valid, untrusted_chain, usage_violation};
use crate::rule::{unknown_key, weak_algorithm};
use crate::time::Time;
use crate::verdict::Problem;
use std::sync::Arc;

const USER: u32 = 1;

/// OpenSSH's own limit (`SSHKEY_CERT_MAX_PRINCIPALS`).
const MAX_PRINCIPALS: usize = 256;

struct Certificate<'a> {
    key: PublicKey<'a>,
    kind: u32,
    principals: Vec<&'a str>,
    valid_after: u64,
    valid_before: u64,
    critical_options: &'a [u8],
    authority: &'a [u8],
    /// Everything before the authority's signature.
    signed: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    fn read(kind: KeyType, blob: &'a [u8]) -> Result<Self, Garbled> {
        let mut reader = Reader::new(blob);
        let (_name, _nonce) = (reader.string()?, reader.string()?);
        let key = PublicKey::read(kind, &mut reader)?;
        let _serial = reader.uint64()?;
        let kind = reader.uint32()?;
        let _key_id = reader.string()?;
        let mut list = Reader::new(reader.string()?);
        let mut principals = Vec::new();
        while !list.is_empty() {
            if principals.len() == MAX_PRINCIPALS {
                return Err(Garbled);
            }
            principals.push(list.text()?);
        }
        let (valid_after, valid_before) = (reader.uint64()?, reader.uint64()?);
        let critical_options = reader.string()?;
        // Extensions grant rights at login. None takes any away from a signature.
        let (_extensions, _reserved) = (reader.string()?, reader.string()?);
        let authority = reader.string()?;
        let before = reader;
        let signature = reader.string()?;
        reader.end()?;
        let signed = blob.get(..blob.len() - before.len()).ok_or(Garbled)?;
        Ok(Certificate {
            key,
            kind,
            principals,
            valid_after,
            valid_before,
            critical_options,
            authority,
            signed,
            signature,
        })
    }
}

pub(super) fn verify(
    kind: KeyType,
    envelope: &Envelope<'_>,
    payload: &Payload<'_>,
    context: &Context<'_>,
    checks: Checks<'_>,
) -> Result<SignedBy, Problem> {
    let certificate = Certificate::read(kind, envelope.public_key)
        .map_err(|Garbled| malformed("holds an SSH certificate that is garbled"))?;
    if certificate.kind != USER {
        return Err(Problem::new(
            &usage_violation::RULE,
            "is signed with an SSH host certificate, which names no person",
        ));
    }
    let authority = trusted(&certificate, context, checks)?;
    let verify_required = options(certificate.critical_options)?;
    let person = named(&certificate.principals, context)?;

    // The authority has vouched for the numbers: only now are they worth an operation.
    let key = certificate.key.compile().map_err(|why| {
        Problem::new(&weak_algorithm::RULE, format!("is signed with an SSH certificate for a weak key: {why}"))
    })?;
    let plain = certificate.key.blob().ok().and_then(|blob| fingerprint(&blob));
    let name = plain.ok_or_else(|| malformed("holds an SSH certificate that is garbled"))?;
    let blame = |problem: Problem| problem.of(&person.id).with_key(&name);
    envelope
        .check(kind, (&key, certificate.key.application), payload, context, checks)
        .map_err(|problem| problem.with_key(&name))?;
    if verify_required && !kind.is_security_key() {
        let reason = "is signed with an SSH certificate that asks for the PIN of a security key, which its key is not";
        let next = "use a security key, or ask for a certificate without `verify-required`";
        return Err(blame(Problem::new(&usage_violation::RULE, reason).next(next)));
    }
    if verify_required && !envelope.user_verified(kind) {
        let reason = "is signed by a security key without its PIN or fingerprint, which its certificate asks for";
        return Err(blame(Problem::new(&usage_violation::RULE, reason)));
    }

    let mut signed = SignedBy::new(person.clone(), name.clone(), Format::SshCertificate).under(authority.fingerprint);
    signed.judge_marks("comes from an authority that ", authority.retired, authority.compromised, context.now);
    let (from, until) = (time(certificate.valid_after), time(certificate.valid_before));
    signed.until(Some(until));
    if context.now < from {
        signed.found(&key_not_yet_valid::RULE, format_args!("is valid only from {from}"));
    }
    if context.now >= until {
        signed.found(&key_expired::RULE, format_args!("expired on {}", until.date()));
    }
    // What the registry knows of the bare key holds for its certificates too.
    if let Some(holder) = context.holder(&KeyHandle::Ssh(name.clone()))? {
        if holder.id != person.id {
            let reason = "is signed with an SSH certificate for one person and a key registered to another";
            return Err(blame(Problem::new(&identity_mismatch::RULE, reason).next(super::ASK_FOR_KEY)));
        }
        let key = holder.key(&name).ok_or_else(|| broken_keyring("a holder does not have the key"))?;
        signed.judge_marks("", key.retired, key.compromised, context.now);
    }
    Ok(signed)
}

/// Unix seconds; beyond the range of [`Time`] is for ever.
fn time(seconds: u64) -> Time {
    Time::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// The registered authority that signed the certificate, itself with a plain key.
fn trusted(certificate: &Certificate<'_>, context: &Context<'_>, checks: Checks<'_>) -> Result<Authority, Problem> {
    let untrusted = |what: &str| {
        let reason = format!("is signed with an SSH certificate {what}");
        Problem::new(&untrusted_chain::RULE, reason)
    };
    let name = fingerprint(certificate.authority).ok_or_else(|| untrusted("without an authority"))?;
    let authorities = context.keyring.authorities().map_err(unreadable)?;
    let known = authorities.ssh.iter().find(|known| known.fingerprint == name && known.added <= context.now);
    let Some(authority) = known else {
        return Err(untrusted(&format!("by {name}, which is no registered authority")).with_key(&name));
    };
    let Material::Ssh(key) = &authority.material else {
        return Err(broken_keyring("an authority is not what its fingerprint says"));
    };
    let kind = KeyType::of_key(&key.algorithm).filter(|_| key.blob == certificate.authority);
    let kind = kind.ok_or_else(|| broken_keyring("an authority is not what its fingerprint says"))?;
    let signature = RawSignature::read(kind, certificate.signature).map_err(|why| match why {
        BadSignature::Garbled | BadSignature::WrongKind => untrusted("whose authority's signature is garbled"),
        weak => bad_label(weak),
    })?;
    if let Some(problem) = context.settings.key_problem(&key.verify) {
        return Err(problem.with_key(&name));
    }
    if !signature.is_by((&key.verify, key.application.as_deref()), certificate.signed, checks) {
        return Err(untrusted(&format!("that {name} did not sign")).with_key(&name));
    }
    Ok(authority.clone())
}

/// Whether the certificate demands user verification; the other critical options are refused.
///
/// `force-command` makes a certificate good for one command at login and thereby not for signing;
/// `source-address` cannot be held against a signature, which has no address. Unknown ones are
/// refused because that is what critical means.
fn options(bytes: &[u8]) -> Result<bool, Problem> {
    let garbled = |Garbled| malformed("holds an SSH certificate that is garbled");
    let mut reader = Reader::new(bytes);
    let mut verify_required = false;
    while !reader.is_empty() {
        let name = reader.string().map_err(garbled)?;
        reader.string().map_err(garbled)?;
        if name != b"verify-required" {
            let shown = crate::text::shown_bytes(name, 40);
            let reason =
                format!("is signed with an SSH certificate restricted by `{shown}`, which does not let it sign");
            return Err(Problem::new(&usage_violation::RULE, reason));
        }
        verify_required = true;
    }
    Ok(verify_required)
}

/// The one person whose id or present e-mail stands literally among the principals.
/// Principals that name nobody may be there: accounts, hosts, groups.
fn named(principals: &[&str], context: &Context<'_>) -> Result<Arc<Person>, Problem> {
    if principals.is_empty() {
        return Err(Problem::new(&usage_violation::RULE, "is signed with an SSH certificate that names nobody"));
    }
    let mut found: Option<Arc<Person>> = None;
    for principal in principals {
        let mut persons = Vec::new();
        if let Ok(id) = PersonId::new(principal) {
            persons.extend(context.keyring.person(&id).map_err(unreadable)?);
        }
        if let Ok(email) = Email::new(principal) {
            for id in context.keyring.by_email(&email).map_err(unreadable)? {
                persons.push(context.person(&id)?);
            }
            persons.retain(|person| person.id.as_str() == *principal || person.has_email(email.as_str(), context.now));
        }
        for person in persons {
            if found.as_ref().is_some_and(|found| found.id != person.id) {
                let reason = "is signed with an SSH certificate that names two persons";
                return Err(Problem::new(&identity_mismatch::RULE, reason).next(super::ASK_FOR_KEY));
            }
            found = Some(person);
        }
    }
    found.ok_or_else(|| {
        let shown: Vec<String> = principals.iter().take(3).map(|name| crate::text::shown(name, 40)).collect();
        let reason = format!("is signed with an SSH certificate for {}, who is not registered", shown.join(", "));
        Problem::new(&unknown_key::RULE, reason)
    })
}
