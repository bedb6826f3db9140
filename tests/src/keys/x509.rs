//! X.509 certificates by `openssl`, used for signing through `gpgsm`.

use super::{Key, Owner, Wanted, generalized, gnupg_home, iso_compact};
use crate::process::{Outcome, must, quoted, run, write_program};
use countersign_policy::time::Time;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A root that issues leaves for signing mail and commits.
#[derive(Debug)]
pub struct X509Authority {
    folder: PathBuf,
}

/// What `openssl ca` needs; the address comes from the environment.
const CONFIGURATION: &str = "
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, nonRepudiation
extendedKeyUsage = emailProtection
subjectAltName = email:${ENV::EMAIL}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = names
";
const ALWAYS: (&str, &str) = ("20000101000000Z", "20500101000000Z");

/// How often a key is packed for gpgsm, each time with another salt: gpgsm 2.2 cannot read one bundle of two hundred.
const BUNDLES: usize = 4;

impl X509Authority {
    /// Makes `x509-authority/` in `folder`.
    pub fn make(folder: &Path) -> X509Authority {
        let folder = folder.join("x509-authority");
        std::fs::create_dir_all(&folder).expect("a folder for the authority");
        std::fs::write(folder.join("ca.cnf"), CONFIGURATION).expect("ca.cnf");
        std::fs::write(folder.join("index.txt"), "").expect("index.txt");
        let authority = X509Authority { folder };
        authority.request("ca", "Test root");
        authority.issue(&["-selfsign", "-extensions", "root", "-in", "ca.csr", "-out", "ca.crt"], ALWAYS, "");
        authority
    }

    /// Makes a key and its certificate, and a gpgsm home that signs with them.
    pub fn leaf(&self, folder: &Path, owner: &Owner, wanted: &Wanted) -> Key {
        let name = folder.file_name().expect("a folder with a name").to_string_lossy().into_owned();
        let (request, certificate) = (format!("{name}.csr"), format!("{name}.crt"));
        self.request(&name, &owner.name);
        let text = |time: Option<Time>, otherwise: &str| time.map_or_else(|| otherwise.to_owned(), generalized);
        let (from, until) = (text(wanted.from, ALWAYS.0), text(wanted.until, ALWAYS.1));
        let args = ["-cert", "ca.crt", "-extensions", "leaf", "-in", &request, "-out", &certificate];
        self.issue(&args, (&from, &until), &owner.email);

        let (home, agent) = gnupg_home(folder);
        let root = self.fingerprint("ca.crt", "-sha1");
        std::fs::write(home.join("trustlist.txt"), format!("{root} S relax\n")).expect("trustlist.txt");
        // Whether a certificate was revoked is the server's question.
        std::fs::write(home.join("gpgsm.conf"), "disable-crl-checks\n").expect("gpgsm.conf");
        let bundle = folder.join("bundle.p12");
        // `-legacy`: the only encryption that every gpgsm reads.
        let private = format!("{name}.key");
        let export = ["pkcs12", "-export", "-legacy", "-passout", "pass:", "-inkey", &private, "-in", &certificate];
        let pack = || {
            must(self.openssl().args(export).args(["-certfile", "ca.crt", "-out"]).arg(&bundle));
            let mut import = Command::new("gpgsm");
            import.arg("--homedir").arg(&home).args(["--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0"]);
            run(import.arg("--import").arg(&bundle), b"\n")
        };
        let imported = (1..BUNDLES).map(|_| pack()).find(Outcome::succeeded).unwrap_or_else(pack);
        assert!(imported.succeeded(), "gpgsm --import: {}", imported.stderr);

        let clock = wanted.clock().map_or_else(String::new, |at| format!("--faked-system-time {}", iso_compact(at)));
        let program = folder.join("gpgsm");
        write_program(&program, &format!("#!/bin/sh\nexec gpgsm --homedir {} {clock} \"$@\"\n", quoted(&home)));
        Key {
            fingerprint: format!("X509:{}", self.fingerprint(&certificate, "-sha256").to_lowercase().replace(':', "")),
            git: vec![
                ("gpg.format", "x509".to_owned()),
                ("user.signingKey", self.fingerprint(&certificate, "-sha1").replace(':', "")),
                ("gpg.x509.program", program.display().to_string()),
            ],
            registration: Some(("--x509", self.folder.join(&certificate))),
            authority: Some(("--x509-root", self.folder.join("ca.crt"))),
            _agent: Some(agent),
        }
    }

    fn openssl(&self) -> Command {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&self.folder).env("EMAIL", "nobody@example.com");
        openssl
    }

    /// Makes `NAME.key` and `NAME.csr`.
    fn request(&self, name: &str, subject: &str) {
        let mut request = self.openssl();
        request.args(["req", "-config", "ca.cnf", "-newkey", "rsa:2048", "-nodes", "-subj", &format!("/CN={subject}")]);
        must(request.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.csr")]));
    }

    fn issue(&self, args: &[&str], (from, until): (&str, &str), email: &str) {
        let mut issue = self.openssl();
        issue.env("EMAIL", if email.is_empty() { "nobody@example.com" } else { email });
        issue.args(["ca", "-batch", "-config", "ca.cnf", "-keyfile", "ca.key", "-notext"]);
        must(issue.args(["-startdate", from, "-enddate", until]).args(args));
    }

    /// Upper-case hex with colons.
    fn fingerprint(&self, certificate: &str, hash: &str) -> String {
        let line = must(self.openssl().args(["x509", "-noout", "-fingerprint", hash, "-in", certificate]));
        line.split_once('=').expect("a fingerprint").1.to_owned()
    }
}
