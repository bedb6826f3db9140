//! OpenPGP signatures (RFC 9580, section 5.2) written byte by byte, so that every field can be wrong and still be signed.

use sequoia_openpgp::cert::prelude::*;
use sequoia_openpgp::crypto::{KeyPair, Signer as _};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{SecretParts, UnspecifiedRole};
use sequoia_openpgp::serialize::{Marshal as _, MarshalInto as _};
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags};
use sequoia_openpgp::{Cert, Profile};
use std::time::{Duration, SystemTime};

/// 2025-01-01, when keys are made where nothing else is said.
pub const KEYS_MADE: u32 = 1_735_689_600;
/// 2025-06-15, when signatures are.
pub const SIGNED: u32 = 1_750_000_000;

pub fn at(seconds: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into())
}

/// A certificate in software, and the key that signs.
pub struct SoftKey {
    pub cert: Cert,
    pub pair: KeyPair,
}

impl SoftKey {
    /// A primary key that certifies and a subkey that signs, changed as wished.
    pub fn new(change: impl FnOnce(CertBuilder<'static>) -> CertBuilder<'static>) -> SoftKey {
        let builder = CertBuilder::new()
            .set_profile(Profile::RFC4880)
            .expect("a profile")
            .set_primary_key_flags(KeyFlags::empty().set_certification())
            .add_userid("Alice <alice@example.com>")
            .set_creation_time(at(KEYS_MADE));
        let (cert, _) = change(builder).generate().expect("a certificate");
        SoftKey::signing_with_last_key(cert)
    }

    pub fn signing_with_last_key(cert: Cert) -> SoftKey {
        let last = cert.keys().last().expect("a key").key().clone();
        let secret: Key<SecretParts, UnspecifiedRole> = last.parts_into_secret().expect("a secret key");
        SoftKey { pair: secret.into_keypair().expect("a key pair"), cert }
    }

    pub fn primary(&self) -> KeyPair {
        self.cert.primary_key().key().clone().parts_into_secret().expect("a secret key").into_keypair().expect("a pair")
    }

    /// The public certificate, binary.
    pub fn public(&self) -> Vec<u8> {
        self.cert.clone().strip_secret_key_material().to_vec().expect("a certificate")
    }
}

/// A signature subpacket.
#[derive(Clone, Debug)]
pub struct Sub {
    pub tag: u8,
    pub critical: bool,
    pub body: Vec<u8>,
}

pub fn sub(tag: u8, body: impl Into<Vec<u8>>) -> Sub {
    Sub { tag, critical: false, body: body.into() }
}

pub fn critical(tag: u8, body: impl Into<Vec<u8>>) -> Sub {
    Sub { tag, critical: true, body: body.into() }
}

pub fn notation(name: &str, value: &[u8], flags: [u8; 4]) -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("a short text").to_be_bytes();
    [&flags[..], &length(name.as_bytes()), &length(value), name.as_bytes(), value].concat()
}

/// Everything in a signature that its maker chooses.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub version: u8,
    pub kind: u8,
    pub hash: HashAlgorithm,
    pub hashed: Vec<Sub>,
    pub unhashed: Vec<Sub>,
}

impl Recipe {
    /// As gpg signs: fingerprint and date under the signature, the key id beside it.
    pub fn usual(pair: &KeyPair) -> Recipe {
        let fingerprint = [&[4], pair.public().fingerprint().as_bytes()].concat();
        Recipe {
            version: 4,
            kind: 0,
            hash: HashAlgorithm::SHA512,
            hashed: vec![sub(33, fingerprint), sub(2, SIGNED.to_be_bytes())],
            unhashed: vec![sub(16, pair.public().keyid().as_bytes())],
        }
    }

    pub fn with(mut self, sub: Sub) -> Recipe {
        self.hashed.push(sub);
        self
    }

    pub fn beside(mut self, sub: Sub) -> Recipe {
        self.unhashed.push(sub);
        self
    }

    pub fn without(mut self, tag: u8) -> Recipe {
        self.hashed.retain(|sub| sub.tag != tag);
        self.unhashed.retain(|sub| sub.tag != tag);
        self
    }

    /// The body of the signature packet over `payload`.
    pub fn body(&self, pair: &KeyPair, payload: &[u8]) -> Vec<u8> {
        let mut pair = pair.clone();
        let algorithm = u8::from(pair.public().pk_algo());
        let hash = u8::from(self.hash);
        let mut context = self.hash.context().expect("a hash that can be made").for_digest();
        if self.kind == 1 {
            for line in payload.split_inclusive(|&byte| byte == b'\n') {
                match line.strip_suffix(b"\n") {
                    Some(text) => [text, b"\r\n"].iter().for_each(|part| context.update(part)),
                    None => context.update(line),
                }
            }
        } else if self.kind != 2 {
            context.update(payload);
        }
        if self.version == 3 {
            context.update(&[&[self.kind][..], &SIGNED.to_be_bytes()].concat());
        } else {
            let areas = area(&self.hashed);
            let head = [&[self.version, self.kind, algorithm, hash], areas.as_slice()].concat();
            context.update(&head);
            let length = u32::try_from(head.len()).expect("a short area");
            context.update(&[&[self.version, 0xff], &length.to_be_bytes()[..]].concat());
        }
        let mut digest = vec![0; context.digest_size()];
        context.digest(&mut digest).expect("a digest");
        let mut numbers = Vec::new();
        pair.sign(self.hash, &digest).expect("a signature").serialize(&mut numbers).expect("numbers");
        if self.version == 3 {
            let id = pair.public().keyid();
            let fixed = [&[3, 5, self.kind][..], &SIGNED.to_be_bytes(), id.as_bytes(), &[algorithm, hash]].concat();
            return [fixed.as_slice(), &digest[..2], &numbers].concat();
        }
        let (hashed, unhashed) = (area(&self.hashed), area(&self.unhashed));
        [&[self.version, self.kind, algorithm, hash], hashed.as_slice(), &unhashed, &digest[..2], &numbers].concat()
    }

    pub fn sign(&self, pair: &KeyPair, payload: &[u8]) -> Vec<u8> {
        armored(&packet(2, &self.body(pair, payload)))
    }
}

/// A subpacket area of version 4 with its length before it.
fn area(subs: &[Sub]) -> Vec<u8> {
    let mut out = Vec::new();
    for sub in subs {
        out.extend(length(sub.body.len() + 1));
        out.push(sub.tag | if sub.critical { 0x80 } else { 0 });
        out.extend_from_slice(&sub.body);
    }
    [&u16::try_from(out.len()).expect("a short area").to_be_bytes()[..], &out].concat()
}

fn length(bytes: usize) -> Vec<u8> {
    match bytes {
        0..=191 => vec![u8::try_from(bytes).expect("small")],
        192..=8383 => {
            let rest = u16::try_from(bytes - 192).expect("small") + 0xc000;
            rest.to_be_bytes().to_vec()
        }
        _ => [&[0xff][..], &u32::try_from(bytes).expect("small").to_be_bytes()].concat(),
    }
}

pub fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[0xc0 | tag], length(body.len()).as_slice(), body].concat()
}

pub fn armored(packets: &[u8]) -> Vec<u8> {
    crate::kinds::armor::block("PGP SIGNATURE", packets)
}
