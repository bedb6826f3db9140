//! The public keys that an account signs with, as forges list them.

use super::Trouble;
use crate::event::KeyText;
use crate::keys::openpgp_texts;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde_json::Value;

/// Keys of one account; each costs a check.
const KEYS_MAX: usize = 200;

/// One public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub text: KeyText,
    /// When the forge lets it end.
    pub until: Option<Time>,
}

/// All of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    pub keys: Vec<PublicKey>,
    /// Keys that the forge lists and that cannot be had from it, in words.
    pub unfit: Vec<String>,
}

impl Keys {
    /// Adds an SSH key as it is listed.
    pub fn add_ssh(&mut self, entry: &Value) -> Result<(), Trouble> {
        let line = text(entry, "key")?.to_owned();
        match end(entry) {
            Ok(until) => self.add(PublicKey { text: KeyText::Ssh(line), until }),
            Err(unfit) => {
                self.unfit.push(unfit);
                Ok(())
            }
        }
    }

    /// Adds the certificates of an armour.
    pub fn add_openpgp(&mut self, armour: &str) -> Result<usize, Trouble> {
        match openpgp_texts(armour.as_bytes()) {
            Ok(texts) => {
                let number = texts.len();
                for text in texts {
                    self.add(PublicKey { text, until: None })?;
                }
                Ok(number)
            }
            Err(refused) => {
                self.unfit.push(refused.to_string());
                Ok(0)
            }
        }
    }

    fn add(&mut self, key: PublicKey) -> Result<(), Trouble> {
        if self.keys.len() >= KEYS_MAX {
            return Err(Trouble::odd(format!("it has more than {KEYS_MAX} keys")));
        }
        self.keys.push(key);
        Ok(())
    }
}

pub fn text<'e>(entry: &'e Value, name: &str) -> Result<&'e str, Trouble> {
    entry.get(name).and_then(Value::as_str).ok_or_else(|| Trouble::odd(format!("it lists a key without `{name}`")))
}

/// GitLab's `expires_at`; other forges know no end.
fn end(entry: &Value) -> Result<Option<Time>, String> {
    let Some(text) = entry.get("expires_at").and_then(Value::as_str) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("a key whose end `{}` cannot be read", shown(text, 40)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_ends_when_its_forge_lets_it_end() {
        let mut keys = Keys::default();
        keys.add_ssh(&json!({"key": "ssh-ed25519 AAAA a", "expires_at": "2027-01-01T00:00:00.000Z"})).unwrap();
        keys.add_ssh(&json!({"key": "ssh-ed25519 BBBB b", "expires_at": null})).unwrap();
        keys.add_ssh(&json!({"key": "ssh-ed25519 CCCC c", "expires_at": "soon\u{1b}"})).unwrap();
        let ends: Vec<Option<String>> = keys.keys.iter().map(|key| key.until.map(|at| at.to_string())).collect();
        assert_eq!(ends, [Some("2027-01-01T00:00:00Z".to_owned()), None]);
        assert_eq!(keys.unfit, [r"a key whose end `soon\u{1b}` cannot be read"]);
        assert!(keys.add_ssh(&json!({"id": 1})).is_err());
    }

    #[test]
    fn nobody_has_hundreds_of_keys() {
        let mut keys = Keys::default();
        let add = |keys: &mut Keys| keys.add_ssh(&json!({"key": "ssh-ed25519 AAAA"}));
        for _ in 0..KEYS_MAX {
            add(&mut keys).unwrap();
        }
        assert!(add(&mut keys).is_err());
    }

    #[test]
    fn an_armour_without_a_key_is_unfit_and_no_end_of_the_import() {
        let mut keys = Keys::default();
        assert_eq!(keys.add_openpgp("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnone"), Ok(0));
        assert_eq!(keys.unfit.len(), 1);
    }
}
