//! The file names of a Web Key Directory (draft-koch-openpgp-webkey-service).

use countersign_policy::id::Email;
use sha1collisiondetection::Sha1CD;
use std::path::PathBuf;

/// Where the directory is, below the root of a web server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Of the host `openpgpkey.DOMAIN`.
    Advanced,
    /// Of the host `DOMAIN` itself.
    Direct,
}

/// The domain of an address, or what may be one: letters, digits, dots and hyphens in lower case.
pub fn is_domain(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    !text.is_empty() && !text.starts_with('.') && !text.contains("..") && text.chars().all(fits)
}

/// The folder of the directory; `policy` and `hu` lie in it.
pub fn folder(layout: Layout, domain: &str) -> PathBuf {
    let root = PathBuf::from(".well-known/openpgpkey");
    match layout {
        Layout::Advanced => root.join(domain),
        Layout::Direct => root,
    }
}

/// The name of the address's file in `hu`, if the address is of this domain.
pub fn name(email: &Email, domain: &str) -> Option<String> {
    let (local, of) = email.as_str().rsplit_once('@')?;
    (of == domain).then(|| zbase32(&sha1(local.as_bytes())))
}

/// Whether a file of `hu` has a name that [`name`] could have given.
pub fn is_name(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// A name of 160 bits, not a proof of anything.
fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut hash = Sha1CD::default();
    hash.update(bytes);
    let mut digest = sha1collisiondetection::Output::default();
    // Two addresses of one name would share a file, as they would with every other writer.
    let _ = hash.finalize_into_dirty_cd(&mut digest);
    digest.into()
}

const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// 160 bits, five at a time.
fn zbase32(bytes: &[u8; 20]) -> String {
    let mut out = String::with_capacity(32);
    for five in bytes.chunks(5) {
        let bits = five.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        for place in (0..8).rev() {
            let letter = usize::try_from(bits >> (5 * place) & 31).unwrap_or_default();
            out.extend(ALPHABET.get(letter).map(|letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drafts_own_example() {
        let joe = Email::new("Joe.Doe@example.org").unwrap();
        assert_eq!(name(&joe, "example.org").unwrap(), "iy9q119eutrkn8s1mk4r39qejnbu3n5q");
        assert_eq!(name(&joe, "example.com"), None);
        assert!(is_name("iy9q119eutrkn8s1mk4r39qejnbu3n5q") && !is_name("policy") && !is_name(&"l".repeat(32)));
    }

    #[test]
    fn a_domain_is_no_path() {
        for bad in ["", "..", "a/b", ".", "a..b", "X.example", "a b"] {
            assert!(!is_domain(bad), "{bad}");
        }
        assert_eq!(folder(Layout::Advanced, "x.example"), PathBuf::from(".well-known/openpgpkey/x.example"));
        assert_eq!(folder(Layout::Direct, "x.example"), PathBuf::from(".well-known/openpgpkey"));
    }
}
