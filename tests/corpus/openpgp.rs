//! Section C: what a signature says of itself. The framing around it is in `openpgp_packets.rs`.

use crate::bench::{Answer, Bench};
use crate::openpgp_maker::*;
use crate::vector::Vector;

/// Armoured signature of a payload.
type Block = dyn Fn(&Holder, &[u8]) -> String + Send + Sync;

/// A commit by the holder called `who`, with the block that `make` gives.
pub fn commit(
    name: &str,
    about: &str,
    expected: &str,
    who: &'static str,
    make: impl Fn(&Holder, &[u8]) -> String + Send + Sync + 'static,
) -> Vector {
    let make: Box<Block> = Box::new(make);
    Vector::new(name, about, expected, move |bench| {
        let holder = Holder::called(who);
        bench.lab.admit(&holder);
        pushed(bench, who, |payload| make(&holder, payload))
    })
}

pub fn pushed(bench: &Bench<'_>, who: &str, block: impl Fn(&[u8]) -> String + Send + Sync) -> Answer {
    bench.to_main(&[bench.plain_with_block(who, block)])
}

/// A commit whose signature's fields are changed before it is signed.
pub fn signed(
    name: &str,
    about: &str,
    expected: &str,
    change: impl Fn(&Holder, &mut Signature) + Send + Sync + 'static,
) -> Vector {
    commit(name, about, expected, "ed25519", move |holder, payload| {
        holder.sign_as(payload, |signature| change(holder, signature)).armored()
    })
}

pub fn vectors() -> Vec<Vector> {
    [unknown(), types(), hashes(), versions(), usage(), terminals()].into_iter().flatten().collect()
}

fn unknown() -> Vec<Vector> {
    let stranger = || Holder::of("nobody");
    let by = |name, about, change: fn(&mut Signature)| {
        commit(name, about, "unknown-key", "ed25519", move |_, payload| stranger().sign_as(payload, change).armored())
    };
    vec![
        by("c01-nobodys-key", "A good signature by a key that nobody registered.", |_| {}),
        by("c01-nobodys-key-by-fingerprint", "Only the fingerprint names it.", |signature| signature.unhashed.clear()),
        by("c01-nobodys-key-by-id", "Only the key id names it.", |signature| signature.without(33)),
        commit("c01-v6", "A key of version 6 that nobody registered.", "unknown-key", "ed25519", |_, payload| {
            let key = Key::ed25519_as("nobody", ED25519).v6();
            key.sign(DOCUMENT, &[payload], |_| {}).armored()
        }),
        commit("c01-rsa", "An RSA key that nobody registered.", "unknown-key", "ed25519", |_, payload| {
            Key::stored("rsa-2048", "nobody").sign(DOCUMENT, &[payload], |_| {}).armored()
        }),
    ]
}

/// Types that sign no document, each over the commit's bytes and with right numbers.
fn types() -> Vec<Vector> {
    let of_type = |row: &str, kind: u8, what: &str| {
        let about = format!("A {what} (0x{kind:02x}) over the commit.");
        signed(&format!("{row}-type-{kind:02x}"), &about, "malformed-signature", move |_, signature| {
            signature.kind = kind;
        })
    };
    let mut vectors: Vec<Vector> = [
        (0x01, "text signature, over lines whose ends may change"),
        (0x02, "standalone signature"),
        (0x40, "timestamp"),
        (0x50, "third-party confirmation"),
    ]
    .map(|(kind, what)| of_type("c03", kind, what))
    .into();
    vectors.push(commit(
        "c03-standalone-over-nothing",
        "A real standalone signature: good whatever the commit says, for who does not look at the type.",
        "malformed-signature",
        "ed25519",
        |holder, _| holder.signer.sign(0x02, &[], |_| {}).armored(),
    ));
    vectors.push(commit(
        "c03-timestamp-over-nothing",
        "A real timestamp, over no document.",
        "malformed-signature",
        "ed25519",
        |holder, _| holder.signer.sign(0x40, &[], |_| {}).armored(),
    ));
    vectors.push(commit(
        "c03-relabelled",
        "A good document signature whose type is changed afterwards.",
        "malformed-signature",
        "ed25519",
        |holder, payload| {
            let mut signature = holder.sign(payload);
            signature.kind = 0x02;
            signature.armored()
        },
    ));
    vectors.extend(
        [
            (0x10, "generic certification"),
            (0x11, "persona certification"),
            (0x12, "casual certification"),
            (0x13, "positive certification"),
            (0x16, "attested key signature"),
            (0x18, "subkey binding"),
            (0x19, "primary key binding"),
            (0x1f, "direct key signature"),
            (0x20, "key revocation"),
            (0x28, "subkey revocation"),
            (0x30, "certification revocation"),
            (0x77, "type that nobody defined"),
            (0xff, "type of all ones"),
        ]
        .map(|(kind, what)| of_type("c04", kind, what)),
    );
    // The certificate's own signatures, which anybody can copy out of it.
    for (name, place) in [("certification", 2), ("subkey-binding", 4)] {
        vectors.push(commit(
            &format!("c04-reused-{name}"),
            "A real signature of the signer's certificate, taken from a key server.",
            "malformed-signature",
            "ed25519",
            move |holder, _| armor(&holder.certificate.packets[place]),
        ));
    }
    vectors.push(commit(
        "c04-reused-revocation",
        "A revocation that its owner keeps in a drawer.",
        "malformed-signature",
        "ed25519",
        |holder, _| armor(&holder.certificate.clone().revoked(holder.primary(), 3).packets[1]),
    ));
    vectors
}

fn hashes() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = [
        ("md5", 1, "weak-algorithm"),
        ("sha1", SHA1, "weak-algorithm"),
        ("ripemd160", 3, "weak-algorithm"),
        ("sha224", 11, "weak-algorithm"),
        ("sha3-256", 12, "weak-algorithm"),
        ("sha3-512", 14, "weak-algorithm"),
        ("of-no-name", 99, "weak-algorithm"),
        ("zero", 0, "weak-algorithm"),
        ("sha256", 8, "accepted"),
        ("sha384", 9, "accepted"),
        ("sha512", SHA512, "accepted"),
    ]
    .map(|(hash, number, expected)| {
        let about = format!("A good signature over digest {number}.");
        signed(&format!("c14-{hash}"), &about, expected, move |_, signature| signature.hash = number)
    })
    .into();
    for (name, hash) in [("md5", 1), ("sha1", SHA1), ("ripemd160", 3), ("sha224", 11)] {
        vectors.push(commit(
            &format!("c14-rsa-{name}"),
            "As older gpg makes and takes it with an RSA key.",
            "weak-algorithm",
            "rsa-2048",
            move |holder, payload| holder.sign_as(payload, |signature| signature.hash = hash).armored(),
        ));
    }
    vectors.push(commit(
        "c14-sha1-called-sha256",
        "A signature over SHA-1 that says SHA-256.",
        "bad-signature",
        "ed25519",
        |holder, payload| {
            let mut signature = holder.sign_as(payload, |signature| signature.hash = SHA1);
            signature.hash = 8;
            signature.armored()
        },
    ));
    vectors.push(commit(
        "c14-sha512-called-sha1",
        "A good signature, relabelled.",
        "weak-algorithm",
        "ed25519",
        |holder, payload| {
            let mut signature = holder.sign(payload);
            signature.hash = SHA1;
            signature.armored()
        },
    ));
    vectors
}

fn versions() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = [0, 2, 3, 5, 7, 255]
        .map(|version| {
            let about = format!("A signature of version {version}, with numbers that are right for it.");
            signed(&format!("c15-v{version}"), &about, "malformed-signature", move |_, signature| {
                signature.version = version;
            })
        })
        .into();
    let salted = |signature: &mut Signature, salt: usize| {
        signature.version = 6;
        signature.salt = vec![0x5a; salt];
    };
    vectors.push(signed(
        "c15-v6-by-v4-key",
        "A signature of version 6 by a key of version 4.",
        "unknown-key",
        move |_, signature| salted(signature, 32),
    ));
    vectors.push(commit(
        "c15-v4-by-v6-key",
        "A signature of version 4 by a key of version 6.",
        "unknown-key",
        "ed25519-v6",
        |holder, payload| holder.sign_as(payload, |signature| signature.version = 4).armored(),
    ));
    vectors.push(commit(
        "c15-v4-by-v6-key-by-id",
        "The same, where only the key id names the key.",
        "unknown-key",
        "ed25519-v6",
        |holder, payload| {
            let id = holder.signer.issuer_id();
            let change = |signature: &mut Signature| {
                signature.version = 4;
                signature.set(id);
                signature.without(33);
            };
            holder.sign_as(payload, change).armored()
        },
    ));
    vectors.push(commit("c15-v6", "Version 6 throughout.", "accepted", "ed25519-v6", |holder, payload| {
        holder.sign(payload).armored()
    }));
    vectors.push(commit("c15-ed25519", "The Ed25519 of RFC 9580.", "accepted", "ed25519-new", |holder, payload| {
        holder.sign(payload).armored()
    }));
    for (salt, expected) in [
        (0, "malformed-signature"),
        (1, "malformed-signature"),
        (16, "malformed-signature"),
        (31, "malformed-signature"),
        (33, "malformed-signature"),
        (255, "malformed-signature"),
        (32, "accepted"),
    ] {
        vectors.push(commit(
            &format!("c16-salt-{salt}"),
            "SHA-512 asks for a salt of 32 bytes.",
            expected,
            "ed25519-v6",
            move |holder, payload| holder.sign_as(payload, |signature| signature.salt = vec![0x5a; salt]).armored(),
        ));
    }
    vectors.push(commit(
        "c16-sha256-salt-of-sha512",
        "SHA-256 asks for a salt of 16 bytes.",
        "malformed-signature",
        "ed25519-v6",
        |holder, payload| holder.sign_as(payload, |signature| signature.hash = 8).armored(),
    ));
    vectors.push(commit(
        "c16-other-salt",
        "A salt of the right length that was not signed.",
        "bad-signature",
        "ed25519-v6",
        |holder, payload| {
            let mut signature = holder.sign(payload);
            signature.salt = vec![0; 32];
            signature.armored()
        },
    ));
    vectors
}

/// Keys of a good certificate that are not meant for this.
fn usage() -> Vec<Vector> {
    let sub = |name: &'static str, about: &str, flags: u8, consents: bool| {
        // Without its consent a signing key is none of the certificate's.
        let expected = if flags & SIGN != 0 && !consents { "unknown-key" } else { "key-not-for-signing" };
        Vector::new(name, about, expected, move |bench| {
            let mut holder = Holder::of(name);
            let odd = Key::ed25519(&format!("{name} odd"));
            let consent = consents.then_some(&odd);
            holder.certificate = holder.certificate.subkey_by(&odd, consent, flags, |_| {}, |_| {});
            bench.lab.admit(&holder);
            bench.to_main(&[bench.plain(name, &odd)])
        })
    };
    vec![
        commit(
            "c27-certify",
            "The primary key, which only certifies.",
            "key-not-for-signing",
            "ed25519",
            |holder, payload| holder.primary().sign(DOCUMENT, &[payload], |_| {}).armored(),
        ),
        sub("c27-encrypt", "A subkey for encryption.", ENCRYPT, false),
        sub("c27-authenticate", "A subkey for logins.", AUTHENTICATE, false),
        sub("c27-authenticate-with-consent", "A subkey for logins, with a back-signature.", AUTHENTICATE, true),
        sub("c27-certify-subkey", "A subkey that only certifies.", CERTIFY, true),
        sub("c27-nothing", "A subkey for nothing.", 0, false),
        sub("c27-no-consent", "A signing subkey that never agreed to it.", SIGN, false),
        Vector::new("c27-no-flags", "A subkey of which nothing is said.", "key-not-for-signing", |bench| {
            let mut holder = Holder::of("c27-no-flags");
            let odd = Key::ed25519("c27-no-flags odd");
            let silent = |signature: &mut Signature| signature.without(27);
            holder.certificate = holder.certificate.subkey_by(&odd, None, 0, silent, |_| {});
            bench.lab.admit(&holder);
            bench.to_main(&[bench.plain(&holder.id, &odd)])
        }),
    ]
}

const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}moc.elpmaxe\u{200b}\r\u{9b}31m";

/// Text that a terminal would obey, wherever it might be shown. The run looks for it in every answer.
fn terminals() -> Vec<Vector> {
    let named = |name, about: &str, user_id: String| {
        signed(name, about, "identity-mismatch", move |_, signature| {
            signature.set(Subpacket::new(28, user_id.clone()));
        })
    };
    let mut vectors = vec![
        named("c31-signer", "Escapes in the name signed in.", EVIL.to_owned()),
        named("c31-signer-address", "Escapes around an address.", format!("{EVIL} <bob@example.com>")),
        named("c31-signer-long", "A name of a thousand escapes.", "\u{1b}[31m".repeat(1_000)),
        signed("c31-notation-name", "Escapes in a critical notation's name.", "malformed-signature", |_, signature| {
            signature.set(Subpacket::notation(EVIL.as_bytes(), b"x").critical());
        }),
        signed("c31-notation-value", "Escapes in a notation's value.", "accepted", |_, signature| {
            signature.set(Subpacket::notation(b"note@example.com", EVIL.as_bytes()));
        }),
        signed("c31-policy-uri", "Escapes in a critical policy address.", "malformed-signature", |_, signature| {
            signature.set(Subpacket::new(26, EVIL).critical());
        }),
        signed(
            "c31-private-critical",
            "Escapes in a critical subpacket of no name.",
            "malformed-signature",
            |_, signature| {
                signature.set(Subpacket::new(101, EVIL).critical());
            },
        ),
    ];
    let block = |name, about: &str, expected, edit: fn(String) -> String| {
        commit(name, about, expected, "ed25519", move |holder, payload| edit(holder.sign(payload).armored()))
    };
    vectors.extend([
        block("c31-armor-header", "Bidirectional marks in an armor header.", "accepted", |armored| {
            armored.replacen("\n\n", "\nComment: \u{202e}\u{2066}evil\n\n", 1)
        }),
        block("c31-armor-header-escape", "Escapes in an armor header.", "accepted", |armored| {
            armored.replacen("\n\n", "\nComment: \u{1b}[2J\n\n", 1)
        }),
        block("c31-armor-label", "Escapes in the line that begins the block.", "malformed-signature", |armored| {
            armored.replacen("PGP SIGNATURE", "PGP \u{1b}[2JSIGNATURE", 1)
        }),
        block("c31-armor-body", "Escapes among the base64.", "malformed-signature", |armored| {
            armored.replacen("\n\n", "\n\n\u{1b}[2J\n", 1)
        }),
    ]);
    for (name, user_id) in [("bound", true), ("unbound", false)] {
        let vector = format!("c31-user-id-{name}");
        let id = vector.clone();
        vectors.push(Vector::new(&vector, "Escapes in a user id of the certificate.", "accepted", move |bench| {
            let mut holder = Holder::of(&id);
            let evil = format!("{EVIL} <{id}@example.com>");
            holder.certificate = if user_id {
                holder.certificate.user_id(evil.as_bytes(), CERTIFY)
            } else {
                holder.certificate.with([packet(USER_ID, evil.as_bytes())])
            };
            bench.lab.employ(&id);
            let told = bench.lab.must_sync(&["key", "add", &id, "--openpgp", "-"], &holder.certificate.armored());
            for told in [told, bench.lab.must_sync(&["key", "list", &id], b"")] {
                assert!(!(told.stdout + &told.stderr).chars().any(crate::run::unfit_for_terminals), "shown as it is");
            }
            bench.to_main(&[bench.plain(&id, &holder)])
        }));
    }
    vectors
}
