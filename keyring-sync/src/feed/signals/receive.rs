//! One verified token ─► what becomes of it, within a change: seen before, whom it names, what it does, on record.
//!
//! What it does is done whole or not at all, and what became of it is durable with it: who answers a transmitter
//! answers what is in the registry.

use super::config::Signals;
use super::event::{self, Certificate, Signal, Status};
use super::resolve::{self, Found};
use super::serial;
use super::set::Set;
use super::subject::{self, Subject};
use crate::brake::{Limits, Origin};
use crate::door::Door;
use crate::event::Event;
use crate::feed::scim::config::OnDelete;
use crate::intake::{self, NotTaken, Offer, Taken};
use countersign_policy::id::{Email, PersonId, Source};
use countersign_policy::keyring::{Key, Material};
use countersign_policy::signature::x509::serial_number;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::{SignalOutcome, SignalRow, StoreError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Characters kept of what is said of a token.
const DETAIL_MAX: usize = 600;

/// The error codes of RFC 8935, section 7.1, and `invalid_state` of Shared Signals 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidRequest,
    InvalidKey,
    InvalidIssuer,
    InvalidAudience,
    AuthenticationFailed,
    AccessDenied,
    InvalidState,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidRequest => "invalid_request",
            Code::InvalidKey => "invalid_key",
            Code::InvalidIssuer => "invalid_issuer",
            Code::InvalidAudience => "invalid_audience",
            Code::AuthenticationFailed => "authentication_failed",
            Code::AccessDenied => "access_denied",
            Code::InvalidState => "invalid_state",
        }
    }
}

/// Why a transmitter is told no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub description: String,
}

impl Refusal {
    pub fn new(code: Code, description: impl Into<String>) -> Self {
        Refusal { code, description: shown(&description.into(), DETAIL_MAX) }
    }
}

/// What the transmitter is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is durable, and need not come again.
    Taken,
    /// It was taken before.
    Known,
    Refused(Refusal),
    /// Two people have to decide; the transmitter keeps it meanwhile.
    Held(String),
}

/// What is to be done about a token, and what is to be written of it.
struct Deed {
    offers: Vec<Offer>,
    outcome: SignalOutcome,
    detail: String,
    review: Option<String>,
}

impl Deed {
    fn record(detail: impl Into<String>) -> Self {
        Deed { offers: Vec::new(), outcome: SignalOutcome::Recorded, detail: detail.into(), review: None }
    }

    fn apply(offers: Vec<Offer>, detail: impl Into<String>) -> Self {
        Deed { offers, outcome: SignalOutcome::Applied, detail: detail.into(), review: None }
    }

    fn review(self, review: String) -> Self {
        Deed { review: Some(review), ..self }
    }
}

/// A token at work inside a change.
struct Task<'t, 'r> {
    door: &'t mut Door<'r>,
    source: &'t Source,
    settings: &'t Signals,
    set: &'t Set,
    id: String,
}

/// Takes a token that was verified. `token` is it as it came.
pub fn receive(
    door: &mut Door<'_>,
    source: &Source,
    settings: &Signals,
    set: &Set,
    token: &str,
    limits: &Limits,
) -> Result<Answer, StoreError> {
    let id = name(source, set);
    let known = door.tables().signal(&id)?;
    if let Some(known) = &known {
        if known.digest != set.digest() {
            return Ok(Answer::Refused(Refusal::new(
                Code::InvalidRequest,
                "the token's `jti` was used before, for other claims",
            )));
        }
        if known.outcome.is_final() {
            return Ok(Answer::Known);
        }
    } else {
        door.tables().heard_source(source, door.now())?;
    }
    let mut row = SignalRow {
        id: id.clone(),
        source: source.clone(),
        issuer: set.issuer().to_owned(),
        jti: set.jti().to_owned(),
        digest: set.digest().to_owned(),
        kind: shown(set.event_type(), DETAIL_MAX),
        person: None,
        issued_at: set.issued_at(),
        received_at: door.now(),
        outcome: SignalOutcome::Recorded,
        detail: String::new(),
        token: None,
        review: None,
    };
    let mut task = Task { door, source, settings, set, id };
    let answer = match task.settle(&mut row, limits) {
        Ok(answer) => answer,
        Err(Undone::Store(fault)) => return Err(fault),
        Err(Undone::No(refusal)) => {
            (row.outcome, row.review) = (SignalOutcome::Refused, None);
            row.detail.clone_from(&refusal.description);
            Answer::Refused(refusal)
        }
    };
    row.detail = shown(&row.detail, DETAIL_MAX);
    // Evidence of what was done; what is only on record needs none.
    row.token = (row.outcome != SignalOutcome::Recorded || row.review.is_some()).then(|| token.to_owned());
    door.tables().put_signal(&row)?;
    Ok(answer)
}

/// What operators call a token: short, and the same whenever it comes.
fn name(source: &Source, set: &Set) -> String {
    let digest = Sha256::digest([source.as_str(), "\0", set.issuer(), "\0", set.jti()].concat());
    format!("set-{}", hex::encode(digest).get(..32).unwrap_or_default())
}

enum Undone {
    Store(StoreError),
    No(Refusal),
}

impl From<StoreError> for Undone {
    fn from(fault: StoreError) -> Self {
        Undone::Store(fault)
    }
}

fn no(description: impl Into<String>) -> Undone {
    Undone::No(Refusal::new(Code::InvalidRequest, description))
}

impl Task<'_, '_> {
    fn settle(&mut self, row: &mut SignalRow, limits: &Limits) -> Result<Answer, Undone> {
        let signal = event::parse(self.set.event_type(), self.set.event(), &self.settings.ignore);
        let signal = signal.map_err(|error| no(error.to_string()))?;
        if signal.is_of_the_stream() {
            row.detail = self.stream(&signal)?;
            return Ok(Answer::Taken);
        }
        let subject = match self.subject() {
            Ok(subject) => subject,
            // Of no consequence whoever it is about.
            Err(_) if signal == Signal::Irrelevant => return Ok(Answer::Taken),
            Err(refused) => return Err(refused),
        };
        let person = match resolve::person(self.door, self.settings, &subject)? {
            Found::Person(person) => person,
            Found::Several => return Err(no("the subject's identifiers are of several persons")),
            Found::Nobody(why) if signal.takes_away() => {
                return Err(no(format!("nothing was taken from anybody: {why}")));
            }
            Found::Nobody(why) => {
                row.detail = why;
                return Ok(Answer::Taken);
            }
        };
        let deed = self.deed(&signal, &person, &subject)?;
        row.person = Some(person.clone());
        (row.outcome, row.detail, row.review) = (deed.outcome, deed.detail, deed.review);
        let taken = self.take(self.not_done_yet(deed.offers)?, limits)?;
        if let Some(held) = taken.staged.first() {
            (row.outcome, row.review) = (SignalOutcome::Held, None);
            row.detail.clone_from(&held.cause);
            return Ok(Answer::Held(held.cause.clone()));
        }
        if signal.takes_away() && self.is_out_of_effect(&signal, &person)? {
            tracing::warn!(%person, source = %self.source, signal = self.id, "newer word stands against a security event");
            row.detail.push_str("; newer word stands, and the person is active");
        }
        Ok(Answer::Taken)
    }

    /// What two people approved since the token was held back is done already, and as of then.
    fn not_done_yet(&self, offers: Vec<Offer>) -> Result<Vec<Offer>, StoreError> {
        let mut new = Vec::new();
        for offer in offers {
            if self.door.tables().event(self.source, &offer.event.id)?.is_none() {
                new.push(offer);
            }
        }
        Ok(new)
    }

    /// A token that came late tells of a state that is over. It is on record, and its transmitter has nothing to add.
    fn is_out_of_effect(&self, signal: &Signal, person: &PersonId) -> Result<bool, StoreError> {
        let puts_out = matches!(signal, Signal::Disabled { .. } | Signal::Purged);
        Ok(puts_out && self.door.person(person)?.is_active(self.door.now()))
    }

    fn subject(&self) -> Result<Subject, Undone> {
        let within = self.set.event().get("subject").filter(|_| self.settings.subject_in_event);
        let read = match (self.set.subject(), within) {
            (Some(subject), None) => subject::parse(subject),
            (None, Some(Value::Object(subject))) => subject::parse_within_event(subject),
            (Some(_), Some(_)) => return Err(no("the token has two subjects")),
            (None, _) => return Err(no("the token has no subject: `sub_id` is missing")),
        };
        read.map_err(|error| no(error.to_string()))
    }

    /// What the transmitter says of the stream.
    fn stream(&self, signal: &Signal) -> Result<String, Undone> {
        let tables = self.door.tables();
        match signal {
            Signal::Verification { state } => {
                let asked = tables.source_life(self.source)?.and_then(|life| life.asked);
                if state.is_some() && *state != asked {
                    let description = "the verification's `state` is not the one that was asked for";
                    return Err(Undone::No(Refusal::new(Code::InvalidState, description)));
                }
                tables.verified_source(self.source, self.door.now())?;
                Ok("the stream works".to_owned())
            }
            Signal::StreamUpdated { status, reason } => {
                let why = reason.as_deref().map_or(String::new(), |reason| format!(": {}", shown(reason, 160)));
                let told = format!("the transmitter says that the stream is {}{why}", status.as_str());
                let stopped = (*status != Status::Enabled).then_some(told.as_str());
                tables.stopped_source(self.source, stopped)?;
                Ok(told)
            }
            _ => Ok(String::new()),
        }
    }

    fn deed(&self, signal: &Signal, person: &PersonId, subject: &Subject) -> Result<Deed, Undone> {
        let said = self.set.issued_at().min(self.door.now());
        Ok(match signal {
            Signal::Disabled { hijacked: false } => {
                Deed::apply(vec![self.offer(0, person, "suspended", json!({}), said)?], "suspended")
            }
            // From when it is heard: what was said of the account before says nothing of who holds it now.
            Signal::Disabled { hijacked: true } => {
                let offers = vec![self.offer(0, person, "suspended", json!({}), self.door.now())?];
                Deed::apply(offers, "suspended: the account was hijacked").review(self.look_at_keys(person))
            }
            Signal::Enabled => self.enabled(person, said)?,
            Signal::Purged => {
                let (kind, past) = match self.settings.on_delete {
                    OnDelete::Terminate => ("terminated", "terminated"),
                    OnDelete::Suspend => ("suspended", "suspended"),
                };
                Deed::apply(vec![self.offer(0, person, kind, json!({}), said)?], past)
            }
            Signal::CertificateEnded { which, compromised } => self.certificates(person, which, *compromised, said)?,
            Signal::CredentialCompromised { kind } => {
                let kind = shown(kind, 60);
                Deed::record(format!("a credential fell into other hands: {kind}")).review(self.look_at_keys(person))
            }
            Signal::SessionRevoked => Deed::record("a session ended; nobody loses access here by that"),
            Signal::IdentifierChanged { new } => self.address(person, resolve::email(subject), new.as_deref())?,
            Signal::IdentifierRecycled => self.address(person, resolve::email(subject), None)?,
            Signal::Noticed { active: true } => {
                let review = format!(
                    "the transmitter told that `active` of {person} changed, and not how: look there, and say here what \
                     is so; then keyring-sync signals settle {}",
                    self.id
                );
                Deed::record("something changed, `active` among it").review(review)
            }
            Signal::Noticed { active: false } => Deed::record("something else than `active` changed"),
            Signal::Verification { .. } | Signal::StreamUpdated { .. } | Signal::Irrelevant => {
                Deed::record("of no consequence here")
            }
        })
    }

    fn enabled(&self, person: &PersonId, said: Time) -> Result<Deed, Undone> {
        if let Some(open) = self.door.tables().open_reviews_of(self.source, person)?.first() {
            let detail = format!("not let back in: {} has to be looked at first", open.id);
            return Ok(Deed { outcome: SignalOutcome::Withheld, ..Deed::record(detail) });
        }
        // Whatever HR or another provider said stays.
        let offers = vec![self.offer(0, person, "reinstated", json!({"own": true}), said)?];
        Ok(Deed::apply(offers, "this source no longer suspends the person"))
    }

    fn look_at_keys(&self, person: &PersonId) -> String {
        format!(
            "look at the keys of {person} (keyring-sync person show {person}); for each that may be in other hands \
             keyring-sync key revoke FINGERPRINT --reason compromised --since TIME; then keyring-sync signals settle {}",
            self.id
        )
    }

    /// Certificates are distrusted from now on; how far back is for an operator to say, since it is never taken back.
    fn certificates(
        &self,
        person: &PersonId,
        which: &Certificate,
        compromised: bool,
        said: Time,
    ) -> Result<Deed, Undone> {
        let meant = |key: &&Key| match (&key.material, which) {
            (Material::X509(_), Certificate::All) => true,
            (Material::X509(held), Certificate::Serial(text)) => {
                serial_number(&held.der).is_some_and(|number| serial::is_called(&number, text))
            }
            _ => false,
        };
        let holder = self.door.person(person)?;
        let in_use = |key: &&Key| key.retired.is_none_or(|retired| retired.at > self.door.now());
        let keys: Vec<&Key> = holder.keys.iter().filter(meant).filter(in_use).collect();
        let mut offers = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            let data = json!({"fingerprint": key.fingerprint});
            offers.push(self.offer(number, person, "key_retired", data, said)?);
        }
        let names: Vec<&str> = keys.iter().map(|key| key.fingerprint.as_str()).collect();
        let deed = match names.as_slice() {
            [] => Deed::record("no certificate that is in use here"),
            names => Deed::apply(offers, format!("retired {}", names.join(", "))),
        };
        Ok(if compromised { deed.review(self.look_at_keys(person)) } else { deed })
    }

    /// The person's address moves, or is theirs no longer. As of now: it is what they have now that is changed.
    fn address(&self, person: &PersonId, old: Option<&Email>, new: Option<&str>) -> Result<Deed, Undone> {
        let Some(old) = old else { return Ok(Deed::record("not an e-mail address: of no consequence here")) };
        let new = new.map(|new| Email::new(new).map_err(|_| no("the event's `new-value` is no e-mail address")));
        let (new, now) = (new.transpose()?, self.door.now());
        let holder = self.door.person(person)?;
        let held = holder.emails.iter().filter(|held| held.span.contains(now)).map(|held| &held.value);
        let mut emails: Vec<&Email> = held.collect();
        if !emails.contains(&old) {
            return Ok(Deed::record("the person does not have the address any more"));
        }
        emails.retain(|email| *email != old && Some(*email) != new.as_ref());
        emails.extend(new.as_ref());
        let offers = vec![self.offer(0, person, "renamed", json!({"emails": emails}), now)?];
        let detail = match new {
            Some(_) => "another address took the place of the former one",
            None => "the address is theirs no longer",
        };
        Ok(Deed::apply(offers, detail))
    }

    fn offer(
        &self,
        number: usize,
        person: &PersonId,
        kind: &str,
        data: Value,
        said: Time,
    ) -> Result<Offer, StoreError> {
        let mut data = data;
        crate::report::set(&mut data, "reason", json!(format!("security event {}", shown(self.set.event_type(), 120))));
        let id = if number == 0 { self.id.clone() } else { format!("{}-{number}", self.id) };
        let line = json!({
            "id": id, "source": self.source, "person": person, "type": kind, "effective_at": said, "asserted_at": said,
            "data": data,
        });
        let event = Event::parse(&line.to_string(), self.door.now())
            .map_err(|error| StoreError::Damaged(format!("event {id} of our own: {error}")))?;
        Ok(Offer { event, origin: Origin::Said })
    }

    /// All of it or nothing, but for what the brake stages.
    fn take(&mut self, offers: Vec<Offer>, limits: &Limits) -> Result<Taken, Undone> {
        let source = self.source;
        self.door.attempt(|door| {
            let taken = intake::take(door, source, offers, limits).map_err(|error| match error {
                NotTaken::Store(fault) => Undone::Store(fault),
                other => Undone::Store(StoreError::Damaged(other.to_string())),
            })?;
            match taken.problems.first() {
                Some(problem) => Err(no(problem.refused.to_string())),
                None => Ok(taken),
            }
        })
    }
}
