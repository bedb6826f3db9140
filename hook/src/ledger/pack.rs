//! Many commits as one blob: 10,000 rows in a large index cost more than judging the commits.
//!
//! Exact bytes, whose SHA-256 the leaf names:
//! ```text
//! "CSP1"  id length (1 byte: 20 or 32)
//! n ids, ascending, each once
//! n times u16 big endian: position in the list of signers; 0xffff: nobody
//! n times u16 big endian: position in the list of findings; 0xffff: none
//! ```

use super::LedgerError;
use countersign_policy::id::{Fingerprint, ObjectId, PersonId};
use countersign_policy::sha256::sha256;
use rusqlite::blob::Blob;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const MAGIC: &[u8; 4] = b"CSP1";
const HEADER: usize = 5;
const NONE: u16 = u16::MAX;
/// More signers or findings than this in one update are no push but an attack.
pub const LIST_MAX: usize = NONE as usize;
/// Most ids in one pack: with 36 bytes each it stays under 250 MB, well below SQLite's limit.
pub const IDS_MAX: usize = 7_000_000;

/// Whose key made a signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signer {
    pub key: Fingerprint,
    pub person: PersonId,
    /// The SSH CA or X.509 root on whose word the key counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Fingerprint>,
    /// `ssh`, `openpgp`, `x509`.
    pub format: String,
}

/// The ids of one update or one enrolment, sorted, with who signed each and what was found.
///
/// Read from a leaf it is only the summary; the bytes are stored beside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    count: u32,
    /// Lower-case hex SHA-256 of the bytes.
    digest: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signers: Vec<Signer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

/// One entry of a pack; the positions are those in its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: ObjectId,
    pub signer: Option<u16>,
    pub finding: Option<u16>,
}

/// Gathers commits in any order.
#[derive(Debug, Default)]
pub struct PackBuilder {
    entries: Vec<Entry>,
    signers: Interned<Signer>,
    findings: Interned<String>,
}

#[derive(Debug)]
struct Interned<T> {
    list: Vec<T>,
    positions: HashMap<T, u16>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Interned { list: Vec::new(), positions: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    fn position<Q>(&mut self, what: &'static str, value: &Q) -> Result<u16, LedgerError>
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + std::hash::Hash + ToOwned<Owned = T> + ?Sized,
    {
        if let Some(&position) = self.positions.get(value) {
            return Ok(position);
        }
        let too_many = LedgerError::TooLarge { what, size: self.list.len() + 1, max: LIST_MAX };
        let position = u16::try_from(self.list.len()).ok().filter(|&position| position != NONE).ok_or(too_many)?;
        self.list.push(value.to_owned());
        self.positions.insert(value.to_owned(), position);
        Ok(position)
    }
}

impl PackBuilder {
    pub fn new() -> Self {
        PackBuilder::default()
    }

    /// `refused` is the id of the finding for which the commit was not accepted.
    /// An id that is added twice keeps what was said first.
    pub fn add(&mut self, id: ObjectId, signer: Option<&Signer>, refused: Option<&str>) -> Result<(), LedgerError> {
        if self.entries.first().is_some_and(|first| first.id.format() != id.format()) {
            return Err(LedgerError::Mixed);
        }
        let signer = signer.map(|signer| self.signers.position("list of signers", signer)).transpose()?;
        let finding = refused.map(|finding| self.findings.position("list of findings", finding)).transpose()?;
        self.entries.push(Entry { id, signer, finding });
        Ok(())
    }

    pub fn build(mut self) -> Result<Pack, LedgerError> {
        self.entries.sort_by_key(|entry| entry.id);
        self.entries.dedup_by_key(|entry| entry.id);
        let Some(first) = self.entries.first() else { return Ok(Pack::default()) };
        let too_large = LedgerError::TooLarge { what: "pack", size: self.entries.len(), max: IDS_MAX };
        let count =
            u32::try_from(self.entries.len()).ok().filter(|_| self.entries.len() <= IDS_MAX).ok_or(too_large)?;
        let id_len = first.id.format().id_len();
        let mut bytes = Vec::with_capacity(HEADER + self.entries.len() * (id_len + 4));
        bytes.extend_from_slice(MAGIC);
        bytes.push(if id_len == 20 { 20 } else { 32 });
        self.entries.iter().for_each(|entry| bytes.extend_from_slice(entry.id.as_bytes()));
        for column in [|entry: &Entry| entry.signer, |entry: &Entry| entry.finding] {
            self.entries.iter().for_each(|entry| bytes.extend(column(entry).unwrap_or(NONE).to_be_bytes()));
        }
        let digest = hex::encode(sha256([bytes.as_slice()]));
        Ok(Pack { count, digest, signers: self.signers.list, findings: self.findings.list, bytes })
    }
}

impl Pack {
    /// Ids alone: the tips of an enrolment.
    pub fn of_ids(ids: impl IntoIterator<Item = ObjectId>) -> Result<Pack, LedgerError> {
        let mut builder = PackBuilder::new();
        ids.into_iter().try_for_each(|id| builder.add(id, None, None))?;
        builder.build()
    }

    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Lower-case hex SHA-256 of the bytes described above.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives a summary its bytes back, if they are the ones it names.
    pub(super) fn fill(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        if hex::encode(sha256([bytes.as_slice()])) != self.digest {
            return Err("its commit pack is not the one its leaf names".to_owned());
        }
        self.bytes = bytes;
        let entries = self.entries();
        let listed = |position: Option<u16>, len: usize| position.is_none_or(|position| usize::from(position) < len);
        let sound = entries.len() == self.len()
            && entries.is_sorted_by(|a, b| a.id < b.id)
            && entries.iter().all(|e| listed(e.signer, self.signers.len()) && listed(e.finding, self.findings.len()));
        if sound { Ok(()) } else { Err("its commit pack is malformed".to_owned()) }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        View::new(&self.bytes).map(|view| view.entries().collect()).unwrap_or_default()
    }

    pub(super) fn first_and_last(&self) -> Option<(ObjectId, ObjectId)> {
        let view = View::new(&self.bytes)?;
        Some((view.id(0)?, view.id(view.count.checked_sub(1)?)?))
    }
}

/// Read access to the bytes of a pack.
pub(super) struct View<'a> {
    bytes: &'a [u8],
    id_len: usize,
    count: usize,
}

impl<'a> View<'a> {
    /// `None`: these are not the bytes of a pack.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let id_len = match header.strip_prefix(MAGIC)? {
            [20] => 20,
            [32] => 32,
            _ => return None,
        };
        let count = rest.len() / (id_len + 4);
        (rest.len() == count * (id_len + 4)).then_some(View { bytes, id_len, count })
    }

    fn id(&self, at: usize) -> Option<ObjectId> {
        let start = HEADER + at * self.id_len;
        ObjectId::from_bytes(self.bytes.get(start..start + self.id_len)?)
    }

    fn position(&self, column: usize, at: usize) -> Option<u16> {
        let start = HEADER + self.count * self.id_len + 2 * (column * self.count + at);
        match self.bytes.get(start..start + 2)? {
            [high, low] => Some(u16::from_be_bytes([*high, *low])).filter(|&position| position != NONE),
            _ => None,
        }
    }

    pub fn entry(&self, at: usize) -> Option<Entry> {
        let id = self.id(at).filter(|_| at < self.count)?;
        Some(Entry { id, signer: self.position(0, at), finding: self.position(1, at) })
    }

    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.count).filter_map(|at| self.entry(at))
    }

    pub fn find(&self, id: &ObjectId) -> Option<Entry> {
        let at = search(self.count, |at| Ok::<_, ()>(self.id(at).map(|here| here.cmp(id)))).ok()??;
        self.entry(at)
    }
}

/// Looks one id up in a stored pack of `count` ids without reading all of it.
pub(super) fn find_in_blob(blob: &Blob<'_>, count: usize, id: &ObjectId) -> Result<Option<Entry>, rusqlite::Error> {
    let id_len = id.format().id_len();
    if blob.len() != HEADER + count * (id_len + 4) {
        return Ok(None); // of the other object format
    }
    let mut raw = [0; 32];
    let raw = raw.get_mut(..id_len).unwrap_or_default();
    let found = search(count, |at| {
        blob.read_at_exact(raw, HEADER + at * id_len)?;
        Ok::<_, rusqlite::Error>(Some((*raw).cmp(id.as_bytes())))
    })?;
    let Some(at) = found else { return Ok(None) };
    let position = |column: usize| {
        let mut raw = [0; 2];
        blob.read_at_exact(&mut raw, HEADER + count * id_len + 2 * (column * count + at))?;
        Ok::<_, rusqlite::Error>(Some(u16::from_be_bytes(raw)).filter(|&position| position != NONE))
    };
    Ok(Some(Entry { id: *id, signer: position(0)?, finding: position(1)? }))
}

/// Binary search where `order` compares the element at a position with what is sought.
fn search<E>(
    count: usize,
    mut order: impl FnMut(usize) -> Result<Option<std::cmp::Ordering>, E>,
) -> Result<Option<usize>, E> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match order(middle)? {
            Some(Equal) => return Ok(Some(middle)),
            Some(Less) => low = middle + 1,
            Some(Greater) => high = middle,
            None => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    fn signer(name: &str) -> Signer {
        Signer {
            key: Fingerprint::new(&format!("SHA256:{name}")).unwrap(),
            person: PersonId::new(name).unwrap(),
            authority: None,
            format: "ssh".into(),
        }
    }

    #[test]
    fn the_bytes_are_as_documented() {
        let mut builder = PackBuilder::new();
        builder.add(id(9), Some(&signer("alice")), None).unwrap();
        builder.add(id(1), Some(&signer("bob")), Some("key-revoked")).unwrap();
        builder.add(id(5), None, Some("unsigned")).unwrap();
        builder.add(id(5), Some(&signer("bob")), None).unwrap();
        let pack = builder.build().unwrap();
        let mut expected = b"CSP1\x14".to_vec();
        [1, 5, 9].iter().for_each(|&n| expected.extend([n; 20]));
        expected.extend([0, 1, 0xff, 0xff, 0, 0]);
        expected.extend([0, 0, 0, 1, 0xff, 0xff]);
        assert_eq!(pack.bytes(), expected);
        assert_eq!(pack.digest(), hex::encode(sha256([expected.as_slice()])));
        assert_eq!(pack.len(), 3);
        let view = View::new(pack.bytes()).unwrap();
        assert_eq!(view.find(&id(5)), Some(Entry { id: id(5), signer: None, finding: Some(1) }));
        assert_eq!(view.find(&id(4)), None);
        assert_eq!(view.entry(3), None, "the columns behind the ids are no ids");
    }

    #[test]
    fn a_summary_takes_back_only_its_own_bytes() {
        let pack = Pack::of_ids([id(1), id(2)]).unwrap();
        let mut summary: Pack = serde_json::from_slice(&serde_json::to_vec(&pack).unwrap()).unwrap();
        assert!(summary.bytes().is_empty());
        assert!(summary.fill(Pack::of_ids([id(1), id(3)]).unwrap().bytes().to_vec()).is_err());
        summary.fill(pack.bytes().to_vec()).unwrap();
        assert_eq!(summary, pack);
        assert!(Pack::default().is_empty() && Pack::of_ids([]).unwrap().is_empty());
    }

    #[test]
    fn ids_of_two_formats_make_no_pack() {
        let long = ObjectId::from_bytes(&[1; 32]).unwrap();
        assert!(matches!(Pack::of_ids([id(1), long]), Err(LedgerError::Mixed)));
    }
}
