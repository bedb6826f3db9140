//! Fetching events (RFC 8936): what is asked, what is answered. Pure; who asks over the network stands in `tasks`.
//!
//! A token is acknowledged once it is durable and refused once that is settled. Until the transmitter has answered, it
//! is told again; what it sends again meanwhile is known.

use super::json::{self, BadJson};
use super::receive::Refusal;
use super::set::SET_MAX;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Tokens of one answer: a minute's worth of a busy stream, and a few megabytes at most.
const EVENTS: usize = 50;

/// More is asked for where some are held back, so that those behind them come too; and no more than this.
const EVENTS_MAX: usize = 1000;

/// Bytes of one answer: the tokens of an ordinary one, each as large as may be.
pub const ANSWER_MAX: usize = EVENTS * (SET_MAX + 1024);

/// Words to the transmitter in one request; the rest goes with the next.
const WORDS_MAX: usize = 1000;

/// Between an attempt that failed and the next, the first and the longest.
const RETRY_FIRST: std::time::Duration = std::time::Duration::from_secs(1);
const RETRY_MAX: std::time::Duration = std::time::Duration::from_secs(300);

/// What became of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Durable,
    Refused(Refusal),
    /// It stays with the transmitter.
    Kept,
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    #[error("it answered with {0}")]
    Json(#[from] BadJson),
    #[error("its answer has no object `sets`")]
    NoSets,
    #[error("its answer has {0} tokens, more than were asked for")]
    TooMany(usize),
}

/// Tokens by the ids that the transmitter gives them, and whether it has more.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// `None`: what stands there is no text.
    pub sets: Vec<(String, Option<String>)>,
    pub more: bool,
}

/// What has still to be said to one transmitter.
#[derive(Debug, Default)]
pub struct Conversation {
    acknowledged: Vec<String>,
    refused: BTreeMap<String, Refusal>,
    /// Of the last answer.
    kept: usize,
    /// Of what was said, how much the request that is under way says.
    saying: (usize, Vec<String>),
}

impl Conversation {
    /// The next request. It waits for events, unless there is something to be said that was not answered.
    pub fn request(&mut self, at_once: bool) -> Value {
        let acknowledged: Vec<&String> = self.acknowledged.iter().take(WORDS_MAX).collect();
        let refused: Vec<(&String, &Refusal)> = self.refused.iter().take(WORDS_MAX).collect();
        self.saying = (acknowledged.len(), refused.iter().map(|(jti, _)| (*jti).clone()).collect());
        let mut body = json!({"maxEvents": self.events(), "returnImmediately": at_once});
        if !acknowledged.is_empty() {
            crate::report::set(&mut body, "ack", json!(acknowledged));
        }
        if !refused.is_empty() {
            let errors: serde_json::Map<String, Value> = refused
                .into_iter()
                .map(|(jti, no)| (jti.clone(), json!({"err": no.code.as_str(), "description": no.description})))
                .collect();
            crate::report::set(&mut body, "setErrs", Value::Object(errors));
        }
        body
    }

    fn events(&self) -> usize {
        EVENTS.saturating_add(self.kept).min(EVENTS_MAX)
    }

    /// Reads an answer; what the request said need not be said again.
    pub fn answered(&mut self, body: &[u8]) -> Result<Answer, BadAnswer> {
        let answer = json::object(body)?;
        let (acknowledged, refused) = std::mem::take(&mut self.saying);
        self.acknowledged.drain(..acknowledged.min(self.acknowledged.len()));
        for jti in refused {
            self.refused.remove(&jti);
        }
        let sets = match answer.get("sets") {
            Some(Value::Object(sets)) => sets,
            _ => return Err(BadAnswer::NoSets),
        };
        if sets.len() > self.events() {
            return Err(BadAnswer::TooMany(sets.len()));
        }
        self.kept = 0;
        let more = answer.get("moreAvailable") == Some(&Value::Bool(true));
        let sets = sets.iter().map(|(jti, token)| (jti.clone(), token.as_str().map(str::to_owned))).collect();
        Ok(Answer { sets, more })
    }

    pub fn settled(&mut self, jti: String, outcome: Outcome) {
        match outcome {
            Outcome::Durable => self.acknowledged.push(jti),
            Outcome::Refused(refusal) => {
                self.refused.insert(jti, refusal);
            }
            Outcome::Kept => self.kept = self.kept.saturating_add(1),
        }
    }

    /// Whether something has to be said.
    pub fn has_word(&self) -> bool {
        !self.acknowledged.is_empty() || !self.refused.is_empty()
    }
}

/// How long to wait after so many attempts that failed in a row.
pub fn retry_after(failures: u32) -> std::time::Duration {
    RETRY_FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::super::receive::Code;
    use super::*;
    use std::time::Duration;

    #[test]
    fn words_are_said_until_they_are_answered() {
        let mut conversation = Conversation::default();
        assert_eq!(conversation.request(false), json!({"maxEvents": 50, "returnImmediately": false}));
        let answer = conversation.answered(br#"{"sets":{"a":"x.y.z","b":"x","c":1},"moreAvailable":true}"#).unwrap();
        let text = |text: &str| (text.to_owned(), Some("x.y.z".to_owned()));
        assert_eq!((answer.sets.len(), &answer.sets[0], answer.more), (3, &text("a"), true));
        assert_eq!(answer.sets[2].1, None);
        conversation.settled("a".to_owned(), Outcome::Durable);
        conversation.settled("b".to_owned(), Outcome::Refused(Refusal::new(Code::InvalidKey, "no")));
        conversation.settled("c".to_owned(), Outcome::Kept);
        let said = json!({"maxEvents": 51, "returnImmediately": true, "ack": ["a"],
            "setErrs": {"b": {"err": "invalid_key", "description": "no"}}});
        assert_eq!(conversation.request(true), said);
        assert!(conversation.answered(b"<html>").is_err());
        assert_eq!(conversation.request(true), said, "nobody read it");
        conversation.settled("d".to_owned(), Outcome::Durable);
        conversation.answered(br#"{"sets":{}}"#).unwrap();
        assert!(conversation.has_word(), "said since");
        assert_eq!(conversation.request(true), json!({"maxEvents": 50, "returnImmediately": true, "ack": ["d"]}));
        conversation.answered(br#"{"sets":{}}"#).unwrap();
        assert!(!conversation.has_word());
    }

    #[test]
    fn an_answer_that_is_none_is_told() {
        let mut conversation = Conversation::default();
        for bad in ["", "[]", "{}", r#"{"sets":[]}"#, r#"{"sets":{"a":"b","a":"c"}}"#] {
            conversation.request(false);
            assert!(conversation.answered(bad.as_bytes()).is_err(), "{bad}");
        }
        let flood: Vec<String> = (0..51).map(|number| format!("\"{number}\":\"x\"")).collect();
        let flood = format!("{{\"sets\":{{{}}}}}", flood.join(","));
        assert_eq!(conversation.answered(flood.as_bytes()), Err(BadAnswer::TooMany(51)));
    }

    #[test]
    fn whoever_does_not_answer_is_asked_less_and_less_often() {
        assert_eq!([1, 2, 3, 60].map(retry_after), [1, 2, 4, 300].map(Duration::from_secs));
    }
}
