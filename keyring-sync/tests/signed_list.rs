//! Nightly lists that bear a signature, made by the programs that people have.

use crate::common::Room;

const NAMESPACE: &str = "keyring-list@git.example";

/// A registry whose HR signs `export.csv` by a key of this file.
fn room(keys: &str, more: &str) -> Room {
    let room = Room::new();
    room.write(
        "keyring-sync.yaml",
        &format!(
            "registry: registry.db\nkeyring: keyring\nserver: git.example\nsources:\n  hr:\n    csv:\n      \
             file: export.csv\n      signed_by: {keys}\n{more}"
        ),
    );
    room.ssh_key("hr");
    room.ssh_key("other");
    // Without a count of rows: that the list is whole is known by the signature.
    export(&room, 1, "E1,active,Alice\nE2,active,Bob\n");
    room
}

fn export(room: &Room, hour: u32, rows: &str) {
    let rows: String = rows.lines().map(|row| format!("{row},2026-01-01T{hour:02}:00:00Z\n")).collect();
    room.write("export.csv", &format!("employee_id,status,display_name,exported_at\n{rows}"));
}

fn sign(room: &Room, key: &str, namespace: &str) {
    let said =
        room.shell(&format!("rm -f export.csv.sig; ssh-keygen -q -Y sign -n {namespace} -f {key} export.csv 2>&1"));
    assert!(said.ends_with("= 0\n"), "{said}");
}

#[test]
fn a_list_counts_by_its_sources_signature_and_by_no_other() {
    let room = room("hr.pub", "");
    let said = room.run(&["sync"]);
    assert!(
        said.contains("export.csv is refused: it is not signed: the file beside it with `.sig` added is missing"),
        "{said}"
    );
    assert!(said.contains(&format!("-n {NAMESPACE}")) && said.ends_with("hr: nothing was changed\n= 1\n"), "{said}");
    let refused = |why: &str| {
        let said = room.run(&["sync"]);
        assert!(said.contains(&format!("export.csv is refused: {why}")) && said.ends_with("= 1\n"), "{said}");
        assert_eq!(room.run(&["person", "list"]), "= 0\n");
    };
    sign(&room, "other", NAMESPACE);
    refused("its signature is by a key that is not in signed_by");
    sign(&room, "hr", "git");
    refused("its signature is not good: the list ");
    sign(&room, "hr", "keyring-list@other.example");
    refused("its signature is not good: the list ");
    sign(&room, "hr", NAMESPACE);
    export(&room, 1, "E1,active,Alice\n");
    refused("its signature is not good: the list ");
    for nonsense in ["", "signed\u{1b}[31m\n"] {
        room.write("export.csv.sig", nonsense);
        refused("its signature is not good: the list ");
    }
    assert!(!room.run(&["sync"]).contains('\u{1b}'));

    export(&room, 2, "E1,active,Alice\nE2,active,Bob\n");
    sign(&room, "hr", NAMESPACE);
    let said = room.run(&["sync"]);
    assert!(said.contains("names 2 people") && said.ends_with("= 0\n"), "{said}");
    // An old one is old however well it is signed.
    export(&room, 1, "E1,active,Alice\n");
    sign(&room, "hr", NAMESPACE);
    let said = room.run(&["sync"]);
    assert!(said.contains("the list of 2026-01-01T02:00:00Z was taken already") && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn gpg_signs_too_and_several_keys_may() {
    let room = room("keys.asc", "");
    let said = room.shell(
        "export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg
         for name in hr next; do
             gpg --batch --quiet --passphrase '' --quick-generate-key \"$name <$name@hr.example>\" ed25519 sign never 2>/dev/null
         done
         gpg --batch --armor --export > keys.asc
         gpg --batch --quiet --armor --detach-sign -u next@hr.example --output export.csv.sig export.csv; gpgconf --kill all",
    );
    assert!(said.ends_with("= 0\n"), "{said}");
    let said = room.run(&["sync"]);
    assert!(said.contains("names 2 people") && said.ends_with("= 0\n"), "{said}");
    export(&room, 2, "E1,active,Alice\n");
    let said = room.run(&["sync"]);
    assert!(
        said.contains("export.csv is refused: its signature is not good: the list ") && said.ends_with("= 1\n"),
        "{said}"
    );
}

#[test]
fn a_list_that_is_too_old_is_refused_before_anybody_is_missing_in_it() {
    let room = room("hr.pub", "      max_age: 3d\n");
    sign(&room, "hr", NAMESPACE);
    let said = room.run(&["sync"]);
    let why =
        "export.csv is refused: it was exported at 2026-01-01T01:00:00Z, more than 3d ago: has the export stopped?";
    assert!(said.contains(why) && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn settings_that_cannot_be_kept_are_no_mere_refusal() {
    let room = room("missing.pub", "");
    let said = room.run(&["sync"]);
    assert!(said.contains("missing.pub: ") && said.ends_with("= 2\n"), "{said}");
    room.write("missing.pub", "# nobody\n");
    assert!(room.run(&["sync"]).contains("missing.pub: it holds 0 keys"));
    let config = room.read("keyring-sync.yaml").replace("server: git.example\n", "");
    room.write("keyring-sync.yaml", &config);
    let said = room.run(&["sync"]);
    assert!(said.contains("add `server: git.example`") && said.ends_with("= 2\n"), "{said}");
}
