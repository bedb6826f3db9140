//! `countersign install --repo PATH [--forge KIND]`: hooks in their place, and present tips enrolled.

use super::{CommandError, Done, printed};
use crate::cli::OutputFormat;
use crate::enrol;
use crate::forge::{ForgeKind, ServerSays};
use crate::git::Repository;
use crate::git::refs::RefValue;
use crate::ledger::{Ledger, Reader, RepositoryFacts, RepositoryId};
use crate::placement::{PlacementError, Plan};
use crate::site::Site;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is to become of what the ledger knows already.
#[derive(Clone, Copy, Debug)]
pub enum Anew<'a> {
    /// It goes on.
    No,
    /// Another repository stands in the place of one that is gone.
    Yes,
    /// The repository was elsewhere before.
    MovedFrom(&'a Path),
}

pub fn run(
    site: &Site,
    config: &Path,
    repo: &Path,
    forge: &str,
    anew: Anew<'_>,
    format: OutputFormat,
) -> Result<Done, CommandError> {
    let forge: ForgeKind = forge.parse().map_err(CommandError::Usage)?;
    let repository = Repository::at(repo)?;
    // Not resolved: what a link names may be exchanged, as a new version of the program or of the policy is.
    let config =
        std::path::absolute(config).map_err(|error| CommandError::Could(format!("{}: {error}", config.display())))?;
    let binary = this_program()?;
    let mut plan = Plan::make(&repository, forge).map_err(refused)?;
    // Enrol first: a hook without an enrolled repository answers every push with "could not decide".
    let mut ledger = site.ledger()?;
    let enrolled = enrol_once(site, &mut ledger, &repository, forge, anew)?;
    plan.carry_out(&repository, &binary, &config, forge).map_err(refused)?;
    plan.try_as_owner(&repository, &binary, &config);

    let hooks: Vec<String> = plan.paths().map(|place| place.display().to_string()).collect();
    let facts = json!({
        "schema_version": 1, "repository": { "id": enrolled.id.to_string(), "path": enrolled.path },
        "forge": forge.as_str(), "enrolled": enrolled.new, "branches": enrolled.branches, "tags": enrolled.tags,
        "hooks": hooks, "notes": plan.notes,
    });
    Ok(Done::ok(printed(format, &facts, || {
        let hooks: Vec<String> = hooks.iter().map(|place| format!("  {}", shown(place, 300))).collect();
        let mut text = format!("{}\nhooks ({}):\n{}\n", enrolled.text(), forge.as_str(), hooks.join("\n"));
        if plan.shared.is_some() {
            text.push_str(
                "\ngitolite puts its own driver into the repository as soon as any option asks for a hook;\n\
                 say in gitolite.conf, and push that:\n  \
                 option hook.pre-receive = countersign\n  option hook.post-receive = countersign\n",
            );
        }
        for note in &plan.notes {
            text.push_str(&format!("\nnote: {note}\n"));
        }
        text
    })?))
}

fn refused(error: PlacementError) -> CommandError {
    match error {
        PlacementError::HooksElsewhere(_)
        | PlacementError::HasWorkTree
        | PlacementError::IsGitea
        | PlacementError::Foreign(_)
        | PlacementError::Taken(_) => CommandError::No(error.to_string()),
        PlacementError::Git(_) | PlacementError::Io { .. } | PlacementError::File(_) => {
            CommandError::Could(error.to_string())
        }
    }
}

/// The name by which this program was called, so that a link to its present version stays one.
fn this_program() -> Result<PathBuf, CommandError> {
    let unknown = |error| CommandError::Could(format!("the path of this program is unknown: {error}"));
    let program = std::env::current_exe().map_err(unknown)?;
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let candidates: Vec<PathBuf> = if called.components().count() > 1 {
        vec![std::path::absolute(&called).map_err(unknown)?]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&called)).collect()
    };
    let is_this = |candidate: &PathBuf| candidate.canonicalize().is_ok_and(|found| found == program);
    Ok(candidates.into_iter().find(is_this).unwrap_or(program))
}

/// What became of the repository in the ledger.
struct Enrolled {
    id: RepositoryId,
    path: String,
    new: bool,
    /// When it was enrolled before.
    since: Option<Time>,
    moved_from: Option<String>,
    branches: usize,
    tags: usize,
}

impl Enrolled {
    fn text(&self) -> String {
        let path = shown(&self.path, 300);
        if let Some(former) = &self.moved_from {
            return format!(
                "{path} is the repository that was at {}; what is on record of it stays",
                shown(former, 300)
            );
        }
        if self.new {
            let Enrolled { branches, tags, id, .. } = self;
            return format!("enrolled {path} with {branches} branches and {tags} tags as they stand; its id is {id}");
        }
        let since = self.since.map_or_else(|| "its first push".to_owned(), Time::date);
        format!(
            "{path} is enrolled already, since {since}; nothing was trusted anew. To trust what stands there now: \
             `countersign baseline add REPO --tips --reason TEXT`; if another repository stood there: `install --anew`"
        )
    }
}

/// Enrols the tips of a repository that the ledger does not know yet. A second time nothing is trusted anew:
/// what came in behind the hook's back meanwhile must not become trusted by running `install` again.
fn enrol_once(
    site: &Site,
    ledger: &mut Ledger,
    repository: &Repository,
    forge: ForgeKind,
    anew: Anew<'_>,
) -> Result<Enrolled, CommandError> {
    let path = repository.path_text()?.to_owned();
    if let Anew::MovedFrom(former) = anew {
        return move_here(site, ledger, &path, former);
    }
    let known = ledger.read().repository_at(&path)?;
    if let (Some(known), Anew::No) = (known, anew) {
        return Ok(Enrolled {
            id: known.id,
            path,
            new: false,
            since: known.enrolled_at,
            moved_from: None,
            branches: 0,
            tags: 0,
        });
    }
    if matches!(anew, Anew::No)
        && let Some(former) = moved_away(ledger.read(), repository)?
    {
        return Err(CommandError::No(format!(
            "this looks like the repository that was at {0}: commits that it was trusted for stand here. Say \
             `--moved-from {0}`, so that its record stays; or `--anew` if it is another one",
            shown(&former, 300)
        )));
    }
    let enrolment = enrol::read(&site.policy, repository, forge, Vec::new())?;
    let id = RepositoryId::generate();
    let now = Time::from_system(std::time::SystemTime::now());
    let document = json!({
        "schema_version": 1, "at": now, "repository": { "id": id.to_string(), "path": path },
        "enrolled": { "branches": enrolment.branches, "tags": enrolment.tags },
        "mainline": enrolment.mainline.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "forge": forge.as_str(), "said": ServerSays::default().repository_id,
    });
    let document = serde_json::to_vec(&document).map_err(|error| CommandError::Could(error.to_string()))?;
    let (branches, tags) = (enrolment.branches, enrolment.tags);
    ledger.write(site.policy.limits.ledger_wait.get(), now, |writer| {
        writer.place_repository(RepositoryFacts { id, path: path.clone(), forge: None }, &document)?;
        writer.enrol(id, enrolment.tips, enrolment.mainline, &document)
    })?;
    Ok(Enrolled { id, path, new: true, since: None, moved_from: None, branches, tags })
}

/// The path of a repository on record that is gone, and whose trusted commits stand in this one: with a new record
/// all that is known of compromised keys here would be forgotten.
fn moved_away(ledger: Reader<'_>, repository: &Repository) -> Result<Option<String>, CommandError> {
    let mut stands = BTreeSet::new();
    for value in repository.all_refs()?.into_values() {
        if let RefValue::Id(id) = value {
            stands.insert(id);
        }
    }
    for known in ledger.repositories()?.into_iter().filter(|known| known.holds_path && !Path::new(&known.path).exists())
    {
        for id in &stands {
            if ledger.trusted_level(&known.id, id)?.is_some() {
                return Ok(Some(known.path));
            }
        }
    }
    Ok(None)
}

/// The operator's word that the repository known at `former` stands here now.
fn move_here(site: &Site, ledger: &mut Ledger, path: &str, former: &Path) -> Result<Enrolled, CommandError> {
    let former = std::path::absolute(former).map_err(|error| CommandError::Could(error.to_string()))?;
    let name = former.to_str().ok_or_else(|| CommandError::Usage("the former path is not UTF-8".to_owned()))?;
    if former.exists() {
        return Err(CommandError::No(format!("{} is still there: a copy is another repository", shown(name, 300))));
    }
    let Some(known) = ledger.read().repository_at(name)? else {
        return Err(CommandError::No(format!("no repository is on record at {}", shown(name, 300))));
    };
    let now = Time::from_system(std::time::SystemTime::now());
    let document = json!({ "schema_version": 1, "at": now, "moved": { "from": name, "to": path } });
    let document = serde_json::to_vec(&document).map_err(|error| CommandError::Could(error.to_string()))?;
    let facts = RepositoryFacts { id: known.id, path: path.to_owned(), forge: None };
    ledger.write(site.policy.limits.ledger_wait.get(), now, |writer| writer.place_repository(facts, &document))?;
    Ok(Enrolled {
        id: known.id,
        path: path.to_owned(),
        new: false,
        since: known.enrolled_at,
        moved_from: Some(name.to_owned()),
        branches: 0,
        tags: 0,
    })
}
