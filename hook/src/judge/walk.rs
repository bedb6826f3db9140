//! The commits that one update brings in: walked, examined, judged where they are to go, and put on record.

use super::facts::{Examiner, Facts};
use super::refs::RefRules;
use super::trust::LedgerTrust;
use super::worker::Checking;
use super::{Case, JudgeError, Judgement, Shared, carry, walk_error};
use crate::git::history::{NewHistory, Parents, new_commits};
use crate::git::objects::{Kind, Objects};
use crate::ledger::{Pack, PackBuilder, Signer};
use countersign_policy::commit::Commit;
use countersign_policy::config::Level;
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::judge::{Objection, Place, objections_at};
use countersign_policy::keyring::{Person, PersonKind};
use countersign_policy::rule;
use countersign_policy::signature::{Format, SignedBy};
use countersign_policy::verdict::{Effect, Problem, Subject};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Entries of all packs of one push, 40 bytes each. Refs that share more history than this name each commit once,
/// with the first ref that brings it in: its receipt then hangs on that one.
const PACKED_MAX: usize = 1_000_000;

/// Findings on a commit that the forge made for a click, which nobody can sign afterwards.
const MADE_BY_THE_FORGE: [&str; 2] = [rule::unsigned::RULE.id, rule::forge_key_outside::RULE.id];
const BY_HAND: &str = "the server made this commit for a click in the browser: make it on your own computer (for a merge: \
                       `git merge --no-ff -S BRANCH`) and push it, or merge by fast-forward";

#[derive(Debug, Default)]
pub(super) struct Walked {
    pub pack: Pack,
    pub met_old: HashSet<ObjectId>,
}

/// A tag object, which is on record beside the commits that it brings in.
pub(super) struct TagEntry {
    pub id: ObjectId,
    pub signer: Option<Signer>,
    pub refused: Option<&'static str>,
}

impl Case<'_> {
    /// Walks from `new`, judges what is met, and adds the findings.
    #[expect(clippy::too_many_arguments, reason = "each is one thing that an update is judged by")]
    pub(super) fn walk_and_judge(
        &self,
        rules: &RefRules<'_>,
        new: ObjectId,
        old: &[ObjectId],
        level: Level,
        places: &[RefName],
        tag: Option<TagEntry>,
        shared: &mut Shared,
        judgement: &mut Judgement,
    ) -> Result<Walked, JudgeError> {
        let mut trust = LedgerTrust::new(self, rules, level, places)?;
        let Shared { facts, parents, passed, packed, several, .. } = &mut *shared;
        if *packed > PACKED_MAX {
            trust.passed = passed.get(&level.number());
        }
        let mut parents = several.then_some(parents);
        let mut walk = |checking| self.walk(new, old, &mut trust, (checking, facts), parents.as_deref_mut());
        let counted = self.progress.commits();
        let (walked, more) = match walk(Checking::Together)? {
            // Some signature is bad. Which one, each tells by itself.
            (Some(_), None) => {
                self.progress.back_to(counted);
                walk(Checking::OneByOne)?
            }
            settled => settled,
        };
        let met = trust.baselines_met();
        let unused = std::mem::take(&mut trust.unused);
        shared.facts.add(more.unwrap_or_default());
        let Some(history) = walked else {
            let reason = format!("brings in more than {} new commits", self.bounds().commits);
            let subject = places.first().map_or(Subject::Push, |name| Subject::Ref(name.clone()));
            judgement.findings.push(Problem::new(&rule::limit_exceeded::RULE, reason).about(subject));
            return Ok(Walked::default());
        };
        judgement.baselines_used.extend(met);
        let judged = self.judge_commits(rules, &history, &shared.facts, level, places, (old, &unused))?;
        if shared.several && judged.is_empty() && history.commits.iter().all(|id| is_free(&shared.facts, id)) {
            shared.passed.entry(level.number()).or_default().extend(&history.commits);
        }
        let pack = self.settle(judged, &history, tag, shared, places, judgement)?;
        carry::distrust(self, rules, (new, old), &history, level, places, judgement)?;
        Ok(Walked { pack, met_old: history.met_old })
    }

    /// Walks from `new` and examines what is met. Without facts, it is to be done again one by one; without a history,
    /// there is too much of it.
    fn walk(
        &self,
        new: ObjectId,
        old: &[ObjectId],
        trust: &mut LedgerTrust<'_>,
        (checking, before): (Checking, &Facts),
        parents: Option<&mut Parents>,
    ) -> Result<(Option<NewHistory>, Option<Facts>), JudgeError> {
        std::thread::scope(|scope| {
            let mut examiner = Examiner::new(scope, (&self.ground, checking), self.progress, before);
            let history = new_commits(
                (self.objects, self.repository.format),
                &[new],
                old,
                trust,
                self.bounds(),
                parents,
                &mut |id, met| examiner.meet(id, met),
            );
            Ok((history.map_err(walk_error)?, examiner.finish()))
        })
    }

    /// What speaks against each commit of the walk at these places; commits without an entry may come in.
    fn judge_commits(
        &self,
        rules: &RefRules<'_>,
        history: &NewHistory,
        facts: &Facts,
        level: Level,
        places: &[RefName],
        exempt: (&[ObjectId], &[ObjectId]),
    ) -> Result<HashMap<ObjectId, Vec<Objection>>, JudgeError> {
        let mut judged = HashMap::new();
        let has_mainline = self.has_trusted_mainline(rules)?;
        // The same few people sign most commits: whom nothing speaks against here is asked once.
        let mut welcome: HashSet<(*const Person, &str)> = HashSet::new();
        for id in &history.commits {
            let Some(examined) = facts.get(id) else {
                return Err(JudgeError::Git(crate::git::GitError::Object(*id, "it was not examined".to_owned())));
            };
            let mut objections = examined.objections.clone();
            if let Some(signer) = &examined.signer {
                let who = (Arc::as_ptr(signer.person()), signer.key().as_str());
                if !welcome.contains(&who) {
                    let here = self.objections_here(signer, level, places);
                    if here.is_empty() {
                        welcome.insert(who);
                    }
                    objections.extend(here);
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
        self.exempt_reachable(&mut judged, level, exempt)?;
        carry::carry(self, history, &mut judged, level)?;
        Ok(judged)
    }

    /// What speaks against the signer at any of these places, each reason once.
    pub(super) fn objections_here(&self, signer: &SignedBy, level: Level, places: &[RefName]) -> Vec<Objection> {
        let mut found: Vec<Objection> = Vec::new();
        for name in places {
            let place = Place { repository: self.names, name, level };
            for objection in objections_at(&place, signer, self.ground.policy, self.ground.now) {
                if !found.iter().any(|known| known.problem.rule.id == objection.problem.rule.id) {
                    found.push(objection);
                }
            }
        }
        found
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

    /// A push may bring along what was here already, and a baseline covers what lies behind it on every way. Before
    /// such a commit is denied, the question is asked exactly.
    fn exempt_reachable(
        &self,
        judged: &mut HashMap<ObjectId, Vec<Objection>>,
        level: Level,
        (old, baselines): (&[ObjectId], &[ObjectId]),
    ) -> Result<(), JudgeError> {
        if judged.is_empty() {
            return Ok(());
        }
        let before = match self.repository.has_quarantine() && baselines.is_empty() {
            true => Some(Objects::before_the_push(self.repository)?),
            false => None,
        };
        let was_here = |id: &&ObjectId| before.as_ref().is_none_or(|store| store.has(id));
        let mut doubtful: HashSet<ObjectId> = judged.keys().filter(was_here).copied().collect();
        for id in judged.keys() {
            // A trusted tag stays what it is where a parent belongs.
            if self.objects.header(id)?.is_some_and(|header| header.kind != Kind::Commit) {
                doubtful.remove(id);
            }
        }
        if doubtful.is_empty() {
            return Ok(());
        }
        let mut tips = [old, baselines].concat();
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
        tag: Option<TagEntry>,
        shared: &mut Shared,
        places: &[RefName],
        judgement: &mut Judgement,
    ) -> Result<Pack, JudgeError> {
        let mut pack = PackBuilder::new();
        if let Some(tag) = tag {
            pack.add(tag.id, tag.signer.as_ref(), tag.refused)?;
        }
        let mut relied: HashSet<(*const Person, Option<countersign_policy::time::Time>)> = HashSet::new();
        let mut signers: HashMap<_, Signer> = HashMap::new();
        for id in &history.commits {
            let examined = shared.facts.get(id);
            let objections = judged.get(id).map(Vec::as_slice).unwrap_or_default();
            let carried = objections.iter().all(|objection| objection.problem.rule.effect == Effect::Note);
            let refused = objections.iter().find(|objection| objection.problem.rule.effect != Effect::Note);
            let signer = examined.and_then(|examined| examined.signer.as_deref());
            if let Some(signer) = signer
                && (signer.authority().is_some() || relied.insert((Arc::as_ptr(signer.person()), signer.valid_until())))
            {
                self.rely_on_signer(signer, judgement);
            }
            // What is not there is no new commit.
            let is_there =
                objections.iter().all(|objection| objection.problem.rule.id != rule::missing_object::RULE.id);
            if is_there && (!shared.several || shared.counted.insert(*id)) {
                judgement.counts.judged += 1;
                judgement.counts.by_receipt += u64::from(carried && !objections.is_empty());
            }
            for objection in objections {
                let mut finding = objection.problem.clone().about(Subject::Commit(*id));
                if judgement.findings.has_room()
                    && let Some(title) = self.title_of(id)?
                {
                    finding = finding.titled(title);
                }
                if self.says.via.as_deref() == Some("web") && MADE_BY_THE_FORGE.contains(&finding.id()) {
                    finding.problem.next = Some(BY_HAND.to_owned());
                }
                if let Some(name) = places.first() {
                    finding = finding.on(name);
                }
                judgement.findings.push(finding);
            }
            let signer = signer.map(|signer| {
                let who = (Arc::as_ptr(signer.person()), signer.key(), signer.authority(), signer.format());
                &*signers.entry(who).or_insert_with(|| ledger_signer(signer))
            });
            pack.add(*id, signer, refused.map(|objection| objection.problem.rule.id))?;
        }
        shared.packed += history.commits.len();
        Ok(pack.build()?)
    }

    /// First line of the message, where the commit can be read at all.
    fn title_of(&self, id: &ObjectId) -> Result<Option<String>, JudgeError> {
        let format = self.repository.format;
        match self.objects.header(id)? {
            Some(header) if header.size <= self.ground.policy.limits.commit_bytes => {
                let title = |raw: &[u8]| Commit::parse(raw, format).ok().map(|commit| commit.title());
                Ok(self.objects.read(id, |_, raw| title(raw))?.flatten())
            }
            _ => Ok(None),
        }
    }
}

/// Whether nothing speaks against the commit at whatever ref of the level: its signer has no scope.
fn is_free(facts: &Facts, id: &ObjectId) -> bool {
    let blameless = facts.get(id).filter(|examined| examined.objections.is_empty());
    let signer = blameless.and_then(|examined| examined.signer.as_deref());
    signer.is_some_and(|signer| {
        let person = signer.person();
        let key = person.key(signer.key());
        person.kind == PersonKind::Human && person.scope.is_empty() && key.is_none_or(|key| key.scope.is_none())
    })
}

pub(super) fn ledger_signer(signer: &SignedBy) -> Signer {
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
