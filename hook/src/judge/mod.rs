//! From ref updates to findings: which commits each update brings in, and what speaks against them.
//!
//! Each update is judged by itself: what exempts, carries or compromises in one ref says nothing of another.
//! Only what a commit is, wherever it goes, is found out once for the whole push.

mod batch;
mod branch;
pub mod carry;
mod facts;
pub mod findings;
mod hands;
mod pusher;
pub mod refs;
mod retire;
mod tags;
mod trust;
mod walk;
mod worker;

use crate::forge::{ForgeKind, ServerSays};
use crate::git::Repository;
use crate::git::history::{Bounds, Parents, WalkError, reachable_among};
use crate::git::objects::Objects;
use crate::ledger::{BaselineId, LedgerError, Pack, Reader, RepositoryId, UpdateFacts};
use crate::progress::Progress;
use crate::push::RefUpdate;
use countersign_policy::config::Level;
use countersign_policy::id::{Fingerprint, ObjectId, PersonId, RefName};
use countersign_policy::judge::Ground;
use countersign_policy::keyring::{KeyringError, Person, RepositoryNames};
use countersign_policy::rule;
use countersign_policy::signature::SignedBy;
use countersign_policy::time::Time;
use countersign_policy::verdict::{CommitCounts, Finding, Problem, RefFact, Subject};
use facts::Facts;
use findings::Findings;
use refs::{RefRules, Target};
use retire::Retiring;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// Judging stopped because of the server, not because of the push.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error(transparent)]
    Git(#[from] crate::git::GitError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the time for judging this push ran out")]
    OutOfTime,
}

impl JudgeError {
    /// As a finding: undecided, never the pusher's fault.
    pub fn finding(&self) -> Finding {
        let rule = match self {
            JudgeError::Git(_) => &rule::repository_unreadable::RULE,
            JudgeError::Ledger(_) => &rule::ledger_unwritable::RULE,
            JudgeError::Keyring(_) => &rule::keyring_unreadable::RULE,
            JudgeError::OutOfTime => &rule::out_of_time::RULE,
        };
        Problem::new(rule, "could not be judged").detail(self.to_string()).about(Subject::Push)
    }
}

/// Everything one push is judged with.
#[derive(Debug)]
pub struct Case<'a> {
    pub ground: Ground<'a>,
    pub repository: &'a Repository,
    pub names: &'a RepositoryNames,
    pub objects: &'a Objects,
    pub ledger: Reader<'a>,
    /// `None` for a repository that the ledger has never seen and that holds no refs.
    pub repository_id: Option<RepositoryId>,
    pub forge: ForgeKind,
    pub says: &'a ServerSays,
    pub pusher: Option<Arc<Person>>,
    pub deadline: Instant,
    pub progress: &'a Progress,
}

/// What judging found, ready for verdict and ledger.
#[derive(Debug, Default)]
pub struct Judgement {
    pub findings: Findings,
    pub refs: Vec<RefFact>,
    pub counts: CommitCounts,
    pub updates: Vec<UpdateFacts>,
    /// Branches that the ledger must remember as mainline.
    pub mainline: Vec<RefName>,
    pub baselines_used: BTreeSet<BaselineId>,
    /// Old values that prove an earlier, unreported update to be applied.
    pub applied_by_old_value: Vec<(RefName, ObjectId)>,
    /// The persons the decision rests on.
    pub relied_on: BTreeMap<PersonId, Relied>,
    /// The authorities on whose word keys were believed.
    pub authorities: BTreeSet<Fingerprint>,
}

/// How a decision rests on a person.
#[derive(Debug)]
pub struct Relied {
    pub person: Arc<Person>,
    /// The earliest end of what was used of their keys.
    pub good_until: Option<Time>,
}

/// One update with what its names mean.
struct Asked<'u> {
    update: &'u RefUpdate,
    target: Target,
    level: Level,
}

/// What the updates of one push share.
#[derive(Default)]
struct Shared {
    facts: Facts,
    parents: Parents,
    /// Commits that are in the verdict's counts, where one may be walked for several refs.
    counted: HashSet<ObjectId>,
    /// More than one update is judged.
    several: bool,
    /// Commits that were found good for any ref of this level, with all that they bring in.
    passed: BTreeMap<u8, HashSet<ObjectId>>,
    /// Entries of all packs so far.
    packed: usize,
}

impl Case<'_> {
    fn bounds(&self) -> Bounds {
        let limits = &self.ground.policy.limits;
        Bounds { commit_bytes: limits.commit_bytes, commits: limits.commits, deadline: self.deadline }
    }

    fn in_time(&self) -> Result<(), JudgeError> {
        if Instant::now() > self.deadline { Err(JudgeError::OutOfTime) } else { Ok(()) }
    }

    /// Judges the updates into `judgement`. Where judging stops, what was found so far stands there.
    pub fn judge(&self, updates: &[RefUpdate], judgement: &mut Judgement) -> Result<(), JudgeError> {
        let recorded = match &self.repository_id {
            Some(id) => self.ledger.mainline_refs(id)?,
            None => Vec::new(),
        };
        let rules = RefRules::read(self.ground.policy, self.repository, self.forge, self.says, recorded)?;
        if let Some(default) = rules.default_branch.as_ref().filter(|name| rules.is_news(name)) {
            judgement.mainline.push(default.clone());
        }
        let targets: Vec<Target> = updates.iter().map(|update| rules.target(&update.name)).collect::<Result<_, _>>()?;
        let retiring = Retiring::read(self, &rules, updates, &targets)?;
        let mut asked = Vec::new();
        for (update, target) in updates.iter().zip(targets) {
            asked.extend(self.ask_about_ref(&rules, &retiring, update, target, judgement));
        }
        self.judge_pusher(&asked, judgement)?;
        let mut shared = Shared { several: asked.len() > 1, ..Shared::default() };
        let (tags, branches): (Vec<_>, Vec<_>) = asked.into_iter().partition(|asked| asked.target.is_tag());
        for branch in &branches {
            self.in_time()?;
            self.judge_branch(&rules, branch, &mut shared, judgement)?;
        }
        for tag in &tags {
            self.in_time()?;
            tags::judge(self, &rules, tag, &mut shared, judgement)?;
        }
        judgement.mainline.sort();
        judgement.mainline.dedup();
        Ok(())
    }

    /// Level, namespace and the ways in which a ref may move. Gives the updates of which more must be asked.
    fn ask_about_ref<'u>(
        &self,
        rules: &RefRules<'_>,
        retiring: &Retiring,
        update: &'u RefUpdate,
        target: Target,
        judgement: &mut Judgement,
    ) -> Option<Asked<'u>> {
        let subject = || Subject::Ref(update.name.clone());
        judgement.refs.push(RefFact {
            r#ref: update.name.clone(),
            old: update.old,
            new: update.new,
            level: target.level.map_or(0, Level::number),
        });
        let name = update.name.as_bytes();
        if (name.is_empty() || name.starts_with(b"refs/")) && !update.name.is_well_formed() {
            let problem = Problem::new(&rule::ref_denied::RULE, "has a name that git gives no ref");
            judgement
                .findings
                .push(problem.next("give it a name that `git check-ref-format` accepts").about(subject()));
            return None;
        }
        let Some(level) = target.level else {
            let reason = "is neither a branch nor a tag";
            judgement.findings.push(Problem::new(&rule::unknown_namespace::RULE, reason).about(subject()));
            return None;
        };
        let mut refuse = |rule, reason: &str| judgement.findings.push(Problem::new(rule, reason).about(subject()));
        if level == Level::Recorded {
            judgement.findings.push(Problem::new(&rule::recorded::RULE, "was written by the forge").about(subject()));
        } else if target.is_tag() {
            // Git deletes without comparing when the client names no old value: that is no creation.
            let moves = update.is_deletion() || !update.is_creation() && update.old != update.new;
            let mut tags = target.names.iter().filter_map(RefName::tag);
            if moves && !tags.all(|tag| self.ground.policy.refs.may_move_tag(tag)) {
                let what = if update.is_deletion() { "tags are not deleted" } else { "tags are not moved" };
                refuse(&rule::ref_denied::RULE, what);
            }
        } else if update.is_deletion() && level == Level::Mainline && !retiring.allows(update) {
            refuse(&rule::ref_denied::RULE, "mainline branches are not deleted");
        }
        for name in &target.names {
            if level == Level::Mainline && rules.is_news(name) {
                judgement.mainline.push(name.clone());
            }
        }
        if update.is_deletion() || level == Level::Recorded {
            judgement.updates.extend(target.names.iter().map(|name| UpdateFacts {
                name: name.clone(),
                old: update.old,
                new: update.new,
                level: level.number(),
                fast_forward: false,
                commits: Pack::default(),
            }));
        }
        (level != Level::Recorded).then_some(Asked { update, target, level })
    }

    fn trusted_level(&self, id: &ObjectId) -> Result<Option<Level>, JudgeError> {
        let Some(repository) = &self.repository_id else { return Ok(None) };
        Ok(self.ledger.trusted_level(repository, id)?.and_then(Level::from_number))
    }

    fn reachable(&self, tips: &[ObjectId], wanted: &HashSet<ObjectId>) -> Result<HashSet<ObjectId>, JudgeError> {
        if tips.is_empty() || wanted.is_empty() {
            return Ok(HashSet::new());
        }
        reachable_among::<LedgerError>(self.objects, self.repository.format, tips, wanted, self.bounds())
            .map_err(walk_error)
    }

    /// On the signer, on whoever answers for the signer, and on whoever vouched for the key.
    fn rely_on_signer(&self, signer: &SignedBy, judgement: &mut Judgement) {
        judgement.authorities.extend(signer.authority().cloned());
        self.rely_on_person(signer.person(), signer.valid_until(), judgement);
    }

    fn rely_on_person(&self, person: &Arc<Person>, good_until: Option<Time>, judgement: &mut Judgement) {
        if !judgement.relied_on.contains_key(&person.id) {
            let (keyring, people) = (self.ground.keyring, &self.ground.policy.people);
            judgement.findings.extend(rule::owner_not_active::note(person, keyring, people, self.ground.now));
        }
        // What has ended already is answered by a receipt, and must not hide an end to come.
        judgement.rely_on(person, good_until.filter(|until| *until > self.ground.now));
        if let Some(owner) = &person.owner
            && !judgement.relied_on.contains_key(owner)
            && let Ok(Some(owner)) = self.ground.keyring.person(owner)
        {
            judgement.rely_on(&owner, None);
        }
    }
}

impl Judgement {
    fn rely_on(&mut self, person: &Arc<Person>, good_until: Option<Time>) {
        let relied = self
            .relied_on
            .entry(person.id.clone())
            .or_insert_with(|| Relied { person: person.clone(), good_until: None });
        relied.good_until = match (relied.good_until, good_until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

fn walk_error(error: WalkError<LedgerError>) -> JudgeError {
    match error {
        WalkError::Git(error) => JudgeError::Git(error),
        WalkError::OutOfTime => JudgeError::OutOfTime,
        WalkError::Trust(error) => JudgeError::Ledger(error),
    }
}
