//! Whole pushes: `git push` from one folder to another on this machine, with our hooks, with hooks that do nothing
//! in the same three places, and with none.

use crate::authors::{Company, Kind};
use crate::histories::{History, Shape};
use crate::lab::{Lab, SavedLedger, server_repository};
use crate::timing::millis;
use countersign_tests::process::{must, run};
use countersign_tests::servers::{Repository, Server};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const HOOKS: [&str; 3] = ["pre-receive", "reference-transaction", "post-receive"];

/// Where our ledger lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    Real,
    /// In memory, where syncing costs nothing: what is left is ours.
    Memory,
}

/// A server with our hooks and a client with something to push.
pub struct Push {
    site: crate::common::Site,
    repository: Repository,
    history: PathBuf,
    tip: String,
    /// The repository as it was before the push.
    before: PathBuf,
    ledger: SavedLedger,
    /// Holds the ledger in memory.
    _memory: Option<TempDir>,
}

/// What runs at the server.
#[derive(Clone, Copy)]
pub enum Hooks {
    None,
    NoOp,
    Ours,
}

impl Push {
    pub fn new(history: &History, disk: Disk) -> Push {
        assert!(history.shape == Shape::Linear, "it is accepted");
        let mut site = Lab::site(&Company::of(Kind::SshEd25519));
        let root = site.product.root().to_owned();
        let mut folder = root.join("ledger");
        let mut memory = None;
        if disk == Disk::Memory {
            let shm = tempfile::Builder::new().prefix("cs-bench-").tempdir_in("/dev/shm").expect("memory");
            must(Command::new("chmod").arg("755").arg(shm.path()));
            let there = shm.path().join("ledger");
            must(Command::new("cp").arg("-a").arg(&folder).arg(&there));
            let patch = format!("ledger: {}", there.join("ledger.db").display());
            site.product.patch_policy(&serde_yaml::from_str(&patch).expect("YAML"));
            folder = there;
            memory = Some(shm);
        }
        let repository = server_repository(&mut site, history);
        let before = root.join("before.git");
        must(Command::new("cp").arg("-a").arg(&repository.path).arg(&before));
        let ledger = SavedLedger::of(&folder);
        let (history, tip) = (history.path.clone(), history.tip().to_owned());
        Push { site, repository, history, tip, before, ledger, _memory: memory }
    }

    /// Milliseconds of one push, after all is as it was before.
    pub fn millis(&self, hooks: Hooks) -> f64 {
        let there = &self.repository.path;
        must(Command::new("rm").arg("-rf").arg(there));
        must(Command::new("cp").arg("-a").arg(&self.before).arg(there));
        for hook in HOOKS.map(|hook| there.join("hooks").join(hook)) {
            match hooks {
                Hooks::Ours => {}
                Hooks::None => std::fs::remove_file(hook).expect("our hook"),
                Hooks::NoOp => {
                    std::fs::remove_file(&hook).expect("our hook");
                    must(Command::new("ln").arg(no_op(self.site.product.programs())).arg(&hook));
                }
            }
        }
        self.ledger.restore();
        must(&mut Command::new("sync"));
        let mut push = self.site.server.unix_user().command("git", self.site.server.home());
        push.args(["-c", "safe.directory=*", "-C"]).arg(&self.history).arg("push").arg("--quiet").arg(there);
        push.arg(format!("{}:refs/heads/main", self.tip));
        let (taken, outcome) = millis(|| run(&mut push, b""));
        assert!(outcome.succeeded(), "{}", outcome.stderr);
        let ours = outcome.stderr.contains("countersign: accepted");
        assert_eq!(ours, matches!(hooks, Hooks::Ours), "{}", outcome.stderr);
        taken
    }
}

/// The program that does nothing, where the server's user may run it.
pub fn no_op(programs: &Path) -> PathBuf {
    let there = programs.join("no-op");
    if !there.exists() {
        must(Command::new("cp").arg(countersign_tests::product::bin_folder().join("no-op")).arg(&there));
    }
    there
}
