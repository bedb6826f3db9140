//! A folder of public keys, read twice: by the product's own registration, and by gpg and ssh-keygen.

use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Key, Material, Person, RetireReason, Retired};
use countersign_policy::signature::registration::Registration;
use countersign_policy::signature::{openpgp, ssh};
use countersign_policy::testing::{MemoryKeyring, authority, key, person};
use countersign_policy::time::Time;
use countersign_tests::process::{must_with_input, run};
use keyring_sync::import::allowed_signers::{self, BadLine, Line};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

pub struct Keys {
    pub keyring: MemoryKeyring,
    /// Why the registry did not take a key, by the fingerprint of it and of each of its subkeys.
    pub refused: BTreeMap<String, String>,
    /// What the registry said of the keys it took.
    pub notes: Vec<String>,
    pub openpgp: usize,
    pub ssh: usize,
    pub gnupg: PathBuf,
    pub allowed_signers: PathBuf,
    home: tempfile::TempDir,
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.gnupg).args(["--kill", "all"]).status();
    }
}

/// What was read so far.
struct Found {
    /// One instant for all keys.
    now: Time,
    certificates: BTreeMap<String, Registration>,
    ssh: BTreeMap<String, (Key, Vec<String>)>,
    ssh_authorities: Vec<Registration>,
    refused: BTreeMap<String, String>,
    /// For ssh-keygen.
    allowed_signers: String,
}

impl Keys {
    pub fn is_empty(&self) -> bool {
        self.openpgp + self.ssh + self.refused.len() == 0
    }

    /// Reads every file of `folder` whose name says that it holds keys.
    pub fn read(folder: &Path) -> Keys {
        let home = tempfile::Builder::new().prefix("cs-real-").tempdir_in("/tmp").expect("a folder");
        let gnupg = home.path().join("gnupg");
        must_with_input(Command::new("install").args(["-d", "-m", "700"]).arg(&gnupg), b"");
        // Whose key it is was settled by whoever made the folder; nothing is asked of the network.
        let settings = "trust-model always\nno-auto-key-retrieve\nno-auto-key-import\ndisable-dirmngr\nno-autostart\n";
        std::fs::write(gnupg.join("gpg.conf"), settings).expect("gpg.conf");
        let mut found = Found {
            now: now(),
            certificates: BTreeMap::new(),
            ssh: BTreeMap::new(),
            ssh_authorities: Vec::new(),
            refused: BTreeMap::new(),
            allowed_signers: String::new(),
        };
        for file in files(folder) {
            let extension = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            match extension.as_str() {
                "asc" | "pgp" | "gpg" => found.openpgp(&file, &gnupg),
                "pub" => found.ssh(&file),
                _ if file.file_name().is_some_and(|name| name == "allowed_signers") => found.signers(&file),
                _ => {}
            }
        }
        let allowed_signers = home.path().join("allowed_signers");
        std::fs::write(&allowed_signers, &found.allowed_signers).expect("allowed_signers");
        let (openpgp, ssh) = (found.certificates.len(), found.ssh.len());
        let notes = found.certificates.values().flat_map(|registration| registration.notes.clone()).collect();
        let refused = std::mem::take(&mut found.refused);
        Keys { keyring: found.keyring(), refused, notes, openpgp, ssh, gnupg, allowed_signers, home }
    }

    /// Where git finds nothing of its user's own.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Why the registry did not take (a copy of) a certificate, each reason with the number of keys.
    pub fn refusals(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for reason in self.refused.values() {
            *counts.entry(reason.as_str()).or_default() += 1;
        }
        counts
    }

    /// Why the registry does not know the key that goes by this fingerprint or key id.
    pub fn why_refused(&self, name: &str) -> Option<&str> {
        self.refused.iter().find(|(fingerprint, _)| fingerprint.ends_with(name)).map(|(_, reason)| reason.as_str())
    }
}

impl Found {
    fn openpgp(&mut self, file: &Path, gnupg: &Path) {
        let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        run(gpg(gnupg).arg("--import"), &bytes);
        // What is too large or holds several blocks goes through gpg, as the product's answer advises.
        let certificates = openpgp::split(&bytes).unwrap_or_else(|_| {
            let names = fingerprints(gnupg, &bytes).into_iter().filter(|(primary, _)| *primary).map(|(_, name)| name);
            let export =
                |name: &str| must_bytes(gpg(gnupg).args(["--export-options", "export-minimal", "--export", name]));
            names.map(|name: String| export(&name)).filter(|exported| !exported.is_empty()).collect()
        });
        for certificate in certificates {
            self.certificate(&certificate, gnupg);
        }
    }

    /// Registers a certificate, merged with what is known of it, or notes why not.
    fn certificate(&mut self, certificate: &[u8], gnupg: &Path) {
        let known = |registration: &Registration| {
            self.certificates.get(registration.fingerprint.as_str()).map(|known| known.source.clone())
        };
        let registered = openpgp::register(certificate, None, self.now).and_then(|alone| match known(&alone) {
            Some(known) => openpgp::register(certificate, Some(&known), self.now),
            None => Ok(alone),
        });
        match registered {
            Ok(registration) => {
                self.certificates.insert(registration.fingerprint.as_str().to_owned(), registration);
            }
            Err(refusal) => {
                for (_, name) in fingerprints(gnupg, certificate) {
                    self.refused.insert(name, refusal.to_string());
                }
            }
        }
    }

    fn ssh(&mut self, file: &Path) {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(fingerprint) = self.ssh_key(line, &[], None, None) {
                self.allowed_signers.push_str(&format!("{fingerprint} namespaces=\"git\" {line}\n"));
            }
        }
    }

    fn signers(&mut self, file: &Path) {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.allowed_signers.push_str(&format!("{text}\n"));
        for (line, read) in allowed_signers::lines(&text) {
            let whole = text.lines().nth(line - 1).unwrap_or_default().trim();
            let read = match read {
                // ssh-keygen takes any name; whose key it is makes no difference here.
                Err(BadLine::NotAnAddress(_)) => {
                    let renamed = format!("holder@name.example {}", after_principals(whole));
                    allowed_signers::lines(&renamed).next().expect("one line").1
                }
                read => read,
            };
            match read {
                Ok(Line::Signer(signer)) => {
                    let emails: Vec<String> = signer.emails.iter().map(|email| email.as_str().to_owned()).collect();
                    self.ssh_key(&signer.key, &emails, signer.valid_after, signer.valid_before);
                }
                Ok(Line::Authority { key }) => {
                    let registration = ssh::register_authority(&key);
                    self.ssh_authorities.push(registration.unwrap_or_else(|refusal| panic!("{whole}: {refusal}")));
                }
                Err(why) => {
                    if let Some(fingerprint) = ssh_key_in(whole).and_then(|key| ssh_fingerprint(&key)) {
                        self.refused.insert(fingerprint, format!("allowed_signers: {why}"));
                    }
                }
            }
        }
    }

    /// Registers a key, or notes why not. Its fingerprint when ssh-keygen can read it.
    fn ssh_key(&mut self, line: &str, emails: &[String], from: Option<Time>, until: Option<Time>) -> Option<String> {
        match ssh::register(line) {
            Ok(registration) => {
                let fingerprint = registration.fingerprint.as_str().to_owned();
                let mut key = key(registration);
                key.added = from.unwrap_or(key.added);
                key.retired = until.map(|at| Retired { at, reason: RetireReason::Retired });
                self.ssh.entry(fingerprint.clone()).or_insert_with(|| (key, emails.to_vec()));
                Some(fingerprint)
            }
            Err(refusal) => {
                let fingerprint = ssh_fingerprint(line)?;
                self.refused.insert(fingerprint.clone(), refusal.to_string());
                Some(fingerprint)
            }
        }
    }

    /// Each key is a person: who holds which keys is not for gpg to know either.
    fn keyring(self) -> MemoryKeyring {
        let openpgp = self.certificates.into_values().map(|registration| {
            let emails = match &registration.material {
                Material::OpenPgp(certificate) => {
                    certificate.emails.iter().map(|email| email.as_str().to_owned()).collect()
                }
                _ => Vec::new(),
            };
            (key(registration), emails)
        });
        let mut keyring = MemoryKeyring::default();
        for (number, (key, emails)) in openpgp.chain(self.ssh.into_values()).enumerate() {
            keyring = keyring.with(holder(number, key, &emails));
        }
        for registration in self.ssh_authorities {
            keyring = keyring.with_ssh_authority(authority(registration));
        }
        keyring
    }
}

fn holder(number: usize, key: Key, emails: &[String]) -> Person {
    let mut holder = person(&format!("K{number}"), "nobody@holder.example").expect("a person");
    let held = |email: &String| {
        person("K", email).and_then(|mut person| person.emails.pop()).unwrap_or_else(|| panic!("{email} is no e-mail"))
    };
    holder.id = PersonId::new(&format!("K{number}")).expect("an id");
    holder.emails = emails.iter().map(held).collect();
    holder.keys = vec![key];
    holder
}

pub fn now() -> Time {
    Time::from_system(SystemTime::now())
}

/// Every file below `folder`, in one order for everybody.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.exists() {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn gpg(home: &Path) -> Command {
    let mut gpg = Command::new("gpg");
    gpg.env("LC_ALL", "C").arg("--homedir").arg(home).args(["--batch", "--quiet", "--no-tty"]);
    gpg
}

fn must_bytes(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("gpg");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The fingerprints of all keys in some OpenPGP bytes as gpg reads them, and which of them are primary.
fn fingerprints(home: &Path, bytes: &[u8]) -> Vec<(bool, String)> {
    // Under `trust-model always` gpg asks for a trust database that it does not make.
    let listed = run(gpg(home).args(["--no-options", "--show-keys", "--with-colons"]), bytes).stdout;
    let mut primary = true;
    let mut found = Vec::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.first().copied() {
            Some("pub" | "sec") => primary = true,
            Some("sub" | "ssb") => primary = false,
            Some("fpr") => found.push((primary, fields.get(9).copied().unwrap_or_default().to_owned())),
            _ => {}
        }
    }
    found
}

/// What follows the first field, which may be quoted.
fn after_principals(line: &str) -> &str {
    let end = match line.strip_prefix('"') {
        Some(quoted) => quoted.find('"').map(|at| at + 2),
        None => line.find(char::is_whitespace),
    };
    line.get(end.unwrap_or(line.len())..).unwrap_or_default().trim_start()
}

/// The key of a line of `allowed_signers` that could not be taken as a whole.
fn ssh_key_in(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let pair = words.windows(2).find(|pair| pair[1].starts_with("AAAA"))?;
    Some(pair.join(" "))
}

fn ssh_fingerprint(line: &str) -> Option<String> {
    let outcome = run(Command::new("ssh-keygen").args(["-l", "-f", "-"]), line.as_bytes());
    outcome.stdout.split(' ').nth(1).filter(|_| outcome.succeeded()).map(str::to_owned)
}
