//! A hundred thousand persons, a hundred thousand refs: the cost of a push follows its new commits alone.

mod common;

use common::{Member, Site, median, must_git, unsigned_history};
use countersign_tests::crowd;
use countersign_tests::handmade::DATE;
use countersign_tests::handmade::object::{Format, Kind, Object, pack};
use countersign_tests::handmade::x509::{Certificate, Entity, Message};
use countersign_tests::keys;
use countersign_tests::process::{run, write_program};
use countersign_tests::servers::{Repository, Server};
use std::time::{Duration, Instant};

const CROWD: usize = 100_000;
const ROUNDS: usize = 11;

/// Puts a stop-watch around pre-receive: milliseconds of each call, without git's own work.
fn watch(site: &Site, repository: &Repository) -> std::path::PathBuf {
    let hooks = repository.path.join("hooks");
    let times = site.server.home().join(format!("times-{}", repository.name));
    std::fs::rename(hooks.join("pre-receive"), hooks.join("judge")).expect("our hook");
    let script = format!(
        "#!/bin/bash\nbegun=${{EPOCHREALTIME/./}}\nhooks/judge\ncode=$?\necho $(( ${{EPOCHREALTIME/./}} - begun )) >>{}\nexit $code\n",
        times.display()
    );
    write_program(&hooks.join("pre-receive"), &script);
    times
}

fn hook_millis(times: &std::path::Path) -> Vec<f64> {
    let text = std::fs::read_to_string(times).expect("times");
    text.lines().map(|line| line.parse::<f64>().expect("microseconds") / 1000.0).collect()
}

fn one_commit_pushes(site: &Site, member: &Member, times: &std::path::Path, rounds: usize) -> f64 {
    let _ = std::fs::remove_file(times);
    for round in 0..rounds {
        member.commit(&format!("round{round}"));
        let pushed = site.push(member, &["main"]);
        assert!(pushed.succeeded(), "{}", pushed.stderr);
    }
    median(hook_millis(times))
}

/// A history so long that reading it all would be seen.
const DEEP: usize = 40_000;

/// Refs of one push, for the cost of which a square would be seen.
const BROAD: usize = 2_000;

#[test]
fn a_date_does_not_make_the_walk_longer_and_many_refs_cost_what_they_are() {
    let mut site = Site::new();
    let repository = site.repository("deep");
    unsigned_history(&site.server, &repository, DEEP, "main");
    site.install(&repository);
    let times = watch(&site, &repository);
    let alice = site.member("alice", keys::Kind::SshEd25519, &repository);
    let today = one_commit_pushes(&site, &alice, &times, ROUNDS);
    let _ = std::fs::remove_file(&times);
    for round in 0..ROUNDS {
        alice.commit_dated(&format!("old{round}"), "1980-01-01T00:00:00Z");
        let pushed = site.push(&alice, &["main"]);
        assert!(pushed.succeeded(), "{}", pushed.stderr);
    }
    // The fastest, since other work on the machine only ever adds.
    let backdated = hook_millis(&times).into_iter().fold(f64::INFINITY, f64::min);
    println!("one new commit on {DEEP}, dated today {today:.1} ms, dated 1980 {backdated:.1} ms");
    assert!(backdated < today + 25.0, "{today} and {backdated}");

    let _ = std::fs::remove_file(&times);
    let refs: Vec<String> = (0..BROAD).map(|number| format!("main:refs/heads/many/{number}")).collect();
    let refs: Vec<&str> = std::iter::once("--atomic").chain(refs.iter().map(String::as_str)).collect();
    let begun = Instant::now();
    let pushed = site.push(&alice, &refs);
    assert!(pushed.succeeded(), "{}", pushed.stderr);
    let whole = begun.elapsed();
    println!("{BROAD} refs in one push: pre-receive {:.0} ms, all of it {whole:?}", median(hook_millis(&times)));
    assert!(whole < Duration::from_secs(20), "{whole:?}");
}

#[test]
fn cost_follows_the_new_commits_and_a_kill_is_felt_at_once() {
    let mut site = Site::new();
    let few = site.repository("few");
    let many = site.repository("many");
    for (repository, refs) in [(&few, 10), (&many, CROWD)] {
        unsigned_history(&site.server, repository, 50, "main");
        let tip = must_git(&site.server, repository, &["rev-parse", "main"]);
        let lines: String = (0..refs).map(|number| format!("create refs/heads/b{number:06} {tip}\n")).collect();
        let mut git = site.server.unix_user().command("git", site.server.home());
        let made = run(git.current_dir(&repository.path).args(["update-ref", "--stdin"]), lines.as_bytes());
        assert!(made.succeeded(), "{}", made.stderr);
        must_git(&site.server, repository, &["pack-refs", "--all"]);
    }
    site.install(&few);
    site.install(&many);
    let (few_times, many_times) = (watch(&site, &few), watch(&site, &many));
    let alice = site.member("alice", keys::Kind::SshEd25519, &few);
    let bob = site.member("bob", keys::Kind::SshEd25519, &many);
    let few_refs = one_commit_pushes(&site, &alice, &few_times, ROUNDS);
    let many_refs = one_commit_pushes(&site, &bob, &many_times, ROUNDS);

    let begun = Instant::now();
    let applied = site.product.keyring_sync(&["apply", "-"], crowd::events(CROWD).as_bytes());
    assert!(applied.succeeded(), "{applied:?}");
    println!("{CROWD} persons were taken in within {:?}", begun.elapsed());
    let many_persons = one_commit_pushes(&site, &alice, &few_times, ROUNDS);
    println!("pre-receive, one new commit, median of {ROUNDS}, milliseconds, shell of the stop-watch included:");
    println!("  10 refs, 2 persons       {few_refs:.1}");
    println!("  {CROWD} refs, 2 persons   {many_refs:.1}");
    println!("  10 refs, {CROWD} persons  {many_persons:.1}");
    // A linear cost would be hundreds of milliseconds; the rest is for a busy machine.
    assert!(many_refs < few_refs + 25.0, "refs: {few_refs} and {many_refs}");
    assert!(many_persons < few_refs + 25.0, "persons: {few_refs} and {many_persons}");

    // In the small repository: git itself takes a second to list a hundred thousand refs to a client.
    let carol = site.member("carol", keys::Kind::SshEd25519, &few);
    let mut felt = Vec::new();
    for (member, how) in [(&alice, "kill"), (&carol, "event")] {
        member.commit("last");
        match how {
            "kill" => site.sync(&["kill", &member.id, "--reason", "test"]),
            _ => {
                let line = format!(
                    "{{\"id\":\"t-{0}\",\"source\":\"hr\",\"person\":\"{0}\",\"type\":\"terminated\",\"data\":{{}}}}\n",
                    member.id
                );
                site.product.keyring_sync(&["apply", "-"], line.as_bytes())
            }
        };
        let ended = Instant::now();
        let refused = site.push(member, &["HEAD:refs/heads/last"]);
        felt.push(ended.elapsed());
        assert!(refused.stderr.contains("[signer-not-active]"), "{how}: {}", refused.stderr);
    }
    println!("from the end of the command to the rejected push, among {CROWD} persons: {felt:?}");
    assert!(felt.iter().all(|felt| *felt < Duration::from_secs(1)), "{felt:?}");
}

/// Each is checked by another program, which takes milliseconds: the push takes seconds.
const SLOW: usize = 1_000;

#[test]
fn a_long_push_says_how_far_it_is_on_one_line() {
    let mut site = Site::new();
    let repository = site.repository("slow");
    site.install(&repository);
    let root = Entity::root(Certificate::authority("Slow Root"));
    let leaf = root.issue(Certificate::leaf("slow", "slow@example.com"));
    let give = |args: &[&str], input: &[u8]| {
        let given = site.product.keyring_sync(args, input);
        assert!(given.succeeded(), "{given:?}");
    };
    give(&["person", "add", "slow", "--name", "Slow", "--email", "slow@example.com"], b"");
    give(&["key", "add", "--x509-root", "-"], root.pem().as_bytes());
    give(&["key", "add", "slow", "--x509", "-"], leaf.pem().as_bytes());

    let tree = Object::tree(Format::Sha1, &[]);
    let mut objects = vec![tree.clone()];
    let mut parent = String::new();
    for number in 0..SLOW {
        let who = format!("Slow <slow@example.com> {} +0000", DATE + number as u64);
        let headers = format!("tree {}\n{parent}author {who}\ncommitter {who}\n", tree.id);
        let signature = Message::of(&leaf, &[], format!("{headers}\nwork\n").as_bytes()).armored();
        let folded = signature.trim_end().replace('\n', "\n ");
        let commit = Object::new(Format::Sha1, Kind::Commit, format!("{headers}gpgsig {folded}\n\nwork\n"));
        parent = format!("parent {}\n", commit.id);
        objects.push(commit);
    }
    let client = site.repository("client");
    let git = |args: &[&str], input: &[u8]| {
        let mut git = site.server.unix_user().command("git", site.server.home());
        run(git.current_dir(&client.path).args(args), input)
    };
    assert!(git(&["index-pack", "--stdin"], &pack(Format::Sha1, &objects)).succeeded());
    let tip = format!("{}:refs/heads/main", objects.last().expect("a commit").id);
    let pushed = git(&["push", &repository.path.to_string_lossy(), &tip], b"");
    assert!(pushed.succeeded(), "{}", pushed.stderr);
    let said: Vec<&str> = pushed.stderr.split('\n').filter(|line| line.contains(" commits checked")).collect();
    assert!(said.len() == 1 && said[0].contains('\r'), "one line, written over: {:?}", pushed.stderr);
    assert!(pushed.stderr.contains("countersign: accepted, verdict "), "{}", pushed.stderr);
}
