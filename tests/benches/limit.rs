//! The arithmetic alone: the primitives that the hook uses, on all cores, over as many signatures of the same keys: one
//! by one, and for many Ed25519 signatures together. Nothing is read or looked up, and nothing hashed but what is part
//! of the signature; one by one, keys are parsed before the clock starts.

use crate::authors::Kind;
use crate::timing::millis;
use aws_lc_rs::digest::{Digest, SHA512, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self as aws, KeyPair, ParsedPublicKey};
use countersign_policy::signature::together::{Together, all_hold};
use countersign_policy::testing::check_together;
use std::sync::atomic::{AtomicUsize, Ordering};

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// One signature, ready to be verified.
struct Signed {
    key: usize,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// Signatures of one kind, and a way to verify one.
pub struct Limit {
    keys: Vec<ParsedPublicKey>,
    signed: Vec<Signed>,
    /// Of Ed25519, which the hook checks together where there are many.
    points: Vec<Vec<u8>>,
    /// The message stands for its own digest: RSA and ECDSA sign that.
    by_digest: bool,
}

/// As long as what SSH signs for a commit: name, namespace, hash and digest.
const SSH_MESSAGE: usize = 97;
const DIGEST: usize = 64;

/// Signatures from which on the hook checks them together; the sizes that are measured are far from its own limit.
const MANY: usize = 100;

/// Signatures taken at once.
const TAKE: usize = 32;

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Limit {
    /// `None` for X.509, which another program verifies.
    pub fn of(kind: Kind, people: usize, count: usize) -> Option<Limit> {
        let (mut keys, mut points) = (Vec::new(), Vec::new());
        let mut signers: Vec<Sign> = Vec::new();
        for _ in 0..people {
            let (key, sign): (ParsedPublicKey, Sign) = match kind {
                Kind::SshEd25519 | Kind::OpenPgpEd25519 => {
                    let pair = aws::Ed25519KeyPair::generate().expect("a key");
                    let key = ParsedPublicKey::new(&aws::ED25519, pair.public_key().as_ref()).expect("a key");
                    points.push(pair.public_key().as_ref().to_vec());
                    (key, Box::new(move |message| pair.sign(message).as_ref().to_vec()))
                }
                Kind::SshP256 => {
                    let pair = aws::EcdsaKeyPair::generate(&aws::ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
                    let key = ParsedPublicKey::new(&aws::ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
                    let random = SystemRandom::new();
                    let sign = move |message: &[u8]| pair.sign(&random, message).expect("signed").as_ref().to_vec();
                    (key.expect("a key"), Box::new(sign))
                }
                Kind::OpenPgpRsa3072 | Kind::OpenPgpRsa4096 => {
                    let size = if kind == Kind::OpenPgpRsa3072 { rsa::KeySize::Rsa3072 } else { rsa::KeySize::Rsa4096 };
                    let pair = rsa::KeyPair::generate(size).expect("a key");
                    let key = ParsedPublicKey::new(&aws::RSA_PKCS1_2048_8192_SHA512, pair.public_key().as_ref());
                    let key = key.expect("a key");
                    let sign = move |message: &[u8]| {
                        let mut signature = vec![0; pair.public_modulus_len()];
                        let random = SystemRandom::new();
                        pair.sign(&aws::RSA_PKCS1_SHA512, &random, message, &mut signature).expect("signed");
                        signature
                    };
                    (key, Box::new(sign))
                }
                Kind::X509 => return None,
            };
            keys.push(key);
            signers.push(sign);
        }
        let length = if kind == Kind::SshEd25519 { SSH_MESSAGE } else { DIGEST };
        let signed = (0..count).map(|number| {
            let mut message = format!("{number:0>length$}").into_bytes();
            message.truncate(length);
            let key = number % people;
            Signed { key, signature: signers[key](&message), message }
        });
        let by_digest = matches!(kind, Kind::OpenPgpRsa3072 | Kind::OpenPgpRsa4096);
        Some(Limit { signed: signed.collect(), keys, points, by_digest })
    }

    /// Milliseconds to verify all one by one, on all cores.
    pub fn millis(&self) -> f64 {
        let threads = threads();
        let next = AtomicUsize::new(0);
        let digests: Vec<Option<Digest>> = self.signed.iter().map(|signed| self.digest(&signed.message)).collect();
        millis(|| {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        loop {
                            let from = next.fetch_add(TAKE, Ordering::Relaxed);
                            let Some(part) = self.signed.get(from..(from + TAKE).min(self.signed.len())) else { break };
                            for (signed, digest) in part.iter().zip(&digests[from..]) {
                                let key = &self.keys[signed.key];
                                let good = match digest {
                                    Some(digest) => key.verify_digest_sig(digest, &signed.signature),
                                    None => key.verify_sig(&signed.message, &signed.signature),
                                };
                                good.expect("a good signature");
                            }
                        }
                    });
                }
            });
        })
        .0
    }

    /// Whether there are so many that the hook checks them together.
    pub fn is_together(&self) -> bool {
        !self.points.is_empty() && self.signed.len() >= MANY
    }

    /// Milliseconds to check all together, on all cores: each adds up its share, and one concludes. What must not be
    /// known before, the random numbers, is part of it, and the keys are.
    pub fn millis_together(&self) -> f64 {
        let share = self.signed.len().div_ceil(threads());
        let signed: Vec<(&[u8], &[u8], &[u8; 64])> = self.signed.iter().map(|signed| self.bytes(signed)).collect();
        millis(|| {
            let first = Together::new(None);
            let added = std::thread::scope(|scope| {
                let added = signed.chunks(share).map(|share| {
                    let mut together = first.beside(Some([7; 32]));
                    scope.spawn(move || {
                        share.chunks(TAKE).for_each(|part| check_together(part, &mut together));
                        together
                    })
                });
                let added: Vec<_> = added.collect();
                added.into_iter().map(|thread| thread.join().expect("it added up")).collect::<Vec<_>>()
            });
            let found = Together::settle(added, all_hold).expect("good signatures");
            assert!(found.iter().all(|good| *good), "good signatures");
        })
        .0
    }

    fn bytes<'a>(&'a self, signed: &'a Signed) -> (&'a [u8], &'a [u8], &'a [u8; 64]) {
        let signature = signed.signature.as_slice().try_into().expect("64 bytes");
        (&self.points[signed.key], &signed.message, signature)
    }

    fn digest(&self, message: &[u8]) -> Option<Digest> {
        self.by_digest.then(|| digest(&SHA512, message))
    }
}
