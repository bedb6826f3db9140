//! Section D: certificates, and who holds them. Many attacks come to the registry's door; what counts is what a push
//! signed with the key is told afterwards.

use crate::bench::Bench;
use crate::openpgp_maker::*;
use crate::vector::Vector;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::process::Outcome;

pub fn vectors() -> Vec<Vector> {
    [user_ids(), crafted(), weak_bindings(), floods(), revoked(), secrets()].into_iter().flatten().collect()
}

pub fn add(bench: &Bench<'_>, id: &str, certificate: &Certificate) -> Outcome {
    bench.lab.sync(&["key", "add", id, "--openpgp", "-"], &certificate.armored())
}

#[track_caller]
pub fn must_add(bench: &Bench<'_>, id: &str, certificate: &Certificate) -> Outcome {
    let outcome = add(bench, id, certificate);
    assert!(outcome.succeeded(), "the door: {}{}", outcome.stdout, outcome.stderr);
    outcome
}

/// The door must refuse, and say this.
#[track_caller]
pub fn must_refuse(outcome: &Outcome, words: &str) {
    assert!(outcome.code == Some(1) && outcome.stderr.contains(words), "the door says not `{words}`: {outcome:?}");
}

/// The certificate is refused with these words, and its key stays unknown.
pub fn refused(
    name: &'static str,
    about: &str,
    words: &'static str,
    change: impl Fn(Holder) -> Holder + Send + Sync + 'static,
) -> Vector {
    Vector::new(name, about, "unknown-key", move |bench| {
        let holder = change(Holder::of(name));
        bench.lab.employ(name);
        must_refuse(&add(bench, name, &holder.certificate), words);
        bench.to_main(&[bench.plain(name, &holder)])
    })
}

/// The certificate is taken, with these words about it; then its holder's signing key commits as `committer`.
pub fn taken(
    name: &'static str,
    about: &str,
    (words, expected): (&'static str, &str),
    change: impl Fn(Holder) -> Holder + Send + Sync + 'static,
) -> Vector {
    Vector::new(name, about, expected, move |bench| {
        let holder = change(Holder::of(name));
        bench.lab.employ(name);
        let told = must_add(bench, name, &holder.certificate);
        assert!((told.stdout.clone() + &told.stderr).contains(words), "the door says not `{words}`: {told:?}");
        bench.to_main(&[bench.plain(name, &holder)])
    })
}

/// A good certificate, then another copy of it, which the door may take or not; then the same key commits.
fn refreshed(
    name: &'static str,
    about: &str,
    expected: &str,
    change: impl Fn(Holder) -> Holder + Send + Sync + 'static,
) -> Vector {
    Vector::new(name, about, expected, move |bench| {
        let holder = Holder::of(name);
        bench.lab.admit(&holder);
        let copy = change(holder.clone());
        add(bench, name, &copy.certificate);
        bench.to_main(&[bench.plain(name, &copy)])
    })
}

/// The holder with more in the certificate.
pub fn grown(mut holder: Holder, change: impl FnOnce(Certificate) -> Certificate) -> Holder {
    holder.certificate = change(holder.certificate);
    holder
}

pub fn other() -> Key {
    Key::ed25519("somebody else")
}

pub const BOB: &[u8] = b"Bob <bob@example.com>";

fn user_ids() -> Vec<Vector> {
    type Change = fn(Certificate) -> Certificate;
    let mut vectors = Vec::new();
    let ways: [(&str, &str, Change); 5] = [
        ("unsigned", "without any signature", |certificate| certificate.with([packet(USER_ID, BOB)])),
        ("signed-by-another", "certified by another key only", |certificate| {
            certificate.user_id_by(Some(&other()), BOB, |_| {})
        }),
        ("signed-for-another", "with the signature of another user id", |certificate| {
            let signature = certificate.packets[2].clone();
            certificate.with([packet(USER_ID, BOB), signature])
        }),
        ("forged", "with a signature of the right name and wrong numbers", |certificate| {
            let owner = certificate.primary.issuer();
            certificate.user_id_by(Some(&other()), BOB, move |signature| signature.set(owner))
        }),
        ("sha1", "signed over SHA-1", |certificate| {
            certificate.user_id_by(None, BOB, |signature| signature.hash = SHA1)
        }),
    ];
    for (way, how, change) in ways {
        for (what, committer, expected) in [("", Some("bob"), "identity-mismatch"), ("-own", None, "accepted")] {
            let name = format!("d01-{way}{what}");
            let id = name.clone();
            let about = format!(
                "Bob's user id {how}; the commit bears {}.",
                if what.is_empty() { "it" } else { "the own name" }
            );
            vectors.push(Vector::new(&name, &about, expected, move |bench| {
                let holder = grown(Holder::of(&id), change);
                bench.lab.employ(&id);
                let told = must_add(bench, &id, &holder.certificate);
                assert!(told.stderr.contains("user id `Bob <bob@example.com>` was dropped"), "{told:?}");
                bench.to_main(&[bench.plain(committer.unwrap_or(&id), &holder)])
            }));
        }
    }
    vectors.push(taken(
        "d01-signed-in-that-name",
        "The signature names the user id that its owner did not sign.",
        ("dropped", "identity-mismatch"),
        |holder| {
            let mut holder = grown(holder, |certificate| certificate.with([packet(USER_ID, BOB)]));
            holder.signer = holder.signer.always(|signature| signature.set(Subpacket::new(28, BOB)));
            holder
        },
    ));
    vectors
}

/// Parts that do not belong, beside a key that works.
fn crafted() -> Vec<Vector> {
    type Change = fn(Certificate, &Key) -> Certificate;
    let mut vectors = Vec::new();
    let ways: [(&'static str, &'static str, &str, &str, Change); 6] = [
        ("d03-naked", "d03-naked-own", "A subkey without any signature", "unknown-key", |certificate, odd| {
            certificate.with([packet(PUBLIC_SUBKEY, &odd.body())])
        }),
        (
            "d03-bound-by-another",
            "d03-bound-by-another-own",
            "A subkey bound by another key",
            "unknown-key",
            |certificate, odd| {
                let foreign = Certificate::bare(&other()).subkey(odd, SIGN);
                certificate.with(foreign.packets[1..].to_vec())
            },
        ),
        (
            "d03-broken",
            "d03-broken-own",
            "A subkey whose binding has a bit flipped",
            "unknown-key",
            |certificate, odd| {
                let mut certificate = certificate.subkey(odd, SIGN);
                *certificate.packets.last_mut().and_then(|packet| packet.last_mut()).expect("a binding") ^= 1;
                certificate
            },
        ),
        (
            "d03-no-consent",
            "d03-no-consent-own",
            "A signing subkey without its consent",
            "unknown-key",
            |certificate, odd| certificate.subkey_by(odd, None, SIGN, |_| {}, |_| {}),
        ),
        (
            "d03-false-consent",
            "d03-false-consent-own",
            "A signing subkey with the consent of another",
            "unknown-key",
            |certificate, odd| certificate.subkey_by(odd, Some(&other()), SIGN, |_| {}, |_| {}),
        ),
        (
            "d03-forged-consent",
            "d03-forged-consent-own",
            "A signing subkey with a consent of the right name and wrong numbers",
            "unknown-key",
            |certificate, odd| {
                let name = odd.issuer();
                certificate.subkey_by(odd, Some(&other()), SIGN, |_| {}, |consent| consent.set(name))
            },
        ),
    ];
    for (name, own, what, expected, change) in ways {
        let odd = |name: &str| Key::ed25519(&format!("{name} odd"));
        vectors.push(refreshed(name, &format!("{what}; it signs."), expected, move |holder| {
            let mut holder = grown(holder, |certificate| change(certificate, &odd(name)));
            holder.signer = odd(name);
            holder
        }));
        vectors.push(refreshed(own, &format!("{what}; the good key signs."), "accepted", move |holder| {
            grown(holder, |certificate| change(certificate, &odd(own)))
        }));
    }
    vectors.extend([
        refreshed(
            "d03-own-binding-broken",
            "A copy in which the good subkey's binding is broken.",
            "accepted",
            |holder| {
                grown(holder, |mut certificate| {
                    *certificate.packets[4].last_mut().expect("a binding") ^= 1;
                    certificate
                })
            },
        ),
        refreshed(
            "d03-own-consent-broken",
            "A copy in which a newer binding lacks the consent.",
            "accepted",
            |holder| {
                let signer = holder.signer.clone();
                grown(holder, |certificate| {
                    let other_certificate = Certificate::bare(&other()).subkey(&signer, SIGN);
                    certificate.with([other_certificate.packets[2].clone()])
                })
            },
        ),
        refreshed("d03-without-subkey", "A copy without the subkey takes nothing away.", "accepted", |holder| {
            grown(holder, |mut certificate| {
                certificate.packets.truncate(3);
                certificate
            })
        }),
        refreshed("d03-strange-packets", "Packets that belong in no certificate.", "accepted", |holder| {
            grown(holder, |mut certificate| {
                certificate.packets.insert(3, packet(17, &[2, 1, 0]));
                certificate.with([packet(12, b"x"), packet(60, b"x"), packet(10, b"PGP")])
            })
        }),
        refused("d03-garbled", "A certificate that ends within a packet.", "garbled", |holder| {
            grown(holder, |mut certificate| {
                certificate.packets[4].pop();
                certificate
            })
        }),
    ]);
    vectors
}

fn weak_bindings() -> Vec<Vector> {
    let self_signed = |holder: Holder, hash: u8| {
        let user_id = format!("{0} <{0}@example.com>", holder.id);
        let signer = holder.signer.clone();
        grown(holder, |certificate| {
            Certificate::bare(&certificate.primary)
                .user_id_by(None, user_id.as_bytes(), |signature| {
                    signature.hash = hash;
                    signature.set(Subpacket::new(27, [CERTIFY]));
                })
                .subkey(&signer, SIGN)
        })
    };
    let bound = |holder: Holder, binding: u8, consent: u8| {
        let signer = holder.signer.clone();
        grown(holder, |mut certificate| {
            certificate.packets.truncate(3);
            certificate.subkey_by(
                &signer,
                Some(&signer),
                SIGN,
                |signature| signature.hash = binding,
                |signature| {
                    signature.hash = consent;
                },
            )
        })
    };
    vec![
        refused("d04-self-md5", "The owner signed over MD5.", "no self-signature that counts", move |holder| {
            self_signed(holder, 1)
        }),
        refused("d04-self-sha1", "The owner signed over SHA-1.", "no self-signature that counts", move |holder| {
            self_signed(holder, SHA1)
        }),
        refused(
            "d04-self-ripemd160",
            "The owner signed over RIPEMD-160.",
            "no self-signature that counts",
            move |holder| self_signed(holder, 3),
        ),
        refused(
            "d04-binding-sha1",
            "The only signing subkey is bound over SHA-1.",
            "no key that may sign",
            move |holder| bound(holder, SHA1, SHA512),
        ),
        refused(
            "d04-binding-md5",
            "The only signing subkey is bound over MD5.",
            "no key that may sign",
            move |holder| bound(holder, 1, SHA512),
        ),
        refused(
            "d04-consent-sha1",
            "The only signing subkey consents over SHA-1.",
            "no key that may sign",
            move |holder| bound(holder, SHA512, SHA1),
        ),
        refreshed(
            "d04-second-subkey-sha1",
            "One subkey of two is bound over SHA-1, and signs.",
            "key-not-for-signing",
            |holder| {
                let odd = Key::ed25519("d04-second-subkey-sha1 odd");
                let mut holder = grown(holder, |certificate| {
                    certificate.subkey_by(&odd, Some(&odd), SIGN, |signature| signature.hash = SHA1, |_| {})
                });
                holder.signer = odd;
                holder
            },
        ),
        taken(
            "d04-third-party-sha1",
            "Another's certification over SHA-1 is dropped, the key stays.",
            ("", "accepted"),
            |holder| {
                grown(holder, |mut certificate| {
                    let user_id = "D04-third-party-sha1 <d04-third-party-sha1@example.com>";
                    let foreign = certificate
                        .clone()
                        .user_id_by(Some(&other()), user_id.as_bytes(), |signature| signature.hash = SHA1);
                    certificate.packets.insert(3, foreign.packets.last().expect("a certification").clone());
                    certificate
                })
            },
        ),
    ]
}

/// A user id's signatures by `count` others, put behind the owner's.
fn certified(holder: Holder, count: u32, each: impl Fn(&mut Signature)) -> Holder {
    let user_id = holder.certificate.packets[1][2..].to_vec();
    grown(holder, |mut certificate| {
        let by = other();
        let crowd = (0..count).map(|number| {
            let change = |signature: &mut Signature| {
                signature.set(Subpacket::time(2, KEY_DATE + number));
                each(signature);
            };
            certificate.clone().user_id_by(Some(&by), &user_id, change).packets.pop().expect("a certification")
        });
        let crowd: Vec<u8> = crowd.collect::<Vec<_>>().concat();
        certificate.packets.insert(3, crowd);
        certificate
    })
}

fn floods() -> Vec<Vector> {
    let many_user_ids = |holder: Holder| {
        grown(holder, |certificate| {
            (0..200).fold(certificate, |certificate, number| {
                certificate.user_id(format!("u{number}@example.com").as_bytes(), 0)
            })
        })
    };
    let many_keys = |holder: Holder| {
        grown(holder, |certificate| {
            (0..100).fold(certificate, |certificate, number| {
                certificate.subkey(&Key::ed25519(&format!("crowd {number}")), ENCRYPT)
            })
        })
    };
    vec![
        taken("d08-900", "Nine hundred certifications by others are dropped.", ("", "accepted"), |holder| {
            certified(holder, 900, |_| {})
        }),
        taken("d08-large", "Ten certifications of sixty kilobytes.", ("", "accepted"), |holder| {
            certified(holder, 10, |signature| signature.set(Subpacket::notation(b"x@example.com", &[b'x'; 60_000])))
        }),
        refused("d08-2000", "Two thousand certifications.", "signatures", |holder| certified(holder, 2_000, |_| {})),
        refused("d08-two-megabytes", "Certifications of two megabytes.", "larger than 1 MiB", |holder| {
            certified(holder, 40, |signature| signature.set(Subpacket::notation(b"x@example.com", &[b'x'; 60_000])))
        }),
        refused("d08-user-ids", "Two hundred user ids, all signed.", "user ids", many_user_ids),
        refused("d08-keys", "A hundred subkeys, all bound.", "keys", many_keys),
        refreshed("d08-2000-refresh", "A flooded copy of a good certificate.", "accepted", |holder| {
            certified(holder, 2_000, |_| {})
        }),
        refreshed("d08-900-refresh", "A copy with certifications that are dropped.", "accepted", |holder| {
            certified(holder, 900, |_| {})
        }),
        refreshed("d08-user-ids-refresh", "A copy with a crowd of user ids.", "accepted", many_user_ids),
    ]
}

fn revoked() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, about, reason) in [
        ("d10-no-reason", "The owner revoked the key and gave no reason.", 0),
        ("d10-superseded", "The owner replaced the key.", 1),
        ("d10-compromised", "The owner says the key was stolen.", 2),
        ("d10-retired", "The owner gave the key up.", 3),
    ] {
        vectors.push(refreshed(name, about, "key-revoked", move |holder| {
            grown(holder, |certificate| {
                let primary = certificate.primary.clone();
                certificate.revoked(&primary, reason)
            })
        }));
    }
    let revoked = |certificate: Certificate| {
        let primary = certificate.primary.clone();
        certificate.revoked(&primary, 2)
    };
    vectors.extend([
        refreshed("d10-subkey", "The owner revoked the signing subkey.", "key-revoked", |holder| {
            let signer = holder.signer.clone();
            grown(holder, |certificate| {
                let parts = (certificate.primary.hashed(), signer.hashed());
                let revocation = certificate.primary.sign(SUBKEY_REVOCATION, &[&parts.0, &parts.1], |signature| {
                    signature.set(Subpacket::new(29, [2]));
                });
                certificate.with([revocation.packet()])
            })
        }),
        Vector::new("d10-old-copy-after", "An old copy after the revoked one.", "key-revoked", move |bench| {
            let holder = Holder::of("d10-old-copy-after");
            bench.lab.admit(&holder);
            must_add(bench, &holder.id, &revoked(holder.certificate.clone()));
            add(bench, &holder.id, &holder.certificate);
            bench.to_main(&[bench.plain(&holder.id, &holder)])
        }),
        refreshed("d10-by-another", "A revocation by another key.", "accepted", |holder| {
            grown(holder, |certificate| certificate.revoked(&other(), 2))
        }),
        refreshed("d10-forged", "A revocation in the owner's name with wrong numbers.", "accepted", |holder| {
            grown(holder, |certificate| {
                let owner = certificate.primary.issuer();
                certificate.revoked(&other().always(move |signature| signature.set(owner.clone())), 2)
            })
        }),
    ]);
    vectors.push(Vector::new(
        "d10-at-once",
        "A certificate that is revoked when it is registered first.",
        "key-revoked",
        move |bench| {
            let mut holder = Holder::of("d10-at-once");
            holder.certificate = revoked(holder.certificate);
            bench.lab.employ(&holder.id);
            let told = add(bench, &holder.id, &holder.certificate);
            assert!((told.stdout.clone() + &told.stderr).contains("revoked"), "{told:?}");
            bench.to_main(&[bench.plain(&holder.id, &holder)])
        },
    ));
    vectors
}

/// Hands in the secret parts too, and looks for them in everything that is kept.
fn secrets() -> Vec<Vector> {
    let vector = |name: &'static str, about: &str, locked: bool, armoured: bool| {
        Vector::new(name, about, "accepted", move |bench| {
            let holder = Holder::of(name);
            let seeds = [holder.primary(), &holder.signer].map(|key| key.secret.expect("a seed"));
            let mut packets = holder.certificate.packets.clone();
            packets[0] = packet(5, &secret_body(holder.primary(), locked));
            packets[3] = packet(7, &secret_body(&holder.signer, locked));
            let bytes = packets.concat();
            let handed_in =
                if armoured { crate::signer::armored("PGP PRIVATE KEY BLOCK", &bytes, 64).into_bytes() } else { bytes };
            bench.lab.employ(name);
            let told = bench.lab.must_sync(&["key", "add", name, "--openpgp", "-"], &handed_in);
            assert!((told.stdout.clone() + &told.stderr).contains("secret key material was dropped"), "{told:?}");
            for seed in seeds {
                assert!(!is_kept(&bench.lab.root(), &seed), "the secret is kept");
            }
            bench.to_main(&[bench.plain(name, &holder)])
        })
    };
    vec![
        vector("d12-secret", "The secret key is handed in.", false, true),
        vector("d12-secret-binary", "The secret key is handed in without armor.", false, false),
        vector("d12-secret-locked", "The secret key is handed in under a pass phrase.", true, true),
    ]
}

/// Open, or as under a pass phrase: then the seed stands where the cipher text would.
fn secret_body(key: &Key, locked: bool) -> Vec<u8> {
    let seed = key.secret.expect("a seed");
    if locked {
        let protection = [254, 9, 3, 8, 1, 2, 3, 4, 5, 6, 7, 8, 96];
        return [&key.body()[..], &protection, &[7; 16], &seed, &[7; 22]].concat();
    }
    let secret = mpi(&seed);
    let sum = secret.iter().fold(0_u16, |sum, &byte| sum.wrapping_add(byte.into()));
    [&key.body()[..], &[0], &secret, &sum.to_be_bytes()].concat()
}

/// Whether a file below the folder holds the seed, as bytes, in hex or in base64.
fn is_kept(folder: &std::path::Path, seed: &[u8; 32]) -> bool {
    let mut forms = vec![seed.to_vec(), hex::encode(seed).into_bytes()];
    forms.extend((0..3).map(|start| STANDARD.encode(&seed[start..start + 27]).into_bytes()));
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().collect()).unwrap_or_else(|_| Vec::new());
    entries.iter().map(std::fs::DirEntry::path).any(|path| {
        let holds = |bytes: Vec<u8>| forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form));
        if path.is_dir() { is_kept(&path, seed) } else { std::fs::read(&path).is_ok_and(holds) }
    })
}
