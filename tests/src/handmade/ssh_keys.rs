//! SSH keys of every type that may sign, and what they sign with: from seeds, but for RSA.

use super::signer::{SshKey, Sshsig, strings};
use crate::process::must;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A key pair of the SSH protocol.
pub trait Pair: Send + Sync {
    /// The type's name, which is also the label of its signatures, save for RSA.
    fn kind(&self) -> &'static str;

    /// The public key's fields behind the type's name.
    fn fields(&self) -> Vec<u8>;

    /// What follows the label in a signature over `data`.
    fn body(&self, data: &[u8]) -> Vec<u8>;

    fn label(&self) -> &'static str {
        self.kind()
    }

    fn blob(&self) -> Vec<u8> {
        [strings(&[self.kind().as_bytes()]), self.fields()].concat()
    }

    /// As a `.pub` file has it.
    fn pub_line(&self) -> String {
        format!("{} {}\n", self.kind(), STANDARD.encode(self.blob()))
    }

    fn signature(&self, data: &[u8]) -> Vec<u8> {
        labelled(self.label(), &self.body(data))
    }

    /// A good SSHSIG over `payload`.
    fn sshsig(&self, payload: &[u8]) -> Sshsig {
        let data = Sshsig::to_sign(payload, "git", "sha512");
        sshsig(self.blob(), self.signature(&data))
    }
}

/// A signature field with this label.
pub fn labelled(label: &str, body: &[u8]) -> Vec<u8> {
    [strings(&[label.as_bytes()]), body.to_vec()].concat()
}

/// An SSHSIG for git with this key and this inner signature.
pub fn sshsig(public_key: Vec<u8>, signature: Vec<u8>) -> Sshsig {
    let (namespace, hash) = (b"git".to_vec(), b"sha512".to_vec());
    Sshsig { version: 1, public_key, namespace, reserved: Vec::new(), hash, signature, tail: Vec::new() }
}

/// A number that is not negative, in its only form: big-endian, no zero in front but the sign's.
pub fn mpint(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let sign = number.get(zeros).is_some_and(|first| first & 0x80 != 0);
    [if sign { vec![0] } else { vec![] }, number[zeros..].to_vec()].concat()
}

impl Pair for SshKey {
    fn kind(&self) -> &'static str {
        "ssh-ed25519"
    }

    fn fields(&self) -> Vec<u8> {
        self.public_key()[4 + "ssh-ed25519".len()..].to_vec()
    }

    fn body(&self, data: &[u8]) -> Vec<u8> {
        strings(&[&self.raw(data)])
    }
}

/// What is different from curve to curve.
#[derive(Clone, Copy, Debug)]
pub struct Curve {
    kind: &'static str,
    pub name: &'static str,
    algorithm: &'static EcdsaSigningAlgorithm,
    pub width: usize,
    oid: &'static [u8],
    /// The order of the group, in hex.
    order: &'static str,
}

pub const P256: Curve = Curve {
    kind: "ecdsa-sha2-nistp256",
    name: "nistp256",
    algorithm: &ECDSA_P256_SHA256_FIXED_SIGNING,
    width: 32,
    oid: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
    order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
};
pub const P384: Curve = Curve {
    kind: "ecdsa-sha2-nistp384",
    name: "nistp384",
    algorithm: &ECDSA_P384_SHA384_FIXED_SIGNING,
    width: 48,
    oid: &[0x2b, 0x81, 4, 0, 0x22],
    order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
};
pub const P521: Curve = Curve {
    kind: "ecdsa-sha2-nistp521",
    name: "nistp521",
    algorithm: &ECDSA_P521_SHA512_FIXED_SIGNING,
    width: 66,
    oid: &[0x2b, 0x81, 4, 0, 0x23],
    order: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
};

impl Curve {
    /// The order `n`: a signature's numbers are below it.
    pub fn order(self) -> Vec<u8> {
        hex::decode(self.order).expect("hex")
    }
}

pub struct EcdsaKey {
    pub curve: Curve,
    pair: EcdsaKeyPair,
}

impl EcdsaKey {
    pub fn named(curve: Curve, name: &str) -> EcdsaKey {
        let der = sec1(curve, &secret(curve, name));
        let pair = EcdsaKeyPair::from_private_key_der(curve.algorithm, &der).expect("a secret below the order");
        EcdsaKey { curve, pair }
    }

    pub fn point(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// `r` and `s`, each as wide as the curve.
    pub fn numbers(&self, data: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let both = self.pair.sign(&SystemRandom::new(), data).expect("a signature");
        let (r, s) = both.as_ref().split_at(self.curve.width);
        (r.to_vec(), s.to_vec())
    }
}

/// The first digits of a chain of hashes; the very first bits are left out, so that it is below the order.
fn secret(curve: Curve, name: &str) -> Vec<u8> {
    let first = digest(&SHA256, name.as_bytes());
    let second = digest(&SHA256, first.as_ref());
    let mut secret = [first.as_ref(), second.as_ref(), &[7; 2]].concat();
    secret.truncate(curve.width);
    secret[0] = 0;
    secret
}

/// `ECPrivateKey` of RFC 5915 without the public key, which follows from it.
fn sec1(curve: Curve, secret: &[u8]) -> Vec<u8> {
    let short = |number: usize| u8::try_from(number).expect("a short field");
    let oid = [&[6, short(curve.oid.len())], curve.oid].concat();
    let parameters = [&[0xa0, short(oid.len())], oid.as_slice()].concat();
    let content = [&[2, 1, 1, 4, short(secret.len())], secret, &parameters].concat();
    [&[0x30, short(content.len())], content.as_slice()].concat()
}

impl Pair for EcdsaKey {
    fn kind(&self) -> &'static str {
        self.curve.kind
    }

    fn fields(&self) -> Vec<u8> {
        strings(&[self.curve.name.as_bytes(), &self.point()])
    }

    fn body(&self, data: &[u8]) -> Vec<u8> {
        let (r, s) = self.numbers(data);
        strings(&[&strings(&[&mpint(&r), &mpint(&s)])])
    }
}

/// A security key in software (OpenSSH's `PROTOCOL.u2f`).
pub struct SecurityKey {
    pub inner: Inner,
    /// What the key believes to sign for.
    pub application: &'static str,
    pub flags: u8,
    pub counter: u32,
}

pub enum Inner {
    Ed25519(SshKey),
    P256(EcdsaKey),
}

impl SecurityKey {
    pub fn ed25519(name: &str, flags: u8) -> SecurityKey {
        SecurityKey { inner: Inner::Ed25519(SshKey::named(name)), application: "ssh:", flags, counter: 7 }
    }

    pub fn p256(name: &str, flags: u8) -> SecurityKey {
        SecurityKey { inner: Inner::P256(EcdsaKey::named(P256, name)), application: "ssh:", flags, counter: 7 }
    }

    /// Flags and counter, as they end a signature.
    pub fn tail(&self) -> Vec<u8> {
        [[self.flags].as_slice(), &self.counter.to_be_bytes()].concat()
    }

    /// Signature numbers over what the key sees of `data`.
    pub fn numbers(&self, data: &[u8]) -> Vec<u8> {
        let (application, data) = (digest(&SHA256, self.application.as_bytes()), digest(&SHA256, data));
        self.over(&[application.as_ref(), &self.tail(), data.as_ref()].concat())
    }

    /// The numbers over these very bytes.
    pub fn over(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.inner {
            Inner::Ed25519(key) => key.body(bytes),
            Inner::P256(key) => key.body(bytes),
        }
    }
}

impl Pair for SecurityKey {
    fn kind(&self) -> &'static str {
        match self.inner {
            Inner::Ed25519(_) => "sk-ssh-ed25519@openssh.com",
            Inner::P256(_) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn fields(&self) -> Vec<u8> {
        let key = match &self.inner {
            Inner::Ed25519(key) => key.fields(),
            Inner::P256(key) => key.fields(),
        };
        [key, strings(&[self.application.as_bytes()])].concat()
    }

    fn body(&self, data: &[u8]) -> Vec<u8> {
        [self.numbers(data), self.tail()].concat()
    }
}

/// An RSA key by `openssl`, which also makes the signatures that no library makes any more.
pub struct RsaKey {
    folder: TempDir,
    pub modulus: Vec<u8>,
    pub exponent: Vec<u8>,
}

impl RsaKey {
    pub fn generate(bits: usize, exponent: u8) -> RsaKey {
        let folder = tempfile::tempdir().expect("a folder");
        let (bits, public) = (format!("rsa_keygen_bits:{bits}"), format!("rsa_keygen_pubexp:{exponent}"));
        let mut make = Command::new("openssl");
        make.current_dir(&folder).args(["genpkey", "-algorithm", "RSA", "-out", "key.pem"]);
        must(make.args(["-pkeyopt", &bits, "-pkeyopt", &public]));
        let text =
            must(Command::new("openssl").current_dir(&folder).args(["rsa", "-in", "key.pem", "-noout", "-modulus"]));
        let modulus = hex::decode(text.trim_start_matches("Modulus=")).expect("a modulus in hex");
        RsaKey { folder, modulus, exponent: vec![exponent] }
    }

    /// PKCS#1 v1.5 over `data` hashed with `hash`.
    pub fn pkcs1(&self, hash: &str, data: &[u8]) -> Vec<u8> {
        self.openssl(&["dgst", &format!("-{hash}"), "-sign", "key.pem"], data)
    }

    /// PSS over SHA-256.
    pub fn pss(&self, data: &[u8]) -> Vec<u8> {
        self.openssl(&["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sign", "key.pem"], data)
    }

    /// The private operation on a block as long as the modulus, whatever is in it.
    pub fn raw(&self, block: &[u8]) -> Vec<u8> {
        self.openssl(&["pkeyutl", "-decrypt", "-inkey", "key.pem", "-pkeyopt", "rsa_padding_mode:none"], block)
    }

    fn openssl(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&self.folder).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = openssl.spawn().expect("openssl");
        child.stdin.take().expect("a pipe").write_all(input).expect("openssl reads");
        let output = child.wait_with_output().expect("openssl ends");
        assert!(output.status.success(), "openssl {args:?}");
        output.stdout
    }
}

impl Pair for RsaKey {
    fn kind(&self) -> &'static str {
        "ssh-rsa"
    }

    fn label(&self) -> &'static str {
        "rsa-sha2-512"
    }

    fn fields(&self) -> Vec<u8> {
        strings(&[&mpint(&self.exponent), &mpint(&self.modulus)])
    }

    fn body(&self, data: &[u8]) -> Vec<u8> {
        strings(&[&self.pkcs1("sha512", data)])
    }
}

/// An Ed25519 key that signs nothing: only its point is used.
pub fn ed25519_blob(point: &[u8]) -> Vec<u8> {
    strings(&[b"ssh-ed25519", point])
}
