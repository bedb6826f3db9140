//! How a transmitter is asked over HTTP.

use crate::http::{Trouble, agent};
use crate::tls;
use countersign_policy::text::{shown, shown_bytes};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use ureq::http::{Method, Request};

/// Characters of an answer's own words that a message repeats.
const WORDS_SHOWN: usize = 160;

/// One transmitter, however its addresses are called.
#[derive(Debug)]
pub struct Client(ureq::Agent);

impl Client {
    /// Each call takes at most `patience`.
    pub fn new(ca_file: Option<&Path>, patience: Duration) -> Result<Self, String> {
        let roots = tls::roots(ca_file).map_err(|(file, error)| format!("{}: {error}", file.display()))?;
        agent(&roots, patience).map(Client)
    }

    /// At most `max` bytes from `url`.
    pub fn get(&self, url: &str, max: usize) -> Result<Vec<u8>, Trouble> {
        let request = Request::builder().method(Method::GET).uri(url).header("accept", "application/json").body(());
        let response = self.0.run(request.map_err(unfit)?);
        answer(response.map_err(lost)?, max)
    }

    /// What `url` answers to `body`, at most `max` bytes of it.
    pub fn post(&self, url: &str, token: &str, body: &Value, max: usize) -> Result<Vec<u8>, Trouble> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.to_string());
        let response = self.0.run(request.map_err(unfit)?);
        answer(response.map_err(lost)?, max)
    }
}

fn lost(error: ureq::Error) -> Trouble {
    Trouble::Unreachable(shown(&error.to_string(), WORDS_SHOWN))
}

fn unfit(error: ureq::http::Error) -> Trouble {
    Trouble::Odd(format!("cannot be asked: {error}"))
}

fn answer(mut response: ureq::http::Response<ureq::Body>, max: usize) -> Result<Vec<u8>, Trouble> {
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(max as u64).read_to_vec().map_err(lost)?;
    let words = shown_bytes(body.trim_ascii(), WORDS_SHOWN);
    match status {
        200..=299 => Ok(body),
        300..=399 => Err(Trouble::Odd(format!("it answered {status}: the configured url is not its own"))),
        401 | 403 => Err(Trouble::Odd(format!("it answered {status}: it does not take our token: {words}"))),
        429 | 502..=504 => Err(Trouble::Unreachable(format!("it answered {status}: {words}"))),
        status => Err(Trouble::Odd(format!("it answered {status}: {words}"))),
    }
}
