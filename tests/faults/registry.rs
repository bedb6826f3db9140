//! A registry that is migrated, published or put back while pushes run.

use crate::stage::{Answer, Kind, Lane, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{must, run};
use rusqlite::Connection;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn a_registry_that_changes_meanwhile() {
    let mut stage = Stage::new();
    let lane = stage.lane("change", KeyKind::SshEd25519);
    let mut family = Family::new(
        "08 registry changes meanwhile",
        "a push is judged by one whole epoch, and by none older than the ledger has seen; a registry that cannot be read changes nothing",
    );
    family.add(migrated(&stage, &lane));
    family.add(published(&stage, &lane));
    family.add(rotten(&stage, &lane));
    let rows = put_back(&mut stage, &lane);
    rows.into_iter().for_each(|row| family.add(row));
    family.finish();
}

fn hire(stage: &Stage, id: &str) {
    let line = format!(
        "{{\"id\":\"h-{id}\",\"source\":\"hr\",\"person\":\"{id}\",\"type\":\"hired\",\
         \"data\":{{\"name\":\"{id}\",\"emails\":[\"{id}@example.org\"]}}}}\n"
    );
    let applied = stage.site.product.keyring_sync(&["apply", "-"], line.as_bytes());
    assert!(applied.succeeded(), "{applied:?}");
}

/// Pushes beside `work`, which is told the number of its round, until `pushes` are done. Gives the rounds too.
fn beside(stage: &Stage, lane: &Lane, pushes: usize, work: impl Fn(usize) + Sync) -> (Vec<Answer>, usize) {
    let commits: Vec<String> = (0..pushes).map(|number| lane.member.commit(&format!("{number}"))).collect();
    let (done, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answers = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                work(rounds.fetch_add(1, Ordering::Relaxed));
            }
        });
        let answers = commits.iter().map(|commit| stage.push(lane, commit)).collect();
        done.store(true, Ordering::Relaxed);
        worker.join().expect("the work beside the pushes");
        answers
    });
    (answers, rounds.into_inner())
}

/// Takes the registry back to its first format, which had these tables alone.
fn make_old(registry: &Path) {
    let first = "'event', 'person', 'claim', 'key', 'fingerprint', 'authority', 'authority_mark', 'publication'";
    let sql = format!(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN ({first})"
    );
    let connection = Connection::open(registry).expect("the registry");
    let later: Vec<String> = {
        let mut statement = connection.prepare(&sql).expect("the schema");
        let names = statement.query_map([], |row| row.get(0)).expect("the schema");
        names.collect::<Result<_, _>>().expect("its tables")
    };
    let drop: String = later.iter().map(|table| format!("DROP TABLE {table};")).collect();
    let back = "ALTER TABLE event DROP COLUMN rank; PRAGMA user_version = 1";
    connection
        .execute_batch(&format!("PRAGMA foreign_keys = OFF; BEGIN; {drop} {back}; COMMIT"))
        .expect("the first format");
}

/// The registry is made one of the first format, and brought up to date by the next change.
fn migrated(stage: &Stage, lane: &Lane) -> Row {
    let registry = stage.root().join("registry.db");
    let version = || {
        let connection = Connection::open(&registry).expect("the registry");
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).expect("a version")
    };
    let newest = version();
    let (answers, rounds) = beside(stage, lane, 30, |round| {
        make_old(&registry);
        hire(stage, &format!("M{round}"));
        assert_eq!(version(), newest, "brought up to date");
    });
    let mut row = Row::new("registry migrated while pushes run");
    answers.iter().for_each(|answer| row.count_as(answer, Kind::Accepted, &[]));
    row.check(rounds > 5, || format!("only {rounds} migrations"));
    println!("registry: {rounds} migrations beside {} pushes", answers.len());
    row
}

fn published(stage: &Stage, lane: &Lane) -> Row {
    let (answers, rounds) = beside(stage, lane, 40, |round| hire(stage, &format!("N{round}")));
    let mut row = Row::new("epochs published while pushes run");
    answers.iter().for_each(|answer| row.count_as(answer, Kind::Accepted, &[]));
    row.check(rounds > 20, || format!("only {rounds} epochs"));
    println!("registry: {rounds} epochs beside {} pushes", answers.len());
    row
}

/// The registry's own file is damaged: whoever wants to change it is told so, and the hooks go on by what was published.
fn rotten(stage: &Stage, lane: &Lane) -> Row {
    let registry = stage.root().join("registry.db");
    let connection = Connection::open(&registry).expect("the registry");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    drop(connection);
    let good = std::fs::read(&registry).expect("the registry");
    let alone = || {
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(stage.root().join(format!("registry.db{end}")));
        }
    };
    let first_page = |byte| [vec![byte; 4096], good[4096..].to_vec()].concat();
    let mut damages = vec![
        ("zeros".to_owned(), vec![0; good.len()]),
        ("no header".to_owned(), first_page(0)),
        ("another header".to_owned(), first_page(0xff)),
        ("text".to_owned(), b"not a database".to_vec()),
    ];
    damages.extend((0..8).map(|part| (format!("cut to {part}/8"), good[..good.len() * part / 8].to_vec())));
    let mut row = Row::new("registry.db: cut, zeros, not a database, missing");
    let asked = |row: &mut Row, what: &str| {
        let event =
            "{\"id\":\"rot\",\"source\":\"hr\",\"person\":\"R\",\"type\":\"hired\",\"data\":{\"name\":\"R\"}}\n";
        for (args, input) in
            [(["apply", "-"].as_slice(), event), (&["publish"], ""), (&["kill", "dev-change", "--reason", "x"], "")]
        {
            let told = stage.site.product.keyring_sync(args, input.as_bytes());
            row.check(told.code == Some(2) && !told.stderr.is_empty(), || format!("{what}: {args:?}: {told:?}"));
        }
        row.count_as(&stage.push(lane, &lane.member.commit(what)), Kind::Accepted, &[]);
    };
    for (what, bytes) in damages {
        alone();
        std::fs::write(&registry, bytes).expect("a damaged registry");
        asked(&mut row, &what);
    }
    alone();
    std::fs::remove_file(&registry).expect("the registry");
    asked(&mut row, "missing");
    alone();
    std::fs::write(&registry, &good).expect("the registry");
    hire(stage, "R");
    row
}

/// An operator puts an older keyring back, and then the newer one again, over and over.
fn put_back(stage: &mut Stage, lane: &Lane) -> [Row; 2] {
    let out = stage.lane("out", KeyKind::SshEd25519);
    let folder = stage.keyring();
    let copy = |name: &str| {
        let to = stage.root().join(name);
        must(Command::new("cp").arg("-a").arg(&folder).arg(&to));
        to
    };
    let older = copy("keyring-older");
    stage.site.sync(&["kill", "dev-out", "--reason", "left"]);
    let newer = copy("keyring-newer");
    let seen = stage.push(lane, &lane.member.commit("the ledger sees the newer"));
    assert_eq!(seen.kind, Kind::Accepted, "{}", seen.text);

    let mut still = Row::new("keyring put back to an older epoch");
    let put = |from: &std::path::Path| {
        let gone = stage.root().join("keyring-gone");
        let next = stage.root().join("keyring-next");
        must(Command::new("cp").arg("-a").arg(from).arg(&next));
        std::fs::rename(&folder, &gone).expect("the keyring");
        std::fs::rename(&next, &folder).expect("a keyring");
        std::fs::remove_dir_all(&gone).expect("the keyring before");
    };
    put(&older);
    for _ in 0..5 {
        let answer = stage.push(lane, &lane.member.commit("by the older"));
        still.count_as(&answer, Kind::Undecided, &["registry-rollback"]);
        let answer = stage.push(&out, &out.member.commit("by who is out"));
        still.count_as(&answer, Kind::Undecided, &["registry-rollback"]);
    }
    put(&newer);
    let answer = stage.push(lane, &lane.member.commit("by the newer"));
    still.check(answer.kind == Kind::Accepted, || format!("with the newer again: {}", answer.text));

    let mut swapped = Row::new("keyring swapped between two epochs while pushes run");
    let denied = AtomicUsize::new(0);
    let (answers, rounds) = beside(stage, lane, 30, |round| {
        put(if round % 2 == 0 { &older } else { &newer });
        std::thread::sleep(Duration::from_millis(20));
        if round % 4 == 0 {
            let told = run(&mut stage.push_command(&out, &out.member.commit("by who is out")), b"");
            let said_no = told.stderr.contains("[signer-not-active]") || told.stderr.contains("could not be decided");
            denied.fetch_add(usize::from(said_no && !told.succeeded()), Ordering::Relaxed);
        }
    });
    answers.iter().for_each(|answer| {
        swapped.count(answer);
        swapped.check(answer.kind != Kind::Died, || format!("no answer: {}", answer.text));
    });
    let tries = rounds.div_ceil(4);
    let denied = denied.into_inner();
    swapped.check(denied == tries, || format!("who is out was refused {denied} times of {tries}"));
    println!("registry: {rounds} swaps beside {} pushes, {denied} pushes of who is out refused", answers.len());
    put(&newer);
    swapped.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
    [still, swapped]
}
