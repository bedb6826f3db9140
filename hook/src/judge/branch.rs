//! One branch: what its old value is worth, what comes in, and whether it only moves forward.

use super::refs::RefRules;
use super::walk::Walked;
use super::{Asked, Case, JudgeError, Judgement, Shared, walk_error};
use crate::git::history::is_ancestor;
use crate::ledger::{LedgerError, UpdateFacts};
use crate::push::RefUpdate;
use countersign_policy::config::Level;
use countersign_policy::rule;
use countersign_policy::verdict::{Problem, Subject};

impl Case<'_> {
    pub(super) fn judge_branch(
        &self,
        rules: &RefRules<'_>,
        asked: &Asked<'_>,
        shared: &mut Shared,
        judgement: &mut Judgement,
    ) -> Result<(), JudgeError> {
        let Asked { update, target, level } = asked;
        if update.is_deletion() {
            return Ok(());
        }
        let mut old = Vec::new();
        if !update.is_creation() && self.trust_old_value(asked, judgement)? >= Some(*level) {
            old.push(update.old);
        }
        let Walked { pack, met_old } =
            self.walk_and_judge(rules, update.new, &old, *level, &target.names, None, shared, judgement)?;
        let mut fast_forward = update.is_creation() || met_old.contains(&update.old);
        if *level == Level::Mainline && !fast_forward {
            fast_forward = self.is_fast_forward(update)?;
            if !fast_forward && !target.all_names().all(|name| self.ground.policy.refs.may_rewind(name)) {
                let reason = format!("would lose the commits between {} and its own history", update.old.short());
                let problem = Problem::new(&rule::non_fast_forward::RULE, reason);
                judgement.findings.push(problem.about(Subject::Ref(update.name.clone())));
            }
        }
        // One pack, with the branch itself: a symbolic ref that leads there is reported along with it.
        let mut pack = Some(pack);
        judgement.updates.extend(target.names.iter().rev().map(|name| UpdateFacts {
            name: name.clone(),
            old: update.old,
            new: update.new,
            level: level.number(),
            fast_forward: fast_forward && !update.is_creation(),
            commits: pack.take().unwrap_or_default(),
        }));
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
}
