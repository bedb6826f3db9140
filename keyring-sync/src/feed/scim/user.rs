//! What becomes of a person when their user resource is made, changed or deleted.

use super::config::{OnDelete, PersonIdFrom};
use super::error::{Kind, ScimError};
use super::group;
use super::patch;
use super::resource::document;
use super::say::{Cause, Task, differs, profile};
use super::schema::ENTERPRISE;
use super::value::{self, Object};
use crate::door::Refused;
use countersign_policy::id::PersonId;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::{ScimKind, ScimNarrow, ScimRow, StoreError};
use serde_json::{Value, json};

/// What a request makes of a user, before it is settled what that means.
struct Wanted {
    document: Object,
    /// What it says of `active`, if it speaks of it.
    active: Option<bool>,
    /// Put anew after the source had given the user up: the old keys do not come back.
    restored: bool,
}

pub fn create(task: &mut Task<'_, '_>, sent: &Object) -> Result<ScimRow, ScimError> {
    let document = value::resource(task.schemas, ScimKind::User, sent)?;
    let active = said_active(&document);
    let external_id = document.get("externalId").and_then(Value::as_str);
    // Okta posts a rehired person again. A conflict would lock them out, and a second record would have no history.
    if let Some(external_id) = external_id {
        let narrow = ScimNarrow::ExternalId(external_id.to_owned());
        let known = task.door.tables().scim_matching(task.source, ScimKind::User, &narrow)?;
        if let Some(known) = known.into_iter().next() {
            if !known.suspended {
                return Err(taken("externalId", external_id));
            }
            return settle(task, Some(known), Wanted { document, active, restored: true });
        }
    }
    settle(task, None, Wanted { document, active, restored: true })
}

pub fn replace(task: &mut Task<'_, '_>, known: ScimRow, sent: &Object) -> Result<ScimRow, ScimError> {
    let mut new = value::resource(task.schemas, ScimKind::User, sent)?;
    let active = said_active(&new);
    if active.is_none()
        && let Some(former) = document(&known)?.remove("active")
    {
        new.insert("active".to_owned(), former);
    }
    settle(task, Some(known), Wanted { document: new, active, restored: false })
}

pub fn change(task: &mut Task<'_, '_>, known: ScimRow, sent: &Object) -> Result<ScimRow, ScimError> {
    // The person is the one of the stored resource, whatever the operations rename.
    let patched = patch::apply(task.schemas, ScimKind::User, &document(&known)?, sent)?;
    let active = if patched.spoke_of_active { said_active(&patched.resource) } else { None };
    settle(task, Some(known), Wanted { document: patched.resource, active, restored: false })
}

pub fn delete(task: &mut Task<'_, '_>, known: ScimRow) -> Result<(), ScimError> {
    let person = person_of(&known)?;
    let heard = task.heard(&person)?;
    let version = known.version.saturating_add(1);
    let cause = Cause { resource: &known.id, version };
    let kind = match task.settings.on_delete {
        OnDelete::Terminate => "terminated",
        OnDelete::Suspend => "suspended",
    };
    task.say(&person, kind, "", json!({"reason": "deleted over SCIM"}), cause, heard)?;
    group::forget_member(task, &known.id)?;
    must_be_out(task, &person, heard)?;
    let suspended = known.suspended || task.settings.on_delete == OnDelete::Suspend;
    let modified = task.door.now();
    let row = ScimRow { version, modified, deleted: Some(modified), suspended, ..known };
    Ok(task.door.tables().put_scim(&row, &[])?)
}

pub fn said_active(document: &Object) -> Option<bool> {
    document.get("active").and_then(Value::as_bool)
}

/// Makes events of the difference, and stores what was put.
fn settle(task: &mut Task<'_, '_>, known: Option<ScimRow>, wanted: Wanted) -> Result<ScimRow, ScimError> {
    let Wanted { mut document, active, restored } = wanted;
    let name = name_of(&document)?;
    check_name(task, known.as_ref(), &name)?;
    let id = known.as_ref().map_or_else(|| ulid::Ulid::generate().to_string(), |row| row.id.clone());
    let version = known.as_ref().map_or(1, |row| row.version.saturating_add(1));
    let person = match &known {
        Some(row) => person_of(row)?,
        None => new_person(task, &id, &document)?,
    };
    let cause = Cause { resource: &id, version };
    let heard = task.heard(&person)?;
    let events = task.door.taken();
    tell_profile(task, &person, &document, active, cause, heard)?;

    let was_suspended = match &known {
        Some(row) => row.suspended,
        None => task.door.tables().scim_of_person(task.source, &person)?.iter().any(|row| row.suspended),
    };
    let suspended = match active {
        Some(false) => {
            if !was_suspended || task.door.person(&person)?.is_active(heard) {
                let reason = json!({"reason": "active=false over SCIM"});
                task.say(&person, "suspended", "", reason, cause, heard)?;
            }
            must_be_out(task, &person, heard)?;
            true
        }
        Some(true) if was_suspended => {
            if restored {
                retire_keys(task, &person, cause, heard)?;
            }
            task.say(&person, "reinstated", "", json!({"reason": "active=true over SCIM"}), cause, heard)?;
            if !task.door.person(&person)?.is_active(heard) {
                tracing::info!(%person, source = %task.source, "reinstated here, and still out by another source's word");
            }
            false
        }
        Some(true) => false,
        // Silence never brings anybody back.
        None => was_suspended,
    };
    if known.is_none() && suspended && active.is_none() {
        document.insert("active".to_owned(), Value::Bool(false));
    }

    let text = Value::Object(document.clone()).to_string();
    if let Some(row) = &known
        && task.door.taken() == events
        && row.document == text
    {
        return Ok(row.clone());
    }
    let now = task.door.now();
    let row = ScimRow {
        source: task.source.clone(),
        kind: ScimKind::User,
        id,
        person: Some(person),
        name,
        external_id: document.get("externalId").and_then(Value::as_str).map(str::to_owned),
        version,
        created: known.as_ref().map_or(now, |row| row.created),
        modified: now,
        deleted: None,
        suspended,
        document: text,
    };
    task.door.tables().put_scim(&row, &[])?;
    Ok(row)
}

fn name_of(document: &Object) -> Result<String, ScimError> {
    match document.get("userName").and_then(Value::as_str).map(str::trim) {
        Some(name) if !name.is_empty() => Ok(name.to_lowercase()),
        _ => Err(ScimError::new(Kind::InvalidValue, "`userName` is missing".to_owned())),
    }
}

fn check_name(task: &Task<'_, '_>, known: Option<&ScimRow>, name: &str) -> Result<(), ScimError> {
    let narrow = ScimNarrow::Name(name.to_owned());
    let holders = task.door.tables().scim_matching(task.source, ScimKind::User, &narrow)?;
    match holders.iter().any(|holder| known.is_none_or(|row| row.id != holder.id)) {
        true => Err(taken("userName", name)),
        false => Ok(()),
    }
}

fn taken(attribute: &str, value: &str) -> ScimError {
    ScimError::new(Kind::Uniqueness, format!("there is a user with {attribute} `{}` already", shown(value, 120)))
}

fn person_of(row: &ScimRow) -> Result<PersonId, ScimError> {
    let missing = || StoreError::Damaged(format!("SCIM user {} speaks of nobody", row.id));
    Ok(row.person.clone().ok_or_else(missing)?)
}

/// Whom a new resource speaks of. Settled once: whatever is renamed later, it stays the same person.
fn new_person(task: &Task<'_, '_>, id: &str, document: &Object) -> Result<PersonId, ScimError> {
    let from = task.settings.person_id;
    let person = person_called(from, id, document)?;
    let rows = task.door.tables().scim_of_person(task.source, &person)?;
    match rows.iter().any(|row| row.deleted.is_none()) {
        true => Err(taken(from.as_str(), person.as_str())),
        false => Ok(person),
    }
}

/// The person's id as a resource tells it.
pub fn person_called(from: PersonIdFrom, id: &str, document: &Object) -> Result<PersonId, ScimError> {
    let text = match from {
        PersonIdFrom::EmployeeNumber => {
            document.get(ENTERPRISE).and_then(|extension| extension.get(from.as_str())?.as_str())
        }
        PersonIdFrom::ExternalId | PersonIdFrom::UserName => document.get(from.as_str()).and_then(Value::as_str),
        PersonIdFrom::Id => Some(id),
    };
    let attribute = from.as_str();
    let text = text.map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| {
        ScimError::new(Kind::InvalidValue, format!("`{attribute}` is missing, which is the person's id on this server"))
    })?;
    PersonId::new(text)
        .map_err(|error| ScimError::new(Kind::InvalidValue, format!("`{attribute}` is the person's id here: {error}")))
}

/// Hires whom nobody knows; renames whom the source tells of otherwise.
fn tell_profile(
    task: &mut Task<'_, '_>,
    person: &PersonId,
    document: &Object,
    active: Option<bool>,
    cause: Cause<'_>,
    heard: Time,
) -> Result<(), ScimError> {
    let mut profile = profile(document);
    if !task.settings.profile {
        profile.emails = None;
    }
    let data = |profile| serde_json::to_value(profile).map_err(|error| StoreError::Damaged(error.to_string()));
    if !task.door.exists(person)? {
        task.say(person, "hired", "", data(&profile)?, cause, heard)?;
        return Ok(task.say(person, "activated", "", json!({}), cause, heard)?);
    }
    if !task.settings.profile || !differs(&task.door.person(person)?, &profile, heard) {
        return Ok(());
    }
    match task.say(person, "renamed", "", data(&profile)?, cause, heard) {
        // A name that somebody else holds is no reason to keep a leaver in.
        Err(refused @ Refused::NameTaken(..)) if active == Some(false) => {
            tracing::warn!(%person, source = %task.source, %refused, "a leaver is not renamed");
            Ok(())
        }
        told => Ok(told?),
    }
}

/// What the source has given up and puts anew begins without keys: they are enrolled again.
fn retire_keys(task: &mut Task<'_, '_>, person: &PersonId, cause: Cause<'_>, heard: Time) -> Result<(), ScimError> {
    let keys = task.door.person(person)?.keys;
    for (number, key) in keys.iter().filter(|key| key.retired.is_none() && key.compromised.is_none()).enumerate() {
        let data = json!({"fingerprint": key.fingerprint, "reason": "put anew over SCIM after a deactivation"});
        task.say(person, "key_retired", &format!("-{number}"), data, cause, heard)?;
    }
    Ok(())
}

/// The source believes what it is answered, and never asks again.
fn must_be_out(task: &Task<'_, '_>, person: &PersonId, heard: Time) -> Result<(), ScimError> {
    if !task.door.person(person)?.is_active(heard) {
        return Ok(());
    }
    tracing::error!(%person, source = %task.source, "a deactivation had no effect; the registry holds newer word");
    let reason = "the person would still be active: nothing was changed, try again".to_owned();
    Err(ScimError::new(Kind::Internal, reason))
}
