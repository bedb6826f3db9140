//! What a ref update is by its name: its level, and whether refs of this kind may move this way.

use crate::forge::{self, ForgeKind, ServerSays};
use crate::git::refs::RefValue;
use crate::git::{GitError, Repository};
use countersign_policy::config::{Level, Policy};
use countersign_policy::id::RefName;
use std::collections::BTreeSet;

/// The names an update really moves and how strict the strictest of them is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The given name first, then what it leads to.
    pub names: Vec<RefName>,
    /// Other names that move with these, because they lead here.
    pub aliases: Vec<RefName>,
    /// `None`: one of the names is of a kind that no rule speaks of.
    pub level: Option<Level>,
}

impl Target {
    /// Every name that stands for what is moved: a freedom must be granted to each of them.
    pub fn all_names(&self) -> impl Iterator<Item = &RefName> {
        self.names.iter().chain(&self.aliases)
    }

    pub fn is_tag(&self) -> bool {
        self.names.iter().any(|name| name.tag().is_some())
    }
}

/// Everything about names that one push asks for, read once.
#[derive(Debug)]
pub struct RefRules<'a> {
    policy: &'a Policy,
    repository: &'a Repository,
    forge: ForgeKind,
    internal: bool,
    pub default_branch: Option<RefName>,
    /// Mainline by the operator's patterns is asked of the policy; these are mainline by history.
    recorded_mainline: BTreeSet<RefName>,
    /// Symbolic refs with a mainline name, and where they lead: `main` itself may be an alias.
    aliases: Vec<Vec<RefName>>,
}

impl<'a> RefRules<'a> {
    pub fn read(
        policy: &'a Policy,
        repository: &'a Repository,
        forge: ForgeKind,
        says: &ServerSays,
        recorded_mainline: Vec<RefName>,
    ) -> Result<Self, GitError> {
        let default_branch = if policy.refs.default_branch_is_mainline { repository.default_branch()? } else { None };
        let recorded_mainline: BTreeSet<RefName> = recorded_mainline.into_iter().collect();
        let mut aliases = Vec::new();
        for name in recorded_mainline.iter().chain(default_branch.iter()) {
            note_alias(repository, name, &mut aliases)?;
        }
        for pattern in &policy.refs.mainline {
            let text = pattern.as_str();
            let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
            match full.split_once('*') {
                None => note_alias(repository, &RefName::new(full.as_bytes()), &mut aliases)?,
                Some((before, _)) => {
                    let folder = before.rsplit_once('/').map_or("refs", |(folder, _)| folder);
                    let mut symbolic = Vec::new();
                    repository.loose_below(folder.as_bytes(), &mut |name, value| {
                        if matches!(value, RefValue::Symbolic(_)) && pattern.matches_ref(&name) {
                            symbolic.push(name);
                        }
                    })?;
                    for name in symbolic {
                        note_alias(repository, &name, &mut aliases)?;
                    }
                }
            }
        }
        Ok(RefRules { policy, repository, forge, internal: says.internal, default_branch, recorded_mainline, aliases })
    }

    /// The strictest rule among the given name, its target and every alias that leads there.
    pub fn target(&self, name: &RefName) -> Result<Target, GitError> {
        if self.internal && forge::is_review_ref(self.forge, name) {
            return Ok(Target { names: vec![name.clone()], aliases: Vec::new(), level: Some(Level::Recorded) });
        }
        let names = self.repository.follow(name)?;
        let led_here = self.aliases.iter().filter(|chain| chain.iter().any(|link| names.contains(link))).flatten();
        let aliases = led_here.filter(|name| !names.contains(name)).cloned().collect();
        let mut target = Target { names, aliases, level: Some(Level::Recorded) };
        target.level = target.all_names().map(|name| self.level_by_name(name)).fold(target.level, |so_far, this| {
            // A name of which no rule speaks makes the whole update one.
            so_far.zip(this).map(|(so_far, this)| so_far.max(this))
        });
        Ok(target)
    }

    fn level_by_name(&self, name: &RefName) -> Option<Level> {
        // A pattern makes a branch or tag mainline; it does not make a name one of them.
        let level = self.policy.refs.level(name)?;
        Some(if self.is_mainline(name) { Level::Mainline } else { level })
    }

    pub fn is_mainline(&self, name: &RefName) -> bool {
        self.policy.refs.is_mainline(name)
            || self.default_branch.as_ref() == Some(name)
            || self.recorded_mainline.contains(name)
    }

    /// Whether the ledger must still learn that this branch is mainline.
    pub fn is_news(&self, name: &RefName) -> bool {
        name.branch().is_some() && self.is_mainline(name) && !self.recorded_mainline.contains(name)
    }

    /// Whether the ref is mainline only by a pattern such as `release/*`, so that it may be retired.
    pub fn is_retirable(&self, name: &RefName) -> bool {
        self.default_branch.as_ref() != Some(name)
            && self.policy.refs.mainline.iter().any(|pattern| !pattern.is_literal() && pattern.matches_ref(name))
    }

    pub fn recorded_mainline(&self) -> impl Iterator<Item = &RefName> {
        self.recorded_mainline.iter()
    }
}

fn note_alias(repository: &Repository, name: &RefName, aliases: &mut Vec<Vec<RefName>>) -> Result<(), GitError> {
    let chain = repository.follow(name)?;
    if chain.len() > 1 && !aliases.contains(&chain) {
        aliases.push(chain);
    }
    Ok(())
}
