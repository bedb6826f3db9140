//! What stands on the server: policy, published keyring, ledger, and which repository this is.

use crate::forge::ServerSays;
use crate::git::{GitError, Repository};
use crate::ledger::{self, Ledger, LedgerError, RepositoryId};
use crate::x509::Helper;
use countersign_policy::config::Policy;
use countersign_policy::keyring::{Keyring, KeyringError, RepositoryNames};
use countersign_policy::rule::{self, Rule};
use countersign_policy::time::Time;
use countersign_policy::verdict::{Finding, Problem, Subject};
use countersign_registry::PublishedKeyring;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far a clock may lie behind the ledger's last entry: NTP steps are smaller.
pub const CLOCK_STEP: Duration = Duration::from_secs(5);

/// The server is not in a state to decide. The pusher reads the rule; the detail is for the operator.
#[derive(Debug)]
pub struct Unfit {
    pub rule: &'static Rule,
    pub detail: String,
}

impl Unfit {
    pub fn new(rule: &'static Rule, detail: impl ToString) -> Self {
        Unfit { rule, detail: detail.to_string() }
    }

    pub fn finding(&self) -> Finding {
        tracing::error!(rule = self.rule.id, detail = %self.detail, "could not decide");
        Problem::new(self.rule, "could not be judged").detail(self.detail.clone()).about(Subject::Push)
    }
}

impl From<LedgerError> for Unfit {
    fn from(error: LedgerError) -> Self {
        Unfit::new(&rule::ledger_unwritable::RULE, error)
    }
}

impl From<GitError> for Unfit {
    fn from(error: GitError) -> Self {
        Unfit::new(&rule::repository_unreadable::RULE, error)
    }
}

impl From<KeyringError> for Unfit {
    fn from(error: KeyringError) -> Self {
        Unfit::new(&rule::keyring_unreadable::RULE, error)
    }
}

/// The policy and where its relative paths begin.
#[derive(Debug)]
pub struct Site {
    pub policy: Policy,
    base: PathBuf,
}

impl Site {
    pub fn read(config: &Path) -> Result<Self, Unfit> {
        let unfit =
            |detail: String| Unfit::new(&rule::policy_unreadable::RULE, format!("{}: {detail}", config.display()));
        let bytes = std::fs::read(config).map_err(|error| unfit(error.to_string()))?;
        let policy = Policy::parse(&bytes).map_err(|error| unfit(error.to_string()))?;
        let base = config.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Site { policy, base })
    }

    pub fn keyring_path(&self) -> PathBuf {
        self.base.join(&self.policy.keyring)
    }

    pub fn ledger_path(&self) -> PathBuf {
        self.base.join(&self.policy.ledger)
    }

    pub fn log_path(&self) -> Option<PathBuf> {
        self.policy.log.as_ref().map(|log| self.base.join(log))
    }

    pub fn keyring(&self) -> Result<PublishedKeyring, Unfit> {
        Ok(PublishedKeyring::open(&self.keyring_path())?)
    }

    pub fn ledger(&self) -> Result<Ledger, Unfit> {
        Ok(Ledger::open(&self.ledger_path())?)
    }

    /// What checks X.509 signatures: a helper that stands beside this program, and the policy's
    /// folder of revocation lists.
    pub fn x509(&self) -> Helper {
        let program = std::env::current_exe().unwrap_or_default().with_file_name("countersign-x509");
        let mut settings = self.policy.x509.clone();
        settings.crls = settings.crls.map(|folder| self.base.join(folder));
        Helper::new(program, settings, self.policy.limits.time.get())
    }

    /// The keyring that may be used now: not too old, and not older than one that was used before.
    /// `read` is the keyring as it was a moment ago, if somebody has read it.
    pub fn fit_keyring(
        &self,
        ledger: &Ledger,
        read: Option<PublishedKeyring>,
        now: Time,
    ) -> Result<PublishedKeyring, Unfit> {
        // In this order: beside us others use, and put on record, what is published after our look at it.
        let head = ledger.head()?;
        let keyring = match read.filter(|keyring| keyring.epoch() >= head.registry_epoch) {
            Some(keyring) => keyring,
            None => self.keyring()?,
        };
        if keyring.epoch() < head.registry_epoch {
            let detail =
                format!("the keyring has epoch {}, the ledger has seen {}", keyring.epoch(), head.registry_epoch);
            return Err(Unfit::new(&rule::registry_rollback::RULE, detail));
        }
        let (seen, here) = (head.registry_committed_at, keyring.committed_at(head.registry_epoch));
        if let (Some(seen), Some(here)) = (seen, here)
            && seen != here
        {
            let epoch = head.registry_epoch;
            let detail = format!("epoch {epoch} of the keyring is of {here}, the ledger has seen that of {seen}");
            return Err(Unfit::new(&rule::registry_rollback::RULE, detail));
        }
        if let Some(age) = self.policy.registry_max_age
            && now.since(keyring.published_at()) > age.get()
        {
            let detail = format!("the keyring was published at {}", keyring.published_at());
            return Err(Unfit::new(&rule::registry_stale::RULE, detail));
        }
        Ok(keyring)
    }

    /// A clock behind the keyring would find who was just registered not registered yet.
    pub fn check_published(&self, keyring: &PublishedKeyring, now: Time) -> Result<(), Unfit> {
        let published = keyring.published_at();
        if now.plus(CLOCK_STEP) < published {
            let detail = format!("it is {now}, but the keyring was published at {published}");
            return Err(Unfit::new(&rule::clock_went_back::RULE, detail));
        }
        Ok(())
    }

    pub fn check_clock(&self, ledger: &Ledger, now: Time) -> Result<(), Unfit> {
        match ledger.head()?.written_at {
            Some(last) if now.plus(CLOCK_STEP) < last => {
                let detail = format!("it is {now}, but the ledger was last written at {last}");
                Err(Unfit::new(&rule::clock_went_back::RULE, detail))
            }
            _ => Ok(()),
        }
    }
}

/// Which repository of the ledger this is.
#[derive(Debug)]
pub enum Known {
    Here(RepositoryId),
    /// On record, but not yet under the forge's own id, which outlives a move.
    Unnamed(RepositoryId),
    /// On record under another path: the forge says that it is the same repository, and the old place is gone.
    Moved(RepositoryId),
    /// Never seen, and empty: nothing needs to be trusted.
    New,
}

impl Known {
    /// `None` for a repository that was never seen.
    pub fn id(&self) -> Option<RepositoryId> {
        match self {
            Known::Here(id) | Known::Unnamed(id) | Known::Moved(id) => Some(*id),
            Known::New => None,
        }
    }
}

/// Finds the repository by its place. A forge's own id only follows a move; it never outranks the place, since the
/// environment of some hooks has none.
pub fn identify(ledger: &Ledger, repository: &Repository, says: &ServerSays) -> Result<Known, Unfit> {
    let path = repository.path_text()?;
    let forge = forge_id(path, says);
    if let Some(known) = ledger.read().repository_at(path)?
        && !is_replaced(&known, forge.as_deref())
    {
        return Ok(match (&known.forge, &forge) {
            (None, Some(_)) => Known::Unnamed(known.id),
            _ => Known::Here(known.id),
        });
    }
    if let Some(forge) = &forge
        && let Some(known) = ledger.read().repository_of_forge(forge)?
        && !Path::new(&known.path).exists()
    {
        return Ok(Known::Moved(known.id));
    }
    if repository.has_refs()? {
        let detail = format!("{path} has refs but was never enrolled");
        return Err(Unfit::new(&rule::not_enrolled::RULE, detail));
    }
    Ok(Known::New)
}

/// What the forge calls the repository at this path. A wiki goes by the number of its code, and is another repository.
pub fn forge_id(path: &str, says: &ServerSays) -> Option<String> {
    let wiki = if path.ends_with(".wiki.git") { ".wiki" } else { "" };
    says.repository_id.as_ref().map(|id| format!("{id}{wiki}"))
}

/// Whether the forge says that another repository stands in the place of the known one.
pub fn is_replaced(known: &ledger::Repository, forge: Option<&str>) -> bool {
    known.forge.as_deref().zip(forge).is_some_and(|(known, now)| known != now)
}

pub fn names(repository: &Repository, says: &ServerSays) -> Result<RepositoryNames, Unfit> {
    Ok(RepositoryNames { path: repository.path_text()?.to_owned(), forge: says.repository_name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{at, new_ledger, verdict};
    use countersign_registry::Registry;

    const WAIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_keyring_that_was_read_a_moment_ago_is_taken_unless_others_have_used_a_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy::parse(include_bytes!("../../deploy/policy.yaml")).unwrap();
        let site = Site { policy, base: folder.path().to_owned() };
        let mut registry = Registry::create(&folder.path().join("registry.db"), &site.keyring_path(), at(0)).unwrap();
        let mut next = |second| registry.begin(at(second)).unwrap().commit(at(second)).unwrap().epoch;
        let read = || site.keyring().unwrap();
        let (_ledger_folder, mut ledger) = new_ledger();

        let first = next(1);
        let (old, file) = (read(), std::fs::read(site.keyring_path().join("cur")).unwrap());
        let second = next(2);
        ledger.write(WAIT, at(3), |w| w.verdict(verdict(None, at(3), second), b"{}")).unwrap();
        assert_eq!(old.epoch(), first);
        assert_eq!(site.fit_keyring(&ledger, Some(old), at(3)).unwrap().epoch(), second, "it is read again");

        let still_good = read();
        let third = next(4);
        assert_eq!(site.fit_keyring(&ledger, Some(still_good), at(4)).unwrap().epoch(), second);
        assert_eq!(site.fit_keyring(&ledger, None, at(4)).unwrap().epoch(), third);

        std::fs::write(site.keyring_path().join("cur"), file).unwrap();
        for read in [Some(read()), None] {
            let unfit = site.fit_keyring(&ledger, read, at(5)).unwrap_err();
            assert_eq!(unfit.rule.id, rule::registry_rollback::RULE.id, "what lies there is older");
        }
    }
}
