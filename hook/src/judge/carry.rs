//! Receipts and carriers: what brings in work whose signer could not bring it today.
//! And the opposite: compromised keys, which take receipts away.

use super::refs::RefRules;
use super::{Case, JudgeError, Judgement};
use crate::git::history::NewHistory;
use countersign_policy::commit::walk_header;
use countersign_policy::config::Level;
use countersign_policy::id::{Fingerprint, ObjectId, RefName};
use countersign_policy::judge::Objection;
use countersign_policy::keyring::{Compromised, KeyringError};
use countersign_policy::rule::{self, Answers};
use countersign_policy::verdict::{Finding, Problem, Subject};
use std::collections::{HashMap, HashSet};

/// Answers objections by receipts; on mainline a carrier is needed besides. What is answered is left as a note.
pub fn carry(
    case: &Case<'_>,
    history: &NewHistory,
    judged: &mut HashMap<ObjectId, Vec<Objection>>,
    level: Level,
) -> Result<(), JudgeError> {
    let Some(repository) = &case.repository_id else { return Ok(()) };
    let answerable = |objections: &Vec<Objection>| {
        objections.iter().all(|objection| match objection.answers {
            Answers::Never => false,
            Answers::KeyValidity | Answers::KeyValidityBefore(_) => true,
            // Scope and probation are asked anew; only a carrier brings such work further.
            Answers::Authority => level == Level::Mainline,
        })
    };
    let candidates: Vec<ObjectId> =
        judged.iter().filter(|(_, objections)| answerable(objections)).map(|(id, _)| *id).collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let receipts = case.ledger.receipts(repository, &candidates)?;
    let carriers = if level == Level::Mainline { Some(carried_by_clean(case, history, judged)?) } else { None };
    for id in candidates {
        let Some(objections) = judged.get_mut(&id) else { continue };
        let Some(receipts) = receipts.get(&id) else { continue };
        let answered = objections.iter().all(|objection| match objection.answers {
            Answers::KeyValidityBefore(before) => receipts.iter().any(|receipt| receipt.at < before),
            _ => !receipts.is_empty(),
        });
        let carried = carriers.as_ref().is_none_or(|carried| carried.contains(&id));
        if !answered {
            continue;
        }
        if !carried {
            for objection in objections.iter_mut() {
                objection.problem.next = Some(
                    "let an active colleague merge it with a signed merge commit: it was received earlier".to_owned(),
                );
            }
            continue;
        }
        let reasons: Vec<&str> = objections.iter().map(|objection| objection.problem.rule.id).collect();
        let mut note = Problem::new(
            &rule::carried::RULE,
            format!("comes in by an earlier receipt and a colleague's signature, in spite of {}", reasons.join(", ")),
        );
        note.person = objections.iter().find_map(|objection| objection.problem.person.clone());
        note.key = objections.iter().find_map(|objection| objection.problem.key.clone());
        *objections = vec![Objection { problem: note, answers: Answers::Never }];
    }
    Ok(())
}

/// The judged commits that have a descendant in the same update against which nothing speaks.
fn carried_by_clean(
    case: &Case<'_>,
    history: &NewHistory,
    judged: &HashMap<ObjectId, Vec<Objection>>,
) -> Result<HashSet<ObjectId>, JudgeError> {
    let walked: HashSet<ObjectId> = history.commits.iter().copied().collect();
    let mut carried = HashSet::new();
    let mut stack: Vec<ObjectId> = history.commits.iter().copied().filter(|id| !judged.contains_key(id)).collect();
    let mut visited: HashSet<ObjectId> = stack.iter().copied().collect();
    while let Some(id) = stack.pop() {
        let format = case.repository.format;
        let parents = case.objects.read(&id, |_, raw| walk_header(raw, format).map(|(parents, _)| parents))?.flatten();
        for parent in parents.unwrap_or_default() {
            if walked.contains(&parent) {
                carried.insert(parent);
                if visited.insert(parent) {
                    stack.push(parent);
                }
            }
        }
    }
    Ok(carried)
}

/// Commits that this repository received from a key after it was compromised, with what is known of the key.
fn distrusted(case: &Case<'_>) -> Result<HashMap<ObjectId, (Fingerprint, Compromised)>, JudgeError> {
    let mut found = HashMap::new();
    let Some(repository) = &case.repository_id else { return Ok(found) };
    for (key, mark) in compromised_keys(case)? {
        for receipt in case.ledger.receipts_by_key(Some(repository), &key, mark.since)? {
            // Where two keys stand behind it, the harsher mark counts: no instant means always.
            let known = found.entry(receipt.commit).or_insert_with(|| (key.clone(), mark));
            if mark.since < known.1.since {
                *known = (key.clone(), mark);
            }
        }
    }
    if found.is_empty() {
        return Ok(found);
    }
    // What was here before the key fell into other hands stays good, wherever it was merged to since.
    let ids: Vec<ObjectId> = found.keys().copied().collect();
    for (id, receipts) in case.ledger.receipts(repository, &ids)? {
        let since = found.get(&id).and_then(|(_, mark)| mark.since);
        if since.is_some_and(|since| receipts.iter().any(|receipt| receipt.at < since)) {
            found.remove(&id);
        }
    }
    Ok(found)
}

fn compromised_keys(case: &Case<'_>) -> Result<Vec<(Fingerprint, Compromised)>, KeyringError> {
    let now = case.ground.now;
    let mut keys = Vec::new();
    for id in case.ground.keyring.compromised()? {
        let Some(person) = case.ground.keyring.person(&id)? else { continue };
        keys.extend(person.keys.iter().filter_map(|key| Some((key.fingerprint.clone(), key.compromised?))));
    }
    let authorities = case.ground.keyring.authorities()?;
    keys.extend(
        authorities
            .ssh
            .iter()
            .chain(&authorities.x509)
            .filter_map(|authority| Some((authority.fingerprint.clone(), authority.compromised?))),
    );
    keys.retain(|(_, mark)| mark.from <= now);
    Ok(keys)
}

/// While the repository holds work of a compromised key, only a ref's own old value exempts from it: such
/// commits do not enter another mainline ref. On other branches they pass where mainline already holds them.
pub fn distrust(
    case: &Case<'_>,
    rules: &RefRules<'_>,
    (new, old): (ObjectId, &[ObjectId]),
    history: &NewHistory,
    level: Level,
    places: &[RefName],
    judgement: &mut Judgement,
) -> Result<(), JudgeError> {
    let distrusted = distrusted(case)?;
    if distrusted.is_empty() {
        return Ok(());
    }
    let entering = if history.by_others {
        let all: HashSet<ObjectId> = distrusted.keys().copied().collect();
        let own = case.reachable(old, &all)?;
        case.reachable(&[new], &all.difference(&own).copied().collect())?
    } else {
        // All that the walk left out is the ref's own already: nothing needs to be looked for beyond it. What the
        // push brought along once more may be the ref's own too.
        let met: HashSet<ObjectId> =
            history.commits.iter().filter(|id| distrusted.contains_key(*id)).copied().collect();
        let own = case.reachable(old, &met)?;
        met.difference(&own).copied().collect()
    };
    if entering.is_empty() {
        return Ok(());
    }
    let on_mainline = if level == Level::Mainline {
        HashSet::new()
    } else {
        let mut tips = Vec::new();
        for name in rules.recorded_mainline() {
            if let Some(id) = case.repository.resolve(name)?
                && case.trusted_level(&id)? >= Some(Level::Mainline)
            {
                tips.push(id);
            }
        }
        case.reachable(&tips, &entering)?
    };
    let mut entering: Vec<ObjectId> = entering.into_iter().collect();
    entering.sort();
    let blamed: HashSet<ObjectId> = judgement.findings.listed().iter().filter_map(blamed_as_compromised).collect();
    for id in entering {
        if blamed.contains(&id) {
            continue;
        }
        let Some((key, mark)) = distrusted.get(&id) else { continue };
        let since = mark.since.map_or_else(|| "always".to_owned(), |since| format!("since {}", since.date()));
        let problem = if on_mainline.contains(&id) {
            Problem::new(&rule::distrusted::RULE, format!("was signed with key {}, compromised {since}", key.short()))
        } else {
            let reason = format!("was signed with key {}, which counts as compromised {since}", key.short());
            Problem::new(&rule::key_compromised::RULE, reason)
        };
        let mut finding = problem.with_key(key).about(Subject::Commit(id));
        if let Some(name) = places.first() {
            finding = finding.on(name);
        }
        judgement.findings.push(finding);
    }
    Ok(())
}

fn blamed_as_compromised(finding: &Finding) -> Option<ObjectId> {
    match finding.subject {
        Subject::Commit(id) if finding.id() == rule::key_compromised::RULE.id => Some(id),
        _ => None,
    }
}
