//! What a client asks of a list, and which attributes it wants to see. Pure.

use super::error::{Kind, ScimError};
use super::schema::{Place, Schemas};
use super::value::{Object, split_urn};
use countersign_policy::text::shown;
use countersign_registry::ScimKind;
use serde_json::Value;

/// Resources on one page; a client asks for the next one.
pub const PAGE_MAX: usize = 200;
const PAGE_DEFAULT: usize = 100;

/// Names in `attributes` or `excludedAttributes`.
const NAMES_MAX: usize = 200;

/// The parameters of a list or of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub filter: Option<String>,
    /// 0-based.
    pub skip: usize,
    pub count: usize,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl Query {
    /// Of a URL. Unknown parameters mean nothing.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<Self, ScimError> {
        let mut query = Query { count: PAGE_DEFAULT, ..Query::default() };
        for (name, value) in pairs {
            match name.to_ascii_lowercase().as_str() {
                "filter" => query.filter = Some(value.clone()),
                "startindex" => query.skip = skip(number(name, value)?),
                "count" => query.count = count(number(name, value)?),
                "attributes" => query.attributes = names(value.split(','))?,
                "excludedattributes" => query.excluded = names(value.split(','))?,
                _ => {}
            }
        }
        query.check()
    }

    /// Of the body of `POST …/.search`.
    pub fn from_body(body: &Object) -> Result<Self, ScimError> {
        let mut query = Query { count: PAGE_DEFAULT, ..Query::default() };
        let integer = |name: &str, value: &Value| {
            value.as_i64().ok_or_else(|| ScimError::new(Kind::InvalidValue, format!("`{name}` is a whole number")))
        };
        let list = |name: &str, value: &Value| {
            let texts = value.as_array().map(|values| values.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            match texts {
                Some(Some(texts)) => names(texts.into_iter()),
                _ => Err(ScimError::new(Kind::InvalidValue, format!("`{name}` is a list of names"))),
            }
        };
        for (name, value) in body.iter().filter(|(_, value)| !value.is_null()) {
            match name.to_ascii_lowercase().as_str() {
                "filter" => {
                    let text = value
                        .as_str()
                        .ok_or_else(|| ScimError::new(Kind::InvalidFilter, "`filter` is a text".to_owned()))?;
                    query.filter = Some(text.to_owned());
                }
                "startindex" => query.skip = skip(integer(name, value)?),
                "count" => query.count = count(integer(name, value)?),
                "attributes" => query.attributes = list(name, value)?,
                "excludedattributes" => query.excluded = list(name, value)?,
                _ => {}
            }
        }
        query.check()
    }

    fn check(self) -> Result<Self, ScimError> {
        if !self.attributes.is_empty() && !self.excluded.is_empty() {
            let reason = "`attributes` and `excludedAttributes` exclude each other".to_owned();
            return Err(ScimError::new(Kind::InvalidValue, reason));
        }
        Ok(self)
    }

    /// Leaves of a resource what was asked for.
    pub fn project(&self, schemas: &Schemas, kind: ScimKind, resource: Object) -> Object {
        if !self.attributes.is_empty() {
            return only(schemas, kind, &resource, &self.attributes);
        }
        let mut left = resource;
        for name in &self.excluded {
            exclude(schemas, kind, &mut left, name);
        }
        left
    }
}

fn number(name: &str, value: &str) -> Result<i64, ScimError> {
    value.trim().parse().map_err(|_| {
        ScimError::new(Kind::InvalidValue, format!("`{name}` is a whole number, not `{}`", shown(value, 40)))
    })
}

fn skip(start: i64) -> usize {
    usize::try_from(start.saturating_sub(1)).unwrap_or(0)
}

fn count(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0).min(PAGE_MAX)
}

fn names<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Vec<String>, ScimError> {
    let names: Vec<String> = texts.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.len() > NAMES_MAX {
        return Err(ScimError::new(Kind::InvalidValue, format!("at most {NAMES_MAX} attributes can be named")));
    }
    Ok(names)
}

/// `name.givenName` ─► the attribute's key, its extension, and the sub-attribute's.
fn located<'s>(
    schemas: &'s Schemas,
    kind: ScimKind,
    name: &str,
) -> Option<(Option<&'s str>, &'s str, Option<&'s str>)> {
    if let Some(Place::Extension(schema)) = schemas.place(kind, None, name) {
        return Some((None, &schema.id, None));
    }
    let (urn, bare) = split_urn(name);
    let (bare, sub) = bare.split_once('.').map_or((bare, None), |(bare, sub)| (bare, Some(sub)));
    match schemas.place(kind, urn, bare)? {
        Place::Extension(schema) => Some((None, &schema.id, None)),
        Place::Attribute { extension, attribute } => {
            let sub = match sub {
                Some(sub) => Some(attribute.sub(sub)?.name.as_str()),
                None => None,
            };
            Some((extension, &attribute.name, sub))
        }
    }
}

fn only(schemas: &Schemas, kind: ScimKind, resource: &Object, names: &[String]) -> Object {
    let mut shown = Object::new();
    for (key, value) in resource {
        if schemas.attribute(kind, key).is_some_and(|attribute| attribute.is_always_returned()) {
            shown.insert(key.clone(), value.clone());
        }
    }
    for name in names {
        let Some((extension, key, sub)) = located(schemas, kind, name) else { continue };
        let holder = match extension {
            Some(urn) => resource.get(urn).and_then(Value::as_object),
            None => Some(resource),
        };
        let Some(value) = holder.and_then(|holder| holder.get(key)) else { continue };
        let into = match extension {
            None => &mut shown,
            Some(urn) => {
                let place = shown.entry(urn.to_owned()).or_insert_with(|| Value::Object(Object::new()));
                let Some(object) = place.as_object_mut() else { continue };
                object
            }
        };
        match sub {
            None => {
                into.insert(key.to_owned(), value.clone());
            }
            Some(sub) => merge_sub(into, key, value, sub),
        }
    }
    shown
}

/// Adds one sub-attribute of `value` to what is shown of it already.
fn merge_sub(into: &mut Object, key: &str, value: &Value, sub: &str) {
    let pick = |value: &Value, shown: &mut Object| {
        if let Some(found) = value.get(sub) {
            shown.insert(sub.to_owned(), found.clone());
        }
    };
    match value {
        Value::Array(values) => {
            let empty = || Value::Array(vec![Value::Object(Object::new()); values.len()]);
            if let Some(shown) = into.entry(key.to_owned()).or_insert_with(empty).as_array_mut() {
                for (value, shown) in values.iter().zip(shown.iter_mut().filter_map(Value::as_object_mut)) {
                    pick(value, shown);
                }
            }
        }
        value => {
            let empty = || Value::Object(Object::new());
            if let Some(shown) = into.entry(key.to_owned()).or_insert_with(empty).as_object_mut() {
                pick(value, shown);
            }
        }
    }
}

fn exclude(schemas: &Schemas, kind: ScimKind, resource: &mut Object, name: &str) {
    let Some((extension, key, sub)) = located(schemas, kind, name) else { return };
    let always = extension.is_none() && schemas.attribute(kind, key).is_some_and(|found| found.is_always_returned());
    if always {
        return;
    }
    let holder = match extension {
        Some(urn) => resource.get_mut(urn).and_then(Value::as_object_mut),
        None => Some(resource),
    };
    let Some(holder) = holder else { return };
    match (sub, holder.get_mut(key)) {
        (None, _) => {
            holder.remove(key);
        }
        (Some(sub), Some(Value::Array(values))) => {
            for value in values.iter_mut().filter_map(Value::as_object_mut) {
                value.remove(sub);
            }
        }
        (Some(sub), Some(Value::Object(value))) => {
            value.remove(sub);
        }
        (Some(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn query(pairs: &[(&str, &str)]) -> Result<Query, ScimError> {
        Query::from_pairs(&pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>())
    }

    #[test]
    fn pages_begin_at_one_and_end_at_the_limit() {
        let page = |start: &str, count: &str| {
            let query = query(&[("startIndex", start), ("count", count)]).unwrap();
            (query.skip, query.count)
        };
        assert_eq!(page("1", "2"), (0, 2));
        assert_eq!(page("0", "0"), (0, 0));
        assert_eq!(page("-5", "-5"), (0, 0));
        assert_eq!(page("11", "1000000"), (10, PAGE_MAX));
        assert_eq!(query(&[("count", "many")]).unwrap_err().kind, Kind::InvalidValue);
        let body =
            json!({"schemas": [], "startIndex": 11, "count": 5, "attributes": ["userName"], "filter": "title pr"});
        let query = Query::from_body(body.as_object().unwrap()).unwrap();
        assert_eq!((query.skip, query.count, query.filter.as_deref()), (10, 5, Some("title pr")));
    }

    #[test]
    fn a_client_sees_what_it_asked_for() {
        let schemas = Schemas::load().unwrap();
        let urn = super::super::schema::ENTERPRISE;
        let resource = json!({
            "schemas": ["s"], "id": "1", "userName": "a", "title": "t", "name": {"givenName": "g", "familyName": "f"},
            "emails": [{"value": "v", "type": "work"}], urn: {"employeeNumber": "7", "department": "d"},
        });
        let asked = |pairs: &[(&str, &str)]| {
            let query = query(pairs).unwrap();
            Value::Object(query.project(&schemas, ScimKind::User, resource.as_object().unwrap().clone()))
        };
        let number = format!("TITLE,name.givenName,emails.value,{urn}:employeeNumber,colour");
        assert_eq!(
            asked(&[("attributes", &number)]),
            json!({"schemas": ["s"], "id": "1", "title": "t", "name": {"givenName": "g"}, "emails": [{"value": "v"}],
                urn: {"employeeNumber": "7"}})
        );
        let all = format!("id,schemas,userName,title,name.familyName,emails,{urn}:department");
        assert_eq!(
            asked(&[("excludedAttributes", &all)]),
            json!({"schemas": ["s"], "id": "1", "name": {"givenName": "g"}, urn: {"employeeNumber": "7"}})
        );
        assert!(query(&[("attributes", "a"), ("excludedAttributes", "b")]).is_err());
    }
}
