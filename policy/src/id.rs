//! One newtype per id, so that no text is mistaken for another.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Longest accepted person id, e-mail address, account, role or repository name in bytes:
/// RFC 5321 allows 254 for an address, and nothing here needs more.
pub const NAME_MAX: usize = 254;

/// A text that cannot be the id it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: {reason}")]
pub struct BadId {
    what: &'static str,
    text: String,
    reason: &'static str,
}

fn checked(what: &'static str, text: &str) -> Result<String, BadId> {
    let bad = |reason| BadId { what, text: crate::text::shown(text, 80), reason };
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    if text.len() > NAME_MAX {
        return Err(bad("it is longer than 254 bytes"));
    }
    if text.chars().any(|c| c.is_control() || crate::text::is_deceptive(c)) {
        return Err(bad("it holds control or invisible characters"));
    }
    Ok(text.to_owned())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: &str) -> Result<Self, BadId> {
                let check: fn(String) -> Result<String, &'static str> = $check;
                let bad = |reason| BadId { what: $what, text: crate::text::shown(text, 80), reason };
                check(checked($what, text)?).map($name).map_err(bad)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                $name::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// A person's stable id; it outlives names and e-mail addresses.
    PersonId, "person id", |text| {
        if text.chars().any(char::is_whitespace) { Err("it holds white space") } else { Ok(text) }
    }
);

text_id!(
    /// An e-mail address, kept in ASCII lower case because addresses compare that way.
    Email, "e-mail address", |text| {
        let well_formed = text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if !well_formed || text.chars().any(|c| c.is_whitespace() || matches!(c, '<' | '>' | ',')) {
            Err("it is not of the form name@domain")
        } else {
            Ok(text.to_ascii_lowercase())
        }
    }
);

text_id!(
    /// A forge account, `gitea:alice`, kept in ASCII lower case. Forgejo's hooks speak Gitea's language, so that
    /// `forgejo:alice` is `gitea:alice`.
    Account, "account", |text| {
        match text.split_once(':') {
            Some((forge, name)) if !forge.is_empty() && !name.is_empty() => {
                let forge = if forge.eq_ignore_ascii_case("forgejo") { "gitea" } else { forge };
                Ok(format!("{forge}:{name}").to_ascii_lowercase())
            }
            _ => Err("it is not of the form FORGE:NAME"),
        }
    }
);

text_id!(
    /// A role such as `senior`.
    Role, "role", Ok
);

text_id!(
    /// The id of an event, unique within its source.
    EventId, "event id", Ok
);

text_id!(
    /// The source of an event, such as `workday` or `operator`.
    Source, "source", Ok
);

text_id!(
    /// One employment or contract of a person who may have several; unique among theirs.
    EngagementId, "engagement id", Ok
);

text_id!(
    /// How a key is called: `SHA256:…` of an SSH key as OpenSSH prints it, the upper-case hex
    /// fingerprint of an OpenPGP primary key, `X509:` and the lower-case hex SHA-256 of a certificate.
    Fingerprint, "key fingerprint", Ok
);

impl Fingerprint {
    /// The fingerprint short enough for a line: its start and an ellipsis.
    pub fn short(&self) -> String {
        let mut short: String = self.0.chars().take(16).collect();
        if self.0.len() > short.len() {
            short.push('…');
        }
        short
    }
}

/// What a signature may say of the key that made it. Only ever used to look a key up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyHandle {
    /// `SHA256:…` of the SSH public key inside the signature.
    Ssh(Fingerprint),
    /// Upper-case hex fingerprint of an OpenPGP (sub)key.
    OpenPgpFingerprint(String),
    /// Upper-case hex 64-bit id of an OpenPGP (sub)key.
    OpenPgpKeyId(String),
    /// `X509:…` of the signer's certificate.
    X509(Fingerprint),
}

impl fmt::Display for KeyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyHandle::Ssh(fingerprint) | KeyHandle::X509(fingerprint) => fingerprint.fmt(f),
            KeyHandle::OpenPgpFingerprint(text) | KeyHandle::OpenPgpKeyId(text) => f.write_str(text),
        }
    }
}

/// The hash a repository names its objects by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectFormat {
    Sha1,
    Sha256,
}

impl ObjectFormat {
    pub fn id_len(self) -> usize {
        match self {
            ObjectFormat::Sha1 => 20,
            ObjectFormat::Sha256 => 32,
        }
    }

    /// The commit header that holds the signature in a repository of this format.
    pub fn signature_header(self) -> &'static [u8] {
        match self {
            ObjectFormat::Sha1 => b"gpgsig",
            ObjectFormat::Sha256 => b"gpgsig-sha256",
        }
    }
}

/// A git object id of either format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ObjectId {
    format: ObjectFormat,
    bytes: [u8; 32],
}

/// By format, then by bytes. The first eight decide almost always, and as a number they are compared at once.
impl Ord for ObjectId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let first = |id: &Self| id.bytes.first_chunk().map(|first| u64::from_be_bytes(*first));
        let by_format = self.format.cmp(&other.format);
        by_format.then_with(|| first(self).cmp(&first(other))).then_with(|| self.bytes.cmp(&other.bytes))
    }
}

impl PartialOrd for ObjectId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Of the first half: nobody finds ids that share it, and a walk looks each of them up ten times.
impl std::hash::Hash for ObjectId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let (first, _) = self.bytes.split_at(self.bytes.len() / 2);
        state.write(first);
    }
}

impl ObjectId {
    /// Fails unless there are exactly 20 or 32 bytes.
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        let format = match raw.len() {
            20 => ObjectFormat::Sha1,
            32 => ObjectFormat::Sha256,
            _ => return None,
        };
        let mut bytes = [0; 32];
        bytes.get_mut(..raw.len())?.copy_from_slice(raw);
        Some(ObjectId { format, bytes })
    }

    /// Lower-case hex of exactly 40 or 64 digits, as git writes it.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        let format = match text.len() {
            40 => ObjectFormat::Sha1,
            64 => ObjectFormat::Sha256,
            _ => return None,
        };
        for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
            let digit = |c: u8| match c {
                b'0'..=b'9' => Some(c - b'0'),
                b'a'..=b'f' => Some(c - b'a' + 10),
                _ => None,
            };
            let [high, low] = *pair;
            *byte = (digit(high)? << 4) | digit(low)?;
        }
        Some(ObjectId { format, bytes })
    }

    pub fn zero(format: ObjectFormat) -> Self {
        ObjectId { format, bytes: [0; 32] }
    }

    pub fn is_zero(&self) -> bool {
        self.bytes == [0; 32]
    }

    pub fn format(&self) -> ObjectFormat {
        self.format
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.format.id_len()).unwrap_or(&self.bytes)
    }

    /// The first seven digits, as git abbreviates.
    pub fn short(&self) -> String {
        self.to_string().chars().take(7).collect()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ObjectId::from_hex(text.as_bytes()).ok_or_else(|| serde::de::Error::custom("not an object id"))
    }
}

/// A full ref name as git passes it: raw bytes that begin with `refs/`, or a pseudo ref such as `HEAD`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(Vec<u8>);

impl RefName {
    pub fn new(bytes: &[u8]) -> Self {
        RefName(bytes.to_vec())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether git takes it for a ref below `refs/`, as `git check-ref-format` has it. Hooks see names before git
    /// looks at them.
    pub fn is_well_formed(&self) -> bool {
        let bytes = self.as_bytes();
        let forbidden = |byte: &u8| byte.is_ascii_control() || b" ~^:?*[\\".contains(byte);
        bytes.starts_with(b"refs/")
            && !bytes.iter().any(forbidden)
            && !bytes.ends_with(b".")
            && !bytes.windows(2).any(|pair| pair == b".." || pair == b"@{")
            && bytes
                .split(|&byte| byte == b'/')
                .all(|part| !part.is_empty() && !part.starts_with(b".") && !part.ends_with(b".lock"))
    }

    /// The name after `refs/heads/`, when it is a branch.
    pub fn branch(&self) -> Option<&[u8]> {
        self.0.strip_prefix(b"refs/heads/")
    }

    /// The name after `refs/tags/`, when it is a tag.
    pub fn tag(&self) -> Option<&[u8]> {
        self.0.strip_prefix(b"refs/tags/")
    }

    /// How people call it: `main` for `refs/heads/main`, made safe for a terminal.
    pub fn shown(&self) -> String {
        let short = self.branch().or_else(|| self.tag()).filter(|short| !short.starts_with(b"refs/"));
        match short.unwrap_or(&self.0) {
            b"" => "a ref without a name".to_owned(),
            bytes => crate::text::shown_bytes(bytes, 120),
        }
    }
}

impl fmt::Display for RefName {
    /// The whole name; bytes that are not UTF-8 or could harm a terminal are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::shown_bytes(&self.0, 1024))
    }
}

impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_are_lower_case_hex_of_an_exact_length() {
        let id = "4f2c9e1d00112233445566778899aabbccddeeff";
        assert_eq!(ObjectId::from_hex(id.as_bytes()).unwrap().to_string(), id);
        assert_eq!(ObjectId::from_hex(id.as_bytes()).unwrap().short(), "4f2c9e1");
        assert!(ObjectId::from_hex(id.to_uppercase().as_bytes()).is_none());
        assert!(ObjectId::from_hex(&id.as_bytes()[1..]).is_none());
        assert_eq!(ObjectId::from_hex("0".repeat(64).as_bytes()).unwrap().format(), ObjectFormat::Sha256);
    }

    #[test]
    fn ref_names_are_what_git_takes_for_them() {
        let fit = |name: &[u8]| RefName::new(name).is_well_formed();
        assert!(fit(b"refs/heads/main") && fit(b"refs/heads/a{b}") && fit(b"refs/heads/@") && fit(b"refs/x\xc3\xa9"));
        for name in [
            "",
            "HEAD",
            "config",
            "refs/",
            "refs//heads",
            "refs/heads/",
            "refs/heads/../x",
            "refs/heads/.x",
            "refs/a..b",
            "refs/heads/x.lock",
            "refs/x.lock/y",
            "refs/heads/x.",
            "refs/a@{b",
            "refs/a b",
            "refs/a\u{1b}",
            "refs/a\u{7f}",
            "refs/a~",
            "refs/a^",
            "refs/a:",
            "refs/a?",
            "refs/a*",
            "refs/a[",
            "refs/a\\b",
            "/refs/heads/a",
        ] {
            assert!(!fit(name.as_bytes()), "{name:?}");
        }
        assert_eq!(RefName::new(b"refs/tags/refs/heads/main").shown(), "refs/tags/refs/heads/main");
        assert_eq!(RefName::new(b"").shown(), "a ref without a name");
    }

    #[test]
    fn an_object_id_has_the_length_of_its_format() {
        for (length, format) in
            [(20, Some(ObjectFormat::Sha1)), (32, Some(ObjectFormat::Sha256)), (21, None), (0, None)]
        {
            let raw = vec![0xab; length];
            let id = ObjectId::from_bytes(&raw);
            assert_eq!(id.map(|id| id.format()), format, "{length}");
            assert!(id.is_none_or(|id| id.as_bytes() == raw && id.format().id_len() == length));
        }
        let text = "0123456789abcdef".repeat(4);
        let id = ObjectId::from_hex(text.as_bytes()).unwrap();
        assert_eq!(id.as_bytes()[..8], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!(serde_json::from_str::<ObjectId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        assert!(serde_json::from_str::<ObjectId>("\"abc\"").is_err());
        for bad in ["g", "/", ":", "`"] {
            assert!(ObjectId::from_hex(bad.repeat(40).as_bytes()).is_none(), "{bad}");
        }
        let zero = ObjectId::zero(ObjectFormat::Sha256);
        assert!(zero.is_zero() && zero.format() == ObjectFormat::Sha256 && !id.is_zero());
    }

    #[test]
    fn ids_are_as_long_as_their_limit_and_no_longer() {
        assert!(PersonId::new(&"a".repeat(NAME_MAX)).is_ok());
        assert!(PersonId::new(&"a".repeat(NAME_MAX + 1)).is_err());
        let long = Fingerprint::new("SHA256:q3vT8w0123456789").unwrap();
        assert_eq!(
            (long.short().as_str(), long.to_string().as_str()),
            ("SHA256:q3vT8w012…", "SHA256:q3vT8w0123456789")
        );
        assert_eq!(Fingerprint::new("SHA256:q3vT8w012").unwrap().short(), "SHA256:q3vT8w012");
    }

    #[test]
    fn an_account_is_told_by_forge_and_name() {
        let account = |text: &str| Account::new(text).map(|account| account.to_string());
        assert_eq!(account("GitLab:Alice").unwrap(), "gitlab:alice");
        assert_eq!(account("Forgejo:alice").unwrap(), "gitea:alice", "its hooks speak Gitea's language");
        for bad in ["alice", ":alice", "gitea:", ":"] {
            assert!(account(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Account>("\"gitea:alice\"").is_ok());
        assert!(serde_json::from_str::<Account>("\"alice\"").is_err());
    }

    #[test]
    fn a_ref_is_shown_as_people_call_it() {
        let name = |text: &[u8]| RefName::new(text);
        assert_eq!(
            (name(b"refs/heads/main").branch(), name(b"refs/heads/main").tag()),
            (Some(b"main".as_slice()), None)
        );
        assert_eq!((name(b"refs/tags/v1").branch(), name(b"refs/tags/v1").tag()), (None, Some(b"v1".as_slice())));
        assert_eq!(
            [b"refs/heads/a/b".as_slice(), b"refs/tags/v1", b"refs/x"].map(|it| name(it).shown()),
            ["a/b", "v1", "refs/x"]
        );
        assert_eq!(name(b"refs/heads/\x1b\xff").to_string(), "refs/heads/\\u{1b}\\xff");
    }

    #[test]
    fn names_with_hidden_characters_are_refused() {
        assert!(PersonId::new("E1001").is_ok());
        for bad in ["", "a b", "a\u{1b}[31m", "a\u{202e}b", "a\u{200b}b"] {
            assert!(PersonId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Email::new("Alice@Example.COM").unwrap().as_str(), "alice@example.com");
        for bad in ["alice", "@x", "a@", "a@b@c", "a <a@b>", "a b@x", "a,b@x", "a@b\u{a0}c"] {
            assert!(Email::new(bad).is_err(), "{bad:?}");
        }
        assert!(Account::new("alice").is_err());
    }
}
