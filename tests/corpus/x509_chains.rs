//! Section F, the chains: from the signer's certificate to a registered root, and what may stand between.

use crate::bench::Answer;
use crate::desk::{Desk, forms, must_be, vector};
use crate::vector::{Expected, Vector};
use crate::x509::{company, leaf_of, message, registered, trust, under_company};
use crate::x509_maker::{
    Certificate, EXTENDED_USAGE, Entity, Key, Message, authority, extension, name, null, oid, seq, tlv, usage,
};
use std::io::ErrorKind;
use std::net::TcpListener;

pub fn vectors() -> Vec<Vector> {
    [roots(), authorities(), validity(), missing()].into_iter().flatten().collect()
}

/// Pushes a signature by a registered leaf under these authorities, lowest first.
pub fn under(desk: &Desk<'_>, chain: &[&Entity]) -> Answer {
    under_as(desk, leaf_of(desk), chain)
}

pub fn under_as(desk: &Desk<'_>, leaf: Certificate, chain: &[&Entity]) -> Answer {
    trust(desk, &company().root);
    let leaf = chain[0].issue(leaf);
    desk.register("--x509", leaf.pem());
    desk.push(|payload| Message::of(&leaf, chain, payload).armored())
}

/// Forms of a chain; each makes the authorities above a leaf, lowest first.
pub type Chain = (&'static str, fn() -> Vec<Entity>);

pub fn chains<const N: usize>(name: &'static str, about: &str, expected: &'static str, all: [Chain; N]) -> Vector {
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
        chains(
            "f09-unknown-root",
            "A root that nobody registered; its certificate comes along.",
            "untrusted-chain",
            [("another root", || {
                let root = Entity::root(Certificate::authority("F09 another root"));
                let sub = root.issue(Certificate::authority("F09 authority"));
                vec![sub, root]
            })],
        ),
        chains(
            "f09-namesake",
            "A root with the registered one's name and serial number, and another key.",
            "untrusted-chain",
            [("a namesake", || {
                let root = Entity::root_with(Key::named("F09 namesake"), company().root.certificate.clone());
                let sub = root.issue(Certificate::authority("F09 under the namesake"));
                vec![sub, root]
            })],
        ),
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
        chains(
            "f11-leaf-as-authority",
            "A colleague's leaf issues certificates; gpgsm calls the signature good.",
            "untrusted-chain",
            [
                ("a leaf", || vec![company().sub.issue(Certificate::leaf("f11 leaf", "alice@example.com")), sub()]),
                ("a leaf that may sign certificates", || {
                    let leaf = Certificate::leaf("f11 signing leaf", "alice@example.com");
                    vec![company().sub.issue(leaf.only(vec![usage(&[0, 5])])), sub()]
                }),
                ("a leaf that says it is no authority", || {
                    let no = extension("2.5.29.19", true, &seq(&[]));
                    vec![
                        company().sub.issue(
                            Certificate::leaf("f11 honest leaf", "alice@example.com").only(vec![no, usage(&[5])]),
                        ),
                        sub(),
                    ]
                }),
                ("no extension at all", || {
                    vec![company().sub.issue(Certificate::authority("f11 bare").only(vec![])), sub()]
                }),
            ],
        ),
        chains(
            "f11-authority-without-right",
            "An authority whose key usage does not let it issue.",
            "untrusted-chain",
            [
                ("lists only", || {
                    vec![
                        company()
                            .root
                            .issue(Certificate::authority("f11 lists").only(vec![authority(None), usage(&[6])])),
                    ]
                }),
                ("signatures only", || {
                    vec![
                        company()
                            .root
                            .issue(Certificate::authority("f11 signs").only(vec![authority(None), usage(&[0])])),
                    ]
                }),
                ("for web servers", || {
                    let servers = extension(EXTENDED_USAGE, false, &seq(&[&oid("1.3.6.1.5.5.7.3.1")]));
                    vec![company().root.issue(Certificate::authority("f11 servers").with(servers))]
                }),
                ("a critical extension of nobody", || {
                    vec![company().root.issue(Certificate::authority("f11 critical").with(extension(
                        "1.2.3.4",
                        true,
                        &null(),
                    )))]
                }),
            ],
        ),
        forms(
            "f11-signer-as-authority",
            "The signer is an authority itself, or may sign certificates: refused at the door, so nobody's.",
            "unknown-key",
            |desk| {
                trust(desk, &company().root);
                [
                    ("an authority", Certificate::authority("f11 an authority")),
                    ("may sign certificates", leaf_of(desk).only(vec![usage(&[0, 5])])),
                ]
                .map(|(form, certificate)| {
                    let signer = company().sub.issue(certificate);
                    let taken = desk.bench.lab.sync(&["key", "add", desk.who, "--x509", "-"], signer.pem().as_bytes());
                    assert!(!taken.succeeded(), "the registry takes {form}");
                    (form.to_owned(), desk.push(|payload| message(&signer, payload).armored()))
                })
                .into()
            },
        ),
        chains(
            "f11-not-signed-by-authority",
            "The authority did not sign the certificate that names it.",
            "untrusted-chain",
            [("a stranger did", || {
                let stranger = Entity::root_with(Key::named("f11 stranger"), company().sub.certificate.clone());
                vec![Entity { der: company().sub.der.clone(), ..stranger }]
            })],
        ),
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
        chains(
            "f14-authority-expired",
            "The authority above has expired.",
            "key-expired",
            [("expired", || {
                vec![
                    company()
                        .root
                        .issue(Certificate { until: "20250101000000Z", ..Certificate::authority("f14 expired") }),
                ]
            })],
        ),
        chains(
            "f14-authority-not-yet",
            "The authority above is valid in years to come.",
            "untrusted-chain",
            [("not yet", || {
                vec![company().root.issue(Certificate {
                    from: "20480101000000Z",
                    until: "20490101000000Z",
                    ..Certificate::authority("f14 early")
                })]
            })],
        ),
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
