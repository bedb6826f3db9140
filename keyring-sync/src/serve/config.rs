//! The `serve:` section: where the service listens.

use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Loopback, so that nothing is reachable that nobody opened.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

/// Requests of one source a second. A directory of 100,000 persons synchronises within the hour, a source that runs
/// wild leaves the others room.
const DEFAULT_RATE: u32 = 200;

/// Why a `serve:` section makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadService {
    #[error(
        "serve.listen: {0} is not a loopback address, and without TLS every token would pass the network in the clear: \
         give serve.tls, or say serve.behind_proxy: true where a reverse proxy ends TLS"
    )]
    Plain(SocketAddr),
    #[error("serve.public_url: `{0}` is not of the form https://HOST[/PATH]")]
    PublicUrl(String),
    #[error("serve.requests_per_second: it must be at least 1")]
    Rate,
}

/// Files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A checked service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    /// The base of every link, without a slash at its end. `None`: the name that the client called.
    pub public_url: Option<String>,
    /// Of each source.
    pub requests_per_second: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawService {
    listen: Option<SocketAddr>,
    tls: Option<RawTls>,
    #[serde(default)]
    behind_proxy: bool,
    public_url: Option<String>,
    requests_per_second: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    certificate: PathBuf,
    key: PathBuf,
}

/// The source of what may read the metrics; it has tokens like any other.
pub const METRICS: &str = "metrics";

impl Service {
    /// Relative paths count from `folder`.
    pub fn check(raw: RawService, folder: &Path) -> Result<Self, BadService> {
        let listen = raw.listen.unwrap_or(DEFAULT_LISTEN);
        if raw.tls.is_none() && !raw.behind_proxy && !listen.ip().is_loopback() {
            return Err(BadService::Plain(listen));
        }
        let public_url = raw.public_url.map(|url| checked_url(&url)).transpose()?;
        let requests_per_second = raw.requests_per_second.unwrap_or(DEFAULT_RATE);
        if requests_per_second == 0 {
            return Err(BadService::Rate);
        }
        let tls = raw.tls.map(|tls| Tls { certificate: folder.join(tls.certificate), key: folder.join(tls.key) });
        Ok(Service { listen, tls, public_url, requests_per_second })
    }
}

fn checked_url(url: &str) -> Result<String, BadService> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let well_formed = rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && rest.chars().all(|c| c.is_ascii_graphic() && !"\"<>?#\\".contains(c))
    });
    if !well_formed {
        return Err(BadService::PublicUrl(countersign_policy::text::shown(url, 200)));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Service, BadService> {
        Service::check(serde_yaml::from_str(text).unwrap(), Path::new("/etc/countersign"))
    }

    #[test]
    fn tokens_do_not_pass_a_network_in_the_clear() {
        assert!(check("{}").unwrap().listen.ip().is_loopback());
        assert_eq!(check("listen: 0.0.0.0:80"), Err(BadService::Plain("0.0.0.0:80".parse().unwrap())));
        assert!(check("listen: '[::1]:80'").is_ok());
        assert!(check("{listen: '0.0.0.0:80', behind_proxy: true}").is_ok());
        let tls = check("{listen: '0.0.0.0:443', tls: {certificate: c.pem, key: /k.pem}}").unwrap().tls.unwrap();
        assert_eq!(tls.certificate, Path::new("/etc/countersign/c.pem"));
        assert_eq!(tls.key, Path::new("/k.pem"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(matches!(check("public_url: hr.example"), Err(BadService::PublicUrl(_))));
        assert_eq!(check("public_url: https://hr.example/").unwrap().public_url.unwrap(), "https://hr.example");
        assert_eq!(check("requests_per_second: 0"), Err(BadService::Rate));
    }
}
