//! Where each kind of server looks for hooks, and how ours get there.

use crate::forge::ForgeKind;
use crate::git::Repository;
use crate::hookfile::{HookFile, HookFileError, HookKind};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everybody may enter the folders and run the hooks: the server's user is seldom the one who installs.
const MODE: u32 = 0o755;

/// Why hooks cannot be put into a repository.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    #[error(
        "`core.hooksPath` is `{0}` for this repository and the user who owns it: git would run no hook that is put \
         into the repository; unset it first (`git -C PATH config --show-origin core.hooksPath` says where it is set)"
    )]
    HooksElsewhere(String),
    #[error("git could not be asked for its configuration: {0}")]
    Git(String),
    #[error(
        "this repository has a work tree: git runs its hooks for local commits too, in another place. Install into the \
         bare repository of a server (`git clone --bare`)"
    )]
    HasWorkTree,
    #[error("this is a repository of Gitea or Forgejo: add `--forge gitea`")]
    IsGitea,
    #[error(
        "{0} is another hook. Rename it to {0}.local and install again: ours runs it afterwards, with the same input"
    )]
    Foreign(String),
    #[error("{0} is another hook; give it another name")]
    Taken(String),
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error(transparent)]
    File(#[from] HookFileError),
}

/// The files to write.
#[derive(Debug)]
pub struct Plan {
    places: Vec<(Option<HookKind>, PathBuf)>,
    /// One file for all hooks that gitolite links to by its own configuration.
    pub shared: Option<PathBuf>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

impl Plan {
    /// Decides where the hooks go; refuses where git would not run them, or where others are in the way.
    pub fn make(repository: &Repository, forge: ForgeKind) -> Result<Plan, PlacementError> {
        if configured(repository, "--type=bool", "core.bare")?.is_some_and(|bare| bare == "false") {
            return Err(PlacementError::HasWorkTree);
        }
        if let Some(elsewhere) = configured(repository, "--no-type", "core.hooksPath")? {
            return Err(PlacementError::HooksElsewhere(elsewhere));
        }
        if forge != ForgeKind::Gitea && repository.file("hooks/pre-receive.d/gitea").exists() {
            return Err(PlacementError::IsGitea);
        }
        let shared = match forge {
            ForgeKind::Gitolite => gitolite_folder(repository).map(|folder| folder.join("countersign")),
            _ => None,
        };
        let mut places = Vec::new();
        for hook in HookKind::ALL {
            let Some(place) = place(repository, forge, hook) else { continue };
            if shared.is_some() && is_link(&place) {
                continue;
            }
            refuse_foreign(&place)?;
            places.push((Some(hook), place));
        }
        if let Some(place) = &shared {
            refuse_foreign(place)?;
            places.push((None, place.clone()));
        }
        Ok(Plan { places, shared, notes: notes(repository, forge) })
    }

    /// Notes what would keep the git user from deciding: programs, policy, keyring or ledger out of reach.
    pub fn try_as_owner(&mut self, repository: &Repository, binary: &Path, config: &Path) {
        let Ok(owner) = fs::metadata(&repository.path) else { return };
        if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
            return;
        }
        let mut check = Command::new(binary);
        check.args(["policy", "check", "--config"]).arg(config).uid(owner.uid()).gid(owner.gid()).current_dir("/");
        let said = match check.output() {
            Ok(output) if output.status.success() => return,
            Ok(output) => [output.stdout, output.stderr].concat(),
            Err(error) => error.to_string().into_bytes(),
        };
        self.notes.push(format!(
            "the owner of the repository (user {}) could not decide on pushes: {}",
            owner.uid(),
            countersign_policy::text::shown_bytes(said.trim_ascii(), 300)
        ));
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|(_, place)| place.as_path())
    }

    pub fn carry_out(
        &self,
        repository: &Repository,
        binary: &Path,
        config: &Path,
        forge: ForgeKind,
    ) -> Result<(), PlacementError> {
        for (hook, place) in &self.places {
            let text = HookFile { hook: *hook, config: config.to_owned(), forge }.text(binary)?;
            write_hook(&repository.path, place, &text).map_err(|source| io(place, source))?;
        }
        Ok(())
    }
}

fn io(path: &Path, source: std::io::Error) -> PlacementError {
    PlacementError::Io { path: shown(path), source }
}

fn shown(path: &Path) -> String {
    countersign_policy::text::shown(&path.to_string_lossy(), 300)
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

fn notes(repository: &Repository, forge: ForgeKind) -> Vec<String> {
    let mut notes = Vec::new();
    if forge == ForgeKind::Gitea && !repository.file("hooks/pre-receive").exists() {
        notes.push(
            "Gitea has no hooks of its own here yet, so that pushes are judged only when their refs move: let it \
             write them (site administration, `resync pre-receive, update and post-receive hooks`)"
                .to_owned(),
        );
    }
    if forge == ForgeKind::Gitlab {
        notes.push("custom_hooks/ is read by GitLab's Gitaly alone: elsewhere nothing would be guarded".to_owned());
    }
    notes
}

/// Gitolite's folder of repository-specific hooks, where it is in use: gitolite links from there what its
/// configuration lists, over whatever stands in the repository.
fn gitolite_folder(repository: &Repository) -> Option<PathBuf> {
    let by_driver = || {
        let driver = fs::read_link(repository.file("hooks/pre-receive")).ok()?;
        Some(driver.parent()?.join("repo-specific"))
    };
    let by_home = || {
        let home = repository.path.ancestors().find(|folder| folder.join(".gitolite.rc").exists())?;
        // The two places that gitolite's own rc file suggests for LOCAL_CODE.
        let places = ["local/hooks/repo-specific", ".gitolite/local/hooks/repo-specific"].map(|place| home.join(place));
        places.into_iter().find(|folder| folder.is_dir())
    };
    by_driver().or_else(by_home).filter(|folder| folder.is_dir())
}

/// Gitolite's driver is a link; what is no link is not its.
fn is_link(place: &Path) -> bool {
    fs::symlink_metadata(place).is_ok_and(|metadata| metadata.is_symlink())
}

fn refuse_foreign(place: &Path) -> Result<(), PlacementError> {
    match HookFile::read(place) {
        Ok(_) => Ok(()),
        Err(HookFileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound && !is_link(place) => Ok(()),
        Err(_) if HookFile::local(place).is_some() => Err(PlacementError::Foreign(shown(place))),
        Err(_) => Err(PlacementError::Taken(shown(place))),
    }
}

/// A hook that is half written would be run: it is made beside and renamed into place. Folders that are missing
/// become the property of whom the repository belongs to, or the forge could not manage them.
fn write_hook(repository: &Path, place: &Path, text: &str) -> std::io::Result<()> {
    let owner = fs::metadata(repository)?;
    let missing: Vec<&Path> = place.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder)?;
        let made = File::open(folder)?;
        made.set_permissions(Permissions::from_mode(MODE))?;
        hand_over(&made, &owner)?;
    }
    let beside = place.with_extension("countersign-new");
    // The folder may be the git user's: what lies there under this name is never followed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()?;
    fs::rename(&beside, place)
}

fn hand_over(made: &File, owner: &fs::Metadata) -> std::io::Result<()> {
    let now = made.metadata()?;
    if (now.uid(), now.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    fchown(made, Some(owner.uid()), Some(owner.gid()))
}

/// A value as git itself finds it, in all its files, when the repository's owner runs it.
fn configured(repository: &Repository, of_type: &str, name: &str) -> Result<Option<String>, PlacementError> {
    let fault = |error: &dyn std::fmt::Display| PlacementError::Git(error.to_string());
    let mut git = Command::new("git");
    git.arg("--git-dir").arg(&repository.path).args(["config", "--includes", of_type, "--get", name]);
    git.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"));
    let owner = fs::metadata(&repository.path).map_err(|error| fault(&error))?;
    if rustix::process::geteuid().is_root() && owner.uid() != 0 {
        git.uid(owner.uid()).gid(owner.gid());
        if let Some(home) = home_of(owner.uid()) {
            git.env("HOME", home);
        }
    }
    let asked = git.output().map_err(|error| fault(&error))?;
    match asked.status.code() {
        Some(0) => Ok(Some(countersign_policy::text::shown_bytes(asked.stdout.trim_ascii(), 120))),
        Some(1) => Ok(None),
        _ => Err(fault(&countersign_policy::text::shown_bytes(asked.stderr.trim_ascii(), 300))),
    }
}

/// The home of a Unix user, wherever the machine keeps its users.
fn home_of(uid: u32) -> Option<String> {
    let entry = Command::new("getent").args(["passwd", &uid.to_string()]).output().ok()?;
    let entry = String::from_utf8(entry.stdout).ok()?;
    entry.trim().split(':').nth(5).map(str::to_owned)
}
