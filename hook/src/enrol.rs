//! Enrolment: which ids a repository is trusted to have had before it was guarded.

use crate::forge::{ForgeKind, ServerSays};
use crate::git::objects::{Kind, Objects};
use crate::git::refs::RefValue;
use crate::git::{GitError, Repository};
use crate::judge::refs::RefRules;
use crate::ledger::{Pack, TipFacts};
use crate::site::Unfit;
use countersign_policy::config::{Level, Policy};
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::tag::Tag;
use std::collections::{BTreeMap, BTreeSet};

/// The tips of branches and tags at their level, never review refs.
#[derive(Debug, Default)]
pub struct Enrolment {
    pub tips: Vec<TipFacts>,
    pub branches: usize,
    pub tags: usize,
    /// Branches that are mainline now, and mainline names that are aliases.
    pub mainline: Vec<RefName>,
}

pub fn read(
    policy: &Policy,
    repository: &Repository,
    forge: ForgeKind,
    recorded: Vec<RefName>,
) -> Result<Enrolment, Unfit> {
    let rules = RefRules::read(policy, repository, forge, &ServerSays::default(), recorded)?;
    let objects = Objects::open(repository)?;
    let mut by_level: BTreeMap<Level, BTreeSet<ObjectId>> = BTreeMap::new();
    let mut enrolment = Enrolment::default();
    for (name, value) in repository.all_refs()? {
        let id = match value {
            RefValue::Id(id) => Some(id),
            RefValue::Symbolic(_) => repository.resolve(&name)?,
        };
        let (Some(id), Some(level)) = (id, rules.target(&name)?.level) else { continue };
        if name.branch().is_some() {
            enrolment.branches += 1;
        } else if name.tag().is_some() {
            enrolment.tags += 1;
        } else {
            continue;
        }
        let tips = by_level.entry(level).or_default();
        tips.insert(id);
        tips.extend(peeled(&objects, policy, repository, id)?);
        if name.branch().is_some() && level == Level::Mainline {
            enrolment.mainline.push(name);
        }
    }
    if let Some(default) = rules.default_branch
        && !enrolment.mainline.contains(&default)
    {
        enrolment.mainline.push(default);
    }
    for (level, ids) in by_level {
        enrolment.tips.push(TipFacts { level: level.number(), ids: Pack::of_ids(ids)? });
    }
    Ok(enrolment)
}

/// What a tag leads to, link by link: history is walked by commits.
fn peeled(
    objects: &Objects,
    policy: &Policy,
    repository: &Repository,
    id: ObjectId,
) -> Result<Vec<ObjectId>, GitError> {
    let mut found = Vec::new();
    let mut id = id;
    for _ in 0..policy.limits.tag_chain {
        match objects.header(&id)? {
            Some(header) if header.kind == Kind::Tag && header.size <= policy.limits.tag_bytes => {}
            _ => break,
        }
        let target = objects.read(&id, |_, raw| Tag::target(raw, repository.format))?.flatten();
        let Some(target) = target else { break };
        found.push(target);
        id = target;
    }
    Ok(found)
}
