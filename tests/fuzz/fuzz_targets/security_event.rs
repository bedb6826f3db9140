//! A security event token: a line of header, and claims, which a pinned key signs whatever they are. The same bytes also
//! as a token as it is, and as a key set.
#![no_main]

use aws_lc_rs::signature::KeyPair;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_fuzz::{clean, pair, server};
use keyring_sync::feed::signals::jwks::{Algorithm, Jwks};
use keyring_sync::feed::signals::set::{Expected, SKEW, Set, verify};
use keyring_sync::feed::signals::{event, subject};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Signs tokens, and nothing else here.
const SECRET: u8 = 9;

static KEYS: LazyLock<Jwks> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(pair(SECRET).public_key().as_ref());
    Jwks::parse(format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#).as_bytes())
        .expect("keys")
});

static EXPECTED: LazyLock<Expected> = LazyLock::new(|| Expected {
    issuer: "https://idp.example/".to_owned(),
    audience: vec!["https://hr.example/ssf".to_owned()],
    algorithms: Algorithm::ALL.to_vec(),
});

fn read(token: &str) -> Option<Set> {
    verify(token, &KEYS, &EXPECTED, server().now).map_err(|bad| clean(&bad.to_string())).ok()
}

fn signed(header: &[u8], claims: &[u8]) -> Option<Set> {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair(SECRET).sign(signed.as_bytes()).as_ref());
    read(&format!("{signed}.{signature}"))
}

fn parts(input: &[u8]) -> (&[u8], &[u8]) {
    input.split_at(input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len()))
}

fn a_good_one_is_taken() {
    let (header, claims) = parts(include_bytes!("../seeds/security_event/disabled"));
    assert!(signed(header, claims).is_some());
}

fuzz_target!(init: a_good_one_is_taken(), |input: &[u8]| {
    if let Ok(token) = std::str::from_utf8(input) {
        assert!(read(token).is_none(), "nobody signed this");
    }
    Jwks::parse(input).err().into_iter().for_each(|bad| clean(&bad.to_string()));
    let (header, claims) = parts(input);
    let Some(set) = signed(header, claims) else { return };
    assert!(set.issuer() == EXPECTED.issuer && set.issued_at() <= server().now.plus(SKEW));
    clean(set.jti());
    if let Err(bad) = event::parse(set.event_type(), set.event(), &[]) {
        clean(&bad.to_string());
    }
    if let Some(Err(bad)) = set.subject().map(subject::parse) {
        clean(&bad.to_string());
    }
});
