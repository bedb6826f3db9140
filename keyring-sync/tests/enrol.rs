//! Enrolment with the programs that developers have: ssh-keygen, gpg and openssl.

use crate::common::Room;
use countersign_policy::keyring::{Keyring, Material, Person};
use serde_json::Value;

const ALICE: &str = "E1001";
const BOB: &str = "E1002";

/// A registry of a server with a name, and two people in it.
fn room() -> Room {
    let room = Room::new();
    let config = room.read("keyring-sync.yaml");
    room.write("keyring-sync.yaml", &format!("{config}server: git.example\n"));
    room.run(&["person", "add", ALICE, "--name", "Alice Example", "--email", "alice@x.example"]);
    room.run(&["person", "add", BOB, "--name", "Bob Example", "--email", "bob@x.example"]);
    room
}

/// `enrol begin`, which must work.
fn begin(room: &Room, args: &[&str]) -> Value {
    let said = room.run(&[&["--format", "json", "enrol", "begin"], args].concat());
    let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{said}"));
    serde_json::from_str(line).unwrap()
}

fn text<'v>(begun: &'v Value, field: &str) -> &'v str {
    begun[field].as_str().unwrap()
}

/// Pastes what the server printed, at a desk where the keys lie in this folder.
fn sign(room: &Room, begun: &Value, key: &str) {
    let commands =
        text(begun, "sign").replace("~/.ssh/id_ed25519", key).replace("certificate.pem", &format!("{key}.pem"));
    let commands = commands.replace("key.pem", &format!("{key}.key"));
    let said = room.shell(&format!("export GNUPGHOME=$PWD/gnupg; {commands}"));
    assert!(said.ends_with("= 0\n"), "{said}");
}

/// Pastes the command that the server printed for the end.
fn finish(room: &Room, begun: &Value) -> String {
    let args: Vec<&str> = text(begun, "finish").split(' ').skip(1).collect();
    room.run(&args)
}

fn person(room: &Room, id: &str) -> Person {
    room.keyring().person(&id.parse().unwrap()).unwrap().unwrap().as_ref().clone()
}

fn gpg_key(room: &Room, name: &str, usage: &str) {
    room.shell(&format!(
        "export GNUPGHOME=$PWD/gnupg; mkdir -p -m 700 gnupg;
         gpg --batch --quiet --passphrase '' --quick-generate-key '{name} <{name}@x.example>' ed25519 {usage} never 2>&1;
         gpg --batch --armor --export {name}@x.example > {name}.asc"
    ));
}

fn certificate(room: &Room, name: &str) {
    let said = room.shell(&format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days 30 -subj '/CN={name}' \\
           -addext basicConstraints=CA:false -addext keyUsage=digitalSignature 2>/dev/null"
    ));
    assert_eq!(said, "= 0\n");
}

#[test]
fn a_key_is_registered_by_a_signature() {
    let room = room();
    let key = room.ssh_key("alice");
    let said = room.run(&["enrol", "begin", ALICE, "--key", "alice.pub"]);
    let nonce = said.lines().find_map(|line| line.strip_prefix("nonce: ")).unwrap().to_owned();
    let expires = said.lines().find_map(|line| line.strip_prefix("expires: ")).unwrap().to_owned();
    insta::assert_snapshot!(said.replace(&key, "FINGERPRINT").replace(&nonce, "NONCE").replace(&expires, "EXPIRY"), @"
    E1001 (Alice Example) signs this with key FINGERPRINT, once, until EXPIRY:

    cat > challenge <<'END'
    keyring-sync enrol v1
    server: git.example
    person: E1001
    key: FINGERPRINT
    purpose: enrol a new key
    nonce: NONCE
    expires: EXPIRY
    END
    ssh-keygen -Y sign -n keyring-enrol@git.example -f ~/.ssh/id_ed25519 < challenge > challenge.sig    # -f: the file of FINGERPRINT

    then, with what that wrote:

    keyring-sync enrol finish E1001 --nonce NONCE --signature challenge.sig
    = 0
    ");
    assert!(person(&room, ALICE).keys.is_empty(), "nothing is registered before it is proven");
    let listed = room.run(&["enrol", "list", ALICE]);
    assert!(listed.contains(&format!("pending {key}, by enrol")) && listed.contains("5 attempts"), "{listed}");
    let begun = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &begun, "alice");
    let said = finish(&room, &begun);
    insta::assert_snapshot!(said.replace(&key, "FINGERPRINT"), @"
    enrolled FINGERPRINT of E1001 (Alice Example); published as epoch 3 in TIME
    event ULID
    = 0
    ");
    assert_eq!(person(&room, ALICE).keys[0].fingerprint.as_str(), key);
    // Whoever doubts it later can check it again.
    let registry = rusqlite::Connection::open(room.path("registry.db")).unwrap();
    let event = "SELECT line FROM event WHERE type = 'key_added'";
    let line: Value =
        serde_json::from_str(&registry.query_row(event, [], |row| row.get::<_, String>(0)).unwrap()).unwrap();
    assert_eq!(line["data"]["proof"]["challenge"], begun["challenge"]);
    assert_eq!(line["data"]["proof"]["signature"], room.read("challenge.sig"));
    let again = room.run(&["enrol", "begin", ALICE, "--key", "alice.pub"]);
    assert_eq!(again, format!("keyring-sync: key {key} is registered to E1001 already\n= 1\n"));
}

#[test]
fn gpg_signs_with_the_subkey_that_the_server_names() {
    let room = room();
    gpg_key(&room, "alice", "cert");
    room.shell(
        "export GNUPGHOME=$PWD/gnupg; F=$(gpg --batch --with-colons --list-keys | awk -F: '/^fpr/{print $10; exit}');
         gpg --batch --quiet --passphrase '' --quick-add-key $F ed25519 sign never; gpg --batch --armor --export > alice.asc",
    );
    let begun = begin(&room, &[ALICE, "--key", "alice.asc"]);
    sign(&room, &begun, "alice");
    let said = finish(&room, &begun);
    assert!(said.contains("enrolled ") && said.contains("keyring-sync enrol deposit"), "{said}");
    let keys = person(&room, ALICE).keys;
    let Material::OpenPgp(certificate) = &keys[0].material else { panic!("another key") };
    let signing: Vec<_> = certificate.signers.iter().filter(|signer| signer.for_signing).collect();
    assert!(text(&begun, "sign").contains(&format!("-u {}!", signing[0].fingerprint)), "{begun}");
    assert_ne!(signing[0].fingerprint, keys[0].fingerprint.as_str());
}

#[test]
fn openssl_signs_for_a_certificate() {
    let room = room();
    certificate(&room, "alice");
    let begun = begin(&room, &[ALICE, "--key", "alice.pem"]);
    sign(&room, &begun, "alice");
    let said = finish(&room, &begun);
    assert!(said.contains("enrolled X509:") && said.ends_with("= 0\n"), "{said}");
}

#[test]
fn a_security_keys_file_and_a_servers_name_stand_in_the_command() {
    let room = Room::new();
    room.ssh_key("alice");
    room.run(&["person", "add", ALICE, "--name", "Alice"]);
    let said = room.run(&["enrol", "begin", ALICE, "--key", "alice.pub"]);
    assert!(said.contains("does not say how developers know this server: add `server: git.example`"), "{said}");
    assert!(said.ends_with("= 1\n"), "{said}");
}

/// What is signed how, and what the server says of it.
struct Wrong {
    name: &'static str,
    /// Of `alice` (SSH), `gpg` or `cert`.
    key: &'static str,
    /// Writes challenge.sig.
    sign: &'static str,
    says: &'static str,
}

const WRONG: &[Wrong] = &[
    Wrong {
        name: "a signature over commits",
        key: "alice.pub",
        sign: "ssh-keygen -q -Y sign -n git -f alice < challenge > challenge.sig",
        says: "the challenge has an SSH signature made for `git`, not for `keyring-enrol@git.example`",
    },
    Wrong {
        name: "a signature for another server",
        key: "alice.pub",
        sign: "ssh-keygen -q -Y sign -n keyring-enrol@other.example -f alice < challenge > challenge.sig",
        says: "made for `keyring-enrol@other.example`, not for `keyring-enrol@git.example`",
    },
    Wrong {
        name: "another SSH key",
        key: "alice.pub",
        sign: "ssh-keygen -q -Y sign -n keyring-enrol@git.example -f mallory < challenge > challenge.sig",
        says: "the signature is by another key, not by SHA256:",
    },
    Wrong {
        name: "another text",
        key: "alice.pub",
        sign: "sed s/E1001/E1002/ challenge | ssh-keygen -q -Y sign -n keyring-enrol@git.example -f alice > challenge.sig",
        says: "the challenge has an SSH signature that does not fit its bytes",
    },
    Wrong {
        name: "no signature",
        key: "alice.pub",
        sign: "cp challenge challenge.sig",
        says: "the challenge has a signature that does not begin with a line this server knows",
    },
    Wrong {
        name: "more than a signature",
        key: "alice.pub",
        sign: "head -c 200000 /dev/zero | base64 > challenge.sig",
        says: "the signature is longer than 131072 bytes",
    },
    Wrong {
        name: "another OpenPGP key",
        key: "alice.asc",
        sign: "gpg --batch --armor --detach-sign -u mallory@x.example --output challenge.sig challenge",
        says: "the signature is by another key, not by ",
    },
    Wrong {
        name: "an OpenPGP signature over another text",
        key: "alice.asc",
        sign: "date | gpg --batch --armor --detach-sign -u alice@x.example --output challenge.sig",
        says: "the challenge has an OpenPGP signature that does not fit its bytes",
    },
    Wrong {
        name: "an OpenPGP signature over text lines",
        key: "alice.asc",
        sign: "gpg --batch --armor --textmode --detach-sign -u alice@x.example --output challenge.sig challenge",
        says: "the challenge has an OpenPGP signature of a type that does not sign documents",
    },
    Wrong {
        name: "the right person's SSH key for their OpenPGP key",
        key: "alice.asc",
        sign: "ssh-keygen -q -Y sign -n keyring-enrol@git.example -f alice < challenge > challenge.sig",
        says: "the signature is by another key, not by ",
    },
    Wrong {
        name: "another certificate",
        key: "alice.pem",
        sign: "openssl cms -sign -binary -outform PEM -signer mallory.pem -inkey mallory.key -in challenge -out challenge.sig",
        says: "the signature is by another key, not by X509:",
    },
    Wrong {
        name: "a certificate's signature over another text",
        key: "alice.pem",
        sign: "date | openssl cms -sign -binary -outform PEM -signer alice.pem -inkey alice.key -out challenge.sig",
        says: "the challenge has an X.509 signature over something else",
    },
    Wrong {
        name: "a certificate's signature over a digest that is broken",
        key: "alice.pem",
        sign: "openssl cms -sign -binary -md sha1 -outform PEM -signer alice.pem -inkey alice.key -in challenge -out challenge.sig",
        says: "the challenge is signed over a SHA-1 digest, which is broken",
    },
    Wrong {
        name: "a message with its content in it",
        key: "alice.pem",
        sign: "openssl cms -sign -nodetach -binary -outform PEM -signer alice.pem -inkey alice.key -in challenge -out challenge.sig",
        says: "the challenge has an X.509 signature over content of its own",
    },
];

#[test]
fn each_wrong_answer_is_called_what_it_is() {
    let room = room();
    for name in ["alice", "mallory"] {
        room.ssh_key(name);
        gpg_key(&room, name, "sign");
        certificate(&room, name);
    }
    for wrong in WRONG {
        let begun = begin(&room, &[ALICE, "--key", wrong.key]);
        room.write("challenge", text(&begun, "challenge"));
        let said = room.shell(&format!("export GNUPGHOME=$PWD/gnupg; rm -f challenge.sig; {}", wrong.sign));
        assert!(said.ends_with("= 0\n"), "{}: {said}", wrong.name);
        let said = finish(&room, &begun);
        assert!(said.contains(wrong.says), "{}: {said}", wrong.name);
        assert!(said.contains("; 4 attempts are left") && said.ends_with("= 1\n"), "{}: {said}", wrong.name);
        spend(&room);
    }
    assert!(person(&room, ALICE).keys.is_empty());
}

/// Lets every challenge be over, as fifteen minutes would.
fn spend(room: &Room) {
    let registry = rusqlite::Connection::open(room.path("registry.db")).unwrap();
    registry.execute("UPDATE challenge SET expires_at = begun_at WHERE spent_at IS NULL", []).unwrap();
}

#[test]
fn a_challenge_is_of_one_person() {
    let room = room();
    room.ssh_key("alice");
    let begun = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &begun, "alice");
    let said = room.run(&text(&begun, "finish").replace(ALICE, BOB).split(' ').skip(1).collect::<Vec<_>>());
    assert_eq!(said, "keyring-sync: the challenge is for E1001, not for E1002; 4 attempts are left\n= 1\n");
    assert!(finish(&room, &begun).ends_with("= 0\n"), "her own answer is still good");
}

#[test]
fn a_challenge_holds_once() {
    let room = room();
    room.ssh_key("alice");
    let begun = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &begun, "alice");
    assert!(finish(&room, &begun).ends_with("= 0\n"));
    let said = finish(&room, &begun);
    assert!(said.contains("the challenge was used at ") && said.contains("and holds once: begin anew"), "{said}");
    assert!(said.ends_with("= 1\n"), "{said}");
}

#[test]
fn a_challenge_expires() {
    let room = room();
    room.ssh_key("alice");
    let begun = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &begun, "alice");
    spend(&room);
    let said = finish(&room, &begun);
    assert!(said.contains("the challenge expired at ") && said.ends_with(": begin anew\n= 1\n"), "{said}");
    assert!(person(&room, ALICE).keys.is_empty());
    let expires: countersign_policy::time::Time = text(&begun, "expires_at").parse().unwrap();
    let left = expires.since(room.now()).as_secs();
    assert!((14 * 60..=15 * 60).contains(&left), "{left}");
}

#[test]
fn a_challenge_takes_five_answers() {
    let room = room();
    room.ssh_key("alice");
    let begun = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &begun, "alice");
    let right = room.read("challenge.sig");
    room.write("challenge.sig", "nothing\n");
    for left in
        ["4 attempts are left", "3 attempts are left", "2 attempts are left", "1 attempt is left", "that was the last"]
    {
        let said = finish(&room, &begun);
        assert!(said.contains(left), "{left}: {said}");
    }
    room.write("challenge.sig", &right);
    let said = finish(&room, &begun);
    assert!(said.contains("the challenge had 5 wrong answers, and takes no more: begin anew"), "{said}");
    assert!(person(&room, ALICE).keys.is_empty());
}

#[test]
fn an_unknown_nonce_and_what_is_none() {
    let room = room();
    room.write("s", "");
    let said = room.run(&["enrol", "finish", ALICE, "--nonce", &"a".repeat(64), "--signature", "s"]);
    assert_eq!(said, "keyring-sync: no challenge has this nonce: keyring-sync enrol begin makes one\n= 1\n");
    let said = room.run(&["enrol", "finish", ALICE, "--nonce", "abc", "--signature", "s"]);
    assert!(said.contains("64 hex digits") && said.ends_with("= 64\n"), "{said}");
}

#[test]
fn a_challenge_of_another_server_is_none_here() {
    let room = room();
    room.ssh_key("alice");
    let begun = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &begun, "alice");
    let config = room.read("keyring-sync.yaml");
    room.write("keyring-sync.yaml", &config.replace("server: git.example\n", "server: other.example\n"));
    let said = finish(&room, &begun);
    assert!(said.contains("the challenge is of git.example, and this server is other.example"), "{said}");
}

#[test]
fn only_who_holds_a_key_gets_it_whoever_asked_first() {
    let room = room();
    room.ssh_key("alice");
    let bobs = begin(&room, &[BOB, "--key", "alice.pub"]);
    let hers = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &hers, "alice");
    // Her signature does not answer his challenge.
    let said = finish(&room, &bobs);
    assert!(said.contains("does not fit its bytes"), "{said}");
    assert!(finish(&room, &hers).ends_with("= 0\n"));
    sign(&room, &bobs, "alice");
    let said = finish(&room, &bobs);
    assert!(said.contains("belongs to E1001: a key belongs to one person, ever") && said.ends_with("= 1\n"), "{said}");
    let said = room.run(&["enrol", "begin", BOB, "--key", "alice.pub"]);
    assert!(said.contains("belongs to E1001: a key belongs to one person, ever"), "{said}");
    room.run(&["kill", ALICE, "--reason", "left"]);
    let said = room.run(&["enrol", "begin", BOB, "--key", "alice.pub"]);
    assert!(said.contains("belongs to E1001"), "also after she left: {said}");
}

#[test]
fn who_is_out_enrols_nothing() {
    let room = room();
    room.ssh_key("alice");
    let begun = begin(&room, &[ALICE, "--key", "alice.pub"]);
    sign(&room, &begun, "alice");
    room.run(&["kill", ALICE, "--reason", "left"]);
    for said in [finish(&room, &begun), room.run(&["enrol", "begin", ALICE, "--key", "alice.pub"])] {
        assert!(said.contains("E1001 (Alice Example) is terminated: no new key is enrolled"), "{said}");
    }
}

#[test]
fn one_person_does_not_fill_the_registry_with_questions() {
    let room = room();
    room.ssh_key("alice");
    for _ in 0..8 {
        begin(&room, &[ALICE, "--key", "alice.pub"]);
    }
    let said = room.run(&["enrol", "begin", ALICE, "--key", "alice.pub"]);
    assert!(said.contains("has 8 challenges to answer already"), "{said}");
    room.ssh_key("bob");
    begin(&room, &[BOB, "--key", "bob.pub"]);
}

#[test]
fn an_old_key_brings_its_successor() {
    let room = room();
    let (old, new) = (room.ssh_key("old"), room.ssh_key("new"));
    room.run(&["key", "add", ALICE, "--ssh", "old.pub"]);
    let begun = begin(&room, &[ALICE, "--key", "new.pub", "--by-old-key", &old, "--until", "2099-01-01T00:00:00Z"]);
    assert!(text(&begun, "challenge").contains(&format!("purpose: replace {old} at 2099-01-01T00:00:00Z\n")));
    // Both lines name the usual file; here the first is the new key's.
    let signing = text(&begun, "sign").replacen("~/.ssh/id_ed25519", "new", 1).replacen("~/.ssh/id_ed25519", "old", 1);
    let said = room.shell(&signing);
    assert!(said.ends_with("= 0\n"), "{said}");
    let args: Vec<&str> = text(&begun, "finish").split(' ').skip(1).collect();
    let said = room.run(&args[..args.len() - 2]);
    assert!(said.contains("the signature of the old key") && said.contains("is missing: --old-signature"), "{said}");
    room.shell("cp challenge.old.sig kept; cp challenge.sig challenge.old.sig");
    let said = finish(&room, &begun);
    assert!(said.contains("the old key's signature is by another key, not by"), "{said}");
    room.shell("cp kept challenge.old.sig");
    let said = finish(&room, &begun);
    assert!(said.contains(&format!("; {old} ends at 2099-01-01T00:00:00Z")), "{said}");
    let alice = person(&room, ALICE);
    let key = |name: &str| alice.keys.iter().find(|key| key.fingerprint.as_str() == name).unwrap();
    assert_eq!(key(&new).enrolled_by.as_ref().unwrap().as_str(), old);
    assert_eq!(key(&old).retired.unwrap().at.to_string(), "2099-01-01T00:00:00Z", "until then both may sign");
    // What a stolen key vouched for falls with it.
    room.run(&["key", "revoke", &old, "--reason", "compromised"]);
    assert!(person(&room, ALICE).keys.iter().all(|key| key.compromised.is_some()));
    room.ssh_key("newer");
    let said = room.run(&["enrol", "begin", ALICE, "--key", "newer.pub", "--by-old-key", &old]);
    assert!(said.contains("has ended: it vouches for no new one"), "{said}");
}

#[test]
fn an_imported_key_waits_until_it_is_shown_to_be_held() {
    let room = room();
    let key = room.ssh_key("alice");
    let line = room.read("alice.pub");
    room.write("signers", &format!("alice@x.example valid-before=\"20990101Z\" {line}"));
    let said = room.run(&["import", "allowed-signers", "signers"]);
    assert_eq!(
        said,
        format!(
            "next: keyring-sync enrol begin {ALICE} --pending {key}\n\
             imported 0 keys; 1 key waits for proof of possession\n= 0\n"
        )
    );
    assert!(person(&room, ALICE).keys.is_empty());
    assert_eq!(room.run(&["import", "allowed-signers", "signers"]), "everything is there already\n= 0\n");
    let begun = begin(&room, &[ALICE, "--pending", &key]);
    sign(&room, &begun, "alice");
    let said = finish(&room, &begun);
    assert!(said.contains("it ends at 2099-01-01T00:00:00Z, as import of signers has it"), "{said}");
    assert!(person(&room, ALICE).keys[0].retired.is_some());
    assert!(room.run(&["enrol", "list"]).starts_with("= 0"), "nothing waits any more");
    room.write("ca", &format!("* cert-authority,namespaces=\"git\" {line}"));
    let said = room.run(&["import", "allowed-signers", "ca"]);
    assert!(said.contains("an authority speaks for everybody: --trust-import takes it"), "{said}");
}

/// Makes `revocation` of alice's key; the choice is gpg's menu.
fn gen_revoke(room: &Room, choice: u8, name: &str) {
    let said = room.shell(&format!(
        "export GNUPGHOME=$PWD/gnupg; printf 'y\\n{choice}\\n\\ny\\n' \\
         | gpg --no-tty --pinentry-mode loopback --passphrase '' --command-fd 0 --yes --output revocation --gen-revoke {name}@x.example 2>&1"
    ));
    assert!(room.path("revocation").exists(), "{said}");
}

fn gpg_fingerprint(room: &Room, name: &str) -> String {
    let said = room.shell(&format!(
        "export GNUPGHOME=$PWD/gnupg; gpg --batch --with-colons --list-keys {name}@x.example 2>/dev/null | awk -F: '/^fpr/{{print $10; exit}}'"
    ));
    said.lines().next().unwrap().to_owned()
}

#[test]
fn a_deposited_revocation_ends_the_key_by_its_own_word() {
    for (choice, reason, hard) in [(1, "compromised", true), (2, "superseded", false), (3, "retired", false)] {
        let room = room();
        gpg_key(&room, "alice", "sign");
        room.run(&["key", "add", ALICE, "--openpgp", "alice.asc"]);
        let key = gpg_fingerprint(&room, "alice");
        gen_revoke(&room, choice, "alice");
        let epoch = room.keyring().epoch();
        let said = room.run(&["enrol", "deposit", &key, "--revocation", "revocation"]);
        assert_eq!(said, format!("keeps a revocation certificate of {key} of {ALICE}, reason {reason}\n= 0\n"));
        assert_eq!(room.keyring().epoch(), epoch, "nothing changes before it is used");
        let said = room.run(&["enrol", "deposit", &key, "--revocation", "revocation"]);
        assert!(said.contains("keeps already"), "{said}");
        let other = if hard { "retired" } else { "compromised" };
        let said = room.run(&["enrol", "revoke", &key, "--reason", other]);
        assert!(said.contains(&format!("with reason {other} was deposited (kept: {reason})")), "{said}");
        let said = room.run(&["enrol", "revoke", &key, "--reason", reason]);
        assert!(said.contains(&format!("revoked {key} of E1001 (Alice Example) by its own word")), "{said}");
        let held = &person(&room, ALICE).keys[0];
        assert_eq!((held.compromised.is_some(), held.retired.is_some()), (hard, !hard), "{reason}");
        let Material::OpenPgp(certificate) = &held.material else { panic!("another key") };
        let revoked = certificate.signers[0].revoked.as_ref().unwrap();
        assert_eq!(revoked.soft_since.is_none(), hard, "{reason}");
        let said = room.run(&["enrol", "revoke", &key, "--reason", reason]);
        assert!(said.contains("was revoked so already") && said.ends_with("= 0\n"), "{said}");
    }
}

#[test]
fn gpgs_own_revocation_is_taken_with_a_warning_and_anothers_is_not() {
    let room = room();
    gpg_key(&room, "alice", "sign");
    gpg_key(&room, "mallory", "sign");
    room.run(&["key", "add", ALICE, "--openpgp", "alice.asc"]);
    let (key, mallory) = (gpg_fingerprint(&room, "alice"), gpg_fingerprint(&room, "mallory"));
    let file = |key: &str| format!("gnupg/openpgp-revocs.d/{key}.rev");
    let said = room.run(&["enrol", "deposit", &key, "--revocation", &file(&key)]);
    assert!(said.contains("reason unspecified") && said.contains("would take back everything"), "{said}");
    let said = room.run(&["enrol", "deposit", &key, "--revocation", &file(&mallory)]);
    assert!(said.contains(&format!("is no revocation by key {key}")) && said.ends_with("= 1\n"), "{said}");
    for not_one in ["alice.asc", "keyring-sync.yaml"] {
        let said = room.run(&["enrol", "deposit", &key, "--revocation", not_one]);
        assert!(said.ends_with("= 1\n"), "{not_one}: {said}");
    }
    room.ssh_key("bob");
    room.run(&["key", "add", BOB, "--ssh", "bob.pub"]);
    let ssh = person(&room, BOB).keys[0].fingerprint.to_string();
    let said = room.run(&["enrol", "deposit", &ssh, "--revocation", "revocation"]);
    assert!(said.ends_with("= 2\n"), "there is no such file: {said}");
    let said = room.run(&["enrol", "deposit", &ssh, "--revocation", &file(&key)]);
    assert!(said.contains("is no OpenPGP key"), "{said}");
}
