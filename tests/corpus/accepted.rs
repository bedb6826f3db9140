//! Section M: what must be accepted, and A20. Raw objects of this section are in `accepted.yaml`.

use crate::desk::vector;
use crate::openpgp_maker::{CERTIFY, Certificate as OpenPgpCertificate, Holder, Key, SIGN};
use crate::signer::{SshKey, Sshsig};
use crate::ssh_certificates::{Certificate, authority, under};
use crate::ssh_keys::{EcdsaKey, P256, P384, P521, Pair, RsaKey, SecurityKey, labelled, sshsig};
use crate::vector::Vector;
use crate::x509::{message, registered};
use countersign_tests::keys::{Kind as KeyKind, Owner, USER_PRESENT, Wanted, Workshop};
use countersign_tests::process::must_with_input;
use std::path::Path;
use std::process::Command;

pub fn vectors() -> Vec<Vector> {
    [openpgp(), ssh(), x509()].into_iter().flatten().collect()
}

fn openpgp() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, who) in [
        ("m01-ed25519", "ed25519"),
        ("m01-ed25519-of-rfc-9580", "ed25519-new"),
        ("m01-version-6", "ed25519-v6"),
        ("m01-rsa-2048", "rsa-2048"),
        ("m01-p-256", "p-256"),
        ("m01-p-384", "p-384"),
        ("m01-p-521", "p-521"),
    ] {
        let about = format!("A signing subkey with its consent, {who}.");
        vectors.push(crate::openpgp::commit(name, &about, "accepted", who, |holder, payload| {
            holder.sign(payload).armored()
        }));
    }
    vectors.push(Vector::new("m01-primary-key", "A primary key that signs itself.", "accepted", |bench| {
        let id = "m01-primary-key";
        let key = Key::ed25519(id);
        let user_id = format!("{} <{id}@example.com>", countersign_tests::handmade::capitalised(id));
        let certificate = OpenPgpCertificate::bare(&key).user_id(user_id.as_bytes(), CERTIFY | SIGN);
        let holder = Holder { id: id.to_owned(), signer: key, certificate };
        bench.lab.admit(&holder);
        bench.to_main(&[bench.plain(id, &holder)])
    }));
    for (name, header) in [
        ("a20-comment", "Comment: Reviewed-by: Victim <victim@example.com>"),
        ("a20-version-and-comment", "Version: GnuPG v2\nComment: https://example.com"),
        ("a20-escape-in-comment", "Comment: \u{1b}[2Jall is well\u{202e}"),
    ] {
        let about = "A header of the armour, which nothing signs: taken, and never shown.";
        vectors.push(crate::openpgp::commit(name, about, "accepted", "ed25519", move |holder, payload| {
            let begin = "-----BEGIN PGP SIGNATURE-----\n";
            holder.sign(payload).armored().replace(begin, &format!("{begin}{header}\n"))
        }));
    }
    vectors
}

fn ssh() -> Vec<Vector> {
    let by = |name, about, key: fn(&str) -> Box<dyn Pair>| {
        vector(name, about, "accepted", move |desk| {
            let key = key(name);
            desk.register("--ssh", key.pub_line());
            desk.push(|payload| key.sshsig(payload).armored())
        })
    };
    vec![
        by("m04-ecdsa-256", "ECDSA nistp256.", |name| Box::new(EcdsaKey::named(P256, name))),
        by("m04-ecdsa-384", "ECDSA nistp384.", |name| Box::new(EcdsaKey::named(P384, name))),
        by("m04-ecdsa-521", "ECDSA nistp521.", |name| Box::new(EcdsaKey::named(P521, name))),
        by("m04-sk-ed25519", "A security key that was touched.", |name| {
            Box::new(SecurityKey::ed25519(name, USER_PRESENT))
        }),
        by("m04-sk-ecdsa", "A security key of the older kind that was touched.", |name| {
            Box::new(SecurityKey::p256(name, USER_PRESENT))
        }),
        by("m04-ed25519", "Ed25519.", |name| Box::new(SshKey::named(name))),
        vector("m04-ed25519-sha256", "Ed25519 over SHA-256.", "accepted", |desk| {
            let key = SshKey::named(desk.who);
            desk.register("--ssh", key.line());
            desk.push(|payload| Sshsig::made(&key, payload, "git", "sha256").armored())
        }),
        by("m04-rsa-sha2-512", "RSA with rsa-sha2-512.", |_| Box::new(RsaKey::generate(3072, 3))),
        vector("m04-rsa-sha2-256", "RSA with rsa-sha2-256.", "accepted", |desk| {
            let key = RsaKey::generate(2048, 3);
            desk.register("--ssh", key.pub_line());
            desk.push(|payload| {
                let data = Sshsig::to_sign(payload, "git", "sha512");
                let numbers = crate::signer::strings(&[&key.pkcs1("sha256", &data)]);
                sshsig(key.blob(), labelled("rsa-sha2-256", &numbers)).armored()
            })
        }),
        vector("m06-certificate", "A user certificate with the person's id as principal.", "accepted", |desk| {
            let (authority, key) = (authority(desk), SshKey::named(desk.who));
            let certificate = Certificate::of(&key, &[desk.who], &authority).signed(&authority);
            desk.push(|payload| under(&key, &certificate, payload))
        }),
    ]
}

fn x509() -> Vec<Vector> {
    vec![
        vector("m07-der", "A CMS message in DER, as openssl and smimesign make it.", "accepted", |desk| {
            let leaf = registered(desk);
            desk.push(|payload| message(&leaf, payload).armored())
        }),
        vector("m07-ber", "A CMS message in BER of indefinite length, by gpgsm itself.", "accepted", |desk| {
            let folder = tempfile::tempdir().expect("a folder");
            let (id, email) = (desk.who.to_owned(), format!("{}@example.com", desk.who));
            let owner = Owner { name: countersign_tests::handmade::capitalised(&id), id, email };
            let key = Workshop::new(folder.path()).make(&owner, &Wanted::from(KeyKind::X509));
            let file = |path: &Path| std::fs::read(path).expect("a certificate");
            let (root, leaf) = (key.authority.as_ref().expect("a root"), key.registration.as_ref().expect("a leaf"));
            desk.bench.lab.must_sync(&["key", "add", root.0, "-"], &file(&root.1));
            desk.register(leaf.0, file(&leaf.1));
            let setting = |name: &str| &key.git.iter().find(|(key, _)| *key == name).expect("a setting of git").1;
            desk.push(|payload| {
                let mut gpgsm = Command::new(setting("gpg.x509.program"));
                must_with_input(gpgsm.args(["-bsau", setting("user.signingKey")]), payload) + "\n"
            })
        }),
    ]
}
