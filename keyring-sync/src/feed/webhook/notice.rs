//! What a delivery says, in our words. Pure.

use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// People in one delivery. A sender gathers what happened within minutes; more than that is a list, and each of them
/// costs the one writer some reads.
pub const PEOPLE_MAX: usize = 500;

/// Bytes of an id that a sender made up: ours are made of it.
const ID_MAX: usize = 128;

/// A delivery that says nothing we understand. Nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("{0}")]
    Malformed(String),
    /// It may end somebody's access, and nobody can tell.
    #[error(
        "`{}` is no event of {sender} that is known here: leave it out of the subscription, or update keyring-sync",
        shown(name, 80)
    )]
    Unknown { name: String, sender: &'static str },
    #[error("it speaks of more than {PEOPLE_MAX} people: let the sender send them in parts")]
    TooMany,
}

/// What became of an employee, as the sender hints at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// They are out, or seem to be.
    Left,
    /// Their access ends at once, whatever date the employment ends on.
    CutOff,
    /// They are in after all: what was hinted at before is taken back.
    Stays,
    /// So too, and an end that was told is cancelled.
    Cancelled,
    /// They had left and came back: a new engagement, without the old keys.
    CameBack,
}

impl Word {
    /// Whether it may give access back. Such a delivery is remembered for good: repeated after the next end it would
    /// undo that one.
    pub fn restores(self) -> bool {
        match self {
            Word::Left | Word::CutOff => false,
            Word::Stays | Word::Cancelled | Word::CameBack => true,
        }
    }
}

/// One word about one employee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// By the sender's own id.
    pub employee: String,
    pub word: Word,
    /// In the sender's words.
    pub said: String,
    /// When it happened, where the sender says so beyond doubt.
    pub at: Option<Time>,
}

/// A delivery that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The sender's id of it, where it stands in the body.
    pub id: Option<String>,
    /// The body says when it was made: no two deliveries have the same one.
    pub dated: bool,
    /// Empty: it is of nobody's access.
    pub said: Vec<Said>,
}

impl Notice {
    pub fn new(id: Option<String>, dated: bool, said: Vec<Said>) -> Result<Self, Unreadable> {
        if said.len() > PEOPLE_MAX {
            return Err(Unreadable::TooMany);
        }
        if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > ID_MAX || id.chars().any(char::is_control)) {
            return Err(Unreadable::Malformed(format!("its id is not 1 to {ID_MAX} plain characters")));
        }
        Ok(Notice { id, dated, said })
    }
}

/// An id that some write as a number and others as a string.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Id {
    Text(String),
    Number(u64),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Text(text) => f.write_str(text),
            Id::Number(number) => write!(f, "{number}"),
        }
    }
}

/// The body as JSON of the expected shape.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body)
        .map_err(|error| Unreadable::Malformed(format!("the body is not what is sent here: {}", shown(&error.to_string(), 200))))
}

/// A time with its zone, also where the zone lacks its colon. Without a zone nobody knows which instant is meant.
pub fn instant(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let (rest, zone) = (text.get(..text.len().checked_sub(4)?)?, text.get(text.len().checked_sub(4)?..)?);
    let colonless = rest.ends_with(['+', '-']) && zone.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = (zone.get(..2)?, zone.get(2..)?);
    if colonless { format!("{rest}{hours}:{minutes}").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_a_zone() {
        let at = |text: &str| instant(text).map(|time| time.to_string());
        assert_eq!(at("2026-01-31T18:42:00+0000").as_deref(), Some("2026-01-31T18:42:00Z"));
        assert_eq!(at("2026-01-31T18:42:00-0730").as_deref(), Some("2026-02-01T02:12:00Z"));
        assert_eq!(at("2026-01-31T18:42:00.5+01:00").as_deref(), Some("2026-01-31T17:42:00.5Z"));
        for none in ["", "2025-01-08T13:06:26.915906", "2025-01-08", "+0000", "é+0000", "18:42+00:0", "2026-01-31T18:42:00+9999"] {
            assert_eq!(at(none), None, "{none}");
        }
    }

    #[test]
    fn a_delivery_has_bounds() {
        let said = |number: usize| {
            let one = Said { employee: "1".into(), word: Word::Left, said: "x".into(), at: None };
            Notice::new(None, true, vec![one; number])
        };
        assert!(said(PEOPLE_MAX).is_ok());
        assert_eq!(said(PEOPLE_MAX + 1), Err(Unreadable::TooMany));
        for bad in ["", "a\nb", &"a".repeat(129)] {
            assert!(Notice::new(Some(bad.to_owned()), true, Vec::new()).is_err());
        }
    }

    #[test]
    fn words_of_the_sender_steer_no_terminal() {
        let error = json::<Id>(b"{\"a\":\"\\u001b[2J").unwrap_err().to_string();
        assert!(error.contains("not what is sent here") && !error.contains('\u{1b}'), "{error}");
        let unknown = Unreadable::Unknown { name: "a\u{1b}[2J".into(), sender: "bob" }.to_string();
        assert!(!unknown.contains('\u{1b}'), "{unknown}");
    }
}
