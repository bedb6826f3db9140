//! The forges that `keyring-sync.yaml` names: raw ─► checked.

use super::Forge;
use super::ghes::Ghes;
use super::gitea::Gitea;
use super::gitlab::GitLab;
use crate::http::{Client, Url};
use crate::secret::{self, BadSecret};
use crate::tls;
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_policy::id::Account;
use countersign_policy::text::shown;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What an account's name begins with: `gitea` of `gitea:alice`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ForgeName(String);

impl TryFrom<String> for ForgeName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // Read as accounts are, so that the two meet.
        let account = Account::new(&format!("{text}:x")).map_err(|error| error.to_string())?;
        match account.as_str().split_once(':') {
            Some((name, "x")) => Ok(ForgeName(name.to_owned())),
            _ => Err(format!("`{}` is no name of a forge: it holds a colon", shown(&text, 80))),
        }
    }
}

impl ForgeName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The login that an account has on this forge.
    pub fn login<'a>(&self, account: &'a Account) -> Option<&'a str> {
        account.as_str().split_once(':').filter(|(forge, _)| *forge == self.0).map(|(_, login)| login)
    }
}

impl fmt::Display for ForgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Gitea and Forgejo.
    #[serde(alias = "forgejo")]
    Gitea,
    GitLab,
    Ghes,
}

/// One forge, with its secrets still in their files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgeConfig {
    pub name: ForgeName,
    pub kind: Kind,
    /// `https://git.example`, without the path of the API.
    pub url: Url,
    /// An administrator's token.
    pub token_file: PathBuf,
    /// `NAME:PASSWORD` of an administrator: Gitea lists and deletes tokens for nothing less.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// PEM of the authorities that vouch for the server; the system's without it.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// A forge that cannot be asked as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum BadForge {
    #[error("forge {0}: {1}: {2}")]
    File(ForgeName, String, std::io::Error),
    #[error("forge {0}: {1}")]
    Secret(ForgeName, BadSecret),
    #[error("forge {0}: {1}")]
    Tls(ForgeName, String),
    #[error("two forges are called {0}")]
    Twice(ForgeName),
}

impl ForgeConfig {
    /// Relative paths count from `folder`.
    pub fn within(mut self, folder: &Path) -> Self {
        self.token_file = folder.join(self.token_file);
        self.password_file = self.password_file.map(|file| folder.join(file));
        self.ca_file = self.ca_file.map(|file| folder.join(file));
        self
    }

    /// Reads the secrets; they may have been changed since.
    pub fn open(&self) -> Result<Box<dyn Forge>, BadForge> {
        let token = self.secret(&self.token_file)?;
        let roots = tls::roots(self.ca_file.as_deref())
            .map_err(|(file, error)| BadForge::File(self.name.clone(), file.display().to_string(), error))?;
        let client = |path: &str, header: (&'static str, String)| {
            Client::new(format!("{}{path}", self.url.as_str()), vec![header], &roots)
                .map_err(|why| BadForge::Tls(self.name.clone(), why))
        };
        Ok(match self.kind {
            Kind::Gitea => {
                let password = self.password_file.as_ref().map(|file| self.secret(file)).transpose()?;
                let basic = |password: String| ("authorization", format!("Basic {}", STANDARD.encode(password)));
                let with_password = password.map(|password| client("/api/v1", basic(password))).transpose()?;
                let token = ("authorization", format!("token {token}"));
                Box::new(Gitea::new(client("/api/v1", token.clone())?, client("", token)?, with_password))
            }
            Kind::GitLab => Box::new(GitLab::new(client("/api/v4", ("private-token", token))?)),
            Kind::Ghes => Box::new(Ghes::new(client("/api/v3", ("authorization", format!("token {token}")))?)),
        })
    }

    fn secret(&self, path: &Path) -> Result<String, BadForge> {
        secret::read(path).map_err(|bad| BadForge::Secret(self.name.clone(), bad))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forge_and_its_accounts_meet() {
        let name = ForgeName::try_from("Forgejo".to_owned()).unwrap();
        assert_eq!(name.login(&Account::new("forgejo:Alice").unwrap()), Some("alice"));
        assert_eq!(name.login(&Account::new("gitlab:alice").unwrap()), None);
        assert!(ForgeName::try_from("a:b".to_owned()).is_err());
    }
}
