//! Days in somebody's time zone ─► instants. HR speaks of days; a day begins where the person is.

use countersign_policy::text::shown;
use countersign_policy::time::Time;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

/// The database that is linked in: what a day means must not depend on which files a server has.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Why a day is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotADay {
    #[error("`{0}` is no day such as 2026-11-27")]
    Date(String),
    #[error("`{0}` is no time zone such as Europe/Berlin")]
    Zone(String),
}

/// A time zone by its IANA name.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

impl std::str::FromStr for Zone {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        ZONES.get(text).map(Zone).map_err(|_| NotADay::Zone(shown(text, 60)))
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// One day in one time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    date: Date,
    zone: Zone,
}

impl Day {
    /// `date` is `2026-11-27` and nothing longer: what has a time of day is an instant.
    pub fn new(date: &str, zone: &Zone) -> Result<Self, NotADay> {
        let bad = || NotADay::Date(shown(date, 40));
        let parsed: Date = if date.len() == 10 { date.parse().map_err(|_| bad())? } else { return Err(bad()) };
        Ok(Day { date: parsed, zone: zone.clone() })
    }

    /// The first instant of the day there; where the clocks skip midnight, the one they skip to.
    pub fn begin(&self) -> Time {
        instant(self.date, &self.zone)
    }

    /// The first instant after the day there.
    pub fn end(&self) -> Time {
        instant(self.date.tomorrow().unwrap_or(Date::MAX), &self.zone)
    }

    pub fn date(&self) -> String {
        self.date.to_string()
    }

    pub fn zone(&self) -> &Zone {
        &self.zone
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.date, self.zone)
    }
}

/// Days beyond the calendar's ends are clamped to them.
fn instant(date: Date, zone: &Zone) -> Time {
    match date.to_zoned_datetime(zone.0.clone()) {
        Ok(zoned) => Time::from_unix_millis(zoned.timestamp().as_millisecond()),
        Err(_) if date.year() < 1970 => Time::from_unix_millis(jiff::Timestamp::MIN.as_millisecond()),
        Err(_) => Time::from_unix_millis(jiff::Timestamp::MAX.as_millisecond()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, zone: &str) -> Day {
        Day::new(date, &zone.parse().unwrap()).unwrap()
    }

    fn times(day: &Day) -> [String; 2] {
        [day.begin().to_string(), day.end().to_string()]
    }

    #[test]
    fn a_day_begins_where_the_person_is() {
        assert_eq!(times(&day("2026-11-27", "Europe/Berlin")), ["2026-11-26T23:00:00Z", "2026-11-27T23:00:00Z"]);
        assert_eq!(times(&day("2026-11-27", "America/Los_Angeles")), ["2026-11-27T08:00:00Z", "2026-11-28T08:00:00Z"]);
        assert_eq!(times(&day("2026-11-27", "Pacific/Kiritimati"))[0], "2026-11-26T10:00:00Z");
    }

    #[test]
    fn a_day_of_23_hours_and_one_without_midnight() {
        assert_eq!(times(&day("2026-03-29", "Europe/Berlin")), ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
        assert_eq!(
            day("2018-11-04", "America/Sao_Paulo").begin().to_string(),
            "2018-11-04T03:00:00Z",
            "from 00:00 to 01:00"
        );
        assert_eq!(day("2011-12-29", "Pacific/Apia").end().to_string(), "2011-12-30T10:00:00Z", "the 30th never was");
    }

    #[test]
    fn what_is_no_day_says_so() {
        let utc: Zone = "UTC".parse().unwrap();
        for bad in ["", "2026-11-27T00:00:00Z", "2026-13-01", "27.11.2026", "2026-02-29", "20261127", "+2026-11-2"] {
            assert!(Day::new(bad, &utc).is_err(), "{bad}");
        }
        for bad in ["", "Berlin", "Europe/Berlin\u{1b}", "../../etc/passwd", "+01:00"] {
            assert!(bad.parse::<Zone>().is_err(), "{bad}");
        }
        assert!(!times(&day("9999-12-31", "Pacific/Kiritimati"))[1].is_empty());
    }
}
