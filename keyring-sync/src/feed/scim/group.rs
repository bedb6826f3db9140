//! Group membership ─► roles, as the configuration maps them.

use super::error::{Kind, ScimError};
use super::patch;
use super::resource::document;
use super::say::{Cause, Task};
use super::value::{self, Object};
use countersign_policy::id::{PersonId, Role};
use countersign_policy::time::Time;
use countersign_registry::{ScimKind, ScimRow};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn create(task: &mut Task<'_, '_>, sent: &Object) -> Result<ScimRow, ScimError> {
    let document = value::resource(task.schemas, ScimKind::Group, sent)?;
    settle(task, None, document)
}

pub fn replace(task: &mut Task<'_, '_>, known: ScimRow, sent: &Object) -> Result<ScimRow, ScimError> {
    let document = value::resource(task.schemas, ScimKind::Group, sent)?;
    settle(task, Some(known), document)
}

pub fn change(task: &mut Task<'_, '_>, known: ScimRow, sent: &Object) -> Result<ScimRow, ScimError> {
    let patched = patch::apply(task.schemas, ScimKind::Group, &document(&known)?, sent)?;
    settle(task, Some(known), patched.resource)
}

pub fn delete(task: &mut Task<'_, '_>, known: ScimRow) -> Result<(), ScimError> {
    let version = known.version.saturating_add(1);
    let cause = Cause { resource: &known.id, version };
    tell_roles(task, cause, &document(&known)?, &Object::new())?;
    let modified = task.door.now();
    Ok(task.door.tables().put_scim(&ScimRow { version, modified, deleted: Some(modified), ..known }, &[])?)
}

/// A user that is deleted is in no group any more, and has no role by one.
pub fn forget_member(task: &mut Task<'_, '_>, member: &str) -> Result<(), ScimError> {
    for group in task.door.tables().scim_groups_of(task.source, member)? {
        let mut left = document(&group)?;
        if let Some(Value::Array(members)) = left.get_mut("members") {
            members.retain(|value| value.get("value").and_then(Value::as_str) != Some(member));
        }
        value::prune(&mut left);
        settle(task, Some(group), left)?;
    }
    Ok(())
}

fn settle(task: &mut Task<'_, '_>, known: Option<ScimRow>, document: Object) -> Result<ScimRow, ScimError> {
    let name = match document.get("displayName").and_then(Value::as_str).map(str::trim) {
        Some(name) if !name.is_empty() => name.to_lowercase(),
        _ => return Err(ScimError::new(Kind::InvalidValue, "`displayName` is missing".to_owned())),
    };
    let text = Value::Object(document.clone()).to_string();
    if let Some(row) = known.as_ref().filter(|row| row.document == text) {
        return Ok(row.clone());
    }
    let id = known.as_ref().map_or_else(|| ulid::Ulid::generate().to_string(), |row| row.id.clone());
    let version = known.as_ref().map_or(1, |row| row.version.saturating_add(1));
    let before = known.as_ref().map(super::resource::document).transpose()?.unwrap_or_default();
    tell_roles(task, Cause { resource: &id, version }, &before, &document)?;
    let now = task.door.now();
    let row = ScimRow {
        source: task.source.clone(),
        kind: ScimKind::Group,
        id,
        person: None,
        name,
        external_id: document.get("externalId").and_then(Value::as_str).map(str::to_owned),
        version,
        created: known.as_ref().map_or(now, |row| row.created),
        modified: now,
        deleted: None,
        suspended: false,
        document: text,
    };
    let members: Vec<&str> = members(&document).into_iter().collect();
    task.door.tables().put_scim(&row, &members)?;
    Ok(row)
}

fn members(document: &Object) -> BTreeSet<&str> {
    let members = document.get("members").and_then(Value::as_array).into_iter().flatten();
    members.filter_map(|member| member.get("value")?.as_str()).collect()
}

/// The roles that a group of this name or external id gives.
fn roles<'t>(task: &Task<'t, '_>, document: &Object) -> BTreeSet<&'t Role> {
    let named = ["displayName", "externalId"].into_iter().filter_map(|name| document.get(name)?.as_str());
    named.filter_map(|name| task.settings.groups.get(name)).collect()
}

/// Says who got a role by this group and who lost one, and of nobody else.
fn tell_roles(task: &mut Task<'_, '_>, cause: Cause<'_>, before: &Object, after: &Object) -> Result<(), ScimError> {
    let (had, has) = (roles(task, before), roles(task, after));
    if had.is_empty() && has.is_empty() {
        return Ok(());
    }
    let (were, are) = (members(before), members(after));
    for member in were.union(&are).copied() {
        let given: BTreeSet<&Role> = if are.contains(member) { has.clone() } else { BTreeSet::new() };
        let held: BTreeSet<&Role> = if were.contains(member) { had.clone() } else { BTreeSet::new() };
        if given == held {
            continue;
        }
        // A member may be another group, or somebody whom the source has not told of.
        let Some(person) = person(task, member)? else { continue };
        let heard = task.heard(&person)?;
        for role in given.difference(&held).copied() {
            if !task.door.person(&person)?.has_role(role.as_str(), heard) {
                say(task, &person, "role_granted", role, cause, heard)?;
            }
        }
        for role in held.difference(&given).copied() {
            if !given_elsewhere(task, member, role, cause.resource)?
                && task.door.person(&person)?.has_role(role.as_str(), heard)
            {
                say(task, &person, "role_removed", role, cause, heard)?;
            }
        }
    }
    Ok(())
}

fn say(
    task: &mut Task<'_, '_>,
    person: &PersonId,
    kind: &str,
    role: &Role,
    cause: Cause<'_>,
    heard: Time,
) -> Result<(), ScimError> {
    Ok(task.say(person, kind, &format!("-{role}-{person}"), json!({"role": role}), cause, heard)?)
}

fn person(task: &Task<'_, '_>, member: &str) -> Result<Option<PersonId>, ScimError> {
    Ok(task.door.tables().scim(task.source, ScimKind::User, member)?.and_then(|row| row.person))
}

/// Whether another group gives the member the same role.
fn given_elsewhere(task: &Task<'_, '_>, member: &str, role: &Role, but: &str) -> Result<bool, ScimError> {
    for group in task.door.tables().scim_groups_of(task.source, member)? {
        if group.id != but && roles(task, &document(&group)?).contains(role) {
            return Ok(true);
        }
    }
    Ok(false)
}
