//! How often somebody may ask: a bucket that fills with time.

use std::time::{Duration, Instant};

/// Full buckets hold so many seconds' worth: a synchronisation comes in bursts.
const BURST_SECONDS: u32 = 10;

#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    most: f64,
    left: f64,
    filled: Instant,
}

impl Bucket {
    pub fn new(per_second: u32, now: Instant) -> Self {
        let most = f64::from(per_second) * f64::from(BURST_SECONDS);
        Bucket { per_second: f64::from(per_second), most, left: most, filled: now }
    }

    /// Takes one, or says how long until there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.most);
        self.filled = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / self.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_waits() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, start);
        assert!((0..20).all(|_| bucket.take(start).is_ok()));
        let wait = bucket.take(start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert!(bucket.take(start + wait).is_ok() && bucket.take(start + wait).is_err());
        let later = start + Duration::from_secs(3600);
        assert!((0..20).all(|_| bucket.take(later).is_ok()) && bucket.take(later).is_err(), "it never overflows");
    }
}
