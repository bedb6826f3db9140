//! OpenPGP keys, signatures and certificates (RFC 9580), byte by byte: nothing here refuses to make what is wrong.

use super::signer::{Signer, armored};
use super::{DATE, capitalised};
use aws_lc_rs::digest as aws;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nettle::random::Yarrow;
use sequoia_openpgp::crypto::{KeyPair, Signer as _, mpi};
use sequoia_openpgp::packet::{Key as PgpKey, key};
use sequoia_openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, UNIX_EPOCH};

/// When the keys and their certificates were made, three years before the commits.
pub const KEY_DATE: u32 = 1_600_000_000;
pub const SIGNED: u32 = DATE as u32;

pub const RSA: u8 = 1;
pub const DSA: u8 = 17;
pub const ECDSA: u8 = 19;
pub const EDDSA: u8 = 22;
pub const ED25519: u8 = 27;

pub const SHA1: u8 = 2;
pub const SHA512: u8 = 10;

/// Key flags.
pub const CERTIFY: u8 = 1;
pub const SIGN: u8 = 2;
pub const ENCRYPT: u8 = 0x0c;
pub const AUTHENTICATE: u8 = 0x20;

/// Signature types.
pub const DOCUMENT: u8 = 0;
pub const CERTIFICATION: u8 = 0x13;
pub const SUBKEY_BINDING: u8 = 0x18;
pub const BACK_SIGNATURE: u8 = 0x19;
pub const DIRECT_KEY: u8 = 0x1f;
pub const KEY_REVOCATION: u8 = 0x20;
pub const SUBKEY_REVOCATION: u8 = 0x28;

/// Packets.
pub const SIGNATURE: u8 = 2;
pub const PUBLIC_KEY: u8 = 6;
pub const USER_ID: u8 = 13;
pub const PUBLIC_SUBKEY: u8 = 14;

/// Signs a digest of this hash; gives the numbers as a packet holds them.
type Numbers = Arc<dyn Fn(u8, &[u8]) -> Vec<u8> + Send + Sync>;

/// Changes the fields of a signature before it is made.
type Habit = Arc<dyn Fn(&mut Signature) + Send + Sync>;

/// A key: what its packet holds, and a way to sign with it, honest or not.
#[derive(Clone)]
pub struct Key {
    pub version: u8,
    pub algorithm: u8,
    pub created: u32,
    /// The part of the packet that belongs to the algorithm.
    pub material: Vec<u8>,
    /// Ed25519 seeds only.
    pub secret: Option<[u8; 32]>,
    numbers: Numbers,
    habit: Option<Habit>,
}

impl Key {
    /// Signs with `numbers`, whatever the material is.
    pub fn forged(
        algorithm: u8,
        material: Vec<u8>,
        numbers: impl Fn(u8, &[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Key {
        Key {
            version: 4,
            algorithm,
            created: KEY_DATE,
            material,
            secret: None,
            numbers: Arc::new(numbers),
            habit: None,
        }
    }

    /// Ed25519 as GnuPG writes it, from a seed that the label gives.
    pub fn ed25519(label: &str) -> Key {
        Key::ed25519_as(label, EDDSA)
    }

    /// Ed25519 as `EDDSA` or as RFC 9580 has it.
    pub fn ed25519_as(label: &str, algorithm: u8) -> Key {
        let seed: [u8; 32] = aws::digest(&aws::SHA256, label.as_bytes()).as_ref().try_into().expect("32 bytes");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are an Ed25519 secret");
        let material = ed25519_material(algorithm, pair.public_key().as_ref());
        let numbers = move |_: u8, digest: &[u8]| ed25519_numbers(algorithm, pair.sign(digest).as_ref());
        Key { secret: Some(seed), ..Key::forged(algorithm, material, numbers) }
    }

    /// `rsa-2048`, `rsa-1024`, `p-256`, `p-384`, `p-521` from the file of test keys; `label` sets the date apart, since
    /// no two persons may hold one key.
    pub fn stored(name: &str, label: &str) -> Key {
        let created =
            KEY_DATE + u32::from(label.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31) ^ u16::from(byte)));
        let number = |field: &str| stored_number(name, field);
        let when = UNIX_EPOCH + Duration::from_secs(created.into());
        let (algorithm, made): (u8, key::Key4<key::SecretParts, key::UnspecifiedRole>) = if name.starts_with("rsa") {
            let made = key::Key4::import_secret_rsa(&number("d"), &number("p"), &number("q"), when);
            (RSA, made.expect("an RSA key"))
        } else {
            let public = mpi::PublicKey::ECDSA { curve: curve(name), q: mpi::MPI::new(&number("point")) };
            let scalar = mpi::SecretKeyMaterial::ECDSA { scalar: number("scalar").into() };
            let made = key::Key4::with_secret(when, PublicKeyAlgorithm::ECDSA, public, scalar.into());
            (ECDSA, made.expect("an ECDSA key"))
        };
        Key::of_library(algorithm, created, made)
    }

    /// RSA of this many bits, from a seed that the label gives.
    pub fn rsa(bits: u32, label: &str) -> Key {
        let mut seeded = Yarrow::from_seed(aws::digest(&aws::SHA256, label.as_bytes()).as_ref());
        let (_, secret) = nettle::rsa::generate_keypair(&mut seeded, bits).expect("an RSA key");
        let (p, q) = secret.primes();
        let when = UNIX_EPOCH + Duration::from_secs(KEY_DATE.into());
        let made = key::Key4::import_secret_rsa(&secret.d(), &p, &q, when).expect("an RSA key");
        Key::of_library(RSA, KEY_DATE, made)
    }

    fn of_library(algorithm: u8, created: u32, made: key::Key4<key::SecretParts, key::UnspecifiedRole>) -> Key {
        let material = match made.mpis() {
            mpi::PublicKey::RSA { e, n } => [mpi(n.value()), mpi(e.value())].concat(),
            mpi::PublicKey::ECDSA { curve, q } => ecdsa_material(curve.oid(), q.value()),
            other => panic!("{other:?}"),
        };
        let pair = Mutex::new(PgpKey::from(made).into_keypair().expect("a secret key"));
        let numbers = move |hash: u8, digest: &[u8]| {
            let mut pair: KeyPair = pair.lock().expect("nobody panics with it").clone();
            match pair.sign(HashAlgorithm::from(hash), digest).expect("a signature") {
                mpi::Signature::RSA { s } => mpi(s.value()),
                mpi::Signature::ECDSA { r, s } => [mpi(r.value()), mpi(s.value())].concat(),
                other => panic!("{other:?}"),
            }
        };
        Key { created, ..Key::forged(algorithm, material, numbers) }
    }

    /// The same key in a packet of version 6.
    pub fn v6(mut self) -> Key {
        self.version = 6;
        self
    }

    /// The body of the packet.
    pub fn body(&self) -> Vec<u8> {
        let mut body = vec![self.version];
        body.extend(self.created.to_be_bytes());
        body.push(self.algorithm);
        if self.version == 6 {
            body.extend(length32(&self.material));
        }
        body.extend(&self.material);
        body
    }

    /// As signatures and fingerprints hash it.
    pub fn hashed(&self) -> Vec<u8> {
        let body = self.body();
        if self.version == 6 {
            [&[0x9b], &length32(&body)[..], &body].concat()
        } else {
            [&[0x99], &length16(&body)[..], &body].concat()
        }
    }

    pub fn fingerprint(&self) -> Vec<u8> {
        let algorithm = if self.version == 6 { &aws::SHA256 } else { &aws::SHA1_FOR_LEGACY_USE_ONLY };
        aws::digest(algorithm, &self.hashed()).as_ref().to_vec()
    }

    pub fn key_id(&self) -> Vec<u8> {
        let fingerprint = self.fingerprint();
        if self.version == 6 { fingerprint[..8].to_vec() } else { fingerprint[12..].to_vec() }
    }

    /// The subpacket that names this key.
    pub fn issuer(&self) -> Subpacket {
        Subpacket::new(33, [vec![self.version], self.fingerprint()].concat())
    }

    pub fn issuer_id(&self) -> Subpacket {
        Subpacket::new(16, self.key_id())
    }

    /// The same key with a habit: each of its signatures is changed like this before it is made.
    pub fn always(mut self, habit: impl Fn(&mut Signature) + Send + Sync + 'static) -> Key {
        self.habit = Some(Arc::new(habit));
        self
    }

    /// A signature of this type over these parts, after `change` has had its way with the fields.
    pub fn sign(&self, kind: u8, parts: &[&[u8]], change: impl FnOnce(&mut Signature)) -> Signature {
        let mut signature = Signature {
            version: self.version,
            kind,
            algorithm: self.algorithm,
            hash: SHA512,
            hashed: vec![Subpacket::time(2, SIGNED), self.issuer()],
            unhashed: if self.version == 6 { Vec::new() } else { vec![self.issuer_id()] },
            salt: if self.version == 6 { vec![0x5a; 32] } else { Vec::new() },
            prefix: [0; 2],
            numbers: Vec::new(),
        };
        if let Some(habit) = &self.habit {
            habit(&mut signature);
        }
        change(&mut signature);
        let digest = signature.digest(parts);
        signature.prefix = [digest[0], digest[1]];
        signature.numbers = (self.numbers)(signature.hash, &digest);
        signature
    }
}

pub fn ed25519_material(algorithm: u8, point: &[u8]) -> Vec<u8> {
    if algorithm == ED25519 {
        return point.to_vec();
    }
    ecdsa_material(Curve::Ed25519.oid(), &[&[0x40], point].concat())
}

/// 64 bytes as the packet holds them.
pub fn ed25519_numbers(algorithm: u8, signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    if algorithm == ED25519 { signature.to_vec() } else { [mpi(r), mpi(s)].concat() }
}

fn ecdsa_material(oid: &[u8], point: &[u8]) -> Vec<u8> {
    [&[oid.len() as u8], oid, &mpi(point)].concat()
}

fn curve(name: &str) -> Curve {
    match name {
        "p-256" => Curve::NistP256,
        "p-384" => Curve::NistP384,
        "p-521" => Curve::NistP521,
        _ => panic!("no curve is called {name}"),
    }
}

/// A number of `openpgp_test_keys.yaml`.
pub fn stored_number(name: &str, field: &str) -> Vec<u8> {
    static KEYS: LazyLock<BTreeMap<String, BTreeMap<String, String>>> =
        LazyLock::new(|| serde_yaml::from_str(include_str!("openpgp_test_keys.yaml")).expect("the test keys"));
    hex::decode(&KEYS[name][field]).expect("hex")
}

#[derive(Clone, Debug)]
pub struct Subpacket {
    /// With the bit of a critical one.
    pub kind: u8,
    pub body: Vec<u8>,
}

impl Subpacket {
    pub fn new(kind: u8, body: impl Into<Vec<u8>>) -> Subpacket {
        Subpacket { kind, body: body.into() }
    }

    /// A date, or a span in seconds.
    pub fn time(kind: u8, seconds: u32) -> Subpacket {
        Subpacket::new(kind, seconds.to_be_bytes())
    }

    pub fn notation(name: &[u8], value: &[u8]) -> Subpacket {
        let lengths = [length16(name), length16(value)].concat();
        Subpacket::new(20, [&[0x80, 0, 0, 0], &lengths[..], name, value].concat())
    }

    pub fn critical(mut self) -> Subpacket {
        self.kind |= 0x80;
        self
    }

    fn encoded(&self) -> Vec<u8> {
        [length(self.body.len() + 1), vec![self.kind], self.body.clone()].concat()
    }
}

pub fn area(subpackets: &[Subpacket]) -> Vec<u8> {
    subpackets.iter().flat_map(Subpacket::encoded).collect()
}

/// The fields of a signature packet, each in reach of an attacker.
#[derive(Clone, Debug)]
pub struct Signature {
    pub version: u8,
    pub kind: u8,
    pub algorithm: u8,
    pub hash: u8,
    pub hashed: Vec<Subpacket>,
    pub unhashed: Vec<Subpacket>,
    pub salt: Vec<u8>,
    pub prefix: [u8; 2],
    pub numbers: Vec<u8>,
}

impl Signature {
    /// Replaces the hashed subpackets of this kind.
    pub fn set(&mut self, subpacket: Subpacket) {
        self.without(subpacket.kind & 0x7f);
        self.hashed.push(subpacket);
    }

    pub fn without(&mut self, kind: u8) {
        self.hashed.retain(|subpacket| subpacket.kind & 0x7f != kind);
    }

    /// Version, type, algorithms and hashed area: the part that is signed.
    fn head(&self) -> Vec<u8> {
        let hashed = area(&self.hashed);
        let length = if self.version == 6 { length32(&hashed) } else { length16(&hashed) };
        [&[self.version, self.kind, self.algorithm, self.hash], &length[..], &hashed].concat()
    }

    fn digest(&self, parts: &[&[u8]]) -> Vec<u8> {
        // What no library computes is refused for its name; any digest will do.
        let hash = HashAlgorithm::from(self.hash).context().or_else(|_| HashAlgorithm::SHA512.context());
        let mut context = hash.expect("SHA-512").for_digest();
        let head = self.head();
        context.update(if self.version == 6 { &self.salt } else { &[] });
        parts.iter().for_each(|part| context.update(part));
        match self.version {
            0..=3 => context.update(&[&[self.kind], &SIGNED.to_be_bytes()[..]].concat()),
            5 => {
                context.update(&[&head[..], &[0; 6], &[5, 0xff]].concat());
                context.update(&(head.len() as u64).to_be_bytes());
            }
            version => context.update(&[&head[..], &[version, 0xff], &length32(&head)].concat()),
        }
        context.into_digest().expect("a digest")
    }

    pub fn body(&self) -> Vec<u8> {
        if self.version <= 3 {
            let id = self.unhashed.iter().find(|subpacket| subpacket.kind == 16).expect("a key id");
            let head = [&[self.version, 5, self.kind], &SIGNED.to_be_bytes()[..], &id.body].concat();
            return [&head[..], &[self.algorithm, self.hash], &self.prefix, &self.numbers].concat();
        }
        let unhashed = area(&self.unhashed);
        let length = if self.version == 6 { length32(&unhashed) } else { length16(&unhashed) };
        let salt = if self.version == 6 { [&[self.salt.len() as u8], &self.salt[..]].concat() } else { Vec::new() };
        [self.head(), length, unhashed, self.prefix.to_vec(), salt, self.numbers.clone()].concat()
    }

    pub fn packet(&self) -> Vec<u8> {
        packet(SIGNATURE, &self.body())
    }

    pub fn armored(&self) -> String {
        armor(&self.packet())
    }
}

/// The body of a signature over these two areas and with these numbers, whatever they hold.
pub fn raw_body(good: &Signature, hashed: &[u8], unhashed: &[u8], numbers: &[u8]) -> Vec<u8> {
    let head = [4, good.kind, good.algorithm, good.hash];
    [&head[..], &length16(hashed), hashed, &length16(unhashed), unhashed, &good.prefix, numbers].concat()
}

/// With the checksum that older programs want where no `=` ends the block.
pub fn armor_with_checksum(bytes: &[u8]) -> String {
    let mut sum = 0xb7_04ce_u32;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x100_0000 != 0 {
                sum ^= 0x186_4cfb;
            }
        }
    }
    let sum = STANDARD.encode(&sum.to_be_bytes()[1..]);
    armor(bytes).replace("\n-----END", &format!("\n={sum}\n-----END"))
}

pub fn armor(bytes: &[u8]) -> String {
    armored("PGP SIGNATURE", bytes, 64)
}

/// A packet in today's format.
pub fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [vec![0xc0 | tag], length(body.len()), body.to_vec()].concat()
}

/// The shortest form of a length, of packets and subpackets alike.
pub fn length(length: usize) -> Vec<u8> {
    match length {
        0..192 => vec![length as u8],
        192..8384 => vec![((length - 192) >> 8) as u8 + 192, (length - 192) as u8],
        _ => [&[255], &(length as u32).to_be_bytes()[..]].concat(),
    }
}

fn length16(bytes: &[u8]) -> Vec<u8> {
    u16::try_from(bytes.len()).expect("a short field").to_be_bytes().to_vec()
}

fn length32(bytes: &[u8]) -> Vec<u8> {
    u32::try_from(bytes.len()).expect("a field").to_be_bytes().to_vec()
}

/// A number: its bits, then its bytes.
pub fn mpi(number: &[u8]) -> Vec<u8> {
    let number = &number[number.iter().take_while(|&&byte| byte == 0).count()..];
    let bits = number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize);
    [&(bits as u16).to_be_bytes()[..], number].concat()
}

/// The packets of a certificate, in order.
#[derive(Clone)]
pub struct Certificate {
    pub primary: Key,
    pub packets: Vec<Vec<u8>>,
}

impl Certificate {
    /// Only the primary key.
    pub fn bare(primary: &Key) -> Certificate {
        Certificate { primary: primary.clone(), packets: vec![packet(PUBLIC_KEY, &primary.body())] }
    }

    /// A user id and the owner's signature on it.
    pub fn user_id(self, user_id: &[u8], flags: u8) -> Certificate {
        self.user_id_by(None, user_id, |signature| {
            signature.set(Subpacket::time(2, KEY_DATE + 100_000));
            signature.set(Subpacket::new(27, [flags]));
        })
    }

    /// A user id that `by` certifies, or the owner.
    pub fn user_id_by(self, by: Option<&Key>, user_id: &[u8], change: impl FnOnce(&mut Signature)) -> Certificate {
        let hashed = [&[0xb4], &length32(user_id)[..], user_id].concat();
        let by = by.unwrap_or(&self.primary);
        let signature = by.sign(CERTIFICATION, &[&self.primary.hashed(), &hashed], change);
        let packets = [packet(USER_ID, user_id), signature.packet()];
        self.with(packets)
    }

    /// A subkey with the owner's word on it; where it is to sign, with its own consent.
    pub fn subkey(self, subkey: &Key, flags: u8) -> Certificate {
        let consent = (flags & SIGN != 0).then_some(subkey);
        self.subkey_by(subkey, consent, flags, |_| {}, |_| {})
    }

    /// A subkey with consent by this key, or without; `change` sees the binding, `change_consent` the consent.
    pub fn subkey_by(
        self,
        subkey: &Key,
        consent: Option<&Key>,
        flags: u8,
        change: impl FnOnce(&mut Signature),
        change_consent: impl FnOnce(&mut Signature),
    ) -> Certificate {
        let (primary, sub) = (self.primary.hashed(), subkey.hashed());
        let date = Subpacket::time(2, KEY_DATE + 100_000);
        let consent = consent.map(|key| {
            key.sign(BACK_SIGNATURE, &[&primary, &sub], |signature| {
                signature.set(date.clone());
                change_consent(signature);
            })
        });
        let binding = self.primary.sign(SUBKEY_BINDING, &[&primary, &sub], |signature| {
            signature.set(date.clone());
            signature.set(Subpacket::new(27, [flags]));
            if let Some(consent) = consent {
                signature.hashed.push(Subpacket::new(32, consent.body()));
            }
            change(signature);
        });
        self.with([packet(PUBLIC_SUBKEY, &subkey.body()), binding.packet()])
    }

    /// The owner's word that the key is revoked, for a reason of RFC 9580, section 5.2.3.31.
    pub fn revoked(mut self, by: &Key, reason: u8) -> Certificate {
        let revocation = by.sign(KEY_REVOCATION, &[&self.primary.hashed()], |signature| {
            signature.set(Subpacket::time(2, KEY_DATE + 200_000));
            signature.set(Subpacket::new(29, [reason]));
        });
        self.packets.insert(1, revocation.packet());
        self
    }

    pub fn with(mut self, packets: impl IntoIterator<Item = Vec<u8>>) -> Certificate {
        self.packets.extend(packets);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.packets.concat()
    }

    pub fn armored(&self) -> Vec<u8> {
        armored("PGP PUBLIC KEY BLOCK", &self.bytes(), 64).into_bytes()
    }
}

/// A person with a certificate: a primary key that certifies, a subkey that signs.
#[derive(Clone)]
pub struct Holder {
    pub id: String,
    pub signer: Key,
    pub certificate: Certificate,
}

impl Holder {
    /// With Ed25519 keys of seeds that the name gives.
    pub fn of(id: &str) -> Holder {
        Holder::with(id, Key::ed25519(&format!("{id} primary")), Key::ed25519(&format!("{id} signer")))
    }

    pub fn with(id: &str, primary: Key, signer: Key) -> Holder {
        let user_id = format!("{} <{id}@example.com>", capitalised(id));
        let certificate = Certificate::bare(&primary).user_id(user_id.as_bytes(), CERTIFY).subkey(&signer, SIGN);
        Holder { id: id.to_owned(), signer, certificate }
    }

    /// The one who signs with this algorithm: `ed25519`, `ed25519-new`, `ed25519-v6`, or a stored key.
    pub fn called(id: &str) -> Holder {
        let primary = Key::ed25519(&format!("{id} primary"));
        let signer = format!("{id} signer");
        match id {
            "ed25519-new" => Holder::with(id, primary, Key::ed25519_as(&signer, ED25519)),
            "ed25519-v6" => {
                let primary = Key::ed25519_as(&format!("{id} primary"), ED25519).v6();
                let direct = primary.sign(DIRECT_KEY, &[&primary.hashed()], |signature| {
                    signature.set(Subpacket::time(2, KEY_DATE + 100_000));
                    signature.set(Subpacket::new(27, [CERTIFY]));
                });
                let signer = Key::ed25519_as(&signer, ED25519).v6();
                let mut holder = Holder::with(id, primary, signer);
                holder.certificate.packets.insert(1, direct.packet());
                holder
            }
            stored if stored.starts_with("rsa") || stored.starts_with("p-") => {
                Holder::with(id, primary, Key::stored(stored, id))
            }
            _ => Holder::of(id),
        }
    }

    pub fn primary(&self) -> &Key {
        &self.certificate.primary
    }

    pub fn sign(&self, payload: &[u8]) -> Signature {
        self.sign_as(payload, |_| {})
    }

    pub fn sign_as(&self, payload: &[u8], change: impl FnOnce(&mut Signature)) -> Signature {
        self.signer.sign(DOCUMENT, &[payload], change)
    }
}

impl Signer for Holder {
    fn sign(&self, payload: &[u8]) -> String {
        Holder::sign(self, payload).armored()
    }
}

/// Signs with this key instead of the holder's subkey.
impl Signer for Key {
    fn sign(&self, payload: &[u8]) -> String {
        Key::sign(self, DOCUMENT, &[payload], |_| {}).armored()
    }
}
