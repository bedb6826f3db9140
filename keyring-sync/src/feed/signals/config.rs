//! What is settled for one source of security events: raw ─► checked.

use super::jwks::Algorithm;
use super::set::Expected;
use crate::feed::scim::config::OnDelete;
use crate::http::Url;
use countersign_policy::duration::Period;
use countersign_policy::id::Source;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After an answer without events; transmitters that hold the request open until there is one are asked at once.
const PAUSE: Period = Period::seconds(5);

/// How often the transmitter is asked to show that the stream works.
const VERIFY_EVERY: Period = Period::seconds(20 * 60);
/// More often would be a burden; Shared Signals lets the transmitter refuse it.
const VERIFY_EVERY_MIN: Duration = Duration::from_secs(1);

/// How a name in a token leads to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// It is the person's id.
    PersonId,
    /// It is an address that the person has now.
    Email,
    /// It is what this server calls the user that `scim_source` put.
    ScimId,
    /// It is the `externalId` of the user that `scim_source` put.
    ScimExternalId,
}

/// How each format of subjects leads to a person; what is not listed leads to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subjects {
    /// Of the token's own issuer only.
    pub iss_sub: Option<By>,
    #[serde(default = "by_email")]
    pub email: Option<By>,
    pub account: Option<By>,
    pub opaque: Option<By>,
    pub scim: Option<By>,
    pub scim_source: Option<Source>,
}

fn by_email() -> Option<By> {
    Some(By::Email)
}

impl Default for Subjects {
    fn default() -> Self {
        Subjects { iss_sub: None, email: by_email(), account: None, opaque: None, scim: None, scim_source: None }
    }
}

/// Where the keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    File(PathBuf),
    Url(Url),
}

/// Where events are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    pub url: Url,
    pub token_file: PathBuf,
    pub pause: Period,
}

/// Where the transmitter is asked to verify the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    pub url: Url,
    pub stream_id: String,
    pub token_file: PathBuf,
    pub every: Period,
}

/// One source of security events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signals {
    pub expected: Expected,
    pub keys: KeySource,
    /// PEM of the authorities that vouch for the transmitter; the system's without it.
    pub ca_file: Option<PathBuf>,
    pub subjects: Subjects,
    /// Whether a subject may stand within the event, as Google's RISC has it.
    pub subject_in_event: bool,
    /// Event types that are of no consequence.
    pub ignore: Vec<String>,
    /// What a purge or a deletion says of the person.
    pub on_delete: OnDelete,
    pub poll: Option<Poll>,
    pub verification: Option<Verification>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSignals {
    issuer: String,
    audience: OneOrMore,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<Url>,
    ca_file: Option<PathBuf>,
    algorithms: Option<Vec<Algorithm>>,
    #[serde(default)]
    subjects: Subjects,
    #[serde(default)]
    subject_in_event: bool,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    on_delete: OnDelete,
    poll: Option<RawPoll>,
    verification: Option<RawVerification>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoll {
    url: Url,
    token_file: PathBuf,
    pause: Option<Period>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVerification {
    url: Url,
    stream_id: String,
    token_file: PathBuf,
    every: Option<Period>,
}

/// Why a `signals:` section makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignals {
    #[error("signals.issuer is empty")]
    Issuer,
    #[error("signals.audience is empty: it is what the transmitter calls this server")]
    Audience,
    #[error(
        "signals: give jwks_file, the transmitter's pinned keys, or jwks_url, where they are fetched: one of the two"
    )]
    Keys,
    #[error("signals.algorithms is empty")]
    Algorithms,
    #[error("signals.subjects: scim_id and scim_external_id need scim_source, the source that puts users over SCIM")]
    ScimSource,
    #[error("signals.subjects: nothing leads from a token to a person")]
    Nobody,
    #[error("signals.poll.pause must be between 1s and 1h")]
    Pause,
    #[error("signals.verification.every must be between 1s and 31d")]
    Every,
}

/// Longer, and a leaver works on meanwhile.
const PAUSE_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

impl Signals {
    /// Relative paths count from `folder`.
    pub fn check(raw: RawSignals, folder: &Path) -> Result<Self, BadSignals> {
        let audience = match raw.audience {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        };
        if raw.issuer.is_empty() {
            return Err(BadSignals::Issuer);
        }
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err(BadSignals::Audience);
        }
        let keys = match (raw.jwks_file, raw.jwks_url) {
            (Some(file), None) => KeySource::File(folder.join(file)),
            (None, Some(url)) => KeySource::Url(url),
            _ => return Err(BadSignals::Keys),
        };
        let algorithms = raw.algorithms.unwrap_or_else(|| Algorithm::ALL.to_vec());
        if algorithms.is_empty() {
            return Err(BadSignals::Algorithms);
        }
        let Subjects { iss_sub, email, account, opaque, scim, scim_source } = &raw.subjects;
        let ways: Vec<By> = [iss_sub, email, account, opaque, scim].into_iter().copied().flatten().collect();
        if ways.is_empty() {
            return Err(BadSignals::Nobody);
        }
        if scim_source.is_none() && ways.iter().any(|way| matches!(way, By::ScimId | By::ScimExternalId)) {
            return Err(BadSignals::ScimSource);
        }
        let poll = raw.poll.map(|raw| {
            let pause = raw.pause.unwrap_or(PAUSE);
            let sound = PAUSE_RANGE.contains(&pause.get());
            let token_file = folder.join(raw.token_file);
            if sound { Ok(Poll { url: raw.url, token_file, pause }) } else { Err(BadSignals::Pause) }
        });
        let verification = raw.verification.map(|raw| {
            let every = raw.every.unwrap_or(VERIFY_EVERY);
            if !(VERIFY_EVERY_MIN..=Duration::from_secs(31 * 86_400)).contains(&every.get()) {
                return Err(BadSignals::Every);
            }
            let token_file = folder.join(raw.token_file);
            Ok(Verification { url: raw.url, stream_id: raw.stream_id, token_file, every })
        });
        Ok(Signals {
            expected: Expected { issuer: raw.issuer, audience, algorithms },
            keys,
            ca_file: raw.ca_file.map(|file| folder.join(file)),
            subjects: raw.subjects,
            subject_in_event: raw.subject_in_event,
            ignore: raw.ignore,
            on_delete: raw.on_delete,
            poll: poll.transpose()?,
            verification: verification.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(more: &str) -> Result<Signals, BadSignals> {
        let text = format!("{{issuer: 'https://idp.example/', audience: 'https://hr.example/ssf', {more}}}");
        Signals::check(serde_yaml::from_str(&text).unwrap(), Path::new("/etc/countersign"))
    }

    #[test]
    fn keys_are_pinned_in_one_way() {
        let file = check("jwks_file: idp.json").unwrap();
        assert_eq!(file.keys, KeySource::File(PathBuf::from("/etc/countersign/idp.json")));
        assert_eq!(file.expected.algorithms, Algorithm::ALL);
        assert!(matches!(check("jwks_url: 'https://idp.example/keys'").unwrap().keys, KeySource::Url(_)));
        assert_eq!(check(""), Err(BadSignals::Keys));
        assert_eq!(check("jwks_file: a, jwks_url: 'https://idp.example/'"), Err(BadSignals::Keys));
        assert!(serde_yaml::from_str::<RawSignals>("{issuer: a, audience: b, algorithms: [HS256]}").is_err());
        assert!(serde_yaml::from_str::<RawSignals>("{issuer: a, audience: b, algorithms: [none]}").is_err());
    }

    #[test]
    fn a_name_leads_to_a_person_or_nobody() {
        let subjects = |text: &str| check(&format!("jwks_file: a, subjects: {text}")).map(|signals| signals.subjects);
        assert_eq!(check("jwks_file: a").unwrap().subjects.email, Some(By::Email));
        assert_eq!(subjects("{iss_sub: person_id}").unwrap().iss_sub, Some(By::PersonId));
        assert_eq!(subjects("{email: null}"), Err(BadSignals::Nobody));
        assert_eq!(subjects("{opaque: scim_external_id}"), Err(BadSignals::ScimSource));
        assert!(subjects("{opaque: scim_external_id, scim_source: okta}").is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let poll =
            |more: &str| check(&format!("jwks_file: a, poll: {{url: 'https://idp.example/p', token_file: t{more}}}"));
        assert_eq!(poll("").unwrap().poll.unwrap().pause, PAUSE);
        assert_eq!(poll(", pause: 0s").unwrap_err(), BadSignals::Pause);
        let ask = |every: &str| {
            check(&format!(
                "jwks_file: a, verification: {{url: 'https://idp.example/v', stream_id: s, token_file: t, every: {every}}}"
            ))
        };
        assert!(ask("20m").is_ok());
        assert_eq!(ask("10ms").unwrap_err(), BadSignals::Every);
        assert_eq!(check("jwks_file: a, algorithms: []"), Err(BadSignals::Algorithms));
    }
}
