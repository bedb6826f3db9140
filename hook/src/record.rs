//! From judgement to verdict, and from verdict to ledger.

use crate::judge::{Judgement, Relied};
use crate::ledger::{Ledger, LedgerError, RepositoryFacts, RepositoryId, VerdictFacts, VerdictId};
use crate::site::{self, Known};
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::keyring::{Authority, Keyring, KeyringError, RepositoryNames};
use countersign_policy::sha256::sha256;
use countersign_policy::time::Time;
use countersign_policy::verdict::Verdict;
use countersign_registry::PublishedKeyring;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What an accepting verdict rests on: as long as none of it changed or ended, the verdict is as good as new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependencies {
    /// Judged while the ref was being moved, not at a push; then nobody else reports it applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_transaction: bool,
    pub persons: Vec<PersonDependency>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<AuthorityDependency>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonDependency {
    pub id: PersonId,
    /// Hex digest of the person's published record.
    pub record: String,
    /// When the record itself, or the key used, says something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// An SSH CA or X.509 root on whose word a key was believed. No person's record knows what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityDependency {
    pub fingerprint: Fingerprint,
    /// Hex digest of the published record.
    pub record: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl Dependencies {
    pub fn of(
        relied_on: &BTreeMap<PersonId, Relied>,
        authorities: &BTreeSet<Fingerprint>,
        keyring: &PublishedKeyring,
        now: Time,
        in_transaction: bool,
    ) -> Result<Self, KeyringError> {
        let mut persons = Vec::new();
        for (id, relied) in relied_on {
            let until = [relied.person.next_change(now), relied.good_until.filter(|until| *until > now)];
            let until = until.into_iter().flatten().min();
            persons.push(PersonDependency { id: id.clone(), record: record_digest(keyring, id)?, until });
        }
        let known = keyring.authorities()?;
        let authorities = authorities
            .iter()
            .map(|fingerprint| {
                let found = known.find(fingerprint);
                let until = found.and_then(|authority| authority.next_change(now));
                AuthorityDependency { fingerprint: fingerprint.clone(), record: authority_digest(found), until }
            })
            .collect();
        Ok(Dependencies { in_transaction, persons, authorities })
    }

    /// The first person or authority whose record changed or ended since; `None` when all stands as it stood.
    pub fn broken(&self, keyring: &PublishedKeyring, now: Time) -> Result<Option<&str>, KeyringError> {
        for person in &self.persons {
            if person.until.is_some_and(|until| until <= now) || record_digest(keyring, &person.id)? != person.record {
                return Ok(Some(person.id.as_str()));
            }
        }
        let known = keyring.authorities()?;
        let broken = self.authorities.iter().find(|authority| {
            authority.until.is_some_and(|until| until <= now)
                || authority_digest(known.find(&authority.fingerprint)) != authority.record
        });
        Ok(broken.map(|authority| authority.fingerprint.as_str()))
    }
}

fn record_digest(keyring: &PublishedKeyring, id: &PersonId) -> Result<String, KeyringError> {
    Ok(keyring.person_digest(id)?.map(hex::encode).unwrap_or_default())
}

/// Empty for an authority that is not there, as for a person.
fn authority_digest(authority: Option<&Authority>) -> String {
    let record = authority.and_then(|authority| serde_json::to_vec(authority).ok());
    record.map(|record| hex::encode(sha256([record.as_slice()]))).unwrap_or_default()
}

/// Everything that goes into one ledger transaction.
#[derive(Debug)]
pub struct Entry<'a> {
    pub id: VerdictId,
    pub verdict: &'a Verdict,
    pub judgement: &'a mut Judgement,
    /// `None`: the repository could not be told.
    pub repository: Option<&'a Known>,
    pub names: Option<&'a RepositoryNames>,
    pub forge_id: Option<String>,
    pub dependencies: &'a Dependencies,
    /// When the registry's epoch was committed.
    pub committed_at: Option<Time>,
}

/// Writes the verdict and what it proves, durably. Gives the repository's id.
pub fn write(
    ledger: &mut Ledger,
    entry: Entry<'_>,
    wait: Duration,
    now: Time,
) -> Result<Option<RepositoryId>, LedgerError> {
    let bad =
        |error: serde_json::Error| LedgerError::Corrupt(format!("a verdict could not be written as JSON: {error}"));
    let dependencies = serde_json::to_value(entry.dependencies).map_err(bad)?;
    let mut verdict = entry.verdict.clone();
    let judgement = entry.judgement;
    ledger.write(wait, now, |writer| {
        let mut repository = entry.repository.and_then(Known::id);
        if let (Some(Known::Unnamed(id)), Some(names)) = (entry.repository, entry.names) {
            let facts = RepositoryFacts { id: *id, path: names.path.clone(), forge: entry.forge_id.clone() };
            writer.place_repository(facts, b"{}")?;
        }
        if let (Some(Known::New | Known::Moved(_)), Some(names)) = (entry.repository, entry.names) {
            // Two first pushes at once must not make two repositories of one;
            // but what a forge made anew in the place of a deleted one is another.
            let there = if repository.is_none() { writer.read().repository_at(&names.path)? } else { None };
            let there = there.filter(|known| !site::is_replaced(known, entry.forge_id.as_deref()));
            repository = repository.or(there.as_ref().map(|known| known.id));
            if there.is_none() {
                let id = *repository.get_or_insert_with(RepositoryId::generate);
                let facts = RepositoryFacts { id, path: names.path.clone(), forge: entry.forge_id.clone() };
                writer.place_repository(facts, b"{}")?;
            }
        }
        verdict.repository.id = repository.map(|id| id.to_string());
        let document = serde_json::to_vec(&verdict).map_err(bad)?;
        if let Some(id) = &repository {
            for (name, old) in &judgement.applied_by_old_value {
                writer.note_old_value(id, name, old, b"{}")?;
            }
        }
        let facts = VerdictFacts {
            id: entry.id,
            repository,
            received_at: verdict.received_at,
            decision: verdict.decision,
            enforced: verdict.enforced,
            pusher: verdict.pusher.person.clone(),
            registry_epoch: verdict.registry_epoch,
            registry_committed_at: entry.committed_at,
            mainline: std::mem::take(&mut judgement.mainline),
            dependencies,
            updates: std::mem::take(&mut judgement.updates),
        };
        writer.verdict(facts, &document)?;
        if verdict.decision == countersign_policy::verdict::Decision::Accept && verdict.enforced {
            for baseline in &judgement.baselines_used {
                writer.claim_baseline(*baseline, entry.id, b"{}")?;
            }
        }
        Ok(repository)
    })
}
