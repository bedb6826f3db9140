//! One delivery at work in the registry: persons are found, events pass the brake, hints are settled, and the delivery is
//! remembered. All of it is one change.

use super::config::{PersonIdFrom, Strangers, Webhook};
use super::notice::{Notice, Said, Unreadable, Word};
use super::proof::{TOLERANCE, Verified};
use super::standard;
use crate::brake::{Limits, Origin};
use crate::door::{Door, Refused};
use crate::event::{Claim, Event};
use crate::fold::fold;
use crate::hint::{self, Hint, Settled};
use crate::intake::{self, NotTaken, Offer};
use axum::body::Bytes;
use countersign_policy::id::{Account, PersonId, Source};
use countersign_policy::keyring::Lifecycle;
use countersign_policy::time::Time;
use countersign_registry::{DeliveryRow, HintRow, StoreError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a delivery is remembered. Standard Webhooks advises senders to repeat for about three days, Personio does
/// for three, Gusto's sixteen attempts take days; a week is longer than all of them.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// What a delivery holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// An event of ours, to be read when it is received.
    Event(Bytes),
    Notice(Notice),
}

/// A delivery that is its sender's.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub verified: Verified,
    pub content: Content,
    /// Of the raw body.
    pub sha256: String,
}

impl Delivery {
    pub fn new(verified: Verified, content: Content, body: &[u8]) -> Self {
        Delivery { verified, content, sha256: hex::encode(Sha256::digest(body)) }
    }

    /// The sender's name of it. Otherwise its content is its name: with the signed time where the body has none, and
    /// with the time of its receipt, so coarse that repetitions meet, where nothing has one.
    fn id(&self, now: Time) -> String {
        let (own, dated) = match &self.content {
            Content::Event(_) => (None, true),
            Content::Notice(notice) => (notice.id.as_ref(), notice.dated),
        };
        let digest = &self.sha256;
        match (self.verified.id.as_ref().or(own), dated, self.verified.signed_at) {
            (Some(id), ..) => id.clone(),
            (None, true, _) => digest.clone(),
            (None, false, Some(signed_at)) => format!("{digest}-{}", signed_at.unix_seconds()),
            (None, false, None) => {
                let span = i64::try_from(TOLERANCE.as_secs()).unwrap_or(i64::MAX);
                format!("{digest}-{}", now.unix_seconds().div_euclid(span))
            }
        }
    }

    fn restores(&self) -> bool {
        match &self.content {
            // Events are remembered themselves.
            Content::Event(_) => false,
            Content::Notice(notice) => notice.said.iter().any(|said| said.word.restores()),
        }
    }
}

/// What became of a delivery, durable once the change is committed.
#[derive(Debug)]
pub enum Outcome {
    /// Everything that it says holds now.
    Taken { events: usize, settled: Settled },
    /// It was taken before, or tells nothing that the registry does not know.
    Unchanged(&'static str),
    /// The brake staged it; the sender asks again until two people decided.
    Held(String),
    /// It ends the access of people whom nobody here knows; the others' was ended.
    Strangers(Vec<String>),
}

/// Why nothing of a delivery was kept.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("a delivery of this id was taken already, and said something else")]
    OtherContent,
    #[error("two people rejected this: keyring-sync kill or undo is for whoever knows better")]
    Rejected,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Door(Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotTaken> for Refusal {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Store(fault) => Refusal::Store(fault),
            other => Refusal::Store(StoreError::Damaged(other.to_string())),
        }
    }
}

/// Where a delivery is at work.
pub struct Task<'t> {
    pub source: &'t Source,
    pub settings: &'t Webhook,
    pub limits: &'t Limits,
}

impl Task<'_> {
    pub fn deliver(&self, door: &mut Door<'_>, delivery: &Delivery) -> Result<Outcome, Refusal> {
        let now = door.now();
        let id = delivery.id(now);
        if let Some(known) = door.tables().delivery(self.source, &id)? {
            return match known.sha256 == delivery.sha256 {
                true => Ok(Outcome::Unchanged("it was taken before")),
                false => Err(Refusal::OtherContent),
            };
        }
        let mut strangers = Vec::new();
        let events = match &delivery.content {
            Content::Event(body) => vec![standard::event(body, &id, self.source, now)?],
            Content::Notice(notice) => self.events(door, notice, &id, &mut strangers)?,
        };
        for event in &events {
            if door.tables().was_rejected(self.source, &event.id)? {
                return Err(Refusal::Rejected);
            }
        }
        let touched: BTreeSet<PersonId> = events.iter().map(|event| event.person.clone()).collect();
        let offers = events.into_iter().map(|event| Offer { event, origin: Origin::Said }).collect();
        let taken = intake::take(door, self.source, offers, self.limits)?;
        if let Some(problem) = taken.problems.into_iter().next() {
            return Err(Refusal::Door(problem.refused));
        }
        let mut settled = Settled::default();
        for person in &touched {
            let hints = self.hints_of(door, person)?;
            let one = hint::settle(door, self.source, &hints, &[person.clone()].into())?;
            settled.confirmed.extend(one.confirmed);
            settled.refuted.extend(one.refuted);
        }
        if let Some(held) = taken.staged.into_iter().next() {
            return Ok(Outcome::Held(held.cause));
        }
        match self.settings.strangers {
            Strangers::Refuse if !strangers.is_empty() => return Ok(Outcome::Strangers(strangers)),
            Strangers::Ignore if !strangers.is_empty() => {
                tracing::info!(source = %self.source, people = strangers.len(), "an end of people whom nobody here knows");
            }
            Strangers::Refuse | Strangers::Ignore => {}
        }
        door.tables().prune_deliveries(now.minus(REMEMBERED))?;
        door.tables().add_delivery(&DeliveryRow {
            source: self.source.clone(),
            id,
            sha256: delivery.sha256.clone(),
            restores: delivery.restores(),
            received_at: now,
        })?;
        match taken.events.len() {
            0 if !strangers.is_empty() => Ok(Outcome::Unchanged("nobody here is called so")),
            0 => Ok(Outcome::Unchanged("it changes nobody's access")),
            events => Ok(Outcome::Taken { events, settled }),
        }
    }

    fn hints_of(&self, door: &Door<'_>, person: &PersonId) -> Result<Vec<HintRow>, StoreError> {
        let mut hints = door.tables().standing_hints_of(person)?;
        hints.retain(|row| &row.hint.source == self.source);
        Ok(hints)
    }

    /// The events that a notice amounts to. Who is unknown goes to `strangers` where the word may be of their end; nobody
    /// is hired by a hint.
    fn events(
        &self,
        door: &Door<'_>,
        notice: &Notice,
        id: &str,
        strangers: &mut Vec<String>,
    ) -> Result<Vec<Event>, Refusal> {
        let mut events = Vec::new();
        for (number, said) in notice.said.iter().enumerate() {
            match self.person(door, &said.employee)? {
                Some(person) => {
                    let about = About::new(self, door, person, said, format!("{id}-{number}"))?;
                    for event in about.events()? {
                        // Taken when it came before, with what was held back or unknown beside it.
                        if door.tables().event(self.source, &event.id)?.is_none() {
                            events.push(event);
                        }
                    }
                }
                None if said.word.restores() => {}
                None => strangers.push(said.employee.clone()),
            }
        }
        Ok(events)
    }

    /// Whom the sender means by the id of an employee.
    fn person(&self, door: &Door<'_>, employee: &str) -> Result<Option<PersonId>, StoreError> {
        match self.settings.person_id {
            PersonIdFrom::EmployeeId | PersonIdFrom::EmployeeNumber => {
                let Ok(id) = PersonId::new(&format!("{}{employee}", self.settings.prefix)) else { return Ok(None) };
                Ok(door.exists(&id)?.then_some(id))
            }
            PersonIdFrom::Account => {
                let Ok(account) = Account::new(&format!("{}:{employee}", self.source)) else { return Ok(None) };
                for id in door.tables().claimants_of_account(&account)? {
                    let accounts = door.person(&id)?.accounts;
                    if accounts.iter().any(|held| held.value == account && held.span.contains(door.now())) {
                        return Ok(Some(id));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// What is known of the person that one word is about.
struct About<'t> {
    source: &'t Source,
    person: PersonId,
    word: Word,
    said: &'t str,
    /// When it counts as said: as the sender says, and otherwise now, after whatever the source said before.
    at: Time,
    now: Time,
    /// What the ids of its events begin with.
    id: String,
    state: Lifecycle,
    killed: bool,
    /// Whether its own words end the person's employment.
    ended: bool,
    /// Whether the source said later that the person stays or came back.
    outdated: bool,
    /// What the source hinted at before it.
    hints: Vec<(HintRow, Event)>,
}

impl<'t> About<'t> {
    fn new(
        task: &Task<'t>,
        door: &Door<'_>,
        person: PersonId,
        said: &'t Said,
        id: String,
    ) -> Result<Self, StoreError> {
        let now = door.now();
        let mut own = door.events_of(&person)?;
        own.retain(|event| &event.source == task.source);
        let after = own.iter().map(|event| event.asserted_at.plus(Duration::from_millis(1))).max();
        let at = said.at.map_or_else(|| after.map_or(now, |after| after.max(now)), |at| at.min(now));
        let returns = |event: &Event| {
            matches!(event.claim, Claim::TerminationCancelled | Claim::Reinstated | Claim::Rehired(_))
        };
        let outdated = own.iter().any(|event| returns(event) && event.asserted_at > at);
        let hints = task.hints_of(door, &person)?;
        let hints = hints.into_iter().filter_map(|row| {
            let event = own.iter().find(|event| event.id == row.hint.event)?;
            (event.asserted_at < at).then(|| (row, event.clone()))
        });
        let hints = hints.collect();
        let ended = fold(&person, &own, &BTreeMap::new()).state(at) == Lifecycle::Terminated;
        Ok(About {
            source: task.source,
            word: said.word,
            said: &said.said,
            at,
            now,
            id,
            state: door.person(&person)?.state(now),
            killed: door.is_killed_for_good(&person)?,
            ended,
            outdated,
            hints,
            person,
        })
    }

    fn events(&self) -> Result<Vec<Event>, Refusal> {
        match self.word {
            // Nothing is left to end, and a hint would stay open for ever.
            Word::Left | Word::CutOff if self.state == Lifecycle::Terminated => Ok(Vec::new()),
            // It was on its way while the newer word came.
            Word::Left if self.outdated => Ok(Vec::new()),
            Word::Left | Word::CutOff => self.suspended(),
            Word::Stays => self.retracted(),
            Word::Cancelled => {
                let mut events = self.retracted()?;
                events.push(self.event("c", "termination_cancelled", self.at, json!({"reason": self.said}))?);
                Ok(events)
            }
            Word::CameBack => self.rehired(),
        }
    }

    fn suspended(&self) -> Result<Vec<Event>, Refusal> {
        let hint = Hint { said: self.said.to_owned(), at_once: self.word == Word::CutOff };
        let reason = format!("{}: an unconfirmed hint", self.said);
        Ok(vec![self.event("s", "suspended", self.at, json!({"reason": reason, "hint": hint}))?])
    }

    /// Takes back the suspensions that rest on hints, and no other.
    fn retracted(&self) -> Result<Vec<Event>, Refusal> {
        let each = self.hints.iter().enumerate();
        each.map(|(number, (row, _))| {
            let data = json!({"event": row.hint.event, "reason": self.said});
            self.event(&format!("r{number}"), "retracted", self.at, data)
        })
        .collect()
    }

    /// A new engagement after the one that the source itself ended, or hinted that it did: that hint is true, so the old
    /// keys do not come back. Whoever an operator killed only an operator brings back.
    fn rehired(&self) -> Result<Vec<Event>, Refusal> {
        if self.killed || !self.ended && self.hints.is_empty() {
            return Ok(Vec::new());
        }
        let mut events = Vec::new();
        if let (false, Some((row, suspension))) = (self.ended, self.hints.first()) {
            let reason = format!("{}: true, as {} shows", row.hint.said, self.said);
            events.push(self.event("t", "terminated", suspension.asserted_at, json!({"reason": reason}))?);
        }
        events.push(self.event("h", "rehired", self.at, json!({"reason": self.said}))?);
        Ok(events)
    }

    fn event(&self, mark: &str, kind: &str, at: Time, data: Value) -> Result<Event, Refusal> {
        let line = json!({
            "id": format!("{}{mark}", self.id), "source": self.source, "person": self.person, "type": kind,
            "effective_at": at, "asserted_at": at, "data": data,
        });
        let heard = self.at.max(self.now);
        let event = Event::parse(&line.to_string(), heard).map_err(|error| StoreError::Damaged(error.to_string()));
        Ok(event?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(notice: Notice, verified: Verified, body: &[u8], now: i64) -> String {
        Delivery::new(verified, Content::Notice(notice), body).id(Time::from_unix_seconds(now))
    }

    fn notice(id: Option<&str>, dated: bool) -> Notice {
        Notice::new(id.map(str::to_owned), dated, Vec::new()).unwrap()
    }

    #[test]
    fn a_repeated_delivery_has_the_same_name_and_another_has_another() {
        let unsigned = Verified::default;
        let signed = |at: i64| Verified { id: None, signed_at: Some(Time::from_unix_seconds(at)) };
        assert_eq!(id(notice(Some("u1"), true), signed(7), b"a", 0), "u1");
        assert_eq!(id(notice(Some("u1"), true), Verified { id: Some("m1".into()), signed_at: None }, b"a", 0), "m1");
        // The body says when: it is the same one however often it is signed anew.
        assert_eq!(id(notice(None, true), signed(7), b"a", 0), id(notice(None, true), signed(8), b"a", 9999));
        assert_ne!(id(notice(None, true), unsigned(), b"a", 0), id(notice(None, true), unsigned(), b"b", 0));
        // It does not: what was signed later is said anew.
        assert_eq!(id(notice(None, false), signed(7), b"a", 0), id(notice(None, false), signed(7), b"a", 9999));
        assert_ne!(id(notice(None, false), signed(7), b"a", 0), id(notice(None, false), signed(8), b"a", 0));
        // Nothing says when: repetitions are those within five minutes.
        assert_eq!(id(notice(None, false), unsigned(), b"a", 300), id(notice(None, false), unsigned(), b"a", 599));
        assert_ne!(id(notice(None, false), unsigned(), b"a", 599), id(notice(None, false), unsigned(), b"a", 600));
    }
}
