//! What is settled for one SCIM server that is asked.

use crate::feed::scim::config::PersonIdFrom;
use crate::http::Url;
use countersign_policy::id::Role;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One server. Paths count from the folder of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScimPull {
    /// Up to `/Users`: `https://idp.example/scim/v2`.
    pub url: Url,
    pub token_file: PathBuf,
    /// PEM of the authorities that vouch for the server; the system's without it.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    pub person_id: PersonIdFrom,
    /// Only users that it finds (RFC 7644, section 3.4.2.2): whom it leaves out is missing.
    #[serde(default)]
    pub filter: Option<String>,
    /// By `displayName` or `externalId` of the group.
    #[serde(default)]
    pub groups: BTreeMap<String, Role>,
    /// Whether names and addresses of persons are this source's to tell.
    #[serde(default = "yes")]
    pub profile: bool,
}

fn yes() -> bool {
    true
}

impl ScimPull {
    pub fn within(mut self, folder: &Path) -> Self {
        self.token_file = folder.join(self.token_file);
        self.ca_file = self.ca_file.map(|file| folder.join(file));
        self
    }
}
