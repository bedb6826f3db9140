//! Personio, version 2. It signs nothing: a token of ours in the `Authorization` header proves it, `Bearer csk_…` as
//! given when the webhook is made. It repeats what was answered with 5xx, for three days.

use super::notice::{Id, Notice, Said, Unreadable, Word, instant, json};
use serde::Deserialize;

#[derive(Deserialize)]
struct Delivery {
    event_name: String,
    occurred_at: String,
    #[serde(default)]
    payload: Payload,
}

/// The person stands where the event's own kind has them.
#[derive(Default, Deserialize)]
struct Payload {
    person_id: Option<Id>,
    person: Option<Person>,
    id: Option<Id>,
}

#[derive(Deserialize)]
struct Person {
    id: Id,
}

pub fn read(body: &[u8]) -> Result<Notice, Unreadable> {
    let Delivery { event_name, occurred_at, payload } = json(body)?;
    let (family, _) = event_name.split_once('.').unwrap_or((event_name.as_str(), ""));
    let word = match event_name.as_str() {
        "employment.terminated" | "employment.deleted" | "person.deleted" => Word::Left,
        "employment.started" => Word::CameBack,
        "employment.created" | "employment.updated" | "person.created" | "person.updated" => {
            return Notice::new(None, true, Vec::new());
        }
        _ if family == "employment" || family == "person" => return Err(Unreadable::Unknown { name: event_name, sender: "Personio" }),
        // Absences, attendances, projects, documents.
        _ => return Notice::new(None, true, Vec::new()),
    };
    // The id of an employment is not the person's.
    let own = payload.id.filter(|_| family == "person");
    let employee = payload.person_id.or(payload.person.map(|person| person.id)).or(own);
    let employee = employee.ok_or_else(|| Unreadable::Malformed("`payload` names no person".to_owned()))?;
    let said = Said { employee: employee.to_string(), word, said: event_name, at: instant(&occurred_at) };
    Notice::new(None, true, vec![said])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, payload: &str) -> Result<Vec<(String, Word)>, Unreadable> {
        let body = format!(
            r#"{{"company_id":"1","event_name":"{name}","occurred_at":"2026-11-23T09:00:00Z","payload":{payload},"meta":{{}}}}"#
        );
        Ok(read(body.as_bytes())?.said.into_iter().map(|said| (said.employee, said.word)).collect())
    }

    #[test]
    fn the_person_is_found_and_an_employment_is_not_taken_for_one() {
        assert_eq!(said("employment.terminated", r#"{"id":"e9","person_id":"42"}"#), Ok(vec![("42".into(), Word::Left)]));
        assert_eq!(said("employment.terminated", r#"{"person":{"id":42}}"#), Ok(vec![("42".into(), Word::Left)]));
        assert_eq!(said("person.deleted", r#"{"id":"42"}"#), Ok(vec![("42".into(), Word::Left)]));
        assert!(said("employment.terminated", r#"{"id":"e9"}"#).unwrap_err().to_string().contains("names no person"));
    }

    #[test]
    fn only_what_ends_or_begins_is_a_word() {
        assert_eq!(said("employment.started", r#"{"person_id":"42"}"#), Ok(vec![("42".into(), Word::CameBack)]));
        assert_eq!(said("person.updated", r#"{"id":"42"}"#), Ok(vec![]));
        assert_eq!(said("absence-period.created", "{}"), Ok(vec![]));
        assert!(said("employment.frozen", r#"{"person_id":"42"}"#).is_err());
    }
}
