//! Standard Webhooks, as the specification has it: <https://www.standardwebhooks.com>. The payload is an event of ours:
//!
//! `{"type": "terminated", "timestamp": "2026-11-23T09:12:44Z", "data": {"person": "E1001", "effective_at": "…", …}}`

use super::notice::{Unreadable, json};
use super::proof::{Refused, Verified, fresh, header, seconds};
use super::secret::Secrets;
use crate::event::{Claim, Event};
use aws_lc_rs::hmac::HMAC_SHA256;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_policy::id::{EventId, Source};
use countersign_policy::time::Time;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Signatures looked at: one for each secret while two of them are in use, of either kind, and some to spare.
const SIGNATURES_MAX: usize = 8;

pub fn verify(headers: &HeaderMap, body: &[u8], secrets: &Secrets, now: Time) -> Result<Verified, Refused> {
    let (id, timestamp, signatures) = (header(headers, ID)?, header(headers, TIMESTAMP)?, header(headers, SIGNATURE)?);
    // It becomes the event's id; and a full stop would let its end pass for a time.
    if id.contains('.') || EventId::new(id).is_err() {
        return Err(Refused::Malformed(ID));
    }
    let signed_at = seconds(timestamp, TIMESTAMP)?;
    let head = format!("{id}.{timestamp}.");
    let signed = signatures.split_ascii_whitespace().take(SIGNATURES_MAX).any(|signature| {
        let Some((version, signature)) = signature.split_once(',') else { return false };
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        match version {
            "v1" => secrets.verify_hmac(HMAC_SHA256, &[head.as_bytes(), body], &signature),
            "v1a" => secrets.verify_ed25519(&[head.as_bytes(), body].concat(), &signature),
            _ => false,
        }
    });
    if !signed {
        return Err(Refused::Forged);
    }
    fresh(signed_at, now)?;
    Ok(Verified { id: Some(id.to_owned()), signed_at: Some(signed_at) })
}

/// The envelope.
#[derive(Debug, Deserialize)]
struct Envelope {
    r#type: String,
    timestamp: Value,
    data: Map<String, Value>,
}

/// What stands in `data` and is a field of the event itself.
const OF_THE_EVENT: [&str; 4] = ["person", "effective_at", "effective_on", "zone"];

/// The event that a delivery is.
pub fn event(body: &[u8], id: &str, source: &Source, received_at: Time) -> Result<Event, Unreadable> {
    let Envelope { r#type, timestamp, mut data } = json(body)?;
    let mut line = json!({"id": id, "source": source, "type": r#type, "asserted_at": timestamp});
    if let Value::Object(line) = &mut line {
        for field in OF_THE_EVENT {
            line.extend(data.remove(field).map(|value| (field.to_owned(), value)));
        }
        line.insert("data".to_owned(), Value::Object(data));
    }
    let event = Event::parse(&line.to_string(), received_at).map_err(|error| Unreadable::Malformed(error.to_string()))?;
    match not_to_tell(&event.claim) {
        Some(who) => Err(Unreadable::Malformed(format!("`{}` is not for a webhook to say: {who}", event.claim.kind()))),
        None => Ok(event),
    }
}

/// What no feed is believed, and whose it is: with a stolen secret a thief would enrol a key, or learn who is watched.
fn not_to_tell(claim: &Claim) -> Option<&'static str> {
    match claim {
        Claim::KeyAdded(_) => Some("keys are enrolled by those who hold them (keyring-sync enrol)"),
        Claim::WatchStarted | Claim::WatchEnded => Some("two operators set and end it"),
        Claim::LegalHoldStarted | Claim::LegalHoldEnded => Some("an operator sets and ends it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Kind;
    use super::super::proof::tests::{headers, secrets};
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &[u8] = b"{\"test\": 2432232314}";

    /// The vector that the libraries of the specification are tested with.
    fn check(signature: &str, id: &str, body: &[u8], late: i64) -> Result<Verified, Refused> {
        let headers = headers(&[(ID, id), (TIMESTAMP, "1614265330"), (SIGNATURE, signature)]);
        let secrets = secrets(Kind::Standard, &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        verify(&headers, body, &secrets, Time::from_unix_seconds(1_614_265_330 + late))
    }

    #[test]
    fn the_published_vector_is_good_and_nothing_near_it() {
        let good = check(GOOD, MESSAGE, BODY, 0).unwrap();
        assert_eq!(good.id.as_deref(), Some(MESSAGE));
        assert!(check(&format!("v2,AAAA v1,AAAA {GOOD} v1a,AAAA"), MESSAGE, BODY, 300).is_ok(), "one of several");
        let flood = format!("{}{GOOD}", "v1,AAAA ".repeat(8));
        for (signature, id, body) in [
            (GOOD, MESSAGE, b"{\"test\": 2432232315}".as_slice()),
            (GOOD, MESSAGE, b"{\"test\":2432232314}".as_slice()),
            (GOOD, "msg_p5jXN8AQM9LWM0D4loKWxJeK", BODY),
            ("v1,G0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", MESSAGE, BODY),
            ("v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", MESSAGE, BODY),
            ("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", MESSAGE, BODY),
            ("v1,", MESSAGE, BODY),
            (flood.as_str(), MESSAGE, BODY),
        ] {
            assert_eq!(check(signature, id, body, 0), Err(Refused::Forged), "{signature} {id}");
        }
        for late in [-301, 301] {
            assert_eq!(check(GOOD, MESSAGE, BODY, late), Err(Refused::Late));
        }
        assert_eq!(check(GOOD, "msg.1", BODY, 0), Err(Refused::Malformed(ID)));
    }

    #[test]
    fn a_public_key_is_enough_to_verify() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public = format!("whpk_{}", STANDARD.encode(pair.public_key()));
        let made = STANDARD.encode(pair.sign(b"m1.1614265330.{}"));
        let check = |signature: &str, body: &[u8]| {
            let headers = headers(&[(ID, "m1"), (TIMESTAMP, "1614265330"), (SIGNATURE, signature)]);
            let secrets = secrets(Kind::Standard, &[&public, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
            verify(&headers, body, &secrets, Time::from_unix_seconds(1_614_265_330))
        };
        assert!(check(&format!("v1a,{made}"), b"{}").is_ok());
        assert_eq!(check(&format!("v1a,{made}"), b"{ }"), Err(Refused::Forged));
        assert_eq!(check(&format!("v1,{made}"), b"{}"), Err(Refused::Forged), "no MAC by a public key");
    }

    fn read(body: &str) -> Result<Event, String> {
        let (source, now) = (Source::new("own").unwrap(), "2026-11-23T10:00:00Z".parse().unwrap());
        event(body.as_bytes(), "m1", &source, now).map_err(|error| error.to_string())
    }

    #[test]
    fn the_envelope_becomes_an_event() {
        let told = read(
            r#"{"type":"terminated","timestamp":"2026-11-23T09:12:44Z","extra":1,
                "data":{"person":"E1","effective_on":"2026-11-27","zone":"Europe/Berlin","reason":"resigned"}}"#,
        )
        .unwrap();
        assert_eq!((told.id.as_str(), told.source.as_str(), told.person.as_str()), ("m1", "own", "E1"));
        assert_eq!(told.claim, Claim::Terminated);
        assert_eq!(told.effective_at.to_string(), "2026-11-27T23:00:00Z");
        assert_eq!(told.asserted_at.to_string(), "2026-11-23T09:12:44Z");
        assert!(told.line.contains(r#""data":{"reason":"resigned"}"#), "{}", told.line);
    }

    #[test]
    fn what_is_no_event_says_why() {
        let said = |kind: &str, data: &str| {
            read(&format!(r#"{{"type":"{kind}","timestamp":"2026-11-23T09:12:44Z","data":{data}}}"#)).unwrap_err()
        };
        assert_eq!(said("promoted", r#"{"person":"E1"}"#), "unknown type `promoted`");
        assert!(said("terminated", "{}").contains("missing field `person`"));
        assert!(said("key_added", r#"{"person":"E1","ssh":"ssh-ed25519 AAAA"}"#).contains("keyring-sync enrol"));
        assert!(said("watch_started", r#"{"person":"E1"}"#).contains("two operators"));
        assert!(read("[]").unwrap_err().contains("not what is sent here"));
        assert!(read(r#"{"type":"terminated","timestamp":7,"data":{"person":"E1"}}"#).is_err(), "a time is RFC 3339");
        let twice = r#"{"type":"suspended","type":"reinstated","timestamp":"2026-11-23T09:12:44Z","data":{"person":"E1"}}"#;
        assert!(read(twice).unwrap_err().contains("duplicate field"), "one delivery has one meaning");
    }
}
