//! Certificates, signatures and revocation lists by the real tools, in a folder of their own.
#![allow(dead_code, reason = "each crate that includes this file uses a part of it")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The instant that all tests call now.
pub const NOW: &str = "2035-06-01T12:00:00Z";

pub const CA: &str =
    "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash";
pub const LEAF: &str = "basicConstraints=CA:false\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nsubjectAltName=email:alice@example.com";

/// What a certificate is to be.
#[derive(Clone, Copy)]
pub struct Make<'a> {
    pub name: &'a str,
    /// The certificate that signs this one; its own name for a root.
    pub by: &'a str,
    pub key: &'a [&'a str],
    pub digest: &'a str,
    /// `YYYYMMDDHHMMSSZ`
    pub from: &'a str,
    pub until: &'a str,
    pub extensions: &'a str,
}

pub const P256: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub const RSA: &[&str] = &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

pub fn make<'a>(name: &'a str, by: &'a str, extensions: &'a str) -> Make<'a> {
    Make { name, by, key: P256, digest: "sha256", from: "20200101000000Z", until: "20400101000000Z", extensions }
}

/// A public-key infrastructure of a few files.
pub struct Pki {
    dir: tempfile::TempDir,
}

impl Pki {
    pub fn empty() -> Self {
        // A short path: agents listen on sockets below it.
        Pki { dir: tempfile::Builder::new().prefix("pki").tempdir_in("/tmp").unwrap() }
    }

    /// `root` issued `sub`, `sub` issued `alice`.
    pub fn usual() -> Self {
        let pki = Pki::empty();
        pki.issue(make("root", "root", CA));
        pki.issue(make("sub", "root", CA));
        pki.issue(make("alice", "sub", LEAF));
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn run(&self, program: &str, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub fn openssl(&self, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        self.run("openssl", args, stdin)
    }

    fn config(&self, by: &str, extensions: &str) -> String {
        let text = format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={by}.db\ncrlnumber={by}.number\nnew_certs_dir=.\nrand_serial=yes\nunique_subject=no\n\
             policy=p\nemail_in_dn=yes\ndefault_md=sha256\ncopy_extensions=none\n[p]\ncommonName=supplied\n\
             emailAddress=optional\n[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n[x]\n{extensions}\n"
        );
        let name = format!("{by}.cnf");
        fs::write(self.path(&name), text).unwrap();
        name
    }

    pub fn issue(&self, wanted: Make<'_>) {
        self.issue_as(wanted, &format!("/CN={}", wanted.name));
    }

    pub fn issue_as(&self, wanted: Make<'_>, subject: &str) {
        let Make { name, by, .. } = wanted;
        let (key, request, out) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        if !self.path(&key).exists() {
            let mut args = vec!["genpkey", "-out", &key, "-algorithm"];
            args.extend(wanted.key);
            self.openssl(&args, b"");
        }
        for (file, text) in [("db", ""), ("db.attr", ""), ("number", "01\n")] {
            let file = self.path(&format!("{by}.{file}"));
            if !file.exists() {
                fs::write(file, text).unwrap();
            }
        }
        let config = self.config(by, wanted.extensions);
        self.openssl(&["req", "-new", "-config", &config, "-key", &key, "-subj", subject, "-out", &request], b"");
        let (ca_key, ca_cert) = (format!("{by}.key"), format!("{by}.pem"));
        let mut args = vec!["ca", "-batch", "-notext", "-config", &config, "-extensions", "x", "-md", wanted.digest];
        args.extend(["-startdate", wanted.from, "-enddate", wanted.until, "-in", &request, "-out", &out]);
        args.extend(["-keyfile", &ca_key]);
        if name == by {
            args.push("-selfsign")
        } else {
            args.extend(["-cert", &ca_cert])
        }
        self.openssl(&args, b"");
    }

    pub fn pem(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(&format!("{name}.pem"))).unwrap()
    }

    pub fn der(&self, name: &str) -> Vec<u8> {
        self.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER"], b"")
    }

    /// A detached signature in DER by openssl, with the certificates of `with` beside the signer's.
    pub fn sign(&self, name: &str, with: &[&str], payload: &[u8], more: &[&str]) -> Vec<u8> {
        let bundle: Vec<u8> = with.iter().flat_map(|name| self.pem(name)).collect();
        fs::write(self.path("with.pem"), bundle).unwrap();
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let mut args = vec!["cms", "-sign", "-binary", "-outform", "DER", "-signer", &certificate, "-inkey", &key];
        if !with.is_empty() {
            args.extend(["-certfile", "with.pem"]);
        }
        args.extend(more);
        self.openssl(&args, payload)
    }

    /// The revocation list of `by`; `revoked` are names and reasons.
    pub fn crl(&self, by: &str, revoked: &[(&str, &str)], from: &str, until: &str) -> Vec<u8> {
        self.crl_with(by, revoked, from, until, "")
    }

    /// The same with extensions.
    pub fn crl_with(&self, by: &str, revoked: &[(&str, &str)], from: &str, until: &str, extensions: &str) -> Vec<u8> {
        let (config, key, certificate) = (self.config(by, extensions), format!("{by}.key"), format!("{by}.pem"));
        let with_ca = ["-config", &config, "-keyfile", &key, "-cert", &certificate];
        for (name, reason) in revoked {
            let file = format!("{name}.pem");
            let args = [&["ca", "-revoke", &file, "-crl_reason", reason], with_ca.as_slice()].concat();
            self.openssl(&args, b"");
        }
        let dates = ["-crl_lastupdate", from, "-crl_nextupdate", until];
        let more: &[&str] = if extensions.is_empty() { &[] } else { &["-crlexts", "x"] };
        self.openssl(&[&["ca", "-gencrl"], with_ca.as_slice(), &dates, more].concat(), b"")
    }

    /// A signature as git gets it: `gpgsm` with an own home, armoured BER. The signer has an RSA key.
    pub fn gpgsm_sign(&self, name: &str, with: &[&str], payload: &[u8]) -> Vec<u8> {
        let home = self.path("gpg");
        let shown = home.to_str().unwrap().to_owned();
        if !home.exists() {
            fs::create_dir(&home).unwrap();
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
            let root = self.openssl(&["x509", "-in", "root.pem", "-noout", "-fingerprint", "-sha1"], b"");
            let root = String::from_utf8(root).unwrap();
            let root = root.trim().rsplit('=').next().unwrap().replace(':', "");
            fs::write(home.join("trustlist.txt"), format!("{root} S\n")).unwrap();
            fs::write(home.join("gpg-agent.conf"), "allow-loopback-pinentry\n").unwrap();
            fs::write(home.join("gpgsm.conf"), "disable-crl-checks\nno-common-certs-import\n").unwrap();
        }
        let line = |args: &[&str]| {
            let fixed = ["--homedir", &shown, "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "3"];
            let quoted = |text: &&str| format!("'{text}'");
            let words: Vec<String> = fixed.iter().chain(args).map(quoted).collect();
            format!("gpgsm --faked-system-time 20350601T120000 {} 3</dev/null", words.join(" "))
        };
        let gpgsm = |args: &[&str], stdin: &[u8]| self.run("sh", &["-c", &line(args)], stdin);
        for issuer in with {
            gpgsm(&["--import", &format!("{issuer}.pem")], b"");
        }
        // gpgsm 2.2 cannot read one bundle of two hundred. Each has another salt.
        let pack =
            format!("openssl pkcs12 -export -in {name}.pem -inkey {name}.key -out {name}.p12 -passout pass: -legacy");
        let import = line(&["--import", &format!("{name}.p12")]);
        self.run("sh", &["-c", &format!("for _ in 1 2 3 4; do {pack} && {import} && exit; done; exit 1")], b"");
        let id = format!("/CN={name}");
        gpgsm(&["-bsau", &id], payload)
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let home = self.path("gpg");
        if home.exists() {
            let _ = Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]).status();
        }
    }
}

/// DER or BER as git stores it.
pub fn armored(der: &[u8]) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(der);
    let mut out = b"-----BEGIN SIGNED MESSAGE-----\n".to_vec();
    for line in text.as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(b"-----END SIGNED MESSAGE-----\n");
    out
}
