//! What of a push can be read and examined before the ledger is open.

use crate::git::objects::Objects;
use crate::git::{GitEnvironment, GitError, Repository};
use crate::judge::ahead;
use crate::judge::facts::Facts;
use crate::ledger::Ledger;
use crate::progress::Progress;
use crate::push::{InputError, RefUpdate};
use crate::site::{Site, Unfit};
use crate::x509::Helper;
use countersign_policy::judge::Ground;
use countersign_policy::time::Time;
use countersign_registry::PublishedKeyring;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

pub struct Early {
    pub updates: Result<Vec<RefUpdate>, InputError>,
    pub repository: Result<Repository, GitError>,
    /// `None` without a repository.
    pub objects: Option<Result<Objects, GitError>>,
    /// With what was examined by it. `None`: it could not be read, and is to be tried again where that is reported.
    pub keyring: Option<(PublishedKeyring, Facts)>,
}

/// Where and when the push is.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub site: &'a Site,
    pub environment: &'a GitEnvironment,
    pub cwd: &'a Path,
    pub received_at: Time,
    pub x509: &'a Helper,
    pub progress: &'a Progress,
}

/// Opens the ledger, which takes longest, on this thread, and reads all else beside it.
pub fn read(
    scene: Scene<'_>,
    updates: impl FnOnce() -> Result<Vec<RefUpdate>, InputError> + Send,
) -> (Early, Result<Ledger, Unfit>) {
    // A thread that cannot be had does not run what it was given.
    let updates = Mutex::new(Some(updates));
    let early = || {
        let updates = updates.lock().unwrap_or_else(PoisonError::into_inner).take();
        Early::read(scene, updates.map_or_else(|| Ok(Vec::new()), |read| read()))
    };
    std::thread::scope(|scope| {
        let beside = std::thread::Builder::new().name("early".to_owned()).spawn_scoped(scope, early);
        let ledger = scene.site.ledger().map(Ledger::in_a_hurry);
        let early = match beside {
            Ok(beside) => beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => early(),
        };
        (early, ledger)
    })
}

impl Early {
    fn read(scene: Scene<'_>, updates: Result<Vec<RefUpdate>, InputError>) -> Early {
        let Scene { site, environment, cwd, received_at, x509, progress } = scene;
        let repository = Repository::from_hook(environment, cwd);
        let objects = repository.as_ref().ok().map(Objects::open);
        let keyring = site.keyring().ok().map(|keyring| {
            let (Ok(repository), Some(Ok(objects)), Ok(updates)) = (&repository, &objects, &updates) else {
                return (keyring, Facts::default());
            };
            let policy = &site.policy;
            let ground = Ground { policy, keyring: &keyring, x509, now: received_at, format: repository.format };
            let ahead = ahead::examine(&ground, objects, updates, progress);
            (keyring, ahead)
        });
        Early { updates, repository, objects, keyring }
    }
}
