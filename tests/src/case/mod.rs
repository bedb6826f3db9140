//! End-to-end cases as data: the words of `cases/*.yaml`. `cases/README.md` shows how to write one.

mod story;

use crate::keys::{Kind as KeyKind, Wanted};
use crate::servers;
use countersign_policy::time::Time;
use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use serde_yaml::Value as Yaml;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// One sentence: what the case shows.
    pub about: String,
    #[serde(default = "plain")]
    pub servers: Vec<servers::Kind>,
    /// Laid over the policy that `init` wrote.
    #[serde(default)]
    pub policy: Yaml,
    /// The name of the repository.
    #[serde(default = "app")]
    pub repository: String,
    /// `sha1` or `sha256`; git's own default unless given.
    pub object_format: Option<String>,
    /// Everybody who has a login, by person id. They are registered before the first step.
    #[serde(deserialize_with = "unique")]
    pub persons: BTreeMap<String, Person>,
    /// What happened to the repository before the hook was there.
    #[serde(default, with = "serde_yaml::with::singleton_map_recursive")]
    pub before_install: Vec<Step>,
    #[serde(with = "serde_yaml::with::singleton_map_recursive")]
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// The id with a capital unless given.
    pub name: Option<String>,
    /// `ID@example.com` unless given; the first is the one in commits.
    pub emails: Vec<String>,
    pub accounts: Vec<String>,
    /// `human`, `service` or `forge`.
    pub kind: Option<String>,
    pub owner: Option<String>,
    pub roles: Vec<String>,
    pub scope: Vec<String>,
    /// `prehire` or `active`; every other state is reached by events.
    pub state: Option<String>,
    /// Applied right after the person and the keys were registered; `person` is filled in.
    pub events: Vec<Event>,
    /// Somebody whom the registry does not know.
    pub stranger: bool,
    #[serde(deserialize_with = "key_or_none")]
    pub key: Option<KeySpec>,
    /// Further keys, which `sign: PERSON.NAME` uses.
    #[serde(deserialize_with = "unique")]
    pub spare: BTreeMap<String, KeySpec>,
}

/// A key: its kind alone, or a map.
#[derive(Clone, Debug)]
pub struct KeySpec {
    pub wanted: Wanted,
    /// False: the person has the key, the registry does not.
    pub registered: bool,
    pub scope: Vec<String>,
}

/// An event as the registry takes it. `id` and `source` are filled in when absent, as are
/// `effective_at` and `asserted_at`; instants may be written `now`, `now-90m`, `now+2d`.
pub type Event = serde_json::Map<String, Json>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Hire(Hire),
    Event(Event),
    Kill(Kill),
    Branch(Branch),
    Fetch(Fetch),
    Commit(Commit),
    Merge(Merge),
    Tag(Tag),
    Push(Push),
    Delete(Delete),
    Server(ServerGit),
    /// Git in the person's clone, for what no other step does.
    Git(CloneGit),
    Repository(NewRepository),
    /// A line of shell as the operator, in the folder of the installation; it must succeed.
    Operator(String),
    /// The clock of the hooks from now on: `now`, or ahead of it by `+1h`, `+8d`.
    Clock(String),
    Policy(Yaml),
    /// `countersign audit …` and so on.
    Audit(Call),
    Ledger(Call),
    Baseline(Call),
    Approve(Call),
    Countersign(Call),
    KeyringSync(Call),
    /// Gitea's web editor.
    Edit(Edit),
    /// Gitea's pull request, opened and merged.
    PullRequest(PullRequest),
    /// The forge puts its own hooks in order.
    RewriteHooks(Nothing),
    /// Remembers this moment as `$NAME`.
    Instant(String),
    /// Two pushes that were `heard` sound the same.
    SameWords([String; 2]),
    Sleep(Sleep),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hire {
    pub id: String,
    pub person: Person,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    pub person: String,
    pub reason: String,
    pub since: Option<String>,
}

/// Switches to a branch; makes it when `from` is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    pub by: String,
    pub name: String,
    pub from: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    pub by: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    pub by: String,
    /// Path and content; null deletes.
    #[serde(default)]
    pub files: BTreeMap<String, Option<String>>,
    #[serde(default = "a_change")]
    pub message: String,
    pub author: Option<String>,
    pub committer: Option<String>,
    pub date: Option<String>,
    #[serde(default = "own_key")]
    pub sign: String,
    /// A name by which later steps say `$name`.
    pub r#as: Option<String>,
}

/// Merges branches into the current one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    pub by: String,
    pub branches: Vec<String>,
    #[serde(default = "a_merge")]
    pub message: String,
    pub date: Option<String>,
    #[serde(default = "own_key")]
    pub sign: String,
    pub r#as: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    pub by: String,
    pub name: String,
    #[serde(default = "head")]
    pub target: String,
    #[serde(default = "yes")]
    pub annotated: bool,
    pub date: Option<String>,
    #[serde(default = "own_key")]
    pub sign: String,
    pub r#as: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    pub by: String,
    /// Refspecs.
    pub refs: Vec<String>,
    #[serde(default)]
    pub force: bool,
    #[serde(default)]
    pub atomic: bool,
    /// Push options.
    #[serde(default)]
    pub options: Vec<String>,
    /// Another repository, made by a step `repository`.
    pub to: Option<String>,
    /// Variables of the client, which reach the hooks of a `local` server.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// All findings of the verdict on record, notes too, whatever the client was shown.
    pub record: Option<Vec<String>>,
    /// A name for what the client read, with ids of objects, verdicts and keys masked.
    pub heard: Option<String>,
    pub expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    pub by: String,
    pub refs: Vec<String>,
    pub expect: Expect,
}

/// Git in the bare repository, as the server's user and behind the hook's back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerGit {
    pub git: Vec<String>,
    #[serde(default)]
    pub expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloneGit {
    pub by: String,
    pub args: Vec<String>,
    #[serde(default = "no_key")]
    pub sign: String,
    /// A name for what git prints.
    pub r#as: Option<String>,
}

/// A further bare repository; `$NAME` is its path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRepository {
    pub name: String,
    #[serde(default = "yes")]
    pub install: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub args: Vec<String>,
    /// Standard input.
    #[serde(default)]
    pub input: String,
    #[serde(default)]
    pub exit: i32,
    /// JSON pointers and the values there; asks for `--format json`.
    #[serde(default)]
    pub expect: BTreeMap<String, Json>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub by: String,
    pub branch: String,
    pub path: String,
    pub content: String,
    pub expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequest {
    pub by: String,
    pub head: String,
    #[serde(default = "main")]
    pub base: String,
    /// Who clicks; the same person unless given.
    pub merged_by: Option<String>,
    /// `merge`, `squash`, `rebase`, `rebase-merge` or `fast-forward-only`.
    pub style: String,
    pub expect: Expect,
}

/// `{}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sleep {
    pub millis: u64,
}

/// What the server answers. The ids are all that the client reads at line ends, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The refs moved, and no finding was shown.
    #[default]
    Accepted,
    /// The refs moved, and these findings were shown.
    Noted(Vec<String>),
    /// No ref moved.
    Rejected(Vec<String>),
    /// No ref moved, by no fault of the pusher's.
    Undecided(Vec<String>),
    /// The verdict accepted, and just these refs did not move all the same.
    Kept(Kept),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Empty: none moved, since git gave the whole push up.
    #[serde(default)]
    pub refs: Vec<String>,
    /// The findings that were shown.
    #[serde(default)]
    pub shown: Vec<String>,
}

impl Case {
    pub fn read(path: &Path) -> Case {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Case::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn parse(text: &str) -> Result<Case, serde_yaml::Error> {
        serde_yaml::from_str(text)
    }

    /// Runs on every server that the case names, and panics where the story goes otherwise.
    pub fn run(&self) {
        for kind in &self.servers {
            if let Some(server) = kind.start() {
                println!("{}\non {kind:?}", self.about);
                story::run(self, server);
            }
        }
    }
}

fn plain() -> Vec<servers::Kind> {
    vec![servers::Kind::Plain]
}

fn app() -> String {
    "app".into()
}

fn own_key() -> String {
    "key".into()
}

fn no_key() -> String {
    "none".into()
}

fn a_change() -> String {
    "a change".into()
}

fn a_merge() -> String {
    "merge".into()
}

fn head() -> String {
    "HEAD".into()
}

fn main() -> String {
    "main".into()
}

fn yes() -> bool {
    true
}

/// A map none of whose names stands twice: the YAML reader itself would keep the last.
fn unique<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error> {
    struct Unique<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Unique<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if entries.contains_key(&name) {
                    return Err(A::Error::custom(format!("`{name}` stands twice")));
                }
                entries.insert(name, map.next_value()?);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}

fn key_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<KeySpec>, D::Error> {
    KeySpec::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for KeySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            kind: KeyKind,
            from: Option<String>,
            until: Option<String>,
            signs_at: Option<String>,
            #[serde(default = "yes")]
            registered: bool,
            #[serde(default)]
            scope: Vec<String>,
        }
        struct ShortOrLong;
        impl<'de> Visitor<'de> for ShortOrLong {
            type Value = KeySpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind of key, or a map with `kind`")
            }

            fn visit_str<E: Error>(self, kind: &str) -> Result<KeySpec, E> {
                let kind = KeyKind::deserialize(serde::de::value::StrDeserializer::<E>::new(kind))?;
                Ok(KeySpec { wanted: kind.into(), registered: true, scope: Vec::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeySpec, A::Error> {
                let Long { kind, from, until, signs_at, registered, scope } =
                    Long::deserialize(MapAccessDeserializer::new(map))?;
                let time = |text: Option<String>| -> Result<Option<Time>, A::Error> {
                    text.map(|text| story::instant(&text).parse().map_err(A::Error::custom)).transpose()
                };
                let wanted = Wanted { kind, from: time(from)?, until: time(until)?, signs_at: time(signs_at)? };
                Ok(KeySpec { wanted, registered, scope })
            }
        }
        deserializer.deserialize_any(ShortOrLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Case::parse(text).expect_err("a mistake").to_string()
    }

    #[test]
    fn a_case_reads_as_written() {
        let case = Case::parse(
            "about: x\npersons: {alice: {key: ssh-ed25519, spare: {old: {kind: openpgp-rsa, from: '2024-01-01T00:00:00Z'}}}}\n\
             steps:\n- commit: {by: alice}\n- push: {by: alice, refs: [main], expect: {rejected: [unsigned]}}\n\
             - policy: {mode: observe}\n",
        )
        .unwrap();
        assert_eq!(case.servers, [servers::Kind::Plain]);
        assert_eq!(case.persons["alice"].spare["old"].wanted.kind, KeyKind::OpenpgpRsa);
        assert!(matches!(&case.steps[0], Step::Commit(commit) if commit.sign == "key"));
        assert!(matches!(&case.steps[1], Step::Push(push) if push.expect == Expect::Rejected(vec!["unsigned".into()])));
    }

    #[test]
    fn a_mistake_in_a_case_is_an_error() {
        assert!(error("about: x\npersons: {}\nsteps: [{comit: {by: a}}]").contains("unknown variant `comit`"));
        assert!(
            error("about: x\npersons: {}\nsteps: [{commit: {by: a, mesage: b}}]").contains("unknown field `mesage`")
        );
        assert!(error("about: x\npersons: {}\nsteps: []\nservers: [github]").contains("unknown variant `github`"));
        assert!(error("about: x\npersons: {a: {key: dsa}}\nsteps: []").contains("unknown variant `dsa`"));
        assert!(
            error("about: x\npersons: {a: {key: {kind: x509, till: 1}}}\nsteps: []").contains("unknown field `till`")
        );
        assert!(error("about: x\npersons: {a: {}, a: {}}\nsteps: []").contains("`a` stands twice"));
    }
}
