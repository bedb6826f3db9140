//! OpenPGP signatures whose makers wrote what they liked, and packets that others changed.

use super::armor::opened;
use crate::cast::Cast;
use crate::object::{BOTH, Objects};
use crate::openpgp::{KEYS_MADE, Recipe, SIGNED, Sub, armored, critical, notation, packet, sub};
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::types::HashAlgorithm;

pub fn generate(cast: &Cast, objects: &mut Objects) {
    let pair = &cast.soft_openpgp.pair;
    for (variant, recipe) in recipes(pair) {
        objects.add_both(&format!("subpackets/{variant}"), &|payload| recipe.sign(pair, payload));
    }
    for (number, name) in SUBPACKETS {
        let body = body_of(number, pair);
        for (place, recipe) in [
            ("", Recipe::usual(pair).with(sub(number, body.clone()))),
            ("-critical", Recipe::usual(pair).with(critical(number, body.clone()))),
            ("-beside", Recipe::usual(pair).beside(sub(number, body.clone()))),
            ("-critical-beside", Recipe::usual(pair).beside(critical(number, body.clone()))),
            ("-empty", Recipe::usual(pair).with(sub(number, []))),
            ("-cut-short", Recipe::usual(pair).with(sub(number, &body[..body.len() / 2]))),
            ("-empty-beside", Recipe::usual(pair).beside(sub(number, []))),
        ] {
            objects.add_both(&format!("subpackets/{name}{place}"), &|payload| recipe.sign(pair, payload));
        }
    }
    for signer in cast.signers.iter().filter(|signer| signer.openpgp) {
        for what in BOTH {
            let payload = what.payload();
            let good = opened(&(signer.sign)(&payload));
            for (variant, packets) in changed_packets(&good, &payload) {
                objects.add(format!("packets/{variant}"), what, what.signed(&payload, &armored(&packets)));
            }
        }
    }
}

/// The known types, and what one would believe who read them in a signature of a document.
const SUBPACKETS: [(u8, &str); 36] = [
    (0, "reserved-0"),
    (1, "reserved-1"),
    (2, "second-date"),
    (3, "expiry"),
    (4, "exportable"),
    (5, "trust"),
    (6, "regular-expression"),
    (7, "revocable"),
    (9, "key-expiry"),
    (10, "placeholder"),
    (11, "ciphers"),
    (12, "revocation-key"),
    (16, "key-id"),
    (20, "notation"),
    (21, "hashes"),
    (22, "compressions"),
    (23, "server-preferences"),
    (24, "preferred-server"),
    (25, "primary-user-id"),
    (26, "policy-uri"),
    (27, "key-flags"),
    (28, "signers-user-id"),
    (29, "reason-for-revocation"),
    (30, "features"),
    (31, "signature-target"),
    (32, "embedded-signature"),
    (33, "fingerprint"),
    (34, "aead"),
    (35, "intended-recipient"),
    (37, "attested"),
    (38, "key-block"),
    (39, "aead-suites"),
    (60, "unknown-60"),
    (100, "private-100"),
    (110, "private-110"),
    (127, "unknown-127"),
];

fn body_of(number: u8, pair: &KeyPair) -> Vec<u8> {
    let fingerprint = [&[4], pair.public().fingerprint().as_bytes()].concat();
    match number {
        2 => (SIGNED + 60).to_be_bytes().to_vec(),
        // Ten years after the signature.
        3 | 9 => (10 * 365 * 86_400_u32).to_be_bytes().to_vec(),
        5 => vec![1, 60],
        6 => b"<[^>]+[@.]example\\.com>$\0".to_vec(),
        12 => [&[0x80, 22], pair.public().fingerprint().as_bytes()].concat(),
        16 => pair.public().keyid().as_bytes().to_vec(),
        20 => notation("note@example.com", b"yes", [0x80, 0, 0, 0]),
        24 | 26 => b"https://example.com/".to_vec(),
        27 => vec![2],
        28 => b"Alice <alice@example.com>".to_vec(),
        29 => b"\x03no longer used".to_vec(),
        31 => [&[22, 10][..], &[7; 64]].concat(),
        32 => Recipe::usual(pair).body(pair, b"embedded"),
        33 | 35 => fingerprint,
        4 | 7 | 25 => vec![1],
        _ => vec![1, 2, 3, 4],
    }
}

/// Signatures that their maker made odd, and signed.
fn recipes(pair: &KeyPair) -> Vec<(&'static str, Recipe)> {
    let usual = || Recipe::usual(pair);
    let fingerprint = |text: &[u8; 20]| sub(33, [&[4][..], text].concat());
    let own = [&[4], pair.public().fingerprint().as_bytes()].concat();
    let id = pair.public().keyid().as_bytes().to_vec();
    let dated = |seconds: u32| usual().without(2).with(sub(2, seconds.to_be_bytes()));
    let for_days = |days: u32| usual().with(sub(3, (days * 86_400).to_be_bytes()));
    let user = |text: &str| usual().with(sub(28, text.as_bytes()));
    let hash = |hash| Recipe { hash, ..usual() };
    let mut all = vec![
        ("usual", usual()),
        ("v3", Recipe { version: 3, ..usual() }),
        ("v5", Recipe { version: 5, ..usual() }),
        ("digest-md5", hash(HashAlgorithm::MD5)),
        ("digest-sha1", hash(HashAlgorithm::SHA1)),
        ("digest-ripemd", hash(HashAlgorithm::RipeMD)),
        ("digest-sha224", hash(HashAlgorithm::SHA224)),
        ("digest-sha256", hash(HashAlgorithm::SHA256)),
        ("digest-sha384", hash(HashAlgorithm::SHA384)),
        ("digest-sha3-256", hash(HashAlgorithm::SHA3_256)),
        ("digest-sha3-512", hash(HashAlgorithm::SHA3_512)),
        ("issuer-none", usual().without(16).without(33)),
        ("issuer-id-only-beside", usual().without(33)),
        ("issuer-id-only", usual().without(16).without(33).with(sub(16, id.clone()))),
        ("issuer-id-only-critical", usual().without(16).without(33).with(critical(16, id.clone()))),
        ("issuer-fingerprint-only", usual().without(16)),
        ("issuer-fingerprint-only-critical", usual().without(16).without(33).with(critical(33, own.clone()))),
        ("issuer-fingerprint-only-beside", usual().without(16).without(33).beside(sub(33, own.clone()))),
        ("issuer-wrong-id-beside", usual().without(16).beside(sub(16, [7; 8]))),
        ("issuer-wrong-id-first", usual().without(16).beside(sub(16, [7; 8])).beside(sub(16, id.clone()))),
        ("issuer-wrong-id-last", usual().beside(sub(16, [7; 8]))),
        ("issuer-wrong-id", usual().without(33).without(16).with(sub(16, [7; 8]))),
        ("issuer-wrong-fingerprint", usual().without(33).with(fingerprint(&[7; 20]))),
        ("issuer-wrong-fingerprint-beside", usual().without(33).beside(fingerprint(&[7; 20]))),
        ("issuer-wrong-fingerprint-too", usual().with(fingerprint(&[7; 20]))),
        ("issuer-both-wrong", usual().without(33).without(16).with(fingerprint(&[7; 20])).beside(sub(16, [7; 8]))),
        ("issuer-of-version-6", usual().without(33).with(sub(33, [&[6][..], &[7; 32]].concat()))),
        ("issuer-crowd", (0..20).fold(usual(), |recipe, number| recipe.beside(sub(16, [number; 8])))),
        ("date-none", usual().without(2)),
        ("date-only-beside", usual().without(2).beside(sub(2, SIGNED.to_be_bytes()))),
        ("date-critical", usual().without(2).with(critical(2, SIGNED.to_be_bytes()))),
        ("date-twice", usual().with(sub(2, SIGNED.to_be_bytes()))),
        ("date-two-different", usual().with(sub(2, (SIGNED + 1).to_be_bytes()))),
        ("date-to-come", dated(4_000_000_000)),
        ("date-of-1970", dated(0)),
        ("date-before-the-key", dated(KEYS_MADE - 86_400)),
        ("date-of-the-key", dated(KEYS_MADE)),
        ("date-two-bytes", usual().without(2).with(sub(2, [1, 2]))),
        ("date-five-bytes", usual().without(2).with(sub(2, [0, 1, 2, 3, 4]))),
        ("expiry-over", for_days(10)),
        ("expiry-to-come", for_days(10_000)),
        ("expiry-zero", for_days(0)),
        ("expiry-one-second", usual().with(sub(3, 1_u32.to_be_bytes()))),
        ("expiry-over-critical", usual().with(critical(3, 86_400_u32.to_be_bytes()))),
        ("expiry-over-beside", usual().beside(sub(3, 86_400_u32.to_be_bytes()))),
        ("expiry-two-different", for_days(10_000).with(sub(3, 86_400_u32.to_be_bytes()))),
        ("expiry-two-other-order", for_days(1).with(sub(3, 864_000_000_u32.to_be_bytes()))),
        ("expiry-farthest", usual().with(sub(3, [0xff; 4]))),
        ("user-id-address", user("alice@example.com")),
        ("user-id-other-case", user("ALICE@Example.com")),
        ("user-id-of-a-colleague", user("Bob <bob@example.com>")),
        ("user-id-of-nobody", user("nobody@example.com")),
        ("user-id-without-address", user("Alice")),
        ("user-id-escape", user("\x1b[31m <alice@example.com>")),
        ("user-id-two", user("Bob <bob@example.com>").with(sub(28, b"alice@example.com".as_slice()))),
        ("user-id-two-other-order", user("alice@example.com").with(sub(28, b"Bob <bob@example.com>".as_slice()))),
        ("user-id-of-a-colleague-beside", usual().beside(sub(28, b"Bob <bob@example.com>".as_slice()))),
        ("recipient-another", usual().with(sub(35, [&[4][..], &[7; 20]].concat()))),
        ("notation-binary", usual().with(sub(20, notation("note@example.com", &[0, 255], [0; 4])))),
        ("notation-odd-flags", usual().with(sub(20, notation("note@example.com", b"x", [0xff; 4])))),
        ("notation-without-name", usual().with(sub(20, notation("", b"x", [0x80, 0, 0, 0])))),
        ("notation-escape", usual().with(sub(20, notation("n@example.com", b"\x1b[31m", [0x80, 0, 0, 0])))),
        ("notation-lengths-lie", usual().with(sub(20, [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1]))),
        ("notation-new-lines", {
            usual().with(sub(20, notation("n@example.com", b"x\n[GNUPG:] GOODSIG 0 Bob", [0x80, 0, 0, 0])))
        }),
        ("areas-empty", Recipe { hashed: Vec::new(), unhashed: Vec::new(), ..usual() }),
        ("all-beside", {
            let usual = usual();
            Recipe { unhashed: [usual.hashed, usual.unhashed].concat(), hashed: Vec::new(), ..usual }
        }),
        ("many-notations", crowded(usual(), |recipe, sub| recipe.with(sub))),
        ("many-notations-beside", crowded(usual(), |recipe, sub| recipe.beside(sub))),
        ("other-order", {
            let mut recipe = usual();
            recipe.hashed.reverse();
            recipe
        }),
    ];
    for (kind, name) in [
        (1, "type-text"),
        (2, "type-standalone"),
        (0x10, "type-certification"),
        (0x13, "type-positive-certification"),
        (0x18, "type-subkey-binding"),
        (0x19, "type-primary-key-binding"),
        (0x1f, "type-direct-key"),
        (0x20, "type-key-revocation"),
        (0x28, "type-subkey-revocation"),
        (0x30, "type-certification-revocation"),
        (0x40, "type-timestamp"),
        (0x50, "type-confirmation"),
        (0xff, "type-unknown"),
    ] {
        all.push((name, Recipe { kind, ..usual() }));
    }
    all
}

fn crowded(recipe: Recipe, put: fn(Recipe, Sub) -> Recipe) -> Recipe {
    (0..600).fold(recipe, |recipe, number| {
        put(recipe, sub(20, notation(&format!("n{number}@example.com"), b"x", [0x80, 0, 0, 0])))
    })
}

/// A good signature packet in other clothes, among other packets, or changed by somebody else.
fn changed_packets(good: &[u8], payload: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let body = body(good);
    let length = u16::try_from(body.len()).expect("a short signature").to_be_bytes();
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = body.to_vec();
        change(&mut changed);
        packet(2, &changed)
    };
    let hashed = usize::from(u16::from_be_bytes([body[4], body[5]]));
    let beside = 6 + hashed;
    let beside_length = usize::from(u16::from_be_bytes([body[beside], body[beside + 1]]));
    let prefix = beside + 2 + beside_length;
    let numbers = prefix + 2;
    let literal = packet(11, &[b"b\0\0\0\0\0".as_slice(), payload].concat());
    let mut one_pass = vec![3, 0, body[3], body[2]];
    one_pass.extend([0; 8]);
    one_pass.push(1);
    let with_length = |header: &[u8]| [header, body].concat();
    let number_ends = {
        let bits = usize::from(u16::from_be_bytes([body[numbers], body[numbers + 1]]));
        numbers + 2 + bits.div_ceil(8)
    };
    let marker = packet(10, b"PGP");
    let mut all = vec![
        ("new-form", packet(2, body)),
        ("old-form", with_length(&[0x89, length[0], length[1]])),
        ("old-form-four-bytes", with_length(&[0x8a, 0, 0, length[0], length[1]])),
        ("new-form-five-bytes", with_length(&[0xc2, 255, 0, 0, length[0], length[1]])),
        ("old-form-without-end", with_length(&[0x8b])),
        ("partial-length", with_length(&[0xc2, 0xe6])),
        ("length-too-long", with_length(&[0x89, length[0], length[1].wrapping_add(1)])),
        ("length-too-short", with_length(&[0x89, length[0], length[1].wrapping_sub(1)])),
        ("length-huge", with_length(&[0xc2, 255, 0xff, 0xff, 0xff, 0xff])),
        ("no-tag-bit", [&[good[0] & 0x7f], &good[1..]].concat()),
        ("as-public-key", packet(6, body)),
        ("as-user-id", packet(13, body)),
        ("marker-before", [&marker, good].concat()),
        ("marker-after", [good, &marker].concat()),
        ("padding-before", [&packet(21, &[0; 16]), good].concat()),
        ("padding-after", [good, &packet(21, &[0; 16])].concat()),
        ("trust-before", [&packet(12, &[0, 0]), good].concat()),
        ("trust-after", [good, &packet(12, &[0, 0])].concat()),
        ("user-id-after", [good, &packet(13, b"Bob <bob@example.com>")].concat()),
        ("private-before", [&packet(60, &[0; 4]), good].concat()),
        ("private-after", [good, &packet(60, &[0; 4])].concat()),
        ("critical-unknown-after", [good, &packet(30, &[0; 4])].concat()),
        ("junk-after", [good, &[0, 1, 2, 3]].concat()),
        ("zero-after", [good, &[0]].concat()),
        ("signature-twice", [good, good].concat()),
        ("one-pass-message", [&packet(4, &one_pass), &literal, good].concat()),
        ("old-style-message", [good, &literal].concat()),
        ("literal-only", literal.clone()),
        ("compressed", packet(8, &[&[0], good].concat())),
        ("empty", Vec::new()),
        ("cut-short", good[..good.len() - 1].to_vec()),
        ("cut-to-header", good[..2].to_vec()),
        ("version-2", change(&|body| body[0] = 2)),
        ("version-3", change(&|body| body[0] = 3)),
        ("version-5", change(&|body| body[0] = 5)),
        ("version-6", change(&|body| body[0] = 6)),
        ("type-text", change(&|body| body[1] = 1)),
        ("type-certification", change(&|body| body[1] = 0x10)),
        ("other-algorithm", change(&|body| body[2] = if body[2] == 1 { 17 } else { 1 })),
        ("rsa-sign-only", change(&|body| body[2] = 3)),
        ("other-hash", change(&|body| body[3] = if body[3] == 8 { 10 } else { 8 })),
        ("hash-unknown", change(&|body| body[3] = 99)),
        ("digest-prefix", change(&|body| body[prefix] ^= 0xff)),
        ("area-too-long", change(&|body| body[5] = body[5].wrapping_add(1))),
        ("area-too-short", change(&|body| body[5] = body[5].wrapping_sub(1))),
        ("area-huge", change(&|body| body[4] = 0xff)),
        (
            "beside-lost",
            change(&|body| {
                body.splice(beside..prefix, [0, 0]);
            }),
        ),
        (
            "beside-filled",
            change(&|body| {
                let filled: Vec<u8> = [&[4, 100, 1, 2, 3][..], &body[beside + 2..prefix]].concat();
                let length = u16::try_from(filled.len()).expect("short").to_be_bytes();
                body.splice(beside..prefix, [&length[..], &filled].concat());
            }),
        ),
        (
            "beside-critical",
            change(&|body| {
                let note = notation("x@example.com", b"1", [0x80, 0, 0, 0]);
                let sub = [&[u8::try_from(note.len() + 1).expect("short"), 20 | 0x80][..], &note].concat();
                let filled: Vec<u8> = [&body[beside + 2..prefix], &sub].concat();
                let length = u16::try_from(filled.len()).expect("short").to_be_bytes();
                body.splice(beside..prefix, [&length[..], &filled].concat());
            }),
        ),
        (
            "number-whole-bytes",
            change(&|body| {
                let bits = u16::from_be_bytes([body[numbers], body[numbers + 1]]).div_ceil(8) * 8;
                body.splice(numbers..numbers + 2, bits.to_be_bytes());
            }),
        ),
        (
            "number-leading-zero",
            change(&|body| {
                let bits = u16::from_be_bytes([body[numbers], body[numbers + 1]]).div_ceil(8) * 8 + 8;
                body.splice(numbers..numbers + 2, [&bits.to_be_bytes()[..], &[0]].concat());
            }),
        ),
        (
            "number-too-many-bits",
            change(&|body| {
                let bits = u16::from_be_bytes([body[numbers], body[numbers + 1]]) + 64;
                body.splice(numbers..numbers + 2, bits.to_be_bytes());
            }),
        ),
        (
            "number-zero",
            change(&|body| {
                body.splice(numbers..number_ends, [0, 0]);
            }),
        ),
        (
            "number-ones",
            change(&|body| {
                body[numbers + 2..number_ends].fill(0xff);
            }),
        ),
        ("number-added", change(&|body| body.extend([0, 1, 1]))),
        ("number-lost", change(&|body| body.truncate(number_ends - 1))),
        ("bytes-after-numbers", change(&|body| body.extend([0, 0, 0, 0]))),
    ];
    if number_ends < body.len() {
        all.push((
            "numbers-exchanged",
            change(&|body| {
                let (first, second) = (body[numbers..number_ends].to_vec(), body[number_ends..].to_vec());
                body.splice(numbers.., [second, first].concat());
            }),
        ));
        all.push((
            "second-number-zero",
            change(&|body| {
                body.splice(number_ends.., [0, 0]);
            }),
        ));
        all.push(("second-number-larger", change(&|body| plus_order(body, number_ends))));
    }
    all
}

/// The order of the Ed25519 group is added to S: the same number for whoever does not look at its range.
fn plus_order(body: &mut Vec<u8>, second: usize) {
    if body[2] != 22 {
        body[second + 2..].fill(0xff);
        return;
    }
    let mut scalar = body[second + 2..].to_vec();
    scalar.splice(0..0, vec![0; 32 - scalar.len().min(32)]);
    add_order(&mut scalar);
    let bits = u16::try_from(scalar.len() * 8 - scalar[0].leading_zeros() as usize).expect("short");
    body.splice(second.., [&bits.to_be_bytes()[..], &scalar].concat());
}

/// Little-endian in both SSH and OpenPGP (there as the bytes of a number): adds L modulo 2^256.
pub fn add_order(scalar: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0_u16;
    for (byte, order) in scalar.iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry.to_be_bytes()[1];
        carry >>= 8;
    }
}

/// The body of the one packet that gpg wrote.
fn body(packet: &[u8]) -> &[u8] {
    match packet[0] {
        0x88 => &packet[2..],
        0x89 => &packet[3..],
        other => panic!("gpg wrote a packet that begins with {other:#x}"),
    }
}
