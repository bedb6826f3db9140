//! Whether a person is employed and at work.
//!
//! Engagement, leave and each source's suspension are facets of their own; the lifecycle is their
//! composition, in which `terminated` outdoes `suspended`, and that `leave`, and that `active`.

use super::log::{Entry, Log};
use super::spans::Spans;
use crate::event::Claim;
use countersign_policy::id::Source;
use countersign_policy::keyring::{Change, Lifecycle};
use countersign_policy::time::Time;
use std::collections::BTreeSet;

/// A termination and the later hiring that followed it.
pub(super) struct Engagement<'l, 'e> {
    pub rehired: &'l Entry<'e>,
    /// When the engagement before it ended.
    pub former_end: Time,
    /// When that was known, if later: HR dates back. Never after the new engagement began.
    pub known: Time,
}

/// The engagements after a termination that stands.
pub(super) fn engagements<'l, 'e>(log: &'l Log<'e>) -> Vec<Engagement<'l, 'e>> {
    let rehirings = log.all(|claim| matches!(claim, Claim::Rehired(_)));
    let mut engagements = Vec::new();
    for termination in log.all(|claim| *claim == Claim::Terminated) {
        if !uncancelled(log, termination).lasts() {
            continue;
        }
        for rehired in &rehirings {
            if rehired.follows(termination) && rehired.force.lasts() {
                let former_end = termination.event.effective_at;
                let known = former_end.max(termination.event.asserted_at.min(rehired.event.effective_at));
                engagements.push(Engagement { rehired, former_end, known });
            }
        }
    }
    engagements
}

/// A termination without what was cancelled of it: by its own source, or by an operator.
fn uncancelled(log: &Log<'_>, termination: &Entry<'_>) -> Spans {
    let mut force = termination.force.clone();
    for cancelled in log.all(|claim| *claim == Claim::TerminationCancelled) {
        let entitled = cancelled.event.source == termination.event.source || cancelled.event.is_operators();
        if entitled && cancelled.cancels(termination) {
            force = force.minus(&cancelled.force);
        }
    }
    force
}

/// The time under those terminations that `counts` picks.
fn terminated(log: &Log<'_>, counts: impl Fn(&Entry<'_>) -> bool) -> Spans {
    let rehirings = log.all(|claim| matches!(claim, Claim::Rehired(_)));
    let mut sum = Spans::default();
    for termination in log.all(|claim| *claim == Claim::Terminated).into_iter().filter(|entry| counts(entry)) {
        let mut force = uncancelled(log, termination);
        for rehired in rehirings.iter().filter(|rehired| rehired.follows(termination)) {
            force = force.minus(&rehired.force);
        }
        sum = sum.union(&force);
    }
    sum
}

/// A source lifts its own suspensions and nobody else's, by a new engagement too.
fn suspended(log: &Log<'_>) -> Spans {
    let sources: BTreeSet<&Source> = log.iter().map(|entry| &entry.event.source).collect();
    let mut sum = Spans::default();
    for source in sources {
        let own = |wanted: &dyn Fn(&Claim) -> bool| -> Vec<&Entry<'_>> {
            log.iter().filter(|entry| &entry.event.source == source && wanted(&entry.event.claim)).collect()
        };
        let reinstated = own(&|claim| matches!(claim, Claim::Reinstated | Claim::Rehired(_)));
        sum = sum.union(&unlifted(own(&|claim| *claim == Claim::Suspended), &reinstated));
    }
    sum
}

fn on_leave(log: &Log<'_>) -> Spans {
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
    terminated(log, |termination| termination.event.is_operators())
}

/// The person's states over time.
pub(super) fn lifecycle(log: &Log<'_>) -> Vec<Change> {
    let mut engaged = Spans::default();
    for entry in log.all(|claim| matches!(claim, Claim::Activated | Claim::Rehired(_))) {
        engaged = engaged.union(&entry.force);
    }
    let (killed, suspended) = (killed(log), suspended(log));
    // In order of precedence.
    let facets = [
        (terminated(log, |_| true), Lifecycle::Terminated),
        (suspended.clone(), Lifecycle::Suspended),
        (on_leave(log), Lifecycle::Leave),
        (engaged, Lifecycle::Active),
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
