//! Certificates at the registry's door, and what their ends and revocations do to signatures.

use super::openpgp::{Forge, Gpg, compiled, day, now};
use super::*;
use crate::signature::openpgp::register;
use sequoia_openpgp as pgp;
use sequoia_openpgp::cert::prelude::*;
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::key::{PublicParts, SubordinateRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, ReasonForRevocation, SignatureType};
use std::time::Duration;

#[test]
fn h04_m13_expiry_is_the_servers_and_can_be_extended() {
    let gpg = Gpg::new();
    let first = register(&gpg.key("ed25519", "20d"), None, now()).unwrap();
    assert!(first.notes.iter().any(|note| note.contains("expired")));
    let signature = gpg.sign("2026-01-15");
    let server = Server::with_alice([first.clone()]);
    assert_eq!(server.says(&signature), "key-expired", "dated before the expiry, seen after it");
    assert_eq!(Server::with_alice([first.clone()]).at("2026-01-16T00:00:00Z").says(&signature), "ok");
    gpg.at("2026-01-19", &["--quick-set-expire", &gpg.fingerprint(), "1y"], b"");
    let extended = register(&gpg.export(), Some(&first.source), now()).unwrap();
    assert_eq!(Server::with_alice([extended.clone()]).says(&signature), "ok");
    let old = register(&first.source, Some(&extended.source), now()).unwrap();
    assert_eq!(old, extended, "an older copy takes nothing away");
}

#[test]
fn a_self_signature_from_the_future_does_not_count_yet() {
    let gpg = Gpg::new();
    let first = register(&gpg.key("ed25519", "20d"), None, now()).unwrap();
    gpg.at("2026-06-01", &["--quick-set-expire", &gpg.fingerprint(), "1y"], b"");
    let expires = |now: &str| {
        let merged = register(&gpg.export(), Some(&first.source), now.parse().unwrap()).unwrap();
        compiled(&merged).signers[0].expires.unwrap().date()
    };
    assert_eq!(expires("2026-02-01T00:00:00Z"), "2026-01-21");
    assert_eq!(expires("2026-06-02T00:00:00Z"), "2027-06-01");
}

impl Forge {
    fn revoke_subkey(&mut self, reason: ReasonForRevocation, date: &str, hash: HashAlgorithm) {
        let mut primary = self.primary();
        let revocation = SubkeyRevocationBuilder::new()
            .set_reason_for_revocation(reason, b"")
            .unwrap()
            .set_signature_creation_time(day(date))
            .unwrap()
            .build(&mut primary, &self.cert, self.cert.keys().subkeys().next().unwrap().key(), Some(hash))
            .unwrap();
        self.cert = self.cert.clone().insert_packets(revocation).unwrap().0;
    }

    /// The owner's word that the subkey signs, with the subkey's consent.
    fn binding(
        &self,
        (pair, subkey): (&mut KeyPair, &pgp::packet::Key<PublicParts, SubordinateRole>),
        date: &str,
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> pgp::packet::Signature {
        let of = |kind| SignatureBuilder::new(kind).set_signature_creation_time(day(date)).unwrap();
        let consent = of(SignatureType::PrimaryKeyBinding);
        let consent = consent.sign_primary_key_binding(pair, self.cert.primary_key().key(), subkey).unwrap();
        let binding = of(SignatureType::SubkeyBinding).set_key_flags(KeyFlags::empty().set_signing()).unwrap();
        let binding = change(binding.set_embedded_signature(consent).unwrap());
        binding.sign_subkey_binding(&mut self.primary(), None, subkey).unwrap()
    }
}

#[test]
fn h05_h07_a_soft_revocation_counts_from_its_date_until_the_key_is_bound_again() {
    let mut forge = Forge::new();
    let before = forge.register();
    let bytes = forge.signature(|builder| builder);
    let signature = armored("PGP SIGNATURE", &bytes, 64);
    forge.revoke_subkey(ReasonForRevocation::KeyRetired, "2026-01-20", HashAlgorithm::SHA512);
    assert_eq!(forge.server().says(&signature), "key-revoked", "backdated, seen after");
    assert_eq!(forge.server().at("2026-01-19T00:00:00Z").says(&signature), "ok");
    let merged = register(&before.source, Some(&forge.register().source), now()).unwrap();
    assert_eq!(Server::with_alice([merged]).says(&signature), "key-revoked", "d10: no copy undoes a revocation");

    let subkey = forge.cert.keys().subkeys().next().unwrap().key().clone();
    let binding = forge.binding((&mut forge.signer.clone(), &subkey), "2026-01-25", |builder| builder);
    forge.cert = forge.cert.clone().insert_packets(binding).unwrap().0;
    assert_eq!(forge.server().says(&signature), "ok", "m13: bound again");
}

#[test]
fn h04_a_binding_that_expires_takes_its_key_along() {
    let mut forge = Forge::new();
    let subkey = forge.cert.keys().subkeys().next().unwrap().key().clone();
    let binding = forge.binding((&mut forge.signer.clone(), &subkey), "2026-01-25", |builder| {
        builder.set_signature_validity_period(Duration::from_secs(20 * 86_400)).unwrap()
    });
    forge.cert = forge.cert.clone().insert_packets(binding).unwrap().0;
    let registration = forge.register();
    assert_eq!(compiled(&registration).signers[1].expires.map(Time::date).as_deref(), Some("2026-02-14"));
}

#[test]
fn h06_h09_a_hard_revocation_counts_always_over_whatever_hash() {
    for (reason, hash) in [
        (ReasonForRevocation::KeyCompromised, HashAlgorithm::SHA512),
        (ReasonForRevocation::Unspecified, HashAlgorithm::SHA512),
        (ReasonForRevocation::KeyCompromised, HashAlgorithm::SHA1),
    ] {
        let mut forge = Forge::new();
        let bytes = forge.signature(|builder| builder);
        forge.revoke_subkey(reason, "2026-01-31", hash);
        let server = forge.server().at("2026-01-16T00:00:00Z");
        let problem = server.verify(PAYLOAD, armored("PGP SIGNATURE", &bytes, 64)).unwrap_err();
        assert_eq!((problem.rule.id, problem.person.unwrap().as_str()), ("key-revoked", "E1001"), "no proof at all");
    }
}

#[test]
fn a_revoked_primary_key_takes_its_subkeys_along() {
    let mut forge = Forge::new();
    let bytes = forge.signature(|builder| builder);
    let revocation = CertRevocationBuilder::new()
        .set_reason_for_revocation(ReasonForRevocation::KeySuperseded, b"")
        .unwrap()
        .set_signature_creation_time(day("2026-01-20"))
        .unwrap()
        .build(&mut forge.primary(), &forge.cert, None)
        .unwrap();
    forge.cert = forge.cert.clone().insert_packets(revocation).unwrap().0;
    assert_eq!(forge.server().says(armored("PGP SIGNATURE", &bytes, 64)), "key-revoked");
}

#[test]
fn a_revocation_dated_ahead_counts_as_soon_as_it_is_published() {
    let mut forge = Forge::new();
    let bytes = forge.signature(|builder| builder);
    forge.revoke_subkey(ReasonForRevocation::KeyRetired, "2030-01-01", HashAlgorithm::SHA512);
    assert_eq!(forge.server().says(armored("PGP SIGNATURE", &bytes, 64)), "key-revoked");
}

#[test]
fn d01_a_user_id_that_the_owner_did_not_sign_is_dropped() {
    let forge = Forge::new();
    let mut packets: Vec<pgp::Packet> = forge.cert.clone().into_packets().collect();
    packets.push(pgp::packet::UserID::from("Alice <ceo@example.com>").into());
    let cert = Cert::from_packets(packets.into_iter()).unwrap();
    let registration = register(&cert.to_vec().unwrap(), None, now()).unwrap();
    assert_eq!(compiled(&registration).emails.len(), 1);
    assert!(registration.notes.iter().any(|note| note.contains("ceo@example.com")));
    assert!(!registration.source.windows(15).any(|window| window == b"ceo@example.com"));
}

#[test]
fn d03_a_subkey_without_its_back_signature_is_kept_as_unusable() {
    let mut forge = Forge::new();
    let other = Forge::new();
    // Somebody else's signing key bound under this certificate, without its consent.
    let stolen = other.cert.keys().subkeys().next().unwrap().key().clone().take_secret().0;
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(day("2026-01-02"))
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap()
        .sign_subkey_binding(&mut forge.primary(), None, &stolen)
        .unwrap();
    forge.cert = forge.cert.clone().insert_packets([pgp::Packet::from(stolen), binding.into()]).unwrap().0;
    let registration = forge.register();
    let usable: Vec<_> = compiled(&registration).signers.iter().map(|signer| signer.for_signing).collect();
    assert_eq!(usable.iter().filter(|usable| **usable).count(), 1);
    let bytes = forge.signature(|builder| builder);
    assert_eq!(
        Server::with_alice([registration]).says(armored("PGP SIGNATURE", &bytes, 64)),
        "ok",
        "the good key still works"
    );
}

#[test]
fn d08_third_party_signatures_are_stripped_and_floods_refused() {
    let (mut forge, other) = (Forge::new(), Forge::new());
    let plain = forge.register();
    let user_id = forge.cert.userids().next().unwrap().userid().clone();
    let certification = SignatureBuilder::new(SignatureType::GenericCertification)
        .set_signature_creation_time(day("2026-01-10"))
        .unwrap()
        .sign_userid_binding(&mut other.primary(), forge.cert.primary_key().key(), &user_id)
        .unwrap();
    forge.cert = forge.cert.clone().insert_packets(certification).unwrap().0;
    assert_eq!(forge.register().source, plain.source);
    let why = |bytes: usize| register(&vec![0x99; bytes], None, now()).unwrap_err().to_string();
    assert!(why(1024 * 1024 + 1).contains("larger than 1 MiB") && !why(1024 * 1024).contains("larger than 1 MiB"));
}

#[test]
fn d12_a_secret_key_is_stripped_with_a_note() {
    let forge = Forge::new();
    let secret = forge.cert.as_tsk().to_vec().unwrap();
    let registration = register(&secret, None, now()).unwrap();
    assert!(registration.notes.iter().any(|note| note.contains("secret key material")));
    assert_eq!(registration.source, forge.register().source);
    let public = forge.cert.to_vec().unwrap();
    let kept = super::super::openpgp::without_secrets(&secret).unwrap();
    assert!(register(&kept, None, now()).unwrap().notes.is_empty(), "what is kept holds no secret");
    assert_eq!(register(&kept, None, now()).unwrap().fingerprint, registration.fingerprint);
    assert_eq!(super::super::openpgp::without_secrets(&public), None);
    assert_eq!(super::super::openpgp::without_secrets(b"hello"), None);
}

#[test]
fn d14_a_curve_that_is_not_supported_is_named() {
    for (algorithm, curve) in [("brainpoolP256r1", "brainpoolP256r1"), ("secp256k1", "secp256k1")] {
        let gpg = Gpg::new();
        let reason = register(&gpg.key(algorithm, "0"), None, now()).unwrap_err().to_string();
        assert!(reason.contains(&format!("curve {curve} is not supported: Ed25519, P-256")), "{reason}");
    }
}

#[test]
fn d14_weak_certificates_are_refused_at_the_door() {
    let refusal = |algorithm: &str, more: &[&str]| {
        let gpg = Gpg::new();
        let arguments = [more, &["--quick-gen-key", "Alice <alice@example.com>", algorithm, "cert,sign", "0"]].concat();
        gpg.at("2026-01-01", &arguments, b"");
        register(&gpg.export(), None, now()).unwrap_err().to_string()
    };
    assert_eq!(refusal("rsa1024", &[]), "RSA key of 1024 bits is too short: at least 2048");
    assert_eq!(refusal("dsa2048", &[]), "DSA keys are no longer safe");
    let sha1 = refusal("rsa2048", &["--cert-digest-algo", "SHA1"]);
    assert!(sha1.contains("SHA1"), "d04: {sha1}");
}

#[test]
fn d14_a_weak_subkey_is_called_weak() {
    let mut forge = Forge::new();
    let weak: pgp::packet::Key<_, pgp::packet::key::SubordinateRole> = pgp::packet::key::Key4::generate_rsa(1024)
        .map(|mut key: pgp::packet::key::Key4<_, _>| {
            key.set_creation_time(day("2026-01-01")).unwrap();
            key.into()
        })
        .unwrap();
    let mut pair = weak.clone().into_keypair().unwrap();
    let binding = forge.binding((&mut pair, weak.parts_as_public()), "2026-01-02", |builder| builder);
    forge.cert = forge.cert.clone().insert_packets([pgp::Packet::from(weak), binding.into()]).unwrap().0;
    forge.signer = pair;
    assert_eq!(forge.says(|builder| builder), "weak-algorithm");
}

#[test]
fn exactly_one_certificate_is_registered() {
    let (one, two) = (Forge::new(), Forge::new());
    let both = [one.cert.to_vec().unwrap(), two.cert.to_vec().unwrap()].concat();
    assert!(register(&both, None, now()).is_err());
    let armor = one.cert.armored().to_vec().unwrap();
    assert!(register(&armor, None, now()).is_ok());
    assert!(register(&[armor.clone(), armor].concat(), None, now()).is_err());
    assert!(register(b"", None, now()).is_err() && register(b"hello", None, now()).is_err());
    let merged = register(&one.cert.to_vec().unwrap(), Some(&two.register().source), now());
    assert!(merged.unwrap_err().to_string().contains("merged"));
    let encrypting = CertBuilder::new().add_userid("x@example.com").add_transport_encryption_subkey();
    let (cert, _) = encrypting.set_creation_time(day("2026-01-01")).generate().unwrap();
    assert!(cert.with_policy(&StandardPolicy::new(), None).is_ok());
    assert!(register(&cert.to_vec().unwrap(), None, now()).unwrap_err().to_string().contains("no key that may sign"));
}
