//! The public keys of a transmitter (RFC 7517), and signatures by them (RFC 7515). Pure.

use super::json::{self, BadJson, Object};
use aws_lc_rs::signature as aws;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_policy::signature::primitive::{RSA_MAX_BITS, RSA_MIN_BITS};
use countersign_policy::text::shown;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// Bytes of a key set: a hundred RSA keys with their certificates.
pub const JWKS_MAX: usize = 256 << 10;

/// Keys of one set. A transmitter has two or three.
const KEYS_MAX: usize = 64;

/// Bytes of a key's name.
const KID_MAX: usize = 256;

/// Longer public exponents only make verification slow.
const EXPONENT_MAX: usize = 5;

/// The signature algorithms of RFC 7518 and RFC 8037 that are taken. Symmetric ones are not among them: whoever can
/// verify could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Algorithm {
    RS256,
    PS256,
    ES256,
    EdDSA,
}

impl Algorithm {
    pub const ALL: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::RS256 => "RS256",
            Algorithm::PS256 => "PS256",
            Algorithm::ES256 => "ES256",
            Algorithm::EdDSA => "EdDSA",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Numbers {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// One public key with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    kid: String,
    /// What it may be used with, where the set says so.
    only: Option<Algorithm>,
    numbers: Numbers,
}

/// What a transmitter signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwks(Vec<Key>);

/// Why a key set is refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadJwks {
    #[error("it is larger than {JWKS_MAX} bytes")]
    TooLarge,
    #[error("it is {0}")]
    Json(#[from] BadJson),
    #[error("it has no list `keys`")]
    NoKeys,
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
    #[error("an entry of `keys` is no object")]
    NoKey,
    #[error("two of its keys are called `{}`", shown(.0, 80))]
    Twice(String),
    #[error("key `{}` holds a secret: give the public half alone", shown(.0, 80))]
    Secret(String),
    #[error("key `{}`: {why}", shown(kid, 80))]
    Broken { kid: String, why: String },
    #[error(
        "none of its keys is one to verify with: RSA of {RSA_MIN_BITS} bits or more, P-256 or Ed25519, with a `kid`"
    )]
    Useless,
}

impl Jwks {
    /// Keys for other purposes and of other kinds are left out; one that is meant for signatures and weak or broken is
    /// an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadJwks> {
        if bytes.len() > JWKS_MAX {
            return Err(BadJwks::TooLarge);
        }
        let set = json::object(bytes)?;
        let entries = set.get("keys").and_then(Value::as_array).ok_or(BadJwks::NoKeys)?;
        if entries.len() > KEYS_MAX {
            return Err(BadJwks::TooMany);
        }
        let mut keys: Vec<Key> = Vec::new();
        for entry in entries {
            let Some(key) = key(entry.as_object().ok_or(BadJwks::NoKey)?)? else { continue };
            if keys.iter().any(|known| known.kid == key.kid) {
                return Err(BadJwks::Twice(key.kid));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(BadJwks::Useless) } else { Ok(Jwks(keys)) }
    }

    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.kid == kid)
    }
}

fn key(entry: &Object) -> Result<Option<Key>, BadJwks> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let kid = text("kid").unwrap_or_default().to_owned();
    // Also of keys that are left out: whoever pins such a set gives a secret away.
    if ["d", "p", "q", "k", "oth"].iter().any(|secret| entry.contains_key(*secret)) {
        return Err(BadJwks::Secret(kid));
    }
    let operations = entry.get("key_ops").and_then(Value::as_array);
    let verifies = operations.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if kid.is_empty() || kid.len() > KID_MAX || text("use").is_some_and(|purpose| purpose != "sig") || !verifies {
        return Ok(None);
    }
    let only = match text("alg").map(Algorithm::of) {
        None => None,
        Some(Some(algorithm)) => Some(algorithm),
        Some(None) => return Ok(None),
    };
    let broken = |why: &str| BadJwks::Broken { kid: kid.clone(), why: why.to_owned() };
    let bytes = |name: &str| -> Result<Vec<u8>, BadJwks> {
        let decoded = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        decoded.ok_or_else(|| broken(&format!("`{name}` is missing, or no base64url")))
    };
    let numbers = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => {
            let (modulus, exponent) = (trimmed(&bytes("n")?), trimmed(&bytes("e")?));
            let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
            if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
                return Err(broken(&format!("RSA of {bits} bits: between {RSA_MIN_BITS} and {RSA_MAX_BITS}")));
            }
            let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
            if !odd(&modulus) || !odd(&exponent) || exponent == [1] || exponent.len() > EXPONENT_MAX {
                return Err(broken("its numbers are no RSA key's"));
            }
            Numbers::Rsa { modulus, exponent }
        }
        (Some("EC"), Some("P-256")) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let point = [&[4], x.as_slice(), &y].concat();
            let whole = x.len() == 32 && y.len() == 32;
            if !whole || aws::ParsedPublicKey::new(&aws::ECDSA_P256_SHA256_FIXED, &point).is_err() {
                return Err(broken("its point does not lie on P-256"));
            }
            Numbers::P256(point)
        }
        (Some("OKP"), Some("Ed25519")) => {
            let point = bytes("x")?;
            if point.len() != 32 || aws::ParsedPublicKey::new(&aws::ED25519, &point).is_err() {
                return Err(broken("it is no point of Ed25519"));
            }
            Numbers::Ed25519(point)
        }
        _ => return Ok(None),
    };
    Ok(Some(Key { kid, only, numbers }))
}

fn trimmed(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// The key does not go with the algorithm, or did not make the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A key is for algorithms of its own kind.
    Kind,
    Signature,
}

impl Key {
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), Mismatch> {
        if self.only.is_some_and(|only| only != algorithm) {
            return Err(Mismatch::Kind);
        }
        let rsa = |parameters: &aws::RsaParameters, modulus: &[u8], exponent: &[u8]| {
            aws::RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signature)
        };
        let verified = match (algorithm, &self.numbers) {
            (Algorithm::RS256, Numbers::Rsa { modulus, exponent }) => {
                rsa(&aws::RSA_PKCS1_2048_8192_SHA256, modulus, exponent)
            }
            (Algorithm::PS256, Numbers::Rsa { modulus, exponent }) => {
                rsa(&aws::RSA_PSS_2048_8192_SHA256, modulus, exponent)
            }
            (Algorithm::ES256, Numbers::P256(point)) => {
                aws::UnparsedPublicKey::new(&aws::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Algorithm::EdDSA, Numbers::Ed25519(point)) => {
                aws::UnparsedPublicKey::new(&aws::ED25519, point).verify(message, signature)
            }
            _ => return Err(Mismatch::Kind),
        };
        verified.map_err(|_| Mismatch::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::KeyPair;
    use serde_json::json;

    fn parse(keys: Value) -> Result<Jwks, BadJwks> {
        Jwks::parse(json!({"keys": keys}).to_string().as_bytes())
    }

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn rsa(bits: usize) -> Value {
        json!({"kty": "RSA", "kid": "r", "n": encode(&vec![0xff; bits / 8]), "e": "AQAB"})
    }

    /// The key of RFC 8037, appendix A.2, and its signature of appendix A.4.
    #[test]
    fn the_example_of_the_standard_verifies() {
        let set = parse(json!([{"kty": "OKP", "kid": "o", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]));
        let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD
            .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
            .unwrap();
        let set = set.unwrap();
        let key = set.find("o").unwrap();
        assert_eq!(key.verify(Algorithm::EdDSA, signed, &signature), Ok(()));
        assert_eq!(key.verify(Algorithm::EdDSA, &signed[1..], &signature), Err(Mismatch::Signature));
        assert_eq!(key.verify(Algorithm::RS256, signed, &signature), Err(Mismatch::Kind));
    }

    #[test]
    fn a_key_is_for_what_its_set_says() {
        let pair = aws::EcdsaKeyPair::generate(&aws::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let signature = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), b"m").unwrap();
        let entry = |more: (&str, &str)| {
            let mut entry = json!({"kty": "EC", "kid": "e", "crv": "P-256",
                "x": encode(&point[1..33]), "y": encode(&point[33..])});
            entry[more.0] = json!(more.1);
            parse(json!([entry]))
        };
        for fine in [("x5t", "a"), ("use", "sig"), ("alg", "ES256")] {
            let set = entry(fine).unwrap();
            assert_eq!(set.find("e").unwrap().verify(Algorithm::ES256, b"m", signature.as_ref()), Ok(()), "{fine:?}");
        }
        for other in [("use", "enc"), ("alg", "ES512"), ("alg", "none"), ("kid", ""), ("crv", "P-521")] {
            assert_eq!(entry(other), Err(BadJwks::Useless), "{other:?}");
        }
        assert!(matches!(entry(("y", "AAAA")), Err(BadJwks::Broken { .. })));
        assert!(matches!(entry(("y", &encode(&point[1..33]))), Err(BadJwks::Broken { .. })));
        assert_eq!(entry(("d", "AAAA")), Err(BadJwks::Secret("e".to_owned())));
    }

    #[test]
    fn weak_and_doubtful_sets_are_refused() {
        assert!(parse(json!([rsa(2048)])).is_ok());
        for bits in [1024, 2040, 16384] {
            assert!(matches!(parse(json!([rsa(bits)])), Err(BadJwks::Broken { .. })), "{bits}");
        }
        assert_eq!(parse(json!([rsa(2048), rsa(3072)])), Err(BadJwks::Twice("r".to_owned())));
        assert_eq!(parse(json!([{"kty": "oct", "kid": "s", "k": "AAAA"}])), Err(BadJwks::Secret("s".to_owned())));
        assert_eq!(parse(json!([])), Err(BadJwks::Useless));
        assert_eq!(parse(json!([1])), Err(BadJwks::NoKey));
        assert_eq!(parse(json!(vec![rsa(2048); 65])), Err(BadJwks::TooMany));
        assert!(matches!(Jwks::parse(br#"{"keys":[],"keys":[]}"#), Err(BadJwks::Json(_))));
        assert_eq!(Jwks::parse(&vec![b' '; JWKS_MAX + 1]), Err(BadJwks::TooLarge));
    }
}
