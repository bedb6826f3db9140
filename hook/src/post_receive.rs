//! `post-receive`: puts on record which updates git really applied. Only these give receipts and trusted tips.

use crate::call::{Call, Outcome};
use crate::git::GitEnvironment;
use crate::ledger::{Ledger, RepositoryId, Update, UpdateState};
use crate::push::RefUpdate;
use crate::reported::{Moved, Reported};
use crate::site::Unfit;
use crate::transaction::stale;
use countersign_policy::id::RefName;
use countersign_policy::rule;
use countersign_policy::verdict::Decision;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Time to wait for other writers before folding new receipts into the look-up index: it can be done later.
const FOLD_WAIT: Duration = Duration::from_millis(200);

/// Ids folded by one push, where there are too many packs: a few dozen milliseconds.
const FOLD_BUDGET: u64 = 10_000;

/// Nothing that goes wrong here undoes a push; it is told to the operator.
pub fn run(call: &Call, environment: &GitEnvironment, cwd: &Path, input: impl Read) -> Outcome {
    if let Err(unfit) = apply(call, environment, cwd, input) {
        tracing::error!(detail = %unfit.detail, "what was applied could not be recorded");
    }
    Outcome::silent(0)
}

fn apply(call: &Call, environment: &GitEnvironment, cwd: &Path, input: impl Read) -> Result<(), Unfit> {
    let Some(reported) = Moved::read(call, environment, cwd, input)?.on_record()? else { return Ok(()) };
    let Reported { site, repository, mut ledger, id, updates } = reported;
    let now = call.clock.now();
    let checked_before = repository.file("hooks/reference-transaction").exists();
    let (mut ids, mut told) = (Vec::new(), Vec::new());
    // All updates of a push stand in one verdict.
    let (mut updates_of, mut lateness) = (HashMap::new(), HashMap::new());
    for update in &updates {
        let Some(found) = newest(&ledger, &id, update)? else {
            // Nobody judged it: it gives no trust, and the next push walks it anew.
            told.push(serde_json::json!({ "ref": update.name.to_string(), "new": update.new, "verdict": null }));
            continue;
        };
        let verdict = found.id.verdict;
        if let Entry::Vacant(entry) = lateness.entry(verdict) {
            let late = if checked_before || !found.enforced { None } else { stale(&site, &ledger, &found, now)? };
            entry.insert(late.map(|stale| stale.reason()));
        }
        let late = lateness.get(&verdict).cloned().flatten();
        if let Some(reason) = &late {
            tracing::warn!(r#ref = %update.name, %reason, "applied late: no reference-transaction hook checked it");
        }
        told.push(serde_json::json!({
            "ref": update.name.to_string(), "old": update.old, "new": update.new,
            "verdict": found.verdict.to_string(),
            "finding": late.as_ref().map(|_| rule::applied_late::RULE.id), "reason": late,
        }));
        let names = repository.follow(&update.name).unwrap_or_else(|_| vec![update.name.clone()]);
        if names.len() == 1 {
            ids.push(found.id);
            continue;
        }
        // A symbolic ref moved all that it leads to.
        if let Entry::Vacant(entry) = updates_of.entry(verdict) {
            let by_name = ledger.read().updates_of_verdict(verdict)?.into_iter();
            entry.insert(by_name.map(|update| (update.name.clone(), update)).collect::<HashMap<RefName, Update>>());
        }
        let by_name = updates_of.get(&verdict);
        let same = |other: &&Update| other.old == found.old && other.new == found.new;
        ids.extend(names.iter().filter_map(|name| by_name?.get(name)).filter(same).map(|other| other.id));
    }
    let document =
        serde_json::to_vec(&serde_json::json!({ "schema_version": 1, "at": now, "applied": told })).unwrap_or_default();
    ledger.write(site.policy.limits.ledger_wait.get(), now, |writer| writer.applied(&ids, &document))?;
    if let Err(error) = ledger.fold_index(&id, FOLD_WAIT, FOLD_BUDGET) {
        tracing::warn!(%error, "the index of receipts could not be brought up to date; it will be later");
    }
    Ok(())
}

fn newest(ledger: &Ledger, id: &RepositoryId, update: &RefUpdate) -> Result<Option<Update>, Unfit> {
    let pending = ledger.read().pending(id, &update.name, Some(&update.old), &update.new)?;
    Ok(pending
        .into_iter()
        .find(|found| (found.decision == Decision::Accept || !found.enforced) && found.state == UpdateState::Open))
}
