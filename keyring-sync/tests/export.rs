//! What other programs make of the exports: ssh-keygen and gpg read each of them back.

use crate::common::Room;
use serde_json::json;

fn room() -> Room {
    let room = Room::new();
    for (id, name) in [("E1", "alice"), ("E2", "bob")] {
        room.run(&["person", "add", id, "--name", name, "--email", &format!("{name}@x.example")]);
    }
    room
}

fn with_ssh_keys(room: &Room) {
    for (id, name) in [("E1", "alice"), ("E2", "bob")] {
        room.ssh_key(name);
        room.run(&["key", "add", id, "--ssh", &format!("{name}.pub")]);
    }
}

/// Whether ssh-keygen finds the key in the list.
fn is_revoked(room: &Room, list: &str, key: &str) -> bool {
    let said = room.shell(&format!("ssh-keygen -Q -f {list} {key}.pub"));
    match said.as_str() {
        said if said.ends_with("REVOKED\n= 1\n") => true,
        said if said.ends_with("ok\n= 0\n") => false,
        said => panic!("{said}"),
    }
}

fn listed(room: &Room, list: &str) -> String {
    let said = room.shell(&format!("ssh-keygen -Q -l -f {list}"));
    said.lines().find(|line| line.starts_with("# KRL version")).unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn ssh_keygen_finds_the_compromised_keys_in_the_list() {
    let room = room();
    with_ssh_keys(&room);
    let said = room.run(&["export", "krl", "--output", "krl"]);
    assert_eq!(said, "wrote krl: version 1, 0 keys\n= 0\n");
    assert!(!is_revoked(&room, "krl", "alice"));
    let first = std::fs::read(room.path("krl")).unwrap();
    room.shell("cp krl before");
    let said = room.run(&["export", "krl", "--output", "krl"]);
    assert_eq!(said, "nothing new for krl: version 1, 0 keys\n= 0\n", "no news, no new version");
    assert_eq!(std::fs::read(room.path("krl")).unwrap(), first);
    let bob = room.shell("ssh-keygen -lf bob.pub").split(' ').nth(1).unwrap().to_owned();
    room.run(&["key", "revoke", &bob, "--reason", "retired"]);
    let alice = room.shell("ssh-keygen -lf alice.pub").split(' ').nth(1).unwrap().to_owned();
    room.run(&["key", "revoke", &alice, "--reason", "compromised"]);
    let said = room.run(&["export", "krl", "--output", "krl"]);
    assert_eq!(said, "wrote krl: version 2, 1 key\n= 0\n");
    assert_eq!(listed(&room, "krl"), "# KRL version 2");
    assert!(
        is_revoked(&room, "krl", "alice") && !is_revoked(&room, "krl", "bob"),
        "a retired key signed well in its time"
    );
    room.run(&["export", "krl", "--with-ended", "--output", "all"]);
    assert!(is_revoked(&room, "all", "alice") && is_revoked(&room, "all", "bob"));
    // As git asks.
    room.shell(
        "echo text > text; ssh-keygen -q -Y sign -n git -f alice text; printf 'alice@x.example ' > signers; cat alice.pub >> signers",
    );
    let verify = |list| {
        room.shell(&format!("ssh-keygen -Y verify -f signers -I alice@x.example -n git -s text.sig -r {list} < text"))
    };
    assert!(verify("before").contains("Good \"git\" signature"));
    assert!(verify("krl").contains("Could not verify signature"));
}

#[test]
fn who_is_out_may_not_log_in() {
    let room = room();
    with_ssh_keys(&room);
    room.run(&["kill", "E1", "--reason", "left"]);
    room.run(&["export", "krl", "--output", "krl"]);
    room.run(&["export", "krl", "--with-ended", "--output", "all"]);
    assert!(
        is_revoked(&room, "all", "alice") && !is_revoked(&room, "all", "bob") && !is_revoked(&room, "krl", "alice")
    );
}

#[test]
fn the_version_rises_also_over_a_list_that_is_in_place() {
    let room = room();
    with_ssh_keys(&room);
    room.shell("ssh-keygen -k -z 41 -f krl bob.pub 2>&1");
    let said = room.run(&["export", "krl", "--output", "krl"]);
    assert!(said.starts_with("wrote krl: version 42, "), "{said}");
    assert_eq!(listed(&room, "krl"), "# KRL version 42");
    room.write("krl", "no list");
    assert!(room.run(&["export", "krl", "--output", "krl"]).starts_with("wrote krl: version 42, "));
}

#[test]
fn a_compromised_authority_takes_its_certificates_along() {
    let room = room();
    room.ssh_key("ca");
    room.ssh_key("alice");
    room.run(&["key", "add", "--ssh-ca", "ca.pub"]);
    room.shell("ssh-keygen -q -s ca -I alice -n E1 alice.pub; cp alice-cert.pub certified.pub");
    let ca = room.shell("ssh-keygen -lf ca.pub").split(' ').nth(1).unwrap().to_owned();
    room.run(&["key", "revoke", &ca, "--reason", "compromised"]);
    room.run(&["export", "krl", "--output", "krl"]);
    assert!(is_revoked(&room, "krl", "certified") && !is_revoked(&room, "krl", "alice"));
}

/// Whether ssh-keygen takes alice's signature over `text` at an instant, as git asks for the date of a commit.
fn verifies(room: &Room, at: &str) -> bool {
    let said = room.shell(&format!(
        "ssh-keygen -Y verify -f signers -I alice@x.example -n git -O verify-time={at} -s text.sig < text 2>&1"
    ));
    said.contains("Good \"git\" signature")
}

#[test]
fn ended_keys_have_a_window_for_reading_history() {
    let room = Room::new();
    room.ssh_key("alice");
    let key = room.read("alice.pub");
    room.shell("echo text > text; ssh-keygen -q -Y sign -n git -f alice text");
    let event = |id: &str, kind: &str, at: &str, data: serde_json::Value| {
        json!({"id": id, "source": "hr", "person": "E1", "type": kind, "effective_at": at, "data": data}).to_string()
    };
    let events = [
        event("1", "hired", "2026-01-01T00:00:00Z", json!({"emails": ["alice@x.example"]})),
        event("2", "activated", "2026-01-01T00:00:00Z", json!({})),
        event("3", "key_added", "2026-02-01T00:00:00Z", json!({"ssh": key.trim()})),
        event("4", "terminated", "2026-09-01T00:00:00Z", json!({})),
    ];
    room.write("events", &events.join("\n"));
    let said = room.run(&["apply", "events"]);
    assert!(said.ends_with("= 0\n"), "{said}");
    assert_eq!(room.run(&["export", "allowed-signers"]), "= 0\n");
    room.run(&["export", "allowed-signers", "--with-ended", "--output", "signers"]);
    let signers = room.read("signers");
    let window = "valid-after=\"20260201000000Z\",valid-before=\"20260901000000Z\"";
    assert!(signers.contains(&format!("alice@x.example namespaces=\"git\",{window} ssh-ed25519 ")), "{signers}");
    assert!(verifies(&room, "20260601000000Z"));
    assert!(!verifies(&room, "20260101000000Z") && !verifies(&room, "20261001000000Z"));
}

#[test]
fn an_export_goes_to_its_file_or_says_why_not() {
    let room = room();
    with_ssh_keys(&room);
    let said = room.run(&["export", "allowed-signers", "--output", "signers"]);
    assert_eq!(said, "wrote signers: 2 lines\n= 0\n");
    assert_eq!(room.run(&["export", "allowed-signers"]), room.read("signers") + "= 0\n");
    let said = room.run(&["export", "allowed-signers", "--output", "signers"]);
    assert_eq!(said, "nothing new for signers: 2 lines\n= 0\n");
    for kind in ["allowed-signers", "krl", "gnupg"] {
        let said = room.run(&["export", kind, "--output", "no/such/folder"]);
        assert!(said.contains("no/such/folder") && said.ends_with("= 2\n"), "{said}");
    }
    assert!(room.run(&["export", "krl"]).ends_with("= 64\n"), "a list is no text");
}

fn with_openpgp_keys(room: &Room) {
    for (id, name) in [("E1", "alice"), ("E2", "bob")] {
        room.shell(&format!(
            "export GNUPGHOME=$PWD/gnupg; mkdir -p -m 700 gnupg;
             gpg --batch --quiet --passphrase '' --quick-generate-key '{name} <{name}@x.example>' ed25519 sign never 2>&1;
             gpg --batch --quiet --passphrase '' --quick-add-uid {name}@x.example '{name} <{name}@home.example>' 2>&1;
             gpg --batch --armor --export {name}@x.example > {name}.asc"
        ));
        let said = room.run(&["key", "add", id, "--openpgp", &format!("{name}.asc")]);
        assert!(said.ends_with("= 0\n"), "{said}");
    }
}

fn revoke_by_its_own_word(room: &Room, id: &str, name: &str) {
    room.shell(&format!(
        "export GNUPGHOME=$PWD/gnupg; F=$(gpg --batch --with-colons --list-keys {name}@x.example | awk -F: '/^fpr/{{print $10; exit}}');
         sed 's/^:-----/-----/' gnupg/openpgp-revocs.d/$F.rev | gpg --batch --import 2>&1; gpg --batch --armor --export $F > {name}.asc"
    ));
    let said = room.run(&["key", "add", id, "--openpgp", &format!("{name}.asc")]);
    assert!(said.ends_with("= 0\n"), "{said}");
}

/// What gpg sees in an empty home after an import: validity, and the address.
fn imported(room: &Room, file: &str) -> Vec<(String, String)> {
    let said = room.shell(&format!(
        "rm -rf other; mkdir -m 700 other; export GNUPGHOME=$PWD/other; gpg --batch --quiet --import {file} 2>&1; gpg --batch --with-colons --list-keys"
    ));
    let fields = said.lines().filter(|line| line.starts_with("uid:")).map(|line| line.split(':').collect::<Vec<_>>());
    let field = |fields: &[&str], place: usize| fields.get(place).copied().unwrap_or_default().to_owned();
    fields.map(|fields| (field(&fields, 1), field(&fields, 9))).collect()
}

#[test]
fn gpg_imports_what_is_in_use_and_what_is_revoked() {
    let room = room();
    with_openpgp_keys(&room);
    let said = room.run(&["export", "gnupg", "--output", "keyring.gpg"]);
    assert_eq!(said, "wrote keyring.gpg: 2 certificates, 0 of them revoked\n= 0\n");
    assert_eq!(imported(&room, "keyring.gpg").len(), 4);
    revoke_by_its_own_word(&room, "E1", "alice");
    // Only the registry knows that bob left: nobody else would.
    room.run(&["kill", "E2", "--reason", "left"]);
    let said = room.run(&["export", "gnupg", "--output", "keyring.gpg"]);
    assert_eq!(said, "wrote keyring.gpg: 1 certificate, 1 of them revoked\n= 0\n");
    let seen = imported(&room, "keyring.gpg");
    assert!(seen.iter().all(|(validity, id)| validity == "r" && id.contains("alice")) && !seen.is_empty(), "{seen:?}");
}

#[test]
fn a_directory_serves_each_address_where_gpg_looks_for_it() {
    let room = room();
    with_openpgp_keys(&room);
    let said = room.run(&["export", "wkd", "--output", "www", "--domain", "x.example"]);
    assert_eq!(said, "wrote www/.well-known/openpgpkey/x.example: 2 addresses\n= 0\n");
    let hashes = room.shell("export GNUPGHOME=$PWD/gnupg; gpg --batch --with-wkd-hash --list-keys alice@x.example");
    let hash = hashes.lines().find_map(|line| line.trim().strip_suffix("@x.example").filter(|hash| hash.len() == 32));
    let hash = hash.unwrap_or_else(|| panic!("{hashes}"));
    let file = format!("www/.well-known/openpgpkey/x.example/hu/{hash}");
    let seen = imported(&room, &file);
    assert_eq!(
        seen.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(),
        ["alice <alice@x.example>"],
        "no other address"
    );
    assert_eq!(room.read("www/.well-known/openpgpkey/x.example/policy"), "");
    room.run(&["export", "wkd", "--output", "www", "--domain", "x.example", "--layout", "direct"]);
    assert!(room.path(&format!("www/.well-known/openpgpkey/hu/{hash}")).exists());
    // A revoked certificate is served on, also after its owner left; one that only ended here is not.
    revoke_by_its_own_word(&room, "E1", "alice");
    room.run(&["kill", "E1", "--reason", "left"]);
    room.run(&["kill", "E2", "--reason", "left"]);
    room.write("www/.well-known/openpgpkey/x.example/hu/README", "not ours");
    let said = room.run(&["export", "wkd", "--output", "www", "--domain", "x.example"]);
    assert_eq!(said, "wrote www/.well-known/openpgpkey/x.example: 1 address\n= 0\n");
    assert!(imported(&room, &file).iter().all(|(validity, _)| validity == "r"));
    let left = room.shell("ls www/.well-known/openpgpkey/x.example/hu");
    assert_eq!(left, format!("README\n{hash}\n= 0\n"));
    assert!(room.run(&["export", "wkd", "--output", "www", "--domain", "../etc"]).ends_with("= 64\n"));
}
