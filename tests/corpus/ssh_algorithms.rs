//! Section E, the keys: types, labels, sizes, and security keys.

use crate::bench::Answer;
use crate::desk::{Desk, forms, must_be, vector};
use crate::signer::{SshKey, Sshsig, strings};
use crate::ssh::small_order;
use crate::ssh_keys::{EcdsaKey, P256, P384, P521, Pair, RsaKey, SecurityKey, ed25519_blob, labelled, mpint, sshsig};
use crate::strict::Strict;
use crate::vector::{Expected, Vector};
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::sync::Arc;

pub fn vectors(strict: &Arc<Strict>) -> Vec<Vector> {
    [labels(), rsa(), sizes(), security_keys(strict), webauthn()].into_iter().flatten().collect()
}

const ED25519: &str = "ssh-ed25519";
const WEBAUTHN: &str = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com";
const LABELS: [&str; 18] = [
    ED25519,
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
    "ssh-rsa-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-384",
    "ssh-ed448",
    "ssh-ed25519\0",
    "SSH-ED25519",
    "",
    "\x1b]0;x\x07",
    "\u{202e}91552de-hss",
];

/// A registered key of every type but RSA, which has labels of its own.
fn keys(desk: &Desk<'_>) -> Vec<Box<dyn Pair>> {
    let name = |kind: &str| format!("{} {kind}", desk.who);
    let keys: Vec<Box<dyn Pair>> = vec![
        Box::new(SshKey::named(&name("ed25519"))),
        Box::new(EcdsaKey::named(P256, &name("p256"))),
        Box::new(EcdsaKey::named(P384, &name("p384"))),
        Box::new(EcdsaKey::named(P521, &name("p521"))),
        Box::new(SecurityKey::ed25519(&name("sk-ed25519"), 1)),
        Box::new(SecurityKey::p256(&name("sk-p256"), 1)),
    ];
    for key in &keys {
        desk.register("--ssh", key.pub_line());
        desk.good(&key.kind().replace('@', "-"), |payload| key.sshsig(payload).armored());
    }
    keys
}

/// A good signature by `key`, but for its label.
fn relabelled(desk: &Desk<'_>, key: &dyn Pair, label: &str) -> Answer {
    desk.push(|payload| {
        let body = key.body(&Sshsig::to_sign(payload, "git", "sha512"));
        sshsig(key.blob(), labelled(label, &body)).armored()
    })
}

fn labels() -> Vec<Vector> {
    let every_type = |name, about: &str, expected, label: &'static str| {
        forms(name, about, expected, move |desk| {
            let relabelled = |key: &dyn Pair| (key.kind().to_owned(), relabelled(desk, key, label));
            keys(desk).iter().map(|key| relabelled(key.as_ref())).collect()
        })
    };
    let mismatches = |name, at: usize| {
        forms(
            name,
            "A signature of this type, called by the name of each other type.",
            "malformed-signature",
            move |desk| {
                let key = keys(desk).swap_remove(at);
                let others = LABELS.iter().filter(|label| **label != key.label());
                others.map(|label| (format!("{label:?}"), relabelled(desk, key.as_ref(), label))).collect()
            },
        )
    };
    vec![
        mismatches("e32-ed25519", 0),
        mismatches("e32-p256", 1),
        mismatches("e32-p384", 2),
        mismatches("e32-p521", 3),
        mismatches("e17-sk-ed25519-labels", 4),
        mismatches("e17-sk-p256-labels", 5),
        every_type(
            "e03-label-on-other-types",
            "The label `ssh-rsa` on keys that are not RSA.",
            "weak-algorithm",
            "ssh-rsa",
        ),
        every_type("e13-label", "The label `ssh-dss` on keys that are not DSA.", "weak-algorithm", "ssh-dss"),
        every_type(
            "e18-label-on-other-types",
            "The label of WebAuthn on every type of key.",
            "format-not-allowed",
            WEBAUTHN,
        ),
        forms(
            "e32-other-body",
            "The label is right; the numbers are those of another type.",
            "malformed-signature",
            |desk| {
                let keys = keys(desk);
                let pairs = [(0, 1), (1, 0), (4, 0), (4, 5), (5, 1), (5, 4), (0, 4), (1, 5)];
                pairs
                    .map(|(of, by)| {
                        let (of, by) = (&keys[of], &keys[by]);
                        let sign = |payload: &[u8]| {
                            let body = by.body(&Sshsig::to_sign(payload, "git", "sha512"));
                            sshsig(of.blob(), labelled(of.label(), &body)).armored()
                        };
                        (format!("{} of {}", of.kind(), by.kind()), desk.push(sign))
                    })
                    .into()
            },
        ),
        forms("e32-other-curve", "Numbers of a key on one curve under the key of another.", "bad-signature", |desk| {
            let keys = keys(desk);
            [(2, 1), (3, 2), (1, 5)]
                .map(|(of, by)| {
                    let (of, by) = (&keys[of], &keys[by]);
                    let sign = |payload: &[u8]| {
                        let data = Sshsig::to_sign(payload, "git", "sha512");
                        // Without the flags and counter of a security key.
                        let body = by.body(&data);
                        let length = u32::from_be_bytes(body[..4].try_into().expect("a length")) as usize;
                        sshsig(of.blob(), labelled(of.label(), &body[..4 + length])).armored()
                    };
                    (format!("{} of {}", of.kind(), by.kind()), desk.push(sign))
                })
                .into()
        }),
        forms("e13-dsa", "DSA keys, plain and certified.", "weak-algorithm", |desk| {
            ["ssh-dss", "ssh-dss-cert-v01@openssh.com"]
                .map(|kind| {
                    let blob =
                        [strings(&[kind.as_bytes()]), strings(&[&[0x7f; 128], &[0x7f; 20], &[3; 128], &[5; 128]])]
                            .concat();
                    let line = format!("{kind} {}\n", STANDARD.encode(&blob));
                    let taken = desk.bench.lab.sync(&["key", "add", desk.who, "--ssh", "-"], line.as_bytes());
                    assert!(!taken.succeeded(), "the registry takes a DSA key");
                    let sign = |_: &[u8]| sshsig(blob.clone(), labelled("ssh-dss", &strings(&[&[1; 40]]))).armored();
                    (kind.to_owned(), desk.push(sign))
                })
                .into()
        }),
    ]
}

fn rsa() -> Vec<Vector> {
    let registered = |desk: &Desk<'_>, exponent| {
        let key = RsaKey::generate(2048, exponent);
        desk.register("--ssh", key.pub_line());
        for (label, hash) in [("rsa-sha2-256", "sha256"), ("rsa-sha2-512", "sha512")] {
            desk.good(label, |payload| {
                let body = strings(&[&key.pkcs1(hash, &Sshsig::to_sign(payload, "git", "sha512"))]);
                sshsig(key.blob(), labelled(label, &body)).armored()
            });
        }
        key
    };
    let signed = |desk: &Desk<'_>, key: &RsaKey, label: &str, numbers: &(dyn Fn(&[u8]) -> Vec<u8> + Send + Sync)| {
        desk.push(|payload| {
            let data = Sshsig::to_sign(payload, "git", "sha512");
            sshsig(key.blob(), labelled(label, &strings(&[&numbers(&data)]))).armored()
        })
    };
    vec![
        vector("e03-ssh-rsa", "RSA over SHA-1, by a registered key.", "weak-algorithm", move |desk| {
            let key = registered(desk, 3);
            signed(desk, &key, "ssh-rsa", &|data| key.pkcs1("sha1", data))
        }),
        forms("e03-renamed", "RSA over SHA-1, called SHA-2.", "bad-signature", move |desk| {
            let key = registered(desk, 3);
            ["rsa-sha2-256", "rsa-sha2-512"]
                .map(|label| (label.to_owned(), signed(desk, &key, label, &|data| key.pkcs1("sha1", data))))
                .into()
        }),
        forms("e32-rsa-labels", "RSA under the name of every other type.", "malformed-signature", move |desk| {
            let key = registered(desk, 3);
            let others = LABELS.iter().filter(|label| !matches!(**label, "rsa-sha2-256" | "rsa-sha2-512"));
            others
                .map(|label| (format!("{label:?}"), signed(desk, &key, label, &|data| key.pkcs1("sha512", data))))
                .collect()
        }),
        forms(
            "e32-rsa-hashes",
            "RSA over another hash than its label says, and with another padding.",
            "bad-signature",
            move |desk| {
                let key = registered(desk, 3);
                let mut answers = Vec::new();
                for (label, hash) in [
                    ("rsa-sha2-256", "sha512"),
                    ("rsa-sha2-512", "sha256"),
                    ("rsa-sha2-512", "sha384"),
                    ("rsa-sha2-256", "md5"),
                ] {
                    answers
                        .push((format!("{hash} as {label}"), signed(desk, &key, label, &|data| key.pkcs1(hash, data))));
                }
                answers.push(("PSS".to_owned(), signed(desk, &key, "rsa-sha2-256", &|data| key.pss(data))));
                answers
            },
        ),
        forms(
            "e32-rsa-padding",
            "Padding that a lazy verifier takes, with the exponent 3 that makes it forgeable (Bleichenbacher, 2006).",
            "bad-signature",
            move |desk| {
                let key = registered(desk, 3);
                let mut answers = Vec::new();
                for (form, block) in paddings() {
                    answers.push((form.to_owned(), signed(desk, &key, "rsa-sha2-256", &|data| key.raw(&block(data)))));
                }
                answers
            },
        ),
        forms(
            "e32-rsa-range",
            "RSA numbers that are 0, 1, the modulus or more, or longer than it.",
            "bad-signature",
            move |desk| {
                let key = registered(desk, 3);
                let good = |data: &[u8]| key.pkcs1("sha512", data);
                let mut answers = Vec::new();
                for (form, numbers) in [
                    ("none", vec![]),
                    ("0", vec![0; 256]),
                    ("1", [vec![0; 255], vec![1]].concat()),
                    ("n", key.modulus.clone()),
                    ("2^2048 - 1", vec![0xff; 256]),
                ] {
                    answers.push((form.to_owned(), signed(desk, &key, "rsa-sha2-512", &|_| numbers.clone())));
                }
                answers.push((
                    "a zero in front".to_owned(),
                    signed(desk, &key, "rsa-sha2-512", &|data| [vec![0], good(data)].concat()),
                ));
                answers.push((
                    "a byte behind".to_owned(),
                    signed(desk, &key, "rsa-sha2-512", &|data| [good(data), vec![0]].concat()),
                ));
                answers
            },
        ),
    ]
}

/// A padded block by the data that is signed.
type Padded = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// Blocks of 256 bytes that are not PKCS#1 v1.5 over SHA-256, each by little.
pub fn paddings() -> Vec<(&'static str, Padded)> {
    const PREFIX: &str = "3031300d060960864801650304020105000420";
    let info = |data: &[u8]| [hex::decode(PREFIX).expect("hex"), digest(&SHA256, data).as_ref().to_vec()].concat();
    let block = |head: [u8; 2], fill: u8, content: Vec<u8>| {
        let padding = vec![fill; 256 - 3 - content.len()];
        [head.to_vec(), padding, vec![0], content].concat()
    };
    vec![
        (
            "short padding, anything behind the digest",
            Box::new(move |data| {
                let mut out = [vec![0, 1], vec![0xff; 8], vec![0], info(data)].concat();
                out.resize(256, 0xaa);
                out
            }),
        ),
        ("padding of type 2", Box::new(move |data| block([0, 2], 0xff, info(data)))),
        ("padding of type 0", Box::new(move |data| block([0, 0], 0xff, info(data)))),
        ("padding of other bytes", Box::new(move |data| block([0, 1], 0xfe, info(data)))),
        ("the digest alone", Box::new(move |data| block([0, 1], 0xff, digest(&SHA256, data).as_ref().to_vec()))),
        ("another digest", Box::new(move |data| block([0, 1], 0xff, digest(&SHA512, data).as_ref().to_vec()))),
        (
            "a hash without its parameter",
            Box::new(move |data| {
                let prefix = hex::decode("302f300b0609608648016503040201").expect("hex");
                block([0, 1], 0xff, [prefix, vec![4, 32], digest(&SHA256, data).as_ref().to_vec()].concat())
            }),
        ),
        ("a byte behind the digest", Box::new(move |data| block([0, 1], 0xff, [info(data), vec![0]].concat()))),
        (
            "garbage in the parameter",
            Box::new(move |data| {
                let junk = vec![0xaa; 64];
                let oid = hex::decode("0609608648016503040201").expect("hex");
                let algorithm = [vec![0x30, 77], oid, vec![4, 64], junk].concat();
                let digest = [vec![4, 32], digest(&SHA256, data).as_ref().to_vec()].concat();
                block([0, 1], 0xff, [vec![0x30, 113], algorithm, digest].concat())
            }),
        ),
    ]
}

fn sizes() -> Vec<Vector> {
    let refused_at_the_door = |desk: &Desk<'_>, line: &str| {
        let taken = desk.bench.lab.sync(&["key", "add", desk.who, "--ssh", "-"], line.as_bytes());
        assert!(!taken.succeeded(), "the registry takes {line}");
    };
    let number = |bits: usize| {
        let mut number = vec![0xc5; bits.div_ceil(8)];
        number[0] = u8::try_from(0xc5 >> ((8 - bits % 8) % 8)).expect("a byte");
        number
    };
    let blob = |exponent: &[u8], modulus: &[u8]| strings(&[b"ssh-rsa", &mpint(exponent), &mpint(modulus)]);
    let unknown = move |desk: &Desk<'_>, blob: &[u8]| {
        refused_at_the_door(desk, &format!("ssh-rsa {}\n", STANDARD.encode(blob)));
        desk.push(|_| sshsig(blob.to_vec(), labelled("rsa-sha2-512", &strings(&[&[1; 256]]))).armored())
    };
    vec![
        vector(
            "e11-rsa-1024",
            "An RSA key of 1024 bits with a true signature; the registry does not take it, so nobody has it.",
            "unknown-key",
            move |desk| {
                let key = RsaKey::generate(1024, 3);
                refused_at_the_door(desk, &key.pub_line());
                desk.push(|payload| key.sshsig(payload).armored())
            },
        ),
        forms(
            "e11-rsa-numbers",
            "RSA of 2047 bits, with zeros in front, with an even modulus, and with exponents that are none.",
            "unknown-key",
            move |desk| {
                let (long, e) = (number(2048), [1, 0, 1]);
                let even = [&long[..255], &[0xc4]].concat();
                let zeros = [vec![0; 128], number(1024)].concat();
                [
                    ("2047 bits", blob(&e, &number(2047))),
                    ("1024 bits that look like 2048", strings(&[b"ssh-rsa", &e, &zeros])),
                    ("an even modulus", blob(&e, &even)),
                    ("exponent 1", blob(&[1], &long)),
                    ("exponent 2", blob(&[2], &long)),
                    ("exponent 0", blob(&[], &long)),
                    ("an exponent of 64 bits", blob(&[0xff; 8], &long)),
                    ("a negative modulus", strings(&[b"ssh-rsa", &e, &long])),
                ]
                .map(|(form, blob)| (form.to_owned(), unknown(desk, &blob)))
                .into()
            },
        ),
        forms(
            "e12-rsa-large",
            "RSA keys whose check would be slow: nobody has them, so nothing is checked.",
            "unknown-key",
            move |desk| {
                [8200, 16384, 100_000]
                    .map(|bits| (format!("{bits} bits"), unknown(desk, &blob(&[1, 0, 1], &number(bits)))))
                    .into()
            },
        ),
        vector("e12-rsa-exponent", "A public exponent as long as the modulus.", "unknown-key", move |desk| {
            unknown(desk, &blob(&number(4096), &number(4096)))
        }),
        vector(
            "e12-signature-too-long",
            "A key so long that the signature is past the limit.",
            "limit-exceeded",
            move |desk| {
                desk.push(|_| {
                    sshsig(blob(&[3], &number(1_000_000)), labelled("rsa-sha2-512", &strings(&[&[1; 256]]))).armored()
                })
            },
        ),
        forms(
            "e11-ed25519-points",
            "Ed25519 keys of small order or not in their only form: one signature is good for many commits.",
            "unknown-key",
            move |desk| {
                let keys = small_order().into_iter().map(|point| {
                    let blob = ed25519_blob(&point);
                    refused_at_the_door(desk, &format!("ssh-ed25519 {}\n", STANDARD.encode(&blob)));
                    // R is the key itself and S is 0: it verifies under the neutral point, whatever is signed.
                    let numbers = [point.as_slice(), &[0; 32]].concat();
                    let sign = |_: &[u8]| sshsig(blob.clone(), labelled(ED25519, &strings(&[&numbers]))).armored();
                    (hex::encode(&point), desk.push(sign))
                });
                keys.collect()
            },
        ),
        forms(
            "e32-ecdsa-points",
            "ECDSA keys that are compressed, at infinity, off their curve, or on another one.",
            "unknown-key",
            move |desk| {
                let point = EcdsaKey::named(P256, desk.who).point();
                let mut off = point.clone();
                off[64] ^= 1;
                let other = EcdsaKey::named(P384, desk.who).point();
                let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
                let blob = |curve: &str, point: &[u8]| strings(&[b"ecdsa-sha2-nistp256", curve.as_bytes(), point]);
                [
                    ("compressed", blob("nistp256", &compressed)),
                    ("infinity", blob("nistp256", &[0])),
                    ("off the curve", blob("nistp256", &off)),
                    ("of P-384", blob("nistp256", &other)),
                    ("called P-384", blob("nistp384", &point)),
                    ("no point", blob("nistp256", &[])),
                ]
                .map(|(form, blob)| {
                    refused_at_the_door(desk, &format!("ecdsa-sha2-nistp256 {}\n", STANDARD.encode(&blob)));
                    let numbers = strings(&[&strings(&[&[1], &[1]])]);
                    let sign = |_: &[u8]| sshsig(blob.clone(), labelled("ecdsa-sha2-nistp256", &numbers)).armored();
                    (form.to_owned(), desk.push(sign))
                })
                .into()
            },
        ),
    ]
}

/// Both types, registered, with these flags.
fn tokens(desk: &Desk<'_>, flags: u8) -> [SecurityKey; 2] {
    let keys = [SecurityKey::ed25519(desk.who, flags), SecurityKey::p256(desk.who, flags)];
    for key in &keys {
        desk.register("--ssh", key.pub_line());
    }
    keys
}

fn security_keys(strict: &Arc<Strict>) -> Vec<Vector> {
    let in_strict = |flags: u8| {
        let strict = strict.clone();
        move |desk: &Desk<'_>| {
            let bench = strict.bench(desk.who);
            let desk = Desk::new(&bench, desk.who);
            let keys = tokens(&desk, flags);
            keys.iter()
                .map(|key| {
                    let commit = desk.bench.plain_with_block(desk.who, |payload| key.sshsig(payload).armored());
                    let branch = format!("refs/heads/{}", &key.kind()[..6]);
                    let update = crate::bench::Update::create(&branch, &commit.id);
                    (key.kind().to_owned(), desk.bench.push(&[commit], &[update]))
                })
                .collect::<Vec<_>>()
        }
    };
    vec![
        forms(
            "e15-touched-only",
            "A touch, where the policy asks for PIN or finger.",
            "usage-violation",
            in_strict(0x01),
        ),
        forms("e15-other-flags", "Every flag but the one for PIN or finger.", "usage-violation", in_strict(0xfb)),
        forms("e15-verified", "PIN or finger, where the policy asks for it.", "accepted", in_strict(0x05)),
        forms(
            "e15-verified-not-touched",
            "PIN or finger, and nobody touched the key.",
            "usage-violation",
            in_strict(0x04),
        ),
        forms("e15-not-touched", "A security key that nobody touched.", "usage-violation", |desk| {
            let mut answers = Vec::new();
            for flags in [0x00, 0x04, 0xfe] {
                for key in tokens(desk, flags) {
                    answers.push((
                        format!("{} {flags:02x}", key.kind()),
                        desk.push(|payload| key.sshsig(payload).armored()),
                    ));
                }
            }
            answers
        }),
        forms("e15-flags-changed", "Flags or counter changed after signing.", "bad-signature", |desk| {
            let keys = tokens(desk, 0x00);
            let change = |key: &SecurityKey, tail: [u8; 5]| {
                desk.push(|payload| {
                    let numbers = key.numbers(&Sshsig::to_sign(payload, "git", "sha512"));
                    sshsig(key.blob(), labelled(key.kind(), &[numbers, tail.to_vec()].concat())).armored()
                })
            };
            let tails = [[1, 0, 0, 0, 7], [5, 0, 0, 0, 7], [0, 0, 0, 0, 8], [0, 0xff, 0xff, 0xff, 0xff]];
            keys.iter()
                .flat_map(|key| tails.map(|tail| (format!("{} {tail:?}", key.kind()), change(key, tail))))
                .collect()
        }),
        forms(
            "e17-application",
            "Signed for another application than the registered one: a login to a website.",
            "bad-signature",
            |desk| {
                tokens(desk, 1)
                    .map(|key| {
                        let blob = key.blob();
                        let elsewhere = SecurityKey { application: "https://example.com", ..key };
                        (
                            elsewhere.kind().to_owned(),
                            desk.push(|payload| {
                                Sshsig { public_key: blob.clone(), ..elsewhere.sshsig(payload) }.armored()
                            }),
                        )
                    })
                    .into()
            },
        ),
        forms("e17-tail", "Flags and counter of every length but five bytes.", "malformed-signature", |desk| {
            let keys = tokens(desk, 1);
            let lengths = [0, 1, 2, 3, 4, 6, 9];
            let push = |key: &SecurityKey, length: usize| {
                desk.push(|payload| {
                    let numbers = key.numbers(&Sshsig::to_sign(payload, "git", "sha512"));
                    let mut tail = key.tail();
                    tail.resize(length, 0);
                    sshsig(key.blob(), labelled(key.kind(), &[numbers, tail].concat())).armored()
                })
            };
            keys.iter()
                .flat_map(|key| lengths.map(|length| (format!("{} {length}", key.kind()), push(key, length))))
                .collect()
        }),
        forms(
            "e17-tail-on-plain-key",
            "Flags and counter behind the signature of a key that has none.",
            "malformed-signature",
            |desk| {
                let keys: [Box<dyn Pair>; 2] =
                    [Box::new(SshKey::named(desk.who)), Box::new(EcdsaKey::named(P256, desk.who))];
                keys.map(|key| {
                    desk.register("--ssh", key.pub_line());
                    let sign = |payload: &[u8]| {
                        let good = key.sshsig(payload);
                        Sshsig { signature: [good.signature.clone(), vec![1, 0, 0, 0, 7]].concat(), ..good }.armored()
                    };
                    (key.kind().to_owned(), desk.push(sign))
                })
                .into()
            },
        ),
        forms(
            "e17-not-bound",
            "The numbers are over the data itself, not over what a security key sees.",
            "bad-signature",
            |desk| {
                tokens(desk, 1)
                    .map(|key| {
                        let sign = |payload: &[u8]| {
                            let numbers = key.over(&Sshsig::to_sign(payload, "git", "sha512"));
                            sshsig(key.blob(), labelled(key.kind(), &[numbers, key.tail()].concat())).armored()
                        };
                        (key.kind().to_owned(), desk.push(sign))
                    })
                    .into()
            },
        ),
        forms(
            "e17-plain-twin",
            "A plain key signs under the name of the security key with the same point, and the other way round.",
            "unknown-key",
            |desk| {
                let [token, _] = tokens(desk, 1);
                let plain = SshKey::named(desk.who);
                let as_plain = desk.push(|payload| plain.sshsig(payload).armored());
                must_be(Expected::Denied("unknown-key"), "plain", &as_plain);
                let blob =
                    [strings(&[b"sk-ssh-ed25519@openssh.com"]), plain.fields(), strings(&[b"ssh:other"])].concat();
                let other = desk.push(|payload| Sshsig { public_key: blob.clone(), ..token.sshsig(payload) }.armored());
                vec![("plain".to_owned(), as_plain), ("another application".to_owned(), other)]
            },
        ),
    ]
}

/// What a browser makes of a security key: the commit stands as the challenge in a JSON text.
fn webauthn() -> Vec<Vector> {
    vec![vector(
        "e18-webauthn",
        "A WebAuthn signature, whole and true, by a registered security key.",
        "format-not-allowed",
        |desk| {
            let [_, key] = tokens(desk, 5);
            desk.push(|payload| {
            let data = Sshsig::to_sign(payload, "git", "sha512");
            let challenge = URL_SAFE_NO_PAD.encode(&data);
            let client = format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"https://example.com","crossOrigin":false}}"#);
            let (application, client_hash) = (digest(&SHA256, key.application.as_bytes()), digest(&SHA256, client.as_bytes()));
            let numbers = key.over(&[application.as_ref(), &key.tail(), client_hash.as_ref()].concat());
            let rest = strings(&[b"https://example.com", client.as_bytes(), b""]);
            sshsig(key.blob(), labelled(WEBAUTHN, &[numbers, key.tail(), rest].concat())).armored()
        })
        },
    )]
}
