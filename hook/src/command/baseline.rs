//! `countersign baseline add|list`: history from before, on record.

use super::explain::full_name;
use super::{CommandError, Done, printed};
use crate::cli::{Baseline as What, OutputFormat};
use crate::enrol;
use crate::forge::{ForgeKind, ServerSays};
use crate::git::Repository;
use crate::judge::refs::RefRules;
use crate::ledger::{BaselineFacts, BaselineId, Facts, Leaf, LeafKind, Ledger, RepositoryId};
use crate::site::Site;
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Longer reasons are cut on the screen; the record keeps them.
const REASON_SHOWN: usize = 120;

/// A baseline that nobody uses within a week was not meant for what it would let in later.
const UNUSED_FOR: Duration = Duration::from_secs(7 * 86_400);

pub fn run(site: &Site, what: &What, format: OutputFormat) -> Result<Done, CommandError> {
    match what {
        What::Add { repo, tips: true, reason, .. } => add_tips(site, repo, reason.as_deref(), format),
        What::Add { repo, commit: Some(commit), onto: Some(onto), reason: Some(reason), .. } => {
            add(site, repo, commit, onto, reason, format)
        }
        What::Add { .. } => Err(CommandError::Usage("name a commit with --onto and --reason, or --tips".to_owned())),
        What::List { repo } => list(site, repo, format),
    }
}

fn enrolled(site: &Site, repository: &Repository) -> Result<(crate::ledger::Ledger, RepositoryId), CommandError> {
    let ledger = site.ledger()?;
    let path = repository.path_text()?;
    match ledger.read().repository_at(path)? {
        Some(known) => Ok((ledger, known.id)),
        None => Err(CommandError::No(format!("{path} is not enrolled; run `countersign install --repo {path}` first"))),
    }
}

fn add(
    site: &Site,
    repo: &Path,
    commit: &str,
    onto: &str,
    reason: &str,
    format: OutputFormat,
) -> Result<Done, CommandError> {
    let repository = Repository::at(repo)?;
    let commit = ObjectId::from_hex(commit.as_bytes())
        .filter(|id| id.format() == repository.format)
        .ok_or_else(|| CommandError::Usage("the commit must be a full object id".to_owned()))?;
    if reason.trim().is_empty() {
        return Err(CommandError::Usage("say why: --reason TEXT".to_owned()));
    }
    let (mut ledger, id) = enrolled(site, &repository)?;
    let onto = RefName::new(full_name(onto).as_bytes());
    let recorded = ledger.read().mainline_refs(&id)?;
    let rules = RefRules::read(&site.policy, &repository, ForgeKind::Plain, &ServerSays::default(), recorded)?;
    let level = rules
        .target(&onto)?
        .level
        .ok_or_else(|| CommandError::Usage(format!("{onto} is neither a branch nor a tag")))?;
    let now = Time::from_system(std::time::SystemTime::now());
    let expires = now.plus(UNUSED_FOR);
    let facts = BaselineFacts {
        id: BaselineId::generate(),
        repository: id,
        commit,
        onto: onto.clone(),
        level: level.number(),
        reason: reason.to_owned(),
        expires,
    };
    let baseline = facts.id;
    let document = json!({
        "schema_version": 1, "at": now, "baseline": baseline.to_string(), "commit": commit, "onto": onto.to_string(),
        "reason": reason, "expires": expires,
    });
    let document = serde_json::to_vec(&document).map_err(|error| CommandError::Could(error.to_string()))?;
    ledger.write(site.policy.limits.ledger_wait.get(), now, |writer| writer.add_baseline(facts, &document))?;
    let facts = json!({
        "schema_version": 1, "baseline": baseline.to_string(), "commit": commit, "onto": onto.to_string(),
        "expires": expires,
    });
    Ok(Done::ok(printed(format, &facts, || {
        format!(
            "baseline {baseline}: {commit} and what lies behind it may come to {onto} unsigned, until {expires} if unused\n"
        )
    })?))
}

/// Trusts what stands there now: the way out of `observe`, and the answer to `moved-unseen`.
fn add_tips(site: &Site, repo: &Path, reason: Option<&str>, format: OutputFormat) -> Result<Done, CommandError> {
    let repository = Repository::at(repo)?;
    let (mut ledger, id) = enrolled(site, &repository)?;
    let recorded = ledger.read().mainline_refs(&id)?;
    let enrolment = enrol::read(&site.policy, &repository, ForgeKind::Plain, recorded)?;
    let now = Time::from_system(std::time::SystemTime::now());
    let document = json!({
        "schema_version": 1, "at": now, "enrolled": { "branches": enrolment.branches, "tags": enrolment.tags },
        "reason": reason,
    });
    let document = serde_json::to_vec(&document).map_err(|error| CommandError::Could(error.to_string()))?;
    let (branches, tags) = (enrolment.branches, enrolment.tags);
    ledger.write(site.policy.limits.ledger_wait.get(), now, |writer| {
        writer.enrol(id, enrolment.tips, enrolment.mainline, &document)
    })?;
    let facts = json!({ "schema_version": 1, "branches": branches, "tags": tags, "trusted_at": now });
    Ok(Done::ok(printed(format, &facts, || {
        format!("trusted from now on: {branches} branches and {tags} tags as they stand\n")
    })?))
}

fn list(site: &Site, repo: &Path, format: OutputFormat) -> Result<Done, CommandError> {
    let repository = Repository::at(repo)?;
    let (ledger, id) = enrolled(site, &repository)?;
    let baselines = ledger.read().baselines(&id)?;
    let now = Time::from_system(std::time::SystemTime::now());
    let rows: Vec<_> = baselines
        .iter()
        .map(|baseline| {
            json!({
                "id": baseline.id.to_string(), "commit": baseline.commit, "onto": baseline.onto.to_string(),
                "reason": baseline.reason, "created": baseline.created, "expires": baseline.expires,
                "used_at": baseline.used_at, "used_by": baseline.used_by.map(|by| by.to_string()),
                "active": baseline.is_active(now),
            })
        })
        .collect();
    let enrolments = enrolments(&ledger, &id)?;
    let facts = json!({ "schema_version": 1, "baselines": rows, "enrolments": enrolments });
    Ok(Done::ok(printed(format, &facts, || {
        let trusted = enrolments.iter().map(|enrolment| {
            let text = |key: &str| enrolment[key].as_str().map_or("-".to_owned(), |text| shown(text, REASON_SHOWN));
            let (branches, tags) = (&enrolment["branches"], &enrolment["tags"]);
            format!("tips of {}: {branches} branches and {tags} tags as they stood  {}\n", text("at"), text("reason"))
        });
        if baselines.is_empty() {
            return trusted.chain(["no baselines\n".to_owned()]).collect();
        }
        let of_commits = baselines.iter().map(|baseline| {
            let state = match (baseline.used_at, baseline.is_active(now)) {
                (Some(at), _) => format!("used on {}", at.date()),
                (None, true) => format!("open until {}", baseline.expires.date()),
                (None, false) => "expired unused".to_owned(),
            };
            let reason = shown(&baseline.reason, REASON_SHOWN);
            format!("{}  {}  {}  {state}  {reason}\n", baseline.id, baseline.commit.short(), baseline.onto.shown())
        });
        trusted.chain(of_commits).collect()
    })?))
}

/// What was trusted as it stood, by `install` and by `baseline add --tips`. Reads the whole ledger.
fn enrolments(ledger: &Ledger, id: &RepositoryId) -> Result<Vec<Value>, CommandError> {
    let (mut found, mut damaged) = (Vec::new(), None);
    ledger.read().each_leaf(0, |at, kind, body| {
        if kind != LeafKind::Enrolled.as_str() {
            return true;
        }
        match Leaf::decode(at, body) {
            Ok(leaf) if matches!(&leaf.facts, Facts::Enrolled(facts) if &facts.repository == id) => {
                let said: Value = serde_json::from_slice(&leaf.document).unwrap_or_default();
                let count = |key: &str| said.pointer(&format!("/enrolled/{key}")).and_then(Value::as_u64);
                found.push(json!({
                    "entry": at, "at": said.get("at"), "branches": count("branches"), "tags": count("tags"),
                    "reason": said.get("reason"),
                }));
            }
            Ok(_) => {}
            Err(error) => damaged = Some(error),
        }
        damaged.is_none()
    })?;
    match damaged {
        Some(error) => Err(error.into()),
        None => Ok(found),
    }
}
