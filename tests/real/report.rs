//! The classes of opinions and how many objects are in each, as one table.

use crate::compare::Relation;
use crate::keys::Keys;
use crate::ours::{Judged, Kind};
use crate::theirs::{Opinion, Status};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One object with both opinions on it.
pub struct Case {
    pub kind: Kind,
    pub id: String,
    pub judged: Judged,
    pub opinion: Opinion,
    pub relation: Relation,
}

type Class = (Relation, String, Status);

#[derive(Debug, Default)]
struct Row {
    commits: usize,
    tags: usize,
    /// We accept these when asked at the date that they bear.
    at_their_date: usize,
    example: String,
    our_words: String,
    their_words: String,
}

#[derive(Debug)]
pub struct Report {
    keys: String,
    rows: BTreeMap<Class, Row>,
    pub took: Duration,
    /// Summed over the threads.
    pub ours: Duration,
    pub theirs: Duration,
}

impl Report {
    pub fn new(keys: &Keys) -> Report {
        let refusals = keys.refusals();
        let refusals = refusals.iter().map(|(reason, count)| format!("\n  {count} keys not registered: {reason}"));
        Report {
            keys: format!(
                "{} OpenPGP certificates and {} SSH keys registered{}",
                keys.openpgp,
                keys.ssh,
                refusals.collect::<String>()
            ),
            rows: BTreeMap::new(),
            took: Duration::ZERO,
            ours: Duration::ZERO,
            theirs: Duration::ZERO,
        }
    }

    pub fn note(&mut self, case: Case) {
        let findings = &case.judged.now.findings;
        let finding = if findings.is_empty() { "accepted".to_owned() } else { findings.join(" and ") };
        let row = self.rows.entry((case.relation, finding, case.opinion.status)).or_default();
        match case.kind {
            Kind::Commit => row.commits += 1,
            Kind::Tag => row.tags += 1,
        }
        row.at_their_date += usize::from(case.judged.at_its_date.accepted());
        // The smallest id, so that two runs show the same one.
        if row.example.is_empty() || case.id < row.example {
            row.example = case.id;
            row.our_words = case.judged.now.reason;
            row.their_words = case.opinion.words;
        }
    }

    pub fn add(&mut self, other: Report) {
        self.ours += other.ours;
        self.theirs += other.theirs;
        for (class, row) in other.rows {
            let mine = self.rows.entry(class).or_default();
            mine.commits += row.commits;
            mine.tags += row.tags;
            mine.at_their_date += row.at_their_date;
            if mine.example.is_empty() || row.example < mine.example {
                mine.example = row.example;
                mine.our_words = row.our_words;
                mine.their_words = row.their_words;
            }
        }
    }

    pub fn judged(&self) -> usize {
        self.rows.values().map(|row| row.commits + row.tags).sum()
    }

    /// The number of objects in a class, whatever the relation.
    pub fn count(&self, finding: &str, status: Status) -> usize {
        let rows = self.rows.iter().filter(|((_, ours, theirs), _)| ours == finding && *theirs == status);
        rows.map(|(_, row)| row.commits + row.tags).sum()
    }

    /// Nothing laxer, and nothing that is not explained.
    pub fn is_sound(&self) -> bool {
        !self.rows.keys().any(|(relation, ..)| matches!(relation, Relation::Laxer | Relation::Unexplained))
    }

    /// What makes the report unsound, with all that was said.
    pub fn faults(&self) -> String {
        let mut text = String::new();
        for ((relation, finding, status), row) in &self.rows {
            if matches!(relation, Relation::Laxer | Relation::Unexplained) {
                let Row { example, our_words, their_words, .. } = row;
                text.push_str(&format!(
                    "\n{relation}: {finding} | {status}: {} objects, such as {example}\n  we: {our_words}\n  they: {their_words}\n",
                    row.commits + row.tags
                ));
            }
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.keys)?;
        let commits: usize = self.rows.values().map(|row| row.commits).sum();
        let tags: usize = self.rows.values().map(|row| row.tags).sum();
        let signed: usize = self
            .rows
            .iter()
            .filter(|((_, _, status), _)| *status != Status::Unsigned)
            .map(|(_, row)| row.commits + row.tags)
            .sum();
        writeln!(
            f,
            "{commits} commits and {tags} annotated tags, {signed} of them signed, in {:.1?} (all threads: we {:.1?}, git with gpg and ssh-keygen {:.1?})\n",
            self.took, self.ours, self.theirs
        )?;
        writeln!(f, "| relation | we | they | commits | tags | we, at their date | example | why |")?;
        writeln!(f, "|---|---|---|---:|---:|---:|---|---|")?;
        for ((relation, finding, status), row) in &self.rows {
            let example: String = row.example.chars().take(12).collect();
            writeln!(
                f,
                "| {relation} | {finding} | {status} | {} | {} | {} | {example} | {} |",
                row.commits,
                row.tags,
                row.at_their_date,
                relation.why()
            )?;
        }
        Ok(())
    }
}
