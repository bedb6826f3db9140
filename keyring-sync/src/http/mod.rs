//! JSON over HTTP, one answer at a time and never more than asked for.

mod url;

pub use url::Url;

use countersign_policy::text::{shown, shown_bytes};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// A whole call, from the look-up of the name to the last byte: forges answer these in milliseconds.
const CALL_MAX: Duration = Duration::from_secs(15);

/// Bytes of one answer. A page of a hundred RSA keys has a tenth of it, one of a hundred groups a half.
const BODY_MAX: u64 = 4 << 20;

/// Entries asked for at a time; Gitea gives at most 50 however many are asked for.
const PAGE: usize = 50;

/// Pages of one list: 5,000 keys of one account are no honest answer.
const PAGES_MAX: usize = 100;

/// Characters of an answer's own words that a message repeats.
const WORDS_SHOWN: usize = 160;

/// Why something could not be found out or done over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No whole answer came: whatever else is to be done there waits too.
    Unreachable(String),
    /// The server answered, and not as it should.
    Odd(String),
}

impl Trouble {
    pub(crate) fn odd(what: impl Into<String>) -> Self {
        Trouble::Odd(what.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Trouble::Unreachable(what) | Trouble::Odd(what)) = self;
        f.write_str(what)
    }
}

/// One server's address and the words that open it.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    /// Not to be shown.
    headers: Vec<(&'static str, String)>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Who calls others, each call within `patience`. `roots` are PEM certificates.
pub fn agent(roots: &[u8], patience: Duration) -> Result<ureq::Agent, String> {
    let certificates: Result<Vec<Certificate<'static>>, String> = parse_pem(roots)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(error.to_string())),
        })
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates?)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(patience))
        // An administrator's token goes to no other address than the configured one.
        .max_redirects(0)
        .http_status_as_error(false)
        // The environment does not decide where it goes either.
        .proxy(None)
        .user_agent("keyring-sync")
        .build();
    Ok(config.into())
}

/// A status and what came with it.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Client {
    /// `base` is the address up to and with the version of the API; `roots` are PEM certificates.
    pub fn new(base: String, headers: Vec<(&'static str, String)>, roots: &[u8]) -> Result<Self, String> {
        Ok(Client { agent: agent(roots, CALL_MAX)?, base, headers })
    }

    /// The object at `path`; `None` when there is none.
    pub fn get(&self, path: &str) -> Result<Option<Value>, Trouble> {
        let answer = self.call(Method::GET, path, None, &[])?;
        if answer.status == 404 { Ok(None) } else { answer.ok()?.json().map(Some) }
    }

    /// All entries of a list, by their ids; `None` when there is no such list.
    pub fn list(&self, path: &str) -> Result<Option<Vec<Value>>, Trouble> {
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        let join = if path.contains('?') { '&' } else { '?' };
        for page in 1..=PAGES_MAX {
            let path = format!("{path}{join}page={page}&limit={PAGE}&per_page={PAGE}");
            let Some(Value::Array(entries)) = self.get(&path)? else {
                return if page == 1 && self.is_missing(&path)? {
                    Ok(None)
                } else {
                    Err(Trouble::odd("it answered with something else than a list"))
                };
            };
            let before = seen.len();
            for entry in entries {
                if seen.insert(id(&entry)?) {
                    all.push(entry);
                }
            }
            // The end, or a server that knows no pages and says the same again.
            if seen.len() == before {
                return Ok(Some(all));
            }
        }
        Err(Trouble::odd(format!("it lists more than {PAGES_MAX} pages")))
    }

    fn is_missing(&self, path: &str) -> Result<bool, Trouble> {
        Ok(self.call(Method::GET, path, None, &[])?.status == 404)
    }

    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(), Trouble> {
        self.call(method, path, body, &[])?.ok().map(|_| ())
    }

    /// The text at `path`; `None` when there is none.
    pub fn text(&self, path: &str) -> Result<Option<String>, Trouble> {
        let answer = self.call(Method::GET, path, None, &[])?;
        if answer.status == 404 {
            return Ok(None);
        }
        let text = String::from_utf8(answer.ok()?.body);
        text.map(Some).map_err(|_| Trouble::odd("it answered with something else than text"))
    }

    /// Deletes; what is gone already is fine.
    pub fn delete(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<(), Trouble> {
        let answer = self.call(Method::DELETE, path, None, headers)?;
        if answer.status == 404 { Ok(()) } else { answer.ok().map(|_| ()) }
    }

    /// Whether the address is that of the forge, and the token opens it: only then is "there is no such account" to be
    /// believed.
    pub fn knows_us(&self) -> Result<(), Trouble> {
        match self.get("/user")? {
            Some(Value::Object(_)) => Ok(()),
            _ => Err(Trouble::odd("it does not know its own `/user`: is the configured url that of the forge?")),
        }
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        more: &[(&'static str, &str)],
    ) -> Result<Answer, Trouble> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(more.iter().copied()).chain([("accept", "application/json")]) {
            request = request.header(name, value);
        }
        let lost = |error: ureq::Error| Trouble::Unreachable(shown(&error.to_string(), WORDS_SHOWN));
        let unfit = |error: ureq::http::Error| Trouble::odd(format!("cannot be asked: {error}"));
        let sent = match body {
            None => self.agent.run(request.body(()).map_err(unfit)?),
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).map_err(unfit)?)
            }
        };
        let mut response = sent.map_err(lost)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(BODY_MAX).read_to_vec().map_err(lost)?;
        Ok(Answer { status, body })
    }
}

impl Answer {
    fn ok(self) -> Result<Self, Trouble> {
        let words = shown_bytes(self.body.trim_ascii(), WORDS_SHOWN);
        match self.status {
            200..=299 => Ok(self),
            300..=399 => Err(Trouble::odd(format!("it answered {}: the configured url is not its own", self.status))),
            401 | 403 => Err(Trouble::odd(format!(
                "it answered {}: the token is not good here, or may not do this (a forge wants an administrator's): {words}",
                self.status
            ))),
            // A forge that is overloaded or starting says no more about the next call.
            429 | 502..=504 => Err(Trouble::Unreachable(format!("it answered {}: {words}", self.status))),
            status => Err(Trouble::odd(format!("it answered {status}: {words}"))),
        }
    }

    fn json(&self) -> Result<Value, Trouble> {
        serde_json::from_slice(&self.body).map_err(|_| Trouble::odd("it answered with something else than JSON"))
    }
}

/// The number that names an entry.
pub fn id(entry: &Value) -> Result<u64, Trouble> {
    entry.get("id").and_then(Value::as_u64).ok_or_else(|| Trouble::odd("it lists an entry without an id"))
}

/// A name as part of a path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}
