//! Sections B and I, and what of M is about refs: which refs move where, and what lies behind them.

use crate::bench::{Answer, Bench, MAIN, Update};
use crate::object::{Kind, Object};
use crate::vector::Vector;

pub fn vectors() -> Vec<Vector> {
    let mut vectors = tags();
    vectors.extend(presence());
    vectors.extend(moves());
    vectors.extend(names());
    vectors.extend(channels());
    vectors.extend(accepted());
    vectors
}

const TOPIC: &str = "refs/heads/topic";

/// A signed tag by Alice of what is named.
fn tag(bench: &Bench<'_>, name: &str, target: &str, kind: &str) -> Object {
    let text = format!("object {target}\ntype {kind}\ntag {name}\ntagger {{alice}}\n\nrelease\n{{signature}}\n");
    bench.object(Kind::Tag, &text)
}

/// A push that must pass before the one that matters.
#[track_caller]
fn passes(answer: &Answer) {
    assert!(answer.moved, "refused: {}", answer.said);
}

fn tags() -> Vec<Vector> {
    let mut vectors = vec![
        Vector::new("b01-lightweight", "A tag that is only a name for a commit.", "unsigned", |bench| {
            bench.push(&[], &[Update::create("refs/tags/v1", &bench.base())])
        }),
        Vector::new("b09-lightweight-tag-of-a-blob", "A tag that names a file.", "tag-target", |bench| {
            let blob = Object::new(bench.format(), Kind::Blob, "no commit\n");
            bench.to_tag("v1", &[blob])
        }),
        Vector::new("b08-chain", "A tag of a tag of a tag, and so on for 100 links.", "tag-target", |bench| {
            let mut tags = vec![tag(bench, "v1", &bench.base(), "commit")];
            for _ in 0..100 {
                let last = tags.last().map(|tag| tag.id.clone()).unwrap_or_default();
                tags.push(tag(bench, "v1", &last, "tag"));
            }
            bench.to_tag("v1", &tags)
        }),
        Vector::new("b08-unsigned-link", "A signed tag of an unsigned tag.", "unsigned", |bench| {
            let text = "object {base}\ntype commit\ntag v1\ntagger {alice}\n\nrelease\n";
            let inner = bench.object(Kind::Tag, text);
            let outer = tag(bench, "v1", &inner.id, "tag");
            bench.to_tag("v1", &[inner, outer])
        }),
        Vector::new("b12-deleted", "A release tag is taken away.", "ref-denied", |bench| {
            let release = tag(bench, "v1", &bench.base(), "commit");
            passes(&bench.to_tag("v1", std::slice::from_ref(&release)));
            bench.push(&[], &[Update::delete("refs/tags/v1", &release.id)])
        }),
        Vector::new(
            "b12-deleted-and-made-anew-in-one-push",
            "A release tag is taken away and another of its name set in its place.",
            "ref-denied",
            |bench| {
                let (release, work) =
                    (tag(bench, "v1", &bench.base(), "commit"), bench.work("alice", &[&bench.base()], true, "x"));
                passes(&bench.to_tag("v1", std::slice::from_ref(&release)));
                let again = tag(bench, "v1", &work.id, "commit");
                let updates = [Update::delete("refs/tags/v1", &release.id), Update::create("refs/tags/v1", &again.id)];
                bench.push_by_hand(&[work, again], &updates, &[])
            },
        ),
    ];
    for (name, about, old) in [
        ("b11-moved", "A release tag is moved to newer work.", false),
        ("b11-moved-back", "A release tag is moved to an older commit.", true),
    ] {
        vectors.push(Vector::new(name, about, "ref-denied", move |bench| {
            let work = bench.work("alice", &[&bench.base()], true, "work");
            passes(&bench.to_main(std::slice::from_ref(&work)));
            let (first, second) = if old { (work.id, bench.base()) } else { (bench.base(), work.id) };
            let (first, second) = (tag(bench, "v1", &first, "commit"), tag(bench, "v1", &second, "commit"));
            passes(&bench.to_tag("v1", std::slice::from_ref(&first)));
            let update = Update::change("refs/tags/v1", &first.id, &second.id);
            bench.push(&[second], &[update])
        }));
    }
    vectors
}

/// What is in the store, or was reached some other way, is not accepted for it.
fn presence() -> Vec<Vector> {
    vec![
        Vector::new(
            "i01-unsigned-commit-parked",
            "An unsigned commit stands on a free branch; `rev-list new --not --all` is empty.",
            "unsigned",
            |bench| {
                let parked = bench.work("alice", &[&bench.base()], false, "parked");
                bench.plant(std::slice::from_ref(&parked), &[(TOPIC, &parked.id)]);
                bench.push(&[], &[Update::change(MAIN, &bench.base(), &parked.id)])
            },
        ),
        Vector::new(
            "i01-leavers-commit-parked",
            "Carol's commit stands on a free branch since before she left, but no ledger knows of it.",
            "signer-not-active",
            |bench| {
                let parked = bench.work("carol", &[&bench.base()], true, "parked");
                bench.plant(std::slice::from_ref(&parked), &[(TOPIC, &parked.id)]);
                bench.push(&[], &[Update::change(MAIN, &bench.base(), &parked.id)])
            },
        ),
        Vector::new(
            "i01-parked-under-a-signed-commit",
            "An unsigned commit stands on a free branch; a signed one on top of it goes to main.",
            "unsigned",
            |bench| {
                let parked = bench.work("alice", &[&bench.base()], false, "parked");
                bench.plant(std::slice::from_ref(&parked), &[(TOPIC, &parked.id)]);
                bench.to_main(&[bench.work("alice", &[&parked.id], true, "on top")])
            },
        ),
        Vector::new(
            "i01-main-moved-behind-the-hooks",
            "Somebody moved main itself to an unsigned commit; the next push is asked about it.",
            "unsigned",
            |bench| {
                let parked = bench.work("alice", &[&bench.base()], false, "parked");
                bench.plant(std::slice::from_ref(&parked), &[(MAIN, &parked.id)]);
                let next = bench.work("alice", &[&parked.id], true, "on top");
                let update = Update::change(MAIN, &parked.id, &next.id);
                bench.push(&[next], &[update])
            },
        ),
        Vector::new(
            "i10-replaced-object",
            "A replacement in the store shows a signed commit in place of an unsigned one.",
            "unsigned",
            |bench| {
                let (bad, good) = (
                    bench.work("alice", &[&bench.base()], false, "work"),
                    bench.work("alice", &[&bench.base()], true, "work"),
                );
                let place = format!("refs/replace/{}", bad.id);
                bench.plant(std::slice::from_ref(&good), &[(&place, &good.id)]);
                bench.to_main(&[bad])
            },
        ),
        Vector::new(
            "i11-grafts",
            "A grafts file in the repository hides the unsigned parent of a signed commit.",
            "unsigned",
            |bench| {
                let hidden = bench.work("alice", &[&bench.base()], false, "hidden");
                let top = bench.work("alice", &[&hidden.id], true, "on top");
                let grafts = bench.repository().path.join("info/grafts");
                bench.write(&grafts, &format!("{} {}\n", top.id, bench.base()));
                bench.to_main(&[hidden, top])
            },
        ),
        Vector::new(
            "i11-shallow-file",
            "A shallow file in the repository ends history above the unsigned commit.",
            "unsigned",
            |bench| {
                let hidden = bench.work("alice", &[&bench.base()], false, "hidden");
                let top = bench.work("alice", &[&hidden.id], true, "on top");
                let shallow = bench.repository().path.join("shallow");
                bench.write(&shallow, &format!("{}\n", top.id));
                bench.push_by_hand(
                    &[hidden, top.clone()],
                    &[Update::change(MAIN, &bench.base(), &top.id)],
                    &[("GIT_SHALLOW_FILE", &shallow.to_string_lossy())],
                )
            },
        ),
        Vector::new("i11-missing-parent", "A parent that nobody has.", "missing-object", |bench| {
            let missing = bench.work("alice", &[&bench.base()], true, "never sent");
            bench.to_main(&[bench.work("alice", &[&missing.id], true, "on top")])
        }),
        Vector::new(
            "i18-alternate",
            "The unsigned commit lies in an object store that the repository borrows from, as forks do.",
            "unsigned",
            |bench| {
                let imposter = bench.work("alice", &[&bench.base()], false, "from a fork");
                let fork = bench.empty_repository(&format!("{}-fork", "i18-alternate"));
                let (folder, file) = imposter.id.split_at(2);
                bench.write(
                    &bench.repository().path.join("objects/info/alternates"),
                    &format!("{}\n", fork.path.join("objects").display()),
                );
                std::fs::create_dir_all(fork.path.join("objects").join(folder)).expect("a folder");
                std::fs::write(fork.path.join("objects").join(folder).join(file), imposter.loose()).expect("an object");
                bench.push(&[], &[Update::change(MAIN, &bench.base(), &imposter.id)])
            },
        ),
        Vector::new(
            "i22-review-ref-vouches-for-nothing",
            "An unsigned commit that a review showed and approved goes to main.",
            "unsigned",
            |bench| {
                let shown = bench.work("alice", &[&bench.base()], false, "as reviewed");
                bench.plant(std::slice::from_ref(&shown), &[("refs/pull/1/head", &shown.id)]);
                bench.push(&[], &[Update::change(MAIN, &bench.base(), &shown.id)])
            },
        ),
        Vector::new(
            "a37-content-of-another-id",
            "An object whose content is not what its id says; the hook hashes what it judges, detecting collisions.",
            "malformed-object",
            |bench| {
                let (good, mut bad) = (
                    bench.work("alice", &[&bench.base()], true, "work"),
                    bench.work("alice", &[&bench.base()], true, "other work"),
                );
                bad.id = good.id;
                let update = Update::change(MAIN, &bench.base(), &bad.id);
                bench.push_by_hand(&[bad], &[update], &[])
            },
        ),
    ]
}

/// Where refs may go.
fn moves() -> Vec<Vector> {
    vec![
        Vector::new(
            "i02-new-branch",
            "The old value of a new branch is no reason to look at its tip only.",
            "unsigned",
            |bench| {
                let hidden = bench.work("alice", &[&bench.base()], false, "hidden");
                let top = bench.work("alice", &[&hidden.id], true, "on top");
                let update = Update::create(TOPIC, &top.id);
                bench.push(&[hidden, top], &[update])
            },
        ),
        Vector::new("i02-first-push-to-an-empty-repository", "The very first push.", "unsigned", |bench| {
            let empty = bench.empty_repository("i02-empty");
            let blob = Object::new(bench.format(), Kind::Blob, "hello\n");
            let tree = Object::tree(bench.format(), &[("100644", "README", &blob.id)]);
            let root = bench.work("alice", &[], false, "first");
            let update = Update::create(MAIN, &root.id);
            bench.offer(&empty, &[blob, tree, root], &[update])
        }),
        Vector::new("i03-force-push", "Main is set to a sibling of what it was.", "non-fast-forward", |bench| {
            let (one, two) = (
                bench.work("alice", &[&bench.base()], true, "one"),
                bench.work("alice", &[&bench.base()], true, "two"),
            );
            passes(&bench.to_main(std::slice::from_ref(&one)));
            let update = Update::change(MAIN, &one.id, &two.id);
            bench.push(&[two], &[update])
        }),
        Vector::new("i04-main-deleted", "Main is taken away.", "ref-denied", |bench| {
            bench.push(&[], &[Update::delete(MAIN, &bench.base())])
        }),
        Vector::new(
            "i04-free-branch-made-anew",
            "A free branch may be taken away; what comes back under its name is judged like any other.",
            "unsigned",
            |bench| {
                passes(&bench.push(&[], &[Update::create(TOPIC, &bench.base())]));
                passes(&bench.push(&[], &[Update::delete(TOPIC, &bench.base())]));
                let work = bench.work("alice", &[&bench.base()], false, "work");
                let update = Update::create(TOPIC, &work.id);
                bench.push(&[work], &[update])
            },
        ),
        Vector::new("i05-rollback", "Main goes back to an older signed commit.", "non-fast-forward", |bench| {
            let work = bench.work("alice", &[&bench.base()], true, "a fix");
            passes(&bench.to_main(std::slice::from_ref(&work)));
            bench.push(&[], &[Update::change(MAIN, &work.id, &bench.base())])
        }),
        Vector::new(
            "i06-commit-of-another-branch",
            "A signature binds no ref: a commit from a topic may go to main, its signer being allowed there.",
            "accepted",
            |bench| {
                let work = bench.work("bob", &[&bench.base()], true, "work");
                passes(&bench.push(std::slice::from_ref(&work), &[Update::create(TOPIC, &work.id)]));
                bench.push(&[], &[Update::change(MAIN, &bench.base(), &work.id)])
            },
        ),
        Vector::new("i07-only-the-tip-is-signed", "Nine unsigned commits below a signed one.", "unsigned", |bench| {
            let mut commits = Vec::new();
            let mut parent = bench.base();
            for number in 0..10 {
                let commit = bench.work("alice", &[&parent], number == 9, &format!("work {number}"));
                parent = commit.id.clone();
                commits.push(commit);
            }
            bench.to_main(&commits)
        }),
        Vector::new(
            "i08-unsigned-side-of-a-merge",
            "A signed merge whose second parent is not signed.",
            "unsigned",
            |bench| {
                let side = bench.work("alice", &[&bench.base()], false, "side");
                let merge = bench.work("alice", &[&bench.base(), &side.id], true, "merge");
                bench.to_main(&[side, merge])
            },
        ),
        Vector::new(
            "i08-unsigned-last-parent-of-an-octopus",
            "The last of twenty parents is not signed.",
            "unsigned",
            |bench| {
                let mut sides: Vec<Object> = (0..20)
                    .map(|number| bench.work("alice", &[&bench.base()], number != 19, &format!("side {number}")))
                    .collect();
                let base = bench.base();
                let parents: Vec<&str> =
                    std::iter::once(&base).chain(sides.iter().map(|side| &side.id)).map(String::as_str).collect();
                let merge = bench.work("alice", &parents, true, "merge");
                sides.push(merge);
                bench.to_main(&sides)
            },
        ),
        Vector::new(
            "i09-older-than-the-cut-over",
            "An unsigned commit dated long before the hook was installed.",
            "unsigned",
            |bench| {
                let old = "tree {tree}\nparent {base}\nauthor {alice=1000000000 +0000}\n\
                           committer {alice=1000000000 +0000}\n\nold work\n";
                bench.to_main(&[bench.object(Kind::Commit, old)])
            },
        ),
        Vector::new(
            "i16-one-bad-of-many",
            "Twenty new branches, the last of them unsigned: none is made.",
            "unsigned",
            |bench| {
                let commits: Vec<Object> = (0..20)
                    .map(|number| bench.work("alice", &[&bench.base()], number != 19, &format!("work {number}")))
                    .collect();
                let name = |number: usize| format!("refs/heads/topic-{number}");
                let updates: Vec<Update> = commits
                    .iter()
                    .enumerate()
                    .map(|(number, commit)| Update::create(&name(number), &commit.id))
                    .collect();
                let mut answer = bench.push(&commits, &updates);
                answer.moved |= (0..20).any(|number| bench.tip(&name(number)).is_some());
                answer
            },
        ),
        Vector::new(
            "i23-old-value-is-stale",
            "Two pushes to main began at once: git's lock refuses the second, whatever the hook thought of it.",
            "accepted",
            |bench| {
                let (one, two) = (
                    bench.work("alice", &[&bench.base()], true, "one"),
                    bench.work("bob", &[&bench.base()], true, "two"),
                );
                passes(&bench.to_main(std::slice::from_ref(&one)));
                let late = bench.to_main(std::slice::from_ref(&two));
                assert_eq!(bench.tip(MAIN).as_ref(), Some(&one.id), "a stale push moved main: {}", late.said);
                let merge = bench.work("bob", &[&one.id, &two.id], true, "merge");
                let update = Update::change(MAIN, &one.id, &merge.id);
                bench.push(&[two, merge], &[update])
            },
        ),
        Vector::new(
            "i24-vendor-merge",
            "A signed merge of foreign history, whose signers nobody knows here.",
            "unknown-key",
            |bench| {
                let mut commits = vec![bench.work("mallory", &[&bench.base()], true, "vendor 0")];
                for number in 1..30 {
                    let parent = commits.last().map(|commit| commit.id.clone()).unwrap_or_default();
                    commits.push(bench.work("mallory", &[&parent], true, &format!("vendor {number}")));
                }
                let tip = commits.last().map(|commit| commit.id.clone()).unwrap_or_default();
                commits.push(bench.work("alice", &[&bench.base(), &tip], true, "merge"));
                bench.to_main(&commits)
            },
        ),
    ]
}

/// Names of refs, and namespaces that nobody may write.
fn names() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, reference, expected) in [
        ("i10-replace-ref", "refs/replace/ce013625030ba8dba906f756967f9e9ca394464a", "unknown-namespace"),
        ("i13-notes", "refs/notes/commits", "unknown-namespace"),
        ("i13-meta", "refs/meta/config", "unknown-namespace"),
        ("i13-foo", "refs/foo", "unknown-namespace"),
        ("i13-foo-bar", "refs/foo/bar", "unknown-namespace"),
        ("i13-pull", "refs/pull/1/head", "unknown-namespace"),
        ("i13-merge-request", "refs/merge-requests/1/head", "unknown-namespace"),
        ("i13-changes", "refs/changes/01/1/1", "unknown-namespace"),
        ("i13-remotes", "refs/remotes/origin/main", "unknown-namespace"),
        ("i13-stash", "refs/stash", "unknown-namespace"),
        ("i13-keep-around", "refs/keep-around/1", "unknown-namespace"),
        ("i13-countersign-policy", "refs/countersign/policy", "unknown-namespace"),
        ("i13-outside-refs", "HEAD", "unknown-namespace"),
        ("i15-leading-hyphen", "refs/heads/-x", "accepted"),
        ("i15-option", "refs/heads/--upload-pack=touch", "accepted"),
        ("i15-percent-newline", "refs/heads/%0a", "accepted"),
        ("i15-quotes", "refs/heads/'\"`id`$(id);&|", "accepted"),
        ("i15-not-ascii", "refs/heads/ветка-🦀", "accepted"),
        ("i15-control-character", "refs/heads/x\u{1b}[31m", "ref-denied"),
        ("i15-dots", "refs/heads/../../config", "ref-denied"),
        ("i15-lock", "refs/heads/x.lock", "ref-denied"),
    ] {
        let about = format!("A signed commit goes to {}.", reference.escape_debug());
        vectors.push(Vector::new(name, &about, expected, move |bench| {
            let work = bench.work("alice", &[&bench.base()], true, "work");
            let update = Update::create(reference, &work.id);
            bench.push(&[work], &[update])
        }));
    }
    for (name, reference) in [
        ("i13-for-review-unsigned", "refs/for/main"),
        ("i15-unsigned-percent-newline", "refs/heads/%0a%1b%5b31m"),
        ("i15-unsigned-direction-turned", "refs/heads/\u{202e}niam"),
        ("i15-unsigned-quotes", "refs/heads/'\"`id`$(id);&|"),
    ] {
        let about = format!("An unsigned commit goes to {}; the name is shown harmlessly.", reference.escape_debug());
        vectors.push(Vector::new(name, &about, "unsigned", move |bench| {
            let work = bench.work("alice", &[&bench.base()], false, "work");
            let update = Update::create(reference, &work.id);
            bench.push(&[work], &[update])
        }));
    }
    vectors
}

/// Ways around the hook, and words that ask it to look away.
fn channels() -> Vec<Vector> {
    vec![
        Vector::new(
            "i19-update-ref",
            "A ref moved on the server itself, as a forge's web merge does, is judged in the transaction.",
            "unsigned",
            |bench| {
                let work = bench.work("alice", &[&bench.base()], false, "work");
                bench.plant(std::slice::from_ref(&work), &[]);
                bench.on_the_server(&["update-ref", MAIN, &work.id], &Update::change(MAIN, &bench.base(), &work.id))
            },
        ),
        Vector::new(
            "i19-fetch",
            "A mirror fetch into the repository is judged in the transaction.",
            "unsigned",
            |bench| {
                let work = bench.work("alice", &[&bench.base()], false, "work");
                bench.plant(std::slice::from_ref(&work), &[("refs/elsewhere/main", &work.id)]);
                let path = bench.repository().path.to_string_lossy().into_owned();
                bench.on_the_server(
                    &["fetch", "--quiet", &path, "+refs/elsewhere/main:refs/heads/main"],
                    &Update::change(MAIN, &bench.base(), &work.id),
                )
            },
        ),
        Vector::new("i20-push-options", "Push options that ask to be let through.", "unsigned", |bench| {
            let work = bench.work("alice", &[&bench.base()], false, "work");
            let update = Update::change(MAIN, &bench.base(), &work.id);
            let path = bench.repository().path.to_string_lossy().into_owned();
            bench.must_git(&["-C", &path, "config", "receive.advertisePushOptions", "true"]);
            bench.push_with_options(&[work], &[update], &["skip", "ci.skip", "countersign=off", "no-verify"])
        }),
        Vector::new(
            "i21-push-certificate-signs-no-commit",
            "A push certificate with a good signature and a fresh nonce around an unsigned commit.",
            "unsigned",
            |bench| certified(bench, "OK"),
        ),
        Vector::new(
            "i21-push-certificate-replayed",
            "A push certificate whose nonce is stale says nothing either.",
            "unsigned",
            |bench| certified(bench, "BAD"),
        ),
    ]
}

fn certified(bench: &Bench<'_>, nonce: &str) -> Answer {
    let work = bench.work("alice", &[&bench.base()], false, "work");
    let update = Update::change(MAIN, &bench.base(), &work.id);
    let base = bench.base();
    bench.push_by_hand(
        &[work],
        &[update],
        &[
            ("GIT_PUSH_CERT", base.as_str()),
            ("GIT_PUSH_CERT_SIGNER", "Alice <alice@example.com>"),
            ("GIT_PUSH_CERT_KEY", "SHA256:x"),
            ("GIT_PUSH_CERT_STATUS", "G"),
            ("GIT_PUSH_CERT_NONCE", "1"),
            ("GIT_PUSH_CERT_NONCE_STATUS", nonce),
        ],
    )
}

fn accepted() -> Vec<Vector> {
    vec![
        Vector::new("m14-branch-deleted", "A free branch is taken away.", "accepted", |bench| {
            passes(&bench.push(&[], &[Update::create(TOPIC, &bench.base())]));
            bench.push(&[], &[Update::delete(TOPIC, &bench.base())])
        }),
        Vector::new("m14-branch-without-new-commits", "A new branch of what is there.", "accepted", |bench| {
            bench.push(&[], &[Update::create(TOPIC, &bench.base())])
        }),
        Vector::new("m14-only-a-tag", "A signed tag and nothing else.", "accepted", |bench| {
            let release = tag(bench, "v1", &bench.base(), "commit");
            bench.to_tag("v1", &[release])
        }),
        Vector::new("m14-tag-of-a-tag", "A signed tag of a signed tag.", "accepted", |bench| {
            let inner = tag(bench, "v1", &bench.base(), "commit");
            let outer = tag(bench, "v1", &inner.id, "tag");
            bench.to_tag("v1", &[inner, outer])
        }),
        Vector::new(
            "m14-branch-and-tag-at-once",
            "A release: the commit, then its tag, in two pushes.",
            "accepted",
            |bench| {
                let work = bench.work("alice", &[&bench.base()], true, "work");
                passes(&bench.to_main(std::slice::from_ref(&work)));
                let release = tag(bench, "v1", &work.id, "commit");
                bench.to_tag("v1", &[release])
            },
        ),
    ]
}
