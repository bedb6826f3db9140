//! Whether a source lives: nobody hears of a leaver from one that fell silent. Pure.

use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::SourceLife;
use std::fmt;
use std::time::Duration;

/// What is known of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Since when it is listened to: nobody is silent before that.
    pub watched: Time,
    pub heard: Option<Time>,
    /// Why it says itself that nothing more comes.
    pub stopped: Option<String>,
}

/// Why a source cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Degraded {
    Silent { since: Time, allowed: Duration },
    Stopped(String),
}

impl Life {
    pub fn begun(now: Time) -> Self {
        Life { watched: now, heard: None, stopped: None }
    }

    /// What the registry knows: signs of life, and `event`, the last time that something of it was taken.
    pub fn of(row: Option<SourceLife>, event: Option<Time>, now: Time) -> Self {
        match row {
            None => Life { heard: event, ..Life::begun(event.unwrap_or(now)) },
            Some(row) => Life { watched: row.watched_at, heard: row.heard_at.max(event), stopped: row.stopped },
        }
    }

    /// With `allowed` time between two signs of life; without it silence means nothing.
    pub fn degraded(&self, allowed: Option<Duration>, now: Time) -> Option<Degraded> {
        if let Some(why) = &self.stopped {
            return Some(Degraded::Stopped(why.clone()));
        }
        let since = self.heard.unwrap_or(self.watched);
        let allowed = allowed.filter(|allowed| now.since(since) > *allowed)?;
        Some(Degraded::Silent { since, allowed })
    }
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Degraded::Silent { since, allowed } => {
                write!(
                    f,
                    "silent since {since}, longer than {} s: whoever left since then may still be in",
                    allowed.as_secs()
                )
            }
            Degraded::Stopped(why) => f.write_str(&shown(why, 300)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(seconds)
    }

    #[test]
    fn silence_is_counted_from_the_last_sign_of_life() {
        let hour = Some(Duration::from_secs(3600));
        let life = Life { heard: Some(at(100)), ..Life::begun(at(0)) };
        assert_eq!(life.degraded(hour, at(3700)), None);
        assert!(matches!(life.degraded(hour, at(3701)), Some(Degraded::Silent { since, .. }) if since == at(100)));
        assert_eq!(life.degraded(None, at(1_000_000)), None, "nobody said how long it may be");
        assert_eq!(life.degraded(hour, at(50)), None, "nor does a clock that went back make anybody silent");
        let never = Life::begun(at(0));
        assert!(never.degraded(hour, at(3600)).is_none() && never.degraded(hour, at(3601)).is_some());
    }

    #[test]
    fn who_says_that_it_stopped_is_believed_at_once() {
        let life = Life { heard: Some(at(100)), stopped: Some("paused".to_owned()), ..Life::begun(at(0)) };
        assert_eq!(life.degraded(None, at(100)), Some(Degraded::Stopped("paused".to_owned())));
    }

    #[test]
    fn an_event_is_a_sign_of_life() {
        let row = SourceLife {
            watched_at: at(1),
            heard_at: Some(at(5)),
            asked: None,
            asked_at: None,
            verified_at: None,
            stopped: None,
        };
        assert_eq!(Life::of(Some(row.clone()), Some(at(9)), at(20)).heard, Some(at(9)));
        assert_eq!(Life::of(Some(row), None, at(20)).heard, Some(at(5)));
        assert_eq!(Life::of(None, Some(at(9)), at(20)).watched, at(9), "since long ago, if it spoke long ago");
    }
}
