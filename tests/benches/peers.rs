//! Git and its helpers on the same commits, set up as their users would, at their fastest.

use crate::authors::{Company, Public};
use crate::histories::History;
use crate::timing::millis;
use countersign_tests::process::{must, must_with_input, run};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A computer on which git knows the company's keys.
pub struct Peers {
    folder: TempDir,
    has_sq_git: bool,
}

impl Peers {
    pub fn of(company: &Company) -> Peers {
        // Sockets of GnuPG's agents have short paths.
        let folder = tempfile::Builder::new().prefix("cs-bench-").tempdir().expect("a folder");
        // It reads OpenPGP alone, and need not be there.
        let installed = Command::new("sq-git").arg("help").output().is_ok_and(|output| output.status.success());
        let peers = Peers { folder, has_sq_git: installed && company.policy_for_sq_git().is_some() };
        must(Command::new("chmod").arg("700").arg(peers.home()));
        let mut allowed = String::new();
        let mut certificates = Vec::new();
        for author in &company.authors {
            match &author.public {
                Public::Ssh(line) => allowed.push_str(&format!("{} namespaces=\"git\" {line}\n", author.email())),
                Public::OpenPgp(certificate) => certificates.extend_from_slice(certificate),
                Public::X509(pem) => certificates.extend_from_slice(pem.as_bytes()),
            }
        }
        let file = |name: &str, text: &str| std::fs::write(peers.home().join(name), text).expect("a file");
        file("allowed", &allowed);
        // Nothing that a verification does not need.
        file("gpg.conf", "trust-model always\nno-auto-check-trustdb\nno-autostart\n");
        file("gpgsm.conf", "disable-crl-checks\n");
        let path = peers.home().join("allowed").display().to_string();
        file(".gitconfig", &format!("[gpg \"ssh\"]\n\tallowedSignersFile = {path}\n[safe]\n\tdirectory = *\n"));
        match &company.root {
            Some(root) => {
                must_with_input(peers.program("gpgsm").args(["--batch", "--quiet", "--import"]), root.as_bytes());
                must_with_input(peers.program("gpgsm").args(["--batch", "--quiet", "--import"]), &certificates);
                let print = must(
                    Command::new("sh")
                        .arg("-c")
                        .arg("printf '%s' \"$1\" | openssl x509 -noout -fingerprint -sha1 | sed 's/.*=//; s/://g'")
                        .args(["sh", root]),
                );
                file("trustlist.txt", &format!("{print} S relax\n"));
            }
            None if !certificates.is_empty() => {
                must_with_input(peers.program("gpg").args(["--batch", "--quiet", "--import"]), &certificates);
            }
            None => {}
        }
        peers
    }

    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home()).env("GNUPGHOME", self.home()).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    fn git(&self, history: &History) -> Command {
        let mut command = self.program("git");
        command.arg("-C").arg(&history.path);
        command
    }

    /// `git verify-commit` with all ids in one call.
    pub fn verify_commit(&self, history: &History) -> f64 {
        let mut verify = self.git(history);
        let (taken, outcome) = millis(|| run(verify.arg("verify-commit").args(history.new_ids()), b""));
        assert!(outcome.succeeded(), "git verify-commit: {}", last_lines(&outcome.stderr));
        taken
    }

    /// `git log --format=%G?`
    pub fn log(&self, history: &History) -> f64 {
        let mut log = self.git(history);
        let range = format!("{}..{}", history.base(), history.tip());
        let (taken, outcome) = millis(|| run(log.args(["log", "--format=%G?", &range]), b""));
        assert!(outcome.succeeded(), "git log: {}", outcome.stderr);
        let good = outcome.stdout.lines().filter(|line| *line == "G").count();
        assert_eq!(good, history.new_ids().len(), "git log does not find every signature good");
        taken
    }

    pub fn has_sq_git(&self) -> bool {
        self.has_sq_git
    }

    /// `sq-git log` from the old tip to the new one. Its own record of earlier checks is kept in `~/.cache` alone, which
    /// is not there.
    pub fn sq_git(&self, history: &History) -> f64 {
        let mut log = self.program("sq-git");
        log.current_dir(&history.path).args(["log", "--trust-root", history.base(), history.tip()]);
        let (taken, outcome) = millis(|| run(&mut log, b""));
        assert!(outcome.succeeded(), "sq-git log: {}", last_lines(&outcome.stderr));
        taken
    }

    /// The loop that hooks are often written as: a process for each commit.
    pub fn shell_loop(&self, history: &History) -> f64 {
        const LOOP: &str = "git rev-list \"$1..$2\" | while read id; do git verify-commit \"$id\" || exit 1; done";
        let mut shell = self.program("sh");
        shell.current_dir(&history.path).args(["-c", LOOP, "sh", history.base(), history.tip()]);
        let (taken, outcome) = millis(|| run(&mut shell, b""));
        assert!(outcome.succeeded(), "the loop: {}", last_lines(&outcome.stderr));
        taken
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Agents that gpgsm has started.
        let _ = run(self.program("gpgconf").args(["--kill", "all"]), b"");
    }
}

fn last_lines(text: &str) -> &str {
    text.get(text.len().saturating_sub(500)..).unwrap_or(text)
}
