//! Section F, the messages: what a CMS signature says of itself, and what its signer signed.
//! Chains are in `x509_chains.rs`, names in `x509_names.rs`, revocation in `x509_lists.rs`.

use crate::bench::Answer;
use crate::desk::{Desk, forms, must_be, vector};
use crate::object::{Kind, Object};
use crate::vector::{Expected, Vector};
use crate::x509_maker::{
    Certificate, DATA, Entity, Key, MESSAGE_DIGEST, Message, SIGNED_DATA, SIGNING_TIME, SignerInfo, algorithm,
    attribute, block, content_type, integer, message_digest, null, octets, oid, seq, set, sha256, signing_time, tlv,
};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA512, digest};
use countersign_tests::handmade::DATE;
use std::sync::OnceLock;

pub fn vectors() -> Vec<Vector> {
    [certificates_only(), content(), attributes(), times(), parsers(), signers()].into_iter().flatten().collect()
}

/// The authorities that most vectors rest on.
pub struct Company {
    pub root: Entity,
    pub sub: Entity,
}

pub fn company() -> &'static Company {
    static COMPANY: OnceLock<Company> = OnceLock::new();
    COMPANY.get_or_init(|| {
        let root = Entity::root(Certificate::authority("Corpus root"));
        let sub = root.issue(Certificate::authority("Corpus authority"));
        Company { root, sub }
    })
}

/// Registers the root; that it is there already is fine.
pub fn trust(desk: &Desk<'_>, root: &Entity) {
    desk.bench.lab.must_sync(&["key", "add", "--x509-root", "-"], root.pem().as_bytes());
}

/// What the person's certificate says.
pub fn leaf_of(desk: &Desk<'_>) -> Certificate {
    Certificate::leaf(desk.who, &format!("{}@example.com", desk.who))
}

/// The person's certificate under the company's root, registered.
pub fn registered(desk: &Desk<'_>) -> Entity {
    let leaf = company().sub.issue(leaf_of(desk));
    under_company(desk, &leaf);
    leaf
}

pub fn under_company(desk: &Desk<'_>, leaf: &Entity) {
    trust(desk, &company().root);
    desk.register("--x509", leaf.pem());
}

/// A message by the leaf with the company's authority beside it.
pub fn message<'a>(leaf: &'a Entity, payload: &[u8]) -> Message<'a> {
    Message::of(leaf, &[&company().sub], payload)
}

/// Pushes what is a good message but for this change.
pub fn changed(desk: &Desk<'_>, leaf: &Entity, change: &(dyn Fn(&mut Message<'_>, &[u8]) + Send + Sync)) -> Answer {
    desk.push(|payload| {
        let mut made = message(leaf, payload);
        change(&mut made, payload);
        made.armored()
    })
}

pub type Change = (&'static str, Box<dyn Fn(&mut Message<'_>, &[u8]) + Send + Sync>);

/// A vector of changes to a message that is good without them.
pub fn changes(name: &'static str, about: &str, expected: &'static str, all: fn() -> Vec<Change>) -> Vector {
    forms(name, about, expected, move |desk| {
        let leaf = registered(desk);
        desk.good("good", |payload| message(&leaf, payload).armored());
        all().into_iter().map(|(form, change)| (form.to_owned(), changed(desk, &leaf, &change))).collect()
    })
}

pub fn change(form: &'static str, change: impl Fn(&mut Message<'_>, &[u8]) + Send + Sync + 'static) -> Change {
    (form, Box::new(change))
}

/// The same for the one signer.
pub fn of_signer(form: &'static str, to_signer: impl Fn(&mut SignerInfo<'_>, &[u8]) + Send + Sync + 'static) -> Change {
    change(form, move |made, payload| to_signer(&mut made.signers[0], payload))
}

fn certificates_only() -> Vec<Vector> {
    vec![
        changes(
            "f01-no-signer",
            "Certificates and nobody who signed; gpgsm ends with success.",
            "malformed-signature",
            || {
                vec![
                    change("certificates only", |made, _| made.signers.clear()),
                    change("nothing", |made, _| {
                        made.signers.clear();
                        made.certificates = None;
                    }),
                ]
            },
        ),
        changes("f02-no-certificates", "A signer whose certificate is not there.", "malformed-signature", || {
            vec![
                change("no set", |made, _| made.certificates = None),
                change("an empty set", |made, _| made.certificates = Some(Vec::new())),
                change("the authority's alone", |made, _| made.certificates = Some(vec![company().sub.der.clone()])),
            ]
        }),
        changes("f02-other-certificates", "Something else where certificates belong.", "malformed-signature", || {
            vec![
                change("an attribute certificate", |made, _| {
                    made.certificates.as_mut().expect("a set").push(tlv(0xa1, &seq(&[&integer(&[1])])))
                }),
                change("another format", |made, _| {
                    made.certificates.as_mut().expect("a set").push(tlv(0xa3, &[oid("1.2.3.4"), null()].concat()))
                }),
                change("a number", |made, _| made.certificates.as_mut().expect("a set").push(integer(&[1]))),
                change("an empty certificate", |made, _| made.certificates.as_mut().expect("a set").push(seq(&[]))),
            ]
        }),
        changes(
            "f02-two-certificates",
            "Two certificates fit what the signer says of its own.",
            "malformed-signature",
            || {
                vec![change("a twin", |made, _| {
                    let twin = company().sub.issue_for(Key::named("a twin"), made.signers[0].by.certificate.clone());
                    made.certificates.as_mut().expect("a set").push(twin.der);
                })]
            },
        ),
    ]
}

fn content() -> Vec<Vector> {
    vec![
        changes("f03-content-inside", "The message brings content of its own.", "malformed-signature", || {
            let inside = |bytes: &[u8]| seq(&[&oid(DATA), &tlv(0xa0, &octets(bytes))]);
            vec![
                change("the commit itself", move |made, payload| made.content = inside(payload)),
                change("something else", move |made, _| {
                    made.content = inside(b"tree of another commit\n");
                    made.signers[0].attributes.as_mut().expect("attributes")[2] =
                        message_digest(&sha256(b"tree of another commit\n"));
                }),
                change("nothing", move |made, _| made.content = inside(b"")),
                change("in parts", |made, payload| {
                    made.content = seq(&[&oid(DATA), &tlv(0xa0, &tlv(0x24, &octets(payload)))])
                }),
            ]
        }),
        changes("f03-content-type", "The message is about something else than data.", "malformed-signature", || {
            ["1.2.840.113549.1.9.16.1.4", SIGNED_DATA, "1.3.6.1.4.1.311.2.1.4"]
                .map(|id| change(id, move |made, _| made.content = seq(&[&oid(id)])))
                .into()
        }),
        forms(
            "f03-other-messages",
            "CMS messages that are no signature: data, an envelope, a digest.",
            "malformed-signature",
            |desk| {
                let leaf = registered(desk);
                [
                    DATA,
                    "1.2.840.113549.1.7.3",
                    "1.2.840.113549.1.7.5",
                    "1.2.840.113549.1.7.6",
                    "1.2.840.113549.1.9.16.1.2",
                ]
                .map(|id| {
                    let sign = |payload: &[u8]| {
                        let good = message(&leaf, payload).der();
                        let at = 4 + oid(SIGNED_DATA).len();
                        block(&seq(&[&oid(id), &good[at..]]))
                    };
                    (id.to_owned(), desk.push(sign))
                })
                .into()
            },
        ),
    ]
}

fn attributes() -> Vec<Vector> {
    vec![
        changes(
            "f06-no-attributes",
            "A true signature over the commit itself, without signed attributes.",
            "malformed-signature",
            || {
                vec![of_signer("no attributes", |signer, payload| {
                    signer.attributes = None;
                    signer.over = Some(payload.to_vec());
                })]
            },
        ),
        changes(
            "f06-signed-otherwise",
            "Signed attributes are there, but the signature is over something else.",
            "bad-signature",
            || {
                vec![
                    of_signer("over the commit", |signer, payload| signer.over = Some(payload.to_vec())),
                    of_signer("over its digest", |signer, payload| signer.over = Some(sha256(payload))),
                    of_signer("over the attributes as they are written", |signer, _| {
                        signer.over = Some(tlv(0xa0, &signer.attributes.clone().expect("attributes").concat()));
                    }),
                    of_signer("over the attributes in their wrong order", |signer, _| {
                        let attributes = signer.attributes.as_mut().expect("attributes");
                        attributes.reverse();
                        signer.over = Some(tlv(0x31, &attributes.concat()));
                    }),
                    of_signer("over one attribute less", |signer, _| {
                        signer.over = Some(set(&signer.attributes.as_ref().expect("attributes")[1..]));
                    }),
                    of_signer("over nothing", |signer, _| signer.over = Some(Vec::new())),
                ]
            },
        ),
        vector(
            "f06-attributes-as-commit",
            "The attributes of a true signature, offered as the commit that was signed.",
            "malformed-object",
            |desk| {
                let leaf = registered(desk);
                let signer = SignerInfo::of(&leaf, b"a true commit");
                let attributes = set(&signer.attributes.expect("attributes"));
                desk.bench.to_main(&[Object::new(desk.bench.format(), Kind::Commit, attributes)])
            },
        ),
        changes("f06-no-attribute", "An empty set of attributes.", "malformed-signature", || {
            vec![of_signer("empty", |signer, _| signer.attributes = Some(Vec::new()))]
        }),
        changes("f07-digest", "The attribute names another digest than the commit's.", "bad-signature", || {
            let with = |form, bytes: fn(&[u8]) -> Vec<u8>| {
                of_signer(form, move |signer, payload| {
                    signer.attributes.as_mut().expect("attributes")[2] = message_digest(&bytes(payload));
                })
            };
            vec![
                with("of another commit", |_| sha256(b"another")),
                with("the first half", |payload| sha256(payload)[..16].to_vec()),
                with("one byte", |payload| sha256(payload)[..1].to_vec()),
                with("empty", |_| Vec::new()),
                with("and a byte more", |payload| [sha256(payload), vec![0]].concat()),
                with("over SHA-512", |payload| digest(&SHA512, payload).as_ref().to_vec()),
                with("over SHA-1", |payload| digest(&SHA1_FOR_LEGACY_USE_ONLY, payload).as_ref().to_vec()),
            ]
        }),
        changes("f07-digest-forms", "The digest is missing, twice there, or no bytes.", "malformed-signature", || {
            let with = |form, values: fn(&[u8]) -> Vec<Vec<u8>>| {
                of_signer(form, move |signer, payload| {
                    let attributes = signer.attributes.as_mut().expect("attributes");
                    attributes.truncate(2);
                    attributes.extend(values(payload));
                })
            };
            vec![
                with("missing", |_| Vec::new()),
                with("twice", |payload| vec![message_digest(&sha256(payload)); 2]),
                with("two of them", |payload| {
                    vec![message_digest(&sha256(payload)), message_digest(&sha256(b"other"))]
                }),
                with("two values", |payload| {
                    vec![attribute(MESSAGE_DIGEST, &[octets(&sha256(payload)), octets(&sha256(b"other"))])]
                }),
                with("no value", |_| vec![attribute(MESSAGE_DIGEST, &[])]),
                with("a text", |payload| {
                    vec![attribute(MESSAGE_DIGEST, &[tlv(0x0c, hex::encode(sha256(payload)).as_bytes())])]
                }),
                with("a sequence", |payload| vec![attribute(MESSAGE_DIGEST, &[seq(&[&octets(&sha256(payload))])])]),
            ]
        }),
        changes(
            "f07-content-type",
            "The content type is missing, twice there, or not data.",
            "malformed-signature",
            || {
                let with = |form, values: fn() -> Vec<Vec<u8>>| {
                    of_signer(form, move |signer, _| {
                        let attributes = signer.attributes.as_mut().expect("attributes");
                        attributes.remove(0);
                        attributes.extend(values());
                    })
                };
                vec![
                    with("missing", Vec::new),
                    with("signed data", || vec![content_type(SIGNED_DATA)]),
                    with("a timestamp", || vec![content_type("1.2.840.113549.1.9.16.1.4")]),
                    with("twice", || vec![content_type(DATA); 2]),
                    with("data and a timestamp", || {
                        vec![attribute(crate::x509_maker::CONTENT_TYPE, &[oid(DATA), oid("1.2.840.113549.1.9.16.1.4")])]
                    }),
                    with("no type", || vec![attribute(crate::x509_maker::CONTENT_TYPE, &[octets(b"data")])]),
                ]
            },
        ),
        changes("f07-transplant", "The whole signature is one over another commit.", "bad-signature", || {
            vec![change("another commit", |made, _| {
                let by = made.signers[0].by;
                made.signers = vec![SignerInfo::of(by, b"another commit")];
            })]
        }),
        changes(
            "f07-bit",
            "One bit of the signature is another, or it is empty, or another key's.",
            "bad-signature",
            || {
                let signed =
                    |signer: &SignerInfo<'_>| signer.by.key.sign(&set(signer.attributes.as_ref().expect("attributes")));
                vec![
                    of_signer("a bit", move |signer, _| {
                        let mut signature = signed(signer);
                        *signature.last_mut().expect("a byte") ^= 1;
                        signer.signature = Some(signature);
                    }),
                    of_signer("empty", |signer, _| signer.signature = Some(Vec::new())),
                    of_signer("by the authority", |signer, _| {
                        let over = set(signer.attributes.as_ref().expect("attributes"));
                        signer.signature = Some(company().sub.key.sign(&over));
                    }),
                ]
            },
        ),
    ]
}

fn times() -> Vec<Vector> {
    vec![
        changes(
            "f16-no-time",
            "No signing time; gpgsm calls it 1970. It is judged at the server's time.",
            "accepted",
            || vec![of_signer("none", |signer, _| drop(signer.attributes.as_mut().expect("attributes").remove(1)))],
        ),
        changes("f16-future", "A signing time that is still to come.", "time-skew", || {
            [("2040", 2_208_988_800), ("2051", 2_556_144_000), ("9999", 253_402_300_000)]
                .map(|(form, unix)| {
                    of_signer(form, move |signer, _| {
                        signer.attributes.as_mut().expect("attributes")[1] = signing_time(unix)
                    })
                })
                .into()
        }),
        changes("f16-time-forms", "Two signing times, or one that is no time.", "malformed-signature", || {
            let with = |form, values: fn() -> Vec<Vec<u8>>| {
                of_signer(form, move |signer, _| {
                    let attributes = signer.attributes.as_mut().expect("attributes");
                    attributes.remove(1);
                    attributes.extend(values());
                })
            };
            vec![
                with("twice", || vec![signing_time(DATE); 2]),
                with("two of them", || vec![signing_time(DATE), signing_time(DATE + 1)]),
                with("none in it", || vec![attribute(SIGNING_TIME, &[])]),
                with("a number", || vec![attribute(SIGNING_TIME, &[integer(&[1])])]),
                with("no date", || vec![attribute(SIGNING_TIME, &[tlv(0x17, b"991332250000Z")])]),
                with("a local time", || vec![attribute(SIGNING_TIME, &[tlv(0x17, b"231114221320+0100")])]),
            ]
        }),
    ]
}

fn parsers() -> Vec<Vector> {
    vec![
        vector("f32-truncated", "The message, cut off at each of many places.", "malformed-signature", |desk| {
            let leaf = registered(desk);
            // Shorter than every such message, since an ECDSA signature has one of several lengths.
            let cut = |length: usize| {
                let leaf = &leaf;
                move |payload: &[u8]| block(&message(leaf, payload).der()[..length])
            };
            desk.push_each("malformed-signature", &(1..1000).step_by(7).map(cut).collect::<Vec<_>>())
        }),
        forms(
            "f32-lengths",
            "Lengths that are longer than what there is, written in a longer way, or never end.",
            "malformed-signature",
            |desk| {
                let leaf = registered(desk);
                let with = |form: &str, change: &(dyn Fn(&[u8]) -> Vec<u8> + Send + Sync)| {
                    (form.to_owned(), desk.push(|payload| block(&change(&message(&leaf, payload).der()))))
                };
                let other = |length: &'static [u8]| move |der: &[u8]| [&[0x30], length, &der[4..]].concat();
                vec![
                    with("4 GB", &other(&[0x84, 0xff, 0xff, 0xff, 0xff])),
                    with("2^63", &other(&[0x88, 0x80, 0, 0, 0, 0, 0, 0, 0])),
                    with("127 bytes of length", &other(&[0xff])),
                    with("one more than there is", &|der| {
                        let length = u16::try_from(der.len() - 3).expect("a short message").to_be_bytes();
                        [&[0x30, 0x82], length.as_slice(), &der[4..]].concat()
                    }),
                    with("never ending", &other(&[0x80])),
                    with("nested without end", &|_| [0x30, 0x80].repeat(30_000)),
                    with("a byte behind", &|der| [der, &[0]].concat()),
                    with("twice", &|der| [der, der].concat()),
                    with("another tag", &|der| [&[0x31], &der[1..]].concat()),
                    with("a long tag", &|der| [&[0x3f, 0x81, 0x81, 0x81, 0x81, 0x81, 1], &der[1..]].concat()),
                    with("all zeros", &|_| vec![0; 5000]),
                    with("all ones", &|_| vec![0xff; 5000]),
                ]
            },
        ),
        changes("f32-too-many", "More certificates than anybody needs, or more bytes.", "limit-exceeded", || {
            vec![
                change("eleven certificates", |made, _| {
                    let more = (0..9).map(|number| {
                        company().root.issue(Certificate::authority(&format!("one of many {number}"))).der
                    });
                    made.certificates.as_mut().expect("a set").extend(more);
                }),
                change("70,000 bytes", |made, _| {
                    made.signers[0].unsigned = vec![attribute("1.2.3.4", &[octets(&[7; 70_000])])]
                }),
            ]
        }),
        changes(
            "f32-names",
            "Names and numbers in a certificate that are no names and numbers.",
            "malformed-signature",
            || {
                let more = |form, der: fn() -> Vec<u8>| {
                    change(form, move |made, _| made.certificates.as_mut().expect("a set").push(der()))
                };
                vec![
                    more("a name that is no name", || {
                        let subject = seq(&[&set(&[seq(&[&oid("2.5.4.3")])])]);
                        company().root.issue(Certificate { subject, ..Certificate::authority("nameless") }).der
                    }),
                    more("an extension twice", || {
                        let twice = Certificate::authority("twice").with(crate::x509_maker::authority(Some(3)));
                        company().root.issue(twice).der
                    }),
                    more("an extension that is garbage", || {
                        let garbage =
                            crate::x509_maker::extension("2.5.29.30", true, &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]);
                        company().root.issue(Certificate::authority("garbage").with(garbage)).der
                    }),
                    more("two algorithms", || {
                        let twin = company().root.issue(Certificate::authority("two algorithms"));
                        let at = twin
                            .der
                            .windows(10)
                            .rposition(|window| window == algorithm("1.2.840.10045.4.3.2").get(2..12).expect("an id"));
                        let mut der = twin.der;
                        der[at.expect("the outer algorithm") + 9] = 3;
                        der
                    }),
                ]
            },
        ),
    ]
}

fn signers() -> Vec<Vector> {
    vec![
        changes(
            "f33-two-signers",
            "Two signers: the same twice, two that are good, a good and a bad one, in either order.",
            "multiple-signatures",
            || {
                let again = |form, more: fn(&SignerInfo<'_>, &[u8]) -> Vec<u8>| {
                    change(form, move |made, payload| {
                        let by = made.signers[0].by;
                        let mut second = SignerInfo::of(by, payload);
                        second.signature = Some(more(&second, payload));
                        made.signers.push(second);
                    })
                };
                vec![
                    again("both good", |signer, _| {
                        signer.by.key.sign(&set(signer.attributes.as_ref().expect("attributes")))
                    }),
                    again("one bad", |_, _| vec![0x30, 6, 2, 1, 1, 2, 1, 1]),
                    again("one empty", |_, _| Vec::new()),
                    change("the authority too", |made, payload| {
                        made.signers.push(SignerInfo::of(&company().sub, payload))
                    }),
                    change("three", |made, payload| {
                        let by = made.signers[0].by;
                        made.signers.extend([SignerInfo::of(by, payload), SignerInfo::of(by, b"other")]);
                    }),
                ]
            },
        ),
        forms(
            "f33-one-of-two-commits",
            "Two commits in one push, one signature good and one not: one good answer is not enough.",
            "bad-signature",
            |desk| {
                let leaf = registered(desk);
                let good = |payload: &[u8]| message(&leaf, payload).armored();
                let bad = |_: &[u8]| message(&leaf, b"another commit").armored();
                vec![
                    ("the bad one last".to_owned(), desk.push_chain(&[&good, &bad])),
                    ("the bad one first".to_owned(), desk.push_chain(&[&bad, &good])),
                ]
            },
        ),
        vector("f33-both-commits", "Two commits in one push, both good.", "accepted", |desk| {
            let leaf = registered(desk);
            let good = |payload: &[u8]| message(&leaf, payload).armored();
            let answer = desk.push_chain(&[&good, &good]);
            must_be(Expected::Accepted, "both", &answer);
            answer
        }),
    ]
}
