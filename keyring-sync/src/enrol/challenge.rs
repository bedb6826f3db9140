//! What a person signs to show that they hold a key. Pure: the nonce and the time are handed in.

use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::signature::possession::Statement;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;

/// The first line: no commit, tag or other statement begins so.
const TITLE: &str = "keyring-sync enrol v1";

/// Bytes of a nonce: twice the 128 bits that nobody guesses.
pub const NONCE_LEN: usize = 32;

/// How developers know this server: `git.example`. It binds a signature to one server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerName(String);

impl TryFrom<String> for ServerName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        // The longest host name (RFC 1035, section 2.3.4).
        if text.is_empty() || text.len() > 253 || !text.chars().all(fits) {
            return Err(format!("`{}` is no host name in lower case, such as git.example", shown(&text, 80)));
        }
        Ok(ServerName(text))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ServerName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A random number that is used once, as hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    pub fn of(random: [u8; NONCE_LEN]) -> Self {
        Nonce(hex::encode(random))
    }

    /// What the registry keeps of it.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

impl std::str::FromStr for Nonce {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        if text.len() == 2 * NONCE_LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Nonce(text))
        } else {
            Err("it is no nonce: 64 hex digits, as the challenge has them")
        }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    NewKey,
    /// The new key takes the place of another of the same person, which signs the challenge too and ends at `at`.
    Replace {
        key: Fingerprint,
        at: Time,
    },
}

/// One challenge. Everything that it is bound to stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub server: ServerName,
    pub person: PersonId,
    pub key: Fingerprint,
    pub purpose: Purpose,
    pub nonce: Nonce,
    pub expires_at: Time,
}

impl Challenge {
    /// The SSH namespace; never `git`, whatever the server is called.
    pub fn namespace(server: &ServerName) -> String {
        format!("keyring-enrol@{server}")
    }

    /// The bytes to sign. INVARIANT: no id holds a line break, so that each line says one thing.
    pub fn text(&self) -> String {
        let Challenge { server, person, key, nonce, expires_at, .. } = self;
        let purpose = match &self.purpose {
            Purpose::NewKey => "enrol a new key".to_owned(),
            Purpose::Replace { key, at } => format!("replace {key} at {at}"),
        };
        format!(
            "{TITLE}\nserver: {server}\nperson: {person}\nkey: {key}\npurpose: {purpose}\nnonce: {nonce}\n\
             expires: {expires_at}\n"
        )
    }
}

/// A text as the policy's verifier takes it.
pub fn statement<'a>(text: &'a str, namespace: &'a str) -> Statement<'a> {
    Statement { bytes: text.as_bytes(), namespace }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(purpose: Purpose) -> Challenge {
        Challenge {
            server: "git.example".to_owned().try_into().unwrap(),
            person: "E1001".parse().unwrap(),
            key: Fingerprint::new("SHA256:AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqr").unwrap(),
            purpose,
            nonce: Nonce::of([7; NONCE_LEN]),
            expires_at: "2026-11-23T15:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn every_binding_stands_on_a_line_of_its_own() {
        insta::assert_snapshot!(challenge(Purpose::NewKey).text(), @"
        keyring-sync enrol v1
        server: git.example
        person: E1001
        key: SHA256:AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqr
        purpose: enrol a new key
        nonce: 0707070707070707070707070707070707070707070707070707070707070707
        expires: 2026-11-23T15:00:00Z
        ");
        let old = Fingerprint::new("SHA256:BBBBC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqr").unwrap();
        let replaced = challenge(Purpose::Replace { key: old, at: "2026-12-07T15:00:00Z".parse().unwrap() });
        assert!(replaced.text().contains(
            "\npurpose: replace SHA256:BBBBC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqr at 2026-12-07T15:00:00Z\n"
        ));
    }

    #[test]
    fn a_nonce_survives_its_text_and_is_not_what_is_kept() {
        let nonce = Nonce::of([0xab; NONCE_LEN]);
        assert_eq!(nonce.to_string().to_uppercase().parse(), Ok(nonce.clone()));
        assert_ne!(nonce.sha256(), nonce.to_string());
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63)] {
            assert!(bad.parse::<Nonce>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_is_a_host_name_and_nothing_that_could_be_a_line() {
        for bad in ["", "Git.example", "git.example\nperson: x", "git example", "a@b", &"a".repeat(254)] {
            assert!(ServerName::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
        let server = ServerName::try_from("git.example".to_owned()).unwrap();
        assert_eq!(Challenge::namespace(&server), "keyring-enrol@git.example");
    }
}
