//! Certificates and CMS messages written by hand, so that each field is in reach of an attacker: no library makes
//! what most vectors need. Keys come from their names; only the numbers of an ECDSA signature are new at each run.

use super::DATE;
use super::signer::armored;
use super::ssh_keys::{EcdsaKey, P256, RsaKey, mpint};
use aws_lc_rs::digest::{SHA256, digest};

/// One value in DER.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let short = |byte: usize| u8::try_from(byte).expect("a byte");
    let length = match content.len() {
        length @ 0..0x80 => vec![short(length)],
        length @ 0x80..0x100 => vec![0x81, short(length)],
        length @ 0x100..0x1_0000 => vec![0x82, short(length >> 8), short(length & 0xff)],
        length => vec![0x83, short(length >> 16), short((length >> 8) & 0xff), short(length & 0xff)],
    };
    [&[tag], length.as_slice(), content].concat()
}

pub fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// `SET OF` in its one order.
pub fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &ordered(parts))
}

fn ordered(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.sort();
    parts.concat()
}

/// An unsigned number, big-endian.
pub fn integer(number: &[u8]) -> Vec<u8> {
    let number = mpint(number);
    tlv(2, if number.is_empty() { &[0] } else { &number })
}

pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(4, bytes)
}

pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes].concat())
}

pub fn null() -> Vec<u8> {
    tlv(5, &[])
}

pub fn oid(text: &str) -> Vec<u8> {
    let numbers: Vec<u64> = text.split('.').map(|number| number.parse().expect("a number")).collect();
    let mut content = vec![u8::try_from(40 * numbers[0] + numbers[1]).expect("a byte")];
    for number in &numbers[2..] {
        let mut digits = vec![u8::try_from(number & 0x7f).expect("a byte")];
        let mut rest = number >> 7;
        while rest > 0 {
            digits.push(0x80 | u8::try_from(rest & 0x7f).expect("a byte"));
            rest >>= 7;
        }
        content.extend(digits.iter().rev());
    }
    tlv(6, &content)
}

/// `AlgorithmIdentifier` without parameters.
pub fn algorithm(id: &str) -> Vec<u8> {
    seq(&[&oid(id)])
}

/// `GeneralizedTime`, `YYYYMMDDHHMMSSZ`, or `UTCTime` where it belongs before 2050.
pub fn time(text: &str) -> Vec<u8> {
    match text.strip_prefix("20").filter(|_| text < "2050") {
        Some(short) => tlv(0x17, short.as_bytes()),
        None => tlv(0x18, text.as_bytes()),
    }
}

pub const COMMON_NAME: &str = "2.5.4.3";
pub const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";
pub const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
pub const RSA_SHA256: &str = "1.2.840.113549.1.1.11";
pub const SHA256_ID: &str = "2.16.840.1.101.3.4.2.1";
pub const DATA: &str = "1.2.840.113549.1.7.1";
pub const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
pub const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
pub const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
pub const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
pub const ALTERNATIVE_NAME: &str = "2.5.29.17";
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const KEY_USAGE: &str = "2.5.29.15";
pub const EXTENDED_USAGE: &str = "2.5.29.37";

/// A name of one common name.
pub fn name(common: &str) -> Vec<u8> {
    name_of(&[(COMMON_NAME, tlv(0x0c, common.as_bytes()))])
}

/// A name of these attributes.
pub fn name_of(attributes: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = attributes.iter().map(|(id, value)| set(&[seq(&[&oid(id), value])])).collect();
    tlv(0x30, &parts.concat())
}

/// An extension; `critical` is written down only where it is true.
pub fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { tlv(1, &[0xff]) } else { Vec::new() };
    seq(&[&oid(id), &critical, &octets(value)])
}

/// `basicConstraints` of an authority.
pub fn authority(path_len: Option<u8>) -> Vec<u8> {
    let path_len = path_len.map_or_else(Vec::new, |most| integer(&[most]));
    extension(BASIC_CONSTRAINTS, true, &seq(&[&tlv(1, &[0xff]), &path_len]))
}

/// Bits of `keyUsage`, from the left: 0 is digitalSignature, 5 keyCertSign, 6 cRLSign.
pub fn usage(flags: &[u32]) -> Vec<u8> {
    let byte = flags.iter().fold(0u8, |byte, flag| byte | (0x80 >> flag));
    let unused = u8::try_from(byte.trailing_zeros().min(7)).expect("a byte");
    extension(KEY_USAGE, true, &tlv(3, &[unused, byte]))
}

/// `subjectAltName` with these `GeneralName`s.
pub fn names(names: &[Vec<u8>]) -> Vec<u8> {
    extension(ALTERNATIVE_NAME, false, &tlv(0x30, &names.concat()))
}

/// `rfc822Name`
pub fn mail(address: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x81, address.as_ref())
}

/// A key that signs certificates and messages.
pub enum Key {
    Ec(EcdsaKey),
    Rsa(RsaKey),
}

impl Key {
    pub fn named(name: &str) -> Key {
        Key::Ec(EcdsaKey::named(P256, name))
    }

    /// Over SHA-256.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Key::Ec(key) => {
                let (r, s) = key.numbers(bytes);
                seq(&[&integer(&r), &integer(&s)])
            }
            Key::Rsa(key) => key.pkcs1("sha256", bytes),
        }
    }

    fn algorithm(&self) -> Vec<u8> {
        match self {
            Key::Ec(_) => algorithm(ECDSA_SHA256),
            Key::Rsa(_) => seq(&[&oid(RSA_SHA256), &null()]),
        }
    }

    /// `SubjectPublicKeyInfo`
    pub fn info(&self) -> Vec<u8> {
        match self {
            Key::Ec(key) => {
                let named = seq(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]);
                seq(&[&named, &bits(&key.point())])
            }
            Key::Rsa(key) => {
                let numbers = seq(&[&integer(&key.modulus), &integer(&key.exponent)]);
                seq(&[&seq(&[&oid("1.2.840.113549.1.1.1"), &null()]), &bits(&numbers)])
            }
        }
    }
}

/// What a certificate says, before anybody signs it.
#[derive(Clone)]
pub struct Certificate {
    pub serial: Vec<u8>,
    pub subject: Vec<u8>,
    pub from: &'static str,
    pub until: &'static str,
    pub extensions: Vec<Vec<u8>>,
}

impl Certificate {
    fn of(common: &str, extensions: Vec<Vec<u8>>) -> Certificate {
        let mut serial = digest(&SHA256, common.as_bytes()).as_ref()[..8].to_vec();
        serial[0] = (serial[0] & 0x3f) | 0x40;
        let subject = name(common);
        Certificate { serial, subject, from: "20200101000000Z", until: "20400101000000Z", extensions }
    }

    /// For signing mail and commits.
    pub fn leaf(common: &str, email: &str) -> Certificate {
        Certificate::of(common, vec![usage(&[0]), names(&[mail(email)])])
    }

    pub fn authority(common: &str) -> Certificate {
        Certificate::of(common, vec![authority(None), usage(&[5, 6])])
    }

    pub fn with(mut self, extension: Vec<u8>) -> Certificate {
        self.extensions.push(extension);
        self
    }

    /// `self` with these extensions and no others.
    pub fn only(self, extensions: Vec<Vec<u8>>) -> Certificate {
        Certificate { extensions, ..self }
    }

    fn body(&self, issuer: &[u8], info: &[u8], algorithm: &[u8]) -> Vec<u8> {
        let version = tlv(0xa0, &integer(&[2]));
        let validity = seq(&[&time(self.from), &time(self.until)]);
        let extensions = match self.extensions.concat() {
            none if none.is_empty() => none,
            some => tlv(0xa3, &tlv(0x30, &some)),
        };
        seq(&[&version, &integer(&self.serial), algorithm, issuer, &validity, &self.subject, info, &extensions])
    }
}

/// Somebody with a key and a certificate.
pub struct Entity {
    pub key: Key,
    pub certificate: Certificate,
    pub issuer: Vec<u8>,
    pub der: Vec<u8>,
}

impl Entity {
    /// Signs its own certificate; its key is called like the certificate's serial number.
    pub fn root(certificate: Certificate) -> Entity {
        Entity::root_with(Key::named(&hex::encode(&certificate.serial)), certificate)
    }

    pub fn root_with(key: Key, certificate: Certificate) -> Entity {
        let der = signed(&certificate, &certificate.subject, &key.info(), &key.algorithm(), |body| key.sign(body));
        Entity { issuer: certificate.subject.clone(), key, certificate, der }
    }

    pub fn issue(&self, certificate: Certificate) -> Entity {
        self.issue_for(Key::named(&hex::encode(&certificate.serial)), certificate)
    }

    pub fn issue_for(&self, key: Key, certificate: Certificate) -> Entity {
        let info = key.info();
        self.issue_as(key, certificate, &info, &self.key.algorithm(), &|body| self.key.sign(body))
    }

    /// With another key inside, or signed in another way.
    pub fn issue_as(
        &self,
        key: Key,
        certificate: Certificate,
        info: &[u8],
        algorithm: &[u8],
        sign: &dyn Fn(&[u8]) -> Vec<u8>,
    ) -> Entity {
        let issuer = self.certificate.subject.clone();
        let der = signed(&certificate, &issuer, info, algorithm, sign);
        Entity { key, certificate, issuer, der }
    }

    pub fn pem(&self) -> String {
        armored("CERTIFICATE", &self.der, 64)
    }

    /// `X509:…`, as the registry calls it.
    pub fn fingerprint(&self) -> String {
        format!("X509:{}", hex::encode(digest(&SHA256, &self.der).as_ref()))
    }

    /// A revocation list of this authority's.
    pub fn list(&self, list: &List) -> Vec<u8> {
        let entry = |(serial, reason): &(Vec<u8>, u8)| {
            let reason = extension("2.5.29.21", false, &tlv(10, &[*reason]));
            seq(&[&integer(serial), &time("20250601000000Z"), &seq(&[&reason])])
        };
        let revoked: Vec<Vec<u8>> = list.revoked.iter().map(entry).collect();
        let revoked = if revoked.is_empty() { Vec::new() } else { tlv(0x30, &revoked.concat()) };
        let number = extension("2.5.29.20", false, &integer(&[1]));
        let extensions = tlv(0xa0, &tlv(0x30, &[number, list.extensions.concat()].concat()));
        let issuer = &self.certificate.subject;
        let algorithm = self.key.algorithm();
        let (from, until) = (time(list.from), time(list.until));
        let body = seq(&[&integer(&[1]), &algorithm, issuer, &from, &until, &revoked, &extensions]);
        seq(&[&body, &algorithm, &bits(&self.key.sign(&body))])
    }
}

fn signed(
    certificate: &Certificate,
    issuer: &[u8],
    info: &[u8],
    algorithm: &[u8],
    sign: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let body = certificate.body(issuer, info, algorithm);
    seq(&[&body, algorithm, &bits(&sign(&body))])
}

/// What a revocation list says.
#[derive(Clone)]
pub struct List {
    pub from: &'static str,
    pub until: &'static str,
    /// Serial numbers and `CRLReason`s.
    pub revoked: Vec<(Vec<u8>, u8)>,
    pub extensions: Vec<Vec<u8>>,
}

impl List {
    pub fn empty() -> List {
        List { from: "20250101000000Z", until: "20400101000000Z", revoked: Vec::new(), extensions: Vec::new() }
    }

    pub fn revoking(entity: &Entity, reason: u8) -> List {
        List { revoked: vec![(entity.certificate.serial.clone(), reason)], ..List::empty() }
    }
}

/// A CMS message, each field in reach.
pub struct Message<'a> {
    /// `EncapsulatedContentInfo`: nothing but the type where the signature is detached.
    pub content: Vec<u8>,
    pub certificates: Option<Vec<Vec<u8>>>,
    /// Revocation lists that come along.
    pub lists: Vec<Vec<u8>>,
    pub signers: Vec<SignerInfo<'a>>,
}

pub struct SignerInfo<'a> {
    pub by: &'a Entity,
    pub id: Vec<u8>,
    pub digest: Vec<u8>,
    /// `None`: there are none. In the order in which they are written.
    pub attributes: Option<Vec<Vec<u8>>>,
    pub algorithm: Vec<u8>,
    /// What the signature is over, where it is not the attributes.
    pub over: Option<Vec<u8>>,
    /// The signature, where it is not one of `by`'s key.
    pub signature: Option<Vec<u8>>,
    pub unsigned: Vec<Vec<u8>>,
}

/// An attribute with these values.
pub fn attribute(id: &str, values: &[Vec<u8>]) -> Vec<u8> {
    seq(&[&oid(id), &set(values)])
}

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

impl<'a> Message<'a> {
    /// A good detached signature by `by`, with the certificates of `with` beside its own.
    pub fn of(by: &'a Entity, with: &[&Entity], payload: &[u8]) -> Message<'a> {
        let certificates = [by].iter().chain(with).map(|entity| entity.der.clone()).collect();
        let signers = vec![SignerInfo::of(by, payload)];
        Message { content: seq(&[&oid(DATA)]), certificates: Some(certificates), lists: Vec::new(), signers }
    }

    pub fn der(&self) -> Vec<u8> {
        let digests: Vec<Vec<u8>> = self.signers.iter().map(|signer| signer.digest.clone()).collect();
        let certificates = self.certificates.as_ref().map_or_else(Vec::new, |all| tlv(0xa0, &ordered(all)));
        let lists = if self.lists.is_empty() { Vec::new() } else { tlv(0xa1, &ordered(&self.lists)) };
        let signers: Vec<Vec<u8>> = self.signers.iter().map(SignerInfo::der).collect();
        let data = seq(&[&integer(&[1]), &set(&digests), &self.content, &certificates, &lists, &set(&signers)]);
        seq(&[&oid(SIGNED_DATA), &tlv(0xa0, &data)])
    }

    pub fn armored(&self) -> String {
        block(&self.der())
    }
}

/// DER as git stores it.
pub fn block(der: &[u8]) -> String {
    armored("SIGNED MESSAGE", der, 64)
}

impl<'a> SignerInfo<'a> {
    pub fn of(by: &'a Entity, payload: &[u8]) -> SignerInfo<'a> {
        SignerInfo {
            by,
            id: seq(&[&by.issuer, &integer(&by.certificate.serial)]),
            digest: algorithm(SHA256_ID),
            attributes: Some(vec![content_type(DATA), signing_time(DATE), message_digest(&sha256(payload))]),
            algorithm: by.key.algorithm(),
            over: None,
            signature: None,
            unsigned: Vec::new(),
        }
    }

    fn der(&self) -> Vec<u8> {
        let written = self.attributes.as_ref().map_or_else(Vec::new, |all| tlv(0xa0, &all.concat()));
        let over = self.over.clone().unwrap_or_else(|| set(self.attributes.as_deref().unwrap_or_default()));
        let signature = self.signature.clone().unwrap_or_else(|| self.by.key.sign(&over));
        let unsigned = if self.unsigned.is_empty() { Vec::new() } else { tlv(0xa1, &ordered(&self.unsigned)) };
        let parts = [&self.id, &self.digest, &written, &self.algorithm, &octets(&signature), &unsigned];
        tlv(0x30, &[integer(&[1]), parts.map(Vec::as_slice).concat()].concat())
    }
}

pub fn content_type(id: &str) -> Vec<u8> {
    attribute(CONTENT_TYPE, &[oid(id)])
}

pub fn message_digest(bytes: &[u8]) -> Vec<u8> {
    attribute(MESSAGE_DIGEST, &[octets(bytes)])
}

pub fn signing_time(unix: u64) -> Vec<u8> {
    let text = countersign_policy::time::Time::from_unix_seconds(i64::try_from(unix).expect("a date")).to_string();
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | ':' | 'T')).collect();
    attribute(SIGNING_TIME, &[time(&digits)])
}
