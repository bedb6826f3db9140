//! A developer's workstation: a clone, a key, and the real git client with nothing of the
//! machine's own settings.

use crate::keys::Owner;
use crate::process::{Outcome, must, run};
use crate::servers::Access;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The settings that make git sign, as in [`crate::keys::Key::git`]; `None` does not sign.
pub type Signing<'a> = Option<&'a [(&'static str, String)]>;

#[derive(Debug)]
pub struct Workstation {
    owner: Owner,
    home: PathBuf,
    clone: PathBuf,
}

/// A commit to make. `None` in `files` deletes the file.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    pub files: BTreeMap<String, Option<String>>,
    pub message: &'a str,
    /// `Name <address>`; the owner of the workstation unless named.
    pub author: Option<&'a str>,
    pub committer: Option<&'a str>,
    /// Both dates of the commit, as git reads them; the present unless given.
    pub date: Option<&'a str>,
}

/// What the client learned of its push.
#[derive(Debug)]
pub struct Pushed {
    pub outcome: Outcome,
    pub updates: Vec<Update>,
}

/// One line of `git push --porcelain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// ` `, `+`, `*`, `-`, `=`, or `!` for a refused one.
    pub flag: char,
    /// Empty for a deletion.
    pub from: String,
    pub to: String,
}

impl Pushed {
    /// What the server said: the lines that git marks with `remote: `, without the mark.
    pub fn remote(&self) -> Vec<&str> {
        let lines = self.outcome.stderr.lines().filter_map(|line| line.strip_prefix("remote:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect()
    }
}

impl Workstation {
    /// Clones into `folder`.
    pub fn set_up(folder: &Path, owner: &Owner, access: &Access) -> Workstation {
        let home = folder.join("home");
        std::fs::create_dir_all(&home).expect("a home");
        let workstation = Workstation { owner: owner.clone(), home, clone: folder.join("clone") };
        let mut clone = workstation.program("git");
        must(clone.envs(access.environment.clone()).args(["clone", "--quiet", &access.url]).arg(&workstation.clone));
        // `git` alone must reach the server later.
        for (name, value) in access.environment.iter().filter(|(name, _)| name != "GIT_DEFAULT_HASH") {
            assert_eq!(name, "GIT_SSH_COMMAND", "a client setting that is not known here");
            workstation.must(&["config", "core.sshCommand", &value.to_string_lossy()]);
        }
        workstation
    }

    pub fn folder(&self) -> &Path {
        &self.clone
    }

    /// A program in the person's environment, and nothing of the test's.
    pub fn program(&self, name: &str) -> Command {
        let mut program = Command::new(name);
        program.env_clear().current_dir(&self.home).env("HOME", &self.home);
        program.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        program.envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
        ]);
        program.envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_EDITOR", "true"), ("GIT_MERGE_AUTOEDIT", "no")]);
        program.envs([("GIT_CONFIG_COUNT", "2"), ("GIT_CONFIG_KEY_0", "init.defaultBranch")]);
        program.envs([("GIT_CONFIG_VALUE_0", "main"), ("GIT_CONFIG_KEY_1", "advice.detachedHead")]);
        program.env("GIT_CONFIG_VALUE_1", "false");
        program.envs([("GIT_AUTHOR_NAME", &self.owner.name), ("GIT_COMMITTER_NAME", &self.owner.name)]);
        program.envs([("GIT_AUTHOR_EMAIL", &self.owner.email), ("GIT_COMMITTER_EMAIL", &self.owner.email)]);
        program
    }

    /// Git in the clone.
    pub fn git(&self) -> Command {
        let mut git = self.program("git");
        git.current_dir(&self.clone);
        git
    }

    #[track_caller]
    pub fn must(&self, args: &[&str]) -> String {
        must(self.git().args(args))
    }

    /// The object that a name stands for here.
    #[track_caller]
    pub fn resolve(&self, revision: &str) -> String {
        self.must(&["rev-parse", "--verify", "--quiet", "--end-of-options", revision])
    }

    /// Switches to a branch, which is made from `from` when that is given.
    pub fn branch(&self, name: &str, from: Option<&str>) {
        match from {
            Some(from) => self.must(&["checkout", "--quiet", "--no-track", "-B", name, from]),
            None => self.must(&["checkout", "--quiet", name]),
        };
    }

    /// Commits on the current branch; returns the commit.
    pub fn commit(&self, change: &Change, signing: Signing) -> String {
        for (name, content) in &change.files {
            let path = self.clone.join(name);
            match content {
                Some(content) => {
                    std::fs::create_dir_all(path.parent().expect("a file in the clone")).expect("a folder");
                    std::fs::write(&path, content).expect("a file");
                }
                None => std::fs::remove_file(&path).expect("a file to delete"),
            }
        }
        self.must(&["add", "--all"]);
        let mut git = self.signing_git(signing);
        dated(&mut git, change.date);
        identity(&mut git, "AUTHOR", change.author);
        identity(&mut git, "COMMITTER", change.committer);
        git.args(["commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", change.message]);
        must(git.arg(if signing.is_some() { "--gpg-sign" } else { "--no-gpg-sign" }));
        self.resolve("HEAD")
    }

    /// Merges into the current branch, always with a merge commit; returns it.
    pub fn merge(&self, branches: &[String], message: &str, date: Option<&str>, signing: Signing) -> String {
        let mut git = self.signing_git(signing);
        git.args(["merge", "--quiet", "--no-ff", "-m", message]);
        git.arg(if signing.is_some() { "--gpg-sign" } else { "--no-gpg-sign" });
        must(dated(&mut git, date).args(branches));
        self.resolve("HEAD")
    }

    /// Makes a tag; a lightweight one when `message` is `None`. Returns what the tag names.
    pub fn tag(&self, name: &str, target: &str, message: Option<&str>, date: Option<&str>, signing: Signing) -> String {
        let mut git = self.signing_git(signing);
        dated(&mut git, date).args(["tag", "--force"]);
        if let Some(message) = message {
            git.args(["-m", message, if signing.is_some() { "--sign" } else { "--annotate" }]);
        }
        must(git.args([name, target]));
        self.resolve(&format!("refs/tags/{name}"))
    }

    pub fn fetch(&self) {
        self.must(&["fetch", "--quiet", "--prune", "--tags", "--force", "origin"]);
    }

    /// Pushes, whatever comes of it. `words` are refspecs and further options of `git push`.
    pub fn push(&self, words: &[String]) -> Pushed {
        self.push_to("origin", &BTreeMap::new(), words)
    }

    /// Pushes to a remote or an address, with further variables in the client's environment.
    pub fn push_to(&self, remote: &str, environment: &BTreeMap<String, String>, words: &[String]) -> Pushed {
        let mut git = self.git();
        let outcome = run(git.envs(environment).args(["push", "--porcelain", remote]).args(words), b"");
        let updates = outcome.stdout.lines().filter_map(update).collect();
        Pushed { outcome, updates }
    }

    /// Any git command in the clone; returns what it prints.
    #[track_caller]
    pub fn git_signing(&self, signing: Signing, args: &[String]) -> String {
        must(self.signing_git(signing).args(args))
    }

    fn signing_git(&self, signing: Signing) -> Command {
        let mut git = self.git();
        for (name, value) in signing.unwrap_or_default() {
            git.arg("-c").arg(format!("{name}={value}"));
        }
        git
    }
}

fn update(line: &str) -> Option<Update> {
    let (flag, refs) = line.split_once('\t')?;
    let (from, to) = refs.split('\t').next()?.split_once(':')?;
    let mut flag = flag.chars();
    Some(Update { flag: flag.next()?, from: from.to_owned(), to: to.to_owned() }).filter(|_| flag.next().is_none())
}

fn dated<'a>(git: &'a mut Command, date: Option<&str>) -> &'a mut Command {
    if let Some(date) = date {
        git.env("GIT_AUTHOR_DATE", date).env("GIT_COMMITTER_DATE", date);
    }
    git
}

fn identity(git: &mut Command, who: &str, text: Option<&str>) {
    if let Some(text) = text {
        let named = text.strip_suffix('>').and_then(|text| text.split_once(" <"));
        let (name, email) = named.unwrap_or_else(|| panic!("`{text}` is not of the form Name <address>"));
        git.env(format!("GIT_{who}_NAME"), name).env(format!("GIT_{who}_EMAIL"), email);
    }
}
