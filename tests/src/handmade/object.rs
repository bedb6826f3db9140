//! Raw Git objects, and the pack that carries them: nothing here asks whether they make sense.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// What the ids of a repository are made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Sha1,
    Sha256,
}

impl Format {
    pub fn word(self) -> &'static str {
        if self == Format::Sha1 { "sha1" } else { "sha256" }
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = if self == Format::Sha1 { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
        digest(algorithm, bytes).as_ref().to_vec()
    }

    /// The id that stands for no object.
    pub fn null(self) -> String {
        "0".repeat(if self == Format::Sha1 { 40 } else { 64 })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Object {
    pub kind: Kind,
    pub bytes: Vec<u8>,
    pub id: String,
}

impl Object {
    pub fn new(format: Format, kind: Kind, bytes: impl Into<Vec<u8>>) -> Object {
        let bytes = bytes.into();
        let whole = [format!("{} {}\0", kind.word(), bytes.len()).as_bytes(), &bytes].concat();
        Object { kind, id: hex::encode(format.hash(&whole)), bytes }
    }

    /// A tree of files; names and ids as they are given, in this order.
    pub fn tree(format: Format, entries: &[(&str, &str, &str)]) -> Object {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").as_bytes());
            bytes.extend(hex::decode(id).expect("an id in hex"));
        }
        Object::new(format, Kind::Tree, bytes)
    }

    /// As a loose object's file holds it.
    pub fn loose(&self) -> Vec<u8> {
        deflated(&[format!("{} {}\0", self.kind.word(), self.bytes.len()).as_bytes(), &self.bytes].concat())
    }
}

/// A pack of whole objects.
pub fn pack(format: Format, objects: &[Object]) -> Vec<u8> {
    let mut pack = head(objects.len());
    objects.iter().for_each(|object| whole(&mut pack, object));
    finished(format, pack)
}

/// A pack in which each object is stored as a change to the one before it.
pub fn chained_pack(format: Format, objects: &[Object]) -> Vec<u8> {
    const REF_DELTA: u8 = 7;
    let mut pack = head(objects.len());
    if let Some(first) = objects.first() {
        whole(&mut pack, first);
    }
    for (base, object) in objects.iter().zip(objects.iter().skip(1)) {
        let mut delta = Vec::new();
        [base.bytes.len(), object.bytes.len()].iter().for_each(|length| varint(&mut delta, *length));
        // "Insert these bytes": nothing of the base is used, yet whoever reads the object needs the base.
        for part in object.bytes.chunks(127) {
            delta.push(part.len() as u8);
            delta.extend(part);
        }
        entry(&mut pack, REF_DELTA, delta.len());
        pack.extend(hex::decode(&base.id).expect("an id in hex"));
        pack.extend(deflated(&delta));
    }
    finished(format, pack)
}

fn head(count: usize) -> Vec<u8> {
    let count = u32::try_from(count).expect("fewer objects than a pack holds");
    [b"PACK\0\0\0\x02".as_slice(), &count.to_be_bytes()].concat()
}

fn finished(format: Format, mut pack: Vec<u8>) -> Vec<u8> {
    let checksum = format.hash(&pack);
    pack.extend(checksum);
    pack
}

fn whole(pack: &mut Vec<u8>, object: &Object) {
    let kind = match object.kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    entry(pack, kind, object.bytes.len());
    pack.extend(deflated(&object.bytes));
}

/// The beginning of an entry: kind and size, whose lowest four bits share the first byte.
fn entry(pack: &mut Vec<u8>, kind: u8, size: usize) {
    let first = kind << 4 | (size & 15) as u8;
    match size >> 4 {
        0 => pack.push(first),
        rest => {
            pack.push(first | 0x80);
            varint(pack, rest);
        }
    }
}

/// Seven bits a byte, the lowest first.
fn varint(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
