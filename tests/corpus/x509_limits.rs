//! Section F, what an authority may issue: how deep, and for which names.

use crate::desk::vector;
use crate::vector::Vector;
use crate::x509::{company, leaf_of, trust};
use crate::x509_chains::{chains, under, under_as};
use crate::x509_maker::{Certificate, Entity, Message, authority, extension, mail, name, name_of, seq, tlv, usage};

const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;

/// `nameConstraints`; `permitted` is `0xa0`, `excluded` is `0xa1`.
fn constraint(critical: bool, which: u8, base: &[u8]) -> Vec<u8> {
    extension("2.5.29.30", critical, &seq(&[&tlv(which, &seq(&[base]))]))
}

fn constrained(common: &str, constraint: Vec<u8>) -> Vec<Entity> {
    vec![company().root.issue(Certificate::authority(common).with(constraint))]
}

pub fn vectors() -> Vec<Vector> {
    vec![
        chains(
            "f25-path-length",
            "More authorities below than one above allows.",
            "untrusted-chain",
            [
                ("0 and one below", || {
                    let flat = company()
                        .root
                        .issue(Certificate::authority("f25 flat").only(vec![authority(Some(0)), usage(&[5, 6])]));
                    let below = flat.issue(Certificate::authority("f25 below"));
                    vec![below, flat]
                }),
                ("1 and two below", || {
                    let high = company()
                        .root
                        .issue(Certificate::authority("f25 high").only(vec![authority(Some(1)), usage(&[5, 6])]));
                    let middle = high.issue(Certificate::authority("f25 middle"));
                    let low = middle.issue(Certificate::authority("f25 low"));
                    vec![low, middle, high]
                }),
                ("raised again below", || {
                    let flat = company()
                        .root
                        .issue(Certificate::authority("f25 first").only(vec![authority(Some(0)), usage(&[5, 6])]));
                    let below =
                        flat.issue(Certificate::authority("f25 second").only(vec![authority(Some(9)), usage(&[5, 6])]));
                    vec![below, flat]
                }),
            ],
        ),
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
        chains(
            "f25-mail-permitted",
            "The authority may issue for addresses elsewhere only.",
            "untrusted-chain",
            [
                ("a host", || constrained("f25 host", constraint(true, PERMITTED, &mail("other.example")))),
                ("not critical", || constrained("f25 host lax", constraint(false, PERMITTED, &mail("other.example")))),
                ("an address", || constrained("f25 address", constraint(true, PERMITTED, &mail("alice@example.com")))),
                ("subdomains", || constrained("f25 subdomains", constraint(true, PERMITTED, &mail(".example.com")))),
                ("an empty name", || constrained("f25 empty", constraint(true, PERMITTED, &mail("")))),
            ],
        ),
        chains(
            "f25-mail-excluded",
            "The authority may not issue for addresses here.",
            "untrusted-chain",
            [
                ("a host", || constrained("f25 no host", constraint(true, EXCLUDED, &mail("example.com")))),
                ("in other letters", || constrained("f25 no HOST", constraint(true, EXCLUDED, &mail("EXAMPLE.com")))),
                ("not critical", || constrained("f25 no host lax", constraint(false, EXCLUDED, &mail("example.com")))),
            ],
        ),
        chains(
            "f25-directory",
            "The authority may issue for directory names elsewhere only, or not for this one.",
            "untrusted-chain",
            [
                ("permitted elsewhere", || {
                    constrained("f25 elsewhere", constraint(true, PERMITTED, &tlv(0xa4, &name("somebody else"))))
                }),
                ("excluded", || {
                    constrained("f25 not here", constraint(true, EXCLUDED, &tlv(0xa4, &name("f25-directory"))))
                }),
                ("excluded in other letters", || {
                    constrained("f25 NOT here", constraint(true, EXCLUDED, &tlv(0xa4, &name(" F25-Directory "))))
                }),
                ("excluded as another kind of text", || {
                    let printable = name_of(&[("2.5.4.3", tlv(0x13, b"f25-directory"))]);
                    constrained("f25 printable", constraint(true, EXCLUDED, &tlv(0xa4, &printable)))
                }),
            ],
        ),
        chains(
            "f25-not-understood",
            "A constraint with a depth, which RFC 5280 does not know.",
            "untrusted-chain",
            [
                ("a minimum", || {
                    let base = [mail("example.com"), tlv(0x80, &[1])].concat();
                    constrained("f25 minimum", constraint(true, PERMITTED, &base))
                }),
                ("a maximum", || {
                    let base = [mail("example.com"), tlv(0x81, &[9])].concat();
                    constrained("f25 maximum", constraint(true, PERMITTED, &base))
                }),
            ],
        ),
        vector("f25-constraint-above", "The constraint stands one authority higher.", "untrusted-chain", |desk| {
            let high =
                constrained("f25 high constraint", constraint(true, PERMITTED, &mail("other.example"))).remove(0);
            let low = high.issue(Certificate::authority("f25 low authority"));
            under(desk, &[&low, &high])
        }),
        vector(
            "f25-subject-address",
            "An excluded address stands in the subject, where the constraint has to reach it.",
            "untrusted-chain",
            |desk| {
                let sub = constrained("f25 subject", constraint(true, EXCLUDED, &mail("evil.example"))).remove(0);
                let subject = name_of(&[
                    ("2.5.4.3", tlv(0x0c, b"x")),
                    (crate::x509_maker::EMAIL_ADDRESS, tlv(0x16, b"a@evil.example")),
                ]);
                under_as(desk, Certificate { subject, ..leaf_of(desk) }, &[&sub])
            },
        ),
        chains(
            "f25-fitting",
            "A constraint that is kept; gpgsm takes none that is critical.",
            "accepted",
            [("kept", || {
                let base = constraint(false, PERMITTED, &mail("example.com"));
                constrained("f25 kept", base)
            })],
        ),
        vector(
            "l10-entangled-authorities",
            "Nine authorities of one name that sign each other in every way: the search ends.",
            "untrusted-chain",
            |desk| {
                trust(desk, &company().root);
                let root =
                    Entity::root(Certificate { subject: name("f25 tangle"), ..Certificate::authority("f25 tangle 0") });
                let tangle: Vec<Entity> = (1..9)
                    .map(|number| {
                        root.issue(Certificate {
                            subject: name("f25 tangle"),
                            ..Certificate::authority(&format!("f25 tangle {number}"))
                        })
                    })
                    .collect();
                let leaf = root.issue(leaf_of(desk));
                desk.register("--x509", leaf.pem());
                let with: Vec<&Entity> = tangle.iter().collect();
                desk.push(|payload| Message::of(&leaf, &with, payload).armored())
            },
        ),
    ]
}
