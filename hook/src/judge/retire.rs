//! Which mainline branches of a push may be deleted.

use super::refs::RefRules;
use super::tags::peel;
use super::{Case, JudgeError};
use crate::git::refs::RefValue;
use crate::ledger::{Update, UpdateState};
use crate::push::RefUpdate;
use countersign_policy::config::Level;
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::verdict::Decision;
use std::collections::HashSet;

/// A `release/*` whose tip another trusted mainline branch or a trusted tag reaches may go. What may itself go,
/// with this push or as it pleases, holds nothing; nor does another name of the same branch.
#[derive(Default)]
pub(super) struct Retiring(HashSet<(RefName, ObjectId)>);

impl Retiring {
    pub fn read(
        case: &Case<'_>,
        rules: &RefRules<'_>,
        updates: &[RefUpdate],
        targets: &[super::Target],
    ) -> Result<Self, JudgeError> {
        let candidates: Vec<&RefUpdate> = updates
            .iter()
            .zip(targets)
            .filter(|(update, target)| {
                let mainline = target.level == Some(Level::Mainline) && !target.is_tag();
                update.is_deletion() && mainline && target.all_names().all(|name| rules.is_retirable(name))
            })
            .map(|(update, _)| update)
            .collect();
        if candidates.is_empty() {
            return Ok(Retiring::default());
        }
        let moved: HashSet<&RefName> = targets.iter().flat_map(|target| &target.names).collect();
        let mut tips = Vec::new();
        for (name, value) in case.repository.all_refs()? {
            let RefValue::Id(id) = value else { continue };
            let holds = match name.tag() {
                Some(tag) => !case.ground.policy.refs.may_move_tag(tag),
                None => rules.is_mainline(&name),
            };
            if holds && !moved.contains(&name) && !is_going(case, &name)? {
                case.in_time()?;
                if case.trusted_level(&id)? >= Some(Level::Mainline) {
                    tips.push(peel(case, &id)?.unwrap_or(id));
                }
            }
        }
        let wanted = candidates.iter().map(|update| update.old).collect();
        let held = case.reachable(&tips, &wanted)?;
        let allowed = candidates.into_iter().filter(|update| held.contains(&update.old));
        Ok(Retiring(allowed.map(|update| (update.name.clone(), update.old)).collect()))
    }

    pub fn allows(&self, update: &RefUpdate) -> bool {
        self.0.contains(&(update.name.clone(), update.old))
    }
}

/// Whether another push may be deleting this ref right now.
fn is_going(case: &Case<'_>, name: &RefName) -> Result<bool, JudgeError> {
    let Some(repository) = &case.repository_id else { return Ok(false) };
    let gone = ObjectId::zero(case.repository.format);
    let within = case.ground.policy.apply_within.get();
    let open = |update: &Update| {
        update.state == UpdateState::Open
            && update.decision == Decision::Accept
            && case.ground.now.since(update.at) <= within
    };
    Ok(case.ledger.pending(repository, name, None, &gone)?.iter().any(open))
}
