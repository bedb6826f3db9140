//! What a resource, or a request that changes one, says of `active`; in any dialect that the service reads. Pure.

use super::patch;
use super::schema::Schemas;
use super::value::{self, Object};
use countersign_registry::ScimKind;
use serde_json::{Value, json};
use std::sync::LazyLock;

static SCHEMAS: LazyLock<Result<Schemas, String>> =
    LazyLock::new(|| Schemas::load().map_err(|error| error.to_string()));

/// Nothing but `active` is looked at, so that an unrelated attribute never keeps a leaver in.
pub fn said_active(data: &Object) -> Result<Option<bool>, String> {
    let schemas = SCHEMAS.as_ref().map_err(Clone::clone)?;
    let operations = data.iter().find(|(name, _)| name.eq_ignore_ascii_case("Operations"));
    let read = match operations {
        None => value::resource(schemas, ScimKind::User, &only_active(data)),
        Some((_, operations)) => {
            let all = operations.as_array().ok_or("`Operations` is no list")?;
            let body = json!({"Operations": all.iter().filter_map(of_active).collect::<Vec<Value>>()});
            let Value::Object(body) = body else { return Ok(None) };
            patch::apply(schemas, ScimKind::User, &Object::new(), &body).map(|patched| patched.resource)
        }
    };
    Ok(read.map_err(|error| error.detail)?.get("active").and_then(Value::as_bool))
}

/// The operation, as far as it speaks of `active`.
fn of_active(operation: &Value) -> Option<Value> {
    let mut operation = operation.as_object()?.clone();
    let member = |operation: &Object, name: &str| {
        let found = operation.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(key, value)| (key.clone(), value.clone()))
    };
    match member(&operation, "path").map(|(_, path)| path) {
        Some(Value::String(path)) => is_active(&path).then_some(Value::Object(operation)),
        _ => {
            let (key, value) = member(&operation, "value")?;
            let value = only_active(value.as_object()?);
            if value.is_empty() {
                return None;
            }
            operation.insert(key, Value::Object(value));
            Some(Value::Object(operation))
        }
    }
}

fn only_active(object: &Object) -> Object {
    object.iter().filter(|(name, _)| is_active(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The attribute, with its schema's URN before it or without.
fn is_active(name: &str) -> bool {
    name.rsplit(':').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("active"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(data: Value) -> Result<Option<bool>, String> {
        said_active(data.as_object().unwrap())
    }

    #[test]
    fn in_whatever_dialect_it_is_said() {
        for off in [
            json!({"userName": "a", "active": false}),
            json!({"Active": "False"}),
            json!({"Operations": [{"op": "Replace", "path": "active", "value": "False"}]}),
            json!({"operations": [{"op": "replace", "value": {"active": false, "nickName": {"no": "text"}}}]}),
            json!({"Operations": [{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": false}]}),
            json!({"Operations": [{"op": "replace", "path": "members[value eq \"x\"]", "value": 1},
                {"op": "replace", "path": "active", "value": true}, {"op": "replace", "path": "active", "value": false}]}),
        ] {
            assert_eq!(said(off.clone()), Ok(Some(false)), "{off}");
        }
        for silent in [
            json!({"userName": "a"}),
            json!({"Operations": []}),
            json!({"Operations": [{"op": "remove", "path": "active"}]}),
            json!({"Operations": [{"op": "add", "path": "emails", "value": []}]}),
        ] {
            assert_eq!(said(silent.clone()), Ok(None), "{silent}");
        }
        for odd in [json!({"active": "off"}), json!({"Operations": {}}), json!({"Operations": [{"path": "active"}]})] {
            assert!(said(odd.clone()).is_err(), "{odd}");
        }
    }
}
