//! Raw commits and tags, and what git's own reader takes out of them.

use std::collections::HashSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    Commit,
    Tag,
}

pub const BOTH: [What; 2] = [What::Commit, What::Tag];

impl What {
    pub fn name(self) -> &'static str {
        match self {
            What::Commit => "commit",
            What::Tag => "tag",
        }
    }

    /// What is signed where nothing else is said.
    pub fn payload(self) -> Vec<u8> {
        match self {
            What::Commit => COMMIT.as_bytes().to_vec(),
            What::Tag => TAG.as_bytes().to_vec(),
        }
    }

    /// The object with its signature where git puts it.
    pub fn signed(self, payload: &[u8], signature: &[u8]) -> Vec<u8> {
        match self {
            What::Commit => {
                let end = payload.windows(2).position(|pair| pair == b"\n\n").map_or(payload.len(), |at| at + 1);
                with_header(payload, end, &folded(signature))
            }
            What::Tag => [payload, signature].concat(),
        }
    }
}

pub const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
pub const PARENT: &str = "parent 1111111111111111111111111111111111111111\n";
pub const AUTHOR: &str = "author Alice <alice@example.com> 1750000000 +0000\n";
pub const COMMITTER: &str = "committer Alice <alice@example.com> 1750000100 +0200\n";
pub const MESSAGE: &str = "\nAdd a line\n\nBecause it was missing.\n";
pub const COMMIT: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
    parent 1111111111111111111111111111111111111111\n\
    author Alice <alice@example.com> 1750000000 +0000\n\
    committer Alice <alice@example.com> 1750000100 +0200\n\
    \nAdd a line\n\nBecause it was missing.\n";

pub const TAG_HEAD: &str = "object 1111111111111111111111111111111111111111\ntype commit\ntag v1.0\n";
pub const TAGGER: &str = "tagger Alice <alice@example.com> 1750000200 +0200\n";
pub const TAG: &str = "object 1111111111111111111111111111111111111111\ntype commit\ntag v1.0\n\
    tagger Alice <alice@example.com> 1750000200 +0200\n\
    \nFirst release\n\nWith notes.\n";
/// The part of the ref after `refs/tags/`.
pub const TAG_NAME: &[u8] = b"v1.0";

pub fn folded(signature: &[u8]) -> Vec<u8> {
    let text = signature.strip_suffix(b"\n").unwrap_or(signature);
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    [b"gpgsig ", lines.join(b"\n ".as_slice()).as_slice(), b"\n"].concat()
}

pub fn with_header(object: &[u8], at: usize, header: &[u8]) -> Vec<u8> {
    [&object[..at], header, &object[at..]].concat()
}

/// One generated object. `kind` is `group/variant`: the table counts groups, the exceptions name kinds.
#[derive(Debug)]
pub struct Object {
    pub kind: String,
    pub what: What,
    pub raw: Vec<u8>,
    /// Whom `ssh-keygen -Y verify` is asked about: whom the object names as committer or tagger.
    pub principal: &'static str,
}

/// All objects of a run, each different from the others.
#[derive(Default)]
pub struct Objects {
    pub all: Vec<Object>,
    seen: HashSet<(What, Vec<u8>)>,
}

impl Objects {
    pub fn add(&mut self, kind: impl Into<String>, what: What, raw: Vec<u8>) {
        self.add_for("alice@example.com", kind, what, raw);
    }

    pub fn add_for(&mut self, principal: &'static str, kind: impl Into<String>, what: What, raw: Vec<u8>) {
        if self.seen.insert((what, raw.clone())) {
            self.all.push(Object { kind: kind.into(), what, raw, principal });
        }
    }

    /// The plain commit and the plain tag, each with what `sign` makes of its payload.
    pub fn add_both(&mut self, kind: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>) {
        for what in BOTH {
            let payload = what.payload();
            self.add(kind, what, what.signed(&payload, &sign(&payload)));
        }
    }
}

/// Payload and signature as git's `parse_buffer_signed_by_header` and `parse_signature` take them out of an object.
pub fn as_git_splits(what: What, raw: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    match what {
        What::Commit => split_commit(raw),
        What::Tag => split_tag(raw),
    }
}

fn split_commit(raw: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut payload, mut signature) = (Vec::new(), Vec::new());
    let (mut in_signature, mut in_other) = (false, false);
    let mut rest = raw;
    while !rest.is_empty() {
        let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let line = &rest[..length];
        if line == b"\n" {
            payload.extend_from_slice(rest);
            break;
        }
        let continues = line.first() == Some(&b' ');
        in_signature = line.starts_with(b"gpgsig ") || (in_signature && continues);
        in_other = line.starts_with(b"gpgsig-sha256 ") || (in_other && continues);
        if in_signature {
            signature.extend_from_slice(line.strip_prefix(b"gpgsig ").unwrap_or(&line[1..]));
        } else if !in_other {
            payload.extend_from_slice(line);
        }
        rest = &rest[length..];
    }
    (!signature.is_empty()).then_some((payload, signature))
}

const BEGIN: [&[u8]; 4] = [
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
    b"-----BEGIN SSH SIGNATURE-----",
];

fn split_tag(raw: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut at, mut found) = (0, None);
    for line in raw.split_inclusive(|&byte| byte == b'\n') {
        if BEGIN.iter().any(|begin| line.starts_with(begin)) {
            found = Some(at);
        }
        at += line.len();
    }
    found.map(|at| (raw[..at].to_vec(), raw[at..].to_vec()))
}
