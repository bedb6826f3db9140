//! Section E, the signatures: what an SSHSIG is made for, by which algorithm, and the one form it has.
//! Their armour is in `ssh_armour.rs`, their keys are in `ssh_algorithms.rs`, certificates in `ssh_certificates.rs`.

use crate::bench::Answer;
use crate::desk::{Desk, forms, vector};
use crate::signer::{SshKey, Sshsig, armored, strings};
use crate::ssh_keys::{EcdsaKey, P256, Pair, labelled, mpint, sshsig};
use crate::vector::Vector;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use countersign_tests::process::must_with_input;
use std::process::Command;

pub fn vectors() -> Vec<Vector> {
    [namespaces(), hashes(), one_form(), unknown_keys(), at_the_registry()].into_iter().flatten().collect()
}

/// The person's Ed25519 key, registered, and shown to be accepted.
pub fn registered(desk: &Desk<'_>) -> SshKey {
    let key = SshKey::named(desk.who);
    desk.register("--ssh", key.line());
    desk.good("good", |payload| Sshsig::of(&key, payload).armored());
    key
}

/// Forms of a change to a good signature.
fn changed(
    desk: &Desk<'_>,
    changes: impl IntoIterator<Item = (impl ToString, impl Fn(&mut Sshsig) + Send + Sync)>,
) -> Vec<(String, Answer)> {
    let key = registered(desk);
    let sign = |change: &(dyn Fn(&mut Sshsig) + Send + Sync), payload: &[u8]| {
        let mut made = Sshsig::of(&key, payload);
        change(&mut made);
        made.armored()
    };
    let push = |change: &(dyn Fn(&mut Sshsig) + Send + Sync)| desk.push(|payload| sign(change, payload));
    changes.into_iter().map(|(form, change)| (form.to_string(), push(&change))).collect()
}

fn namespaces() -> Vec<Vector> {
    let made_for = |name, about, namespace: &'static str| {
        vector(name, about, "wrong-namespace", move |desk| {
            let key = registered(desk);
            desk.push(|payload| Sshsig::made(&key, payload, namespace, "sha512").armored())
        })
    };
    vec![
        made_for("e01-file", "What `ssh-keygen -Y sign` signs a file with, offered as a commit's.", "file"),
        made_for("e01-email", "A signature made for mail.", "email"),
        made_for("e01-git-space", "A namespace that only looks like git's.", "git "),
        forms(
            "e01-spellings",
            "Namespaces near to git's, and some that a terminal would obey.",
            "wrong-namespace",
            |desk| {
                let key = registered(desk);
                let long = "git,".repeat(400);
                [
                    "",
                    "g",
                    "Git",
                    "GIT",
                    "git\0",
                    " git",
                    "git,file",
                    "git@example.com",
                    "\x1b[2Jgit",
                    "\u{202e}tig",
                    &long,
                ]
                .iter()
                .map(|namespace| {
                    let sign = |payload: &[u8]| Sshsig::made(&key, payload, namespace, "sha512").armored();
                    (format!("{namespace:?}"), desk.push(sign))
                })
                .collect()
            },
        ),
        forms("e01-bytes", "A namespace that is no text.", "wrong-namespace", |desk| {
            changed(desk, [("git and 0xff", |made: &mut Sshsig| made.namespace = b"git\xff".to_vec())])
        }),
        vector("e01-renamed", "Signed for `file`, then called `git`.", "bad-signature", |desk| {
            let key = registered(desk);
            desk.push(|payload| {
                let made = Sshsig::made(&key, payload, "file", "sha512");
                Sshsig { namespace: b"git".to_vec(), ..made }.armored()
            })
        }),
        vector(
            "e01-no-envelope",
            "The key's signature over the bare commit, as TLS or login would make one.",
            "bad-signature",
            |desk| {
                let key = registered(desk);
                desk.push(|payload| sshsig(key.blob(), key.signature(payload)).armored())
            },
        ),
    ]
}

fn hashes() -> Vec<Vector> {
    vec![
        vector("e02-sha1", "Signed over a SHA-1 digest.", "weak-algorithm", |desk| {
            let key = registered(desk);
            desk.push(|payload| {
                let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, payload);
                let data = [b"SSHSIG".to_vec(), strings(&[b"git", b"", b"sha1", digest.as_ref()])].concat();
                let made = sshsig(key.blob(), key.signature(&data));
                Sshsig { hash: b"sha1".to_vec(), ..made }.armored()
            })
        }),
        vector("e02-md5", "A hash that was broken long ago.", "weak-algorithm", |desk| {
            let key = registered(desk);
            desk.push(|payload| Sshsig::made(&key, payload, "git", "md5").armored())
        }),
        forms(
            "e02-unknown",
            "Hashes that the format does not know, and other spellings of the two it does.",
            "malformed-signature",
            |desk| {
                let key = registered(desk);
                [
                    "",
                    "sha384",
                    "sha224",
                    "sha3-256",
                    "sha512-256",
                    "SHA512",
                    "sha-512",
                    "sha512\0",
                    " sha512",
                    "sha512,sha1",
                    "blake3",
                    "\x1b[1m",
                ]
                .iter()
                .map(|hash| {
                    (format!("{hash:?}"), desk.push(|payload| Sshsig::made(&key, payload, "git", hash).armored()))
                })
                .collect()
            },
        ),
        vector("e02-no-text", "A hash whose name is no text.", "malformed-signature", |desk| {
            let key = registered(desk);
            desk.push(|payload| Sshsig { hash: vec![0xff, 0xfe], ..Sshsig::of(&key, payload) }.armored())
        }),
        forms("e02-renamed", "Signed over one hash, then called the other.", "bad-signature", |desk| {
            let key = registered(desk);
            [("sha256", "sha512"), ("sha512", "sha256")]
                .map(|(signed, named)| {
                    let sign = |payload: &[u8]| {
                        let made = Sshsig::made(&key, payload, "git", signed);
                        Sshsig { hash: named.into(), ..made }.armored()
                    };
                    (format!("{signed} as {named}"), desk.push(sign))
                })
                .into()
        }),
    ]
}

/// Every part of the blob has one form, so nobody else can make another signature of a good one.
fn one_form() -> Vec<Vector> {
    vec![
        forms("e06-trailing", "Bytes behind the last field.", "malformed-signature", |desk| {
            let tails = [vec![0], vec![0; 4], b"more".to_vec(), strings(&[b"git"])];
            changed(desk, tails.map(|tail| (format!("{tail:?}"), move |made: &mut Sshsig| made.tail = tail.clone())))
        }),
        forms(
            "e06-trailing-inside",
            "Bytes behind the inner signature, or one too many or few in it.",
            "malformed-signature",
            |desk| {
                let key = registered(desk);
                let change = |form: &str, change: &(dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync)| {
                    let sign = |payload: &[u8]| {
                        let made = Sshsig::of(&key, payload);
                        Sshsig { signature: change(made.signature.clone()), ..made }.armored()
                    };
                    (form.to_owned(), desk.push(sign))
                };
                vec![
                    change("a byte behind", &|signature| [signature, vec![0]].concat()),
                    change("a field behind", &|signature| [signature, strings(&[b""])].concat()),
                    change("twice", &|signature| [signature.clone(), signature].concat()),
                    change("65 bytes", &|signature| {
                        labelled("ssh-ed25519", &strings(&[&[&signature[19..], &[0]].concat()]))
                    }),
                    change("63 bytes", &|signature| labelled("ssh-ed25519", &strings(&[&signature[19..82]]))),
                    change("none", &|_| labelled("ssh-ed25519", &strings(&[b""]))),
                    change("nothing at all", &|_| Vec::new()),
                ]
            },
        ),
        vector("e06-truncated", "The blob, cut off after each of its bytes.", "malformed-signature", |desk| {
            let key = registered(desk);
            let whole = Sshsig::of(&key, b"").blob().len();
            let cut = |length: usize| {
                let key = &key;
                move |payload: &[u8]| armored("SSH SIGNATURE", &Sshsig::of(key, payload).blob()[..length], 70)
            };
            desk.push_each("malformed-signature", &(0..whole).map(cut).collect::<Vec<_>>())
        }),
        forms("e06-lengths", "A field that says it is longer than what there is.", "malformed-signature", |desk| {
            let key = registered(desk);
            // Where the lengths of the five fields stand.
            let mut at = vec![10];
            for length in [51, 3, 0, 6] {
                at.push(at.last().expect("a place") + 4 + length);
            }
            let lengths = [u32::MAX, i32::MAX as u32, 1 << 20, 84];
            at.iter()
                .flat_map(|at| lengths.map(|length| (*at, length)))
                .map(|(at, length)| {
                    let sign = |payload: &[u8]| {
                        let mut blob = Sshsig::of(&key, payload).blob();
                        blob[at..at + 4].copy_from_slice(&length.to_be_bytes());
                        armored("SSH SIGNATURE", &blob, 70)
                    };
                    (format!("{length} at {at}"), desk.push(sign))
                })
                .collect()
        }),
        forms("e06-version", "Versions of the format that there are not.", "malformed-signature", |desk| {
            changed(
                desk,
                [0, 2, 0x0100_0000, u32::MAX].map(|version| (version, move |made: &mut Sshsig| made.version = version)),
            )
        }),
        forms("e06-magic", "Another word where SSHSIG belongs.", "malformed-signature", |desk| {
            let key = registered(desk);
            [b"SSHSIg", b"sshsig", b"SSHSI\0", b"\0\0\0\x06SS"]
                .map(|magic: &[u8; 6]| {
                    let sign = |payload: &[u8]| {
                        let mut blob = Sshsig::of(&key, payload).blob();
                        blob[..6].copy_from_slice(magic);
                        armored("SSH SIGNATURE", &blob, 70)
                    };
                    (format!("{magic:?}"), desk.push(sign))
                })
                .into()
        }),
        forms(
            "e06-reserved",
            "Data in the field that OpenSSH ignores: many signatures would be one.",
            "malformed-signature",
            |desk| {
                let fields = [vec![0], b"x".to_vec(), vec![b'x'; 1000]];
                changed(desk, fields.map(|field| (field.len(), move |made: &mut Sshsig| made.reserved = field.clone())))
            },
        ),
        forms(
            "e06-ecdsa-forms",
            "ECDSA numbers with zeros in front, negative, of no length, or with a third.",
            "malformed-signature",
            |desk| {
                ecdsa(desk, |r, s| {
                    let (r, s) = (mpint(r), mpint(s));
                    let zero = |number: &[u8]| [&[0], number].concat();
                    let negative = |number: &[u8]| [&[0x80], number].concat();
                    vec![
                        ("a zero before r", strings(&[&zero(&r), &s])),
                        ("a zero before s", strings(&[&r, &zero(&s)])),
                        ("r is negative", strings(&[&negative(&r), &s])),
                        ("s is negative", strings(&[&r, &negative(&s)])),
                        ("r is a zero byte", strings(&[&[0], &s])),
                        ("s is a zero byte", strings(&[&r, &[0]])),
                        ("r alone", strings(&[&r])),
                        ("three numbers", strings(&[&r, &s, &s])),
                        ("a byte behind", [strings(&[&r, &s]), vec![0]].concat()),
                        ("nothing", Vec::new()),
                    ]
                })
            },
        ),
        forms(
            "e06-ecdsa-range",
            "ECDSA numbers that are 0, the order, above it, or far too long.",
            "bad-signature",
            |desk| {
                ecdsa(desk, |r, s| {
                    let order = P256.order();
                    let above = [&order[..31], &[order[31] + 1]].concat();
                    let long = [vec![1], vec![0; 100]].concat();
                    let (r, s) = (mpint(r), mpint(s));
                    let mut out = Vec::new();
                    for (what, number) in
                        [("0", vec![]), ("n", mpint(&order)), ("n + 1", mpint(&above)), ("2^800", long), ("1", vec![1])]
                    {
                        out.push((format!("r = {what}"), strings(&[&number, &s])));
                        out.push((format!("s = {what}"), strings(&[&r, &number])));
                        out.push((format!("both {what}"), strings(&[&number, &number])));
                    }
                    out
                })
            },
        ),
        forms(
            "e06-ed25519-order",
            "Ed25519 with S + L, the same number and no signature; and with S = 0, L, all ones.",
            "bad-signature",
            |desk| {
                let key = registered(desk);
                let with = |form: &str, change: &(dyn Fn(&mut [u8]) + Send + Sync)| {
                    let sign = |payload: &[u8]| {
                        let mut numbers = key.raw(&Sshsig::to_sign(payload, "git", "sha512"));
                        change(&mut numbers[32..]);
                        sshsig(key.blob(), labelled("ssh-ed25519", &strings(&[&numbers]))).armored()
                    };
                    (form.to_owned(), desk.push(sign))
                };
                vec![
                    with("S + L", &|s| add_order(s)),
                    with("S + 2L", &|s| {
                        add_order(s);
                        add_order(s);
                    }),
                    with("0", &|s| s.fill(0)),
                    with("L", &|s| {
                        s.fill(0);
                        add_order(s);
                    }),
                    with("2^256 - 1", &|s| s.fill(0xff)),
                ]
            },
        ),
        forms(
            "e06-ed25519-small-r",
            "Ed25519 with R of small order or not in its only form, with S = 0 and with the true S.",
            "bad-signature",
            |desk| {
                let key = registered(desk);
                let points = small_order();
                let both = points.iter().flat_map(|point| [(point, true), (point, false)]);
                both.map(|(point, zero)| {
                    let sign = |payload: &[u8]| {
                        let mut numbers = key.raw(&Sshsig::to_sign(payload, "git", "sha512"));
                        numbers[..32].copy_from_slice(point);
                        if zero {
                            numbers[32..].fill(0);
                        }
                        sshsig(key.blob(), labelled("ssh-ed25519", &strings(&[&numbers]))).armored()
                    };
                    (format!("R = {}, S zero: {zero}", hex::encode(point)), desk.push(sign))
                })
                .collect()
            },
        ),
        vector("e06-bit", "One bit of the inner signature is another.", "bad-signature", |desk| {
            let key = registered(desk);
            desk.push(|payload| {
                let mut made = Sshsig::of(&key, payload);
                *made.signature.last_mut().expect("a byte") ^= 1;
                made.armored()
            })
        }),
    ]
}

/// Forms of the numbers of a registered P-256 key's signature.
fn ecdsa<W: ToString>(
    desk: &Desk<'_>,
    forms: impl Fn(&[u8], &[u8]) -> Vec<(W, Vec<u8>)> + Send + Sync,
) -> Vec<(String, Answer)> {
    let key = EcdsaKey::named(P256, desk.who);
    desk.register("--ssh", key.pub_line());
    desk.good("good", |payload| key.sshsig(payload).armored());
    let numbers = |payload: &[u8]| key.numbers(&Sshsig::to_sign(payload, "git", "sha512"));
    let (r, s) = numbers(b"");
    let names = forms(&r, &s).into_iter().map(|(form, _)| form.to_string());
    names
        .enumerate()
        .map(|(at, form)| {
            let sign = |payload: &[u8]| {
                let (r, s) = numbers(payload);
                let body = forms(&r, &s).swap_remove(at).1;
                sshsig(key.blob(), labelled(key.kind(), &strings(&[&body]))).armored()
            };
            (form, desk.push(sign))
        })
        .collect()
}

/// Adds the order of the group of Ed25519 to a little-endian number.
fn add_order(number: &mut [u8]) {
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").expect("hex");
    let mut carry = 0u16;
    for (byte, add) in number.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

/// Points of Ed25519 whose order divides 8, with either sign, and encodings beyond the field.
pub fn small_order() -> Vec<Vec<u8>> {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let positive = points.map(|point| hex::decode(point).expect("hex"));
    let negative = positive.clone().map(|mut point| {
        point[31] |= 0x80;
        point
    });
    [positive, negative].concat()
}

fn unknown_keys() -> Vec<Vector> {
    vec![
        vector("e09-stranger", "A good signature by a key that nobody registered.", "unknown-key", |desk| {
            registered(desk);
            let stranger = SshKey::named("e09 stranger");
            desk.push(|payload| Sshsig::of(&stranger, payload).armored())
        }),
        vector("e09-borrowed-name", "The person's public key, a stranger's signature.", "bad-signature", |desk| {
            let (key, stranger) = (registered(desk), SshKey::named("e09 stranger"));
            desk.push(|payload| Sshsig { public_key: key.blob(), ..Sshsig::of(&stranger, payload) }.armored())
        }),
        vector(
            "e09-transplant",
            "A good signature of the same person's over another commit.",
            "bad-signature",
            |desk| {
                let key = registered(desk);
                desk.push(|_| Sshsig::of(&key, b"tree of another commit\n").armored())
            },
        ),
        vector(
            "e09-colleague",
            "A registered key of somebody else's, under this person's name.",
            "identity-mismatch",
            |desk| {
                let key = registered(desk);
                desk.push_as("alice", |payload| Sshsig::of(&key, payload).armored())
            },
        ),
        forms(
            "e09-near-key",
            "The registered key with a byte behind it, or with a bit changed: another key.",
            "unknown-key",
            |desk| {
                let key = registered(desk);
                let mut flipped = key.blob();
                *flipped.last_mut().expect("a byte") ^= 1;
                [("a byte behind", [key.blob(), vec![0]].concat()), ("a bit", flipped)]
                    .map(|(form, blob)| {
                        let sign =
                            |payload: &[u8]| Sshsig { public_key: blob.clone(), ..Sshsig::of(&key, payload) }.armored();
                        (form.to_owned(), desk.push(sign))
                    })
                    .into()
            },
        ),
        forms("e09-no-key", "No key at all, or a type that nobody knows.", "malformed-signature", |desk| {
            let key = registered(desk);
            let kinds: [&[u8]; 5] = [b"ssh-ed448", b"ssh-xmss@openssh.com", b"ssh-mldsa-65", b"", b"\x1b[31m"];
            let mut blobs = vec![Vec::new(), vec![0, 0, 0, 200], strings(&[b"\xff\xfe"])];
            blobs.extend(kinds.map(|kind| strings(&[kind, &[7; 32]])));
            let push = |blob: Vec<u8>| {
                desk.push(|payload| Sshsig { public_key: blob.clone(), ..Sshsig::of(&key, payload) }.armored())
            };
            blobs.into_iter().map(|blob| (format!("{blob:?}"), push(blob))).collect()
        }),
        vector(
            "e10-login-key",
            "The key is good for login at the server, and that is all it is good for.",
            "unknown-key",
            |desk| {
                registered(desk);
                let login = SshKey::named("e10 login");
                let home = desk.bench.repository().path.parent().expect("the server's home").to_owned();
                let line = format!("restrict,command=\"git-shell\" {}", login.line());
                let mut add = Command::new("sh");
                add.current_dir(home).args(["-c", "mkdir -p .ssh && cat >>.ssh/authorized_keys"]);
                must_with_input(&mut add, line.as_bytes());
                desk.push(|payload| Sshsig::of(&login, payload).armored())
            },
        ),
        vector("e10-scoped-elsewhere", "The key may sign in another repository only.", "out-of-scope", |desk| {
            let key = SshKey::named(desk.who);
            let args = ["key", "add", desk.who, "--ssh", "-", "--scope", "elsewhere"];
            desk.bench.lab.must_sync(&args, key.line().as_bytes());
            desk.push(|payload| Sshsig::of(&key, payload).armored())
        }),
    ]
}

/// Rows about files that git reads and the registry is there instead of.
fn at_the_registry() -> Vec<Vector> {
    vec![
        forms("e28-revoked-key", "A key that was retired, replaced, or stolen last week.", "key-revoked", |desk| {
            ["retired", "superseded"]
                .map(|reason| {
                    let key = SshKey::named(&format!("e28 {reason}"));
                    desk.register("--ssh", key.line());
                    desk.good(reason, |payload| Sshsig::of(&key, payload).armored());
                    revoke(desk, &key, &["--reason", reason]);
                    (reason.to_owned(), desk.push(|payload| Sshsig::of(&key, payload).armored()))
                })
                .into()
        }),
        vector("e28-compromised-key", "A key that is marked as compromised.", "key-compromised", |desk| {
            let key = registered(desk);
            revoke(desk, &key, &["--reason", "compromised"]);
            desk.push(|payload| Sshsig::of(&key, payload).armored())
        }),
        vector(
            "e28-compromised-since",
            "Compromised since a day that has passed; an SSH signature has no date to plead.",
            "key-compromised",
            |desk| {
                let key = registered(desk);
                revoke(desk, &key, &["--reason", "compromised", "--since", "2026-01-01T00:00:00Z"]);
                desk.push(|payload| Sshsig::of(&key, payload).armored())
            },
        ),
        forms(
            "e30-wildcards",
            "`allowed_signers` lines that speak for more than one person are not taken over, so their key is unknown.",
            "unknown-key",
            |desk| {
                let principals =
                    ["*", "*@example.com", "!mallory@example.com", "e30-wildcard?@example.com", "alice@example.com,*"];
                let lines = principals.into_iter().enumerate().map(|(number, principals)| {
                    let key = SshKey::named(&format!("e30 {number}"));
                    import(desk, &format!("{principals} {}", key.line()), None, false);
                    (principals.to_owned(), desk.push(|payload| Sshsig::of(&key, payload).armored()))
                });
                lines.collect()
            },
        ),
        forms(
            "e30-other-namespaces",
            "`allowed_signers` lines for other purposes, or with an option that nobody understands.",
            "unknown-key",
            |desk| {
                let who = desk.who;
                ["namespaces=\"file\"", "verify-required", "cert-authority"]
                    .map(|options| {
                        let key = SshKey::named(&format!("e30 {options}"));
                        import(desk, &format!("{who}@example.com {options} {}", key.line()), None, false);
                        (options.to_owned(), desk.push(|payload| Sshsig::of(&key, payload).armored()))
                    })
                    .into()
            },
        ),
        vector(
            "e31-local-time",
            "`valid-before` without a zone, read twelve hours west of Greenwich: it is UTC, and has passed.",
            "key-revoked",
            |desk| {
                let key = SshKey::named(desk.who);
                let since = |hours: i64| {
                    let text = must_with_input(
                        Command::new("date").args(["-u", "-d", &format!("{hours} hours"), "+%Y%m%d%H%M%S"]),
                        b"",
                    );
                    text.trim().to_owned()
                };
                let line = |from: i64, until: i64| {
                    format!(
                        "{}@example.com valid-after=\"{}\",valid-before=\"{}\" {}",
                        desk.who,
                        since(from),
                        since(until),
                        key.line()
                    )
                };
                import(desk, &line(-48, -6), Some("Etc/GMT+12"), true);
                desk.push(|payload| Sshsig::of(&key, payload).armored())
            },
        ),
        vector(
            "e31-not-yet",
            "`valid-after` without a zone, read fourteen hours east of Greenwich: it is UTC, and to come.",
            "key-not-yet-valid",
            |desk| {
                let key = SshKey::named(desk.who);
                let text = must_with_input(Command::new("date").args(["-u", "-d", "6 hours", "+%Y%m%d%H%M%S"]), b"");
                let line = format!("{}@example.com valid-after=\"{}\" {}", desk.who, text.trim(), key.line());
                import(desk, &line, Some("Pacific/Kiritimati"), true);
                desk.push(|payload| Sshsig::of(&key, payload).armored())
            },
        ),
    ]
}

/// Revokes a key by its fingerprint.
pub fn revoke(desk: &Desk<'_>, key: &impl Pair, reason: &[&str]) {
    let name = fingerprint(&key.blob());
    desk.bench.lab.must_sync(&[&["key", "revoke", name.as_str()], reason].concat(), b"");
}

/// `SHA256:…`, as OpenSSH calls a key.
pub fn fingerprint(blob: &[u8]) -> String {
    let digest = digest(&aws_lc_rs::digest::SHA256, blob);
    format!("SHA256:{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(digest.as_ref()))
}

/// `keyring-sync import allowed-signers` of one line, in this time zone.
fn import(desk: &Desk<'_>, line: &str, zone: Option<&str>, taken: bool) {
    let root = desk.bench.lab.root();
    let mut program = Command::new(root.with_file_name("bin").join("keyring-sync"));
    program.args(["import", "allowed-signers", "-", "--trust-import", "--config"]).arg(root.join("keyring-sync.yaml"));
    program.env("TZ", zone.unwrap_or("UTC"));
    let outcome = countersign_tests::process::run(&mut program, line.as_bytes());
    assert_eq!(outcome.succeeded(), taken, "{line}{}{}", outcome.stdout, outcome.stderr);
}
