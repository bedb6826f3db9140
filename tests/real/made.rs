//! A small repository with every class that real keys can give, so that each run proves the comparison.

use crate::keys::Keys;
use crate::report::Report;
use crate::run::compare_all;
use crate::say;
use crate::theirs::Status;
use countersign_policy::time::Time;
use countersign_tests::keys::{Key, Kind, Owner, Wanted, Workshop};
use countersign_tests::process::{must, must_with_input, quoted, write_program};
use countersign_tests::servers::Access;
use countersign_tests::workstation::{Change, Workstation};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Made {
    workshop: Workshop,
    station: Workstation,
    keys: PathBuf,
    owner: Owner,
    folder: tempfile::TempDir,
}

impl Made {
    fn new() -> Made {
        let folder = tempfile::Builder::new().prefix("cs-made-").tempdir_in("/tmp").expect("a folder");
        let path = folder.path();
        let (keys, origin) = (path.join("keys"), path.join("origin.git"));
        std::fs::create_dir(&keys).expect("a folder for keys");
        must(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&origin));
        let owner = Owner { id: "E1".into(), name: "Alice".into(), email: "alice@git.example".into() };
        let access = Access { url: origin.display().to_string(), environment: Default::default() };
        let station = Workstation::set_up(&path.join("w"), &owner, &access);
        Made { workshop: Workshop::new(path), station, keys, owner, folder }
    }

    /// A key whose public half is in the folder of keys.
    fn key(&mut self, wanted: impl Into<Wanted>) -> Key {
        let key = self.unknown(wanted);
        let (_, file) = key.registration.as_ref().expect("a key of its own");
        let name = file.file_name().expect("a name").to_string_lossy();
        std::fs::copy(file, self.keys.join(format!("{}-{name}", key.fingerprint.replace(['/', ':'], "_"))))
            .expect("a copy");
        key
    }

    fn unknown(&mut self, wanted: impl Into<Wanted>) -> Key {
        self.workshop.make(&self.owner, &wanted.into())
    }

    fn commit(&self, message: &str, key: &Key) -> String {
        self.station.commit(&Change { message, ..Change::default() }, Some(&key.git))
    }

    fn raw(&self, kind: &str, id: &str) -> String {
        must(self.station.git().args(["cat-file", kind, id])) + "\n"
    }

    /// Puts an object, whatever git thinks of it, under a ref of its own.
    fn put(&self, kind: &str, raw: &str, name: &str) -> String {
        let id = must_with_input(
            self.station.git().args(["hash-object", "--literally", "-w", "-t", kind, "--stdin"]),
            raw.as_bytes(),
        );
        self.station.must(&["update-ref", name, &id]);
        id
    }

    fn compare(&self) -> Report {
        let keys = Keys::read(&self.keys);
        compare_all(self.station.folder(), &keys, None, None)
    }
}

fn past(from: &str, until: &str) -> Wanted {
    let time = |text: &str| text.parse::<Time>().ok();
    Wanted { from: time(from), until: time(until), ..Kind::OpenpgpEd25519.into() }
}

/// The same key with more words for its program.
fn with_words(key: &Key, folder: &Path, words: &str) -> Vec<(&'static str, String)> {
    let program = folder.join(format!("gpg-{}", words.len()));
    write_program(&program, &format!("#!/bin/sh\nexec {} {words} \"$@\"\n", quoted(gpg_of(key))));
    let mut git = key.git.clone();
    git.retain(|(name, _)| *name != "gpg.program");
    git.push(("gpg.program", program.display().to_string()));
    git
}

fn gpg_of(key: &Key) -> &Path {
    Path::new(&key.git.iter().find(|(name, _)| *name == "gpg.program").expect("an OpenPGP key").1)
}

/// Its owner revokes the certificate, by what GnuPG wrote when it made the key.
fn revoked(key: &Key) -> String {
    let (gpg, folder) = (gpg_of(key), gpg_of(key).parent().expect("a folder"));
    let path = folder.join(format!("gnupg/openpgp-revocs.d/{}.rev", key.fingerprint));
    let text = std::fs::read_to_string(path).expect("a revocation").replace(":-----BEGIN", "-----BEGIN");
    must_with_input(Command::new(gpg).args(["--batch", "--quiet", "--import"]), text.as_bytes());
    must(Command::new(gpg).args(["--armor", "--export", &key.fingerprint]))
}

#[test]
fn every_class_that_real_keys_give_is_told_from_the_others() {
    let mut made = Made::new();
    // Good ones of each kind, a merge among them, and tags.
    let kinds = [Kind::SshEd25519, Kind::SshEcdsa, Kind::SshRsa, Kind::OpenpgpEd25519, Kind::OpenpgpSubkey];
    let good: Vec<Key> = kinds.into_iter().map(|kind| made.key(kind)).collect();
    for key in &good {
        made.commit("good", key);
    }
    made.station.branch("side", Some("main~2"));
    made.commit("side", &good[0]);
    made.station.branch("main", None);
    made.station.merge(&["side".to_owned()], "merged", None, Some(&good[3].git));
    for (number, key) in good.iter().enumerate() {
        made.station.tag(&format!("v{number}"), "main", Some("good"), None, Some(&key.git));
    }
    made.station.tag("annotated", "main", Some("nobody signed it"), None, None);
    made.station.tag("lightweight", "main", None, None, None);

    // What both sides refuse.
    made.station.commit(&Change { message: "unsigned", ..Change::default() }, None);
    let expired = made.key(past("2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"));
    made.station.commit(
        &Change { message: "expired", date: Some("2024-01-01T01:00:00Z"), ..Change::default() },
        Some(&expired.git),
    );
    let given_up = made.unknown(Kind::OpenpgpEd25519);
    made.commit("of a key that was revoked later", &given_up);
    std::fs::write(made.keys.join("revoked.asc"), revoked(&given_up)).expect("a certificate");
    let short = made.key(Wanted { from: "2024-01-01T00:00:00Z".parse().ok(), ..Kind::OpenpgpEd25519.into() });
    let words = "--faked-system-time 20240201T000000 --default-sig-expire 1d";
    let signing = with_words(&short, made.folder.path(), words);
    made.station.commit(&Change { message: "for a day", ..Change::default() }, Some(&signing));
    let strangers = [made.unknown(Kind::SshEd25519), made.unknown(Kind::OpenpgpEd25519)];
    for key in &strangers {
        made.commit("of a stranger", key);
    }
    for (name, key) in [("ssh", &good[0]), ("openpgp", &good[3])] {
        let id = made.commit("before", key);
        made.put(
            "commit",
            &made.raw("commit", &id).replace("\nbefore", "\nafter"),
            &format!("refs/heads/changed-{name}"),
        );
        let tag = made.raw("tag", &format!("v{}", if name == "ssh" { 0 } else { 3 }));
        made.put("tag", &tag.replace("\ngood\n", "\nevil\n"), &format!("refs/tags/changed-{name}"));
    }

    // What git takes and we do not: SHA-1, and a second committer, whom git shows.
    let signing = with_words(&good[3], made.folder.path(), "--digest-algo SHA1");
    made.station.commit(&Change { message: "over SHA-1", ..Change::default() }, Some(&signing));
    let id = made.commit("second committer", &good[0]);
    let raw = made.raw("commit", &id);
    let (head, body) = raw.split_once("\n\n").expect("a commit");
    let headers: String = head.split_inclusive('\n').take_while(|line| !line.starts_with("gpgsig")).collect();
    let twice = format!("{headers}committer Victim <v@git.example> 1700000000 +0000\n");
    let signed = sign(&made, &good[0], &format!("{twice}\n{body}"));
    made.put("commit", &format!("{twice}{signed}\n{body}"), "refs/heads/second-committer");

    let report = made.compare();
    say(&format!("\n{report}"));
    assert!(report.is_sound(), "{}", report.faults());
    let expected = [
        ("accepted", Status::Good, 15),
        ("unsigned", Status::Unsigned, 2),
        ("key-expired", Status::KeyExpired, 1),
        ("key-revoked", Status::KeyRevoked, 1),
        ("signature-expired", Status::SignatureExpired, 1),
        ("unknown-key", Status::NoKey, 2),
        ("bad-signature", Status::Bad, 4),
        ("weak-algorithm", Status::Good, 1),
        ("malformed-object", Status::Good, 1),
    ];
    for (finding, status, count) in expected {
        assert_eq!(report.count(finding, status), count, "{finding} | {status}\n{report}");
    }
    let sum: usize = expected.iter().map(|(.., count)| count).sum();
    assert_eq!(report.judged(), sum, "a class that was not expected\n{report}");
}

/// The `gpgsig` header over these bytes by an SSH key.
fn sign(made: &Made, key: &Key, payload: &str) -> String {
    let (_, public) = key.registration.as_ref().expect("an SSH key");
    let private = public.with_extension("");
    let signature = must_with_input(
        made.station.program("ssh-keygen").args(["-q", "-Y", "sign", "-n", "git", "-f"]).arg(private),
        payload.as_bytes(),
    );
    let folded: Vec<&str> = signature.lines().collect();
    format!("gpgsig {}\n", folded.join("\n "))
}
