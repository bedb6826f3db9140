//! Ends a hook that hangs where no deadline is asked: on a dead disk or a lock that nobody gives back.

use countersign_policy::rule::out_of_time::RULE;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// What a hook that keeps its own deadline still needs to write its verdict down.
const GRACE: Duration = Duration::from_secs(10);

/// Ends the process as "could not decide" unless it is dropped in time.
#[derive(Debug)]
pub struct Watchdog {
    _calm: Sender<()>,
}

impl Watchdog {
    pub fn start(limit: Duration) -> Self {
        let (calm, wake) = channel::<()>();
        // Without the thread a hang is ended by nobody; that is how it was before, so going on is right.
        let _ = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            if wake.recv_timeout(limit + GRACE) == Err(RecvTimeoutError::Timeout) {
                use std::io::Write;
                let _ = writeln!(
                    std::io::stderr(),
                    "countersign: push could not be decided: {}   [{}]",
                    RULE.summary,
                    RULE.id
                );
                std::process::exit(2);
            }
        });
        Watchdog { _calm: calm }
    }
}
