//! JSON in which every member stands once. Pure.
//!
//! Of a member that stands twice one reader takes the first and another the last; whoever signs may then be read
//! otherwise than they meant.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

pub type Object = Map<String, Value>;

/// Objects and arrays in each other: claims, events, one event, its subject, a part of that, a SCIM resource with its
/// values; and as much again.
const DEPTH_MAX: usize = 16;

/// Why bytes are not such JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadJson {
    #[error("no JSON: {}", countersign_policy::text::shown(.0, 160))]
    Unreadable(String),
    #[error("no JSON object")]
    NoObject,
}

/// The object that `bytes` are.
pub fn object(bytes: &[u8]) -> Result<Object, BadJson> {
    let unreadable = |error: serde_json::Error| BadJson::Unreadable(error.to_string());
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Once { depth: 0 }.deserialize(&mut deserializer).map_err(unreadable)?;
    deserializer.end().map_err(unreadable)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(BadJson::NoObject),
    }
}

/// Reads a value at this depth.
#[derive(Clone, Copy)]
struct Once {
    depth: usize,
}

impl Once {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format!("more than {DEPTH_MAX} levels")));
        }
        Ok(Once { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(entry) = entries.next_element_seed(inner)? {
            array.push(entry);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Object::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the member `{name}` stands twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_member_stands_once_wherever_it_is() {
        assert!(object(br#"{"a":{"b":1},"b":[{"a":1},{"a":2}]}"#).is_ok());
        for twice in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#] {
            assert!(object(twice.as_bytes()).unwrap_err().to_string().contains("stands twice"), "{twice}");
        }
    }

    #[test]
    fn what_is_no_object_or_goes_on_or_too_deep_is_refused() {
        for bad in ["", "[]", "1", "null", "{} {}", "{}x", "{\"a\":1e999}", "{'a':1}", "{\"a\":NaN}"] {
            assert!(object(bad.as_bytes()).is_err(), "{bad}");
        }
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
        assert!(object(nested(DEPTH_MAX).as_bytes()).unwrap_err().to_string().contains("16 levels"));
        assert!(object(nested(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn it_is_read_as_everybody_reads_it(text in "\\PC*", number in any::<i64>()) {
            let value = serde_json::json!({"text": text, "more": [number, null, true, {"text": text}]});
            let read = object(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(Value::Object(read), value);
        }

        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = object(&bytes);
        }
    }
}
