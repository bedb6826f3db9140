//! `countersign check [RANGE]`: what would the server say of these commits?

use super::explain::full_name;
use super::{CommandError, Done, printed};
use crate::cli::OutputFormat;
use crate::forge::ServerSays;
use crate::git::Repository;
use crate::git::objects::Objects;
use crate::site::Site;
use countersign_policy::commit::Commit;
use countersign_policy::config::Level;
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::judge::{Ground, Objection, Place, objections_at};
use countersign_policy::rule;
use countersign_policy::time::Time;
use countersign_policy::verdict::{Effect, Problem};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// A preview of more commits than this is not read by anybody.
const COMMITS_MAX: usize = 10_000;

pub fn run(site: &Site, range: Option<&str>, onto: Option<&str>, format: OutputFormat) -> Result<Done, CommandError> {
    let repository = Repository::at(Path::new(&git(&["rev-parse", "--absolute-git-dir"])?))?;
    let range = range.unwrap_or("@{upstream}..HEAD");
    if range.starts_with('-') {
        return Err(CommandError::Usage("a range does not begin with `-`".to_owned()));
    }
    let listed = git(&["rev-list", "--end-of-options", range])?;
    let ids: Vec<ObjectId> = listed.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes())).collect();
    if ids.len() > COMMITS_MAX {
        return Err(CommandError::Usage(format!("{range} holds {} commits; check at most {COMMITS_MAX}", ids.len())));
    }
    let onto = match onto {
        Some(name) => RefName::new(full_name(name).as_bytes()),
        None => upstream_branch(&repository)?,
    };
    let Some(level) = site.policy.refs.level(&onto) else {
        return Err(CommandError::No(format!(
            "{onto} is neither a branch nor a tag   [{}]",
            rule::unknown_namespace::RULE.id
        )));
    };
    let keyring = site.keyring()?;
    let objects = Objects::open(&repository)?;
    let helper = site.x509();
    let now = Time::from_system(std::time::SystemTime::now());
    let ground = Ground { policy: &site.policy, keyring: &keyring, x509: &helper, now, format: repository.format };
    let names = crate::site::names(&repository, &ServerSays::default())?;
    let mut rows = Vec::new();
    let (mut denied, mut undecided) = (false, false);
    for id in &ids {
        let look = |raw: &[u8]| {
            let title = Commit::parse(raw, repository.format).map(|commit| commit.title());
            (ground.examine_commit(raw), title.unwrap_or_default())
        };
        let Some((examined, title)) = objects.read(id, |_, raw| look(raw))? else {
            return Err(CommandError::Could(format!("{id} is not in this repository")));
        };
        let mut objections = examined.objections;
        if let Some(signer) = &examined.signer {
            let place = Place { repository: &names, name: &onto, level };
            // A clone does not know what the server calls the repository: scopes by repository are the server's to ask.
            let here = objections_at(&place, signer, &site.policy, now);
            objections
                .extend(here.into_iter().filter(|objection| objection.problem.rule.id != rule::out_of_scope::RULE.id));
        }
        for Objection { problem, .. } in &objections {
            denied |= problem.rule.effect == Effect::Deny;
            undecided |= problem.rule.effect == Effect::Undecided;
        }
        rows.push((*id, title, objections));
    }
    let findings: Vec<_> = rows
        .iter()
        .flat_map(|(id, _, objections)| objections.iter().map(move |objection| row_facts(id, &objection.problem)))
        .collect();
    let facts = json!({
        "schema_version": 1, "range": range, "onto": onto.to_string(), "level": level.as_str(),
        "commits": ids.len(), "findings": findings,
    });
    let text = printed(format, &facts, || preview(&onto, level, &rows))?;
    let code = if denied {
        1
    } else if undecided {
        2
    } else {
        0
    };
    Ok(Done { text, code })
}

fn row_facts(id: &ObjectId, problem: &Problem) -> serde_json::Value {
    json!({
        "id": problem.rule.id, "effect": problem.rule.effect, "subject": { "commit": id },
        "reason": problem.reason, "next": problem.next.as_deref().unwrap_or(problem.rule.next),
    })
}

fn preview(onto: &RefName, level: Level, rows: &[(ObjectId, String, Vec<Objection>)]) -> String {
    let refused = rows.iter().filter(|(_, _, objections)| !objections.is_empty()).count();
    if refused == 0 {
        return format!("{} commits could come to {} ({})\n", rows.len(), onto.shown(), level.as_str());
    }
    let mut text =
        format!("{refused} of {} commits could not come to {} ({}):\n\n", rows.len(), onto.shown(), level.as_str());
    for (id, title, objections) in rows {
        for objection in objections {
            let problem = &objection.problem;
            text.push_str(&format!("  {}  \"{title}\"  {}   [{}]\n", id.short(), problem.reason, problem.rule.id));
            text.push_str(&format!("           next: {}\n", problem.next.as_deref().unwrap_or(problem.rule.next)));
        }
    }
    text.push_str("\nthe server decides anew: it also knows what it received earlier\n");
    text
}

fn upstream_branch(repository: &Repository) -> Result<RefName, CommandError> {
    if let Ok(name) = git(&["rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"])
        && let Some((_, branch)) = name.split_once('/')
    {
        return Ok(RefName::new(format!("refs/heads/{branch}").as_bytes()));
    }
    repository
        .default_branch()?
        .ok_or_else(|| CommandError::Usage("name the branch the commits are meant for: --onto REF".to_owned()))
}

fn git(arguments: &[&str]) -> Result<String, CommandError> {
    let output = Command::new("git")
        .args(arguments)
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .output()
        .map_err(|error| CommandError::Could(format!("git could not be started: {error}")))?;
    if !output.status.success() {
        let said = countersign_policy::text::shown_bytes(output.stderr.trim_ascii(), 300);
        return Err(CommandError::Usage(format!("git {}: {said}", arguments.first().unwrap_or(&""))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
