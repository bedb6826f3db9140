//! Refs as the `files` format stores them: loose files first, then `packed-refs`.

use super::packed_refs::{self, PackedRefs};
use super::{GitError, Repository, join_bytes};
use countersign_policy::id::{ObjectId, RefName};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Git follows five symbolic refs in a row.
const SYMREF_DEPTH: usize = 5;

/// A loose ref file is one line; longer ones are something else.
const REF_FILE_BYTES: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefValue {
    Id(ObjectId),
    Symbolic(RefName),
}

impl Repository {
    /// What one loose ref file or the packed refs say of `name`, without following it.
    pub fn read_ref(&self, name: &RefName) -> Result<Option<RefValue>, GitError> {
        if let Some(value) = self.read_loose(name)? {
            return Ok(Some(value));
        }
        Ok(self.packed_ref(name)?.map(RefValue::Id))
    }

    /// The id `name` stands at, symbolic refs followed.
    pub fn resolve(&self, name: &RefName) -> Result<Option<ObjectId>, GitError> {
        let mut name = name.clone();
        for _ in 0..=SYMREF_DEPTH {
            match self.read_ref(&name)? {
                Some(RefValue::Symbolic(target)) => name = target,
                Some(RefValue::Id(id)) => return Ok(Some(id)),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The refs that `name` leads through, itself first: one name, unless it is symbolic.
    pub fn follow(&self, name: &RefName) -> Result<Vec<RefName>, GitError> {
        let mut names = vec![name.clone()];
        while names.len() <= SYMREF_DEPTH {
            let Some(last) = names.last() else { break };
            match self.read_loose(last)? {
                Some(RefValue::Symbolic(target)) if !names.contains(&target) => names.push(target),
                _ => break,
            }
        }
        Ok(names)
    }

    /// The branch `HEAD` names, whether it exists or not.
    pub fn default_branch(&self) -> Result<Option<RefName>, GitError> {
        match self.read_loose(&RefName::new(b"HEAD"))? {
            Some(RefValue::Symbolic(target)) => Ok(Some(target)),
            _ => Ok(None),
        }
    }

    fn read_loose(&self, name: &RefName) -> Result<Option<RefValue>, GitError> {
        if !is_safe(name) {
            return Ok(None);
        }
        let path = join_bytes(&self.path, name.as_bytes());
        // An old symbolic link counts as the ref it points to, as git reads it.
        if let Ok(target) = std::fs::read_link(&path)
            && target.as_os_str().as_bytes().starts_with(b"refs/")
        {
            return Ok(Some(RefValue::Symbolic(RefName::new(target.as_os_str().as_bytes()))));
        }
        let bytes = match read_start(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                use std::io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
                return match error.kind() {
                    // No file system holds a name that is too long for it.
                    NotFound | IsADirectory | NotADirectory | InvalidFilename => Ok(None),
                    _ => Err(GitError::Io { path, source: error }),
                };
            }
        };
        if bytes.len() > REF_FILE_BYTES {
            return Err(GitError::BadRef(path));
        }
        parse_loose(&bytes).map(Some).ok_or(GitError::BadRef(path))
    }

    fn packed_ref(&self, name: &RefName) -> Result<Option<ObjectId>, GitError> {
        self.packed_refs()?.map_or(Ok(None), |packed| packed.find(name.as_bytes()))
    }

    /// Whether deleting `name` at `id` drops no more than the loose copy of a packed ref, as `git pack-refs` and
    /// so `git gc` do. Whoever deletes the ref itself holds `packed-refs.lock` meanwhile.
    pub fn is_packed_copy(&self, name: &RefName, id: &ObjectId) -> Result<bool, GitError> {
        let lock = self.path.join("packed-refs.lock");
        let locked = lock.try_exists().map_err(GitError::io(&lock))?;
        Ok(!locked && self.packed_ref(name)? == Some(*id))
    }

    fn packed_refs(&self) -> Result<Option<&PackedRefs>, GitError> {
        if self.packed.get().is_none() {
            let packed = PackedRefs::open(&self.path.join("packed-refs"))?;
            // Another thread may have been first; either reading will do.
            let _ = self.packed.set(packed);
        }
        Ok(self.packed.get().and_then(Option::as_ref))
    }

    /// Every ref below `refs/`, symbolic ones as such. Reads the whole ref store: for `install`, not for a push.
    pub fn all_refs(&self) -> Result<BTreeMap<RefName, RefValue>, GitError> {
        let mut refs = BTreeMap::new();
        if let Some(packed) = self.packed_refs()? {
            for (name, id) in packed_refs::lines(&packed.all()?) {
                refs.insert(RefName::new(name), RefValue::Id(id));
            }
        }
        self.loose_below(b"refs", &mut |name, value| {
            refs.insert(name, value);
        })?;
        Ok(refs)
    }

    /// Whether there is any branch or tag at all.
    pub fn has_refs(&self) -> Result<bool, GitError> {
        if let Some(packed) = self.packed_refs()?
            && packed_refs::lines(&packed.all()?)
                .any(|(name, _)| name.starts_with(b"refs/heads/") || name.starts_with(b"refs/tags/"))
        {
            return Ok(true);
        }
        let mut found = false;
        for folder in [b"refs/heads".as_slice(), b"refs/tags"] {
            self.loose_below(folder, &mut |_, value| found |= matches!(value, RefValue::Id(_)))?;
        }
        Ok(found)
    }

    /// Loose refs below `folder`, itself included when it is a ref.
    pub fn loose_below(&self, folder: &[u8], each: &mut dyn FnMut(RefName, RefValue)) -> Result<(), GitError> {
        let path = join_bytes(&self.path, folder);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                let name = RefName::new(folder);
                if let Some(value) = self.read_loose(&name)? {
                    each(name, value);
                }
                return Ok(());
            }
            Err(source) => return Err(GitError::Io { path, source }),
        };
        for entry in entries {
            let entry = entry.map_err(GitError::io(&path))?;
            let mut name = folder.to_vec();
            name.push(b'/');
            name.extend_from_slice(entry.file_name().as_bytes());
            if name.ends_with(b".lock") {
                continue;
            }
            let kind = entry.file_type().map_err(GitError::io(&path))?;
            if kind.is_dir() {
                self.loose_below(&name, each)?;
            } else {
                let name = RefName::new(&name);
                if let Some(value) = self.read_loose(&name)? {
                    each(name, value);
                }
            }
        }
        Ok(())
    }

    /// The path of a file inside the repository.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        Path::join(&self.path, name)
    }
}

/// No more of a file than shows that it is no ref.
fn read_start(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(REF_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name that stays among the refs when used as a path: a pusher may call a ref `config`.
fn is_safe(name: &RefName) -> bool {
    let bytes = name.as_bytes();
    (bytes == b"HEAD" || bytes.starts_with(b"refs/"))
        && !bytes.contains(&0)
        && bytes.split(|&b| b == b'/').all(|part| !part.is_empty() && part != b"." && part != b"..")
}

fn parse_loose(bytes: &[u8]) -> Option<RefValue> {
    if let Some(target) = bytes.strip_prefix(b"ref:") {
        let target = target.trim_ascii();
        return (!target.is_empty()).then(|| RefValue::Symbolic(RefName::new(target)));
    }
    let end = bytes.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(bytes.len());
    ObjectId::from_hex(bytes.get(..end)?).map(RefValue::Id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(dir: &Path, args: &[&str]) -> String {
        let out = Command::new("git")
            .args(args)
            .current_dir(dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", dir)
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_COMMITTER_NAME", "A")
            .env("GIT_COMMITTER_EMAIL", "a@example.com")
            .output()
            .unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn loose_packed_and_symbolic_refs_are_read_as_git_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "-q", "--bare", "-b", "main", "."]);
        let tree = git(dir.path(), &["hash-object", "-t", "tree", "-w", "/dev/null"]);
        let commit = git(dir.path(), &["commit-tree", "-m", "one", &tree]);
        for index in 0..200 {
            git(dir.path(), &["update-ref", &format!("refs/heads/b{index}"), &commit]);
        }
        git(dir.path(), &["tag", "-a", "-m", "t", "v1", &commit]);
        git(dir.path(), &["pack-refs", "--all"]);
        git(dir.path(), &["update-ref", "refs/heads/main", &commit]);
        git(dir.path(), &["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
        let repository = Repository::at(dir.path()).unwrap();
        let name = |text: &str| RefName::new(text.as_bytes());
        let id = ObjectId::from_hex(commit.as_bytes()).unwrap();
        for index in 0..200 {
            assert_eq!(repository.read_ref(&name(&format!("refs/heads/b{index}"))).unwrap(), Some(RefValue::Id(id)));
        }
        assert_eq!(repository.read_ref(&name("refs/heads/b200")).unwrap(), None);
        assert_eq!(repository.read_ref(&name("refs/heads/a")).unwrap(), None);
        assert_eq!(repository.read_ref(&name("refs/zzz")).unwrap(), None);
        assert!(repository.read_ref(&name("refs/tags/v1")).unwrap().is_some());
        assert_eq!(repository.resolve(&name("refs/heads/alias")).unwrap(), Some(id));
        assert_eq!(
            repository.follow(&name("refs/heads/alias")).unwrap(),
            [name("refs/heads/alias"), name("refs/heads/main")]
        );
        assert_eq!(repository.default_branch().unwrap(), Some(name("refs/heads/main")));
        assert_eq!(repository.all_refs().unwrap().len(), 203);
        for outside in ["refs/heads/../../config", "config", "packed-refs", "objects/info", "", "/etc/passwd"] {
            assert_eq!(repository.read_ref(&name(outside)).unwrap(), None, "{outside}");
        }
        assert_eq!(repository.read_ref(&name(&format!("refs/heads/{}", "y".repeat(256)))).unwrap(), None);
    }
}
