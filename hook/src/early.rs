//! What of a push can be read and examined before the ledger is open.

use crate::git::objects::Objects;
use crate::git::{GitEnvironment, GitError, Repository};
use crate::judge::ahead;
use crate::judge::facts::Facts;
use crate::judge::hands::Hands;
use crate::ledger::Ledger;
use crate::progress::Progress;
use crate::push::{InputError, RefUpdate};
use crate::site::{Site, Unfit};
use crate::x509::Helper;
use countersign_policy::id::ObjectFormat;
use countersign_policy::judge::Ground;
use countersign_policy::time::Time;
use countersign_registry::PublishedKeyring;
use std::path::Path;
use std::sync::OnceLock;
use std::thread::Builder;

pub struct Early {
    pub updates: Result<Vec<RefUpdate>, InputError>,
    pub repository: Result<Repository, GitError>,
    /// `None` without a repository.
    pub objects: Option<Result<Objects, GitError>>,
    /// With what was examined by it. `None`: there was nothing to examine, or it could not be read and is to be tried
    /// again where that is reported.
    pub keyring: Option<(PublishedKeyring, Facts)>,
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

/// What commits are examined by.
type Basis = OnceLock<(PublishedKeyring, ObjectFormat)>;

type Updates<'a> = &'a (dyn Fn() -> Result<Vec<RefUpdate>, InputError> + Sync);

/// Opens the ledger, which takes longest, on this thread, reads all else beside it, and then helps to examine.
pub fn read(given: Given<'_>, updates: Updates<'_>) -> (Early, Result<Ledger, Unfit>) {
    let basis = Basis::new();
    let hands = Hands::new(1);
    let help = hands.help();
    let early = |hands| Early::read(given, updates, hands, &basis);
    let (mut early, mut ahead, helped, ledger) = std::thread::scope(|scope| {
        let beside = Builder::new().name("early".to_owned()).spawn_scoped(scope, move || early(hands));
        let ledger = given.site.ledger().map(Ledger::in_a_hurry);
        let (early, ahead, helped) = match beside {
            Ok(beside) => {
                let helped = help.examine(given.progress, || given.ground(&basis));
                let (early, ahead) = beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                (early, ahead, helped)
            }
            Err(_) => {
                let (early, ahead) = early(Hands::new(0));
                (early, ahead, Vec::new())
            }
        };
        (early, ahead, helped, ledger)
    });
    ahead.extend(helped);
    early.keyring = basis.into_inner().map(|(keyring, _)| (keyring, ahead));
    (early, ledger)
}

impl<'a> Given<'a> {
    fn ground(&self, basis: &'a Basis) -> Option<Ground<'a>> {
        let (keyring, format) = basis.get()?;
        Some(Ground { policy: &self.site.policy, keyring, x509: self.x509, now: self.received_at, format: *format })
    }
}

impl Early {
    /// All but the keyring, and what was examined here.
    fn read(given: Given<'_>, updates: Updates<'_>, hands: Hands, basis: &Basis) -> (Early, Facts) {
        let updates = updates();
        let repository = Repository::from_hook(given.environment, given.cwd);
        let objects = repository.as_ref().ok().map(Objects::open);
        let mut ahead = Facts::default();
        if let (Ok(repository), Some(Ok(objects)), Ok(updates)) = (&repository, &objects, &updates)
            && let Ok(keyring) = given.site.keyring()
            && basis.set((keyring, repository.format)).is_ok()
            && let Some(ground) = given.ground(basis)
        {
            ahead = ahead::examine(&ground, objects, updates, given.progress, hands);
        }
        (Early { updates, repository, objects, keyring: None }, ahead)
    }
}
