//! Whether a person is employed and at work.
//!
//! Engagement, leave and each source's suspension are facets of their own; the lifecycle is their
//! composition, in which `terminated` outdoes `suspended`, and that `leave`, and that `active`.

use super::log::{Entry, Log};
use super::spans::Spans;
use crate::event::Claim;
use countersign_policy::id::EngagementId;
use countersign_policy::keyring::{Change, Lifecycle};
use countersign_policy::time::Time;
use std::collections::BTreeSet;

/// A termination and the later hiring that followed it.
pub(super) struct Engagement<'l, 'e> {
    pub begun: &'l Entry<'e>,
    /// When the engagement before it ended.
    pub former_end: Time,
    /// When that was known, if later: HR dates back. Never after the new engagement began.
    pub known: Time,
}

/// The engagements after a termination that stands. Where engagements are named, one that begins while another goes
/// on, or at the instant at which it ends, is no new beginning.
pub(super) fn engagements<'l, 'e>(log: &'l Log<'e>) -> Vec<Engagement<'l, 'e>> {
    let begun = log.all(|claim| matches!(claim, Claim::Rehired(_) | Claim::Activated));
    let employed = Employment::of(log).employed;
    let mut engagements = Vec::new();
    for termination in log.all(|claim| *claim == Claim::Terminated) {
        if !uncancelled(log, termination).lasts() {
            continue;
        }
        for begun in begun.iter().copied().filter(|begun| begun.follows(termination) && begun.force.lasts()) {
            let named = termination.event.engagement.is_some() || begun.event.engagement.is_some();
            let former_end = match (named, &begun.event.claim) {
                (false, Claim::Rehired(_)) => Some(termination.event.effective_at),
                // An activation says of no engagement that it is a new one.
                (false, _) => None,
                (true, _) => gap(&employed, termination.event.effective_at, begun.event.effective_at),
            };
            if let Some(former_end) = former_end {
                let known = former_end.max(termination.event.asserted_at.min(begun.event.effective_at));
                engagements.push(Engagement { begun, former_end, known });
            }
        }
    }
    engagements
}

/// The first instant between the two at which the person was not employed.
fn gap(employed: &Spans, from: Time, until: Time) -> Option<Time> {
    let between = Spans::between(from, until);
    between.minus(employed).first().map(|span| span.from)
}

/// A termination without what was cancelled of it: by its own source, or by an operator.
fn uncancelled(log: &Log<'_>, termination: &Entry<'_>) -> Spans {
    let mut force = termination.force.clone();
    for cancelled in log.all(|claim| *claim == Claim::TerminationCancelled) {
        let entitled = cancelled.event.source == termination.event.source || cancelled.event.is_operators();
        // Who names an engagement speaks of that one alone.
        let meant = cancelled.event.engagement.is_none() || cancelled.event.engagement == termination.event.engagement;
        if entitled && meant && cancelled.cancels(termination) {
            force = force.minus(&cancelled.force);
        }
    }
    force
}

/// An engagement by its name, or the one that nobody named.
type Name<'l> = Option<&'l EngagementId>;

/// Whether an end speaks of this engagement. One without a name ends all; and an engagement without a name may be the
/// one that ends, so that it ends too.
fn concerns(end: &Entry<'_>, engagement: Name<'_>) -> bool {
    let meant = end.event.engagement.as_ref();
    meant.is_none() || engagement.is_none() || meant == engagement
}

/// All engagements together: a person has a place as long as one of them goes on.
struct Employment {
    /// Under an engagement that was not terminated.
    employed: Spans,
    /// Under one whose contract has not ended either.
    at_work: Spans,
    terminated: Spans,
    /// Terminated by an operator.
    killed: Spans,
}

impl Employment {
    fn of(log: &Log<'_>) -> Self {
        let mut names: BTreeSet<Name<'_>> = log.iter().map(|entry| entry.event.engagement.as_ref()).collect();
        names.insert(None);
        let (mut employed, mut at_work) = (Spans::default(), Spans::default());
        let (mut terminated, mut killed) = (Spans::default(), Spans::default());
        for name in names {
            let mut engaged = Spans::default();
            for begun in log.all(|claim| matches!(claim, Claim::Activated | Claim::Rehired(_))) {
                if begun.event.engagement.as_ref() == name {
                    engaged = engaged.union(&begun.force);
                }
            }
            let ended = ended(log, name, |_| true);
            let going_on = engaged.minus(&ended);
            at_work = at_work.union(&going_on.clone().minus(&expired(log, name)));
            employed = employed.union(&going_on);
            terminated = terminated.union(&ended);
            killed = killed.union(&self::ended(log, name, |termination| termination.event.is_operators()));
        }
        let (terminated, killed) = (terminated.minus(&employed), killed.minus(&employed));
        Employment { employed, at_work, terminated, killed }
    }
}

/// What a log says of one engagement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// When it begins, or began.
    pub begins: Option<Time>,
    /// When it ends for good, or ended.
    pub ends: Option<Time>,
    /// When its contract ends, or ended.
    pub contract_ends: Option<Time>,
}

pub(super) fn told(log: &Log<'_>, name: Name<'_>) -> Told {
    let mut engaged = Spans::default();
    for begun in log.all(|claim| matches!(claim, Claim::Activated | Claim::Rehired(_))) {
        if begun.event.engagement.as_ref() == name {
            engaged = engaged.union(&begun.force);
        }
    }
    let for_good = |spans: Spans| if spans.lasts() { spans.last().map(|span| span.from) } else { None };
    Told {
        begins: engaged.first().map(|span| span.from),
        ends: for_good(ended(log, name, |_| true)),
        contract_ends: for_good(expired(log, name)),
    }
}

/// The time in which those terminations that `counts` picks have ended an engagement.
fn ended(log: &Log<'_>, name: Name<'_>, counts: impl Fn(&Entry<'_>) -> bool) -> Spans {
    let rehirings = log.all(|claim| matches!(claim, Claim::Rehired(_)));
    let mut sum = Spans::default();
    let terminations = log.all(|claim| *claim == Claim::Terminated);
    for termination in terminations.into_iter().filter(|entry| concerns(entry, name) && counts(entry)) {
        let mut force = uncancelled(log, termination);
        let anew = |rehired: &&&Entry<'_>| rehired.event.engagement.as_ref() == name && rehired.follows(termination);
        for rehired in rehirings.iter().filter(anew) {
            force = force.minus(&rehired.force);
        }
        sum = sum.union(&force);
    }
    sum
}

/// The time after the end of an engagement's contract. What its source, or an operator, says newly of that end
/// replaces what was said before, from when it is said.
fn expired(log: &Log<'_>, name: Name<'_>) -> Spans {
    let words = log.all(|claim| matches!(claim, Claim::ContractEnd | Claim::ContractOpen));
    let rehirings = log.all(|claim| matches!(claim, Claim::Rehired(_)));
    let mut sum = Spans::default();
    for end in words.iter().filter(|entry| entry.event.claim == Claim::ContractEnd && concerns(entry, name)) {
        let mut force = end.force.clone();
        for word in words.iter().filter(|word| word.corrects(end)) {
            let entitled = word.event.source == end.event.source || word.event.is_operators();
            if entitled && word.event.engagement == end.event.engagement {
                force = force.minus(&word.since_said());
            }
        }
        let anew = |rehired: &&&Entry<'_>| rehired.event.engagement.as_ref() == name && rehired.follows(end);
        for rehired in rehirings.iter().filter(anew) {
            force = force.minus(&rehired.force);
        }
        sum = sum.union(&force);
    }
    sum
}

/// A source lifts its own suspensions, by a new engagement too, and those of sources ranked no higher: both as they
/// were ranked when they were heard.
pub(super) fn suspended(log: &Log<'_>) -> Spans {
    let lifters = log.all(|claim| matches!(claim, Claim::Reinstated | Claim::Rehired(_)));
    let mut sum = Spans::default();
    for suspension in log.all(|claim| *claim == Claim::Suspended) {
        let entitled: Vec<&Entry<'_>> = lifters.iter().copied().filter(|lifter| may_lift(lifter, suspension)).collect();
        sum = sum.union(&unlifted(vec![suspension], &entitled));
    }
    sum
}

fn may_lift(lifter: &Entry<'_>, suspension: &Entry<'_>) -> bool {
    let outranks = match (lifter.event.rank, suspension.event.rank) {
        (Some(lifter), Some(suspension)) => lifter >= suspension,
        // Without a rank nobody knows who is believed more.
        _ => false,
    };
    // A new engagement says nothing of what another source suspects.
    let reaches_others = lifter.event.claim == Claim::Reinstated && !lifter.event.own;
    lifter.event.source == suspension.event.source || outranks && reaches_others
}

pub(super) fn on_leave(log: &Log<'_>) -> Spans {
    let ends = log.all(|claim| matches!(claim, Claim::LeaveEnded | Claim::Rehired(_)));
    unlifted(log.all(|claim| *claim == Claim::LeaveStarted), &ends)
}

/// Every restriction from its effect on until something newer lifts it.
pub(super) fn unlifted(restrictions: Vec<&Entry<'_>>, lifters: &[&Entry<'_>]) -> Spans {
    let mut sum = Spans::default();
    for restriction in restrictions {
        let mut force = restriction.force.clone();
        for lifter in lifters.iter().filter(|lifter| lifter.lifts(restriction)) {
            force = force.minus(&lifter.force);
        }
        sum = sum.union(&force);
    }
    sum
}

/// The time under a kill: an operator ends an engagement so; in the ordinary way HR does.
pub(super) fn killed(log: &Log<'_>) -> Spans {
    Employment::of(log).killed
}

/// The person's states over time.
pub(super) fn lifecycle(log: &Log<'_>) -> Vec<Change> {
    let Employment { employed, at_work, terminated, killed } = Employment::of(log);
    let suspended = suspended(log);
    // In order of precedence.
    let facets = [
        (terminated, Lifecycle::Terminated),
        (suspended.clone().union(&employed.minus(&at_work)), Lifecycle::Suspended),
        (on_leave(log), Lifecycle::Leave),
        (at_work, Lifecycle::Active),
    ];
    let edges: BTreeSet<Time> = facets
        .iter()
        .map(|(spans, _)| spans)
        .chain([&killed])
        .flat_map(Spans::iter)
        .flat_map(|span| [Some(span.from), span.until])
        .flatten()
        .collect();
    let mut changes: Vec<Change> = Vec::new();
    for from in edges {
        let facet = facets.iter().find(|(spans, _)| spans.contains(from));
        let state = facet.map_or(Lifecycle::Prehire, |(_, state)| *state);
        let abrupt = match state {
            Lifecycle::Suspended => true,
            // A suspension says as much of somebody who has left.
            Lifecycle::Terminated => killed.contains(from) || suspended.contains(from),
            Lifecycle::Prehire | Lifecycle::Active | Lifecycle::Leave => false,
        };
        if changes.last().map_or((Lifecycle::Prehire, false), |last| (last.state, last.abrupt)) != (state, abrupt) {
            changes.push(Change { from, state, abrupt });
        }
    }
    changes
}
