//! The pinned keys of one source, and when they are read again.
//!
//! A key that nobody knows is reason to look once whether there are new ones; a flood of such tokens is not. What was
//! fetched is kept in the registry: a start needs no transmitter, and a name server that lies later changes nothing.

use super::client::Client;
use super::config::{KeySource, Signals};
use super::jwks::{JWKS_MAX, Jwks};
use super::set::{self, BadSet, Set};
use crate::serve::now;
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use countersign_registry::{PinnedKeys, StoreError, Tables};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks for new keys. Transmitters announce keys long before they use them; a forged token must not have
/// us knock at theirs all the time.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// A file costs nothing to read; an operator who replaced it waits no longer.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Key sets are fetched anew at this age, so that a key which the transmitter withdrew ends here too.
pub const AGE_MAX: Duration = Duration::from_secs(86_400);

/// For the fetch of a key set, which a request may wait for.
const FETCH_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<Jwks>>,
    fetched_at: Option<Time>,
    looked: Option<Instant>,
    /// Fetched, and not yet in the registry.
    unpinned: Option<PinnedKeys>,
}

/// The keys of one source.
#[derive(Debug)]
pub struct Keys {
    source: Source,
    from: KeySource,
    ca_file: Option<PathBuf>,
    state: Mutex<State>,
}

/// Why a token could not be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unverified {
    Bad(BadSet),
    /// There are no keys at all yet: the fault is not the token's.
    NoKeys(String),
}

/// A key file that cannot be used; without it the source would be deaf.
#[derive(Debug, thiserror::Error)]
#[error("sources: {0}: signals.jwks_file: {1}")]
pub struct BadKeys(Source, String);

impl Keys {
    /// A file is read now; what was fetched before is taken from the registry.
    pub fn open(source: &Source, settings: &Signals, tables: &Tables<'_>) -> Result<Self, OpenError> {
        let mut state = State::default();
        match &settings.keys {
            KeySource::File(path) => {
                let keys = read(path).map_err(|why| BadKeys(source.clone(), why))?;
                state.keys = Some(Arc::new(keys));
            }
            KeySource::Url(url) => {
                if let Some(pinned) = tables.pinned_keys(source, url.as_str())? {
                    let keys = Jwks::parse(&pinned.body).map_err(|error| StoreError::Damaged(error.to_string()))?;
                    (state.keys, state.fetched_at) = (Some(Arc::new(keys)), Some(pinned.fetched_at));
                }
            }
        }
        let (from, ca_file) = (settings.keys.clone(), settings.ca_file.clone());
        Ok(Keys { source: source.clone(), from, ca_file, state: Mutex::new(state) })
    }

    /// Verifies a token; blocks where keys have to be fetched.
    pub fn verify(&self, token: &str, settings: &Signals, at: Time) -> Result<Set, Unverified> {
        let verified = |keys: &Jwks| set::verify(token, keys, &settings.expected, at);
        let known = self.lock().keys.clone();
        let first = known.as_deref().map(verified);
        match first {
            Some(Ok(set)) => return Ok(set),
            Some(Err(bad)) if !matches!(bad, BadSet::UnknownKey(_)) => return Err(Unverified::Bad(bad)),
            _ => {}
        }
        let looked = self.look(false);
        let keys = self.lock().keys.clone();
        match (keys, looked) {
            (Some(keys), _) => verified(&keys).map_err(Unverified::Bad),
            (None, Err(why)) => Err(Unverified::NoKeys(why)),
            (None, Ok(())) => Err(Unverified::NoKeys("its keys were not fetched yet".to_owned())),
        }
    }

    /// Whether what was fetched is so old that it is fetched anew.
    pub fn is_old(&self, at: Time) -> bool {
        let state = self.lock();
        matches!(self.from, KeySource::Url(_))
            && state.fetched_at.is_none_or(|fetched| at.since(fetched) > AGE_MAX || fetched > at)
    }

    /// Reads the keys again, unless that was done a moment ago; blocks.
    pub fn look(&self, even_so: bool) -> Result<(), String> {
        let patience = if matches!(self.from, KeySource::File(_)) { READ_AGAIN_AFTER } else { LOOK_AGAIN_AFTER };
        {
            let mut state = self.lock();
            if !even_so && state.looked.is_some_and(|looked| looked.elapsed() < patience) {
                return Ok(());
            }
            state.looked = Some(Instant::now());
        }
        let found = match &self.from {
            KeySource::File(path) => read(path).map(|keys| (keys, None)),
            KeySource::Url(url) => self.fetch(url.as_str()).map(|(keys, pinned)| (keys, Some(pinned))),
        };
        match found {
            Ok((keys, pinned)) => {
                let mut state = self.lock();
                state.keys = Some(Arc::new(keys));
                if let Some(pinned) = pinned {
                    (state.fetched_at, state.unpinned) = (Some(pinned.fetched_at), Some(pinned));
                }
                Ok(())
            }
            Err(why) => {
                tracing::warn!(source = %self.source, why, "the keys of a transmitter could not be read; those of before stay");
                Err(why)
            }
        }
    }

    /// Puts what was fetched into the registry.
    pub fn pin(&self, tables: &Tables<'_>) -> Result<(), StoreError> {
        let unpinned = self.lock().unpinned.take();
        match unpinned {
            Some(pinned) => tables.pin_keys(&pinned).inspect_err(|_| self.lock().unpinned = Some(pinned.clone())),
            None => Ok(()),
        }
    }

    fn fetch(&self, url: &str) -> Result<(Jwks, PinnedKeys), String> {
        let client = Client::new(self.ca_file.as_deref(), FETCH_MAX)?;
        let body = client.get(url, JWKS_MAX).map_err(|trouble| trouble.to_string())?;
        let keys = Jwks::parse(&body).map_err(|error| error.to_string())?;
        Ok((keys, PinnedKeys { source: self.source.clone(), url: url.to_owned(), body, fetched_at: now() }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the keys of a source could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Keys(#[from] BadKeys),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn read(path: &Path) -> Result<Jwks, String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(JWKS_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("{shown}: {error}"))?;
    Jwks::parse(&bytes).map_err(|error| format!("{shown}: {error}"))
}
