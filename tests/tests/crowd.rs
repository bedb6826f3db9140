//! Many at once: pushes beside a stream of events, pushes beside pushes, and a kill beside a hook that hangs.

mod common;

use common::{Member, Site, push_on_this_machine};
use countersign_tests::keys::Kind;
use countersign_tests::process::run;
use countersign_tests::servers::{Repository, Server};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Makes `count` signed commits and gives them oldest first.
fn stockpile(member: &Member, count: usize) -> Vec<String> {
    (0..count).map(|number| member.commit(&format!("f{number}"))).collect()
}

#[test]
fn a_thousand_pushes_beside_a_stream_of_events() {
    const LANES: usize = 4;
    const EACH: usize = 250;
    let mut site = Site::new();
    let lanes: Vec<(Repository, Member, Vec<String>)> = (0..LANES)
        .map(|lane| {
            let repository = site.repository(&format!("lane{lane}"));
            site.install(&repository);
            let member = site.member(&format!("dev{lane}"), Kind::SshEd25519, &repository);
            let commits = stockpile(&member, EACH);
            (repository, member, commits)
        })
        .collect();
    let done = AtomicBool::new(false);
    let events = std::thread::scope(|scope| {
        let feed = scope.spawn(|| {
            let mut events = 0;
            while !done.load(Ordering::Relaxed) {
                let id = format!("N{events:06}");
                let line = format!(
                    "{{\"id\":\"h-{id}\",\"source\":\"hr\",\"person\":\"{id}\",\"type\":\"hired\",\
                     \"data\":{{\"name\":\"New {id}\",\"emails\":[\"{id}@example.org\"]}}}}\n"
                );
                let applied = site.product.keyring_sync(&["apply", "-"], line.as_bytes());
                assert!(applied.succeeded(), "{applied:?}");
                events += 1;
            }
            events
        });
        let pushers: Vec<_> = lanes
            .iter()
            .map(|(_, member, commits)| {
                let server = &site.server;
                scope.spawn(move || {
                    for commit in commits {
                        let pushed = run(
                            &mut push_on_this_machine(server, member, &[&format!("{commit}:refs/heads/main")]),
                            b"",
                        );
                        assert!(pushed.succeeded(), "{}: {}", member.id, pushed.stderr);
                    }
                })
            })
            .collect();
        let pushed: Vec<_> = pushers.into_iter().map(|pusher| pusher.join()).collect();
        // The feed ends whatever became of the pushes.
        done.store(true, Ordering::Relaxed);
        let events = feed.join().expect("every event is taken");
        assert!(pushed.iter().all(Result::is_ok), "every push lands");
        events
    });
    println!("{} pushes beside {events} events", LANES * EACH);
    assert!(events > 50, "the feed ran beside the pushes: {events} events");
    let verified = site.ask(&["ledger", "verify"]);
    assert_eq!(verified["sound"], true, "{verified}");
    for (repository, member, commits) in &lanes {
        assert_eq!(site.server.refs(repository)["refs/heads/main"], commits[EACH - 1]);
        assert_eq!(site.ask(&["audit", "person", &member.id])["commits"]["accepted"], EACH);
    }
}

#[test]
fn fifty_pushes_at_once_lose_no_leaf() {
    const AT_ONCE: usize = 50;
    let mut site = Site::new();
    let lanes: Vec<(Repository, Member)> = (0..AT_ONCE)
        .map(|lane| {
            let repository = site.repository(&format!("lane{lane}"));
            site.install(&repository);
            let member = site.member(&format!("dev{lane}"), Kind::SshEd25519, &repository);
            member.commit("one");
            (repository, member)
        })
        .collect();
    let before = site.ask(&["ledger", "verify"])["entries"].as_u64().expect("a number");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (_, member) in &lanes {
            let server = &site.server;
            scope.spawn(move || {
                let pushed = run(&mut push_on_this_machine(server, member, &["main"]), b"");
                assert!(pushed.succeeded(), "{}: {}", member.id, pushed.stderr);
            });
        }
    });
    println!("{AT_ONCE} pushes at once took {:?}", begun.elapsed());
    let verified = site.ask(&["ledger", "verify"]);
    assert_eq!(verified["sound"], true);
    // One verdict and one applied leaf for each.
    assert_eq!(verified["entries"].as_u64(), Some(before + 2 * AT_ONCE as u64));
}

#[test]
fn a_hook_that_hangs_holds_up_no_kill() {
    let mut site = Site::new();
    let repository = site.repository("app");
    site.install(&repository);
    let alice = site.member("alice", Kind::SshEd25519, &repository);
    let bob = site.member("bob", Kind::SshEd25519, &repository);
    // The next hook in the chain of git never comes back; ours has its keyring read by then, and its lock free.
    alice.commit("one");
    let fifo = site.folder.path().join("never");
    countersign_tests::process::must(std::process::Command::new("mkfifo").arg(&fifo));
    let hook = repository.path.join("hooks/update");
    countersign_tests::process::write_program(&hook, &format!("#!/bin/sh\ncat {}\n", fifo.display()));
    let mut hanging = push_on_this_machine(&site.server, &alice, &["main"]);
    let mut hanging = hanging.stderr(std::process::Stdio::null()).spawn().expect("git");
    std::thread::sleep(Duration::from_millis(1500));
    // And one that was stopped in the middle of everything it has open.
    let mut stopped = site.server.unix_user().command("sh", site.server.home());
    let script = format!(
        "{} hook pre-receive --config {} & kill -STOP $!; wait",
        site.folder.path().join("bin/countersign").display(),
        common::root_of(&site.folder).join("policy.yaml").display()
    );
    let mut stopped = stopped.current_dir(&repository.path).args(["-c", &script]).spawn().expect("sh");

    let begun = Instant::now();
    site.sync(&["kill", "bob", "--reason", "test"]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "the kill took {took:?}");
    std::fs::remove_file(&hook).expect("the hook that hangs");
    bob.commit("two");
    let refused = site.push(&bob, &["HEAD:refs/heads/bob"]);
    assert!(refused.stderr.contains("[signer-not-active]"), "{}", refused.stderr);
    let _ = hanging.kill();
    let _ = stopped.kill();
    let _ = run(std::process::Command::new("pkill").args(["-KILL", "-f", &fifo.to_string_lossy()]), b"");
    let _ = run(
        std::process::Command::new("pkill").args(["-KILL", "-f", &site.folder.path().join("bin").to_string_lossy()]),
        b"",
    );
    let _ = (hanging.wait(), stopped.wait());
}
