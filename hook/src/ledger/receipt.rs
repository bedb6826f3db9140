//! Packs and receipts: which commits came into a repository, when, and by whose key.
//!
//! A receipt counts only while its update is enforced, accepted, applied and of level 1 or more.
//! Small pushes are in the look-up index at once. Large ones are packs that readers search by their first and last id;
//! where there are many, [`fold_index`](super::Ledger::fold_index) puts the smallest into the index.

use super::column::to_sql;
use super::fold::Bodies;
use super::index::index;
use super::leaf::{RepositoryId, UpdateId};
use super::pack::{Entry, Pack, Signer, View, find_in_blob};
use super::signer::{self, Signers};
use super::{LedgerError, Reader, column, repository};
use countersign_policy::id::{Fingerprint, ObjectId};
use countersign_policy::time::Time;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;

/// Commits of a push up to here go into the index at once; measured, that costs less than a
/// further pack costs every reader.
const SMALL: usize = 8;

/// From this many ids on, reading a pack whole costs less than searching it in place.
const WHOLE_FROM: usize = 32;

/// The ledger's proof that a commit came into a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When the server received the push.
    pub at: Time,
    pub level: u8,
    /// The leaf of its verdict.
    pub verdict: u64,
    /// `None`: it came in unsigned, under a baseline.
    pub signer: Option<Arc<Signer>>,
}

/// One receipt of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReceipts {
    pub repository: RepositoryId,
    pub commit: ObjectId,
    pub at: Time,
}

/// A key that holds receipts in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub signer: Signer,
    /// The time of its newest receipt there.
    pub newest: Time,
}

/// A receipt before its signer is named.
struct Found {
    id: ObjectId,
    at: Time,
    level: u8,
    verdict: u64,
    signer: Option<i64>,
}

/// A pack that the index does not hold yet.
struct Unfolded {
    pack: i64,
    count: usize,
    first: ObjectId,
    last: ObjectId,
    at: Time,
    level: u8,
    verdict: u64,
}

impl Reader<'_> {
    /// The receipts of those of `ids` that have any.
    pub fn receipts(
        &self,
        repository: &RepositoryId,
        ids: &[ObjectId],
    ) -> Result<HashMap<ObjectId, Vec<Receipt>>, LedgerError> {
        let mut receipts: HashMap<ObjectId, Vec<Receipt>> = HashMap::new();
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(receipts) };
        let mut signers = Signers::default();
        // One state: a pack must not leave the list of unfolded ones between the two looks.
        let _snapshot = self.snapshot()?;
        for found in self.find(repo, ids, 1)? {
            let signer = found.signer.map(|number| signers.get(self.connection, number)).transpose()?;
            let receipt = Receipt { at: found.at, level: found.level, verdict: found.verdict, signer };
            receipts.entry(found.id).or_default().push(receipt);
        }
        Ok(receipts)
    }

    /// Whether the commit came in at this level or above.
    pub fn receipt_at_level(
        &self,
        repository: &RepositoryId,
        id: &ObjectId,
        min_level: u8,
    ) -> Result<bool, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(false) };
        let _snapshot = self.snapshot()?;
        Ok(!self.find(repo, std::slice::from_ref(id), min_level)?.is_empty())
    }

    fn find(&self, repo: i64, ids: &[ObjectId], min_level: u8) -> Result<Vec<Found>, LedgerError> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let mut found = Vec::new();
        let mut indexed = self.connection.prepare_cached(
            "SELECT u.at, u.grants, u.seq, r.signer FROM receipt r
             JOIN pack p ON p.num = r.pack JOIN ref_update u ON u.seq = p.seq AND u.idx = p.idx
             WHERE r.repo = ?1 AND r.id = ?2 AND u.applied_at IS NOT NULL AND u.grants >= ?3
             AND NOT EXISTS (SELECT 1 FROM unfolded f WHERE f.pack = r.pack)",
        )?;
        for id in &ids {
            let rows = indexed.query_map(params![repo, id.as_bytes(), min_level.max(1)], |row| {
                let (at, level, verdict) = (column::time(row, 0)?, row.get(1)?, column::seq(row, 2)?);
                Ok(Found { id: *id, at, level, verdict, signer: row.get(3)? })
            })?;
            for row in rows {
                found.push(row?);
            }
        }
        for pack in self.unfolded(repo, min_level)? {
            let from = ids.partition_point(|id| *id < pack.first);
            let inside = ids.get(from..).unwrap_or_default();
            let inside = inside.get(..inside.partition_point(|id| *id <= pack.last)).unwrap_or_default();
            for entry in search(self.connection, pack.pack, pack.count, inside)? {
                if entry.finding.is_none() {
                    let signer = entry.signer.map(|at| signer::of_pack(self.connection, pack.pack, at)).transpose()?;
                    let Unfolded { at, level, verdict, .. } = pack;
                    found.push(Found { id: entry.id, at, level, verdict, signer });
                }
            }
        }
        Ok(found)
    }

    fn unfolded(&self, repo: i64, min_level: u8) -> Result<Vec<Unfolded>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT p.num, p.count, p.first, p.last, u.at, u.grants, u.seq FROM unfolded f
             JOIN pack p ON p.num = f.pack JOIN ref_update u ON u.seq = p.seq AND u.idx = p.idx
             WHERE f.repo = ?1 AND u.applied_at IS NOT NULL AND u.grants >= ?2",
        )?;
        let rows = statement.query_map(params![repo, min_level.max(1)], |row| {
            Ok(Unfolded {
                pack: row.get(0)?,
                count: row.get::<_, u32>(1)? as usize,
                first: column::object_id(row, 2)?,
                last: column::object_id(row, 3)?,
                at: column::time(row, 4)?,
                level: row.get(5)?,
                verdict: column::seq(row, 6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every receipt that rests on this key, or on a key that this authority vouched for, in one
    /// repository or in all; with `since`, those received then or later. Oldest push first.
    pub fn receipts_by_key(
        &self,
        repository: Option<&RepositoryId>,
        key: &Fingerprint,
        since: Option<Time>,
    ) -> Result<Vec<KeyReceipts>, LedgerError> {
        let _snapshot = self.snapshot()?;
        let mut statement = self.connection.prepare_cached(
            "SELECT p.num, ps.idx, r.id, u.at FROM signer s
             JOIN pack_signer ps ON ps.signer = s.num JOIN pack p ON p.num = ps.pack
             JOIN repository r ON r.num = p.repo JOIN ref_update u ON u.seq = p.seq AND u.idx = p.idx
             WHERE (s.key = ?1 OR (s.authority = ?1 AND s.authority <> '')) AND p.tips = 0
             AND u.applied_at IS NOT NULL AND u.grants > 0 AND u.at >= ?2 AND (?3 IS NULL OR r.id = ?3)
             ORDER BY p.num, ps.idx",
        )?;
        let since = since.map_or(i64::MIN, Time::unix_millis);
        let mut rows = statement.query(params![key.as_str(), since, repository.map(|id| id.to_bytes())])?;
        let mut receipts = Vec::new();
        while let Some(row) = rows.next()? {
            let (pack, position): (i64, u16) = (row.get(0)?, row.get(1)?);
            let (repository, at) = (RepositoryId::from_bytes(row.get(2)?), column::time(row, 3)?);
            let bytes = body(self.connection, pack)?;
            receipts.extend(
                view(pack, &bytes)?
                    .entries()
                    .filter(|entry| entry.signer == Some(position) && entry.finding.is_none())
                    .map(|entry| KeyReceipts { repository, commit: entry.id, at }),
            );
        }
        Ok(receipts)
    }

    /// The keys that hold receipts in a repository: what a push asks the keyring about.
    pub fn keys_with_receipts(&self, repository: &RepositoryId) -> Result<Vec<KeyUse>, LedgerError> {
        let Some(repo) = repository::number(self.connection, repository)? else { return Ok(Vec::new()) };
        let mut statement =
            self.connection.prepare_cached("SELECT signer, newest FROM key_use WHERE repo = ?1 ORDER BY signer")?;
        let mut rows = statement.query([repo])?;
        let mut uses = Vec::new();
        while let Some(row) = rows.next()? {
            let signer = signer::read(self.connection, row.get(0)?)?;
            uses.push(KeyUse { signer, newest: column::time(row, 1)? });
        }
        Ok(uses)
    }
}

/// Which update or enrolment a pack belongs to.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub seq: u64,
    pub index: u32,
    pub repo: Option<i64>,
    /// Enrolled ids rather than commits of a push.
    pub tips: bool,
    /// The level that its ids have once the update is applied; 0: none.
    pub level: u8,
}

/// Stores a pack and what looks it up; nothing for an empty one.
pub(super) fn store_pack(
    connection: &Connection,
    place: Place,
    pack: &Pack,
    bodies: Bodies,
) -> Result<(), LedgerError> {
    if pack.is_empty() {
        return Ok(());
    }
    let (first, last) = pack
        .first_and_last()
        .ok_or_else(|| LedgerError::BadLeaf { seq: place.seq, reason: "a pack came without its bytes".to_owned() })?;
    connection
        .prepare_cached(
            "INSERT INTO pack (seq, idx, repo, tips, level, count, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            to_sql(place.seq)?,
            place.index,
            place.repo,
            place.tips,
            place.level,
            to_sql(pack.len() as u64)?,
            first.as_bytes(),
            last.as_bytes(),
        ])?;
    let number = connection.last_insert_rowid();
    if bodies == Bodies::Store {
        connection
            .prepare_cached("INSERT INTO pack_body (pack, bytes) VALUES (?1, ?2)")?
            .execute(params![number, pack.bytes()])?;
    }
    let mut of_pack = connection.prepare_cached("INSERT INTO pack_signer (pack, idx, signer) VALUES (?1, ?2, ?3)")?;
    for (position, signer) in (0u32..).zip(pack.signers()) {
        of_pack.execute(params![number, position, signer::number(connection, signer)?])?;
    }
    match place.repo {
        Some(repo) if place.level > 0 && !place.tips => {
            if pack.len() <= SMALL {
                index(connection, repo, number, pack.entries().iter())
            } else {
                connection
                    .prepare_cached("INSERT INTO unfolded (pack, repo, done) VALUES (?1, ?2, 0)")?
                    .execute(params![number, repo])?;
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// An update was applied: its keys hold receipts of its time from now on.
pub(super) fn note_keys(connection: &Connection, repo: i64, update: UpdateId, at: Time) -> Result<(), LedgerError> {
    connection
        .prepare_cached(
            "INSERT INTO key_use (repo, signer, newest)
             SELECT ?1, ps.signer, ?4 FROM pack p JOIN pack_signer ps ON ps.pack = p.num
             WHERE p.seq = ?2 AND p.idx = ?3 AND p.tips = 0
             ON CONFLICT (repo, signer) DO UPDATE SET newest = max(newest, excluded.newest)",
        )?
        .execute(params![repo, to_sql(update.verdict)?, update.index, at.unix_millis()])?;
    Ok(())
}

/// The highest level at which an id was enrolled.
pub(super) fn enrolled_level(connection: &Connection, repo: i64, id: &ObjectId) -> Result<Option<u8>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT num, count, level FROM pack
         WHERE repo = ?1 AND tips = 1 AND level > 0 AND first <= ?2 AND last >= ?2 ORDER BY level DESC",
    )?;
    let mut rows = statement.query(params![repo, id.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let (pack, count): (i64, u32) = (row.get(0)?, row.get(1)?);
        if !search(connection, pack, count as usize, std::slice::from_ref(id))?.is_empty() {
            return Ok(Some(row.get(2)?));
        }
    }
    Ok(None)
}

/// Every id enrolled at `min_level` or above.
pub(super) fn enrolled(connection: &Connection, repo: i64, min_level: u8) -> Result<Vec<ObjectId>, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT num FROM pack WHERE repo = ?1 AND tips = 1 AND level >= ?2")?;
    let mut ids = Vec::new();
    for pack in statement.query_map(params![repo, min_level], |row| row.get(0))? {
        let pack = pack?;
        ids.extend(view(pack, &body(connection, pack)?)?.entries().map(|entry| entry.id));
    }
    Ok(ids)
}

fn search(connection: &Connection, pack: i64, count: usize, ids: &[ObjectId]) -> Result<Vec<Entry>, LedgerError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    if ids.len() >= WHOLE_FROM {
        let bytes = body(connection, pack)?;
        let view = view(pack, &bytes)?;
        return Ok(ids.iter().filter_map(|id| view.find(id)).collect());
    }
    let blob = connection.blob_open("main", "pack_body", "bytes", pack, true)?;
    ids.iter().filter_map(|id| find_in_blob(&blob, count, id).transpose()).collect::<Result<_, _>>().map_err(Into::into)
}

pub(super) fn body(connection: &Connection, pack: i64) -> Result<Vec<u8>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM pack_body WHERE pack = ?1")?;
    let bytes = statement.query_row([pack], |row| row.get(0)).optional()?;
    bytes.ok_or_else(|| LedgerError::Corrupt(format!("pack {pack} is missing")))
}

/// The bytes of the pack of an update.
pub(super) fn body_of(connection: &Connection, update: UpdateId) -> Result<Option<Vec<u8>>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM pack_body WHERE pack = (SELECT num FROM pack WHERE seq = ?1 AND idx = ?2)",
    )?;
    Ok(statement.query_row(params![to_sql(update.verdict)?, update.index], |row| row.get(0)).optional()?)
}

pub(super) fn view(pack: i64, bytes: &[u8]) -> Result<View<'_>, LedgerError> {
    View::new(bytes).ok_or_else(|| LedgerError::Corrupt(format!("pack {pack} is malformed")))
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::super::testing::*;
    use super::super::{PackBuilder, UpdateFacts, VerdictFacts};
    use super::*;
    use countersign_policy::verdict::Decision;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::time::Instant;

    fn rows(ledger: &Ledger, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        ledger.connection.query_row(&sql, [], |row| column::seq(row, 0)).unwrap()
    }

    #[test]
    fn a_push_of_ten_thousand_commits_is_one_pack() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        let commits = pack(0..10_000, &signer("alice"));
        let start = Instant::now();
        let update = push(&mut ledger, repo, 1, update(zero(), id(9_999), commits));
        println!("append: {:?}", start.elapsed());
        apply(&mut ledger, 2, update);
        assert_eq!((rows(&ledger, "pack"), rows(&ledger, "receipt"), rows(&ledger, "unfolded")), (1, 0, 1));
        let ids: Vec<ObjectId> = (0..10_000).map(id).collect();
        let start = Instant::now();
        assert_eq!(ledger.read().receipts(&repo, &ids).unwrap().len(), 10_000);
        println!("look-up of all in the pack: {:?}", start.elapsed());
        let start = Instant::now();
        assert!(ledger.read().receipt_at_level(&repo, &id(77), 2).unwrap());
        println!("look-up of one in the pack: {:?}", start.elapsed());

        ledger.fold_index(&repo, WAIT, 100_000).unwrap();
        assert_eq!(rows(&ledger, "unfolded"), 1, "one stays as it is");
        ledger.fold_all_but(0, &repo, WAIT, 3_000).unwrap();
        assert_eq!(rows(&ledger, "receipt"), 3_000);
        assert_eq!(ledger.read().receipts(&repo, &ids).unwrap().values().map(Vec::len).sum::<usize>(), 10_000);
        assert_sound(&ledger);
        let start = Instant::now();
        ledger.fold_all_but(0, &repo, WAIT, 100_000).unwrap();
        println!("fold of 7,000: {:?}", start.elapsed());
        assert_eq!((rows(&ledger, "receipt"), rows(&ledger, "unfolded")), (10_000, 0));
        assert_eq!(ledger.read().receipts(&repo, &ids).unwrap().len(), 10_000);
        assert_sound(&ledger);
    }

    #[test]
    fn a_small_push_is_in_the_index_at_once() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        push(&mut ledger, repo, 1, update(zero(), id(1), pack(0..8, &signer("alice"))));
        push(&mut ledger, repo, 1, update(zero(), id(1), pack(0..9, &signer("alice"))));
        assert_eq!((rows(&ledger, "receipt"), rows(&ledger, "unfolded")), (8, 1));
        assert_sound(&ledger);
    }

    #[test]
    fn of_many_packs_the_largest_stay_out_of_the_index() {
        let (_folder, mut ledger) = new_ledger();
        let (repo, other) = (repository(&mut ledger, "/srv/a.git"), repository(&mut ledger, "/srv/b.git"));
        let sizes = [50, 9, 40, 30, 60, 35, 20, 10, 45, 55];
        let mut first = 0;
        for size in sizes {
            for repo in [repo, other] {
                let update =
                    push(&mut ledger, repo, 1, update(zero(), id(first), pack(first..first + size, &signer("alice"))));
                apply(&mut ledger, 2, update);
            }
            first += size;
        }
        let left = |ledger: &Ledger, repo: i64| -> Vec<(u32, u32)> {
            let sql =
                "SELECT p.count, f.done FROM unfolded f JOIN pack p ON p.num = f.pack WHERE f.repo = ?1 ORDER BY 1";
            let mut left = ledger.connection.prepare(sql).unwrap();
            left.query_map([repo], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
        };
        let whole = |sizes: &[u32]| sizes.iter().map(|size| (*size, 0)).collect::<Vec<_>>();
        ledger.fold_index(&repo, WAIT, 4).unwrap();
        assert_eq!(left(&ledger, 1)[..2], [(9, 4), (10, 0)], "no more at once than was allowed");
        ledger.fold_index(&repo, WAIT, 1_000).unwrap();
        assert_eq!(left(&ledger, 1), whole(&[20, 30, 35, 40, 45, 50, 55, 60]));
        assert_eq!(rows(&ledger, "receipt"), 19);
        assert_eq!(left(&ledger, 2).len(), sizes.len(), "each repository sees to its own");
        let ids: Vec<ObjectId> = (0..first).map(id).collect();
        assert_eq!(ledger.read().receipts(&repo, &ids).unwrap().len(), ids.len());
        assert_sound(&ledger);
    }

    #[test]
    fn receipts_of_a_key_are_found_by_the_key_and_by_its_authority() {
        let (_folder, mut ledger) = new_ledger();
        let (a, b) = (repository(&mut ledger, "/srv/a.git"), repository(&mut ledger, "/srv/b.git"));
        let ca = Fingerprint::new("SHA256:ca").unwrap();
        let alice = Signer { authority: Some(ca.clone()), ..signer("alice") };
        let bob = signer("bob");
        for (repo, second, from) in [(a, 10, 0), (a, 20, 20), (b, 30, 40)] {
            let mut builder = PackBuilder::new();
            for n in from..from + 10 {
                builder.add(id(n), Some(if n % 10 == 0 { &bob } else { &alice }), None).unwrap();
            }
            let update = push(&mut ledger, repo, second, update(zero(), id(from), builder.build().unwrap()));
            apply(&mut ledger, second + 1, update);
        }
        push(&mut ledger, a, 50, update(id(90), id(91), pack([91], &alice)));
        let count = |repo: Option<&RepositoryId>, key: &Fingerprint, since: Option<i64>| {
            ledger.read().receipts_by_key(repo, key, since.map(at)).unwrap().len()
        };
        assert_eq!(count(None, &alice.key, None), 27);
        assert_eq!(count(Some(&a), &alice.key, None), 18);
        assert_eq!(count(Some(&a), &ca, Some(20)), 9);
        assert_eq!(count(Some(&a), &ca, Some(21)), 0);
        assert_eq!(count(None, &bob.key, None), 3);
        let first = ledger.read().receipts_by_key(None, &bob.key, None).unwrap().remove(0);
        assert_eq!(first, KeyReceipts { repository: a, commit: id(0), at: at(10) });
        let mut uses = ledger.read().keys_with_receipts(&a).unwrap();
        uses.sort_by(|x, y| x.signer.cmp(&y.signer));
        assert_eq!(uses, vec![KeyUse { signer: alice, newest: at(20) }, KeyUse { signer: bob, newest: at(20) }]);
        assert_sound(&ledger);
    }

    #[test]
    fn every_commit_of_a_refused_push_is_kept_with_its_finding() {
        let (_folder, mut ledger) = new_ledger();
        let repo = repository(&mut ledger, "/srv/a.git");
        let alice = signer("alice");
        let mut builder = PackBuilder::new();
        for n in 0..20 {
            builder.add(id(n), (n != 3).then_some(&alice), (n == 3).then_some("unsigned")).unwrap();
        }
        let mut facts = VerdictFacts {
            updates: vec![
                UpdateFacts { level: 1, ..update(zero(), id(50), pack([50], &signer("bob"))) },
                update(zero(), id(19), builder.build().unwrap()),
            ],
            ..verdict(Some(repo), at(1), 1)
        };
        facts.decision = Decision::Deny;
        let seq = record(&mut ledger, 1, facts.clone()).verdict;
        let commits = ledger.read().commits_of_verdict(seq).unwrap();
        assert_eq!(commits.len(), 21);
        let bad: Vec<_> = commits.iter().filter(|commit| commit.refused.is_some()).collect();
        assert_eq!((bad.len(), bad[0].id, bad[0].refused.as_deref(), bad[0].update), (1, id(3), Some("unsigned"), 1));
        assert!(bad[0].signer.is_none());
        assert_eq!((rows(&ledger, "receipt"), rows(&ledger, "unfolded")), (0, 0));
        for person in ["alice", "bob"] {
            let person = countersign_policy::id::PersonId::new(person).unwrap();
            assert_eq!(ledger.read().verdicts_of(&person, None, 9).unwrap()[0].facts.id, facts.id);
            assert_eq!(ledger.read().verdicts_of(&person, Some(seq), 9).unwrap(), vec![]);
        }
        assert_sound(&ledger);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn looking_up_is_as_in_a_plain_map(
            pushes in prop::collection::vec((prop::collection::btree_set(0u32..120, 1..40), any::<bool>()), 1..8),
            kept in 0u64..4,
            fold in 0u64..150,
            asked in prop::collection::btree_set(0u32..140, 1..60),
        ) {
            let (_folder, mut ledger) = new_ledger();
            let repo = repository(&mut ledger, "/srv/a.git");
            let mut plain: HashMap<ObjectId, BTreeSet<u64>> = HashMap::new();
            for (n, (commits, applied)) in (0u32..).zip(&pushes) {
                let change = update(id(1_000 + n), id(2_000 + n), pack(commits.iter().copied(), &signer("alice")));
                let change = push(&mut ledger, repo, i64::from(n), change);
                if *applied {
                    apply(&mut ledger, i64::from(n), change);
                    for &commit in commits {
                        plain.entry(id(commit)).or_default().insert(change.verdict);
                    }
                }
            }
            ledger.fold_all_but(kept, &repo, WAIT, fold).unwrap();
            let ids: Vec<ObjectId> = asked.iter().copied().map(id).collect();
            plain.retain(|commit, _| ids.contains(commit));
            let found = ledger.read().receipts(&repo, &ids).unwrap();
            let count = found.values().map(Vec::len).sum::<usize>();
            let found: HashMap<ObjectId, BTreeSet<u64>> = found
                .into_iter()
                .map(|(commit, receipts)| (commit, receipts.iter().map(|receipt| receipt.verdict).collect()))
                .collect();
            prop_assert_eq!(count, found.values().map(BTreeSet::len).sum::<usize>(), "a receipt was given twice");
            prop_assert_eq!(found, plain);
            prop_assert_eq!(ledger.read().verify(|_, _| {}).unwrap().faults, vec![]);
        }
    }
}
