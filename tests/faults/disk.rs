//! A disk that is full: that of the ledger, that of the registry.

use crate::stage::{Dice, Kind, Mount, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{must, run};
use rusqlite::Connection;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const SEED: u64 = 20_261_202;

/// Left on the disk, in pages of the file system: a push needs some twenty, so it fails at another one each time.
const LEFT: [u64; 14] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32];
const PAGE: u64 = 4096;

/// Takes all the space of a file system but some, and gives it back when dropped.
struct Filler(PathBuf);

impl Filler {
    fn leaving(folder: &Path, left: u64) -> Filler {
        let path = folder.join("filler");
        let mut file = File::create(&path).expect("a filler");
        // To the brim, then so much is given back.
        while file.write_all(&[1; PAGE as usize]).is_ok() {}
        let full = file.metadata().expect("the filler").len();
        file.set_len(full.saturating_sub(left)).expect("space given back");
        Filler(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Moves what lies in a folder onto a small disk mounted there.
fn onto_small_disk(folder: &Path, size: &str) -> Mount {
    let aside = folder.with_extension("aside");
    std::fs::rename(folder, &aside).expect("a folder");
    std::fs::create_dir(folder).expect("a mount point");
    let disk = Mount::tmpfs(folder, size);
    must(Command::new("cp").arg("-a").arg(format!("{}/.", aside.display())).arg(folder));
    disk
}

/// The ledger's log before the disk fills up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    /// Written back and cut, as by another program that opened it last.
    Cut,
    CutAndForgotten,
    /// With the room that it is made with: what is written there needs no new space.
    Roomy,
}

#[test]
fn full_disk() {
    let mut stage = Stage::new();
    let lane = stage.lane("disk", KeyKind::SshEd25519);
    let mut family = Family::new(
        "02 full disk",
        "a push that cannot be recorded is undecided; a change that cannot be published says so; both pass once there is space",
    );

    // Longer log files at each round: once above its limit the log is written back, and that fails too.
    let disk = onto_small_disk(&stage.ledger_folder(), "3m");
    stage.own(&stage.ledger_folder());
    let mut dice = Dice::seeded("full disk", SEED);
    let causes = [
        ("", Log::Cut),
        (", without the log's shared memory", Log::CutAndForgotten),
        (", room in the log", Log::Roomy),
    ];
    for (name, log) in causes {
        let forget = log == Log::CutAndForgotten;
        let mut row = Row::new(format!("disk of the ledger full, {} amounts left{name}", LEFT.len()));
        for left in LEFT {
            for _ in 0..dice.below(4) {
                assert_eq!(stage.push(&lane, &lane.member.commit("between")).kind, Kind::Accepted);
            }
            if forget {
                let _ = std::fs::remove_file(stage.ledger_folder().join("ledger.db-shm"));
            }
            let kept = stage.kept();
            if log != Log::Roomy {
                let connection = Connection::open(stage.ledger_path()).expect("the ledger");
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
                drop(connection);
                stage.own(&stage.ledger_folder());
            }
            if forget {
                let _ = std::fs::remove_file(stage.ledger_folder().join("ledger.db-shm"));
            }
            let filler = Filler::leaving(&stage.ledger_folder(), left * PAGE);
            let commit = lane.member.commit("while full");
            let old = stage.tip(&lane);
            let told = run(&mut stage.push_command(&lane, &commit), b"");
            drop(filler);
            let answer = stage.answer(&lane, &old, &commit, &told);
            row.count(&answer);
            row.check(answer.kind != Kind::Undecided || answer.ids == ["ledger-unwritable"], || answer.text.clone());
            row.check(answer.kind != Kind::Died, || format!("no answer: {}", answer.text));
            row.check(left > 0 || log == Log::Roomy || answer.kind == Kind::Undecided, || {
                format!("recorded on no space: {}", answer.text)
            });
            row.check(stage.still_holds(kept), || "a leaf was lost".to_owned());
            let next = stage.push(&lane, &lane.member.commit("after"));
            row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("after it: {}", next.text));
            row.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
        }
        let expected = if log == Log::Roomy { Kind::Accepted } else { Kind::Undecided };
        row.check(row.ended(expected) > 2, || format!("hardly any push was {expected:?}"));
        family.add(row);
    }
    drop(disk);

    family.add(full_registry());
    family.finish();
}

/// `keyring-sync` while its disk is full: the published keyring stays the older one, whole.
fn full_registry() -> Row {
    let mut stage = Stage::new();
    let lane = stage.lane("registry", KeyKind::SshEd25519);
    let folder = stage.root().join("store");
    std::fs::create_dir(&folder).expect("a folder");
    for name in ["registry.db", "registry.db-wal", "registry.db-shm", "keyring"] {
        let _ = std::fs::rename(stage.root().join(name), folder.join(name));
    }
    std::fs::write(stage.root().join("keyring-sync.yaml"), "registry: store/registry.db\nkeyring: store/keyring\n")
        .expect("a configuration");
    stage.patch_policy("keyring: store/keyring");
    let _disk = onto_small_disk(&folder, "3m");

    let mut row = Row::new(format!("disk of the registry full while persons are put out, {} amounts left", LEFT.len()));
    for (number, left) in LEFT.into_iter().enumerate() {
        let id = format!("leaver{number}");
        let mail = format!("{id}@example.com");
        stage.site.sync(&["person", "add", &id, "--name", &id, "--email", &mail]);
        let before = shown(&stage, &id);
        let filler = Filler::leaving(&folder, left * PAGE);
        let killed = stage.site.product.keyring_sync(&["kill", &id, "--reason", "left"], b"");
        // Whatever became of it, the hooks have a whole keyring.
        let mut answer = stage.push(&lane, &lane.member.commit("beside"));
        drop(filler);
        row.check(answer.kind == Kind::Accepted, || format!("a push beside it: {}", answer.text));
        answer.kind = if killed.succeeded() { Kind::Accepted } else { Kind::Undecided };
        row.count(&answer);
        let after = shown(&stage, &id);
        match killed.code {
            Some(0) => row.check(after != before, || "the kill said yes and nothing was published".to_owned()),
            Some(2) => row.check(!killed.stderr.trim().is_empty(), || "it did not say why".to_owned()),
            code => row.wrong(format!("keyring-sync ended with {code:?}: {}", killed.stderr)),
        }
        let again = stage.site.product.keyring_sync(&["kill", &id, "--reason", "left"], b"");
        row.check(again.succeeded(), || format!("with space again: {}", again.stderr));
        row.check(shown(&stage, &id) != before, || "not published with space again".to_owned());
    }
    row.check(row.ended(Kind::Undecided) > 2, || "hardly any change met the full disk".to_owned());
    row
}

/// The published record of a person.
fn shown(stage: &Stage, id: &str) -> String {
    use countersign_policy::keyring::Keyring;
    let keyring = countersign_registry::PublishedKeyring::open(&stage.root().join("store/keyring")).expect("a keyring");
    let id = countersign_policy::id::PersonId::new(id).expect("an id");
    format!("{:?}", keyring.person(&id).expect("a keyring that can be read"))
}
