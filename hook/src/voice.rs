//! Words to the client, who may have stopped reading.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::{Duration, Instant};

/// How long a client may leave a verdict unread. Then it hears no more of it, and the verdict stands.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One pipe buffer: what a pipe that can be written to takes without blocking.
const AT_ONCE: usize = 4096;

/// Says it on the standard error, where everything that a hook says goes: between two streams, servers do not keep
/// the order. Waits for `patience` at most; what is not taken by then, or after the client went away, stays unsaid.
pub fn say(text: &str, patience: Duration) {
    let until = Instant::now() + patience;
    let stderr = std::io::stderr();
    let mut rest = text.as_bytes();
    while !rest.is_empty() && is_ready(&stderr, until) {
        let now = rest.get(..AT_ONCE).unwrap_or(rest);
        match rustix::io::write(&stderr, now) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

fn is_ready(stderr: &std::io::Stderr, until: Instant) -> bool {
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).unwrap_or_default();
        let mut wanted = [PollFd::new(stderr, PollFlags::OUT)];
        match poll(&mut wanted, Some(&left)) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
