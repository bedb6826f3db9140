//! The servers themselves, without Countersign: plain pushes work, hooks run as the server's user
//! and can refuse, and nothing is left running.

use countersign_tests::keys::Owner;
use countersign_tests::process::{processes_of, write_program};
use countersign_tests::servers::{Gitea, Kind, Repository, Server, folder};
use countersign_tests::workstation::{Change, Pushed, Workstation};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

fn owner(id: &str) -> Owner {
    Owner { id: id.into(), name: id.into(), email: format!("{id}@example.com") }
}

fn change(content: &str) -> Change<'static> {
    let files = BTreeMap::from([("README".to_owned(), Some(content.to_owned()))]);
    Change { files, message: "change", date: Some("2026-01-02T03:04:05Z"), ..Change::default() }
}

fn push(workstation: &Workstation, refs: &[&str]) -> Pushed {
    workstation.push(&refs.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

/// Puts a program where this server runs it before it takes a push.
fn place_hook(server: &mut dyn Server, repository: &Repository, text: &str) {
    let place = match server.forge() {
        "gitea" => repository.path.join("hooks/pre-receive.d/probe"),
        "gitolite" => server.home().join("local/hooks/repo-specific/countersign"),
        _ => repository.path.join("hooks/pre-receive"),
    };
    write_program(&place, text);
    server.hook_installed(repository);
}

fn works(kind: Kind) {
    let begun = Instant::now();
    let Some(mut server) = kind.start() else { return };
    println!("{kind:?} is up after {:?}", begun.elapsed());
    let server = server.as_mut();
    let work = folder();

    server.add_login("alice");
    let repository = server.create_repository("app");
    server.add_login("bob");
    let alice = Workstation::set_up(&work.path().join("alice"), &owner("alice"), &server.access(&repository, "alice"));
    let first = alice.commit(&change("one"), None);
    let pushed = push(&alice, &["HEAD:refs/heads/main"]);
    assert!(pushed.outcome.succeeded(), "{pushed:?}");
    assert_eq!(server.refs(&repository), BTreeMap::from([("refs/heads/main".to_owned(), first.clone())]));

    let bob = Workstation::set_up(&work.path().join("bob"), &owner("bob"), &server.access(&repository, "bob"));
    assert_eq!(bob.resolve("HEAD"), first, "bob reads what alice pushed");

    place_hook(
        server,
        &repository,
        "#!/bin/sh\nread old new ref\necho \"user $(id -un), home $HOME, ref $ref, to $new, \
         login ${REMOTE_USER-}${GL_USER-}${GITEA_PUSHER_NAME-} via ${SSH_CONNECTION:+ssh}\" >&2\n\
         test -n \"$GIT_QUARANTINE_PATH\" || echo no quarantine\nexit 1\n",
    );
    let second = bob.commit(&change("two"), None);
    let pushed = push(&bob, &["HEAD:refs/heads/main"]);
    assert_eq!(pushed.outcome.code, Some(1), "{pushed:?}");
    assert_eq!(pushed.updates[0].flag, '!');
    let said = pushed.remote().join("\n");
    println!("{said}");
    let user = &server.unix_user().name;
    assert!(said.contains(&format!("user {user}, home {}", server.home().display())), "{said}");
    assert!(said.contains(&format!("ref refs/heads/main, to {second}")), "{said}");
    assert!(!said.contains("no quarantine"), "{said}");
    if kind != Kind::Plain {
        assert!(said.contains("login bob "), "the server names the login: {said}");
    }
    if matches!(kind, Kind::Plain | Kind::Gitolite) {
        assert!(said.contains("via ssh"), "{said}");
    }
    assert_eq!(server.refs(&repository), BTreeMap::from([("refs/heads/main".to_owned(), first)]));
}

#[test]
fn plain() {
    works(Kind::Plain);
}

#[test]
fn gitolite() {
    works(Kind::Gitolite);
}

#[test]
fn nginx() {
    works(Kind::Nginx);
}

#[test]
fn gitea() {
    works(Kind::Gitea);
}

#[test]
fn gitea_over_http_by_web_editor_and_by_merge() {
    let Some(mut server) = Gitea::start(true) else { return };
    server.add_login("alice");
    let repository = server.create_repository("app");
    let work = folder();
    let alice = Workstation::set_up(work.path(), &owner("alice"), &server.access(&repository, "alice"));
    alice.commit(&change("one"), None);
    assert!(push(&alice, &["HEAD:refs/heads/main"]).outcome.succeeded());

    let edited = server.edit(&repository, "alice", "main", "README", "edited");
    assert_eq!(edited.status, 200, "{edited:?}");
    let main = server.refs(&repository)["refs/heads/main"].clone();

    alice.branch("topic", Some("HEAD"));
    alice.commit(&Change { files: BTreeMap::from([("b".into(), Some("b".into()))]), ..change("one") }, None);
    assert!(push(&alice, &["topic"]).outcome.succeeded());
    let opened = server.open_pull_request(&repository, "alice", "topic", "main");
    let number = opened.body["number"].as_u64().unwrap_or_else(|| panic!("{opened:?}"));

    write_program(
        &repository.path.join("hooks/pre-receive.d/probe"),
        "#!/bin/sh\necho no $GITEA_PUSH_TRIGGER\nexit 1\n",
    );
    let refused = server.merge_pull_request(&repository, "alice", number, "merge");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body["message"].as_str().unwrap().contains("no pr-merge-to-base"), "{refused:?}");
    assert_eq!(server.refs(&repository)["refs/heads/main"], main);
    std::fs::remove_file(repository.path.join("hooks/pre-receive.d/probe")).unwrap();
    let merged = server.merge_pull_request(&repository, "alice", number, "merge");
    assert_eq!(merged.status, 200, "{merged:?}");
    assert_ne!(server.refs(&repository)["refs/heads/main"], main);
}

/// The folder of a server and its processes, also when the test panics in the midst of a push.
#[test]
fn nothing_is_left_of_a_server_whose_test_panics() {
    let mut place = None;
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut server = Kind::Plain.start().unwrap();
        server.add_login("alice");
        let repository = server.create_repository("app");
        place = Some(repository.path.clone());
        // A hook that leaves its session, its parent and the pipe behind.
        let leave = "#!/bin/sh\nsetsid sleep 1000 </dev/null >/dev/null 2>&1 &\nexit 0\n";
        place_hook(server.as_mut(), &repository, leave);
        let work = folder();
        let alice = Workstation::set_up(work.path(), &owner("alice"), &server.access(&repository, "alice"));
        alice.commit(&change("one"), None);
        assert!(push(&alice, &["HEAD:refs/heads/main"]).outcome.succeeded());
        let sleeps = processes_of(0, &repository.path);
        assert_eq!(sleeps.len(), 1, "the hook's child is there");
        panic!("as tests do");
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"as tests do"));
    let place = place.unwrap();
    assert!(processes_of(0, &place).is_empty());
    assert!(!Path::new(&place).exists());
}
