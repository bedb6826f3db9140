//! What git reports to have done to the refs of a repository on record.

use crate::call::Call;
use crate::git::{GitEnvironment, Repository};
use crate::ledger::{Ledger, RepositoryId};
use crate::push::{RefUpdate, read_updates};
use crate::site::{Site, Unfit};
use countersign_policy::rule;
use std::io::Read;
use std::path::Path;

/// Ref updates that stand already, with where they are to be put on record.
pub struct Reported {
    pub site: Site,
    pub repository: Repository,
    pub ledger: Ledger,
    pub id: RepositoryId,
    pub updates: Vec<RefUpdate>,
}

/// The same, before the ledger is asked.
pub struct Moved {
    pub site: Site,
    pub repository: Repository,
    pub updates: Vec<RefUpdate>,
}

impl Moved {
    pub fn read(call: &Call, environment: &GitEnvironment, cwd: &Path, input: impl Read) -> Result<Self, Unfit> {
        let site = Site::read(&call.config)?;
        let read = || {
            let repository = Repository::from_hook(&environment.after_the_push(), cwd)?;
            let updates = read_updates(input, &site.policy.limits)
                .map_err(|error| Unfit::new(&rule::repository_unreadable::RULE, error))?;
            Ok((repository, updates))
        };
        match read() {
            Ok((repository, updates)) => Ok(Moved { site, repository, updates }),
            Err(unfit) => {
                crate::log::open(&site);
                Err(unfit)
            }
        }
    }

    /// `None` for a repository that nobody set up.
    pub fn on_record(self) -> Result<Option<Reported>, Unfit> {
        let Moved { site, repository, updates } = self;
        crate::log::open(&site);
        let ledger = site.ledger()?;
        let Some(known) = ledger.read().repository_at(repository.path_text()?)? else { return Ok(None) };
        Ok(Some(Reported { site, repository, ledger, id: known.id, updates }))
    }
}
