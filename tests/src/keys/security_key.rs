//! An Ed25519 security key (`sk-ssh-ed25519@openssh.com`) in software: real ones need hardware.

use super::Key;
use super::ssh::{fingerprint, git_settings};
use crate::process::{quoted, write_program};
use crate::product::bin_folder;
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

const TYPE: &[u8] = b"sk-ssh-ed25519@openssh.com";
const APPLICATION: &[u8] = b"ssh:";
const MAGIC: &[u8] = b"SSHSIG";

/// The key found somebody touching it.
pub const USER_PRESENT: u8 = 1;
/// It asked for a PIN or a finger besides.
pub const USER_VERIFIED: u8 = 4;

/// The token: `token` holds flags, counter and secret, and each signature counts on.
#[derive(Debug)]
pub struct SecurityKey {
    folder: PathBuf,
    flags: u8,
    counter: u32,
    secret: [u8; 32],
}

impl SecurityKey {
    /// Makes a token that is touched for every signature, and `id.pub` beside it.
    pub fn generate(folder: &Path, comment: &str) -> SecurityKey {
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret).expect("random bytes");
        let token = SecurityKey { folder: folder.to_owned(), flags: USER_PRESENT, counter: 0, secret };
        let line = format!("{} {} {comment}\n", String::from_utf8_lossy(TYPE), STANDARD.encode(token.public_key()));
        std::fs::write(folder.join("id.pub"), line).expect("a public key");
        token.save();
        token
    }

    /// What the token says of its user: [`USER_PRESENT`], [`USER_VERIFIED`], both or nothing.
    pub fn with_flags(mut self, flags: u8) -> SecurityKey {
        self.flags = flags;
        self.save();
        self
    }

    pub fn load(folder: &Path) -> SecurityKey {
        let text = std::fs::read_to_string(folder.join("token")).expect("a token");
        let mut fields = text.split_whitespace();
        let mut field = || fields.next().expect("flags, counter and secret");
        let (flags, counter) = (field().parse().expect("flags"), field().parse().expect("a counter"));
        let secret = hex::decode(field()).ok().and_then(|bytes| bytes.try_into().ok()).expect("32 bytes in hex");
        SecurityKey { folder: folder.to_owned(), flags, counter, secret }
    }

    fn save(&self) {
        let text = format!("{} {} {}\n", self.flags, self.counter, hex::encode(self.secret));
        std::fs::write(self.folder.join("token"), text).expect("a token");
    }

    /// The key as git uses it: `sk-sign` in place of `ssh-keygen`.
    pub fn key(self) -> Key {
        let public = self.folder.join("id.pub");
        let program = self.folder.join("sk-sign");
        let signer = bin_folder().join("sk-sign");
        assert!(signer.exists(), "{} is missing: `cargo build -p countersign-tests` makes it", signer.display());
        write_program(&program, &format!("#!/bin/sh\nexec {} \"$@\"\n", quoted(signer)));
        Key {
            fingerprint: fingerprint(&public),
            git: git_settings(&public, &program.display().to_string()),
            registration: Some(("--ssh", public)),
            authority: None,
            _agent: None,
        }
    }

    /// Signs as `ssh-keygen -Y sign -n NAMESPACE` does; returns the armoured signature.
    /// The format is OpenSSH's `PROTOCOL.sshsig`, the inner signature `PROTOCOL.u2f`.
    pub fn sign(&mut self, namespace: &str, message: &[u8]) -> String {
        self.counter += 1;
        self.save();
        let mut to_sign = MAGIC.to_vec();
        let hash = digest(&SHA512, message);
        [namespace.as_bytes(), b"", b"sha512", hash.as_ref()].iter().for_each(|field| string(&mut to_sign, field));

        let mut by_token = digest(&SHA256, APPLICATION).as_ref().to_vec();
        by_token.push(self.flags);
        by_token.extend(self.counter.to_be_bytes());
        by_token.extend(digest(&SHA256, &to_sign).as_ref());
        let mut signature = Vec::new();
        string(&mut signature, TYPE);
        string(&mut signature, self.pair().sign(&by_token).as_ref());
        signature.push(self.flags);
        signature.extend(self.counter.to_be_bytes());

        let mut blob = MAGIC.to_vec();
        blob.extend(1u32.to_be_bytes());
        let fields: [&[u8]; 5] = [&self.public_key(), namespace.as_bytes(), b"", b"sha512", &signature];
        fields.iter().for_each(|field| string(&mut blob, field));
        armour(&blob)
    }

    fn pair(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&self.secret).expect("32 bytes are an Ed25519 secret")
    }

    fn public_key(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        [TYPE, self.pair().public_key().as_ref(), APPLICATION].iter().for_each(|field| string(&mut blob, field));
        blob
    }
}

/// A string of the SSH protocol: its length, then its bytes.
fn string(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend(u32::try_from(bytes.len()).expect("a short field").to_be_bytes());
    buffer.extend(bytes);
}

fn armour(blob: &[u8]) -> String {
    let encoded = STANDARD.encode(blob);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
}
