//! Section C: the subpackets of a signature, signed and unsigned.

use crate::openpgp::{pushed, signed};
use crate::openpgp_maker::*;
use crate::vector::Vector;

pub fn vectors() -> Vec<Vector> {
    [subpackets(), unhashed(), issuers(), dates(), names()].into_iter().flatten().collect()
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

/// What stands in the unhashed area is not signed: it is a hint at the key, or nothing. What must be understood and is
/// not is refused there too, as gpg does: that takes nothing from the signer.
fn unhashed() -> Vec<Vector> {
    let critical = |name, about, subpacket: Subpacket| {
        signed(name, about, "malformed-signature", move |_, signature| {
            signature.unhashed.push(subpacket.clone().critical());
        })
    };
    let beside = |name, about, subpacket: Subpacket| {
        signed(name, about, "accepted", move |_, signature| signature.unhashed.push(subpacket.clone()))
    };
    vec![
        beside("c19-expiration", "An end in the past.", Subpacket::time(3, 1)),
        beside("c19-creation", "Another date.", Subpacket::time(2, u32::MAX)),
        beside("c19-signer", "Somebody else's name.", Subpacket::new(28, *b"bob@example.com")),
        beside("c19-notation", "A notation.", Subpacket::notation(b"a@b.example", b"c")),
        beside("c19-unknown", "A subpacket of no name.", Subpacket::new(77, *b"x")),
        critical("c19-critical-notation", "A critical notation.", Subpacket::notation(b"a@b.example", b"c")),
        critical("c19-critical-unknown", "A critical subpacket of no name.", Subpacket::new(77, *b"x")),
        beside("c19-key-flags", "Flags.", Subpacket::new(27, [0])),
        signed("c19-crowd", "Ninety subpackets of no meaning.", "accepted", |_, signature| {
            signature.unhashed.extend(vec![Subpacket::new(100, [7; 100]); 90]);
        }),
        signed("c19-great-crowd", "A hundred of them, more than gpg reads.", "limit-exceeded", |_, signature| {
            signature.unhashed.extend(vec![Subpacket::new(100, [7; 100]); 100]);
        }),
        signed(
            "c19-embedded",
            "An embedded signature that is none: no packet to be read.",
            "malformed-signature",
            |_, signature| {
                signature.unhashed.push(Subpacket::new(32, *b"x"));
            },
        ),
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
            "The right fingerprint, of a version to come: a hint like any other.",
            "accepted",
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
            bench.lab.admit(&signer);
            bench.lab.admit(&named);
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
            // A key for encryption need not consent; who binds it first has no claim to it.
            let (victim, mut binder) = (Holder::of("c22-victim"), Holder::of("c22-binder"));
            binder.certificate = binder.certificate.subkey(&victim.signer, ENCRYPT);
            bench.lab.admit(&binder);
            bench.lab.admit(&victim);
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
            bench.lab.admit(&holder);
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
            bench.lab.admit(&holder);
            let name = Subpacket::new(28, *b"bob@example.com");
            pushed(bench, &holder.id, |payload| {
                holder.sign_as(payload, |signature| signature.set(name.clone())).armored()
            })
        },
    ));
    vectors
}
