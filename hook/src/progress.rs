//! How far a long push is, on one line that is written over.

use crate::voice;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Who waits less than this does not ask how far it is.
const FIRST: Duration = Duration::from_secs(1);

/// A number that changes more often cannot be read.
const EVERY: Duration = Duration::from_millis(500);

/// Counts what is done, and says so from time to time. Shared by all threads of one push.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Nobody listens otherwise.
    heard: bool,
    commits: AtomicUsize,
    /// When it is said next, in milliseconds after the start.
    next: AtomicU64,
}

impl Progress {
    pub fn new(started: Instant, heard: bool) -> Self {
        Progress { started, heard, commits: AtomicUsize::new(0), next: AtomicU64::new(millis(FIRST)) }
    }

    /// So many more commits are checked.
    pub fn add(&self, commits: usize) {
        let all = self.commits.fetch_add(commits, Ordering::Relaxed) + commits;
        if let Some(line) = self.line(all, self.started.elapsed()) {
            // Whoever does not read is not waited for.
            voice::say(&line, Duration::ZERO);
        }
    }

    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::Relaxed)
    }

    /// All since then is done once more.
    pub fn back_to(&self, commits: usize) {
        self.commits.store(commits, Ordering::Relaxed);
    }

    /// What to say now, if anything: of several threads one says it.
    fn line(&self, commits: usize, elapsed: Duration) -> Option<String> {
        let (now, next) = (millis(elapsed), self.next.load(Ordering::Relaxed));
        if !self.heard || now < next {
            return None;
        }
        let after = now + millis(EVERY);
        self.next.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(format!("countersign: {} commits checked\r", grouped(commits)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `12,345`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_after_a_second_and_then_twice_a_second() {
        let progress = Progress::new(Instant::now(), true);
        let at = |millis| progress.line(1234, Duration::from_millis(millis));
        assert_eq!(at(999), None);
        assert_eq!(at(1000).as_deref(), Some("countersign: 1,234 commits checked\r"));
        assert_eq!((at(1001), at(1499)), (None, None));
        assert!(at(1500).is_some() && at(1600).is_none() && at(2200).is_some());
        assert_eq!(Progress::new(Instant::now(), false).line(1, Duration::from_secs(60)), None, "nobody listens");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([1, 999, 1000, 1_234_567].map(grouped), ["1", "999", "1,000", "1,234,567"]);
    }
}
