//! Who agrees with whom, and what is new.

use crate::exceptions::{Class, Exceptions};
use crate::object::Object;
use crate::oracle::Answers;
use crate::ours::ACCEPT;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Every object with all verdicts, to compare two runs with.
const VERDICTS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/differential-verdicts.txt");

/// Lines of one list in a failure; the whole is in a file.
const SHOWN: usize = 40;

/// Keys and signatures are new in each run, so that what a changed byte of theirs leads to need not come again.
const BY_CHANCE: &str = "flip/";

#[derive(Default)]
struct Row {
    objects: usize,
    accepted: usize,
    refused: usize,
    stricter: usize,
    laxer: usize,
    reasons: BTreeSet<String>,
}

#[derive(Default)]
pub struct Report {
    rows: BTreeMap<String, Row>,
    /// Disagreements that nobody gave a reason for, with how often they occur.
    new: BTreeMap<Class, usize>,
    healed: Vec<Class>,
    /// What no reason excuses.
    broken: Vec<String>,
}

impl Report {
    pub fn new(
        objects: &[Object],
        ours: &[Result<&'static str, String>],
        theirs: &[Answers],
        exceptions: &Exceptions,
    ) -> Report {
        let mut report = Report::default();
        let mut seen = BTreeSet::new();
        let mut verdicts = String::new();
        for ((object, ours), theirs) in objects.iter().zip(ours).zip(theirs) {
            let group = object.kind.split('/').next().unwrap_or_default().to_owned();
            let row = report.rows.entry(group).or_default();
            row.objects += 1;
            let ours = match ours {
                Ok(ours) => *ours,
                Err(why) => {
                    report.broken.push(format!("{why} ({})", object.what.name()));
                    continue;
                }
            };
            verdicts.push_str(&format!("{} {} {ours} {theirs:?}\n", object.kind, object.what.name()));
            let accepted = ours == ACCEPT;
            let disagree: Vec<&str> =
                theirs.iter().filter(|(_, says)| **says != accepted).map(|(name, _)| *name).collect();
            match (disagree.is_empty(), accepted) {
                (true, true) => row.accepted += 1,
                (true, false) => row.refused += 1,
                (false, true) => row.laxer += 1,
                (false, false) => row.stricter += 1,
            }
            let mut excused = true;
            for they in &disagree {
                let class = (object.kind.clone(), ours.to_owned(), (*they).to_owned());
                match exceptions.known.get(&class) {
                    Some(reason) => {
                        row.reasons.insert(reason.because.clone());
                        excused &= reason.against_all;
                    }
                    None => {
                        *report.new.entry(class.clone()).or_default() += 1;
                        excused = false;
                    }
                }
                seen.insert(class);
            }
            if accepted && disagree.len() == theirs.len() && !excused {
                let what = object.what.name();
                report.broken.push(format!("{}: we accept a {what} that nobody else accepts", object.kind));
            }
        }
        std::fs::write(VERDICTS, verdicts).expect("a file for the verdicts");
        let must_occur = |class: &&Class| !class.0.starts_with(BY_CHANCE) && !seen.contains(*class);
        report.healed = exceptions.known.keys().filter(must_occur).cloned().collect();
        report
    }

    /// Fails on what is new, what is healed and what may never be.
    pub fn must_be_clean(&self) {
        if self.new.is_empty() && self.healed.is_empty() && self.broken.is_empty() {
            return;
        }
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/differential.txt");
        std::fs::write(file, self.faults(usize::MAX)).expect("a file for the whole list");
        panic!("{}\nthe whole list: {file}", self.faults(SHOWN));
    }

    fn faults(&self, most: usize) -> String {
        let mut out = String::new();
        let new: Vec<String> = self
            .new
            .iter()
            .map(|((kind, ours, they), count)| {
                let says = if ours == ACCEPT { "refuses" } else { "accepts" };
                format!("{kind}: we say {ours}, {they} {says} ({count})")
            })
            .collect();
        let healed: Vec<String> =
            self.healed.iter().map(|(kind, ours, they)| format!("{kind}: {ours}, {they}")).collect();
        for (title, lines) in [
            ("never allowed", &self.broken),
            ("disagreements without a reason in exceptions.yaml", &new),
            ("reasons in exceptions.yaml for disagreements that are no more", &healed),
        ] {
            if !lines.is_empty() {
                out.push_str(&format!("\n{title}: {}\n", lines.len()));
                lines.iter().take(most).for_each(|line| out.push_str(&format!("  {line}\n")));
            }
        }
        out
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, row: &Row| {
            let Row { objects, accepted, refused, stricter, laxer, reasons } = row;
            let reasons = reasons.len();
            writeln!(f, "{name:<18}{objects:>8}{accepted:>12}{refused:>12}{stricter:>12}{laxer:>8}{reasons:>10}")
        };
        writeln!(f, "kind               objects  all accept  all refuse  we stricter   laxer   reasons")?;
        let mut total = Row::default();
        for (name, row) in &self.rows {
            line(f, name, row)?;
            total.objects += row.objects;
            total.accepted += row.accepted;
            total.refused += row.refused;
            total.stricter += row.stricter;
            total.laxer += row.laxer;
            total.reasons.extend(row.reasons.iter().cloned());
        }
        line(f, "total", &total)
    }
}
