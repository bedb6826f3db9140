//! GitHub Enterprise Server (`/enterprise-admin/users`, a site administrator's classic token).

use super::{Forge, Keys, Standing, Step, Trouble};
use crate::http::{Client, id, segment};
use crate::report::count;
use countersign_policy::text::shown;
use serde_json::Value;
use ureq::http::Method;

#[derive(Debug)]
pub struct Ghes {
    client: Client,
}

impl Ghes {
    pub fn new(client: Client) -> Self {
        Ghes { client }
    }

    fn user(&self, login: &str) -> Result<Option<Value>, Trouble> {
        self.client.get(&format!("/users/{}", segment(login)))
    }

    fn entries(&self, login: &str, step: Step) -> Result<Vec<Value>, Trouble> {
        let name = segment(login);
        let (path, mine) = match step {
            Step::Block => return Ok(Vec::new()),
            Step::SshKeys => (format!("/users/{name}/keys"), false),
            Step::GpgKeys => (format!("/users/{name}/gpg_keys"), false),
            // Of all users: the server has no list by user.
            Step::Tokens => ("/admin/tokens".to_owned(), true),
        };
        let list = self.client.list(&path)?;
        let mut entries = list.ok_or_else(|| Trouble::odd(format!("it has no list of {}", step.as_str())))?;
        if mine {
            let owner =
                |token: &Value| token.pointer("/user/login").and_then(Value::as_str).map(str::to_ascii_lowercase);
            if entries.iter().any(|token| owner(token).is_none()) {
                return Err(Trouble::odd("it lists a token without saying whose it is"));
            }
            entries.retain(|token| owner(token).as_deref() == Some(login));
        }
        Ok(entries)
    }
}

impl Forge for Ghes {
    fn look(&self, login: &str, step: Step) -> Result<Standing, Trouble> {
        let Some(user) = self.user(login)? else {
            self.client.knows_us()?;
            return Ok(Standing::Absent);
        };
        let what = match step {
            Step::Block => {
                return match user.get("suspended_at") {
                    Some(Value::String(_)) => Ok(Standing::Cut),
                    Some(Value::Null) => Ok(Standing::Open("a login".to_owned())),
                    _ => Err(Trouble::odd(
                        "it does not show whether the account is suspended: is the token a site administrator's?",
                    )),
                };
            }
            Step::SshKeys => "SSH key",
            Step::GpgKeys => "GPG key",
            Step::Tokens => "token",
        };
        let entries = self.entries(login, step)?;
        Ok(if entries.is_empty() { Standing::Cut } else { Standing::Open(count(entries.len(), what)) })
    }

    fn cut(&self, login: &str, step: Step) -> Result<(), Trouble> {
        match step {
            Step::Block => self.client.send(Method::PUT, &format!("/users/{}/suspended", segment(login)), None),
            Step::GpgKeys => Err(Trouble::odd(
                "this server lets nobody but the user delete a GPG key: the account is suspended, its keys verify old commits only",
            )),
            Step::SshKeys | Step::Tokens => {
                let kind = if step == Step::SshKeys { "keys" } else { "tokens" };
                for entry in self.entries(login, step)? {
                    self.client.delete(&format!("/admin/{kind}/{}", id(&entry)?), &[])?;
                }
                Ok(())
            }
        }
    }

    fn give_back(&self, login: &str) -> Result<(), Trouble> {
        self.client.send(Method::DELETE, &format!("/users/{}/suspended", segment(login)), None)
    }

    fn keys(&self, login: &str) -> Result<Option<Keys>, Trouble> {
        if self.user(login)?.is_none() {
            self.client.knows_us()?;
            return Ok(None);
        }
        let mut keys = Keys::default();
        // Keys to log in with are listed elsewhere, and verify nothing here.
        let path = format!("/users/{}/ssh_signing_keys", segment(login));
        let signing = self.client.list(&path)?;
        for entry in signing.ok_or_else(|| Trouble::odd("it has no list of SSH signing keys"))? {
            keys.add_ssh(&entry)?;
        }
        for entry in self.entries(login, Step::GpgKeys)? {
            match entry.get("raw_key").and_then(Value::as_str) {
                Some(armour) => {
                    keys.add_openpgp(armour)?;
                }
                None => keys.unfit.push(format!(
                    "GPG key {} was uploaded before the server kept whole keys: it has to be uploaded again",
                    shown(entry.get("key_id").and_then(Value::as_str).unwrap_or_default(), 40)
                )),
            }
        }
        Ok(Some(keys))
    }
}
