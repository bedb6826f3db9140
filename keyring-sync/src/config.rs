//! `keyring-sync.yaml`: where the registry is and where its keyring is published.

use crate::enrol::ServerName;
use crate::forge::ForgeConfig;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where the configuration is without `--config`.
pub const DEFAULT_PATH: &str = "/etc/countersign/keyring-sync.yaml";

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}", path = path.display())]
    Yaml { path: PathBuf, source: serde_yaml::Error },
}

/// Checked configuration with absolute or working-folder paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The SQLite store.
    pub registry: PathBuf,
    /// The folder of the published keyring.
    pub keyring: PathBuf,
    /// How developers know this server; enrolment binds signatures to it.
    pub server: Option<ServerName>,
    /// Where accounts are cut off.
    pub forges: Vec<ForgeConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    registry: PathBuf,
    keyring: PathBuf,
    #[serde(default)]
    server: Option<ServerName>,
    #[serde(default)]
    forges: Vec<ForgeConfig>,
}

impl Config {
    /// Relative paths count from the folder of the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
        let raw: RawConfig =
            serde_yaml::from_str(&text).map_err(|source| ConfigError::Yaml { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Config {
            registry: folder.join(raw.registry),
            keyring: folder.join(raw.keyring),
            server: raw.server,
            forges: raw.forges.into_iter().map(|forge| forge.within(folder)).collect(),
        })
    }
}

/// What `init` writes.
pub const DEFAULT_TEXT: &str = "\
# Paths are relative to this file.
# The store of persons, keys and events; only keyring-sync opens it.
registry: registry.db
# The published keyring; the hooks read it, as another Unix user.
keyring: keyring
# How developers know this server; the challenges of keyring-sync enrol name it.
# server: git.example
# Where keyring-sync cascade cuts off the accounts of who is out: gitea:alice is alice on the forge called gitea.
# forges:
#   - { name: gitea, kind: gitea, url: https://git.example, token_file: gitea.token, password_file: gitea.password }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_file_and_unknown_keys_are_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("keyring-sync.yaml");
        std::fs::write(&path, DEFAULT_TEXT).unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.registry, dir.path().join("registry.db"));
        std::fs::write(&path, "registry: /var/r.db\nkeyring: k\nkeyrings: x\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("keyrings"));
    }
}
