//! Objects by id, from the push's quarantine and the repository's stores.

use super::pushed_pack::PushedPacks;
use super::{GitError, Repository};
use countersign_policy::id::{ObjectFormat, ObjectId};
use countersign_policy::sha256::sha256;
use git2::{Odb, OdbLookupFlags, Oid};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Commit,
    Tag,
    Tree,
    Blob,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tag => "tag",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
        }
    }

    fn from_git2(kind: git2::ObjectType) -> Option<Self> {
        match kind {
            git2::ObjectType::Commit => Some(Kind::Commit),
            git2::ObjectType::Tag => Some(Kind::Tag),
            git2::ObjectType::Tree => Some(Kind::Tree),
            git2::ObjectType::Blob => Some(Kind::Blob),
            git2::ObjectType::Any => None,
        }
    }
}

/// What an object is and how large, told without inflating it.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub kind: Kind,
    pub size: usize,
}

/// What is found where a commit was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<T> {
    Commit(T),
    /// Not read; so many bytes.
    TooLarge(usize),
    NotACommit(Kind),
    Missing,
}

/// The object stores of one repository. One for each thread: opening costs a fraction of a millisecond.
pub struct Objects {
    all: Odb<'static>,
    quarantine: Option<Odb<'static>>,
    pushed: PushedPacks,
    format: ObjectFormat,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Objects {
    pub fn open(repository: &Repository) -> Result<Self, GitError> {
        // Judged objects are hashed again by a collision-detecting hash; hashing each one twice, and keeping
        // them in memory after they are judged, would only cost.
        git2::opts::strict_hash_verification(false);
        git2::opts::enable_caching(false);
        let format = match repository.format {
            ObjectFormat::Sha1 => git2::ObjectFormat::Sha1,
            ObjectFormat::Sha256 => git2::ObjectFormat::Sha256,
        };
        let open = || Odb::new_ext(format).map_err(|error| GitError::Odb(error.message().to_owned()));
        let all = open()?;
        let mut quarantine = None;
        let mut pushed = PushedPacks::default();
        if let Some(store) = &repository.quarantine {
            add(&all, store)?;
            let alone = open()?;
            add(&alone, store)?;
            quarantine = Some(alone);
            pushed = PushedPacks::of(store, repository.format);
        }
        for store in &repository.stores {
            add(&all, store)?;
        }
        Ok(Objects { all, quarantine, pushed, format: repository.format })
    }

    /// `None` when the object is nowhere.
    pub fn header(&self, id: &ObjectId) -> Result<Option<Header>, GitError> {
        let Some(oid) = self.oid(id) else { return Ok(None) };
        match self.all.read_header(oid) {
            Ok((size, kind)) => Ok(Kind::from_git2(kind).map(|kind| Header { kind, size })),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::Object(*id, error.message().to_owned())),
        }
    }

    /// The object's bytes, handed to `use_bytes` without a copy. Ask [`Objects::header`] for its size first.
    pub fn read<T>(&self, id: &ObjectId, use_bytes: impl FnOnce(Kind, &[u8]) -> T) -> Result<Option<T>, GitError> {
        let Some(oid) = self.oid(id) else { return Ok(None) };
        match self.all.read(oid) {
            Ok(object) => Ok(Kind::from_git2(object.kind()).map(|kind| use_bytes(kind, object.data()))),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::Object(*id, error.message().to_owned())),
        }
    }

    /// A commit, if it is one and has at most `max` bytes.
    pub fn commit<T>(
        &self,
        id: &ObjectId,
        max: usize,
        mut use_bytes: impl FnMut(&[u8]) -> T,
    ) -> Result<Found<T>, GitError> {
        if id.format() == self.format
            && let Some(used) = self.pushed.commit(id, max, &mut use_bytes)
        {
            return Ok(Found::Commit(used));
        }
        Ok(match self.header(id)? {
            None => Found::Missing,
            Some(header) if header.kind != Kind::Commit => Found::NotACommit(header.kind),
            Some(header) if header.size > max => Found::TooLarge(header.size),
            Some(_) => self.read(id, |_, raw| use_bytes(raw))?.map_or(Found::Missing, Found::Commit),
        })
    }

    /// Whether this push brought the object along. It may be in the main store as well.
    pub fn in_quarantine(&self, id: &ObjectId) -> bool {
        if id.format() == self.format && self.pushed.hold(id) {
            return true;
        }
        match (&self.quarantine, self.oid(id)) {
            (Some(odb), Some(oid)) => odb.exists_ext(oid, OdbLookupFlags::NO_REFRESH),
            _ => false,
        }
    }

    /// What was here before this push. Opened for the asking: only denials need it.
    pub fn before_the_push(repository: &Repository) -> Result<Self, GitError> {
        Self::open(&Repository { quarantine: None, ..repository.clone() })
    }

    pub fn has(&self, id: &ObjectId) -> bool {
        self.oid(id).is_some_and(|oid| self.all.exists_ext(oid, OdbLookupFlags::NO_REFRESH))
    }

    fn oid(&self, id: &ObjectId) -> Option<Oid> {
        (id.format() == self.format).then(|| Oid::from_bytes(id.as_bytes()).ok()).flatten()
    }
}

fn add(odb: &Odb<'static>, store: &Path) -> Result<(), GitError> {
    let path = store.to_str().ok_or_else(|| GitError::PathNotText(store.to_owned()))?;
    odb.add_disk_alternate(path).map_err(|error| GitError::Odb(format!("{path}: {}", error.message())))
}

/// Whether `id` names exactly this object. SHA-1 is computed with collision detection: two objects
/// made to share an id are both refused.
pub fn hash_is(id: &ObjectId, kind: Kind, data: &[u8]) -> bool {
    let header = format!("{} {}\0", kind.as_str(), data.len());
    match id.format() {
        ObjectFormat::Sha1 => {
            use sha1collisiondetection::Sha1CD;
            let mut hash = Sha1CD::default();
            hash.update(&header);
            hash.update(data);
            let mut digest = sha1collisiondetection::Output::default();
            hash.finalize_into_dirty_cd(&mut digest).is_ok() && digest.as_slice() == id.as_bytes()
        }
        ObjectFormat::Sha256 => sha256([header.as_bytes(), data]).as_slice() == id.as_bytes(),
    }
}
