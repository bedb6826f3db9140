//! One installation beside one repository, with a push that waits in its quarantine: the hook is run on it as git
//! would, again and again, each time from the ledger as it was before.

use crate::authors::{Company, Public};
use crate::common::Site;
use crate::histories::History;
use crate::timing::millis;
use countersign_tests::process::{must, must_with_input, run};
use countersign_tests::servers::{Repository, Server};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Git unpacks pushes of fewer objects into single files (`transfer.unpackLimit`).
const UNPACK_LIMIT: usize = 100;

/// For whatever restoring the ledger has set off in the kernel.
const REST: Duration = Duration::from_millis(20);

/// How often the memory of a running hook is read: it only ever grows towards its peak.
const LOOK_EVERY: Duration = Duration::from_micros(500);

pub struct Lab {
    pub site: Site,
    pub repository: Repository,
    /// Files of the ledger as they were before the push.
    ledger: Vec<(PathBuf, Vec<u8>)>,
    quarantine: PathBuf,
    line: String,
    refs: String,
}

impl Lab {
    /// An installation whose registry knows `company`.
    pub fn site(company: &Company) -> Site {
        let site = Site::new();
        if let Some(root) = &company.root {
            sync(&site, &["key", "add", "--x509-root", "-"], root.as_bytes());
        }
        for author in &company.authors {
            sync(&site, &["person", "add", &author.id, "--name", &author.id, "--email", &author.email()], b"");
            let (option, bytes) = match &author.public {
                Public::Ssh(line) => ("--ssh", line.clone().into_bytes()),
                Public::OpenPgp(certificate) => ("--openpgp", certificate.clone()),
                Public::X509(pem) => ("--x509", pem.clone().into_bytes()),
            };
            sync(&site, &["key", "add", &author.id, option, "-"], &bytes);
        }
        site
    }

    /// The repository with what is there before the push, the hook installed, and the push in its quarantine.
    pub fn new(company: &Company, history: &History) -> Lab {
        let mut site = Lab::site(company);
        let repository = server_repository(&mut site, history);
        Lab::on(site, repository, history, "refs/heads/main", history.base())
    }

    /// As [`Lab::new`], on a repository with the hook; `old` is nothing for a new branch.
    pub fn on(site: Site, repository: Repository, history: &History, name: &str, old: &str) -> Lab {
        let quarantine = repository.path.join("objects/tmp_objdir-incoming-bench");
        std::fs::create_dir_all(quarantine.join("pack")).expect("a quarantine");
        site.server.unix_user().own(&quarantine);
        let old = if old.is_empty() { "0".repeat(40) } else { old.to_owned() };
        let lab = Lab {
            ledger: ledger_files(site.product.root()),
            line: format!("{old} {} {name}\n", history.tip()),
            refs: name.to_owned(),
            site,
            repository,
            quarantine,
        };
        let pack = std::fs::read(history.pushed_pack()).expect("the pack");
        let mut take = lab.in_quarantine(Command::new("git"));
        match 3 * history.new_ids().len() < UNPACK_LIMIT {
            true => take.args(["unpack-objects", "-q"]),
            false => take.args(["index-pack", "--stdin", "--fix-thin"]),
        };
        must_with_input(&mut take, &pack);
        lab
    }

    /// As the server's user in the environment that receive-pack gives its hooks.
    fn in_quarantine(&self, program: Command) -> Command {
        let mut command = self.site.server.unix_user().command(program.get_program(), self.site.server.home());
        command.current_dir(&self.repository.path).env("GIT_DIR", ".");
        command.env("GIT_QUARANTINE_PATH", &self.quarantine).env("GIT_OBJECT_DIRECTORY", &self.quarantine);
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.repository.path.join("objects"));
        command
    }

    fn hook(&self) -> Command {
        self.in_quarantine(Command::new(self.repository.path.join("hooks/pre-receive")))
    }

    /// Milliseconds of the hook, from a restored ledger.
    pub fn millis(&self) -> f64 {
        self.restore();
        let mut hook = self.hook();
        let (taken, outcome) = millis(|| run(&mut hook, self.line.as_bytes()));
        assert!(outcome.succeeded(), "{} is not accepted: {}", self.refs, outcome.stderr);
        taken
    }

    /// The same push with an extra program in our place.
    pub fn millis_of(&self, program: &Path) -> f64 {
        let mut hook = self.in_quarantine(Command::new(program));
        millis(|| run(&mut hook, self.line.as_bytes())).0
    }

    /// A git command that sees what the hook sees.
    pub fn git_millis(&self, args: &[&str]) -> f64 {
        let mut git = self.in_quarantine(Command::new("git"));
        let (taken, outcome) = millis(|| run(git.args(args), b""));
        assert!(outcome.succeeded(), "git {args:?}: {}", outcome.stderr);
        taken
    }

    /// Peak resident memory of the hook in MiB.
    pub fn peak(&self) -> f64 {
        self.restore();
        let mut hook = self.hook();
        hook.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = hook.spawn().expect("the hook");
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), self.line.as_bytes()).expect("it reads");
        let mut peak = 0.0_f64;
        while child.try_wait().expect("the hook").is_none() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
            peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
            std::thread::sleep(LOOK_EVERY);
        }
        peak
    }

    fn restore(&self) {
        restore(&self.ledger, self.site.product.root());
        std::thread::sleep(REST);
    }
}

/// A bare repository with the old part of the history and the hook.
pub fn server_repository(site: &mut Site, history: &History) -> Repository {
    let repository = site.repository("bench");
    let base = format!("{}:refs/heads/main", history.base());
    let mut fetch = site.server.unix_user().command("git", site.server.home());
    fetch.current_dir(&repository.path).args(["-c", "safe.directory=*", "-c", "uploadpack.allowAnySHA1InWant=true"]);
    // A pack of its own: nothing is borrowed from the client.
    let path = history.path.to_string_lossy();
    must(crate::histories::git(&history.path).args(["config", "uploadpack.allowAnySHA1InWant", "true"]));
    must(fetch.args(["fetch", "--quiet", &path, &base]));
    site.install(&repository);
    repository
}

/// The ledger and what SQLite keeps beside it.
pub fn ledger_files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(root.join("ledger")).expect("the ledger's folder").flatten();
    let files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_ledger(path)).collect();
    assert!(!files.is_empty(), "there is no ledger");
    files.into_iter().map(|path| (path.clone(), std::fs::read(&path).expect("the ledger"))).collect()
}

fn is_ledger(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ledger.db"))
}

/// Puts the ledger back as it was, as files of the same owners.
pub fn restore(saved: &[(PathBuf, Vec<u8>)], root: &Path) {
    for entry in std::fs::read_dir(root.join("ledger")).expect("the ledger's folder").flatten() {
        if is_ledger(&entry.path()) && !saved.iter().any(|(path, _)| *path == entry.path()) {
            std::fs::remove_file(entry.path()).expect("a file of the ledger");
        }
    }
    for (path, bytes) in saved {
        // In place, for the owner's sake, and at rest: the hook's own sync has nothing of ours to write.
        let mut file = std::fs::File::create(path).expect("the ledger");
        std::io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all()).expect("the ledger");
    }
}

fn sync(site: &Site, args: &[&str], input: &[u8]) {
    let outcome = site.product.keyring_sync(args, input);
    assert!(outcome.succeeded(), "keyring-sync {args:?}: {}{}", outcome.stdout, outcome.stderr);
}
