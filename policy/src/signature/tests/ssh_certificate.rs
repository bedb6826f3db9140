use super::ssh::Forge;
use super::*;
use crate::judge::key_objection;
use crate::keyring::{Compromised, RetireReason, Retired};
use crate::rule::Answers;
use crate::signature::ssh::{register, register_authority};
use crate::testing::authority;

/// A real authority, and certificates that it makes for a key in software.
struct Desk {
    home: tempfile::TempDir,
    forge: Forge,
}

impl Desk {
    fn new(kind: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        run("ssh-keygen", home.path(), &["-q", "-t", kind, "-N", "", "-f", "ca"], b"");
        Desk { home, forge: Forge::new() }
    }

    fn authority(&self) -> Registration {
        register_authority(&std::fs::read_to_string(self.home.path().join("ca.pub")).unwrap()).unwrap()
    }

    fn server(&self) -> Server {
        let keyring = MemoryKeyring::default().with(alice([])).with(bob([]));
        Server::new(keyring.with_ssh_authority(authority(self.authority())))
    }

    /// A signature with the certificate that `ssh-keygen -s` makes of these arguments.
    fn signed(&mut self, arguments: &[&str]) -> Vec<u8> {
        std::fs::write(self.home.path().join("id.pub"), self.forge.line()).unwrap();
        let all = [&["-q", "-s", "ca", "-I", "key id"], arguments, &["id.pub"]].concat();
        run("ssh-keygen", self.home.path(), &all, b"");
        let line = std::fs::read_to_string(self.home.path().join("id-cert.pub")).unwrap();
        let plain = std::mem::replace(
            &mut self.forge.public_key,
            STANDARD.decode(line.split_whitespace().nth(1).unwrap()).unwrap(),
        );
        let signature = self.forge.sign(PAYLOAD);
        self.forge.public_key = plain;
        signature
    }

    fn says(&mut self, arguments: &[&str]) -> &'static str {
        let signature = self.signed(arguments);
        self.server().says(signature)
    }
}

#[test]
fn m06_a_certificate_names_its_person_by_id_or_address() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let mut desk = Desk::new(kind);
        for principals in ["E1001", "alice@example.com", "Alice@Example.com", "deploy,E1001,alice@example.com"] {
            let signature = desk.signed(&["-n", principals, "-V", "20260101:20270101"]);
            let signed = desk.server().verify(PAYLOAD, signature).unwrap();
            assert_eq!((signed.person().id.as_str(), signed.problems().len()), ("E1001", 0));
            assert_eq!(signed.authority(), Some(&desk.authority().fingerprint));
            assert_eq!(signed.key(), &register(&desk.forge.line()).unwrap().fingerprint);
            assert!(signed.made_by().starts_with("SSH certificate SHA256:"));
            assert_eq!(signed.valid_until().unwrap().date(), "2027-01-01");
        }
    }
}

#[test]
fn e19_an_authority_that_nobody_registered_is_none() {
    let (mut desk, other) = (Desk::new("ed25519"), Desk::new("ed25519"));
    let signature = desk.signed(&["-n", "E1001"]);
    assert_eq!(other.server().says(&signature), "untrusted-chain");
    assert_eq!(desk.server().says(&signature), "ok");
}

#[test]
fn e19_a_certificate_changed_after_the_authority_signed_is_refused() {
    let mut desk = Desk::new("ed25519");
    let signature = desk.signed(&["-n", "E1002"]);
    let bytes = crate::signature::armor::decode(&signature, crate::signature::armor::Label::Ssh).unwrap();
    let at = bytes.windows(5).position(|window| window == b"E1002").unwrap();
    let mut changed = bytes.clone();
    changed[at + 4] = b'1';
    assert_eq!(desk.server().says(armored("SSH SIGNATURE", &changed, 70)), "untrusted-chain");
}

#[test]
fn e20_the_window_holds_its_start_and_not_its_end() {
    let mut desk = Desk::new("ed25519");
    let signature = desk.signed(&["-n", "E1001", "-V", "20260101:20260201"]);
    for (now, says) in [
        ("2025-12-31T23:59:59Z", "key-not-yet-valid"),
        ("2026-01-01T00:00:00Z", "ok"),
        ("2026-01-31T23:59:59Z", "ok"),
        ("2026-02-01T00:00:00Z", "key-expired"),
    ] {
        assert_eq!(desk.server().at(now).says(&signature), says, "{now}");
    }
}

#[test]
fn e21_a_host_is_no_person() {
    assert_eq!(Desk::new("ed25519").says(&["-h", "-n", "E1001"]), "usage-violation");
}

#[test]
fn e22_e23_principals_are_there_and_literal() {
    let mut desk = Desk::new("ed25519");
    assert_eq!(desk.says(&[]), "usage-violation", "none at all");
    for nobody in ["*", "E100?", "*@example.com", "root"] {
        assert_eq!(desk.says(&["-n", nobody]), "unknown-key", "{nobody}");
    }
    assert_eq!(desk.says(&["-n", "E1001,bob@example.com"]), "identity-mismatch", "two persons");
}

#[test]
fn critical_options_that_restrict_are_refused() {
    let mut desk = Desk::new("ed25519");
    assert_eq!(desk.says(&["-n", "E1001", "-O", "force-command=/bin/true"]), "usage-violation");
    assert_eq!(desk.says(&["-n", "E1001", "-O", "source-address=192.0.2.0/24"]), "usage-violation");
    assert_eq!(desk.says(&["-n", "E1001", "-O", "critical:x@example.com=1"]), "usage-violation");
    assert_eq!(desk.says(&["-n", "E1001", "-O", "extension:x@example.com=1"]), "ok");
    let signature = desk.signed(&["-n", "E1001", "-O", "verify-required"]);
    let ordinary = desk.server().verify(PAYLOAD, signature).unwrap_err();
    assert_eq!(ordinary.rule.id, "usage-violation");
    assert!(ordinary.reason.contains("its key is not"), "there is no PIN to give: {}", ordinary.reason);
    desk.forge = Forge::security_key(1);
    assert_eq!(desk.says(&["-n", "E1001", "-O", "verify-required"]), "usage-violation", "touched, not unlocked");
    desk.forge = Forge::security_key(5);
    assert_eq!(desk.says(&["-n", "E1001", "-O", "verify-required"]), "ok");
}

#[test]
fn e26_an_authority_does_not_sign_over_sha1() {
    let mut desk = Desk::new("rsa");
    assert_eq!(desk.says(&["-n", "E1001", "-t", "rsa-sha2-256"]), "ok");
    assert_eq!(desk.says(&["-n", "E1001", "-t", "ssh-rsa"]), "weak-algorithm");
}

#[test]
fn e28_a_retired_authority_and_a_revoked_key_are_found() {
    let mut desk = Desk::new("ed25519");
    let signature = desk.signed(&["-n", "E1001"]);
    let retired = Some(Retired { at: "2026-01-20T00:00:00Z".parse().unwrap(), reason: RetireReason::Retired });
    let mut ca = authority(desk.authority());
    ca.retired = retired;
    let server = Server::new(MemoryKeyring::default().with(alice([])).with_ssh_authority(ca));
    assert_eq!(server.says(&signature), "key-revoked");

    let own = register(&desk.forge.line()).unwrap();
    let mut holder = alice([own.clone()]);
    holder.keys[0].retired = retired;
    let ca = authority(desk.authority());
    let server = Server::new(MemoryKeyring::default().with(holder).with_ssh_authority(ca.clone()));
    assert_eq!(server.says(&signature), "key-revoked", "the bare key's end is its certificates' end");
    let server = Server::new(MemoryKeyring::default().with(alice([])).with(bob([own])).with_ssh_authority(ca));
    assert_eq!(server.says(&signature), "identity-mismatch", "certified for Alice, registered to Bob");
}

#[test]
fn e28_of_two_compromises_the_harsher_is_what_a_receipt_may_answer() {
    let mut desk = Desk::new("ed25519");
    let signature = desk.signed(&["-n", "E1001"]);
    let (early, late) = ("2025-12-01T00:00:00Z".parse().unwrap(), "2026-01-10T00:00:00Z".parse().unwrap());
    let mark = |since| Some(Compromised { since, from: "2026-01-11T00:00:00Z".parse().unwrap() });
    let answers = |of_key: Option<Compromised>, of_authority: Option<Compromised>| {
        let mut holder = alice([register(&desk.forge.line()).unwrap()]);
        holder.keys[0].compromised = of_key;
        let mut ca = authority(desk.authority());
        ca.compromised = of_authority;
        let server = Server::new(MemoryKeyring::default().with(holder).with_ssh_authority(ca));
        let signed = server.verify(PAYLOAD, &signature).unwrap();
        let objection = |problem: &Problem| key_objection(&signed, problem.clone()).answers;
        signed.problems().iter().map(objection).collect::<Vec<_>>()
    };
    assert_eq!(answers(mark(Some(late)), mark(None)), [Answers::Never, Answers::Never]);
    assert_eq!(answers(mark(None), mark(Some(late))), [Answers::Never, Answers::Never]);
    assert_eq!(answers(mark(Some(late)), mark(Some(early))), [Answers::KeyValidityBefore(early); 2]);
    assert_eq!(answers(mark(Some(late)), None), [Answers::KeyValidityBefore(late)]);
}

#[test]
fn a_certificate_is_no_key_to_register() {
    let mut desk = Desk::new("ed25519");
    desk.signed(&["-n", "E1001"]);
    let line = std::fs::read_to_string(desk.home.path().join("id-cert.pub")).unwrap();
    assert!(register(&line).unwrap_err().to_string().contains("certificate"));
}

#[test]
fn e22_an_address_names_whoever_holds_it_now() {
    let mut desk = Desk::new("ed25519");
    let signature = desk.signed(&["-n", "alice@example.com"]);
    let server =
        |alice| Server::new(MemoryKeyring::default().with(alice).with_ssh_authority(authority(desk.authority())));
    let mut moved = alice([]);
    moved.emails[0].span.until = Some("2026-01-31T00:00:00Z".parse().unwrap());
    assert_eq!(server(moved).says(&signature), "unknown-key", "hers once");
    let mut by_id = alice([]);
    by_id.id = crate::id::PersonId::new("alice@example.com").unwrap();
    by_id.emails.clear();
    assert_eq!(server(by_id).says(&signature), "ok", "an id may look like an address");
}
