//! Section E, what certificates are about: keys and authorities that are weak or were revoked, and the registry that
//! knows of it.

use crate::bench::{Answer, Lab};
use crate::desk::{Desk, forms, vector};
use crate::signer::{SshKey, strings};
use crate::ssh::{revoke, small_order};
use crate::ssh_certificates::{Certificate, add_authority, authority, certificate_kind, signed_by, under};
use crate::ssh_keys::{EcdsaKey, P256, P384, Pair, RsaKey, SecurityKey, ed25519_blob, labelled, mpint, sshsig};
use crate::vector::Vector;

pub fn vectors() -> Vec<Vector> {
    [weak(), revoked(), unreadable()].into_iter().flatten().collect()
}

fn weak() -> Vec<Vector> {
    /// A key that signs nothing: its fields are what an attacker asked the authority to certify.
    struct Fields(&'static str, Vec<u8>);
    impl Pair for Fields {
        fn kind(&self) -> &'static str {
            self.0
        }
        fn fields(&self) -> Vec<u8> {
            self.1.clone()
        }
        fn body(&self, _: &[u8]) -> Vec<u8> {
            strings(&[&[1; 64]])
        }
        fn label(&self) -> &'static str {
            if self.0 == "ssh-rsa" { "rsa-sha2-512" } else { self.0 }
        }
    }
    /// Forms of such a key under a good certificate.
    fn certified(desk: &Desk<'_>, keys: Vec<(String, Fields)>) -> Vec<(String, Answer)> {
        let ca = authority(desk);
        let answers = keys.into_iter().map(|(form, key)| {
            let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
            (form, desk.push(|payload| under(&key, &certificate, payload)))
        });
        answers.collect()
    }
    let rsa = |exponent: &[u8], modulus: &[u8]| Fields("ssh-rsa", strings(&[&mpint(exponent), &mpint(modulus)]));
    vec![
        vector(
            "e11-certified-rsa-1024",
            "A true signature by RSA of 1024 bits, which the authority certified.",
            "weak-algorithm",
            |desk| {
                let (key, ca) = (RsaKey::generate(1024, 3), authority(desk));
                let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
                desk.push(|payload| under(&key, &certificate, payload))
            },
        ),
        forms(
            "e11-certified-rsa",
            "Certified RSA keys whose numbers are too short, too long, or no RSA.",
            "weak-algorithm",
            move |desk| {
                let number = |bits: usize, last: u8| {
                    let mut number = vec![0xc5; bits / 8];
                    *number.last_mut().expect("a byte") = last;
                    number
                };
                let e = [1, 0, 1];
                let short = [&[0x45], &number(2048, 1)[1..]].concat();
                let keys = [
                    ("2047 bits", rsa(&e, &short)),
                    ("16384 bits", rsa(&e, &number(16384, 1))),
                    ("even", rsa(&e, &number(2048, 2))),
                    ("exponent 1", rsa(&[1], &number(2048, 1))),
                    ("exponent 2", rsa(&[2], &number(2048, 1))),
                    ("exponent 0", rsa(&[], &number(2048, 1))),
                    ("an exponent of 2048 bits", rsa(&number(2048, 1), &number(2048, 1))),
                    ("no modulus", rsa(&e, &[])),
                ];
                certified(desk, keys.into_iter().map(|(form, key)| (form.to_owned(), key)).collect())
            },
        ),
        forms(
            "e11-certified-points",
            "Certified keys of small order, off their curve, or compressed.",
            "weak-algorithm",
            |desk| {
                let point = EcdsaKey::named(P256, desk.who).point();
                let mut off = point.clone();
                off[64] ^= 1;
                let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
                let ecdsa = |point: &[u8]| Fields("ecdsa-sha2-nistp256", strings(&[b"nistp256", point]));
                let mut keys: Vec<(String, Fields)> = small_order()
                    .into_iter()
                    .map(|point| (hex::encode(&point), Fields("ssh-ed25519", ed25519_blob(&point)[15..].to_vec())))
                    .collect();
                keys.push(("31 bytes".to_owned(), Fields("ssh-ed25519", strings(&[&[7; 31]]))));
                keys.push(("off the curve".to_owned(), ecdsa(&off)));
                keys.push(("compressed".to_owned(), ecdsa(&compressed)));
                keys.push(("infinity".to_owned(), ecdsa(&[0])));
                certified_with_numbers(desk, keys.into_iter().map(|(form, key)| (form, key.0, key.1)).collect())
            },
        ),
        forms(
            "e32-certified-forms",
            "Certified keys on a curve that their type does not have, or with numbers of another form.",
            "malformed-signature",
            move |desk| {
                let p384 = EcdsaKey::named(P384, desk.who).point();
                let long = vec![0xc5; 256];
                let keys = [
                    ("another curve", Fields("ecdsa-sha2-nistp256", strings(&[b"nistp384", &p384]))),
                    ("a zero in front", Fields("ssh-rsa", strings(&[&[0, 3], &mpint(&long)]))),
                    ("negative", Fields("ssh-rsa", strings(&[&[3], &long]))),
                    ("no application", Fields("sk-ssh-ed25519@openssh.com", strings(&[&[7; 32]]))),
                ];
                certified(desk, keys.into_iter().map(|(form, key)| (form.to_owned(), key)).collect())
            },
        ),
        vector("e26-sha1", "The authority, RSA, signed the certificate over SHA-1.", "weak-algorithm", |desk| {
            let (ca, key) = (RsaKey::generate(2048, 3), SshKey::named(desk.who));
            add_authority(desk, &ca);
            let good = Certificate::of(&key, &[desk.who], &ca);
            let certificate = good.signed(&ca);
            desk.good("good", |payload| under(&key, &certificate, payload));
            let body = good.body();
            let weak = [body.clone(), strings(&[&labelled("ssh-rsa", &strings(&[&ca.pkcs1("sha1", &body)]))])].concat();
            desk.push(|payload| under(&key, &weak, payload))
        }),
        forms(
            "e26-renamed",
            "Over SHA-1 and called SHA-2, or with padding that is forged.",
            "untrusted-chain",
            |desk| {
                let (ca, key) = (RsaKey::generate(2048, 3), SshKey::named(desk.who));
                add_authority(desk, &ca);
                let body = Certificate::of(&key, &[desk.who], &ca).body();
                let push = |form: &str, label: &str, numbers: Vec<u8>| {
                    let certificate = [body.clone(), strings(&[&labelled(label, &strings(&[&numbers]))])].concat();
                    (form.to_owned(), desk.push(|payload| under(&key, &certificate, payload)))
                };
                let mut answers = vec![
                    push("SHA-1", "rsa-sha2-256", ca.pkcs1("sha1", &body)),
                    push("another label", "ssh-ed25519", ca.pkcs1("sha256", &body)),
                ];
                for (form, block) in crate::ssh_algorithms::paddings() {
                    answers.push(push(form, "rsa-sha2-256", ca.raw(&block(&body))));
                }
                answers
            },
        ),
        forms(
            "e26-label",
            "The authority is no RSA key, and its signature is called `ssh-rsa` or `ssh-dss`.",
            "weak-algorithm",
            |desk| {
                let (key, ca) = (SshKey::named(desk.who), authority(desk));
                let body = Certificate::of(&key, &[desk.who], &ca).body();
                ["ssh-rsa", "ssh-dss"]
                    .map(|label| {
                        let certificate = [body.clone(), strings(&[&labelled(label, &ca.body(&body))])].concat();
                        (label.to_owned(), desk.push(|payload| under(&key, &certificate, payload)))
                    })
                    .into()
            },
        ),
        forms(
            "e26-weak-authority",
            "An authority with RSA of 1024 bits or a point of small order does not come through the door.",
            "untrusted-chain",
            |desk| {
                let short = RsaKey::generate(1024, 3);
                let small = Fields("ssh-ed25519", strings(&[&small_order()[1]]));
                let both: [(&str, &dyn Pair); 2] = [("RSA 1024", &short), ("small order", &small)];
                both.map(|(form, ca)| {
                    let taken = desk.bench.lab.sync(&["key", "add", "--ssh-ca", "-"], ca.pub_line().as_bytes());
                    assert!(!taken.succeeded(), "the registry takes {form}");
                    (form.to_owned(), signed_by(desk, ca, ca))
                })
                .into()
            },
        ),
        forms(
            "e26-good-authorities",
            "Authorities of every type that may sign, a security key among them.",
            "accepted",
            |desk| {
                let key = SshKey::named(desk.who);
                let authorities: [Box<dyn Pair>; 4] = [
                    Box::new(EcdsaKey::named(P256, "e26 p256")),
                    Box::new(EcdsaKey::named(P384, "e26 p384")),
                    Box::new(SecurityKey::ed25519("e26 sk", 1)),
                    Box::new(RsaKey::generate(2048, 3)),
                ];
                authorities
                    .map(|ca| {
                        add_authority(desk, ca.as_ref());
                        let certificate = Certificate::of(&key, &[desk.who], ca.as_ref()).signed(ca.as_ref());
                        let commit =
                            desk.bench.plain_with_block(desk.who, |payload| under(&key, &certificate, payload));
                        let branch = format!("refs/heads/{}", ca.kind().replace('@', "-"));
                        let update = crate::bench::Update::create(&branch, &commit.id);
                        (ca.kind().to_owned(), desk.bench.push(&[commit], &[update]))
                    })
                    .into()
            },
        ),
    ]
}

/// Certified points, under signatures that are empty: of the right length for their type, and true for a weak key.
fn certified_with_numbers(desk: &Desk<'_>, keys: Vec<(String, &'static str, Vec<u8>)>) -> Vec<(String, Answer)> {
    let ca = authority(desk);
    let answers = keys.into_iter().map(|(form, kind, fields)| {
        let certificate =
            Certificate { kind: certificate_kind(kind), key: fields.clone(), ..Certificate::of(&ca, &[desk.who], &ca) };
        let certificate = certificate.signed(&ca);
        let numbers = match kind {
            // R is the key itself and S is 0.
            "ssh-ed25519" => strings(&[&[&fields[4..], &[0; 64]].concat()[..64]]),
            _ => strings(&[&strings(&[&[1], &[1]])]),
        };
        (form, desk.push(|_| sshsig(certificate.clone(), labelled(kind, &numbers)).armored()))
    });
    answers.collect()
}

fn revoked() -> Vec<Vector> {
    let after = |name, about, expected, end: fn(&Desk<'_>, &SshKey, &SshKey)| {
        vector(name, about, expected, move |desk| {
            let (key, ca) = (SshKey::named(desk.who), authority(desk));
            let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
            desk.good("good", |payload| under(&key, &certificate, payload));
            end(desk, &key, &ca);
            desk.push(|payload| under(&key, &certificate, payload))
        })
    };
    vec![
        after("e28-authority-retired", "The authority was retired since.", "key-revoked", |desk, _, ca| {
            revoke(desk, ca, &["--reason", "retired"])
        }),
        after(
            "e28-authority-compromised",
            "The authority is marked as compromised.",
            "key-compromised",
            |desk, _, ca| revoke(desk, ca, &["--reason", "compromised"]),
        ),
        after(
            "e28-certified-key-retired",
            "The key under the certificate was retired.",
            "key-revoked",
            |desk, key, _| {
                desk.register("--ssh", key.pub_line());
                revoke(desk, key, &["--reason", "retired"]);
            },
        ),
        after(
            "e28-certified-key-compromised",
            "The key under the certificate is marked as compromised.",
            "key-compromised",
            |desk, key, _| {
                desk.register("--ssh", key.pub_line());
                revoke(desk, key, &["--reason", "compromised"]);
            },
        ),
        vector(
            "e28-retired-authority-new-certificate",
            "A retired authority issues another certificate.",
            "key-revoked",
            |desk| {
                let ca = authority(desk);
                revoke(desk, &ca, &["--reason", "superseded"]);
                signed_by(desk, &ca, &ca)
            },
        ),
    ]
}

/// The registry stands in place of git's revocation file; where it is not there, nothing is decided.
fn unreadable() -> Vec<Vector> {
    let without = |name, about, expected, damage: fn(&Lab), certified: bool| {
        Vector::new(name, about, expected, move |_| {
            let lab = Lab::new();
            let bench = crate::bench::Bench::new(&lab, name);
            let desk = Desk::new(&bench, name);
            let (key, ca) = (SshKey::named(name), authority(&desk));
            let certificate = Certificate::of(&key, &[name], &ca).signed(&ca);
            if !certified {
                desk.register("--ssh", key.pub_line());
            }
            let sign = |payload: &[u8]| {
                if certified { under(&key, &certificate, payload) } else { key.sshsig(payload).armored() }
            };
            desk.good("good", sign);
            damage(&lab);
            desk.push(sign)
        })
    };
    vec![
        without(
            "e29-keyring-missing",
            "The published keyring is gone, and with it what was revoked.",
            "keyring-unreadable",
            remove_keyring,
            false,
        ),
        without(
            "e29-keyring-missing-certificate",
            "The same, for a certificate.",
            "keyring-unreadable",
            remove_keyring,
            true,
        ),
    ]
}

fn remove_keyring(lab: &Lab) {
    std::fs::remove_dir_all(lab.root().join("keyring")).expect("the published keyring");
}
