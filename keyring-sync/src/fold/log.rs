//! The events of one person in one order, and when each is in force.

use super::spans::Spans;
use crate::event::{Claim, Event};
use countersign_policy::time::Time;

/// An event with the time it counts: from its effect on, except while it is retracted.
#[derive(Debug)]
pub(super) struct Entry<'e> {
    pub event: &'e Event,
    pub force: Spans,
}

impl Entry<'_> {
    fn newness(&self) -> (Time, Time) {
        (self.event.asserted_at, self.event.effective_at)
    }

    /// Whether this assertion ends that restriction. It must be newer evidence: on a tie the
    /// restriction stays. And it must speak of it, not of one that was still to come.
    pub fn lifts(&self, restriction: &Entry<'_>) -> bool {
        let begun = restriction.event.effective_at;
        self.newness() > restriction.newness() && (begun <= self.event.effective_at || begun <= self.event.asserted_at)
    }

    /// Whether this new engagement comes after that termination. One that is dated before it is the history of an
    /// earlier engagement, whenever it was told.
    pub fn follows(&self, termination: &Entry<'_>) -> bool {
        self.newness() > termination.newness() && termination.event.effective_at <= self.event.effective_at
    }

    /// Whether this cancellation undoes that future or past act: newer evidence is all it takes.
    pub fn cancels(&self, act: &Entry<'_>) -> bool {
        self.newness() > act.newness()
    }

    /// Whether this is newer word than that on the same matter.
    pub fn corrects(&self, word: &Entry<'_>) -> bool {
        self.event.asserted_at > word.event.asserted_at
    }

    /// From when it was said on, whatever date it speaks of; except while it is retracted.
    pub fn since_said(&self) -> Spans {
        let said = Spans::since(self.event.asserted_at);
        let retracted = Spans::since(self.event.effective_at).minus(&self.force);
        said.minus(&retracted)
    }

    /// Orders statements about the same thing: the later effect replaces the earlier.
    pub fn replaces(&self, other: &Entry<'_>) -> bool {
        let order = |event: &Event| (event.effective_at, event.asserted_at);
        let names = |event: &Event| (event.source.clone(), event.id.clone(), event.line.clone());
        (order(self.event), names(self.event)) > (order(other.event), names(other.event))
    }
}

/// A set of events: neither order nor repetition of what came in is left.
#[derive(Debug)]
pub(super) struct Log<'e> {
    entries: Vec<Entry<'e>>,
}

impl<'e> Log<'e> {
    pub fn new(events: &'e [Event]) -> Self {
        let mut events: Vec<&Event> = events.iter().collect();
        let order = |event: &Event| {
            (
                event.asserted_at,
                event.effective_at,
                event.source.clone(),
                event.id.clone(),
                event.line.clone(),
                event.received_at,
                event.rank,
            )
        };
        events.sort_by_cached_key(|event| order(event));
        // The same event may have come twice; the registry keeps the first, here the earliest counts.
        let mut seen = std::collections::BTreeSet::new();
        events.retain(|event| seen.insert((&event.source, &event.id)));

        let mut entries: Vec<Entry<'_>> =
            events.iter().map(|event| Entry { event, force: Spans::since(event.effective_at) }).collect();
        // Newest first: a retraction can only be retracted by a newer one, so each one's force is
        // final before it is used. Other events follow, whatever their age.
        let is_retraction = |event: &Event| matches!(event.claim, Claim::Retracted(_));
        let retractions: Vec<usize> =
            (0..events.len()).rev().filter(|&at| events.get(at).is_some_and(|event| is_retraction(event))).collect();
        for &at in &retractions {
            let Some(retraction) = entries.get(at) else { continue };
            let (event, force) = (retraction.event, retraction.force.clone());
            for (position, target) in entries.iter_mut().enumerate() {
                if retracts(event, target.event) && (!is_retraction(target.event) || position < at) {
                    target.force = std::mem::take(&mut target.force).minus(&force);
                }
            }
        }
        Log { entries }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry<'e>> {
        self.entries.iter()
    }

    pub fn all(&self, wanted: impl Fn(&Claim) -> bool) -> Vec<&Entry<'e>> {
        self.entries.iter().filter(|entry| wanted(&entry.event.claim)).collect()
    }
}

/// Whether `retraction` takes `target` back. A compromise is never taken back.
pub(crate) fn retracts(retraction: &Event, target: &Event) -> bool {
    let Claim::Retracted(retracted) = &retraction.claim else { return false };
    // A source takes back its own word; an operator anybody's.
    let entitled = target.source == retraction.source || retraction.is_operators();
    let meant = retracted.source.as_ref().is_none_or(|source| source == &target.source);
    entitled && meant && retracted.event == target.id && !matches!(target.claim, Claim::KeyCompromised(_))
}
