//! Section D: who holds a key. A user id is what its owner wrote; who somebody is says the registry.

use crate::bench::{Answer, Bench};
use crate::certificates::{BOB, add, grown, must_add, must_refuse};
use crate::object::{Kind, Object};
use crate::openpgp_maker::*;
use crate::vector::Vector;

pub fn vectors() -> Vec<Vector> {
    [identities(), service_accounts(), trees(), shared()].into_iter().flatten().collect()
}

/// A user id is what its owner wrote; who somebody is says the registry.
fn identities() -> Vec<Vector> {
    let with_bobs = |name: &'static str, about: &str, expected: &str, committer: Option<&'static str>| {
        Vector::new(name, about, expected, move |bench| {
            let primary = Key::ed25519(&format!("{name} primary"));
            let mut holder = Holder::of(name);
            holder.certificate = Certificate::bare(&primary).user_id(BOB, CERTIFY).subkey(&holder.signer, SIGN);
            bench.lab.admit(&holder);
            bench.to_main(&[bench.plain(committer.unwrap_or(name), &holder)])
        })
    };
    let steal = |name: &'static str,
                 about: &str,
                 words: Option<&'static str>,
                 expected: &str,
                 committer: fn(&str, &str) -> String,
                 loot: fn(&Holder, Holder) -> Certificate| {
        Vector::new(name, about, expected, move |bench| {
            let (victim, thief) = (Holder::of(&format!("{name}-victim")), Holder::of(&format!("{name}-thief")));
            bench.lab.admit(&victim);
            bench.lab.employ(&thief.id);
            let ids = (victim.id.clone(), thief.id.clone());
            let told = add(bench, &ids.1, &loot(&victim, thief));
            match words {
                Some(words) => must_refuse(&told, words),
                // The stolen part is dropped.
                None => assert!(told.succeeded(), "{told:?}"),
            }
            bench.to_main(&[bench.plain(&committer(&ids.0, &ids.1), &victim)])
        })
    };
    let first_come = |name: &'static str, about: &str, flags: u8| {
        Vector::new(name, about, "accepted", move |bench| {
            let (victim, thief) = (Holder::of(name), Holder::of(&format!("{name}-thief")));
            let bind = |certificate: Certificate| certificate.subkey_by(&victim.signer, None, flags, |_| {}, |_| {});
            bench.lab.admit(&grown(thief, bind));
            bench.lab.admit(&victim);
            bench.to_main(&[bench.plain(&victim.id, &victim)])
        })
    };
    let victims = |victim: &str, _: &str| victim.to_owned();
    let thiefs = |_: &str, thief: &str| thief.to_owned();
    vec![
        with_bobs(
            "d05-bobs-address",
            "A certificate with Bob's address signs as Bob.",
            "identity-mismatch",
            Some("bob"),
        ),
        with_bobs("d05-bobs-address-own", "A certificate with Bob's address signs as its holder.", "accepted", None),
        steal(
            "d06-whole",
            "The victim's certificate under the attacker's name.",
            Some("belongs to"),
            "identity-mismatch",
            thiefs,
            |victim, _| victim.certificate.clone(),
        ),
        steal(
            "d06-whole-victim",
            "The victim goes on working after that.",
            Some("belongs to"),
            "accepted",
            victims,
            |victim, _| victim.certificate.clone(),
        ),
        steal(
            "d06-subkey",
            "The victim's subkey in the attacker's certificate.",
            None,
            "identity-mismatch",
            thiefs,
            |victim, thief| thief.certificate.subkey_by(&victim.signer, None, SIGN, |_| {}, |_| {}),
        ),
        steal(
            "d06-subkey-victim",
            "The victim goes on working after that.",
            None,
            "accepted",
            victims,
            |victim, thief| thief.certificate.subkey_by(&victim.signer, None, SIGN, |_| {}, |_| {}),
        ),
        steal(
            "d06-subkey-for-encryption",
            "The victim's subkey, called one for encryption.",
            Some("belongs to"),
            "accepted",
            victims,
            |victim, thief| thief.certificate.subkey_by(&victim.signer, None, ENCRYPT, |_| {}, |_| {}),
        ),
        steal(
            "d06-primary-as-subkey",
            "The victim's primary key as the attacker's subkey.",
            None,
            "accepted",
            victims,
            |victim, thief| thief.certificate.subkey_by(victim.primary(), None, SIGN, |_| {}, |_| {}),
        ),
        first_come(
            "d06-first-come",
            "The attacker binds the victim's key for signing before the victim registers it.",
            SIGN,
        ),
        first_come(
            "d06-first-come-encrypt",
            "The attacker binds it for encryption, which asks for no consent.",
            ENCRYPT,
        ),
    ]
}

fn service_accounts() -> Vec<Vector> {
    let bot = |name: &'static str, about: &str, expected: &str, more: &'static [&'static str]| {
        Vector::new(name, about, expected, move |bench| {
            let (email, holder) = (format!("{name}@example.com"), Holder::of(name));
            let person = ["person", "add", name, "--name", "Bot", "--email", &email];
            bench.lab.must_sync(&[&person[..], more].concat(), b"");
            must_add(bench, name, &holder.certificate);
            bench.to_main(&[bench.plain(name, &holder)])
        })
    };
    vec![
        bot(
            "d07-bot",
            "A service account in its scope, with an active owner.",
            "accepted",
            &["--kind", "service", "--owner", "alice", "--scope", "d07-bot"],
        ),
        bot(
            "d07-bot-without-scope",
            "A service account that may push nowhere.",
            "out-of-scope",
            &["--kind", "service", "--owner", "alice"],
        ),
        bot(
            "d07-bot-elsewhere",
            "A service account in another's repository.",
            "out-of-scope",
            &["--kind", "service", "--owner", "alice", "--scope", "another"],
        ),
        bot(
            "d07-bot-without-owner",
            "A service account that nobody answers for.",
            "owner-not-active",
            &["--kind", "service", "--scope", "d07-bot-without-owner"],
        ),
        bot(
            "d07-bot-of-carol",
            "A service account whose owner has left.",
            "owner-not-active",
            &["--kind", "service", "--owner", "carol", "--scope", "d07-bot-of-carol"],
        ),
        bot("d07-forge", "The key of the server itself, used from outside.", "forge-key-outside", &["--kind", "forge"]),
        Vector::new("d07-ownerless", "A key of nobody is nobody's, not the instance's.", "unknown-key", |bench| {
            let holder = Holder::of("d07-ownerless");
            must_refuse(&add(bench, "d07-ownerless", &holder.certificate), "unknown person");
            bench.to_main(&[bench.plain("alice", &holder)])
        }),
    ]
}

/// What the pushed tree says of policy and keys counts for nothing.
fn trees() -> Vec<Vector> {
    let with_files = |bench: &Bench<'_>, who: &str, signer: Option<&Holder>, files: &[(&str, &str)]| -> Answer {
        let format = bench.format();
        let blobs: Vec<Object> = files.iter().map(|(_, text)| Object::new(format, Kind::Blob, *text)).collect();
        let entries: Vec<(&str, &str, &str)> =
            files.iter().zip(&blobs).map(|((name, _), blob)| ("100644", *name, blob.id.as_str())).collect();
        let tree = Object::tree(format, &entries);
        let signature = if signer.is_some() { "{gpgsig}\n" } else { "" };
        let text =
            format!("tree {}\nparent {{base}}\nauthor {{{who}}}\ncommitter {{{who}}}\n{signature}\nwork\n", tree.id);
        let commit = match signer {
            Some(signer) => bench.signed_by(Kind::Commit, &text, signer),
            None => bench.object(Kind::Commit, &text),
        };
        bench.to_main(&[blobs, vec![tree, commit]].concat())
    };
    const PERMISSIVE: &str = "mode: observe\nsignatures:\n  required: false\n";
    vec![
        Vector::new("d16-policy", "A policy that asks for nothing, in the pushed tree.", "unsigned", move |bench| {
            let files =
                [(".countersign.yaml", PERMISSIVE), ("countersign.yaml", PERMISSIVE), ("policy.yaml", PERMISSIVE)];
            with_files(bench, "alice", None, &files)
        }),
        Vector::new(
            "d16-keys",
            "The key that signs, in the pushed tree, as other tools want it there.",
            "unknown-key",
            move |bench| {
                let holder = Holder::of("d16-keys");
                let armoured = String::from_utf8(holder.certificate.armored()).expect("armor is ASCII");
                let toml = format!(
                    "version = 0\n[authorization.mallory]\nsign_commit = true\nkeyring = \"\"\"\n{armoured}\"\"\"\n"
                );
                let files = [(".gitsigners", &*armoured), ("keyring.asc", &*armoured), ("openpgp-policy.toml", &*toml)];
                with_files(bench, "alice", Some(&holder), &files)
            },
        ),
        Vector::new(
            "d16-attributes",
            "Attributes and configuration that name programs to run.",
            "unknown-key",
            move |bench| {
                let files = [(".gitattributes", "* filter=evil\n"), (".gitconfig", "[gpg]\n\tprogram = /bin/true\n")];
                with_files(bench, "alice", Some(&Holder::of("d16-attributes")), &files)
            },
        ),
    ]
}

/// A key belongs to one person, ever.
fn shared() -> Vec<Vector> {
    let twice = |name: &'static str, about: &str, leaves: bool, committer_is_second: bool, expected: &str| {
        Vector::new(name, about, expected, move |bench| {
            let (first, second) = (Holder::of(name), format!("{name}-second"));
            bench.lab.admit(&first);
            bench.lab.employ(&second);
            if leaves {
                bench.lab.must_sync(&["kill", name, "--reason", "left"], b"");
            }
            must_refuse(&add(bench, &second, &first.certificate), "belongs to");
            bench.to_main(&[bench.plain(if committer_is_second { &second } else { name }, &first)])
        })
    };
    let in_two = |name: &'static str, about: &str, words: &'static str, same_person: bool| {
        Vector::new(name, about, "accepted", move |bench| {
            let first = Holder::of(name);
            bench.lab.admit(&first);
            // The key consents to both.
            let primary = Key::ed25519(&format!("{name} other primary"));
            let second = Holder::with(&format!("{name}-second"), primary, first.signer.clone());
            let who = if same_person { &first.id } else { &second.id };
            if !same_person {
                bench.lab.employ(&second.id);
            }
            must_refuse(&add(bench, who, &second.certificate), words);
            bench.to_main(&[bench.plain(name, &first)])
        })
    };
    vec![
        twice("d18-twice", "One certificate for two persons; the second commits.", false, true, "identity-mismatch"),
        twice("d18-twice-first", "One certificate for two persons; the first commits.", false, false, "accepted"),
        twice("d18-left", "The certificate of somebody who has left, for another.", true, true, "signer-not-active"),
        in_two(
            "d18-subkey-of-two-persons",
            "One signing subkey in the certificates of two persons.",
            "belongs to",
            false,
        ),
        in_two(
            "d18-subkey-of-two-certificates",
            "One signing subkey in two certificates of one person.",
            "stands in",
            true,
        ),
    ]
}
