//! One installation beside one repository, with a push that waits in its quarantine: the hook is run on it as git
//! would, again and again, each time from the ledger as it was before.

use crate::authors::{Company, Public};
use crate::common::Site;
use crate::histories::{History, Shape};
use crate::timing::millis;
use countersign_tests::process::{must, must_with_input, run};
use countersign_tests::servers::{Repository, Server};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Git unpacks pushes of fewer objects into single files (`transfer.unpackLimit`).
const UNPACK_LIMIT: usize = 100;

/// How often the memory of a running hook is read: it only ever grows towards its peak.
const LOOK_EVERY: Duration = Duration::from_micros(500);

pub struct Lab {
    pub site: Site,
    pub repository: Repository,
    ledger: SavedLedger,
    quarantine: PathBuf,
    line: String,
    accepted: bool,
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
            ledger: SavedLedger::of(&site.product.root().join("ledger")),
            line: format!("{old} {} {name}\n", history.tip()),
            accepted: history.shape != Shape::Denied,
            site,
            repository,
            quarantine,
        };
        let pack = std::fs::read(history.pushed_pack()).expect("the pack");
        let mut take = lab.in_quarantine("git");
        match 3 * history.new_ids().len() < UNPACK_LIMIT {
            true => take.args(["unpack-objects", "-q"]),
            false => take.args(["index-pack", "--stdin", "--fix-thin"]),
        };
        must_with_input(&mut take, &pack);
        lab
    }

    /// In the environment that receive-pack gives its hooks. As whoever measures: a change of user would fork this
    /// process, which costs a millisecond that is none of the hook's.
    fn in_quarantine(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.site.server.home()).current_dir(&self.repository.path).env("GIT_DIR", ".");
        command.env("GIT_QUARANTINE_PATH", &self.quarantine).env("GIT_OBJECT_DIRECTORY", &self.quarantine);
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.repository.path.join("objects"));
        command
    }

    fn hook(&self) -> Command {
        self.in_quarantine(self.repository.path.join("hooks/pre-receive"))
    }

    /// Milliseconds of the hook, from a restored ledger.
    pub fn millis(&self) -> f64 {
        self.restore();
        let mut hook = self.hook();
        let (taken, outcome) = millis(|| fed(&mut hook, &self.line));
        let expected = if self.accepted { 0 } else { 1 };
        assert_eq!(outcome.status.code(), Some(expected), "{}", String::from_utf8_lossy(&outcome.stderr));
        taken
    }

    /// Instructions of the hook under `callgrind`, all threads together.
    pub fn instructions(&self) -> u64 {
        self.ledger.restore();
        let mut valgrind = self.in_quarantine("valgrind");
        let hook = self.repository.path.join("hooks/pre-receive");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        valgrind.arg(self.site.product.programs().join("countersign")).arg("--hook-file").arg(hook);
        let outcome = run(&mut valgrind, self.line.as_bytes());
        assert!(outcome.succeeded(), "{}", outcome.stderr);
        let collected = outcome.stderr.lines().find_map(|line| line.split("Collected : ").nth(1));
        collected.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("{}", outcome.stderr))
    }

    /// The same push with an extra program in our place.
    pub fn millis_of(&self, program: &Path) -> f64 {
        let mut hook = self.in_quarantine(program);
        millis(|| fed(&mut hook, &self.line)).0
    }

    /// A git command that sees what the hook sees.
    pub fn git_millis(&self, args: &[&str]) -> f64 {
        let mut git = self.in_quarantine("git");
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
        child.stdin.take().expect("a pipe").write_all(self.line.as_bytes()).expect("it reads");
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
        self.ledger.restore();
    }
}

/// Runs a hook to its end, with no thread of ours beside it.
fn fed(hook: &mut Command, line: &str) -> Output {
    let hook = hook.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = hook.spawn().expect("the hook");
    // One line fits into the pipe; a hook that does nothing may be gone already.
    let _ = child.stdin.take().expect("a pipe").write_all(line.as_bytes());
    child.wait_with_output().expect("the hook ends")
}

/// A bare repository with the old part of the history and the hook.
pub fn server_repository(site: &mut Site, history: &History) -> Repository {
    let repository = site.repository("bench");
    fetch_base(site, &repository, history);
    site.install(&repository);
    repository
}

/// Puts the old part of the history on `main`, as a pack of its own: nothing is borrowed from the client.
pub fn fetch_base(site: &Site, repository: &Repository, history: &History) {
    must(crate::histories::git(&history.path).args(["config", "uploadpack.allowAnySHA1InWant", "true"]));
    let mut fetch = site.server.unix_user().command("git", site.server.home());
    fetch.current_dir(&repository.path).args(["-c", "safe.directory=*", "fetch", "--quiet"]);
    must(fetch.arg(&history.path).arg(format!("{}:refs/heads/main", history.base())));
}

/// The files of a ledger as they were.
pub struct SavedLedger {
    folder: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl SavedLedger {
    pub fn of(folder: &Path) -> SavedLedger {
        let files = ledger_files(folder).map(|path| (path.clone(), std::fs::read(&path).expect("the ledger")));
        let saved = SavedLedger { folder: folder.to_owned(), files: files.collect() };
        assert!(!saved.files.is_empty(), "there is no ledger");
        saved
    }

    pub fn restore(&self) {
        for path in ledger_files(&self.folder).filter(|path| !self.files.iter().any(|(known, _)| known == path)) {
            std::fs::remove_file(path).expect("a file of the ledger");
        }
        for (path, bytes) in &self.files {
            // In place, for the owner's sake, and at rest: the hook's own sync has nothing of ours to write.
            let mut file = std::fs::File::create(path).expect("the ledger");
            file.write_all(bytes).and_then(|()| file.sync_all()).expect("the ledger");
        }
    }
}

/// The ledger and its log. What SQLite shares between processes stays as the last hook left it, as it does between two
/// pushes: whoever comes next cuts it, which takes ten times as long where it was synced, and nothing ever syncs it.
fn ledger_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let paths = std::fs::read_dir(folder).expect("the ledger's folder").flatten().map(|entry| entry.path());
    let is_ledger = |name: &str| name.starts_with("ledger.db") && !name.ends_with("-shm");
    paths.filter(move |path| path.file_name().is_some_and(|name| is_ledger(&name.to_string_lossy())))
}

fn sync(site: &Site, args: &[&str], input: &[u8]) {
    let outcome = site.product.keyring_sync(args, input);
    assert!(outcome.succeeded(), "keyring-sync {args:?}: {}{}", outcome.stdout, outcome.stderr);
}
