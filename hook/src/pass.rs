//! What pre-receive leaves for the hooks that follow it a moment later: that an update was accepted, and on what that
//! rests. They need not open the ledger then, which is most of their time, while git holds its ref locks.
//!
//! A pass is a file beside the ledger, as good as its verdict there: whoever can write one can write the ledger. It is
//! good for one use. One that is missing, damaged or of something else only means that the ledger is asked.

use crate::push::RefUpdate;
use crate::record::Dependencies;
use crate::site::{CLOCK_STEP, Site};
use countersign_policy::sha256::sha256;
use countersign_policy::time::Time;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Updates of one push that get passes. A push of thousands would write thousands of files, for no more places.
const UPDATES_MAX: usize = 16;

/// A pass holds the records of those it rests on, a hundred bytes each; what needs more is asked of the ledger.
const PASS_BYTES: usize = 64 * 1024;

/// The folder of passes stays this small for ever: where two updates meet in one place, the later one has it.
const PLACES: u8 = u8::MAX;

/// One accepted update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Digest of repository, ref, old and new value.
    update: String,
    /// Device and inode of the ledger's file: a ledger that was put back does not know of this verdict.
    ledger: (u64, u64),
    /// When the verdict was given.
    pub at: Time,
    pub dependencies: Dependencies,
}

/// Where the passes of one repository are.
#[derive(Debug)]
pub struct Passes {
    folder: PathBuf,
    ledger: (u64, u64),
    repository: PathBuf,
    /// What another user makes here, the hooks could not take away.
    ours: bool,
}

impl Pass {
    /// Whether it is young enough. One that comes from the future is none: the clock went back, which the ledger tells.
    pub fn is_within(&self, within: Duration, now: Time) -> bool {
        self.at <= now.plus(CLOCK_STEP) && now.since(self.at) <= within
    }
}

impl Passes {
    /// `None` where there is no ledger.
    pub fn of(site: &Site, repository: &Path) -> Option<Self> {
        let path = site.ledger_path();
        let file = std::fs::metadata(&path).ok()?;
        let folder = path.with_file_name("passes");
        let ours = file.uid() == rustix::process::geteuid().as_raw();
        Some(Passes { folder, ledger: (file.dev(), file.ino()), repository: repository.to_owned(), ours })
    }

    /// Leaves a pass for each update. Best effort.
    pub fn leave(&self, updates: &[RefUpdate], at: Time, dependencies: &Dependencies) {
        if updates.len() > UPDATES_MAX || !self.ours {
            return;
        }
        for update in updates {
            let id = self.id(update);
            let pass = Pass { update: id.clone(), ledger: self.ledger, at, dependencies: dependencies.clone() };
            let Ok(bytes) = serde_json::to_vec(&pass) else { return };
            if bytes.len() > PASS_BYTES || self.write(&id, &bytes).is_err() {
                return;
            }
        }
    }

    /// The pass for this update, which is used up by that.
    pub fn take(&self, update: &RefUpdate) -> Option<Pass> {
        let id = self.id(update);
        let used = self.place("used", &id);
        // Only one of two that come at once gets it.
        std::fs::rename(self.place("open", &id), &used).ok()?;
        let pass = read(&used).filter(|pass| pass.update == id && pass.ledger == self.ledger);
        if pass.is_none() {
            let _ = std::fs::remove_file(used);
        }
        pass
    }

    /// Forgets that a pass was used: what it allowed is decided in another way after all.
    pub fn forget(&self, update: &RefUpdate) {
        let _ = std::fs::remove_file(self.place("used", &self.id(update)));
    }

    /// Whether a pass was just used for this update. Answers once.
    pub fn was_used(&self, update: &RefUpdate) -> bool {
        let id = self.id(update);
        let used = self.place("used", &id);
        let same = read(&used).is_some_and(|pass| pass.update == id && pass.ledger == self.ledger);
        same && std::fs::remove_file(used).is_ok()
    }

    fn id(&self, update: &RefUpdate) -> String {
        let (place, name) = (self.repository.as_os_str().as_encoded_bytes(), update.name.as_bytes());
        let [place_len, name_len] = [place, name].map(|part| (part.len() as u64).to_be_bytes());
        let (old, new) = (update.old.as_bytes(), update.new.as_bytes());
        hex::encode(sha256([place_len.as_slice(), place, &name_len, name, old, new]))
    }

    fn place(&self, state: &str, id: &str) -> PathBuf {
        let number = u64::from_str_radix(id.get(..8).unwrap_or_default(), 16).unwrap_or_default();
        self.folder.join(format!("{state}-{}", number % u64::from(PLACES)))
    }

    fn write(&self, id: &str, bytes: &[u8]) -> std::io::Result<()> {
        let new = self.folder.join(format!("new-{}", std::process::id()));
        let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
        let mut file = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::DirBuilder::new().mode(0o700).create(&self.folder)?;
                open()?
            }
            opened => opened?,
        };
        file.write_all(bytes)?;
        std::fs::rename(&new, self.place("open", id))
    }
}

fn read(path: &Path) -> Option<Pass> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(PASS_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_policy::id::{ObjectId, RefName};

    fn update(number: u8) -> RefUpdate {
        let id = |byte: u8| ObjectId::from_hex(hex::encode([byte; 20]).as_bytes()).unwrap();
        RefUpdate { name: RefName::new(b"refs/heads/main"), old: id(1), new: id(number) }
    }

    fn passes(folder: &Path) -> Passes {
        let ours = true;
        Passes { folder: folder.join("passes"), ledger: (1, 2), repository: PathBuf::from("/srv/git/app.git"), ours }
    }

    fn time() -> Time {
        "2026-11-26T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_pass_is_good_for_its_update_and_for_one_use() {
        let folder = tempfile::tempdir().unwrap();
        let passes = passes(folder.path());
        assert_eq!(passes.take(&update(2)), None, "there is no folder yet");
        passes.leave(&[update(2), update(3)], time(), &Dependencies::default());
        assert_eq!(passes.take(&update(4)), None);
        assert_eq!(passes.take(&update(2)).unwrap().at, time());
        assert_eq!(passes.take(&update(2)), None);
        assert!(passes.was_used(&update(2)) && !passes.was_used(&update(2)) && !passes.was_used(&update(3)));
        assert!(passes.take(&update(3)).is_some());
        passes.forget(&update(3));
        assert!(!passes.was_used(&update(3)));
    }

    /// Puts the pass of one update where that of another belongs.
    fn misplaced(from: (&Passes, &RefUpdate), to: (&Passes, &RefUpdate), state: &str) {
        from.0.leave(std::slice::from_ref(from.1), time(), &Dependencies::default());
        std::fs::rename(from.0.place("open", &from.0.id(from.1)), to.0.place(state, &to.0.id(to.1))).unwrap();
    }

    #[test]
    fn another_repository_or_ledger_has_no_use_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let here = passes(folder.path());
        let elsewhere = Passes { repository: PathBuf::from("/srv/git/other.git"), ..passes(folder.path()) };
        let put_back = Passes { ledger: (1, 3), ..passes(folder.path()) };
        misplaced((&here, &update(2)), (&elsewhere, &update(2)), "open");
        assert_eq!(elsewhere.take(&update(2)), None);
        here.leave(&[update(2)], time(), &Dependencies::default());
        assert_eq!(put_back.take(&update(2)), None);
        assert_eq!(here.take(&update(2)), None, "it was taken for what it was not");
    }

    #[test]
    fn two_updates_in_one_place_do_not_pass_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let here = passes(folder.path());
        let renamed = RefUpdate { name: RefName::new(b"refs/heads/mai"), ..update(2) };
        for other in [update(3), renamed] {
            misplaced((&here, &update(2)), (&here, &other), "open");
            assert_eq!(here.take(&other), None);
            misplaced((&here, &update(2)), (&here, &other), "used");
            assert!(!here.was_used(&other));
            here.forget(&other);
        }
    }

    #[test]
    fn a_pass_grows_old_and_does_not_come_from_the_future() {
        let pass = Pass { update: String::new(), ledger: (1, 2), at: time(), dependencies: Dependencies::default() };
        let within = Duration::from_secs(30);
        let held = |seconds: u64| pass.is_within(within, time().plus(Duration::from_secs(seconds)));
        assert!(held(0) && held(30) && !held(31));
        let ahead = |seconds: u64| Pass { at: time().plus(Duration::from_secs(seconds)), ..pass.clone() };
        assert!(ahead(5).is_within(within, time()) && !ahead(6).is_within(within, time()));
    }

    #[test]
    fn what_is_damaged_or_not_ours_or_too_many_is_no_pass() {
        let folder = tempfile::tempdir().unwrap();
        let here = passes(folder.path());
        here.leave(&[update(2)], time(), &Dependencies::default());
        let place = here.place("open", &here.id(&update(2)));
        let whole = std::fs::read(&place).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&place, &whole[..cut]).unwrap();
            assert_eq!(here.take(&update(2)), None, "{cut}");
        }
        let not_ours = Passes { ours: false, ..passes(folder.path()) };
        not_ours.leave(&[update(2)], time(), &Dependencies::default());
        here.leave(&vec![update(2); UPDATES_MAX + 1], time(), &Dependencies::default());
        assert_eq!(here.take(&update(2)), None);
    }

    #[test]
    fn the_folder_does_not_grow() {
        let folder = tempfile::tempdir().unwrap();
        let here = passes(folder.path());
        for number in (0..=255).chain(0..=255) {
            here.leave(&[update(number)], time(), &Dependencies::default());
            here.take(&update(number / 2));
        }
        let files = std::fs::read_dir(folder.path().join("passes")).unwrap().count();
        assert!(files <= 2 * usize::from(PLACES), "{files}");
    }
}
