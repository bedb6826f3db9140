//! SSH signatures whose makers wrote what they liked, and fields that others changed.

use super::armor::opened;
use super::openpgp::add_order;
use crate::cast::Cast;
use crate::object::{BOTH, Objects};
use crate::sshsig::{MAGIC, Recipe, Secret, TOKEN, armored, strings, take};

pub fn generate(cast: &mut Cast, objects: &mut Objects) {
    for (name, secret) in [("ed25519", &cast.soft_ssh), ("rsa", &cast.soft_rsa), ("sk", &cast.soft_token)] {
        for (variant, recipe) in recipes(secret) {
            objects.add_both(&format!("sshsig-{name}/{variant}"), &|payload| recipe.sign(secret, payload));
        }
    }
    tokens(objects);
    weak_keys(cast, objects);
    for signer in cast.signers.iter().filter(|signer| !signer.openpgp) {
        for what in BOTH {
            let payload = what.payload();
            let good = opened(&(signer.sign)(&payload));
            for (variant, blob) in changed(&good) {
                objects.add(format!("sshsig-changed/{variant}"), what, what.signed(&payload, &armored(&blob)));
            }
        }
    }
}

/// Signatures that their maker made odd, and signed.
fn recipes(secret: &Secret) -> Vec<(&'static str, Recipe)> {
    let usual = || Recipe::usual(secret);
    let namespace = |name: &str| usual().honestly(|fields| fields.namespace = name.as_bytes().to_vec());
    let hash = |name: &str| usual().honestly(|fields| fields.hash = name.as_bytes().to_vec());
    let label = |name: &str| Recipe { label: name.as_bytes().to_vec(), ..usual() };
    let key = |key: Vec<u8>| Recipe { public_key: key, ..usual() };
    let mut written = usual();
    written.written.hash = b"sha256".to_vec();
    let mut renamed = usual();
    renamed.signed.namespace = b"file".to_vec();
    let mut reserved_beside = usual();
    reserved_beside.written.reserved = b"x".to_vec();
    let mut reserved_signed = usual();
    reserved_signed.signed.reserved = b"x".to_vec();
    let own = secret.public_key();
    vec![
        ("usual", usual()),
        ("namespace-file", namespace("file")),
        ("namespace-email", namespace("email")),
        ("namespace-empty", namespace("")),
        ("namespace-blank", namespace("git ")),
        ("namespace-upper-case", namespace("GIT")),
        ("namespace-nul", namespace("git\0")),
        ("namespace-list", namespace("git,file")),
        ("namespace-long", namespace(&"git".repeat(100))),
        ("namespace-renamed", renamed),
        ("reserved-signed-and-written", usual().honestly(|fields| fields.reserved = b"x".to_vec())),
        ("reserved-written", reserved_beside),
        ("reserved-signed", reserved_signed),
        ("hash-sha256", hash("sha256")),
        ("hash-sha384", hash("sha384")),
        ("hash-sha1", hash("sha1")),
        ("hash-empty", hash("")),
        ("hash-upper-case", hash("SHA512")),
        ("hash-unknown", hash("sha3-512")),
        ("hash-renamed", written),
        ("version-0", Recipe { version: 0, ..usual() }),
        ("version-2", Recipe { version: 2, ..usual() }),
        ("magic", Recipe { magic: b"SSHSIH".to_vec(), ..usual() }),
        ("bytes-after", Recipe { after: vec![0], ..usual() }),
        ("bytes-after-numbers", Recipe { after_numbers: vec![0], ..usual() }),
        ("label-ssh-rsa", label("ssh-rsa")),
        ("label-rsa-sha2-256", label("rsa-sha2-256")),
        ("label-rsa-sha2-512", label("rsa-sha2-512")),
        ("label-dss", label("ssh-dss")),
        ("label-ed25519", label("ssh-ed25519")),
        ("label-ecdsa", label("ecdsa-sha2-nistp256")),
        ("label-sk", label("sk-ssh-ed25519@openssh.com")),
        ("label-webauthn", label("webauthn-sk-ecdsa-sha2-nistp256@openssh.com")),
        ("label-certificate", label("ssh-ed25519-cert-v01@openssh.com")),
        ("label-empty", label("")),
        ("label-renamed", Recipe { written_label: Some(b"rsa-sha2-256".to_vec()), ..usual() }),
        ("key-unknown", key(Secret::Ed25519([9; 32]).public_key())),
        ("key-bytes-after", key([own.as_slice(), &[0]].concat())),
        ("key-cut-short", key(own[..own.len() - 1].to_vec())),
        ("key-empty", key(Vec::new())),
        ("key-renamed", key([&strings(&[b"ssh-dss"]), &own[own.len() - 36..]].concat())),
        ("key-of-certificate-type", {
            let name = b"ssh-ed25519-cert-v01@openssh.com";
            key([&strings(&[name]), &own[own.len() - 36..]].concat())
        }),
    ]
}

/// What a security key says of its user, and what it was asked for.
fn tokens(objects: &mut Objects) {
    for (variant, flags, counter, application) in [
        ("nobody-there", 0, 7, b"ssh:".as_slice()),
        ("touched", 1, 8, b"ssh:"),
        ("verified", 5, 8, b"ssh:"),
        ("verified-not-touched", 4, 8, b"ssh:"),
        ("odd-flags", 0xff, 8, b"ssh:"),
        ("counter-zero", 1, 0, b"ssh:"),
        ("counter-highest", 1, u32::MAX, b"ssh:"),
        ("another-application", 1, 8, b"ssh:other"),
        ("web-application", 1, 8, b"https://example.com"),
    ] {
        let secret = Secret::Token { seed: [2; 32], flags, counter, application };
        let mut recipe = Recipe::usual(&secret);
        objects.add_both(&format!("security-key/{variant}"), &|payload| recipe.sign(&secret, payload));
        // Under the registered name all the same.
        recipe.public_key = Secret::Token { seed: [2; 32], flags, counter, application: b"ssh:" }.public_key();
        objects.add_both(&format!("security-key/{variant}-renamed"), &|payload| recipe.sign(&secret, payload));
    }
    // The secret used as if it were no security key's.
    let plain = Secret::Ed25519([2; 32]);
    let token = Secret::Token { seed: [2; 32], flags: 1, counter: 7, application: b"ssh:" };
    let recipe = Recipe { public_key: token.public_key(), ..Recipe::usual(&plain) };
    objects.add_both("security-key/plain-signature", &|payload| recipe.sign(&plain, payload));
    let relabelled = Recipe { label: TOKEN.to_vec(), after_numbers: vec![1, 0, 0, 0, 7], ..recipe };
    objects.add_both("security-key/plain-signature-relabelled", &|payload| relabelled.sign(&plain, payload));
}

/// Keys that the door refuses: the other programs are told to trust them.
fn weak_keys(cast: &mut Cast, objects: &mut Objects) {
    let short = Secret::rsa(cast.folder(), "short-rsa", "1024");
    let refusal = cast.add_ssh(crate::cast::Who::Alice, &short.line());
    assert!(refusal.is_err(), "an RSA key of 1024 bits is refused at the door");
    objects.add_both("ssh-key/rsa-1024", &|payload| Recipe::usual(&short).sign(&short, payload));
    let weak = strings(&[b"ssh-ed25519", &[&[1][..], &[0; 31]].concat()]);
    let line = format!("ssh-ed25519 {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &weak));
    assert!(cast.add_ssh(crate::cast::Who::Alice, &line).is_err(), "a point of small order is refused at the door");
    // With the neutral element as key and R, and S = 0, one signature is good for every message.
    let signature = strings(&[b"ssh-ed25519", &[&[1][..], &[0; 63]].concat()]);
    let blob = [MAGIC, &[0, 0, 0, 1], &strings(&[&weak, b"git", b"", b"sha512", &signature])].concat();
    objects.add_both("ssh-key/small-order", &|_| armored(&blob));
}

/// A signature taken apart.
#[derive(Clone)]
struct Parts {
    public_key: Vec<u8>,
    namespace: Vec<u8>,
    reserved: Vec<u8>,
    hash: Vec<u8>,
    label: Vec<u8>,
    numbers: Vec<u8>,
    tail: Vec<u8>,
}

impl Parts {
    fn of(blob: &[u8]) -> Parts {
        let mut rest = &blob[MAGIC.len() + 4..];
        let [public_key, namespace, reserved, hash, signature] = std::array::from_fn(|_| take(&mut rest));
        let mut inside = signature.as_slice();
        let [label, numbers] = std::array::from_fn(|_| take(&mut inside));
        Parts { public_key, namespace, reserved, hash, label, numbers, tail: inside.to_vec() }
    }

    fn blob(&self) -> Vec<u8> {
        let signature = [strings(&[&self.label, &self.numbers]), self.tail.clone()].concat();
        let fields = strings(&[&self.public_key, &self.namespace, &self.reserved, &self.hash, &signature]);
        [MAGIC, &[0, 0, 0, 1], &fields].concat()
    }
}

/// A good signature that somebody else changed.
fn changed(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let parts = Parts::of(good);
    let change = |change: &dyn Fn(&mut Parts)| {
        let mut changed = parts.clone();
        change(&mut changed);
        changed.blob()
    };
    let length = |at: usize, bytes: [u8; 4]| {
        let mut changed = good.to_vec();
        changed[at..at + 4].copy_from_slice(&bytes);
        changed
    };
    let mut all = vec![
        ("namespace", change(&|parts| parts.namespace = b"file".to_vec())),
        ("reserved", change(&|parts| parts.reserved = b"anything".to_vec())),
        ("reserved-long", change(&|parts| parts.reserved = vec![b'x'; 1000])),
        ("hash-sha256", change(&|parts| parts.hash = b"sha256".to_vec())),
        ("hash-unknown", change(&|parts| parts.hash = b"sha1".to_vec())),
        ("label-rsa-sha2-256", change(&|parts| parts.label = b"rsa-sha2-256".to_vec())),
        ("label-ed25519", change(&|parts| parts.label = b"ssh-ed25519".to_vec())),
        ("label-unknown", change(&|parts| parts.label = b"none".to_vec())),
        ("numbers-empty", change(&|parts| parts.numbers.clear())),
        ("numbers-zero", change(&|parts| parts.numbers.fill(0))),
        ("numbers-ones", change(&|parts| parts.numbers.fill(0xff))),
        ("numbers-shorter", change(&|parts| parts.numbers.truncate(parts.numbers.len() - 1))),
        ("numbers-longer", change(&|parts| parts.numbers.push(0))),
        ("numbers-leading-zero", change(&|parts| parts.numbers.insert(0, 0))),
        ("tail", change(&|parts| parts.tail.push(0))),
        ("tail-shorter", change(&|parts| parts.tail.truncate(parts.tail.len().saturating_sub(1)))),
        ("tail-flags", change(&|parts| parts.tail.iter_mut().take(1).for_each(|byte| *byte ^= 4))),
        ("tail-counter", change(&|parts| parts.tail.iter_mut().skip(1).for_each(|byte| *byte ^= 1))),
        ("key-unknown", change(&|parts| parts.public_key = Secret::Ed25519([9; 32]).public_key())),
        ("key-of-another", change(&|parts| parts.public_key = Secret::Ed25519([1; 32]).public_key())),
        ("version-0", [MAGIC, &[0, 0, 0, 0], &good[10..]].concat()),
        ("version-2", [MAGIC, &[0, 0, 0, 2], &good[10..]].concat()),
        ("bytes-after", [good, &[0]].concat()),
        ("cut-short", good[..good.len() - 1].to_vec()),
        ("key-length-too-long", length(10, [0, 0, 0xff, 0xff])),
        ("key-length-huge", length(10, [0xff; 4])),
        ("key-length-zero", length(10, [0; 4])),
        ("twice", [good, good].concat()),
        ("only-magic", MAGIC.to_vec()),
    ];
    if parts.label.starts_with(b"ecdsa") {
        let mut rest = parts.numbers.as_slice();
        let [r, s] = std::array::from_fn(|_| take(&mut rest));
        let pair = |r: &[u8], s: &[u8]| change(&|parts| parts.numbers = strings(&[r, s]));
        all.extend([
            ("ecdsa-leading-zero", pair(&[&[0, 0], r.as_slice()].concat(), &s)),
            ("ecdsa-negative", pair(&[0x80, 1], &s)),
            ("ecdsa-r-zero", pair(&[], &s)),
            ("ecdsa-s-zero", pair(&r, &[])),
            ("ecdsa-exchanged", pair(&s, &r)),
            ("ecdsa-s-ones", pair(&r, &[&[0][..], &[0xff; 32]].concat())),
            ("ecdsa-third-number", change(&|parts| parts.numbers = strings(&[&r, &s, &[1]]))),
        ]);
    }
    if parts.numbers.len() == 64 {
        all.push(("ed25519-larger", change(&|parts| add_order(&mut parts.numbers[32..]))));
        all.push(("ed25519-exchanged", change(&|parts| parts.numbers.rotate_left(32))));
    }
    all
}
