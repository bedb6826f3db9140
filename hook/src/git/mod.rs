//! Reading a bare repository: where it is, its objects, its refs.
//!
//! No git process is started, no configuration of the repository is obeyed, and
//! `refs/replace` and grafts are never looked at: objects are what their bytes say.

pub mod history;
pub mod objects;
pub mod packed_refs;
pub mod pushed_pack;
pub mod refs;

use countersign_policy::id::ObjectFormat;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The server's repository could not be read. Never the pusher's fault.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("`{0}` is not a git repository")]
    NotARepository(PathBuf),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{0}: the path is not UTF-8")]
    PathNotText(PathBuf),
    #[error("refs are stored as `{0}`, which is not supported; convert the repository to the `files` format")]
    RefStorage(String),
    #[error("alternates are nested more than {ALTERNATES_DEPTH} deep")]
    AlternatesTooDeep,
    #[error("object {0} cannot be read: {1}")]
    Object(countersign_policy::id::ObjectId, String),
    #[error("{0}")]
    Odb(String),
    #[error("{0}: not a ref file")]
    BadRef(PathBuf),
}

impl GitError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> GitError + '_ {
        move |source| GitError::Io { path: path.to_owned(), source }
    }
}

/// Git itself stops at five.
const ALTERNATES_DEPTH: usize = 5;

/// A list of alternates longer than this is no list that git wrote.
const ALTERNATES_BYTES: u64 = 1024 * 1024;

/// Where a repository keeps what.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Canonical path of the git directory that holds refs and objects; it names the repository.
    pub path: PathBuf,
    pub format: ObjectFormat,
    /// Where the objects of this push wait, while there is a push.
    quarantine: Option<PathBuf>,
    /// The main store first, then every alternate.
    stores: Vec<PathBuf>,
    /// `packed-refs` as it was when it was first asked for: one hook call sees one state of it.
    packed: Arc<OnceLock<Option<packed_refs::PackedRefs>>>,
}

/// What git tells its hook about object stores. Nothing else of the environment is read here.
#[derive(Debug, Default, Clone)]
pub struct GitEnvironment {
    pub git_dir: Option<std::ffi::OsString>,
    pub object_directory: Option<std::ffi::OsString>,
    pub alternates: Option<std::ffi::OsString>,
}

impl GitEnvironment {
    pub fn read() -> Self {
        GitEnvironment {
            git_dir: std::env::var_os("GIT_DIR"),
            object_directory: std::env::var_os("GIT_OBJECT_DIRECTORY"),
            alternates: std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
        }
    }

    /// After pre-receive the objects are in the real store, whatever the environment may still say of a quarantine.
    pub fn after_the_push(&self) -> Self {
        GitEnvironment { git_dir: self.git_dir.clone(), ..GitEnvironment::default() }
    }
}

impl Repository {
    /// The repository at `path`, as an administrator names it: bare, or a work tree with `.git`.
    pub fn at(path: &Path) -> Result<Self, GitError> {
        let inner = path.join(".git");
        let git_dir = if inner.is_dir() { inner } else { path.to_owned() };
        Self::open(&git_dir, None, &[])
    }

    /// The repository a hook was called for. `cwd` stands in where git gave no `GIT_DIR`.
    pub fn from_hook(environment: &GitEnvironment, cwd: &Path) -> Result<Self, GitError> {
        let git_dir = match &environment.git_dir {
            Some(dir) => cwd.join(dir),
            None => cwd.to_owned(),
        };
        let objects = environment.object_directory.as_ref().map(|dir| cwd.join(dir));
        let mut extra = Vec::new();
        if let Some(list) = &environment.alternates {
            for entry in split_alternates(list.as_bytes(), b':') {
                extra.push(cwd.join(OsStr::from_bytes(&entry)));
            }
        }
        Self::open(&git_dir, objects, &extra)
    }

    fn open(git_dir: &Path, object_directory: Option<PathBuf>, extra: &[PathBuf]) -> Result<Self, GitError> {
        let not = || GitError::NotARepository(git_dir.to_owned());
        let mut path = git_dir.canonicalize().map_err(|_| not())?;
        if let Ok(common) = std::fs::read(path.join("commondir")) {
            path = path.join(OsStr::from_bytes(common.trim_ascii_end())).canonicalize().map_err(|_| not())?;
        }
        if !path.join("objects").is_dir() || !path.join("HEAD").exists() {
            return Err(not());
        }
        let config = read_optional(&path.join("config"))?.unwrap_or_default();
        if let Some(storage) = extension(&config, "refstorage").filter(|storage| storage != "files") {
            return Err(GitError::RefStorage(storage));
        }
        let format = match extension(&config, "objectformat").as_deref() {
            Some("sha256") => ObjectFormat::Sha256,
            _ => ObjectFormat::Sha1,
        };
        let main = path.join("objects").canonicalize().map_err(GitError::io(&path))?;
        // Without it the push would only seem to lack its objects.
        let quarantine = object_directory.map(|dir| dir.canonicalize().map_err(GitError::io(&dir))).transpose()?;
        let quarantine = quarantine.filter(|dir| dir != &main);
        let mut stores = vec![main.clone()];
        collect_alternates(&main, 0, &mut stores)?;
        for store in extra {
            if let Ok(store) = store.canonicalize()
                && !stores.contains(&store)
            {
                stores.push(store.clone());
                collect_alternates(&store, 0, &mut stores)?;
            }
        }
        Ok(Repository { path, format, quarantine, stores, packed: Arc::default() })
    }

    /// The path as text: repositories are named by it in the ledger.
    pub fn path_text(&self) -> Result<&str, GitError> {
        self.path.to_str().ok_or_else(|| GitError::PathNotText(self.path.clone()))
    }

    pub fn has_quarantine(&self) -> bool {
        self.quarantine.is_some()
    }
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, GitError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(GitError::Io { path: path.to_owned(), source }),
    }
}

/// The value of `extensions.NAME`, lower-case. Only the two extensions that decide how to read are asked for.
fn extension(config: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(config).to_ascii_lowercase();
    let mut inside = false;
    let mut value = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.starts_with("[extensions]");
        } else if inside
            && let Some((key, found)) = line.split_once('=')
            && key.trim() == name
        {
            value = Some(found.trim().trim_matches('"').to_owned());
        }
    }
    value
}

fn collect_alternates(store: &Path, depth: usize, stores: &mut Vec<PathBuf>) -> Result<(), GitError> {
    let file = store.join("info/alternates");
    match std::fs::metadata(&file) {
        Ok(metadata) if metadata.len() > ALTERNATES_BYTES => return Err(GitError::BadRef(file)),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(GitError::Io { path: file, source }),
    }
    if depth >= ALTERNATES_DEPTH {
        return Err(GitError::AlternatesTooDeep);
    }
    let Some(list) = read_optional(&file)? else { return Ok(()) };
    for entry in split_alternates(&list, b'\n') {
        if entry.first() == Some(&b'#') {
            continue;
        }
        // Relative lines count from the object store that names them.
        let Ok(alternate) = store.join(OsStr::from_bytes(&entry)).canonicalize() else { continue };
        if !stores.contains(&alternate) {
            stores.push(alternate.clone());
            collect_alternates(&alternate, depth + 1, stores)?;
        }
    }
    Ok(())
}

/// Splits a list of object stores as git does: an entry that begins with a double quote is C-quoted,
/// which git itself writes when a path holds the separator.
fn split_alternates(list: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (entry, used) = match rest.strip_prefix(b"\"") {
            Some(quoted) => match unquote(quoted) {
                Some((entry, used)) => (entry, used + 1),
                None => plain_entry(rest, separator),
            },
            None => plain_entry(rest, separator),
        };
        if !entry.is_empty() {
            entries.push(entry);
        }
        rest = rest.get(used..).unwrap_or_default();
        rest = rest.strip_prefix(&[separator]).unwrap_or(rest);
    }
    entries
}

fn plain_entry(rest: &[u8], separator: u8) -> (Vec<u8>, usize) {
    let end = rest.iter().position(|&byte| byte == separator).unwrap_or(rest.len());
    // Progress even on a stray separator, so that the caller's loop ends.
    (rest.get(..end).unwrap_or_default().to_vec(), end.max(usize::from(end == 0)))
}

/// Undoes git's C-style quoting; `quoted` begins after the opening quote. Gives the bytes and how many
/// were used, closing quote included.
fn unquote(quoted: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut out = Vec::new();
    let mut bytes = quoted.iter().copied().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((out, at + 1)),
            b'\\' => {
                let (_, escape) = bytes.next()?;
                out.push(match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'\\' | b'"' => escape,
                    b'0'..=b'3' => {
                        let (_, second) = bytes.next()?;
                        let (_, third) = bytes.next()?;
                        let digit = |c: u8| matches!(c, b'0'..=b'7').then(|| c - b'0');
                        (escape - b'0') * 64 + digit(second)? * 8 + digit(third)?
                    }
                    _ => return None,
                });
            }
            _ => out.push(byte),
        }
    }
    None
}

/// Bytes as a path below `base`.
pub(crate) fn join_bytes(base: &Path, bytes: &[u8]) -> PathBuf {
    base.join(std::ffi::OsString::from_vec(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(list: &str, separator: u8) -> Vec<String> {
        split_alternates(list.as_bytes(), separator).into_iter().map(|e| String::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn a_quarantine_that_is_gone_is_the_servers_fault() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("objects")).unwrap();
        std::fs::write(folder.path().join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let environment = GitEnvironment { object_directory: Some("objects/gone".into()), ..GitEnvironment::default() };
        let opened = Repository::from_hook(&environment, folder.path());
        assert!(matches!(opened, Err(GitError::Io { .. })), "{opened:?}");
        assert!(!Repository::from_hook(&environment.after_the_push(), folder.path()).unwrap().has_quarantine());
    }

    #[test]
    fn alternates_are_split_as_git_quotes_them() {
        assert_eq!(split("/a:/b", b':'), ["/a", "/b"]);
        assert_eq!(split("\"/srv/a:b.git/objects\":/c", b':'), ["/srv/a:b.git/objects", "/c"]);
        assert_eq!(split("\"/t\\\"x\\303\\251\"", b':'), ["/t\"xé"]);
        assert_eq!(split("::/a::", b':'), ["/a"]);
        assert_eq!(split("\"unclosed", b':'), ["\"unclosed"]);
        assert_eq!(split("/a b\n../c\n", b'\n'), ["/a b", "../c"]);
    }

    #[test]
    fn the_extensions_that_decide_how_to_read_are_found() {
        let config = b"[core]\n\tobjectformat = no\n[Extensions]\n\tobjectFormat = SHA256\n\trefStorage=reftable\n";
        assert_eq!(extension(config, "objectformat").as_deref(), Some("sha256"));
        assert_eq!(extension(config, "refstorage").as_deref(), Some("reftable"));
        assert_eq!(extension(b"[core]\nbare = true", "objectformat"), None);
    }
}
