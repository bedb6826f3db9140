//! The keys themselves: what git, gpg and ssh-keygen make of them.

use countersign_tests::keys::{Key, Kind, OpenPgp, Owner, SecurityKey, USER_PRESENT, USER_VERIFIED, Wanted, Workshop};
use countersign_tests::process::{Outcome, must, run};
use countersign_tests::servers::{Access, folder};
use countersign_tests::workstation::{Change, Workstation};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn alice() -> Owner {
    Owner { id: "alice".into(), name: "Alice".into(), email: "alice@example.com".into() }
}

fn workstation(work: &TempDir) -> Workstation {
    let bare = work.path().join("app.git");
    must(Command::new("git").args(["init", "--quiet", "--bare"]).arg(&bare));
    let access = Access { url: bare.display().to_string(), environment: Vec::new() };
    Workstation::set_up(&work.path().join("alice"), &alice(), &access)
}

fn commit(workstation: &Workstation, content: &str, key: &Key) -> String {
    let files = BTreeMap::from([("README".to_owned(), Some(content.to_owned()))]);
    workstation.commit(&Change { files, message: "change", ..Change::default() }, Some(&key.git))
}

/// Git's own opinion of a signature.
fn verified(workstation: &Workstation, commit: &str, key: &Key) -> Outcome {
    let allowed = workstation.folder().with_file_name("allowed_signers");
    let certified = key.authority.as_ref().is_some_and(|(flag, _)| *flag == "--ssh-ca");
    let (_, file) = key.authority.as_ref().or(key.registration.as_ref()).expect("something to register");
    let options = if certified { "cert-authority" } else { "namespaces=\"git\"" };
    std::fs::write(&allowed, format!("alice {options} {}", std::fs::read_to_string(file).unwrap())).unwrap();
    let mut git = workstation.git();
    for (name, value) in &key.git {
        match *name {
            // The wrappers may have their clock set back.
            "gpg.program" | "gpg.x509.program" => git.env("GNUPGHOME", Path::new(value).with_file_name("gnupg")),
            "gpg.ssh.program" => &mut git,
            _ => git.arg("-c").arg(format!("{name}={value}")),
        };
    }
    git.arg("-c").arg(format!("gpg.ssh.allowedSignersFile={}", allowed.display()));
    run(git.args(["verify-commit", "--raw", commit]), b"")
}

#[test]
fn every_kind_of_key_signs_a_commit() {
    use Kind::*;
    let work = folder();
    let workstation = workstation(&work);
    let mut workshop = Workshop::new(work.path());
    for kind in [SshEd25519, SshEcdsa, SshRsa, SshSk, SshCertificate, OpenpgpEd25519, OpenpgpRsa, OpenpgpSubkey, X509] {
        let key = workshop.make(&alice(), &kind.into());
        let commit = commit(&workstation, &format!("{kind:?}"), &key);
        let verified = verified(&workstation, &commit, &key);
        assert!(verified.succeeded(), "{kind:?}: {}", verified.stderr);
        let shown = if kind == X509 { "[GNUPG:] TRUST_FULLY" } else { key.fingerprint.as_str() };
        assert!(verified.stderr.contains(shown), "{kind:?}: no {shown} in {}", verified.stderr);
    }
}

#[test]
fn a_validity_in_the_past_is_over() {
    let work = folder();
    let workstation = workstation(&work);
    let mut workshop = Workshop::new(work.path());
    let expired = |kind| Wanted {
        from: Some("2024-01-01T00:00:00Z".parse().unwrap()),
        until: Some("2024-02-01T00:00:00Z".parse().unwrap()),
        ..Wanted::from(kind)
    };
    for (kind, said) in
        [(Kind::OpenpgpEd25519, "EXPKEYSIG"), (Kind::OpenpgpSubkey, "EXPKEYSIG"), (Kind::X509, "EXPKEYSIG")]
    {
        let key = workshop.make(&alice(), &expired(kind));
        let commit = commit(&workstation, &format!("{kind:?}"), &key);
        let verified = verified(&workstation, &commit, &key);
        assert!(verified.stderr.contains(said), "{kind:?}: {}", verified.stderr);
    }
    // An SSH signature bears no time: its certificate is over whenever it is looked at.
    let key = workshop.make(&alice(), &expired(Kind::SshCertificate));
    let commit = commit(&workstation, "certificate", &key);
    let verified = verified(&workstation, &commit, &key);
    assert!(!verified.succeeded() && verified.stderr.contains("No principal matched"), "{}", verified.stderr);
}

#[test]
fn a_revoked_certificate_says_so() {
    let work = folder();
    let key = OpenPgp::generate(work.path(), &alice(), &Kind::OpenpgpEd25519.into(), "ed25519", None);
    assert!(!packets(&key.certificate()).contains("sigclass 0x20"));
    assert!(packets(&key.revoked()).contains("sigclass 0x20"));
}

fn packets(armoured: &str) -> String {
    run(Command::new("gpg").args(["--list-packets"]), armoured.as_bytes()).stdout
}

#[test]
fn a_security_key_says_whether_it_was_touched_and_counts() {
    let work = folder();
    let verify = |signature: &str, option: &str| {
        let public = std::fs::read_to_string(work.path().join("id.pub")).unwrap();
        write(&work.path().join("allowed"), &format!("alice {option}{public}"));
        write(&work.path().join("signature"), signature);
        let mut verify = Command::new("ssh-keygen");
        verify.current_dir(work.path()).args(["-Y", "verify", "-f", "allowed", "-I", "alice", "-n", "git"]);
        run(verify.args(["-s", "signature"]), b"message")
    };
    let mut key = SecurityKey::generate(work.path(), "alice@example.com").with_flags(USER_PRESENT | USER_VERIFIED);
    let signature = key.sign("git", b"message");
    assert!(verify(&signature, "").succeeded(), "{:?}", verify(&signature, ""));
    assert_ne!(key.sign("git", b"message"), signature, "the counter went on");
    assert_eq!(SecurityKey::load(work.path()).sign("file", b"message").lines().next(), signature.lines().next());
    assert!(!verify(&key.sign("git", b"another"), "").succeeded());
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
