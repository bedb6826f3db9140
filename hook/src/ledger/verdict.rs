//! Verdicts: what was decided, about whom, and on which commits.

use super::column::to_sql;
use super::fold::Bodies;
use super::leaf::{Facts, UpdateId, VerdictFacts, VerdictId};
use super::pack::{Pack, Signer};
use super::{LedgerError, Reader, Writer, column, receipt, repository, update};
use countersign_policy::id::{ObjectId, PersonId};
use countersign_policy::time::Time;
use countersign_policy::verdict::Decision;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One verdict as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictRecord {
    pub seq: u64,
    /// When the leaf was written.
    pub written_at: Time,
    /// Packs are summaries; [`Reader::commits_of_verdict`] reads them.
    pub facts: VerdictFacts,
    /// What the hook handed over, byte for byte.
    pub document: Vec<u8>,
}

/// One judged commit of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRow {
    /// Which of the verdict's updates brought it.
    pub update: u32,
    pub id: ObjectId,
    pub signer: Option<Arc<Signer>>,
    /// The id of the finding for which it was not accepted.
    pub refused: Option<Arc<str>>,
}

impl Reader<'_> {
    pub fn verdict(&self, id: &VerdictId) -> Result<Option<VerdictRecord>, LedgerError> {
        let seq = self
            .connection
            .prepare_cached("SELECT seq FROM verdict WHERE id = ?1")?
            .query_row([id.to_bytes()], |row| column::seq(row, 0))
            .optional()?;
        seq.map_or(Ok(None), |seq| self.verdict_at(seq))
    }

    /// The verdict at this leaf, if it is one.
    pub fn verdict_at(&self, seq: u64) -> Result<Option<VerdictRecord>, LedgerError> {
        Ok(self.leaf(seq)?.and_then(|leaf| match leaf.facts {
            Facts::Verdict(facts) => Some(VerdictRecord { seq, written_at: leaf.at, facts, document: leaf.document }),
            _ => None,
        }))
    }

    /// Verdicts on pushes by this person, or with commits that the person signed, newest first:
    /// at most `limit`, older than the leaf `before`.
    pub fn verdicts_of(
        &self,
        person: &PersonId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<VerdictRecord>, LedgerError> {
        let before = before.map_or(Ok(i64::MAX), to_sql)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT seq FROM verdict_person WHERE person = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
        )?;
        let numbers: Vec<u64> = statement
            .query_map(params![person.as_str(), before, limit], |row| column::seq(row, 0))?
            .collect::<Result<_, _>>()?;
        numbers.into_iter().filter_map(|seq| self.verdict_at(seq).transpose()).collect()
    }

    /// Every commit that the verdict at this leaf judged, with what was found; the packs are
    /// checked against the digests in the leaf.
    pub fn commits_of_verdict(&self, seq: u64) -> Result<Vec<CommitRow>, LedgerError> {
        let Some(verdict) = self.verdict_at(seq)? else { return Ok(Vec::new()) };
        let mut commits = Vec::new();
        for (update, mut pack) in (0u32..).zip(verdict.facts.updates.into_iter().map(|update| update.commits)) {
            if pack.is_empty() {
                continue;
            }
            let bytes = receipt::body_of(self.connection, UpdateId { verdict: seq, index: update })?;
            let bytes = bytes.ok_or_else(|| "its commit pack is missing".to_owned());
            bytes.and_then(|bytes| pack.fill(bytes)).map_err(|reason| LedgerError::BadLeaf { seq, reason })?;
            rows(update, &pack, &mut commits);
        }
        Ok(commits)
    }
}

fn rows(update: u32, pack: &Pack, out: &mut Vec<CommitRow>) {
    let signers: Vec<Arc<Signer>> = pack.signers().iter().cloned().map(Arc::new).collect();
    let findings: Vec<Arc<str>> = pack.findings().iter().map(|finding| Arc::from(finding.as_str())).collect();
    out.extend(pack.entries().into_iter().map(|entry| CommitRow {
        update,
        id: entry.id,
        signer: entry.signer.and_then(|at| signers.get(usize::from(at)).cloned()),
        refused: entry.finding.and_then(|at| findings.get(usize::from(at)).cloned()),
    }));
}

impl Writer<'_> {
    /// Puts a verdict on record, `document` being its full JSON.
    pub fn verdict(&mut self, facts: VerdictFacts, document: &[u8]) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Verdict(facts), document)
    }
}

pub(super) fn record(
    connection: &Connection,
    seq: u64,
    facts: &VerdictFacts,
    bodies: Bodies,
) -> Result<(), LedgerError> {
    let repo = facts.repository.map(|id| repository::known(connection, &id)).transpose()?;
    connection
        .prepare_cached("INSERT INTO verdict (seq, id, repo, at, decision, enforced) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            to_sql(seq)?,
            facts.id.to_bytes(),
            repo,
            facts.received_at.unix_millis(),
            column::decision_name(facts.decision),
            facts.enforced,
        ])?;
    let signers = facts.updates.iter().flat_map(|update| update.commits.signers()).map(|signer| &signer.person);
    let mut by_person = connection.prepare_cached("INSERT INTO verdict_person (person, seq) VALUES (?1, ?2)")?;
    for person in facts.pusher.iter().chain(signers).collect::<BTreeSet<_>>() {
        by_person.execute(params![person.as_str(), to_sql(seq)?])?;
    }
    // Whoever is refused adds nothing to what a repository remembers.
    if let Some(repo) = repo.filter(|_| facts.decision == Decision::Accept || !facts.enforced) {
        repository::add_mainline(connection, seq, repo, &facts.mainline)?;
    }
    for (index, update) in (0u32..).zip(&facts.updates) {
        let counts = facts.enforced && facts.decision == Decision::Accept && !update.new.is_zero();
        let grants = if counts { update.level } else { 0 };
        if let Some(repo) = repo {
            update::record(connection, UpdateId { verdict: seq, index }, repo, facts.received_at, update, grants)?;
        }
        let place = receipt::Place { seq, index, repo, tips: false, level: grants };
        receipt::store_pack(connection, place, &update.commits, bodies)?;
    }
    Ok(())
}
