//! Whom a subject names here.

use super::config::{By, Signals, Subjects};
use super::subject::{Name, Subject};
use crate::door::Door;
use countersign_policy::id::{Email, PersonId};
use countersign_policy::text::shown;
use countersign_registry::{ScimKind, ScimNarrow, StoreError};
use std::collections::BTreeSet;

/// What came of looking for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Person(PersonId),
    /// And why not.
    Nobody(String),
    /// The names are of several persons: whoever is meant, it is not to be guessed.
    Several,
}

/// Looks for the person that all names agree on. A name that leads nowhere contradicts nobody.
pub fn person(door: &Door<'_>, settings: &Signals, subject: &Subject) -> Result<Found, StoreError> {
    let (mut persons, mut reasons) = (BTreeSet::new(), Vec::new());
    for name in subject.names() {
        match one(door, settings, name)? {
            Ok(found) if found.is_empty() => reasons.push(format!("nobody here is found by {}", called(name))),
            Ok(found) => persons.extend(found),
            Err(reason) => reasons.push(reason),
        }
    }
    let mut persons = persons.into_iter();
    Ok(match (persons.next(), persons.next()) {
        (Some(person), None) => Found::Person(person),
        (None, _) => Found::Nobody(reasons.join("; ")),
        (Some(_), Some(_)) => Found::Several,
    })
}

/// The person's address that a name speaks of.
pub fn email(subject: &Subject) -> Option<&Email> {
    subject.names().iter().find_map(|name| if let Name::Email(email) = name { Some(email) } else { None })
}

/// The persons of one name, or why none is looked for.
fn one(door: &Door<'_>, settings: &Signals, name: &Name) -> Result<Result<BTreeSet<PersonId>, String>, StoreError> {
    let Subjects { iss_sub, email, account, opaque, scim, .. } = &settings.subjects;
    let (format, by, text) = match name {
        Name::IssSub { issuer, .. } if *issuer != settings.expected.issuer => {
            return Ok(Err("the subject is one of another issuer".to_owned()));
        }
        Name::IssSub { subject, .. } => ("iss_sub", iss_sub, subject.as_str()),
        Name::Email(address) => ("email", email, address.as_str()),
        Name::Account(text) => ("account", account, text.as_str()),
        Name::Opaque(text) => ("opaque", opaque, text.as_str()),
        Name::ScimUser(text) => ("scim", scim, text.as_str()),
        Name::Other(format) => return Ok(Err(format!("a subject of format `{format}` names no person here"))),
    };
    match by {
        Some(by) => by_text(door, settings, *by, text).map(Ok),
        None => Ok(Err(format!("signals.subjects.{format} is not set"))),
    }
}

fn by_text(door: &Door<'_>, settings: &Signals, by: By, text: &str) -> Result<BTreeSet<PersonId>, StoreError> {
    let tables = door.tables();
    let narrow = match by {
        By::PersonId => {
            let known = PersonId::new(text).ok().map(|id| Ok::<_, StoreError>((door.exists(&id)?, id))).transpose()?;
            return Ok(known.filter(|(exists, _)| *exists).map(|(_, id)| id).into_iter().collect());
        }
        By::Email => {
            let Ok(email) = Email::new(text) else { return Ok(BTreeSet::new()) };
            let mut holders = BTreeSet::new();
            for id in tables.claimants_of_email(&email)? {
                if door.person(&id)?.has_email(email.as_str(), door.now()) {
                    holders.insert(id);
                }
            }
            return Ok(holders);
        }
        By::ScimId => ScimNarrow::Id(text.to_owned()),
        By::ScimExternalId => ScimNarrow::ExternalId(text.to_owned()),
    };
    let Some(source) = &settings.subjects.scim_source else { return Ok(BTreeSet::new()) };
    let rows = tables.scim_matching(source, ScimKind::User, &narrow)?;
    Ok(rows.into_iter().filter_map(|row| row.person).collect())
}

fn called(name: &Name) -> String {
    let text = |format: &str, text: &str| format!("{format} `{}`", shown(text, 80));
    match name {
        Name::IssSub { subject, .. } => text("iss_sub", subject),
        Name::Email(email) => text("email", email.as_str()),
        Name::Account(account) => text("account", account),
        Name::Opaque(id) => text("opaque", id),
        Name::ScimUser(id) => text("scim", id),
        Name::Other(format) => (*format).to_owned(),
    }
}
