//! Possession is shown by one key, for one purpose, over one text.

use super::ssh::Forge;
use super::*;
use crate::keyring::{Compromised, RetireReason, Retired};
use crate::signature::possession::{NotProven, Statement, of_held_key, of_new_key};
use crate::signature::ssh::register;

const NAMESPACE: &str = "keyring-enrol@git.example";
const STATEMENT: Statement<'static> = Statement { bytes: b"a challenge\n", namespace: NAMESPACE };

fn now() -> Time {
    "2026-02-01T00:00:00Z".parse().unwrap()
}

/// A key whose signatures are for enrolment.
fn forge() -> Forge {
    let mut forge = Forge::new();
    forge.namespace = NAMESPACE.as_bytes();
    forge
}

fn asked(forge: &Forge, signature: &[u8]) -> Result<(), NotProven> {
    let key = register(&forge.line()).unwrap();
    let fingerprint = key.fingerprint.clone();
    let shown = of_new_key(&alice([]), &key, &STATEMENT, signature, now())?;
    assert_eq!(shown.key(), &fingerprint);
    Ok(())
}

#[test]
fn a_new_key_is_shown_by_its_own_signature_over_the_statement() {
    let forge = forge();
    assert_eq!(asked(&forge, &forge.sign(STATEMENT.bytes)), Ok(()));
    let said = |signature: &[u8]| asked(&forge, signature).unwrap_err().to_string();
    assert!(said(&forge.sign(b"another challenge\n")).contains("does not fit its bytes"));
    assert!(said(&self::forge().sign(STATEMENT.bytes)).starts_with("is by another key, not by SHA256:"));
    assert!(said(b"").contains("does not begin with a line"));
    assert_eq!(said(&vec![b'-'; 200 * 1024]), "is longer than 131072 bytes");
}

#[test]
fn a_signature_for_commits_shows_nothing_and_one_for_enrolment_signs_no_commit() {
    let mut forge = Forge::new();
    let for_git = forge.sign(STATEMENT.bytes);
    let said = asked(&forge, &for_git).unwrap_err().to_string();
    assert_eq!(said, format!("has an SSH signature made for `git`, not for `{NAMESPACE}`"));
    let server = Server::with_alice([register(&forge.line()).unwrap()]);
    assert_eq!(server.says(forge.sign(PAYLOAD)), "ok");
    forge.namespace = NAMESPACE.as_bytes();
    assert_eq!(server.says(forge.sign(PAYLOAD)), "wrong-namespace");
}

#[test]
fn a_security_key_must_have_been_touched() {
    for (flags, shown) in [(1, true), (0, false)] {
        let mut forge = Forge::security_key(flags);
        forge.namespace = NAMESPACE.as_bytes();
        assert_eq!(asked(&forge, &forge.sign(STATEMENT.bytes)).is_ok(), shown);
    }
}

#[test]
fn a_held_key_vouches_only_while_it_may_bring_something_in() {
    let forge = forge();
    let signature = forge.sign(STATEMENT.bytes);
    let vouched = |change: &dyn Fn(&mut crate::keyring::Key)| {
        let mut alice = alice([register(&forge.line()).unwrap()]);
        change(&mut alice.keys[0]);
        let key = alice.keys[0].fingerprint.clone();
        of_held_key(&alice, &key, &STATEMENT, &signature, now()).map_err(|why| why.to_string())
    };
    assert!(vouched(&|_| {}).is_ok());
    let retired = vouched(&|key| key.retired = Some(Retired { at: now(), reason: RetireReason::Retired }));
    assert!(retired.unwrap_err().contains("was revoked on 2026-02-01"));
    let stolen = vouched(&|key| key.compromised = Some(Compromised { since: None, from: now() }));
    assert!(stolen.unwrap_err().contains("is marked as compromised"));
    let alice = alice([]);
    let key = register(&forge.line()).unwrap().fingerprint;
    assert_eq!(of_held_key(&alice, &key, &STATEMENT, &signature, now()), Err(NotProven::OtherKey(key)));
}
