//! What a source hinted at and did not prove: somebody left. The hint suspends at once and is settled after, by a later
//! word of its source (an event, a list) or by people.
//!
//! A `suspended` whose data hold a `hint` opens one, by whichever way it comes in.

use crate::door::Door;
use crate::event::{Claim, Event};
use crate::fold::{self, fold};
use countersign_policy::id::{EventId, PersonId, Source};
use countersign_policy::keyring::Lifecycle;
use countersign_policy::time::Time;
use countersign_registry::{HintOutcome, HintRow, NewHint, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a `suspended` says of itself where it rests on a hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// In the source's words.
    pub said: String,
    /// Access ends at once, whatever date the employment ends on.
    #[serde(default)]
    pub at_once: bool,
}

/// Whether somebody is kept out by a hint of a source, and how firmly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hinted {
    /// A list that tells of no end refutes it.
    Plain,
    /// No list does: it is older than the hint, or the hint was of access and a list tells of employments.
    Firm,
}

/// The hint that opens when the event is taken.
pub fn opened_by(event: &Event) -> Option<NewHint> {
    if event.claim != Claim::Suspended {
        return None;
    }
    let line: Value = serde_json::from_str(&event.line).ok()?;
    let hint: Hint = serde_json::from_value(line.pointer("/data/hint")?.clone()).ok()?;
    Some(NewHint {
        source: event.source.clone(),
        person: event.person.clone(),
        event: event.id.clone(),
        said: hint.said,
        at_once: hint.at_once,
        received_at: event.received_at,
    })
}

/// Who is kept out by these hints, confirmed since or not, as a list of that time finds them.
pub fn hinted(hints: &[HintRow], listed_at: Time) -> BTreeMap<PersonId, Hinted> {
    let mut hinted: BTreeMap<PersonId, Hinted> = BTreeMap::new();
    for HintRow { hint, .. } in hints {
        let firm = hint.at_once || hint.received_at >= listed_at;
        let how = if firm { Hinted::Firm } else { Hinted::Plain };
        let known = hinted.entry(hint.person.clone()).or_insert(how);
        *known = how.max(*known);
    }
    hinted
}

/// What became of hints when their source spoke again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub confirmed: BTreeSet<PersonId>,
    pub refuted: BTreeSet<PersonId>,
}

/// Of whom these hints are open.
pub fn open(hints: &[HintRow]) -> BTreeSet<PersonId> {
    hints.iter().filter(|row| row.outcome.is_none()).map(|row| row.hint.person.clone()).collect()
}

/// Settles what `source` hinted at, of these people alone, by what it has said since. Nothing is said here: whoever is
/// let in again was let in by an event.
pub fn settle(
    door: &Door<'_>,
    source: &Source,
    hints: &[HintRow],
    persons: &BTreeSet<PersonId>,
) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    for person in persons {
        let own: Vec<&HintRow> = hints.iter().filter(|row| &row.hint.person == person).collect();
        if own.is_empty() {
            continue;
        }
        let mut said = door.events_of(person)?;
        said.retain(|event| &event.source == source);
        for row in own {
            let Some(outcome) = outcome(&said, &row.hint.person, &row.hint.event, door.now()) else { continue };
            if row.outcome == Some(outcome) {
                continue;
            }
            door.tables().decide_hint(row.seq, outcome, source.as_str(), door.now())?;
            match outcome {
                HintOutcome::Confirmed => settled.confirmed.insert(person.clone()),
                HintOutcome::Refuted => settled.refuted.insert(person.clone()),
            };
        }
    }
    Ok(settled)
}

/// What the words of its source make of a hint. A suspension that they lifted is refuted, also where an end to come
/// was told: access was given back.
fn outcome(said: &[Event], person: &PersonId, suspension: &EventId, now: Time) -> Option<HintOutcome> {
    let mut alone: Vec<Event> =
        said.iter().filter(|event| event.claim != Claim::Suspended || &event.id == suspension).cloned().collect();
    if !fold::absences(&alone, now).0 {
        // Whoever was hired again had left.
        alone.retain(|event| !matches!(event.claim, Claim::Rehired(_)));
        let by_rehiring = fold::absences(&alone, now).0;
        return Some(if by_rehiring { HintOutcome::Confirmed } else { HintOutcome::Refuted });
    }
    let ends = fold(person, said, &BTreeMap::new()).lifecycle.last().map(|change| change.state);
    (ends == Some(Lifecycle::Terminated)).then_some(HintOutcome::Confirmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(kind: &str, minute: i64, data: Value) -> Event {
        let at = Time::from_unix_seconds(1_790_000_000 + 60 * minute);
        let line = json!({"id": format!("{kind}-{minute}"), "source": "bob", "person": "E1", "type": kind,
            "effective_at": at, "asserted_at": at, "data": data});
        Event::parse(&line.to_string(), at).unwrap()
    }

    fn left(minute: i64) -> Event {
        event("suspended", minute, json!({"hint": {"said": "employee.left"}}))
    }

    fn settled(later: &[Event]) -> Option<HintOutcome> {
        let hint = left(10);
        let said = [&[event("hired", 0, json!({})), event("activated", 0, json!({})), hint.clone()], later].concat();
        outcome(&said, &hint.person, &hint.id, Time::from_unix_seconds(1_790_000_000 + 60 * 90))
    }

    #[test]
    fn only_a_suspension_that_says_so_opens_a_hint() {
        assert_eq!(opened_by(&event("suspended", 0, json!({"reason": "by hand"}))), None);
        assert_eq!(opened_by(&event("terminated", 0, json!({"hint": {"said": "x"}}))), None);
        let hint = opened_by(&event("suspended", 0, json!({"hint": {"said": "x", "at_once": true}}))).unwrap();
        assert_eq!((hint.said.as_str(), hint.at_once), ("x", true));
    }

    #[test]
    fn a_later_end_confirms_and_a_later_return_refutes() {
        assert_eq!(settled(&[]), None);
        assert_eq!(settled(&[event("renamed", 20, json!({"name": "A"}))]), None);
        assert_eq!(settled(&[event("terminated", 20, json!({}))]), Some(HintOutcome::Confirmed));
        assert_eq!(settled(&[event("reinstated", 20, json!({}))]), Some(HintOutcome::Refuted));
        assert_eq!(settled(&[event("reinstated", 5, json!({}))]), None, "older word settles nothing");
        let retracted = json!({"event": "suspended-10"});
        assert_eq!(settled(&[event("retracted", 20, retracted)]), Some(HintOutcome::Refuted));
        let cancelled = [event("terminated", 20, json!({})), event("termination_cancelled", 30, json!({}))];
        assert_eq!(settled(&cancelled), None, "the hint stands without the end that confirmed it");
    }

    #[test]
    fn who_is_hired_again_had_left() {
        let back = [event("terminated", 10, json!({})), event("rehired", 20, json!({}))];
        assert_eq!(settled(&back), Some(HintOutcome::Confirmed));
    }

    #[test]
    fn each_hint_is_settled_by_itself() {
        let retracted = json!({"event": "suspended-10"});
        assert_eq!(settled(&[left(15), event("retracted", 20, retracted)]), Some(HintOutcome::Refuted));
    }

    #[test]
    fn an_end_to_come_confirms_before_its_day() {
        let at = Time::from_unix_seconds(1_790_000_000 + 60 * 20);
        let line = json!({"id": "t", "source": "bob", "person": "E1", "type": "terminated",
            "effective_at": "2030-01-01T00:00:00Z", "asserted_at": at});
        assert_eq!(settled(&[Event::parse(&line.to_string(), at).unwrap()]), Some(HintOutcome::Confirmed));
    }
}
