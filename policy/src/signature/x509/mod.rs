//! X.509 certificates and CMS signatures, as `gpgsm` makes them for git.
//!
//! Two verifiers that share no code have to agree: the one in this folder, and `gpgsm` behind
//! [`CmsOracle`]. Each refuses things that the other lets pass.

mod certificate;
mod chain;
mod message;
mod names;
mod oracle;
mod registration;
mod revocation;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod wire;

pub use certificate::serial_number;
pub use oracle::{CmsAnswer, CmsOracle, CmsQuestion, Opinion, Unavailable};
pub use registration::{register, register_root};
pub use revocation::{LISTS_BYTES_MAX, LISTS_MAX, RevocationLists};

use super::armor::{self, Label};
use super::payload::Payload;
use super::{Context, Format, SignedBy, broken_keyring, unknown, unreadable};
use crate::duration::Period;
use crate::id::{Email, Fingerprint, KeyHandle};
use crate::keyring::{Authorities, Material, Person};
use crate::rule::weak_algorithm;
use crate::rule::{bad_signature, identity_mismatch, key_expired, key_not_yet_valid, key_revoked, malformed_signature};
use crate::rule::{revocation_unknown, time_skew, unknown_key, untrusted_chain, usage_violation, verifier_unavailable};
use crate::text::shown;
use crate::verdict::Problem;
use certificate::Certificate;
use chain::{Chain, Root};
use message::Message;
use revocation::Standing;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// The part of the policy that speaks of X.509.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct X509Settings {
    pub identity: Identity,
    /// Folder of revocation lists, `*.crl` in DER or PEM, that the operator keeps fresh. With it, every
    /// certificate below a root needs a list; without it, revocation comes from the registry alone.
    pub crls: Option<PathBuf>,
    /// How long after its issue a list is believed, however late its `nextUpdate`.
    pub crl_max_age: Period,
}

/// What names the person behind a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// The certificate is registered to them.
    #[default]
    Registered,
    /// Or else the one `rfc822Name` of the certificate is an address they hold now.
    San,
}

impl Default for X509Settings {
    fn default() -> Self {
        // A list says itself until when it holds (`nextUpdate`): offline roots publish twice a year.
        X509Settings { identity: Identity::default(), crls: None, crl_max_age: Period::seconds(366 * 86_400) }
    }
}

/// Who signed `payload`, by an armoured CMS signature.
///
/// The registry names the person before any public-key operation. `oracle` is asked last, when
/// nothing that was found here speaks against the signature itself.
pub fn verify(
    payload: &Payload<'_>,
    signature: &[u8],
    context: &Context<'_>,
    settings: &X509Settings,
    oracle: &dyn CmsOracle,
) -> Result<SignedBy, Problem> {
    let bytes = armor::decode(signature, Label::X509)?;
    let message = Message::parse(&bytes)?;
    let leaf = &message.signer;
    let name = Fingerprint::new(&leaf.fingerprint_text())
        .map_err(|_| Problem::new(&malformed_signature::RULE, "is signed with an X.509 certificate without a name"))?;
    let person = signer(leaf, &name, context, settings)?;
    let blame = |problem: Problem| problem.of(&person.id).with_key(&name);

    check_message(&message, payload, context).map_err(blame)?;
    let key = check_leaf(leaf, context).map_err(blame)?;
    let authorities = context.keyring.authorities().map_err(unreadable)?;
    let roots = roots(&authorities, context)?;
    let chain = chain::find(leaf, &message.others, &roots, context.now).map_err(|reason| {
        blame(Problem::new(
            &untrusted_chain::RULE,
            format!("is signed with a certificate that is not trusted: {reason}"),
        ))
    })?;
    if !message.is_signed_by(key) {
        return Err(blame(Problem::new(
            &bad_signature::RULE,
            "has an X.509 signature that its certificate did not make",
        )));
    }
    let expired = chain.expired(context.now).next();
    ask(oracle, payload, &bytes, leaf, &roots, context, expired.is_some()).map_err(blame)?;

    let mut signed =
        SignedBy::new(person.clone(), name.clone(), Format::X509).under(chain.root.authority.fingerprint.clone());
    if let Some(time) = message.signing_time {
        signed = signed.at(time);
    }
    if let Some(key) = person.key(&name) {
        signed.judge(key, context.now);
    }
    let authority = chain.root.authority;
    signed.judge_marks("comes from an authority that ", authority.retired, authority.compromised, context.now);
    signed.until(chain.next_end(context.now));
    for certificate in chain.expired(context.now) {
        let on = certificate.not_after().date();
        if certificate.der == leaf.der {
            signed.found(&key_expired::RULE, format_args!("expired on {on}"));
        } else {
            let authority = certificate.shown_subject();
            signed.found(&key_expired::RULE, format_args!("comes from {authority}, which expired on {on}"));
        }
    }
    if settings.crls.is_some() {
        judge_revocation(&mut signed, &chain, context, settings, oracle)?;
    }
    Ok(signed)
}

/// Whether the key of a certificate that the person holds signed `payload`. Whose word the certificate rests on is
/// not asked: it shows possession, and admits no commit.
pub(super) fn possession(
    payload: &Payload<'_>,
    signature: &[u8],
    label: Label,
    context: &Context<'_>,
) -> Result<SignedBy, Problem> {
    let bytes = armor::decode(signature, label)?;
    let message = Message::parse(&bytes)?;
    let leaf = &message.signer;
    let name = Fingerprint::new(&leaf.fingerprint_text())
        .map_err(|_| Problem::new(&malformed_signature::RULE, "is signed with an X.509 certificate without a name"))?;
    let person = signer(leaf, &name, context, &X509Settings::default())?;
    check_message(&message, payload, context)?;
    let key = check_leaf(leaf, context)?;
    if !message.is_signed_by(key) {
        return Err(Problem::new(&bad_signature::RULE, "has an X.509 signature that its certificate did not make"));
    }
    let mut signed = SignedBy::new(person.clone(), name.clone(), Format::X509);
    if let Some(key) = person.key(&name) {
        signed.judge(key, context.now);
    }
    if leaf.not_after() <= context.now {
        signed.found(&key_expired::RULE, format_args!("expired on {}", leaf.not_after().date()));
    }
    Ok(signed)
}

/// The person behind the certificate. A registered certificate speaks for its holder and nobody else.
fn signer(
    leaf: &Certificate,
    name: &Fingerprint,
    context: &Context<'_>,
    settings: &X509Settings,
) -> Result<Arc<Person>, Problem> {
    if let Some(holder) = context.holder(&KeyHandle::X509(name.clone()))? {
        if holder.key(name).is_none() {
            return Err(broken_keyring("a holder does not have the key"));
        }
        return Ok(holder);
    }
    if settings.identity == Identity::Registered {
        return Err(unknown(Format::X509, name.as_str()));
    }
    let mismatch =
        |reason: String| Problem::new(&identity_mismatch::RULE, reason).next(super::ASK_FOR_KEY).with_key(name);
    // One person, whose every address it is: a certificate speaks for nobody else besides.
    let mut found: Option<Arc<Person>> = None;
    let mut foreign = None;
    for email in leaf.emails() {
        let mut holders = Vec::new();
        if let Ok(address) = Email::new(email) {
            for id in context.keyring.by_email(&address).map_err(unreadable)? {
                holders.push(context.person(&id)?);
            }
            holders.retain(|person| person.has_email(address.as_str(), context.now));
        }
        if holders.is_empty() {
            foreign = Some(email);
        }
        for person in holders {
            if found.as_ref().is_some_and(|found| found.id != person.id) {
                return Err(mismatch("is signed with a certificate that names two persons".to_owned()));
            }
            found = Some(person);
        }
    }
    match (found, foreign) {
        (Some(person), None) => Ok(person),
        (Some(person), Some(email)) => Err(mismatch(format!(
            "is signed with a certificate that names {}, which is not an address of {}",
            shown(email, 80),
            person.id
        ))),
        (None, Some(email)) => {
            let email = shown(email, 80);
            let reason = format!("is signed with a certificate for {email}, an address that nobody holds");
            Err(Problem::new(&unknown_key::RULE, reason).with_key(name))
        }
        (None, None) => Err(mismatch("is signed with a certificate that names no e-mail address".to_owned())),
    }
}

fn check_message(message: &Message, payload: &Payload<'_>, context: &Context<'_>) -> Result<(), Problem> {
    if !context.settings.takes_hash(message.digest) {
        let reason = "is signed over a digest that the policy does not take";
        return Err(Problem::new(&weak_algorithm::RULE, reason));
    }
    if message.digest.of(payload.parts()).as_ref() != message.message_digest {
        return Err(Problem::new(&bad_signature::RULE, "has an X.509 signature over something else"));
    }
    match message.signing_time.filter(|time| *time > context.settings.latest(context.now)) {
        Some(time) => {
            let reason = format!("has an X.509 signature dated {time}, which is still to come");
            Err(Problem::new(&time_skew::RULE, reason))
        }
        None => Ok(()),
    }
}

/// What the certificate says of itself; its key, if that is fit.
fn check_leaf<'a>(
    leaf: &'a Certificate,
    context: &Context<'_>,
) -> Result<&'a crate::signature::primitive::VerifyKey, Problem> {
    if let Some(reason) = leaf.usage_problem() {
        return Err(Problem::new(&usage_violation::RULE, format!("is signed with a certificate that {reason}")));
    }
    let key = leaf.key.as_ref().map_err(|reason| {
        Problem::new(&weak_algorithm::RULE, format!("is signed with a certificate for a weak key: {reason}"))
    })?;
    if let Some(problem) = context.settings.key_problem(key) {
        return Err(problem);
    }
    if let Some(reason) = leaf.scheme_problem() {
        let reason = format!("is signed with a certificate that its authority signed with {reason}");
        return Err(Problem::new(&weak_algorithm::RULE, reason));
    }
    if context.now < leaf.validity.from {
        let reason = format!("is signed with a certificate that is valid only from {}", leaf.validity.from);
        return Err(Problem::new(&key_not_yet_valid::RULE, reason));
    }
    Ok(key)
}

/// The registered roots. One that no longer parses is the registry's fault.
fn roots<'a>(authorities: &'a Authorities, context: &Context<'_>) -> Result<Vec<Root<'a>>, Problem> {
    let known = authorities.x509.iter().filter(|authority| authority.added <= context.now);
    known
        .map(|authority| {
            let Material::X509(material) = &authority.material else {
                return Err(broken_keyring("an X.509 authority is no certificate"));
            };
            let certificate = Certificate::parse(&material.der)
                .map_err(|_| broken_keyring("an X.509 authority is no certificate"))?;
            Ok(Root { authority, certificate })
        })
        .collect()
}

/// The second opinion. It may say "expired" where an expired certificate was found here as well.
fn ask(
    oracle: &dyn CmsOracle,
    payload: &Payload<'_>,
    signature: &[u8],
    leaf: &Certificate,
    roots: &[Root<'_>],
    context: &Context<'_>,
    may_be_expired: bool,
) -> Result<(), Problem> {
    let roots: Vec<&[u8]> = roots.iter().map(|root| root.certificate.der.as_slice()).collect();
    let question = CmsQuestion { payload: *payload, signature, roots: &roots, now: context.now };
    let answer = oracle.check(&question).map_err(unavailable)?;
    match answer.opinion {
        Opinion::Good => {}
        Opinion::Expired if may_be_expired => {}
        Opinion::Expired => {
            return Err(Problem::new(
                &untrusted_chain::RULE,
                "is signed with a certificate that gpgsm holds for expired",
            ));
        }
        Opinion::Refused(reason) => {
            let reason = format!("is signed with a certificate that gpgsm does not accept: {}", shown(&reason, 120));
            return Err(Problem::new(&untrusted_chain::RULE, reason));
        }
    }
    // Both must have looked at one certificate.
    if oracle::sha1_hex(&leaf.der).is_none_or(|name| !name.eq_ignore_ascii_case(&answer.signer_sha1)) {
        return Err(Problem::new(&untrusted_chain::RULE, "is signed with a certificate that gpgsm takes for another"));
    }
    Ok(())
}

fn unavailable(error: Unavailable) -> Problem {
    Problem::new(&verifier_unavailable::RULE, "has an X.509 signature that could not be checked")
        .detail(error.to_string())
}

fn judge_revocation(
    signed: &mut SignedBy,
    chain: &Chain<'_>,
    context: &Context<'_>,
    settings: &X509Settings,
    oracle: &dyn CmsOracle,
) -> Result<(), Problem> {
    let lists = oracle.revocation_lists().map_err(|error| {
        Problem::new(&revocation_unknown::RULE, "is signed with a certificate that may be revoked")
            .detail(error.to_string())
    })?;
    match lists.standing(chain, context.now, settings.crl_max_age.get()) {
        Standing::Good => {}
        Standing::Revoked(what) => signed.found(&key_revoked::RULE, what),
        Standing::Unknown(why) => signed.found(&revocation_unknown::RULE, format_args!("may be revoked: {why}")),
    }
    Ok(())
}
