//! What a vector is: a name, a line about it, the answer that is right, and the way to make it.

use crate::bench::{Answer, Bench};
use countersign_policy::rule;
use countersign_policy::verdict::Effect;
use std::fmt;

/// The answer of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Accepted,
    /// This finding is among those that deny.
    Denied(&'static str),
    /// This finding says why nothing was decided.
    Undecided(&'static str),
}

impl Expected {
    /// `accepted`, or the id of the rule that speaks against it.
    pub fn from_word(word: &str) -> Expected {
        if word == "accepted" {
            return Expected::Accepted;
        }
        let rule = rule::ALL.iter().find(|rule| rule.id == word);
        let rule = rule.unwrap_or_else(|| panic!("`{word}` is neither `accepted` nor a rule"));
        match rule.effect {
            Effect::Deny => Expected::Denied(rule.id),
            Effect::Undecided => Expected::Undecided(rule.id),
            Effect::Note => panic!("`{word}` is only a note"),
        }
    }

    /// What is wrong with the answer, if anything.
    pub fn compare(self, answer: &Answer) -> Result<(), String> {
        let (code, id, first) = match self {
            Expected::Accepted => (0, None, "accepted"),
            Expected::Denied(id) => (1, Some(id), "rejected"),
            Expected::Undecided(id) => (2, Some(id), "could not be decided"),
        };
        if let Some(seen) = answer.code.filter(|seen| *seen != code) {
            return Err(format!("the hook ended with {seen} instead of {code}"));
        }
        if answer.moved != (self == Expected::Accepted) {
            return Err(format!("the ref {}", if answer.moved { "moved" } else { "did not move" }));
        }
        if !answer.said.lines().any(|line| line.starts_with("countersign: ") && line.contains(first)) {
            return Err(format!("no line says `{first}`"));
        }
        match id.filter(|id| !answer.findings.iter().any(|finding| finding == id)) {
            Some(id) => Err(format!("the finding is {:?} instead of {id}", answer.findings)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expected::Accepted => "accepted",
            Expected::Denied(id) | Expected::Undecided(id) => id,
        })
    }
}

/// Makes the objects, pushes them, returns the answer to the push that matters.
pub type Attempt = Box<dyn Fn(&Bench<'_>) -> Answer + Send + Sync>;

/// One attack, or one thing that must stay possible.
pub struct Vector {
    /// The row, then what is done: `a05-gpgsig-before-parent`.
    pub name: String,
    /// One line for people.
    pub about: String,
    pub expected: Expected,
    pub attempt: Attempt,
}

impl Vector {
    pub fn new(
        name: &str,
        about: &str,
        expected: &str,
        attempt: impl Fn(&Bench<'_>) -> Answer + Send + Sync + 'static,
    ) -> Vector {
        Vector {
            name: name.to_owned(),
            about: about.to_owned(),
            expected: Expected::from_word(expected),
            attempt: Box::new(attempt),
        }
    }

    /// The catalogue's row, `A05`.
    pub fn row(&self) -> String {
        self.name.split('-').next().unwrap_or_default().to_uppercase()
    }
}
