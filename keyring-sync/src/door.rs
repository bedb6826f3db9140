//! The door of the registry: every event passes it, whoever brings it.
//!
//! What the fold cannot see from one person's events is checked here: that persons exist, that a
//! key belongs to one of them for good, and that nobody takes an address that somebody else holds.

mod profile;

use crate::event::{Claim, Event, KeyName, KeyText, OPERATOR};
use crate::fold::{fold, is_killed_for_good, retracts};
use crate::keys::{KeyRefused, named, proven, register};
use crate::review::Late;
use crate::sources::Ranks;
use countersign_policy::id::{Fingerprint, PersonId, Source};
use countersign_policy::keyring::{Key, Person};
use countersign_policy::signature::registration::Registration;
use countersign_policy::time::Time;
use countersign_registry::{AuthorityMark, Change, KeyRow, Mark, Owner, Published, StoreError, Tables};
use profile::ends_after;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Why an event is not taken, or why that could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("unknown person {0}")]
    UnknownPerson(PersonId),
    #[error("unknown owner {0}")]
    UnknownOwner(PersonId),
    #[error("{0} cannot own themselves: a service account is owned by a human")]
    OwnOwner(PersonId),
    #[error("{0} is an account and can own none: a service account is owned by a human")]
    OwnerNotHuman(PersonId),
    #[error("{0} owns the service account {1}, which is owned by a human: give it another owner first")]
    OwnsAccount(PersonId, PersonId),
    #[error("event {0} of {1} is known already, and says something else")]
    OtherContent(String, String),
    #[error(transparent)]
    Key(#[from] KeyRefused),
    #[error("key {0} belongs to {1}: a key belongs to one person, ever")]
    KeyOfAnother(String, String),
    #[error("key {0} was {1}: enrol a new key")]
    KeyEnded(Fingerprint, &'static str),
    #[error("key {0} stands in {1} already: a key has one certificate")]
    KeyOfAnotherCertificate(String, Fingerprint),
    #[error("`{0}` cannot be changed ahead of time: send it on the day it changes")]
    NotAhead(&'static str),
    #[error("{0} has no key {1}")]
    UnknownKey(PersonId, KeyName),
    #[error("there is no event {0} of {1} that could be taken back")]
    UnknownEvent(String, PersonId),
    #[error("event {0} marks a key compromised: that is never taken back, enrol a new key")]
    NeverLifted(String),
    #[error("{0} belongs to {1} ({2})")]
    NameTaken(String, PersonId, &'static str),
    #[error("no event sets or ends a watch, but two people: keyring-sync watch")]
    WatchByEvent,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    /// Whether the fault is ours and not the event's.
    pub fn is_fault(&self) -> bool {
        matches!(self, Refused::Store(_))
    }
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    Taken {
        notes: Vec<String>,
    },
    /// The same event, or the same key, is there already.
    Known,
}

/// One change of the registry: events go in, persons are folded, an epoch comes out.
#[derive(Debug)]
pub struct Door<'r> {
    change: Change<'r>,
    now: Time,
    ranks: Ranks,
    touched: BTreeSet<PersonId>,
    authorities: bool,
    taken: usize,
}

/// A point within the change, and what the door knew there.
#[derive(Debug)]
#[must_use]
pub(crate) struct DoorMark {
    of_change: Mark,
    touched: BTreeSet<PersonId>,
    authorities: bool,
    taken: usize,
}

impl<'r> Door<'r> {
    pub fn new(change: Change<'r>, now: Time) -> Self {
        Door { change, now, ranks: Ranks::default(), touched: BTreeSet::new(), authorities: false, taken: 0 }
    }

    /// The ranks that sources have today. Without them no source lifts what another one said.
    pub fn with_ranks(mut self, ranks: Ranks) -> Self {
        self.ranks = ranks;
        self
    }

    pub fn rank(&self, source: &Source) -> Option<u8> {
        self.ranks.of(source)
    }

    /// A point to come back to, ended by [`Door::keep`] or [`Door::back`].
    pub(crate) fn mark(&self) -> Result<DoorMark, StoreError> {
        let (touched, authorities, taken) = (self.touched.clone(), self.authorities, self.taken);
        Ok(DoorMark { of_change: self.change.mark()?, touched, authorities, taken })
    }

    /// Takes back everything since the mark.
    pub(crate) fn back(&mut self, mark: DoorMark) -> Result<(), StoreError> {
        (self.touched, self.authorities, self.taken) = (mark.touched, mark.authorities, mark.taken);
        self.change.back(mark.of_change)
    }

    /// Keeps everything since the mark.
    pub(crate) fn keep(&self, mark: DoorMark) -> Result<(), StoreError> {
        self.change.keep(mark.of_change)
    }

    pub fn now(&self) -> Time {
        self.now
    }

    pub fn tables(&self) -> Tables<'_> {
        self.change.tables()
    }

    /// How many events were taken so far.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Whether there is nothing to commit. A known key with a new revocation is a change without an event.
    pub fn is_unchanged(&self) -> bool {
        self.touched.is_empty() && !self.authorities
    }

    /// Adds an authority; false when it is there already.
    pub fn add_authority(&mut self, registration: &Registration) -> Result<bool, Refused> {
        match self.tables().owner(registration.fingerprint.as_str())? {
            Some(Owner { person: None, .. }) => return Ok(false),
            Some(owner) => return Err(Refused::KeyOfAnother(registration.fingerprint.to_string(), whose(&owner))),
            None => {}
        }
        self.tables().add_authority(
            &registration.fingerprint,
            &registration.material,
            &registration.source,
            self.now,
        )?;
        self.authorities = true;
        Ok(true)
    }

    /// Ends an authority, for good.
    pub fn mark_authority(&mut self, fingerprint: &Fingerprint, mark: AuthorityMark) -> Result<(), StoreError> {
        self.authorities = true;
        self.tables().mark_authority(fingerprint, mark, self.now)
    }

    /// Takes one event, or says why not and leaves everything as it was.
    pub fn admit(&mut self, mut event: Event) -> Result<Admitted, Refused> {
        event.rank = event.rank.or_else(|| self.rank(&event.source));
        let mut notes = Vec::new();
        if event.drop_secrets() {
            notes.push("secret key material was dropped; whoever sent it should consider the key as leaked".to_owned());
        }
        if let Some(known) = self.tables().event(&event.source, &event.id)? {
            return if says_the_same(&known.line, &event.line) {
                Ok(Admitted::Known)
            } else {
                Err(Refused::OtherContent(event.id.to_string(), event.source.to_string()))
            };
        }
        if !matches!(event.claim, Claim::Hired(_)) && !self.exists(&event.person)? {
            return Err(Refused::UnknownPerson(event.person));
        }
        let mut takeovers = Vec::new();
        match &event.claim {
            Claim::Hired(profile) | Claim::Rehired(profile) | Claim::Renamed(profile) | Claim::Transferred(profile) => {
                takeovers = self.check_profile(&event, profile)?;
            }
            Claim::KeyAdded(added) => {
                let (key, scope) = (added.key.clone(), added.scope.clone());
                let (registration, held) = self.check_key(&event.person, &key)?;
                let grown = self.keep_key(&event.person, &registration)?;
                notes.extend(registration.notes.iter().cloned());
                notes.extend(self.others_named(&event.person, &registration)?);
                match &held {
                    // What its owner revoked is on record, though the key itself is not taken again.
                    Some(held) if ended(held, self.now).is_some() && grown => {
                        notes.push(format!("key {} was ended before; its revocation is noted", held.fingerprint));
                    }
                    Some(held) => {
                        if let Some(how) = ended(held, self.now) {
                            return Err(Refused::KeyEnded(held.fingerprint.clone(), how));
                        }
                        // Said by hand once more it is no news; what a feed says is kept, and is idempotent by its id.
                        let same = scope.is_none() || held.scope == scope;
                        if event.is_operators() && same && !grown && held.added <= self.now && held.retired.is_none() {
                            return Ok(Admitted::Known);
                        }
                    }
                    None => {}
                }
                if let Claim::KeyAdded(added) = &mut event.claim {
                    added.fingerprint = Some(registration.fingerprint);
                }
            }
            Claim::KeyRetired(retired) => self.check_own_key(&event.person, &retired.fingerprint)?,
            Claim::KeyCompromised(compromised) => self.check_own_key(&event.person, &compromised.fingerprint)?,
            Claim::Retracted(_) => self.check_retraction(&event)?,
            Claim::WatchStarted | Claim::WatchEnded => return Err(Refused::WatchByEvent),
            Claim::Terminated | Claim::Suspended | Claim::ContractEnd => notes.extend(self.pushed_since(&event)?),
            _ => {}
        }
        self.add(&event)?;
        for takeover in takeovers {
            self.add(&takeover)?;
            notes.push(format!("{} ended for {}", takeover.id, takeover.person));
        }
        Ok(Admitted::Taken { notes })
    }

    /// Folds who was touched, commits, publishes.
    pub fn commit(self) -> Result<Published, StoreError> {
        for id in &self.touched {
            self.change.put_person(&self.person(id)?)?;
        }
        self.change.commit(self.now)
    }

    /// As [`Door::commit`], except that a change which no reader of the keyring can see makes no epoch.
    pub fn settle(self) -> Result<Option<Published>, StoreError> {
        if self.is_unchanged() {
            return self.change.commit_unseen().map(|()| None);
        }
        self.commit().map(Some)
    }

    /// Does `work` whole or not at all: what it did before it failed, or panicked, never was. Others who share this
    /// change are not touched by it.
    pub fn attempt<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let mark = self.mark()?;
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(self)));
        if let Ok(Ok(done)) = done {
            self.keep(mark)?;
            return Ok(done);
        }
        self.back(mark)?;
        match done {
            Ok(refused) => refused,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Whom the events of this change speak of, as they are now.
    pub fn touched(&self) -> Result<Vec<Person>, StoreError> {
        self.touched.iter().map(|id| self.person(id)).collect()
    }

    /// The person as of this change, uncommitted events included.
    pub fn person(&self, id: &PersonId) -> Result<Person, StoreError> {
        if !self.touched.contains(id)
            && let Some(person) = self.tables().person(id)?
        {
            return Ok(person);
        }
        let events = self.events_of(id)?;
        let keys = self.tables().keys_of(id)?;
        let materials: BTreeMap<_, _> = keys.into_iter().map(|key| (key.fingerprint, key.material)).collect();
        Ok(fold(id, &events, &materials))
    }

    /// Whether a kill of the person stands now, and ever after.
    pub fn is_killed_for_good(&self, id: &PersonId) -> Result<bool, StoreError> {
        Ok(is_killed_for_good(&self.events_of(id)?, self.now))
    }

    pub(crate) fn events_of(&self, id: &PersonId) -> Result<Vec<Event>, StoreError> {
        self.tables().events_of(id)?.iter().map(Event::from_row).collect()
    }

    pub fn exists(&self, id: &PersonId) -> Result<bool, StoreError> {
        Ok(self.touched.contains(id) || self.tables().person(id)?.is_some())
    }

    fn add(&mut self, event: &Event) -> Result<(), StoreError> {
        self.tables().add_event(&event.to_row())?;
        if let Some(hint) = crate::hint::opened_by(event) {
            self.tables().open_hint(&hint)?;
        }
        if let Some(profile) = event.claim.profile() {
            for email in profile.emails.iter().flatten() {
                self.tables().claim_email(email, &event.person)?;
            }
            for account in profile.accounts.iter().flatten() {
                self.tables().claim_account(account, &event.person)?;
            }
        }
        self.touched.insert(event.person.clone());
        self.taken += 1;
        Ok(())
    }

    /// The registration, and the key as the person holds it already.
    fn check_key(&self, person: &PersonId, key: &KeyText) -> Result<(Registration, Option<Key>), Refused> {
        let tables = self.tables();
        let registration = register(key, self.now, |registration| -> Result<_, Refused> {
            Ok(tables.key(&registration.fingerprint)?.map(|key| key.source))
        })?;
        for fingerprint in named(&registration) {
            let Some(owner) = tables.owner(fingerprint)? else { continue };
            if owner.person.as_ref() != Some(person) {
                return Err(Refused::KeyOfAnother(fingerprint.to_owned(), whose(&owner)));
            }
            // A subkey that was ended in one certificate would come back in another.
            if owner.key != registration.fingerprint {
                return Err(Refused::KeyOfAnotherCertificate(fingerprint.to_owned(), owner.key));
            }
        }
        if tables.key(&registration.fingerprint)?.is_none() {
            return Ok((registration, None));
        }
        let holder = self.person(person)?;
        let held = holder.key(&registration.fingerprint).cloned();
        Ok((registration, held))
    }

    /// Of an end that comes late for somebody who could push until now.
    fn pushed_since(&self, event: &Event) -> Result<Option<String>, StoreError> {
        let Some(late) = Late::of(event.effective_at, self.now) else { return Ok(None) };
        let published = self.tables().person(&event.person)?;
        Ok(published.filter(|person| person.is_active(self.now)).map(|person| late.words(&person.id)))
    }

    /// Addresses of other persons that stand in the key. The registration decides whose it is, but it may be a mistake.
    fn others_named(&self, person: &PersonId, registration: &Registration) -> Result<Vec<String>, StoreError> {
        let mut notes = Vec::new();
        for email in &registration.emails {
            for other in self.tables().claimants_of_email(email)? {
                if &other != person && ends_after(&self.person(&other)?.emails, email, self.now) {
                    notes.push(format!(
                        "key {} names {email}, which is an address of {other}; what it signs counts as {person}'s",
                        registration.fingerprint
                    ));
                }
            }
        }
        Ok(notes)
    }

    /// Stores the key, or the grown source of a known one, which may bring its holder's revocation. Says whether
    /// there was anything to store.
    fn keep_key(&mut self, person: &PersonId, registration: &Registration) -> Result<bool, StoreError> {
        let row = KeyRow {
            fingerprint: registration.fingerprint.clone(),
            person: person.clone(),
            material: registration.material.clone(),
            source: registration.source.clone(),
        };
        if self.tables().key(&row.fingerprint)?.as_ref() == Some(&row) {
            return Ok(false);
        }
        self.tables().put_key(&row, &proven(registration))?;
        self.touched.insert(person.clone());
        Ok(true)
    }

    fn check_own_key(&self, person: &PersonId, name: &KeyName) -> Result<(), Refused> {
        for candidate in name.candidates() {
            if self.tables().owner(&candidate)?.is_some_and(|owner| owner.person.as_ref() == Some(person)) {
                return Ok(());
            }
        }
        Err(Refused::UnknownKey(person.clone(), name.clone()))
    }

    fn check_retraction(&self, event: &Event) -> Result<(), Refused> {
        let Claim::Retracted(retracted) = &event.claim else { return Ok(()) };
        let mut found = false;
        for row in self.tables().events_called(&retracted.event)? {
            let target = Event::from_row(&row)?;
            let meant = retracted.source.as_ref().is_none_or(|source| source == &target.source);
            if meant && target.person == event.person && matches!(target.claim, Claim::KeyCompromised(_)) {
                return Err(Refused::NeverLifted(retracted.event.to_string()));
            }
            if target.person == event.person && retracts(event, &target) {
                found = true;
                if target.claim.profile().is_some() || matches!(target.claim, Claim::Retracted(_)) {
                    self.check_restored_names(event)?;
                }
            }
        }
        if found { Ok(()) } else { Err(Refused::UnknownEvent(retracted.event.to_string(), event.person.clone())) }
    }
}

/// How the key was ended, if it was.
fn ended(key: &Key, now: Time) -> Option<&'static str> {
    match (key.compromised, key.retired) {
        (Some(_), _) => Some("compromised"),
        (None, Some(retired)) if retired.at <= now => Some("retired"),
        _ => None,
    }
}

fn whose(owner: &Owner) -> String {
    owner.person.as_ref().map_or_else(|| "an authority".to_owned(), ToString::to_string)
}

/// Feeds repeat themselves, with their fields in another order or their own retry marks beside them.
fn says_the_same(known: &str, new: &str) -> bool {
    if known == new {
        return true;
    }
    let said = |line: &str| -> Option<[Value; 7]> {
        let value: Value = serde_json::from_str(line).ok()?;
        Some(
            ["person", "type", "effective_at", "effective_on", "zone", "asserted_at", "data"]
                .map(|field| value.get(field).cloned().unwrap_or_default()),
        )
    };
    said(known).is_some_and(|known| Some(known) == said(new))
}

/// The line of an event that an operator makes by hand.
pub fn operator_line(person: &PersonId, kind: &str, data: Value, effective_at: Time, now: Time) -> String {
    json!({
        "id": ulid::Ulid::generate().to_string(), "source": OPERATOR, "person": person, "type": kind,
        "effective_at": effective_at, "asserted_at": now, "data": data,
    })
    .to_string()
}
