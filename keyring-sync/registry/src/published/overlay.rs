//! The overlay file `cur`: which epoch this is, which base it stands on, and the persons changed since.

use super::IndexKey;
use super::codec::{Input, damaged, put_block};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Authorities, KeyringError};
use countersign_policy::sha256::sha256;
use countersign_policy::time::Time;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

const MAGIC: &[u8; 8] = b"CSKCURR2";
/// A reader refuses more: what the writer puts here at most is [`super::publish::OVERLAY_HARD_MAX`]
/// and the authorities.
const FILE_MAX: u64 = 16 << 20;

/// The content of `cur`. Read whole, because it is small.
#[derive(Debug)]
pub(crate) struct Overlay {
    bytes: Vec<u8>,
    head: Head,
    authorities: Range<usize>,
    persons: BTreeMap<PersonId, Range<usize>>,
    index: BTreeMap<IndexKey, Vec<PersonId>>,
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
        Self::parse(read_file(path)?)
    }

    /// Whether the file holds what was read before.
    pub fn is_still(&self, path: &Path) -> Result<bool, KeyringError> {
        Ok(read_file(path)? == self.bytes)
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, KeyringError> {
        let what = "keyring";
        let mut input = Input::new(&bytes, what);
        if &input.array::<8>()? != MAGIC {
            return Err(damaged(what, "it is of another format"));
        }
        let stored = input.array::<32>()?;
        let body = bytes.get(40..).unwrap_or_default();
        if sha256([body]) != stored {
            return Err(damaged(what, "its checksum does not match"));
        }
        let head = Head {
            epoch: input.u64()?,
            commits: commits(input.block()?)?,
            published_at: Time::from_unix_millis(input.i64()?),
            base_name: input.text()?.to_owned(),
            base_epoch: input.u64()?,
            base_digest: input.array()?,
        };
        if head.base_name.contains('/') {
            return Err(damaged(what, "its base lies elsewhere"));
        }
        let authorities = input.block_range()?;
        let mut persons = BTreeMap::new();
        let mut index: BTreeMap<IndexKey, Vec<PersonId>> = BTreeMap::new();
        while !input.is_empty() {
            let id = PersonId::new(input.text()?).map_err(|_| damaged(what, "a name is not a person's"))?;
            for key in input.block()?.as_chunks::<{ IndexKey::LEN }>().0 {
                index.entry(IndexKey(*key)).or_default().push(id.clone());
            }
            persons.insert(id, input.block_range()?);
        }
        Ok(Overlay { head, authorities, persons, index, bytes })
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    pub fn epoch(&self) -> u64 {
        self.head.epoch
    }

    /// When the epoch was committed, where that is still known.
    pub fn committed_at(&self, epoch: u64) -> Option<Time> {
        let found = self.head.commits.binary_search_by_key(&epoch, |(epoch, _)| *epoch).ok()?;
        self.head.commits.get(found).map(|(_, at)| *at)
    }

    pub fn published_at(&self) -> Time {
        self.head.published_at
    }

    pub fn base_name(&self) -> &str {
        &self.head.base_name
    }

    pub fn base_digest(&self) -> &[u8; 32] {
        &self.head.base_digest
    }

    pub fn authorities(&self) -> Result<Authorities, KeyringError> {
        let bytes = self.bytes.get(self.authorities.clone()).unwrap_or_default();
        serde_json::from_slice(bytes)
            .map_err(|error| KeyringError(format!("keyring: authorities cannot be read: {error}")))
    }

    pub fn record(&self, id: &PersonId) -> Option<&[u8]> {
        self.persons.get(id).and_then(|range| self.bytes.get(range.clone()))
    }

    pub fn persons(&self, key: &IndexKey) -> impl Iterator<Item = &PersonId> {
        self.index.get(key).into_iter().flatten()
    }

    pub fn ids(&self) -> impl Iterator<Item = &PersonId> {
        self.persons.keys()
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, KeyringError> {
    let unreadable = |error: std::io::Error| KeyringError(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let expected = file.metadata().map_or(0, |file| file.len().min(FILE_MAX));
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1);
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(damaged("keyring", "it is larger than any published one"));
    }
    Ok(bytes)
}

fn commits(bytes: &[u8]) -> Result<Vec<(u64, Time)>, KeyringError> {
    let mut input = Input::new(bytes, "keyring");
    let mut commits = Vec::with_capacity(bytes.len() / 16);
    while !input.is_empty() {
        commits.push((input.u64()?, Time::from_unix_millis(input.i64()?)));
    }
    Ok(commits)
}

/// The bytes of an overlay file.
pub(crate) fn encode(head: &Head, authorities: &[u8], persons: &[StoredPerson]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&head.epoch.to_le_bytes());
    let commits: Vec<u8> = head
        .commits
        .iter()
        .flat_map(|(epoch, at)| [epoch.to_le_bytes(), at.unix_millis().to_le_bytes()].concat())
        .collect();
    put_block(&mut body, &commits);
    body.extend_from_slice(&head.published_at.unix_millis().to_le_bytes());
    put_block(&mut body, head.base_name.as_bytes());
    body.extend_from_slice(&head.base_epoch.to_le_bytes());
    body.extend_from_slice(&head.base_digest);
    put_block(&mut body, authorities);
    for person in persons {
        put_block(&mut body, person.id.as_bytes());
        put_block(&mut body, &person.keys);
        put_block(&mut body, &person.record);
    }
    let mut bytes = Vec::with_capacity(body.len() + 40);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&sha256([body.as_slice()]));
    bytes.extend_from_slice(&body);
    bytes
}
