//! The Unix user as whom the Git servers run.

use crate::process::must;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// A Unix user. When the tests run as root it is `csgit`, so that the hook runs as somebody else
/// than `keyring-sync`; otherwise it is whoever runs the tests, for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixUser {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

const GIT_USER: &str = "csgit";

impl UnixUser {
    /// Whoever runs the tests.
    pub fn of_tests() -> UnixUser {
        UnixUser::look_up(&must(Command::new("id").arg("-un"))).expect("the user who runs the tests")
    }

    /// The user of the servers, made when missing.
    pub fn of_servers() -> UnixUser {
        static USER: OnceLock<UnixUser> = OnceLock::new();
        USER.get_or_init(|| {
            if !is_root() {
                return UnixUser::of_tests();
            }
            // Two test programs may start at the same time.
            let lock = File::create(std::env::temp_dir().join("countersign-tests.lock")).expect("a lock file");
            lock.lock().expect("the lock");
            UnixUser::look_up(GIT_USER).unwrap_or_else(|| {
                // `*` is a password that never fits; sshd takes `!`, the default, for a locked account.
                must(
                    Command::new("useradd")
                        .args(["--system", "--user-group", "--no-create-home", "--home-dir", "/"])
                        .args(["--shell", "/bin/sh", "--password", "*", GIT_USER]),
                );
                UnixUser::look_up(GIT_USER).expect("the user that was just made")
            })
        })
        .clone()
    }

    fn look_up(name: &str) -> Option<UnixUser> {
        let number = |option| {
            let output = Command::new("id").args([option, name]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
        };
        Some(UnixUser { name: name.to_owned(), uid: number("-u")?, gid: number("-g")? })
    }

    /// A program that runs as this user with nothing of the tests' environment but `PATH`.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, home: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs([("USER", self.name.as_str()), ("LC_ALL", "C"), ("GIT_CONFIG_NOSYSTEM", "1")]);
        command.env("HOME", home).current_dir(home);
        if is_root() {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// The words that run a server as this user, to stand before its own.
    pub fn server(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &self.uid.to_string(), "--regid", &self.gid.to_string(), "--clear-groups"]);
        // A change of user drops the death signal that was asked for before it.
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    }

    /// Hands a file or a whole folder to this user.
    pub fn own(&self, path: &Path) {
        must(Command::new("chown").arg("-R").arg(format!("{}:{}", self.uid, self.gid)).arg("--").arg(path));
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
