//! Section F, revocation: lists that the operator keeps, in the installation whose policy asks for them.

use crate::bench::{Answer, Bench, Update};
use crate::desk::{Desk, forms, must_be, vector};
use crate::strict::Strict;
use crate::vector::{Expected, Vector};
use crate::x509::{leaf_of, trust};
use crate::x509_maker::{
    Certificate, Entity, Key, List, Message, authority, extension, integer, null, octets, oid, seq, tlv, usage,
};
use std::sync::{Arc, OnceLock};

/// A vector's own authority in the strict installation, under a root whose list revokes nobody.
pub struct House<'a> {
    pub desk: Desk<'a>,
    pub sub: Entity,
    strict: &'a Strict,
}

fn root() -> &'static Entity {
    static ROOT: OnceLock<Entity> = OnceLock::new();
    ROOT.get_or_init(|| Entity::root(Certificate::authority("Strict root")))
}

impl<'a> House<'a> {
    /// An authority whose list is there and revokes nobody.
    fn new(bench: &'a Bench<'a>, strict: &'a Strict, who: &'a str) -> House<'a> {
        let desk = Desk::new(bench, who);
        trust(&desk, root());
        let house = House { sub: root().issue(Certificate::authority(&format!("{who} authority"))), desk, strict };
        house.publish("root", &root().list(&List::empty()));
        house.publish(who, &house.sub.list(&List::empty()));
        house
    }

    /// A vector that is tried there.
    pub fn vector(
        strict: &Arc<Strict>,
        name: &'static str,
        about: &str,
        expected: &str,
        attempt: impl Fn(&House<'_>) -> Answer + Send + Sync + 'static,
    ) -> Vector {
        let strict = strict.clone();
        Vector::new(name, about, expected, move |_| {
            let bench = strict.bench(name);
            attempt(&House::new(&bench, &strict, name))
        })
    }

    /// The same in several forms.
    pub fn forms(
        strict: &Arc<Strict>,
        name: &'static str,
        about: &str,
        expected: &'static str,
        attempt: impl Fn(&House<'_>) -> Vec<(String, Answer)> + Send + Sync + 'static,
    ) -> Vector {
        let strict = strict.clone();
        forms(name, about, expected, move |desk| {
            let bench = strict.bench(desk.who);
            attempt(&House::new(&bench, &strict, desk.who))
        })
    }

    /// Puts a revocation list into the operator's folder, whole at once.
    pub fn publish(&self, name: &str, list: &[u8]) {
        let folder = self.strict.lists();
        let draft = folder.join(format!("{name}.{}", self.desk.who));
        std::fs::write(&draft, list).expect("a list");
        std::fs::rename(draft, folder.join(format!("{name}.crl"))).expect("a list");
    }

    pub fn withdraw(&self, name: &str) {
        std::fs::remove_file(self.strict.lists().join(format!("{name}.crl"))).expect("the list");
    }

    /// The person's certificate by the vector's authority. Its name speaks for the registration.
    pub fn leaf(&self) -> Entity {
        self.sub.issue(leaf_of(&self.desk))
    }

    pub fn push(&self, leaf: &Entity) -> Answer {
        self.desk.push(|payload| Message::of(leaf, &[&self.sub], payload).armored())
    }

    /// To a branch of this name.
    pub fn push_to(&self, branch: &str, leaf: &Entity) -> Answer {
        let sign = |payload: &[u8]| Message::of(leaf, &[&self.sub], payload).armored();
        let commit = self.desk.bench.plain_with_block(self.desk.who, sign);
        let update = Update::create(&format!("refs/heads/{branch}"), &commit.id);
        self.desk.bench.push(&[commit], &[update])
    }

    #[track_caller]
    pub fn good(&self, branch: &str, leaf: &Entity) {
        must_be(Expected::Accepted, branch, &self.push_to(branch, leaf));
    }

    /// What is said with these lists of the authority's in place of its good one, one after the other.
    fn with_lists(&self, leaf: &Entity, lists: Vec<(&str, Vec<u8>)>) -> Vec<(String, Answer)> {
        let answers = lists.into_iter().map(|(form, list)| {
            self.publish(self.desk.who, &list);
            (form.to_owned(), self.push(leaf))
        });
        answers.collect()
    }
}

pub fn vectors(strict: &Arc<Strict>) -> Vec<Vector> {
    [revoked(strict), unknown(strict), parts(strict), garbage(strict)].into_iter().flatten().collect()
}

fn revoked(strict: &Arc<Strict>) -> Vec<Vector> {
    vec![
        House::forms(
            strict,
            "f17-revoked",
            "Its authority revoked it, for each reason that there is.",
            "key-revoked",
            |house| {
                let leaf = house.leaf();
                house.good("before", &leaf);
                let reasons = [0, 1, 2, 3, 4, 5, 6, 9, 10];
                let lists = reasons.map(|reason| ("a reason", house.sub.list(&List::revoking(&leaf, reason))));
                house.with_lists(&leaf, lists.into())
            },
        ),
        House::vector(
            strict,
            "f17-authority-revoked",
            "The root revoked the authority above it.",
            "key-revoked",
            |house| {
                let leaf = house.leaf();
                house.good("before", &leaf);
                let own = Entity::root(Certificate::authority("f17 root"));
                trust(&house.desk, &own);
                let sub = own.issue(Certificate::authority("f17 revoked authority"));
                house.publish("f17-root", &own.list(&List::revoking(&sub, 2)));
                house.publish("f17-sub", &sub.list(&List::empty()));
                let leaf = sub.issue(leaf_of(&house.desk));
                house.desk.push(|payload| Message::of(&leaf, &[&sub], payload).armored())
            },
        ),
        House::forms(
            strict,
            "f17-old-list",
            "The list that revokes it is past its time, or one among others that do not: revoked is revoked.",
            "key-revoked",
            |house| {
                let leaf = house.leaf();
                house.good("before", &leaf);
                let old = List { from: "20200101000000Z", until: "20210101000000Z", ..List::revoking(&leaf, 1) };
                house.publish("f17-old-list-more", &house.sub.list(&old));
                let beside = house.push(&leaf);
                house.withdraw("f17-old-list-more");
                let mut answers = house.with_lists(&leaf, vec![("alone", house.sub.list(&old))]);
                answers.push(("beside a good one".to_owned(), beside));
                answers
            },
        ),
        House::vector(
            strict,
            "f17-registered-too",
            "Registered to the person, and revoked by its authority.",
            "key-revoked",
            |house| {
                let leaf = house.leaf();
                house.desk.register("--x509", leaf.pem());
                house.publish(house.desk.who, &house.sub.list(&List::revoking(&leaf, 4)));
                house.push(&leaf)
            },
        ),
        House::vector(
            strict,
            "f17-list-of-a-namesake",
            "A list by another key under the authority's name revokes nobody.",
            "accepted",
            |house| {
                let leaf = house.leaf();
                let namesake = Entity::root_with(Key::named("f17 namesake"), house.sub.certificate.clone());
                house.publish("f17-namesake", &namesake.list(&List::revoking(&leaf, 1)));
                house.push(&leaf)
            },
        ),
    ]
}

fn unknown(strict: &Arc<Strict>) -> Vec<Vector> {
    vec![
        House::forms(
            strict,
            "f18-missing",
            "No list of its authority, or none of the one above.",
            "revocation-unknown",
            |house| {
                let leaf = house.leaf();
                house.good("before", &leaf);
                house.withdraw(house.desk.who);
                let without = house.push(&leaf);
                let low = house.sub.issue(Certificate::authority("f18 low authority"));
                house.publish("f18-low", &low.list(&List::empty()));
                let below = low.issue(leaf_of(&house.desk));
                let above = house.desk.push(|payload| Message::of(&below, &[&low, &house.sub], payload).armored());
                vec![("its authority's".to_owned(), without), ("the one above".to_owned(), above)]
            },
        ),
        House::forms(
            strict,
            "f18-stale",
            "A list that is past its next update, older than the policy believes, or of tomorrow.",
            "revocation-unknown",
            |house| {
                let leaf = house.leaf();
                let list = |from, until| house.sub.list(&List { from, until, ..List::empty() });
                let lists = vec![
                    ("past its next update", list("20200101000000Z", "20210101000000Z")),
                    ("older than the policy believes", list("19900101000000Z", "20490101000000Z")),
                    ("of tomorrow", list("20480101000000Z", "20490101000000Z")),
                ];
                house.with_lists(&leaf, lists)
            },
        ),
        House::forms(
            strict,
            "f18-forged",
            "A list that its authority did not sign, may not sign, or signed over a weak hash.",
            "revocation-unknown",
            |house| {
                let leaf = house.leaf();
                let mut changed = house.sub.list(&List::empty());
                *changed.last_mut().expect("a byte") ^= 1;
                let namesake = Entity::root_with(Key::named("f18 namesake"), house.sub.certificate.clone());
                let mut weak = house.sub.list(&List::empty());
                // SHA-224 has a name of the same length.
                let (new, old) = (
                    crate::x509_maker::algorithm("1.2.840.10045.4.3.2"),
                    crate::x509_maker::algorithm("1.2.840.10045.4.3.1"),
                );
                while let Some(at) = weak.windows(new.len()).position(|window| window == new) {
                    weak[at..at + old.len()].copy_from_slice(&old);
                }
                let mut answers = house.with_lists(
                    &leaf,
                    vec![
                        ("a bit", changed),
                        ("a namesake", namesake.list(&List::empty())),
                        ("a weak hash", weak),
                        ("no list", b"-----BEGIN X509 CRL-----\n".to_vec()),
                    ],
                );
                let certificate = Certificate::authority("f18 no lists").only(vec![authority(None), usage(&[5])]);
                let silent = root().issue(certificate);
                house.publish("f18-silent", &silent.list(&List::empty()));
                let below = silent.issue(leaf_of(&house.desk));
                let may_not = house.desk.push(|payload| Message::of(&below, &[&silent], payload).armored());
                answers.push(("an authority that may not".to_owned(), may_not));
                answers
            },
        ),
        House::vector(
            strict,
            "f18-list-in-message",
            "The signer brings a list along that clears it: only the operator's count.",
            "revocation-unknown",
            |house| {
                let leaf = house.leaf();
                house.withdraw(house.desk.who);
                let list = house.sub.list(&List::empty());
                house.desk.push(|payload| {
                    let mut made = Message::of(&leaf, &[&house.sub], payload);
                    made.lists = vec![list.clone()];
                    made.armored()
                })
            },
        ),
        vector(
            "f18-no-folder",
            "The folder of lists is gone; nothing is said of the key.",
            "revocation-unknown",
            |desk| {
                let strict = Strict::default();
                let bench = strict.bench(desk.who);
                let house = House::new(&bench, &strict, desk.who);
                let leaf = house.leaf();
                house.good("before", &leaf);
                std::fs::remove_dir_all(strict.lists()).expect("the folder");
                house.push(&leaf)
            },
        ),
    ]
}

const DISTRIBUTION_POINTS: &str = "2.5.29.31";
const ISSUING_POINT: &str = "2.5.29.28";

/// `fullName` of one URL.
fn place(url: &str) -> Vec<u8> {
    tlv(0xa0, &tlv(0xa0, &tlv(0x86, url.as_bytes())))
}

/// `cRLDistributionPoints`
fn points(urls: &[&str]) -> Vec<u8> {
    let all: Vec<u8> = urls.iter().flat_map(|url| seq(&[&place(url)])).collect();
    extension(DISTRIBUTION_POINTS, false, &tlv(0x30, &all))
}

/// `issuingDistributionPoint`
fn part(fields: &[u8]) -> Vec<u8> {
    extension(ISSUING_POINT, true, &tlv(0x30, fields))
}

fn parts(strict: &Arc<Strict>) -> Vec<Vector> {
    let two_places = |house: &House<'_>| {
        let leaf = house
            .sub
            .issue(leaf_of(&house.desk).with(points(&["http://lists.example/one", "http://lists.example/two"])));
        let clear = |url: &str| house.sub.list(&List { extensions: vec![part(&place(url))], ..List::empty() });
        house.publish(house.desk.who, &clear("http://lists.example/two"));
        house.good("before", &leaf);
        leaf
    };
    vec![
        House::forms(
            strict,
            "f19-second-point",
            "The list of its second distribution point revokes it, while the first one's does not.",
            "key-revoked",
            move |house| {
                let leaf = two_places(house);
                let first = List { extensions: vec![part(&place("http://lists.example/one"))], ..List::empty() };
                house.publish("f19-first", &house.sub.list(&first));
                let revoking = |url: &str| {
                    house.sub.list(&List { extensions: vec![part(&place(url))], ..List::revoking(&leaf, 1) })
                };
                let lists = vec![
                    ("the second", revoking("http://lists.example/two")),
                    ("the first", revoking("http://lists.example/one")),
                    ("a third, to which it does not point", revoking("http://lists.example/three")),
                ];
                house.with_lists(&leaf, lists)
            },
        ),
        House::forms(
            strict,
            "f19-revoking-parts",
            "Lists of a part, of some reasons, with changes only, or with a critical extension: each revokes.",
            "key-revoked",
            move |house| {
                let leaf = two_places(house);
                let lists = odd_parts().into_iter().map(|(form, extension)| {
                    (form, house.sub.list(&List { extensions: vec![extension], ..List::revoking(&leaf, 1) }))
                });
                house.with_lists(&leaf, lists.collect())
            },
        ),
        House::forms(
            strict,
            "f19-clearing-parts",
            "The same lists without its number: none of them clears it.",
            "revocation-unknown",
            move |house| {
                let leaf = two_places(house);
                let lists = odd_parts().into_iter().map(|(form, extension)| {
                    (form, house.sub.list(&List { extensions: vec![extension], ..List::empty() }))
                });
                house.with_lists(&leaf, lists.collect())
            },
        ),
    ]
}

/// Extensions that make a list speak of less than everything.
fn odd_parts() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("another place", part(&place("http://lists.example/three"))),
        ("a place that begins alike", part(&place("http://lists.example/tw"))),
        ("authorities only", part(&tlv(0x82, &[0xff]))),
        ("attribute certificates only", part(&tlv(0x85, &[0xff]))),
        ("some reasons", part(&tlv(0x83, &[6, 0x40]))),
        ("for others too", part(&tlv(0x84, &[0xff]))),
        ("a part that is garbage", part(&[2, 1, 1])),
        ("changes only", extension("2.5.29.27", true, &integer(&[1]))),
        ("an extension of nobody", extension("1.2.3.4", true, &null())),
    ]
}

fn garbage(strict: &Arc<Strict>) -> Vec<Vector> {
    vec![House::vector(
        strict,
        "f32-garbage-lists",
        "Garbage among the lists is no list, and harms nobody who needs none of it.",
        "accepted",
        |house| {
            let leaf = house.leaf();
            let good = house.sub.list(&List::revoking(&house.leaf(), 1));
            let deep = [0x30, 0x80].repeat(20_000);
            // As in CVE-2022-3515 and CVE-2022-47629: lengths that overflow when something is added.
            let huge = [&[0x30, 0x88], [0xff; 8].as_slice(), &good[4..]].concat();
            let inner =
                seq(&[&integer(&[1]), &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &oid("1.2.3.4"), &octets(&[0; 64])]);
            let all: [(&str, &[u8]); 7] = [
                ("empty", b""),
                ("text", b"nothing of the kind"),
                ("cut", &good[..good.len() / 2]),
                ("trailing", &[good.as_slice(), &[0]].concat()),
                ("deep", &deep),
                ("huge", &huge),
                ("inner", &inner),
            ];
            for (form, bytes) in all {
                house.publish(&format!("f32-{form}"), bytes);
            }
            let answer = house.push(&leaf);
            for (form, _) in all {
                house.withdraw(&format!("f32-{form}"));
            }
            answer
        },
    )]
}
