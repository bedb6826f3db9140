//! Holds `cases/SECTIONS.md` to the files: every sentence has a file that quotes it, or a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

struct Row {
    id: String,
    sentence: String,
    files: Vec<String>,
    reason: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(folder().join("SECTIONS.md")).expect("SECTIONS.md");
    let lines = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id "));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [id, sentence, files, reason] = cells[..] else { panic!("four cells, please: {line}") };
            let files = files.split_whitespace().map(|file| file.trim_matches('`').to_owned()).collect();
            Row { id: id.into(), sentence: sentence.replace("\\|", "|"), files, reason: reason.into() }
        })
        .collect()
}

/// The sentences that a file quotes before its first other line, by id.
fn quoted(file: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut quotes: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    let head = text.lines().map_while(|line| line.strip_prefix("//!").or_else(|| line.strip_prefix('#')));
    for line in head {
        let line = line.strip_prefix(' ').unwrap_or(line);
        match (line.strip_prefix("  "), line.split_once(' ')) {
            (Some(rest), _) => quotes.entry(last.clone()).or_default().push_str(&format!(" {}", rest.trim())),
            (None, Some((id, rest))) => {
                last = id.to_owned();
                quotes.insert(last.clone(), rest.to_owned());
            }
            (None, None) => {}
        }
    }
    quotes
}

#[test]
fn every_sentence_is_quoted_by_a_file_or_has_a_reason() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert(row.id.clone()), "{} stands twice", row.id);
        assert!(!row.sentence.is_empty() && (!row.files.is_empty() || row.reason.len() > 10), "{} is open", row.id);
        for file in &row.files {
            assert_eq!(quoted(file).get(&row.id), Some(&row.sentence), "{file} quotes {}", row.id);
        }
    }
    let sections: BTreeSet<&str> = seen.iter().filter_map(|id| id.split('.').next()).collect();
    assert_eq!(sections, BTreeSet::from(["1", "4", "5", "6"]));
    for section in sections {
        let count = seen.iter().filter(|id| id.split('.').next() == Some(section)).count();
        assert!((1..=count).all(|number| seen.contains(&format!("{section}.{number}"))), "a gap in section {section}");
    }
}

#[test]
fn every_case_of_a_section_is_on_the_page() {
    let named: BTreeSet<String> = rows().into_iter().flat_map(|row| row.files).collect();
    for section in ["section4", "section5", "section6"] {
        for entry in std::fs::read_dir(folder().join(section)).expect("a folder of cases") {
            let file = format!("{section}/{}", entry.expect("a file").file_name().to_string_lossy());
            assert!(named.contains(&file), "{file} shows no sentence of SECTIONS.md");
            for id in quoted(&file).keys() {
                assert!(rows().iter().any(|row| row.id == *id && row.files.contains(&file)), "{file} quotes {id}");
            }
        }
    }
}
