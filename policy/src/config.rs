//! The policy file: raw YAML in, a checked [`Policy`] out.
//!
//! It is the server's file, never the pushed tree's. Unknown keys are refused: a misspelt
//! rule that silently did nothing would be a hole.

use crate::duration::Period;
use crate::id::RefName;
use crate::keyring::RepositoryNames;
use crate::pattern::Pattern;
use crate::sha256::sha256;
use crate::signature::settings::Settings as SignatureSettings;
use crate::signature::x509::X509Settings;
use crate::text::shown;
use crate::verdict::Mode;
use serde::Deserialize;
use std::path::PathBuf;

/// A policy larger than this is a mistake; ours are a few hundred bytes.
pub const POLICY_MAX: usize = 256 * 1024;
/// Git moves the refs of an ordinary push within milliseconds, those of a large one within a second.
const APPLY_WITHIN_MIN: Period = Period::seconds(1);

/// What is wrong with a policy file.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("the policy is larger than {POLICY_MAX} bytes")]
    TooLarge,
    #[error("the policy is not UTF-8 text")]
    NotText,
    /// The parser quotes keys and values, and YAML has escapes for every character.
    #[error("{}", shown(&.0.to_string(), 400))]
    Yaml(#[from] serde_yaml::Error),
    #[error("`{key}`: {reason}")]
    Value { key: &'static str, reason: String },
}

/// The level a ref demands of what enters it (design, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Written by the forge itself and only recorded: gives no trust.
    Recorded,
    /// Any branch: every commit signed by an active person.
    Signed,
    /// Branches that releases are made from, and by default all tags.
    Mainline,
}

impl Level {
    pub fn number(self) -> u8 {
        match self {
            Level::Recorded => 0,
            Level::Signed => 1,
            Level::Mainline => 2,
        }
    }

    pub fn from_number(number: u8) -> Option<Self> {
        [Level::Recorded, Level::Signed, Level::Mainline].into_iter().find(|level| level.number() == number)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Level::Recorded => "recorded",
            Level::Signed => "signed",
            Level::Mainline => "mainline",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawLevel {
    Signed,
    Mainline,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Note,
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKeys {
    Refuse,
    Accept,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    mode: Mode,
    #[serde(default)]
    observe: Vec<Pattern>,
    keyring: PathBuf,
    ledger: PathBuf,
    log: Option<PathBuf>,
    registry_max_age: Option<Period>,
    apply_within: Option<Period>,
    #[serde(default)]
    refs: RawRefs,
    #[serde(default)]
    signatures: SignatureSettings,
    #[serde(default)]
    x509: X509Settings,
    #[serde(default)]
    identity: Identity,
    #[serde(default)]
    people: People,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRefs {
    mainline: Vec<Pattern>,
    default_branch_is_mainline: bool,
    tags: RawLevel,
    movable_tags: Vec<Pattern>,
    rewindable: Vec<Pattern>,
    allow_new_roots: bool,
}

impl Default for RawRefs {
    fn default() -> Self {
        RawRefs {
            mainline: ["main", "master", "release/*", "releases/*", "stable/*"]
                .into_iter()
                .filter_map(|name| Pattern::new(name).ok())
                .collect(),
            default_branch_is_mainline: true,
            tags: RawLevel::Mainline,
            movable_tags: Vec::new(),
            rewindable: Vec::new(),
            allow_new_roots: false,
        }
    }
}

/// Who the names inside a commit must be.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The committer's (or tagger's) e-mail is one of the signer's registered ones.
    pub committer_is_signer: bool,
    /// The author's too. Off by default: a rebase or cherry-pick keeps the author.
    pub author_is_signer: bool,
}

impl Default for Identity {
    fn default() -> Self {
        Identity { committer_is_signer: true, author_is_signer: false }
    }
}

/// What persons in special circumstances may do.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// A person on probation pushes to a mainline ref.
    pub probation_on_mainline: Answer,
    /// The server names an account that the registry maps to nobody.
    pub unmapped_pusher: Answer,
    /// Commits signed by a key of kind `forge`.
    pub forge_keys: ForgeKeys,
    /// How long a service account goes on after its owner left in the ordinary way.
    pub owner_grace: Period,
}

impl Default for People {
    fn default() -> Self {
        People {
            probation_on_mainline: Answer::Deny,
            unmapped_pusher: Answer::Note,
            forge_keys: ForgeKeys::Refuse,
            // A week is long enough to name a new owner, and short enough not to be forgotten.
            owner_grace: Period::seconds(7 * 86_400),
        }
    }
}

/// What one push may cost. Over a size or count the push is denied; over the time it is undecided.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a commit object: a long message with a 128 KiB signature fits many times.
    pub commit_bytes: usize,
    /// Bytes of a tag object; release notes live in tags.
    pub tag_bytes: usize,
    /// Parents of a commit: the largest octopus in the Linux kernel has 66.
    pub parents: usize,
    /// Ref updates in one push: mirrors push thousands, floods push millions. Their record must fit a ledger entry.
    pub refs: usize,
    /// Bytes of a ref name: file systems allow no more.
    pub ref_name_bytes: usize,
    /// New commits that one ref may bring in with a push: a large import, in some 400 MB of memory at worst.
    pub commits: usize,
    /// Links of a tag that points to a tag.
    pub tag_chain: usize,
    /// Wall time for judging one push.
    pub time: Period,
    /// Time to wait for other pushes that write to the ledger.
    pub ledger_wait: Period,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            commit_bytes: 1024 * 1024,
            tag_bytes: 1024 * 1024,
            parents: 128,
            refs: 20_000,
            ref_name_bytes: 1024,
            commits: 200_000,
            tag_chain: 3,
            time: Period::seconds(60),
            ledger_wait: Period::seconds(30),
        }
    }
}

/// A policy that makes sense.
#[derive(Debug)]
pub struct Policy {
    pub mode: Mode,
    observe: Vec<Pattern>,
    /// Folder of the published keyring, relative to the policy file or absolute.
    pub keyring: PathBuf,
    pub ledger: PathBuf,
    /// Where the operator finds diagnostics that are not for the pusher.
    pub log: Option<PathBuf>,
    pub registry_max_age: Option<Period>,
    pub apply_within: Period,
    pub refs: Refs,
    pub signatures: SignatureSettings,
    pub x509: X509Settings,
    pub identity: Identity,
    pub people: People,
    pub limits: Limits,
    /// SHA-256 of the file, in hex.
    pub digest: String,
}

/// Which ref has which level, and which exceptions it enjoys.
#[derive(Debug)]
pub struct Refs {
    pub mainline: Vec<Pattern>,
    pub default_branch_is_mainline: bool,
    pub tags: Level,
    pub movable_tags: Vec<Pattern>,
    pub rewindable: Vec<Pattern>,
    pub allow_new_roots: bool,
}

impl Policy {
    /// Reads and checks a policy file. The file must name `version: 1`.
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
        if bytes.len() > POLICY_MAX {
            return Err(PolicyError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PolicyError::NotText)?;
        let raw: Raw = serde_yaml::from_str(text)?;
        let wrong = |key, reason: &str| Err(PolicyError::Value { key, reason: reason.to_owned() });
        if raw.version != 1 {
            return wrong("version", "this program understands version 1");
        }
        if raw.refs.mainline.is_empty() && !raw.refs.default_branch_is_mainline {
            return wrong("refs.mainline", "no ref would be mainline, so nothing would be protected");
        }
        for (key, patterns) in [
            ("refs.mainline", &raw.refs.mainline),
            ("refs.movable_tags", &raw.refs.movable_tags),
            ("refs.rewindable", &raw.refs.rewindable),
        ] {
            if let Some(pattern) = patterns.iter().find(|pattern| !pattern.can_match_a_ref()) {
                let pattern = shown(pattern.as_str(), 80);
                let reason =
                    format!("no ref can be called `{pattern}`; `*` is the only wildcard, for any run of characters");
                return wrong(key, &reason);
            }
        }
        if raw.signatures.formats.is_empty() {
            return wrong("signatures.formats", "no format is left, so nothing could be signed");
        }
        if raw.apply_within.is_some_and(|within| within < APPLY_WITHIN_MIN) {
            return wrong("apply_within", "git needs a moment between the verdict and the refs: 1s at least");
        }
        let limits = &raw.limits;
        for (key, value) in [
            ("limits.commit_bytes", limits.commit_bytes),
            ("limits.tag_bytes", limits.tag_bytes),
            ("limits.refs", limits.refs),
            ("limits.commits", limits.commits),
            ("limits.parents", limits.parents),
            ("limits.tag_chain", limits.tag_chain),
        ] {
            if value == 0 {
                return wrong(key, "0 would refuse everything");
            }
        }
        Ok(Policy {
            mode: raw.mode,
            observe: raw.observe,
            keyring: raw.keyring,
            ledger: raw.ledger,
            log: raw.log,
            registry_max_age: raw.registry_max_age,
            // Long enough for a slow disk, short enough that an offboarded client cannot wait it out.
            apply_within: raw.apply_within.unwrap_or(Period::seconds(30)),
            refs: Refs {
                mainline: raw.refs.mainline,
                default_branch_is_mainline: raw.refs.default_branch_is_mainline,
                tags: match raw.refs.tags {
                    RawLevel::Signed => Level::Signed,
                    RawLevel::Mainline => Level::Mainline,
                },
                movable_tags: raw.refs.movable_tags,
                rewindable: raw.refs.rewindable,
                allow_new_roots: raw.refs.allow_new_roots,
            },
            signatures: raw.signatures,
            x509: raw.x509,
            identity: raw.identity,
            people: raw.people,
            limits: raw.limits,
            digest: hex::encode(sha256([bytes])),
        })
    }

    pub fn mode_for(&self, repository: &RepositoryNames) -> Mode {
        if self.observe.iter().any(|pattern| repository.matches(pattern)) { Mode::Observe } else { self.mode }
    }
}

impl Refs {
    /// The level of one name by itself; what else leads there is for the caller to ask.
    /// `None` for a namespace that no rule speaks of.
    pub fn level(&self, name: &RefName) -> Option<Level> {
        if name.tag().is_some() {
            Some(self.tags)
        } else if name.branch().is_some() {
            Some(if self.is_mainline(name) { Level::Mainline } else { Level::Signed })
        } else if name.as_bytes().starts_with(b"refs/for/") {
            Some(Level::Signed)
        } else {
            None
        }
    }

    pub fn is_mainline(&self, name: &RefName) -> bool {
        self.mainline.iter().any(|pattern| pattern.matches_ref(name))
    }

    pub fn may_move_tag(&self, tag: &[u8]) -> bool {
        self.movable_tags.iter().any(|pattern| pattern.matches(tag))
    }

    pub fn may_rewind(&self, name: &RefName) -> bool {
        self.rewindable.iter().any(|pattern| pattern.matches_ref(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "version: 1\nmode: enforce\nkeyring: keyring\nledger: ledger.db\n";

    fn policy(more: &str) -> Result<Policy, PolicyError> {
        Policy::parse(format!("{LEAST}{more}").as_bytes())
    }

    #[test]
    fn the_default_protects_the_usual_branches() {
        let policy = policy("").unwrap();
        for name in ["main", "master", "release/1.0", "releases/2", "stable/x"] {
            assert_eq!(
                policy.refs.level(&RefName::new(format!("refs/heads/{name}").as_bytes())),
                Some(Level::Mainline)
            );
        }
        assert_eq!(policy.refs.level(&RefName::new(b"refs/heads/topic")), Some(Level::Signed));
        assert_eq!(policy.refs.level(&RefName::new(b"refs/tags/v1")), Some(Level::Mainline));
        for name in ["refs/notes/commits", "refs/replace/x", "refs/pull/1/head", "refs/heads", "refs/tags"] {
            assert_eq!(policy.refs.level(&RefName::new(name.as_bytes())), None, "{name}");
        }
    }

    #[test]
    fn mistakes_are_named_and_never_ignored() {
        for (more, word) in [
            ("mod: observe\n", "mod"),
            ("mode: observe\n", "mode"),
            ("refs: {mainlin: [main]}\n", "mainlin"),
            ("refs: {mainline: [], default_branch_is_mainline: false}\n", "refs.mainline"),
            ("limits: {commits: 0}\n", "limits.commits"),
            ("limits: {time: 5}\n", "duration"),
            ("apply_within: soon\n", "soon"),
            ("apply_within: 0s\n", "apply_within"),
            ("signatures: {formats: []}\n", "signatures.formats"),
            ("refs: {mainline: ['release/[0-9]*']}\n", "wildcard"),
            ("refs: {rewindable: [/wip/]}\n", "refs.rewindable"),
        ] {
            let error = policy(more).unwrap_err().to_string();
            assert!(error.contains(word), "{more}: {error}");
        }
        assert!(Policy::parse(b"version: 2\nmode: enforce\nkeyring: k\nledger: l\n").is_err());
        assert!(Policy::parse(b"").is_err() && Policy::parse(b"\xff").is_err());
    }

    #[test]
    fn a_policy_is_as_large_as_its_limit_and_no_larger() {
        let padded = |length: usize| format!("{LEAST}#{}", "x".repeat(length - LEAST.len() - 1));
        assert!(Policy::parse(padded(256 * 1024).as_bytes()).is_ok());
        assert!(matches!(Policy::parse(padded(256 * 1024 + 1).as_bytes()), Err(PolicyError::TooLarge)));
    }

    #[test]
    fn either_way_to_name_a_mainline_is_enough() {
        assert!(policy("refs: {mainline: []}\n").is_ok(), "the default branch");
        assert!(policy("refs: {mainline: [main], default_branch_is_mainline: false}\n").is_ok());
    }

    #[test]
    fn every_limit_lets_something_through() {
        for name in ["commit_bytes", "tag_bytes", "refs", "commits", "parents", "tag_chain"] {
            assert!(policy(&format!("limits: {{{name}: 1}}\n")).is_ok(), "{name}");
            let error = policy(&format!("limits: {{{name}: 0}}\n")).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(policy("apply_within: 1s\n").is_ok() && policy("apply_within: 999ms\n").is_err());
        let limits = Limits::default();
        let long = 4 * crate::signature::MAX_SIGNATURE;
        assert!(limits.commit_bytes > long && limits.tag_bytes > long, "a long message and the largest signature");
    }

    #[test]
    fn levels_survive_the_ledger() {
        for level in [Level::Recorded, Level::Signed, Level::Mainline] {
            assert_eq!(Level::from_number(level.number()), Some(level));
        }
        assert!(Level::Recorded < Level::Signed && Level::Signed < Level::Mainline);
        let names = [Level::Recorded, Level::Signed, Level::Mainline].map(Level::as_str);
        assert_eq!(names, ["recorded", "signed", "mainline"]);
        assert_eq!(Level::from_number(3), None);
    }

    #[test]
    fn only_what_the_policy_names_is_rewound_or_moved() {
        let open = policy("refs: {tags: signed, movable_tags: [nightly], rewindable: ['wip/*']}\n").unwrap().refs;
        assert!(open.may_move_tag(b"nightly") && !open.may_move_tag(b"v1"));
        let name = |text: &str| RefName::new(text.as_bytes());
        assert!(open.may_rewind(&name("refs/heads/wip/a")) && !open.may_rewind(&name("refs/heads/main")));
        assert_eq!(open.level(&name("refs/tags/v1")), Some(Level::Signed));
        assert_eq!(open.level(&name("refs/for/main")), Some(Level::Signed));
        let closed = policy("").unwrap().refs;
        assert!(!closed.may_move_tag(b"nightly") && !closed.may_rewind(&name("refs/heads/wip/a")));
    }

    #[test]
    fn a_mistake_is_told_without_the_characters_that_it_hides() {
        for more in ["\"\\e[31m\\u202e\": 1\n", "refs: {tags: \"\\e[2J\"}\n", "refs: {mainline: [\"a \\u202e\"]}\n"] {
            let error = policy(more).unwrap_err().to_string();
            let raw = |c: char| c.is_control() || crate::text::is_deceptive(c);
            assert!(!error.contains(raw) && error.contains('\\'), "{error:?}");
        }
    }

    #[test]
    fn a_repository_can_be_observed_alone() {
        let policy = policy("observe: [scratch-*]\n").unwrap();
        let named = |path: &str| RepositoryNames { path: path.into(), forge: None };
        assert_eq!(policy.mode_for(&named("/srv/git/scratch-1.git")), Mode::Observe);
        assert_eq!(policy.mode_for(&named("/srv/git/app.git")), Mode::Enforce);
    }
}
