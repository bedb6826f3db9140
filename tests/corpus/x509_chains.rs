//! Section F, the chains: from the signer's certificate to a registered root, and what may stand between.

use crate::bench::Answer;
use crate::desk::{Desk, forms, must_be, vector};
use crate::ssh_algorithms::paddings;
use crate::ssh_keys::{P256, RsaKey};
use crate::strict::Strict;
use crate::vector::{Expected, Vector};
use crate::x509::{company, leaf_of, message, registered, trust, under_company};
use crate::x509_lists::House;
use crate::x509_maker::{
    Certificate, ECDSA_SHA256, EXTENDED_USAGE, Entity, Key, Message, RSA_SHA256, algorithm, attribute, authority, bits,
    extension, integer, mail, name, name_of, names, null, octets, oid, seq, tlv, usage,
};
use countersign_tests::process::must;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

pub fn vectors(strict: &Arc<Strict>) -> Vec<Vector> {
    [roots(), authorities(), validity(), missing(), limits(), curves(strict), weak_links(strict), logs(strict)]
        .into_iter()
        .flatten()
        .collect()
}

/// Pushes a signature by a registered leaf under these authorities, lowest first.
fn under(desk: &Desk<'_>, chain: &[&Entity]) -> Answer {
    under_as(desk, leaf_of(desk), chain)
}

fn under_as(desk: &Desk<'_>, leaf: Certificate, chain: &[&Entity]) -> Answer {
    trust(desk, &company().root);
    let leaf = chain[0].issue(leaf);
    desk.register("--x509", leaf.pem());
    desk.push(|payload| Message::of(&leaf, chain, payload).armored())
}

/// Forms of a chain; each makes the authorities above a leaf, lowest first.
type Chain = (&'static str, fn() -> Vec<Entity>);

fn chains<const N: usize>(name: &'static str, about: &str, expected: &'static str, all: [Chain; N]) -> Vector {
    forms(name, about, expected, move |desk| {
        let answers = all.iter().map(|(form, make)| {
            let chain = make();
            let chain: Vec<&Entity> = chain.iter().collect();
            (form.to_string(), under(desk, &chain))
        });
        answers.collect()
    })
}

fn roots() -> Vec<Vector> {
    vec![
        chains("f09-unknown-root", "A root that nobody registered; its certificate comes along.", "untrusted-chain", [("another root", || {
            let root = Entity::root(Certificate::authority("F09 another root"));
            let sub = root.issue(Certificate::authority("F09 authority"));
            vec![sub, root]
        })]),
        chains("f09-namesake", "A root with the registered one's name and serial number, and another key.", "untrusted-chain", [("a namesake", || {
            let root = Entity::root_with(Key::named("F09 namesake"), company().root.certificate.clone());
            let sub = root.issue(Certificate::authority("F09 under the namesake"));
            vec![sub, root]
        })]),
        vector("f09-self-signed", "The person's registered certificate signed itself.", "untrusted-chain", |desk| {
            let leaf = Entity::root(leaf_of(desk));
            desk.register("--x509", leaf.pem());
            desk.push(|payload| Message::of(&leaf, &[], payload).armored())
        }),
        vector(
            "f09-unknown-leaf",
            "A leaf under the registered root that is registered to nobody.",
            "unknown-key",
            |desk| {
                trust(desk, &company().root);
                let leaf = company().sub.issue(leaf_of(desk));
                desk.push(|payload| message(&leaf, payload).armored())
            },
        ),
        root_that_ends(
            "f10-root-removed",
            "A root that was trusted by the push before this one, and is retired now.",
            "key-revoked",
            "retired",
        ),
        root_that_ends(
            "f10-root-compromised",
            "The same, and the root is marked as compromised.",
            "key-compromised",
            "compromised",
        ),
    ]
}

/// Whatever remembers a root, such as gpg-agent, has seen this one just before.
fn root_that_ends(name: &'static str, about: &str, expected: &str, reason: &'static str) -> Vector {
    vector(name, about, expected, move |desk| {
        let root = Entity::root(Certificate::authority(&format!("{} root", desk.who)));
        trust(desk, &root);
        let leaf = root.issue(leaf_of(desk));
        desk.register("--x509", leaf.pem());
        for branch in ["first", "second"] {
            desk.good(branch, |payload| Message::of(&leaf, &[], payload).armored());
        }
        desk.bench.lab.must_sync(&["key", "revoke", &root.fingerprint(), "--reason", reason], b"");
        desk.push(|payload| Message::of(&leaf, &[], payload).armored())
    })
}

fn authorities() -> Vec<Vector> {
    vec![
        chains("f11-leaf-as-authority", "A colleague's leaf issues certificates; gpgsm calls the signature good.", "untrusted-chain", [
            ("a leaf", || vec![company().sub.issue(Certificate::leaf("f11 leaf", "alice@example.com")), sub()]),
            ("a leaf that may sign certificates", || {
                let leaf = Certificate::leaf("f11 signing leaf", "alice@example.com");
                vec![company().sub.issue(leaf.only(vec![usage(&[0, 5])])), sub()]
            }),
            ("a leaf that says it is no authority", || {
                let no = extension("2.5.29.19", true, &seq(&[]));
                vec![company().sub.issue(Certificate::leaf("f11 honest leaf", "alice@example.com").only(vec![no, usage(&[5])])), sub()]
            }),
            ("no extension at all", || vec![company().sub.issue(Certificate::authority("f11 bare").only(vec![])), sub()]),
        ]),
        chains("f11-authority-without-right", "An authority whose key usage does not let it issue.", "untrusted-chain", [
            ("lists only", || vec![company().root.issue(Certificate::authority("f11 lists").only(vec![authority(None), usage(&[6])]))]),
            ("signatures only", || vec![company().root.issue(Certificate::authority("f11 signs").only(vec![authority(None), usage(&[0])]))]),
            ("for web servers", || {
                let servers = extension(EXTENDED_USAGE, false, &seq(&[&oid("1.3.6.1.5.5.7.3.1")]));
                vec![company().root.issue(Certificate::authority("f11 servers").with(servers))]
            }),
            ("a critical extension of nobody", || {
                vec![company().root.issue(Certificate::authority("f11 critical").with(extension("1.2.3.4", true, &null())))]
            }),
        ]),
        forms("f11-signer-as-authority", "The signer is an authority itself, or may sign certificates: refused at the door, so nobody's.", "unknown-key", |desk| {
            trust(desk, &company().root);
            [("an authority", Certificate::authority("f11 an authority")), ("may sign certificates", leaf_of(desk).only(vec![usage(&[0, 5])]))]
                .map(|(form, certificate)| {
                    let signer = company().sub.issue(certificate);
                    let taken = desk.bench.lab.sync(&["key", "add", desk.who, "--x509", "-"], signer.pem().as_bytes());
                    assert!(!taken.succeeded(), "the registry takes {form}");
                    (form.to_owned(), desk.push(|payload| message(&signer, payload).armored()))
                })
                .into()
        }),
        chains("f11-not-signed-by-authority", "The authority did not sign the certificate that names it.", "untrusted-chain", [("a stranger did", || {
            let stranger = Entity::root_with(Key::named("f11 stranger"), company().sub.certificate.clone());
            vec![Entity { der: company().sub.der.clone(), ..stranger }]
        })]),
    ]
}

/// The company's authority, once more.
fn sub() -> Entity {
    let sub = &company().sub;
    Entity {
        key: Key::named("unused"),
        certificate: sub.certificate.clone(),
        issuer: sub.issuer.clone(),
        der: sub.der.clone(),
    }
}

fn validity() -> Vec<Vector> {
    let leaf = |name, about, expected, from: &'static str, until: &'static str| {
        vector(name, about, expected, move |desk| {
            let leaf = company().sub.issue(Certificate { from, until, ..leaf_of(desk) });
            under_company(desk, &leaf);
            desk.push(|payload| message(&leaf, payload).armored())
        })
    };
    vec![
        leaf(
            "f14-expired",
            "It expired last year; the signature is dated when it was valid.",
            "key-expired",
            "20200101000000Z",
            "20250101000000Z",
        ),
        leaf(
            "f14-expired-long-ago",
            "It expired before it was signed with.",
            "key-expired",
            "20000101000000Z",
            "20010101000000Z",
        ),
        leaf("f14-not-yet", "It is valid in years to come.", "key-not-yet-valid", "20480101000000Z", "20490101000000Z"),
        leaf("f14-never", "It ends before it begins.", "key-not-yet-valid", "20480101000000Z", "20200101000000Z"),
        chains("f14-authority-expired", "The authority above has expired.", "key-expired", [("expired", || {
            vec![company().root.issue(Certificate { until: "20250101000000Z", ..Certificate::authority("f14 expired") })]
        })]),
        chains("f14-authority-not-yet", "The authority above is valid in years to come.", "untrusted-chain", [("not yet", || {
            vec![company().root.issue(Certificate { from: "20480101000000Z", until: "20490101000000Z", ..Certificate::authority("f14 early") })]
        })]),
        vector("f14-root-expired", "The registered root has expired.", "key-expired", |desk| {
            let root = Entity::root(Certificate { until: "20250101000000Z", ..Certificate::authority("f14 root") });
            trust(desk, &root);
            let leaf = root.issue(leaf_of(desk));
            desk.register("--x509", leaf.pem());
            desk.push(|payload| Message::of(&leaf, &[], payload).armored())
        }),
        vector(
            "f16-expired-without-time",
            "Expired, and no signing time to say that it was valid then.",
            "key-expired",
            |desk| {
                let leaf = company().sub.issue(Certificate { until: "20250101000000Z", ..leaf_of(desk) });
                under_company(desk, &leaf);
                desk.push(|payload| {
                    let mut made = message(&leaf, payload);
                    made.signers[0].attributes.as_mut().expect("attributes").remove(1);
                    made.armored()
                })
            },
        ),
        vector(
            "f17-revoked-in-the-registry",
            "The registry revoked the certificate, whatever lists say.",
            "key-revoked",
            |desk| {
                let leaf = registered(desk);
                desk.good("good", |payload| message(&leaf, payload).armored());
                desk.bench.lab.must_sync(&["key", "revoke", &leaf.fingerprint(), "--reason", "retired"], b"");
                desk.push(|payload| message(&leaf, payload).armored())
            },
        ),
    ]
}

fn missing() -> Vec<Vector> {
    vec![
        vector(
            "f23-missing-intermediate",
            "The authority between leaf and root is not in the message.",
            "untrusted-chain",
            |desk| {
                let leaf = registered(desk);
                desk.good("with", |payload| message(&leaf, payload).armored());
                desk.push(|payload| Message::of(&leaf, &[], payload).armored())
            },
        ),
        vector("f23-with-intermediate", "With it, and with the root besides.", "accepted", |desk| {
            let leaf = registered(desk);
            desk.push(|payload| Message::of(&leaf, &[&company().sub, &company().root], payload).armored())
        }),
        vector(
            "f29-kept-intermediate",
            "The push before brought the authority along, and was accepted: nothing of it stays.",
            "untrusted-chain",
            |desk| {
                let leaf = registered(desk);
                desk.good("first", |payload| message(&leaf, payload).armored());
                desk.good("second", |payload| {
                    Message::of(&leaf, &[&company().sub, &company().root], payload).armored()
                });
                desk.push(|payload| Message::of(&leaf, &[], payload).armored())
            },
        ),
        vector(
            "f29-within-one-push",
            "The commit before in the same push brings the authority along.",
            "untrusted-chain",
            |desk| {
                let leaf = registered(desk);
                let with = |payload: &[u8]| message(&leaf, payload).armored();
                let without = |payload: &[u8]| Message::of(&leaf, &[], payload).armored();
                desk.push_chain(&[&with, &without])
            },
        ),
        vector(
            "f29-planted",
            "A refused push brought along a root and an authority of the attacker's: they do not help the next.",
            "untrusted-chain",
            |desk| {
                let root = Entity::root(Certificate::authority("f29 planted root"));
                let planted = root
                    .issue(Certificate { subject: name("Corpus authority"), ..Certificate::authority("f29 planted") });
                trust(desk, &company().root);
                let leaf = planted.issue(leaf_of(desk));
                desk.register("--x509", leaf.pem());
                let first = desk.push(|payload| Message::of(&leaf, &[&planted, &root], payload).armored());
                must_be(Expected::Denied("untrusted-chain"), "with all of it", &first);
                let second = desk.push(|payload| Message::of(&leaf, &[&planted], payload).armored());
                must_be(Expected::Denied("untrusted-chain"), "with the authority", &second);
                desk.push(|payload| Message::of(&leaf, &[], payload).armored())
            },
        ),
        vector(
            "f24-nothing-is-fetched",
            "Its authority, lists and responder are all called by URLs of the attacker's: nobody comes.",
            "untrusted-chain",
            |desk| {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                listener.set_nonblocking(true).expect("a listener that does not wait");
                let url = |path: &str| {
                    tlv(0x86, format!("http://{}/{path}", listener.local_addr().expect("a port")).as_bytes())
                };
                let access = |id: &str, path: &str| seq(&[&oid(id), &url(path)]);
                let information =
                    [access("1.3.6.1.5.5.7.48.2", "sub.crt"), access("1.3.6.1.5.5.7.48.1", "ocsp")].concat();
                let points = seq(&[&seq(&[&tlv(0xa0, &tlv(0xa0, &url("sub.crl")))])]);
                let leaf = leaf_of(desk)
                    .with(extension("1.3.6.1.5.5.7.1.1", false, &tlv(0x30, &information)))
                    .with(extension("2.5.29.31", false, &points));
                let leaf = company().sub.issue(leaf);
                under_company(desk, &leaf);
                desk.good("with", |payload| message(&leaf, payload).armored());
                let answer = desk.push(|payload| Message::of(&leaf, &[], payload).armored());
                let visit = listener.accept();
                assert!(
                    visit.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
                    "the server followed a URL of a certificate"
                );
                answer
            },
        ),
    ]
}

/// `nameConstraints`; `permitted` is `0xa0`, `excluded` is `0xa1`.
fn constraint(critical: bool, which: u8, base: &[u8]) -> Vec<u8> {
    extension("2.5.29.30", critical, &seq(&[&tlv(which, &seq(&[base]))]))
}

const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;

fn constrained(common: &str, constraint: Vec<u8>) -> Vec<Entity> {
    vec![company().root.issue(Certificate::authority(common).with(constraint))]
}

fn limits() -> Vec<Vector> {
    vec![
        chains("f25-path-length", "More authorities below than one above allows.", "untrusted-chain", [
            ("0 and one below", || {
                let flat = company().root.issue(Certificate::authority("f25 flat").only(vec![authority(Some(0)), usage(&[5, 6])]));
                let below = flat.issue(Certificate::authority("f25 below"));
                vec![below, flat]
            }),
            ("1 and two below", || {
                let high = company().root.issue(Certificate::authority("f25 high").only(vec![authority(Some(1)), usage(&[5, 6])]));
                let middle = high.issue(Certificate::authority("f25 middle"));
                let low = middle.issue(Certificate::authority("f25 low"));
                vec![low, middle, high]
            }),
            ("raised again below", || {
                let flat = company().root.issue(Certificate::authority("f25 first").only(vec![authority(Some(0)), usage(&[5, 6])]));
                let below = flat.issue(Certificate::authority("f25 second").only(vec![authority(Some(9)), usage(&[5, 6])]));
                vec![below, flat]
            }),
        ]),
        vector("f25-path-length-root", "The root allows no authority below it.", "untrusted-chain", |desk| {
            let root = Entity::root(Certificate::authority("f25 root").only(vec![authority(Some(0)), usage(&[5, 6])]));
            trust(desk, &root);
            let sub = root.issue(Certificate::authority("f25 under root"));
            let direct = root.issue(Certificate { serial: vec![7], ..leaf_of(desk) });
            desk.register("--x509", direct.pem());
            desk.good("direct", |payload| Message::of(&direct, &[], payload).armored());
            let leaf = sub.issue(leaf_of(desk));
            desk.register("--x509", leaf.pem());
            desk.push(|payload| Message::of(&leaf, &[&sub], payload).armored())
        }),
        chains("f25-mail-permitted", "The authority may issue for addresses elsewhere only.", "untrusted-chain", [
            ("a host", || constrained("f25 host", constraint(true, PERMITTED, &mail("other.example")))),
            ("not critical", || constrained("f25 host lax", constraint(false, PERMITTED, &mail("other.example")))),
            ("an address", || constrained("f25 address", constraint(true, PERMITTED, &mail("alice@example.com")))),
            ("subdomains", || constrained("f25 subdomains", constraint(true, PERMITTED, &mail(".example.com")))),
            ("an empty name", || constrained("f25 empty", constraint(true, PERMITTED, &mail("")))),
        ]),
        chains("f25-mail-excluded", "The authority may not issue for addresses here.", "untrusted-chain", [
            ("a host", || constrained("f25 no host", constraint(true, EXCLUDED, &mail("example.com")))),
            ("in other letters", || constrained("f25 no HOST", constraint(true, EXCLUDED, &mail("EXAMPLE.com")))),
            ("not critical", || constrained("f25 no host lax", constraint(false, EXCLUDED, &mail("example.com")))),
        ]),
        chains("f25-directory", "The authority may issue for directory names elsewhere only, or not for this one.", "untrusted-chain", [
            ("permitted elsewhere", || constrained("f25 elsewhere", constraint(true, PERMITTED, &tlv(0xa4, &name("somebody else"))))),
            ("excluded", || constrained("f25 not here", constraint(true, EXCLUDED, &tlv(0xa4, &name("f25-directory"))))),
            ("excluded in other letters", || constrained("f25 NOT here", constraint(true, EXCLUDED, &tlv(0xa4, &name(" F25-Directory "))))),
            ("excluded as another kind of text", || {
                let printable = name_of(&[("2.5.4.3", tlv(0x13, b"f25-directory"))]);
                constrained("f25 printable", constraint(true, EXCLUDED, &tlv(0xa4, &printable)))
            }),
        ]),
        chains("f25-not-understood", "A constraint with a depth, which RFC 5280 does not know.", "untrusted-chain", [
            ("a minimum", || {
                let base = [mail("example.com"), tlv(0x80, &[1])].concat();
                constrained("f25 minimum", constraint(true, PERMITTED, &base))
            }),
            ("a maximum", || {
                let base = [mail("example.com"), tlv(0x81, &[9])].concat();
                constrained("f25 maximum", constraint(true, PERMITTED, &base))
            }),
        ]),
        vector("f25-constraint-above", "The constraint stands one authority higher.", "untrusted-chain", |desk| {
            let high =
                constrained("f25 high constraint", constraint(true, PERMITTED, &mail("other.example"))).remove(0);
            let low = high.issue(Certificate::authority("f25 low authority"));
            under(desk, &[&low, &high])
        }),
        vector("f25-subject-address", "An excluded address stands in the subject, where the constraint has to reach it.", "untrusted-chain", |desk| {
            let sub = constrained("f25 subject", constraint(true, EXCLUDED, &mail("evil.example"))).remove(0);
            let subject = name_of(&[("2.5.4.3", tlv(0x0c, b"x")), (crate::x509_maker::EMAIL_ADDRESS, tlv(0x16, b"a@evil.example"))]);
            under_as(desk, Certificate { subject, ..leaf_of(desk) }, &[&sub])
        }),
        chains("f25-fitting", "A path length and a constraint that are kept.", "accepted", [("kept", || {
            let base = constraint(true, PERMITTED, &mail("example.com"));
            constrained("f25 kept", base)
        })]),
        vector("f25-entangled", "Nine authorities of one name that sign each other in every way: the search ends.", "untrusted-chain", |desk| {
            trust(desk, &company().root);
            let root = Entity::root(Certificate { subject: name("f25 tangle"), ..Certificate::authority("f25 tangle 0") });
            let tangle: Vec<Entity> = (1..9)
                .map(|number| root.issue(Certificate { subject: name("f25 tangle"), ..Certificate::authority(&format!("f25 tangle {number}")) }))
                .collect();
            let leaf = root.issue(leaf_of(desk));
            desk.register("--x509", leaf.pem());
            let with: Vec<&Entity> = tangle.iter().collect();
            desk.push(|payload| Message::of(&leaf, &with, payload).armored())
        }),
    ]
}

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

const GENERATOR: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

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
