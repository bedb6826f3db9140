//! Tries every vector, and tells what came of it by section of the catalogue.

use crate::bench::{Answer, Bench, Lab};
use crate::vector::{Expected, Vector};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A row of `rows.yaml`: what it is called, or why it has no vector.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Tried(String),
    Untried { title: String, untried: String },
}

/// Past this a vector counts as a hang. The slowest push 200,000 commits or 500 MB, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(90);

/// Two at a time: the hook uses the other core itself.
const WORKERS: usize = 3;

pub fn all(vectors: Vec<Vector>) {
    let rows: BTreeMap<String, Row> = serde_yaml::from_str(include_str!("rows.yaml")).expect("rows.yaml");
    let only = std::env::var("COUNTERSIGN_VECTOR").unwrap_or_default();
    let mut wrong = coverage(&rows, &vectors);
    let lab = Lab::new();
    let results = tried(&lab, vectors.iter().filter(|vector| vector.name.contains(&only)).collect());
    let mut table: BTreeMap<char, [usize; 4]> = BTreeMap::new();
    for (vector, outcome) in &results {
        let section = vector.row().chars().next().unwrap_or('?');
        let counts = table.entry(section).or_default();
        counts[0] += 1;
        match outcome {
            Ok(_) if vector.expected == Expected::Accepted => counts[2] += 1,
            Ok((answer, _)) => {
                counts[1] += 1;
                counts[3] += usize::from(answer.by_hand);
            }
            Err(reason) => wrong.push(format!("{}: {reason}\n    {}", vector.name, vector.about)),
        }
    }
    let mut report = String::new();
    writeln!(report, "section  rows  vectors  refused  accepted  of the refused by git first  rows without a vector")
        .expect("a string");
    for (section, [tried, refused, accepted, by_git]) in &table {
        let of = |row: &&String| row.starts_with(*section);
        let untried: Vec<&String> =
            rows.iter().filter(|(id, row)| of(id) && matches!(row, Row::Untried { .. })).map(|(id, _)| id).collect();
        let count = rows.keys().filter(of).count();
        writeln!(
            report,
            "{section:<7} {count:>5} {tried:>8} {refused:>8} {accepted:>9} {by_git:>28}  {}",
            list(&untried)
        )
        .expect("a string");
    }
    for (id, row) in &rows {
        if let Row::Untried { title, untried } = row {
            writeln!(report, "  {id} ({title}) has no vector: {untried}").expect("a string");
        }
    }
    let slowest = results.iter().filter_map(|(vector, outcome)| Some((outcome.as_ref().ok()?.1, &vector.name))).max();
    writeln!(report, "{} vectors, {} wrong; the slowest: {slowest:?}", results.len(), wrong.len()).expect("a string");
    // Not by `println`, which the test harness swallows when all is well.
    std::io::stdout().write_all(report.as_bytes()).expect("the standard output");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn list(rows: &[&String]) -> String {
    if rows.is_empty() { "none".to_owned() } else { rows.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ") }
}

/// Rows without a vector and without a reason, vectors without a row, names that were given twice.
fn coverage(rows: &BTreeMap<String, Row>, vectors: &[Vector]) -> Vec<String> {
    let tried: BTreeSet<String> = vectors.iter().map(Vector::row).collect();
    let mut wrong = Vec::new();
    for (id, row) in rows {
        match (row, tried.contains(id)) {
            (Row::Tried(title), false) => wrong.push(format!("row {id} ({title}) has no vector and no reason")),
            (Row::Untried { .. }, true) => wrong.push(format!("row {id} has a vector and a reason for having none")),
            _ => {}
        }
    }
    wrong.extend(tried.iter().filter(|id| !rows.contains_key(*id)).map(|id| format!("{id} is no row")));
    let names: BTreeSet<&String> = vectors.iter().map(|vector| &vector.name).collect();
    if names.len() < vectors.len() {
        wrong.push("two vectors have the same name".to_owned());
    }
    wrong
}

type Results<'v> = Vec<(&'v Vector, Result<(Answer, Duration), String>)>;

fn tried<'v>(lab: &Lab, vectors: Vec<&'v Vector>) -> Results<'v> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(&vector) = vectors.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = one(lab, vector);
                    results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((vector, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    results
}

fn one(lab: &Lab, vector: &Vector) -> Result<(Answer, Duration), String> {
    let begun = Instant::now();
    let bench = Bench::new(lab, &vector.name);
    let answer = catch_unwind(AssertUnwindSafe(|| (vector.attempt)(&bench))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("it could not be made: {}", text.unwrap_or_default())
    })?;
    let said = |reason: String| format!("{reason}\n{}", answer.said.escape_debug().to_string().replace("\\n", "\n"));
    vector.expected.compare(&answer).map_err(said)?;
    let took = begun.elapsed();
    if took > PATIENCE {
        return Err(said(format!("it took {took:?}")));
    }
    if answer.said.contains("incident") {
        return Err(said("the hook broke down".to_owned()));
    }
    // The line that says how far a long push is goes back to its beginning.
    let said_so_far = answer.said.replace(" commits checked\r", "");
    match said_so_far.chars().find(|c| unfit_for_terminals(*c)) {
        Some(unfit) => Err(said(format!("the message holds {}", unfit.escape_unicode()))),
        None => Ok((answer, took)),
    }
}

/// Control characters but the line end, and those that turn the direction of writing or hide.
pub fn unfit_for_terminals(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
