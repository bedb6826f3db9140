//! A security event token (SET, RFC 8417) ─► its checked claims. Pure.
//!
//! In this order: type, algorithm, key, signature, issuer, audience, time. Nothing of the claims is looked at before
//! the signature is known to be good.

use super::json::{self, BadJson, Object};
use super::jwks::{Algorithm, Jwks, Mismatch};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Bytes of a token: a whole SCIM user with a photo's address and a hundred groups has a tenth of it.
pub const SET_MAX: usize = 64 << 10;

/// Bytes of its header in base64: three short members.
const HEADER_MAX: usize = 4096;

/// Bytes of a token's id. A UUID has 36.
const JTI_MAX: usize = 255;

/// How far a transmitter's clock may run ahead of ours, as elsewhere in the lifecycle.
pub const SKEW: Duration = Duration::from_secs(300);

/// RFC 8417, section 2.3; media types may be written out, and in any case.
const TYPES: [&str; 2] = ["secevent+jwt", "application/secevent+jwt"];

/// Whose tokens are taken, and for whom they must be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub issuer: String,
    /// One of them must be among the token's.
    pub audience: Vec<String>,
    pub algorithms: Vec<Algorithm>,
}

/// The claims of a token whose signature, issuer, audience and time are good. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    issuer: String,
    jti: String,
    issued_at: Time,
    subject: Option<Object>,
    event_type: String,
    event: Object,
    digest: String,
}

impl Set {
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn jti(&self) -> &str {
        &self.jti
    }

    pub fn issued_at(&self) -> Time {
        self.issued_at
    }

    /// `sub_id`.
    pub fn subject(&self) -> Option<&Object> {
        self.subject.as_ref()
    }

    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    pub fn event(&self) -> &Object {
        &self.event
    }

    /// SHA-256 in hex of the claims as they were signed. One that is signed anew is the same token.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSet {
    #[error("the token is larger than {SET_MAX} bytes")]
    TooLarge,
    #[error("this is no signed token: three parts in base64url, with dots between them")]
    NotCompact,
    #[error("the token's header is {0}")]
    Header(BadJson),
    #[error("the token's `typ` is not `secevent+jwt`")]
    Type,
    #[error("the token's header has the member `{0}`, which is not understood here")]
    Critical(&'static str),
    #[error("the algorithm `{}` is not taken", shown(.0, 40))]
    Algorithm(String),
    #[error("the token names no key: `kid` is missing")]
    NoKey,
    #[error("there is no key `{}` in the pinned key set", shown(.0, 80))]
    UnknownKey(String),
    #[error("the key `{}` is not one for {algorithm}", shown(kid, 80))]
    OtherKey { kid: String, algorithm: Algorithm },
    #[error("the signature does not verify")]
    Signature,
    #[error("the claims are {0}")]
    Claims(BadJson),
    #[error("the token is not of the issuer that is expected here")]
    Issuer,
    #[error("the token is not meant for this audience")]
    Audience,
    #[error("`{0}` {1}")]
    Claim(&'static str, &'static str),
    #[error("the token was issued at {0}, which is still to come here: check both clocks")]
    Future(Time),
    #[error("`events` holds {0} events: a token tells of exactly one")]
    Events(usize),
}

/// The token in `compact`, received at `now`.
pub fn verify(compact: &str, keys: &Jwks, expected: &Expected, now: Time) -> Result<Set, BadSet> {
    if compact.len() > SET_MAX {
        return Err(BadSet::TooLarge);
    }
    let (signed, signature) = compact.rsplit_once('.').ok_or(BadSet::NotCompact)?;
    let (header, claims) = signed.split_once('.').ok_or(BadSet::NotCompact)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadSet::NotCompact);
    if header.len() > HEADER_MAX || header.is_empty() || claims.is_empty() {
        return Err(BadSet::NotCompact);
    }
    let header = json::object(&decoded(header)?).map_err(BadSet::Header)?;
    let (algorithm, kid) = checked_header(&header, &expected.algorithms)?;
    let (claims, signature) = (decoded(claims)?, decoded(signature)?);
    let key = keys.find(&kid).ok_or_else(|| BadSet::UnknownKey(kid.clone()))?;
    key.verify(algorithm, signed.as_bytes(), &signature).map_err(|mismatch| match mismatch {
        Mismatch::Kind => BadSet::OtherKey { kid: kid.clone(), algorithm },
        Mismatch::Signature => BadSet::Signature,
    })?;
    checked_claims(&claims, expected, now)
}

fn checked_header(header: &Object, algorithms: &[Algorithm]) -> Result<(Algorithm, String), BadSet> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if !text("typ").is_some_and(|found| TYPES.iter().any(|known| known.eq_ignore_ascii_case(found))) {
        return Err(BadSet::Type);
    }
    // RFC 7515, section 4.1.11: what is critical and not understood makes the token invalid. `b64` would have other
    // bytes signed, and `zip` is not for signatures.
    if let Some(critical) = ["crit", "b64", "zip"].into_iter().find(|name| header.contains_key(*name)) {
        return Err(BadSet::Critical(critical));
    }
    let name = text("alg").unwrap_or_default();
    let algorithm = Algorithm::of(name).filter(|algorithm| algorithms.contains(algorithm));
    let algorithm = algorithm.ok_or_else(|| BadSet::Algorithm(name.to_owned()))?;
    // A key that comes along (`jwk`, `x5c`) or an address of one (`jku`, `x5u`) is never looked at.
    Ok((algorithm, text("kid").ok_or(BadSet::NoKey)?.to_owned()))
}

fn checked_claims(bytes: &[u8], expected: &Expected, now: Time) -> Result<Set, BadSet> {
    let mut claims = json::object(bytes).map_err(BadSet::Claims)?;
    let text = |claims: &Object, name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let issuer = text(&claims, "iss").filter(|issuer| *issuer == expected.issuer).ok_or(BadSet::Issuer)?;
    let meant = |audience: &str| expected.audience.iter().any(|known| known == audience);
    let ours = match claims.get("aud") {
        Some(Value::String(audience)) => meant(audience),
        Some(Value::Array(all)) => all.iter().any(|audience| audience.as_str().is_some_and(meant)),
        _ => false,
    };
    if !ours {
        return Err(BadSet::Audience);
    }
    let issued_at = instant(claims.get("iat")).ok_or(BadSet::Claim("iat", "is no time in seconds since 1970"))?;
    if issued_at > now.plus(SKEW) {
        return Err(BadSet::Future(issued_at));
    }
    // Shared Signals 1.0 forbids both, so that no event passes for an access token or an identity.
    for name in ["sub", "exp"] {
        if claims.contains_key(name) {
            return Err(BadSet::Claim(name, "must not stand in a token of Shared Signals"));
        }
    }
    let jti = text(&claims, "jti").filter(|jti| !jti.is_empty() && jti.len() <= JTI_MAX);
    let jti = jti.filter(|jti| !jti.chars().any(char::is_control));
    let jti = jti.ok_or(BadSet::Claim("jti", "is no id of at most 255 bytes"))?;
    let subject = match claims.remove("sub_id") {
        None => None,
        Some(Value::Object(subject)) => Some(subject),
        Some(_) => return Err(BadSet::Claim("sub_id", "is no object")),
    };
    let Some(Value::Object(events)) = claims.remove("events") else {
        return Err(BadSet::Claim("events", "is no object"));
    };
    let count = events.len();
    let mut events = events.into_iter();
    let (Some((event_type, event)), None) = (events.next(), events.next()) else { return Err(BadSet::Events(count)) };
    let Value::Object(event) = event else { return Err(BadSet::Claim("events", "holds an event that is no object")) };
    Ok(Set { issuer, jti, issued_at, subject, event_type, event, digest: hex::encode(Sha256::digest(bytes)) })
}

/// A `NumericDate` of RFC 7519: seconds since 1970, with or without a fraction.
pub(super) fn instant(value: Option<&Value>) -> Option<Time> {
    let number = value?.as_number()?;
    if let Some(seconds) = number.as_i64() {
        return Some(Time::from_unix_seconds(seconds));
    }
    // A float that is too large is clamped, and then lies in the future.
    number.as_f64().map(|seconds| Time::from_unix_millis((seconds * 1000.0) as i64))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use proptest::prelude::*;
    use serde_json::json;

    pub fn now() -> Time {
        Time::from_unix_seconds(1_790_000_000)
    }

    fn expected() -> Expected {
        Expected {
            issuer: "https://idp.example/".to_owned(),
            audience: vec!["https://hr.example/ssf".to_owned()],
            algorithms: vec![Algorithm::EdDSA],
        }
    }

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn keys() -> Jwks {
        let x = URL_SAFE_NO_PAD.encode(pair().public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x}]});
        Jwks::parse(set.to_string().as_bytes()).unwrap()
    }

    fn header() -> Value {
        json!({"typ": "secevent+jwt", "alg": "EdDSA", "kid": "k1"})
    }

    fn claims() -> Value {
        json!({"iss": "https://idp.example/", "jti": "j1", "iat": 1_790_000_000, "aud": "https://hr.example/ssf",
            "sub_id": {"format": "email", "email": "alice@hr.example"}, "events": {"urn:x": {}}})
    }

    fn signed(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair().sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    fn read(header: &Value, claims: &Value) -> Result<Set, BadSet> {
        verify(&signed(&header.to_string(), &claims.to_string()), &keys(), &expected(), now())
    }

    /// The claims with one of them otherwise; `null` takes it out.
    fn with(mut object: Value, name: &str, value: Value) -> Value {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value;
        }
        object
    }

    #[test]
    fn a_good_one_is_read() {
        let set = read(&header(), &claims()).unwrap();
        assert_eq!((set.issuer(), set.jti(), set.issued_at()), ("https://idp.example/", "j1", now()));
        assert_eq!((set.event_type(), set.subject().unwrap()["email"].as_str()), ("urn:x", Some("alice@hr.example")));
        for fine in [
            with(claims(), "aud", json!(["https://other.example", "https://hr.example/ssf"])),
            with(claims(), "iat", json!(1_790_000_000.75)),
            with(claims(), "iat", json!(1_790_000_300)),
            with(claims(), "txn", json!("8675309")),
            with(claims(), "sub_id", Value::Null),
        ] {
            assert!(read(&header(), &fine).is_ok(), "{fine}");
        }
        let spelled = with(header(), "typ", json!("application/SecEvent+JWT"));
        assert!(read(&spelled, &claims()).is_ok());
    }

    #[test]
    fn a_bad_header_is_refused() {
        let refused = |name: &str, value: Value| read(&with(header(), name, value), &claims()).unwrap_err();
        for typ in [json!("JWT"), json!("at+jwt"), json!(""), json!(1), Value::Null] {
            assert_eq!(refused("typ", typ), BadSet::Type);
        }
        for alg in ["none", "None", "HS256", "RS256", "ES256", "eddsa", ""] {
            assert_eq!(refused("alg", json!(alg)), BadSet::Algorithm(alg.to_owned()), "not in the list: {alg}");
        }
        assert_eq!(refused("kid", Value::Null), BadSet::NoKey);
        assert_eq!(refused("kid", json!("k2")), BadSet::UnknownKey("k2".to_owned()));
        assert_eq!(refused("crit", json!(["b64"])), BadSet::Critical("crit"));
        assert_eq!(refused("b64", json!(false)), BadSet::Critical("b64"));
        let twice = r#"{"typ":"secevent+jwt","alg":"none","alg":"EdDSA","kid":"k1"}"#;
        let read = verify(&signed(twice, &claims().to_string()), &keys(), &expected(), now());
        assert!(matches!(read, Err(BadSet::Header(_))), "{read:?}");
        // A key that comes along is not believed: the pinned one verifies or nothing does.
        assert!(self::read(&with(header(), "jwk", json!({"kty": "oct", "k": "AAAA"})), &claims()).is_ok());
    }

    #[test]
    fn what_was_not_signed_is_refused() {
        let good = signed(&header().to_string(), &claims().to_string());
        let parts: Vec<&str> = good.split('.').collect();
        let other = URL_SAFE_NO_PAD.encode(with(claims(), "jti", json!("j2")).to_string());
        let refused = |compact: &str| verify(compact, &keys(), &expected(), now()).unwrap_err();
        assert_eq!(refused(&format!("{}.{other}.{}", parts[0], parts[2])), BadSet::Signature);
        assert_eq!(refused(&format!("{}.{}.", parts[0], parts[1])), BadSet::Signature);
        for odd in
            ["", ".", "..", "a", "a.b", "a.b.c.d", &format!("{good}="), &format!("{good} "), &good.replace('.', "\n")]
        {
            assert!(matches!(refused(odd), BadSet::NotCompact | BadSet::Header(_)), "{odd}");
        }
        assert_eq!(refused(&"a".repeat(SET_MAX + 1)), BadSet::TooLarge);
    }

    #[test]
    fn bad_claims_are_refused() {
        let refused = |name: &str, value: Value| read(&header(), &with(claims(), name, value)).unwrap_err();
        for iss in [json!("https://idp.example"), json!("https://evil.example/"), json!(["https://idp.example/"])] {
            assert_eq!(refused("iss", iss), BadSet::Issuer);
        }
        for aud in [json!("https://hr.example"), json!([]), json!({}), Value::Null] {
            assert_eq!(refused("aud", aud), BadSet::Audience);
        }
        for iat in [json!("1790000000"), json!({}), Value::Null] {
            assert!(matches!(refused("iat", iat), BadSet::Claim("iat", _)));
        }
        for iat in [json!(1_790_000_301), json!(1_790_000_000_000_i64), json!(1e300), json!(u64::MAX)] {
            assert!(matches!(refused("iat", iat.clone()), BadSet::Future(_)), "{iat}");
        }
        assert!(matches!(refused("sub", json!("alice")), BadSet::Claim("sub", _)));
        assert!(matches!(refused("exp", json!(1_790_009_999)), BadSet::Claim("exp", _)));
        for jti in [json!(""), json!("a\nb"), json!("x".repeat(256)), json!(7), Value::Null] {
            assert!(matches!(refused("jti", jti), BadSet::Claim("jti", _)));
        }
        assert!(matches!(refused("sub_id", json!("alice")), BadSet::Claim("sub_id", _)));
        assert_eq!(refused("events", json!({})), BadSet::Events(0));
        assert_eq!(refused("events", json!({"urn:x": {}, "urn:y": {}})), BadSet::Events(2));
        assert!(matches!(refused("events", json!([])), BadSet::Claim("events", _)));
        assert!(matches!(refused("events", json!({"urn:x": 1})), BadSet::Claim("events", _)));
        let twice = claims().to_string().replacen('{', r#"{"iss":"https://idp.example/","#, 1);
        let read = verify(&signed(&header().to_string(), &twice), &keys(), &expected(), now());
        assert!(matches!(read, Err(BadSet::Claims(_))), "{read:?}");
    }

    /// Whoever signs the same claims again has said nothing new.
    #[test]
    fn the_digest_is_of_the_claims() {
        let other = read(&with(header(), "x", json!(1)), &claims()).unwrap();
        assert_eq!(other.digest(), read(&header(), &claims()).unwrap().digest());
        let later = read(&header(), &with(claims(), "iat", json!(1))).unwrap();
        assert_ne!(later.digest(), other.digest());
    }

    proptest! {
        #[test]
        fn no_text_brings_it_down(text in "\\PC{0,200}", header in "\\PC{0,80}", claims in "\\PC{0,80}") {
            prop_assert!(verify(&text, &keys(), &expected(), now()).is_err());
            prop_assert!(verify(&signed(&header, &claims), &keys(), &expected(), now()).is_err());
        }

        #[test]
        fn one_flipped_bit_is_noticed(at in 0_usize..400, bit in 0_u8..8) {
            let mut bytes = signed(&self::header().to_string(), &self::claims().to_string()).into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(verify(&text, &keys(), &expected(), now()).is_err());
            }
        }
    }
}
