//! The look-up index of receipts: which packs are put into it, and when.

use super::pack::Entry;
use super::receipt::{body, view};
use super::{Ledger, LedgerError, RepositoryId, column, repository, signer};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::time::Duration;

/// Ids folded in one transaction: about 30 ms, so that no push waits long for it.
const FOLD_STEP: u64 = 2_000;

/// Packs of a repository that stay out of the index, the largest: to search them all costs a reader 0.2 ms, to fold one
/// of ten thousand ids costs the push that does it more than 10.
const KEPT: u64 = 8;

impl Ledger {
    /// Where a repository has too many packs out of the index, puts up to `budget` ids into it, in small transactions
    /// that each wait at most `wait`; for after the answer to the pusher.
    pub fn fold_index(&mut self, repository: &RepositoryId, wait: Duration, budget: u64) -> Result<(), LedgerError> {
        self.fold_all_but(KEPT, repository, wait, budget)
    }

    pub(super) fn fold_all_but(
        &mut self,
        kept: u64,
        repository: &RepositoryId,
        wait: Duration,
        budget: u64,
    ) -> Result<(), LedgerError> {
        let Some(repo) = repository::number(&self.connection, repository)? else { return Ok(()) };
        let mut left = budget;
        // Asked before anybody has to wait for us.
        while left > 0 && waiting(&self.connection, repo)? > kept {
            let step = left.min(FOLD_STEP);
            match self.transaction(wait, |connection| fold_some(connection, repo, step))? {
                0 => break,
                folded => left = left.saturating_sub(folded),
            }
        }
        Ok(())
    }
}

/// Packs of the repository that the index does not hold yet.
fn waiting(connection: &Connection, repo: i64) -> Result<u64, LedgerError> {
    let mut count = connection.prepare_cached("SELECT count(*) FROM unfolded WHERE repo = ?1")?;
    Ok(count.query_row([repo], |row| column::seq(row, 0))?)
}

/// What was begun is ended first.
fn fold_some(connection: &Connection, repo: i64, most: u64) -> Result<u64, LedgerError> {
    let smallest = connection
        .prepare_cached(
            "SELECT f.pack, f.done FROM unfolded f JOIN pack p ON p.num = f.pack WHERE f.repo = ?1
             ORDER BY f.done = 0, p.count, p.num LIMIT 1",
        )?
        .query_row([repo], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?)))
        .optional()?;
    let Some((pack, done)) = smallest else { return Ok(0) };
    let bytes = body(connection, pack)?;
    let entries: Vec<Entry> = view(pack, &bytes)?.entries().skip(done as usize).collect();
    let now = entries.len().min(usize::try_from(most).unwrap_or(usize::MAX));
    index(connection, repo, pack, entries.iter().take(now))?;
    if now == entries.len() {
        connection.prepare_cached("DELETE FROM unfolded WHERE repo = ?1 AND pack = ?2")?.execute([repo, pack])?;
    } else {
        let folded = u32::try_from(now).unwrap_or(u32::MAX);
        connection
            .prepare_cached("UPDATE unfolded SET done = done + ?3 WHERE repo = ?1 AND pack = ?2")?
            .execute(params![repo, pack, folded])?;
    }
    // At least one, so that an emptied pack is no reason to stop.
    Ok(now.max(1) as u64)
}

/// Puts the ids that came in well into the index.
pub(super) fn index<'a>(
    connection: &Connection,
    repo: i64,
    pack: i64,
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<(), LedgerError> {
    let mut signers: HashMap<u16, i64> = HashMap::new();
    let mut insert = connection.prepare_cached(
        "INSERT INTO receipt (repo, id, pack, signer) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    for entry in entries.filter(|entry| entry.finding.is_none()) {
        let signer = match entry.signer {
            None => None,
            Some(at) => Some(match signers.get(&at) {
                Some(&number) => number,
                None => *signers.entry(at).or_insert(signer::of_pack(connection, pack, at)?),
            }),
        };
        insert.execute(params![repo, entry.id.as_bytes(), pack, signer])?;
    }
    Ok(())
}
