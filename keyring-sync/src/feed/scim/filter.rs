//! Filters (RFC 7644 section 3.4.2.2) on a resource as it is shown. Pure; the grammar is `scim_v2`'s.

use super::error::{Kind, ScimError};
use super::schema::{Attribute, Place, Schemas, Type};
use super::value::Object;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::{ScimKind, ScimNarrow};
use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};
use serde_json::Value;
use std::cmp::Ordering;

/// Bytes of a filter; providers send one or two comparisons.
const FILTER_MAX: usize = 8 << 10;

/// Parses a filter and looks its names up.
pub fn parse(schemas: &Schemas, kind: ScimKind, text: &str) -> Result<Filter, ScimError> {
    let bad = |reason: String| {
        let reason = format!("the filter `{}` cannot be read: {reason}", shown(text, 200));
        ScimError::new(Kind::InvalidFilter, reason)
    };
    if text.len() > FILTER_MAX {
        return Err(bad(format!("it is longer than {FILTER_MAX} bytes")));
    }
    let filter: Filter = into_brackets(text).parse().map_err(|error| bad(shown(&format!("{error}"), 200)))?;
    match unknown(schemas, kind, &filter) {
        Some(name) => Err(bad(format!("there is no attribute `{name}`"))),
        None => Ok(filter),
    }
}

/// `emails[type eq "work"].value eq "a"`, which Entra sends and the grammar has not, means what
/// `emails[(type eq "work") and value eq "a"]` does.
fn into_brackets(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut opened = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let step = match c {
            '"' => string_length(rest),
            '[' => {
                opened = Some(out.len() + 1);
                1
            }
            ']' => match (opened.take(), comparison_after(rest)) {
                (Some(start), Some((comparison, length))) => {
                    out.insert(start, '(');
                    out.push_str(") and ");
                    out.push_str(comparison);
                    out.push(']');
                    rest = rest.get(length..).unwrap_or_default();
                    continue;
                }
                _ => 1,
            },
            _ => c.len_utf8(),
        };
        let (taken, left) = rest.split_at_checked(step).unwrap_or((rest, ""));
        out.push_str(taken);
        rest = left;
    }
    out
}

/// Of the JSON string that `text` begins with, quotes included; all of `text` where it has no end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `].value eq "a"` ─► `value eq "a"`, and how long all of it is.
fn comparison_after(text: &str) -> Option<(&str, usize)> {
    let after = text.strip_prefix("].")?;
    let name = after.find(char::is_whitespace)?;
    let operator_at = name + after.get(name..)?.find(|c: char| !c.is_whitespace())?;
    let operator = after.get(operator_at..)?;
    let operator_length = operator.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(operator.len());
    let mut end = operator_at + operator_length;
    if !operator.get(..operator_length)?.eq_ignore_ascii_case("pr") {
        let value_at = end + after.get(end..)?.find(|c: char| !c.is_whitespace())?;
        let value = after.get(value_at..)?;
        let length = match value.starts_with('"') {
            true => string_length(value),
            false => value.find(|c: char| c.is_whitespace() || c == ')').unwrap_or(value.len()),
        };
        end = value_at + length;
    }
    Some((after.get(..end)?, end + 2))
}

fn unknown(schemas: &Schemas, kind: ScimKind, filter: &Filter) -> Option<String> {
    let path = |path: &AttrPath| match find(schemas, kind, path) {
        Some(_) => None,
        None => Some(shown(&path.to_string(), 80)),
    };
    match filter {
        Filter::Attr(AttrExp::Present(at) | AttrExp::Comparison(at, ..)) => path(at),
        Filter::ValuePath(values) => path(&values.attr),
        Filter::Not(inner) => unknown(schemas, kind, inner),
        Filter::And(all) | Filter::Or(all) => all.iter().find_map(|filter| unknown(schemas, kind, filter)),
    }
}

/// The attribute, its extension and its sub-attribute.
type Found<'s> = (Option<&'s str>, &'s Attribute, Option<&'s Attribute>);

fn find<'s>(schemas: &'s Schemas, kind: ScimKind, path: &AttrPath) -> Option<Found<'s>> {
    match schemas.place(kind, path.uri.as_deref(), &path.name)? {
        Place::Extension(_) => None,
        Place::Attribute { extension, attribute } => {
            let sub = match &path.sub_attr {
                Some(name) => Some(attribute.sub(name)?),
                None => None,
            };
            Some((extension, attribute, sub))
        }
    }
}

/// What of the filter the index answers; the filter still has to be asked.
pub fn narrow(filter: &Filter) -> ScimNarrow {
    let one = |filter: &Filter| {
        let Filter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(value))) = filter else { return None };
        if path.sub_attr.is_some() || path.uri.is_some() {
            return None;
        }
        let is = |name: &str| path.name.eq_ignore_ascii_case(name);
        match () {
            () if is("id") => Some(ScimNarrow::Id(value.clone())),
            () if is("externalId") => Some(ScimNarrow::ExternalId(value.clone())),
            () if is("userName") => Some(ScimNarrow::Name(value.to_lowercase())),
            () => None,
        }
    };
    match filter {
        Filter::And(all) => all.iter().find_map(one).unwrap_or(ScimNarrow::All),
        filter => one(filter).unwrap_or(ScimNarrow::All),
    }
}

/// Whether the resource is meant.
pub fn matches(schemas: &Schemas, kind: ScimKind, filter: &Filter, resource: &Object) -> bool {
    match filter {
        Filter::Attr(expression) => {
            let (AttrExp::Present(path) | AttrExp::Comparison(path, ..)) = expression;
            find(schemas, kind, path).is_some_and(|(extension, attribute, sub)| {
                let holder = extension.map_or(Some(resource), |urn| resource.get(urn)?.as_object());
                let values = holder.map_or(Vec::new(), |holder| values(holder, attribute));
                compared(&values, attribute, sub, expression)
            })
        }
        Filter::ValuePath(path) => find(schemas, kind, &path.attr).is_some_and(|(extension, attribute, _)| {
            let holder = extension.map_or(Some(resource), |urn| resource.get(urn)?.as_object());
            holder.is_some_and(|holder| {
                values(holder, attribute).into_iter().any(|value| value_matches(attribute, &path.filter, value))
            })
        }),
        Filter::Not(inner) => !matches(schemas, kind, inner, resource),
        Filter::And(all) => all.iter().all(|filter| matches(schemas, kind, filter, resource)),
        Filter::Or(all) => all.iter().any(|filter| matches(schemas, kind, filter, resource)),
    }
}

/// Whether one value of a multi-valued attribute is meant.
pub fn value_matches(attribute: &Attribute, filter: &ValFilter, value: &Value) -> bool {
    match filter {
        ValFilter::Attr(expression) => {
            let (AttrExp::Present(path) | AttrExp::Comparison(path, ..)) = expression;
            match (attribute.sub(&path.name), value) {
                (Some(sub), Value::Object(object)) => compared(&values(object, sub), sub, None, expression),
                _ => false,
            }
        }
        ValFilter::Not(inner) => !value_matches(attribute, inner, value),
        ValFilter::And(all) => all.iter().all(|filter| value_matches(attribute, filter, value)),
        ValFilter::Or(all) => all.iter().any(|filter| value_matches(attribute, filter, value)),
    }
}

fn values<'o>(holder: &'o Object, attribute: &Attribute) -> Vec<&'o Value> {
    match holder.get(&attribute.name) {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

fn compared(values: &[&Value], attribute: &Attribute, sub: Option<&Attribute>, expression: &AttrExp) -> bool {
    // A complex attribute without a sub-attribute is asked for its value.
    let sub = sub.or_else(|| attribute.sub("value"));
    let (leaf, leaves): (&Attribute, Vec<&Value>) = match sub {
        Some(sub) => (sub, values.iter().filter_map(|value| value.get(&sub.name)).collect()),
        None => (attribute, values.to_vec()),
    };
    match expression {
        AttrExp::Present(_) => match attribute.kind {
            Type::Complex => !values.is_empty(),
            _ => leaves.iter().any(|value| value.as_str() != Some("")),
        },
        // What is not there is unequal to everything.
        AttrExp::Comparison(_, CompareOp::Ne, wanted) => {
            !leaves.iter().any(|value| holds(leaf, value, &CompareOp::Eq, wanted))
        }
        AttrExp::Comparison(_, CompareOp::Eq, CompValue::Null) => leaves.is_empty(),
        AttrExp::Comparison(_, operator, wanted) => leaves.iter().any(|value| holds(leaf, value, operator, wanted)),
    }
}

fn holds(attribute: &Attribute, value: &Value, operator: &CompareOp, wanted: &CompValue) -> bool {
    match (value, wanted) {
        (Value::Bool(value), CompValue::True) => *operator == CompareOp::Eq && *value,
        (Value::Bool(value), CompValue::False) => *operator == CompareOp::Eq && !value,
        // Whoever sends "False" also asks for it.
        (Value::Bool(value), CompValue::Str(text)) => {
            *operator == CompareOp::Eq && text.eq_ignore_ascii_case(if *value { "true" } else { "false" })
        }
        (Value::String(value), CompValue::Str(wanted)) if attribute.kind == Type::DateTime => {
            match (value.parse::<Time>(), wanted.parse::<Time>()) {
                (Ok(value), Ok(wanted)) => ordered(value.cmp(&wanted), operator),
                _ => false,
            }
        }
        (Value::String(value), CompValue::Str(wanted)) if attribute.case_exact => text_holds(value, operator, wanted),
        (Value::String(value), CompValue::Str(wanted)) => {
            text_holds(&value.to_lowercase(), operator, &wanted.to_lowercase())
        }
        (Value::Number(value), CompValue::Number(wanted)) => {
            let order = value.as_f64().zip(wanted.as_f64()).and_then(|(value, wanted)| value.partial_cmp(&wanted));
            order.is_some_and(|order| ordered(order, operator))
        }
        _ => false,
    }
}

fn text_holds(value: &str, operator: &CompareOp, wanted: &str) -> bool {
    match operator {
        CompareOp::Co => value.contains(wanted),
        CompareOp::Sw => value.starts_with(wanted),
        CompareOp::Ew => value.ends_with(wanted),
        _ => ordered(value.cmp(wanted), operator),
    }
}

fn ordered(order: Ordering, operator: &CompareOp) -> bool {
    match operator {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(filter: &str) -> bool {
        let schemas = Schemas::load().unwrap();
        let resource = json!({
            "id": "1", "userName": "Alice@x.example", "externalId": "X1", "active": false,
            "name": {"givenName": "Alice"}, "meta": {"created": "2026-11-23T10:00:00Z"},
            "emails": [{"type": "work", "value": "alice@x.example"}, {"type": "home", "value": "a@home.example"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "7", "manager": {"value": "9"}},
        });
        let filter = parse(&schemas, ScimKind::User, filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        matches(&schemas, ScimKind::User, &filter, resource.as_object().unwrap())
    }

    #[test]
    fn what_providers_ask_is_answered() {
        for filter in [
            r#"userName eq "alice@X.example""#,
            r#"USERNAME Eq "alice@x.example" AND active eq false"#,
            r#"externalId eq "X1""#,
            r#"emails[type eq "work"].value eq "ALICE@x.example""#,
            r#"emails[type eq "work"] and id eq "1""#,
            r#"(emails[type eq "fax" or type eq "home"].value sw "a@") or userName eq "]""#,
            r#"emails.value ew "home.example""#,
            r#"emails co "home""#,
            r#"active eq "False""#,
            r#"name.givenName pr and not (title pr)"#,
            r#"meta.created ge "2026-11-23T11:00:00+01:00""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "7""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "9""#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "alice""#,
            r#"title ne "x""#,
            "title eq null",
        ] {
            assert!(asked(filter), "{filter}");
        }
        for filter in [
            r#"userName eq "bob""#,
            r#"externalId eq "x1""#,
            r#"emails[type eq "home"].value eq "alice@x.example""#,
            r#"emails[type eq "home" or type eq "fax"].value eq "alice@x.example""#,
            "active eq true",
            "title pr",
            r#"meta.created lt "2026-11-23T10:00:00Z""#,
        ] {
            assert!(!asked(filter), "{filter}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let schemas = Schemas::load().unwrap();
        let long = format!("userName eq \"{}\"", "a".repeat(FILTER_MAX));
        let nested = format!("{}title pr{}", "(".repeat(500), ")".repeat(500));
        for filter in
            ["", "userName", "userName eq", "userName eq alice", "colour eq \"red\"", "a[b", "].x eq", &long, &nested]
        {
            assert_eq!(parse(&schemas, ScimKind::User, filter).unwrap_err().kind, Kind::InvalidFilter, "{filter}");
        }
    }

    #[test]
    fn the_index_is_asked_first() {
        let schemas = Schemas::load().unwrap();
        let narrowed = |text: &str| narrow(&parse(&schemas, ScimKind::User, text).unwrap());
        assert_eq!(narrowed(r#"userName eq "A""#), ScimNarrow::Name("a".to_owned()));
        assert_eq!(narrowed(r#"active eq true and externalId eq "A""#), ScimNarrow::ExternalId("A".to_owned()));
        assert_eq!(narrowed(r#"userName eq "A" or externalId eq "A""#), ScimNarrow::All);
        assert_eq!(narrowed(r#"userName ne "A""#), ScimNarrow::All);
    }
}
