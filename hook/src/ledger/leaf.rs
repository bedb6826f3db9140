//! What one leaf holds: a line of facts that the ledger folds into its tables, then the document
//! of whoever wrote it, byte for byte.
//!
//! ```text
//! {"at":"2026-11-23T17:00:01Z","facts":{"kind":"verdict",…}}\n
//! {"schema_version":1,"verdict":"01JD…",…}
//! ```
//! Every table but the commit packs can be made again from these lines.

use super::LedgerError;
use super::pack::Pack;
use countersign_policy::id::{ObjectId, PersonId, RefName};
use countersign_policy::time::Time;
use countersign_policy::verdict::Decision;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use ulid::Ulid;

/// Largest leaf in bytes. A verdict with a finding on each of 10,000 commits has about 4 MB.
pub const LEAF_MAX: usize = 32 << 20;

/// Straight from the system: a generator of our own would cost a short process more than its one number.
fn new_ulid() -> Ulid {
    let mut random = [0; 16];
    let filled = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    if filled != Ok(random.len()) {
        // An old kernel; its generator is slower, not worse.
        return Ulid::generate();
    }
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ulid::from_parts(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), u128::from_le_bytes(random))
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new one, from the system's clock and randomness.
            pub fn generate() -> Self {
                $name(new_ulid())
            }

            pub(super) fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }

            pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
                $name(Ulid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = ulid::DecodeError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ulid::from_string(text).map($name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

ulid_id!(
    /// A repository's own id, made at install or at first sight; it outlives paths and names.
    RepositoryId
);
ulid_id!(
    /// The id of a verdict that pushers and auditors see.
    VerdictId
);
ulid_id!(
    /// The id of a baseline.
    BaselineId
);

/// What a leaf is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeafKind {
    Repository,
    Verdict,
    Applied,
    Refused,
    Enrolled,
    Mainline,
    Baseline,
    BaselineUsed,
    Lineage,
    Note,
}

impl LeafKind {
    pub fn as_str(self) -> &'static str {
        match self {
            LeafKind::Repository => "repository",
            LeafKind::Verdict => "verdict",
            LeafKind::Applied => "applied",
            LeafKind::Refused => "refused",
            LeafKind::Enrolled => "enrolled",
            LeafKind::Mainline => "mainline",
            LeafKind::Baseline => "baseline",
            LeafKind::BaselineUsed => "baseline-used",
            LeafKind::Lineage => "lineage",
            LeafKind::Note => "note",
        }
    }
}

/// What the ledger's tables take from a leaf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Facts {
    Repository(RepositoryFacts),
    Verdict(VerdictFacts),
    Applied(AppliedFacts),
    Refused(RefusedFacts),
    Enrolled(EnrolledFacts),
    Mainline(MainlineFacts),
    Baseline(BaselineFacts),
    BaselineUsed(BaselineUsedFacts),
    Lineage(LineageFacts),
    /// Nothing but its document: a report access, a snapshot of refs.
    Note,
}

impl Facts {
    pub fn kind(&self) -> LeafKind {
        match self {
            Facts::Repository(_) => LeafKind::Repository,
            Facts::Verdict(_) => LeafKind::Verdict,
            Facts::Applied(_) => LeafKind::Applied,
            Facts::Refused(_) => LeafKind::Refused,
            Facts::Enrolled(_) => LeafKind::Enrolled,
            Facts::Mainline(_) => LeafKind::Mainline,
            Facts::Baseline(_) => LeafKind::Baseline,
            Facts::BaselineUsed(_) => LeafKind::BaselineUsed,
            Facts::Lineage(_) => LeafKind::Lineage,
            Facts::Note => LeafKind::Note,
        }
    }

    /// The packs in the order in which they are stored; empty ones are not.
    pub(super) fn packs_mut(&mut self) -> Vec<&mut Pack> {
        let packs: Vec<&mut Pack> = match self {
            Facts::Verdict(verdict) => verdict.updates.iter_mut().map(|update| &mut update.commits).collect(),
            Facts::Enrolled(enrolled) => enrolled.tips.iter_mut().map(|tips| &mut tips.ids).collect(),
            _ => Vec::new(),
        };
        packs.into_iter().filter(|pack| !pack.is_empty()).collect()
    }
}

/// Where a repository is from now on. The path is freed from whatever repository had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryFacts {
    pub id: RepositoryId,
    /// Canonical.
    pub path: String,
    /// What the forge calls it for good, `gitea:12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forge: Option<String>,
}

/// A verdict as far as later pushes depend on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictFacts {
    pub id: VerdictId,
    /// `None` where the server could not even tell which repository it was.
    pub repository: Option<RepositoryId>,
    pub received_at: Time,
    pub decision: Decision,
    /// False in mode `observe`; then nothing of it counts later.
    pub enforced: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<PersonId>,
    pub registry_epoch: u64,
    /// When that epoch was committed: what tells it from the same number in a restored registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_committed_at: Option<Time>,
    /// Refs that this push showed to be mainline.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "exact_refs")]
    pub mainline: Vec<RefName>,
    /// The persons, keys and approvals used, for the caller to compare when the ref is to move.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub dependencies: serde_json::Value,
    pub updates: Vec<UpdateFacts>,
}

/// One ref update of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateFacts {
    #[serde(rename = "ref", with = "exact_ref")]
    pub name: RefName,
    pub old: ObjectId,
    pub new: ObjectId,
    /// The level it was judged at; 0 is recorded, not judged.
    pub level: u8,
    pub fast_forward: bool,
    /// The judged commits, of refused pushes too.
    #[serde(default, skip_serializing_if = "Pack::is_empty")]
    pub commits: Pack,
}

/// Names one update of one verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UpdateId {
    /// Sequence number of the verdict's leaf.
    pub verdict: u64,
    /// Position in its list of updates.
    pub index: u32,
}

/// How the ledger knows that a ref moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppliedHow {
    /// Git said so while or after it moved the ref.
    Reported,
    /// The ref was found to stand where the update put it.
    OldValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedFacts {
    pub how: AppliedHow,
    pub updates: Vec<UpdateId>,
}

/// Updates that were accepted and then kept from their refs; they never count as applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFacts {
    pub updates: Vec<UpdateId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledFacts {
    pub repository: RepositoryId,
    pub tips: Vec<TipFacts>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "exact_refs")]
    pub mainline: Vec<RefName>,
}

/// Ids that a repository is trusted to have had when it was enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TipFacts {
    pub level: u8,
    pub ids: Pack,
}

/// The operator's word on what is mainline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MainlineFacts {
    pub repository: RepositoryId,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "exact_refs")]
    pub add: Vec<RefName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "exact_refs")]
    pub remove: Vec<RefName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineFacts {
    pub id: BaselineId,
    pub repository: RepositoryId,
    pub commit: ObjectId,
    #[serde(with = "exact_ref")]
    pub onto: RefName,
    /// The level of `onto`, which the commit's history counts for.
    pub level: u8,
    pub reason: String,
    /// It cannot be used from then on, unless it was used before.
    pub expires: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineUsedFacts {
    pub baseline: BaselineId,
    pub verdict: VerdictId,
}

/// What a new lineage starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "accept", rename_all = "kebab-case")]
pub enum Lineage {
    /// This leaf's own write time is the new floor.
    Clock,
    /// `epoch` is the new floor.
    Registry {
        epoch: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        committed_at: Option<Time>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageFacts {
    #[serde(flatten)]
    pub lineage: Lineage,
    pub reason: String,
}

#[derive(Serialize)]
struct LineOut<'a> {
    at: Time,
    facts: &'a Facts,
}

#[derive(Deserialize)]
struct LineIn {
    at: Time,
    facts: Facts,
}

/// One leaf as it was read back. Packs are summaries without their bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    pub seq: u64,
    /// When it was written.
    pub at: Time,
    pub facts: Facts,
    /// What the writer handed over, byte for byte.
    pub document: Vec<u8>,
}

impl Leaf {
    pub(super) fn encode(at: Time, facts: &Facts, document: &[u8]) -> Result<Vec<u8>, LedgerError> {
        // JSON as serde_json writes it holds no raw line feed, so the first one ends the line.
        let mut bytes = serde_json::to_vec(&LineOut { at, facts })
            .map_err(|error| LedgerError::Corrupt(format!("facts have no JSON form: {error}")))?;
        bytes.push(b'\n');
        bytes.extend_from_slice(document);
        if bytes.len() > LEAF_MAX {
            return Err(LedgerError::TooLarge { what: "leaf", size: bytes.len(), max: LEAF_MAX });
        }
        Ok(bytes)
    }

    pub fn decode(seq: u64, bytes: &[u8]) -> Result<Leaf, LedgerError> {
        let bad = |reason: String| LedgerError::BadLeaf { seq, reason };
        let end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(|| bad("it has no line of facts".into()))?;
        let (line, rest) = bytes.split_at(end);
        let line: LineIn = serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        let document = rest.get(1..).unwrap_or_default().to_vec();
        Ok(Leaf { seq, at: line.at, facts: line.facts, document })
    }
}

/// Ref names as text where they are UTF-8, else `{"hex":"…"}`: a leaf must give the exact bytes back.
mod exact_ref {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Exact {
        Text(String),
        Bytes { hex: String },
    }

    impl From<&RefName> for Exact {
        fn from(name: &RefName) -> Self {
            match std::str::from_utf8(name.as_bytes()) {
                Ok(text) => Exact::Text(text.to_owned()),
                Err(_) => Exact::Bytes { hex: hex::encode(name.as_bytes()) },
            }
        }
    }

    impl TryFrom<Exact> for RefName {
        type Error = hex::FromHexError;
        fn try_from(exact: Exact) -> Result<Self, Self::Error> {
            match exact {
                Exact::Text(text) => Ok(RefName::new(text.as_bytes())),
                Exact::Bytes { hex } => hex::decode(hex).map(|bytes| RefName::new(&bytes)),
            }
        }
    }

    pub fn serialize<S: Serializer>(name: &RefName, serializer: S) -> Result<S::Ok, S::Error> {
        Exact::from(name).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RefName, D::Error> {
        RefName::try_from(Exact::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

mod exact_refs {
    use super::exact_ref::Exact;
    use super::*;

    pub fn serialize<S: Serializer>(names: &[RefName], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(names.iter().map(Exact::from))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RefName>, D::Error> {
        let exact = Vec::<Exact>::deserialize(deserializer)?;
        exact.into_iter().map(|name| RefName::try_from(name).map_err(serde::de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_gives_back_the_exact_ref_and_document() {
        let odd = RefName::new(b"refs/heads/\xff\n\"");
        let plain = RefName::new("refs/heads/größe".as_bytes());
        let facts = Facts::Mainline(MainlineFacts {
            repository: RepositoryId::generate(),
            add: vec![odd, plain],
            remove: Vec::new(),
        });
        let at = "2026-11-23T17:00:01.5Z".parse().unwrap();
        let document = b"{ \"a\": 1.0,\n\"b\":2 }\n";
        let bytes = Leaf::encode(at, &facts, document).unwrap();
        let leaf = Leaf::decode(7, &bytes).unwrap();
        assert_eq!(leaf, Leaf { seq: 7, at, facts, document: document.to_vec() });
    }

    #[test]
    fn every_kind_is_spelt_alike_in_the_leaf_and_in_the_table() {
        let lineage = |lineage| Facts::Lineage(LineageFacts { lineage, reason: "restored".into() });
        let used = BaselineUsedFacts { baseline: BaselineId::generate(), verdict: VerdictId::generate() };
        for facts in [
            Facts::Note,
            lineage(Lineage::Clock),
            lineage(Lineage::Registry { epoch: 7, committed_at: None }),
            Facts::BaselineUsed(used),
        ] {
            let json = serde_json::to_value(&facts).unwrap();
            assert_eq!(json["kind"], facts.kind().as_str());
            assert_eq!(serde_json::from_value::<Facts>(json).unwrap(), facts);
        }
    }

    #[test]
    fn bytes_that_are_no_leaf_are_named() {
        for bytes in [&b""[..], b"{}", b"{}\n", b"{\"at\":\"2026-11-23T17:00:01Z\",\"facts\":{\"kind\":\"other\"}}\n"] {
            let error = Leaf::decode(3, bytes).unwrap_err();
            assert!(error.to_string().contains("leaf 3"), "{error}");
        }
    }
}
