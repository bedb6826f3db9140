//! Shared Signals 1.0: security event tokens (SET) of RISC, CAEP and SCIM, pushed (RFC 8935) or fetched (RFC 8936).
//!
//! `token ─► set (signature, issuer, audience, time) ─► receive (seen before, whom it names, what it does) ─► events
//! through the brake ─► on record`, and only then the transmitter is told that it need not send it again.

mod client;
pub mod config;
pub mod event;
pub mod json;
pub mod jwks;
mod keys;
pub mod poll;
mod push;
mod receive;
mod resolve;
mod serial;
pub mod set;
pub mod subject;
pub(crate) mod tasks;

pub use keys::OpenError;
pub(crate) use push::routes;

use crate::brake::Limits;
use crate::door::Door;
use crate::serve::{Shared, WriteError, now};
use config::Signals;
use countersign_policy::id::Source;
use countersign_registry::{StoreError, Tables};
use keys::{Keys, Unverified};
use poll::Outcome;
use receive::{Answer, Code, Refusal};
use set::{BadSet, Set};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One source of security events at work.
#[derive(Debug)]
pub struct Receiver {
    source: Source,
    settings: Signals,
    keys: Keys,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Receivers(BTreeMap<Source, Arc<Receiver>>);

impl Receivers {
    /// Reads the pinned keys of every source that has some.
    pub fn open<'s>(
        sources: impl Iterator<Item = (&'s Source, &'s Signals)>,
        tables: &Tables<'_>,
    ) -> Result<Self, OpenError> {
        let open = |(source, settings): (&Source, &Signals)| {
            Ok((source.clone(), Arc::new(Receiver::open(source, settings, tables)?)))
        };
        sources.map(open).collect::<Result<_, _>>().map(Receivers)
    }

    pub fn get(&self, source: &Source) -> Option<&Arc<Receiver>> {
        self.0.get(source)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Receiver>> {
        self.0.values()
    }
}

/// What became of a token, for whoever brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Taken,
    /// Before.
    Known,
    Refused(Refusal),
    Held(String),
    /// Nothing is wrong with it; it may come again.
    Later(String),
    /// Our bug.
    Panicked,
}

impl Receiver {
    pub(crate) fn open(source: &Source, settings: &Signals, tables: &Tables<'_>) -> Result<Self, OpenError> {
        Ok(Receiver { source: source.clone(), settings: settings.clone(), keys: Keys::open(source, settings, tables)? })
    }

    /// Verifies a token, which may block. `announced` is what its transmitter calls it.
    fn verified(&self, token: &str, announced: Option<&str>) -> Result<Set, Told> {
        let set = self.keys.verify(token, &self.settings, now()).map_err(|unverified| match unverified {
            Unverified::Bad(bad) => Told::Refused(refusal(&bad)),
            Unverified::NoKeys(why) => Told::Later(format!("there are no keys to verify with yet: {why}")),
        })?;
        match announced {
            Some(announced) if announced != set.jti() => {
                let description = "the token's `jti` is not the one under which it was sent";
                Err(Told::Refused(Refusal::new(Code::InvalidRequest, description)))
            }
            _ => Ok(set),
        }
    }

    fn receive(&self, door: &mut Door<'_>, set: &Set, token: &str, limits: &Limits) -> Result<Answer, StoreError> {
        self.keys.pin(&door.tables())?;
        receive::receive(door, &self.source, &self.settings, set, token, limits)
    }

    /// Takes a token, and returns once what became of it is durable and published.
    async fn take(self: &Arc<Self>, shared: &Shared, token: String, announced: Option<String>) -> Told {
        let (own, text) = (Arc::clone(self), token.clone());
        let verified = tokio::task::spawn_blocking(move || own.verified(&text, announced.as_deref())).await;
        let set = match verified {
            Ok(Ok(set)) => set,
            Ok(Err(told)) => return told,
            Err(error) if error.is_panic() => return Told::Panicked,
            Err(_) => return Told::Later("the service is stopping".to_owned()),
        };
        let (own, limits) = (Arc::clone(self), shared.brake.clone());
        let done = shared.writer.write(move |door| own.receive(door, &set, &token, &limits)).await;
        match done {
            Ok(answer) => told(answer),
            Err(WriteError::Refused(fault)) => {
                tracing::error!(%fault, source = %self.source, "the registry failed a security event");
                Told::Later("the registry cannot be used now".to_owned())
            }
            Err(WriteError::Unavailable(why)) => {
                tracing::warn!(why, source = %self.source, "a security event could not be written");
                Told::Later("the registry cannot be written now".to_owned())
            }
            Err(WriteError::Panicked) => Told::Panicked,
        }
    }

    /// The same without a service: as one change of its own.
    pub(crate) fn take_within(
        &self,
        door: &mut Door<'_>,
        token: &str,
        jti: &str,
        limits: &Limits,
    ) -> Result<Outcome, StoreError> {
        Ok(outcome(match self.verified(token, Some(jti)) {
            Ok(set) => told(door.attempt(|door| self.receive(door, &set, token, limits))?),
            Err(told) => told,
        }))
    }
}

fn told(answer: Answer) -> Told {
    match answer {
        Answer::Taken => Told::Taken,
        Answer::Known => Told::Known,
        Answer::Refused(refusal) => Told::Refused(refusal),
        Answer::Held(cause) => Told::Held(cause),
    }
}

/// For a transmitter that is polled: what is not settled stays with it.
fn outcome(told: Told) -> Outcome {
    match told {
        Told::Taken | Told::Known => Outcome::Durable,
        Told::Refused(refusal) => Outcome::Refused(refusal),
        Told::Held(_) | Told::Later(_) | Told::Panicked => Outcome::Kept,
    }
}

fn refusal(bad: &BadSet) -> Refusal {
    let code = match bad {
        BadSet::Algorithm(_) | BadSet::NoKey | BadSet::UnknownKey(_) | BadSet::OtherKey { .. } => Code::InvalidKey,
        BadSet::Signature => Code::AuthenticationFailed,
        BadSet::Issuer => Code::InvalidIssuer,
        BadSet::Audience => Code::InvalidAudience,
        BadSet::TooLarge
        | BadSet::NotCompact
        | BadSet::Header(_)
        | BadSet::Type
        | BadSet::Critical(_)
        | BadSet::Claims(_)
        | BadSet::Claim(..)
        | BadSet::Future(_)
        | BadSet::Events(_) => Code::InvalidRequest,
    };
    Refusal::new(code, bad.to_string())
}
