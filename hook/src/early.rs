//! What of a push can be read and examined before the ledger is open.

use crate::git::objects::Objects;
use crate::git::{GitEnvironment, GitError, Repository};
use crate::judge::ahead::{self, Ahead};
use crate::ledger::Ledger;
use crate::progress::Progress;
use crate::push::{InputError, RefUpdate};
use crate::site::{Site, Unfit};
use crate::x509::Helper;
use countersign_policy::judge::Ground;
use countersign_policy::time::Time;
use countersign_registry::PublishedKeyring;
use std::path::Path;
use std::thread::Builder;

pub struct Early {
    pub updates: Result<Vec<RefUpdate>, InputError>,
    pub repository: Result<Repository, GitError>,
    /// `None` without a repository.
    pub objects: Option<Result<Objects, GitError>>,
    /// With what was examined by it. `None`: there was nothing to examine, or it could not be read and is to be tried
    /// again where that is reported.
    pub keyring: Option<(PublishedKeyring, Ahead)>,
}

/// Where and when the push is.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub site: &'a Site,
    pub environment: &'a GitEnvironment,
    pub cwd: &'a Path,
    pub received_at: Time,
    pub x509: &'a Helper,
    pub progress: &'a Progress,
}

type Updates<'a> = &'a (dyn Fn() -> Result<Vec<RefUpdate>, InputError> + Sync);

/// Opens the ledger, which takes longest, on this thread, and reads all else beside it.
pub fn read(given: Given<'_>, updates: Updates<'_>) -> (Early, Result<Ledger, Unfit>) {
    std::thread::scope(|scope| {
        let beside = Builder::new().name("early".to_owned()).spawn_scoped(scope, move || Early::read(given, updates));
        let ledger = given.site.ledger().map(Ledger::in_a_hurry);
        let early = match beside {
            Ok(beside) => beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => Early::read(given, updates),
        };
        (early, ledger)
    })
}

impl Early {
    fn read(given: Given<'_>, updates: Updates<'_>) -> Early {
        let updates = updates();
        let repository = Repository::from_hook(given.environment, given.cwd);
        let objects = repository.as_ref().ok().map(Objects::open);
        let mut keyring = None;
        if let (Ok(repository), Some(Ok(objects)), Ok(updates)) = (&repository, &objects, &updates)
            && let Ok(published) = given.site.keyring()
        {
            let Given { site, received_at: now, x509, progress, .. } = given;
            let ground = Ground { policy: &site.policy, keyring: &published, x509, now, format: repository.format };
            let ahead = ahead::examine(&ground, objects, updates, progress);
            keyring = Some((published, ahead));
        }
        Early { updates, repository, objects, keyring }
    }
}
