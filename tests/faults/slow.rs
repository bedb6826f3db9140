//! A server that is slow: locks that are held, programs that stand still.

use crate::stage::{Answer, Dice, Kind, Lane, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{Outcome, processes_of, run, write_program};
use rusqlite::Connection;
use rustix::process::{Signal, kill_process};
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SEED: u64 = 20_261_210;
const STOPS: u64 = 24;

/// More than both limits and the watchdog's ten seconds, with what a loaded machine adds.
const WATCHED: Duration = Duration::from_secs(30);

#[test]
fn a_slow_server() {
    let mut stage = Stage::new();
    let lane = stage.lane("slow", KeyKind::SshEd25519);
    let others: Vec<Lane> = (0..4).map(|number| stage.lane(&format!("stopped{number}"), KeyKind::SshEd25519)).collect();
    stage.patch_policy("{ limits: { ledger_wait: 3s } }");
    let mut family = Family::new(
        "10 slow server",
        "what waits too long is undecided, or denied as stale and not for its key; the rest passes",
    );
    let held: [(&str, Duration, Kind); 3] = [
        ("0.2 s", Duration::from_millis(200), Kind::Accepted),
        ("2 s", Duration::from_secs(2), Kind::Accepted),
        ("5 s, longer than limits.ledger_wait of 3 s", Duration::from_secs(5), Kind::Undecided),
    ];
    for (name, time, kind) in held {
        let mut row = Row::new(format!("ledger locked by another writer for {name}"));
        for number in 0..2 {
            let commit = lane.member.commit(&format!("locked {name} {number}"));
            let lock =
                File::options().write(true).open(stage.ledger_folder().join("ledger.db-lock")).expect("the lock");
            lock.lock().expect("the lock");
            let answer = meanwhile(&stage, &lane, &commit, time, || drop(lock));
            row.count_as(&answer, kind, &["ledger-unwritable"]);
        }
        family.add(row);
    }
    // As a backup program that copies the database in a transaction.
    for (name, time, kind) in [("0.5 s", 500, Kind::Accepted), ("4 s", 4000, Kind::Undecided)] {
        let mut row = Row::new(format!("database locked past the writers' lock for {name}"));
        let commit = lane.member.commit(&format!("transaction {name}"));
        let connection = Connection::open(stage.ledger_path()).expect("the ledger");
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        let answer = meanwhile(&stage, &lane, &commit, Duration::from_millis(time), || {
            connection.execute_batch("ROLLBACK").expect("an end");
        });
        row.count_as(&answer, kind, &["ledger-unwritable"]);
        family.add(row);
    }

    stage.patch_policy("apply_within: 1s");
    let mut row =
        Row::new("git stands still for 2 s between verdict and ref; apply_within is 1 s").may_deny(&["verdict-stale"]);
    let update = lane.repository.path.join("hooks/update");
    write_program(&update, "#!/bin/sh\nexec sleep 2\n");
    for number in 0..3 {
        row.count_as(&stage.push(&lane, &lane.member.commit(&format!("late {number}"))), Kind::Denied, &[]);
    }
    std::fs::remove_file(&update).expect("the hook");
    let next = stage.push(&lane, &lane.member.commit("in time"));
    row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("after it: {}", next.text));
    family.add(row);

    let mut row = Row::new("whatever runs is stopped for 1.5 s at a random moment").may_deny(&["verdict-stale"]);
    let stage = &stage;
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let lanes = (0..).zip(&others).map(|(number, lane)| scope.spawn(move || stopped(stage, lane, SEED + number)));
        let lanes: Vec<_> = lanes.collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("a lane")).collect()
    });
    answers.iter().for_each(|answer| {
        row.count(answer);
        row.check(answer.kind != Kind::Died, || format!("no answer: {}", answer.text));
    });
    for lane in &others {
        let next = stage.push(lane, &lane.member.commit("after"));
        row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("after it: {}", next.text));
    }
    row.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
    family.add(row);
    family.add(git_that_does_not_go_on(stage, &lane));
    family.finish();
}

/// Nothing asks for a deadline where the hook reads what git writes: only the watchdog ends it.
fn git_that_does_not_go_on(stage: &Stage, lane: &Lane) -> Row {
    stage.patch_policy("{ limits: { time: 1s, ledger_wait: 1s } }");
    let mut row = Row::new("git stands still before it names the refs; limits.time and ledger_wait are 1 s");
    let begun = Instant::now();
    let mut hook = stage.hook(lane);
    let mut hook = hook.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the hook");
    while hook.try_wait().expect("a child").is_none() && begun.elapsed() < WATCHED {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = hook.kill(); // an ended one keeps its code
    let _git = hook.stdin.take();
    let output = hook.wait_with_output().expect("the hook");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = Outcome { code: output.status.code(), stdout: String::new(), stderr };
    row.count_as(&Stage::said_by_hook(&told, begun), Kind::Undecided, &["out-of-time"]);
    row
}

/// Pushes, and does something after a while.
fn meanwhile(stage: &Stage, lane: &Lane, commit: &str, time: Duration, then: impl FnOnce()) -> Answer {
    let old = stage.tip(lane);
    let mut push = stage.push_command(lane, commit);
    let push = push.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("git");
    std::thread::sleep(time);
    then();
    let output = push.wait_with_output().expect("git");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let told = Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    stage.answer(lane, &old, commit, &told)
}

fn stopped(stage: &Stage, lane: &Lane, seed: u64) -> Vec<Answer> {
    let mut dice = Dice::seeded("stopped", seed);
    let signal = |which: Signal| {
        for pid in processes_of(0, &lane.repository.path) {
            let _ = kill_process(pid, which);
        }
    };
    (0..STOPS / 4)
        .map(|number| {
            let (old, commit) = (stage.tip(lane), lane.member.commit(&format!("stopped {number}")));
            let delay = Duration::from_millis(dice.below(150));
            let told = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(delay);
                    signal(Signal::STOP);
                    std::thread::sleep(Duration::from_millis(1500));
                    // Git may have started something before it stopped.
                    signal(Signal::CONT);
                });
                run(&mut stage.push_command(lane, &commit), b"")
            });
            stage.answer(lane, &old, &commit, &told)
        })
        .collect()
}
