//! Holds the threat model of `.github/SECURITY.md` to the tests: what it names exists, and no line is without proof.

use countersign_policy::rule;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

struct Line {
    threat: String,
    rules: Vec<String>,
    proofs: Vec<String>,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn lines() -> Vec<Line> {
    let page = std::fs::read_to_string(top().join(".github/SECURITY.md")).expect("SECURITY.md");
    let (_, model) = page.split_once("\n## Threat model\n").expect("the threat model");
    let rows = model.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat "));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [threat, answer, rules, proofs] = cells[..] else { panic!("four cells, please: {line}") };
        assert!(!answer.is_empty(), "no answer: {line}");
        Line { threat: threat.to_owned(), rules: quoted(rules), proofs: quoted(proofs) }
    })
    .collect()
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Why the proof proves nothing, if so.
fn fault(proof: &str, rows: &BTreeMap<String, serde_yaml::Value>) -> Option<String> {
    if let Some(row) = proof.strip_prefix("corpus ") {
        return (!rows.contains_key(row)).then(|| format!("the corpus has no row {row}"));
    }
    let (file, function) = match proof.split_once(": ") {
        Some((file, function)) => (file, Some(function)),
        None => (proof, None),
    };
    let Ok(text) = std::fs::read_to_string(top().join(file)) else { return Some(format!("{file} does not exist")) };
    match function {
        Some(name) if text.contains(&format!("fn {name}()")) => None,
        Some(name) => Some(format!("{file} has no test {name}")),
        None if file.starts_with("tests/cases/") && file.ends_with(".yaml") => None,
        None => Some(format!("{file} is no case: name the function")),
    }
}

/// The rows of the corpus; its own run sees to it that each has a vector.
fn corpus() -> BTreeMap<String, serde_yaml::Value> {
    let text = std::fs::read_to_string(top().join("tests/corpus/rows.yaml")).expect("rows.yaml");
    serde_yaml::from_str(&text).expect("a map of rows")
}

#[test]
fn every_threat_names_its_proof_and_every_proof_exists() {
    let rows = corpus();
    let mut faults = Vec::new();
    for line in lines() {
        if line.proofs.is_empty() {
            faults.push(format!("{}: nothing proves it", line.threat));
        }
        faults.extend(line.proofs.iter().filter_map(|proof| fault(proof, &rows)));
        let unknown = line.rules.iter().filter(|id| rule::find(id).is_none());
        faults.extend(unknown.map(|id| format!("{}: no rule is called {id}", line.threat)));
    }
    assert!(faults.is_empty(), "SECURITY.md:\n{}", faults.join("\n"));
}

#[test]
fn every_rule_answers_a_threat() {
    let named: BTreeSet<String> = lines().into_iter().flat_map(|line| line.rules).collect();
    let silent: Vec<&str> = rule::ALL.iter().map(|rule| rule.id).filter(|id| !named.contains(*id)).collect();
    assert!(silent.is_empty(), "SECURITY.md names no threat that these answer: {silent:?}");
}

#[test]
fn what_does_not_exist_is_noticed() {
    let rows = BTreeMap::from([("A05".to_owned(), serde_yaml::Value::Null)]);
    let says = |proof: &str| fault(proof, &rows);
    assert_eq!(says("corpus A05"), None);
    assert_eq!(says("tests/cases/tags.yaml"), None);
    assert_eq!(says("tests/tests/security_page.rs: what_does_not_exist_is_noticed"), None);
    for missing in ["corpus A99", "tests/cases/none.yaml", "tests/tests/security_page.rs: none", "tests/Cargo.toml"] {
        assert!(says(missing).is_some(), "{missing}");
    }
}
