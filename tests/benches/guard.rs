//! Sees a slow-down without a quiet machine: instructions of the hook, as callgrind counts them, on a small fixed push.
//!
//! `COUNTERSIGN_GUARD=write` keeps what is counted now as what is expected from now on.
#![allow(dead_code, reason = "the benchmarks use the rest")]

mod authors;
#[path = "../tests/common/mod.rs"]
mod common;
mod histories;
mod lab;
mod timing;

use authors::{Company, Kind};
use histories::History;
use lab::Lab;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Commits of the two pushes: what the second costs more is the commits', the rest is the start's.
const FEW: usize = 1;
const MANY: usize = 240;

/// More than this is no accident: threads change the count by less than one percent.
const TOLERANCE: f64 = 0.10;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Instructions {
    start: u64,
    commit: u64,
}

fn count(folder: &Path, kind: Kind) -> Instructions {
    let company = Company::of(kind);
    let [few, many] = [FEW, MANY].map(|new| {
        let history = History::make_small(folder, &company, (1, new));
        Lab::new(&company, &history).instructions()
    });
    let commit = (many - few) / (MANY - FEW) as u64;
    Instructions { start: few.saturating_sub(commit * FEW as u64), commit }
}

#[test]
fn a_push_takes_no_more_instructions_than_before() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/guard.yaml");
    let folder = countersign_tests::servers::folder();
    let kinds = [Kind::SshEd25519, Kind::OpenPgpEd25519];
    let counted: BTreeMap<&str, Instructions> =
        kinds.into_iter().map(|kind| (kind.word(), count(folder.path(), kind))).collect();
    println!("{counted:#?}");
    if std::env::var_os("COUNTERSIGN_GUARD").is_some_and(|word| word == "write") {
        let text = serde_yaml::to_string(&counted).expect("YAML");
        let head = "# Instructions of pre-receive in a debug build: of the start, and of each commit. Kept by `COUNTERSIGN_GUARD=write`.\n";
        return std::fs::write(file, format!("{head}{text}")).expect("the file");
    }
    let kept: BTreeMap<String, Instructions> =
        serde_yaml::from_str(&std::fs::read_to_string(file).expect("guard.yaml")).expect("counts");
    for (kind, now) in counted {
        let before = &kept[kind];
        for (what, now, before) in [("start", now.start, before.start), ("commit", now.commit, before.commit)] {
            let change = now as f64 / before as f64 - 1.0;
            assert!(
                change <= TOLERANCE,
                "{kind}: {what} takes {:.0} % more instructions, {now} instead of {before}; where that is wanted, keep it by \
                 `COUNTERSIGN_GUARD=write cargo test -p countersign-tests --test guard`",
                change * 100.0
            );
            if change < -TOLERANCE {
                println!("{kind}: {what} became faster by {:.0} %: keep it", -change * 100.0);
            }
        }
    }
}
