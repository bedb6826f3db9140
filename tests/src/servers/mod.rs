//! Real Git servers on loopback, each with all its state in a folder that vanishes with it.

mod gitea;
mod gitolite;
mod local;
mod nginx;
mod plain;
mod sshd;

pub use gitea::{Administration, Answer, Gitea};
pub use gitolite::Gitolite;
pub use local::Local;
pub use nginx::Nginx;
pub use plain::Plain;

use crate::process::{Outcome, must, run};
use crate::unix_user::UnixUser;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A bare repository on a server's disk.
#[derive(Clone, Debug)]
pub struct Repository {
    /// As the server calls it, `team/app`.
    pub name: String,
    pub path: PathBuf,
}

/// What a client needs to reach one repository as one login.
#[derive(Clone, Debug)]
pub struct Access {
    pub url: String,
    pub environment: Vec<(String, OsString)>,
}

/// Every ref of a repository and where it points, object ids in hex.
pub type Refs = BTreeMap<String, String>;

pub trait Server {
    /// The word after `--forge` of `countersign install`.
    fn forge(&self) -> &'static str;

    /// The user who runs git and its hooks, and their `HOME`.
    fn unix_user(&self) -> &UnixUser;
    fn home(&self) -> &Path;

    /// Lets somebody log in; a second time changes nothing.
    fn add_login(&mut self, login: &str);

    /// Makes an empty bare repository that every login, now or later, may write.
    fn create_repository(&mut self, name: &str) -> Repository;

    /// Fails the test for an unknown login.
    fn access(&self, repository: &Repository, login: &str) -> Access;

    /// Called after `countersign install`, for what the operator of this server does by hand.
    fn hook_installed(&mut self, _repository: &Repository) {}

    /// What the forge does to its hooks in the course of its life, such as at a change of configuration.
    fn rewrite_hooks(&mut self) {}

    /// The forge's own doors, where there is one.
    fn gitea(&self) -> Option<&Gitea> {
        None
    }

    /// All refs, read behind the server's back.
    fn refs(&self, repository: &Repository) -> Refs {
        let listed = self.git(repository, &["for-each-ref", "--format=%(refname) %(objectname)"]);
        assert!(listed.succeeded(), "git for-each-ref: {}", listed.stderr);
        let lines = listed.stdout.lines().filter_map(|line| line.split_once(' '));
        lines.map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
    }

    /// Git in the bare repository, as the server's user and past every login.
    fn git(&self, repository: &Repository, args: &[&str]) -> Outcome {
        let mut git = self.unix_user().command("git", self.home());
        run(git.current_dir(&repository.path).args(args), b"")
    }
}

/// The servers that a case may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// No server at all: pushes go to a path.
    Local,
    Plain,
    Gitolite,
    Nginx,
    /// Pushed to over its own SSH server.
    Gitea,
    GiteaHttp,
}

impl Kind {
    /// `None` only for Gitea without `GITEA_BIN`, after saying so.
    pub fn start(self) -> Option<Box<dyn Server>> {
        Some(match self {
            Kind::Local => Box::new(Local::start()),
            Kind::Plain => Box::new(Plain::start()),
            Kind::Gitolite => Box::new(Gitolite::start()),
            Kind::Nginx => Box::new(Nginx::start()),
            Kind::Gitea => Box::new(Gitea::start(false)?),
            Kind::GiteaHttp => Box::new(Gitea::start(true)?),
        })
    }
}

/// A folder for a server: others may enter it, so that the server's user can reach its own.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("countersign-server-").tempdir().expect("a temporary folder");
    must(std::process::Command::new("chmod").arg("755").arg(folder.path()));
    folder
}

/// A folder of the server's user.
fn folder_of(user: &UnixUser, path: PathBuf) -> PathBuf {
    std::fs::create_dir_all(&path).expect("a folder of the server");
    user.own(&path);
    path
}

fn init_bare(user: &UnixUser, home: &Path, path: &Path) {
    must(user.command("git", home).args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(path));
    must(user.command("git", home).current_dir(path).args(["config", "receive.advertisePushOptions", "true"]));
}
