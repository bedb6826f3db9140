//! The pack that a push brought along, read directly: small whole commits, which is nearly all that a walk asks for.
//!
//! What lies here otherwise (deltas, large commits, trees, damaged entries) is left to libgit2, which reads one object
//! in three look-ups and inflates the end of each byte by byte. Nothing is believed of either: what is judged is
//! hashed afterwards.
//!
//! Formats: Git's `gitformat-pack`, index version 2.

use countersign_policy::id::{ObjectFormat, ObjectId};
use libdeflater::Decompressor;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A larger index is left to libgit2: it would be held in memory, 28 bytes an object.
const INDEX_MAX: u64 = 64 * 1024 * 1024;

/// A push brings one pack. More are no hurry's business.
const PACKS_MAX: usize = 4;

/// A larger commit is left to libgit2.
const COMMIT_MAX: usize = 32 * 1024;

/// Read at once. Git writes commits one behind the other, newest first, so that the next is mostly there already.
const WINDOW: usize = 128 * 1024;

/// Of an entry's header: 63 bits of size, 4 in the first byte and 7 in each other.
const ENTRY_HEADER_MAX: usize = 10;

const INDEX_MAGIC: &[u8] = b"\xfftOc\0\0\0\x02";
const FANOUT: usize = 256;
const COMMIT: u8 = 1;

/// The packs of a quarantine.
#[derive(Debug, Default)]
pub struct PushedPacks(Vec<PushedPack>);

impl PushedPacks {
    /// Those in `store`, an `objects` folder; none where anything is unusual.
    pub fn of(store: &Path, format: ObjectFormat) -> Self {
        let Ok(entries) = std::fs::read_dir(store.join("pack")) else { return PushedPacks::default() };
        let paths = entries.flatten().map(|entry| entry.path());
        let indexes: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|kind| kind == "idx")).collect();
        if indexes.len() > PACKS_MAX {
            return PushedPacks::default();
        }
        PushedPacks(indexes.iter().filter_map(|index| PushedPack::open(index, format)).collect())
    }

    /// Hands a commit of at most `max` bytes to `use_bytes`; `None` leaves the object to libgit2.
    pub fn commit<T>(&self, id: &ObjectId, max: usize, use_bytes: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let (pack, offset) = self.0.iter().find_map(|pack| Some((pack, pack.offset(id)?)))?;
        pack.commit(offset, max, use_bytes)
    }

    /// Whether any of them holds the object; false says nothing.
    pub fn hold(&self, id: &ObjectId) -> bool {
        self.0.iter().any(|pack| pack.offset(id).is_some())
    }
}

struct PushedPack {
    file: File,
    index: Vec<u8>,
    /// Objects.
    count: usize,
    id_len: usize,
    reader: RefCell<Reader>,
}

impl std::fmt::Debug for PushedPack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushedPack").field("count", &self.count).finish_non_exhaustive()
    }
}

/// A part of the file, and room for one commit.
struct Reader {
    window: Vec<u8>,
    /// Where the window begins in the file.
    at: u64,
    inflate: Decompressor,
    commit: Vec<u8>,
}

impl PushedPack {
    fn open(index: &Path, format: ObjectFormat) -> Option<Self> {
        let file = File::open(index.with_extension("pack")).ok()?;
        if std::fs::metadata(index).ok()?.len() > INDEX_MAX {
            return None;
        }
        let index = std::fs::read(index).ok()?;
        let id_len = ObjectId::zero(format).as_bytes().len();
        let pack = PushedPack {
            file,
            count: 0,
            id_len,
            reader: RefCell::new(Reader {
                window: Vec::new(),
                at: 0,
                inflate: Decompressor::new(),
                commit: Vec::new(),
            }),
            index,
        };
        if !pack.index.starts_with(INDEX_MAGIC) {
            return None;
        }
        let count = pack.fanout(FANOUT - 1)?;
        // Names, checksums, offsets; far offsets and two checksums follow.
        let least = pack.names().checked_add(count.checked_mul(id_len + 8)?)?.checked_add(2 * id_len)?;
        (pack.index.len() >= least).then_some(PushedPack { count, ..pack })
    }

    fn names(&self) -> usize {
        INDEX_MAGIC.len() + 4 * FANOUT
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.index.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    }

    /// How many objects have a first byte up to this one.
    fn fanout(&self, first: usize) -> Option<usize> {
        usize::try_from(self.number(INDEX_MAGIC.len() + 4 * first)?).ok()
    }

    fn name(&self, place: usize) -> Option<&[u8]> {
        self.index.get(self.names() + place * self.id_len..)?.get(..self.id_len)
    }

    /// Where the entry of the object begins.
    fn offset(&self, id: &ObjectId) -> Option<u64> {
        let wanted = id.as_bytes();
        let first = usize::from(*wanted.first()?);
        let mut low = if first == 0 { 0 } else { self.fanout(first - 1)? };
        let mut high = self.fanout(first)?.min(self.count);
        // The first eight bytes decide almost always.
        let begin = |name: &[u8]| name.first_chunk().map(|first| u64::from_be_bytes(*first));
        let wanted_begin = begin(wanted);
        while low < high {
            let middle = low + (high - low) / 2;
            let name = self.name(middle)?;
            match begin(name).cmp(&wanted_begin).then_with(|| name.cmp(wanted)) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let offsets = self.names() + self.count * (self.id_len + 4);
                    let offset = self.number(offsets + 4 * middle)?;
                    // The highest bit says that it stands in the table of far offsets: a pack beyond 2 GiB.
                    return (offset >> 31 == 0).then_some(offset.into());
                }
            }
        }
        None
    }

    fn commit<T>(&self, offset: u64, max: usize, use_bytes: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut reader = self.reader.try_borrow_mut().ok()?;
        let Reader { window, at, inflate, commit } = &mut *reader;
        let entry = bytes_at(&self.file, window, at, offset, ENTRY_HEADER_MAX)?;
        let (kind, size, header) = entry_header(entry)?;
        if kind != COMMIT || size > max.min(COMMIT_MAX) {
            return None;
        }
        let entry = bytes_at(&self.file, window, at, offset, header + deflated_max(size))?;
        commit.resize(size, 0);
        let inflated = inflate.zlib_decompress(entry.get(header..)?, commit).ok()?;
        (inflated == size).then(|| use_bytes(commit))
    }
}

/// The bytes from `offset` on: at least `len`, or all that there are.
fn bytes_at<'w>(file: &File, window: &'w mut Vec<u8>, at: &mut u64, offset: u64, len: usize) -> Option<&'w [u8]> {
    let inside = offset.checked_sub(*at).and_then(|from| usize::try_from(from).ok());
    let known = inside.filter(|from| from.checked_add(len).is_some_and(|end| end <= window.len()));
    if known.is_none() {
        window.resize(WINDOW.max(len), 0);
        let mut filled = 0;
        while let Some(rest) = window.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => {
                    window.clear();
                    return None;
                }
            }
        }
        window.truncate(filled);
        *at = offset;
    }
    window.get(known.unwrap_or(0)..)
}

/// Kind, size when inflated, and length of the header.
fn entry_header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let first = *bytes.first()?;
    let (mut size, mut shift, mut length) = (usize::from(first & 15), 4, 1);
    let mut more = first & 0x80 != 0;
    while more {
        let byte = *bytes.get(length).filter(|_| length < ENTRY_HEADER_MAX)?;
        size |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        length += 1;
        more = byte & 0x80 != 0;
    }
    Some((first >> 4 & 7, size, length))
}

/// What a deflater needs for `size` bytes that it cannot make smaller. Whoever needs more leaves it to libgit2.
fn deflated_max(size: usize) -> usize {
    size + size / 8 + 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use tempfile::TempDir;

    fn git(folder: &Path, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(args).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        output.stdout
    }

    /// A bare repository with one pack of `count` commits, all much alike.
    fn packed(format: &str, count: usize) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let option = format!("--object-format={format}");
        git(folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", &option], b"");
        let mut stream = String::new();
        for number in 0..count {
            let message = format!("change {number}\n\n{}\n", "the same again and again\n".repeat(number % 7 * 40));
            stream.push_str(&format!(
                "commit refs/heads/main\ncommitter A <a@example.com> {} +0000\ndata {}\n{message}M 100644 inline f\ndata 2\n{}\n",
                1_700_000_000 + number,
                message.len(),
                number % 10,
            ));
        }
        git(folder.path(), &["fast-import", "--quiet"], stream.as_bytes());
        git(folder.path(), &["repack", "-adfq"], b"");
        folder
    }

    /// All objects with their kinds.
    fn objects(folder: &Path) -> Vec<(ObjectId, String)> {
        let format = "--batch-check=%(objectname) %(objecttype)";
        let listed = git(folder, &["cat-file", "--batch-all-objects", format], b"");
        let lines = String::from_utf8(listed).unwrap();
        let line = |line: &str| {
            let (id, kind) = line.split_once(' ').unwrap();
            (ObjectId::from_hex(id.as_bytes()).unwrap(), kind.to_owned())
        };
        lines.lines().map(line).collect()
    }

    #[test]
    fn commits_are_read_as_git_wrote_them_and_all_else_is_left() {
        for (word, format) in [("sha1", ObjectFormat::Sha1), ("sha256", ObjectFormat::Sha256)] {
            let folder = packed(word, 60);
            let packs = PushedPacks::of(&folder.path().join("objects"), format);
            let (mut read, mut left) = (0, 0);
            for (id, kind) in objects(folder.path()) {
                assert!(packs.hold(&id));
                match packs.commit(&id, COMMIT_MAX, <[u8]>::to_vec) {
                    Some(bytes) => {
                        assert_eq!(bytes, git(folder.path(), &["cat-file", "commit", &id.to_string()], b""));
                        assert!(packs.commit(&id, bytes.len() - 1, |_| ()).is_none(), "one byte too many");
                        read += 1;
                    }
                    None => left += usize::from(kind == "commit"),
                }
                assert!(kind == "commit" || packs.commit(&id, COMMIT_MAX, |_| ()).is_none(), "{kind}");
            }
            assert!(read > 0 && left > 0, "{read} read, {left} are deltas");
            assert!(
                !packs.hold(&ObjectId::zero(format)) && packs.commit(&ObjectId::zero(format), 1000, |_| ()).is_none()
            );
            let other = if format == ObjectFormat::Sha1 { ObjectFormat::Sha256 } else { ObjectFormat::Sha1 };
            let stranger = PushedPacks::of(&folder.path().join("objects"), other);
            assert!(objects(folder.path()).iter().all(|(id, _)| stranger.commit(id, COMMIT_MAX, |_| ()).is_none()));
        }
    }

    #[test]
    fn whatever_byte_is_wrong_nothing_breaks() {
        let folder = packed("sha1", 3);
        let store = folder.path().join("objects");
        let ids: Vec<ObjectId> = objects(folder.path()).into_iter().map(|(id, _)| id).collect();
        let files = std::fs::read_dir(store.join("pack")).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|kind| kind != "rev")).collect();
        for file in files {
            git(folder.path(), &["config", "gc.auto", "0"], b"");
            let good = std::fs::read(&file).unwrap();
            std::fs::remove_file(&file).unwrap();
            for (place, cut) in (0..good.len()).flat_map(|place| [(place, false), (place, true)]) {
                let mut bad = good.clone();
                bad[place] ^= 0xff;
                bad.truncate(if cut { place } else { good.len() });
                std::fs::write(&file, &bad).unwrap();
                let packs = PushedPacks::of(&store, ObjectFormat::Sha1);
                for id in &ids {
                    assert!(packs.commit(id, 1000, <[u8]>::len).is_none_or(|len| len <= 1000));
                }
            }
            std::fs::write(&file, &good).unwrap();
        }
    }

    #[test]
    fn an_entry_says_kind_and_size() {
        assert_eq!(entry_header(&[0x15]), Some((1, 5, 1)));
        assert_eq!(entry_header(&[0x95, 0x01]), Some((1, 0x15, 2)));
        assert_eq!(entry_header(&[0xb0, 0x80, 0x01]), Some((3, 1 << 11, 3)));
        assert_eq!(entry_header(&[0x95]), None, "cut");
        assert_eq!(entry_header(&[0xff; 12]), None, "longer than any size");
        assert_eq!(entry_header(&[]), None);
    }
}
