//! One thing to do on one forge: end a way in, or give an account back.

use super::next_attempt;
use crate::forge::{self, Forge, ForgeName, Settled, Standing, Step, Trouble};
use countersign_policy::time::Time;
use countersign_registry::{Attempt, CascadeStep, StoreError, Tables};

/// Characters of a trouble that the journal keeps.
const TROUBLE_KEPT: usize = 300;

/// A forge that can be asked, or why not.
pub type Opened = Result<Box<dyn Forge>, String>;

/// What the journal wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    Cut(CascadeStep),
    Return(CascadeStep),
}

/// What came of a task, for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub attempt: Attempt,
    /// No whole answer came: whatever else is to be done on this forge waits too.
    pub unreachable: Option<String>,
}

impl Task {
    pub fn step(&self) -> &CascadeStep {
        let (Task::Cut(step) | Task::Return(step)) = self;
        step
    }

    /// Asks the forge, tells it, and asks again.
    pub fn attempt(&self, name: &ForgeName, forge: &Opened, now: impl Fn() -> Time) -> Outcome {
        let (step, login) = (self.step(), name.login(&self.step().account));
        let done = match (forge, login, self, Step::of(&step.step)) {
            // Nothing else can be done there either.
            (Err(why), ..) => Err(Trouble::Unreachable(why.clone())),
            (Ok(forge), Some(login), Task::Cut(_), Some(way)) => forge::settle(forge.as_ref(), login, way),
            (Ok(forge), Some(login), Task::Return(_), Some(Step::Block)) => {
                forge::restore(forge.as_ref(), login).map(|standing| Settled { standing, own: false })
            }
            _ => Err(Trouble::Odd("it is no step of this forge".to_owned())),
        };
        let found = match done {
            Ok(Settled { standing: Standing::Cut, own }) => Ok(("cut", own)),
            Ok(Settled { standing: Standing::Absent, .. }) => Ok(("absent", false)),
            // Only what was given back ends open.
            Ok(Settled { standing: Standing::Open(_) | Standing::Partly(_), .. }) => Ok(("open", false)),
            Err(trouble) => Err(trouble),
        };
        match found {
            Ok((found, own)) => Outcome { attempt: Attempt::Confirmed { found, own }, unreachable: None },
            Err(trouble) => {
                let unreachable = match &trouble {
                    Trouble::Unreachable(why) => Some(why.clone()),
                    Trouble::Odd(_) => None,
                };
                Outcome { attempt: failed(step, &trouble.to_string(), now()), unreachable }
            }
        }
    }

    pub fn note(&self, tables: &Tables<'_>, attempt: &Attempt, now: Time) -> Result<(), StoreError> {
        match self {
            Task::Cut(step) => tables.note_cascade_attempt(step, attempt, now),
            Task::Return(step) => tables.note_cascade_return(step, attempt, now),
        }
    }
}

/// A failed attempt at the step, and when the next one is.
pub fn failed(step: &CascadeStep, trouble: &str, now: Time) -> Attempt {
    let trouble = trouble.chars().take(TROUBLE_KEPT).collect();
    Attempt::Failed { trouble, next_at: next_attempt(step.attempts.saturating_add(1), now) }
}
