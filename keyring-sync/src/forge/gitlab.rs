//! GitLab, self-managed (`doc/api/users.md`, `user_keys.md`, `personal_access_tokens.md`).

use super::keys::text;
use super::{Forge, Keys, Standing, Step, Trouble};
use crate::http::{Client, id, segment};
use crate::report::count;
use countersign_policy::text::shown;
use serde_json::Value;
use ureq::http::Method;

#[derive(Debug)]
pub struct GitLab {
    client: Client,
}

/// Characters of a state that a message repeats.
const STATE_SHOWN: usize = 40;

/// States in which nobody logs in. A deactivated account comes back by itself at its next login.
const BLOCKED: [&str; 4] = ["blocked", "ldap_blocked", "banned", "blocked_pending_approval"];

impl GitLab {
    pub fn new(client: Client) -> Self {
        GitLab { client }
    }

    fn user(&self, login: &str) -> Result<Option<Value>, Trouble> {
        let found = self.client.list(&format!("/users?username={}", segment(login)))?;
        let found = found.ok_or_else(|| Trouble::odd("it knows no users: is the configured url that of GitLab?"))?;
        let name = |user: &Value| user.get("username").and_then(Value::as_str).map(str::to_ascii_lowercase);
        Ok(found.into_iter().find(|user| name(user).as_deref() == Some(login)))
    }

    fn entries(&self, user: u64, step: Step) -> Result<Vec<Value>, Trouble> {
        let path = match step {
            Step::Block => return Ok(Vec::new()),
            Step::SshKeys => format!("/users/{user}/keys"),
            Step::GpgKeys => format!("/users/{user}/gpg_keys"),
            Step::Tokens => format!("/personal_access_tokens?user_id={user}&state=active"),
        };
        let list = self.client.list(&path)?;
        let mut entries =
            list.ok_or_else(|| Trouble::odd(format!("it knows the account, and no list of its {}", step.as_str())))?;
        // Whoever may not see other people's tokens is shown their own: never delete those.
        if step == Step::Tokens {
            entries.retain(|token| token.get("user_id").and_then(Value::as_u64) == Some(user));
        }
        Ok(entries)
    }
}

impl Forge for GitLab {
    fn look(&self, login: &str, step: Step) -> Result<Standing, Trouble> {
        let Some(user) = self.user(login)? else {
            self.client.knows_us()?;
            return Ok(Standing::Absent);
        };
        let what = match step {
            Step::Block => {
                let state = user.get("state").and_then(Value::as_str);
                let state = state.ok_or_else(|| Trouble::odd("it does not show the state of the account"))?;
                return Ok(match state {
                    "active" => Standing::Open("a login".to_owned()),
                    state if BLOCKED.contains(&state) => Standing::Cut,
                    _ => Standing::Partly("a login".to_owned()),
                });
            }
            Step::SshKeys => "SSH key",
            Step::GpgKeys => "GPG key",
            Step::Tokens => "token",
        };
        let entries = self.entries(id(&user)?, step)?;
        Ok(if entries.is_empty() { Standing::Cut } else { Standing::Open(count(entries.len(), what)) })
    }

    fn cut(&self, login: &str, step: Step) -> Result<(), Trouble> {
        let Some(user) = self.user(login)? else { return Ok(()) };
        let user = id(&user)?;
        if step == Step::Block {
            return self.client.send(Method::POST, &format!("/users/{user}/block"), None);
        }
        for entry in self.entries(user, step)? {
            let id = id(&entry)?;
            let path = match step {
                Step::SshKeys => format!("/users/{user}/keys/{id}"),
                Step::GpgKeys => format!("/users/{user}/gpg_keys/{id}"),
                Step::Tokens => format!("/personal_access_tokens/{id}"),
                Step::Block => continue,
            };
            self.client.delete(&path, &[])?;
        }
        Ok(())
    }

    fn give_back(&self, login: &str) -> Result<(), Trouble> {
        let Some(user) = self.user(login)? else { return Ok(()) };
        // A ban or a directory's block is somebody else's, whatever was there before it.
        match user.get("state").and_then(Value::as_str) {
            Some("blocked") => {}
            state => {
                let state = shown(state.unwrap_or("without a state"), STATE_SHOWN);
                return Err(Trouble::odd(format!(
                    "the account is {state}, which is not ours to lift: decide there by hand"
                )));
            }
        }
        self.client.send(Method::POST, &format!("/users/{}/unblock", id(&user)?), None)
    }

    fn keys(&self, login: &str) -> Result<Option<Keys>, Trouble> {
        let Some(user) = self.user(login)? else {
            self.client.knows_us()?;
            return Ok(None);
        };
        let (user, mut keys) = (id(&user)?, Keys::default());
        for entry in self.entries(user, Step::SshKeys)? {
            // `signing`, `auth_and_signing`, or a server from before there was a difference.
            if entry.get("usage_type").and_then(Value::as_str) != Some("auth") {
                keys.add_ssh(&entry)?;
            }
        }
        for entry in self.entries(user, Step::GpgKeys)? {
            keys.add_openpgp(text(&entry, "key")?)?;
        }
        Ok(Some(keys))
    }
}
