//! OpenPGP keys by `gpg`, with clocks set back where a validity lies in the past.

use super::{Agent, Key, Owner, Wanted, gnupg_home, iso_compact};
use crate::process::{must, quoted, write_program};
use countersign_policy::time::Time;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A key pair in a GnuPG home of its own.
#[derive(Debug)]
pub struct OpenPgp {
    home: PathBuf,
    folder: PathBuf,
    fingerprint: String,
    agent: Agent,
}

impl OpenPgp {
    /// Makes a key that signs, or one that only certifies with a signing subkey of kind `subkey`.
    pub fn generate(folder: &Path, owner: &Owner, wanted: &Wanted, kind: &str, subkey: Option<&str>) -> OpenPgp {
        let (home, agent) = gnupg_home(folder);
        let until = wanted.until.map_or_else(|| "none".to_owned(), iso_compact);
        let user = format!("{} <{}>", owner.name, owner.email);
        let usage = if subkey.is_some() { "cert" } else { "sign" };
        must(gpg(&home, wanted.from).args(["--quick-generate-key", &user, kind, usage, &until]));
        let listed = must(gpg(&home, wanted.from).args(["--list-secret-keys", "--with-colons"]));
        let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a key").replace(':', "");
        if let Some(subkey) = subkey {
            must(gpg(&home, wanted.from).args(["--quick-add-key", &fingerprint, subkey, "sign", &until]));
        }
        let program = folder.join("gpg");
        let clock = wanted.clock().map_or_else(String::new, |at| format!("--faked-system-time {}", iso_compact(at)));
        write_program(&program, &format!("#!/bin/sh\nexec gpg --homedir {} {clock} \"$@\"\n", quoted(&home)));
        OpenPgp { home, folder: folder.to_owned(), fingerprint, agent }
    }

    /// The certificate, armoured, as its owner would send it.
    pub fn certificate(&self) -> String {
        must(gpg(&self.home, None).args(["--armor", "--export", &self.fingerprint])) + "\n"
    }

    /// The certificate with its revocation, by the certificate that GnuPG wrote when it made the key.
    pub fn revoked(&self) -> String {
        let path = self.home.join(format!("openpgp-revocs.d/{}.rev", self.fingerprint));
        // A colon before the armour guards against an import by mistake.
        let text =
            std::fs::read_to_string(&path).expect("a revocation certificate").replace(":-----BEGIN", "-----BEGIN");
        let armour = self.folder.join("revocation.asc");
        std::fs::write(&armour, text).expect("a revocation certificate");
        must(gpg(&self.home, None).arg("--import").arg(armour));
        self.certificate()
    }

    pub fn key(self) -> Key {
        let file = self.folder.join("certificate.asc");
        std::fs::write(&file, self.certificate()).expect("a certificate");
        Key {
            git: vec![
                ("gpg.format", "openpgp".to_owned()),
                ("user.signingKey", self.fingerprint.clone()),
                ("gpg.program", self.folder.join("gpg").display().to_string()),
            ],
            fingerprint: self.fingerprint,
            registration: Some(("--openpgp", file)),
            authority: None,
            _agent: Some(self.agent),
        }
    }
}

fn gpg(home: &Path, clock: Option<Time>) -> Command {
    let mut gpg = Command::new("gpg");
    gpg.arg("--homedir").arg(home).args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]);
    if let Some(clock) = clock {
        gpg.args(["--faked-system-time", &iso_compact(clock)]);
    }
    gpg
}
