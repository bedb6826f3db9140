//! A webhook of any sender: a byte for whose it is, lines of its headers, an empty one, its body.
#![no_main]

use countersign_fuzz::{clean, server};
use countersign_policy::id::Source;
use http::{HeaderMap, HeaderName, HeaderValue};
use keyring_sync::feed::webhook::config::{Kind, PersonIdFrom};
use keyring_sync::feed::webhook::{Secrets, event, read, verify};
use libfuzzer_sys::fuzz_target;

const KINDS: [Kind; 6] =
    [Kind::Standard, Kind::BambooHr, Kind::HiBob, Kind::Personio, Kind::Rippling, Kind::Gusto];

/// Those of the published vector, in the seed `standard-vector`.
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const VECTOR: &[u8] = include_bytes!("../seeds/webhook/standard-vector");
const SIGNED_AT: i64 = 1_614_265_330;

fn believed(kind: Kind, headers: &HeaderMap, body: &[u8]) -> bool {
    let secret = if kind == Kind::Standard { STANDARD } else { "0123456789abcdef0123456789abcdef" };
    let mut secrets = Secrets::default();
    secrets.add(kind, secret).expect("a secret");
    let now = countersign_policy::time::Time::from_unix_seconds(SIGNED_AT);
    match verify(kind, headers, body, &secrets, now) {
        Ok(_) => true,
        Err(refused) => {
            clean(&refused.to_string());
            false
        }
    }
}

fn parts(input: &[u8]) -> Option<(Kind, HeaderMap, &[u8])> {
    let (first, rest) = input.split_first()?;
    let kind = KINDS[usize::from(*first) % KINDS.len()];
    let end = rest.windows(2).position(|pair| pair == b"\n\n")?;
    let mut headers = HeaderMap::new();
    for line in rest[..end].split(|&byte| byte == b'\n').take(32) {
        let at = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        headers.append(name, HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?);
    }
    Some((kind, headers, &rest[end + 2..]))
}

fn the_vector_is_believed() {
    let (kind, headers, body) = parts(VECTOR).expect("a request");
    assert!(believed(kind, &headers, body));
}

fuzz_target!(init: the_vector_is_believed(), |input: &[u8]| {
    let Some((kind, headers, body)) = parts(input) else { return };
    if believed(kind, &headers, body) {
        let (_, _, signed) = parts(VECTOR).expect("a request");
        assert_eq!((kind, body), (Kind::Standard, signed), "nobody signed this");
    }
    for person_id in [PersonIdFrom::EmployeeId, PersonIdFrom::EmployeeNumber] {
        match read(kind, body, person_id) {
            Ok(notice) => {
                assert!(notice.said.len() <= 500, "more people than one delivery may name");
                notice.said.iter().for_each(|said| clean(&said.said));
            }
            Err(error) => clean(&error.to_string()),
        }
    }
    let source = Source::new("own").expect("a source");
    match event(body, "m1", &source, server().now) {
        Ok(event) => {
            assert!(event.source == source && event.id.as_str() == "m1" && event.asserted_at <= server().now);
            assert_ne!(event.claim.kind(), "key_added");
        }
        Err(error) => clean(&error.to_string()),
    }
});
