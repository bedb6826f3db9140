//! Section F, the names: whom a certificate speaks for, and in which spelling.

use crate::bench::Answer;
use crate::desk::{must_be, vector};
use crate::strict::Strict;
use crate::vector::{Expected, Vector};
use crate::x509::{company, leaf_of, message, registered, trust};
use crate::x509_lists::House;
use crate::x509_maker::{
    COMMON_NAME, Certificate, EMAIL_ADDRESS, Entity, Message, mail, name_of, names, oid, tlv, usage,
};
use std::sync::Arc;

pub fn vectors(strict: &Arc<Strict>) -> Vec<Vector> {
    [persons(strict), spellings(strict)].into_iter().flatten().collect()
}

/// A push with a leaf that has these alternative names, written by the vector's person.
fn named(house: &House<'_>, all: &[Vec<u8>]) -> Answer {
    let leaf = house.sub.issue(leaf_of(&house.desk).only(vec![usage(&[0]), names(all)]));
    house.push(&leaf)
}

fn own(house: &House<'_>) -> Vec<u8> {
    mail(format!("{}@example.com", house.desk.who))
}

fn persons(strict: &Arc<Strict>) -> Vec<Vector> {
    vec![
        vector(
            "f20-registered",
            "A registered certificate, and somebody else's commit.",
            "identity-mismatch",
            |desk| {
                let leaf = registered(desk);
                desk.push_as("alice", |payload| message(&leaf, payload).armored())
            },
        ),
        vector(
            "f20-free-certificate",
            "A stranger's certificate in the victim's name, by a root that is registered.",
            "unknown-key",
            |desk| {
                trust(desk, &company().root);
                let leaf = company().sub.issue(Certificate::leaf("f20 stranger", "alice@example.com"));
                desk.push_as("alice", |payload| message(&leaf, payload).armored())
            },
        ),
        House::vector(
            strict,
            "f20-by-name",
            "The certificate names the signer, the commit somebody else.",
            "identity-mismatch",
            |house| {
                let leaf = house.leaf();
                house.good("good", &leaf);
                house.desk.push_as("alice", |payload| Message::of(&leaf, &[&house.sub], payload).armored())
            },
        ),
        House::vector(
            strict,
            "f20-other-root",
            "The victim's name by a root that nobody registered.",
            "untrusted-chain",
            |house| {
                let root = Entity::root(Certificate::authority("f20 free root"));
                let leaf = root.issue(leaf_of(&house.desk));
                house.desk.push(|payload| Message::of(&leaf, &[&root], payload).armored())
            },
        ),
        House::forms(
            strict,
            "f20-two-persons",
            "A certificate for two persons, or for one and a stranger.",
            "identity-mismatch",
            |house| {
                let bob = mail("bob@example.com");
                let stranger = mail("stranger@elsewhere.example");
                vec![
                    ("two persons".to_owned(), named(house, &[own(house), bob.clone()])),
                    ("the other way round".to_owned(), named(house, &[bob, own(house)])),
                    ("a stranger".to_owned(), named(house, &[own(house), stranger])),
                ]
            },
        ),
        House::forms(
            strict,
            "f20-nobody",
            "A name that nobody here has, or somebody who left.",
            "unknown-key",
            |house| {
                ["stranger@elsewhere.example", "nobody@example.com"]
                    .map(|address| (address.to_owned(), named(house, &[mail(address)])))
                    .into()
            },
        ),
        House::vector(strict, "f20-left", "The certificate of somebody who has left.", "signer-not-active", |house| {
            let leaf = house.leaf();
            house.good("before", &leaf);
            house.desk.bench.lab.must_sync(&["kill", house.desk.who, "--reason", "left"], b"");
            house.push(&leaf)
        }),
        House::forms(
            strict,
            "f21-subject-only",
            "The address stands in the subject, where nobody checks it.",
            "identity-mismatch",
            |house| {
                let address = format!("{}@example.com", house.desk.who);
                let subjects = [
                    (
                        "emailAddress",
                        name_of(&[(COMMON_NAME, tlv(0x0c, b"x")), (EMAIL_ADDRESS, tlv(0x16, address.as_bytes()))]),
                    ),
                    ("common name", name_of(&[(COMMON_NAME, tlv(0x0c, address.as_bytes()))])),
                    ("user id", name_of(&[("0.9.2342.19200300.100.1.1", tlv(0x0c, house.desk.who.as_bytes()))])),
                ];
                subjects
                    .map(|(form, subject)| {
                        let leaf = Certificate { subject, ..leaf_of(&house.desk) }.only(vec![usage(&[0])]);
                        (form.to_owned(), house.push(&house.sub.issue(leaf)))
                    })
                    .into()
            },
        ),
        House::vector(
            strict,
            "f21-subject-differs",
            "The subject names a victim, the alternative name the signer: the latter counts.",
            "accepted",
            |house| {
                let subject =
                    name_of(&[(COMMON_NAME, tlv(0x0c, b"alice")), (EMAIL_ADDRESS, tlv(0x16, b"alice@example.com"))]);
                house.push(&house.sub.issue(Certificate { subject, ..leaf_of(&house.desk) }))
            },
        ),
    ]
}

fn spellings(strict: &Arc<Strict>) -> Vec<Vector> {
    vec![
        House::forms(
            strict,
            "f22-bytes",
            "NUL and other bytes that no address has: what stands before is not read alone.",
            "malformed-signature",
            |house| {
                let who = house.desk.who;
                ["\0", "\0.evil.example", "\n", "\r", " ", "\t", "\x1b[31m", "\x7f"]
                    .iter()
                    .flat_map(|bytes| {
                        [
                            format!("{who}@example.com{bytes}"),
                            format!("{bytes}{who}@example.com"),
                            format!("{who}{bytes}@example.com"),
                        ]
                    })
                    .map(|address| (format!("{address:?}"), named(house, &[mail(address)])))
                    .collect()
            },
        ),
        House::forms(
            strict,
            "f22-not-ascii",
            "Letters beyond ASCII, as they are and as bytes of another encoding.",
            "malformed-signature",
            |house| {
                let who = house.desk.who;
                let texts = [
                    format!("{who}@ex\u{e4}mple.com").into_bytes(),
                    format!("{who}@example.com\u{202e}").into_bytes(),
                    [who.as_bytes(), b"\xff@example.com"].concat(),
                ];
                texts
                    .map(|address| {
                        (String::from_utf8_lossy(&address).escape_debug().to_string(), named(house, &[mail(address)]))
                    })
                    .into()
            },
        ),
        House::forms(
            strict,
            "f22-other-addresses",
            "Addresses that are near to the person's: with a dot, a plus, another domain, in punycode.",
            "unknown-key",
            |house| {
                let who = house.desk.who;
                [
                    format!("{who}@example.com."),
                    format!("{who}+x@example.com"),
                    format!("{who}@sub.example.com"),
                    format!("{who}@example.co"),
                    format!("{who}@xn--exmple-cua.com"),
                    format!("\"{who}\"@example.com"),
                    format!("{who}@evil@example.com"),
                    format!("<{who}@example.com>"),
                    who.to_owned(),
                    "@example.com".to_owned(),
                    String::new(),
                ]
                .map(|address| (address.clone(), named(house, &[mail(address)])))
                .into()
            },
        ),
        House::forms(
            strict,
            "f22-letters",
            "Addresses compare without regard to upper and lower case, as everywhere.",
            "accepted",
            |house| {
                let address = format!("{}@Example.COM", house.desk.who);
                let leaf = house.sub.issue(leaf_of(&house.desk).only(vec![usage(&[0]), names(&[mail(&address)])]));
                vec![(address, house.push_to("domain", &leaf))]
            },
        ),
        House::forms(
            strict,
            "f22-other-kinds",
            "The address as another kind of name: SmtpUTF8, a user's principal name, a host, a URL.",
            "identity-mismatch",
            |house| {
                let address = format!("{}@example.com", house.desk.who);
                let other = |id: &str| tlv(0xa0, &[oid(id), tlv(0xa0, &tlv(0x0c, address.as_bytes()))].concat());
                let kinds = [
                    ("SmtpUTF8Mailbox", other("1.3.6.1.5.5.7.8.9")),
                    ("user principal name", other("1.3.6.1.4.1.311.20.2.3")),
                    ("host", tlv(0x82, b"example.com")),
                    ("URL", tlv(0x86, format!("mailto:{address}").as_bytes())),
                ];
                kinds.map(|(form, kind)| (form.to_owned(), named(house, &[kind]))).into()
            },
        ),
        House::vector(strict, "f22-no-name", "No alternative name at all.", "identity-mismatch", |house| {
            let leaf = house.sub.issue(leaf_of(&house.desk).only(vec![usage(&[0])]));
            let answer = house.push(&leaf);
            must_be(Expected::Denied("identity-mismatch"), "nameless", &answer);
            answer
        }),
    ]
}
