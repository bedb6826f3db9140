//! From ref updates to findings: which commits each update brings in, and what speaks against them.

pub mod carry;
pub mod facts;
pub mod findings;
pub mod refs;
mod tags;
mod trust;

use crate::forge::{ForgeKind, ServerSays};
use crate::git::Repository;
use crate::git::history::{Bounds, NewHistory, WalkError, is_ancestor, new_commits, reachable_among};
use crate::git::objects::Objects;
use crate::git::refs::RefValue;
use crate::ledger::{BaselineId, LedgerError, Pack, PackBuilder, Reader, RepositoryId, Signer, UpdateFacts};
use crate::push::RefUpdate;
use countersign_policy::commit::Commit;
use countersign_policy::config::Level;
use countersign_policy::id::{Fingerprint, ObjectId, PersonId, RefName};
use countersign_policy::judge::{Ground, Objection, Place, objections_at};
use countersign_policy::keyring::{Person, RepositoryNames};
use countersign_policy::rule;
use countersign_policy::signature::{Format, SignedBy};
use countersign_policy::verdict::{CommitCounts, Effect, Finding, Problem, RefFact, Subject};
use facts::{Examiner, Facts};
use findings::Findings;
use refs::{RefRules, Target};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;
use trust::LedgerTrust;

/// A push judged ref by ref would walk shared history once for each ref; past this many refs it is walked
/// once for each level. Scopes are then asked for every ref of the level.
const REFS_WALKED_ALONE: usize = 64;

/// Findings on a commit that the forge made for a click, which nobody can sign afterwards.
const MADE_BY_THE_FORGE: [&str; 2] = [rule::unsigned::RULE.id, rule::forge_key_outside::RULE.id];
const BY_HAND: &str = "the server made this commit for a click in the browser: make it on your own computer (for a merge: \
                       `git merge --no-ff -S BRANCH`) and push it, or merge by fast-forward";

/// Judging stopped because of the server, not because of the push.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error(transparent)]
    Git(#[from] crate::git::GitError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the time for judging this push ran out")]
    OutOfTime,
}

impl JudgeError {
    /// As a finding: undecided, never the pusher's fault.
    pub fn finding(&self) -> Finding {
        let rule = match self {
            JudgeError::Git(_) => &rule::repository_unreadable::RULE,
            JudgeError::Ledger(_) => &rule::ledger_unwritable::RULE,
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
}

/// What judging found, ready for verdict and ledger.
#[derive(Debug, Default)]
pub struct Judgement {
    pub findings: Findings,
    pub refs: Vec<RefFact>,
    pub counts: CommitCounts,
    /// Commits that are in `counts`; one may be walked for several refs.
    pub counted: HashSet<ObjectId>,
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
    pub good_until: Option<countersign_policy::time::Time>,
}

/// One update with what its names mean.
struct Asked<'u> {
    update: &'u RefUpdate,
    target: Target,
    level: Level,
    fast_forward: bool,
}

impl Case<'_> {
    fn bounds(&self) -> Bounds {
        let limits = &self.ground.policy.limits;
        Bounds { commit_bytes: limits.commit_bytes, commits: limits.commits, deadline: self.deadline }
    }

    pub fn judge(&self, updates: &[RefUpdate]) -> Result<Judgement, JudgeError> {
        let mut judgement = Judgement::default();
        let recorded = match &self.repository_id {
            Some(id) => self.ledger.mainline_refs(id)?,
            None => Vec::new(),
        };
        let rules = RefRules::read(self.ground.policy, self.repository, self.forge, self.says, recorded)?;
        if let Some(default) = rules.default_branch.as_ref().filter(|name| rules.is_news(name)) {
            judgement.mainline.push(default.clone());
        }
        let targets: Vec<Target> = updates.iter().map(|update| rules.target(&update.name)).collect::<Result<_, _>>()?;
        let moved: HashSet<RefName> = targets.iter().flat_map(|target| &target.names).cloned().collect();
        let mut asked = Vec::new();
        for (update, target) in updates.iter().zip(targets) {
            self.ask_about_ref(&rules, &moved, update, target, &mut judgement, &mut asked)?;
        }
        self.judge_pusher(&asked, &mut judgement);
        let (tags, mut branches): (Vec<_>, Vec<_>) = asked.into_iter().partition(|asked| asked.target.is_tag());
        self.judge_branches(&rules, &mut branches, &mut judgement)?;
        for tag in &tags {
            tags::judge(self, &rules, tag, &mut judgement)?;
        }
        judgement.mainline.sort();
        judgement.mainline.dedup();
        Ok(judgement)
    }

    /// Level, namespace and the ways in which a ref may move. Updates whose commits must be judged go to `asked`.
    fn ask_about_ref<'u>(
        &self,
        rules: &RefRules<'_>,
        moved: &HashSet<RefName>,
        update: &'u RefUpdate,
        target: Target,
        judgement: &mut Judgement,
        asked: &mut Vec<Asked<'u>>,
    ) -> Result<(), JudgeError> {
        let subject = || Subject::Ref(update.name.clone());
        judgement.refs.push(RefFact {
            r#ref: update.name.clone(),
            old: update.old,
            new: update.new,
            level: target.level.map_or(0, Level::number),
        });
        let Some(level) = target.level else {
            let reason = "is neither a branch nor a tag";
            judgement.findings.push(Problem::new(&rule::unknown_namespace::RULE, reason).about(subject()));
            return Ok(());
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
        } else if update.is_deletion() && level == Level::Mainline && !self.may_retire(rules, &target, update, moved)? {
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
            if update.is_deletion() && level != Level::Recorded {
                asked.push(Asked { update, target, level, fast_forward: false });
            }
            return Ok(());
        }
        asked.push(Asked { update, target, level, fast_forward: false });
        Ok(())
    }

    /// A `release/*` whose tip another trusted mainline branch or a trusted tag reaches may go. What may
    /// itself go, with this push or as it pleases, holds nothing; nor does another name of the same branch.
    fn may_retire(
        &self,
        rules: &RefRules<'_>,
        target: &Target,
        update: &RefUpdate,
        moved: &HashSet<RefName>,
    ) -> Result<bool, JudgeError> {
        if !target.all_names().all(|name| rules.is_retirable(name)) {
            return Ok(false);
        }
        let mut tips = Vec::new();
        for (name, value) in self.repository.all_refs()? {
            let RefValue::Id(id) = value else { continue };
            let holds = match name.tag() {
                Some(tag) => !self.ground.policy.refs.may_move_tag(tag),
                None => rules.is_mainline(&name),
            };
            if holds && !moved.contains(&name) && self.trusted_level(&id)? >= Some(Level::Mainline) {
                tips.push(tags::peel(self, &id)?.unwrap_or(id));
            }
        }
        let wanted = HashSet::from([update.old]);
        Ok(!self.reachable(&tips, &wanted)?.is_empty())
    }

    fn trusted_level(&self, id: &ObjectId) -> Result<Option<Level>, JudgeError> {
        let Some(repository) = &self.repository_id else { return Ok(None) };
        Ok(self.ledger.trusted_level(repository, id)?.and_then(Level::from_number))
    }

    fn reachable(&self, tips: &[ObjectId], wanted: &HashSet<ObjectId>) -> Result<HashSet<ObjectId>, JudgeError> {
        reachable_among::<LedgerError>(self.objects, self.repository.format, tips, wanted, self.bounds())
            .map_err(walk_error)
    }

    /// The account that pushed, where the server names one and the registry maps it.
    fn judge_pusher(&self, asked: &[Asked<'_>], judgement: &mut Judgement) {
        let Some(account) = self.says.account_text.as_deref() else { return };
        let Some(pusher) = &self.pusher else { return };
        judgement.rely_on(pusher, None);
        let now = self.ground.now;
        if let Some(finding) = rule::pusher_not_active::check(pusher, account, now) {
            judgement.findings.push(finding);
            return;
        }
        for asked in asked {
            for name in &asked.target.names {
                judgement.findings.extend(rule::pusher_not_active::check_scope(pusher, account, self.names, name));
            }
            let on_probation =
                rule::signer_on_probation::check(pusher, asked.level, &self.ground.policy.people, now).is_some();
            if on_probation {
                let reason = format!("may not be changed by the account {account} during probation");
                let problem = Problem::new(&rule::signer_on_probation::RULE, reason).of(&pusher.id);
                judgement.findings.push(problem.about(Subject::Ref(asked.update.name.clone())));
            }
        }
    }

    fn judge_branches(
        &self,
        rules: &RefRules<'_>,
        branches: &mut [Asked<'_>],
        judgement: &mut Judgement,
    ) -> Result<(), JudgeError> {
        let (mut moving, _gone): (Vec<_>, Vec<_>) = branches.iter_mut().partition(|asked| !asked.update.is_deletion());
        let alone = moving.len() <= REFS_WALKED_ALONE;
        let mut groups: Vec<Vec<&mut Asked<'_>>> = Vec::new();
        for asked in moving.drain(..) {
            match groups
                .iter_mut()
                .find(|group| !alone && group.first().is_some_and(|first| first.level == asked.level))
            {
                Some(group) => group.push(asked),
                None => groups.push(vec![asked]),
            }
        }
        for group in &mut groups {
            self.judge_group(rules, group, judgement)?;
        }
        Ok(())
    }

    /// Walks what the updates of one level bring in together, and judges it.
    fn judge_group(
        &self,
        rules: &RefRules<'_>,
        group: &mut [&mut Asked<'_>],
        judgement: &mut Judgement,
    ) -> Result<(), JudgeError> {
        let Some(level) = group.first().map(|asked| asked.level) else { return Ok(()) };
        let (mut new, mut old) = (Vec::new(), Vec::new());
        let mut places = Vec::new();
        for asked in group.iter() {
            new.push(asked.update.new);
            places.extend(asked.target.names.iter().cloned());
            if !asked.update.is_creation() && self.trust_old_value(asked, judgement)? >= Some(asked.level) {
                old.push(asked.update.old);
            }
        }
        let walked = self.walk_and_judge(rules, &new, &old, level, &places, judgement)?;
        let alone = group.len() == 1;
        let main_name = group.first().map(|asked| asked.update.name.clone());
        let mut pack = Some(walked.pack);
        for asked in group.iter_mut() {
            let update = asked.update;
            // What a walk of several met may have been met below another ref's new tip.
            asked.fast_forward = update.is_creation() || alone && walked.met_old.contains(&update.old);
            if level == Level::Mainline && !asked.fast_forward {
                asked.fast_forward = self.is_fast_forward(update)?;
                let may_rewind = asked.target.all_names().all(|name| self.ground.policy.refs.may_rewind(name));
                if !asked.fast_forward && !may_rewind {
                    let reason = format!("would lose the commits between {} and its own history", update.old.short());
                    let problem = Problem::new(&rule::non_fast_forward::RULE, reason);
                    judgement.findings.push(problem.about(Subject::Ref(update.name.clone())));
                }
            }
            for name in &asked.target.names {
                judgement.updates.push(UpdateFacts {
                    name: name.clone(),
                    old: update.old,
                    new: update.new,
                    level: level.number(),
                    fast_forward: asked.fast_forward && !update.is_creation(),
                    // One walk, one pack: it stands with the first name.
                    commits: if Some(name) == main_name.as_ref() {
                        pack.take().unwrap_or_default()
                    } else {
                        Pack::default()
                    },
                });
            }
        }
        if let (Some(pack), Some(last)) = (pack, judgement.updates.last_mut()) {
            last.commits = pack;
        }
        Ok(())
    }

    fn is_fast_forward(&self, update: &RefUpdate) -> Result<bool, JudgeError> {
        is_ancestor::<LedgerError>(self.objects, self.repository.format, update.old, update.new, self.bounds())
            .map_err(walk_error)
    }

    /// The level at which the ledger trusts what the ref stands at. An accepted update that nobody reported
    /// counts as applied once the ref is seen to stand where it put it.
    fn trust_old_value(&self, asked: &Asked<'_>, judgement: &mut Judgement) -> Result<Option<Level>, JudgeError> {
        let update = asked.update;
        let Some(repository) = &self.repository_id else { return Ok(None) };
        let mut level = self.trusted_level(&update.old)?;
        for name in &asked.target.names {
            let Some(earlier) = self.ledger.unreported(repository, name, &update.old)? else { continue };
            // The client names the old value; only the server's own reading proves anything.
            if self.repository.resolve(name)? == Some(update.old) {
                judgement.applied_by_old_value.push((name.clone(), update.old));
                let updates = self.ledger.updates_of_verdict(earlier.verdict)?;
                let proven = updates.iter().find(|known| known.id == earlier).map(|known| known.level);
                level = level.max(proven.and_then(Level::from_number));
            }
        }
        if level.is_none() {
            let reason = format!("stood at {}, which no accepted push brought there", update.old.short());
            let problem = Problem::new(&rule::moved_unseen::RULE, reason);
            judgement.findings.push(problem.about(Subject::Ref(update.name.clone())));
        }
        Ok(level)
    }

    /// Walks from `new`, judges what is met, and adds the findings.
    fn walk_and_judge(
        &self,
        rules: &RefRules<'_>,
        new: &[ObjectId],
        old: &[ObjectId],
        level: Level,
        places: &[RefName],
        judgement: &mut Judgement,
    ) -> Result<Walked, JudgeError> {
        let mut trust = LedgerTrust::new(self, rules, level, places)?;
        let walked = std::thread::scope(|scope| {
            let mut examiner = Examiner::new(scope, &self.ground);
            let history = new_commits(
                self.objects,
                self.repository.format,
                new,
                old,
                &mut trust,
                self.bounds(),
                &mut |id, met| examiner.meet(id, met),
            );
            (history, examiner.finish())
        });
        let (history, facts) = match walked {
            (Ok(history), facts) => (history, facts),
            (Err(WalkError::TooMany(limit)), _) => {
                let reason = format!("brings in more than {limit} new commits");
                let subject = places.first().map_or(Subject::Push, |name| Subject::Ref(name.clone()));
                judgement.findings.push(Problem::new(&rule::limit_exceeded::RULE, reason).about(subject));
                return Ok(Walked::default());
            }
            (Err(error), _) => return Err(walk_error(error)),
        };
        judgement.baselines_used.extend(trust.baselines_met());
        let judged = self.judge_commits(rules, &history, &facts, level, places, old)?;
        let walked = self.settle(judged, &history, &facts, places, judgement)?;
        carry::distrust(self, rules, (new, old), &history, level, places, judgement)?;
        Ok(walked)
    }

    /// What speaks against each commit of the walk at these places; commits without an entry may come in.
    fn judge_commits(
        &self,
        rules: &RefRules<'_>,
        history: &NewHistory,
        facts: &Facts,
        level: Level,
        places: &[RefName],
        old: &[ObjectId],
    ) -> Result<HashMap<ObjectId, Vec<Objection>>, JudgeError> {
        let now = self.ground.now;
        let mut judged = HashMap::new();
        let has_mainline = self.has_trusted_mainline(rules)?;
        for id in &history.commits {
            let Some(examined) = facts.get(id) else {
                return Err(JudgeError::Git(crate::git::GitError::Object(*id, "it was not examined".to_owned())));
            };
            let mut objections = examined.objections.clone();
            if let Some(signer) = &examined.signer {
                for name in places {
                    let place = Place { repository: self.names, name, level };
                    for objection in objections_at(&place, signer, self.ground.policy, now) {
                        if !objections.iter().any(|known| known.problem.rule.id == objection.problem.rule.id) {
                            objections.push(objection);
                        }
                    }
                }
            }
            if level == Level::Mainline && examined.is_root && has_mainline && !self.ground.policy.refs.allow_new_roots
            {
                objections
                    .push(Problem::new(&rule::new_root::RULE, "has no parent and would begin a second history").into());
            }
            if !objections.is_empty() {
                judged.insert(*id, objections);
            }
        }
        self.exempt_reachable(&mut judged, level, old)?;
        carry::carry(self, history, &mut judged, level)?;
        Ok(judged)
    }

    fn has_trusted_mainline(&self, rules: &RefRules<'_>) -> Result<bool, JudgeError> {
        let Some(repository) = &self.repository_id else { return Ok(false) };
        for name in rules.recorded_mainline() {
            if let Some(id) = self.repository.resolve(name)?
                && self.ledger.trusted_level(repository, &id)? >= Some(Level::Mainline.number())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Dates can make the walk report commits that a trusted tip reaches. Before one that was here already is
    /// denied, the question is asked exactly.
    fn exempt_reachable(
        &self,
        judged: &mut HashMap<ObjectId, Vec<Objection>>,
        level: Level,
        old: &[ObjectId],
    ) -> Result<(), JudgeError> {
        let mut doubtful = HashSet::new();
        let before = match judged.is_empty() || !self.repository.has_quarantine() {
            true => None,
            false => Some(Objects::before_the_push(self.repository)?),
        };
        for id in judged.keys() {
            if before.as_ref().is_none_or(|store| store.has(id)) {
                doubtful.insert(*id);
            }
        }
        if doubtful.is_empty() {
            return Ok(());
        }
        let mut tips = old.to_vec();
        if let Some(repository) = &self.repository_id {
            tips.extend(self.ledger.maximal_tips(repository, level.number())?);
        }
        for id in self.reachable(&tips, &doubtful)? {
            judged.remove(&id);
        }
        Ok(())
    }

    /// Findings, counts and the pack of one walk.
    fn settle(
        &self,
        judged: HashMap<ObjectId, Vec<Objection>>,
        history: &NewHistory,
        facts: &Facts,
        places: &[RefName],
        judgement: &mut Judgement,
    ) -> Result<Walked, JudgeError> {
        let mut pack = PackBuilder::new();
        let on = places.first();
        for id in &history.commits {
            let examined = facts.get(id);
            let objections = judged.get(id).map(Vec::as_slice).unwrap_or_default();
            let carried = objections.iter().all(|objection| objection.problem.rule.effect == Effect::Note);
            let refused = objections.iter().find(|objection| objection.problem.rule.effect != Effect::Note);
            let signer = examined.and_then(|examined| examined.signer.as_ref());
            if let Some(signer) = signer {
                self.rely_on_signer(signer, judgement);
            }
            if judgement.counted.insert(*id) {
                judgement.counts.judged += 1;
                judgement.counts.by_receipt += u64::from(carried && !objections.is_empty());
            }
            for objection in objections {
                let mut finding = objection.problem.clone().about(Subject::Commit(*id));
                if let Some(title) = examined.and_then(|examined| examined.title.clone()) {
                    finding = finding.titled(title);
                } else if judgement.findings.has_room()
                    && let Some(title) = self.title_of(id)?
                {
                    finding = finding.titled(title);
                }
                if self.says.via.as_deref() == Some("web") && MADE_BY_THE_FORGE.contains(&finding.id()) {
                    finding.problem.next = Some(BY_HAND.to_owned());
                }
                if let Some(name) = on {
                    finding = finding.on(name);
                }
                judgement.findings.push(finding);
            }
            pack.add(*id, signer.map(ledger_signer).as_ref(), refused.map(|objection| objection.problem.rule.id))?;
        }
        Ok(Walked { pack: pack.build()?, met_old: history.met_old.clone() })
    }

    /// First line of the message of a commit that is good by itself.
    fn title_of(&self, id: &ObjectId) -> Result<Option<String>, JudgeError> {
        let format = self.repository.format;
        let title = |raw: &[u8]| Commit::parse(raw, format).ok().map(|commit| commit.title());
        Ok(self.objects.read(id, |_, raw| title(raw))?.flatten())
    }

    /// On the signer, on whoever answers for the signer, and on whoever vouched for the key.
    fn rely_on_signer(&self, signer: &SignedBy, judgement: &mut Judgement) {
        judgement.rely_on(signer.person(), signer.valid_until());
        judgement.authorities.extend(signer.authority().cloned());
        if let Some(owner) = &signer.person().owner
            && !judgement.relied_on.contains_key(owner)
            && let Ok(Some(owner)) = self.ground.keyring.person(owner)
        {
            judgement.rely_on(&owner, None);
        }
    }
}

impl Judgement {
    fn rely_on(&mut self, person: &Arc<Person>, good_until: Option<countersign_policy::time::Time>) {
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

#[derive(Debug, Default)]
struct Walked {
    pack: Pack,
    met_old: HashSet<ObjectId>,
}

fn ledger_signer(signer: &SignedBy) -> Signer {
    let format = match signer.format() {
        Format::OpenPgp => "openpgp",
        Format::Ssh => "ssh",
        Format::SshCertificate => "ssh-certificate",
        Format::X509 => "x509",
    };
    Signer {
        key: signer.key().clone(),
        person: signer.person().id.clone(),
        authority: signer.authority().cloned(),
        format: format.to_owned(),
    }
}

fn walk_error(error: WalkError<LedgerError>) -> JudgeError {
    match error {
        WalkError::Git(error) => JudgeError::Git(error),
        WalkError::OutOfTime => JudgeError::OutOfTime,
        WalkError::TooMany(limit) => JudgeError::Git(crate::git::GitError::Odb(format!("more than {limit} commits"))),
        WalkError::Trust(error) => JudgeError::Ledger(error),
    }
}
