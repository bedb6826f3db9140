//! The events about one person, written one after the other; each next one knows those before it.

use super::{Actual, Bearings, NoPlan, Step};
use crate::brake::Origin;
use crate::event::{Claim, Event, Profile};
use crate::feed::list::{Export, Place, Row, Status, Subjects};
use crate::fold;
use crate::hint::Hinted;
use crate::intake::Offer;
use crate::local::Day;
use crate::report;
use countersign_policy::id::{Email, EngagementId, PersonId, Role};
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;

/// When something takes effect.
#[derive(Clone, Copy, Debug)]
pub(super) enum When<'r> {
    /// When the list was written.
    Exported,
    On(&'r Day),
}

/// The end of an engagement.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'r>(When<'r>);

impl End<'_> {
    /// Without a day it is over by `now`.
    pub fn instant(self, now: Time) -> Time {
        match self.0 {
            When::Exported => now,
            When::On(day) => day.end(),
        }
    }
}

/// The end that a row tells of, past or to come.
pub(super) fn end_of(row: &Row) -> Option<End<'_>> {
    let over = row.status == Status::Terminated;
    // A last day before the hiring is that of an earlier engagement.
    let former = |day: &&Day| !over && row.hired.as_ref().is_some_and(|hired| hired.begin() >= day.end());
    match row.last_day.as_ref().filter(|day| !former(day)) {
        Some(day) => Some(End(When::On(day))),
        None if over => Some(End(row.since.as_ref().map_or(When::Exported, When::On))),
        None => None,
    }
}

pub(super) struct Draft<'d> {
    person: &'d PersonId,
    actual: &'d Actual,
    exported_at: Time,
    subjects: Subjects,
    bearings: Bearings<'d>,
    said: Vec<Event>,
    offers: Vec<Offer>,
    what: Vec<String>,
    name: Option<String>,
    fault: Option<String>,
}

impl<'d> Draft<'d> {
    pub fn new(person: &'d PersonId, actual: &'d Actual, export: &Export, bearings: Bearings<'d>) -> Self {
        Draft {
            person,
            actual,
            exported_at: export.exported_at,
            subjects: export.subjects,
            bearings,
            said: actual.said.clone(),
            offers: Vec::new(),
            what: Vec::new(),
            name: actual.person.as_ref().map(|person| person.name(bearings.now).to_owned()),
            fault: None,
        }
    }

    pub fn person(&self) -> &PersonId {
        self.person
    }

    /// `None`: there is nothing to do.
    pub fn into_step(self) -> Result<Option<Step>, NoPlan> {
        let Draft { person, offers, what, name, fault, .. } = self;
        if let Some(fault) = fault {
            return Err(NoPlan { person: person.clone(), fault });
        }
        let name = name.unwrap_or_default();
        Ok((!offers.is_empty()).then(|| Step { person: person.clone(), name, what, offers }))
    }

    /// `first` is the row that tells of the person as such.
    pub fn begin(&mut self, row: &Row, first: &Row) {
        let engagement = row.engagement.as_ref();
        let told = fold::told(&self.said, engagement);
        let begins = row.hired.as_ref().map_or(When::Exported, When::On);
        let now = self.bearings.now;
        let Some(known) = told.begins else {
            // Whether the holder of an account has a place in the company is for those to say who hired them.
            let others_hired = self.subjects == Subjects::Accounts && self.actual.person.is_some();
            if !self.said.iter().any(|event| matches!(event.claim, Claim::Hired(_))) {
                self.name = self.name.take().or_else(|| first.name.clone());
                let profile = self.first_profile(first);
                self.say("hired", When::Exported, of(json!(profile), engagement), Origin::Said);
                self.what.push(if others_hired { "has an account" } else { "hired" }.to_owned());
            }
            if others_hired {
                return;
            }
            if row.status != Status::Prehire || row.hired.is_some() {
                self.say("activated", begins, of(json!({}), engagement), Origin::Said);
                self.what.push(match begins {
                    When::On(day) if day.begin() > now => format!("active from {day}"),
                    _ => "active".to_owned(),
                });
            }
            return;
        };
        // A day of hiring that was moved before it came.
        let (Some(day), true) = (&row.hired, known > now) else { return };
        if day.begin() == known {
            return;
        }
        let old: Vec<_> = self
            .said
            .iter()
            .filter(|event| event.claim == Claim::Activated && event.engagement.as_ref() == engagement)
            .filter(|event| event.effective_at > now)
            .map(|event| event.id.clone())
            .collect();
        for id in old {
            self.say("retracted", When::Exported, json!({"event": id}), Origin::Said);
        }
        self.say("activated", When::On(day), of(json!({}), engagement), Origin::Said);
        self.what.push(format!("active from {day}, not from {known}"));
    }

    pub fn end(&mut self, row: &Row) {
        let (engagement, now) = (row.engagement.as_ref(), self.bearings.now);
        let told = fold::told(&self.said, engagement);
        let anew = |ended: Time| row.hired.as_ref().filter(|hired| hired.begin() >= ended);
        match (end_of(row), told.ends) {
            (None, None) => {}
            (Some(end), None) => self.terminate(end, engagement),
            (Some(End(When::Exported)), Some(ended)) if ended <= now => {}
            (Some(end), Some(ended)) if end.instant(now) == ended => {}
            (end, Some(ended)) => {
                if let Some(hired) = anew(ended) {
                    self.say("rehired", When::On(hired), of(json!({}), engagement), Origin::Said);
                    self.what.push(format!("hired again from {hired}; the old keys stay retired"));
                } else {
                    self.say("termination_cancelled", When::Exported, of(json!({}), engagement), Origin::Said);
                    if end.is_none() {
                        self.what.push(format!("stays: the end at {ended} is cancelled"));
                    }
                }
                if let Some(end) = end {
                    self.terminate(end, engagement);
                }
            }
        }
    }

    fn terminate(&mut self, end: End<'_>, engagement: Option<&EngagementId>) {
        self.say("terminated", end.0, of(json!({}), engagement), Origin::Said);
        self.what.push(match end.0 {
            When::On(day) => format!("terminated at the end of {day}"),
            When::Exported => "terminated".to_owned(),
        });
    }

    pub fn contract(&mut self, row: &Row, has_column: bool) {
        let engagement = row.engagement.as_ref();
        let told = fold::told(&self.said, engagement).contract_ends;
        match (&row.contract_end, told) {
            (Some(day), told) if told != Some(day.end()) => {
                self.say("contract_end", When::On(day), of(json!({}), engagement), Origin::Said);
                self.what.push(format!("contract until the end of {day}"));
            }
            (None, Some(_)) if has_column || self.ended_by_absence(engagement) => {
                self.say("contract_open", When::Exported, of(json!({}), engagement), Origin::Said);
                self.what.push("contract without end".to_owned());
            }
            _ => {}
        }
    }

    /// Whether the last word on the contract's end was that it stood in no row.
    fn ended_by_absence(&self, engagement: Option<&EngagementId>) -> bool {
        let of_it = |event: &&Event| event.claim == Claim::ContractEnd && event.engagement.as_ref() == engagement;
        self.said.iter().filter(of_it).max_by_key(|event| event.asserted_at).is_some_and(|event| {
            let line: Value = serde_json::from_str(&event.line).unwrap_or_default();
            line.pointer("/data/absent") == Some(&Value::Bool(true))
        })
    }

    /// One engagement of somebody who is listed with another: it must not keep them in when that one ends.
    pub fn missing_engagements(&mut self, missing: &[EngagementId]) {
        for engagement in missing {
            let data = json!({"absent": true, "reason": format!("not in the list of {}", self.exported_at)});
            self.say("contract_end", When::Exported, of(data, Some(engagement)), Origin::Absent);
            self.what.push(format!("engagement {engagement} is not in the list and counts as ended"));
        }
    }

    pub fn missing(&mut self, exported_at: Time) {
        let data = json!({"absent": true, "reason": format!("not in the list of {exported_at}")});
        self.say("suspended", When::Exported, data, Origin::Absent);
        self.what.push("suspended: not in the list".to_owned());
    }

    pub fn absence(&mut self, going_on: &[&Row]) {
        let is = |status: Status| going_on.iter().find(|row| row.status == status);
        let at_work = is(Status::Active).or(is(Status::Prehire));
        let (suspended, leave) = (is(Status::Suspended), is(Status::Leave).filter(|_| at_work.is_none()));
        let now = self.bearings.now;
        let since = |row: &&&Row| row.since.as_ref().map_or(now, |day| day.begin().max(now));
        let said = fold::absences(&self.said, now);
        if said.0 && suspended.is_none() && !self.stays_hinted(going_on) {
            self.say("reinstated", When::Exported, json!({}), Origin::Said);
            self.what.push("reinstated".to_owned());
        }
        if said.1 && leave.is_none() && suspended.is_none() {
            self.say("leave_ended", When::Exported, json!({}), Origin::Said);
            self.what.push("back from leave".to_owned());
        }
        if let Some(row) = suspended
            && !fold::absences(&self.actual.said, since(&row)).0
        {
            self.begin_absence(row, "suspended", "suspended");
        }
        if let Some(row) = leave
            && !fold::absences(&self.actual.said, since(&row)).1
        {
            self.begin_absence(row, "leave_started", "on leave");
        }
    }

    /// Whether a hint outlives the list: one that tells of an end bears it out.
    pub fn stays_hinted(&self, going_on: &[&Row]) -> bool {
        match self.actual.hinted {
            None => false,
            Some(Hinted::Plain) => going_on.iter().any(|row| end_of(row).is_some()),
            Some(Hinted::Firm) => true,
        }
    }

    fn begin_absence(&mut self, row: &Row, kind: &str, word: &str) {
        let when = row.since.as_ref().map_or(When::Exported, When::On);
        self.say(kind, when, json!({}), Origin::Said);
        self.what.push(match when {
            When::On(day) if day.begin() > self.bearings.now => format!("{word} from {day}"),
            _ => word.to_owned(),
        });
    }

    pub fn profile(&mut self, row: &Row) {
        let news = self.news(row);
        if news == Profile::default() || !self.is_known() {
            return;
        }
        if let Some(name) = &news.name {
            self.what.push(format!("called {}", shown(name, 80)));
        }
        if let (Some(_), Some(email)) = (&news.emails, &row.email) {
            self.what.push(format!("e-mail {email}"));
        }
        self.say("renamed", When::Exported, json!(news), Origin::Said);
    }

    /// Whether there is somebody who could be called otherwise.
    fn is_known(&self) -> bool {
        self.actual.person.is_some() || !self.said.is_empty()
    }

    /// What the row says newly of the person. Addresses that others added stay.
    fn news(&self, row: &Row) -> Profile {
        let now = self.bearings.now;
        let said = |what: &dyn Fn(&Profile) -> bool| {
            let profiles = self.said.iter().filter(|event| event.claim.profile().is_some_and(what));
            profiles.max_by_key(|event| event.asserted_at).and_then(|event| event.claim.profile())
        };
        let person = self.actual.person.as_ref();
        let known_name = said(&|profile| profile.name.is_some())
            .and_then(|profile| profile.name.as_deref())
            .or_else(|| person.map(|person| person.name(now)));
        let name = row.name.as_ref().filter(|name| Some(name.as_str()) != known_name).cloned();
        let told: BTreeSet<&Email> =
            said(&|profile| profile.emails.is_some()).and_then(|it| it.emails.as_ref()).into_iter().flatten().collect();
        let held: BTreeSet<&Email> = person
            .into_iter()
            .flat_map(|person| &person.emails)
            .filter(|held| held.span.contains(now))
            .map(|held| &held.value)
            .collect();
        let emails = row.email.as_ref().filter(|email| !told.contains(*email) && !held.contains(*email)).map(|email| {
            // The former address of this source goes, those of others stay.
            let mine = self.former_email();
            let mut all: Vec<Email> = held.into_iter().filter(|email| Some(*email) != mine.as_ref()).cloned().collect();
            all.push(email.clone());
            all
        });
        Profile { name, emails, ..Profile::default() }
    }

    /// With the address of the list last, so that it is known later which one it was.
    fn first_profile(&self, row: &Row) -> Profile {
        let now = self.bearings.now;
        let held = self.actual.person.iter().flat_map(|person| &person.emails);
        let held = held.filter(|held| held.span.contains(now)).map(|held| &held.value);
        let emails = row
            .email
            .as_ref()
            .map(|email| held.filter(|held| *held != email).chain([email]).cloned().collect::<Vec<Email>>());
        Profile { emails, ..self.news(row) }
    }

    /// The address that the list gave last: it stands last among those that were sent.
    fn former_email(&self) -> Option<Email> {
        let sent = self.said.iter().filter(|event| event.claim.profile().is_some_and(|it| it.emails.is_some()));
        let last = sent.max_by_key(|event| event.asserted_at)?;
        last.claim.profile()?.emails.as_ref()?.last().cloned()
    }

    /// Roles and scope of the department, where they are not what the source said last.
    pub fn place(&mut self, name: &str, place: &Place) {
        let transfers = self.said.iter().filter(|event| matches!(event.claim, Claim::Transferred(_)));
        let last = transfers.max_by_key(|event| event.asserted_at).and_then(|event| event.claim.profile());
        let same = last.is_some_and(|profile| {
            profile.roles.as_ref() == Some(&place.roles) && profile.scope.as_ref() == Some(&place.scope)
        });
        if !same {
            let data = json!({"department": name, "roles": place.roles, "scope": place.scope});
            self.say("transferred", When::Exported, data, Origin::Said);
            self.what.push(format!("in {}", shown(name, 80)));
        }
    }

    /// The roles that the source's groups give, where they are not what it said last: an operator who took one of them
    /// is not overruled by a list that says the same again.
    pub fn roles(&mut self, roles: &BTreeSet<Role>) {
        let last = self.said.iter().filter_map(|event| Some((event, event.claim.profile()?.roles.as_ref()?)));
        let last = last.max_by_key(|(event, _)| event.asserted_at).map(|(_, roles)| roles);
        let last: BTreeSet<&Role> = last.into_iter().flatten().collect();
        if roles.iter().collect::<BTreeSet<_>>() == last {
            return;
        }
        self.say("transferred", When::Exported, json!({"roles": roles}), Origin::Said);
        let named: Vec<&str> = roles.iter().map(Role::as_str).collect();
        self.what.push(match named.is_empty() {
            true => "no role by a group".to_owned(),
            false => format!("by a group {}", named.join(", ")),
        });
    }

    fn say(&mut self, kind: &str, when: When<'_>, data: Value, origin: Origin) {
        // A correction speaks of what was said before, and not of what is said beside it.
        let before = if kind == "termination_cancelled" { Duration::from_millis(1) } else { Duration::ZERO };
        let mut line = json!({
            "id": "", "source": self.bearings.source, "person": self.person, "type": kind,
            "asserted_at": self.exported_at.minus(before), "data": data,
        });
        match when {
            When::Exported => report::set(&mut line, "effective_at", json!(self.exported_at)),
            When::On(day) => {
                report::set(&mut line, "effective_on", json!(day.date()));
                report::set(&mut line, "zone", json!(day.zone().to_string()));
            }
        }
        let id = event_id(self.exported_at, &line);
        report::set(&mut line, "id", json!(id));
        match Event::parse(&line.to_string(), self.bearings.now) {
            Ok(event) => {
                self.said.push(event.clone());
                self.offers.push(Offer { event, origin });
            }
            // Nothing of a plan that lacks a part may be done.
            Err(error) => self.fault = Some(format!("{kind}: {error}")),
        }
    }
}

fn of(mut data: Value, engagement: Option<&EngagementId>) -> Value {
    if let (Value::Object(data), Some(engagement)) = (&mut data, engagement) {
        data.insert("engagement".to_owned(), json!(engagement));
    }
    data
}

/// The same list makes the same ids, however often it is read.
fn event_id(exported_at: Time, line: &Value) -> String {
    let digest: String = hex::encode(Sha256::digest(line.to_string())).chars().take(16).collect();
    format!("{exported_at}-{digest}")
}
