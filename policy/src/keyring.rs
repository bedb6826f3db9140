//! Persons, their keys and their lifecycle, as one published epoch of the registry tells them.
//!
//! Everything is an interval or a dated change, never a state: a resignation dated next Friday
//! is already in the record today and takes effect on Friday without anybody writing anything.

use crate::id::{Account, Email, Fingerprint, KeyHandle, PersonId, RefName, Role};
use crate::pattern::Pattern;
use crate::signature::primitive::VerifyKey;
use crate::time::{Span, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    Prehire,
    Active,
    Leave,
    Suspended,
    Terminated,
}

impl Lifecycle {
    pub fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Prehire => "prehire",
            Lifecycle::Active => "active",
            Lifecycle::Leave => "leave",
            Lifecycle::Suspended => "suspended",
            Lifecycle::Terminated => "terminated",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonKind {
    #[default]
    Human,
    /// A service account: pushes only where its scope says, and only while its owner is active.
    Service,
    /// The git server's own signing key.
    Forge,
}

/// Something that is true of a person for a span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held<T> {
    pub value: T,
    #[serde(flatten)]
    pub span: Span,
}

/// From `from` on the person is in `state`, until the next change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub from: Time,
    pub state: Lifecycle,
    /// Under a kill or a suspension, whatever else: then nothing that hangs on the person goes on for a while.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abrupt: bool,
}

impl Change {
    pub fn is_active(&self) -> bool {
        self.state == Lifecycle::Active
    }
}

/// One human, service account or forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    /// What the person is called as far as is known; [`Person::name`] tells it for an instant.
    pub name: String,
    /// The names of somebody who has, had or will have several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Held<String>>,
    #[serde(default)]
    pub kind: PersonKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonId>,
    /// Who answers for a service account while its owner is away in the ordinary way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deputy: Option<PersonId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Held<Email>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Held<Account>>,
    /// INVARIANT: ascending by `from`. Before the first change the person is `prehire`.
    pub lifecycle: Vec<Change>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probation: Vec<Span>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<Span>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal_hold: Vec<Span>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Held<Role>>,
    /// Where the person may push. Empty: everywhere for a human, nowhere for a service account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<Scope>,
    /// Every key the person ever had, retired and compromised ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
}

impl Person {
    pub fn name(&self, at: Time) -> &str {
        self.names.iter().find(|held| held.span.contains(at)).map_or(&self.name, |held| &held.value)
    }

    pub fn state(&self, at: Time) -> Lifecycle {
        self.lifecycle.iter().rev().find(|change| change.from <= at).map_or(Lifecycle::Prehire, |change| change.state)
    }

    /// When the state that holds at `at` began.
    pub fn state_since(&self, at: Time) -> Option<Time> {
        self.lifecycle.iter().rev().find(|change| change.from <= at).map(|change| change.from)
    }

    pub fn is_active(&self, at: Time) -> bool {
        self.state(at) == Lifecycle::Active
    }

    pub fn on_probation(&self, at: Time) -> bool {
        self.probation.iter().any(|span| span.contains(at))
    }

    pub fn watched(&self, at: Time) -> bool {
        self.watch.iter().any(|span| span.contains(at))
    }

    pub fn has_email(&self, email: &str, at: Time) -> bool {
        self.emails.iter().any(|held| held.span.contains(at) && held.value.as_str().eq_ignore_ascii_case(email))
    }

    pub fn has_account(&self, account: &Account, at: Time) -> bool {
        self.accounts.iter().any(|held| held.span.contains(at) && &held.value == account)
    }

    pub fn has_role(&self, role: &str, at: Time) -> bool {
        self.roles.iter().any(|held| held.span.contains(at) && held.value.as_str() == role)
    }

    /// Whether the person's own scope lets them push this ref of this repository.
    pub fn may_reach(&self, repository: &RepositoryNames, name: &RefName) -> bool {
        match (self.scope.is_empty(), self.kind) {
            (true, PersonKind::Human | PersonKind::Forge) => true,
            (true, PersonKind::Service) => false,
            (false, _) => self.scope.iter().any(|scope| scope.covers(repository, name)),
        }
    }

    /// The next instant after `after` at which this record itself says something else, if there is one.
    pub fn next_change(&self, after: Time) -> Option<Time> {
        let edges = |span: &Span| [Some(span.from), span.until];
        let spans = self.probation.iter().chain(self.emails.iter().map(|held| &held.span));
        let spans =
            spans.chain(self.accounts.iter().map(|held| &held.span)).chain(self.roles.iter().map(|held| &held.span));
        let keys = self.keys.iter().flat_map(|key| {
            [key.retired.map(|retired| retired.at), key.compromised.map(|compromised| compromised.from)]
        });
        let lifecycle = self.lifecycle.iter().map(|change| Some(change.from));
        lifecycle.chain(spans.flat_map(edges)).chain(keys).flatten().filter(|at| *at > after).min()
    }

    pub fn key(&self, fingerprint: &Fingerprint) -> Option<&Key> {
        self.keys.iter().find(|key| &key.fingerprint == fingerprint)
    }
}

/// The names a repository goes by; patterns are tried on each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryNames {
    /// Canonical path of the bare repository on the server.
    pub path: String,
    /// What the forge calls it, `owner/name`.
    pub forge: Option<String>,
}

impl RepositoryNames {
    /// A pattern without `/` is tried on the last part of the names, with and without `.git`.
    pub fn matches(&self, pattern: &Pattern) -> bool {
        let names = [Some(self.path.as_str()), self.forge.as_deref()];
        names.into_iter().flatten().any(|name| {
            let plain = name.strip_suffix(".git").unwrap_or(name);
            let tried = |name: &str| pattern.matches(name.as_bytes());
            if pattern.as_str().contains('/') {
                tried(name) || tried(plain)
            } else {
                let last = |name: &'_ str| name.rsplit('/').next().is_some_and(tried);
                last(name) || last(plain)
            }
        })
    }
}

/// `REPO[:REF]`, where a person or key may push. The text after the last `:` is the ref.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    repository: Pattern,
    name: Option<Pattern>,
}

impl Scope {
    pub fn covers(&self, repository: &RepositoryNames, name: &RefName) -> bool {
        repository.matches(&self.repository) && self.name.as_ref().is_none_or(|pattern| pattern.matches_ref(name))
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}:{}", self.repository, name),
            None => write!(f, "{}", self.repository),
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = crate::pattern::BadPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((repository, name)) => {
                Ok(Scope { repository: Pattern::new(repository)?, name: Some(Pattern::new(name)?) })
            }
            None => Ok(Scope { repository: Pattern::new(text)?, name: None }),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetireReason {
    Retired,
    Superseded,
}

/// From `at` on the key brings nothing new in; what it brought before stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retired {
    pub at: Time,
    pub reason: RetireReason,
}

/// What the key signed since `since` is not believed; without `since`, nothing it ever signed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compromised {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When the mark takes effect for new pushes.
    pub from: Time,
}

/// One key of one person, compiled when it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub fingerprint: Fingerprint,
    pub added: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<Scope>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Retired>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised: Option<Compromised>,
    /// The key on whose word this one was enrolled; it falls with a compromised one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_by: Option<Fingerprint>,
    pub material: Material,
}

impl Key {
    /// Where the key itself may sign; a key without a scope of its own may sign wherever its person may.
    pub fn may_reach(&self, repository: &RepositoryNames, name: &RefName) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.iter().any(|scope| scope.covers(repository, name)))
    }

    /// What looks this key up.
    pub fn handles(&self) -> Vec<KeyHandle> {
        match &self.material {
            Material::Ssh(_) => vec![KeyHandle::Ssh(self.fingerprint.clone())],
            Material::X509(_) => vec![KeyHandle::X509(self.fingerprint.clone())],
            Material::OpenPgp(certificate) => certificate
                .signers
                .iter()
                .flat_map(|signer| {
                    [
                        KeyHandle::OpenPgpFingerprint(signer.fingerprint.clone()),
                        KeyHandle::OpenPgpKeyId(signer.key_id.clone()),
                    ]
                })
                .collect(),
        }
    }

    /// How people call the kind of key: `SSH key`, `OpenPGP key`, `X.509 certificate`.
    pub fn kind(&self) -> &'static str {
        match self.material {
            Material::Ssh(_) => "SSH key",
            Material::OpenPgp(_) => "OpenPGP key",
            Material::X509(_) => "X.509 certificate",
        }
    }
}

/// What verifies a signature of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Material {
    Ssh(SshKey),
    OpenPgp(OpenPgpCertificate),
    X509(X509Certificate),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, `sk-ssh-ed25519@openssh.com` …
    pub algorithm: String,
    /// The public key in SSH wire format, without length prefix; equal bytes are the same key.
    #[serde(with = "crate::bytes")]
    pub blob: Vec<u8>,
    pub verify: VerifyKey,
    /// The application string of a security key, `ssh:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPgpCertificate {
    /// E-mail addresses of user ids with a valid self-signature; never an identity, only a note.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
    /// Every (sub)key of the certificate, also those that may not sign, so that the reason can be told.
    pub signers: Vec<OpenPgpSigner>,
}

/// One key of an OpenPGP certificate with the span in which the certificate lets it sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPgpSigner {
    /// Upper-case hex.
    pub fingerprint: String,
    /// Upper-case hex, 16 digits.
    pub key_id: String,
    /// `RSA 3072`, `Ed25519`, `P-256` …: for messages.
    pub algorithm: String,
    pub verify: VerifyKey,
    /// Usage flags, back-signature and algorithm allow signing.
    pub for_signing: bool,
    /// Usage flags allow it, whatever the algorithm: then a weak key is refused for its weakness.
    #[serde(default)]
    pub meant_for_signing: bool,
    /// Creation of the key; an older signature is none.
    pub created: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<OpenPgpRevocation>,
}

/// A revocation by the certificate's owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPgpRevocation {
    /// For a soft one (superseded, retired) its date; a hard one or one without reason counts always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_since: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct X509Certificate {
    #[serde(with = "crate::bytes")]
    pub der: Vec<u8>,
    pub not_before: Time,
    pub not_after: Time,
    /// rfc822Names of the certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
    /// Subject as text, for messages.
    pub subject: String,
}

/// An SSH CA or X.509 root whose word the registry takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    pub fingerprint: Fingerprint,
    pub added: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Retired>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised: Option<Compromised>,
    pub material: Material,
}

impl Authority {
    /// The next instant after `after` at which this record itself says something else, if there is one.
    pub fn next_change(&self, after: Time) -> Option<Time> {
        let marks = [self.retired.map(|mark| mark.at), self.compromised.map(|mark| mark.from)];
        marks.into_iter().flatten().filter(|at| *at > after).min()
    }
}

/// The authorities of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorities {
    #[serde(default)]
    pub ssh: Vec<Authority>,
    #[serde(default)]
    pub x509: Vec<Authority>,
}

impl Authorities {
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<&Authority> {
        self.ssh.iter().chain(&self.x509).find(|authority| &authority.fingerprint == fingerprint)
    }
}

/// The keyring could not be asked. Never a reason to blame a key.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct KeyringError(pub String);

/// One immutable epoch of the registry.
pub trait Keyring: Sync {
    /// Rises by at least one with each publication.
    fn epoch(&self) -> u64;

    /// When `keyring-sync` last confirmed this keyring.
    fn published_at(&self) -> Time;

    fn person(&self, id: &PersonId) -> Result<Option<Arc<Person>>, KeyringError>;

    /// The persons one of whose keys goes by `handle`. More than one only for 64-bit OpenPGP key ids.
    fn holders(&self, handle: &KeyHandle) -> Result<Vec<PersonId>, KeyringError>;

    /// The persons who hold this address now or ever did; ask [`Person::has_email`] for the instant.
    fn by_email(&self, email: &Email) -> Result<Vec<PersonId>, KeyringError>;

    /// The persons who hold this account now or ever did; ask [`Person::has_account`] for the instant.
    fn by_account(&self, account: &Account) -> Result<Vec<PersonId>, KeyringError>;

    /// The persons one of whose keys is marked as compromised; few, if any.
    fn compromised(&self) -> Result<Vec<PersonId>, KeyringError>;

    fn authorities(&self) -> Result<Arc<Authorities>, KeyringError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn day(number: i64) -> Time {
        Time::from_unix_seconds(number * 86_400)
    }

    fn span(from: i64, until: i64) -> Span {
        Span { from: day(from), until: Some(day(until)) }
    }

    fn alice() -> Person {
        testing::person("E1001", "alice@example.com").unwrap()
    }

    fn ssh_key() -> Key {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB+wAdWZaBRAWSYoS8+AwUfPL7LbfTTz6JLGwiaybL6D";
        testing::key(crate::signature::ssh::register(line).unwrap())
    }

    fn names(path: &str, forge: Option<&str>) -> RepositoryNames {
        RepositoryNames { path: path.to_owned(), forge: forge.map(str::to_owned) }
    }

    #[test]
    fn a_change_of_state_takes_effect_by_itself_on_its_day() {
        let mut alice = alice();
        let change = |from, state, abrupt| Change { from: day(from), state, abrupt };
        alice.lifecycle = vec![
            change(10, Lifecycle::Active, false),
            change(20, Lifecycle::Suspended, true),
            change(30, Lifecycle::Active, false),
        ];
        let at = |number| {
            let at = day(number);
            (alice.state(at), alice.state_since(at), alice.is_active(at))
        };
        assert_eq!(at(9), (Lifecycle::Prehire, None, false));
        assert_eq!(at(10), (Lifecycle::Active, Some(day(10)), true));
        assert_eq!(at(20), (Lifecycle::Suspended, Some(day(20)), false));
        assert_eq!(at(31), (Lifecycle::Active, Some(day(30)), true), "what is over is over");
    }

    #[test]
    fn states_are_written_as_they_are_called() {
        use Lifecycle::{Active, Leave, Prehire, Suspended, Terminated};
        for state in [Prehire, Active, Leave, Suspended, Terminated] {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.as_str()));
        }
    }

    #[test]
    fn what_a_person_holds_is_held_for_its_span_only() {
        let mut alice = alice();
        let account = Account::new("gitea:alice").unwrap();
        alice.emails = vec![Held { value: Email::new("alice@example.com").unwrap(), span: span(10, 20) }];
        alice.accounts = vec![Held { value: account.clone(), span: span(10, 20) }];
        alice.roles = vec![Held { value: Role::new("senior").unwrap(), span: span(10, 20) }];
        (alice.probation, alice.watch) = (vec![span(10, 20)], vec![span(10, 20)]);
        for (number, held) in [(9, false), (10, true), (20, false)] {
            let at = day(number);
            assert_eq!(alice.has_email("Alice@Example.COM", at), held, "{number}");
            assert_eq!(alice.has_account(&account, at), held, "{number}");
            assert_eq!(alice.has_role("senior", at), held, "{number}");
            assert_eq!((alice.on_probation(at), alice.watched(at)), (held, held), "{number}");
        }
        let now = day(15);
        assert!(!alice.has_email("bob@example.com", now));
        assert!(!alice.has_account(&Account::new("gitea:bob").unwrap(), now));
        assert!(!alice.has_role("reviewer", now));
    }

    #[test]
    fn a_service_account_without_a_scope_reaches_nothing_and_a_human_everything() {
        let (repository, main) = (names("/srv/git/app.git", None), RefName::new(b"refs/heads/main"));
        for (kind, everywhere) in [(PersonKind::Human, true), (PersonKind::Forge, true), (PersonKind::Service, false)] {
            let mut person = alice();
            person.kind = kind;
            assert_eq!(person.may_reach(&repository, &main), everywhere, "{kind:?}");
            person.scope = vec!["app:main".parse().unwrap()];
            assert!(person.may_reach(&repository, &main), "{kind:?}");
            assert!(!person.may_reach(&repository, &RefName::new(b"refs/heads/topic")), "{kind:?}");
            assert!(!person.may_reach(&names("/srv/git/other.git", None), &main), "{kind:?}");
        }
    }

    #[test]
    fn a_key_registered_for_one_purpose_reaches_nothing_else() {
        let (repository, main) = (names("/srv/git/app.git", None), RefName::new(b"refs/heads/main"));
        let mut key = ssh_key();
        assert!(key.may_reach(&repository, &main), "without a scope wherever its person may");
        key.scope = Some(vec!["app:deploy/*".parse().unwrap()]);
        assert!(
            key.may_reach(&repository, &RefName::new(b"refs/heads/deploy/1")) && !key.may_reach(&repository, &main)
        );
        key.scope = Some(vec![]);
        assert!(!key.may_reach(&repository, &main), "an empty scope is none");
    }

    #[test]
    fn a_repository_goes_by_its_path_and_by_what_the_forge_calls_it() {
        let app = names("/srv/git/team/app.git", Some("team/app"));
        let matches = |text: &str| app.matches(&Pattern::new(text).unwrap());
        for text in ["app", "app.git", "a*", "team/app", "/srv/git/team/app.git", "/srv/git/team/app", "*/app"] {
            assert!(matches(text), "{text}");
        }
        for text in ["team", "git", "ap", "other/app", "/srv/git/app", "team/ap"] {
            assert!(!matches(text), "{text}");
        }
        assert!(!names("/srv/git/team/app.git", None).matches(&Pattern::new("team/app").unwrap()));
    }

    #[test]
    fn a_scope_survives_its_text_and_binds_both_of_its_parts() {
        for text in ["app", "app:main", "team/*:refs/tags/*"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
            assert_eq!(serde_json::to_string(&text.parse::<Scope>().unwrap()).unwrap(), format!("\"{text}\""));
        }
        for bad in ["", ":", "app:", ":main"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }

    /// A push rests on a record until the record itself says otherwise.
    #[test]
    fn every_edge_of_a_record_is_a_next_change() {
        let quiet = alice();
        assert_eq!(quiet.next_change(day(0)), None);
        let changed = |change: &dyn Fn(&mut Person)| {
            let mut alice = alice();
            change(&mut alice);
            [9, 10, 19, 20].map(|after| alice.next_change(day(after)))
        };
        let both = [Some(day(10)), Some(day(20)), Some(day(20)), None];
        assert_eq!(changed(&|it| it.probation = vec![span(10, 20)]), both);
        assert_eq!(changed(&|it| it.emails[0].span = span(10, 20)), both);
        let account = Account::new("gitea:alice").unwrap();
        assert_eq!(changed(&|it| it.accounts = vec![Held { value: account.clone(), span: span(10, 20) }]), both);
        let role = Role::new("senior").unwrap();
        assert_eq!(changed(&|it| it.roles = vec![Held { value: role.clone(), span: span(10, 20) }]), both);
        let start = [Some(day(10)), None, None, None];
        let leave = Change { from: day(10), state: Lifecycle::Leave, abrupt: false };
        assert_eq!(changed(&|it| it.lifecycle.push(leave)), start);
        let key = |change: &dyn Fn(&mut Key)| {
            let mut key = ssh_key();
            change(&mut key);
            key
        };
        let retired = Some(Retired { at: day(10), reason: RetireReason::Retired });
        assert_eq!(changed(&|it| it.keys = vec![key(&|key| key.retired = retired)]), start);
        let compromised = Some(Compromised { since: None, from: day(10) });
        assert_eq!(changed(&|it| it.keys = vec![key(&|key| key.compromised = compromised)]), start);
    }

    #[test]
    fn an_authority_changes_when_its_marks_take_effect() {
        let key = ssh_key();
        let mut authority = Authority {
            fingerprint: key.fingerprint.clone(),
            added: Time::MIN,
            retired: None,
            compromised: None,
            material: key.material,
        };
        assert_eq!(authority.next_change(day(0)), None);
        authority.retired = Some(Retired { at: day(20), reason: RetireReason::Superseded });
        authority.compromised = Some(Compromised { since: None, from: day(10) });
        let next = [9, 10, 19, 20].map(|after| authority.next_change(day(after)));
        assert_eq!(next, [Some(day(10)), Some(day(20)), Some(day(20)), None]);
        let name = authority.fingerprint.clone();
        for authorities in [
            Authorities { ssh: vec![authority.clone()], x509: vec![] },
            Authorities { ssh: vec![], x509: vec![authority.clone()] },
        ] {
            assert_eq!(authorities.find(&name), Some(&authority));
            assert_eq!(authorities.find(&Fingerprint::new("SHA256:other").unwrap()), None);
        }
    }

    #[test]
    fn a_key_survives_the_registry() {
        let mut key = ssh_key();
        key.added = day(1);
        assert_eq!(serde_json::from_str::<Key>(&serde_json::to_string(&key).unwrap()).unwrap(), key);
        assert!(serde_json::from_str::<Key>(&serde_json::to_string(&key).unwrap().replace("AAAA", "A!AA")).is_err());
    }

    #[test]
    fn a_person_has_the_key_that_is_asked_for_and_no_other() {
        let mut alice = alice();
        let key = ssh_key();
        alice.keys = vec![key.clone()];
        assert_eq!(alice.key(&key.fingerprint), Some(&key));
        assert_eq!(alice.key(&Fingerprint::new("SHA256:other").unwrap()), None);
        assert_eq!((key.kind(), key.handles()), ("SSH key", vec![KeyHandle::Ssh(key.fingerprint.clone())]));
    }
}
