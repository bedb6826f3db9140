//! Ends a hook that hangs where no deadline is asked: on a dead disk or a lock that nobody gives back.

use crate::voice::say;
use countersign_policy::config::Limits;
use countersign_policy::rule::out_of_time::RULE;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// What a hook that keeps its own deadlines still needs besides, to start and to end.
const GRACE: Duration = Duration::from_secs(10);

/// Ends the process as "could not decide" unless it is dropped in time.
#[derive(Debug)]
pub struct Watchdog {
    _calm: Sender<()>,
}

/// Whether the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    Loud,
    /// Git holds its ref locks: a client that does not read would keep the process alive.
    Silent,
}

impl Watchdog {
    /// Leaves the time to judge, and to wait for other writers to the ledger.
    pub fn start(limits: &Limits, voice: Voice) -> Self {
        let (calm, wake) = channel::<()>();
        let limit = limits.time.get() + limits.ledger_wait.get() + GRACE;
        // Without the thread a hang is ended by nobody; that is how it was before, so going on is right.
        let _ = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            if wake.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                if voice == Voice::Loud {
                    let text = format!("countersign: push could not be decided: {}   [{}]\n", RULE.summary, RULE.id);
                    // The client may be what hangs.
                    say(&text, Duration::from_secs(1));
                }
                std::process::exit(2);
            }
        });
        Watchdog { _calm: calm }
    }
}
