//! Signatures by real keys and by hostile ones. Names begin with the row of the attack catalogue.

mod ed25519;
mod git;
mod openpgp;
mod openpgp_certificate;
mod possession;
pub mod ssh;
mod ssh_certificate;

use super::{Context, Format, SignedBy, payload::Payload, settings::Settings};
use crate::id::Fingerprint;
use crate::keyring::Person;
use crate::signature::registration::Registration;
use crate::signature::together::{Together, all_hold};
use crate::testing::{MemoryKeyring, NoX509, key, person};
use crate::time::Time;
use crate::verdict::Problem;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

#[test]
fn signatures_are_alike_when_all_that_is_judged_is_the_same() {
    let alice = Arc::new(person("E1001", "alice@example.com").unwrap());
    let name = |text: &str| Fingerprint::new(text).unwrap();
    let made = |by: &Arc<Person>, format| SignedBy::new(by.clone(), name("key"), format);
    let one = || made(&alice, Format::Ssh);
    let end = |text: &str| Some(text.parse::<Time>().unwrap());
    let until = |text| {
        let mut signed = one();
        signed.until(end(text));
        signed
    };
    assert!(one().is_like(&one().at("2026-01-01T00:00:00Z".parse().unwrap())), "whenever it was made");
    assert!(until("2026-03-01T00:00:00Z").is_like(&until("2026-03-01T00:00:00Z")));
    let mut found = one();
    found.found(&crate::rule::key_revoked::RULE, "was revoked");
    let again = Arc::new(person("E1001", "alice@example.com").unwrap());
    for other in [
        made(&alice, Format::OpenPgp),
        made(&again, Format::Ssh),
        SignedBy::new(alice.clone(), name("another"), Format::Ssh),
        one().under(name("authority")),
        until("2026-03-01T00:00:00Z"),
        found.clone(),
    ] {
        assert!(!one().is_like(&other) && !other.is_like(&one()), "{other:?}");
    }
    assert!(!until("2026-03-01T00:00:00Z").is_like(&until("2026-04-01T00:00:00Z")));
    assert!(!found.is_like(&found), "what speaks against it may be of one signature alone");
}

pub const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage\n";

/// What a server knows when a push arrives.
pub struct Server {
    pub keyring: MemoryKeyring,
    pub settings: Settings,
    pub now: Time,
}

impl Server {
    pub fn new(keyring: MemoryKeyring) -> Self {
        Server { keyring, settings: Settings::default(), now: "2026-02-01T00:00:00Z".parse().unwrap() }
    }

    /// A server that knows Alice, E1001, by these keys.
    pub fn with_alice(registrations: impl IntoIterator<Item = Registration>) -> Self {
        Server::new(MemoryKeyring::default().with(alice(registrations)))
    }

    pub fn at(mut self, now: &str) -> Self {
        self.now = now.parse().unwrap();
        self
    }

    pub fn verify(&self, payload: &[u8], signature: impl AsRef<[u8]>) -> Result<SignedBy, Problem> {
        let context = Context { keyring: &self.keyring, settings: &self.settings, now: self.now, x509: &NoX509 };
        let found = super::verify(&Payload::whole(payload), signature.as_ref(), &context);
        let found_by = |seed| {
            let mut together = Together::new(seed);
            together.find(|checks, found| {
                found.push(super::verify_as(&Payload::whole(payload), signature.as_ref(), &context, checks));
            });
            Together::settle([together], all_hold).and_then(|mut found| found.pop())
        };
        let later = found_by(Some([7; 32])).or_else(|| found_by(None)).unwrap();
        assert_eq!(format!("{found:?}"), format!("{later:?}"), "the same in a batch");
        found
    }

    /// `ok`, the finding that spoils a good signature, or why there is none.
    pub fn says(&self, signature: impl AsRef<[u8]>) -> &'static str {
        match self.verify(PAYLOAD, signature) {
            Ok(signed) => signed.problems().first().map_or("ok", |problem| problem.rule.id),
            Err(problem) => problem.rule.id,
        }
    }
}

pub fn alice(registrations: impl IntoIterator<Item = Registration>) -> Person {
    let mut alice = person("E1001", "alice@example.com").unwrap();
    alice.keys = registrations.into_iter().map(key).collect();
    alice
}

pub fn bob(registrations: impl IntoIterator<Item = Registration>) -> Person {
    let mut bob = person("E1002", "bob@example.com").unwrap();
    bob.keys = registrations.into_iter().map(key).collect();
    bob
}

/// Runs a real tool; its standard output.
pub fn run(program: &str, home: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(home)
        .env("TZ", "UTC")
        .env("GNUPGHOME", home)
        .env("HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn armored(label: &str, bytes: &[u8], width: usize) -> Vec<u8> {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let gap = if label.starts_with("PGP") { "\n" } else { "" };
    format!("-----BEGIN {label}-----\n{gap}{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

#[test]
fn an_unknown_block_is_no_signature_and_a_huge_one_is_not_read() {
    let server = Server::new(MemoryKeyring::default());
    assert_eq!(server.says(""), "malformed-signature");
    assert_eq!(server.says("-----BEGIN MINISIGN-----\n"), "malformed-signature");
    assert_eq!(server.says(vec![b'-'; super::MAX_SIGNATURE + 1]), "limit-exceeded");
    assert_eq!(server.says("-----BEGIN SIGNED MESSAGE-----\n"), "verifier-unavailable");
}

#[test]
fn the_limit_of_a_signature_is_the_last_size_that_is_read() {
    let server = Server::new(MemoryKeyring::default());
    assert_eq!(server.says(vec![b'-'; super::MAX_SIGNATURE]), "malformed-signature");
}
