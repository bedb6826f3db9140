//! SSH certificates by a trusted authority, by another one, and changed by somebody else.

use crate::cast::{Cast, Who};
use crate::object::{BOTH, Objects};
use crate::sshsig::{Recipe, Secret, armored, blob_of};
use countersign_tests::process::must;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The key that is certified, in software and registered to nobody.
const SUBJECT: [u8; 32] = [3; 32];

pub fn generate(cast: &mut Cast, objects: &mut Objects) {
    let trusted = cast.ssh_authority.clone();
    let subject = Secret::Ed25519(SUBJECT);
    let always = ["-n", "alice@example.com"];
    let games: &[(&str, &'static str, &[&str])] = &[
        ("usual", "alice@example.com", &always),
        ("by-id", "E1001", &["-n", "E1001"]),
        ("id-and-address", "alice@example.com", &["-n", "E1001,alice@example.com"]),
        ("with-an-account", "alice@example.com", &["-n", "deploy,alice@example.com"]),
        ("other-case", "ALICE@Example.com", &["-n", "ALICE@Example.com"]),
        ("nobody-named", "alice@example.com", &[]),
        ("everybody-named", "alice@example.com", &["-n", "*"]),
        ("wildcard", "alice@example.com", &["-n", "*@example.com"]),
        ("negated", "alice@example.com", &["-n", "!bob@example.com"]),
        ("colleague", "alice@example.com", &["-n", "bob@example.com"]),
        ("unknown-person", "alice@example.com", &["-n", "root"]),
        ("two-persons", "alice@example.com", &["-n", "alice@example.com,bob@example.com"]),
        ("blank-in-name", "alice@example.com", &["-n", "alice@example.com "]),
        ("host", "alice@example.com", &["-h", "-n", "alice@example.com"]),
        ("window", "alice@example.com", &["-n", "alice@example.com", "-V", "20240101:20990101"]),
        ("over", "alice@example.com", &["-n", "alice@example.com", "-V", "20240101:20240201"]),
        (
            "over-now-but-not-when-committed",
            "alice@example.com",
            &["-n", "alice@example.com", "-V", "20250101:20250701"],
        ),
        ("to-come", "alice@example.com", &["-n", "alice@example.com", "-V", "20980101:20990101"]),
        ("begun-after-the-commit", "alice@example.com", &["-n", "alice@example.com", "-V", "20250701:20990101"]),
        ("force-command", "alice@example.com", &["-n", "alice@example.com", "-O", "force-command=/bin/true"]),
        ("source-address", "alice@example.com", &["-n", "alice@example.com", "-O", "source-address=192.0.2.0/24"]),
        ("verify-required", "alice@example.com", &["-n", "alice@example.com", "-O", "verify-required"]),
        ("critical-unknown", "alice@example.com", &["-n", "alice@example.com", "-O", "critical:x@example.com=1"]),
        ("extension-unknown", "alice@example.com", &["-n", "alice@example.com", "-O", "extension:x@example.com=1"]),
        ("no-extensions", "alice@example.com", &["-n", "alice@example.com", "-O", "clear"]),
        ("serial", "alice@example.com", &["-n", "alice@example.com", "-z", "18446744073709551615"]),
    ];
    for (variant, principal, arguments) in games {
        let certificate = certify(cast.folder(), &trusted, &subject, arguments);
        for what in BOTH {
            let payload = what.payload();
            let signature = with(&subject, certificate.clone()).sign(&subject, &payload);
            objects.add_for(principal, format!("ssh-certificate/{variant}"), what, what.signed(&payload, &signature));
        }
    }
    let mut put = |variant: &str, secret: &Secret, certificate: Vec<u8>| {
        let recipe = with(secret, certificate);
        objects.add_both(&format!("ssh-certificate/{variant}"), &|payload| recipe.sign(secret, payload));
    };

    let unknown = authority(cast.folder(), "unknown-ca", &["-t", "ed25519"]);
    put("unknown-authority", &subject, certify(cast.folder(), &unknown, &subject, &always));
    let plain = certify(cast.folder(), &cast.folder().join("ssh-ed25519"), &subject, &always);
    put("certified-by-a-signing-key", &subject, plain);
    for (name, kind) in [("rsa-ca", "rsa"), ("ecdsa-ca", "ecdsa")] {
        let ca = authority(cast.folder(), name, &["-t", kind]);
        cast.add_ssh_authority(&crate::cast::read(&ca.with_extension("pub")));
        put(&format!("authority-{kind}"), &subject, certify(cast.folder(), &ca, &subject, &always));
        if kind == "rsa" {
            for algorithm in ["rsa-sha2-256", "ssh-rsa"] {
                let arguments = [&always[..], &["-t", algorithm]].concat();
                let certificate = certify(cast.folder(), &ca, &subject, &arguments);
                put(&format!("authority-rsa-by-{algorithm}"), &subject, certificate);
            }
        }
    }
    let token = Secret::Token { seed: [4; 32], flags: 5, counter: 1, application: b"ssh:" };
    let arguments = [&always[..], &["-O", "verify-required"]].concat();
    put("security-key-verified", &token, certify(cast.folder(), &trusted, &token, &arguments));
    let touched = Secret::Token { seed: [4; 32], flags: 1, counter: 1, application: b"ssh:" };
    put("security-key-only-touched", &touched, certify(cast.folder(), &trusted, &touched, &arguments));
    put("security-key", &touched, certify(cast.folder(), &trusted, &touched, &always));

    let bobs = Secret::Ed25519([5; 32]);
    cast.add_ssh(Who::Bob, &bobs.line()).expect("a good key");
    put("over-a-colleagues-key", &bobs, certify(cast.folder(), &trusted, &bobs, &always));
    put("over-an-own-key", &cast.soft_ssh, certify(cast.folder(), &trusted, &cast.soft_ssh, &always));
    let rsa = certify(cast.folder(), &trusted, &cast.soft_rsa, &always);
    put("over-rsa", &cast.soft_rsa, rsa.clone());
    let sha1 = Recipe { label: b"ssh-rsa".to_vec(), ..with(&cast.soft_rsa, rsa) };
    objects.add_both("ssh-certificate/over-rsa-by-sha1", &|payload| sha1.sign(&cast.soft_rsa, payload));
    changed(cast.folder(), &trusted, &subject, objects);
}

/// Bytes of the certificate, at places that do not depend on the run.
fn changed(folder: &Path, trusted: &Path, subject: &Secret, objects: &mut Objects) {
    let good = certify(folder, trusted, subject, &["-n", "alice@example.com", "-V", "20240101:20240201"]);
    let place = |text: &[u8]| good.windows(text.len()).position(|window| window == text).expect("it is there");
    let mut renamed = good.clone();
    renamed[place(b"alice@example.com")] = b'A';
    let mut host = good.clone();
    // After key type, nonce, point and serial.
    let kind = 4 + 32 + 4 + 32 + 4 + 32 + 8;
    host[kind + 3] = 2;
    let mut longer = good.clone();
    longer[place(b"alice@example.com") + 17 + 8] = 0xff;
    let games = [
        ("principal-changed", renamed),
        ("made-a-host", host),
        ("window-changed", longer),
        ("cut-short", good[..good.len() - 1].to_vec()),
        ("bytes-after", [good.as_slice(), &[0]].concat()),
        ("length-lies", [&[0xff; 4], &good[4..]].concat()),
    ];
    for (variant, certificate) in games {
        let recipe = with(subject, certificate);
        objects.add_both(&format!("ssh-certificate/{variant}"), &|payload| recipe.sign(subject, payload));
    }
    let good = certify(folder, trusted, subject, &["-n", "alice@example.com"]);
    for index in 0..60 {
        let at = index * good.len() / 60;
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (index % 8);
        let recipe = with(subject, flipped);
        objects.add_both("ssh-certificate/flipped", &|payload| armored(&recipe.blob(subject, payload)));
    }
}

fn with(secret: &Secret, certificate: Vec<u8>) -> Recipe {
    Recipe { public_key: certificate, ..Recipe::usual(secret) }
}

fn authority(folder: &Path, name: &str, kind: &[&str]) -> PathBuf {
    let private = folder.join(name);
    must(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", ""]).args(kind).arg("-f").arg(&private));
    private
}

/// The certificate that `ssh-keygen -s` makes of these arguments.
fn certify(folder: &Path, authority: &Path, secret: &Secret, arguments: &[&str]) -> Vec<u8> {
    let public = folder.join("subject.pub");
    std::fs::write(&public, secret.line() + "\n").expect("a public key");
    let mut certify = Command::new("ssh-keygen");
    certify.env("TZ", "UTC").args(["-q", "-I", "key id", "-s"]).arg(authority).args(arguments).arg(&public);
    must(&mut certify);
    blob_of(&crate::cast::read(&folder.join("subject-cert.pub")))
}
