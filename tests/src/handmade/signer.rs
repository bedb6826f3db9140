//! Keys from fixed seeds, so that a vector is the same object at each run, and who in the company holds them.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Makes the armoured signature of a commit or tag.
pub trait Signer: Send + Sync {
    fn sign(&self, payload: &[u8]) -> String;
}

/// An SSH Ed25519 key.
pub struct SshKey {
    pair: Ed25519KeyPair,
}

impl SshKey {
    pub fn seeded(seed: u8) -> SshKey {
        SshKey { pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes are an Ed25519 secret") }
    }

    /// The key that belongs to this name and no other.
    pub fn named(name: &str) -> SshKey {
        let seed = digest(&SHA256, name.as_bytes());
        SshKey { pair: Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).expect("32 bytes are an Ed25519 secret") }
    }

    pub fn public_key(&self) -> Vec<u8> {
        strings(&[b"ssh-ed25519", self.pair.public_key().as_ref()])
    }

    /// As a `.pub` file has it.
    pub fn line(&self) -> String {
        format!("ssh-ed25519 {}\n", STANDARD.encode(self.public_key()))
    }

    pub fn raw(&self, data: &[u8]) -> Vec<u8> {
        self.pair.sign(data).as_ref().to_vec()
    }
}

impl Signer for SshKey {
    fn sign(&self, payload: &[u8]) -> String {
        Sshsig::of(self, payload).armored()
    }
}

/// The fields of an SSH signature (OpenSSH's `PROTOCOL.sshsig`), each in reach of an attacker.
#[derive(Clone, Debug)]
pub struct Sshsig {
    pub version: u32,
    pub public_key: Vec<u8>,
    pub namespace: Vec<u8>,
    pub reserved: Vec<u8>,
    pub hash: Vec<u8>,
    pub signature: Vec<u8>,
    /// What follows the last field.
    pub tail: Vec<u8>,
}

impl Sshsig {
    /// A good one.
    pub fn of(key: &SshKey, payload: &[u8]) -> Sshsig {
        Sshsig::made(key, payload, "git", "sha512")
    }

    /// Signed for another purpose or with another digest (`sha256` or `sha512`; others are named only).
    pub fn made(key: &SshKey, payload: &[u8], namespace: &str, hash: &str) -> Sshsig {
        let data = Sshsig::to_sign(payload, namespace, hash);
        Sshsig {
            version: 1,
            public_key: key.public_key(),
            namespace: namespace.into(),
            reserved: Vec::new(),
            hash: hash.into(),
            signature: strings(&[b"ssh-ed25519", &key.raw(&data)]),
            tail: Vec::new(),
        }
    }

    /// The bytes under the inner signature.
    pub fn to_sign(payload: &[u8], namespace: &str, hash: &str) -> Vec<u8> {
        let algorithm = if hash == "sha256" { &SHA256 } else { &SHA512 };
        let digest = digest(algorithm, payload);
        [b"SSHSIG".to_vec(), strings(&[namespace.as_bytes(), b"", hash.as_bytes(), digest.as_ref()])].concat()
    }

    pub fn blob(&self) -> Vec<u8> {
        let fields = strings(&[&self.public_key, &self.namespace, &self.reserved, &self.hash, &self.signature]);
        [b"SSHSIG".to_vec(), self.version.to_be_bytes().to_vec(), fields, self.tail.clone()].concat()
    }

    pub fn armored(&self) -> String {
        armored("SSH SIGNATURE", &self.blob(), 70)
    }
}

/// Strings of the SSH protocol: each its length, then its bytes.
pub fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend(u32::try_from(part.len()).expect("a short field").to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Base64 between BEGIN and END, `width` characters a line.
pub fn armored(label: &str, bytes: &[u8], width: usize) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    let gap = if label.starts_with("PGP") { "\n" } else { "" };
    format!("-----BEGIN {label}-----\n{gap}{}\n-----END {label}-----\n", lines.join("\n"))
}
