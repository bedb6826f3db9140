//! HiBob, webhooks version 2: `Bob-Signature` is the base64 of an HMAC-SHA512 over the body. The body says who and what
//! happened, not when with a time zone; deliveries come in order.

use super::notice::{Id, Notice, Said, Unreadable, Word, instant, json};
use super::proof::{Refused, Verified, header};
use super::secret::Secrets;
use aws_lc_rs::hmac::HMAC_SHA512;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

const SIGNATURE: &str = "bob-signature";

pub fn verify(headers: &HeaderMap, body: &[u8], secrets: &Secrets) -> Result<Verified, Refused> {
    let signature = STANDARD.decode(header(headers, SIGNATURE)?).map_err(|_| Refused::Malformed(SIGNATURE))?;
    if secrets.verify_hmac(HMAC_SHA512, &[body], &signature) { Ok(Verified::default()) } else { Err(Refused::Forged) }
}

/// What HiBob sends to see whether somebody listens, before anything else and unsigned. It asks for nothing.
pub fn is_ping(body: &[u8]) -> bool {
    matches!(body.trim_ascii(), b"Ping test" | b"\"Ping test\"" | b"{\"text\":\"Ping test\"}" | b"{\"text\": \"Ping test\"}")
}

#[derive(Deserialize)]
struct Delivery {
    r#type: String,
    #[serde(rename = "triggeredAt")]
    triggered_at: String,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(rename = "employeeId")]
    employee: Option<Id>,
}

pub fn read(body: &[u8]) -> Result<Notice, Unreadable> {
    let Delivery { r#type, triggered_at, data } = json(body)?;
    let word = match r#type.as_str() {
        // Also for leave and garden leave: whoever HR keeps away does not push.
        "employee.left" | "employee.inactivated" | "employee.deleted" => Word::Left,
        "employee.access.revoked.immediately" => Word::CutOff,
        "employee.activated" => Word::Stays,
        "employee.joined" => Word::CameBack,
        // What changed stands in no delivery; a change of status has a word of its own.
        "employee.created" | "employee.updated" | "employee.temporaryLeave" => {
            return Notice::new(None, true, Vec::new());
        }
        other if other.starts_with("employee.") => return Err(Unreadable::Unknown { name: r#type, sender: "HiBob" }),
        // Tables, tasks, documents, time off: nobody's access.
        _ => return Notice::new(None, true, Vec::new()),
    };
    let employee = data.employee.ok_or_else(|| {
        Unreadable::Malformed("`data.employeeId` is missing: choose version 2 of the webhooks".to_owned())
    })?;
    let said = Said { employee: employee.to_string(), word, said: r#type, at: instant(&triggered_at) };
    Notice::new(None, true, vec![said])
}

#[cfg(test)]
mod tests {
    use super::super::config::Kind;
    use super::super::proof::tests::{headers, secrets};
    use super::*;

    /// Made with `openssl dgst -sha512 -hmac 0123456789abcdef -binary | base64 -w0`.
    const BODY: &[u8] = b"{\"type\":\"employee.left\"}";
    const MADE: &str = "00dYu70ZAtqyQlQK2iqI7pr0eW4SoJrmTJpzZhxj5GeLM0gO+YhxsE/BCkEAhEIOIkDwHIfm0f7TW1QupfVWuw==";

    #[test]
    fn the_whole_body_is_signed() {
        let check = |signature: &str, body: &[u8]| {
            verify(&headers(&[(SIGNATURE, signature)]), body, &secrets(Kind::HiBob, &["0123456789abcdef"]))
        };
        assert_eq!(check(MADE, BODY), Ok(Verified::default()));
        assert_eq!(check(MADE, b"{\"type\":\"employee.left\" }"), Err(Refused::Forged));
        assert_eq!(check("AAAA", BODY), Err(Refused::Forged));
        assert_eq!(check("not base64", BODY), Err(Refused::Malformed(SIGNATURE)));
    }

    fn said(kind: &str) -> Result<Vec<Word>, Unreadable> {
        let body = format!(
            r#"{{"companyId":636192,"type":"{kind}","triggeredBy":"3332883804594373380",
                "triggeredAt":"2025-01-08T13:06:26.915906","version":"v2","data":{{"employeeId":"3332883854254932743"}}}}"#
        );
        Ok(read(body.as_bytes())?.said.into_iter().map(|said| said.word).collect())
    }

    #[test]
    fn only_what_ends_or_returns_access_is_a_word() {
        assert_eq!(said("employee.left"), Ok(vec![Word::Left]));
        assert_eq!(said("employee.access.revoked.immediately"), Ok(vec![Word::CutOff]));
        assert_eq!(said("employee.activated"), Ok(vec![Word::Stays]));
        assert_eq!(said("employee.joined"), Ok(vec![Word::CameBack]));
        assert_eq!(said("employee.updated"), Ok(vec![]));
        assert_eq!(said("table.entry.created"), Ok(vec![]));
        assert!(said("employee.vanished").unwrap_err().to_string().contains("`employee.vanished` is no event of HiBob"));
    }

    #[test]
    fn a_time_without_a_zone_is_no_instant() {
        let at = |time: &str| {
            let body = format!(r#"{{"type":"employee.left","triggeredAt":"{time}","data":{{"employeeId":7}}}}"#);
            let said = read(body.as_bytes()).unwrap().said.remove(0);
            (said.employee, said.at.map(|at| at.to_string()))
        };
        assert_eq!(at("2025-01-08T13:06:26.915906"), ("7".to_owned(), None));
        assert_eq!(at("2025-01-08T13:06:26Z").1.as_deref(), Some("2025-01-08T13:06:26Z"));
        let legacy = br#"{"type":"employee.left","triggeredAt":"x","employee":{"id":"7"}}"#;
        assert!(read(legacy).unwrap_err().to_string().contains("version 2"));
    }

    #[test]
    fn a_ping_is_exactly_that() {
        assert!(is_ping(b"Ping test") && is_ping(b"\"Ping test\"\n") && is_ping(br#"{"text":"Ping test"}"#));
        assert!(!is_ping(b"") && !is_ping(b"Ping test!") && !is_ping(br#"{"text":"Ping test","type":"employee.left"}"#));
    }
}
