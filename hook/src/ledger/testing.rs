//! What the ledger's tests have in common.

use super::*;
use countersign_policy::id::{Fingerprint, ObjectId, PersonId, RefName};
use countersign_policy::time::Time;
use countersign_policy::verdict::Decision;

pub const WAIT: Duration = Duration::from_secs(60);

pub fn new_ledger() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(&folder.path().join("ledger.db")).unwrap();
    (folder, ledger)
}

/// Seconds after the tests' beginning of time.
pub fn at(second: i64) -> Time {
    Time::from_unix_seconds(1_800_000_000 + second)
}

pub fn id(n: u32) -> ObjectId {
    let mut bytes = [1; 20];
    // Spread over the whole range, as real ids are.
    bytes[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[16..].copy_from_slice(&n.to_be_bytes());
    ObjectId::from_bytes(&bytes).unwrap()
}

pub fn zero() -> ObjectId {
    ObjectId::zero(countersign_policy::id::ObjectFormat::Sha1)
}

pub fn main_ref() -> RefName {
    RefName::new(b"refs/heads/main")
}

pub fn signer(person: &str) -> Signer {
    Signer {
        key: Fingerprint::new(&format!("SHA256:{person}")).unwrap(),
        person: PersonId::new(person).unwrap(),
        authority: None,
        format: "ssh".into(),
    }
}

pub fn pack(ids: impl IntoIterator<Item = u32>, signer: &Signer) -> Pack {
    let mut builder = PackBuilder::new();
    ids.into_iter().for_each(|n| builder.add(id(n), Some(signer), None).unwrap());
    builder.build().unwrap()
}

pub fn repository(ledger: &mut Ledger, path: &str) -> RepositoryId {
    let id = RepositoryId::generate();
    let facts = RepositoryFacts { id, path: path.into(), forge: None };
    ledger.write(WAIT, at(0), |w| w.place_repository(facts, b"{}")).unwrap();
    id
}

/// An enforced acceptance without updates.
pub fn verdict(repository: Option<RepositoryId>, received_at: Time, registry_epoch: u64) -> VerdictFacts {
    VerdictFacts {
        id: VerdictId::generate(),
        repository,
        received_at,
        decision: Decision::Accept,
        enforced: true,
        pusher: None,
        registry_epoch,
        registry_committed_at: None,
        mainline: Vec::new(),
        dependencies: serde_json::Value::Null,
        updates: Vec::new(),
    }
}

/// A fast-forward of `main` at level 2.
pub fn update(old: ObjectId, new: ObjectId, commits: Pack) -> UpdateFacts {
    UpdateFacts { name: main_ref(), old, new, level: 2, fast_forward: true, commits }
}

/// An accepted push at `second` with one update, not yet applied.
pub fn push(ledger: &mut Ledger, repository: RepositoryId, second: i64, update: UpdateFacts) -> UpdateId {
    let facts = VerdictFacts { updates: vec![update], ..verdict(Some(repository), at(second), 1) };
    record(ledger, second, facts)
}

pub fn record(ledger: &mut Ledger, second: i64, facts: VerdictFacts) -> UpdateId {
    let verdict = ledger.write(WAIT, at(second), |w| w.verdict(facts, b"{}")).unwrap();
    UpdateId { verdict, index: 0 }
}

pub fn apply(ledger: &mut Ledger, second: i64, update: UpdateId) {
    ledger.write(WAIT, at(second), |w| w.applied(&[update], b"{}")).unwrap();
}

pub fn assert_sound(ledger: &Ledger) {
    assert_eq!(ledger.read().verify(|_, _| {}).unwrap().faults, vec![]);
}
