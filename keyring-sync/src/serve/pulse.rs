//! Which sources give signs of life, and the word to the log when one falls silent.
//!
//! What a request shows is noted in memory and kept in the registry once a minute, so that a restart makes nobody
//! alive again; a security event token notes itself.

use super::{Shared, now};
use crate::life::{Degraded, Life};
use crate::sources::Settings;
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use countersign_registry::{Registry, StoreError, Tables};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How soon silence is told.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A crash forgets at most so much of a source's life; writing each request down would cost a commit each.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// The sources that are to be heard regularly.
#[derive(Debug)]
pub struct Pulse {
    allowed: BTreeMap<Source, Option<Duration>>,
    /// Whose requests as such are signs of life.
    by_request: BTreeMap<Source, Mutex<Option<Time>>>,
}

impl Pulse {
    /// From now on silence counts, unless it was counted before.
    pub fn begin(registry: &mut Registry, sources: &BTreeMap<Source, Settings>) -> Result<Self, StoreError> {
        let watched =
            || sources.iter().filter(|(_, settings)| settings.silent_after.is_some() || settings.signals.is_some());
        let change = registry.begin(now())?;
        for (source, _) in watched() {
            change.tables().watch_source(source, now())?;
        }
        change.commit_unseen()?;
        // Who sends security events proves with each new one that the stream works, and not by knocking.
        let by_request = watched().filter(|(_, settings)| settings.signals.is_none());
        Ok(Pulse {
            allowed: watched().map(|(source, settings)| (source.clone(), settings.silent_after)).collect(),
            by_request: by_request.map(|(source, _)| (source.clone(), Mutex::default())).collect(),
        })
    }

    /// A request of the source was answered well.
    pub fn heard(&self, source: &Source, at: Time) {
        if let Some(heard) = self.by_request.get(source) {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        }
    }

    fn heard_by_request(&self, source: &Source) -> Option<Time> {
        *self.by_request.get(source)?.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How each of them lives, and whether it is degraded.
    pub fn look(&self, tables: &Tables<'_>, at: Time) -> Result<BTreeMap<Source, (Life, bool)>, StoreError> {
        let lives = self.lives(tables, at)?.into_iter();
        Ok(lives
            .map(|(source, life)| {
                let degraded = self.degraded(&source, &life, at).is_some();
                (source, (life, degraded))
            })
            .collect())
    }

    fn lives(&self, tables: &Tables<'_>, at: Time) -> Result<BTreeMap<Source, Life>, StoreError> {
        let mut lives = BTreeMap::new();
        for source in self.allowed.keys() {
            let mut life = Life::of(tables.source_life(source)?, tables.last_received(source)?, at);
            life.heard = life.heard.max(self.heard_by_request(source));
            lives.insert(source.clone(), life);
        }
        Ok(lives)
    }

    fn degraded(&self, source: &Source, life: &Life, at: Time) -> Option<Degraded> {
        life.degraded(self.allowed.get(source).copied().flatten(), at)
    }
}

/// Tells of silence and of its end, each once, and keeps signs of life. Ends with the runtime.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut told: BTreeMap<Source, Degraded> = BTreeMap::new();
    let mut kept: BTreeMap<Source, Time> = BTreeMap::new();
    while !shared.pulse.allowed.is_empty() {
        tokio::time::sleep(LOOK_EVERY).await;
        let read = Arc::clone(&shared);
        let looked =
            tokio::task::spawn_blocking(move || read.readers.read(|_, tables| read.pulse.lives(&tables, now())));
        // That the registry cannot be read is told by whoever needs it.
        let Ok(Ok(lives)) = looked.await else { continue };
        let mut fresh = Vec::new();
        for (source, life) in &lives {
            match (shared.pulse.degraded(source, life, now()), told.get(source)) {
                (Some(degraded), None) => {
                    tracing::error!(%source, %degraded, "a source is degraded");
                    told.insert(source.clone(), degraded);
                }
                (None, Some(_)) => {
                    tracing::info!(%source, "a source is heard again");
                    told.remove(source);
                }
                _ => {}
            }
            // Often enough that a command, which reads the registry alone, does not take it for silence.
            let allowed = shared.pulse.allowed.get(source).copied().flatten();
            let every = allowed.map_or(KEEP_EVERY, |allowed| KEEP_EVERY.min(allowed / 2));
            let due = |at: &Time| kept.get(source).is_none_or(|kept| at.since(*kept) > every);
            if let Some(heard) = shared.pulse.heard_by_request(source).filter(due) {
                fresh.push((source.clone(), heard));
            }
        }
        if fresh.is_empty() {
            continue;
        }
        let rows = fresh.clone();
        let written = shared.writer.write(move |door| -> Result<(), StoreError> {
            rows.iter().try_for_each(|(source, heard)| door.tables().heard_source(source, *heard))
        });
        if written.await.is_ok() {
            kept.extend(fresh);
        }
    }
}
