//! Where webhooks come in, with the secrets of each.

use super::config::{Kind, Proof, Webhook};
use super::proof::{Refused, Verified, verify};
use super::secret::Secrets;
use super::{PATH, gusto, hibob};
use crate::config::Config;
use axum::http::HeaderMap;
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// One source's.
#[derive(Debug)]
pub struct Endpoint {
    pub source: Source,
    pub settings: Webhook,
    secrets: Secrets,
    /// Where a secret is put that comes before anybody can prove anything.
    offers: PathBuf,
}

/// What a sender says before it has anything to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    Ping,
    Offer(String),
}

impl Endpoint {
    /// A request that asks for nothing and is answered unproven.
    pub fn greeting(&self, body: &[u8]) -> Option<Greeting> {
        match self.settings.kind {
            Kind::HiBob if hibob::is_ping(body) => Some(Greeting::Ping),
            // With a secret in place there is nothing to offer.
            Kind::Gusto if self.secrets.is_empty() => gusto::offered_token(body).map(Greeting::Offer),
            _ => None,
        }
    }

    /// Keeps an offered secret for the operator, who shows it to the sender before it is used. Blocks.
    pub fn keep_offer(&self, token: &str) -> std::io::Result<&Path> {
        let new = self.offers.with_extension("new");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{token}")?;
        file.sync_all()?;
        std::fs::rename(&new, &self.offers)?;
        Ok(&self.offers)
    }

    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Time) -> Result<Verified, Refused> {
        verify(self.settings.kind, headers, body, &self.secrets, now)
    }
}

#[derive(Debug, Default)]
pub struct Endpoints(BTreeMap<Source, Endpoint>);

impl Endpoints {
    /// Reads every secret that `config` names.
    pub fn load(config: &Config) -> Result<Self, String> {
        let mut endpoints = BTreeMap::new();
        for (source, settings) in &config.sources {
            let Some(settings) = settings.webhook.clone() else { continue };
            let secrets = settings.secrets().map_err(|reason| format!("sources: {source}: webhook: {reason}"))?;
            let name = utf8_percent_encode(source.as_str(), NON_ALPHANUMERIC);
            let offers = config.registry.with_file_name(format!("{name}.offered-secret"));
            if secrets.is_empty() && settings.kind.proof() == Proof::Signature {
                tracing::warn!(%source, "no secret yet: the next one that the sender offers is kept for you");
            }
            endpoints.insert(source.clone(), Endpoint { source: source.clone(), settings, secrets, offers });
        }
        Ok(Endpoints(endpoints))
    }

    pub fn get(&self, source: &Source) -> Option<&Endpoint> {
        self.0.get(source)
    }

    /// The endpoint of a sender that signs, by the path of a request.
    pub fn signed_at(&self, path: &str) -> Option<&Endpoint> {
        let name = percent_decode_str(path.strip_prefix(PATH)?).decode_utf8().ok()?;
        let endpoint = self.0.get(&Source::new(&name).ok()?)?;
        (endpoint.settings.kind.proof() == Proof::Signature).then_some(endpoint)
    }
}
