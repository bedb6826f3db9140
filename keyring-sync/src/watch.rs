//! What makes a watch sound: who may set it, for how long, and who may read of it. Pure.

use countersign_policy::keyring::Person;
use countersign_policy::text::is_deceptive;
use countersign_policy::time::{Span, Time};
use countersign_registry::{Signed, WatchRow};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The longest that two people may set: a quarter. Whoever needs more asks anew, and both decide again.
pub const LONGEST: Duration = Duration::from_secs(90 * 86_400);

/// What nobody confirmed by then was not wanted.
pub const CONFIRM_WITHIN: Duration = DAY.saturating_mul(7);

/// Characters of a reason and of a legal basis: a paragraph, and no file.
const TEXT_MAX: usize = 2000;

/// Few may know.
const READERS_MAX: usize = 10;

/// Characters of a name, as of operators.
const NAME_MAX: usize = 254;

/// Why a watch cannot be asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadTerms {
    #[error("--{0}: at most {TEXT_MAX} visible characters, and at least one")]
    Text(&'static str),
    #[error("--until: it lies in the past")]
    Past,
    #[error("--until: a watch lasts {} days at most; to go on after that, two people set it anew", LONGEST.as_secs() / DAY.as_secs())]
    TooLong,
    #[error("--readers: between 1 and {READERS_MAX} names of one line each")]
    Readers,
}

/// The checked terms of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub reason: String,
    pub legal_basis: String,
    pub readers: Vec<String>,
    pub until: Time,
}

impl Terms {
    pub fn check(
        reason: &str,
        legal_basis: &str,
        readers: &[String],
        until: Time,
        now: Time,
    ) -> Result<Self, BadTerms> {
        if until <= now {
            return Err(BadTerms::Past);
        }
        if until > now.plus(LONGEST) {
            return Err(BadTerms::TooLong);
        }
        let mut names: Vec<String> = Vec::new();
        for name in readers.iter().map(|name| name.trim()) {
            if !is_fit(name, NAME_MAX) {
                return Err(BadTerms::Readers);
            }
            if !names.iter().any(|known| is_same(known, name)) {
                names.push(name.to_owned());
            }
        }
        if names.is_empty() || names.len() > READERS_MAX {
            return Err(BadTerms::Readers);
        }
        let text = |what: &'static str, text: &str| {
            let text = text.trim();
            if is_fit(text, TEXT_MAX) { Ok(text.to_owned()) } else { Err(BadTerms::Text(what)) }
        };
        let (reason, legal_basis) = (text("reason", reason)?, text("legal-basis", legal_basis)?);
        Ok(Terms { reason, legal_basis, readers: names, until })
    }
}

fn is_fit(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && !text.chars().any(|c| c.is_control() || is_deceptive(c))
}

/// Names of people are the same however they are capitalised.
pub fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for a second person.
    Asked,
    Running,
    /// It was ended, its time is over, or nobody confirmed it in time.
    Over,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Asked => "asked for",
            State::Running => "running",
            State::Over => "over",
        }
    }
}

pub fn state(row: &WatchRow, now: Time) -> State {
    let asked = &row.watch.asked;
    match (&row.confirmed, &row.ended) {
        (_, Some(_)) => State::Over,
        _ if now >= row.watch.until => State::Over,
        (Some(_), None) => State::Running,
        (None, None) if now >= asked.at.plus(CONFIRM_WITHIN) => State::Over,
        (None, None) => State::Asked,
    }
}

/// The time in which it ran, or runs.
pub fn span(row: &WatchRow) -> Option<Span> {
    let from = row.confirmed.as_ref()?.at;
    let ended = row.ended.as_ref().map_or(row.watch.until, |ended| ended.at.min(row.watch.until));
    Some(Span { from, until: Some(ended) })
}

pub fn is_reader(row: &WatchRow, name: &str) -> bool {
    row.watch.readers.iter().any(|reader| is_same(reader, name))
}

/// Whether they asked for it or agreed to it.
pub fn has_signed(row: &WatchRow, name: &str) -> bool {
    [Some(&row.watch.asked), row.confirmed.as_ref()].into_iter().flatten().any(|by| is_same(&by.operator, name))
}

/// Whoever confirms is the one who asked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SamePerson {
    #[error("you asked for it yourself: a second person confirms it")]
    Name,
    #[error("whoever asked for it was logged in as you are: a second person confirms it, with a login of their own")]
    Login,
}

/// That `by` is a second person, by name and by login.
pub fn second(row: &WatchRow, by: &Signed) -> Result<(), SamePerson> {
    if is_same(&row.watch.asked.operator, &by.operator) {
        return Err(SamePerson::Name);
    }
    if row.watch.asked.login == by.login { Err(SamePerson::Login) } else { Ok(()) }
}

/// Whether a name is one that the person goes by.
pub fn is_called(person: &Person, name: &str, now: Time) -> bool {
    let login = |account: &str| account.split_once(':').is_some_and(|(_, login)| is_same(login, name));
    is_same(person.id.as_str(), name)
        || is_same(person.name(now), name)
        || person.has_email(name, now)
        || person.accounts.iter().any(|held| held.span.contains(now) && login(held.value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_registry::NewWatch;

    fn at(days: u32) -> Time {
        Time::from_unix_seconds(0).plus(DAY.saturating_mul(days))
    }

    fn signed(operator: &str, login: &str, days: u32) -> Signed {
        Signed { operator: operator.to_owned(), login: login.to_owned(), at: at(days) }
    }

    fn asked() -> WatchRow {
        let watch = NewWatch {
            id: "W".to_owned(),
            person: "E1".parse().unwrap(),
            reason: "r".to_owned(),
            legal_basis: "l".to_owned(),
            readers: vec!["Carol".to_owned()],
            until: at(30),
            asked: signed("alice", "a", 1),
        };
        WatchRow { watch, confirmed: None, ended: None }
    }

    #[test]
    fn terms_have_an_end_and_few_readers() {
        let check = |reason: &str, readers: &[&str], until: Time| {
            let readers: Vec<String> = readers.iter().map(|name| (*name).to_owned()).collect();
            Terms::check(reason, "§ 26", &readers, until, at(1))
        };
        let terms = check(" leaks ", &["Carol", "carol", " dave "], at(91)).unwrap();
        assert_eq!((terms.reason.as_str(), terms.readers), ("leaks", vec!["Carol".to_owned(), "dave".to_owned()]));
        assert_eq!(check("r", &["a"], at(1)), Err(BadTerms::Past));
        assert_eq!(check("r", &["a"], at(92)), Err(BadTerms::TooLong));
        assert_eq!(check("r", &[], at(2)), Err(BadTerms::Readers));
        assert_eq!(check("r", &["a\u{202e}b"], at(2)), Err(BadTerms::Readers));
        assert_eq!(
            check("r", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"], at(2)),
            Err(BadTerms::Readers)
        );
        for text in ["", "  ", "a\u{1b}[2J", &"x".repeat(2001)] {
            assert_eq!(check(text, &["a"], at(2)), Err(BadTerms::Text("reason")));
        }
    }

    #[test]
    fn it_begins_with_two_and_ends_by_itself() {
        let mut row = asked();
        assert_eq!([1, 7, 8].map(|day| state(&row, at(day))), [State::Asked, State::Asked, State::Over]);
        assert_eq!(span(&row), None, "nobody agreed");
        row.confirmed = Some(signed("bob", "b", 3));
        assert_eq!([3, 29, 30].map(|day| state(&row, at(day))), [State::Running, State::Running, State::Over]);
        assert_eq!(span(&row), Some(Span { from: at(3), until: Some(at(30)) }));
        row.ended = Some(signed("bob", "b", 10));
        assert_eq!(state(&row, at(4)), State::Over);
        assert_eq!(span(&row), Some(Span { from: at(3), until: Some(at(10)) }));
    }

    #[test]
    fn one_person_is_not_two() {
        let row = asked();
        assert_eq!(second(&row, &signed("Alice", "b", 2)), Err(SamePerson::Name));
        assert_eq!(second(&row, &signed("bob", "a", 2)), Err(SamePerson::Login));
        assert_eq!(second(&row, &signed("bob", "b", 2)), Ok(()));
    }

    #[test]
    fn readers_are_named_and_signers_are_none_for_that() {
        let row = asked();
        assert!(is_reader(&row, "carol") && !is_reader(&row, "alice"));
        assert!(has_signed(&row, "ALICE") && !has_signed(&row, "carol"));
    }
}
