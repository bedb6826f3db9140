//! What the ledger vouches for, as the walk asks it.

use super::refs::RefRules;
use super::{Case, JudgeError};
use crate::git::Repository;
use crate::git::history::Trust;
use crate::ledger::{BaselineId, LedgerError, Reader, RepositoryId};
use countersign_policy::config::Level;
use countersign_policy::id::{ObjectId, RefName};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Trusted tips, receipts and baselines of one repository at one level.
pub struct LedgerTrust<'a> {
    ledger: Reader<'a>,
    repository: &'a Repository,
    id: Option<RepositoryId>,
    level: u8,
    mainline: Vec<RefName>,
    /// Baselines for the refs in question.
    baselines: HashMap<ObjectId, BaselineId>,
    met: RefCell<BTreeSet<BaselineId>>,
    /// Those that nothing was brought in by yet: no tip of the ledger covers what lies behind them.
    pub unused: Vec<ObjectId>,
    /// Commits that were found good in this very push, where the same history need not be walked for each ref.
    pub passed: Option<&'a HashSet<ObjectId>>,
}

impl<'a> LedgerTrust<'a> {
    pub fn new(case: &'a Case<'_>, rules: &RefRules<'_>, level: Level, places: &[RefName]) -> Result<Self, JudgeError> {
        let (mut baselines, mut unused) = (HashMap::new(), Vec::new());
        if let Some(id) = &case.repository_id {
            for baseline in case.ledger.active_baselines(id, case.ground.now)? {
                if places.contains(&baseline.onto) {
                    baselines.insert(baseline.commit, baseline.id);
                    unused.extend(baseline.used_at.is_none().then_some(baseline.commit));
                }
            }
        }
        Ok(LedgerTrust {
            ledger: case.ledger,
            repository: case.repository,
            id: case.repository_id,
            level: level.number(),
            mainline: rules.recorded_mainline().cloned().collect(),
            baselines,
            met: RefCell::default(),
            unused,
            passed: None,
        })
    }

    pub fn baselines_met(&self) -> BTreeSet<BaselineId> {
        self.met.borrow().clone()
    }
}

impl Trust for LedgerTrust<'_> {
    type Error = LedgerError;

    fn is_baseline(&self, id: &ObjectId) -> bool {
        if self.passed.is_some_and(|passed| passed.contains(id)) {
            return true;
        }
        match self.baselines.get(id) {
            Some(baseline) => {
                self.met.borrow_mut().insert(*baseline);
                true
            }
            None => false,
        }
    }

    fn vouches(&mut self, id: &ObjectId) -> Result<bool, LedgerError> {
        let Some(repository) = &self.id else { return Ok(false) };
        Ok(self.ledger.trusted_level(repository, id)? >= Some(self.level)
            || self.ledger.receipt_at_level(repository, id, self.level)?)
    }

    fn near_tips(&mut self) -> Result<Vec<ObjectId>, LedgerError> {
        let mut tips = Vec::new();
        for name in &self.mainline {
            // A ref that cannot be read now is asked again when all tips are.
            if let Ok(Some(id)) = self.repository.resolve(name)
                && let Some(repository) = &self.id
                && self.ledger.trusted_level(repository, &id)? >= Some(self.level)
            {
                tips.push(id);
            }
        }
        Ok(tips)
    }

    fn all_tips(&mut self) -> Result<Vec<ObjectId>, LedgerError> {
        match &self.id {
            Some(repository) => self.ledger.maximal_tips(repository, self.level),
            None => Ok(Vec::new()),
        }
    }
}
