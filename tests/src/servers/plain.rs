//! Bare repositories behind OpenSSH and `git-shell`: no forge at all.

use super::sshd::Sshd;
use super::{Access, Repository, Server, folder, folder_of, init_bare};
use crate::process::require;
use crate::unix_user::UnixUser;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[derive(Debug)]
pub struct Plain {
    sshd: Sshd,
    user: UnixUser,
    home: PathBuf,
    authorized_keys: PathBuf,
    folder: TempDir,
}

impl Plain {
    pub fn start() -> Plain {
        require(&["/usr/bin/git-shell", "/usr/local/bin/git-shell"], "git");
        let user = UnixUser::of_servers();
        let folder = folder();
        let home = folder_of(&user, folder.path().join("home"));
        let authorized_keys = folder.path().join("authorized_keys");
        std::fs::write(&authorized_keys, "").expect("authorized_keys");
        let sshd = Sshd::start(folder.path(), &user, &home, &authorized_keys);
        Plain { sshd, user, home, authorized_keys, folder }
    }
}

impl Server for Plain {
    fn forge(&self) -> &'static str {
        "plain"
    }

    fn unix_user(&self) -> &UnixUser {
        &self.user
    }

    fn home(&self) -> &Path {
        &self.home
    }

    fn add_login(&mut self, login: &str) {
        if let Some(key) = self.sshd.add_login(login) {
            let mut file = OpenOptions::new().append(true).open(&self.authorized_keys).expect("authorized_keys");
            writeln!(file, r#"restrict,command="git-shell -c \"$SSH_ORIGINAL_COMMAND\"" {key}"#).expect("a login");
        }
    }

    fn create_repository(&mut self, name: &str) -> Repository {
        let path = self.folder.path().join("home").join(format!("{name}.git"));
        init_bare(&self.user, &self.home, &path);
        Repository { name: name.to_owned(), path }
    }

    fn access(&self, repository: &Repository, login: &str) -> Access {
        self.sshd.access(login, &repository.path.to_string_lossy())
    }
}
