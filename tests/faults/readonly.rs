//! A ledger that cannot be written, or is not there.

use crate::stage::{Kind, Mount, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::must;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

/// Breaks something, and puts it right again.
type Deed<'a> = Box<dyn Fn() + 'a>;

#[test]
fn a_ledger_that_cannot_be_written() {
    let mut stage = Stage::new();
    let lane = stage.lane("readonly", KeyKind::SshEd25519);
    let mut family = Family::new(
        "03 ledger out of reach",
        "every push is undecided for the ledger, and passes once the ledger is back; no other ledger comes in its place",
    );
    let folder = stage.ledger_folder();
    let aside = folder.with_extension("aside");
    let disk = {
        must(Command::new("cp").arg("-a").arg(&folder).arg(&aside));
        let disk = Mount::tmpfs(&folder, "8m");
        must(Command::new("cp").arg("-a").arg(format!("{}/.", aside.display())).arg(&folder));
        stage.own(&folder);
        disk
    };
    let file = stage.ledger_path();
    let beside = |end: &str| folder.join(format!("ledger.db{end}"));
    let swap = |from: &Path, to: &Path| std::fs::rename(from, to).expect("a rename");
    let away = folder.join("away.db");
    let root_owns = || {
        for end in ["", "-wal", "-shm", "-lock"] {
            chown(beside(end), Some(0), Some(0)).expect("a new owner");
        }
    };
    let faults: Vec<(&str, Deed<'_>, Deed<'_>)> = vec![
        ("file read-only (chmod 0444)", Box::new(|| mode(&file, 0o444)), Box::new(|| mode(&file, 0o600))),
        (
            "log read-only (chmod 0444)",
            Box::new(|| mode(&beside("-wal"), 0o444)),
            Box::new(|| mode(&beside("-wal"), 0o600)),
        ),
        (
            "writers' lock out of reach (chmod 0)",
            Box::new(|| mode(&beside("-lock"), 0)),
            Box::new(|| mode(&beside("-lock"), 0o600)),
        ),
        ("file unreadable (chmod 0)", Box::new(|| mode(&file, 0)), Box::new(|| mode(&file, 0o600))),
        ("folder read-only (chmod 0555)", Box::new(|| mode(&folder, 0o555)), Box::new(|| mode(&folder, 0o755))),
        ("folder unreachable (chmod 0)", Box::new(|| mode(&folder, 0)), Box::new(|| mode(&folder, 0o755))),
        ("file system mounted read-only", Box::new(|| disk.remount("ro")), Box::new(|| disk.remount("rw"))),
        ("owned by root, mode 0600", Box::new(root_owns), Box::new(|| stage.own(&folder))),
        ("file missing", Box::new(|| swap(&file, &away)), Box::new(|| swap(&away, &file))),
        (
            "a folder in its place",
            Box::new(|| {
                swap(&file, &away);
                std::fs::create_dir(&file).expect("a folder");
            }),
            Box::new(|| {
                std::fs::remove_dir(&file).expect("the folder");
                swap(&away, &file);
            }),
        ),
        (
            "an empty file in its place",
            Box::new(|| {
                swap(&file, &away);
                std::fs::write(&file, "").expect("a file");
                stage.own(&file);
            }),
            Box::new(|| swap(&away, &file)),
        ),
        (
            "a symlink to itself",
            Box::new(|| {
                swap(&file, &away);
                std::os::unix::fs::symlink(&file, &file).expect("a link");
            }),
            Box::new(|| swap(&away, &file)),
        ),
    ];
    for (name, break_it, mend_it) in &faults {
        let mut row = Row::new(format!("ledger: {name}"));
        for number in 0..3 {
            let kept = stage.kept();
            let commit = lane.member.commit(&format!("while broken {number}"));
            let old = stage.tip(&lane);
            break_it();
            let told = countersign_tests::process::run(&mut stage.push_command(&lane, &commit), b"");
            mend_it();
            let answer = stage.answer(&lane, &old, &commit, &told);
            match *name {
                // What is open already is all that this push needs of the folder.
                "folder read-only (chmod 0555)" => row.count(&answer),
                _ => row.count_as(&answer, Kind::Undecided, &["ledger-unwritable"]),
            }
            row.check(stage.still_holds(kept), || "a leaf was lost".to_owned());
            let next = stage.push(&lane, &lane.member.commit("after"));
            row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("after it: {}", next.text));
        }
        row.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
        family.add(row);
    }

    drop(faults);
    drop(disk);
    let mut row = Row::new("ledger: its whole folder missing");
    std::fs::remove_dir_all(&folder).expect("the folder under the mount");
    for number in 0..3 {
        let commit = lane.member.commit(&format!("no folder {number}"));
        let mut answer = stage.ask(&lane, "refs/heads/main", &stage.tip(&lane), &commit);
        row.count_as(&answer, Kind::Undecided, &["ledger-unwritable"]);
        let told = countersign_tests::process::run(&mut stage.push_command(&lane, &commit), b"");
        answer.kind = if told.stderr.contains("[ledger-unwritable]") { Kind::Undecided } else { Kind::Died };
        row.count_as(&answer, Kind::Undecided, &[]);
        row.check(!folder.exists(), || "a new ledger was made".to_owned());
    }
    family.add(row);
    family.finish();
}
