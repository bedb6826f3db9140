//! Payload, signature and keyring in, the proof of who signed out.
//!
//! The registry is asked before any public-key operation, so that nobody unknown chooses its cost,
//! and identity comes only from the registry entry whose key verified. Whether the person may sign
//! today is for the rules; whether the key may is judged here.

pub(crate) mod armor;
mod ed25519;
mod oid;
pub mod openpgp;
pub mod payload;
pub mod possession;
pub mod primitive;
pub mod registration;
pub mod settings;
pub mod ssh;
mod ssh_certificate;
pub(crate) mod ssh_wire;
#[cfg(test)]
pub(crate) mod tests;
pub mod together;
pub mod x509;

use crate::id::{Fingerprint, KeyHandle, PersonId};
use crate::keyring::{Compromised, Key, Keyring, KeyringError, Person, RetireReason, Retired};
use crate::rule::{Rule, format_not_allowed, key_compromised, key_not_yet_valid, key_revoked};
use crate::rule::{keyring_unreadable, limit_exceeded, unknown_key};
use crate::time::Time;
use crate::verdict::Problem;
use armor::Label;
pub use payload::Payload;
use serde::{Deserialize, Serialize};
use settings::Settings;
use std::fmt;
use std::sync::Arc;
use together::Checks;

/// Bytes of a signature block. An RSA-8192 certificate chain needs a tenth of it.
pub const MAX_SIGNATURE: usize = 128 * 1024;

/// Registered keys that share one 64-bit OpenPGP key id. A collision can be made, a crowd of them
/// would only cost time.
const MAX_CANDIDATES: usize = 4;

/// The next step where a key or certificate itself names somebody else.
const ASK_FOR_KEY: &str = "ask whoever looks after keys in your company for one that names you alone";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    #[serde(rename = "openpgp")]
    OpenPgp,
    Ssh,
    SshCertificate,
    X509,
}

impl Format {
    /// How people call what made such a signature.
    pub fn signer(self) -> &'static str {
        match self {
            Format::OpenPgp => "OpenPGP key",
            Format::Ssh => "SSH key",
            Format::SshCertificate => "SSH certificate",
            Format::X509 => "X.509 certificate",
        }
    }
}

/// What a signature is judged by.
pub struct Context<'a> {
    pub keyring: &'a dyn Keyring,
    pub settings: &'a Settings,
    /// The server's time of receipt.
    pub now: Time,
    pub x509: &'a dyn X509Verifier,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("epoch", &self.keyring.epoch()).field("now", &self.now).finish_non_exhaustive()
    }
}

/// Checks CMS signatures, for which a helper outside the core must be asked.
pub trait X509Verifier: Sync {
    fn verify(&self, payload: &Payload<'_>, signature: &[u8], context: &Context<'_>) -> Result<SignedBy, Problem>;
}

/// Who signed `payload`, if `signature` is exactly one signature by one registered key.
///
/// Anything else is a [`Problem`]. Findings about a key whose signature did verify are inside
/// [`SignedBy::problems`].
pub fn verify(payload: &Payload<'_>, signature: &[u8], context: &Context<'_>) -> Result<SignedBy, Problem> {
    verify_as(payload, signature, context, Checks::AT_ONCE)
}

/// As [`verify`], each signature checked when `checks` says.
pub(crate) fn verify_as(
    payload: &Payload<'_>,
    signature: &[u8],
    context: &Context<'_>,
    checks: Checks<'_>,
) -> Result<SignedBy, Problem> {
    if signature.len() > MAX_SIGNATURE {
        let reason = format!("has a signature of {} bytes; the limit is {MAX_SIGNATURE}", signature.len());
        return Err(Problem::new(&limit_exceeded::RULE, reason));
    }
    match armor::label(signature)? {
        Label::OpenPgp => {
            context.allows(Format::OpenPgp)?;
            openpgp::verify(payload, signature, context, checks)
        }
        Label::Ssh => ssh::verify(payload, signature, context, checks),
        Label::X509 | Label::Cms => {
            context.allows(Format::X509)?;
            context.x509.verify(payload, signature, context)
        }
    }
}

/// The proof that a registered key made a signature. Only this module and its formats make one.
#[derive(Clone, Debug)]
pub struct SignedBy {
    person: Arc<Person>,
    key: Fingerprint,
    format: Format,
    authority: Option<Fingerprint>,
    signed_at: Option<Time>,
    valid_until: Option<Time>,
    compromised_since: Option<Time>,
    problems: Vec<Problem>,
}

impl SignedBy {
    pub(crate) fn new(person: Arc<Person>, key: Fingerprint, format: Format) -> Self {
        SignedBy {
            person,
            key,
            format,
            authority: None,
            signed_at: None,
            valid_until: None,
            compromised_since: None,
            problems: Vec::new(),
        }
    }

    /// Who holds the key, whatever their state today.
    pub fn person(&self) -> &Arc<Person> {
        &self.person
    }

    /// The key as the registry calls it; of an SSH certificate, the key that it certifies.
    pub fn key(&self) -> &Fingerprint {
        &self.key
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// The authority on whose word the key is believed.
    pub fn authority(&self) -> Option<&Fingerprint> {
        self.authority.as_ref()
    }

    /// When the signature claims to have been made; SSH signatures do not say.
    pub fn signed_at(&self) -> Option<Time> {
        self.signed_at
    }

    /// When key, certificate or signature comes to its own end, if it has one.
    pub fn valid_until(&self) -> Option<Time> {
        self.valid_until
    }

    /// Since when the first of what the signature rests on is in other hands: [`Time::MIN`] where nobody knows.
    pub fn compromised_since(&self) -> Option<Time> {
        self.compromised_since
    }

    /// Whether both say the same of the same key, whenever each signature was made.
    pub fn is_like(&self, other: &SignedBy) -> bool {
        Arc::ptr_eq(&self.person, &other.person)
            && (self.format, self.valid_until, self.compromised_since)
                == (other.format, other.valid_until, other.compromised_since)
            && (&self.key, &self.authority) == (&other.key, &other.authority)
            && self.problems.is_empty()
            && other.problems.is_empty()
    }

    /// `SSH key SHA256:q3vT8w…`
    pub fn made_by(&self) -> String {
        format!("{} {}", self.format.signer(), self.key.short())
    }

    /// Why the key may not bring anything new in now, although its signature is good:
    /// expired, not yet valid, revoked, compromised, or the signature itself has expired.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(crate) fn under(mut self, authority: Fingerprint) -> Self {
        self.authority = Some(authority);
        self
    }

    pub(crate) fn at(mut self, time: Time) -> Self {
        self.signed_at = Some(time);
        self
    }

    /// Notes one end of what the signature rests on; the earliest counts.
    pub(crate) fn until(&mut self, end: Option<Time>) {
        self.valid_until = [self.valid_until, end].into_iter().flatten().min();
    }

    /// `what` follows "is signed with SSH key …, which".
    pub(crate) fn found(&mut self, rule: &'static Rule, what: impl fmt::Display) {
        let reason = format!("is signed with {}, which {what}", self.made_by());
        self.problems.push(Problem::new(rule, reason).of(&self.person.id).with_key(&self.key));
    }

    /// Adds what the registry says of the key at `now`.
    pub(crate) fn judge(&mut self, key: &Key, now: Time) {
        if key.added > now {
            self.found(&key_not_yet_valid::RULE, format_args!("is registered only from {}", key.added.date()));
        }
        self.judge_marks("", key.retired, key.compromised, now);
    }

    /// `whose` is empty for the key itself, else names what the marks are on.
    pub(crate) fn judge_marks(
        &mut self,
        whose: &str,
        retired: Option<Retired>,
        compromised: Option<Compromised>,
        now: Time,
    ) {
        if let Some(mark) = compromised.filter(|mark| mark.from <= now) {
            let since = mark.since.unwrap_or(Time::MIN);
            self.compromised_since = Some(self.compromised_since.map_or(since, |known| known.min(since)));
            match mark.since {
                Some(since) => {
                    let since = since.date();
                    self.found(&key_compromised::RULE, format_args!("{whose}is marked as compromised since {since}"));
                }
                None => self.found(&key_compromised::RULE, format_args!("{whose}is marked as compromised")),
            }
        }
        if let Some(mark) = retired.filter(|mark| mark.at <= now) {
            let on = mark.at.date();
            match mark.reason {
                RetireReason::Retired => self.found(&key_revoked::RULE, format_args!("{whose}was revoked on {on}")),
                RetireReason::Superseded => {
                    self.found(&key_revoked::RULE, format_args!("{whose}was revoked on {on}: another key replaces it"));
                }
            }
        }
    }
}

impl Context<'_> {
    pub(crate) fn allows(&self, format: Format) -> Result<(), Problem> {
        if self.settings.formats.contains(&format) {
            return Ok(());
        }
        let taken: Vec<&str> = self.settings.formats.iter().map(|format| format.signer()).collect();
        let reason = format!("is signed with an {}; this server takes only: {}", format.signer(), taken.join(", "));
        Err(Problem::new(&format_not_allowed::RULE, reason))
    }

    /// The persons one of whose keys goes by `handle`: none, one, or a few that share a key id.
    pub(crate) fn holders(&self, handle: &KeyHandle) -> Result<Vec<Arc<Person>>, Problem> {
        let ids = self.keyring.holders(handle).map_err(unreadable)?;
        if ids.len() > MAX_CANDIDATES {
            return Err(broken_keyring("it names too many holders of one key"));
        }
        ids.iter().map(|id| self.person(id)).collect()
    }

    /// The one person who holds the key, for handles that cannot collide.
    pub(crate) fn holder(&self, handle: &KeyHandle) -> Result<Option<Arc<Person>>, Problem> {
        let mut holders = self.holders(handle)?;
        let holder = holders.pop();
        if holders.is_empty() { Ok(holder) } else { Err(broken_keyring("it names two holders of one key")) }
    }

    fn person(&self, id: &PersonId) -> Result<Arc<Person>, Problem> {
        let person = self.keyring.person(id).map_err(unreadable)?;
        person.ok_or_else(|| broken_keyring("it names a holder it does not know"))
    }
}

pub(crate) fn unreadable(error: KeyringError) -> Problem {
    broken_keyring(&error.to_string())
}

pub(crate) fn broken_keyring(what: &str) -> Problem {
    let reason = format!("cannot be judged because the keyring is not readable: {what}");
    Problem::new(&keyring_unreadable::RULE, reason)
}

pub(crate) fn unknown(format: Format, name: &str) -> Problem {
    let reason = format!("is signed with {} {name}, which is not registered", format.signer());
    let problem = Problem::new(&unknown_key::RULE, reason);
    match Fingerprint::new(name) {
        Ok(key) => problem.with_key(&key),
        Err(_) => problem,
    }
}
