//! OpenPGP certificates that have ended, are for something else, or hold what their owner never signed. The signature
//! itself is good.

use crate::cast::{Cast, Sign, Who};
use crate::object::{BOTH, Objects};
use crate::openpgp::{KEYS_MADE, Recipe, SIGNED, SoftKey, at, sub};
use countersign_tests::process::{must, must_with_input};
use sequoia_openpgp::cert::prelude::*;
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Key, key};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, ReasonForRevocation, SignatureType};
use sequoia_openpgp::{Cert, Packet, Profile};
use std::time::Duration;

const DAY: u32 = 86_400;
const BEFORE_SIGNING: u32 = SIGNED - 60 * DAY;
const AFTER_SIGNING: u32 = SIGNED + 60 * DAY;
const LATER_STILL: u32 = SIGNED + 120 * DAY;

/// A certificate as published, the key that signs, and the date that it writes.
struct Game {
    variant: &'static str,
    certificate: Vec<u8>,
    pair: KeyPair,
    date: u32,
}

pub fn generate(cast: &mut Cast, objects: &mut Objects) {
    let mut games = usages();
    games.extend(expiries());
    games.extend(revocations());
    games.extend(bindings(cast));
    for game in games {
        // What the door refuses stays unknown; gpg is told to trust it all the same.
        let _ = cast.add_openpgp(Who::Alice, &game.certificate);
        let recipe = Recipe::usual(&game.pair).without(2).with(sub(2, game.date.to_be_bytes()));
        let sign = |payload: &[u8]| recipe.sign(&game.pair, payload);
        objects.add_both(&format!("certificate/{}", game.variant), &sign);
    }
    by_gpg(cast, objects);
}

fn game(variant: &'static str, soft: &SoftKey) -> Game {
    Game { variant, certificate: soft.public(), pair: soft.pair.clone(), date: SIGNED }
}

fn changed(variant: &'static str, soft: SoftKey, change: impl FnOnce(Cert, &mut KeyPair) -> Cert) -> Game {
    let mut primary = soft.primary();
    let cert = change(soft.cert, &mut primary);
    let soft = SoftKey { cert, pair: soft.pair };
    game(variant, &soft)
}

fn plain() -> SoftKey {
    SoftKey::new(|builder| builder.add_signing_subkey())
}

fn usages() -> Vec<Game> {
    let suite = |suite| SoftKey::new(|builder| builder.set_cipher_suite(suite).add_signing_subkey());
    let primary_signs = KeyFlags::empty().set_certification().set_signing();
    let encrypts = KeyFlags::empty().set_storage_encryption().set_transport_encryption();
    // One subkey only, because those of one date have no order; the primary key keeps the certificate worth registering.
    let other = |flags, suite| {
        let signs = primary_signs.clone();
        SoftKey::new(|builder| builder.set_primary_key_flags(signs).add_subkey(flags, None, suite))
    };
    let primary = plain();
    vec![
        game("usual", &plain()),
        game("primary-key-signs", &SoftKey::new(|builder| builder.set_primary_key_flags(primary_signs.clone()))),
        game("p-256", &suite(CipherSuite::P256)),
        game("p-384", &suite(CipherSuite::P384)),
        game("p-521", &suite(CipherSuite::P521)),
        game("rsa-2048", &suite(CipherSuite::RSA2k)),
        game("rsa-4096", &suite(CipherSuite::RSA4k)),
        game("only-certifies", &SoftKey { pair: primary.primary(), cert: primary.cert }),
        game("only-authenticates", &other(KeyFlags::empty().set_authentication(), CipherSuite::Cv25519)),
        game("only-encrypts", &other(encrypts, CipherSuite::RSA2k)),
    ]
}

fn expiries() -> Vec<Game> {
    let until = |seconds: u32| Duration::from_secs((seconds - KEYS_MADE).into());
    let expiring = |end| SoftKey::new(|builder| builder.set_validity_period(until(end)).add_signing_subkey());
    let subkey = |end| {
        let flags = KeyFlags::empty().set_signing();
        SoftKey::new(|builder| builder.add_subkey(flags, until(end), None))
    };
    let extend = |cert: Cert, primary: &mut KeyPair| {
        let policy = StandardPolicy::new();
        let packets = cert.set_expiration_time(&policy, at(AFTER_SIGNING), primary, Some(at(4_000_000_000)));
        cert.insert_packets(packets.expect("new self-signatures")).expect("a certificate").0
    };
    let after = Game { date: AFTER_SIGNING + DAY, ..game("expired-before-the-signature", &expiring(AFTER_SIGNING)) };
    let before = Game { date: KEYS_MADE - DAY, ..game("made-after-the-signature", &plain()) };
    vec![
        game("expires-in-the-future", &expiring(4_000_000_000)),
        game("expired", &expiring(AFTER_SIGNING)),
        game("subkey-expired", &subkey(AFTER_SIGNING)),
        changed("expired-and-extended", expiring(LATER_STILL), extend),
        after,
        before,
    ]
}

fn revocations() -> Vec<Game> {
    use ReasonForRevocation::{KeyCompromised, KeyRetired, KeySuperseded, UIDRetired, Unspecified};
    let whole = |reason, seconds| {
        move |cert: Cert, primary: &mut KeyPair| {
            let builder = CertRevocationBuilder::new().set_reason_for_revocation(reason, b"").expect("a reason");
            let builder = builder.set_signature_creation_time(at(seconds)).expect("a date");
            let revocation = builder.build(primary, &cert, None).expect("a revocation");
            cert.insert_packets(revocation).expect("a certificate").0
        }
    };
    let subkey = |reason, seconds| {
        move |cert: Cert, primary: &mut KeyPair| {
            let builder = SubkeyRevocationBuilder::new().set_reason_for_revocation(reason, b"").expect("a reason");
            let builder = builder.set_signature_creation_time(at(seconds)).expect("a date");
            let key = cert.keys().subkeys().last().expect("a subkey").key().clone();
            let revocation = builder.build(primary, &cert, &key, None).expect("a revocation");
            cert.insert_packets(revocation).expect("a certificate").0
        }
    };
    let user_id = |cert: Cert, primary: &mut KeyPair| {
        let builder = UserIDRevocationBuilder::new().set_reason_for_revocation(UIDRetired, b"").expect("a reason");
        let builder = builder.set_signature_creation_time(at(BEFORE_SIGNING)).expect("a date");
        let user_id = cert.userids().next().expect("a user id").userid().clone();
        let revocation = builder.build(primary, &cert, &user_id, None).expect("a revocation");
        cert.insert_packets(revocation).expect("a certificate").0
    };
    let bound_again = |cert: Cert, primary: &mut KeyPair| {
        let key = cert.keys().subkeys().last().expect("a subkey").key().clone();
        let secret: Key<key::SecretParts, key::UnspecifiedRole> =
            key.clone().role_into_unspecified().parts_into_secret().expect("a secret key");
        let mut own = secret.into_keypair().expect("a pair");
        let cert = subkey(KeyRetired, BEFORE_SIGNING)(cert, primary);
        let back = SignatureBuilder::new(SignatureType::PrimaryKeyBinding)
            .set_signature_creation_time(at(BEFORE_SIGNING + DAY))
            .and_then(|builder| {
                builder.sign_primary_key_binding(&mut own, cert.primary_key().key(), key.parts_as_public())
            });
        let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
            .set_signature_creation_time(at(BEFORE_SIGNING + DAY))
            .and_then(|builder| builder.set_key_flags(KeyFlags::empty().set_signing()))
            .and_then(|builder| builder.set_embedded_signature(back.expect("a back signature")))
            .and_then(|builder| {
                let owner = cert.primary_key().key().clone();
                builder.sign_subkey_binding(primary, &owner, key.parts_as_public())
            });
        cert.insert_packets(binding.expect("a binding")).expect("a certificate").0
    };
    let whole_bound_again = |cert: Cert, primary: &mut KeyPair| {
        let cert = whole(KeyRetired, BEFORE_SIGNING)(cert, primary);
        let user_id = cert.userids().next().expect("a user id").userid().clone();
        let owner = cert.primary_key().key().clone();
        let direct = SignatureBuilder::new(SignatureType::DirectKey)
            .set_signature_creation_time(at(BEFORE_SIGNING + DAY))
            .and_then(|builder| builder.set_key_flags(KeyFlags::empty().set_certification()))
            .and_then(|builder| builder.sign_direct_key(primary, &owner));
        let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
            .set_signature_creation_time(at(BEFORE_SIGNING + DAY))
            .and_then(|builder| builder.set_key_flags(KeyFlags::empty().set_certification()))
            .and_then(|builder| builder.sign_userid_binding(primary, &owner, &user_id));
        let both = [direct.expect("a signature"), binding.expect("a binding")];
        cert.insert_packets(both).expect("a certificate").0
    };
    vec![
        changed("revoked-as-compromised", plain(), whole(KeyCompromised, AFTER_SIGNING)),
        changed("revoked-without-reason", plain(), whole(Unspecified, AFTER_SIGNING)),
        changed("retired-before-the-signature", plain(), whole(KeyRetired, BEFORE_SIGNING)),
        changed("retired-after-the-signature", plain(), whole(KeyRetired, AFTER_SIGNING)),
        changed("superseded-in-the-future", plain(), whole(KeySuperseded, 4_000_000_000)),
        changed("retired-and-bound-again", plain(), whole_bound_again),
        changed("subkey-compromised", plain(), subkey(KeyCompromised, AFTER_SIGNING)),
        changed("subkey-retired-before-the-signature", plain(), subkey(KeyRetired, BEFORE_SIGNING)),
        changed("subkey-retired-after-the-signature", plain(), subkey(KeyRetired, AFTER_SIGNING)),
        changed("subkey-retired-and-bound-again", plain(), bound_again),
        changed("user-id-revoked", plain(), user_id),
    ]
}

fn bindings(cast: &mut Cast) -> Vec<Game> {
    let signs = || KeyFlags::empty().set_signing();
    // Binds a signing key without that key's own word.
    let adopt = |cert: Cert, primary: &mut KeyPair, stranger: Packet, bound: bool| {
        let Packet::SecretSubkey(stranger) = stranger else { panic!("a subkey with its secret") };
        let public = stranger.parts_as_public().clone();
        let owner = cert.primary_key().key().clone();
        let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
            .set_signature_creation_time(at(KEYS_MADE))
            .and_then(|builder| builder.set_key_flags(signs()))
            .and_then(|builder| builder.sign_subkey_binding(primary, &owner, &public))
            .expect("a binding");
        let mut packets = vec![Packet::from(public)];
        packets.extend(bound.then(|| Packet::from(binding)));
        cert.insert_packets(packets).expect("a certificate").0
    };
    let stranger = |soft: &SoftKey| {
        let key = soft.cert.keys().subkeys().last().expect("a subkey").key().clone();
        Packet::from(key.parts_into_secret().expect("a secret key"))
    };
    let adopted = |variant, bound| {
        let other = plain();
        let game = changed(variant, plain(), |cert, primary| adopt(cert, primary, stranger(&other), bound));
        Game { pair: other.pair, ..game }
    };
    // A colleague's registered key under Alice's certificate.
    let bobs = SoftKey::new(|builder| builder.add_signing_subkey());
    cast.add_openpgp(Who::Bob, &bobs.public()).expect("a good certificate");
    let stolen = changed("subkey-of-a-colleague", plain(), |cert, primary| adopt(cert, primary, stranger(&bobs), true));
    let stolen = Game { pair: bobs.pair, ..stolen };
    let user = |text: &'static str| SoftKey::new(|builder| builder.add_userid(text).add_signing_subkey());
    let only = |user: Option<&str>| {
        let builder = CertBuilder::new().set_profile(Profile::RFC4880).expect("a profile");
        let builder = match user {
            Some(user) => builder.add_userid(user),
            None => builder,
        };
        let cert = builder.set_creation_time(at(KEYS_MADE)).add_signing_subkey().generate().expect("a certificate").0;
        SoftKey::signing_with_last_key(cert)
    };
    let unsigned_user_id = changed("user-id-not-signed", plain(), |cert, _| {
        cert.insert_packets(sequoia_openpgp::packet::UserID::from("Bob <bob@example.com>")).expect("a certificate").0
    });
    let over_sha1 = changed("self-signatures-over-sha1", only(None), |cert, primary| {
        let owner = cert.primary_key().key().clone();
        let user_id = sequoia_openpgp::packet::UserID::from("Alice <alice@example.com>");
        let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
            .set_hash_algo(HashAlgorithm::SHA1)
            .set_signature_creation_time(at(KEYS_MADE))
            .and_then(|builder| builder.set_key_flags(KeyFlags::empty().set_certification()))
            .and_then(|builder| builder.sign_userid_binding(primary, &owner, &user_id))
            .expect("a binding");
        let subkeys = cert.keys().subkeys().flat_map(|subkey| {
            let signatures: Vec<Packet> = subkey.self_signatures().cloned().map(Packet::from).collect();
            [vec![Packet::from(subkey.key().clone())], signatures].concat()
        });
        let packets = vec![Packet::from(owner.clone()), user_id.into(), binding.into()].into_iter().chain(subkeys);
        Cert::from_packets(packets).expect("a certificate")
    });
    vec![
        adopted("subkey-without-its-own-word", true),
        adopted("subkey-not-bound", false),
        stolen,
        game("another-user-id-too", &user("Alice <alice@other.example>")),
        game("a-colleagues-user-id-too", &user("Bob <bob@example.com>")),
        game("only-a-colleagues-user-id", &only(Some("Bob <bob@example.com>"))),
        game("user-id-without-address", &only(Some("Alice"))),
        game("no-user-id", &only(None)),
        unsigned_user_id,
        over_sha1,
    ]
}

/// What only gpg makes, or makes in its own way.
fn by_gpg(cast: &mut Cast, objects: &mut Objects) {
    let user = "Alice <alice@example.com>";
    for (variant, algorithm) in [
        ("gpg-rsa-1024", "rsa1024"),
        ("gpg-rsa-4096", "rsa4096"),
        ("gpg-dsa-2048", "dsa2048"),
        ("gpg-brainpool", "brainpoolP256r1"),
        ("gpg-secp256k1", "secp256k1"),
        ("gpg-p-384", "nistp384"),
        ("gpg-p-521", "nistp521"),
    ] {
        let key = cast.make_gpg_key(user, algorithm, None);
        let sign = cast.gpg_sign(&key);
        publish(cast, &key);
        put(objects, variant, &sign);
    }
    let expired = cast.make_gpg_key(user, "ed25519", None);
    put(objects, "gpg-expired", &cast.gpg_sign(&expired));
    must(cast.gpg(SIGNED).args(["--quick-set-expire", &expired, "2025-07-01"]));
    publish(cast, &expired);
    let extended = cast.make_gpg_key(user, "ed25519", None);
    must(cast.gpg(KEYS_MADE + DAY).args(["--quick-set-expire", &extended, "2025-03-01"]));
    must(cast.gpg(KEYS_MADE + 2 * DAY).args(["--quick-set-expire", &extended, "2098-01-01"]));
    put(objects, "gpg-expired-and-extended", &cast.gpg_sign(&extended));
    publish(cast, &extended);
    let revoked = cast.make_gpg_key(user, "ed25519", None);
    put(objects, "gpg-revoked", &cast.gpg_sign(&revoked));
    let path = cast.gnupg().join(format!("openpgp-revocs.d/{revoked}.rev"));
    // A colon before the armor guards against an import by mistake.
    let text = crate::cast::read(&path).replace(":-----BEGIN", "-----BEGIN");
    must_with_input(cast.gpg(SIGNED).arg("--import"), text.as_bytes());
    publish(cast, &revoked);
}

fn put(objects: &mut Objects, variant: &str, sign: &Sign) {
    for what in BOTH {
        let payload = what.payload();
        objects.add(format!("certificate/{variant}"), what, what.signed(&payload, &sign(&payload)));
    }
}

fn publish(cast: &mut Cast, fingerprint: &str) {
    let certificate = must(cast.gpg(SIGNED).args(["--armor", "--export", fingerprint]));
    let _ = cast.add_openpgp(Who::Alice, certificate.as_bytes());
}
