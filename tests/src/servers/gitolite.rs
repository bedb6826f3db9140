//! Gitolite 3 behind OpenSSH. Its operator works as Gitolite wants it: by pushes to `gitolite-admin`.

use super::sshd::Sshd;
use super::{Access, Repository, Server, folder, folder_of};
use crate::process::{must, require};
use crate::unix_user::UnixUser;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

#[derive(Debug)]
pub struct Gitolite {
    sshd: Sshd,
    user: UnixUser,
    home: PathBuf,
    /// The options of each repository.
    repositories: BTreeMap<String, Vec<String>>,
    folder: TempDir,
}

const OPERATOR: &str = "operator";
/// The name of the hook below `hooks/repo-specific`.
const HOOK: &str = "countersign";

impl Gitolite {
    pub fn start() -> Gitolite {
        require(&["/usr/share/gitolite3/gitolite-shell"], "gitolite3");
        let user = UnixUser::of_servers();
        let folder = folder();
        let home = folder_of(&user, folder.path().join("home"));

        let mut sshd = Sshd::start(folder.path(), &user, &home, &home.join(".ssh/authorized_keys"));
        let operator = folder.path().join(format!("{OPERATOR}.pub"));
        std::fs::write(&operator, sshd.add_login(OPERATOR).expect("the first login") + "\n").expect("a public key");
        must(user.command("gitolite", &home).args(["setup", "-pk"]).arg(&operator));
        // In force from the first push of a configuration on.
        enable_repo_specific_hooks(&user, &home);

        let server = Gitolite { sshd, user, home, repositories: BTreeMap::new(), folder };
        let access = server.sshd.access(OPERATOR, "gitolite-admin");
        let mut clone = Command::new("git");
        must(scrubbed(&mut clone).envs(access.environment).args(["clone", "--quiet", &access.url]).arg(server.admin()));
        server
    }

    /// The operator's clone of `gitolite-admin`.
    fn admin(&self) -> PathBuf {
        self.folder.path().join("admin")
    }

    fn push_configuration(&self) {
        let mut text = String::from("repo gitolite-admin\n    RW+ = operator\n");
        for (name, options) in &self.repositories {
            text.push_str(&format!("\nrepo {name}\n    RW+ = @all\n"));
            options.iter().for_each(|option| text.push_str(&format!("    option {option}\n")));
        }
        std::fs::write(self.admin().join("conf/gitolite.conf"), text).expect("gitolite.conf");
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            must(
                scrubbed(&mut git)
                    .current_dir(self.admin())
                    .envs(self.sshd.access(OPERATOR, "gitolite-admin").environment)
                    .args(args),
            )
        };
        git(&["add", "--all"]);
        git(&[
            "-c",
            "user.name=operator",
            "-c",
            "user.email=operator@example.com",
            "commit",
            "--allow-empty",
            "-qm",
            "configure",
        ]);
        git(&["push", "--quiet", "origin", "HEAD"]);
    }
}

impl Server for Gitolite {
    fn forge(&self) -> &'static str {
        "gitolite"
    }

    fn unix_user(&self) -> &UnixUser {
        &self.user
    }

    fn home(&self) -> &Path {
        &self.home
    }

    fn add_login(&mut self, login: &str) {
        if let Some(key) = self.sshd.add_login(login) {
            std::fs::write(self.admin().join(format!("keydir/{login}.pub")), key + "\n").expect("a login key");
            self.push_configuration();
        }
    }

    fn create_repository(&mut self, name: &str) -> Repository {
        self.repositories.insert(name.to_owned(), Vec::new());
        self.push_configuration();
        let path = self.home.join(format!("repositories/{name}.git"));
        // Gitolite makes HEAD by the default of the machine's git.
        must(self.user.command("git", &self.home).current_dir(&path).args(["symbolic-ref", "HEAD", "refs/heads/main"]));
        let mut config = self.user.command("git", &self.home);
        must(config.current_dir(&path).args(["config", "receive.advertisePushOptions", "true"]));
        Repository { name: name.to_owned(), path }
    }

    fn access(&self, repository: &Repository, login: &str) -> Access {
        self.sshd.access(login, &repository.name)
    }

    /// Switches the hook on where it lies in Gitolite's own place. Where it does not, the option
    /// would put Gitolite's driver over `hooks/pre-receive`.
    fn hook_installed(&mut self, repository: &Repository) {
        if !self.home.join("local/hooks/repo-specific").join(HOOK).exists() {
            return;
        }
        let options = self.repositories.get_mut(&repository.name).expect("a repository of this server");
        *options = vec![format!("hook.pre-receive = {HOOK}"), format!("hook.post-receive = {HOOK}")];
        self.push_configuration();
    }

    fn rewrite_hooks(&mut self) {
        self.push_configuration();
    }
}

/// Uncomments the two settings in the file that `gitolite setup` wrote.
fn enable_repo_specific_hooks(user: &UnixUser, home: &Path) {
    let path = home.join(".gitolite.rc");
    let text = std::fs::read_to_string(&path).expect(".gitolite.rc");
    let mut changed = 0;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let wanted = line.contains("\"$ENV{HOME}/local\"") || line.trim() == "# 'repo-specific-hooks',";
            changed += usize::from(wanted);
            if wanted { line.replacen("# ", "", 1) } else { line.to_owned() }
        })
        .collect();
    assert_eq!(changed, 2, ".gitolite.rc has no longer the form that is expected here");
    std::fs::write(&path, lines.join("\n") + "\n").expect(".gitolite.rc");
    folder_of(user, home.join("local/hooks/repo-specific"));
    user.own(&home.join("local"));
}

fn scrubbed(git: &mut Command) -> &mut Command {
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null")
}
