//! Ref updates, whether they reached their refs, and the tips that are trusted for it.

use super::column::to_sql;
use super::leaf::{AppliedFacts, AppliedHow, Facts, RefusedFacts, RepositoryId, UpdateFacts, UpdateId, VerdictId};
use super::{LedgerError, Reader, Writer, baseline, column, receipt, repository};
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::time::Time;
use countersign_policy::verdict::Decision;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Most verdicts looked at for one ref, old and new value; the newest is the one that matters.
const PENDING_MAX: i64 = 16;

/// What became of an update after its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateState {
    /// Nothing is known: never applied, or not yet.
    Open,
    Applied(Time),
    /// Kept from its ref after the verdict.
    Refused(Time),
}

/// One ref update of one verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub id: UpdateId,
    pub verdict: VerdictId,
    /// When the server received the push.
    pub at: Time,
    pub name: RefName,
    pub old: ObjectId,
    pub new: ObjectId,
    /// 0: recorded, not judged.
    pub level: u8,
    pub fast_forward: bool,
    pub decision: Decision,
    pub enforced: bool,
    pub state: UpdateState,
}

const COLUMNS: &str = "SELECT u.seq, u.idx, v.id, u.at, u.ref, u.old, u.new, u.level, u.fast_forward, v.decision,
    v.enforced, u.applied_at, u.refused_at FROM ref_update u JOIN verdict v ON v.seq = u.seq";

fn update(row: &Row<'_>) -> rusqlite::Result<Update> {
    let state = match (column::optional_time(row, 11)?, column::optional_time(row, 12)?) {
        (Some(at), _) => UpdateState::Applied(at),
        (None, Some(at)) => UpdateState::Refused(at),
        (None, None) => UpdateState::Open,
    };
    Ok(Update {
        id: UpdateId { verdict: column::seq(row, 0)?, index: row.get(1)? },
        verdict: VerdictId::from_bytes(row.get(2)?),
        at: column::time(row, 3)?,
        name: column::ref_name(row, 4)?,
        old: column::object_id(row, 5)?,
        new: column::object_id(row, 6)?,
        level: row.get(7)?,
        fast_forward: row.get(8)?,
        decision: column::decision(row, 9)?,
        enforced: row.get(10)?,
        state,
    })
}

impl Reader<'_> {
    /// The verdicts on moving this ref from `old` to `new`, newest first. Without `old`, which git
    /// does not always tell of a deletion, whatever the old value was.
    pub fn pending(
        &self,
        repository: &RepositoryId,
        name: &RefName,
        old: Option<&ObjectId>,
        new: &ObjectId,
    ) -> Result<Vec<Update>, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare_cached(&format!(
            "{COLUMNS} WHERE u.repo = ?1 AND u.ref = ?2 AND u.new = ?3 AND (?4 IS NULL OR u.old = ?4)
             ORDER BY u.seq DESC, u.idx DESC LIMIT ?5"
        ))?;
        let old = old.map(ObjectId::as_bytes);
        let rows = statement.query_map(params![repo, name.as_bytes(), new.as_bytes(), old, PENDING_MAX], update)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The updates of the verdict at this leaf, in their order.
    pub fn updates_of_verdict(&self, verdict: u64) -> Result<Vec<Update>, LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} WHERE u.seq = ?1 ORDER BY u.idx"))?;
        let rows = statement.query_map([to_sql(verdict)?], update)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The updates that reached this ref, oldest first: each old value should be the new one before it.
    pub fn applied_on(&self, repository: &RepositoryId, name: &RefName) -> Result<Vec<Update>, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare_cached(&format!(
            "{COLUMNS} WHERE u.repo = ?1 AND u.ref = ?2 AND u.applied_at IS NOT NULL ORDER BY u.seq, u.idx"
        ))?;
        let rows = statement.query_map(params![repo, name.as_bytes()], update)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The accepted update that must have put `current` on this ref, though nobody reported it.
    /// Before judging, [`Writer::note_old_value`] makes it count.
    pub fn unreported(
        &self,
        repository: &RepositoryId,
        name: &RefName,
        current: &ObjectId,
    ) -> Result<Option<UpdateId>, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(None) };
        unreported(self.connection, repo, name.as_bytes(), current.as_bytes(), i64::MAX)
    }

    /// The highest level at which this repository's ledger vouches for `id`: as the new value of an
    /// enforced, accepted and applied update, as enrolled, or as a baseline that was used. An unused one
    /// counts only for its own ref, which the caller knows.
    pub fn trusted_level(&self, repository: &RepositoryId, id: &ObjectId) -> Result<Option<u8>, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(None) };
        let by_update: Option<u8> = self
            .connection
            .prepare_cached(
                "SELECT max(grants) FROM ref_update WHERE repo = ?1 AND new = ?2 AND applied_at IS NOT NULL AND grants > 0",
            )?
            .query_row(params![repo, id.as_bytes()], |row| row.get(0))?;
        let by_baseline: Option<u8> = self
            .connection
            .prepare_cached(
                "SELECT max(level) FROM baseline
                 WHERE repo = ?1 AND commit_id = ?2 AND level > 0 AND used_at IS NOT NULL",
            )?
            .query_row(params![repo, id.as_bytes()], |row| row.get(0))?;
        Ok(by_update.max(by_baseline).max(receipt::enrolled_level(self.connection, repo, id)?))
    }

    /// Trusted tips of at least `min_level` that reach all others: those that a later fast-forward
    /// left behind are missing. Sorted, each once.
    pub fn maximal_tips(&self, repository: &RepositoryId, min_level: u8) -> Result<Vec<ObjectId>, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(Vec::new()) };
        let min_level = min_level.max(1);
        let mut tips = receipt::enrolled(self.connection, repo, min_level)?;
        let mut gather = |sql: &str| -> Result<(), LedgerError> {
            let mut statement = self.connection.prepare_cached(sql)?;
            for tip in statement.query_map(params![repo, min_level], |row| column::object_id(row, 0))? {
                tips.push(tip?);
            }
            Ok(())
        };
        gather(
            "SELECT new FROM ref_update WHERE repo = ?1 AND grants >= ?2
             AND applied_at IS NOT NULL AND grants > 0 AND superseded = 0",
        )?;
        gather("SELECT commit_id FROM baseline WHERE repo = ?1 AND level >= ?2 AND used_at IS NOT NULL")?;
        tips.sort_unstable();
        tips.dedup();
        Ok(tips)
    }
}

impl Writer<'_> {
    /// Git reported that these updates reached their refs.
    pub fn applied(&mut self, updates: &[UpdateId], document: &[u8]) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Applied(AppliedFacts { how: AppliedHow::Reported, updates: updates.to_vec() }), document)
    }

    /// These updates were kept from their refs after an accepting verdict.
    pub fn refused(&mut self, updates: &[UpdateId], document: &[u8]) -> Result<u64, LedgerError> {
        self.leaf(&Facts::Refused(RefusedFacts { updates: updates.to_vec() }), document)
    }

    /// The ref stands at `current`: the accepted update that put it there was applied, reported or
    /// not. Says whether there was one to note.
    ///
    /// `current` must be the server's own reading of the ref, never the value that a client sent,
    /// or a client could declare its refused push applied.
    pub fn note_old_value(
        &mut self,
        repository: &RepositoryId,
        name: &RefName,
        current: &ObjectId,
        document: &[u8],
    ) -> Result<bool, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(false) };
        match unreported(self.connection, repo, name.as_bytes(), current.as_bytes(), i64::MAX)? {
            Some(id) => {
                let facts = AppliedFacts { how: AppliedHow::OldValue, updates: vec![id] };
                self.leaf(&Facts::Applied(facts), document).map(|_| true)
            }
            None => Ok(false),
        }
    }
}

/// The newest update before `before` that put `new` on the ref, if it would be trusted and nobody
/// reported it.
fn unreported(
    connection: &Connection,
    repo: i64,
    name: &[u8],
    new: &[u8],
    before: i64,
) -> Result<Option<UpdateId>, LedgerError> {
    let newest = connection
        .prepare_cached(
            "SELECT seq, idx, applied_at IS NULL FROM ref_update
             WHERE repo = ?1 AND ref = ?2 AND new = ?3 AND seq < ?4
             AND (applied_at IS NOT NULL OR (grants > 0 AND refused_at IS NULL)) ORDER BY seq DESC, idx DESC LIMIT 1",
        )?
        .query_row(params![repo, name, new, before], |row| {
            Ok((UpdateId { verdict: column::seq(row, 0)?, index: row.get(1)? }, row.get::<_, bool>(2)?))
        })
        .optional()?;
    Ok(newest.and_then(|(id, open)| open.then_some(id)))
}

/// One update of a verdict. Only what the server enforced and accepted can ever be trusted,
/// and a deletion leaves nothing to trust.
pub(super) fn record(
    connection: &Connection,
    id: UpdateId,
    repo: i64,
    at: Time,
    facts: &UpdateFacts,
    grants: u8,
) -> Result<(), LedgerError> {
    connection
        .prepare_cached(
            "INSERT INTO ref_update (seq, idx, repo, ref, old, new, level, grants, fast_forward, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            to_sql(id.verdict)?,
            id.index,
            repo,
            facts.name.as_bytes(),
            facts.old.as_bytes(),
            facts.new.as_bytes(),
            facts.level,
            grants,
            facts.fast_forward,
            at.unix_millis(),
        ])?;
    Ok(())
}

/// Marks an update applied, and with it the unreported ones that its old value proves.
pub(super) fn apply(connection: &Connection, id: UpdateId, now: Time) -> Result<(), LedgerError> {
    // Newest first; it ends because each is older than the one before.
    let mut proven = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next.take() {
        let update = Move::read(connection, id)?.ok_or(LedgerError::UnknownUpdate(id))?;
        if !update.open {
            break;
        }
        if !update.old.is_zero() && update.old != update.new {
            next = unreported(connection, update.repo, &update.name, update.old.as_bytes(), to_sql(id.verdict)?)?;
        }
        proven.push(update);
    }
    proven.iter().rev().try_for_each(|update| update.mark_applied(connection, now))
}

/// What applying an update needs to know of it.
struct Move {
    id: UpdateId,
    repo: i64,
    name: Vec<u8>,
    old: ObjectId,
    new: ObjectId,
    grants: u8,
    fast_forward: bool,
    at: Time,
    open: bool,
}

impl Move {
    fn read(connection: &Connection, id: UpdateId) -> Result<Option<Move>, LedgerError> {
        let mut statement = connection.prepare_cached(
            "SELECT repo, ref, old, new, grants, fast_forward, at, applied_at IS NULL AND refused_at IS NULL
             FROM ref_update WHERE seq = ?1 AND idx = ?2",
        )?;
        let found = statement.query_row(params![to_sql(id.verdict)?, id.index], |row| {
            Ok(Move {
                id,
                repo: row.get(0)?,
                name: row.get(1)?,
                old: column::object_id(row, 2)?,
                new: column::object_id(row, 3)?,
                grants: row.get(4)?,
                fast_forward: row.get(5)?,
                at: column::time(row, 6)?,
                open: row.get(7)?,
            })
        });
        Ok(found.optional()?)
    }

    fn mark_applied(&self, connection: &Connection, now: Time) -> Result<(), LedgerError> {
        if self.grants > 0 {
            receipt::note_keys(connection, self.repo, self.id, self.at)?;
            if self.fast_forward && self.old != self.new {
                connection
                    .prepare_cached(
                        "UPDATE ref_update SET superseded = 1 WHERE repo = ?1 AND ref = ?2 AND new = ?3
                         AND applied_at IS NOT NULL AND grants > 0 AND grants <= ?4",
                    )?
                    .execute(params![self.repo, self.name, self.old.as_bytes(), self.grants])?;
            }
        }
        connection
            .prepare_cached("UPDATE ref_update SET applied_at = ?3 WHERE seq = ?1 AND idx = ?2")?
            .execute(params![to_sql(self.id.verdict)?, self.id.index, now.unix_millis()])?;
        if self.grants > 0 {
            baseline::mark_used(connection, to_sql(self.id.verdict)?, self.repo, &self.name, now)?;
        }
        Ok(())
    }
}

pub(super) fn refuse(connection: &Connection, id: UpdateId, now: Time) -> Result<(), LedgerError> {
    let (seq, index) = (to_sql(id.verdict)?, id.index);
    let known = connection
        .prepare_cached("UPDATE ref_update SET refused_at = ifnull(refused_at, ?3) WHERE seq = ?1 AND idx = ?2")?
        .execute(params![seq, index, now.unix_millis()])?;
    if known == 0 { Err(LedgerError::UnknownUpdate(id)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{
        BaselineFacts, BaselineId, Ledger, Pack, RepositoryId, TipFacts, UpdateFacts, UpdateId, UpdateState,
        VerdictFacts,
    };
    use countersign_policy::id::{ObjectId, RefName};
    use countersign_policy::verdict::Decision;

    fn has_receipt(ledger: &Ledger, repo: &RepositoryId, n: u32) -> bool {
        let found = ledger.read().receipt_at_level(repo, &id(n), 1).unwrap();
        assert_eq!(found, ledger.read().receipts(repo, &[id(n)]).unwrap().contains_key(&id(n)));
        found
    }

    #[test]
    fn only_an_enforced_accepted_applied_update_of_a_level_counts() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        let other = repository(&mut ledger, "/srv/b.git");
        let alice = signer("alice");
        let facts = |n: u32| VerdictFacts {
            updates: vec![update(id(100), id(n), pack([n], &alice))],
            ..verdict(Some(repo), at(10), 1)
        };
        let mut refused = facts(1);
        refused.decision = Decision::Deny;
        let mut undecided = facts(2);
        undecided.decision = Decision::Undecided;
        let mut observed = facts(3);
        observed.enforced = false;
        let mut recorded = facts(4);
        recorded.updates[0].level = 0;
        for facts in [refused, undecided, observed, recorded] {
            let update = record(&mut ledger, 10, facts);
            apply(&mut ledger, 11, update);
        }
        let open = record(&mut ledger, 10, facts(5));
        let kept_off = record(&mut ledger, 10, facts(6));
        ledger.write(WAIT, at(11), |w| w.refused(&[kept_off], b"{}")).unwrap();
        apply(&mut ledger, 12, kept_off);
        for n in 1..=6 {
            assert!(!has_receipt(&ledger, &repo, n), "{n}");
            assert_eq!(ledger.read().trusted_level(&repo, &id(n)).unwrap(), None, "{n}");
        }
        assert_eq!(ledger.read().maximal_tips(&repo, 0).unwrap(), vec![]);
        assert_eq!(ledger.read().keys_with_receipts(&repo).unwrap(), vec![]);

        apply(&mut ledger, 13, open);
        assert!(has_receipt(&ledger, &repo, 5) && !has_receipt(&ledger, &other, 5));
        assert!(!ledger.read().receipt_at_level(&repo, &id(5), 3).unwrap());
        assert_eq!(ledger.read().trusted_level(&repo, &id(5)).unwrap(), Some(2));
        assert_eq!(ledger.read().trusted_level(&other, &id(5)).unwrap(), None);
        assert_eq!(ledger.read().maximal_tips(&repo, 2).unwrap(), vec![id(5)]);
        assert_eq!(ledger.read().updates_of_verdict(open.verdict).unwrap()[0].state, UpdateState::Applied(at(13)));
        assert_eq!(ledger.read().updates_of_verdict(kept_off.verdict).unwrap()[0].state, UpdateState::Refused(at(11)));
        assert_sound(&ledger);
    }

    #[test]
    fn a_ref_that_stands_where_an_unreported_update_put_it_proves_the_update() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        push(&mut ledger, repo, 10, update(zero(), id(1), pack([1], &signer("alice"))));
        let read = ledger.read();
        assert!(read.unreported(&repo, &RefName::new(b"refs/heads/other"), &id(1)).unwrap().is_none());
        assert!(read.unreported(&repo, &main_ref(), &id(1)).unwrap().is_some());
        assert!(ledger.write(WAIT, at(20), |w| w.note_old_value(&repo, &main_ref(), &id(1), b"{}")).unwrap());
        assert!(has_receipt(&ledger, &repo, 1));
        assert!(!ledger.write(WAIT, at(21), |w| w.note_old_value(&repo, &main_ref(), &id(1), b"{}")).unwrap());
        assert!(!ledger.write(WAIT, at(21), |w| w.note_old_value(&repo, &main_ref(), &id(9), b"{}")).unwrap());
        let receipt = &ledger.read().receipts(&repo, &[id(1)]).unwrap()[&id(1)][0];
        assert_eq!((receipt.at, receipt.level), (at(10), 2), "the receipt's time is that of the push");
        assert_sound(&ledger);
    }

    #[test]
    fn an_applied_update_proves_the_chain_that_led_to_it() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        push(&mut ledger, repo, 10, update(zero(), id(1), pack([1], &signer("alice"))));
        push(&mut ledger, repo, 11, update(id(1), id(2), pack([2], &signer("bob"))));
        push(&mut ledger, repo, 11, update(id(1), id(7), pack([7], &signer("bob"))));
        let last = push(&mut ledger, repo, 12, update(id(2), id(3), pack([3], &signer("carol"))));
        apply(&mut ledger, 13, last);
        assert!([1, 2, 3].iter().all(|&n| has_receipt(&ledger, &repo, n)));
        assert!(!has_receipt(&ledger, &repo, 7), "it lost the race");
        assert_eq!(ledger.read().maximal_tips(&repo, 1).unwrap(), vec![id(3)]);
        assert_eq!(ledger.read().applied_on(&repo, &main_ref()).unwrap().len(), 3);
        assert_sound(&ledger);
    }

    #[test]
    fn a_tip_is_superseded_only_by_a_fast_forward_of_its_own_level() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        let tips = |ledger: &Ledger, level| ledger.read().maximal_tips(&repo, level).unwrap();
        let sorted = |mut ids: Vec<ObjectId>| {
            ids.sort();
            ids
        };
        let first = push(&mut ledger, repo, 1, update(zero(), id(1), Pack::default()));
        apply(&mut ledger, 1, first);
        let free = push(&mut ledger, repo, 2, UpdateFacts { level: 1, ..update(id(1), id(2), Pack::default()) });
        apply(&mut ledger, 2, free);
        assert_eq!(tips(&ledger, 2), vec![id(1)], "a free update does not hide a mainline tip");
        let forced = UpdateFacts { fast_forward: false, ..update(id(2), id(3), Pack::default()) };
        let forced = push(&mut ledger, repo, 3, forced);
        apply(&mut ledger, 3, forced);
        assert_eq!(tips(&ledger, 1), sorted(vec![id(1), id(2), id(3)]));
        let deletion = push(&mut ledger, repo, 4, update(id(3), zero(), Pack::default()));
        apply(&mut ledger, 4, deletion);
        assert_eq!(ledger.read().trusted_level(&repo, &id(3)).unwrap(), Some(2));
        assert_eq!(ledger.read().trusted_level(&repo, &zero()).unwrap(), None);
        assert_sound(&ledger);
    }

    #[test]
    fn the_verdict_on_a_move_is_found_newest_first_with_what_it_used() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        let older = push(&mut ledger, repo, 1, update(id(1), id(2), Pack::default()));
        let mut facts = verdict(Some(repo), at(2), 1);
        facts.dependencies = serde_json::json!({"persons": ["alice"]});
        facts.updates = vec![update(id(1), id(2), Pack::default()), update(id(2), zero(), Pack::default())];
        let newer = record(&mut ledger, 2, facts.clone());
        let read = ledger.read();
        let ids = |old: Option<u32>, new: ObjectId| -> Vec<_> {
            let old = old.map(id);
            read.pending(&repo, &main_ref(), old.as_ref(), &new).unwrap().iter().map(|update| update.id).collect()
        };
        assert_eq!(ids(Some(1), id(2)), vec![newer, older]);
        assert_eq!(ids(Some(5), id(2)), vec![]);
        assert_eq!(ids(None, zero()), vec![UpdateId { index: 1, ..newer }], "a deletion with an unknown old value");
        assert_eq!(read.verdict(&facts.id).unwrap().unwrap().facts.dependencies, facts.dependencies);
        let found = &read.pending(&repo, &main_ref(), None, &id(2)).unwrap()[0];
        assert_eq!((found.decision, found.enforced, found.at), (Decision::Accept, true, at(2)));
    }

    #[test]
    fn enrolment_and_baselines_make_trusted_tips() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        let tips = |level, range: std::ops::Range<u32>| TipFacts { level, ids: Pack::of_ids(range.map(id)).unwrap() };
        ledger
            .write(WAIT, at(5), |w| w.enrol(repo, vec![tips(1, 0..100_000), tips(2, 50..60)], vec![main_ref()], b"{}"))
            .unwrap();
        let baseline = BaselineFacts {
            id: BaselineId::generate(),
            repository: repo,
            commit: id(200_000),
            onto: main_ref(),
            level: 2,
            reason: "import".into(),
            expires: at(100),
        };
        let baseline_id = baseline.id;
        ledger.write(WAIT, at(6), |w| w.add_baseline(baseline, b"{}")).unwrap();
        let level = |ledger: &Ledger, n| ledger.read().trusted_level(&repo, &id(n)).unwrap();
        assert_eq!([49, 55, 100_000].map(|n| level(&ledger, n)), [Some(1), Some(2), None]);
        assert_eq!(ledger.read().maximal_tips(&repo, 1).unwrap().len(), 100_000);
        assert_eq!(ledger.read().maximal_tips(&repo, 2).unwrap().len(), 10);
        assert_eq!(level(&ledger, 200_000), None, "an unused baseline is only for its own ref");
        let rows: i64 = ledger.connection.query_row("SELECT count(*) FROM pack", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 2, "one pack a level, however many tips");
        let change = push(&mut ledger, repo, 50, update(zero(), id(300_000), pack([300_000], &signer("alice"))));
        let used_by = ledger.read().verdict_at(change.verdict).unwrap().unwrap().facts.id;
        ledger.write(WAIT, at(50), |w| w.claim_baseline(baseline_id, used_by, b"{}")).unwrap();
        assert_eq!(level(&ledger, 200_000), None, "git has not applied it yet");
        apply(&mut ledger, 51, change);
        assert_eq!(level(&ledger, 200_000), Some(2), "a used baseline does not expire");
        assert_eq!(ledger.read().maximal_tips(&repo, 2).unwrap().len(), 12);
        assert_eq!(ledger.read().active_baselines(&repo, at(10_000)).unwrap()[0].used_by, Some(used_by));
        assert_sound(&ledger);
    }
}
