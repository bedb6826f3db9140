//! `countersign install` as an operator runs it: as root, on repositories that have a past.

mod common;

use common::{Site, root_of};
use countersign_tests::keys::Kind;
use countersign_tests::process::{Outcome, must, run, write_program};
use countersign_tests::servers::{Repository, Server};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// `countersign` as root, under a umask that lets nobody else in.
fn as_root(site: &Site, args: &[&str]) -> Outcome {
    let program = site.folder.path().join("bin/countersign");
    let policy = root_of(&site.folder).join("policy.yaml");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(program).args(args).arg("--config").arg(policy);
    run(&mut shell, b"")
}

fn install(site: &Site, repository: &Path, more: &[&str]) -> Outcome {
    as_root(site, &[&["install", "--repo", &repository.to_string_lossy()], more].concat())
}

#[test]
fn root_leaves_the_git_user_what_is_his() {
    let mut site = Site::new();
    let repository = site.repository("app");
    must(Command::new("rm").arg("-r").arg(repository.path.join("hooks")));
    let installed = install(&site, &repository.path, &[]);
    assert!(installed.succeeded(), "{installed:?}");
    let owner = std::fs::metadata(&repository.path).unwrap();
    let hooks = std::fs::metadata(repository.path.join("hooks")).unwrap();
    assert_eq!((hooks.uid(), hooks.mode() & 0o777), (owner.uid(), 0o755));
    assert_eq!(std::fs::metadata(repository.path.join("hooks/pre-receive")).unwrap().mode() & 0o777, 0o755);
    let alice = site.member("alice", Kind::SshEd25519, &repository);
    alice.commit("one");
    let pushed = site.push(&alice, &["main"]);
    assert!(pushed.succeeded() && pushed.stderr.contains("accepted"), "{}", pushed.stderr);
}

#[test]
fn a_link_that_somebody_planted_is_not_followed() {
    let mut site = Site::new();
    let repository = site.repository("app");
    let precious = site.folder.path().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    for name in ["pre-receive.countersign-new", "reference-transaction.countersign-new"] {
        std::os::unix::fs::symlink(&precious, repository.path.join("hooks").join(name)).unwrap();
    }
    assert!(install(&site, &repository.path, &[]).succeeded());
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(std::fs::metadata(&precious).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn where_git_would_run_no_hook_nothing_is_promised() {
    let mut site = Site::new();
    let repository = site.repository("app");
    // As git finds it, on one line of a file that the repository's own includes.
    let included = site.server.home().join("more.config");
    std::fs::write(&included, "[core] hooksPath = /elsewhere\n").unwrap();
    let mut git = site.server.unix_user().command("git", site.server.home());
    must(git.current_dir(&repository.path).args(["config", "include.path"]).arg(&included));
    let refused = install(&site, &repository.path, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("core.hooksPath") && refused.stderr.contains("/elsewhere"), "{}", refused.stderr);
    assert!(!repository.path.join("hooks/pre-receive").exists());
}

#[test]
fn a_repository_with_a_work_tree_is_refused() {
    let site = Site::new();
    let tree = site.server.home().join("tree");
    let mut git = site.server.unix_user().command("git", site.server.home());
    must(git.args(["init", "--quiet"]).arg(&tree));
    let refused = install(&site, &tree, &[]);
    assert!(refused.code == Some(1) && refused.stderr.contains("work tree"), "{refused:?}");
    assert!(!tree.join(".git/hooks/pre-receive").exists());
}

#[test]
fn a_hook_that_was_there_goes_on_after_ours() {
    let mut site = Site::new();
    let repository = site.repository("app");
    let heard = site.server.home().join("heard");
    let hook = repository.path.join("hooks/pre-receive");
    write_program(&hook, &format!("#!/bin/sh\ncat >>{}\ntest ! -e \"$GIT_DIR/closed\"\n", heard.display()));
    let refused = install(&site, &repository.path, &[]);
    assert!(refused.code == Some(1) && refused.stderr.contains("pre-receive.local"), "{refused:?}");
    std::fs::rename(&hook, hook.with_extension("local")).unwrap();
    assert!(install(&site, &repository.path, &[]).succeeded());

    let alice = site.member("alice", Kind::SshEd25519, &repository);
    let first = alice.commit("one");
    assert!(site.push(&alice, &["main"]).succeeded());
    let line = format!("{} {first} refs/heads/main\n", "0".repeat(40));
    assert_eq!(std::fs::read_to_string(&heard).unwrap(), line, "it reads what git wrote");
    std::fs::write(repository.path.join("closed"), "").unwrap();
    alice.commit("two");
    assert!(!site.push(&alice, &["main"]).succeeded(), "its no is a no");
    assert_eq!(site.server.refs(&repository)["refs/heads/main"], first);
}

/// Alice's work and a branch of Bob's, who has left since.
fn with_a_past(site: &mut Site) -> (Repository, common::Member, String) {
    let repository = site.repository("app");
    assert!(install(site, &repository.path, &[]).succeeded());
    let alice = site.member("alice", Kind::SshEd25519, &repository);
    alice.commit("one");
    assert!(site.push(&alice, &["main"]).succeeded());
    let bob = site.member("bob", Kind::SshEd25519, &repository);
    let work = bob.commit("work");
    assert!(site.push(&bob, &["HEAD:refs/heads/bob"]).succeeded());
    site.sync(&["kill", "bob", "--reason", "left"]);
    alice.station.must(&["fetch", "--quiet", &bob.station.folder().to_string_lossy(), &work]);
    (repository, alice, work)
}

#[test]
fn a_repository_that_moved_keeps_what_is_on_record_of_it() {
    let mut site = Site::new();
    let (repository, alice, work) = with_a_past(&mut site);
    let moved = repository.path.with_file_name("renamed.git");
    std::fs::rename(&repository.path, &moved).unwrap();
    let at = |path: &Path| path.to_string_lossy().into_owned();
    // Whoever forgets the word would lose what is known of compromised keys.
    let forgotten = install(&site, &moved, &[]);
    assert_eq!(forgotten.code, Some(1), "{forgotten:?}");
    assert!(forgotten.stderr.contains("--moved-from") && forgotten.stderr.contains("app.git"), "{}", forgotten.stderr);
    let installed = install(&site, &moved, &["--moved-from", &at(&repository.path)]);
    assert!(installed.succeeded(), "{installed:?}");
    let mut git = alice.station.git();
    for (name, value) in &alice.key.git {
        git.arg("-c").arg(format!("{name}={value}"));
    }
    must(git.args(["merge", "--quiet", "--no-ff", "-S", "-m", "merge", &work]));
    let mut push = site.server.unix_user().command("git", site.server.home());
    let pushed = run(push.current_dir(alice.station.folder()).arg("push").arg(&moved).arg("main"), b"");
    assert!(pushed.succeeded(), "his work came in here before he left: {}", pushed.stderr);
    let copy = install(&site, &moved, &["--moved-from", &at(&moved)]);
    assert_eq!(copy.code, Some(1), "a repository that is still there has not moved: {copy:?}");
}

#[test]
fn another_repository_in_the_same_place_inherits_nothing() {
    let mut site = Site::new();
    let (repository, alice, work) = with_a_past(&mut site);
    std::fs::remove_dir_all(&repository.path).unwrap();
    let mut git = site.server.unix_user().command("git", site.server.home());
    must(git.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&repository.path));
    let again = install(&site, &repository.path, &[]);
    assert!(again.stdout.contains("--anew"), "{again:?}");
    let anew = install(&site, &repository.path, &["--anew"]);
    assert!(anew.succeeded() && anew.stdout.contains("enrolled"), "{anew:?}");
    let refused = site.push(&alice, &[&format!("{work}:refs/heads/bob")]);
    assert!(refused.stderr.contains("[signer-not-active]"), "{}", refused.stderr);
}
