//! The overlay file `cur`: which epoch this is, which base it stands on, and the persons changed since.
//!
//! ```text
//! magic      8 bytes
//! checksum   SHA-256 of the directory
//! directory  block: epoch, commits, …, authorities; of each person id, index keys, the record's length and SHA-256
//! records    one after the other
//! ```
//! A hook reads the directory, about a quarter of the file, and of the records those that it needs. They are checked by
//! the digest that goes into the verdict anyway.

use super::codec::{Input, damaged, put_block, put_len};
use super::{IndexKey, Record};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Authorities, KeyringError};
use countersign_policy::sha256::sha256;
use countersign_policy::time::Time;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

const MAGIC: &[u8; 8] = b"CSKCURR3";
/// Magic, checksum, and the directory's length.
const FRONT: usize = 8 + 32 + 4;
/// A reader refuses a larger directory: what the writer puts there at most is less than
/// [`super::publish::OVERLAY_HARD_MAX`] and the authorities.
const DIRECTORY_MAX: u32 = 16 << 20;

/// What is being read, for errors.
const WHAT: &str = "keyring";

/// The content of `cur`. The file stays open: what is published later is another one.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: File,
    directory: Directory,
}

/// All but the records, and the bytes that it was read from.
#[derive(Debug)]
struct Directory {
    bytes: Vec<u8>,
    head: Head,
    authorities: Range<usize>,
    persons: BTreeMap<PersonId, Stored>,
    /// Length of all records.
    records: u64,
    index: BTreeMap<IndexKey, Vec<PersonId>>,
}

/// Where a record is, behind the directory, and what its bytes must be.
#[derive(Debug)]
struct Stored {
    from: u64,
    len: u32,
    digest: [u8; 32],
}

/// What the overlay says of itself and of its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub epoch: u64,
    /// When the latest epochs were committed, the oldest first.
    pub commits: Vec<(u64, Time)>,
    pub published_at: Time,
    pub base_name: String,
    /// Epoch of the base: the overlay holds everybody who changed after it.
    pub base_epoch: u64,
    /// SHA-256 of the base's header.
    pub base_digest: [u8; 32],
}

/// A changed person as stored: the keys are concatenated [`IndexKey`]s.
#[derive(Clone, Debug)]
pub(crate) struct StoredPerson {
    pub id: String,
    pub keys: Vec<u8>,
    pub record: Vec<u8>,
}

impl Overlay {
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        let (file, bytes) = read_directory(path)?;
        let directory = Directory::parse(bytes)?;
        let len = file.metadata().map_err(|error| unreadable(path.display(), &error))?.len();
        if len != directory.end() + directory.records {
            return Err(damaged(WHAT, "it is not as long as it says"));
        }
        Ok(Overlay { file, directory })
    }

    /// Whether the file holds what was read before. The directory has the digest of every record.
    pub fn is_still(&self, path: &Path) -> Result<bool, KeyringError> {
        Ok(read_directory(path)?.1 == self.directory.bytes)
    }

    /// Reads all records; an error names the damage.
    pub fn check(&self) -> Result<(), KeyringError> {
        self.ids().try_for_each(|id| self.record(id).map(drop))
    }

    pub fn head(&self) -> &Head {
        &self.directory.head
    }

    pub fn epoch(&self) -> u64 {
        self.head().epoch
    }

    /// When the epoch was committed, where that is still known.
    pub fn committed_at(&self, epoch: u64) -> Option<Time> {
        let commits = &self.head().commits;
        let found = commits.binary_search_by_key(&epoch, |(epoch, _)| *epoch).ok()?;
        commits.get(found).map(|(_, at)| *at)
    }

    pub fn published_at(&self) -> Time {
        self.head().published_at
    }

    pub fn base_name(&self) -> &str {
        &self.head().base_name
    }

    pub fn base_digest(&self) -> &[u8; 32] {
        &self.head().base_digest
    }

    pub fn authorities(&self) -> Result<Authorities, KeyringError> {
        let bytes = self.directory.bytes.get(self.directory.authorities.clone()).unwrap_or_default();
        serde_json::from_slice(bytes)
            .map_err(|error| KeyringError(format!("keyring: authorities cannot be read: {error}")))
    }

    pub fn record(&self, id: &PersonId) -> Result<Option<Record>, KeyringError> {
        let Some(stored) = self.directory.persons.get(id) else { return Ok(None) };
        // No more than the file has, which was measured when it was opened.
        let mut bytes = vec![0; usize::try_from(stored.len).unwrap_or(usize::MAX)];
        let from = self.directory.end() + stored.from;
        self.file.read_exact_at(&mut bytes, from).map_err(|error| unreadable(WHAT, &error))?;
        let record = Record::of(bytes);
        if record.digest != stored.digest {
            return Err(damaged(WHAT, "the checksum of a record does not match"));
        }
        Ok(Some(record))
    }

    pub fn persons(&self, key: &IndexKey) -> impl Iterator<Item = &PersonId> {
        self.directory.index.get(key).into_iter().flatten()
    }

    pub fn ids(&self) -> impl Iterator<Item = &PersonId> {
        self.directory.persons.keys()
    }
}

impl Directory {
    fn parse(bytes: Vec<u8>) -> Result<Self, KeyringError> {
        let mut input = Input::new(&bytes, WHAT);
        let head = Head {
            epoch: input.u64()?,
            commits: commits(input.block()?)?,
            published_at: Time::from_unix_millis(input.i64()?),
            base_name: input.text()?.to_owned(),
            base_epoch: input.u64()?,
            base_digest: input.array()?,
        };
        if head.base_name.contains('/') {
            return Err(damaged(WHAT, "its base lies elsewhere"));
        }
        let authorities = input.block_range()?;
        let mut persons = BTreeMap::new();
        let mut index: BTreeMap<IndexKey, Vec<PersonId>> = BTreeMap::new();
        let mut records = 0;
        while !input.is_empty() {
            let id = PersonId::new(input.text()?).map_err(|_| damaged(WHAT, "a name is not a person's"))?;
            for key in input.block()?.as_chunks::<{ IndexKey::LEN }>().0 {
                index.entry(IndexKey(*key)).or_default().push(id.clone());
            }
            let len = input.u32()?;
            persons.insert(id, Stored { from: records, len, digest: input.array()? });
            records += u64::from(len);
        }
        Ok(Directory { head, authorities, persons, records, index, bytes })
    }

    /// Where it ends in the file, and the records begin.
    fn end(&self) -> u64 {
        (FRONT + self.bytes.len()) as u64
    }
}

/// The file, and its directory as the checksum says that it was written.
fn read_directory(path: &Path) -> Result<(File, Vec<u8>), KeyringError> {
    let unreadable = |error| unreadable(path.display(), &error);
    let file = File::open(path).map_err(unreadable)?;
    let mut front = [0; FRONT];
    (&file).read_exact(&mut front).map_err(unreadable)?;
    let mut input = Input::new(&front, WHAT);
    if &input.array::<8>()? != MAGIC {
        return Err(damaged(WHAT, "it is of another format"));
    }
    let (checksum, len) = (input.array::<32>()?, input.u32()?);
    if len > DIRECTORY_MAX {
        return Err(damaged(WHAT, "it is larger than any published one"));
    }
    let mut directory = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    (&file).read_exact(&mut directory).map_err(unreadable)?;
    if sha256([directory.as_slice()]) != checksum {
        return Err(damaged(WHAT, "its checksum does not match"));
    }
    Ok((file, directory))
}

fn unreadable(place: impl Display, error: &io::Error) -> KeyringError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(WHAT, "it is cut short"),
        _ => KeyringError(format!("{place}: {error}")),
    }
}

fn commits(bytes: &[u8]) -> Result<Vec<(u64, Time)>, KeyringError> {
    let mut input = Input::new(bytes, WHAT);
    let mut commits = Vec::with_capacity(bytes.len() / 16);
    while !input.is_empty() {
        commits.push((input.u64()?, Time::from_unix_millis(input.i64()?)));
    }
    Ok(commits)
}

/// The bytes of an overlay file.
pub(crate) fn encode(head: &Head, authorities: &[u8], persons: &[StoredPerson]) -> Vec<u8> {
    let mut directory = Vec::new();
    directory.extend_from_slice(&head.epoch.to_le_bytes());
    let commits: Vec<u8> = head
        .commits
        .iter()
        .flat_map(|(epoch, at)| [epoch.to_le_bytes(), at.unix_millis().to_le_bytes()].concat())
        .collect();
    put_block(&mut directory, &commits);
    directory.extend_from_slice(&head.published_at.unix_millis().to_le_bytes());
    put_block(&mut directory, head.base_name.as_bytes());
    directory.extend_from_slice(&head.base_epoch.to_le_bytes());
    directory.extend_from_slice(&head.base_digest);
    put_block(&mut directory, authorities);
    for person in persons {
        put_block(&mut directory, person.id.as_bytes());
        put_block(&mut directory, &person.keys);
        put_len(&mut directory, &person.record);
        directory.extend_from_slice(&sha256([person.record.as_slice()]));
    }
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&sha256([directory.as_slice()]));
    put_block(&mut bytes, &directory);
    persons.iter().for_each(|person| bytes.extend_from_slice(&person.record));
    bytes
}
