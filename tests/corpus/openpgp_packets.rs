//! Section C: armor, packets and numbers around a signature that is itself good.

use crate::openpgp::commit;
use crate::openpgp_maker::*;
use crate::signer::{SshKey, Sshsig, armored};
use crate::vector::Vector;
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use std::io::Write;

const MALFORMED: &str = "malformed-signature";
const MULTIPLE: &str = "multiple-signatures";

/// A good signature's packet, changed.
fn bytes(
    name: &str,
    about: &str,
    expected: &str,
    change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
) -> Vector {
    commit(name, about, expected, "ed25519", move |holder, payload| armor(&change(holder.sign(payload).packet())))
}

/// A good signature's armor, changed.
fn text(name: &str, about: &str, expected: &str, change: impl Fn(String) -> String + Send + Sync + 'static) -> Vector {
    commit(name, about, expected, "ed25519", move |holder, payload| change(holder.sign(payload).armored()))
}

pub fn vectors() -> Vec<Vector> {
    [several(), compressed(), beside(), messages(), nothing(), lengths(), areas(), checksums()]
        .into_iter()
        .flatten()
        .collect()
}

/// More than one signature in a block, or more than one block.
fn several() -> Vec<Vector> {
    type Part = fn(&Holder, &[u8]) -> Vec<u8>;
    let good: Part = |holder, payload| holder.sign(payload).packet();
    let bad: Part = |holder, _| holder.sign(b"something else").packet();
    let unknown: Part = |_, payload| Holder::of("nobody").sign(payload).packet();
    let another: Part = |_, payload| Holder::called("ed25519-new").sign(payload).packet();
    let garbled: Part = |_, _| packet(SIGNATURE, &[4, 0]);
    let old: Part = |holder, payload| old_packet(1, &holder.sign(payload).body());
    let open_ended: Part = |holder, payload| old_packet(3, &holder.sign(payload).body());
    let mut vectors = Vec::new();
    for (name, about, parts) in [
        ("good-bad", "A good one, then a bad one.", vec![good, bad]),
        ("bad-good", "A bad one, then a good one.", vec![bad, good]),
        ("good-unknown", "A good one, then one by a key that nobody registered.", vec![good, unknown]),
        ("unknown-good", "One by a key that nobody registered, then a good one.", vec![unknown, good]),
        ("good-good", "The same good one twice.", vec![good, good]),
        ("good-another", "Two persons sign.", vec![good, another]),
        ("good-garbled", "A good one, then one without a body.", vec![good, garbled]),
        ("garbled-good", "One without a body, then a good one.", vec![garbled, good]),
        ("good-old-format", "The second in the older format.", vec![good, old]),
        ("good-open-ended", "The second of no length.", vec![good, open_ended]),
        ("three", "Bad, unknown and good.", vec![bad, unknown, good]),
    ] {
        vectors.push(commit(&format!("c05-{name}"), about, MULTIPLE, "ed25519", move |holder, payload| {
            armor(&parts.iter().flat_map(|part| part(holder, payload)).collect::<Vec<u8>>())
        }));
    }
    for (name, about, first_good) in [
        ("blocks-good-bad", "Two blocks, the second bad.", true),
        ("blocks-bad-good", "Two blocks, the first bad.", false),
    ] {
        vectors.push(commit(&format!("c05-{name}"), about, MULTIPLE, "ed25519", move |holder, payload| {
            let (good, bad) = (holder.sign(payload).armored(), holder.sign(b"something else").armored());
            if first_good { good + &bad } else { bad + &good }
        }));
    }
    vectors.push(commit(
        "c05-and-ssh",
        "An OpenPGP block, then an SSH block.",
        MULTIPLE,
        "ed25519",
        |holder, payload| holder.sign(payload).armored() + &Sshsig::of(&SshKey::seeded(1), payload).armored(),
    ));
    vectors.push(text("c05-block-in-block", "A block that begins within another.", MULTIPLE, |good| {
        good.replacen("\n\n", &format!("\n\n{}", good.lines().next().unwrap_or_default().to_owned() + "\n"), 1)
    }));
    vectors.push(text("c05-block-then-message", "A block, then one that git takes too.", MULTIPLE, |good| {
        let message = good.replace("PGP SIGNATURE", "PGP MESSAGE");
        good + &message
    }));
    vectors
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    [vec![1], encoder.finish().expect("memory")].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    [vec![2], encoder.finish().expect("memory")].concat()
}

const COMPRESSED: u8 = 8;

fn compressed() -> Vec<Vector> {
    let nested = |depth: usize| move |good: Vec<u8>| (0..depth).fold(good, |inner, _| packet(COMPRESSED, &zip(&inner)));
    vec![
        bytes("c07-zip", "The signature, compressed.", MALFORMED, nested(1)),
        bytes("c07-zlib", "The signature, compressed the other way.", MALFORMED, |good| {
            packet(COMPRESSED, &zlib(&good))
        }),
        bytes("c07-uncompressed", "The signature in a packet of no compression.", MALFORMED, |good| {
            packet(COMPRESSED, &[vec![0], good].concat())
        }),
        bytes("c07-open-ended", "Compressed, in a packet of no length, as gpg writes it.", MALFORMED, |good| {
            [vec![0xa3], zip(&good)].concat()
        }),
        bytes("c07-nested-16", "Compressed sixteen times.", MALFORMED, nested(16)),
        bytes("c07-nested-1000", "Compressed a thousand times.", MALFORMED, nested(1000)),
        bytes("c07-bomb", "Sixty-four megabytes of zeros, compressed twice.", MALFORMED, |_| {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            (0..64).for_each(|_| encoder.write_all(&[0; 1 << 20]).expect("memory"));
            packet(COMPRESSED, &zip(&[vec![1], encoder.finish().expect("memory")].concat()))
        }),
        bytes("c07-of-no-kind", "Compressed in a way to come.", MALFORMED, |good| {
            packet(COMPRESSED, &[vec![99], good].concat())
        }),
        bytes("c07-after", "The signature, then the same compressed.", MALFORMED, |good| {
            [good.clone(), packet(COMPRESSED, &zip(&good))].concat()
        }),
    ]
}

/// Packets that gpg or Sequoia skip.
fn beside() -> Vec<Vector> {
    let key = || packet(PUBLIC_KEY, &Holder::called("ed25519").signer.body());
    let mut vectors = Vec::new();
    for (name, what, packet) in [
        ("marker", "A marker", packet(10, b"PGP")),
        ("marker-of-other-text", "A marker that is none", packet(10, b"GNU")),
        ("padding", "Padding", packet(21, &[0; 16])),
        ("empty-padding", "Padding of no bytes", packet(21, &[])),
        ("trust", "A trust packet", packet(12, &[0, 0])),
        ("user-id", "A user id", packet(USER_ID, b"Bob <bob@example.com>")),
        ("key", "The key itself", key()),
        ("literal", "Literal data", packet(11, b"b\0\0\0\0\0")),
        ("one-pass", "A one-pass signature", packet(4, &[3, 0, 10, 22, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("reserved", "A packet of tag 0", packet(0, b"x")),
        ("modification-detection", "A modification detection code", packet(19, &[0; 20])),
        ("of-no-name-critical", "A packet to come that must be understood", packet(39, b"x")),
        ("of-no-name", "A packet to come that may be skipped", packet(45, b"x")),
        ("private", "A private packet", packet(60, b"x")),
        ("byte", "A byte that begins no packet", vec![0]),
        ("newline", "A line end", vec![b'\n']),
        ("open-ended-marker", "A marker of no length", vec![0xab, b'P', b'G', b'P']),
    ] {
        let before = packet.clone();
        vectors.push(bytes(
            &format!("c08-{name}-before"),
            &format!("{what} before the signature."),
            MALFORMED,
            move |good| [before.clone(), good].concat(),
        ));
        vectors.push(bytes(
            &format!("c08-{name}-after"),
            &format!("{what} after the signature."),
            MALFORMED,
            move |good| [good, packet.clone()].concat(),
        ));
    }
    vectors.push(bytes("c08-marker-between", "Two signatures with a marker between them.", MALFORMED, |good| {
        [good.clone(), packet(10, b"PGP"), good].concat()
    }));
    vectors
}

/// Things that hold a signature, and are no detached one.
fn messages() -> Vec<Vector> {
    let literal = |data: &[u8]| packet(11, &[b"b\0\0\0\0\0", data].concat());
    let one_pass = |holder: &Holder| packet(4, &[&[3, 0, SHA512, EDDSA][..], &holder.signer.key_id(), &[1]].concat());
    let inline =
        move |holder: &Holder, data: &[u8]| [one_pass(holder), literal(data), holder.sign(data).packet()].concat();
    let mut vectors = Vec::new();
    for (label, name) in [("PGP MESSAGE", "message"), ("PGP SIGNATURE", "signature")] {
        vectors.push(commit(
            &format!("c10-inline-{name}"),
            &format!("A signed message of other text, called {label}."),
            MALFORMED,
            "ed25519",
            move |holder, _| armored(label, &inline(holder, b"other text"), 64),
        ));
        vectors.push(commit(
            &format!("c10-inline-of-commit-{name}"),
            &format!("A signed message of the commit itself, called {label}."),
            MALFORMED,
            "ed25519",
            move |holder, payload| armored(label, &inline(holder, payload), 64),
        ));
        vectors.push(commit(
            &format!("c10-inline-compressed-{name}"),
            &format!("A signed message, compressed as gpg does, called {label}."),
            MALFORMED,
            "ed25519",
            move |holder, payload| armored(label, &packet(COMPRESSED, &zip(&inline(holder, payload))), 64),
        ));
        vectors.push(commit(
            &format!("c10-signature-first-{name}"),
            &format!("A signature, then the text that it is over, called {label}."),
            MALFORMED,
            "ed25519",
            move |holder, payload| armored(label, &[holder.sign(payload).packet(), literal(payload)].concat(), 64),
        ));
    }
    for (name, about, from, to) in [
        (
            "message",
            "A good signature under the label that git takes for old times' sake.",
            "PGP SIGNATURE",
            "PGP MESSAGE",
        ),
        ("begin-message", "Only the first line says message.", "BEGIN PGP SIGNATURE", "BEGIN PGP MESSAGE"),
        ("end-message", "Only the last line says message.", "END PGP SIGNATURE", "END PGP MESSAGE"),
        ("key-block", "Called a public key.", "PGP SIGNATURE", "PGP PUBLIC KEY BLOCK"),
        ("message-part", "Called a part of a message.", "PGP SIGNATURE", "PGP MESSAGE, PART 1/1"),
        ("lower-case", "The label in small letters.", "PGP SIGNATURE", "pgp signature"),
        ("space-after-label", "A space after the first line.", "BEGIN PGP SIGNATURE-----", "BEGIN PGP SIGNATURE----- "),
        ("four-dashes", "A dash too few.", "BEGIN PGP SIGNATURE-----", "BEGIN PGP SIGNATURE----"),
        ("six-dashes", "A dash too many.", "BEGIN PGP SIGNATURE-----", "BEGIN PGP SIGNATURE------"),
        ("as-x509", "Called a CMS signature.", "PGP SIGNATURE", "SIGNED MESSAGE"),
        ("as-ssh", "Called an SSH signature.", "PGP SIGNATURE", "SSH SIGNATURE"),
    ] {
        vectors.push(text(&format!("c11-{name}"), about, MALFORMED, move |good| good.replace(from, to)));
    }
    let cleartext = |signature: String, data: &str| {
        format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{data}\n{signature}")
    };
    vectors.extend([
        text("c12-cleartext", "Cleartext-signed text.", MALFORMED, move |good| cleartext(good, "text")),
        text("c12-cleartext-without-text", "Cleartext-signed text of no lines.", MALFORMED, move |good| {
            cleartext(good, "")
        }),
        text("c12-cleartext-formfeed", "A form feed that ends the header for one reader.", MALFORMED, move |good| {
            cleartext(good, "text").replace("Hash: SHA512\n", "Hash: SHA512\n\u{c}\n")
        }),
        text("c12-cleartext-appended", "Text after cleartext-signed text.", MALFORMED, move |good| {
            cleartext(good, "text") + "more\n"
        }),
        text("c12-formfeed-after-begin", "A form feed at the end of the first line.", MALFORMED, |good| {
            good.replacen("-----\n", "-----\u{c}\n", 1)
        }),
        text("c12-formfeed-after-end", "A form feed, then text, after the last line.", MALFORMED, |good| {
            good.trim_end().to_owned() + "\u{c}Approved-by: Bob\n"
        }),
        text("c12-formfeed-line", "A form feed as a line among the base64.", MALFORMED, |good| {
            good.replacen("\n\n", "\n\n\u{c}\n", 1)
        }),
        text("c12-text-before", "Text before the block.", MALFORMED, |good| format!("Approved-by: Bob\n{good}")),
        text("c12-text-after", "Text after the block.", MALFORMED, |good| good + "Approved-by: Bob\n"),
        text("c12-dash-escaped", "The lines dash-escaped.", MALFORMED, |good| good.replace("-----B", "- -----B")),
    ]);
    vectors
}

/// Blocks that hold no signature.
fn nothing() -> Vec<Vector> {
    const BEGIN: &str = "-----BEGIN PGP SIGNATURE-----\n";
    const END: &str = "-----END PGP SIGNATURE-----\n";
    let whole = |name, about, text: &str| {
        let text = text.to_owned();
        commit(&format!("c13-{name}"), about, MALFORMED, "ed25519", move |_, _| text.clone())
    };
    let packets = |name, about, packets: Vec<u8>| {
        commit(&format!("c13-{name}"), about, MALFORMED, "ed25519", move |_, _| armor(&packets))
    };
    vec![
        whole("empty-armor", "Begin and end, nothing between.", &format!("{BEGIN}{END}")),
        whole("empty-line", "Begin, an empty line, end.", &format!("{BEGIN}\n{END}")),
        whole("only-checksum", "Only the checksum of nothing.", &format!("{BEGIN}\n=twTO\n{END}")),
        whole("only-header", "Only an armor header.", &format!("{BEGIN}Comment: nothing\n\n{END}")),
        whole("only-padding", "Base64 of nothing.", &format!("{BEGIN}\n====\n{END}")),
        whole("only-begin", "Only the first line.", BEGIN),
        whole("only-end", "Only the last line.", END),
        whole("begin-without-end", "A block that is cut off.", &format!("{BEGIN}\niHUEABYKAB0WIQQ=\n")),
        whole("white-space", "Lines of white space.", &format!("{BEGIN}\n \n\t\n{END}")),
        whole("word", "A word.", "good\n"),
        whole("good-signature", "What gpg prints where all is well.", "[GNUPG:] GOODSIG 0 Bob <bob@example.com>\n"),
        packets("marker", "Only a marker.", packet(10, b"PGP")),
        packets("padding", "Only padding.", packet(21, &[0; 32])),
        packets("zeros", "Only zeros.", vec![0; 32]),
        packets("empty-packet", "A signature packet of no bytes.", packet(SIGNATURE, &[])),
        packets("empty-old-packet", "The same in the older format.", vec![0x88, 0]),
        packets("open-ended-packet", "A signature packet of no length and no bytes.", vec![0x8b]),
        packets("version-only", "A signature packet with a version.", packet(SIGNATURE, &[4])),
        packets("literal", "Only literal data.", packet(11, b"b\0\0\0\0\0commit")),
        packets(
            "one-pass",
            "The promise of a signature, and none.",
            packet(4, &[3, 0, 10, 22, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ),
        commit("c13-key", "The key instead of a signature.", MALFORMED, "ed25519", |holder, _| {
            armor(&packet(PUBLIC_KEY, &holder.signer.body()))
        }),
        commit(
            "c13-certificate",
            "The whole certificate instead of a signature.",
            MALFORMED,
            "ed25519",
            |holder, _| armor(&holder.certificate.bytes()),
        ),
        commit("c13-no-numbers", "A signature without its numbers.", MALFORMED, "ed25519", |holder, payload| {
            let mut signature = holder.sign(payload);
            signature.numbers.clear();
            signature.armored()
        }),
    ]
}

/// A packet in the older format; length types 0, 1 and 2 have 1, 2 and 4 bytes, 3 has none.
fn old_packet(length_type: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    let width = [1, 2, 4, 0][usize::from(length_type)];
    [&[0x80 | SIGNATURE << 2 | length_type], &length[4 - width..], body].concat()
}

/// How a packet says how long it is.
fn lengths() -> Vec<Vector> {
    let framed = |name: &str, about, expected, frame: fn(&[u8]) -> Vec<u8>| {
        commit(&format!("c29-{name}"), about, expected, "ed25519", move |holder, payload| {
            armor(&frame(&holder.sign(payload).body()))
        })
    };
    let mut vectors = vec![
        framed("old-one-byte", "The older format, as gpg writes it.", "accepted", |body| old_packet(0, body)),
        framed("old-two-bytes", "The older format with a longer length.", "accepted", |body| old_packet(1, body)),
        framed("old-four-bytes", "The older format with the longest length.", "accepted", |body| old_packet(2, body)),
        framed("old-open-ended", "The older format without a length.", MALFORMED, |body| old_packet(3, body)),
        framed("new-five-bytes", "Today's format with the longest length.", "accepted", |body| {
            [&[0xc2, 0xff], &(body.len() as u32).to_be_bytes()[..], body].concat()
        }),
        framed("new-partial", "One partial chunk of 64 bytes, then the rest.", MALFORMED, |body| {
            let (first, rest) = body.split_at(64);
            [&[0xc2, 0xe6], first, &length(rest.len()), rest].concat()
        }),
        framed("new-partial-one-byte", "A partial chunk of one byte first.", MALFORMED, |body| {
            [&[0xc2, 0xe0, body[0]], &length(body.len() - 1)[..], &body[1..]].concat()
        }),
        framed("new-partial-only", "A partial chunk that nothing follows.", MALFORMED, |body| {
            [&[0xc2, 0xe6], &body[..64]].concat()
        }),
        framed("new-partial-of-a-gigabyte", "A partial chunk of a gigabyte.", MALFORMED, |body| {
            [&[0xc2, 0xfe], body].concat()
        }),
        framed("too-long", "A length one too large.", MALFORMED, |body| {
            [&[0xc2], &length(body.len() + 1)[..], body].concat()
        }),
        framed("too-short", "A length one too small.", MALFORMED, |body| {
            [&[0xc2], &length(body.len() - 1)[..], body].concat()
        }),
        framed("four-gigabytes", "The largest length.", MALFORMED, |body| {
            [&[0xc2, 0xff, 0xff, 0xff, 0xff, 0xff], body].concat()
        }),
        framed("old-four-gigabytes", "The largest length of the older format.", MALFORMED, |body| {
            [&[0x8a, 0xff, 0xff, 0xff, 0xff], body].concat()
        }),
        framed("zero", "No length, then the body.", MALFORMED, |body| [&[0xc2, 0], body].concat()),
        framed("length-cut", "A length that is cut off.", MALFORMED, |_| vec![0xc2, 0xff, 0, 0]),
        framed("tag-only", "A tag.", MALFORMED, |_| vec![0xc2]),
        framed("no-tag-bit", "A tag without its highest bit.", MALFORMED, |body| {
            [&[0x42], &length(body.len())[..], body].concat()
        }),
        framed("body-only", "The body without a packet.", MALFORMED, <[u8]>::to_vec),
        framed("tail", "A byte after the numbers, inside the packet.", MALFORMED, |body| {
            packet(SIGNATURE, &[body, &[0]].concat())
        }),
        framed("larger-than-a-page", "Sixty thousand zeros after the numbers.", MALFORMED, |body| {
            packet(SIGNATURE, &[body, &[0; 60_000]].concat())
        }),
        commit(
            "c29-new-two-bytes",
            "Today's format with a length of two bytes.",
            "accepted",
            "rsa-2048",
            |holder, payload| holder.sign(payload).armored(),
        ),
    ];
    // An Ed25519 signature as gpg makes it has 119 bytes and a little.
    for cut in [1, 2, 3, 4, 5, 6, 7, 12, 20, 40, 45, 50, 55, 56, 60, 90, 100, 115] {
        vectors.push(commit(
            &format!("c29-cut-at-{cut:03}"),
            "A packet that ends within a field, with a length that fits.",
            MALFORMED,
            "ed25519",
            move |holder, payload| armor(&packet(SIGNATURE, &holder.sign(payload).body()[..cut])),
        ));
    }
    vectors
}

/// Bytes 4 and 5 are the length of the hashed area.
fn with_hashed_length(good: &Signature, length: [u8; 2]) -> Vec<u8> {
    let mut body = good.body();
    body.splice(4..6, length);
    body
}

/// With these bytes after the last subpacket of the hashed area.
fn hashed_and(good: &Signature, more: &[u8]) -> Vec<u8> {
    raw_body(good, &[&area(&good.hashed)[..], more].concat(), &area(&good.unhashed), &good.numbers)
}

/// The same for the unhashed area, which no signature covers.
fn unhashed_and(good: &Signature, more: &[u8]) -> Vec<u8> {
    raw_body(good, &area(&good.hashed), &[&area(&good.unhashed)[..], more].concat(), &good.numbers)
}

fn with_numbers(good: &Signature, numbers: &[u8]) -> Vec<u8> {
    raw_body(good, &area(&good.hashed), &area(&good.unhashed), numbers)
}

/// The areas of subpackets, and the numbers, with lengths that lie.
fn areas() -> Vec<Vector> {
    let built = |name: &str, about, expected, build: fn(&Signature) -> Vec<u8>| {
        commit(&format!("c29-{name}"), about, expected, "ed25519", move |holder, payload| {
            armor(&packet(SIGNATURE, &build(&holder.sign(payload))))
        })
    };
    vec![
        built("area-beyond-packet", "A hashed area longer than the packet.", MALFORMED, |good| {
            with_hashed_length(good, [0xff, 0xff])
        }),
        built("area-of-nothing", "A hashed area of no length.", MALFORMED, |good| with_hashed_length(good, [0, 0])),
        built("unhashed-beyond-packet", "An unhashed area longer than the packet.", MALFORMED, |good| {
            let hashed = area(&good.hashed);
            let mut body = good.body();
            let at = 6 + hashed.len();
            body.splice(at..at + 2, [0xff, 0xff]);
            body
        }),
        built("subpacket-beyond-area", "A subpacket longer than its area.", MALFORMED, |good| {
            hashed_and(good, &[200, 1, 100])
        }),
        built("subpacket-of-four-gigabytes", "A subpacket of the largest length.", MALFORMED, |good| {
            unhashed_and(good, &[0xff, 0xff, 0xff, 0xff, 0xff, 100])
        }),
        built("subpacket-of-nothing", "A subpacket of no length.", MALFORMED, |good| unhashed_and(good, &[0])),
        built("subpacket-length-cut", "A subpacket whose length is cut off.", MALFORMED, |good| {
            unhashed_and(good, &[0xff, 0])
        }),
        built(
            "subpacket-long-form",
            "A subpacket with the longest form of its length, as RFC 9580 allows.",
            "accepted",
            |good| unhashed_and(good, &[0xff, 0, 0, 0, 2, 100, 7]),
        ),
        built("subpackets-of-64k", "An unhashed area as large as can be.", "limit-exceeded", |good| {
            unhashed_and(good, &area(&vec![Subpacket::new(100, [7; 8000]); 8]))
        }),
        built("number-of-64k-bits", "A number of the largest size, and nothing behind it.", MALFORMED, |good| {
            with_numbers(good, &[&[0xff, 0xff], &good.numbers[2..]].concat())
        }),
        built("number-of-64k-bits-there", "A number of the largest size, all there.", MALFORMED, |good| {
            with_numbers(good, &[&good.numbers[..], &[0xff, 0xff], &[0xff; 8192]].concat())
        }),
        built("number-of-two", "One number of 8192 bytes where one of 32 belongs.", MALFORMED, |good| {
            with_numbers(good, &[&[0xff, 0xff], &[0xff; 8192][..], &mpi(&[1])].concat())
        }),
        built("one-number", "One number where two belong.", MALFORMED, |good| with_numbers(good, &mpi(&[7; 32]))),
        built("three-numbers", "Three numbers where two belong.", MALFORMED, |good| {
            with_numbers(good, &[&good.numbers[..], &mpi(&[7; 32])].concat())
        }),
        built("a-thousand-numbers", "A thousand numbers where two belong.", MALFORMED, |good| {
            with_numbers(good, &[good.numbers.clone(), mpi(&[7; 32]).repeat(1000)].concat())
        }),
        built("number-of-too-few-bits", "A number with more bits than it says.", MALFORMED, |good| {
            with_numbers(good, &[&[0, 249, 0xff], &[7; 31][..], &mpi(&[7; 32])].concat())
        }),
        commit(
            "c29-number-with-zeros",
            "Numbers with leading zeros, which gpg takes.",
            "accepted",
            "ed25519",
            |holder, payload| {
                let mut good = holder.sign(payload);
                let mut rest = good.numbers.as_slice();
                let mut padded = Vec::new();
                while let [high, low, tail @ ..] = rest {
                    let bytes = usize::from(u16::from_be_bytes([*high, *low])).div_ceil(8);
                    padded.extend([1, 16]);
                    padded.extend(vec![0; 34 - bytes]);
                    padded.extend(&tail[..bytes]);
                    rest = &tail[bytes..];
                }
                good.numbers = padded;
                good.armored()
            },
        ),
        commit(
            "c29-other-algorithm",
            "An Ed25519 signature that calls itself RSA.",
            MALFORMED,
            "ed25519",
            |holder, payload| {
                let mut good = holder.sign(payload);
                good.algorithm = RSA;
                good.armored()
            },
        ),
        commit(
            "c29-algorithm-of-encryption",
            "A signature by an algorithm that only encrypts.",
            MALFORMED,
            "ed25519",
            |holder, payload| {
                let mut good = holder.sign(payload);
                good.algorithm = 18;
                good.armored()
            },
        ),
        commit(
            "c29-algorithm-of-no-name",
            "A signature by an algorithm to come.",
            "weak-algorithm",
            "ed25519",
            |holder, payload| {
                let mut good = holder.sign(payload);
                good.algorithm = 99;
                good.armored()
            },
        ),
    ]
}

/// The CRC-24 of the armor: it may be missing, as RFC 9580 wants it; a wrong one is refused, as gpg does.
fn checksums() -> Vec<Vector> {
    let with = |name: &str, about, expected, line: &'static str| {
        text(&format!("c32-{name}"), about, expected, move |good| {
            good.replacen("\n-----END", &format!("\n{line}\n-----END"), 1)
        })
    };
    vec![
        text("c32-right", "The right checksum, as gpg writes it.", "accepted", |good| {
            let body: String = good.lines().filter(|line| !line.is_empty() && !line.starts_with('-')).collect();
            let body = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).expect("base64");
            let sum = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, crc24(&body));
            good.replacen("\n-----END", &format!("\n={sum}\n-----END"), 1)
        }),
        text("c32-missing", "No checksum.", "accepted", |good| good),
        with("wrong", "A wrong checksum.", MALFORMED, "=AAAA"),
        with("of-nothing", "The checksum of no bytes.", MALFORMED, "=twTO"),
        with("no-base64", "A checksum that is no base64.", MALFORMED, "=!!!!"),
        with("short", "A checksum cut short.", MALFORMED, "=AA"),
        with("long", "A checksum too long.", MALFORMED, "=AAAAA"),
        with("twice", "Two checksums.", MALFORMED, "=AAAA\n=AAAA"),
        text("c32-before", "The checksum before the signature.", MALFORMED, |good| {
            good.replacen("\n\n", "\n\n=AAAA\n", 1)
        }),
        text("c32-among", "A checksum among the base64.", MALFORMED, |good| {
            let lines: Vec<&str> = good.lines().collect();
            [&lines[..3], &["=AAAA"], &lines[3..]].concat().join("\n") + "\n"
        }),
    ]
}

fn crc24(bytes: &[u8]) -> [u8; 3] {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(
            crc ^ u32::from(*byte) << 16,
            |crc, _| if crc & 0x80_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x186_4cfb },
        )
    };
    let [_, sum @ ..] = bytes.iter().fold(0xb7_04ce, step).to_be_bytes();
    sum
}
