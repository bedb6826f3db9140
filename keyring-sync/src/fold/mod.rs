//! Events ─► person. Pure: a set of assertions has one meaning, in whatever order it came.
//!
//! Every rule is set algebra on spans of time, so that what is dated next Friday takes effect on
//! Friday with nobody running. Where evidence ties, the person may do less.

mod keys;
mod log;
mod spans;
mod standing;

pub(crate) use keys::is_called;
pub(crate) use log::retracts;
pub use standing::Told;

use crate::event::{Claim, Event, Profile};
use countersign_policy::id::{EngagementId, Fingerprint, PersonId, Role};
use countersign_policy::keyring::{Held, Material, Person, PersonKind};
use countersign_policy::time::Time;
use log::{Entry, Log};
use spans::Spans;
use std::collections::{BTreeMap, BTreeSet};

/// The person that `events` tell of. `materials` holds the compiled keys of their `key_added`.
pub fn fold(id: &PersonId, events: &[Event], materials: &BTreeMap<Fingerprint, Material>) -> Person {
    let log = Log::new(events);
    let latest = Latest::of(&log);
    let mut names = held(&log, |profile| profile.name.as_ref().map(std::slice::from_ref));
    if names.len() < 2 {
        names.clear();
    }
    Person {
        id: id.clone(),
        name: latest.tell(|profile| profile.name.clone()).unwrap_or_else(|| id.to_string()),
        names,
        kind: latest.tell(|profile| profile.kind).or_else(|| withdrawn_kind(&log)).unwrap_or_default(),
        owner: latest.tell(|profile| profile.owner.clone()),
        deputy: latest.tell(|profile| profile.deputy.clone()),
        scope: latest.tell(|profile| profile.scope.clone()).unwrap_or_default(),
        emails: held(&log, |profile| profile.emails.as_deref()),
        accounts: held(&log, |profile| profile.accounts.as_deref()),
        lifecycle: standing::lifecycle(&log),
        probation: marked(&log, &Claim::ProbationStarted, &Claim::ProbationEnded),
        watch: marked(&log, &Claim::WatchStarted, &Claim::WatchEnded),
        legal_hold: marked(&log, &Claim::LegalHoldStarted, &Claim::LegalHoldEnded),
        roles: roles(&log),
        keys: keys::keys(&log, materials),
    }
}

/// Whether the person is out by an operator's word, and nothing on record would let them in again.
pub fn is_killed_for_good(events: &[Event], at: Time) -> bool {
    standing::killed(&Log::new(events)).iter().any(|span| span.contains(at) && span.until.is_none())
}

/// What these events say of one engagement, or of the one that has no name.
pub fn told(events: &[Event], engagement: Option<&EngagementId>) -> Told {
    standing::told(&Log::new(events), engagement)
}

/// Whether the person is suspended, and whether on leave, by these events alone.
pub fn absences(events: &[Event], at: Time) -> (bool, bool) {
    let log = Log::new(events);
    (standing::suspended(&log).contains(at), standing::on_leave(&log).contains(at))
}

/// The profiles in force at the end, the latest first. What has no dates of its own (kind, owner,
/// scope) is told by the latest profile that mentions it.
struct Latest<'l>(Vec<&'l Profile>);

impl<'l> Latest<'l> {
    fn of(log: &'l Log<'_>) -> Self {
        let mut entries = log.all(|claim| claim.profile().is_some());
        entries.retain(|entry| entry.force.lasts());
        entries.sort_by(|a, b| if a.replaces(b) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater });
        Latest(entries.into_iter().filter_map(|entry| entry.event.claim.profile()).collect())
    }

    fn tell<T>(&self, what: impl Fn(&Profile) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|profile| what(profile))
    }
}

/// What an account was called by a profile that was taken back. A machine's keys become no human's for want of a
/// word: who is one after all is called so.
fn withdrawn_kind(log: &Log<'_>) -> Option<PersonKind> {
    let kinds = log.iter().filter_map(|entry| entry.event.claim.profile()?.kind);
    kinds.filter(|kind| *kind != PersonKind::Human).last()
}

/// Names, addresses or accounts: each list holds until a later one replaces it.
fn held<T: Clone + Ord>(log: &Log<'_>, list: impl Fn(&Profile) -> Option<&[T]>) -> Vec<Held<T>> {
    let list = |entry: &Entry<'_>| entry.event.claim.profile().and_then(&list).map(<[T]>::to_vec);
    let lists: Vec<(&Entry<'_>, Vec<T>)> = log.iter().filter_map(|entry| Some((entry, list(entry)?))).collect();
    let mut spans: BTreeMap<&T, Spans> = BTreeMap::new();
    for (entry, values) in &lists {
        let mut force = entry.force.clone();
        for (later, _) in lists.iter().filter(|(later, _)| later.replaces(entry)) {
            force = force.minus(&later.force);
        }
        for value in values {
            let sum = spans.remove(value).unwrap_or_default().union(&force);
            spans.insert(value, sum);
        }
    }
    flatten(spans)
}

/// Roles: a removal, a transfer and a new engagement end what was granted before; only a newer grant brings it back.
fn roles(log: &Log<'_>) -> Vec<Held<Role>> {
    let engagements = standing::engagements(log);
    let removals = log.all(|claim| matches!(claim, Claim::RoleRemoved(_)));
    let transfers = log.all(|claim| matches!(claim, Claim::Transferred(profile) if profile.roles.is_some()));
    let mut spans: BTreeMap<&Role, Spans> = BTreeMap::new();
    for grant in log.iter() {
        let granted: BTreeSet<&Role> = match &grant.event.claim {
            Claim::RoleGranted(role) => [role].into(),
            claim => claim.profile().and_then(|profile| profile.roles.as_ref()).into_iter().flatten().collect(),
        };
        for role in granted {
            let ended_by = |removal: &&Entry<'_>| removal.event.claim == Claim::RoleRemoved(role.clone());
            let mut force = grant.force.clone();
            // What another source gave does not hang on the place.
            let transferred = transfers.iter().copied().filter(|end| end.event.source == grant.event.source);
            let ends = removals.iter().copied().filter(ended_by).chain(transferred);
            for end in ends.chain(engagements.iter().map(|new| new.begun)) {
                if !std::ptr::eq(end, grant) && !grant.lifts(end) {
                    force = force.minus(&end.force);
                }
            }
            let sum = spans.remove(role).unwrap_or_default().union(&force);
            spans.insert(role, sum);
        }
    }
    flatten(spans)
}

/// The time between a start and its newer end.
fn marked(log: &Log<'_>, start: &Claim, end: &Claim) -> Vec<countersign_policy::time::Span> {
    let ends = log.all(|claim| claim == end);
    standing::unlifted(log.all(|claim| claim == start), &ends).into_vec()
}

fn flatten<T: Clone>(spans: BTreeMap<&T, Spans>) -> Vec<Held<T>> {
    let of = |(value, spans): (&T, Spans)| {
        let value = value.clone();
        spans.into_vec().into_iter().map(move |span| Held { value: value.clone(), span })
    };
    spans.into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
