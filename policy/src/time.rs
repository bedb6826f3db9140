//! Instants. The core never asks a clock: every instant it compares was handed in by the server.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// Written and read as RFC 3339 in UTC. Milliseconds, because an offboarding
/// and a push in the same second still have an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// A text that is no RFC 3339 instant with an offset.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no RFC 3339 instant such as 2026-11-23T17:00:00Z")]
pub struct NotATime(String);

impl Time {
    /// The earliest instant that can be told; stands for "always".
    pub const MIN: Time = Time(i64::MIN);

    pub fn from_unix_millis(millis: i64) -> Self {
        Time(millis)
    }

    /// Seconds beyond the range of milliseconds are clamped to its ends.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Time(seconds.saturating_mul(1000))
    }

    /// The server's clock reading, taken by the caller.
    pub fn from_system(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Time(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
            Err(before) => Time(i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)),
        }
    }

    pub fn unix_millis(self) -> i64 {
        self.0
    }

    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub fn plus(self, duration: Duration) -> Self {
        Time(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, duration: Duration) -> Self {
        Time(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The UTC day, `2026-11-20`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) if self.0 < 0 => f.write_str("-009999-01-02T01:59:59Z"),
            Err(_) => f.write_str("9999-12-30T22:00:00Z"),
        }
    }
}

impl std::str::FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Time(instant.as_millisecond()))
            .map_err(|_| NotATime(crate::text::shown(text, 64)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The half-open span `from <= t < until`; without `until` it has no end yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    pub from: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl Span {
    pub fn since(from: Time) -> Self {
        Span { from, until: None }
    }

    pub fn contains(&self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_its_text() {
        for text in ["2026-11-23T17:00:00Z", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        assert_eq!("2026-11-23T18:00:00+01:00".parse::<Time>().unwrap().to_string(), "2026-11-23T17:00:00Z");
        assert!("2026-11-23".parse::<Time>().is_err());
        assert!("2026-11-23T17:00:00".parse::<Time>().is_err(), "without an offset it is nobody's instant");
    }

    #[test]
    fn a_span_holds_its_start_and_not_its_end() {
        let span = Span { from: Time(10), until: Some(Time(20)) };
        assert!(span.contains(Time(10)) && span.contains(Time(19)));
        assert!(!span.contains(Time(9)) && !span.contains(Time(20)));
        assert!(Span::since(Time(10)).contains(Time(i64::MAX)));
    }

    #[test]
    fn an_instant_of_a_clock_is_the_same_instant() {
        use std::time::UNIX_EPOCH;
        let moment = Duration::from_millis(1500);
        assert_eq!(Time::from_system(UNIX_EPOCH + moment), Time(1500));
        assert_eq!(Time::from_system(UNIX_EPOCH - moment), Time(-1500));
        assert_eq!(Time::from_unix_millis(1500).unix_millis(), 1500);
        assert_eq!((Time(1999).unix_seconds(), Time(-1).unix_seconds()), (1, -1));
        assert_eq!((Time(10).plus(moment), Time(10).minus(moment)), (Time(1510), Time(-1490)));
        assert_eq!((Time(1510).since(Time(10)), Time(10).since(Time(1510))), (moment, Duration::ZERO));
        let text = serde_json::to_string(&Time(0)).unwrap();
        assert_eq!(
            (text.as_str(), serde_json::from_str::<Time>(&text).unwrap()),
            ("\"1970-01-01T00:00:00Z\"", Time(0))
        );
    }

    #[test]
    fn what_no_calendar_holds_is_shown_as_its_nearest_end() {
        assert!(Time::MIN.to_string().starts_with("-009999-") && Time(i64::MAX).to_string().starts_with("9999-"));
    }

    #[test]
    fn times_at_the_edge_of_the_range_do_not_overflow() {
        let max = Time::from_unix_seconds(i64::MAX);
        assert_eq!(max.plus(Duration::from_secs(1)), max);
        assert_eq!(Time::MIN.minus(Duration::MAX), Time::MIN);
        assert_eq!(Time::MIN.since(max), Duration::ZERO);
        assert!(!max.to_string().is_empty() && !Time::MIN.to_string().is_empty());
    }
}
