//! Gitea and Forgejo (`routers/api/v1`).

use super::{Forge, Keys, Standing, Step, Trouble};
use crate::http::{Client, id, segment};
use crate::report::count;
use serde_json::{Value, json};
use ureq::http::Method;

/// What a page of whole keys holds.
const ARMOUR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

#[derive(Debug)]
pub struct Gitea {
    client: Client,
    /// The pages for people, at the same address.
    web: Client,
    /// Tokens are shown to a password alone.
    with_password: Option<Client>,
}

impl Gitea {
    pub fn new(client: Client, web: Client, with_password: Option<Client>) -> Self {
        Gitea { client, web, with_password }
    }

    fn for_tokens(&self) -> Result<&Client, Trouble> {
        self.with_password.as_ref().ok_or_else(|| {
            Trouble::odd("Gitea shows tokens only to a password: configure `password_file` with NAME:PASSWORD of an administrator")
        })
    }

    fn entries(&self, login: &str, step: Step) -> Result<Option<Vec<Value>>, Trouble> {
        let login = segment(login);
        match step {
            Step::Block => Ok(None),
            Step::SshKeys => self.client.list(&format!("/users/{login}/keys")),
            Step::GpgKeys => self.client.list(&format!("/users/{login}/gpg_keys")),
            Step::Tokens => self.for_tokens()?.list(&format!("/users/{login}/tokens")),
        }
    }

    fn user(&self, login: &str) -> Result<Option<Value>, Trouble> {
        self.client.get(&format!("/users/{}", segment(login)))
    }

    fn set_login(&self, login: &str, open: bool) -> Result<(), Trouble> {
        let Some(user) = self.user(login)? else { return Ok(()) };
        // Both fields are required, and must stay as they are, or the account would change its source of passwords.
        let body = json!({
            "source_id": user.get("source_id").and_then(Value::as_u64).unwrap_or(0),
            "login_name": login_name(&user, login),
            "active": open, "prohibit_login": !open,
        });
        self.client.send(Method::PATCH, &format!("/admin/users/{}", segment(login)), Some(&body))
    }
}

/// What the account is called where its password is kept. An account of Gitea's own has none, and needs one here all the
/// same: any does.
fn login_name<'u>(user: &'u Value, login: &'u str) -> &'u str {
    user.get("login_name").and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or(login)
}

impl Forge for Gitea {
    fn look(&self, login: &str, step: Step) -> Result<Standing, Trouble> {
        let Some(user) = self.user(login)? else {
            self.client.knows_us()?;
            return Ok(Standing::Absent);
        };
        let what = match step {
            Step::Block => {
                let flag = |name: &str| user.get(name).and_then(Value::as_bool);
                let (Some(active), Some(prohibited)) = (flag("active"), flag("prohibit_login")) else {
                    return Err(Trouble::odd(
                        "it does not show whether the account may log in: is the token an administrator's?",
                    ));
                };
                return Ok(match (active, prohibited) {
                    (false, true) => Standing::Cut,
                    (true, false) => Standing::Open("a login".to_owned()),
                    // Never activated, or forbidden to log in by somebody else.
                    _ => Standing::Partly("a login".to_owned()),
                });
            }
            Step::SshKeys => "SSH key",
            Step::GpgKeys => "GPG key",
            Step::Tokens => "token",
        };
        match self.entries(login, step)? {
            Some(entries) if entries.is_empty() => Ok(Standing::Cut),
            Some(entries) => Ok(Standing::Open(count(entries.len(), what))),
            None => Err(Trouble::odd(format!("it knows the account, and no list of its {what}s"))),
        }
    }

    fn cut(&self, login: &str, step: Step) -> Result<(), Trouble> {
        if step == Step::Block {
            return self.set_login(login, false);
        }
        for entry in self.entries(login, step)?.into_iter().flatten() {
            let (name, id) = (segment(login), id(&entry)?);
            match step {
                Step::SshKeys => self.client.delete(&format!("/admin/users/{name}/keys/{id}"), &[])?,
                // There is no administrator's way; an administrator may act for the user.
                Step::GpgKeys => self.client.delete(&format!("/user/gpg_keys/{id}"), &[("sudo", login)])?,
                Step::Tokens => self.for_tokens()?.delete(&format!("/users/{name}/tokens/{id}"), &[])?,
                Step::Block => {}
            }
        }
        Ok(())
    }

    fn give_back(&self, login: &str) -> Result<(), Trouble> {
        self.set_login(login, true)
    }

    fn keys(&self, login: &str) -> Result<Option<Keys>, Trouble> {
        if self.user(login)?.is_none() {
            self.client.knows_us()?;
            return Ok(None);
        }
        let listed = |step: Step| {
            self.entries(login, step)?.ok_or_else(|| Trouble::odd(format!("it has no list of {}", step.as_str())))
        };
        let mut keys = Keys::default();
        for entry in listed(Step::SshKeys)? {
            keys.add_ssh(&entry)?;
        }
        let gpg = listed(Step::GpgKeys)?.len();
        if gpg > 0 {
            // The API lists bare keys, without what binds names and subkeys to them; the whole ones are a page.
            let page = match self.web.text(&format!("/{}.gpg", segment(login))) {
                // A server that shows its pages to nobody has the other keys all the same.
                Err(Trouble::Odd(_)) => None,
                page => page?,
            };
            let whole = match page.filter(|text| text.contains(ARMOUR)) {
                Some(armour) => keys.add_openpgp(&armour)?,
                None => 0,
            };
            if whole < gpg {
                keys.unfit.push(format!(
                    "{} of {} cannot be had whole from /{login}.gpg: export it from its holder's GnuPG",
                    gpg - whole,
                    count(gpg, "GPG key")
                ));
            }
        }
        Ok(Some(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_called_as_its_source_calls_it_and_never_nothing() {
        for (user, name) in [
            (json!({"login_name": "uid=alice", "source_id": 7}), "uid=alice"),
            (json!({"login_name": "", "source_id": 0}), "alice"),
            (json!({}), "alice"),
        ] {
            assert_eq!(login_name(&user, "alice"), name);
        }
    }
}
