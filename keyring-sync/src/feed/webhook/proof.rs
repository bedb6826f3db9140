//! Whether a delivery is its sender's: a signature over the raw bytes, and where the sender signs a time, a fresh one.
//! Pure.

use super::config::Kind;
use super::secret::Secrets;
use super::{bamboohr, gusto, hibob, standard};
use axum::http::HeaderMap;
use countersign_policy::time::Time;
use std::time::Duration;

/// How far a signed time may lie from ours. Standard Webhooks asks for such a bound, and five minutes is what its
/// libraries take: time enough for a slow network and unequal clocks, too little for whoever recorded a request.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Longest header looked at: eight signatures of Ed25519 fit.
const HEADER_MAX: usize = 1024;

/// Why a delivery is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} is there twice")]
    Twice(&'static str),
    #[error("the header {0} cannot be read")]
    Malformed(&'static str),
    #[error("the signature is not by a secret that is good here")]
    Forged,
    #[error("it was signed more than {} s ago or ahead: it is repeated from elsewhere, or a clock is wrong", TOLERANCE.as_secs())]
    Late,
}

/// What a signature proves of a delivery beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The sender's own id of the delivery, the same each time it is repeated.
    pub id: Option<String>,
    /// When this repetition was signed.
    pub signed_at: Option<Time>,
}

/// Checks the signature of a delivery of a sender that signs.
pub fn verify(
    kind: Kind,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &Secrets,
    now: Time,
) -> Result<Verified, Refused> {
    match kind {
        Kind::Standard => standard::verify(headers, body, secrets, now),
        Kind::BambooHr => bamboohr::verify(headers, body, secrets, now),
        Kind::HiBob => hibob::verify(headers, body, secrets),
        Kind::Gusto => gusto::verify(headers, body, secrets),
        // Nothing is signed: a token has to prove it.
        Kind::Personio | Kind::Rippling => Err(Refused::Forged),
    }
}

/// The one header of this name.
pub fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Refused> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Refused::Missing(name))?;
    if values.next().is_some() {
        return Err(Refused::Twice(name));
    }
    let text = value.to_str().map_err(|_| Refused::Malformed(name))?.trim();
    if text.len() > HEADER_MAX { Err(Refused::Malformed(name)) } else { Ok(text) }
}

/// Unix seconds, in digits alone: what is signed is the text, and one time has one text.
pub fn seconds(text: &str, name: &'static str) -> Result<Time, Refused> {
    let plain = !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if plain { text.parse().ok() } else { None };
    seconds.map(Time::from_unix_seconds).ok_or(Refused::Malformed(name))
}

/// Whether what was signed then is fresh now.
pub fn fresh(signed_at: Time, now: Time) -> Result<(), Refused> {
    let off = now.since(signed_at).max(signed_at.since(now));
    if off > TOLERANCE { Err(Refused::Late) } else { Ok(()) }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Headers as a request brings them.
    pub fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    pub fn secrets(kind: Kind, texts: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        texts.iter().for_each(|text| secrets.add(kind, text).unwrap());
        secrets
    }

    #[test]
    fn a_header_stands_once_and_can_be_read() {
        let mut map = headers(&[("a", " x "), ("long", &"y".repeat(2000))]);
        assert_eq!(header(&map, "a"), Ok("x"));
        assert_eq!(header(&map, "b"), Err(Refused::Missing("b")));
        assert_eq!(header(&map, "long"), Err(Refused::Malformed("long")));
        map.append("a", "x".parse().unwrap());
        assert_eq!(header(&map, "a"), Err(Refused::Twice("a")));
        map.insert("a", axum::http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(header(&map, "a"), Err(Refused::Malformed("a")));
    }

    #[test]
    fn a_time_is_digits_and_fresh_for_five_minutes_either_way() {
        for bad in ["", "+1", "-1", "1.0", "1e3", "1 ", "9999999999999", "١"] {
            assert!(seconds(bad, "t").is_err(), "{bad}");
        }
        let signed = seconds("1790000000", "t").unwrap();
        assert_eq!(fresh(signed, signed.plus(TOLERANCE)), Ok(()));
        assert_eq!(fresh(signed, signed.minus(TOLERANCE)), Ok(()));
        let more = TOLERANCE + Duration::from_millis(1);
        assert_eq!(fresh(signed, signed.plus(more)), Err(Refused::Late));
        assert_eq!(fresh(signed, signed.minus(more)), Err(Refused::Late));
    }

    #[test]
    fn who_signs_nothing_is_never_believed_by_a_signature() {
        for kind in [Kind::Personio, Kind::Rippling] {
            let secrets = secrets(kind, &["0123456789abcdef"]);
            assert_eq!(verify(kind, &HeaderMap::new(), b"", &secrets, Time::MIN), Err(Refused::Forged));
        }
    }
}
