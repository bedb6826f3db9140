//! The program as scripts and people use it.

use crate::common::Room;
use countersign_policy::id::RefName;
use countersign_policy::keyring::{Keyring, Lifecycle, Material, RepositoryNames};
use countersign_registry::PublishedKeyring;
use serde_json::json;

#[test]
fn a_first_day() {
    let room = Room::new();
    let alice = room.ssh_key("alice");
    insta::assert_snapshot!(room.run(&["person", "add", "E1001", "--name", "Alice Example", "--email", "alice@example.com"]), @r"
    added E1001 (Alice Example), active; published as epoch 1 in TIME
    event ULID
    event ULID
    = 0
    ");
    let said = room.run(&["key", "add", "E1001", "--ssh", "alice.pub"]).replace(&alice, "FINGERPRINT");
    insta::assert_snapshot!(said, @r"
    added FINGERPRINT of E1001 (Alice Example); published as epoch 2 in TIME
    event ULID
    = 0
    ");
    insta::assert_snapshot!(room.run(&["key", "add", "E1001", "--ssh", "alice.pub"]), @r"
    1 key is there already
    = 0
    ");
    insta::assert_snapshot!(room.run(&["person", "add", "E1001", "--name", "Alice Example"]), @r"
    E1001 (Alice Example) is there already, active
    = 0
    ");
    insta::assert_snapshot!(room.run(&["person", "list"]), @r"
    E1001  active  Alice Example  1 key
    = 0
    ");
    insta::assert_snapshot!(room.run(&["status"]), @r"
    published as epoch 2
    1 person: 1 active, 0 prehire, 0 leave, 0 suspended, 0 terminated
    1 key
    3 events, the last key_added of E1001 by operator at TIME
    = 0
    ");
}

#[test]
fn a_last_day() {
    let room = Room::new();
    let alice = room.ssh_key("alice");
    room.run(&["person", "add", "E1001", "--name", "Alice Example", "--email", "alice@example.com"]);
    room.run(&["key", "add", "E1001", "--ssh", "alice.pub"]);
    insta::assert_snapshot!(room.run(&["kill", "E1001", "--reason", "left in anger", "--since", "2026-11-01T00:00:00Z"]), @r"
    terminated E1001 (Alice Example), effective now; 1 key compromised since 2026-11-01T00:00:00Z; published as epoch 3 in TIME
    event ULID
    event ULID
    = 0
    ");
    let keyring = room.keyring();
    let person = keyring.person(&"E1001".parse().unwrap()).unwrap().unwrap();
    assert_eq!(person.state(room.now()), Lifecycle::Terminated);
    let since = person.keys[0].compromised.unwrap().since.unwrap();
    assert_eq!(since.to_string(), "2026-11-01T00:00:00Z");
    assert_eq!(room.run(&["export", "allowed-signers"]), "= 0\n", "only current holders");
    insta::assert_snapshot!(room.run(&["kill", "E1001", "--reason", "again"]), @r"
    E1001 (Alice Example) was terminated already
    = 0
    ");
    let said = room.run(&["key", "add", "E1001", "--ssh", "alice.pub"]).replace(&alice, "FINGERPRINT");
    insta::assert_snapshot!(said, @r"
    keyring-sync: key FINGERPRINT was compromised: enrol a new key
    = 1
    ");
}

#[test]
fn a_mistake_is_taken_back_by_its_event() {
    let room = Room::new();
    room.ssh_key("alice");
    room.run(&["person", "add", "E1", "--name", "Alice", "--email", "a@x.example"]);
    room.run(&["key", "add", "E1", "--ssh", "alice.pub"]);
    let event = room.event(&["kill", "E1", "--reason", "mixed up with E2"]);
    insta::assert_snapshot!(room.run(&["undo", &event]), @r"
    took back terminated of E1 (Alice), now active; published as epoch 4 in TIME
    event ULID
    = 0
    ");
    let exported = room.run(&["export", "allowed-signers"]);
    assert!(exported.starts_with("a@x.example namespaces=\"git\",valid-after=\""), "{exported}");
    insta::assert_snapshot!(room.run(&["undo", "nothing"]), @r"
    keyring-sync: there is no event nothing
    = 1
    ");
}

#[test]
fn a_compromise_is_not_taken_back_and_an_authority_can_be_ended() {
    let room = Room::new();
    let (alice, ca) = (room.ssh_key("alice"), room.ssh_key("ca"));
    room.run(&["person", "add", "E1", "--name", "Alice"]);
    room.run(&["key", "add", "E1", "--ssh", "alice.pub"]);
    room.run(&["key", "add", "--ssh-ca", "ca.pub"]);
    let bare = alice.strip_prefix("SHA256:").unwrap();
    let event = room.event(&["key", "revoke", bare, "--reason", "compromised"]);
    let said = room.run(&["undo", &event]);
    assert!(said.contains("that is never taken back") && said.ends_with("= 1\n"), "{said}");
    let said = room.run(&["key", "revoke", &ca, "--reason", "retired"]);
    assert!(said.contains("is retired now") && said.ends_with("= 0\n"), "{said}");
    assert!(room.keyring().authorities().unwrap().ssh[0].retired.is_some());
    let said = room.run(&["key", "revoke", &ca, "--reason", "retired"]);
    assert!(said.contains("already") && said.ends_with("= 0\n"), "{said}");
}

#[test]
fn nobody_takes_what_somebody_else_holds() {
    let room = Room::new();
    room.ssh_key("alice");
    room.run(&["person", "add", "E1", "--name", "Alice", "--email", "a@x.example", "--email", "old@x.example"]);
    room.run(&["key", "add", "E1", "--ssh", "alice.pub"]);
    insta::assert_snapshot!(room.run(&["person", "add", "E2", "--name", "Bob", "--email", "A@x.example"]), @r"
    keyring-sync: a@x.example belongs to E1 (active)
    = 1
    ");
    room.run(&["kill", "E1", "--reason", "left"]);
    let said = room.run(&["person", "add", "E2", "--name", "Bob", "--email", "a@x.example"]);
    assert!(said.ends_with("= 0\n"), "a recycled address is free once its holder has left: {said}");
    let keyring = room.keyring();
    let holds = |id: &str, email| keyring.person(&id.parse().unwrap()).unwrap().unwrap().has_email(email, room.now());
    assert!(holds("E2", "a@x.example") && !holds("E1", "a@x.example") && holds("E1", "old@x.example"));
    let said = room.run(&["key", "add", "E2", "--ssh", "alice.pub"]);
    assert!(said.contains("belongs to E1: a key belongs to one person, ever") && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn undoing_a_new_name_does_not_take_the_old_one_from_its_next_holder() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "Ann", "--email", "ann@x.example"]);
    let renamed = room.event(&["person", "set", "E1", "--name", "Ann Lee", "--email", "ann.lee@x.example"]);
    room.run(&["person", "add", "E2", "--name", "Ann Ray", "--email", "ann@x.example"]);
    insta::assert_snapshot!(room.run(&["undo", &renamed]), @r"
    keyring-sync: ann@x.example belongs to E2 (active)
    = 1
    ");
    room.run(&["person", "set", "E2", "--email", "ann.ray@x.example"]);
    let said = room.run(&["undo", &renamed]);
    assert!(said.starts_with("took back renamed of E1 (Ann), now active"), "{said}");
}

#[test]
fn who_comes_back_starts_with_new_keys() {
    let room = Room::new();
    let alice = room.ssh_key("alice");
    room.ssh_key("new");
    room.run(&["person", "add", "E1", "--name", "Alice"]);
    room.run(&["key", "add", "E1", "--ssh", "alice.pub"]);
    room.run(&["kill", "E1", "--reason", "left"]);
    let said = room.run(&["person", "set", "E1", "--state", "active"]);
    assert!(said.contains("changed E1 (Alice), active"), "{said}");
    let said = room.run(&["key", "add", "E1", "--ssh", "alice.pub"]).replace(&alice, "FINGERPRINT");
    insta::assert_snapshot!(said, @r"
    keyring-sync: key FINGERPRINT was retired: enrol a new key
    = 1
    ");
    assert!(room.run(&["key", "add", "E1", "--ssh", "new.pub"]).ends_with("= 0\n"));
}

#[test]
fn all_lines_or_none() {
    let room = Room::new();
    let line = |id: &str, person: &str, kind: &str| {
        json!({"id": id, "source": "hr", "person": person, "type": kind}).to_string()
    };
    let lines = [
        line("1", "E1", "hired"),
        line("2", "E1", "activated"),
        line("3", "E9", "suspended"),
        line("4", "E1", "promoted"),
    ];
    room.write("events.jsonl", &lines.join("\n"));
    insta::assert_snapshot!(room.run(&["apply", "events.jsonl"]), @r"
    line 3: unknown person E9
    line 4: unknown type `promoted`
    nothing was changed: 2 lines refused (--keep-going takes the others)
    = 1
    ");
    assert_eq!(room.keyring().epoch(), 0);
    insta::assert_snapshot!(room.run(&["apply", "events.jsonl", "--keep-going", "--dry-run"]), @r"
    line 3: unknown person E9
    line 4: unknown type `promoted`
    would take 2 events
      E1 (E1): new, active
    = 1
    ");
    assert_eq!(room.keyring().epoch(), 0);
    insta::assert_snapshot!(room.run(&["apply", "events.jsonl", "--keep-going"]), @r"
    line 3: unknown person E9
    line 4: unknown type `promoted`
    took 2 events; published as epoch 1 in TIME
    = 1
    ");
    room.write("events.jsonl", &lines[..2].join("\n"));
    insta::assert_snapshot!(room.run(&["apply", "events.jsonl"]), @r"
    nothing to do, 2 known already
    = 0
    ");
    room.write("events.jsonl", &line("1", "E1", "terminated"));
    insta::assert_snapshot!(room.run(&["apply", "events.jsonl"]), @r"
    line 1: event 1 of hr is known already, and says something else
    nothing was changed: 1 line refused (--keep-going takes the others)
    = 1
    ");
}

#[test]
fn one_batch_cannot_give_a_key_to_two_persons() {
    let room = Room::new();
    room.ssh_key("alice");
    let key = room.read("alice.pub");
    let mut lines = Vec::new();
    for person in ["E1", "E2"] {
        lines.push(json!({"id": format!("h{person}"), "source": "hr", "person": person, "type": "hired"}).to_string());
        lines.push(json!({"id": format!("k{person}"), "source": "hr", "person": person, "type": "key_added", "data": {"ssh": key}}).to_string());
    }
    room.write("events.jsonl", &lines.join("\n"));
    let said = room.run(&["apply", "events.jsonl"]);
    assert!(said.starts_with("line 4: key SHA256:") && said.contains("belongs to E1"), "{said}");
}

#[test]
fn a_dated_termination_takes_effect_without_anybody() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "Alice"]);
    room.write("events.jsonl", &json!({"id": "t", "source": "hr", "person": "E1", "type": "terminated", "effective_at": "2099-01-01T17:00:00Z"}).to_string());
    insta::assert_snapshot!(room.run(&["apply", "events.jsonl", "--dry-run"]), @r"
    would take 1 event
      E1 (Alice): terminated from 2099-01-01T17:00:00Z
    = 0
    ");
    room.run(&["apply", "events.jsonl"]);
    let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
    assert!(person.is_active(room.now()));
    assert_eq!(person.state("2099-01-01T17:00:00Z".parse().unwrap()), Lifecycle::Terminated);
}

#[test]
fn signers_are_imported_and_exported() {
    let room = Room::new();
    room.ssh_key("alice");
    room.ssh_key("bob");
    let (alice, bob) = (room.read("alice.pub"), room.read("bob.pub"));
    room.write(
        "signers",
        &format!("# team\nalice@x.example namespaces=\"git\",valid-after=\"20260101Z\" {alice}*@x.example {bob}"),
    );
    insta::assert_snapshot!(room.run(&["import", "allowed-signers", "--trust-import", "signers"]), @r"
    signers line 3: principal `*@x.example` is a pattern: a key belongs to one person, so name the address
    nothing was changed: 1 line refused (--keep-going takes the others)
    = 1
    ");
    let said = room.run(&["import", "allowed-signers", "--trust-import", "signers", "--keep-going"]);
    assert!(said.contains("imported 1 key; published as epoch 1"), "{said}");
    let exported = room.run(&["export", "allowed-signers"]);
    assert!(
        exported.contains("alice@x.example namespaces=\"git\",valid-after=\"20260101000000Z\" ssh-ed25519 "),
        "{exported}"
    );
    room.write("ended", &format!("bob@x.example namespaces=\"git\",valid-before=\"20260101Z\" {bob}"));
    let said = room.run(&["import", "allowed-signers", "--trust-import", "ended"]);
    assert!(said.contains("of bob@x.example ended on 2026-01-01: it is on record and signs nothing new"), "{said}");
    assert!(said.ends_with("= 0\n"), "{said}");
    for file in ["ended", "exported-before"] {
        room.write("exported-before", exported.strip_suffix("= 0\n").unwrap());
        let said = room.run(&["import", "allowed-signers", "--trust-import", file]);
        assert_eq!(said, "everything is there already\n= 0\n", "{file}");
    }
    assert_eq!(room.run(&["export", "allowed-signers"]), exported, "an ended key is on record and not exported");
    // What ssh-keygen makes of it.
    room.write("exported", exported.strip_suffix("= 0\n").unwrap());
    let good = room.shell("echo text > text && ssh-keygen -q -Y sign -n git -f alice text && ssh-keygen -Y verify -f exported -I alice@x.example -n git -s text.sig < text");
    assert!(good.contains("Good \"git\" signature"), "{good}");
}

#[test]
fn an_end_that_a_file_knows_of_counts_for_a_known_key() {
    let room = Room::new();
    room.ssh_key("alice");
    let alice = room.read("alice.pub");
    room.run(&["person", "add", "E1", "--name", "Alice", "--email", "alice@x.example"]);
    room.run(&["key", "add", "E1", "--ssh", "alice.pub"]);
    let retired = || room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap().keys[0].retired.map(|end| end.at);
    for (end, expected) in [("20250101Z", "2025-01-01"), ("20240101Z", "2024-01-01"), ("20260101Z", "2024-01-01")] {
        room.write("signers", &format!("alice@x.example valid-before=\"{end}\" {alice}"));
        assert!(room.run(&["import", "allowed-signers", "--trust-import", "signers"]).ends_with("= 0\n"));
        assert_eq!(retired().unwrap().date().to_string(), expected, "{end}");
    }
}

#[test]
fn who_has_no_address_is_named_when_signers_are_exported() {
    let room = Room::new();
    room.ssh_key("alice");
    room.ssh_key("bob");
    room.run(&["person", "add", "E1", "--name", "Alice", "--email", "alice@x.example"]);
    room.run(&["person", "add", "E2", "--name", "Bob"]);
    room.run(&["person", "add", "E3", "--name", "Carol"]);
    assert!(room.run(&["export", "allowed-signers"]).starts_with('='), "who has no key is not missed");
    room.run(&["key", "add", "E1", "--ssh", "alice.pub"]);
    room.run(&["key", "add", "E2", "--ssh", "bob.pub"]);
    let said = room.run(&["export", "allowed-signers"]);
    let note = "left out 1 person without an e-mail address for this file: E2 (Bob)\n";
    assert!(said.contains(note) && said.contains("\nalice@x.example ") && said.ends_with("= 0\n"), "{said}");
}

#[test]
fn a_key_that_names_somebody_else_is_pointed_out() {
    let room = Room::new();
    room.shell(
        "export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg;
         gpg --batch --quiet --passphrase '' --quick-generate-key 'Bob <Bob@x.example>' ed25519 sign never 2>&1;
         gpg --batch --armor --export > bob.asc; gpgconf --kill all;
         printf '%s\n' '[req]' 'distinguished_name=dn' '[dn]' > plain.cnf
         openssl req -x509 -config plain.cnf -newkey rsa:2048 -nodes -keyout k -out carol.pem -days 3650 \\
            -subj '/CN=C/emailAddress=carol@x.example' -addext subjectAltName=email:bob@x.example 2>&1",
    );
    for (id, name) in [("E1", "alice"), ("E2", "bob"), ("E3", "carol")] {
        room.run(&["person", "add", id, "--name", name, "--email", &format!("{name}@x.example")]);
    }
    let said = room.run(&["key", "add", "E1", "--openpgp", "bob.asc"]);
    assert!(said.contains("names bob@x.example, which is an address of E2; what it signs counts as E1's"), "{said}");
    assert!(said.ends_with("= 0\n"), "{said}");
    let said = room.run(&["key", "add", "E2", "--x509", "carol.pem"]);
    assert!(said.contains("names carol@x.example, which is an address of E3; what it signs counts as E2's"), "{said}");
    assert!(!said.contains("names bob@x.example"), "his own address is no news: {said}");
}

#[test]
fn a_certificate_brings_its_holders_revocation() {
    let room = Room::new();
    let gpg = "export GNUPGHOME=$PWD/gnupg; gpg --batch --quiet";
    room.shell(&format!(
        "mkdir -m 700 gnupg; {gpg} --passphrase '' --quick-generate-key 'Alice <a@x.example>' ed25519 sign never 2>&1;
         {gpg} --armor --export > alice.asc; {gpg} --export > alice.gpg"
    ));
    room.run(&["person", "add", "E1", "--name", "Alice"]);
    room.run(&["person", "add", "E2", "--name", "Bob"]);
    let said = room.run(&["key", "add", "E1", "--openpgp", "alice.asc"]);
    assert!(
        said.ends_with(
            "= 0
"
        ),
        "{said}"
    );
    let said = room.run(&["key", "add", "E1", "--openpgp", "alice.gpg"]);
    assert_eq!(said, "1 key is there already\n= 0\n", "binary or armoured, it is the same certificate");
    assert!(room.run(&["key", "add", "E2", "--openpgp", "alice.gpg"]).contains("belongs to E1"));
    room.shell(&format!(
        "export GNUPGHOME=$PWD/gnupg; sed 's/^:-----/-----/' gnupg/openpgp-revocs.d/*.rev | gpg --batch --import 2>&1;
         {gpg} --armor --export > revoked.asc"
    ));
    let before = room.keyring().epoch();
    let said = room.run(&["key", "add", "E1", "--openpgp", "revoked.asc"]);
    assert!(said.ends_with("= 0\n"), "{said}");
    assert_eq!(room.keyring().epoch(), before + 1, "no new key, but news of it");
    let revoked = || {
        let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
        let Material::OpenPgp(certificate) = &person.keys[0].material else { panic!("another key") };
        certificate.signers.iter().all(|signer| signer.revoked.is_some())
    };
    assert!(revoked());
    // The older copy does not make that unsaid.
    room.run(&["key", "add", "E1", "--openpgp", "alice.asc"]);
    assert!(revoked());
}

#[test]
fn certificates_and_their_roots() {
    let room = Room::new();
    room.shell(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 3650 -subj '/CN=Root' \\
           -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign 2>&1;
         openssl req -newkey rsa:2048 -nodes -keyout alice.key -out alice.csr -subj '/CN=Alice' 2>&1;
         printf 'subjectAltName=email:alice@x.example\nkeyUsage=digitalSignature\n' > ext;
         openssl x509 -req -in alice.csr -CA root.pem -CAkey root.key -CAcreateserial -days 365 -extfile ext -out alice.pem 2>&1",
    );
    room.run(&["person", "add", "E1", "--name", "Alice"]);
    let said = room.run(&["key", "add", "--x509-root", "root.pem"]);
    assert!(said.contains("as an authority"), "{said}");
    let said = room.run(&["key", "add", "E1", "--x509", "alice.pem"]);
    assert!(said.contains("added X509:"), "{said}");
    assert_eq!(room.keyring().authorities().unwrap().x509.len(), 1);
    let said = room.run(&["key", "add", "E1", "--x509", "root.pem"]);
    assert!(said.ends_with("= 1\n"), "a root is nobody's key: {said}");
}

#[test]
fn wrong_usage_is_64_and_a_fault_is_2() {
    let room = Room::new();
    for args in [&["frob"][..], &["key", "add", "E1"], &["person", "add", "a b", "--name", "x"], &["kill", "E1"]] {
        assert!(room.run(args).ends_with("= 64\n"), "{args:?}");
    }
    assert!(room.run(&["kill", "E1", "--reason", "x"]).ends_with("= 1\n"));
    assert!(room.run(&["status", "--config", "none.yaml"]).ends_with("= 2\n"));
    let said = room.run(&["person", "show", "E1", "--format", "json"]);
    assert!(said.contains(r#"{"schema_version":1,"error":"unknown person E1"}"#), "{said}");
}

#[test]
fn a_reader_sees_no_half_state_and_holds_nobody_up() {
    let room = Room::new();
    let mut lines = Vec::new();
    for person in 0..40 {
        lines
            .push(json!({"id": format!("h{person}"), "source": "hr", "person": format!("E{person}"), "type": "hired"}));
        lines.push(
            json!({"id": format!("a{person}"), "source": "hr", "person": format!("E{person}"), "type": "activated"}),
        );
    }
    let batch = |lines: &[serde_json::Value]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    room.write("events.jsonl", &batch(&lines));
    room.run(&["apply", "events.jsonl"]);
    // Each batch suspends everybody, or reinstates everybody.
    let still = room.keyring();
    let dir = room.path("keyring");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut opened = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let keyring = PublishedKeyring::open(&dir).unwrap();
                let changes = |person: u32| {
                    let person = keyring.person(&format!("E{person}").parse().unwrap()).unwrap().unwrap();
                    person.lifecycle.len()
                };
                let first = changes(0);
                assert!((1..40).all(|person| changes(person) == first), "half of a batch is visible");
                opened += 1;
            }
            opened
        });
        for round in 0..50 {
            let kind = if round % 2 == 0 { "suspended" } else { "reinstated" };
            let all = (0..40).map(|person| json!({"id": format!("{round}-{person}"), "source": "scim", "person": format!("E{person}"), "type": kind}));
            room.write("events.jsonl", &batch(&all.collect::<Vec<_>>()));
            let said = room.run(&["apply", "events.jsonl"]);
            assert!(said.ends_with("= 0\n"), "{said}");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    let before = std::time::Instant::now();
    assert!(room.run(&["kill", "E7", "--reason", "test"]).ends_with("= 0\n"));
    assert!(before.elapsed().as_secs() < 5, "an open reader held the kill up");
    assert_eq!(still.epoch(), 1);
    assert!(still.person(&"E7".parse().unwrap()).unwrap().unwrap().is_active(room.now()));
    assert_eq!(room.keyring().epoch(), 52);
}

/// One event line of a feed.
fn event(id: &str, source: &str, kind: &str, more: serde_json::Value) -> String {
    let mut line = json!({"id": id, "source": source, "person": "E1", "type": kind});
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{line}\n")
}

fn state(room: &Room) -> Lifecycle {
    room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap().state(room.now())
}

#[test]
fn a_kill_is_out_for_good_whatever_hr_said_before_or_says_after() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A", "--email", "a@x.example"]);
    let rehired = json!({"effective_at": "2099-01-01T00:00:00Z", "data": {"name": "A"}});
    let left = [event("1", "hr", "terminated", json!({})), event("2", "hr", "rehired", rehired)].concat();
    room.write("left.jsonl", &(left + &event("s", "soc", "suspended", json!({}))));
    room.run(&["apply", "left.jsonl"]);
    let killed = room.run(&["kill", "E1", "--reason", "malice"]);
    assert!(killed.starts_with("terminated E1 (A), effective now"), "HR's word was not enough: {killed}");
    room.write("back.jsonl", &event("3", "hr", "termination_cancelled", json!({})));
    room.run(&["apply", "back.jsonl"]);
    assert_eq!(state(&room), Lifecycle::Terminated);
    let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
    let later = "2100-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(person.state(later), Lifecycle::Terminated, "what HR planned before the kill is no longer planned");
    assert!(room.run(&["kill", "E1", "--reason", "again"]).starts_with("E1 (A) was terminated already"));
}

#[test]
fn a_clock_that_went_back_does_not_keep_anybody_in() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A", "--email", "a@x.example"]);
    let killed = room.shell(&format!(
        "faketime -f -600s {} --config keyring-sync.yaml kill E1 --reason x",
        env!("CARGO_BIN_EXE_keyring-sync")
    ));
    assert!(killed.ends_with("= 0\n"), "{killed}");
    assert_eq!(state(&room), Lifecycle::Terminated);
}

#[test]
fn a_source_takes_back_its_own_word_alone() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A", "--email", "a@x.example"]);
    let kill = room.event(&["kill", "E1", "--reason", "x"]);
    let data = json!({"data": {"event": kill, "source": "operator"}});
    room.write("undo.jsonl", &event("1", "scim", "retracted", data));
    assert!(room.run(&["apply", "undo.jsonl"]).ends_with("= 1\n"));
    assert_eq!(state(&room), Lifecycle::Terminated);
}

#[test]
fn an_account_whose_hiring_is_undone_becomes_no_human() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A"]);
    let account = ["--kind", "service", "--owner", "E1", "--scope", "app"];
    let hired = room.event(&[&["person", "add", "bot", "--name", "Bot"][..], &account].concat());
    let said = room.run(&["undo", &hired]);
    assert!(said.contains("bot stays no human: keyring-sync person set bot --kind human if it is one"), "{said}");
    let bot = room.keyring().person(&"bot".parse().unwrap()).unwrap().unwrap();
    let somewhere = RepositoryNames { path: "/srv/git/other.git".to_owned(), forge: None };
    assert!(!bot.may_reach(&somewhere, &RefName::new(b"refs/heads/x")), "{bot:?}");
}

#[test]
fn a_name_to_come_is_not_the_name_of_today() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "Ann"]);
    let wedding = json!({"effective_at": "2099-01-01T00:00:00Z", "data": {"name": "Ann Lee"}});
    room.write("wedding.jsonl", &event("1", "hr", "renamed", wedding));
    assert!(room.run(&["apply", "wedding.jsonl"]).ends_with("= 0\n"));
    let shown = room.run(&["person", "show", "E1"]);
    assert!(shown.starts_with("E1 (Ann), active"), "{shown}");
    assert!(shown.contains("will be    called Ann Lee from 2099-01-01T00:00:00Z"), "{shown}");
    let json = room.run(&["person", "show", "E1", "--format", "json"]);
    assert!(json.contains("\"name\": \"Ann\"") || json.contains("\"name\":\"Ann\""), "{json}");
    assert!(room.run(&["person", "list"]).contains("E1  active  Ann  "));
}

#[test]
fn a_service_account_is_owned_by_a_human() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A"]);
    let bot = |id: &str, owner: &str| {
        room.run(&["person", "add", id, "--name", id, "--kind", "service", "--owner", owner, "--scope", "app"])
    };
    assert!(bot("bot", "E1").ends_with("= 0\n"));
    insta::assert_snapshot!(bot("second", "bot"), @r"
    keyring-sync: bot is an account and can own none: a service account is owned by a human
    = 1
    ");
    insta::assert_snapshot!(bot("second", "E9"), @r"
    keyring-sync: unknown owner E9
    = 1
    ");
    insta::assert_snapshot!(bot("second", "second"), @r"
    keyring-sync: second cannot own themselves: a service account is owned by a human
    = 1
    ");
    // Nor by somebody who turns out to be none, in whatever order it is said.
    insta::assert_snapshot!(room.run(&["person", "set", "E1", "--kind", "service"]), @r"
    keyring-sync: E1 owns the service account bot, which is owned by a human: give it another owner first
    = 1
    ");
    let hired = |id: &str, owner: &str| {
        let data = json!({"name": id, "kind": "service", "owner": owner});
        event(id, "hr", "hired", json!({"person": id, "data": data}))
    };
    let humans = |id: &str| event(id, "hr", "hired", json!({"person": id, "data": {"name": id}}));
    let owns = |id: &str, owner: &str| {
        let data = json!({"kind": "service", "owner": owner});
        event(&format!("{id}-2"), "hr", "renamed", json!({"person": id, "data": data}))
    };
    room.write("pair.jsonl", &[humans("a"), humans("b"), owns("a", "b"), owns("b", "a")].concat());
    let said = room.run(&["apply", "pair.jsonl"]);
    assert!(said.contains("line 4: a is an account and can own none") && said.ends_with("= 1\n"), "{said}");
    room.write("chain.jsonl", &[humans("c"), hired("d", "c"), hired("e", "d")].concat());
    let said = room.run(&["apply", "chain.jsonl"]);
    assert!(said.contains("line 3: d is an account and can own none") && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn an_end_that_lies_ahead_is_no_end() {
    let room = Room::new();
    let key = room.ssh_key("alice");
    room.run(&["person", "add", "E1", "--name", "A", "--email", "a@x.example"]);
    room.run(&["key", "add", "E1", "--ssh", "alice.pub"]);
    room.run(&["key", "revoke", &key, "--reason", "retired", "--since", "2099-01-01T00:00:00Z"]);
    let now = room.run(&["key", "revoke", &key, "--reason", "retired"]);
    assert!(!now.contains("already"), "{now}");
    let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
    assert!(person.keys[0].retired.unwrap().at <= room.now());
    assert!(
        room.run(&["key", "revoke", &key, "--reason", "compromised", "--since", "2099-01-01T00:00:00Z"])
            .ends_with("= 64\n")
    );
}

#[test]
fn what_nobody_is_to_know_is_not_published() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A", "--email", "a@x.example"]);
    let before = room.keyring().person_digest(&"E1".parse().unwrap()).unwrap();
    room.write("hold.jsonl", &event("1", "hr", "legal_hold_started", json!({})));
    assert!(room.run(&["apply", "hold.jsonl"]).ends_with("= 0\n"));
    assert_eq!(room.keyring().person_digest(&"E1".parse().unwrap()).unwrap(), before, "no verdict breaks on it");
    assert!(!room.shell("cat keyring/* | strings").contains("hold"));
    let shown = room.run(&["person", "show", "E1"]);
    assert!(shown.contains("legal hold"), "{shown}");
}

#[test]
fn secret_keys_do_not_reach_the_store_and_a_subkey_has_one_certificate() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A", "--email", "a@x.example"]);
    let made = room.shell(
        "export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg
         gpg() { command gpg --batch --quiet --pinentry-mode loopback --passphrase '' \"$@\"; }
         gpg --quick-generate-key 'A <a@x.example>' ed25519 sign never
         gpg --quick-generate-key 'B <b@x.example>' ed25519 cert never
         gpg --export-secret-keys a@x.example >secret.pgp && gpg --export >both.pgp
         gpg --list-keys --with-colons a@x.example | sed -n 's/^pub:.*:\\([0-9A-F]\\{16\\}\\):.*/id \\1/p'
         gpgconf --kill all",
    );
    let said = room.run(&["key", "add", "E1", "--openpgp", "secret.pgp"]);
    assert!(said.contains("secret key material was dropped") && said.ends_with("= 0\n"), "{made}{said}");
    let stored = room.shell("cat registry.db registry.db-wal 2>/dev/null | strings | grep -c 'PRIVATE KEY'");
    assert!(stored.starts_with('0'), "{stored}");
    let secret = room.shell("od -An -v -tx1 secret.pgp | tr -d ' \\n' | cut -c1-80");
    assert!(
        !room.shell("od -An -v -tx1 registry.db | tr -d ' \\n'").contains(secret.split('=').next().unwrap().trim())
    );
    // By the short name that gpg prints, and several certificates in one file.
    let id = made.lines().find_map(|line| line.strip_prefix("id ")).unwrap().to_owned();
    assert!(room.run(&["key", "show", &id]).contains("OpenPGP key"), "{id}");
    let both = room.run(&["key", "add", "E1", "--openpgp", "both.pgp"]);
    assert!(both.contains("has no key that may sign"), "the second of the file was read too: {both}");
}

#[test]
fn a_keyring_that_is_lost_is_mended_by_the_next_look() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "A", "--email", "a@x.example"]);
    room.shell("cp -a keyring old && true");
    room.run(&["kill", "E1", "--reason", "x"]);
    room.shell("rm -r keyring && mv old keyring");
    room.run(&["status"]);
    assert_eq!(state(&room), Lifecycle::Terminated, "a program that ended before its rename is made up for");
    let before = room.keyring().published_at();
    room.shell("sleep 0.01");
    assert!(room.run(&["publish"]).starts_with("published as epoch"));
    assert!(room.keyring().published_at() > before, "a timer confirms it where nothing changes");
}
