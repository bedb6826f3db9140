//! Files that are not what was written: cut short, flipped, zeroed, replaced.

use crate::stage::{Answer, Dice, Kind, Lane, Stage, times};
use crate::table::{Family, Row};
use countersign::ledger::{Facts, Ledger};
use countersign_policy::verdict::Decision;
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::must;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::process::Command;

const SEED: u64 = 20_261_203;

/// Places at which each file is changed.
fn flips() -> usize {
    200 * times()
}

const CUTS: u64 = 25;

/// A repository whose history holds work of somebody who left, and what is pushed to it.
struct Scene {
    stage: Stage,
    lane: Lane,
    tip: String,
    /// Signed by an active person: onto main, and as a branch of its own that starts before the leaver's work.
    good: String,
    /// Signed by somebody who left.
    left: String,
    unsigned: String,
}

const ZERO: &str = "0000000000000000000000000000000000000000";

fn scene(name: &str) -> Scene {
    let mut stage = Stage::new();
    let lane = stage.lane(name, KeyKind::SshEd25519);
    let leaver = stage.site.member("leaver", KeyKind::SshEd25519, &lane.repository);
    let colleague = stage.site.member("colleague", KeyKind::OpenpgpEd25519, &lane.repository);
    // Work of a colleague, of somebody who will leave, and of both again, on two branches.
    for number in 0..6 {
        let by = if number % 2 == 0 { &leaver } else { &colleague };
        by.station.must(&["pull", "--quiet", "--ff-only", "origin", "main"]);
        by.commit(&format!("work {number}"));
        let pushed = stage.site.push(by, &["HEAD:refs/heads/main", &format!("HEAD:refs/heads/topic{number}")]);
        assert!(pushed.succeeded(), "{}", pushed.stderr);
    }
    stage.site.sync(&["kill", "leaver", "--reason", "left"]);
    lane.member.station.must(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    let tip = stage.tip(&lane);
    let unsigned = {
        lane.member.station.branch("unsigned", Some("HEAD"));
        let change = countersign_tests::workstation::Change { message: "unsigned", ..Default::default() };
        lane.member.station.commit(&change, None)
    };
    lane.member.station.branch("main", None);
    let good = lane.member.commit("good");
    leaver.station.must(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    let left = leaver.commit("after leaving");
    stage.bring_objects(&lane, "main");
    stage.bring_objects(&lane, "unsigned");
    let from = leaver.station.folder().to_string_lossy().into_owned();
    assert!(
        countersign_tests::servers::Server::git(&stage.site.server, &lane.repository, &["fetch", "--quiet", &from])
            .succeeded()
    );
    let scene = Scene { stage, lane, tip, good, left, unsigned };
    let [main, branch, left, unsigned] = scene.ask();
    assert_eq!([main.kind, branch.kind], [Kind::Accepted; 2], "{}{}", main.text, branch.text);
    assert_eq!([left.kind, unsigned.kind], [Kind::Denied; 2], "{}{}", left.text, unsigned.text);
    scene
}

impl Scene {
    /// Two pushes that are good, and two that are not.
    fn ask(&self) -> [Answer; 4] {
        let Scene { stage, lane, tip, good, left, unsigned } = self;
        [
            stage.ask(lane, "refs/heads/main", tip, good),
            stage.ask(lane, "refs/heads/fresh", ZERO, good),
            stage.ask(lane, "refs/heads/main", tip, left),
            stage.ask(lane, "refs/heads/main", tip, unsigned),
        ]
    }

    /// A good push is accepted or undecided, a bad one denied or undecided, and nobody dies.
    fn try_all(&self, row: &mut Row, what: &str) {
        let [main, branch, left, unsigned] = self.ask();
        for answer in [&main, &branch] {
            row.count(answer);
            row.check(answer.kind != Kind::Died, || format!("{what}: {}", answer.text));
            row.check(answer.kind != Kind::Accepted || self.has_leaf(), || format!("{what}: accepted without a leaf"));
        }
        for answer in [&left, &unsigned] {
            let right = matches!(answer.kind, Kind::Denied | Kind::Undecided);
            row.check(right, || format!("{what}: a bad push is {:?}: {}", answer.kind, answer.text));
        }
    }

    /// Whether the latest leaves hold the verdicts that were just given.
    fn has_leaf(&self) -> bool {
        let Ok(ledger) = Ledger::open_read_only(&self.stage.ledger_path()) else { return false };
        let Ok(head) = ledger.head() else { return false };
        (head.size.saturating_sub(6)..head.size).any(|seq| {
            let leaf = ledger.read().leaf(seq).ok().flatten();
            let accepts =
                |facts: &Facts| matches!(facts, Facts::Verdict(verdict) if verdict.decision == Decision::Accept);
            leaf.is_some_and(|leaf| accepts(&leaf.facts))
        })
    }
}

/// A file with its content, put back when something was tried on it.
struct Original {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Original {
    fn of(path: PathBuf) -> Original {
        let bytes = std::fs::read(&path).expect("a file");
        Original { path, bytes }
    }

    fn write(&self, bytes: &[u8]) {
        std::fs::write(&self.path, bytes).expect("a file");
    }

    fn put_back(&self) {
        self.write(&self.bytes);
    }

    fn cut(&self, part: u64, of: u64) -> &[u8] {
        let len = self.bytes.len() as u64 * part / of;
        &self.bytes[..usize::try_from(len).expect("a length")]
    }

    /// One byte changed; three of four times one that is not zero, since most of a database is.
    fn flipped(&self, dice: &mut Dice) -> (usize, Vec<u8>) {
        let mut at = usize::try_from(dice.below(self.bytes.len() as u64)).expect("an offset");
        if dice.below(4) > 0 {
            let len = self.bytes.len();
            at = (at..len).chain(0..at).find(|at| self.bytes[*at] != 0).expect("a byte that is not zero");
        }
        let mut bytes = self.bytes.clone();
        let bit = 1 << dice.below(8);
        bytes[at] ^= if dice.below(2) == 0 { bit } else { u8::try_from(dice.below(255)).expect("a byte") + 1 };
        (at, bytes)
    }
}

/// In the place of a file: nothing, a folder, a link that leads nowhere.
fn replaced(file: &Original, mut see: impl FnMut(&str)) {
    let path = &file.path;
    let gone = || std::fs::remove_file(path).expect("the file");
    gone();
    see("missing");
    std::fs::create_dir(path).expect("a folder");
    see("a folder");
    std::fs::remove_dir(path).expect("the folder");
    std::os::unix::fs::symlink(path, path).expect("a link");
    see("a symlink to itself");
    gone();
    file.put_back();
}

#[test]
fn corrupt_keyring_and_policy() {
    let scene = scene("rot");
    let stage = &scene.stage;
    let mut family = Family::new(
        "04a corrupt keyring and policy",
        "a good push is accepted or undecided, never denied; a bad one never accepted; the hook never dies",
    );
    let mut dice = Dice::seeded("corrupt keyring", SEED);
    let folder = stage.keyring();
    damage(
        &scene,
        &mut family,
        "published keyring, overlay with persons",
        &Original::of(folder.join("cur")),
        &mut dice,
    );
    // So many at once that all go into the base, which is the largest file then.
    let crowd = stage.site.product.keyring_sync(&["apply", "-"], countersign_tests::crowd::events(1100).as_bytes());
    assert!(crowd.succeeded(), "{}", crowd.stderr);
    let bases = std::fs::read_dir(&folder).expect("the keyring").map(|entry| entry.expect("an entry").path());
    let base = bases.max_by_key(|path| path.metadata().expect("a file").len()).expect("a base");
    damage(&scene, &mut family, "published keyring, base with 1,100 persons", &Original::of(base.clone()), &mut dice);
    needed(&scene, &mut family, &Original::of(base));
    let policy = Original::of(stage.policy_path());
    let name = format!("policy cut to each of its {} lines", policy.bytes.split(|byte| *byte == b'\n').count());
    let mut row = Row::new(name);
    for (at, _) in policy.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        policy.write(&policy.bytes[..at]);
        scene.try_all(&mut row, &format!("policy cut at {at}"));
    }
    policy.put_back();
    family.add(row);
    family.finish();
}

/// Changes only bytes that a push reads: those in the buckets of the people who push.
fn needed(scene: &Scene, family: &mut Family, file: &Original) {
    let find = |text: &str| {
        let bytes = text.as_bytes();
        file.bytes.windows(bytes.len()).position(|found| found == bytes).expect("a record in the base")
    };
    let mut row = Row::new("published keyring, base: each 5th byte of the record of who pushes");
    let at = find("\"id\":\"dev-rot\"");
    for at in (at.saturating_sub(60)..at + 600).step_by(5) {
        let mut bytes = file.bytes.clone();
        bytes[at] ^= 1;
        file.write(&bytes);
        scene.try_all(&mut row, &format!("byte {at}"));
    }
    file.put_back();
    row.check(row.ended(Kind::Undecided) > 100, || "hardly any change was met".to_owned());
    family.add(row);
}

fn damage(scene: &Scene, family: &mut Family, name: &str, file: &Original, dice: &mut Dice) {
    let flips = flips();
    let mut row = Row::new(format!("{name}: one byte changed, {flips} places"));
    for _ in 0..flips {
        let (at, bytes) = file.flipped(dice);
        file.write(&bytes);
        scene.try_all(&mut row, &format!("{name}, byte {at}"));
        file.put_back();
    }
    family.add(row);
    let mut row = Row::new(format!("{name}: cut short, {CUTS} lengths"));
    for part in 0..CUTS {
        file.write(file.cut(part, CUTS));
        scene.try_all(&mut row, &format!("{name} cut to {part}/{CUTS}"));
    }
    family.add(row);
    let mut row = Row::new(format!("{name}: zeros, missing, a folder, a symlink to itself"));
    file.write(&vec![0; file.bytes.len()]);
    scene.try_all(&mut row, &format!("{name}, zeros"));
    file.put_back();
    replaced(file, |what| scene.try_all(&mut row, &format!("{name}, {what}")));
    family.add(row);
    let [main, ..] = scene.ask();
    assert_eq!(main.kind, Kind::Accepted, "put back: {}", main.text);
}

#[test]
fn corrupt_ledger() {
    let scene = scene("mould");
    let stage = &scene.stage;
    let mut family = Family::new(
        "04b corrupt ledger",
        "a good push is accepted or undecided, never denied; a bad one never accepted; `ledger verify` finds each changed fact",
    );
    let mut dice = Dice::seeded("corrupt ledger", SEED + 1);
    // All in the database, and nothing in its log.
    let connection = Connection::open(stage.ledger_path()).expect("the ledger");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    drop(connection);
    stage.own(&stage.ledger_folder());
    let kept = stage.root().join("ledger-kept");
    must(Command::new("cp").arg("-a").arg(stage.ledger_folder()).arg(&kept));
    let file = Original::of(stage.ledger_path());
    let facts = dump(&stage.ledger_path()).expect("the ledger");
    let restore = || {
        for entry in std::fs::read_dir(stage.ledger_folder()).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            }
            .expect("a file of the ledger");
        }
        must(Command::new("cp").arg("-a").arg(format!("{}/.", kept.display())).arg(stage.ledger_folder()));
    };
    let damaged = |bytes: &[u8]| {
        restore();
        // With no log and no shared memory beside it, as after a restart of the machine.
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(stage.ledger_folder().join(format!("ledger.db{end}")));
        }
        file.write(bytes);
    };

    let flips = flips();
    let mut row = Row::new(format!("ledger: one byte changed, {flips} places"));
    let (mut changed, mut found) = (0, 0);
    for _ in 0..flips {
        let (at, bytes) = file.flipped(&mut dice);
        damaged(&bytes);
        let now = dump(&stage.ledger_path());
        let differs = now.as_ref() != Some(&facts);
        damaged(&bytes);
        let verified = stage.verify();
        row.check(matches!(verified.code, Some(0..=2)), || format!("byte {at}: verify ended with {:?}", verified.code));
        changed += usize::from(differs);
        found += usize::from(!verified.succeeded());
        row.check(!differs || !verified.succeeded(), || {
            let now = now.unwrap_or_default();
            let changed = facts.iter().zip(&now).find(|(then, now)| then != now);
            format!("byte {at}: verify finds nothing, but {} became {} rows, {changed:?}", facts.len(), now.len())
        });
        damaged(&bytes);
        scene.try_all(&mut row, &format!("byte {at} (page {})", at / 4096 + 1));
    }
    println!("ledger: of {flips} changed bytes {changed} changed a fact; verify found {found}");
    row.check(changed > flips / 4, || format!("only {changed} bytes changed a fact"));
    family.add(row);
    let mut row = Row::new(format!("ledger: cut short, {CUTS} lengths"));
    for part in 0..CUTS {
        damaged(file.cut(part, CUTS));
        scene.try_all(&mut row, &format!("cut to {part}/{CUTS}"));
        let verified = stage.verify();
        row.check(!verified.succeeded(), || format!("cut to {part}/{CUTS}: verify says {}", verified.stdout));
    }
    family.add(row);
    let mut row = Row::new("ledger: zeros, a page of zeros, missing, a folder, a symlink to itself");
    damaged(&vec![0; file.bytes.len()]);
    scene.try_all(&mut row, "zeros");
    for page in 0..file.bytes.len() / 4096 {
        let mut bytes = file.bytes.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0);
        damaged(&bytes);
        scene.try_all(&mut row, &format!("page {} zeroed", page + 1));
    }
    restore();
    replaced(&file, |what| scene.try_all(&mut row, what));
    family.add(row);
    restore();
    let [main, ..] = scene.ask();
    assert_eq!(main.kind, Kind::Accepted, "put back: {}", main.text);
    family.finish();
}

/// Every row of every table; `None` for what SQLite itself finds damaged.
fn dump(path: &Path) -> Option<Vec<Vec<Value>>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let mut names = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").ok()?;
    let names: Vec<(String, Option<String>)> =
        names.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).ok()?.collect::<Result<_, _>>().ok()?;
    let mut rows = Vec::new();
    for (name, sql) in names {
        rows.push(vec![Value::Text(name.clone()), sql.clone().map_or(Value::Null, Value::Text)]);
        if !sql.is_some_and(|sql| sql.starts_with("CREATE TABLE")) {
            continue;
        }
        let mut all = connection.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1, 2")).ok()?;
        let columns = all.column_count();
        let mut all = all.query([]).ok()?;
        while let Some(row) = all.next().ok()? {
            rows.push((0..columns).map(|at| row.get(at)).collect::<Result<_, _>>().ok()?);
        }
    }
    Some(rows)
}
