use super::*;
use crate::keyring::{Material, OpenPgpCertificate};
use crate::signature::openpgp::register;
use crate::signature::primitive::VerifyKey;
use sequoia_openpgp as pgp;
use sequoia_openpgp::cert::prelude::*;
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::signature::subpacket::NotationDataFlags;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use std::time::{Duration, SystemTime};

pub(super) fn now() -> Time {
    "2026-02-01T00:00:00Z".parse().unwrap()
}

pub(super) fn day(text: &str) -> SystemTime {
    let time: Time = format!("{text}T00:00:00Z").parse().unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(time.unix_seconds()).unwrap())
}

pub(super) fn compiled(registration: &Registration) -> &OpenPgpCertificate {
    match &registration.material {
        Material::OpenPgp(certificate) => certificate,
        other => panic!("{other:?}"),
    }
}

/// A GnuPG home at a made-up date.
pub(super) struct Gpg(tempfile::TempDir);

impl Gpg {
    pub(super) fn new() -> Self {
        Gpg(tempfile::tempdir().unwrap())
    }

    pub(super) fn at(&self, date: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let date = format!("{}T000000!", date.replace('-', ""));
        let common =
            ["--batch", "-q", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time"];
        run("gpg", self.0.path(), &[&common, &[date.as_str()][..], arguments].concat(), input)
    }

    pub(super) fn key(&self, algorithm: &str, expires: &str) -> Vec<u8> {
        self.at("2026-01-01", &["--quick-gen-key", "Alice <alice@example.com>", algorithm, "cert,sign", expires], b"");
        self.export()
    }

    pub(super) fn export(&self) -> Vec<u8> {
        self.at("2026-01-01", &["--armor", "--export", "alice@example.com"], b"")
    }

    pub(super) fn fingerprint(&self) -> String {
        let listing = self.at("2026-01-01", &["--with-colons", "-k"], b"");
        let text = String::from_utf8(listing).unwrap();
        text.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').to_owned()
    }

    pub(super) fn sign(&self, date: &str) -> Vec<u8> {
        self.at(date, &["-bsau", "alice@example.com"], PAYLOAD)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        run("gpgconf", self.0.path(), &["--kill", "gpg-agent"], b"");
    }
}

/// A certificate in software: certifying primary key, signing subkey.
pub(super) struct Forge {
    pub(super) cert: Cert,
    pub(super) signer: KeyPair,
}

impl Forge {
    pub(super) fn new() -> Self {
        Forge::with(|builder| builder)
    }

    pub(super) fn with(change: impl FnOnce(CertBuilder<'static>) -> CertBuilder<'static>) -> Self {
        let builder = CertBuilder::new().add_userid("Alice <alice@example.com>").add_signing_subkey();
        let (cert, _) = change(builder.set_creation_time(day("2026-01-01"))).generate().unwrap();
        let signer =
            cert.keys().subkeys().next().unwrap().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        Forge { cert, signer }
    }

    pub(super) fn primary(&self) -> KeyPair {
        self.cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap()
    }

    pub(super) fn register(&self) -> Registration {
        register(&self.cert.to_vec().unwrap(), None, now()).unwrap()
    }

    pub(super) fn server(&self) -> Server {
        Server::with_alice([self.register()])
    }

    pub(super) fn signature(&mut self, change: impl FnOnce(SignatureBuilder) -> SignatureBuilder) -> Vec<u8> {
        let builder = SignatureBuilder::new(SignatureType::Binary)
            .set_hash_algo(HashAlgorithm::SHA512)
            .set_signature_creation_time(day("2026-01-15"))
            .unwrap();
        let signature = change(builder).sign_message(&mut self.signer, PAYLOAD).unwrap();
        pgp::Packet::from(signature).to_vec().unwrap()
    }

    pub(super) fn says(&mut self, change: impl FnOnce(SignatureBuilder) -> SignatureBuilder) -> &'static str {
        let bytes = self.signature(change);
        self.server().says(armored("PGP SIGNATURE", &bytes, 64))
    }
}

#[test]
fn m01_real_keys_of_every_algorithm_sign() {
    // GnuPG makes no ECDSA signature over a digest shorter than the curve.
    for (algorithm, shown, digests) in [
        ("ed25519", "Ed25519", &["SHA256", "SHA384", "SHA512"][..]),
        ("rsa2048", "RSA 2048", &["SHA256", "SHA384", "SHA512"]),
        ("nistp256", "P-256", &["SHA256", "SHA384", "SHA512"]),
        ("nistp384", "P-384", &["SHA384", "SHA512"]),
        ("nistp521", "P-521", &["SHA512"]),
    ] {
        let gpg = Gpg::new();
        let registration = register(&gpg.key(algorithm, "0"), None, now()).unwrap();
        assert_eq!(registration.fingerprint.as_str(), gpg.fingerprint());
        let certificate = compiled(&registration);
        assert_eq!(certificate.emails[0].as_str(), "alice@example.com");
        assert_eq!((certificate.signers[0].algorithm.as_str(), certificate.signers[0].for_signing), (shown, true));
        assert_eq!(register(&registration.source, None, now()).unwrap(), registration);
        let server = Server::with_alice([registration]);
        for digest in digests {
            let arguments = ["--digest-algo", digest, "-bsau", "alice@example.com"];
            let signature = gpg.at("2026-01-15", &arguments, PAYLOAD);
            let signed = server.verify(PAYLOAD, &signature).unwrap();
            assert_eq!((signed.person().id.as_str(), signed.problems().len()), ("E1001", 0), "{algorithm} {digest}");
            assert_eq!(signed.signed_at().unwrap().date(), "2026-01-15");
            assert!(signed.made_by().starts_with("OpenPGP key "));
            assert_eq!(server.verify(b"other", &signature).unwrap_err().rule.id, "bad-signature");
        }
    }
}

#[test]
fn m01_both_forms_of_ed25519_and_both_versions_of_keys_sign() {
    for profile in [pgp::Profile::RFC4880, pgp::Profile::RFC9580] {
        let mut forge = Forge::with(|builder| builder.set_profile(profile).unwrap());
        let registration = forge.register();
        let mut keys = compiled(&registration).signers.iter().map(|signer| &signer.verify);
        assert!(keys.all(|key| matches!(key, VerifyKey::Ed25519 { torsion_free: true, .. })), "{registration:?}");
        let signed = forge.signature(|builder| builder);
        let signed = forge.server().verify(PAYLOAD, armored("PGP SIGNATURE", &signed, 64)).unwrap();
        assert!(signed.problems().is_empty());
        assert_eq!(signed.key().as_str(), forge.cert.fingerprint().to_hex(), "the certificate, not the subkey");
    }
}

#[test]
fn a_security_oracle_agrees() {
    let mut forge = Forge::new();
    let bytes = forge.signature(|builder| builder);
    let signature = <pgp::packet::Signature as pgp::parse::Parse<pgp::packet::Signature>>::from_bytes(&bytes[2..]);
    let key = forge.cert.keys().subkeys().next().unwrap().key().clone();
    assert!(signature.unwrap().verify_message(&key, PAYLOAD).is_ok());
    assert_eq!(forge.server().says(armored("PGP SIGNATURE", &bytes, 64)), "ok");
}

#[test]
fn c01_a_key_that_nobody_registered_is_unknown() {
    let mut forge = Forge::new();
    let bytes = forge.signature(|builder| builder);
    let server = Server::new(MemoryKeyring::default());
    let problem = server.verify(PAYLOAD, armored("PGP SIGNATURE", &bytes, 64)).unwrap_err();
    let id = forge.signer.public().keyid().to_hex();
    assert_eq!(problem.reason, format!("is signed with OpenPGP key {id}, which is not registered"));
}

#[test]
fn c03_c04_only_document_signatures_sign_documents() {
    for kind in [SignatureType::Text, SignatureType::Standalone, SignatureType::Timestamp, SignatureType::SubkeyBinding]
    {
        let mut forge = Forge::new();
        let bytes = forge.signature(|builder| builder);
        // The type is the second byte of the body; the parser must refuse before the numbers do.
        let mut changed = bytes.clone();
        let body = if bytes[1] < 192 { 2 } else { 3 };
        changed[body + 1] = u8::from(kind);
        assert_eq!(forge.server().says(armored("PGP SIGNATURE", &changed, 64)), "malformed-signature", "{kind}");
    }
}

#[test]
fn c05_c08_one_block_holds_one_packet() {
    let mut forge = Forge::new();
    let good = forge.signature(|builder| builder);
    let server = forge.server();
    let says = |bytes: &[u8]| server.says(armored("PGP SIGNATURE", bytes, 64));
    assert_eq!(says(&good), "ok");
    assert_eq!(says(&[good.clone(), good.clone()].concat()), "multiple-signatures");
    let marker = [0xca, 3, b'P', b'G', b'P'];
    assert_eq!(says(&[&marker, good.as_slice()].concat()), "malformed-signature");
    assert_eq!(says(&[good.as_slice(), &marker].concat()), "malformed-signature");
    assert_eq!(says(&good[..good.len() - 1]), "malformed-signature");
}

#[test]
fn c29_odd_lengths_are_refused_and_nothing_panics() {
    let mut forge = Forge::new();
    let good = forge.signature(|builder| builder);
    let server = forge.server();
    let says = |bytes: &[u8]| server.says(armored("PGP SIGNATURE", bytes, 64));
    let body = &good[if good[1] < 192 { 2 } else { 3 }..];
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    assert_eq!(says(&[&[0x89, length[0], length[1]], body].concat()), "ok", "the old form, as gpg writes it");
    assert_eq!(says(&[&[0xc2, 255, 0, 0, length[0], length[1]], body].concat()), "ok");
    assert_eq!(says(&[&[0x8b], body].concat()), "malformed-signature", "indeterminate");
    assert_eq!(says(&[&[0xc2, 0xe8], body].concat()), "malformed-signature", "partial");
    assert_eq!(says(&[0xc2, 255, 0xff, 0xff, 0xff, 0xff]), "malformed-signature");
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x15;
        let unhashed = says(&changed);
        assert!(unhashed != "ok" || changed != good, "{at}");
        let _ = says(&good[..at]);
    }
}

#[test]
fn c14_weak_hashes_are_refused() {
    let gpg = Gpg::new();
    let server = Server::with_alice([register(&gpg.key("rsa2048", "0"), None, now()).unwrap()]);
    for digest in ["SHA1", "RIPEMD160", "SHA224"] {
        let signature = gpg.at("2026-01-15", &["--digest-algo", digest, "-bsau", "alice@example.com"], PAYLOAD);
        assert_eq!(server.says(signature), "weak-algorithm", "{digest}");
    }
}

#[test]
fn c15_other_versions_are_refused() {
    let mut forge = Forge::new();
    let good = forge.signature(|builder| builder);
    let body = if good[1] < 192 { 2 } else { 3 };
    for version in [2, 3, 5, 6] {
        let mut changed = good.clone();
        changed[body] = version;
        assert_eq!(forge.server().says(armored("PGP SIGNATURE", &changed, 64)), "malformed-signature", "v{version}");
    }
}

#[test]
fn c16_the_salt_has_the_length_that_belongs_to_its_hash() {
    let mut forge = Forge::with(|builder| builder.set_profile(pgp::Profile::RFC9580).unwrap());
    for (length, answer) in
        [(32, "ok"), (0, "malformed-signature"), (16, "malformed-signature"), (33, "malformed-signature")]
    {
        let salted = forge.signature(|builder| builder.set_prefix_salt(vec![7; length]).0);
        assert_eq!(forge.server().says(armored("PGP SIGNATURE", &salted, 64)), answer, "{length} bytes");
    }
}

#[test]
fn dates_and_names_are_said_once() {
    use pgp::packet::signature::subpacket::{Subpacket, SubpacketValue};
    let mut forge = Forge::new();
    let twice = |value: SubpacketValue| {
        move |builder: SignatureBuilder| {
            builder
                .modify_hashed_area(|mut area| {
                    for _ in 0..2 {
                        area.add(Subpacket::new(value.clone(), false)?)?;
                    }
                    Ok(area)
                })
                .unwrap()
        }
    };
    let name = SubpacketValue::SignersUserID(b"alice@example.com".to_vec());
    assert_eq!(forge.says(twice(name)), "malformed-signature");
    let end = SubpacketValue::SignatureExpirationTime(pgp::types::Duration::from(400_000_000));
    assert_eq!(forge.says(twice(end)), "malformed-signature");
    let date = SubpacketValue::SignatureCreationTime(day("2026-01-10").try_into().unwrap());
    assert_eq!(forge.says(twice(date)), "malformed-signature");
}

#[test]
fn c18_critical_parts_must_be_known() {
    let mut forge = Forge::new();
    let notation = |critical| {
        move |builder: SignatureBuilder| {
            builder
                .add_notation("x@example.com", b"1", NotationDataFlags::empty().set_human_readable(), critical)
                .unwrap()
        }
    };
    assert_eq!(forge.says(notation(false)), "ok");
    assert_eq!(forge.says(notation(true)), "malformed-signature");
}

#[test]
fn c19_a_critical_part_beside_the_signature_is_refused_too_and_others_say_nothing() {
    use pgp::packet::signature::subpacket::{NotationData, Subpacket, SubpacketValue};
    let mut forge = Forge::new();
    let bytes = forge.signature(|builder| builder);
    let good = <pgp::packet::Signature as pgp::parse::Parse<pgp::packet::Signature>>::from_bytes(&bytes[2..]).unwrap();
    let beside = |value: SubpacketValue, critical: bool| {
        let mut changed = good.clone();
        changed.unhashed_area_mut().add(Subpacket::new(value, critical).unwrap()).unwrap();
        forge.server().says(armored("PGP SIGNATURE", &pgp::Packet::from(changed).to_vec().unwrap(), 64))
    };
    let note = || SubpacketValue::NotationData(NotationData::new("x@example.com", b"1", None));
    assert_eq!(beside(note(), true), "malformed-signature");
    assert_eq!(beside(note(), false), "ok");
    let expired = SubpacketValue::SignatureExpirationTime(Duration::from_secs(1).try_into().unwrap());
    assert_eq!(beside(expired, false), "ok", "nobody signed it");
}

#[test]
fn l09_a_crowd_of_notations_is_refused() {
    let mut forge = Forge::new();
    let crowd = |builder: SignatureBuilder| {
        (0..600).fold(builder, |builder, number| {
            builder.add_notation(format!("n{number}@example.com"), b"1", NotationDataFlags::empty(), false).unwrap()
        })
    };
    assert_eq!(forge.says(crowd), "limit-exceeded");
}

#[test]
fn c21_c23_issuer_and_date_are_there() {
    use pgp::packet::signature::subpacket::SubpacketTag::{Issuer, IssuerFingerprint};
    let mut forge = Forge::new();
    let bytes = forge.signature(|builder| builder);
    let mut signature =
        <pgp::packet::Signature as pgp::parse::Parse<pgp::packet::Signature>>::from_bytes(&bytes[2..]).unwrap();
    signature.unhashed_area_mut().remove_all(Issuer);
    signature.unhashed_area_mut().remove_all(IssuerFingerprint);
    signature.hashed_area_mut().remove_all(Issuer);
    signature.hashed_area_mut().remove_all(IssuerFingerprint);
    let bytes = pgp::Packet::from(signature.clone()).to_vec().unwrap();
    assert_eq!(forge.server().says(armored("PGP SIGNATURE", &bytes, 64)), "unknown-key");
    signature.hashed_area_mut().clear();
    let bytes = pgp::Packet::from(signature).to_vec().unwrap();
    assert_eq!(forge.server().says(armored("PGP SIGNATURE", &bytes, 64)), "malformed-signature");
}

#[test]
fn c22_a_shared_key_id_is_attributed_to_the_key_that_verifies() {
    let mut forge = Forge::new();
    let id = forge.signer.public().keyid();
    let bytes = forge.signature(|builder| builder.set_issuer(id.clone()).unwrap());
    let registration = forge.register();
    let mut twin = Forge::new().register();
    let Material::OpenPgp(certificate) = &mut twin.material else { panic!() };
    certificate.signers[1].key_id = id.to_hex();
    // One certificate may hold two of them as well.
    let mut crowded = registration.clone();
    let Material::OpenPgp(certificate) = &mut crowded.material else { panic!() };
    certificate.signers[0].key_id = id.to_hex();
    for own in [registration, crowded] {
        // E1001 holds the twin and is asked first.
        let keyring = MemoryKeyring::default().with(alice([twin.clone()])).with(bob([own]));
        let signed = Server::new(keyring).verify(PAYLOAD, armored("PGP SIGNATURE", &bytes, 64)).unwrap();
        assert_eq!(signed.person().id.as_str(), "E1002");
    }
}

/// A collision can be made; a crowd of them is a keyring that nobody should believe.
#[test]
fn c22_as_many_share_a_key_id_as_are_tried() {
    let mut forge = Forge::new();
    let id = forge.signer.public().keyid();
    let bytes = forge.signature(|builder| builder.set_issuer(id).unwrap());
    let crowd = |others: usize| {
        let mut keyring = MemoryKeyring::default().with(alice([forge.register()]));
        for number in 0..others {
            let mut twin = Forge::new().register();
            let Material::OpenPgp(certificate) = &mut twin.material else { panic!() };
            for signer in &mut certificate.signers {
                signer.key_id = forge.signer.public().keyid().to_hex();
            }
            let mut other = person(&format!("E200{number}"), "other@example.com").unwrap();
            other.keys = vec![key(twin)];
            keyring = keyring.with(other);
        }
        Server::new(keyring).says(armored("PGP SIGNATURE", &bytes, 64))
    };
    assert_eq!((crowd(3), crowd(4)), ("ok", "keyring-unreadable"));
}

#[test]
fn what_a_signature_rests_on_ends_with_the_first_of_its_ends() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let ends = |key: Option<u64>, signature: Option<u64>| {
        let mut forge = Forge::with(|builder| builder.set_validity_period(key.map(days)));
        let bytes = forge.signature(|builder| match signature {
            Some(count) => builder.set_signature_validity_period(days(count)).unwrap(),
            None => builder,
        });
        let signed = forge.server().verify(PAYLOAD, armored("PGP SIGNATURE", &bytes, 64)).unwrap();
        signed.valid_until().map(Time::date)
    };
    assert_eq!(ends(None, None), None);
    assert_eq!(ends(Some(90), None).as_deref(), Some("2026-04-01"));
    assert_eq!(ends(Some(90), Some(30)).as_deref(), Some("2026-02-14"));
    assert_eq!(ends(Some(90), Some(300)).as_deref(), Some("2026-04-01"));
}

#[test]
fn c24_an_expired_signature_is_found() {
    let mut forge = Forge::new();
    let days = |days: u64| Duration::from_secs(days * 86_400);
    assert_eq!(forge.says(|builder| builder.set_signature_validity_period(days(10)).unwrap()), "signature-expired");
    assert_eq!(forge.says(|builder| builder.set_signature_validity_period(days(100)).unwrap()), "ok");
}

#[test]
fn c25_a_signature_for_one_recipient_is_not_for_a_repository() {
    let mut forge = Forge::new();
    let recipient = forge.cert.fingerprint();
    assert_eq!(forge.says(|builder| builder.set_intended_recipients([recipient]).unwrap()), "usage-violation");
}

#[test]
fn c26_nobody_signs_in_anothers_name() {
    let mut forge = Forge::new();
    assert_eq!(forge.says(|builder| builder.set_signers_user_id(b"Alice <alice@example.com>").unwrap()), "ok");
    assert_eq!(forge.says(|builder| builder.set_signers_user_id(b"ALICE@example.com").unwrap()), "ok");
    assert_eq!(forge.says(|builder| builder.set_signers_user_id(b"bob@example.com").unwrap()), "identity-mismatch");
}

/// Git names the committer's address, which the certificate may not know, and the certificate may know one that the
/// registry does not.
#[test]
fn c26_an_address_of_certificate_or_registry_is_the_signers_unless_it_is_anothers() {
    let mut forge = Forge::new();
    let mut says = |named: &str, registered: &str, of_bob: &str| {
        let bytes = forge.signature(|builder| builder.set_signers_user_id(named.as_bytes()).unwrap());
        let mut alice = person("E1001", registered).unwrap();
        alice.keys = vec![key(forge.register())];
        let keyring = MemoryKeyring::default().with(alice).with(person("E1002", of_bob).unwrap());
        Server::new(keyring).says(armored("PGP SIGNATURE", &bytes, 64))
    };
    assert_eq!(says("work@example.com", "work@example.com", "bob@example.com"), "ok", "the registry's");
    assert_eq!(says("alice@example.com", "work@example.com", "bob@example.com"), "ok", "the certificate's");
    assert_eq!(says("alice@example.com", "work@example.com", "alice@example.com"), "identity-mismatch", "Bob's");
    assert_eq!(says("else@example.com", "work@example.com", "bob@example.com"), "identity-mismatch", "nobody's");
}

#[test]
fn c21_a_signature_hints_at_a_few_keys_only() {
    use pgp::packet::signature::subpacket::{Subpacket, SubpacketValue};
    let mut forge = Forge::new();
    let bytes = forge.signature(|builder| builder);
    let with = |more: u8| {
        let mut signature =
            <pgp::packet::Signature as pgp::parse::Parse<pgp::packet::Signature>>::from_bytes(&bytes[2..]).unwrap();
        for number in 0..more {
            let issuer = SubpacketValue::Issuer(pgp::KeyID::from_bytes(&[number; 8]));
            signature.unhashed_area_mut().add(Subpacket::new(issuer, false).unwrap()).unwrap();
        }
        forge.server().says(armored("PGP SIGNATURE", &pgp::Packet::from(signature).to_vec().unwrap(), 64))
    };
    // Fingerprint and key id of the signer are there.
    assert_eq!([0, 2, 3, 4].map(with), ["ok", "ok", "malformed-signature", "malformed-signature"]);
}

#[test]
fn c27_the_primary_key_that_may_only_certify_does_not_sign() {
    let mut forge = Forge::new();
    forge.signer = forge.primary();
    assert_eq!(forge.says(|builder| builder), "key-not-for-signing");
}

#[test]
fn h01_h02_dates_before_the_key_and_after_the_clock() {
    let mut forge = Forge::new();
    let bytes = |forge: &mut Forge, date: &str| {
        let date = day(date);
        armored("PGP SIGNATURE", &forge.signature(|builder| builder.set_signature_creation_time(date).unwrap()), 64)
    };
    let future = bytes(&mut forge, "2026-02-02");
    assert_eq!(forge.server().says(&future), "time-skew");
    assert_eq!(forge.server().at("2026-02-01T23:56:00Z").says(&future), "ok", "clocks differ by minutes");
    let early = bytes(&mut forge, "2026-01-15");
    let mut alice = alice([forge.register()]);
    let Material::OpenPgp(certificate) = &mut alice.keys[0].material else { panic!() };
    for signer in &mut certificate.signers {
        signer.created = "2026-01-20T00:00:00Z".parse().unwrap();
    }
    assert_eq!(Server::new(MemoryKeyring::default().with(alice)).says(&early), "key-not-yet-valid");
}
