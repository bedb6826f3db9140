//! Secrets that senders sign with.

use super::config::Kind;
use aws_lc_rs::{hmac, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// So many are good at once: the one in use and the one that is to replace it.
pub const SECRETS_AT_ONCE: usize = 2;

/// Bytes of a file with one secret; the longest has 64, in base64.
pub const SECRET_FILE_MAX: u64 = 1 << 10;

/// Bytes of a secret that a sender made: 128 bits cannot be guessed, whatever they are written in.
const SECRET_MIN: usize = 16;

/// Bytes of a Standard Webhooks secret, by its specification.
const STANDARD_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Bytes of an Ed25519 public key.
const ED25519_BYTES: usize = 32;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadSecret {
    #[error("a secret has at least {SECRET_MIN} characters")]
    Short,
    #[error("it is longer than {SECRET_FILE_MAX} bytes, which no secret is")]
    Long,
    #[error("a secret is one line")]
    Lines,
    #[error(
        "a Standard Webhooks secret is whsec_ and the base64 of 24 to 64 bytes; a public key is whpk_ and the base64 of 32"
    )]
    Standard,
}

/// What one sender signs with.
enum Key {
    Hmac(Vec<u8>),
    Ed25519([u8; ED25519_BYTES]),
}

/// Every secret that is good for one source.
#[derive(Default)]
pub struct Secrets(Vec<Key>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Adds the secret that `text` holds, as the sender shows it.
    pub fn add(&mut self, kind: Kind, text: &str) -> Result<(), BadSecret> {
        if text.len() as u64 > SECRET_FILE_MAX {
            return Err(BadSecret::Long);
        }
        let text = text.trim();
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(BadSecret::Lines);
        }
        self.0.push(if kind == Kind::Standard { standard(text)? } else { plain(text)? });
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `tag` is the MAC of the parts, one after the other, by one of the secrets; in constant time.
    pub fn verify_hmac(&self, algorithm: hmac::Algorithm, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.0.iter().any(|key| {
            let Key::Hmac(secret) = key else { return false };
            let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret));
            parts.iter().for_each(|part| context.update(part));
            aws_lc_rs::constant_time::verify_slices_are_equal(context.sign().as_ref(), tag).is_ok()
        })
    }

    /// Whether one of the public keys signed the message so.
    pub fn verify_ed25519(&self, message: &[u8], made: &[u8]) -> bool {
        self.0.iter().any(|key| {
            let Key::Ed25519(public) = key else { return false };
            signature::UnparsedPublicKey::new(&signature::ED25519, public).verify(message, made).is_ok()
        })
    }
}

fn plain(text: &str) -> Result<Key, BadSecret> {
    if text.len() < SECRET_MIN { Err(BadSecret::Short) } else { Ok(Key::Hmac(text.as_bytes().to_vec())) }
}

fn standard(text: &str) -> Result<Key, BadSecret> {
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| BadSecret::Standard);
    if let Some(public) = text.strip_prefix("whpk_") {
        return decode(public)?.try_into().map(Key::Ed25519).map_err(|_| BadSecret::Standard);
    }
    let secret = decode(text.strip_prefix("whsec_").ok_or(BadSecret::Standard)?)?;
    if STANDARD_BYTES.contains(&secret.len()) { Ok(Key::Hmac(secret)) } else { Err(BadSecret::Standard) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(kind: Kind, text: &str) -> Result<(), BadSecret> {
        Secrets::default().add(kind, text)
    }

    #[test]
    fn a_secret_is_what_its_sender_shows() {
        assert_eq!(add(Kind::HiBob, "0123456789abcdef\n"), Ok(()));
        assert_eq!(add(Kind::HiBob, "0123456789abcde"), Err(BadSecret::Short));
        assert_eq!(add(Kind::HiBob, "0123456789abcdef\n0123456789abcdef"), Err(BadSecret::Lines));
        assert_eq!(add(Kind::HiBob, &"a".repeat(2000)), Err(BadSecret::Long));
        assert_eq!(add(Kind::Standard, &format!("whsec_{}", STANDARD.encode([7; 24]))), Ok(()));
        assert_eq!(add(Kind::Standard, &format!("whpk_{}", STANDARD.encode([7; 32]))), Ok(()));
        for bad in [
            STANDARD.encode([7; 24]),
            format!("whsec_{}", STANDARD.encode([7; 23])),
            format!("whsec_{}", STANDARD.encode([7; 65])),
            format!("whpk_{}", STANDARD.encode([7; 31])),
            format!("whsk_{}", STANDARD.encode([7; 64])),
            "whsec_not base64".to_owned(),
        ] {
            assert!(add(Kind::Standard, &bad).is_err(), "{bad}");
        }
    }

    /// RFC 4231, test case 2, with a key that is long enough for us: test case 6.
    #[test]
    fn a_mac_is_compared_whole_over_all_parts() {
        let secrets = Secrets(vec![Key::Hmac(vec![1; 16]), Key::Hmac(vec![0xaa; 131])]);
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let tag = hex::decode("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54").unwrap();
        let (head, rest) = message.split_at(7);
        assert!(secrets.verify_hmac(hmac::HMAC_SHA256, &[head, rest], &tag));
        assert!(!secrets.verify_hmac(hmac::HMAC_SHA256, &[rest, head], &tag));
        assert!(!secrets.verify_hmac(hmac::HMAC_SHA256, &[message], &tag[..31]), "a part of it is none");
        assert!(!secrets.verify_hmac(hmac::HMAC_SHA256, &[message], b""));
        assert!(!secrets.verify_hmac(hmac::HMAC_SHA512, &[message], &tag));
        assert!(!Secrets::default().verify_hmac(hmac::HMAC_SHA256, &[message], &tag), "without a secret nothing is good");
    }
}
