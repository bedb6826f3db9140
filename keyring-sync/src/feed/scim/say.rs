//! How a SCIM source speaks to the door: every change of a resource becomes events, and the fold decides.

use super::config::Scim;
use super::error::{Kind, ScimError};
use super::schema::Schemas;
use crate::door::{Door, Refused};
use crate::event::{Event, Profile};
use crate::intake::Said;
use countersign_policy::id::{Email, EventId, PersonId, Source};
use countersign_policy::keyring::{Held, Person};
use countersign_policy::time::Time;
use countersign_registry::StoreError;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

use super::value::Object;

/// One request at work inside a change.
pub struct Task<'t, 'r> {
    pub door: &'t mut Door<'r>,
    pub schemas: &'t Schemas,
    pub settings: &'t Scim,
    pub source: &'t Source,
    pub said: Said,
}

/// What a version of a resource is called in the ids of its events.
#[derive(Clone, Copy)]
pub struct Cause<'c> {
    pub resource: &'c str,
    pub version: u64,
}

impl Task<'_, '_> {
    /// When this is heard: now, and after everything that the source said of this person before. A suspension and its
    /// end may come within one millisecond, and the end has to be the newer word.
    pub fn heard(&self, person: &PersonId) -> Result<Time, ScimError> {
        let mut heard = self.door.now();
        for row in self.door.tables().events_of(person)? {
            if &row.source == self.source {
                heard = heard.max(row.asserted_at.max(row.received_at).plus(Duration::from_millis(1)));
            }
        }
        Ok(heard)
    }

    /// `name`, or with a number that no event has yet.
    fn free_id(&self, name: &str) -> Result<EventId, StoreError> {
        let id = |name: &str| EventId::new(name).map_err(|error| StoreError::Damaged(error.to_string()));
        let (mut free, mut times) = (id(name)?, 1);
        while self.door.tables().event(self.source, &free)?.is_some() {
            times += 1;
            free = id(&format!("{name}-said-{times}"))?;
        }
        Ok(free)
    }

    /// Says one thing of a person. What was held back is said again under its own id, which finds it waiting. Once it
    /// was approved, and perhaps taken back since, it is said anew.
    pub fn say(
        &mut self,
        person: &PersonId,
        kind: &str,
        about: &str,
        data: Value,
        cause: Cause<'_>,
        heard: Time,
    ) -> Result<(), Refused> {
        let id = self.free_id(&format!("scim-{}-{}-{kind}{about}", cause.resource, cause.version))?;
        let line = json!({
            "id": id, "source": self.source, "person": person, "type": kind,
            "effective_at": heard, "asserted_at": heard, "data": data,
        });
        let event = Event::parse(&line.to_string(), heard)
            .map_err(|error| Refused::Store(StoreError::Damaged(format!("event {id} of our own: {error}"))))?;
        self.said.admit(self.door, event)?;
        Ok(())
    }
}

impl From<Refused> for ScimError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => error.into(),
            Refused::NameTaken(..) => ScimError::new(Kind::Uniqueness, refused.to_string()),
            _ => ScimError::new(Kind::InvalidValue, refused.to_string()),
        }
    }
}

/// Name and addresses as the resource tells them. What is no address is nobody's address: it keeps nothing back.
pub fn profile(document: &Object) -> Profile {
    let text = |object: &Object, name: &str| {
        object.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let parts = document.get("name").and_then(Value::as_object);
    let full = parts.and_then(|parts| {
        let both = [text(parts, "givenName"), text(parts, "familyName")];
        let both: Vec<String> = both.into_iter().flatten().collect();
        text(parts, "formatted").or_else(|| (!both.is_empty()).then(|| both.join(" ")))
    });
    let user_name = text(document, "userName");
    let name = text(document, "displayName").or(full).or_else(|| user_name.clone());
    let listed = document.get("emails").and_then(Value::as_array).into_iter().flatten();
    let mut emails: Vec<Email> = listed.filter_map(|email| Email::new(email.get("value")?.as_str()?).ok()).collect();
    if emails.is_empty() {
        emails.extend(user_name.and_then(|name| Email::new(&name).ok()));
    }
    let mut seen = BTreeSet::new();
    emails.retain(|email| seen.insert(email.clone()));
    Profile { name, emails: Some(emails), ..Profile::default() }
}

/// Whether the person is called and addressed otherwise at `now`.
pub fn differs(person: &Person, profile: &Profile, now: Time) -> bool {
    let held: BTreeSet<&Email> =
        person.emails.iter().filter(|held: &&Held<Email>| held.span.contains(now)).map(|held| &held.value).collect();
    let told: BTreeSet<&Email> = profile.emails.iter().flatten().collect();
    held != told || profile.name.as_deref().is_some_and(|name| name != person.name(now))
}
