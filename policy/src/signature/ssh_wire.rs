//! The SSH wire encoding (RFC 4251, section 5): a reader and a writer of length-prefixed bytes.
//!
//! Keys at the door are read by the crate `ssh-key` as well. Pushed bytes are read here alone: that crate follows
//! certificates nested in certificates as deep as they go, and wants a certificate's extensions in an order that
//! OpenSSH does not ask for.

use super::primitive::{Curve, Hash, Numbers, Signed, VerifyKey};
use super::together::Checks;
use crate::id::Fingerprint;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

/// The bytes are not what the encoding asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Takes values from the front; every step fails rather than reads beyond the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], Garbled> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Garbled)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Garbled> {
        self.bytes(N)?.try_into().map_err(|_| Garbled)
    }

    pub fn byte(&mut self) -> Result<u8, Garbled> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn uint32(&mut self) -> Result<u32, Garbled> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn uint64(&mut self) -> Result<u64, Garbled> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn string(&mut self) -> Result<&'a [u8], Garbled> {
        let length = self.uint32()?;
        self.bytes(usize::try_from(length).map_err(|_| Garbled)?)
    }

    pub fn text(&mut self) -> Result<&'a str, Garbled> {
        std::str::from_utf8(self.string()?).map_err(|_| Garbled)
    }

    /// A number that is not negative, in its shortest form, without the sign byte.
    pub fn number(&mut self) -> Result<&'a [u8], Garbled> {
        match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => Ok(rest),
            [0, ..] => Err(Garbled),
            [first, ..] if first & 0x80 != 0 => Err(Garbled),
            number => Ok(number),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes not yet taken.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn end(self) -> Result<(), Garbled> {
        if self.is_empty() { Ok(()) } else { Err(Garbled) }
    }
}

pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Garbled> {
    out.extend_from_slice(&u32::try_from(bytes.len()).map_err(|_| Garbled)?.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// `SHA256:…` of a public key, as OpenSSH prints it.
pub(crate) fn fingerprint(blob: &[u8]) -> Option<Fingerprint> {
    let digest = Hash::Sha256.of([blob]);
    Fingerprint::new(&format!("SHA256:{}", STANDARD_NO_PAD.encode(digest.as_ref()))).ok()
}

/// The kinds of key that may sign. DSA is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Ed25519,
    Ecdsa(Curve),
    Rsa,
    SkEd25519,
    SkEcdsa,
}

impl KeyType {
    const ALL: [KeyType; 7] = [
        KeyType::Ed25519,
        KeyType::Ecdsa(Curve::P256),
        KeyType::Ecdsa(Curve::P384),
        KeyType::Ecdsa(Curve::P521),
        KeyType::Rsa,
        KeyType::SkEd25519,
        KeyType::SkEcdsa,
    ];

    pub fn name(self) -> &'static str {
        match self {
            KeyType::Ed25519 => "ssh-ed25519",
            KeyType::Ecdsa(Curve::P256) => "ecdsa-sha2-nistp256",
            KeyType::Ecdsa(Curve::P384) => "ecdsa-sha2-nistp384",
            KeyType::Ecdsa(Curve::P521) => "ecdsa-sha2-nistp521",
            KeyType::Rsa => "ssh-rsa",
            KeyType::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            KeyType::SkEcdsa => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn certificate_name(self) -> &'static str {
        match self {
            KeyType::Ed25519 => "ssh-ed25519-cert-v01@openssh.com",
            KeyType::Ecdsa(Curve::P256) => "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            KeyType::Ecdsa(Curve::P384) => "ecdsa-sha2-nistp384-cert-v01@openssh.com",
            KeyType::Ecdsa(Curve::P521) => "ecdsa-sha2-nistp521-cert-v01@openssh.com",
            KeyType::Rsa => "ssh-rsa-cert-v01@openssh.com",
            KeyType::SkEd25519 => "sk-ssh-ed25519-cert-v01@openssh.com",
            KeyType::SkEcdsa => "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        }
    }

    pub fn of_key(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn of_certificate(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.certificate_name() == name)
    }

    /// How the encoding calls the curve of an ECDSA key; empty for other kinds.
    fn curve_name(self) -> &'static str {
        match self {
            KeyType::Ecdsa(Curve::P256) | KeyType::SkEcdsa => "nistp256",
            KeyType::Ecdsa(Curve::P384) => "nistp384",
            KeyType::Ecdsa(Curve::P521) => "nistp521",
            KeyType::Ed25519 | KeyType::SkEd25519 | KeyType::Rsa => "",
        }
    }

    pub fn is_security_key(self) -> bool {
        matches!(self, KeyType::SkEd25519 | KeyType::SkEcdsa)
    }
}

/// The fields of a public key, not yet judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicKey<'a> {
    pub kind: KeyType,
    point: &'a [u8],
    modulus: &'a [u8],
    exponent: &'a [u8],
    pub application: Option<&'a str>,
}

impl<'a> PublicKey<'a> {
    /// The fields that follow the type name, in a key as in a certificate.
    pub fn read(kind: KeyType, reader: &mut Reader<'a>) -> Result<Self, Garbled> {
        let mut key = PublicKey { kind, point: &[], modulus: &[], exponent: &[], application: None };
        match kind {
            KeyType::Ed25519 | KeyType::SkEd25519 => key.point = reader.string()?,
            KeyType::Ecdsa(_) | KeyType::SkEcdsa => {
                if reader.string()? != kind.curve_name().as_bytes() {
                    return Err(Garbled);
                }
                key.point = reader.string()?;
            }
            KeyType::Rsa => {
                key.exponent = reader.number()?;
                key.modulus = reader.number()?;
            }
        }
        if kind.is_security_key() {
            key.application = Some(reader.text()?);
        }
        Ok(key)
    }

    /// The key as its own blob: what a certificate's key is called when it is registered plainly.
    pub fn blob(&self) -> Result<Vec<u8>, Garbled> {
        let mut out = Vec::with_capacity(64 + self.modulus.len());
        put_string(&mut out, self.kind.name().as_bytes())?;
        match self.kind {
            KeyType::Ed25519 | KeyType::SkEd25519 => put_string(&mut out, self.point)?,
            KeyType::Ecdsa(_) | KeyType::SkEcdsa => {
                put_string(&mut out, self.kind.curve_name().as_bytes())?;
                put_string(&mut out, self.point)?;
            }
            KeyType::Rsa => {
                for number in [self.exponent, self.modulus] {
                    let mut signed = Vec::with_capacity(number.len() + 1);
                    if number.first().is_some_and(|first| first & 0x80 != 0) {
                        signed.push(0);
                    }
                    signed.extend_from_slice(number);
                    put_string(&mut out, &signed)?;
                }
            }
        }
        if let Some(application) = self.application {
            put_string(&mut out, application.as_bytes())?;
        }
        Ok(out)
    }

    /// Ready for use, or why it is too weak.
    pub fn compile(&self) -> Result<VerifyKey, String> {
        match self.kind {
            KeyType::Ed25519 | KeyType::SkEd25519 => VerifyKey::ed25519(self.point),
            KeyType::Ecdsa(curve) => VerifyKey::ecdsa(curve, self.point),
            KeyType::SkEcdsa => VerifyKey::ecdsa(Curve::P256, self.point),
            KeyType::Rsa => VerifyKey::rsa(self.modulus, self.exponent),
        }
    }
}

/// Why a signature field cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadSignature {
    Garbled,
    /// `ssh-rsa`: RSA over SHA-1.
    Sha1,
    WebAuthn,
    /// The label belongs to another kind of key.
    WrongKind,
}

impl From<Garbled> for BadSignature {
    fn from(_: Garbled) -> Self {
        BadSignature::Garbled
    }
}

/// The last part of a signature by a security key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touch {
    pub flags: u8,
    pub counter: u32,
}

impl Touch {
    pub const PRESENT: u8 = 0x01;
    pub const VERIFIED: u8 = 0x04;
}

/// A signature field: algorithm label, numbers and, for a security key, flags and counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawSignature<'a> {
    pub hash: Hash,
    pub numbers: Numbers<'a>,
    pub touch: Option<Touch>,
}

impl<'a> RawSignature<'a> {
    /// Reads a signature that a key of `kind` may have made; trailing bytes are refused.
    pub fn read(kind: KeyType, bytes: &'a [u8]) -> Result<Self, BadSignature> {
        let mut reader = Reader::new(bytes);
        let label = reader.text()?;
        let hash = match (kind, label) {
            (_, "ssh-rsa" | "ssh-dss") => return Err(BadSignature::Sha1),
            (_, label) if label.starts_with("webauthn-sk-") => return Err(BadSignature::WebAuthn),
            (KeyType::Rsa, "rsa-sha2-256") => Hash::Sha256,
            (KeyType::Rsa, "rsa-sha2-512") => Hash::Sha512,
            (kind, label) if label != kind.name() => return Err(BadSignature::WrongKind),
            (KeyType::Ecdsa(Curve::P384), _) => Hash::Sha384,
            (KeyType::Ecdsa(Curve::P521), _) => Hash::Sha512,
            _ => Hash::Sha256,
        };
        let body = reader.string()?;
        let numbers = match kind {
            KeyType::Ed25519 | KeyType::SkEd25519 => Numbers::Ed25519(body.try_into().map_err(|_| Garbled)?),
            KeyType::Rsa => Numbers::Rsa(body),
            KeyType::Ecdsa(_) | KeyType::SkEcdsa => {
                let mut pair = Reader::new(body);
                let (r, s) = (pair.number()?, pair.number()?);
                pair.end()?;
                Numbers::Ecdsa { r, s }
            }
        };
        let touch = if kind.is_security_key() {
            Some(Touch { flags: reader.byte()?, counter: reader.uint32()? })
        } else {
            None
        };
        reader.end()?;
        Ok(RawSignature { hash, numbers, touch })
    }

    /// Whether `key` made this signature over `message`. A security key signs a digest of it,
    /// bound to its application, the flags and the counter.
    pub fn is_by(&self, (key, application): (&VerifyKey, Option<&str>), message: &[u8], checks: Checks<'_>) -> bool {
        let verify = |message| checks.verify(key, self.hash, Signed::Message(message), &self.numbers).is_ok();
        match (self.touch, application) {
            (None, None) => verify(message),
            (Some(touch), Some(application)) => {
                let mut bound = Vec::with_capacity(69);
                bound.extend_from_slice(Hash::Sha256.of([application.as_bytes()]).as_ref());
                bound.push(touch.flags);
                bound.extend_from_slice(&touch.counter.to_be_bytes());
                bound.extend_from_slice(Hash::Sha256.of([message]).as_ref());
                verify(&bound)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_string(&mut out, bytes).unwrap();
        out
    }

    #[test]
    fn a_length_beyond_the_end_is_garbled() {
        for bad in [&[0, 0, 0, 2, 1][..], &[0xff; 4], &[0; 3]] {
            assert_eq!(Reader::new(bad).string(), Err(Garbled));
        }
        assert_eq!(Reader::new(&string(b"ab")).string(), Ok(b"ab".as_slice()));
    }

    #[test]
    fn numbers_have_one_form() {
        let number = |bytes: &[u8]| Reader::new(&string(bytes)).number().map(<[u8]>::to_vec);
        assert_eq!(number(&[0, 0x80]).unwrap(), [0x80]);
        assert_eq!(number(&[0x7f]).unwrap(), [0x7f]);
        for bad in [&[0x80][..], &[0, 1], &[0]] {
            assert!(number(bad).is_err(), "{bad:?}");
        }
    }

    /// A certificate's key must be found under the name it is registered by.
    #[test]
    fn a_key_is_written_as_it_was_read() {
        let curve = |name: &[u8]| [string(name), string(&[4; 65])].concat();
        let rsa = |modulus: &[u8]| [string(&[1, 0, 1]), string(modulus)].concat();
        for (kind, fields) in [
            (KeyType::Ed25519, string(&[7; 32])),
            (KeyType::Ecdsa(Curve::P256), curve(b"nistp256")),
            (KeyType::Ecdsa(Curve::P384), curve(b"nistp384")),
            (KeyType::Ecdsa(Curve::P521), curve(b"nistp521")),
            (KeyType::Rsa, rsa(&[0, 0x80, 1])),
            (KeyType::Rsa, rsa(&[0x7f, 1])),
            (KeyType::SkEd25519, [string(&[7; 32]), string(b"ssh:")].concat()),
            (KeyType::SkEcdsa, [curve(b"nistp256"), string(b"ssh:")].concat()),
        ] {
            let blob = [string(kind.name().as_bytes()), fields].concat();
            let mut reader = Reader::new(&blob);
            reader.string().unwrap();
            assert_eq!(PublicKey::read(kind, &mut reader).unwrap().blob().unwrap(), blob, "{kind:?}");
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn e03_e13_e17_e18_e32_the_label_fits_the_key() {
        let of = |kind, label: &str, tail: &[u8]| {
            let bytes = [string(label.as_bytes()), string(&[1; 64]), tail.to_vec()].concat();
            RawSignature::read(kind, &bytes).map(|signature| signature.hash)
        };
        assert_eq!(of(KeyType::Rsa, "rsa-sha2-512", &[]), Ok(Hash::Sha512));
        assert_eq!(of(KeyType::Rsa, "ssh-rsa", &[]), Err(BadSignature::Sha1));
        assert_eq!(of(KeyType::Rsa, "ssh-ed25519", &[]), Err(BadSignature::WrongKind));
        assert_eq!(of(KeyType::Ed25519, "ssh-dss", &[]), Err(BadSignature::Sha1));
        assert_eq!(of(KeyType::Ed25519, "rsa-sha2-256", &[]), Err(BadSignature::WrongKind));
        assert_eq!(of(KeyType::Ed25519, "sk-ssh-ed25519@openssh.com", &[0; 5]), Err(BadSignature::WrongKind));
        assert_eq!(of(KeyType::SkEd25519, "ssh-ed25519", &[0; 5]), Err(BadSignature::WrongKind));
        let webauthn = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com";
        assert_eq!(of(KeyType::SkEcdsa, webauthn, &[]), Err(BadSignature::WebAuthn));
        for (kind, tail) in [(KeyType::SkEd25519, &[1; 4][..]), (KeyType::SkEd25519, &[1; 6]), (KeyType::Ed25519, &[1])]
        {
            assert_eq!(of(kind, kind.name(), tail), Err(BadSignature::Garbled), "e06, e17");
        }
    }
}
