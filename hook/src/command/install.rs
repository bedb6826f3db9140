//! `countersign install --repo PATH [--forge KIND]`: hooks in their place, and present tips enrolled.

use super::{CommandError, Done};
use crate::enrol;
use crate::forge::{ForgeKind, ServerSays};
use crate::git::Repository;
use crate::hookfile::{HookFile, HookFileError, HookKind};
use crate::ledger::{Ledger, RepositoryFacts, RepositoryId};
use crate::site::Site;
use countersign_policy::time::Time;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub fn run(site: &Site, config: &Path, repo: &Path, forge: &str) -> Result<Done, CommandError> {
    let forge: ForgeKind = forge.parse().map_err(CommandError::Usage)?;
    let repository = Repository::at(repo)?;
    let config =
        config.canonicalize().map_err(|error| CommandError::Could(format!("{}: {error}", config.display())))?;
    let binary = std::env::current_exe()
        .map_err(|error| CommandError::Could(format!("the path of this program is unknown: {error}")))?;
    if let Some(elsewhere) = hooks_path(&repository) {
        return Err(CommandError::No(format!(
            "`core.hooksPath` of this repository is `{elsewhere}`: git would run no hook that is put into the repository; \
             unset it first"
        )));
    }
    let mut places = Vec::new();
    let shared = match forge {
        ForgeKind::Gitolite => gitolite_folder(&repository).map(|folder| folder.join("countersign")),
        _ => None,
    };
    for hook in HookKind::ALL {
        if let Some(place) = place(&repository, forge, hook) {
            if shared.is_some() && is_driver(&place) {
                continue;
            }
            refuse_foreign(&place)?;
            places.push((hook, place));
        }
    }
    // Enrol first: a hook without an enrolled repository answers every push with "could not decide".
    let mut ledger = site.ledger()?;
    let enrolled = enrol_once(site, &mut ledger, &repository, forge)?;
    for (hook, place) in &places {
        let text = HookFile { hook: Some(*hook), config: config.clone(), forge }.text(&binary).map_err(refused)?;
        write_hook(place, &text).map_err(|error| CommandError::Could(format!("{}: {error}", place.display())))?;
    }
    if let Some(place) = &shared {
        refuse_foreign(place)?;
        let text = HookFile { hook: None, config: config.clone(), forge }.text(&binary).map_err(refused)?;
        write_hook(place, &text).map_err(|error| CommandError::Could(format!("{}: {error}", place.display())))?;
    }
    let hooks: Vec<String> = places.iter().map(|(_, place)| format!("  {}", place.display())).collect();
    let mut text = format!("{enrolled}\nhooks ({}):\n{}\n", forge.as_str(), hooks.join("\n"));
    if let Some(place) = shared {
        text.push_str(&format!(
            "  {}\n\ngitolite puts its own driver into the repository as soon as any option asks for a hook;\nsay in gitolite.conf, and push that:\n  \
             option hook.pre-receive = countersign\n  option hook.post-receive = countersign\n",
            place.display()
        ));
    }
    Ok(Done::ok(text))
}

fn refused(error: HookFileError) -> CommandError {
    CommandError::Could(error.to_string())
}

/// Where this kind of forge looks for the hook; `None` where it never runs it.
fn place(repository: &Repository, forge: ForgeKind, hook: HookKind) -> Option<PathBuf> {
    let name = hook.as_str();
    let inside = |path: String| Some(repository.file(&path));
    match (forge, hook) {
        (ForgeKind::Gitea, HookKind::PreReceive | HookKind::PostReceive) => {
            inside(format!("hooks/{name}.d/countersign"))
        }
        (ForgeKind::Gitlab, HookKind::PreReceive | HookKind::PostReceive) => {
            inside(format!("custom_hooks/{name}.d/countersign"))
        }
        // Gitaly runs it for some operations only and shows nobody its words; it cannot be built on.
        (ForgeKind::Gitlab, HookKind::ReferenceTransaction) => None,
        _ => inside(format!("hooks/{name}")),
    }
}

/// Gitolite's folder of repository-specific hooks, where it is in use: gitolite links from there what its
/// configuration lists, over whatever stands in the repository.
fn gitolite_folder(repository: &Repository) -> Option<PathBuf> {
    let by_driver = || {
        let driver = std::fs::read_link(repository.file("hooks/pre-receive")).ok()?;
        Some(driver.parent()?.join("repo-specific"))
    };
    let by_home = || {
        let home = repository.path.ancestors().find(|folder| folder.join(".gitolite.rc").exists())?;
        Some(home.join("local/hooks/repo-specific"))
    };
    by_driver().or_else(by_home).filter(|folder| folder.is_dir())
}

/// Gitolite's driver is a link; what is no link is not its.
fn is_driver(place: &Path) -> bool {
    std::fs::symlink_metadata(place).is_ok_and(|metadata| metadata.is_symlink())
}

fn refuse_foreign(place: &Path) -> Result<(), CommandError> {
    match HookFile::read(place) {
        Ok(_) => Ok(()),
        Err(HookFileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) => Err(CommandError::No(format!(
            "{} is another hook; rename it, and call it from a script of your own beside ours if it is still needed",
            place.display()
        ))),
    }
}

fn write_hook(place: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // A hook that is half written would be run: it is made beside and renamed into place.
    let beside = place.with_extension("countersign-new");
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&beside, place)
}

/// `core.hooksPath` of the repository's own configuration.
fn hooks_path(repository: &Repository) -> Option<String> {
    let text = std::fs::read_to_string(repository.file("config")).ok()?;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.to_ascii_lowercase().starts_with("[core]");
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && key.trim().eq_ignore_ascii_case("hookspath")
        {
            return Some(countersign_policy::text::shown(value.trim(), 120));
        }
    }
    None
}

/// Enrols the tips of a repository that the ledger does not know yet. A second time nothing is trusted anew:
/// what came in behind the hook's back meanwhile must not become trusted by running `install` again.
fn enrol_once(
    site: &Site,
    ledger: &mut Ledger,
    repository: &Repository,
    forge: ForgeKind,
) -> Result<String, CommandError> {
    let path = repository.path_text()?.to_owned();
    if let Some(known) = ledger.read().repository_at(&path)? {
        let since = known.enrolled_at.map_or_else(|| "its first push".to_owned(), |at| at.date());
        return Ok(format!("{path} is enrolled already, since {since}; nothing was trusted anew"));
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
    Ok(format!("enrolled {path} with {branches} branches and {tags} tags as they stand; its id is {id}"))
}
