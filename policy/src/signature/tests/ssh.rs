use super::*;
use crate::id::Fingerprint;
use crate::keyring::{Compromised, Material, RetireReason, Retired};
use crate::signature::primitive::{Hash, VerifyKey};
use crate::signature::ssh::register;
use crate::signature::ssh_wire::put_string;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        put_string(&mut out, part).unwrap();
    }
    out
}

/// An Ed25519 key in software, and every field of the signature it makes in reach.
pub struct Forge {
    pair: Ed25519KeyPair,
    pub public_key: Vec<u8>,
    pub label: &'static str,
    pub version: u32,
    pub namespace: &'static [u8],
    pub reserved: &'static [u8],
    pub hash: &'static [u8],
    pub tail: Vec<u8>,
    /// Application, flags and counter, for a security key.
    pub touch: Option<(&'static str, u8)>,
}

impl Forge {
    pub fn new() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public_key = strings(&[b"ssh-ed25519", pair.public_key().as_ref()]);
        let (namespace, hash) = (b"git".as_slice(), b"sha512".as_slice());
        Forge {
            pair,
            public_key,
            label: "ssh-ed25519",
            version: 1,
            namespace,
            reserved: b"",
            hash,
            tail: vec![],
            touch: None,
        }
    }

    pub fn security_key(flags: u8) -> Self {
        let mut forge = Forge::new();
        forge.label = "sk-ssh-ed25519@openssh.com";
        forge.public_key = strings(&[forge.label.as_bytes(), forge.pair.public_key().as_ref(), b"ssh:git"]);
        forge.touch = Some(("ssh:git", flags));
        forge
    }

    pub fn line(&self) -> String {
        format!("{} {} comment", self.label, STANDARD.encode(&self.public_key))
    }

    pub fn sign(&self, payload: &[u8]) -> Vec<u8> {
        let hash = if self.hash == b"sha256" { Hash::Sha256 } else { Hash::Sha512 };
        let digest = hash.of([payload]);
        let mut data = b"SSHSIG".to_vec();
        data.extend(strings(&[self.namespace, b"", self.hash, digest.as_ref()]));
        let signature = match self.touch {
            None => strings(&[self.label.as_bytes(), self.pair.sign(&data).as_ref()]),
            Some((application, flags)) => {
                let tail = [flags, 0, 0, 0, 7];
                let app = Hash::Sha256.of([application.as_bytes()]);
                let bound = [app.as_ref(), &tail, Hash::Sha256.of([data.as_slice()]).as_ref()].concat();
                [strings(&[self.label.as_bytes(), self.pair.sign(&bound).as_ref()]), tail.to_vec()].concat()
            }
        };
        let mut blob = b"SSHSIG".to_vec();
        blob.extend(self.version.to_be_bytes());
        blob.extend(strings(&[&self.public_key, self.namespace, self.reserved, self.hash, &signature]));
        blob.extend(&self.tail);
        armored("SSH SIGNATURE", &blob, 70)
    }
}

/// What `server` says after `change` to a signature that is good without it.
fn after(change: impl FnOnce(&mut Forge)) -> &'static str {
    let mut forge = Forge::new();
    let server = Server::with_alice([register(&forge.line()).unwrap()]);
    assert_eq!(server.says(forge.sign(PAYLOAD)), "ok");
    change(&mut forge);
    server.says(forge.sign(PAYLOAD))
}

#[test]
fn m04_real_keys_of_every_type_sign_with_both_hashes() {
    let home = tempfile::tempdir().unwrap();
    for (kind, bits) in
        [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048"), ("rsa", "3072")]
    {
        let file = format!("{kind}{bits}");
        run("ssh-keygen", home.path(), &["-q", "-t", kind, "-b", bits, "-N", "", "-f", &file], b"");
        let line = std::fs::read_to_string(home.path().join(format!("{file}.pub"))).unwrap();
        let registration = register(&line).unwrap();
        assert!(line.starts_with(std::str::from_utf8(&registration.source).unwrap()));
        assert_eq!(register(std::str::from_utf8(&registration.source).unwrap()).unwrap(), registration);
        let Material::Ssh(key) = &registration.material else { panic!("{registration:?}") };
        let ready = matches!(key.verify, VerifyKey::Ed25519 { torsion_free: true, .. });
        assert_eq!(ready, kind == "ed25519", "an honest key has no torsion, and the registration says so");
        let shown = run("ssh-keygen", home.path(), &["-l", "-f", &file], b"");
        assert!(String::from_utf8_lossy(&shown).contains(registration.fingerprint.as_str()));
        let server = Server::with_alice([registration]);
        for hash in ["hashalg=sha256", "hashalg=sha512"] {
            let signature =
                run("ssh-keygen", home.path(), &["-q", "-Y", "sign", "-n", "git", "-O", hash, "-f", &file], PAYLOAD);
            let signed = server.verify(PAYLOAD, &signature).unwrap();
            assert_eq!((signed.person().id.as_str(), signed.problems().len()), ("E1001", 0));
            assert!(signed.made_by().starts_with("SSH key SHA256:"));
            assert_eq!(server.verify(b"other", &signature).unwrap_err().rule.id, "bad-signature", "a02, a40");
        }
        let wrong = run("ssh-keygen", home.path(), &["-q", "-Y", "sign", "-n", "file", "-f", &file], PAYLOAD);
        assert_eq!(server.says(wrong), "wrong-namespace");
    }
}

#[test]
fn e01_other_namespaces_are_other_protocols() {
    for namespace in [b"file".as_slice(), b"git ", b"email", b"", b"git\0"] {
        assert_eq!(after(|forge| forge.namespace = namespace), "wrong-namespace");
    }
}

#[test]
fn e02_only_sha256_and_sha512() {
    assert_eq!(after(|forge| forge.hash = b"sha256"), "ok");
    assert_eq!(after(|forge| forge.hash = b"sha1"), "weak-algorithm");
    assert_eq!(after(|forge| forge.hash = b"blake3"), "malformed-signature");
}

#[test]
fn a21_e06_one_signature_has_one_form() {
    assert_eq!(after(|forge| forge.reserved = b"x"), "malformed-signature");
    assert_eq!(after(|forge| forge.tail = vec![0]), "malformed-signature");
    for version in [0, 2] {
        assert_eq!(after(|forge| forge.version = version), "malformed-signature");
    }
}

#[test]
fn another_library_reads_the_same_fields() {
    let forge = Forge::new();
    let read = ssh_key::SshSig::from_pem(forge.sign(PAYLOAD)).unwrap();
    assert_eq!((read.version(), read.namespace()), (1, "git"));
    let fingerprint = read.public_key().fingerprint(ssh_key::HashAlg::Sha256).to_string();
    assert_eq!(fingerprint, register(&forge.line()).unwrap().fingerprint.as_str());
}

#[test]
fn a03_a_payload_with_bytes_behind_a_nul_is_another_payload() {
    let forge = Forge::new();
    let server = Server::with_alice([register(&forge.line()).unwrap()]);
    let longer = [PAYLOAD, b"\0more"].concat();
    assert_eq!(server.verify(&longer, forge.sign(PAYLOAD)).unwrap_err().rule.id, "bad-signature");
}

#[test]
fn m05_widths_of_64_70_and_76_are_one_signature() {
    let forge = Forge::new();
    let server = Server::with_alice([register(&forge.line()).unwrap()]);
    let bytes = crate::signature::armor::decode(&forge.sign(PAYLOAD), crate::signature::armor::Label::Ssh).unwrap();
    for width in [64, 70, 76, 4096] {
        assert_eq!(server.says(armored("SSH SIGNATURE", &bytes, width)), "ok");
    }
}

#[test]
fn e09_a_key_that_nobody_registered_is_unknown() {
    let (known, stranger) = (Forge::new(), Forge::new());
    let server = Server::with_alice([register(&known.line()).unwrap()]);
    let problem = server.verify(PAYLOAD, stranger.sign(PAYLOAD)).unwrap_err();
    assert_eq!(problem.rule.id, "unknown-key");
    assert!(
        problem.reason.starts_with("is signed with SSH key SHA256:")
            && problem.reason.ends_with("which is not registered")
    );
    assert!(problem.person.is_none() && problem.key.is_some());
    let mut thief = stranger;
    thief.public_key = known.public_key.clone();
    assert_eq!(server.says(thief.sign(PAYLOAD)), "bad-signature", "another's name, one's own key");
}

#[test]
fn e12_e13_the_embedded_key_costs_nothing_before_it_is_known() {
    let huge = strings(&[b"ssh-rsa", &[1, 0, 1], &[0x7f; 2048]]);
    assert_eq!(after(|forge| forge.public_key = huge), "unknown-key");
    assert_eq!(after(|forge| forge.public_key = strings(&[b"ssh-dss", b"x"])), "weak-algorithm");
    assert_eq!(after(|forge| forge.public_key = strings(&[b"ssh-mldsa", b"x"])), "malformed-signature");
}

#[test]
fn e03_e32_a_label_of_another_algorithm_is_refused() {
    assert_eq!(after(|forge| forge.label = "ssh-rsa"), "weak-algorithm");
    assert_eq!(after(|forge| forge.label = "rsa-sha2-256"), "malformed-signature");
    assert_eq!(after(|forge| forge.label = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"), "format-not-allowed");
}

#[test]
fn m04_e15_a_security_key_was_touched_and_where_asked_unlocked() {
    for (flags, plain, strict) in
        [(1, "ok", "usage-violation"), (5, "ok", "ok"), (0, "usage-violation", "usage-violation")]
    {
        let forge = Forge::security_key(flags);
        let mut server = Server::with_alice([register(&forge.line()).unwrap()]);
        assert_eq!(server.says(forge.sign(PAYLOAD)), plain);
        server.settings.sk_require_user_verification = true;
        assert_eq!(server.says(forge.sign(PAYLOAD)), strict);
    }
}

#[test]
fn a_security_keys_signature_is_bound_to_its_application() {
    let mut forge = Forge::security_key(1);
    let server = Server::with_alice([register(&forge.line()).unwrap()]);
    forge.touch = Some(("ssh:", 1));
    assert_eq!(server.says(forge.sign(PAYLOAD)), "bad-signature");
    forge.touch = None;
    assert_eq!(server.says(forge.sign(PAYLOAD)), "malformed-signature", "e17: without flags and counter");
}

#[test]
fn m04_an_ecdsa_security_key_signs() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let label = b"sk-ecdsa-sha2-nistp256@openssh.com".as_slice();
    let public_key = strings(&[label, b"nistp256", pair.public_key().as_ref(), b"ssh:"]);
    let line = format!("{} {}", std::str::from_utf8(label).unwrap(), STANDARD.encode(&public_key));
    let server = Server::with_alice([register(&line).unwrap()]);
    let mut data = b"SSHSIG".to_vec();
    data.extend(strings(&[b"git", b"", b"sha256", Hash::Sha256.of([PAYLOAD]).as_ref()]));
    let tail = [1, 0, 0, 0, 9];
    let bound =
        [Hash::Sha256.of([b"ssh:".as_slice()]).as_ref(), &tail, Hash::Sha256.of([data.as_slice()]).as_ref()].concat();
    let fixed = pair.sign(&SystemRandom::new(), &bound).unwrap();
    let number = |half: &[u8]| {
        let zeros = half.iter().take_while(|byte| **byte == 0).count();
        let sign = if half[zeros] & 0x80 != 0 { vec![0] } else { vec![] };
        [sign, half[zeros..].to_vec()].concat()
    };
    let pair = strings(&[&number(&fixed.as_ref()[..32]), &number(&fixed.as_ref()[32..])]);
    let signature = [strings(&[label, &pair]), tail.to_vec()].concat();
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    blob.extend(strings(&[&public_key, b"git", b"", b"sha256", &signature]));
    assert_eq!(server.says(armored("SSH SIGNATURE", &blob, 70)), "ok");
}

#[test]
fn weak_and_foreign_keys_are_refused_at_the_door() {
    let home = tempfile::tempdir().unwrap();
    run("ssh-keygen", home.path(), &["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", "short"], b"");
    let line = std::fs::read_to_string(home.path().join("short.pub")).unwrap();
    assert_eq!(register(&line).unwrap_err().to_string(), "RSA key of 1024 bits is too short: at least 2048", "e11");
    let zero = format!("ssh-ed25519 {}", STANDARD.encode(strings(&[b"ssh-ed25519", &[0; 32]])));
    assert!(register(&zero).unwrap_err().to_string().contains("weak"), "d15");
    let good = Forge::new().line();
    for bad in [
        "",
        "ssh-ed25519",
        "ssh-dss AAAA",
        "ssh-ed25519 !!!",
        &format!("{good}\n{good}"),
        &good.replace("ssh-ed", "ssh-rs"),
    ] {
        assert!(register(bad).is_err(), "{bad}");
    }
    let private = std::fs::read_to_string(home.path().join("short")).unwrap();
    assert!(register(&private).is_err());
    let trailing = format!("ssh-ed25519 {}", STANDARD.encode([strings(&[b"ssh-ed25519", &[7; 32]]), vec![0]].concat()));
    assert!(register(&trailing).is_err());
}

#[test]
fn the_policy_narrows_what_is_taken() {
    let forge = Forge::new();
    let mut server = Server::with_alice([register(&forge.line()).unwrap()]);
    server.settings.curves.clear();
    assert_eq!(server.says(forge.sign(PAYLOAD)), "weak-algorithm");
    server.settings = Settings { hashes: vec![Hash::Sha256], ..Settings::default() };
    assert_eq!(server.says(forge.sign(PAYLOAD)), "weak-algorithm");
    server.settings = Settings { formats: vec![crate::signature::Format::OpenPgp], ..Settings::default() };
    assert_eq!(server.says(forge.sign(PAYLOAD)), "format-not-allowed");
}

#[test]
fn the_registrys_marks_are_found_on_a_good_signature() {
    let forge = Forge::new();
    let registration = register(&forge.line()).unwrap();
    let with = |change: &dyn Fn(&mut crate::keyring::Key)| {
        let mut alice = alice([registration.clone()]);
        change(&mut alice.keys[0]);
        Server::new(MemoryKeyring::default().with(alice)).verify(PAYLOAD, forge.sign(PAYLOAD)).unwrap()
    };
    let time = |text: &str| text.parse::<Time>().unwrap();
    let retired =
        with(&|key| key.retired = Some(Retired { at: time("2026-01-20T00:00:00Z"), reason: RetireReason::Retired }));
    let [problem] = retired.problems() else { panic!() };
    assert_eq!((problem.rule.id, problem.key.as_ref()), ("key-revoked", Some(retired.key())));
    assert_eq!(
        problem.reason,
        format!("is signed with SSH key {}, which was revoked on 2026-01-20", retired.key().short())
    );
    let later =
        with(&|key| key.retired = Some(Retired { at: time("2026-03-01T00:00:00Z"), reason: RetireReason::Retired }));
    assert!(later.problems().is_empty(), "it takes effect by itself, on its day");
    let stolen = with(&|key| key.compromised = Some(Compromised { since: None, from: Time::MIN }));
    assert_eq!(stolen.problems()[0].rule.id, "key-compromised");
    let early = with(&|key| key.added = time("2026-03-01T00:00:00Z"));
    assert_eq!(early.problems()[0].rule.id, "key-not-yet-valid");
}

#[test]
fn k09_a_keyring_that_cannot_be_read_blames_no_key() {
    let forge = Forge::new();
    let problem = Server::new(MemoryKeyring::broken()).verify(PAYLOAD, forge.sign(PAYLOAD)).unwrap_err();
    assert_eq!((problem.rule.id, problem.key), ("keyring-unreadable", None::<Fingerprint>));
    let registration = register(&forge.line()).unwrap();
    let both = MemoryKeyring::default().with(alice([registration.clone()])).with(bob([registration]));
    assert_eq!(Server::new(both).says(forge.sign(PAYLOAD)), "keyring-unreadable", "d18: one key, two persons");
}

#[test]
fn a_refusal_at_the_door_names_what_is_wrong() {
    let why = |line: &str| register(line).unwrap_err().to_string();
    assert!(why("ssh-dss AAAA").contains("DSA"), "{}", why("ssh-dss AAAA"));
    assert!(why("ssh-mldsa AAAA").contains("no type of SSH key"), "{}", why("ssh-mldsa AAAA"));
}

#[test]
fn a_line_is_as_long_as_its_limit_and_no_longer() {
    let line = Forge::new().line();
    let padded = |length: usize| format!("{line}{}", "x".repeat(length - line.len()));
    assert!(register(&padded(8 * 1024)).is_ok(), "whatever the comment");
    assert!(register(&padded(8 * 1024 + 1)).unwrap_err().to_string().contains("longer than 8192 bytes"));
}

#[test]
fn d15_a_line_that_another_reader_does_not_take_is_no_key() {
    assert!(register(&Forge::new().line().replacen(' ', "\t", 1)).is_err());
}

#[test]
fn a_key_counts_from_the_instant_it_was_added() {
    let forge = Forge::new();
    let mut alice = alice([register(&forge.line()).unwrap()]);
    alice.keys[0].added = "2026-02-01T00:00:00Z".parse().unwrap();
    let server = Server::new(MemoryKeyring::default().with(alice));
    assert_eq!(server.says(forge.sign(PAYLOAD)), "ok");
    assert_eq!(server.at("2026-01-31T23:59:59.999Z").says(forge.sign(PAYLOAD)), "key-not-yet-valid");
}

/// The registry is at fault, not the key.
#[test]
fn k09_a_key_that_is_not_what_its_fingerprint_says_is_a_damaged_keyring() {
    let (mine, other) = (Forge::new(), Forge::new());
    let mut mixed = register(&mine.line()).unwrap();
    mixed.material = register(&other.line()).unwrap().material;
    assert_eq!(Server::with_alice([mixed]).says(mine.sign(PAYLOAD)), "keyring-unreadable");
}
