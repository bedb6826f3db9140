//! What no `git push` sends, but a program that speaks its protocol may.

mod common;

use common::Site;
use countersign_tests::handmade::DATE;
use countersign_tests::handmade::object::{self, Format, Object, pack};
use countersign_tests::handmade::signer::{Signer, SshKey};
use countersign_tests::keys::Kind;
use countersign_tests::process::{Outcome, must_with_input, run};
use countersign_tests::servers::{Repository, Server};

const NEVER: &str = "0000000000000000000000000000000000000000";

/// Offers ref updates to `git receive-pack` without a pack, as far as its hooks.
fn offer(site: &Site, repository: &Repository, lines: &[String]) -> Outcome {
    let mut wire = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let capabilities = if number == 0 { "\0report-status" } else { "" };
        wire.extend_from_slice(format!("{:04x}{line}{capabilities}", line.len() + capabilities.len() + 4).as_bytes());
    }
    wire.extend_from_slice(b"0000");
    // An empty pack, which git wants with everything but deletions.
    wire.extend_from_slice(b"PACK\0\0\0\x02\0\0\0\0");
    wire.extend_from_slice(&hex::decode("029d08823bd8a8eab510ad6ac75c823cfd3ed31e").expect("its checksum"));
    let mut git = site.server.unix_user().command("git", site.server.home());
    run(git.arg("receive-pack").arg(&repository.path), &wire)
}

#[test]
fn a_ref_called_like_a_file_of_the_repository_is_denied_and_the_file_not_read() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    let alice = site.member("alice", Kind::SshEd25519, &app);
    let commit = alice.commit("a");
    assert!(site.push(&alice, &["main"]).succeeded());
    for (name, id) in [
        ("config", "unknown-namespace"),
        ("hooks/pre-receive", "unknown-namespace"),
        ("HEAD", "unknown-namespace"),
        ("refs/heads/../../config", "ref-denied"),
        ("refs/heads//main", "ref-denied"),
        ("", "ref-denied"),
        ("refs/heads/a\u{1b}[31m", "ref-denied"),
        ("refs/heads/x.lock", "ref-denied"),
    ] {
        for line in [format!("{NEVER} {commit} {name}"), format!("{commit} {NEVER} {name}")] {
            let answer = offer(&site, &app, std::slice::from_ref(&line));
            assert!(answer.stderr.contains(&format!("[{id}]")), "{line}: {}{}", answer.stderr, answer.stdout);
            assert!(!answer.stderr.contains('\u{1b}'), "{line}: {}", answer.stderr);
        }
    }
}

#[test]
fn no_update_at_all_is_no_push() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    // As where another hook has read what was meant for ours.
    let mut hook = std::process::Command::new(app.path.join("hooks/pre-receive"));
    let answer = run(hook.current_dir(&app.path).env("GIT_DIR", "."), b"");
    assert!(answer.code == Some(2) && answer.stderr.contains("could not be decided"), "{answer:?}");
}

#[test]
fn a_quarantine_that_is_gone_is_not_the_pushers_fault() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    let alice = site.member("alice", Kind::SshEd25519, &app);
    let commit = alice.commit("a");
    let line = format!("{NEVER} {commit} refs/heads/main\n");
    let hook = |name: &str, state: &[&str]| {
        let mut hook = std::process::Command::new(app.path.join("hooks").join(name));
        hook.args(state).current_dir(&app.path).env("GIT_DIR", ".").env("GIT_OBJECT_DIRECTORY", "objects/gone");
        run(&mut hook, line.as_bytes())
    };
    let answer = hook("pre-receive", &[]);
    assert!(answer.code == Some(2) && answer.stderr.contains("[repository-unreadable]"), "{answer:?}");
    // When refs move, git has put the objects where they belong: there a folder that is gone says nothing.
    let answer = hook("reference-transaction", &["prepared"]);
    assert!(answer.code == Some(1) && answer.stderr.contains("[missing-object]"), "{answer:?}");
}

#[test]
fn a_name_that_no_file_system_holds_is_the_pushers_matter() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    let alice = site.member("alice", Kind::SshEd25519, &app);
    alice.commit("a");
    assert!(site.push(&alice, &["main"]).succeeded());
    let refused = site.push(&alice, &[&format!("HEAD:refs/heads/{}", "y".repeat(256))]);
    assert!(!refused.succeeded() && !refused.stderr.contains("could not be decided"), "{}", refused.stderr);
}

#[test]
fn a_trusted_tag_is_nobodys_parent() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    let alice = site.member("alice", Kind::SshEd25519, &app);
    alice.commit("a");
    let mut tag = alice.station.git();
    for (name, value) in &alice.key.git {
        tag.arg("-c").arg(format!("{name}={value}"));
    }
    countersign_tests::process::must(tag.args(["tag", "-s", "-m", "v1", "v1"]));
    assert!(site.push(&alice, &["main", "v1"]).succeeded());
    // Signed by hand: git refuses to make such a commit.
    let script = r#"
        tag=$(git rev-parse v1) tree=$(git rev-parse 'HEAD^{tree}') key=$1
        who="alice <alice@example.com> $(date +%s) +0000"
        for parents in "parent $tag" "parent $(git rev-parse HEAD)
parent $tag"; do
            printf 'tree %s\n%s\nauthor %s\ncommitter %s\n' "$tree" "$parents" "$who" "$who" >head
            { cat head; printf '\nodd\n'; } >payload
            rm -f payload.sig; ssh-keygen -q -Y sign -n git -f "$key" payload 2>/dev/null
            { cat head; printf 'gpgsig '; sed '2,$s/^/ /' payload.sig; printf '\nodd\n'; } >object
            git hash-object -t commit -w --stdin --literally <object
        done"#;
    let key = alice
        .key
        .git
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("user.signingkey"))
        .map(|(_, value)| value.clone());
    let mut shell = std::process::Command::new("bash");
    shell.args(["-ec", script, "bash"]).arg(key.expect("a key")).current_dir(alice.station.folder());
    let made = countersign_tests::process::must(&mut shell);
    assert_eq!(made.lines().count(), 2, "{made}");
    for id in made.lines() {
        // Into the store behind git's checks, and then judged where the ref moves.
        let copied = std::process::Command::new("bash")
            .args([
                "-ec",
                "git cat-file commit $0 | git --git-dir=\"$1\" hash-object -t commit -w --stdin --literally",
                id,
            ])
            .arg(&app.path)
            .current_dir(alice.station.folder())
            .output()
            .expect("bash");
        assert!(copied.status.success(), "{copied:?}");
        let moved = site.server.git(&app, &["update-ref", "refs/heads/odd", id]);
        assert!(!moved.succeeded() && moved.stderr.contains("[malformed-object]"), "{}", moved.stderr);
    }
}

#[test]
fn a_missing_parent_is_no_new_commit() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    let alice = site.member("alice", Kind::SshEd25519, &app);
    alice.commit("a");
    assert!(site.push(&alice, &["main"]).succeeded());
    alice.commit("b");
    let orphan = alice.commit("c");
    // Only the last one reaches the server, behind git's checks.
    let pack = std::process::Command::new("bash")
        .args(["-ec", "git rev-list --objects -1 $0 | cut -d' ' -f1 | git pack-objects -q --stdout", &orphan])
        .current_dir(alice.station.folder())
        .output()
        .expect("bash");
    let mut unpack = site.server.unix_user().command("git", site.server.home());
    assert!(run(unpack.current_dir(&app.path).args(["unpack-objects", "-q"]), &pack.stdout).succeeded());
    let moved = site.server.git(&app, &["update-ref", "refs/heads/odd", &orphan]);
    assert!(!moved.succeeded() && moved.stderr.contains("[missing-object]"), "{}", moved.stderr);
    assert!(moved.stderr.contains("rejected: part of its history is missing"), "{}", moved.stderr);
    let verdict = moved.stderr.lines().find_map(|line| line.strip_prefix("verdict ")?.split(' ').next());
    let audit = site.ask(&["audit", "push", verdict.expect("a verdict")]);
    assert_eq!(audit["commits"]["judged"], 1, "{audit}");
}

/// Signatures that come together in a large push.
const MANY: usize = 600;

/// Commits in a row by one key; of each that is `changed` the message, after it was signed.
fn signed_in_a_row(key: &SshKey, changed: &[usize]) -> Vec<Object> {
    let tree = Object::tree(Format::Sha1, &[]);
    let who = format!("alice <alice@example.com> {DATE} +0000");
    let mut parent = String::new();
    let commits: Vec<Object> = (0..MANY)
        .map(|number| {
            let headers = format!("tree {}\n{parent}author {who}\ncommitter {who}\n", tree.id);
            let signature = key.sign(format!("{headers}\n{number}\n").as_bytes()).trim_end().replace('\n', "\n ");
            let message = if changed.contains(&number) { "changed".to_owned() } else { number.to_string() };
            let commit = format!("{headers}gpgsig {signature}\n\n{message}\n");
            let commit = Object::new(Format::Sha1, object::Kind::Commit, commit);
            parent = format!("parent {}\n", commit.id);
            commit
        })
        .collect();
    std::iter::once(tree.clone()).chain(commits).collect()
}

/// They are checked together, and what is found is what each is by itself.
#[test]
fn bad_signatures_among_many_are_found_and_no_others() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    let alice = site.member("alice", Kind::SshEd25519, &app);
    let key = SshKey::named("alice");
    let file = alice.station.folder().join("by-hand.pub");
    std::fs::write(&file, key.line()).expect("a public key");
    site.sync(&["key", "add", "alice", "--ssh", &file.to_string_lossy()]);
    for changed in [&[450][..], &[3, 299, 300], &[]] {
        let objects = signed_in_a_row(&key, changed);
        must_with_input(alice.station.git().args(["index-pack", "--stdin"]), &pack(Format::Sha1, &objects));
        let tip = objects.last().expect("a commit");
        let pushed = site.push(&alice, &[&format!("{}:refs/heads/main", tip.id)]);
        assert_eq!(pushed.succeeded(), changed.is_empty(), "{}", pushed.stderr);
        let all = format!("{} of {MANY} new commits cannot come in", changed.len());
        assert_eq!(pushed.stderr.contains(&all), !changed.is_empty(), "{}", pushed.stderr);
        for number in changed {
            let said = pushed.stderr.lines().find(|line| line.contains(&objects[number + 1].id[..7]));
            assert!(said.is_some_and(|line| line.contains("[bad-signature]")), "{number}: {}", pushed.stderr);
        }
    }
}
