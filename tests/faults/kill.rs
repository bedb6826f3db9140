//! kill -9 at random moments of a push.

use crate::stage::{Dice, Kind, Lane, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{Outcome, processes_of};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SEED: u64 = 20_261_125;
const TRIES: usize = 40; // of each kind, in three lanes at once

/// About what a hook of a small push takes.
const HOOK_TAKES: Duration = Duration::from_millis(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Hook,
    ReceivePack,
    Both,
}

#[test]
fn kill_at_random_moments() {
    let mut stage = Stage::new();
    let victims = [("hook", Victim::Hook), ("receive-pack", Victim::ReceivePack), ("both", Victim::Both)];
    let lanes: Vec<_> = victims.map(|(name, victim)| (victim, stage.lane(name, KeyKind::SshEd25519))).into();
    let mut family = Family::new(
        "01 kill -9",
        "the ref stands, or it moved and its accepting leaf is there; nothing is lost and the next push passes",
    );
    let stage = &stage;
    let rows: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..)
            .zip(&lanes)
            .map(|(number, (victim, lane))| scope.spawn(move || tries(stage, lane, *victim, SEED + number)))
            .collect();
        running.into_iter().map(|lane| lane.join().expect("a lane")).collect()
    });
    rows.into_iter().for_each(|row| family.add(row));
    family.finish();
}

fn tries(stage: &Stage, lane: &Lane, victim: Victim, seed: u64) -> Row {
    let mut dice = Dice::seeded(&format!("kill -9 of {victim:?}"), seed);
    let mut usual: Vec<Duration> = (0..5)
        .map(|number| {
            let commit = lane.member.commit(&format!("usual{number}"));
            let begun = Instant::now();
            assert_eq!(stage.push(lane, &commit).kind, Kind::Accepted);
            begun.elapsed()
        })
        .collect();
    usual.sort_unstable();
    let usual = usual[2];
    let mut hit: BTreeMap<String, usize> = BTreeMap::new();
    let mut row = Row::new("");
    let mut locks = 0;
    for number in 0..TRIES {
        // Spread evenly from the start to past the end of a usual push.
        let share = (number as f64 + dice.fraction()) / TRIES as f64;
        let delay = usual.mul_f64(share * 1.05);
        let (kept, old) = (stage.kept(), stage.tip(lane));
        let commit = lane.member.commit(&format!("try{number}"));
        let (told, killed) = push_and_kill(stage, lane, &commit, victim, delay, dice.fraction());
        *hit.entry(killed).or_default() += 1;
        locks += remove_locks(&lane.repository.path);
        let answer = stage.answer(lane, &old, &commit, &told);
        row.count(&answer);
        let moved = (answer.kind == Kind::Accepted).then(|| stage.leaf_of(lane, &old, &commit)).flatten();
        row.check(stage.still_holds(kept), || "a leaf was lost".to_owned());
        let sound = stage.verify();
        row.check(sound.succeeded(), || format!("the ledger is not sound: {}", sound.stdout));
        let whole = stage.fsck(lane);
        row.check(whole.succeeded(), || format!("git fsck: {}{}", whole.stdout, whole.stderr));
        let next = stage.push(lane, &lane.member.commit(&format!("after{number}")));
        row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("the next push: {}", next.text));
        if let Some(id) = moved {
            row.check(stage.is_applied(id), || "the next push did not put on record what was applied".to_owned());
        }
    }
    println!("kill -9 of {victim:?}: a push takes {usual:?}; ref locks that git left: {locks}; running when killed:");
    hit.iter().for_each(|(what, times)| println!("  {times:>3}  {what}"));
    let nothing = hit.get("nothing").copied().unwrap_or(0);
    row.check(TRIES - nothing >= 8, || format!("only {} of {TRIES} met anything", TRIES - nothing));
    row.named(format!("{victim:?} killed ({} met it running)", TRIES - nothing))
}

fn push_and_kill(
    stage: &Stage,
    lane: &Lane,
    commit: &str,
    victim: Victim,
    delay: Duration,
    later: f64,
) -> (Outcome, String) {
    let mut push = stage.push_command(lane, commit);
    let mut child = push.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("git");
    std::thread::sleep(delay);
    let mut met = descendants(child.id());
    // Hooks are short: the one that comes next is met a random moment after its start.
    while victim == Victim::Hook && child.try_wait().is_ok_and(|ended| ended.is_none()) {
        if met.iter().any(|(_, command)| is_victim(command, victim)) {
            std::thread::sleep(HOOK_TAKES.mul_f64(later));
            met = descendants(child.id());
            break;
        }
        met = descendants(child.id());
    }
    let victims: Vec<&(Pid, String)> = met.iter().filter(|(_, command)| is_victim(command, victim)).collect();
    for (pid, _) in &victims {
        let _ = kill_process(*pid, Signal::KILL);
    }
    let mut text = Vec::new();
    let _ = child.stderr.take().expect("a pipe").read_to_end(&mut text);
    let code = child.wait().expect("a child").code();
    // What outlived its parent ends by itself.
    let begun = Instant::now();
    while !processes_of(0, &lane.repository.path).is_empty() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let deepest = victims.last().map_or("nothing".to_owned(), |(_, command)| shown(command));
    (Outcome { code, stdout: String::new(), stderr: String::from_utf8_lossy(&text).into_owned() }, deepest)
}

fn is_victim(command: &str, victim: Victim) -> bool {
    let hook = command.contains("--hook-file");
    let git = command.contains("receive-pack");
    match victim {
        Victim::Hook => hook,
        Victim::ReceivePack => git,
        Victim::Both => hook || git || command.contains("index-pack") || command.contains("unpack-objects"),
    }
}

/// What a command line says it does.
fn shown(command: &str) -> String {
    let known =
        ["pre-receive", "post-receive", "reference-transaction", "unpack-objects", "index-pack", "receive-pack"];
    let name = known.iter().find(|name| command.contains(*name)).copied().unwrap_or("git");
    let state = ["preparing", "prepared", "committed", "aborted"];
    let state = state.iter().find(|state| command.trim_end().ends_with(*state)).copied().unwrap_or("");
    format!("{name} {state}").trim().to_owned()
}

/// Everything below a process with its command line, parents first; quicker than a look at all of /proc.
fn descendants(root: u32) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
            let command = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            if let Some(pid) = Pid::from_raw(child.cast_signed()) {
                found.push((pid, command));
            }
            next.push(child);
        }
    }
    found
}

/// Git that is killed leaves its lock files, as an operator who finds "File exists" knows. Says how many.
fn remove_locks(folder: &Path) -> usize {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            removed += remove_locks(&path);
        } else if path.extension().is_some_and(|end| end == "lock") && std::fs::remove_file(&path).is_ok() {
            removed += 1;
        }
    }
    removed
}
