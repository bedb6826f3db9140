//! A policy that is missing, unreadable or half written.

use crate::stage::{Answer, Kind, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

#[test]
fn a_policy_out_of_reach() {
    let mut stage = Stage::new();
    let lane = stage.lane("policy", KeyKind::SshEd25519);
    let mut family = Family::new(
        "05 policy out of reach",
        "without a policy that can be read every push is undecided; a policy replaced meanwhile is the old one or the new one",
    );
    let policy = stage.policy_path();
    let text = std::fs::read(&policy).expect("the policy");
    let away = policy.with_extension("away");
    let broken: [(&str, &dyn Fn()); 8] = [
        ("missing", &|| std::fs::remove_file(&policy).expect("the policy")),
        ("unreadable (chmod 0)", &|| mode(&policy, 0)),
        ("a folder in its place", &|| {
            std::fs::remove_file(&policy).expect("the policy");
            std::fs::create_dir(&policy).expect("a folder");
        }),
        ("a symlink to itself", &|| {
            std::fs::remove_file(&policy).expect("the policy");
            std::os::unix::fs::symlink(&policy, &policy).expect("a link");
        }),
        ("empty", &|| std::fs::write(&policy, "").expect("a file")),
        ("filled with zeros", &|| std::fs::write(&policy, vec![0; text.len()]).expect("a file")),
        ("no YAML", &|| std::fs::write(&policy, ": - [").expect("a file")),
        ("larger than any policy", &|| std::fs::write(&policy, vec![b'#'; 1 << 20]).expect("a file")),
    ];
    for (name, break_it) in broken {
        let mut row = Row::new(format!("policy: {name}"));
        for number in 0..3 {
            let commit = lane.member.commit(&format!("{name} {number}"));
            break_it();
            let answer = stage.push(&lane, &commit);
            row.count_as(&answer, Kind::Undecided, &["policy-unreadable"]);
            if policy.is_dir() {
                std::fs::remove_dir(&policy).expect("the folder");
            }
            std::fs::write(&away, &text).expect("the policy");
            std::fs::rename(&away, &policy).expect("the policy");
        }
        let next = stage.push(&lane, &lane.member.commit("after"));
        row.check(next.kind == Kind::Accepted, || format!("after it: {}", next.text));
        family.add(row);
    }
    for atomic in [true, false] {
        family.add(replaced(&mut stage, atomic, &text));
    }
    family.finish();
}

/// Pushes beside an operator who keeps changing the policy; by a rename, or by writing into the file.
fn replaced(stage: &mut Stage, atomic: bool, text: &[u8]) -> Row {
    const PUSHES: usize = 40;
    let how = if atomic { "by rename" } else { "in place, half written at times" };
    let mut row = Row::new(format!("policy replaced while pushes run, {how}"));
    let lane = stage.lane(if atomic { "renamed" } else { "rewritten" }, KeyKind::SshEd25519);
    let policy = stage.policy_path();
    let next = policy.with_extension("next");
    let other = [text, b"limits:\n  commits: 1000\n"].concat();
    let commits: Vec<String> = (0..PUSHES).map(|number| lane.member.commit(&format!("{number}"))).collect();
    let done = AtomicBool::new(false);
    let stage = &*stage;
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        scope.spawn(|| {
            for text in [other.as_slice(), text].into_iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                if atomic {
                    std::fs::write(&next, text).expect("a policy");
                    std::fs::rename(&next, &policy).expect("a policy");
                } else {
                    std::fs::write(&policy, "").expect("a policy");
                    std::thread::sleep(Duration::from_millis(5));
                    std::fs::write(&policy, text).expect("a policy");
                }
                std::thread::sleep(Duration::from_millis(if atomic { 1 } else { 15 }));
            }
        });
        let answers = commits.iter().map(|commit| stage.push(&lane, commit)).collect();
        done.store(true, Ordering::Relaxed);
        answers
    });
    for answer in &answers {
        match atomic {
            true => row.count_as(answer, Kind::Accepted, &[]),
            false => row.count(answer),
        }
        row.check(answer.kind != Kind::Died, || format!("no answer: {}", answer.text));
    }
    std::fs::write(&policy, text).expect("the policy");
    let next = stage.push(&lane, &lane.member.commit("after"));
    row.check(next.kind == Kind::Accepted, || format!("after it: {}", next.text));
    row.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
    row
}
