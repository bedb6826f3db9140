//! Section L: what costs the server much and the pusher little.

use crate::bench::{Bench, MAIN, Update};
use crate::desk::vector;
use crate::object::{Kind, Object, chained_pack};
use crate::openpgp_maker::Subpacket;
use crate::signer::{Signer, SshKey, Sshsig, armored};
use crate::vector::Vector;
use crate::x509::{message, registered};

/// More than `limits.commits` allows.
const TOO_MANY_COMMITS: usize = 200_001;
/// More than `limits.refs` allows.
const TOO_MANY_REFS: usize = 20_001;

pub fn vectors() -> Vec<Vector> {
    vec![
        Vector::new(
            "l01-message-of-100-mb",
            "A message of 100 MB, which is 100 KB on the wire.",
            "limit-exceeded",
            |bench| bench.to_main(&[with_message(bench, &"a".repeat(100_000_000))]),
        ),
        Vector::new(
            "l01-message-over-the-limit",
            "A signed message a little longer than the limit.",
            "limit-exceeded",
            |bench| bench.to_main(&[with_message(bench, &"a".repeat(1024 * 1024))]),
        ),
        Vector::new("l01-signature-of-100-mb", "A signature block of 100 MB.", "limit-exceeded", |bench| {
            bench.to_main(&[with_signature(bench, &"A".repeat(70), 1_400_000)])
        }),
        Vector::new("l01-signature-over-the-limit", "A signature block of 200 KB.", "limit-exceeded", |bench| {
            bench.to_main(&[with_signature(bench, &"A".repeat(70), 2_900)])
        }),
        Vector::new("l01-tag-of-100-mb", "A tag whose message is 100 MB.", "limit-exceeded", |bench| {
            let text = "object {base}\ntype commit\ntag v1\ntagger {alice}\n\n{times:a*100000000}\n{signature}\n";
            bench.to_tag("v1", &[bench.object(Kind::Tag, text)])
        }),
        Vector::new("l01-100000-headers", "A commit with 100,000 headers of its own.", "limit-exceeded", |bench| {
            let text = "tree {tree}\nparent {base}\nauthor {alice}\ncommitter {alice}\n{gpgsig}\n{times:note x y z\n*100000}\nwork\n";
            bench.to_main(&[bench.object(Kind::Commit, text)])
        }),
        Vector::new("l01-10000-parents", "A commit with 10,000 parents.", "limit-exceeded", |bench| {
            let base = bench.base();
            let parents = vec![base.as_str(); 10_000];
            bench.to_main(&[bench.work("alice", &parents, true, "merge")])
        }),
        Vector::new(
            "l03-200001-commits",
            "One commit more in a line than a push may bring.",
            "limit-exceeded",
            |bench| bench.to_main(&line(bench, TOO_MANY_COMMITS)),
        ),
        Vector::new(
            "l05-blob-bomb",
            "A file of 500 MB, 500 KB on the wire: the hook reads no files.",
            "accepted",
            |bench| {
                let bomb = Object::new(bench.format(), Kind::Blob, vec![0; 500_000_000]);
                let tree = Object::tree(bench.format(), &[("100644", "bomb", &bomb.id)]);
                let text = format!(
                    "tree {}\nparent {{base}}\nauthor {{alice}}\ncommitter {{alice}}\n{{gpgsig}}\n\nwork\n",
                    tree.id
                );
                let commit = bench.object(Kind::Commit, &text);
                bench.to_main(&[bomb, tree, commit])
            },
        ),
        Vector::new(
            "l06-delta-chain",
            "3,000 commits, each stored as a change to the one before.",
            "unsigned",
            |bench| {
                let commits = line(bench, 3_000);
                let pack = chained_pack(bench.format(), &commits);
                let new = commits.last().map(|commit| commit.id.clone()).unwrap_or_default();
                bench.offer_pack(bench.repository(), &commits, &pack, &[Update::change(MAIN, &bench.base(), &new)])
            },
        ),
        Vector::new("l07-20001-refs", "One ref more than a push may update.", "limit-exceeded", |bench| {
            let base = bench.base();
            let updates: Vec<Update> =
                (0..TOO_MANY_REFS).map(|number| Update::create(&format!("refs/heads/t/{number}"), &base)).collect();
            bench.push(&[], &updates)
        }),
        crate::openpgp::signed(
            "l09-thousands-of-notations",
            "A signature with 2,000 notations.",
            "limit-exceeded",
            |_, signature| {
                signature.hashed.extend(vec![Subpacket::notation(b"n@example.com", b"v"); 2_000]);
            },
        ),
        Vector::new(
            "l11-signature-cut-anywhere",
            "160 commits whose signatures end after 0, 1, 2, … bytes.",
            "malformed-signature",
            |bench| {
                let text = "tree {tree}\nparent {base}\nauthor {alice}\ncommitter {alice}\n{gpgsig}\n\nwork\n";
                let commits: Vec<Object> =
                    (0..160).map(|length| bench.signed_by(Kind::Commit, text, &Cut(length))).collect();
                let name = |number| format!("refs/heads/topic-{number}");
                let updates: Vec<Update> = commits
                    .iter()
                    .enumerate()
                    .map(|(number, commit)| Update::create(&name(number), &commit.id))
                    .collect();
                let answer = bench.push(&commits, &updates);
                let other: Vec<&String> = answer.findings.iter().filter(|id| *id != "malformed-signature").collect();
                assert!(other.is_empty(), "{other:?}: {}", answer.said);
                answer
            },
        ),
        vector("l13-100-x509-signatures", "100 commits that gpgsm must look at, in one push.", "accepted", |desk| {
            let leaf = registered(desk);
            let sign = |payload: &[u8]| message(&leaf, payload).armored();
            desk.push_chain(&[&sign as _; 100])
        }),
        Vector::new("l12-white-space", "An armour with 10 MB of white space.", "limit-exceeded", |bench| {
            bench.to_main(&[with_signature(bench, &" ".repeat(70), 143_000)])
        }),
        Vector::new("l12-one-endless-line", "An armour of one line of 10 MB.", "limit-exceeded", |bench| {
            bench.to_main(&[with_signature(bench, &"A".repeat(10_000_000), 1)])
        }),
        Vector::new(
            "l12-one-line-below-the-limit",
            "An armour of one line of 120 KB.",
            "malformed-signature",
            |bench| bench.to_main(&[with_signature(bench, &"A".repeat(120_000), 1)]),
        ),
    ]
}

/// A commit of Alice's with this message.
fn with_message(bench: &Bench<'_>, message: &str) -> Object {
    bench.work("alice", &[&bench.base()], true, message)
}

/// A commit whose armoured block is this line, many times.
fn with_signature(bench: &Bench<'_>, line: &str, lines: usize) -> Object {
    bench.plain_with_block("alice", |_| {
        let text = format!("{line}\n").repeat(lines);
        format!("-----BEGIN SSH SIGNATURE-----\n{text}-----END SSH SIGNATURE-----\n")
    })
}

/// Unsigned commits, one on the other.
fn line(bench: &Bench<'_>, count: usize) -> Vec<Object> {
    let (tree, mut parent) = (bench.tree(), bench.base());
    let who = format!("Alice <alice@example.com> {} +0000", countersign_tests::handmade::DATE);
    let mut commits = Vec::with_capacity(count);
    for number in 0..count {
        let text = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nwork {number}\n");
        let commit = Object::new(bench.format(), Kind::Commit, text);
        parent = commit.id.clone();
        commits.push(commit);
    }
    commits
}

/// Alice's signature, of which only the first bytes arrive.
struct Cut(usize);

impl Signer for Cut {
    fn sign(&self, payload: &[u8]) -> String {
        let blob = Sshsig::of(&SshKey::seeded(1), payload).blob();
        armored("SSH SIGNATURE", blob.get(..self.0).expect("fewer bytes than the signature has"), 70)
    }
}
