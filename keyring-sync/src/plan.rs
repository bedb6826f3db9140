//! Desired against actual ─► the events that would make them one. Pure.
//!
//! A list is compared with what its own source said before, never with what others said: HR does not undo a kill by
//! listing somebody, nor a name that an operator gave.

mod draft;

use crate::brake::Origin;
use crate::event::{Claim, Event};
use crate::feed::list::{Export, Place, Row, Status, Subjects};
use crate::fold::{self, fold};
use crate::hint::Hinted;
use crate::intake::Offer;
use countersign_policy::id::{EngagementId, PersonId, Source};
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use draft::Draft;
use std::collections::{BTreeMap, BTreeSet};

/// What there is of a person before the plan.
#[derive(Clone, Debug, Default)]
pub struct Actual {
    /// What the source said so far.
    pub said: Vec<Event>,
    /// By everybody's word.
    pub person: Option<Person>,
    /// Whether a hint of the source keeps the person out.
    pub hinted: Option<Hinted>,
}

/// What is to be done about one person.
#[derive(Clone, Debug)]
pub struct Step {
    pub person: PersonId,
    pub name: String,
    /// In words, for people.
    pub what: Vec<String>,
    pub offers: Vec<Offer>,
}

/// Everything that would make the registry say what the list says.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// What somebody may want to know, and nothing is done about.
    pub notes: Vec<String>,
}

/// A list of which no plan can be made.
#[derive(Debug, thiserror::Error)]
#[error("{person}: {fault}")]
pub struct NoPlan {
    person: PersonId,
    fault: String,
}

/// Where a plan gets its bearings.
#[derive(Clone, Copy, Debug)]
pub struct Bearings<'b> {
    pub source: &'b Source,
    /// Roles and reach of the departments; none: the list's departments mean nothing.
    pub places: &'b BTreeMap<String, Place>,
    pub now: Time,
}

/// Plans for everybody in the list, and for those of `actual` of whom the source spoke and who are not in it.
pub fn plan(export: &Export, actual: &BTreeMap<PersonId, Actual>, bearings: Bearings<'_>) -> Result<Plan, NoPlan> {
    let mut plan = Plan::default();
    let mut listed: BTreeMap<&PersonId, Vec<&Row>> = BTreeMap::new();
    for row in &export.rows {
        listed.entry(&row.person).or_default().push(row);
    }
    let (nobody, mut strangers, mut shut) = (Actual::default(), 0usize, 0usize);
    for (id, rows) in &listed {
        let actual = actual.get(*id).unwrap_or(&nobody);
        let mut draft = Draft::new(id, actual, export, bearings);
        if rows.iter().all(|row| has_left(row, bearings.now)) && actual.person.is_none() {
            strangers += 1;
            continue;
        }
        let is_shut = export.subjects == Subjects::Accounts && rows.iter().all(|row| row.status == Status::Suspended);
        if is_shut && actual.person.is_none() {
            shut += 1;
            continue;
        }
        if export.subjects == Subjects::Accounts && has_gone(actual, bearings.now) {
            // Nothing that is said of the account changes anything for its holder, and their names may be recycled.
            plan.notes.extend(contradiction(actual, rows, bearings.now));
            continue;
        }
        listed_person(&mut draft, actual, rows, export, bearings, &mut plan.notes);
        plan.steps.extend(draft.into_step()?);
    }
    for (id, actual) in actual.iter().filter(|(id, _)| !listed.contains_key(id)) {
        let mut draft = Draft::new(id, actual, export, bearings);
        absent_person(&mut draft, actual, export, bearings.now);
        plan.steps.extend(draft.into_step()?);
    }
    if strangers > 0 {
        plan.notes.push(format!("{strangers} of the list left before the registry knew them: they stay out of it"));
    }
    if shut > 0 {
        plan.notes.push(format!("{shut} of the list were disabled before the registry knew them: they stay out of it"));
    }
    Ok(plan)
}

/// Whether the row tells of an engagement that is over.
fn has_left(row: &Row, now: Time) -> bool {
    draft::end_of(row).is_some_and(|end| end.instant(now) <= now)
}

/// Whether somebody said that the person has left, and it stands.
fn has_gone(actual: &Actual, now: Time) -> bool {
    actual.person.as_ref().is_some_and(|person| person.state(now) == Lifecycle::Terminated)
}

fn listed_person(
    draft: &mut Draft<'_>,
    actual: &Actual,
    rows: &[&Row],
    export: &Export,
    bearings: Bearings<'_>,
    notes: &mut Vec<String>,
) {
    let now = bearings.now;
    let going_on: Vec<&Row> = rows.iter().copied().filter(|row| !has_left(row, now)).collect();
    let Some(first) = going_on.first().or(rows.first()) else { return };
    // Ends after beginnings: who changes from one engagement to another is never without.
    for row in rows.iter().filter(|row| !has_left(row, now)) {
        draft.begin(row, first);
    }
    for row in rows {
        draft.end(row);
    }
    if !going_on.is_empty() {
        draft.profile(first);
    }
    for row in &going_on {
        draft.contract(row, export.has_contract_ends);
    }
    draft.missing_engagements(&engagements_missing(actual, rows));
    if !going_on.is_empty() {
        draft.absence(&going_on);
        if draft.stays_hinted(&going_on) {
            notes.push(format!(
                "{}{} stays suspended by a hint of this source: keyring-sync hints list",
                first.place(),
                first.person
            ));
        }
        if let Some(roles) = &first.roles {
            draft.roles(roles);
        }
        if !bearings.places.is_empty() && export.has_departments {
            match first.department.as_deref().map(|name| (name, bearings.places.get(name))) {
                Some((name, Some(place))) => draft.place(name, place),
                Some((name, None)) => notes.push(format!(
                    "{}department `{}` is not in `departments`: roles and scope of {} stay as they are",
                    first.place(),
                    shown(name, 80),
                    first.person
                )),
                None => {}
            }
        }
    }
    if let Some(note) = contradiction(actual, &going_on, now) {
        notes.push(note);
    }
}

/// Somebody of whom another source, or the operator, knows better.
fn contradiction(actual: &Actual, going_on: &[&Row], now: Time) -> Option<String> {
    let person = actual.person.as_ref()?;
    let row = going_on.iter().find(|row| row.status == Status::Active)?;
    let by_source = fold(&person.id, &actual.said, &BTreeMap::new()).state(now);
    let state = person.state(now);
    let others = matches!(state, Lifecycle::Terminated | Lifecycle::Suspended) && state != by_source;
    others.then(|| {
        format!(
            "{}{} is listed as active and is {} here by somebody else's word, which stands",
            row.place(),
            person.id,
            state.as_str()
        )
    })
}

/// The engagements that the source named, that go on, and that stand in no row.
fn engagements_missing(actual: &Actual, rows: &[&Row]) -> Vec<EngagementId> {
    let listed: BTreeSet<&EngagementId> = rows.iter().filter_map(|row| row.engagement.as_ref()).collect();
    let begun = actual.said.iter().filter(|event| matches!(event.claim, Claim::Activated | Claim::Rehired(_)));
    let named: BTreeSet<&EngagementId> = begun.filter_map(|event| event.engagement.as_ref()).collect();
    let goes_on = |name: &EngagementId| {
        let told = fold::told(&actual.said, Some(name));
        told.begins.is_some() && told.ends.is_none() && told.contract_ends.is_none()
    };
    named.difference(&listed).map(|name| (*name).clone()).filter(goes_on).collect()
}

/// An absent person is no leaver. Whoever the source itself let go is none of its concern any more; all others may do
/// nothing until they are listed again, or an end is said.
fn absent_person(draft: &mut Draft<'_>, actual: &Actual, export: &Export, now: Time) {
    let by_source = fold(&draft.person().clone(), &actual.said, &BTreeMap::new());
    let comes = by_source.lifecycle.iter().any(|change| change.from > now && change.is_active());
    let here = match export.subjects {
        Subjects::Employees => matches!(by_source.state(now), Lifecycle::Active | Lifecycle::Leave) || comes,
        Subjects::Accounts => actual.person.is_some() && !has_gone(actual, now),
    };
    if here && !fold::absences(&actual.said, now).0 {
        draft.missing(export.exported_at);
    }
}

/// Whose absences are over: they are listed again.
pub fn returned(export: &Export) -> BTreeSet<&PersonId> {
    export.rows.iter().map(|row| &row.person).collect()
}

impl Plan {
    pub fn offers(&self) -> Vec<Offer> {
        self.steps.iter().flat_map(|step| step.offers.iter().cloned()).collect()
    }

    pub fn event_count(&self) -> usize {
        self.steps.iter().map(|step| step.offers.len()).sum()
    }
}

impl Step {
    /// `+` somebody new, `-` an end or absence, `~` anything else: as a diff.
    pub fn sign(&self) -> char {
        let any = |wanted: &dyn Fn(&Claim) -> bool| self.offers.iter().any(|offer| wanted(&offer.event.claim));
        let absent = self.offers.iter().any(|offer| offer.origin == Origin::Absent);
        if any(&|claim| matches!(claim, Claim::Hired(_) | Claim::Rehired(_))) {
            '+'
        } else if absent || any(&|claim| matches!(claim, Claim::Terminated | Claim::Suspended)) {
            '-'
        } else {
            '~'
        }
    }
}

#[cfg(test)]
mod tests;
