//! Durations as people write them in the policy: `30s`, `5m`, `12h`, `7d`, `250ms`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no duration such as 30s, 5m, 12h or 7d")]
pub struct NotAPeriod(String);

impl Period {
    pub const fn seconds(seconds: u64) -> Self {
        Period(Duration::from_secs(seconds))
    }

    pub fn get(self) -> Duration {
        self.0
    }
}

impl std::str::FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let bad = || NotAPeriod(crate::text::shown(text, 40));
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().map_err(|_| bad())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        number.checked_mul(millis).map(|millis| Period(Duration::from_millis(millis))).ok_or_else(bad)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
            .into_iter()
            .find(|(_, size)| millis.is_multiple_of(*size))
        {
            Some((unit, size)) if millis > 0 => write!(f, "{}{unit}", millis / size),
            Some(_) => f.write_str("0s"),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_survives_its_text() {
        for text in ["250ms", "30s", "5m", "12h", "7d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("60s".parse::<Period>().unwrap().to_string(), "1m");
        assert_eq!("1500ms".parse::<Period>().unwrap().get(), Duration::from_millis(1500));
        assert_eq!(["0s", "0ms", "0d"].map(|zero| zero.parse::<Period>().unwrap().to_string()), ["0s"; 3]);
        let text = serde_json::to_string(&Period::seconds(90)).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str::<Period>(&text).unwrap()), ("\"90s\"", Period::seconds(90)));
        for bad in ["", "5", "s", "-5s", "5 s", "1y", "99999999999999999999d", "18446744073709551615d"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }
}
