//! Ends a hook that hangs where no deadline is asked: on a dead disk or a lock that nobody gives back.

use crate::voice::say;
use countersign_policy::config::Limits;
use countersign_policy::rule::out_of_time::RULE;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread::Builder;
use std::time::Duration;

/// What a hook that keeps its own deadlines still needs besides, to start and to end.
const GRACE: Duration = Duration::from_secs(10);

/// Once started, ends the process as "could not decide" unless it is dropped in time.
#[derive(Debug)]
pub struct Watchdog {
    limit: Duration,
    voice: Voice,
    started: Once,
    /// The thread is not woken to hear that all is well: the process ends before it would.
    calm: Arc<AtomicBool>,
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.calm.store(true, Ordering::Relaxed);
    }
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
    pub fn new(limits: &Limits, voice: Voice) -> Self {
        let limit = limits.time.get() + limits.ledger_wait.get() + GRACE;
        Watchdog { limit, voice, started: Once::new(), calm: Arc::default() }
    }

    /// Starts once.
    pub fn start(&self) {
        self.started.call_once(|| {
            let (limit, voice, calm) = (self.limit, self.voice, self.calm.clone());
            // Without the thread a hang is ended by nobody; that is how it was before, so going on is right.
            let _ = Builder::new().name("watchdog".to_owned()).spawn(move || watch(limit, voice, &calm));
        });
    }
}

fn watch(limit: Duration, voice: Voice, calm: &AtomicBool) {
    std::thread::sleep(limit);
    if !calm.load(Ordering::Relaxed) {
        if voice == Voice::Loud {
            let text = format!("countersign: push could not be decided: {}   [{}]\n", RULE.summary, RULE.id);
            // The client may be what hangs.
            say(&text, Duration::from_secs(1));
        }
        std::process::exit(2);
    }
}
