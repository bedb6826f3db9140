//! PATCH (RFC 7644 section 3.5.2) in the dialects of Okta and Entra. Pure: all operations apply, or none.

use super::error::{Kind, ScimError};
use super::filter::value_matches;
use super::schema::{Attribute, Place, Schema, Schemas, Type};
use super::value::{MEMBERS_MAX, Object, attribute_value, extension, log_ignored, prune, within};
use countersign_policy::text::shown;
use countersign_registry::ScimKind;
use scim_v2::filter::{AttrExp, CompValue, CompareOp, PatchPath, ValFilter};
use serde_json::Value;

/// Operations of one request.
const OPERATIONS_MAX: usize = 1000;

/// Bytes of a path.
const PATH_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// What a PATCH makes of a resource.
#[derive(Debug)]
pub struct Patched {
    pub resource: Object,
    /// Whether an operation spoke of `active`.
    pub spoke_of_active: bool,
}

/// Where an operation goes.
enum Target<'s> {
    Extension(&'s Schema),
    Attribute {
        extension: Option<&'s str>,
        attribute: &'s Attribute,
        /// Of a multi-valued attribute, the values that are meant.
        chosen: Option<ValFilter>,
        sub: Option<&'s Attribute>,
    },
}

struct Patch<'s> {
    schemas: &'s Schemas,
    kind: ScimKind,
    resource: Object,
    spoke_of_active: bool,
    ignored: Vec<String>,
}

/// Applies the request `body` to a resource as it is stored.
pub fn apply(schemas: &Schemas, kind: ScimKind, stored: &Object, body: &Object) -> Result<Patched, ScimError> {
    let operations = field(body, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("`Operations` is missing"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(syntax(&format!("a request has at most {OPERATIONS_MAX} operations")));
    }
    let mut patch = Patch { schemas, kind, resource: stored.clone(), spoke_of_active: false, ignored: Vec::new() };
    for operation in operations {
        patch.operation(operation)?;
        prune(&mut patch.resource);
    }
    log_ignored(&patch.ignored);
    Ok(Patched { resource: patch.resource, spoke_of_active: patch.spoke_of_active })
}

/// A field by its name in any case.
fn field<'o>(object: &'o Object, name: &str) -> Option<&'o Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn syntax(reason: &str) -> ScimError {
    ScimError::new(Kind::InvalidSyntax, reason.to_owned())
}

impl<'s> Patch<'s> {
    fn operation(&mut self, operation: &Value) -> Result<(), ScimError> {
        let operation = operation.as_object().ok_or_else(|| syntax("an operation is an object"))?;
        let op = field(operation, "op").and_then(Value::as_str).unwrap_or_default();
        let op = match op.to_ascii_lowercase().as_str() {
            "add" => Op::Add,
            "replace" => Op::Replace,
            "remove" => Op::Remove,
            _ => return Err(syntax(&format!("`op` is add, replace or remove, not `{}`", shown(op, 40)))),
        };
        let value = field(operation, "value").unwrap_or(&Value::Null);
        match field(operation, "path") {
            None | Some(Value::Null) => self.whole(op, value),
            Some(Value::String(path)) => self.at(op, path, value),
            Some(_) => Err(ScimError::new(Kind::InvalidPath, "`path` is a text".to_owned())),
        }
    }

    /// Without a path: every field of the value is a path of its own.
    fn whole(&mut self, op: Op, value: &Value) -> Result<(), ScimError> {
        if op == Op::Remove {
            return Err(ScimError::new(Kind::NoTarget, "a removal says what: `path` is missing".to_owned()));
        }
        let value = value.as_object().ok_or_else(|| {
            ScimError::new(Kind::InvalidValue, "without `path` the value is an object of attributes".to_owned())
        })?;
        for (path, value) in value {
            // Okta repeats the id, others `schemas`; they change nothing.
            let read_only = self.schemas.attribute(self.kind, path).is_some_and(Attribute::is_read_only);
            if !read_only {
                self.at(op, path, value)?;
            }
        }
        Ok(())
    }

    fn at(&mut self, op: Op, path: &str, value: &Value) -> Result<(), ScimError> {
        let Some(target) = self.target(path)? else {
            self.ignored.push(shown(path, 60));
            return Ok(());
        };
        match target {
            Target::Extension(schema) => self.extension(op, schema, value),
            Target::Attribute { attribute, .. } if attribute.is_read_only() => Err(read_only(&attribute.name)),
            Target::Attribute { sub: Some(sub), .. } if sub.is_read_only() => Err(read_only(&sub.name)),
            Target::Attribute { extension, attribute, chosen, sub } => {
                self.spoke_of_active |= extension.is_none() && attribute.name == "active";
                let op = if value.is_null() && op != Op::Add { Op::Remove } else { op };
                within(&mut self.resource, extension, |holder| match (chosen, attribute.multi_valued) {
                    (Some(chosen), true) => change_chosen(holder, op, attribute, &chosen, sub, value),
                    (Some(_), false) => Err(ScimError::new(
                        Kind::InvalidPath,
                        format!("`{}` has one value, of which none can be chosen", attribute.name),
                    )),
                    (None, true) => change_many(holder, op, attribute, sub, value),
                    (None, false) => change_one(holder, op, attribute, sub, value),
                })
            }
        }
    }

    /// `None`: an attribute that the schema does not know.
    fn target(&self, path: &str) -> Result<Option<Target<'s>>, ScimError> {
        let bad = |reason: &str| {
            ScimError::new(Kind::InvalidPath, format!("the path `{}` cannot be read: {reason}", shown(path, 120)))
        };
        if path.len() > PATH_MAX {
            return Err(bad("it is too long"));
        }
        if let Some(schema) = self.schemas.extension(self.kind).filter(|schema| schema.id.eq_ignore_ascii_case(path)) {
            return Ok(Some(Target::Extension(schema)));
        }
        let parsed: PatchPath = path.trim().parse().map_err(|error| bad(&shown(&format!("{error}"), 120)))?;
        let (at, chosen, sub) = match parsed {
            PatchPath::Attr(at) => {
                let sub = at.sub_attr.clone();
                (at, None, sub)
            }
            PatchPath::Value(value) => (value.attr, Some(value.filter), value.sub_attr),
        };
        Ok(match self.schemas.place(self.kind, at.uri.as_deref(), &at.name) {
            None => None,
            Some(Place::Extension(schema)) => Some(Target::Extension(schema)),
            Some(Place::Attribute { extension, attribute }) => {
                let sub = match sub {
                    None => None,
                    Some(name) => match attribute.sub(&name) {
                        Some(sub) => Some(sub),
                        None => return Ok(None),
                    },
                };
                Some(Target::Attribute { extension, attribute, chosen, sub })
            }
        })
    }

    fn extension(&mut self, op: Op, schema: &Schema, value: &Value) -> Result<(), ScimError> {
        if op == Op::Remove {
            self.resource.remove(&schema.id);
            return Ok(());
        }
        let read = extension(schema, value, &mut self.ignored)?;
        within(&mut self.resource, Some(&schema.id), |holder| holder.extend(read));
        Ok(())
    }
}

fn read_only(name: &str) -> ScimError {
    ScimError::new(Kind::Mutability, format!("`{name}` is not yours to change"))
}

/// One value: set, merged where it is complex, or taken away.
fn change_one(
    holder: &mut Object,
    op: Op,
    attribute: &Attribute,
    sub: Option<&Attribute>,
    value: &Value,
) -> Result<(), ScimError> {
    if let Some(sub) = sub {
        let mut object = match holder.get(&attribute.name) {
            Some(Value::Object(object)) => object.clone(),
            _ => Object::new(),
        };
        set(&mut object, sub, if op == Op::Remove { None } else { attribute_value(sub, value)? });
        set(holder, attribute, (!object.is_empty()).then_some(Value::Object(object)));
        return Ok(());
    }
    if op == Op::Remove {
        if attribute.required {
            let reason = format!("`{}` is required and cannot be removed", attribute.name);
            return Err(ScimError::new(Kind::Mutability, reason));
        }
        holder.remove(&attribute.name);
        return Ok(());
    }
    match (attribute_value(attribute, value)?, holder.get_mut(&attribute.name)) {
        (Some(Value::Object(new)), Some(Value::Object(old))) => old.extend(new),
        (new, _) => set(holder, attribute, new),
    }
    Ok(())
}

fn set(holder: &mut Object, attribute: &Attribute, value: Option<Value>) {
    match value {
        Some(value) => holder.insert(attribute.name.clone(), value),
        None => holder.remove(&attribute.name),
    };
}

/// All values of an attribute.
fn change_many(
    holder: &mut Object,
    op: Op,
    attribute: &Attribute,
    sub: Option<&Attribute>,
    value: &Value,
) -> Result<(), ScimError> {
    let mut values = match holder.remove(&attribute.name) {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    let new = match (op, sub) {
        (_, Some(sub)) => {
            let new = if op == Op::Remove { None } else { attribute_value(sub, value)? };
            for value in values.iter_mut().filter_map(Value::as_object_mut) {
                set(value, sub, new.clone());
            }
            values.retain(|value| value.as_object().is_none_or(|object| !object.is_empty()));
            Vec::new()
        }
        // Entra names those that are to go in the value.
        (Op::Remove, None) if !value.is_null() => {
            let gone = many(attribute, value)?;
            values.retain(|value| !gone.iter().any(|gone| same(attribute, value, gone)));
            Vec::new()
        }
        (Op::Remove, None) => {
            values.clear();
            Vec::new()
        }
        (Op::Replace, None) => {
            values.clear();
            many(attribute, value)?
        }
        (Op::Add, None) => many(attribute, value)?,
    };
    add(attribute, &mut values, new)?;
    if !values.is_empty() {
        holder.insert(attribute.name.clone(), Value::Array(values));
    }
    Ok(())
}

fn many(attribute: &Attribute, value: &Value) -> Result<Vec<Value>, ScimError> {
    Ok(match attribute_value(attribute, value)? {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    })
}

/// Adds what is not there yet; a new primary value takes that from the former one.
fn add(attribute: &Attribute, values: &mut Vec<Value>, new: Vec<Value>) -> Result<(), ScimError> {
    let key = |value: &Value| match value.get("value").and_then(Value::as_str) {
        // By far the longest list, and the one in which a value names itself.
        Some(id) if attribute.name == "members" => id.to_owned(),
        _ => value.to_string(),
    };
    let mut known: std::collections::HashSet<String> = values.iter().map(key).collect();
    for value in new {
        if !known.insert(key(&value)) {
            continue;
        }
        if value.get("primary") == Some(&Value::Bool(true)) {
            for former in values.iter_mut().filter_map(Value::as_object_mut) {
                if former.get("primary") == Some(&Value::Bool(true)) {
                    former.insert("primary".to_owned(), Value::Bool(false));
                }
            }
        }
        values.push(value);
    }
    if values.len() > MEMBERS_MAX {
        let reason = format!("`{}` would have {} values, at most {MEMBERS_MAX} are kept", attribute.name, values.len());
        return Err(ScimError::new(Kind::InvalidValue, reason));
    }
    Ok(())
}

fn same(attribute: &Attribute, value: &Value, other: &Value) -> bool {
    if attribute.kind != Type::Complex || attribute.sub("value").is_none() {
        return value == other;
    }
    match (value.get("value"), other.get("value")) {
        (Some(value), Some(other)) => value == other,
        _ => value == other,
    }
}

/// The values that `chosen` means. Where there is none yet, one is made of what the choice says: providers set
/// `emails[type eq "work"].value` before there is such an address, and refusing that would refuse what comes with it.
fn change_chosen(
    holder: &mut Object,
    op: Op,
    attribute: &Attribute,
    chosen: &ValFilter,
    sub: Option<&Attribute>,
    value: &Value,
) -> Result<(), ScimError> {
    let mut values = match holder.remove(&attribute.name) {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    let meant = |value: &Value| value_matches(attribute, chosen, value);
    match (op, sub) {
        (Op::Remove, None) => values.retain(|value| !meant(value)),
        (_, Some(sub)) => {
            let new = if op == Op::Remove { None } else { attribute_value(sub, value)? };
            let mut found = false;
            for value in values.iter_mut().filter(|value| meant(value)) {
                found = true;
                if let Some(object) = value.as_object_mut() {
                    set(object, sub, new.clone());
                }
            }
            if let (false, Some(new)) = (found, new) {
                let mut object = told(attribute, chosen);
                object.insert(sub.name.clone(), new);
                add(attribute, &mut values, vec![Value::Object(object)])?;
            }
        }
        (Op::Add | Op::Replace, None) => {
            let new = many(attribute, value)?;
            let found = values.iter().any(meant);
            for old in values.iter_mut().filter(|value| meant(value)) {
                for new in new.iter().filter_map(Value::as_object) {
                    if let Some(old) = old.as_object_mut() {
                        old.extend(new.clone());
                    }
                }
            }
            if !found {
                let with_choice = new.into_iter().map(|new| {
                    let mut object = told(attribute, chosen);
                    object.extend(new.as_object().cloned().unwrap_or_default());
                    Value::Object(object)
                });
                add(attribute, &mut values, with_choice.collect())?;
            }
        }
    }
    values.retain(|value| value.as_object().is_none_or(|object| !object.is_empty()));
    if !values.is_empty() {
        holder.insert(attribute.name.clone(), Value::Array(values));
    }
    Ok(())
}

/// What a choice tells of a value: its equalities.
fn told(attribute: &Attribute, chosen: &ValFilter) -> Object {
    let mut object = Object::new();
    match chosen {
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, value)) => {
            let value = match value {
                CompValue::Str(text) => Value::String(text.clone()),
                CompValue::True => Value::Bool(true),
                CompValue::False => Value::Bool(false),
                CompValue::Number(number) => Value::Number(number.clone()),
                CompValue::Null => Value::Null,
            };
            if let Some(sub) = attribute.sub(&path.name)
                && let Ok(Some(value)) = attribute_value(sub, &value)
            {
                object.insert(sub.name.clone(), value);
            }
        }
        ValFilter::And(all) => all.iter().for_each(|part| object.extend(told(attribute, part))),
        ValFilter::Attr(_) | ValFilter::Not(_) | ValFilter::Or(_) => {}
    }
    object
}

#[cfg(test)]
mod tests;
