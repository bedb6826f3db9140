//! Our own bugs: a caught panic gets an id that finds it in the log, and never becomes an accepted push.

use crate::call::Outcome;
use countersign_policy::rule::internal_error::RULE;
use countersign_policy::verdict::Decision;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

/// What the last panic said, and where.
static LAST: Mutex<String> = Mutex::new(String::new());

#[derive(Debug)]
pub struct Incident {
    pub id: String,
}

impl Incident {
    pub fn outcome(&self) -> Outcome {
        Outcome {
            lines: vec![
                format!("countersign: push could not be decided: {}", RULE.summary),
                String::new(),
                format!("  this push  could not be judged, incident {}   [{}]", self.id, RULE.id),
                format!("           next: {} (countersign help {})", RULE.next, RULE.id),
                String::new(),
                "nothing was changed on the server".to_owned(),
            ],
            exit_code: Decision::Undecided.exit_code(),
        }
    }
}

/// Runs `work`; a panic is logged under a new incident id.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Incident> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        // The default hook would print paths and values to the pusher's terminal.
        std::panic::set_hook(Box::new(|panic| {
            *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }));
    });
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let id = ulid::Ulid::generate().to_string();
        let what = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tracing::error!(incident = %id, %what, "a bug in countersign");
        Incident { id }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::unnecessary_literal_unwrap, reason = "a panic is what is wanted")]
    fn a_panic_is_undecided_and_says_nothing_of_itself() {
        let incident = caught(|| None::<u8>.expect("secret /srv/path")).unwrap_err();
        let outcome = incident.outcome();
        assert_eq!(outcome.exit_code, 2);
        let text = outcome.lines.join("\n");
        assert!(text.contains(&incident.id) && text.contains("[internal-error]") && !text.contains("secret"));
    }
}
