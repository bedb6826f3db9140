//! The one verdict type that every face renders: message, ledger and audit.

use crate::id::{Fingerprint, ObjectId, PersonId, RefName};
use crate::keyring::Lifecycle;
use crate::rule::Rule;
use crate::time::Time;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Accept,
    Deny,
    /// Could not decide: our fault or the operator's, never the key's.
    Undecided,
}

impl Decision {
    /// 0 yes, 1 no, 2 could not decide.
    pub fn exit_code(self) -> u8 {
        match self {
            Decision::Accept => 0,
            Decision::Deny => 1,
            Decision::Undecided => 2,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Note,
    Deny,
    Undecided,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Enforce,
    /// Says what `enforce` would say, and lets the push pass.
    Observe,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Commit(ObjectId),
    Tag(ObjectId),
    Ref(RefName),
    Path(Vec<u8>),
    Push,
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Subject::Commit(id) => map.serialize_entry("commit", id)?,
            Subject::Tag(id) => map.serialize_entry("tag", id)?,
            Subject::Ref(name) => map.serialize_entry("ref", &name.to_string())?,
            Subject::Path(path) => map.serialize_entry("path", &crate::text::shown_bytes(path, 4096))?,
            Subject::Push => map.serialize_entry("push", &true)?,
        }
        map.end()
    }
}

/// Why a commit, tag or ref is not as the rules want it. A [`Finding`] without its subject.
#[derive(Clone, Debug)]
pub struct Problem {
    pub rule: &'static Rule,
    /// A clause that follows the subject: `is not signed`.
    pub reason: String,
    /// Overrides the rule's own next step.
    pub next: Option<String>,
    pub person: Option<PersonId>,
    pub key: Option<Fingerprint>,
    /// The lifecycle state behind the finding; for the ledger and the audit, never for the pusher.
    pub state: Option<Lifecycle>,
    /// What the operator needs to know and the pusher does not.
    pub detail: Option<String>,
}

impl Problem {
    pub fn new(rule: &'static Rule, reason: impl Into<String>) -> Self {
        Problem { rule, reason: reason.into(), next: None, person: None, key: None, state: None, detail: None }
    }

    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    pub fn of(mut self, person: &PersonId) -> Self {
        self.person = Some(person.clone());
        self
    }

    pub fn with_key(mut self, key: &Fingerprint) -> Self {
        self.key = Some(key.clone());
        self
    }

    pub fn in_state(mut self, state: Lifecycle) -> Self {
        self.state = Some(state);
        self
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn about(self, subject: Subject) -> Finding {
        let effect = self.rule.effect;
        Finding { problem: self, effect, subject, on: None, title: None }
    }
}

/// One broken or noteworthy rule.
#[derive(Clone, Debug)]
pub struct Finding {
    pub problem: Problem,
    pub effect: Effect,
    pub subject: Subject,
    /// The ref whose update brought the subject in.
    pub on: Option<RefName>,
    /// First line of a commit's message, for people.
    pub title: Option<String>,
}

impl Finding {
    pub fn id(&self) -> &'static str {
        self.problem.rule.id
    }

    pub fn on(mut self, name: &RefName) -> Self {
        self.on = Some(name.clone());
        self
    }

    pub fn titled(mut self, title: String) -> Self {
        self.title = Some(title);
        self
    }

    pub fn next_step(&self) -> &str {
        self.problem.next.as_deref().unwrap_or(self.problem.rule.next)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", self.id())?;
        map.serialize_entry("effect", &self.effect)?;
        map.serialize_entry("subject", &self.subject)?;
        if let Some(name) = &self.on {
            map.serialize_entry("ref", &name.to_string())?;
        }
        if let Some(title) = &self.title {
            map.serialize_entry("title", title)?;
        }
        if let Some(person) = &self.problem.person {
            map.serialize_entry("person", person)?;
        }
        if let Some(key) = &self.problem.key {
            map.serialize_entry("key", key)?;
        }
        if let Some(state) = &self.problem.state {
            map.serialize_entry("state", state)?;
        }
        if let Some(detail) = &self.problem.detail {
            map.serialize_entry("detail", detail)?;
        }
        map.serialize_entry("reason", &self.problem.reason)?;
        map.serialize_entry("next", self.next_step())?;
        map.end()
    }
}

/// The decision that a list of findings amounts to. A denial outranks "could not decide":
/// what is certainly wrong stays wrong whatever else could not be looked at.
pub fn decide(findings: &[Finding]) -> Decision {
    let any = |effect| findings.iter().any(|finding| finding.effect == effect);
    if any(Effect::Deny) {
        Decision::Deny
    } else if any(Effect::Undecided) {
        Decision::Undecided
    } else {
        Decision::Accept
    }
}

/// Which repository was pushed to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RepositoryFact {
    pub path: String,
    pub id: Option<String>,
    pub name: Option<String>,
}

/// Who pushed, as far as the server says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PusherFact {
    pub person: Option<PersonId>,
    pub account: Option<String>,
    pub via: Option<String>,
    pub address: Option<String>,
}

/// One ref update as it was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct RefFact {
    #[serde(serialize_with = "as_text")]
    pub r#ref: RefName,
    pub old: ObjectId,
    pub new: ObjectId,
    pub level: u8,
}

fn as_text<S: Serializer>(name: &RefName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct CommitCounts {
    pub judged: u64,
    pub by_receipt: u64,
}

/// What was decided on one push, and on what ground.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub schema_version: u32,
    pub verdict: String,
    pub received_at: Time,
    pub mode: Mode,
    pub decision: Decision,
    /// Whether the server held to the decision: false in mode `observe`.
    pub enforced: bool,
    pub repository: RepositoryFact,
    pub pusher: PusherFact,
    pub refs: Vec<RefFact>,
    pub commits: CommitCounts,
    pub findings: Vec<Finding>,
    /// Further findings of a push that has more than a record can hold.
    #[serde(skip_serializing_if = "is_none")]
    pub findings_not_listed: u64,
    pub policy_digest: String,
    pub registry_epoch: u64,
    /// False: it could not be written to the ledger, and only the server's log knows it.
    #[serde(skip)]
    pub recorded: bool,
}

impl Verdict {
    pub const SCHEMA_VERSION: u32 = 1;

    /// What the server is told: the decision, or 0 where it only observes.
    pub fn exit_code(&self) -> u8 {
        if self.enforced { self.decision.exit_code() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ObjectFormat;
    use crate::rule::{carried, keyring_unreadable, signer_not_active, unsigned};
    use serde_json::json;

    fn finding() -> Finding {
        Problem::new(&unsigned::RULE, "is not signed").about(Subject::Push)
    }

    fn verdict(findings: Vec<Finding>, mode: Mode) -> Verdict {
        Verdict {
            schema_version: Verdict::SCHEMA_VERSION,
            verdict: "01JD".to_owned(),
            received_at: Time::from_unix_seconds(0),
            mode,
            decision: decide(&findings),
            enforced: mode == Mode::Enforce,
            repository: RepositoryFact::default(),
            pusher: PusherFact::default(),
            refs: vec![RefFact {
                r#ref: RefName::new(b"refs/heads/main"),
                old: ObjectId::zero(ObjectFormat::Sha1),
                new: ObjectId::zero(ObjectFormat::Sha1),
                level: 2,
            }],
            commits: CommitCounts::default(),
            findings,
            findings_not_listed: 0,
            policy_digest: String::new(),
            registry_epoch: 42,
            recorded: true,
        }
    }

    #[test]
    fn a_denial_outranks_what_could_not_be_decided_and_a_note_decides_nothing() {
        let deny = finding;
        let undecided = || Problem::new(&keyring_unreadable::RULE, "x").about(Subject::Push);
        let note = || Problem::new(&carried::RULE, "x").about(Subject::Push);
        for (findings, decision, exit_code) in [
            (vec![], Decision::Accept, 0),
            (vec![note()], Decision::Accept, 0),
            (vec![note(), deny()], Decision::Deny, 1),
            (vec![undecided(), deny()], Decision::Deny, 1),
            (vec![note(), undecided()], Decision::Undecided, 2),
        ] {
            assert_eq!(decide(&findings), decision);
            assert_eq!(verdict(findings.clone(), Mode::Enforce).exit_code(), exit_code);
            assert_eq!(verdict(findings, Mode::Observe).exit_code(), 0, "the push passes");
        }
    }

    #[test]
    fn a_finding_is_recorded_whole() {
        let name = RefName::new(b"refs/heads/main");
        let id = ObjectId::from_bytes(&[0x4f; 20]).unwrap();
        let (person, key) = (PersonId::new("E1001").unwrap(), Fingerprint::new("SHA256:q3vT8w").unwrap());
        let problem = Problem::new(&signer_not_active::RULE, "is signed by E1001")
            .of(&person)
            .with_key(&key)
            .in_state(Lifecycle::Suspended)
            .detail("since yesterday");
        let all = problem.about(Subject::Commit(id)).on(&name).titled("bump axios".to_owned());
        let expected = json!({
            "id": "signer-not-active", "effect": "deny", "subject": {"commit": "4f".repeat(20)}, "ref": "refs/heads/main",
            "title": "bump axios", "person": "E1001", "key": "SHA256:q3vT8w", "state": "suspended",
            "detail": "since yesterday", "reason": "is signed by E1001", "next": signer_not_active::RULE.next,
        });
        assert_eq!(serde_json::to_value(&all).unwrap(), expected);
        let least = json!({
            "id": "unsigned", "effect": "deny", "subject": {"push": true}, "reason": "is not signed", "next": "sign it",
        });
        let own_step = Problem::new(&unsigned::RULE, "is not signed").next("sign it").about(Subject::Push);
        assert_eq!(serde_json::to_value(&own_step).unwrap(), least);
    }

    #[test]
    fn a_subject_is_named_by_its_kind() {
        let id = ObjectId::from_bytes(&[1; 20]).unwrap();
        for (subject, text) in [
            (Subject::Tag(id), json!({"tag": "01".repeat(20)})),
            (Subject::Ref(RefName::new(b"refs/tags/\x1bv1")), json!({"ref": "refs/tags/\\u{1b}v1"})),
            (Subject::Path(b"a/\xff".to_vec()), json!({"path": "a/\\xff"})),
        ] {
            assert_eq!(serde_json::to_value(&subject).unwrap(), text);
        }
    }

    #[test]
    fn a_record_says_how_many_findings_it_had_no_room_for() {
        let mut full = verdict(vec![finding()], Mode::Enforce);
        let value = serde_json::to_value(&full).unwrap();
        assert_eq!(value["refs"][0]["ref"], "refs/heads/main");
        assert!(value.get("findings_not_listed").is_none() && value.get("recorded").is_none());
        full.findings_not_listed = 7;
        assert_eq!(serde_json::to_value(&full).unwrap()["findings_not_listed"], 7);
    }
}
