//! One hook call: who pushes, from where, to which repository, which ref updates.

use countersign_policy::config::Limits;
use countersign_policy::id::{ObjectFormat, ObjectId, RefName};
use std::io::{BufRead, Read};

/// One line of a hook's input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefUpdate {
    pub name: RefName,
    pub old: ObjectId,
    pub new: ObjectId,
}

impl RefUpdate {
    pub fn is_creation(&self) -> bool {
        self.old.is_zero()
    }

    pub fn is_deletion(&self) -> bool {
        self.new.is_zero()
    }
}

/// Bytes of all ref names of one push: each stands several times in its record, which is limited too.
const NAMES_MAX: usize = 3 * 1024 * 1024;

/// The hook's input is not what git writes, or is too much of it.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("reading the ref updates: {0}")]
    Io(#[from] std::io::Error),
    #[error("line {0} of the ref updates is not `old new ref`")]
    Malformed(usize),
    #[error("the push updates more than {0} refs")]
    TooManyRefs(usize),
    #[error("a ref name is longer than {0} bytes")]
    NameTooLong(usize),
    #[error("the names of all refs in the push are longer than {NAMES_MAX} bytes together")]
    NamesTooLong,
    #[error("line {0} mixes object formats")]
    MixedFormats(usize),
}

/// Reads `old SP new SP ref LF` lines. A symbolic new value (`ref:…`, git 2.46 and later) is left out: a symbolic ref
/// is asked for where it leads when somebody pushes to it. A symbolic old value is as good as none.
pub fn read_updates(input: impl Read, limits: &Limits) -> Result<Vec<RefUpdate>, InputError> {
    // Two ids of at most 64 digits, two spaces, a name and a line feed.
    let line_max = limits.ref_name_bytes + 131;
    let mut reader = std::io::BufReader::new(input);
    let mut updates: Vec<RefUpdate> = Vec::new();
    let mut format: Option<ObjectFormat> = None;
    let mut names = 0;
    for number in 1.. {
        let mut line = Vec::new();
        let read = reader.by_ref().take(line_max as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if read > line_max {
            return Err(InputError::NameTooLong(limits.ref_name_bytes));
        }
        if updates.len() == limits.refs {
            return Err(InputError::TooManyRefs(limits.refs));
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let (Some(old), Some(new), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InputError::Malformed(number));
        };
        if new.starts_with(b"ref:") {
            continue;
        }
        let new = ObjectId::from_hex(new).ok_or(InputError::Malformed(number))?;
        let old = match old.starts_with(b"ref:") {
            true => ObjectId::zero(new.format()),
            false => ObjectId::from_hex(old).ok_or(InputError::Malformed(number))?,
        };
        if old.format() != new.format() || *format.get_or_insert(old.format()) != old.format() {
            return Err(InputError::MixedFormats(number));
        }
        // A client can name a ref so that nothing is left; git refuses that name after us.
        if name.contains(&0) {
            return Err(InputError::Malformed(number));
        }
        if name.len() > limits.ref_name_bytes {
            return Err(InputError::NameTooLong(limits.ref_name_bytes));
        }
        names += name.len();
        if names > NAMES_MAX {
            return Err(InputError::NamesTooLong);
        }
        updates.push(RefUpdate { name: RefName::new(name), old, new });
    }
    Ok(updates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<RefUpdate>, InputError> {
        read_updates(text.as_bytes(), &Limits { refs: 3, ref_name_bytes: 40, ..Limits::default() })
    }

    #[test]
    fn lines_are_read_as_git_writes_them() {
        let (a, z) = ("a".repeat(40), "0".repeat(40));
        let updates = read(&format!("{z} {a} refs/heads/ma in\n{a} {z} refs/tags/v1\n")).unwrap();
        assert!(updates[0].is_creation() && updates[1].is_deletion());
        assert_eq!(updates[0].name.as_bytes(), b"refs/heads/ma in");
        assert!(read("").unwrap().is_empty());
        assert_eq!(read(&format!("{z} {a} \n")).unwrap()[0].name.as_bytes(), b"", "a name like others");
        assert_eq!(read(&format!("ref:refs/heads/a ref:refs/heads/b HEAD\n{z} {a} refs/heads/x\n")).unwrap().len(), 1);
        let made_direct = read(&format!("ref:refs/heads/a {a} refs/heads/b\n")).unwrap();
        assert!(made_direct[0].is_creation(), "what a symbolic ref becomes is judged");
    }

    #[test]
    fn what_git_does_not_write_is_refused() {
        let (a, z) = ("a".repeat(40), "0".repeat(40));
        for bad in [
            "x y z\n".to_owned(),
            format!("{a} {z}\n"),
            format!("{a} {z} refs/heads/\0\n"),
            format!("{a} {} refs/heads/x\n", "0".repeat(64)),
            format!("{a} {z} refs/heads/{}\n", "x".repeat(40)),
            format!("{z} {a} refs/heads/x\n").repeat(4),
            format!("{} {z} refs/heads/x\n", "A".repeat(40)),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
