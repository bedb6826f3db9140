//! Sections G and H, and what of M is about time: who is there, and since when. The server's clock decides.

use crate::bench::{Answer, Bench, MAIN, Update};
use crate::object::{Kind, Object};
use crate::signer::SshKey;
use crate::vector::Vector;

pub fn vectors() -> Vec<Vector> {
    let mut vectors = people();
    vectors.extend(receipts());
    vectors.extend(dates());
    vectors
}

const TOPIC: &str = "refs/heads/topic";

/// An active person with an SSH key that nobody else has. The id is the vector's, so that it is theirs alone.
fn hired(bench: &Bench<'_>, id: &str, seed: u8) -> SshKey {
    let key = SshKey::seeded(seed);
    bench.lab.employ(id);
    bench.lab.must_sync(&["key", "add", id, "--ssh", "-"], key.line().as_bytes());
    key
}

fn fingerprint(bench: &Bench<'_>, id: &str) -> String {
    let listed = bench.lab.must_sync(&["key", "list", id, "--format", "json"], b"");
    let at = listed.stdout.find("SHA256:").expect("a fingerprint");
    listed.stdout[at..].chars().take_while(|c| !matches!(c, '"' | ' ' | '\n')).collect()
}

/// Ends the person's only key.
fn end_key(bench: &Bench<'_>, id: &str, reason: &str) {
    bench.lab.must_sync(&["key", "revoke", &fingerprint(bench, id), "--reason", reason], b"");
}

/// Offboards the person.
fn leaves(bench: &Bench<'_>, id: &str) {
    bench.lab.must_sync(&["kill", id, "--reason", "left"], b"");
}

/// A plain push to main that must pass.
#[track_caller]
fn landed(bench: &Bench<'_>, commit: &Object) -> Answer {
    let answer = bench.to_main(std::slice::from_ref(commit));
    assert!(answer.moved, "refused: {}", answer.said);
    answer
}

/// What is in `main` goes to a new branch.
fn branched(bench: &Bench<'_>, commit: &Object) -> Answer {
    bench.push(&[], &[Update::create(TOPIC, &commit.id)])
}

fn people() -> Vec<Vector> {
    vec![
        Vector::new(
            "g04-own-unproven-address",
            "An address that its owner has, but the registry does not hold for them.",
            "identity-mismatch",
            |bench| {
                let key = hired(bench, "gwen", 10);
                bench.to_main(&[bench.plain("gwens-other-address", &key)])
            },
        ),
        Vector::new(
            "g09-forge-key-from-outside",
            "The forge's own key signs a commit that somebody pushes.",
            "forge-key-outside",
            |bench| {
                let key = SshKey::seeded(11);
                let person = ["person", "add", "forge", "--name", "Forge", "--email", "forge@example.com"];
                bench.lab.must_sync(&[&person[..], &["--kind", "forge"]].concat(), b"");
                bench.lab.must_sync(&["key", "add", "forge", "--ssh", "-"], key.line().as_bytes());
                bench.to_main(&[bench.plain("forge", &key)])
            },
        ),
        Vector::new(
            "g14-no-key-registered",
            "An employee without any key: an address that fits is no signature.",
            "unknown-key",
            |bench| {
                bench.lab.employ("gina");
                bench.to_main(&[bench.plain("gina", &SshKey::seeded(66))])
            },
        ),
        Vector::new("g14-no-key-and-unsigned", "An employee without any key does not sign.", "unsigned", |bench| {
            bench.lab.employ("gus");
            bench.to_main(&[bench.work("gus", &[&bench.base()], false, "work")])
        }),
        Vector::new("g12-killed", "Offboarded a moment ago.", "signer-not-active", |bench| {
            let key = hired(bench, "kim", 12);
            leaves(bench, "kim");
            bench.to_main(&[bench.plain("kim", &key)])
        }),
        Vector::new(
            "h10-retired-key",
            "A key that its owner gave up is still on a disk somewhere.",
            "key-revoked",
            |bench| {
                let key = hired(bench, "hans", 20);
                end_key(bench, "hans", "retired");
                bench.to_main(&[bench.plain("hans", &key)])
            },
        ),
        Vector::new("h10-compromised-key", "A key that was stolen.", "key-compromised", |bench| {
            let key = hired(bench, "hugo", 21);
            end_key(bench, "hugo", "compromised");
            bench.to_main(&[bench.plain("hugo", &key)])
        }),
        Vector::new(
            "h05-backdated-with-a-retired-key",
            "A commit dated long before its key was retired, seen first today.",
            "key-revoked",
            |bench| {
                let key = hired(bench, "hera", 22);
                end_key(bench, "hera", "superseded");
                let old = "tree {tree}\nparent {base}\nauthor {hera=1500000000 +0000}\n\
                           committer {hera=1500000000 +0000}\n{gpgsig}\n\nwork\n";
                bench.to_main(&[bench.signed_by(Kind::Commit, old, &key)])
            },
        ),
    ]
}

/// What a server remembers of its own pushes.
fn receipts() -> Vec<Vector> {
    vec![
        Vector::new(
            "h06-accepted-work-of-a-stolen-key",
            "What a stolen key brought in before does not spread to further refs.",
            "key-compromised",
            |bench| {
                let key = hired(bench, "hope", 23);
                let work = bench.plain("hope", &key);
                landed(bench, &work);
                end_key(bench, "hope", "compromised");
                bench.push(&[], &[Update::create("refs/heads/release/1", &work.id)])
            },
        ),
        Vector::new(
            "h11-rotated-key",
            "Accepted work on a new branch after its key was given up.",
            "accepted",
            |bench| {
                let key = hired(bench, "hilda", 24);
                let work = bench.plain("hilda", &key);
                landed(bench, &work);
                end_key(bench, "hilda", "superseded");
                branched(bench, &work)
            },
        ),
        Vector::new(
            "m12-accepted-work-of-a-leaver",
            "Accepted work on a new branch after its signer left.",
            "accepted",
            |bench| {
                let key = hired(bench, "mona", 25);
                let work = bench.plain("mona", &key);
                landed(bench, &work);
                leaves(bench, "mona");
                branched(bench, &work)
            },
        ),
        Vector::new(
            "m12-new-work-on-accepted-work-of-a-leaver",
            "Life goes on above what a leaver has signed.",
            "accepted",
            |bench| {
                let key = hired(bench, "mike", 26);
                let work = bench.plain("mike", &key);
                landed(bench, &work);
                leaves(bench, "mike");
                let next = bench.work("alice", &[&work.id], true, "on top");
                let update = Update::change(MAIN, &work.id, &next.id);
                bench.push(&[next], &[update])
            },
        ),
        Vector::new(
            "h12-receipt-of-a-refused-push",
            "A push that was refused leaves no receipt that would help after the signer has left.",
            "signer-not-active",
            |bench| {
                let key = hired(bench, "hank", 27);
                let work = bench.plain("hank", &key);
                let unsigned = bench.work("alice", &[&work.id], false, "spoils it");
                let refused = bench.to_main(&[work.clone(), unsigned]);
                assert!(!refused.moved, "{}", refused.said);
                leaves(bench, "hank");
                bench.to_main(&[work])
            },
        ),
        Vector::new(
            "h12-receipt-of-another-repository",
            "Work accepted in one repository is new in every other.",
            "signer-not-active",
            |bench| {
                let key = hired(bench, "holly", 28);
                let work = bench.plain("holly", &key);
                let other = Bench::new(bench.lab, "h12-receipt-of-another-repository-first");
                landed(&other, &work);
                leaves(bench, "holly");
                bench.to_main(&[work])
            },
        ),
    ]
}

/// Dates in commits are written by whoever makes them.
fn dates() -> Vec<Vector> {
    let dated = |who: &str, parent: &str, seconds: u64, signed: bool| {
        let signature = if signed { "{gpgsig}\n" } else { "" };
        format!(
            "tree {{tree}}\nparent {parent}\nauthor {{{who}={seconds} +0000}}\ncommitter {{{who}={seconds} +0000}}\n\
             {signature}\nwork\n"
        )
    };
    vec![
        Vector::new(
            "h13-older-than-its-parents",
            "An unsigned commit of 1970 between commits of today, where a walk by date would stop.",
            "unsigned",
            move |bench| {
                let old = bench.object(Kind::Commit, &dated("alice", "{base}", 1, false));
                let new = bench.object(Kind::Commit, &dated("alice", &old.id, 1_750_000_000, true));
                bench.to_main(&[old, new])
            },
        ),
        Vector::new(
            "h13-behind-many-old-commits",
            "An unsigned commit behind a hundred signed ones that are dated before all that is there.",
            "unsigned",
            move |bench| {
                let mut commits = vec![bench.object(Kind::Commit, &dated("alice", "{base}", 1_700_000_500, false))];
                for number in 0..100 {
                    let parent = commits.last().map(|commit| commit.id.clone()).unwrap_or_default();
                    commits.push(bench.object(Kind::Commit, &dated("alice", &parent, 1_000 + number, true)));
                }
                bench.to_main(&commits)
            },
        ),
        Vector::new(
            "h02-commit-of-tomorrow",
            "A commit dated a day ahead of the server's clock.",
            "time-skew",
            move |bench| {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
                bench.to_main(&[bench.object(Kind::Commit, &dated("alice", "{base}", now.as_secs() + 86_400, true))])
            },
        ),
    ]
}
