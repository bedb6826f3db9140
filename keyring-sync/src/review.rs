//! Ends that were heard of after they had come: what was pushed in between was accepted, and somebody should look.
//!
//! Nothing of it is undone by itself: the person may have worked to the last hour, and it is the company's code.

use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_policy::time::Time;
use countersign_registry::EventRow;
use std::time::Duration;

/// What is told this soon was told in time: IPSIE's draft grants a provider five minutes.
const IN_TIME: Duration = Duration::from_secs(5 * 60);

/// What says that somebody is out.
const ENDS: [&str; 3] = ["terminated", "suspended", "contract_end"];

/// Somebody was out from then on, and could push until the registry said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    pub from: Time,
    pub said: Time,
}

impl Late {
    /// Of an end that takes effect at one instant and is taken at another.
    pub fn of(from: Time, said: Time) -> Option<Self> {
        (said > from.plus(IN_TIME)).then_some(Late { from, said })
    }

    /// For somebody who is out at `now`; `events` are theirs, received when they were taken.
    pub fn of_person(person: &Person, events: &[EventRow], now: Time) -> Option<Self> {
        let is_out = |state| matches!(state, Lifecycle::Suspended | Lifecycle::Terminated);
        let known = person.lifecycle.iter().rev().skip_while(|change| change.from > now);
        let from = known.take_while(|change| is_out(change.state)).last()?.from;
        let ends = events.iter().filter(|event| ENDS.contains(&event.kind.as_str()) && event.effective_at >= from);
        Late::of(from, ends.map(|event| event.received_at).min()?)
    }

    /// What to do about it.
    pub fn words(&self, person: &PersonId) -> String {
        let Late { from, said } = self;
        format!(
            "{person} was out from {from} on, and the registry says so since {said} only: what they pushed in between was accepted. Review it: countersign audit person {person}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::fold::fold;
    use std::collections::BTreeMap;

    const DAY: i64 = 86_400;

    fn at(day: i64) -> Time {
        Time::from_unix_seconds(day * DAY)
    }

    /// `(type, effective, received)` in days.
    fn late(told: &[(&str, i64, i64)], now: i64) -> Option<Late> {
        let events: Vec<Event> = told
            .iter()
            .enumerate()
            .map(|(number, (kind, effective, received))| {
                let line = format!(
                    r#"{{"id":"{number}","source":"hr","person":"E1","type":"{kind}","effective_at":"{}"}}"#,
                    at(*effective)
                );
                Event::parse(&line, at(*received)).unwrap()
            })
            .collect();
        let person = fold(&"E1".parse().unwrap(), &events, &BTreeMap::new());
        let rows: Vec<EventRow> = events.iter().map(Event::to_row).collect();
        Late::of_person(&person, &rows, at(now))
    }

    #[test]
    fn an_end_that_was_told_in_time_leaves_nothing_to_review() {
        assert_eq!(late(&[("activated", 0, 0), ("terminated", 5, 3)], 10), None);
        assert_eq!(late(&[("activated", 0, 0), ("terminated", 5, 5)], 10), None);
        assert_eq!(late(&[("activated", 0, 0), ("terminated", 20, 30)], 10), None, "not out yet");
        assert_eq!(Late::of(at(5), at(5).plus(IN_TIME)), None);
    }

    #[test]
    fn what_was_pushed_between_the_end_and_its_news_is_to_be_reviewed() {
        let between = |from, said| Some(Late { from: at(from), said: at(said) });
        assert_eq!(late(&[("activated", 0, 0), ("terminated", 5, 8)], 10), between(5, 8));
        let twice = [("activated", 0, 0), ("suspended", 7, 7), ("terminated", 5, 9)];
        assert_eq!(late(&twice, 10), between(5, 7), "after the suspension nothing was accepted");
        assert_eq!(late(&[("activated", 0, 0), ("contract_end", 5, 8)], 10), between(5, 8));
    }

    #[test]
    fn the_words_name_the_command() {
        let words = Late { from: at(5), said: at(8) }.words(&"E1".parse().unwrap());
        assert!(words.contains("1970-01-06T00:00:00Z") && words.ends_with("countersign audit person E1"), "{words}");
    }
}
