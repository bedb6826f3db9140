//! `keyring-sync.yaml`: where the registry is and where its keyring is published.

use crate::brake::Limits;
use crate::enrol::ServerName;
use crate::forge::ForgeConfig;
use crate::serve::config::{BadService, RawService, Service};
use crate::sources::{Ranks, RawSettings, Settings};
use countersign_policy::id::Source;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the configuration is without `--config`.
pub const DEFAULT_PATH: &str = "/etc/countersign/keyring-sync.yaml";

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}", path = path.display())]
    Yaml { path: PathBuf, source: serde_yaml::Error },
    #[error("{path}: {source}", path = path.display())]
    Service { path: PathBuf, source: BadService },
    #[error("{path}: {reason}", path = path.display())]
    Unsound { path: PathBuf, reason: String },
}

/// Checked configuration with absolute or working-folder paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The SQLite store.
    pub registry: PathBuf,
    /// The folder of the published keyring.
    pub keyring: PathBuf,
    /// What `keyring-sync serve` does.
    pub serve: Option<Service>,
    /// How many may be deactivated without two people's approval.
    pub brake: Limits,
    pub sources: BTreeMap<Source, Settings>,
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
    serve: Option<RawService>,
    #[serde(default)]
    brake: Limits,
    #[serde(default)]
    sources: BTreeMap<Source, RawSettings>,
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
        let serve = raw.serve.map(|raw| Service::check(raw, folder)).transpose();
        let serve = serve.map_err(|source| ConfigError::Service { path: path.to_owned(), source })?;
        let unsound = |reason: String| ConfigError::Unsound { path: path.to_owned(), reason };
        raw.brake.check().map_err(|error| unsound(error.to_string()))?;
        let mut sources = BTreeMap::new();
        for (source, raw) in raw.sources {
            let settings = raw.check(&source, folder).map_err(unsound)?;
            sources.insert(source, settings);
        }
        let (registry, keyring) = (folder.join(raw.registry), folder.join(raw.keyring));
        let forges = raw.forges.into_iter().map(|forge| forge.within(folder)).collect();
        Ok(Config { registry, keyring, serve, brake: raw.brake, sources, server: raw.server, forges })
    }

    pub fn ranks(&self) -> Ranks {
        Ranks::new(self.sources.iter().filter_map(|(source, settings)| Some((source.clone(), settings.rank?))))
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
# Where keyring-sync serve cuts off the accounts of who is out: gitea:alice is alice on the forge called gitea.
# forges:
#   - { name: gitea, kind: gitea, url: https://git.example, token_file: gitea.token, password_file: gitea.password }
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Pull;

    #[test]
    fn paths_count_from_the_file_and_unknown_keys_are_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("keyring-sync.yaml");
        std::fs::write(&path, DEFAULT_TEXT).unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.registry, dir.path().join("registry.db"));
        assert!(config.sources.is_empty() && config.brake == Limits::default());
        std::fs::write(&path, "registry: /var/r.db\nkeyring: k\nkeyrings: x\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("keyrings"));
    }

    #[test]
    fn sources_and_the_brake_are_checked() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("keyring-sync.yaml");
        let read = |more: &str| {
            std::fs::write(&path, format!("registry: r.db\nkeyring: k\n{more}")).unwrap();
            Config::read(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
        };
        let config = read(
            "sources:\n  hr:\n    rank: 9\n    csv: {file: hr.csv, timezone: Europe/Berlin, statuses: {U: leave}}\n",
        );
        let config = config.unwrap();
        let hr = Source::new("hr").unwrap();
        assert_eq!(config.ranks().of(&hr), Some(9));
        let Some(Pull::Csv(csv)) = &config.sources[&hr].pull else { panic!() };
        assert_eq!(csv.file, dir.path().join("hr.csv"));
        let refused = |more: &str| read(more).unwrap_err();
        assert_eq!(
            refused("sources:\n  hr: {csv: {file: a, timezone: Berlin}}\n"),
            "FILE: sources: hr: timezone: `Berlin` is no time zone such as Europe/Berlin"
        );
        assert_eq!(
            refused("sources:\n  operator: {rank: 1}\n"),
            "FILE: sources: `operator` is who runs this program, and no feed"
        );
        for name in ["keyring-sync", "metrics"] {
            assert!(refused(&format!("sources:\n  {name}: {{rank: 1}}\n")).contains("kept for this program"), "{name}");
        }
        let two = refused(
            "sources:\n  hr: {csv: {file: a}, scim_pull: {url: 'https://hr.example', token_file: t, person_id: id}}\n",
        );
        assert!(two.contains("hr: it has one list"), "{two}");
        assert_eq!(refused("brake: {window: 1m}\n"), "FILE: brake: window must be between 1h and 31d");
        assert!(refused("sources:\n  hr: {csv: {file: a, statuses: {U: gone}}}\n").contains("gone"));
    }
}
