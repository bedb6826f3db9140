//! What a client sends ─► what is stored: names and types as the schema has them. Pure.
//!
//! What the schema does not know is ignored and named, so that an unrelated field never keeps a leaver in. What it knows
//! and cannot read is refused: a deactivation that is not understood must not pass for one that was done.

use super::error::{Kind, ScimError};
use super::schema::{Attribute, Place, Schema, Schemas, Type};
use countersign_policy::text::shown;
use countersign_registry::ScimKind;
use serde_json::{Map, Value};

pub type Object = Map<String, Value>;

/// Longest text, in bytes: a profile URL, with room.
const TEXT_MAX: usize = 4096;

/// Values of one attribute of a user.
const VALUES_MAX: usize = 100;

/// Members of one group: its document is read and written whole with each change, which stays within some 20 ms.
pub const MEMBERS_MAX: usize = 20_000;

/// Names that are ignored are logged, not every one of a flood.
const IGNORED_SHOWN: usize = 8;

/// Reads a whole resource, as POST and PUT send it.
pub fn resource(schemas: &Schemas, kind: ScimKind, sent: &Object) -> Result<Object, ScimError> {
    let mut stored = Object::new();
    let mut ignored = Vec::new();
    for (name, value) in sent {
        // `schemas`, `id` and `meta` are ours to tell; a dotted or URN name is a PATCH dialect and no attribute here.
        let (urn, bare) = split_urn(name);
        match schemas.place(kind, urn, bare) {
            None => ignored.push(shown(name, 60)),
            Some(Place::Attribute { attribute, .. }) if attribute.is_read_only() => {}
            Some(Place::Attribute { attribute, extension }) => {
                let Some(value) = attribute_value(attribute, value)? else { continue };
                let former = within(&mut stored, extension, |into| into.insert(attribute.name.clone(), value));
                if former.is_some() {
                    return Err(ScimError::new(Kind::InvalidSyntax, format!("`{}` is said twice", attribute.name)));
                }
            }
            Some(Place::Extension(schema)) => {
                let read = extension(schema, value, &mut ignored)?;
                within(&mut stored, Some(&schema.id), |into| into.extend(read));
            }
        }
    }
    prune(&mut stored);
    log_ignored(&ignored);
    Ok(stored)
}

/// Reads the attributes of an extension.
pub fn extension(schema: &Schema, value: &Value, ignored: &mut Vec<String>) -> Result<Object, ScimError> {
    let Value::Object(sent) = value else {
        if value.is_null() {
            return Ok(Object::new());
        }
        return Err(invalid(&schema.name, "an object", value));
    };
    let mut read = Object::new();
    for (name, value) in sent {
        match schema.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name)) {
            None => ignored.push(shown(name, 60)),
            Some(attribute) => {
                if let Some(value) = attribute_value(attribute, value)? {
                    read.insert(attribute.name.clone(), value);
                }
            }
        }
    }
    Ok(read)
}

pub fn log_ignored(ignored: &[String]) {
    if !ignored.is_empty() {
        let named = ignored.iter().take(IGNORED_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        tracing::info!(attributes = named, count = ignored.len(), "unknown attributes were ignored");
    }
}

/// `urn:…:2.0:User:name` ─► the URN and the name.
pub fn split_urn(name: &str) -> (Option<&str>, &str) {
    match name.rsplit_once(':') {
        Some((urn, bare)) => (Some(urn), bare),
        None => (None, name),
    }
}

/// Changes the attributes of `extension`, or of the resource itself.
pub fn within<T>(resource: &mut Object, extension: Option<&str>, change: impl FnOnce(&mut Object) -> T) -> T {
    let Some(extension) = extension else { return change(resource) };
    let mut object = match resource.remove(extension) {
        Some(Value::Object(object)) => object,
        _ => Object::new(),
    };
    let done = change(&mut object);
    resource.insert(extension.to_owned(), Value::Object(object));
    done
}

/// An empty array and an empty extension are as good as none (RFC 7643 section 2.5).
pub fn prune(resource: &mut Object) {
    resource.retain(|_, value| match value {
        Value::Array(values) => !values.is_empty(),
        Value::Object(object) => !object.is_empty(),
        _ => true,
    });
}

/// `None`: it says that there is no value.
pub fn attribute_value(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, ScimError> {
    if !attribute.multi_valued {
        return single(attribute, sent);
    }
    let alone = std::slice::from_ref(sent);
    let values = match sent {
        Value::Null => return Ok(None),
        Value::Array(values) => values.as_slice(),
        _ => alone,
    };
    let most = if attribute.name == "members" { MEMBERS_MAX } else { VALUES_MAX };
    if values.len() > most {
        let reason = format!("`{}` has {} values, at most {most} are kept", attribute.name, values.len());
        return Err(ScimError::new(Kind::InvalidValue, reason));
    }
    let mut read = Vec::with_capacity(values.len());
    for value in values {
        read.extend(one(attribute, value)?);
    }
    Ok((!read.is_empty()).then_some(Value::Array(read)))
}

/// Providers wrap a single value in `[…]` or `[{"value": …}]`.
fn single(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, ScimError> {
    match sent {
        Value::Array(values) => match values.as_slice() {
            [] => Ok(None),
            [value] => single(attribute, value),
            _ => Err(invalid(&attribute.name, "one value", sent)),
        },
        Value::Object(object) if attribute.kind != Type::Complex => match object.get("value") {
            Some(value) if object.len() == 1 && !value.is_object() => single(attribute, value),
            _ => Err(invalid(&attribute.name, "a plain value", sent)),
        },
        _ => one(attribute, sent),
    }
}

fn one(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, ScimError> {
    match (attribute.kind, sent) {
        (_, Value::Null) => Ok(None),
        (Type::Complex, Value::Object(object)) => complex(attribute, object),
        // Entra names a manager, and others a member, by the bare id.
        (Type::Complex, Value::String(text)) if attribute.sub("value").is_some() => {
            if text.is_empty() {
                return Ok(None);
            }
            let mut object = Object::new();
            object.insert("value".to_owned(), sent.clone());
            complex(attribute, &object)
        }
        (Type::Boolean, Value::Bool(_)) => Ok(Some(sent.clone())),
        (Type::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(Value::Bool(true))),
        (Type::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(Value::Bool(false))),
        (Type::Boolean, _) => Err(invalid(&attribute.name, "true or false", sent)),
        (Type::String | Type::Reference | Type::DateTime, Value::String(text)) => {
            if text.len() > TEXT_MAX {
                let reason = format!("`{}` is longer than {TEXT_MAX} bytes", attribute.name);
                return Err(ScimError::new(Kind::InvalidValue, reason));
            }
            Ok(Some(sent.clone()))
        }
        // An employee number may come as a number.
        (Type::String, Value::Number(number)) => Ok(Some(Value::String(number.to_string()))),
        (Type::String, Value::Bool(value)) => Ok(Some(Value::String(value.to_string()))),
        (Type::Integer, Value::Number(number)) if number.is_i64() => Ok(Some(sent.clone())),
        _ => Err(invalid(&attribute.name, "a value of its type", sent)),
    }
}

fn complex(attribute: &Attribute, sent: &Object) -> Result<Option<Value>, ScimError> {
    let mut read = Object::new();
    for (name, value) in sent {
        let Some(sub) = attribute.sub(name).filter(|sub| !sub.is_read_only()) else { continue };
        if let Some(value) = attribute_value(sub, value)? {
            read.insert(sub.name.clone(), value);
        }
    }
    Ok((!read.is_empty()).then_some(Value::Object(read)))
}

fn invalid(name: &str, wanted: &str, sent: &Value) -> ScimError {
    let sent = shown(&sent.to_string(), 80);
    ScimError::new(Kind::InvalidValue, format!("`{name}` needs {wanted}, and {sent} is none"))
}
