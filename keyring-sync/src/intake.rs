//! What any feed does with a batch of events of its source: door, brake, and what waits for two people.
//!
//! `offers ─► admitted all together ─► who loses by it ─► the brake's verdict ─► the rest is kept, they are staged`

use crate::brake::{self, Class, Count, Counts, Limits, Loss, Origin};
use crate::door::{Admitted, Door, DoorMark, Refused};
use crate::event::Event;
use countersign_policy::id::{EventId, PersonId, Source};
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_policy::time::Time;
use countersign_registry::{NewStaged, StagedRow, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// An event of a feed, and how its source came to it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub event: Event,
    pub origin: Origin,
}

/// An event that was not taken, and why.
#[derive(Debug)]
pub struct Problem {
    pub event: EventId,
    pub person: PersonId,
    pub refused: Refused,
}

/// Somebody whose events of this batch wait for two people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub person: PersonId,
    pub name: String,
    pub cause: String,
    /// They wait already, since an earlier batch.
    pub before: bool,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Taken {
    /// Events that are in the registry now, once the door commits.
    pub events: Vec<EventId>,
    /// Events that were there already.
    pub known: usize,
    pub staged: Vec<Held>,
    /// The name of what was staged now.
    pub batch: Option<String>,
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
}

impl Taken {
    /// Whether everything that was offered holds now. Where it does not, a feed must not answer that it does.
    pub fn is_whole(&self) -> bool {
        self.staged.is_empty() && self.problems.is_empty()
    }
}

/// Why a batch is not looked at.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("event {0} is of the source {1}, and this feed speaks for {2} alone")]
    OfAnother(EventId, Source, Source),
    #[error("no feed speaks as the operator")]
    AsOperator,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a batch of `source`, except what the brake holds back: that is staged, person by person. What follows from
/// staged changes (an address that somebody would leave free) waits with them. Nothing is durable before the door
/// commits ([`Door::settle`]). Where `problems` came up the others are taken; who wants all or none drops the door.
pub fn take(door: &mut Door<'_>, source: &Source, offers: Vec<Offer>, limits: &Limits) -> Result<Taken, NotTaken> {
    for offer in &offers {
        if offer.event.is_operators() {
            return Err(NotTaken::AsOperator);
        }
        if &offer.event.source != source {
            return Err(NotTaken::OfAnother(offer.event.id.clone(), offer.event.source.clone(), source.clone()));
        }
    }
    let (waiting, offers) = waiting(door, offers)?;
    let before = before(door, &offers)?;
    let mark = door.mark()?;
    let trial = admit(door, &offers)?;
    let losses = losses(door, &offers, &before)?;
    if losses.is_empty() {
        door.keep(mark)?;
        return Ok(Taken { staged: waiting, ..trial.into_taken() });
    }
    let counts = counts(door, source, &losses, limits)?;
    // Asked of the registry before this batch: whom it takes away still belongs to the staff.
    door.back(mark)?;
    let staff = if brake::asks_for_staff(&losses, counts, limits) { staff(door)? } else { 0 };
    let verdict = brake::judge(source, &losses, counts, staff, limits);
    let causes: BTreeMap<&PersonId, String> =
        verdict.stage.iter().map(|(person, trip)| (person, trip.to_string())).collect();

    let (held, passing): (Vec<Offer>, Vec<Offer>) =
        offers.into_iter().partition(|offer| causes.contains_key(&offer.event.person));
    let mut final_ = admit(door, &passing)?;
    // What was fine beside the staged changes and is not without them waits for them.
    let fell: BTreeSet<EventId> =
        final_.problems.iter().map(|problem| problem.event.clone()).filter(|id| !trial.has_problem(id)).collect();
    final_.problems.retain(|problem| !fell.contains(&problem.event));
    // A problem of a staged event is a problem all the same.
    let (held, bad): (Vec<Offer>, Vec<Offer>) = held.into_iter().partition(|offer| !trial.has_problem(&offer.event.id));
    let bad: BTreeSet<EventId> = bad.into_iter().map(|offer| offer.event.id).collect();
    final_.problems.extend(trial.problems.into_iter().filter(|problem| bad.contains(&problem.event)));

    for (person, class) in &verdict.pass {
        door.tables().add_passed(source, person, *class == Class::Single, door.now())?;
    }
    let batch = ulid::Ulid::generate().to_string();
    let mut staged = waiting;
    let follows = "follows from changes that wait";
    let follow = passing.into_iter().filter(|offer| fell.contains(&offer.event.id)).map(|offer| (offer, follows));
    let held = held.into_iter().map(|offer| {
        let cause = causes.get(&offer.event.person).map_or(follows, String::as_str);
        (offer, cause)
    });
    let mut names: BTreeMap<PersonId, Held> = BTreeMap::new();
    for (offer, cause) in held.chain(follow) {
        stage(door, &batch, &offer, cause)?;
        let person = &offer.event.person;
        if !names.contains_key(person) {
            let name = before.get(person).map_or_else(String::new, |before| before.name(door.now()).to_owned());
            names.insert(person.clone(), Held { person: person.clone(), name, cause: cause.to_owned(), before: false });
        }
    }
    let batch = (!names.is_empty()).then_some(batch);
    staged.extend(names.into_values());
    Ok(Taken { staged, batch, ..final_.into_taken() })
}

/// Events that are admitted one after the other, each after a look at what the others did, and who was who before.
#[derive(Debug)]
pub(crate) struct Said {
    mark: DoorMark,
    offers: Vec<Offer>,
    before: BTreeMap<PersonId, Person>,
}

/// What the brake held back whole.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub cause: String,
}

impl Said {
    /// From here on [`Said::settle`] takes back what the brake holds.
    pub fn begin(door: &Door<'_>) -> Result<Self, StoreError> {
        Ok(Said { mark: door.mark()?, offers: Vec::new(), before: BTreeMap::new() })
    }

    pub fn admit(&mut self, door: &mut Door<'_>, event: Event) -> Result<Admitted, Refused> {
        if !self.before.contains_key(&event.person) && door.exists(&event.person)? {
            self.before.insert(event.person.clone(), door.person(&event.person)?);
        }
        self.offers.push(Offer { event: event.clone(), origin: Origin::Said });
        door.admit(event)
    }

    /// Keeps what was said, or takes all of it back and stages it.
    pub fn settle(self, door: &mut Door<'_>, source: &Source, limits: &Limits) -> Result<Option<Stopped>, StoreError> {
        let Said { mark, offers, before } = self;
        let losses = losses(door, &offers, &before)?;
        if losses.is_empty() {
            door.keep(mark)?;
            return Ok(None);
        }
        let counts = counts(door, source, &losses, limits)?;
        let staff = if brake::asks_for_staff(&losses, counts, limits) { staff(door)? } else { 0 };
        let verdict = brake::judge(source, &losses, counts, staff, limits);
        let Some((_, trip)) = verdict.stage.first() else {
            for (person, class) in &verdict.pass {
                door.tables().add_passed(source, person, *class == Class::Single, door.now())?;
            }
            door.keep(mark)?;
            return Ok(None);
        };
        let cause = trip.to_string();
        door.back(mark)?;
        let (_, offers) = waiting(door, offers)?;
        let batch = ulid::Ulid::generate().to_string();
        for offer in &offers {
            stage(door, &batch, offer, &cause)?;
        }
        Ok(Some(Stopped { cause }))
    }
}

/// Everybody who is active now.
pub fn staff(door: &Door<'_>) -> Result<usize, StoreError> {
    let now = door.now();
    Ok(door.tables().persons()?.iter().filter(|person| person.state(now) == Lifecycle::Active).count())
}

/// Takes back what waits of an absence that is over: the source lists the person again.
pub fn withdraw(door: &Door<'_>, rows: &[StagedRow]) -> Result<(), StoreError> {
    for row in rows {
        door.tables().decide(row.seq, countersign_registry::Outcome::Withdrawn, door.now())?;
    }
    Ok(())
}

#[derive(Default)]
struct Admission {
    events: Vec<EventId>,
    known: usize,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl Admission {
    fn has_problem(&self, id: &EventId) -> bool {
        self.problems.iter().any(|problem| &problem.event == id)
    }

    fn into_taken(self) -> Taken {
        let Admission { events, known, problems, notes } = self;
        Taken { events, known, problems, notes, staged: Vec::new(), batch: None }
    }
}

fn admit(door: &mut Door<'_>, offers: &[Offer]) -> Result<Admission, StoreError> {
    let mut admission = Admission::default();
    for Offer { event, .. } in offers {
        match door.admit(event.clone()) {
            Ok(Admitted::Known) => admission.known += 1,
            Ok(Admitted::Taken { notes }) => {
                admission.events.push(event.id.clone());
                admission.notes.extend(notes.into_iter().map(|note| format!("event {}: {note}", event.id)));
            }
            Err(Refused::Store(fault)) => return Err(fault),
            Err(refused) => {
                admission.problems.push(Problem { event: event.id.clone(), person: event.person.clone(), refused });
            }
        }
    }
    Ok(admission)
}

/// What waits since an earlier batch is not staged again: feeds repeat themselves until they are heard.
fn waiting(door: &Door<'_>, offers: Vec<Offer>) -> Result<(Vec<Held>, Vec<Offer>), StoreError> {
    let (mut held, mut rest): (BTreeMap<PersonId, Held>, Vec<Offer>) = (BTreeMap::new(), Vec::new());
    for offer in offers {
        let rows = door.tables().staged_of(&offer.event.source, &offer.event.person)?;
        match rows.into_iter().find(|row| says_as_much(&row.staged, &offer)) {
            Some(row) => {
                let person = offer.event.person;
                let name = name(door, &person)?;
                held.entry(person.clone()).or_insert(Held { person, name, cause: row.staged.cause, before: true });
            }
            None => rest.push(offer),
        }
    }
    Ok((held.into_values().collect(), rest))
}

/// The same event, or the same conclusion from an absence that lasts.
fn says_as_much(staged: &NewStaged, offer: &Offer) -> bool {
    let absent = offer.origin == Origin::Absent;
    staged.id == offer.event.id || absent && staged.absent && staged.kind == offer.event.claim.kind()
}

fn name(door: &Door<'_>, person: &PersonId) -> Result<String, StoreError> {
    Ok(door.tables().person(person)?.map_or_else(String::new, |person| person.name(door.now()).to_owned()))
}

fn before(door: &Door<'_>, offers: &[Offer]) -> Result<BTreeMap<PersonId, Person>, StoreError> {
    let mut before = BTreeMap::new();
    for Offer { event, .. } in offers {
        if !before.contains_key(&event.person) && door.exists(&event.person)? {
            before.insert(event.person.clone(), door.person(&event.person)?);
        }
    }
    Ok(before)
}

/// By what a batch does to a person as a whole: what one event takes, another one may give.
fn losses(door: &Door<'_>, offers: &[Offer], before: &BTreeMap<PersonId, Person>) -> Result<Vec<Loss>, StoreError> {
    let mut losses = Vec::new();
    for (id, before) in before {
        if brake::loses(before, &door.person(id)?, door.now()) {
            let mut own = offers.iter().filter(|offer| &offer.event.person == id);
            let absent = own.any(|offer| offer.origin == Origin::Absent);
            let origin = if absent { Origin::Absent } else { Origin::Said };
            losses.push(Loss { person: id.clone(), origin, at_stake: brake::has_access(before, door.now()) });
        }
    }
    Ok(losses)
}

/// Who passed before, but those whom this batch speaks of again: nobody is put out twice.
fn counts(door: &Door<'_>, source: &Source, losses: &[Loss], limits: &Limits) -> Result<Counts, StoreError> {
    let since: Time = door.now().minus(limits.window.get());
    let again: BTreeSet<&PersonId> = losses.iter().map(|loss| &loss.person).collect();
    let count = |source: Option<&Source>| -> Result<Count, StoreError> {
        let passed = door.tables().passed_since(since, source)?;
        let (singles, bulk): (Vec<_>, Vec<_>) =
            passed.into_iter().filter(|passed| !again.contains(&passed.person)).partition(|passed| passed.single);
        Ok(Count { singles: singles.len(), bulk: bulk.len() })
    };
    Ok(Counts { source: count(Some(source))?, all: count(None)? })
}

fn stage(door: &Door<'_>, batch: &str, offer: &Offer, cause: &str) -> Result<(), StoreError> {
    let mut event = offer.event.clone();
    event.drop_secrets();
    door.tables().stage(&NewStaged {
        batch: batch.to_owned(),
        rank: door.rank(&event.source),
        kind: event.claim.kind().to_owned(),
        source: event.source,
        id: event.id,
        person: event.person,
        absent: offer.origin == Origin::Absent,
        cause: cause.to_owned(),
        received_at: event.received_at,
        line: event.line,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests;
