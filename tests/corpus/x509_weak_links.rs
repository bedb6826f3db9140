//! Section F, chains that hold by a thread: curves that an attacker chose, weak keys and hashes, and certificates that
//! outlive their ten minutes by a public log.

use crate::desk::{Desk, forms, vector};
use crate::ssh_algorithms::paddings;
use crate::ssh_keys::{P256, RsaKey};
use crate::strict::Strict;
use crate::vector::Vector;
use crate::x509::{company, leaf_of, message, registered, trust, under_company};
use crate::x509_chains::under;
use crate::x509_lists::House;
use crate::x509_maker::{
    Certificate, ECDSA_SHA256, EXTENDED_USAGE, Entity, Key, Message, RSA_SHA256, algorithm, attribute, bits, extension,
    integer, mail, names, null, octets, oid, seq, tlv, usage,
};
use countersign_tests::process::must;
use std::process::Command;
use std::sync::Arc;

pub fn vectors(strict: &Arc<Strict>) -> Vec<Vector> {
    [curves(strict), weak_links(strict), logs(strict)].into_iter().flatten().collect()
}

const GENERATOR: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

/// `ECParameters` written out: P-256 with another point as generator.
fn explicit(generator: &[u8]) -> Vec<u8> {
    let number = |hex: &str| hex::decode(hex).expect("hex");
    let prime = number("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    let a = number("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc");
    let b = number("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
    let field = seq(&[&oid("1.2.840.10045.1.1"), &integer(&prime)]);
    let curve = seq(&[&octets(&a), &octets(&b)]);
    seq(&[&integer(&[1]), &field, &curve, &octets(generator), &integer(&P256.order()), &integer(&[1])])
}

fn explicit_info(generator: &[u8], point: &[u8]) -> Vec<u8> {
    seq(&[&seq(&[&oid("1.2.840.10045.2.1"), &explicit(generator)]), &bits(point)])
}

fn point_of(entity: &Entity) -> Vec<u8> {
    let Key::Ec(key) = &entity.key else { panic!("an EC key") };
    key.point()
}

fn curves(strict: &Arc<Strict>) -> Vec<Vector> {
    vec![
        vector(
            "f26-curveball",
            "A root with the registered one's name and point, on a curve whose generator makes 1 the secret (CVE-2020-0601).",
            "untrusted-chain",
            |desk| {
                trust(desk, &company().root);
                let point = point_of(&company().root);
                let folder = tempfile::tempdir().expect("a folder");
                let one = [vec![0; 31], vec![1]].concat();
                let key =
                    seq(&[&integer(&[1]), &octets(&one), &tlv(0xa0, &explicit(&point)), &tlv(0xa1, &bits(&point))]);
                std::fs::write(folder.path().join("one.der"), key).expect("a key");
                let sign = |body: &[u8]| {
                    std::fs::write(folder.path().join("body"), body).expect("a body");
                    let mut sign = Command::new("openssl");
                    sign.current_dir(&folder).args(["dgst", "-sha256", "-sign", "one.der", "-keyform", "DER"]);
                    must(sign.args(["-out", "signature", "body"]));
                    std::fs::read(folder.path().join("signature")).expect("a signature")
                };
                let info = explicit_info(&point, &point);
                let algorithm = algorithm(ECDSA_SHA256);
                let forged = Entity::root(company().root.certificate.clone());
                let forged =
                    forged.issue_as(Key::named("unused"), company().root.certificate.clone(), &info, &algorithm, &sign);
                let leaf = forged.issue_as(
                    Key::named(desk.who),
                    leaf_of(desk),
                    &Key::named(desk.who).info(),
                    &algorithm,
                    &sign,
                );
                desk.register("--x509", leaf.pem());
                desk.push(|payload| Message::of(&leaf, &[&forged], payload).armored())
            },
        ),
        vector(
            "f26-authority",
            "An authority under the true root, P-256 with its numbers written out.",
            "untrusted-chain",
            |desk| {
                let root = &company().root;
                let key = Key::named("f26 authority");
                let Key::Ec(pair) = &key else { panic!("an EC key") };
                let info = explicit_info(&hex::decode(GENERATOR).expect("hex"), &pair.point());
                let sign = |body: &[u8]| root.key.sign(body);
                let sub =
                    root.issue_as(key, Certificate::authority("f26 authority"), &info, &algorithm(ECDSA_SHA256), &sign);
                under(desk, &[&sub])
            },
        ),
        vector(
            "f26-root",
            "A root on a curve that is written out does not come through the door.",
            "untrusted-chain",
            |desk| {
                let (key, certificate) = (Key::named("f26 root"), Certificate::authority("f26 root"));
                let Key::Ec(pair) = &key else { panic!("an EC key") };
                let info = explicit_info(&hex::decode(GENERATOR).expect("hex"), &pair.point());
                let own = Entity::root_with(Key::named("f26 root"), certificate.clone());
                let root = own.issue_as(key, certificate, &info, &algorithm(ECDSA_SHA256), &|body| own.key.sign(body));
                let taken = desk.bench.lab.sync(&["key", "add", "--x509-root", "-"], root.pem().as_bytes());
                assert!(!taken.succeeded(), "the registry takes a root with explicit parameters");
                under(desk, &[&root])
            },
        ),
        House::forms(
            strict,
            "f26-leaf",
            "The signer's own key on a curve that is written out, on none, or on one of others.",
            "weak-algorithm",
            |house| {
                let named = |id: &str, point: &[u8]| seq(&[&seq(&[&oid("1.2.840.10045.2.1"), &oid(id)]), &bits(point)]);
                let generator = hex::decode(GENERATOR).expect("hex");
                let point = crate::ssh_keys::EcdsaKey::named(P256, "f26 leaf").point();
                let mut off = point.clone();
                off[64] ^= 1;
                let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
                let infos = [
                    ("written out", explicit_info(&generator, &point)),
                    ("its own generator", explicit_info(&point, &point)),
                    ("no curve", seq(&[&seq(&[&oid("1.2.840.10045.2.1")]), &bits(&point)])),
                    ("null", seq(&[&seq(&[&oid("1.2.840.10045.2.1"), &null()]), &bits(&point)])),
                    ("secp256k1", named("1.3.132.0.10", &point)),
                    ("P-384 by name", named("1.3.132.0.34", &point)),
                    ("off the curve", named("1.2.840.10045.3.1.7", &off)),
                    ("compressed", named("1.2.840.10045.3.1.7", &compressed)),
                    ("infinity", named("1.2.840.10045.3.1.7", &[0])),
                    ("Ed25519", seq(&[&algorithm("1.3.101.112"), &bits(&[7; 32])])),
                    ("DSA", seq(&[&algorithm("1.2.840.10040.4.1"), &bits(&integer(&[7; 128]))])),
                ];
                infos
                    .map(|(form, info)| {
                        let sign = |body: &[u8]| house.sub.key.sign(body);
                        let leaf = house.sub.issue_as(
                            Key::named("f26 leaf"),
                            leaf_of(&house.desk),
                            &info,
                            &algorithm(ECDSA_SHA256),
                            &sign,
                        );
                        (form.to_owned(), house.push(&leaf))
                    })
                    .into()
            },
        ),
    ]
}

fn weak_links(strict: &Arc<Strict>) -> Vec<Vector> {
    /// A certificate whose issuer signed by another algorithm.
    fn signed_as(
        issuer: &Entity,
        certificate: Certificate,
        algorithm: &[u8],
        sign: &dyn Fn(&[u8]) -> Vec<u8>,
    ) -> Entity {
        let key = Key::named(&hex::encode(&certificate.serial));
        let info = key.info();
        issuer.issue_as(key, certificate, &info, algorithm, sign)
    }
    let rsa_root = |desk: &Desk<'_>| {
        let root = Entity::root_with(
            Key::Rsa(RsaKey::generate(2048, 3)),
            Certificate::authority(&format!("{} root", desk.who)),
        );
        trust(desk, &root);
        let leaf = root.issue(Certificate { serial: vec![7], ..leaf_of(desk) });
        desk.register("--x509", leaf.pem());
        desk.good("good", |payload| Message::of(&leaf, &[], payload).armored());
        root
    };
    vec![
        forms(
            "f27-chain-padding",
            "A root with the exponent 3, and forged signatures of its kind on an authority.",
            "untrusted-chain",
            move |desk| {
                let root = rsa_root(desk);
                let Key::Rsa(key) = &root.key else { panic!("an RSA key") };
                let algorithm = seq(&[&oid(RSA_SHA256), &null()]);
                let forged = paddings().into_iter().map(|(form, block)| {
                    let certificate = Certificate::authority(&format!("f27 {form}"));
                    let sub = signed_as(&root, certificate, &algorithm, &|body| key.raw(&block(body)));
                    let leaf = sub.issue(leaf_of(desk));
                    desk.register("--x509", leaf.pem());
                    (form.to_owned(), desk.push(|payload| Message::of(&leaf, &[&sub], payload).armored()))
                });
                forged.collect()
            },
        ),
        forms(
            "f27-chain-hashes",
            "An authority that the root signed over SHA-1 or MD5, or by PSS.",
            "untrusted-chain",
            move |desk| {
                let root = rsa_root(desk);
                let Key::Rsa(key) = &root.key else { panic!("an RSA key") };
                [("1.2.840.113549.1.1.5", "sha1"), ("1.2.840.113549.1.1.4", "md5"), ("1.2.840.113549.1.1.10", "")]
                    .map(|(id, hash)| {
                        let algorithm = seq(&[&oid(id), &if hash.is_empty() { seq(&[]) } else { null() }]);
                        let sign = |body: &[u8]| if hash.is_empty() { key.pss(body) } else { key.pkcs1(hash, body) };
                        let sub = signed_as(&root, Certificate::authority(&format!("f27 {id}")), &algorithm, &sign);
                        let leaf = sub.issue(leaf_of(desk));
                        desk.register("--x509", leaf.pem());
                        (format!("{id} {hash}"), desk.push(|payload| Message::of(&leaf, &[&sub], payload).armored()))
                    })
                    .into()
            },
        ),
        vector("f27-short-authority", "An authority with RSA of 1024 bits.", "untrusted-chain", |desk| {
            let sub =
                company().root.issue_for(Key::Rsa(RsaKey::generate(1024, 3)), Certificate::authority("f27 short"));
            under(desk, &[&sub])
        }),
        House::forms(
            strict,
            "f27-short-leaf",
            "The signer's own RSA key has 1024 bits, or exponent 1.",
            "weak-algorithm",
            |house| {
                let short = house.sub.issue_for(Key::Rsa(RsaKey::generate(1024, 3)), leaf_of(&house.desk));
                let info = seq(&[
                    &seq(&[&oid("1.2.840.113549.1.1.1"), &null()]),
                    &bits(&seq(&[&integer(&[0xc5; 256]), &integer(&[1])])),
                ]);
                let sign = |body: &[u8]| house.sub.key.sign(body);
                let one = house.sub.issue_as(
                    Key::named("f27 one"),
                    leaf_of(&house.desk),
                    &info,
                    &algorithm(ECDSA_SHA256),
                    &sign,
                );
                vec![("1024 bits".to_owned(), house.push(&short)), ("exponent 1".to_owned(), house.push(&one))]
            },
        ),
        House::forms(
            strict,
            "f27-leaf-by-sha1",
            "The authority signed the signer's certificate over SHA-1.",
            "weak-algorithm",
            |house| {
                let sign = |body: &[u8]| house.sub.key.sign(body);
                let leaf = signed_as(&house.sub, leaf_of(&house.desk), &algorithm("1.2.840.10045.4.1"), &sign);
                vec![("ECDSA with SHA-1".to_owned(), house.push(&leaf))]
            },
        ),
    ]
}

/// Keyless signing: certificates that live ten minutes, and a public log that says when they were used.
fn logs(strict: &Arc<Strict>) -> Vec<Vector> {
    /// As Fulcio issues them: an address from a login, and who vouched for it.
    fn keyless(desk: &Desk<'_>) -> Certificate {
        let address = names(&[mail(format!("{}@example.com", desk.who))]);
        let code_signing = extension(EXTENDED_USAGE, false, &seq(&[&oid("1.3.6.1.5.5.7.3.3")]));
        let vouched = extension("1.3.6.1.4.1.57264.1.1", false, b"https://accounts.example.com");
        let (from, until) = ("20250101120000Z", "20250101121000Z");
        Certificate { from, until, ..leaf_of(desk) }.only(vec![usage(&[0]), code_signing, address, vouched])
    }
    /// A log's entry, as it is put beside the signature, over this digest.
    fn entry(payload: &[u8]) -> Vec<u8> {
        let hash = hex::encode(crate::x509_maker::sha256(payload));
        let body = format!(
            r#"{{"kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{hash}"}}}}}}}}"#
        );
        attribute("1.3.6.1.4.1.57264.3.1", &[octets(body.as_bytes())])
    }
    vec![
        vector(
            "f30-other-authority",
            "A certificate for ten minutes by an authority that the company never registered.",
            "unknown-key",
            |desk| {
                let root = Entity::root(Certificate::authority("f30 public root"));
                let leaf = root.issue(keyless(desk));
                desk.push(|payload| Message::of(&leaf, &[&root], payload).armored())
            },
        ),
        vector(
            "f30-registered",
            "The certificate is registered to the person; it was over after ten minutes all the same.",
            "key-expired",
            |desk| {
                let leaf = company().sub.issue(keyless(desk));
                under_company(desk, &leaf);
                desk.push(|payload| message(&leaf, payload).armored())
            },
        ),
        House::forms(
            strict,
            "f30-by-name",
            "Its name speaks for the registration, and its ten minutes are over.",
            "key-expired",
            |house| {
                let leaf = house.sub.issue(keyless(&house.desk));
                vec![("expired".to_owned(), house.push(&leaf))]
            },
        ),
        forms(
            "f31-log-entry",
            "With an entry of the public log, over this commit or another: nobody here reads it, so it proves nothing.",
            "key-expired",
            |desk| {
                let leaf = company().sub.issue(keyless(desk));
                under_company(desk, &leaf);
                let push = |form: &str, make: &(dyn Fn(&[u8]) -> Vec<u8> + Send + Sync)| {
                    let sign = |payload: &[u8]| {
                        let mut made = message(&leaf, payload);
                        made.signers[0].unsigned = vec![make(payload)];
                        made.armored()
                    };
                    (form.to_owned(), desk.push(sign))
                };
                vec![push("of another commit", &|_| entry(b"another commit")), push("of this commit", &entry)]
            },
        ),
        vector(
            "f31-entry-of-the-signed",
            "The entry fits what the key did sign, which is another commit.",
            "bad-signature",
            |desk| {
                let leaf = registered(desk);
                desk.push(|_| {
                    let mut made = message(&leaf, b"another commit");
                    made.signers[0].unsigned = vec![entry(b"another commit")];
                    made.armored()
                })
            },
        ),
        forms(
            "f31-unsigned-attributes",
            "Attributes that nobody signed, beside a good signature: another digest, a date to come.",
            "accepted",
            |desk| {
                let leaf = registered(desk);
                let digest = crate::x509_maker::message_digest(&[0; 32]);
                let later = crate::x509_maker::signing_time(2_208_988_800);
                [("log", entry(b"x")), ("digest", digest), ("time", later)]
                    .map(|(form, attribute)| {
                        let commit = desk.bench.plain_with_block(desk.who, |payload| {
                            let mut made = message(&leaf, payload);
                            made.signers[0].unsigned = vec![attribute.clone()];
                            made.armored()
                        });
                        let update = crate::bench::Update::create(&format!("refs/heads/{form}"), &commit.id);
                        (form.to_owned(), desk.bench.push(&[commit], &[update]))
                    })
                    .into()
            },
        ),
    ]
}
