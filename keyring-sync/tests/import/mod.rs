//! Keys that forges and GnuPG keep, brought over.

mod standin;

use crate::common::Room;
use countersign_policy::keyring::Keyring;
use serde_json::{Value, json};
use standin::{Forge, Pages};

/// A registry with three people, of whom two have accounts on the forge of this kind.
fn room(kind: &str, forge: &Forge) -> Room {
    let room = Room::new();
    room.write("token", "secret-token\n");
    let config = room.read("keyring-sync.yaml");
    let entry = format!("forges:\n  - {{name: {kind}, kind: {kind}, url: \"{}\", token_file: token}}\n", forge.url);
    room.write("keyring-sync.yaml", &format!("{config}server: git.example\n{entry}"));
    for (id, name) in [("E1", "alice"), ("E2", "bob"), ("E3", "carol")] {
        let (email, account) = (format!("{name}@x.example"), format!("{kind}:{name}"));
        let mut args = vec!["person", "add", id, "--name", name, "--email", &email];
        if name != "carol" {
            args.extend(["--account", &account]);
        }
        assert!(room.run(&args).ends_with("= 0\n"));
    }
    room
}

fn keys(room: &Room, id: &str) -> Vec<String> {
    let person = room.keyring().person(&id.parse().unwrap()).unwrap().unwrap();
    person.keys.iter().map(|key| key.fingerprint.to_string()).collect()
}

fn pending(room: &Room) -> Vec<(String, String)> {
    let said = room.run(&["--format", "json", "enrol", "list"]);
    let json: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let one = |entry: &Value| (entry["person"].as_str().unwrap().to_owned(), entry["key"].as_str().unwrap().to_owned());
    json["pending"].as_array().unwrap().iter().map(one).collect()
}

/// Makes a key pair in a GnuPG home of the room; returns its fingerprint and its armour.
fn gpg_key(room: &Room, name: &str) -> (String, String) {
    let said = room.shell(&format!(
        "export GNUPGHOME=$PWD/gnupg; mkdir -p -m 700 gnupg
         gpg --batch --quiet --passphrase '' --quick-generate-key '{name} <{name}@x.example>' ed25519 sign never 2>/dev/null
         gpg --batch --armor --export {name}@x.example > {name}.asc 2>/dev/null
         gpg --batch --with-colons --list-keys {name}@x.example 2>/dev/null | awk -F: '/^fpr/{{print $10; exit}}'; gpgconf --kill all"
    ));
    (said.lines().next().unwrap().to_owned(), room.read(&format!("{name}.asc")))
}

/// What a forge of this kind lists for alice and bob.
fn pages(kind: &str, ssh: [&str; 2], armour: &str) -> Pages {
    let key = |id: u64, key: &str| json!({"id": id, "key": key, "title": "laptop"});
    let mut pages = Pages::new();
    let mut put = |path: &str, page: Value| pages.insert(path.to_owned(), page);
    match kind {
        "gitea" => {
            for (name, ssh) in ["alice", "bob"].into_iter().zip(ssh) {
                put(&format!("/api/v1/users/{name}"), json!({"id": 3, "login": name}));
                put(&format!("/api/v1/users/{name}/keys"), json!([key(1, ssh)]));
                put(&format!("/api/v1/users/{name}/gpg_keys"), json!([]));
            }
            // The bare key in the list is of no use, the page has it whole.
            put("/api/v1/users/alice/gpg_keys", json!([{"id": 5, "key_id": "ABCD", "public_key": "xsBNBA"}]));
            put("/alice.gpg", json!(armour));
        }
        "gitlab" => {
            put("/api/v4/users", json!([{"id": 3, "username": "alice"}, {"id": 4, "username": "bob"}]));
            let to_log_in = json!({"id": 9, "key": "ssh-ed25519 none", "usage_type": "auth"});
            put("/api/v4/users/3/keys", json!([key(1, ssh[0]), to_log_in]));
            put("/api/v4/users/3/gpg_keys", json!([{"id": 5, "key": armour}]));
            let ends =
                json!({"id": 2, "key": ssh[1], "usage_type": "signing", "expires_at": "2035-01-01T00:00:00.000Z"});
            put("/api/v4/users/4/keys", json!([ends]));
            put("/api/v4/users/4/gpg_keys", json!([]));
        }
        _ => {
            for (name, ssh) in ["alice", "bob"].into_iter().zip(ssh) {
                put(&format!("/api/v3/users/{name}"), json!({"id": 3, "login": name}));
                put(&format!("/api/v3/users/{name}/ssh_signing_keys"), json!([key(1, ssh)]));
                put(&format!("/api/v3/users/{name}/gpg_keys"), json!([]));
            }
            put("/api/v3/users/alice/gpg_keys", json!([{"id": 5, "key_id": "ABCD", "raw_key": armour}]));
        }
    }
    pages
}

#[test]
fn keys_of_a_forge_wait_for_their_proof_and_sign_at_once_where_the_operator_says_so() {
    for kind in ["gitea", "gitlab", "ghes"] {
        let forge = Forge::start(Pages::new());
        let room = room(kind, &forge);
        let (alice, bob) = (room.ssh_key("alice"), room.ssh_key("bob"));
        // Its name is carol's, and the account is alice's: it is alice's.
        let (fingerprint, armour) = gpg_key(&room, "carol");
        let all = pages(kind, [&room.read("alice.pub"), &room.read("bob.pub")], &armour);
        forge.pages.lock().unwrap().extend(all);

        let said = room.run(&["import", "forge", kind, "--dry-run"]);
        assert_eq!(said, "would import 0 keys; 3 keys wait for proof of possession\n= 0\n", "{kind}");
        assert!(pending(&room).is_empty(), "a dry run changes nothing");
        let said = room.run(&["import", "forge", kind]);
        assert!(said.contains("imported 0 keys; 3 keys wait for proof of possession\n= 0\n"), "{kind}: {said}");
        assert!(said.contains(&format!("next: keyring-sync enrol begin E2 --pending {bob}")), "{said}");
        let mut waiting = pending(&room);
        waiting.sort();
        let mut wanted = vec![
            ("E1".to_owned(), alice.clone()),
            ("E1".to_owned(), fingerprint.clone()),
            ("E2".to_owned(), bob.clone()),
        ];
        wanted.sort();
        assert_eq!(waiting, wanted, "{kind}");
        assert!(keys(&room, "E1").is_empty() && keys(&room, "E2").is_empty());

        let said = room.run(&["import", "forge", kind, "--user", "Alice", "--trust-import"]);
        assert!(said.contains("imported 2 keys; published as epoch"), "{kind}: {said}");
        assert!(keys(&room, "E1").contains(&alice) && keys(&room, "E1").contains(&fingerprint));
        assert!(keys(&room, "E2").is_empty(), "only that account was asked for");
        assert!(room.run(&["import", "forge", kind, "--trust-import"]).ends_with("= 0\n"));
        assert_eq!(keys(&room, "E2"), [bob.as_str()]);
        assert!(pending(&room).is_empty(), "what signs waits no more");
        let again = room.run(&["import", "forge", kind, "--trust-import"]);
        assert_eq!(again, "everything is there already\n= 0\n");
        if kind == "gitlab" {
            let person = room.keyring().person(&"E2".parse().unwrap()).unwrap().unwrap();
            assert_eq!(person.keys[0].retired.unwrap().at.to_string(), "2035-01-01T00:00:00Z");
        }
    }
}

#[test]
fn a_key_that_is_somebody_elses_is_named_and_nothing_is_taken() {
    let forge = Forge::start(Pages::new());
    let room = room("gitea", &forge);
    let (alice, bob) = (room.ssh_key("alice"), room.ssh_key("bob"));
    room.run(&["key", "add", "E3", "--ssh", "bob.pub"]);
    forge.pages.lock().unwrap().extend(pages("gitea", [&room.read("alice.pub"), &room.read("bob.pub")], ""));
    for trust in [&[][..], &["--trust-import"]] {
        let said = room.run(&[&["import", "forge", "gitea", "--user", "bob"], trust].concat());
        let stolen = format!("gitea:bob: key {bob} belongs to E3: a key belongs to one person, ever\n");
        assert!(said.starts_with(&stolen) && said.ends_with("= 1\n"), "{said}");
        assert!(said.contains("nothing was changed: 1 item refused (--keep-going takes the others)"), "{said}");
    }
    // Alice's GPG key cannot be had whole; the other key is taken where that is asked for.
    let said = room.run(&["import", "forge", "gitea", "--keep-going"]);
    assert!(said.contains("gitea:alice: 1 of 1 GPG key cannot be had whole from /alice.gpg"), "{said}");
    assert!(said.contains("imported 0 keys; 1 key waits") && said.ends_with("= 1\n"), "{said}");
    assert_eq!(pending(&room), [("E1".to_owned(), alice)]);
}

#[test]
fn an_account_that_nobody_has_and_a_forge_that_is_odd_are_named() {
    let forge = Forge::start(Pages::new());
    let room = room("gitea", &forge);
    let said = room.run(&["import", "forge", "gitea", "--user", "mallory"]);
    assert!(said.contains("gitea:mallory: nobody in the registry has this account: keyring-sync person set"), "{said}");
    let said = room.run(&["import", "forge", "gitea"]);
    assert!(said.contains("gitea:alice: the forge has no such account") && said.ends_with("= 1\n"), "{said}");
    forge.put("/api/v1/users/alice", json!(500));
    let said = room.run(&["import", "forge", "gitea"]);
    assert!(said.contains(r"gitea:alice: it answered 500: words\u{1b}[31m"), "{said}");
    forge.put("/api/v1/users/alice", json!(503));
    let said = room.run(&["import", "forge", "gitea"]);
    assert!(said.contains("nothing was changed") && said.ends_with("= 2\n"), "{said}");
    let said = room.run(&["import", "forge", "github"]);
    assert!(
        said.contains("no forge github in keyring-sync.yaml: it names gitea") && said.ends_with("= 64\n"),
        "{said}"
    );
    // Who has left is not asked for; and is refused by name.
    room.run(&["kill", "E1", "--reason", "left"]);
    room.run(&["kill", "E2", "--reason", "left"]);
    let said = room.run(&["import", "forge", "gitea"]);
    assert!(said.contains("2 accounts of people who are suspended or have left: not asked for"), "{said}");
    let said = room.run(&["import", "forge", "gitea", "--user", "alice"]);
    assert!(said.contains("gitea:alice: E1 is terminated") && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn a_gnupg_home_is_read_and_left_alone() {
    let forge = Forge::start(Pages::new());
    let room = room("gitea", &forge);
    let (alice, _) = gpg_key(&room, "alice");
    let (_, armour) = gpg_key(&room, "bob");
    let (stranger, _) = gpg_key(&room, "mallory");
    // Without the sockets of an agent that is about to end.
    let files = "find gnupg -type f -printf '%p %s %T@\\n' | sort";
    let before = room.shell(files);
    let said = room.run(&["import", "gnupg", "--home", "gnupg"]);
    assert!(
        said.contains(&format!("key {stranger} is of mallory@x.example: nobody in the registry has such an address")),
        "{said}"
    );
    assert!(said.ends_with("nothing was changed: 1 key refused (--keep-going takes the others)\n= 1\n"), "{said}");
    let said = room.run(&["import", "gnupg", "--home", "gnupg", "--keep-going"]);
    assert!(said.contains("imported 0 keys; 2 keys wait for proof of possession"), "{said}");
    assert_eq!(pending(&room).len(), 2);
    assert!(keys(&room, "E1").is_empty());
    let said = room.run(&["import", "gnupg", "--keyring", "gnupg/pubring.kbx", "--keep-going", "--trust-import"]);
    assert!(said.contains("imported 2 keys; published"), "{said}");
    assert_eq!(keys(&room, "E1"), [alice.as_str()]);
    assert_eq!(room.shell(files), before, "nothing of the home is touched");
    // What gpg --export writes, binary and armoured; and a key that is somebody else's by now.
    room.shell("GNUPGHOME=$PWD/gnupg gpg --batch --export alice@x.example > alice.gpg");
    assert_eq!(room.run(&["import", "gnupg", "--keyring", "alice.gpg"]), "everything is there already\n= 0\n");
    room.write("bob.asc", &armour);
    assert_eq!(room.run(&["import", "gnupg", "--keyring", "bob.asc"]), "everything is there already\n= 0\n");
    room.run(&["person", "set", "E1", "--email", "alice@new.example"]);
    room.run(&["person", "set", "E3", "--email", "carol@x.example", "--email", "alice@x.example"]);
    let said = room.run(&["import", "gnupg", "--keyring", "alice.gpg", "--trust-import"]);
    assert!(said.contains(&format!("key {alice} belongs to E1")) && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn what_is_no_keyring_says_so() {
    let room = Room::new();
    room.shell(
        "mkdir empty; printf 'hello' > text; printf '\\200\\377\\377' > binary; printf '12345678KBXf broken' > box",
    );
    let refused = |args: &[&str]| room.run(&[&["import", "gnupg"], args].concat());
    assert!(refused(&["--home", "empty"]).contains("empty has no pubring.kbx and no pubring.gpg"));
    assert!(refused(&["--keyring", "missing"]).contains("missing: "));
    for file in ["text", "binary", "box"] {
        let said = refused(&["--keyring", file]);
        assert!(said.ends_with("= 1\n") || said.ends_with("= 2\n"), "{file}: {said}");
    }
    assert!(refused(&[]).ends_with("= 64\n"));
}
