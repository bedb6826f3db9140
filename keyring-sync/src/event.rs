//! One line of JSON ─► one checked [`Event`].

use crate::local::{Day, NotADay, Zone};
use countersign_policy::id::{Account, Email, EngagementId, EventId, Fingerprint, PersonId, Role, Source};
use countersign_policy::keyring::{PersonKind, RetireReason, Scope};
use countersign_policy::time::Time;
use countersign_registry::{EventRow, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest accepted line in bytes: an OpenPGP certificate with many signatures fits several times.
pub const LINE_MAX: usize = 1 << 20;

/// The source of everything an operator does by hand.
pub const OPERATOR: &str = "operator";

/// A line that is no event.
#[derive(Debug, thiserror::Error)]
pub enum BadEvent {
    #[error("it is longer than {LINE_MAX} bytes")]
    TooLong,
    #[error("it is no JSON event: {}", shown_error(.0))]
    Json(serde_json::Error),
    #[error("it is no JSON object")]
    NoObject,
    #[error(transparent)]
    Day(#[from] NotADay),
    #[error("`effective_on` needs `zone`, the time zone of that day, and stands instead of `effective_at`")]
    DayAlone,
    #[error("unknown type `{}`", countersign_policy::text::shown(.0, 80))]
    UnknownType(String),
    #[error("data of `{kind}`: {}", shown_error(error))]
    Data { kind: String, error: serde_json::Error },
    #[error("data of `{0}`: {1}")]
    Missing(&'static str, &'static str),
}

/// The JSON reader quotes what it read.
fn shown_error(error: &serde_json::Error) -> String {
    countersign_policy::text::shown(&error.to_string(), 300)
}

/// An immutable assertion of a source about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub source: Source,
    pub person: PersonId,
    pub effective_at: Time,
    /// INVARIANT: not after `received_at`; a source cannot outdo others by claiming to speak later.
    pub asserted_at: Time,
    pub received_at: Time,
    /// The rank that the source had when it was heard ([`crate::sources::Ranks`]).
    pub rank: Option<u8>,
    /// Which of the person's engagements is meant; without it, whichever there are.
    pub engagement: Option<EngagementId>,
    /// Of a `reinstated`: it lifts what its own source said and nothing else, whatever the source's rank.
    pub own: bool,
    pub claim: Claim,
    /// The line as it came.
    pub line: String,
}

/// What an event says of its person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    Hired(Profile),
    Rehired(Profile),
    Renamed(Profile),
    /// Another place in the company: what it names replaces what the source gave for the former one.
    Transferred(Profile),
    Activated,
    Terminated,
    TerminationCancelled,
    /// The engagement's contract ends then, whether or not anybody says so again.
    ContractEnd,
    /// It has no end any more.
    ContractOpen,
    LeaveStarted,
    LeaveEnded,
    Suspended,
    Reinstated,
    ProbationStarted,
    ProbationEnded,
    WatchStarted,
    WatchEnded,
    LegalHoldStarted,
    LegalHoldEnded,
    RoleGranted(Role),
    RoleRemoved(Role),
    KeyAdded(KeyAdded),
    KeyRetired(KeyRetired),
    KeyCompromised(KeyCompromised),
    Retracted(Retracted),
}

/// What `hired`, `rehired` and `renamed` tell. What is absent stays as it was; an empty list ends what was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emails: Option<Vec<Email>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<Account>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PersonKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deputy: Option<PersonId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<Scope>>,
}

/// A key as text, in one of three formats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyText {
    /// One `.pub` line.
    Ssh(String),
    /// Armour, or base64 of the binary certificate.
    OpenPgp(String),
    /// PEM.
    X509(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAdded {
    pub key: KeyText,
    pub scope: Option<Vec<Scope>>,
    pub enrolled_by: Option<KeyName>,
    /// What the key was found to be when it was registered; until then unknown.
    pub fingerprint: Option<Fingerprint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeyRetired {
    pub fingerprint: KeyName,
    #[serde(default)]
    pub since: Option<Time>,
    #[serde(default, deserialize_with = "superseded_or_retired")]
    pub reason: Option<RetireReason>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeyCompromised {
    pub fingerprint: KeyName,
    #[serde(default)]
    pub since: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Retracted {
    pub event: EventId,
    /// Whose event; by default the retracting source's own, and for an operator anybody's.
    #[serde(default)]
    pub source: Option<Source>,
}

/// How somebody called a key: `SHA256:…`, the same without its prefix, or hex in any grouping.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct KeyName(String);

impl From<String> for KeyName {
    fn from(text: String) -> Self {
        KeyName(text)
    }
}

impl KeyName {
    /// The fingerprints that may be meant.
    pub fn candidates(&self) -> Vec<String> {
        let text = self.0.trim();
        let (prefix, rest) = match text.split_once(':') {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("x509") => ("X509", rest),
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("sha256") => ("SHA256", rest),
            _ => ("", text),
        };
        let hex: String = rest.chars().filter(|c| !matches!(c, ' ' | ':')).collect();
        let hex = hex.strip_prefix("0x").map_or(hex.as_str(), |hex| hex);
        let is_hex = !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit());
        match prefix {
            "SHA256" => vec![format!("SHA256:{}", rest.trim_end_matches('='))],
            "X509" => vec![format!("X509:{}", hex.to_ascii_lowercase())],
            _ if is_hex => {
                vec![hex.to_ascii_uppercase(), format!("X509:{}", hex.to_ascii_lowercase()), format!("SHA256:{text}")]
            }
            _ => vec![format!("SHA256:{}", text.trim_end_matches('='))],
        }
    }

    /// The name as the 64-bit id of an OpenPGP key, if it is of that length.
    pub fn key_id(&self) -> Option<String> {
        let text = self.0.trim();
        let hex: String = text.strip_prefix("0x").unwrap_or(text).chars().filter(|c| *c != ' ').collect();
        (hex.len() == 16 && hex.chars().all(|c| c.is_ascii_hexdigit())).then(|| hex.to_ascii_uppercase())
    }

    pub fn names(&self, fingerprint: &str) -> bool {
        self.candidates().iter().any(|candidate| candidate == fingerprint)
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&countersign_policy::text::shown(&self.0, 120))
    }
}

#[derive(Deserialize)]
struct RawEvent {
    id: EventId,
    source: Source,
    person: PersonId,
    r#type: String,
    #[serde(default)]
    effective_at: Option<Time>,
    /// A day instead of an instant, in `zone`.
    #[serde(default)]
    effective_on: Option<String>,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    asserted_at: Option<Time>,
    #[serde(default)]
    data: Option<Value>,
}

impl RawEvent {
    fn effective(&self, claim: &Claim) -> Result<Option<Time>, BadEvent> {
        match (&self.effective_on, &self.zone, self.effective_at) {
            (None, _, effective_at) => Ok(effective_at),
            (Some(date), Some(zone), None) => {
                let day = Day::new(date, &zone.parse::<Zone>()?)?;
                Ok(Some(if claim.ends_with_the_day() { day.end() } else { day.begin() }))
            }
            _ => Err(BadEvent::DayAlone),
        }
    }
}

impl Event {
    /// Checks one line received at `received_at`. Without `asserted_at` it was asserted when it was
    /// received, without `effective_at` it takes effect when it was asserted. `effective_on` with `zone`
    /// is a day where the person is: an end counts from the end of that last day, all else from its
    /// begin; the line keeps day and zone. Unknown fields stay in the line and mean nothing.
    pub fn parse(line: &str, received_at: Time) -> Result<Self, BadEvent> {
        if line.len() > LINE_MAX {
            return Err(BadEvent::TooLong);
        }
        if !line.trim_start().starts_with('{') {
            return Err(BadEvent::NoObject);
        }
        let raw: RawEvent = serde_json::from_str(line).map_err(BadEvent::Json)?;
        let asserted_at = raw.asserted_at.unwrap_or(received_at).min(received_at);
        let data = raw.data.clone().filter(|data| !data.is_null()).unwrap_or_else(|| Value::Object(Default::default()));
        let engagement = engagement(&raw.r#type, &data)?;
        let own = lifts_its_own(&raw.r#type, &data)?;
        let claim = claim(&raw.r#type, data)?;
        let mut effective_at = raw.effective(&claim)?.unwrap_or(asserted_at);
        if matches!(claim, Claim::Retracted(_)) {
            // What is taken back is taken back now: a date to come would restore it before its time.
            effective_at = effective_at.min(received_at);
        }
        Ok(Event {
            id: raw.id,
            source: raw.source,
            person: raw.person,
            effective_at,
            asserted_at,
            received_at,
            rank: None,
            engagement,
            own,
            claim,
            line: line.to_owned(),
        })
    }

    /// An event that was stored.
    pub fn from_row(row: &EventRow) -> Result<Self, StoreError> {
        let mut event = Event::parse(&row.line, row.received_at)
            .map_err(|error| StoreError::Damaged(format!("event {} of {}: {error}", row.id, row.source)))?;
        event.rank = row.rank;
        if let Claim::KeyAdded(added) = &mut event.claim {
            added.fingerprint.clone_from(&row.key);
        }
        Ok(event)
    }

    pub fn to_row(&self) -> EventRow {
        let key = match &self.claim {
            Claim::KeyAdded(added) => added.fingerprint.clone(),
            _ => None,
        };
        EventRow {
            id: self.id.clone(),
            source: self.source.clone(),
            person: self.person.clone(),
            kind: self.claim.kind().to_owned(),
            effective_at: self.effective_at,
            asserted_at: self.asserted_at,
            received_at: self.received_at,
            key,
            rank: self.rank,
            line: self.line.clone(),
        }
    }

    /// Takes secret key material out of a `key_added`, also out of its line: what is stored stays. Says whether
    /// there was any.
    pub fn drop_secrets(&mut self) -> bool {
        let Claim::KeyAdded(added) = &mut self.claim else { return false };
        let Some(public) = crate::keys::without_secrets(&added.key) else { return false };
        let mut line: Value = serde_json::from_str(&self.line).unwrap_or_default();
        if let (KeyText::OpenPgp(text), Some(place)) = (&public, line.pointer_mut("/data/openpgp")) {
            *place = Value::from(text.as_str());
        }
        self.line = line.to_string();
        added.key = public;
        true
    }

    pub fn is_operators(&self) -> bool {
        self.source.as_str() == OPERATOR
    }
}

/// Only a string is an engagement's id. One that is of no use must not end up as "all of them", or as none.
fn engagement(kind: &str, data: &Value) -> Result<Option<EngagementId>, BadEvent> {
    let speaks_of_one = matches!(
        kind,
        "hired" | "rehired" | "activated" | "terminated" | "termination_cancelled" | "contract_end" | "contract_open"
    );
    match data.get("engagement").filter(|value| speaks_of_one && !value.is_null()) {
        None => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|error| BadEvent::Data { kind: kind.to_owned(), error }),
    }
}

/// What is neither true nor false must not end up as the wider of the two.
fn lifts_its_own(kind: &str, data: &Value) -> Result<bool, BadEvent> {
    match data.get("own").filter(|value| kind == "reinstated" && !value.is_null()) {
        None => Ok(false),
        Some(value) => {
            serde_json::from_value(value.clone()).map_err(|error| BadEvent::Data { kind: kind.to_owned(), error })
        }
    }
}

fn claim(kind: &str, data: Value) -> Result<Claim, BadEvent> {
    #[derive(Deserialize)]
    struct RoleData {
        role: Role,
    }
    fn read<T: DeserializeOwned>(kind: &str, data: Value) -> Result<T, BadEvent> {
        serde_json::from_value(data).map_err(|error| BadEvent::Data { kind: kind.to_owned(), error })
    }
    Ok(match kind {
        "hired" => Claim::Hired(read(kind, data)?),
        "rehired" => Claim::Rehired(read(kind, data)?),
        "renamed" => Claim::Renamed(read(kind, data)?),
        "transferred" => Claim::Transferred(read(kind, data)?),
        "contract_end" => Claim::ContractEnd,
        "contract_open" => Claim::ContractOpen,
        "activated" => Claim::Activated,
        "terminated" => Claim::Terminated,
        "termination_cancelled" => Claim::TerminationCancelled,
        "leave_started" => Claim::LeaveStarted,
        "leave_ended" => Claim::LeaveEnded,
        "suspended" => Claim::Suspended,
        "reinstated" => Claim::Reinstated,
        "probation_started" => Claim::ProbationStarted,
        "probation_ended" => Claim::ProbationEnded,
        "watch_started" => Claim::WatchStarted,
        "watch_ended" => Claim::WatchEnded,
        "legal_hold_started" => Claim::LegalHoldStarted,
        "legal_hold_ended" => Claim::LegalHoldEnded,
        "role_granted" => Claim::RoleGranted(read::<RoleData>(kind, data)?.role),
        "role_removed" => Claim::RoleRemoved(read::<RoleData>(kind, data)?.role),
        "key_added" => Claim::KeyAdded(key_added(read(kind, data)?)?),
        "key_retired" => Claim::KeyRetired(read(kind, data)?),
        "key_compromised" => Claim::KeyCompromised(read(kind, data)?),
        "retracted" => Claim::Retracted(read(kind, data)?),
        _ => return Err(BadEvent::UnknownType(kind.to_owned())),
    })
}

#[derive(Deserialize)]
struct KeyAddedData {
    ssh: Option<String>,
    openpgp: Option<String>,
    x509: Option<String>,
    scope: Option<Vec<Scope>>,
    enrolled_by: Option<KeyName>,
}

fn key_added(data: KeyAddedData) -> Result<KeyAdded, BadEvent> {
    let key = match (data.ssh, data.openpgp, data.x509) {
        (Some(text), None, None) => KeyText::Ssh(text),
        (None, Some(text), None) => KeyText::OpenPgp(text),
        (None, None, Some(text)) => KeyText::X509(text),
        (None, None, None) => return Err(BadEvent::Missing("key_added", "`ssh`, `openpgp` or `x509` is missing")),
        _ => return Err(BadEvent::Missing("key_added", "one event brings one key")),
    };
    Ok(KeyAdded { key, scope: data.scope, enrolled_by: data.enrolled_by, fingerprint: None })
}

/// Feeds write their own reasons; only `superseded` says something to us.
fn superseded_or_retired<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<RetireReason>, D::Error> {
    let reason = Option::<String>::deserialize(deserializer)?;
    Ok(reason.map(|reason| if reason == "superseded" { RetireReason::Superseded } else { RetireReason::Retired }))
}

impl Claim {
    /// The event's `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Claim::Hired(_) => "hired",
            Claim::Rehired(_) => "rehired",
            Claim::Renamed(_) => "renamed",
            Claim::Transferred(_) => "transferred",
            Claim::ContractEnd => "contract_end",
            Claim::ContractOpen => "contract_open",
            Claim::Activated => "activated",
            Claim::Terminated => "terminated",
            Claim::TerminationCancelled => "termination_cancelled",
            Claim::LeaveStarted => "leave_started",
            Claim::LeaveEnded => "leave_ended",
            Claim::Suspended => "suspended",
            Claim::Reinstated => "reinstated",
            Claim::ProbationStarted => "probation_started",
            Claim::ProbationEnded => "probation_ended",
            Claim::WatchStarted => "watch_started",
            Claim::WatchEnded => "watch_ended",
            Claim::LegalHoldStarted => "legal_hold_started",
            Claim::LegalHoldEnded => "legal_hold_ended",
            Claim::RoleGranted(_) => "role_granted",
            Claim::RoleRemoved(_) => "role_removed",
            Claim::KeyAdded(_) => "key_added",
            Claim::KeyRetired(_) => "key_retired",
            Claim::KeyCompromised(_) => "key_compromised",
            Claim::Retracted(_) => "retracted",
        }
    }

    /// Whether a day that it names is the last one, and not the first.
    fn ends_with_the_day(&self) -> bool {
        matches!(self, Claim::Terminated | Claim::ContractEnd)
    }

    /// The profile that a hiring or renaming carries.
    pub fn profile(&self) -> Option<&Profile> {
        match self {
            Claim::Hired(profile) | Claim::Rehired(profile) | Claim::Renamed(profile) | Claim::Transferred(profile) => {
                Some(profile)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn parse(line: &str) -> Result<Event, BadEvent> {
        Event::parse(line, time("2026-11-23T10:00:00Z"))
    }

    #[test]
    fn a_source_cannot_speak_from_the_future() {
        let event =
            parse(r#"{"id":"a","source":"s","person":"p","type":"activated","asserted_at":"2030-01-01T00:00:00Z"}"#);
        let event = event.unwrap();
        assert_eq!(event.asserted_at, time("2026-11-23T10:00:00Z"));
        assert_eq!(event.effective_at, event.asserted_at, "without a date of its own it counts when it was asserted");
        let event = parse(
            r#"{"id":"a","source":"s","person":"p","type":"terminated","effective_at":"2030-01-01T00:00:00Z","asserted_at":"2026-01-01T00:00:00Z"}"#,
        );
        assert_eq!(event.unwrap().effective_at, time("2030-01-01T00:00:00Z"), "but it may speak of the future");
    }

    #[test]
    fn a_last_working_day_ends_there_and_a_first_one_begins_there() {
        let effective = |kind: &str, zone: &str| {
            let day = format!(r#""effective_on":"2026-11-27","zone":"{zone}""#);
            parse(&format!(r#"{{"id":"a","source":"s","person":"p","type":"{kind}",{day}}}"#)).unwrap().effective_at
        };
        assert_eq!(effective("terminated", "Europe/Berlin"), time("2026-11-27T23:00:00Z"));
        assert_eq!(effective("terminated", "America/Los_Angeles"), time("2026-11-28T08:00:00Z"));
        assert_eq!(effective("activated", "Europe/Berlin"), time("2026-11-26T23:00:00Z"));
        for bad in [
            r#""effective_on":"2026-11-27""#,
            r#""effective_on":"2026-11-27","zone":"Berlin""#,
            r#""effective_on":"2026-11-27T00:00:00Z","zone":"UTC""#,
            r#""effective_on":"2026-11-27","zone":"UTC","effective_at":"2026-11-27T00:00:00Z""#,
        ] {
            assert!(parse(&format!(r#"{{"id":"a","source":"s","person":"p","type":"terminated",{bad}}}"#)).is_err());
        }
    }

    #[test]
    fn unknown_fields_are_kept_and_mean_nothing() {
        let line = r#"{"id":"a","source":"s","person":"p","type":"hired","x":1.50,"data":{"name":"A","badge":7}}"#;
        let event = parse(line).unwrap();
        assert_eq!(event.line, line);
        assert_eq!(event.claim.profile().unwrap().name.as_deref(), Some("A"));
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        let said = |rest: &str| {
            let line = format!(r#"{{"id":"a","source":"s","person":"p",{rest}}}"#);
            parse(&line).unwrap_err().to_string()
        };
        assert_eq!(said(r#""type":"promoted""#), "unknown type `promoted`");
        assert!(said(r#""type":"role_granted""#).contains("missing field `role`"));
        assert!(said(r#""type":"key_added","data":{}"#).contains("is missing"));
        assert!(said(r#""type":"key_added","data":{"ssh":"a","x509":"b"}"#).contains("one key"));
        assert!(said(r#""type":"hired","data":{"emails":["nobody"]}"#).contains("no e-mail address"));
        assert!(said(r#""type":"hired","effective_at":"tomorrow""#).contains("RFC 3339"));
    }

    #[test]
    fn a_key_answers_to_every_usual_spelling() {
        let named = |text: &str, fingerprint: &str| KeyName(text.to_owned()).names(fingerprint);
        assert!(named("q3vT8w", "SHA256:q3vT8w") && named("SHA256:q3vT8w", "SHA256:q3vT8w"));
        assert!(named("0xabcd 1234", "ABCD1234") && named("AB:CD:12:34", "X509:abcd1234"));
        assert!(!named("SHA256:abcd", "ABCD") && !named("q3vT", "SHA256:q3vT8w"), "no guessing from a start");
    }
}
