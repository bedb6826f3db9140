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
        holder.join(bench);
        pushed(bench, who, |payload| make(&holder, payload))
    })
}

fn pushed(bench: &Bench<'_>, who: &str, block: impl Fn(&[u8]) -> String + Send + Sync) -> Answer {
    bench.to_main(&[bench.plain_with_block(who, block)])
}

/// A commit whose signature's fields are changed before it is signed.
fn signed(
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
    [
        unknown(),
        types(),
        hashes(),
        versions(),
        subpackets(),
        unhashed(),
        issuers(),
        dates(),
        names(),
        usage(),
        terminals(),
    ]
    .into_iter()
    .flatten()
    .collect()
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

/// Subpackets in the hashed area that this server need not, or must, understand.
fn subpackets() -> Vec<Vector> {
    let notation = || Subpacket::notation(b"note@example.com", b"of no meaning here");
    let mut vectors = vec![
        signed("c18-notation", "A notation, not critical.", "accepted", move |_, signature| signature.set(notation())),
        signed(
            "c18-critical-notation",
            "A notation that must be understood.",
            "malformed-signature",
            move |_, signature| {
                signature.set(notation().critical());
            },
        ),
        signed(
            "c18-ten-notations",
            "Several notations, as keyoxide and others write.",
            "accepted",
            move |_, signature| {
                signature.hashed.extend(vec![notation(); 10]);
            },
        ),
        signed(
            "c18-last-notation-critical",
            "The tenth must be understood.",
            "malformed-signature",
            move |_, signature| {
                signature.hashed.extend(vec![notation(); 9]);
                signature.hashed.push(notation().critical());
            },
        ),
        signed("c18-known-critical", "All that are understood may be critical.", "accepted", |holder, signature| {
            signature.hashed.push(Subpacket::time(3, 2_000_000_000));
            signature.hashed.push(holder.signer.issuer_id());
            signature.hashed.push(Subpacket::new(28, *b"ed25519@example.com"));
            signature.hashed.iter_mut().for_each(|subpacket| subpacket.kind |= 0x80);
        }),
    ];
    for (name, kind, body) in [
        ("reserved", 1, &[0][..]),
        ("exportable", 4, &[0]),
        ("trust", 5, &[1, 120]),
        ("regular-expression", 6, b"<.*@example.com>$\0"),
        ("revocable", 7, &[0]),
        ("key-expiration", 9, &[0, 0, 0, 1]),
        ("policy-uri", 26, b"https://example.com/policy"),
        ("key-flags", 27, &[1]),
        ("reason-for-revocation", 29, &[0]),
        ("features", 30, &[1]),
        ("private", 101, b"x"),
        ("of-no-name", 77, b"x"),
    ] {
        let about = format!("Subpacket {kind}, which means nothing on a document.");
        vectors.push(signed(&format!("c18-{name}"), &about, "accepted", move |_, signature| {
            signature.set(Subpacket::new(kind, body));
        }));
        let about = format!("Subpacket {kind}, which must be understood.");
        vectors.push(signed(&format!("c18-critical-{name}"), &about, "malformed-signature", move |_, signature| {
            signature.set(Subpacket::new(kind, body).critical());
        }));
    }
    let recipient = |holder: &Holder| Subpacket::new(35, [vec![4], holder.primary().fingerprint()].concat());
    vectors.extend([
        signed(
            "c25-recipient",
            "A signature for one recipient of a message.",
            "usage-violation",
            move |_, signature| {
                signature.set(recipient(&Holder::called("ed25519-new")));
            },
        ),
        signed("c25-recipient-self", "The recipient is the signer.", "usage-violation", move |holder, signature| {
            signature.set(recipient(holder));
        }),
        signed(
            "c25-two-recipients",
            "Two recipients, the first the signer.",
            "usage-violation",
            move |holder, signature| {
                signature.hashed.extend([recipient(holder), recipient(&Holder::called("ed25519-new"))]);
            },
        ),
        signed("c25-critical", "The recipient must be understood.", "malformed-signature", move |holder, signature| {
            signature.set(recipient(holder).critical());
        }),
        signed("c25-garbled", "A recipient that is no fingerprint.", "malformed-signature", |_, signature| {
            signature.set(Subpacket::new(35, [4, 1, 2]));
        }),
        signed("c25-empty", "A recipient without a body.", "malformed-signature", |_, signature| {
            signature.set(Subpacket::new(35, []));
        }),
        signed("c25-unhashed", "Written in by somebody else afterwards.", "accepted", move |holder, signature| {
            signature.unhashed.push(recipient(holder));
        }),
    ]);
    vectors
}

/// What stands in the unhashed area is not signed: it is a hint at the key, or nothing.
fn unhashed() -> Vec<Vector> {
    let beside = |name, about, subpacket: Subpacket| {
        signed(name, about, "accepted", move |_, signature| signature.unhashed.push(subpacket.clone()))
    };
    vec![
        beside("c19-expiration", "An end in the past.", Subpacket::time(3, 1)),
        beside("c19-creation", "Another date.", Subpacket::time(2, u32::MAX)),
        beside("c19-signer", "Somebody else's name.", Subpacket::new(28, *b"bob@example.com")),
        beside("c19-critical-notation", "A critical notation.", Subpacket::notation(b"a@b.example", b"c").critical()),
        beside("c19-critical-unknown", "A critical subpacket of no name.", Subpacket::new(77 | 0x80, *b"x")),
        beside("c19-key-flags", "Flags.", Subpacket::new(27, [0])),
        beside("c19-embedded", "A thing that is no signature.", Subpacket::new(32, *b"x")),
        signed("c19-crowd", "A hundred subpackets of no meaning.", "accepted", |_, signature| {
            signature.unhashed.extend(vec![Subpacket::new(100, [7; 100]); 100]);
        }),
        signed("c19-issuer-only", "The only hint at the key may stand there.", "accepted", |_, signature| {
            signature.without(33);
        }),
        signed(
            "c19-expired-says-not",
            "Signed until the past; unsigned, for ever.",
            "signature-expired",
            |_, signature| {
                signature.set(Subpacket::time(3, 86_400));
                signature.unhashed.push(Subpacket::time(3, 0));
            },
        ),
        signed(
            "c19-bobs-name-says-not",
            "Signed in Bob's name; unsigned, in the own.",
            "identity-mismatch",
            |_, signature| {
                signature.set(Subpacket::new(28, *b"bob@example.com"));
                signature.unhashed.push(Subpacket::new(28, *b"ed25519@example.com"));
            },
        ),
    ]
}

fn issuers() -> Vec<Vector> {
    let nameless = |signature: &mut Signature| {
        signature.without(33);
        signature.unhashed.clear();
    };
    let other = || Holder::called("ed25519-new");
    let bad = "bad-signature";
    let mut vectors = vec![
        signed("c21-nobody", "No hint at the key: nobody tries all of them.", "unknown-key", move |_, signature| {
            nameless(signature);
        }),
        signed("c21-other-subpackets", "Much is said, but not by which key.", "unknown-key", move |_, signature| {
            nameless(signature);
            signature.hashed.push(Subpacket::new(28, *b"ed25519@example.com"));
            signature.unhashed.push(Subpacket::notation(b"issuer@example.com", b"me"));
        }),
        signed("c21-zeros", "The key id that hides the key.", "unknown-key", move |_, signature| {
            nameless(signature);
            signature.unhashed.push(Subpacket::new(16, [0; 8]));
        }),
        signed(
            "c21-primary",
            "The primary key is named, which may not sign.",
            "key-not-for-signing",
            |holder, signature| {
                signature.without(33);
                signature.unhashed = vec![holder.primary().issuer_id()];
            },
        ),
        signed("c21-too-many", "Five keys are named.", "malformed-signature", |holder, signature| {
            signature.unhashed.extend(vec![holder.signer.issuer_id(); 4]);
        }),
        signed("c21-short-id", "A key id of four bytes.", "malformed-signature", move |holder, signature| {
            nameless(signature);
            signature.unhashed.push(Subpacket::new(16, &holder.signer.key_id()[4..]));
        }),
        signed("c21-short-fingerprint", "A fingerprint cut short.", "malformed-signature", move |holder, signature| {
            nameless(signature);
            signature.unhashed.push(Subpacket::new(33, &holder.signer.issuer().body[..11]));
        }),
        signed(
            "c21-fingerprint-of-v9",
            "A fingerprint of a version to come.",
            "unknown-key",
            move |holder, signature| {
                nameless(signature);
                signature.unhashed.push(Subpacket::new(33, [vec![9], holder.signer.fingerprint()].concat()));
            },
        ),
        // Hints that name one registered key, and a signature by another.
        signed("c22-names-another", "Named is somebody else's registered key.", bad, move |_, signature| {
            nameless(signature);
            signature.unhashed = vec![other().signer.issuer(), other().signer.issuer_id()];
        }),
        signed(
            "c22-fingerprint-own-id-anothers",
            "A forged key id beside the own fingerprint.",
            "accepted",
            move |_, signature| {
                signature.unhashed = vec![other().signer.issuer_id()];
            },
        ),
        signed(
            "c22-id-own-fingerprint-anothers",
            "A forged fingerprint, which goes before the key id.",
            bad,
            move |_, signature| {
                signature.without(33);
                signature.unhashed.push(other().signer.issuer());
            },
        ),
        signed(
            "c22-unknown-fingerprint-own-id",
            "A fingerprint that nobody has, beside the own key id.",
            "accepted",
            |_, signature| {
                signature.without(33);
                signature.unhashed.push(Key::ed25519("nobody").issuer());
            },
        ),
        signed("c22-two-ids", "Two key ids: the first that is registered is asked.", bad, move |holder, signature| {
            nameless(signature);
            signature.unhashed = vec![other().signer.issuer_id(), holder.signer.issuer_id()];
        }),
        signed("c22-two-ids-own-first", "Two key ids, the own first.", "accepted", move |holder, signature| {
            nameless(signature);
            signature.unhashed = vec![holder.signer.issuer_id(), other().signer.issuer_id()];
        }),
    ];
    vectors.push(Vector::new(
        "c22-attributed-to-who-signed",
        "Signed by one, committed by the other, whose key id stands beside.",
        "identity-mismatch",
        move |bench| {
            let (signer, named) = (Holder::called("ed25519"), Holder::called("ed25519-new"));
            signer.join(bench);
            named.join(bench);
            let id = named.signer.issuer_id();
            pushed(bench, &named.id, |payload| {
                signer.sign_as(payload, |signature| signature.unhashed = vec![id.clone()]).armored()
            })
        },
    ));
    for (name, committer, expected) in
        [("owner", "c22-victim", "accepted"), ("binder", "c22-binder", "identity-mismatch")]
    {
        let about = format!("One key in two certificates, one bound without its consent; committed by its {name}.");
        vectors.push(Vector::new(&format!("c22-key-of-two-{name}"), &about, expected, move |bench| {
            // Who registers first has no claim: the key did not consent.
            let (victim, binder) = (Holder::of("c22-victim"), Holder::of("c22-binder"));
            let mut binder = binder;
            binder.certificate = binder.certificate.subkey_by(&victim.signer, None, SIGN, |_| {}, |_| {});
            binder.join(bench);
            victim.join(bench);
            pushed(bench, committer, |payload| victim.sign(payload).armored())
        }));
    }
    vectors
}

fn dates() -> Vec<Vector> {
    let malformed = "malformed-signature";
    vec![
        signed("c23-no-date", "No date.", malformed, |_, signature| signature.without(2)),
        signed("c23-unhashed-date", "The date is not signed.", malformed, |_, signature| {
            signature.without(2);
            signature.unhashed.push(Subpacket::time(2, SIGNED));
        }),
        signed("c23-empty-date", "A date of no bytes.", malformed, |_, signature| {
            signature.set(Subpacket::new(2, []));
        }),
        signed("c23-long-date", "A date of eight bytes.", malformed, |_, signature| {
            signature.set(Subpacket::new(2, [0; 8]));
        }),
        signed("c23-no-subpackets", "Nothing is signed but the commit.", malformed, |_, signature| {
            signature.hashed.clear();
        }),
        signed("c23-zero", "The year 1970, before any key.", "key-not-yet-valid", |_, signature| {
            signature.set(Subpacket::time(2, 0));
        }),
        signed(
            "c23-two-dates",
            "Two dates: one reader takes the first, another the last.",
            malformed,
            |_, signature| {
                signature.hashed.push(Subpacket::time(2, KEY_DATE + 200_000));
            },
        ),
        signed("c24-expired", "Signed for a day.", "signature-expired", |_, signature| {
            signature.set(Subpacket::time(3, 86_400));
        }),
        signed("c24-expired-second", "Signed for a second.", "signature-expired", |_, signature| {
            signature.set(Subpacket::time(3, 1));
        }),
        signed("c24-critical", "The end must be understood, and is.", "signature-expired", |_, signature| {
            signature.set(Subpacket::time(3, 86_400).critical());
        }),
        signed("c24-zero", "Zero is no end.", "accepted", |_, signature| signature.set(Subpacket::time(3, 0))),
        signed("c24-far", "An end in the next century.", "accepted", |_, signature| {
            signature.set(Subpacket::time(3, u32::MAX));
        }),
        signed("c24-garbled", "An end of three bytes.", malformed, |_, signature| {
            signature.set(Subpacket::new(3, [0, 0, 1]));
        }),
        signed("c24-two-ends", "Two ends, the last to come.", malformed, |_, signature| {
            signature.hashed.extend([Subpacket::time(3, 1), Subpacket::time(3, u32::MAX)]);
        }),
    ]
}

fn names() -> Vec<Vector> {
    let named = |name, about, expected, user_id: &'static [u8]| {
        signed(name, about, expected, move |_, signature| signature.set(Subpacket::new(28, user_id)))
    };
    let mismatch = "identity-mismatch";
    let mut vectors = vec![
        named("c26-own", "The own user id.", "accepted", b"Ed25519 <ed25519@example.com>"),
        named("c26-own-address", "The own address.", "accepted", b"ed25519@example.com"),
        named("c26-own-upper-case", "The own address, shouted.", "accepted", b"ED25519@EXAMPLE.COM"),
        named("c26-bob", "Another person of the registry.", mismatch, b"Bob <bob@example.com>"),
        named("c26-bob-as-own", "Another's address after the own.", mismatch, b"ed25519@example.com <bob@example.com>"),
        named("c26-nobody", "An address that nobody has.", mismatch, b"root@example.org"),
        named("c26-no-address", "A name without an address.", mismatch, b"Ed25519"),
        named("c26-empty", "An empty name.", mismatch, b""),
        named("c26-no-utf8", "A name that is no text.", mismatch, b"\xff\xfe <bob@example.com>"),
        signed(
            "c26-two-names",
            "Two names: one reader takes the first, another the last.",
            "malformed-signature",
            |_, signature| {
                signature
                    .hashed
                    .extend([*b"bob@example.com    ", *b"ed25519@example.com"].map(|name| Subpacket::new(28, name)));
            },
        ),
    ];
    vectors.push(Vector::new(
        "c26-not-bound",
        "A user id that stands in the certificate unsigned.",
        mismatch,
        |bench| {
            let mut holder = Holder::of("c26-not-bound");
            holder.certificate = holder.certificate.with([packet(USER_ID, b"<boss@example.com>")]);
            holder.join(bench);
            let name = Subpacket::new(28, *b"boss@example.com");
            pushed(bench, &holder.id, |payload| {
                holder.sign_as(payload, |signature| signature.set(name.clone())).armored()
            })
        },
    ));
    vectors.push(Vector::new(
        "c26-bound-but-bobs",
        "A user id that its owner signed, with the address of somebody else in the registry.",
        mismatch,
        |bench| {
            let mut holder = Holder::of("c26-bound-but-bobs");
            let primary = Key::ed25519("c26-bound-but-bobs primary");
            holder.certificate =
                Certificate::bare(&primary).user_id(b"Bob <bob@example.com>", CERTIFY).subkey(&holder.signer, SIGN);
            holder.join(bench);
            let name = Subpacket::new(28, *b"bob@example.com");
            pushed(bench, &holder.id, |payload| {
                holder.sign_as(payload, |signature| signature.set(name.clone())).armored()
            })
        },
    ));
    vectors
}

/// Keys of a good certificate that are not meant for this.
fn usage() -> Vec<Vector> {
    let sub = |name: &'static str, about: &str, flags: u8, consents: bool| {
        Vector::new(name, about, "key-not-for-signing", move |bench| {
            let mut holder = Holder::of(name);
            let odd = Key::ed25519(&format!("{name} odd"));
            let consent = consents.then_some(&odd);
            holder.certificate = holder.certificate.subkey_by(&odd, consent, flags, |_| {}, |_| {});
            holder.join(bench);
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
            holder.join(bench);
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
        named("c31-signer-long", "A name of ten thousand escapes.", "\u{1b}[31m".repeat(2_000)),
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
