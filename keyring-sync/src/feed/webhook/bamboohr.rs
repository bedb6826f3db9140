//! BambooHR, event-based and field-based webhooks in JSON. `X-BambooHR-Signature` is the hex of an HMAC-SHA256 over the
//! body and, right behind it, `X-BambooHR-Timestamp`. It never repeats what was answered with 4xx, and repeats five
//! times within three hours what was answered with 5xx.

use super::config::PersonIdFrom;
use super::notice::{Id, Notice, Said, Unreadable, Word, instant, json};
use super::proof::{Refused, Verified, fresh, header, seconds};
use super::secret::Secrets;
use aws_lc_rs::hmac::HMAC_SHA256;
use axum::http::HeaderMap;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const SIGNATURE: &str = "x-bamboohr-signature";
const TIMESTAMP: &str = "x-bamboohr-timestamp";

pub fn verify(headers: &HeaderMap, body: &[u8], secrets: &Secrets, now: Time) -> Result<Verified, Refused> {
    let (signature, timestamp) = (header(headers, SIGNATURE)?, header(headers, TIMESTAMP)?);
    let signature = hex::decode(signature).map_err(|_| Refused::Malformed(SIGNATURE))?;
    let signed_at = seconds(timestamp, TIMESTAMP)?;
    if !secrets.verify_hmac(HMAC_SHA256, &[body, timestamp.as_bytes()], &signature) {
        return Err(Refused::Forged);
    }
    fresh(signed_at, now)?;
    Ok(Verified { id: None, signed_at: Some(signed_at) })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Delivery {
    Fields { employees: Vec<Employee> },
    Event { r#type: String, timestamp: String, data: Data },
}

/// Of an event-based delivery: which fields changed, not into what.
#[derive(Deserialize)]
struct Data {
    #[serde(rename = "employeeId")]
    employee: Id,
    #[serde(default, rename = "changedFields")]
    changed: Vec<String>,
}

/// Of a field-based one: the fields that the subscription posts.
#[derive(Deserialize)]
struct Employee {
    id: Id,
    action: String,
    timestamp: Option<String>,
    #[serde(default, rename = "changedFields")]
    changed: Vec<String>,
    #[serde(default)]
    fields: Value,
}

pub fn read(body: &[u8], person_id: PersonIdFrom) -> Result<Notice, Unreadable> {
    match json(body)? {
        Delivery::Event { r#type, timestamp, data } => {
            let changed: Vec<String> = data.changed.iter().map(|name| plain(name)).collect();
            let word = match r#type.as_str() {
                "employee.deleted" => Some((Word::Left, r#type)),
                "employee.updated" => status(&changed, &BTreeMap::new()),
                "employee.created" => None,
                _ => return Err(Unreadable::Unknown { name: r#type, sender: "BambooHR" }),
            };
            let at = instant(&timestamp);
            let said = word.map(|(word, said)| Said { employee: data.employee.to_string(), word, said, at });
            Notice::new(None, true, said.into_iter().collect())
        }
        Delivery::Fields { employees } => {
            let dated = employees.iter().all(|one| one.timestamp.as_ref().is_some_and(|time| !time.is_empty()));
            let mut said = Vec::new();
            for one in employees {
                said.extend(of_employee(&one, person_id)?);
            }
            Notice::new(None, dated, said)
        }
    }
}

fn of_employee(one: &Employee, person_id: PersonIdFrom) -> Result<Option<Said>, Unreadable> {
    let changed: Vec<String> = one.changed.iter().map(|name| plain(name)).collect();
    let fields: BTreeMap<String, String> = match &one.fields {
        Value::Object(fields) => {
            fields.iter().filter_map(|(name, value)| Some((plain(name), text(value)?))).collect()
        }
        _ => BTreeMap::new(),
    };
    let word = match plain(&one.action).as_str() {
        "deleted" => Some((Word::Left, "deleted".to_owned())),
        "updated" => status(&changed, &fields),
        "created" => None,
        _ => return Err(Unreadable::Unknown { name: one.action.clone(), sender: "BambooHR" }),
    };
    let Some((word, said)) = word else { return Ok(None) };
    let employee = match person_id {
        PersonIdFrom::EmployeeNumber => fields.get("employee").or_else(|| fields.get("employeenumber")).cloned(),
        PersonIdFrom::EmployeeId | PersonIdFrom::Account => Some(one.id.to_string()),
    };
    let employee = employee.ok_or_else(|| {
        let missing = "the field `Employee #` is missing, which is the person's id here: let the webhook post it";
        Unreadable::Malformed(missing.to_owned())
    })?;
    let at = one.timestamp.as_deref().and_then(instant);
    Ok(Some(Said { employee, word, said, at }))
}

/// `Employment Status` and `employmentStatus` are one field: its label and its name.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a change of `Status` (Active or Inactive) or of `Employment Status` says. A status that changed into nobody
/// knows what may be an end; an employment status changes for many reasons.
fn status(changed: &[String], fields: &BTreeMap<String, String>) -> Option<(Word, String)> {
    let changes = |names: &[&str]| changed.iter().any(|name| names.contains(&name.as_str()));
    let employments = ["employmentstatus", "employmenthistorystatus"];
    let status_changed = changes(&["status"]);
    if !status_changed && !changes(&employments) && !changes(&["terminationdate"]) {
        return None;
    }
    let employment = employments.iter().find_map(|name| fields.get(*name));
    if let Some(employment) = employment.filter(|word| word.eq_ignore_ascii_case("terminated")) {
        return Some((Word::Left, format!("Employment Status: {}", shown(employment, 40))));
    }
    match fields.get("status") {
        Some(status) if !status.eq_ignore_ascii_case("active") => {
            Some((Word::Left, format!("Status: {}", shown(status, 40))))
        }
        Some(_) if status_changed => Some((Word::Stays, "Status: Active".to_owned())),
        None if status_changed => Some((Word::Left, "Status changed".to_owned())),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Kind;
    use super::super::proof::tests::{headers, secrets};
    use super::*;

    /// Made with `printf '%s' '{}1790000000' | openssl dgst -sha256 -hmac 0123456789abcdef`.
    const MADE: &str = "92b0805c96347d7040b53ebd2c25df2edd6fadd00356a38f52350a60a1f3b6ab";

    #[test]
    fn the_body_and_then_the_time_are_signed() {
        let check = |signature: &str, timestamp: &str, body: &[u8], now: i64| {
            let headers = headers(&[(SIGNATURE, signature), (TIMESTAMP, timestamp)]);
            let secrets = secrets(Kind::BambooHr, &["another-one-of-16", "0123456789abcdef"]);
            verify(&headers, body, &secrets, Time::from_unix_seconds(now))
        };
        assert!(check(MADE, "1790000000", b"{}", 1_790_000_300).is_ok());
        assert_eq!(check(MADE, "1790000000", b"{}", 1_790_000_301), Err(Refused::Late));
        assert_eq!(check(MADE, "1790000001", b"{}", 1_790_000_001), Err(Refused::Forged));
        assert_eq!(check(MADE, "0", b"{}179000000", 0), Err(Refused::Late), "a boundary moved makes it old");
        assert_eq!(check(MADE, "1790000000", b"{ }", 1_790_000_000), Err(Refused::Forged));
        assert_eq!(check("zz", "1790000000", b"{}", 1_790_000_000), Err(Refused::Malformed(SIGNATURE)));
        assert_eq!(check(MADE, "", b"{}", 1_790_000_000), Err(Refused::Malformed(TIMESTAMP)));
    }

    fn event(kind: &str, changed: &str) -> Result<Vec<(Word, String)>, Unreadable> {
        let body = format!(
            r#"{{"type":"{kind}","timestamp":"2026-01-31T18:42:00+0000",
                "data":{{"companyId":"12345","employeeId":"67890","changedFields":[{changed}]}}}}"#
        );
        let notice = read(body.as_bytes(), PersonIdFrom::EmployeeId)?;
        assert!(notice.dated && notice.said.iter().all(|said| said.employee == "67890" && said.at.is_some()));
        Ok(notice.said.into_iter().map(|said| (said.word, said.said)).collect())
    }

    #[test]
    fn an_event_names_what_changed_and_not_into_what() {
        assert_eq!(event("employee.updated", r#""firstName""#), Ok(vec![]));
        assert_eq!(event("employee.updated", r#""employmentStatus""#), Ok(vec![]));
        assert_eq!(event("employee.updated", r#""status""#), Ok(vec![(Word::Left, "Status changed".to_owned())]));
        assert_eq!(event("employee.deleted", ""), Ok(vec![(Word::Left, "employee.deleted".to_owned())]));
        assert_eq!(event("employee.created", ""), Ok(vec![]));
        assert!(event("employee.archived", "").is_err());
    }

    fn fields(changed: &str, fields: &str) -> Vec<(Word, String)> {
        let body = format!(
            r#"{{"employees":[{{"id":"42","action":"Updated","timestamp":"2026-01-31T18:42:00Z",
                "changedFields":[{changed}],"fields":{{{fields}}}}}]}}"#
        );
        let notice = read(body.as_bytes(), PersonIdFrom::EmployeeId).unwrap();
        notice.said.into_iter().map(|said| (said.word, said.said)).collect()
    }

    #[test]
    fn fields_say_what_the_status_is_now() {
        let left = |said: &str| vec![(Word::Left, said.to_owned())];
        assert_eq!(fields(r#""Status""#, r#""Status":"Inactive""#), left("Status: Inactive"));
        assert_eq!(fields(r#""status""#, r#""status":"Inaktiv""#), left("Status: Inaktiv"), "in any language");
        assert_eq!(fields(r#""Status""#, r#""Status":null"#), left("Status changed"));
        assert_eq!(
            fields(r#""Employment Status: Date","Employment Status""#, r#""Employment Status":"Terminated","Status":"Active""#),
            left("Employment Status: Terminated")
        );
        assert_eq!(fields(r#""Employment Status""#, r#""Employment Status":"Full-Time","Status":"Active""#), vec![]);
        assert_eq!(fields(r#""Status""#, r#""Status":"Active""#), vec![(Word::Stays, "Status: Active".to_owned())]);
        assert_eq!(fields(r#""City""#, r#""Status":"Inactive""#), vec![], "it says nothing new of it");
    }

    #[test]
    fn a_person_is_called_as_the_source_is_told_to() {
        let body = |fields: &str| format!(r#"{{"employees":[{{"id":7,"action":"Deleted","fields":{fields}}}]}}"#);
        let employee = |fields: &str, from| Ok::<_, Unreadable>(read(body(fields).as_bytes(), from)?.said[0].employee.clone());
        assert_eq!(employee("[]", PersonIdFrom::EmployeeId), Ok("7".to_owned()));
        assert_eq!(employee(r#"{"Employee #":"E1"}"#, PersonIdFrom::EmployeeNumber), Ok("E1".to_owned()));
        assert_eq!(employee(r#"{"employeeNumber":12}"#, PersonIdFrom::EmployeeNumber), Ok("12".to_owned()));
        assert!(employee("{}", PersonIdFrom::EmployeeNumber).unwrap_err().to_string().contains("Employee #"));
        assert!(!read(body("{}").as_bytes(), PersonIdFrom::EmployeeId).unwrap().dated);
    }
}
