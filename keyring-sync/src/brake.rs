//! Too much at once ─► staged. Pure: what one batch would take away, and what passed in the window, give a verdict.
//!
//! A list that lacks most of the staff, a feed gone mad and a thief with a feed's token look alike: many people lose
//! their access at once, or one after the other. That waits for two people. One person's end, said by name, does not.

use countersign_policy::duration::Period;
use countersign_policy::id::{PersonId, Source};
use countersign_policy::keyring::{Key, Person, PersonKind};
use countersign_policy::time::Time;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// A day, so that a nightly list and its repetition are one.
const WINDOW: Period = Period::seconds(86_400);
/// Shorter windows would let through by the hour what they hold back by the day.
const WINDOW_MIN: Duration = Duration::from_secs(3600);
/// Longer ones would count people who left last year.
const WINDOW_MAX: Duration = Duration::from_secs(31 * 86_400);

/// How many may be deactivated within a window without two people's approval.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub window: Period,
    /// Several at once, and whatever is concluded from absence.
    pub per_source: Bulk,
    pub all_sources: Bulk,
    /// One person at a time, said by name.
    pub singles: Singles,
}

/// Both must be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// Of those who are active; less than one person counts as one.
    pub percent: u8,
    pub count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Singles {
    pub per_source: u32,
    pub all_sources: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            window: WINDOW,
            per_source: Bulk { percent: 10, count: 20 },
            all_sources: Bulk { percent: 15, count: 30 },
            singles: Singles { per_source: 10, all_sources: 20 },
        }
    }
}

/// Limits that hold nothing back, or that nobody can keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLimits {
    #[error("brake: percent is more than 100")]
    Percent,
    #[error("brake: window must be between 1h and 31d")]
    Window,
}

impl Limits {
    pub fn check(&self) -> Result<(), BadLimits> {
        if self.per_source.percent.max(self.all_sources.percent) > 100 {
            return Err(BadLimits::Percent);
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&self.window.get()) {
            return Err(BadLimits::Window);
        }
        Ok(())
    }
}

impl Bulk {
    /// How many of `staff` may go.
    pub fn of(self, staff: usize) -> usize {
        let share = staff.saturating_mul(usize::from(self.percent)) / 100;
        // One absent person of a small team is no flood.
        let share = if self.percent > 0 { share.max(1) } else { 0 };
        share.min(self.count as usize)
    }
}

/// How a source came to say that somebody is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By name.
    Said,
    /// The person stands no longer in its list.
    Absent,
}

/// Somebody whom a batch would deactivate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub person: PersonId,
    pub origin: Origin,
    /// They have a key or an account to lose.
    pub at_stake: bool,
}

/// Deactivations that passed within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub singles: usize,
    pub bulk: usize,
}

/// What passed within the window, this source's part and all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub source: Count,
    pub all: Count,
}

/// Under which allowance somebody passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Single,
    Bulk,
}

/// The limit that held somebody back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    source: Source,
    origin: Origin,
    asked: usize,
    passed: usize,
    allowed: usize,
    staff: usize,
    /// Of all sources together.
    all: bool,
    window: Period,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.origin {
            Origin::Said => "deactivates",
            Origin::Absent => "lacks",
        };
        let whose = if self.all { "all sources together may put out" } else { "one source may put out" };
        write!(f, "{} {how} {} of {} active people at once", self.source, self.asked, self.staff)?;
        if self.passed > 0 {
            write!(f, ", after {} within {}", self.passed, self.window)?;
        }
        write!(f, "; without approval {whose} {} within {}", self.allowed, self.window)
    }
}

/// Who passes, and who waits for two people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub pass: Vec<(PersonId, Class)>,
    pub stage: Vec<(PersonId, Trip)>,
}

/// Judges what one batch of `source` would take away, each person named once. `staff` are those who are active before
/// it. What was said by name and what was concluded from absence are judged apart, each as a whole: a list that lacks
/// everybody does not hold back the one real end in it.
pub fn judge(source: &Source, losses: &[Loss], mut counts: Counts, staff: usize, limits: &Limits) -> Verdict {
    let mut verdict = Verdict::default();
    for origin in [Origin::Said, Origin::Absent] {
        let group: Vec<&PersonId> =
            losses.iter().filter(|loss| loss.origin == origin).map(|loss| &loss.person).collect();
        if group.is_empty() || is_idle(losses) {
            continue;
        }
        match class(source, origin, group.len(), counts, staff, limits) {
            Ok(class) => {
                counts.source.add(class, group.len());
                counts.all.add(class, group.len());
                verdict.pass.extend(group.into_iter().map(|person| (person.clone(), class)));
            }
            Err(trip) => verdict.stage.extend(group.into_iter().map(|person| (person.clone(), trip.clone()))),
        }
    }
    verdict
}

/// Whether the verdict depends on how many people there are: counting them costs more than one person's end should.
pub fn asks_for_staff(losses: &[Loss], counts: Counts, limits: &Limits) -> bool {
    !is_idle(losses) && !matches!(losses, [loss] if is_single(loss.origin, 1, counts, limits))
}

/// One person, said by name, without anything to lose: neither held back nor counted. Directories make and delete
/// users all day who never come near a repository.
fn is_idle(losses: &[Loss]) -> bool {
    matches!(losses, [Loss { origin: Origin::Said, at_stake: false, .. }])
}

fn is_single(origin: Origin, asked: usize, counts: Counts, limits: &Limits) -> bool {
    let singles = limits.singles;
    origin == Origin::Said
        && asked == 1
        && counts.source.singles < singles.per_source as usize
        && counts.all.singles < singles.all_sources as usize
}

fn class(
    source: &Source,
    origin: Origin,
    asked: usize,
    counts: Counts,
    staff: usize,
    limits: &Limits,
) -> Result<Class, Trip> {
    if is_single(origin, asked, counts, limits) {
        return Ok(Class::Single);
    }
    let trip = |passed, allowed, all| Trip {
        source: source.clone(),
        origin,
        asked,
        passed,
        allowed,
        staff,
        all,
        window: limits.window,
    };
    let bulk = |limit: Bulk, count: Count, all| {
        let allowed = limit.of(staff);
        if count.bulk.saturating_add(asked) > allowed { Err(trip(count.bulk, allowed, all)) } else { Ok(()) }
    };
    bulk(limits.per_source, counts.source, false)?;
    bulk(limits.all_sources, counts.all, true)?;
    Ok(Class::Bulk)
}

impl Count {
    fn add(&mut self, class: Class, number: usize) {
        match class {
            Class::Single => self.singles = self.singles.saturating_add(number),
            Class::Bulk => self.bulk = self.bulk.saturating_add(number),
        }
    }
}

/// Whether the person has a way in that could be lost: a key that signs from `now` on, or an account somewhere.
pub fn has_access(person: &Person, now: Time) -> bool {
    let lasts = |until: Option<Time>| until.is_none_or(|until| now < until);
    let signs = |key: &Key| lasts(key.retired.map(|mark| mark.at)) && lasts(key.compromised.map(|mark| mark.from));
    person.keys.iter().any(signs) || person.accounts.iter().any(|held| lasts(held.span.until))
}

/// Whether, from `now` on, `after` may do less than `before`: is active at fewer instants, has no key where there was
/// one, or reaches less. Which event brought that about does not matter: a retraction can put somebody out as well.
pub fn loses(before: &Person, after: &Person, now: Time) -> bool {
    let instants = instants(before, after, now);
    let lost = |has: &dyn Fn(&Person, Time) -> bool| instants.iter().any(|at| has(before, *at) && !has(after, *at));
    let was_active = instants.iter().any(|at| before.is_active(*at));
    lost(&Person::is_active) || lost(&can_sign) || was_active && reaches_less(before, after)
}

/// Every instant from `now` on at which one of them changes. Between two of them nothing does.
fn instants(before: &Person, after: &Person, now: Time) -> BTreeSet<Time> {
    let of = |person: &Person| -> Vec<Time> {
        let keys = person
            .keys
            .iter()
            .flat_map(|key| [Some(key.added), key.retired.map(|mark| mark.at), key.compromised.map(|mark| mark.from)]);
        person.lifecycle.iter().map(|change| Some(change.from)).chain(keys).flatten().collect()
    };
    let mut instants: BTreeSet<Time> = [of(before), of(after)].into_iter().flatten().filter(|at| *at > now).collect();
    instants.insert(now);
    instants
}

fn can_sign(person: &Person, at: Time) -> bool {
    person.is_active(at)
        && person.keys.iter().any(|key| {
            key.added <= at
                && key.retired.is_none_or(|mark| at < mark.at)
                && key.compromised.is_none_or(|mark| at < mark.from)
        })
}

fn reaches_less(before: &Person, after: &Person) -> bool {
    if before.kind == PersonKind::Human && after.kind != PersonKind::Human {
        return true;
    }
    match (before.scope.is_empty(), after.scope.is_empty()) {
        // Everywhere for a human, nowhere for an account.
        (true, true) => false,
        (true, false) => before.kind != PersonKind::Service,
        (false, true) => after.kind == PersonKind::Service,
        (false, false) => before.scope.iter().any(|scope| !after.scope.contains(scope)),
    }
}

#[cfg(test)]
mod tests;
