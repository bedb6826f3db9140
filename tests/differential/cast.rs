//! The people and their keys: what Countersign's registry knows of them, and what the other programs know.

use crate::openpgp::{self, SoftKey};
use crate::oracle::clean;
use crate::sshsig::{self, Secret};
use countersign_policy::keyring::{Keyring, Person};
use countersign_policy::signature::registration::{Refusal, Registration};
use countersign_policy::signature::{openpgp as certificate, ssh};
use countersign_policy::testing::{MemoryKeyring, authority, key, person};
use countersign_policy::time::Time;
use countersign_tests::process::{must, must_with_input, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// E1001, in whose name everything is made.
    Alice,
    /// E1002, known as well.
    Bob,
}

/// Signs a payload: the armoured signature.
pub type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// One of Alice's keys.
pub struct Signer {
    pub openpgp: bool,
    /// Its signatures have one length, so that a place in one is the same place in the next run's.
    pub steady: bool,
    pub sign: Sign,
}

pub struct Cast {
    folder: tempfile::TempDir,
    alice: Person,
    bob: Person,
    keyring: MemoryKeyring,
    allowed: String,
    /// Of OpenPGP keys that the other programs trust.
    trusted: String,
    /// Keys that gpg has only until everything is signed.
    pub strangers: Vec<String>,
    /// Alice's keys of every kind, made by the programs that people make them with.
    pub signers: Vec<Signer>,
    /// Alice's keys in software, which sign whatever they are told.
    pub soft_openpgp: SoftKey,
    pub soft_ssh: Secret,
    pub soft_rsa: Secret,
    pub soft_token: Secret,
    pub ssh_authority: PathBuf,
}

const SSH_SEED: [u8; 32] = [1; 32];
const TOKEN_SEED: [u8; 32] = [2; 32];

impl Cast {
    pub fn new() -> Cast {
        let folder = tempfile::Builder::new().prefix("cs").tempdir().expect("a folder");
        must(Command::new("install").args(["-d", "-m", "700"]).arg(folder.path().join("gnupg")));
        let settings = "batch\nno-tty\nlock-never\nno-auto-check-trustdb\nno-auto-key-locate\nno-greeting\n";
        std::fs::write(folder.path().join("gnupg/gpg.conf"), settings).expect("settings of gpg");
        let soft_rsa = Secret::rsa(folder.path(), "soft-rsa", "2048");
        let soft_token = Secret::Token { seed: TOKEN_SEED, flags: 1, counter: 7, application: b"ssh:" };
        let ssh_authority = folder.path().join("authority");
        must(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&ssh_authority));
        let mut cast = Cast {
            alice: person("E1001", "alice@example.com").expect("a person"),
            bob: person("E1002", "bob@example.com").expect("a person"),
            keyring: MemoryKeyring::default(),
            allowed: String::new(),
            trusted: String::new(),
            strangers: Vec::new(),
            signers: Vec::new(),
            soft_openpgp: SoftKey::new(|builder| builder.add_signing_subkey()),
            soft_ssh: Secret::Ed25519(SSH_SEED),
            soft_rsa,
            soft_token,
            ssh_authority,
            folder,
        };
        let public = cast.soft_openpgp.public();
        cast.add_openpgp(Who::Alice, &public).expect("a good certificate");
        for line in [cast.soft_ssh.line(), cast.soft_rsa.line(), cast.soft_token.line()] {
            cast.add_ssh(Who::Alice, &line).expect("a good key");
        }
        let line = read(&cast.ssh_authority.with_extension("pub"));
        cast.add_ssh_authority(&line);
        cast.make_signers();
        cast
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn gnupg(&self) -> PathBuf {
        self.folder().join("gnupg")
    }

    pub fn allowed_signers(&self) -> PathBuf {
        self.folder().join("allowed_signers")
    }

    pub fn keyring(&self) -> &dyn Keyring {
        &self.keyring
    }

    /// gpg gets the certificate in any case; the registry only if it takes it.
    pub fn add_openpgp(&mut self, who: Who, certificate: &[u8]) -> Result<(), Refusal> {
        // gpg says 2 where it took a part only.
        let outcome = run(clean("gpg", self).args(["--import", "--status-fd", "1"]), certificate);
        for fingerprint in outcome.stdout.lines().filter_map(|line| line.strip_prefix("[GNUPG:] IMPORT_OK ")) {
            let fingerprint = fingerprint.split(' ').next_back().unwrap_or_default();
            self.trusted.push_str(&format!("{fingerprint}:6:\n"));
        }
        let now = Time::from_system(SystemTime::now());
        let registration = certificate::register(certificate, None, now)?;
        self.register(who, registration);
        Ok(())
    }

    pub fn add_ssh(&mut self, who: Who, line: &str) -> Result<(), Refusal> {
        let principal = if who == Who::Alice { "alice@example.com" } else { "bob@example.com" };
        self.allowed.push_str(&format!("{principal} namespaces=\"git\" {}\n", line.trim()));
        let registration = ssh::register(line)?;
        self.register(who, registration);
        Ok(())
    }

    pub fn add_ssh_authority(&mut self, line: &str) {
        self.allowed.push_str(&format!("* cert-authority,namespaces=\"git\" {}\n", line.trim()));
        let registration = ssh::register_authority(line).expect("a good authority");
        self.keyring = std::mem::take(&mut self.keyring).with_ssh_authority(authority(registration));
    }

    fn register(&mut self, who: Who, registration: Registration) {
        let person = if who == Who::Alice { &mut self.alice } else { &mut self.bob };
        person.keys.push(key(registration));
    }

    /// After the last key: everybody reads what was added.
    pub fn settle(&mut self) {
        self.keyring = std::mem::take(&mut self.keyring).with(self.alice.clone()).with(self.bob.clone());
        std::fs::write(self.allowed_signers(), &self.allowed).expect("allowed signers");
        for fingerprint in &self.strangers {
            must(clean("gpg", self).args(["--yes", "--delete-secret-and-public-key", fingerprint]));
        }
        must_with_input(clean("gpg", self).arg("--import-ownertrust"), self.trusted.as_bytes());
        must(clean("gpg", self).arg("--check-trustdb"));
    }

    /// A gpg at the time when keys are made or when they sign.
    pub fn gpg(&self, seconds: u32) -> Command {
        let mut gpg = clean("gpg", self);
        let clock = format!("{seconds}!");
        gpg.args([
            "--quiet",
            "--yes",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            "--faked-system-time",
            &clock,
        ]);
        gpg
    }

    fn make_signers(&mut self) {
        for (algorithm, subkey) in [("ed25519", None), ("rsa2048", None), ("nistp256", Some("nistp256/ecdsa"))] {
            let fingerprint = self.make_gpg_key("Alice <alice@example.com>", algorithm, subkey);
            let certificate = must(self.gpg(openpgp::KEYS_MADE).args(["--armor", "--export", &fingerprint]));
            self.add_openpgp(Who::Alice, certificate.as_bytes()).expect("a good certificate");
            let sign = self.gpg_sign(&fingerprint);
            self.signers.push(Signer { openpgp: true, steady: algorithm.starts_with("rsa"), sign });
        }
        for (name, kind) in [("ssh-ed25519", "ed25519"), ("ssh-ecdsa", "ecdsa"), ("ssh-rsa", "rsa")] {
            let private = self.folder().join(name);
            must(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", "", "-t", kind, "-f"]).arg(&private));
            self.add_ssh(Who::Alice, &read(&private.with_extension("pub"))).expect("a good key");
            self.signers.push(Signer { openpgp: false, steady: kind != "ecdsa", sign: keygen_sign(private) });
        }
        let token = Secret::Token { seed: TOKEN_SEED, flags: 1, counter: 7, application: b"ssh:" };
        let sign = move |payload: &[u8]| sshsig::Recipe::usual(&token).sign(&token, payload);
        self.signers.push(Signer { openpgp: false, steady: true, sign: Box::new(sign) });
        let private = self.folder().join("certified");
        must(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&private));
        let mut certify = Command::new("ssh-keygen");
        certify.args(["-q", "-I", "alice", "-n", "alice@example.com", "-s"]).arg(&self.ssh_authority);
        must(certify.arg(private.with_extension("pub")));
        let sign = keygen_sign(self.folder().join("certified-cert.pub"));
        self.signers.push(Signer { openpgp: false, steady: true, sign });
    }

    /// The fingerprint of a new key in gpg's own keyring.
    pub fn make_gpg_key(&self, user: &str, algorithm: &str, subkey: Option<&str>) -> String {
        let usage = if subkey.is_some() { "cert" } else { "cert,sign" };
        let mut generate = self.gpg(openpgp::KEYS_MADE);
        generate.args(["--status-fd", "1", "--quick-generate-key", user, algorithm, usage, "none"]);
        let status = must(&mut generate);
        let made = status.lines().find(|line| line.contains(" KEY_CREATED ")).expect("a key");
        let fingerprint = made.split(' ').nth(3).expect("a fingerprint").to_owned();
        if let Some(subkey) = subkey {
            must(self.gpg(openpgp::KEYS_MADE).args(["--quick-add-key", &fingerprint, subkey, "sign", "none"]));
        }
        fingerprint
    }

    pub fn gpg_sign(&self, fingerprint: &str) -> Sign {
        let (gnupg, user) = (self.gnupg(), fingerprint.to_owned());
        Box::new(move |payload: &[u8]| {
            let mut sign = Command::new("gpg");
            sign.env("GNUPGHOME", &gnupg).args(["--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]);
            sign.args(["--faked-system-time", &format!("{}!", openpgp::SIGNED), "-u", &user, "--armor", "-bs"]);
            let outcome = run(&mut sign, payload);
            assert!(outcome.succeeded(), "gpg: {}", outcome.stderr);
            outcome.stdout.into_bytes()
        })
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.gnupg()).args(["--kill", "all"]).status();
    }
}

pub fn keygen_sign(key: PathBuf) -> Sign {
    Box::new(move |payload: &[u8]| {
        let outcome = run(Command::new("ssh-keygen").args(["-q", "-Y", "sign", "-n", "git", "-f"]).arg(&key), payload);
        assert!(outcome.succeeded(), "ssh-keygen: {}", outcome.stderr);
        outcome.stdout.into_bytes()
    })
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
