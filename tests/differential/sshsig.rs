//! SSH signatures (OpenSSH's PROTOCOL.sshsig) written field by field, so that each can be wrong and still be signed.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::process::{must, run};
use std::path::{Path, PathBuf};
use std::process::Command;

pub const MAGIC: &[u8] = b"SSHSIG";
pub const TOKEN: &[u8] = b"sk-ssh-ed25519@openssh.com";

/// Fields of the SSH protocol, each with its length before it.
pub fn strings(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        out.extend(u32::try_from(field.len()).expect("a short field").to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}

/// Takes a field from the front.
pub fn take(bytes: &mut &[u8]) -> Vec<u8> {
    let (length, rest) = bytes.split_first_chunk().expect("a length");
    let (field, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
    *bytes = rest;
    field.to_vec()
}

/// The binary half of a public key line.
pub fn blob_of(line: &str) -> Vec<u8> {
    STANDARD.decode(line.split_whitespace().nth(1).expect("a key line")).expect("base64")
}

/// What signs.
pub enum Secret {
    Ed25519([u8; 32]),
    /// A security key: flags, counter and application go under each signature.
    Token {
        seed: [u8; 32],
        flags: u8,
        counter: u32,
        application: &'static [u8],
    },
    /// An RSA key in PEM, used through `openssl`, which still makes signatures over SHA-1.
    Rsa {
        key: PathBuf,
        public: Vec<u8>,
    },
}

impl Secret {
    /// An RSA key by `ssh-keygen`.
    pub fn rsa(folder: &Path, name: &str, bits: &str) -> Secret {
        let key = folder.join(name);
        let mut generate = Command::new("ssh-keygen");
        must(generate.args(["-q", "-N", "", "-C", "", "-t", "rsa", "-m", "PEM", "-b", bits, "-f"]).arg(&key));
        let line = std::fs::read_to_string(key.with_extension("pub")).expect("a public key");
        Secret::Rsa { key, public: blob_of(&line) }
    }

    pub fn public_key(&self) -> Vec<u8> {
        let point = |seed| {
            let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes");
            pair.public_key().as_ref().to_vec()
        };
        match self {
            Secret::Ed25519(seed) => strings(&[b"ssh-ed25519", &point(seed)]),
            Secret::Token { seed, application, .. } => strings(&[TOKEN, &point(seed), application]),
            Secret::Rsa { public, .. } => public.clone(),
        }
    }

    pub fn line(&self) -> String {
        let blob = self.public_key();
        let name = take(&mut blob.as_slice());
        format!("{} {}", String::from_utf8(name).expect("a name"), STANDARD.encode(blob))
    }

    fn label(&self) -> &'static [u8] {
        match self {
            Secret::Ed25519(_) => b"ssh-ed25519",
            Secret::Token { .. } => TOKEN,
            Secret::Rsa { .. } => b"rsa-sha2-512",
        }
    }

    /// The numbers over `data`, and what follows them in the signature field.
    fn numbers(&self, label: &[u8], data: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let ed25519 = |seed, data: &[u8]| {
            Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes").sign(data).as_ref().to_vec()
        };
        match self {
            Secret::Ed25519(seed) => (ed25519(seed, data), Vec::new()),
            Secret::Token { seed, flags, counter, application } => {
                let tail = [&[*flags][..], &counter.to_be_bytes()].concat();
                let (application, data) = (digest(&SHA256, application), digest(&SHA256, data));
                (ed25519(seed, &[application.as_ref(), &tail, data.as_ref()].concat()), tail)
            }
            Secret::Rsa { key, .. } => {
                let hash = match label {
                    b"ssh-rsa" => "-sha1",
                    b"rsa-sha2-256" => "-sha256",
                    _ => "-sha512",
                };
                let mut sign = Command::new("openssl");
                let folder = key.parent().expect("a folder");
                let output = folder.join("numbers");
                sign.args(["dgst", hash, "-sign"]).arg(key).arg("-out").arg(&output);
                let outcome = run(&mut sign, data);
                assert!(outcome.succeeded(), "openssl: {}", outcome.stderr);
                (std::fs::read(output).expect("numbers"), Vec::new())
            }
        }
    }
}

/// What the signer signs of the envelope.
#[derive(Clone, Debug)]
pub struct Fields {
    pub namespace: Vec<u8>,
    pub reserved: Vec<u8>,
    pub hash: Vec<u8>,
}

/// Everything in an SSH signature that its maker chooses.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub magic: Vec<u8>,
    pub version: u32,
    pub public_key: Vec<u8>,
    /// What is signed, and what is written: the same with honest people.
    pub signed: Fields,
    pub written: Fields,
    pub label: Vec<u8>,
    pub written_label: Option<Vec<u8>>,
    /// What follows the signature inside its field, and the whole.
    pub after_numbers: Vec<u8>,
    pub after: Vec<u8>,
}

impl Recipe {
    pub fn usual(secret: &Secret) -> Recipe {
        let fields = Fields { namespace: b"git".to_vec(), reserved: Vec::new(), hash: b"sha512".to_vec() };
        Recipe {
            magic: MAGIC.to_vec(),
            version: 1,
            public_key: secret.public_key(),
            signed: fields.clone(),
            written: fields,
            label: secret.label().to_vec(),
            written_label: None,
            after_numbers: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Signs and writes the same.
    pub fn honestly(mut self, change: impl Fn(&mut Fields)) -> Recipe {
        change(&mut self.signed);
        change(&mut self.written);
        self
    }

    pub fn blob(&self, secret: &Secret, payload: &[u8]) -> Vec<u8> {
        let hash = match self.signed.hash.as_slice() {
            b"sha256" => digest(&SHA256, payload),
            b"sha384" => digest(&SHA384, payload),
            b"sha1" => digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, payload),
            _ => digest(&SHA512, payload),
        };
        let Fields { namespace, reserved, hash: name } = &self.signed;
        let data = [MAGIC, &strings(&[namespace, reserved, name, hash.as_ref()])].concat();
        let (numbers, tail) = secret.numbers(&self.label, &data);
        let label = self.written_label.as_ref().unwrap_or(&self.label);
        let signature = [strings(&[label, &numbers]), tail, self.after_numbers.clone()].concat();
        let Fields { namespace, reserved, hash: name } = &self.written;
        let mut blob = self.magic.clone();
        blob.extend(self.version.to_be_bytes());
        blob.extend(strings(&[&self.public_key, namespace, reserved, name, &signature]));
        [blob, self.after.clone()].concat()
    }

    pub fn sign(&self, secret: &Secret, payload: &[u8]) -> Vec<u8> {
        armored(&self.blob(secret, payload))
    }
}

pub fn armored(blob: &[u8]) -> Vec<u8> {
    crate::kinds::armor::block("SSH SIGNATURE", blob)
}
