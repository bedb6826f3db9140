//! `packed-refs`, searched in the file: with 100,000 refs it has 6 MB, of which a push needs a line.

use super::GitError;
use countersign_policy::id::ObjectId;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is read at once while the range of a name is halved: some dozens of lines.
const PROBE: usize = 4096;

/// A range that is no larger is read whole.
const RANGE: u64 = 8 * 1024;

/// The file as it was when it was opened: git replaces it, and never writes into it.
#[derive(Debug)]
pub struct PackedRefs {
    path: PathBuf,
    file: File,
    len: u64,
    /// Git says so in the first line; other programs may not sort.
    sorted: bool,
}

impl PackedRefs {
    /// `None`: nothing is packed.
    pub fn open(path: &Path) -> Result<Option<Self>, GitError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(GitError::Io { path: path.to_owned(), source }),
        };
        let len = file.metadata().map_err(GitError::io(path))?.len();
        let mut packed = PackedRefs { path: path.to_owned(), file, len, sorted: false };
        let start = packed.read(0, PROBE as u64)?;
        packed.sorted = start
            .split(|&b| b == b'\n')
            .next()
            .is_some_and(|line| line.starts_with(b"#") && line.split(|&b| b == b' ').any(|word| word == b"sorted"));
        Ok(Some(packed))
    }

    /// The id that the file has for `name`.
    pub fn find(&self, name: &[u8]) -> Result<Option<ObjectId>, GitError> {
        let (from, to) = if self.sorted { self.range_of(name)? } else { (0, self.len) };
        let bytes = self.read(from, to - from)?;
        Ok(lines(&bytes).find(|(found, _)| *found == name).map(|(_, id)| id))
    }

    /// All of it, for [`lines`].
    pub fn all(&self) -> Result<Vec<u8>, GitError> {
        self.read(0, self.len)
    }

    /// A short part of the file that holds the line of `name`, if there is one.
    fn range_of(&self, name: &[u8]) -> Result<(u64, u64), GitError> {
        // INVARIANT: both are beginnings of lines, or the end of the file; the line sought begins between them.
        let (mut low, mut high) = (0, self.len);
        while high - low > RANGE {
            let middle = low + (high - low) / 2;
            let probe = self.read(middle, PROBE as u64)?;
            let Some((at, found)) = whole_line(&probe) else { break };
            let begin = middle + at as u64;
            if begin >= high {
                break;
            }
            if found <= name { low = begin } else { high = begin }
        }
        Ok((low, high))
    }

    /// Less at the end of the file.
    fn read(&self, from: u64, count: u64) -> Result<Vec<u8>, GitError> {
        let count = count.min(self.len.saturating_sub(from));
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, from).map_err(GitError::io(&self.path))?;
        Ok(bytes)
    }
}

/// The first ref that begins in `probe` after a line's end and is there whole: where, and its name.
fn whole_line(probe: &[u8]) -> Option<(usize, &[u8])> {
    let mut at = probe.iter().position(|&b| b == b'\n')? + 1;
    loop {
        let rest = probe.get(at..)?;
        let end = rest.iter().position(|&b| b == b'\n')?;
        if let Some((name, _)) = parsed(rest.get(..end)?) {
            return Some((at, name));
        }
        at += end + 1;
    }
}

/// Names and ids. The header and what tags are peeled to are no refs.
pub fn lines(packed: &[u8]) -> impl Iterator<Item = (&[u8], ObjectId)> {
    packed.split(|&b| b == b'\n').filter_map(parsed)
}

fn parsed(line: &[u8]) -> Option<(&[u8], ObjectId)> {
    if matches!(line.first(), None | Some(b'#' | b'^')) {
        return None;
    }
    let space = line.iter().position(|&b| b == b' ')?;
    Some((line.get(space + 1..)?.trim_ascii_end(), ObjectId::from_hex(line.get(..space)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "# pack-refs with: peeled fully-peeled sorted \n";

    fn id(number: usize) -> String {
        format!("{number:040x}")
    }

    /// Every third ref is a tag that is peeled; names are of very different lengths.
    fn text(count: usize) -> (String, Vec<String>) {
        let name = |number: usize| format!("refs/heads/{number:06}{}", "x".repeat(number * 7919 % 211));
        let names: Vec<String> = (0..count).map(|number| name(2 * number)).collect();
        let mut text = HEADER.to_owned();
        for (number, name) in names.iter().enumerate() {
            text += &format!("{} {name}\n", id(number));
            if number % 3 == 0 {
                text += &format!("^{}\n", id(number + 1_000_000));
            }
        }
        (text, names)
    }

    fn opened(text: &str) -> (tempfile::TempDir, PackedRefs) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packed-refs");
        std::fs::write(&path, text).unwrap();
        let packed = PackedRefs::open(&path).unwrap().unwrap();
        (folder, packed)
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        for count in [0, 1, 2, 300, 2000] {
            let (text, names) = text(count);
            let (_folder, packed) = opened(&text);
            assert!(packed.sorted);
            for (number, name) in names.iter().enumerate() {
                assert_eq!(packed.find(name.as_bytes()).unwrap(), ObjectId::from_hex(id(number).as_bytes()), "{name}");
                let (shorter, longer) = (&name[..name.len() - 1], format!("{name}~"));
                assert_eq!(packed.find(shorter.as_bytes()).unwrap(), None);
                assert_eq!(packed.find(longer.as_bytes()).unwrap(), None);
            }
            for other in ["", "refs/heads/000001", "refs/a", "refs/zzz", "#", "^"] {
                assert_eq!(packed.find(other.as_bytes()).unwrap(), None);
            }
        }
    }

    #[test]
    fn what_is_not_sorted_is_read_through() {
        let text = format!("{} refs/heads/z\n{} refs/heads/a\n", id(1), id(2));
        let (_folder, packed) = opened(&text);
        assert!(!packed.sorted);
        assert_eq!(packed.find(b"refs/heads/a").unwrap(), ObjectId::from_hex(id(2).as_bytes()));
        let (_folder, unsorted) = opened(&format!("# pack-refs with: peeled unsorted \n{text}"));
        assert!(!unsorted.sorted);
    }

    #[test]
    fn a_name_longer_than_a_probe_costs_time_and_no_answer() {
        let long = |letter: &str| format!("refs/heads/{}", letter.repeat(2 * PROBE));
        let names: Vec<String> = ('a'..='z').map(|letter| long(&letter.to_string())).collect();
        let mut text = HEADER.to_owned();
        for (number, name) in names.iter().enumerate() {
            text += &format!("{} {name}\n", id(number));
        }
        let (_folder, packed) = opened(&text);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(packed.find(name.as_bytes()).unwrap(), ObjectId::from_hex(id(number).as_bytes()));
        }
    }

    #[test]
    fn few_reads_find_a_line_among_very_many() {
        let (text, names) = text(20_000);
        let (_folder, packed) = opened(&text);
        let (from, to) = packed.range_of(names[12_345].as_bytes()).unwrap();
        assert!(to - from <= RANGE && text.len() as u64 > 50 * RANGE);
    }

    #[test]
    fn a_file_cut_short_is_an_error_and_none_is_nothing() {
        let (folder, packed) = opened(&text(100).0);
        std::fs::OpenOptions::new().write(true).open(folder.path().join("packed-refs")).unwrap().set_len(10).unwrap();
        assert!(packed.find(b"refs/heads/000000").is_err());
        assert!(PackedRefs::open(&folder.path().join("other")).unwrap().is_none());
    }
}
