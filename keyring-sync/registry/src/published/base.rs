//! The base file: all persons of one epoch, in buckets by hash of what they are looked up by.
//!
//! ```text
//! header   magic, bits, epoch                              HEADER_LEN bytes; its SHA-256 is in the overlay
//! fan-out  offsets of 2^bits + 1 buckets, u64              bucket b = bytes [offset b, offset b+1)
//! bucket   SHA-256 over number, epoch and body (16 bytes), body: entries
//! entry    index key (32), tag, block                      tag 0: a person's record, 1: ids of persons
//! ```
//! Every bucket has its checksum, the empty ones too: a damaged offset never makes a person vanish.

use super::IndexKey;
use super::codec::{Input, damaged, put_block};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::KeyringError;
use countersign_policy::sha256::sha256;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: &[u8; 8] = b"CSKBASE1";
const HEADER_LEN: usize = 24;
const CHECKSUM_LEN: usize = 16;
/// 65,536 buckets hold 100,000 persons with a few KB each; a small registry takes fewer.
const BITS_MAX: u32 = 16;
/// A bucket is read whole. Far above what hashing 10 million entries evenly puts into one.
const BUCKET_MAX: u64 = 64 << 20;

const RECORD: u8 = 0;
const PERSONS: u8 = 1;

/// An open base file.
#[derive(Debug)]
pub(super) struct Base {
    file: File,
    bits: u32,
    epoch: u64,
    bytes_read: AtomicU64,
}

pub(super) enum OpenBase {
    Open(Base),
    /// Another publication has removed it since its name was read.
    Gone,
}

impl Base {
    /// `digest` is the SHA-256 of the header that the overlay vouches for.
    pub fn open(path: &Path, digest: &[u8; 32]) -> Result<OpenBase, KeyringError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(OpenBase::Gone),
            Err(error) => return Err(KeyringError(format!("{}: {error}", path.display()))),
        };
        let mut header = [0; HEADER_LEN];
        read_at(&file, &mut header, 0)?;
        if &sha256([header.as_slice()]) != digest {
            return Err(damaged("keyring base", "its header is not the published one"));
        }
        let mut input = Input::new(&header, "keyring base");
        if &input.array::<8>()? != MAGIC {
            return Err(damaged("keyring base", "it is of another format"));
        }
        let (bits, _) = (input.u32()?, input.u32()?);
        let epoch = input.u64()?;
        if bits > BITS_MAX {
            return Err(damaged("keyring base", "it has too many buckets"));
        }
        Ok(OpenBase::Open(Base { file, bits, epoch, bytes_read: AtomicU64::new(HEADER_LEN as u64) }))
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// The record stored under the key of a person's id.
    pub fn record(&self, key: &IndexKey) -> Result<Option<Vec<u8>>, KeyringError> {
        let body = self.bucket(bucket_of(key, self.bits))?;
        let mut found = None;
        each_entry(&body, |entry, tag, block| {
            if entry == key && tag == RECORD {
                found = Some(block.to_vec());
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub fn persons(&self, key: &IndexKey) -> Result<Vec<PersonId>, KeyringError> {
        let body = self.bucket(bucket_of(key, self.bits))?;
        let mut ids = Vec::new();
        each_entry(&body, |entry, tag, block| {
            if entry == key && tag == PERSONS {
                let mut input = Input::new(block, "keyring index");
                while !input.is_empty() {
                    let id = PersonId::new(input.text()?).map_err(|error| KeyringError(error.to_string()))?;
                    ids.push(id);
                }
            }
            Ok(())
        })?;
        Ok(ids)
    }

    pub fn each_record(&self, mut see: impl FnMut(&[u8]) -> Result<(), KeyringError>) -> Result<(), KeyringError> {
        for number in 0..1 << self.bits {
            each_entry(&self.bucket(number)?, |_, tag, block| if tag == RECORD { see(block) } else { Ok(()) })?;
        }
        Ok(())
    }

    /// Reads all of it; an error names what is damaged.
    pub fn check(&self) -> Result<(), KeyringError> {
        (0..1 << self.bits).try_for_each(|number| each_entry(&self.bucket(number)?, |_, _, _| Ok(())))
    }

    fn bucket(&self, number: u32) -> Result<Vec<u8>, KeyringError> {
        let mut offsets = [0; 16];
        self.read(&mut offsets, HEADER_LEN as u64 + 8 * u64::from(number))?;
        let mut input = Input::new(&offsets, "keyring base");
        let (from, until) = (input.u64()?, input.u64()?);
        let len = until.checked_sub(from).filter(|len| (CHECKSUM_LEN as u64..=BUCKET_MAX).contains(len));
        let len = len
            .and_then(|len| usize::try_from(len).ok())
            .ok_or_else(|| damaged("keyring base", "an offset is wrong"))?;
        let mut bytes = vec![0; len];
        self.read(&mut bytes, from)?;
        let mut input = Input::new(&bytes, "keyring base");
        let stored = input.array::<CHECKSUM_LEN>()?;
        let body = bytes.split_off(CHECKSUM_LEN);
        if checksum(number, self.epoch, &body) != stored {
            return Err(damaged("keyring base", "a checksum does not match"));
        }
        Ok(body)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), KeyringError> {
        self.bytes_read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        read_at(&self.file, buffer, offset)
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> Result<(), KeyringError> {
    file.read_exact_at(buffer, offset).map_err(|error| KeyringError(format!("keyring base: {error}")))
}

fn each_entry<'a>(
    body: &'a [u8],
    mut see: impl FnMut(&IndexKey, u8, &'a [u8]) -> Result<(), KeyringError>,
) -> Result<(), KeyringError> {
    let mut input = Input::new(body, "keyring base");
    while !input.is_empty() {
        let key = IndexKey(input.array()?);
        let [tag] = input.array()?;
        see(&key, tag, input.block()?)?;
    }
    Ok(())
}

fn bucket_of(key: &IndexKey, bits: u32) -> u32 {
    key.prefix().checked_shr(u32::BITS - bits).unwrap_or(0)
}

/// Half a SHA-256: enough against damage, which is all it is for.
fn checksum(number: u32, epoch: u64, body: &[u8]) -> [u8; CHECKSUM_LEN] {
    let whole = sha256([&number.to_le_bytes(), epoch.to_le_bytes().as_slice(), body]);
    whole.first_chunk().copied().unwrap_or_default()
}

/// Collects the persons of an epoch and writes them as one base file.
#[derive(Default)]
pub(super) struct BaseBuilder {
    records: Vec<(IndexKey, Vec<u8>)>,
    index: BTreeMap<IndexKey, Vec<u8>>,
}

impl BaseBuilder {
    /// `keys` is everything that leads to the person except the id.
    pub fn add(&mut self, id: &str, keys: &[u8], record: Vec<u8>) -> Result<(), KeyringError> {
        let id_checked = PersonId::new(id).map_err(|error| KeyringError(error.to_string()))?;
        self.records.push((IndexKey::person(&id_checked), record));
        for key in keys.as_chunks::<{ IndexKey::LEN }>().0 {
            put_block(self.index.entry(IndexKey(*key)).or_default(), id.as_bytes());
        }
        Ok(())
    }

    /// Returns the digest of the header. The caller syncs and renames the file.
    pub fn write(mut self, epoch: u64, out: &mut impl Write) -> io::Result<[u8; 32]> {
        self.records.sort_unstable_by_key(|(key, _)| *key);
        let count = self.records.len().saturating_add(self.index.len());
        let bits = count.checked_ilog2().unwrap_or(0).min(BITS_MAX);

        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&bits.to_le_bytes());
        header.extend_from_slice(&0u32.to_le_bytes());
        header.extend_from_slice(&epoch.to_le_bytes());

        let mut records = self.records.into_iter().peekable();
        let mut index = self.index.into_iter().peekable();
        let buckets = 1u32 << bits;
        let mut offset = HEADER_LEN as u64 + 8 * (u64::from(buckets) + 1);
        let mut fan_out = Vec::new();
        let mut data = Vec::new();
        fan_out.extend_from_slice(&offset.to_le_bytes());
        for number in 0..buckets {
            let mut body = Vec::new();
            while let Some((key, record)) = records.next_if(|(key, _)| bucket_of(key, bits) == number) {
                put_entry(&mut body, &key, RECORD, &record);
            }
            while let Some((key, ids)) = index.next_if(|(key, _)| bucket_of(key, bits) == number) {
                put_entry(&mut body, &key, PERSONS, &ids);
            }
            data.extend_from_slice(&checksum(number, epoch, &body));
            data.extend_from_slice(&body);
            offset = offset.saturating_add((CHECKSUM_LEN + body.len()) as u64);
            fan_out.extend_from_slice(&offset.to_le_bytes());
        }
        out.write_all(&header)?;
        out.write_all(&fan_out)?;
        out.write_all(&data)?;
        Ok(sha256([header.as_slice()]))
    }
}

fn put_entry(out: &mut Vec<u8>, key: &IndexKey, tag: u8, block: &[u8]) {
    out.extend_from_slice(&key.0);
    out.push(tag);
    put_block(out, block);
}
