//! Bare repositories on the client's own disk, reached by their path: git's hooks run as whoever pushes.
//! The quickest server, for cases that are about judging rather than about servers.

use super::{Access, Repository, Server, folder, folder_of, init_bare};
use crate::unix_user::UnixUser;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[derive(Debug)]
pub struct Local {
    user: UnixUser,
    home: PathBuf,
    folder: TempDir,
}

impl Local {
    pub fn start() -> Local {
        let user = UnixUser::of_tests();
        let folder = folder();
        let home = folder_of(&user, folder.path().join("home"));
        Local { user, home, folder }
    }
}

impl Server for Local {
    fn forge(&self) -> &'static str {
        "plain"
    }

    fn unix_user(&self) -> &UnixUser {
        &self.user
    }

    fn home(&self) -> &Path {
        &self.home
    }

    fn add_login(&mut self, _login: &str) {}

    fn create_repository(&mut self, name: &str) -> Repository {
        let path = self.folder.path().join("home").join(format!("{name}.git"));
        init_bare(&self.user, &self.home, &path);
        Repository { name: name.to_owned(), path }
    }

    fn access(&self, repository: &Repository, _login: &str) -> Access {
        Access { url: repository.path.to_string_lossy().into_owned(), environment: Vec::new() }
    }
}
