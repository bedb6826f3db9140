//! The fault table: how often each fault was tried, and what came of it.

use crate::stage::{Answer, Kind};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;

/// Tests of this program, each of which reports one family.
const FAMILIES: usize = 12;

static DONE: Mutex<Vec<Family>> = Mutex::new(Vec::new());

/// All tries with one fault.
#[derive(Debug)]
pub struct Row {
    fault: String,
    tries: usize,
    accepted: usize,
    undecided: usize,
    denied: usize,
    died: usize,
    wrong: Vec<String>,
    /// Findings that may refuse a push here, since they do not speak of a key. Any other denial is wrong.
    may_deny: &'static [&'static str],
}

impl Row {
    pub fn new(fault: impl Into<String>) -> Row {
        let fault = fault.into();
        Row { fault, tries: 0, accepted: 0, undecided: 0, denied: 0, died: 0, wrong: Vec::new(), may_deny: &[] }
    }

    pub fn may_deny(mut self, ids: &'static [&'static str]) -> Row {
        self.may_deny = ids;
        self
    }

    /// The same row under a name that says how it went.
    pub fn named(mut self, fault: String) -> Row {
        self.fault = fault;
        self
    }

    /// Counts a try. Whatever else may come of a fault, a push is never accepted without its leaf, and never denied
    /// for a reason that the pusher did not give.
    pub fn count(&mut self, answer: &Answer) {
        self.tries += 1;
        match answer.kind {
            Kind::Accepted => self.accepted += 1,
            Kind::Undecided => self.undecided += 1,
            Kind::Denied => self.denied += 1,
            Kind::Died => self.died += 1,
        }
        if let Some(wrong) = &answer.wrong {
            self.wrong(format!("{wrong}: {}", answer.text));
        }
        let named = answer.kind == Kind::Denied && !answer.ids.is_empty();
        if answer.kind == Kind::Denied && !(named && answer.ids.iter().all(|id| self.may_deny.contains(&id.as_str()))) {
            self.wrong(format!("denied: {}", answer.text));
        }
    }

    /// Counts a try that must have come out as this.
    pub fn count_as(&mut self, answer: &Answer, kind: Kind, ids: &[&str]) {
        self.count(answer);
        if answer.kind != kind {
            self.wrong(format!("{:?} instead of {kind:?}: {}", answer.kind, answer.text));
        } else if kind == Kind::Undecided && !ids.is_empty() && !answer.ids.iter().any(|id| ids.contains(&id.as_str()))
        {
            self.wrong(format!("undecided, but for none of {ids:?}: {}", answer.text));
        }
    }

    pub fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// Notes what does not hold.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(what());
        }
    }

    /// How many tries ended like this.
    pub fn ended(&self, kind: Kind) -> usize {
        match kind {
            Kind::Accepted => self.accepted,
            Kind::Undecided => self.undecided,
            Kind::Denied => self.denied,
            Kind::Died => self.died,
        }
    }
}

/// The faults of one kind, with what must hold in all of them.
#[derive(Debug)]
pub struct Family {
    name: &'static str,
    invariant: &'static str,
    rows: Vec<Row>,
}

impl Family {
    pub fn new(name: &'static str, invariant: &'static str) -> Family {
        Family { name, invariant, rows: Vec::new() }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Prints the rows, and the whole table after the last family; fails when anything was wrong.
    #[track_caller]
    pub fn finish(self) {
        println!("{}", table(std::slice::from_ref(&self)));
        let wrong: Vec<String> = self.rows.iter().flat_map(Row::complaints).collect();
        let mut done = DONE.lock().expect("no family panics here");
        done.push(self);
        if done.len() == FAMILIES {
            done.sort_by_key(|family| family.name);
            // Not by `println`, which the test harness swallows when all is well.
            let all = format!("\nAll families\n{}", table(&done));
            std::io::stdout().write_all(all.as_bytes()).expect("the standard output");
        }
        drop(done);
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

impl Row {
    fn complaints(&self) -> Vec<String> {
        let shown = self.wrong.iter().take(8);
        shown.map(|wrong| format!("- {}: {wrong}", self.fault)).collect()
    }
}

fn table(families: &[Family]) -> String {
    let mut text = format!(
        "{:<76} {:>5} {:>8} {:>9} {:>6} {:>5} {:>5}\n",
        "fault", "tries", "accepted", "undecided", "denied", "died", "wrong"
    );
    for family in families {
        writeln!(text, "{}: {}", family.name, family.invariant).expect("a string");
        for Row { fault, tries, accepted, undecided, denied, died, wrong, .. } in &family.rows {
            let wrong = wrong.len();
            writeln!(text, "  {fault:<74} {tries:>5} {accepted:>8} {undecided:>9} {denied:>6} {died:>5} {wrong:>5}")
                .expect("a string");
        }
    }
    text
}
