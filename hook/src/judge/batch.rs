//! Raw commits on their way from the walk to whoever examines them.

use countersign_policy::id::ObjectId;

/// Commits handed over at once: enough that the hand-over costs nothing beside 15 µs a commit, and few enough that all
/// are done at about the same time.
pub(super) const BATCH: usize = 8;

/// Raw commits, one behind the other: no allocation and no release on another thread for each.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<(ObjectId, usize)>,
}

impl Batch {
    /// For commits as they usually are.
    pub fn with_room() -> Self {
        Batch { bytes: Vec::with_capacity(BATCH * 1024), ends: Vec::with_capacity(BATCH) }
    }

    pub fn push(&mut self, id: ObjectId, raw: &[u8]) {
        self.bytes.extend_from_slice(raw);
        self.ends.push((id, self.bytes.len()));
    }

    pub fn commits_held(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes_held(&self) -> usize {
        self.bytes.len()
    }

    pub fn commits(&self) -> impl Iterator<Item = (ObjectId, &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let ranges = begins.zip(&self.ends);
        ranges.map(|(begin, (id, end))| (*id, self.bytes.get(begin..*end).unwrap_or_default()))
    }
}
