//! Section F, the algorithms: hashes, schemes and paddings of a signer.

use crate::desk::{Desk, forms};
use crate::ssh_algorithms::paddings;
use crate::ssh_keys::{P256, RsaKey, mpint};
use crate::vector::Vector;
use crate::x509::{changed, changes, company, leaf_of, message, of_signer, under_company};
use crate::x509_maker::{Entity, Key, SignerInfo, algorithm, integer, null, oid, seq, set, tlv};

pub fn vectors() -> Vec<Vector> {
    let rsa = |desk: &Desk<'_>| {
        let leaf = company().sub.issue_for(Key::Rsa(RsaKey::generate(2048, 3)), leaf_of(desk));
        under_company(desk, &leaf);
        desk.good("good", |payload| message(&leaf, payload).armored());
        leaf
    };
    let signed_raw = |desk: &Desk<'_>, leaf: &Entity, sign: &(dyn Fn(&RsaKey, &[u8]) -> Vec<u8> + Send + Sync)| {
        changed(desk, leaf, &|made, _| {
            let Key::Rsa(key) = &made.signers[0].by.key else { panic!("an RSA key") };
            let over = set(made.signers[0].attributes.as_ref().expect("attributes"));
            made.signers[0].signature = Some(sign(key, &over));
        })
    };
    vec![
        changes("f07-weak-digest", "A digest that is broken or that nobody here knows.", "weak-algorithm", || {
            let ids = [
                "1.3.14.3.2.26",
                "1.2.840.113549.2.5",
                "1.2.840.113549.2.2",
                "2.16.840.1.101.3.4.2.4",
                "2.16.840.1.101.3.4.2.8",
                "1.2.3.4",
            ];
            ids.map(|id| of_signer(id, move |signer, _| signer.digest = algorithm(id))).into()
        }),
        changes(
            "f27-weak-schemes",
            "Signature algorithms that are broken, unknown, or over another hash than the digest.",
            "weak-algorithm",
            || {
                let ids = [
                    ("ECDSA with SHA-1", algorithm("1.2.840.10045.4.1")),
                    ("ECDSA with SHA-224", algorithm("1.2.840.10045.4.3.1")),
                    ("ECDSA with SHA-512", algorithm("1.2.840.10045.4.3.4")),
                    ("DSA with SHA-256", algorithm("2.16.840.1.101.3.4.3.2")),
                    ("Ed25519", algorithm("1.3.101.112")),
                    ("ECDSA with a parameter", seq(&[&oid("1.2.840.10045.4.3.2"), &integer(&[1])])),
                ];
                ids.map(|(form, id)| of_signer(form, move |signer, _| signer.algorithm = id.clone())).into()
            },
        ),
        changes("f27-other-key", "RSA by name, an elliptic curve by key.", "bad-signature", || {
            let id = seq(&[&oid("1.2.840.113549.1.1.11"), &null()]);
            vec![of_signer("RSA", move |signer, _| signer.algorithm = id.clone())]
        }),
        changes(
            "f27-ecdsa-range",
            "ECDSA numbers that are 0, the order or more; and other encodings of good ones.",
            "bad-signature",
            || {
                let pair = |r: &[u8], s: &[u8]| seq(&[&integer(r), &integer(s)]);
                let good =
                    |signer: &SignerInfo<'_>| signer.by.key.sign(&set(signer.attributes.as_ref().expect("attributes")));
                let order = P256.order();
                let mut all = vec![
                    of_signer("0, 0", move |signer, _| signer.signature = Some(pair(&[], &[]))),
                    of_signer("n, n", {
                        let order = order.clone();
                        move |signer, _| signer.signature = Some(pair(&order, &order))
                    }),
                    of_signer("1, 1", move |signer, _| signer.signature = Some(pair(&[1], &[1]))),
                    of_signer("n, 1", move |signer, _| signer.signature = Some(pair(&order, &[1]))),
                    of_signer("2^800", move |signer, _| {
                        signer.signature = Some(pair(&[&[1], &[0; 100][..]].concat(), &[1]))
                    }),
                ];
                all.push(of_signer("a byte behind", move |signer, _| {
                    signer.signature = Some([good(signer), vec![0]].concat())
                }));
                all.push(of_signer("raw numbers", move |signer, _| {
                    let Key::Ec(key) = &signer.by.key else { panic!("an EC key") };
                    let (r, s) = key.numbers(&set(signer.attributes.as_ref().expect("attributes")));
                    signer.signature = Some([r, s].concat());
                }));
                all.push(of_signer("a zero in front", move |signer, _| {
                    let Key::Ec(key) = &signer.by.key else { panic!("an EC key") };
                    let (r, s) = key.numbers(&set(signer.attributes.as_ref().expect("attributes")));
                    let r = tlv(2, &[&[0, 0], mpint(&r).as_slice()].concat());
                    signer.signature = Some(seq(&[&r, &integer(&s)]));
                }));
                all
            },
        ),
        forms(
            "f27-padding",
            "Padding that a lazy verifier takes, under the exponent 3 that makes it forgeable.",
            "bad-signature",
            move |desk| {
                let leaf = rsa(desk);
                let mut answers = Vec::new();
                for (form, block) in paddings() {
                    answers.push((form.to_owned(), signed_raw(desk, &leaf, &|key, over| key.raw(&block(over)))));
                }
                answers
            },
        ),
        forms("f27-rsa-hashes", "RSA over another hash than is said.", "bad-signature", move |desk| {
            let leaf = rsa(desk);
            ["sha1", "sha512", "md5"]
                .map(|hash| (hash.to_owned(), signed_raw(desk, &leaf, &|key, over| key.pkcs1(hash, over))))
                .into()
        }),
        forms(
            "f27-pss",
            "PSS, with SHA-256, with SHA-1 all through, without salt, and without a word on it.",
            "weak-algorithm",
            move |desk| {
                let leaf = rsa(desk);
                let mask = |hash: &[u8]| seq(&[&oid("1.2.840.113549.1.1.8"), hash]);
                let sha256 = algorithm(crate::x509_maker::SHA256_ID);
                let strong = [tlv(0xa0, &sha256), tlv(0xa1, &mask(&sha256)), tlv(0xa2, &integer(&[32]))].concat();
                let no_salt = [tlv(0xa0, &sha256), tlv(0xa1, &mask(&sha256)), tlv(0xa2, &integer(&[]))].concat();
                [
                    ("SHA-256", tlv(0x30, &strong)),
                    ("SHA-1", seq(&[])),
                    ("no salt", tlv(0x30, &no_salt)),
                    ("none", Vec::new()),
                    ("null", null()),
                ]
                .map(|(form, parameters)| {
                    let answer = changed(desk, &leaf, &|made, _| {
                        let Key::Rsa(key) = &made.signers[0].by.key else { panic!("an RSA key") };
                        let over = set(made.signers[0].attributes.as_ref().expect("attributes"));
                        made.signers[0].signature = Some(key.pss(&over));
                        made.signers[0].algorithm = seq(&[&oid("1.2.840.113549.1.1.10"), &parameters]);
                    });
                    (form.to_owned(), answer)
                })
                .into()
            },
        ),
        forms(
            "f27-rsa-range",
            "RSA numbers that are 0, 1, the modulus, or longer than it.",
            "bad-signature",
            move |desk| {
                let leaf = rsa(desk);
                let push = |form: &str, numbers: &(dyn Fn(&RsaKey, &[u8]) -> Vec<u8> + Send + Sync)| {
                    (form.to_owned(), signed_raw(desk, &leaf, numbers))
                };
                vec![
                    push("0", &|_, _| vec![0; 256]),
                    push("1", &|_, _| [vec![0; 255], vec![1]].concat()),
                    push("n", &|key, _| key.modulus.clone()),
                    push("a zero in front", &|key, over| [vec![0], key.pkcs1("sha256", over)].concat()),
                    push("a byte behind", &|key, over| [key.pkcs1("sha256", over), vec![0]].concat()),
                ]
            },
        ),
    ]
}
