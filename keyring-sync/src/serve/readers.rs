//! Connections that read the registry while the writer writes.

use countersign_registry::{Registry, StoreError, Tables};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Connections kept open; more are opened for a crowd, and closed after it.
const KEPT: usize = 8;

#[derive(Debug)]
pub struct Readers {
    registry: PathBuf,
    keyring: PathBuf,
    idle: Mutex<Vec<Registry>>,
}

impl Readers {
    pub fn new(registry: PathBuf, keyring: PathBuf) -> Self {
        Readers { registry, keyring, idle: Mutex::default() }
    }

    /// Reads one state of the registry; blocks.
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Registry, Tables<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let registry = match kept {
            Some(registry) => registry,
            None => Registry::open(&self.registry, &self.keyring)?,
        };
        let done = read(&registry, registry.tables());
        let mut idle = idle();
        if idle.len() < KEPT {
            idle.push(registry);
        }
        done
    }
}
