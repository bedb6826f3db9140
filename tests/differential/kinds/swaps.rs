//! Good signatures at the wrong place, by the wrong key, and several at once.

use crate::cast::{Cast, Sign, Who, keygen_sign, read};
use crate::object::{BOTH, Objects, What, folded, with_header};
use countersign_tests::process::must;
use std::process::Command;

pub fn generate(cast: &mut Cast, objects: &mut Objects) {
    let bob = keys_of(cast, "bob", Some(Who::Bob));
    let nobody = keys_of(cast, "nobody", None);
    for what in BOTH {
        let payload = what.payload();
        let put = |signature: &[u8]| what.signed(&payload, signature);
        for (stranger, kind) in [(&bob, "swap/colleagues-key"), (&nobody, "swap/unknown-key")] {
            for sign in stranger {
                objects.add(kind, what, put(&sign(&payload)));
            }
        }
        for signer in &cast.signers {
            let sign = |bytes: &[u8]| (signer.sign)(bytes);
            let good = sign(&payload);
            let text = String::from_utf8_lossy(&payload).into_owned();
            let other = if what == What::Commit { What::Tag } else { What::Commit };
            for (kind, signed) in [
                ("swap/of-another-message", text.replace("line", "word").replace("First", "Last")),
                ("swap/of-another-parent", text.replace("1111", "2222")),
                ("swap/of-another-date", text.replace("1750000", "1750001")),
                ("swap/of-more-lines", format!("{text}\n")),
                ("swap/of-fewer-lines", text.trim_end().to_owned()),
                ("swap/of-carriage-returns", text.replace('\n', "\r\n")),
                ("swap/of-nothing", String::new()),
                ("swap/of-the-other-type", String::from_utf8_lossy(&other.payload()).into_owned()),
                ("swap/of-header-and-payload", format!("{} {}\0{text}", what.name(), text.len())),
            ] {
                objects.add(kind, what, put(&sign(signed.as_bytes())));
            }
            objects.add("swap/of-its-own-object", what, put(&sign(&put(&good))));
            let bad = sign(b"something else\n");
            for (name, second) in [
                ("bad", bad),
                ("by-a-colleague", bob[usize::from(!signer.openpgp)](&payload)),
                ("unknown", nobody[usize::from(!signer.openpgp)](&payload)),
                ("of-the-other-format", (cast.signers[if signer.openpgp { 3 } else { 0 }].sign)(&payload)),
                ("good", sign(&payload)),
            ] {
                objects.add(format!("two-blocks/{name}-last"), what, put(&[&good[..], &second].concat()));
                objects.add(format!("two-blocks/{name}-first"), what, put(&[&second[..], &good].concat()));
                if what == What::Commit {
                    let raw = put(&good);
                    let at = raw.windows(7).position(|window| window == b"gpgsig ").expect("a header");
                    let end = raw.windows(2).position(|window| window == b"\n\n").expect("a message") + 1;
                    let header = folded(&second);
                    objects.add(format!("two-headers/{name}-last"), what, with_header(&raw, end, &header));
                    objects.add(format!("two-headers/{name}-first"), what, with_header(&raw, at, &header));
                    let apart = with_header(&with_header(&raw, end, &header), end, b"x-between y\n");
                    objects.add(format!("two-headers/{name}-apart"), what, apart);
                }
            }
        }
    }
}

/// An OpenPGP key and an SSH key of somebody else.
fn keys_of(cast: &mut Cast, name: &str, who: Option<Who>) -> [Sign; 2] {
    let fingerprint = cast.make_gpg_key(&format!("{name} <{name}@example.com>"), "ed25519", None);
    let certificate = must(cast.gpg(crate::openpgp::KEYS_MADE).args(["--armor", "--export", &fingerprint]));
    let private = cast.folder().join(name);
    must(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&private));
    if let Some(who) = who {
        cast.add_openpgp(who, certificate.as_bytes()).expect("a good certificate");
        cast.add_ssh(who, &read(&private.with_extension("pub"))).expect("a good key");
    } else {
        cast.strangers.push(fingerprint.clone());
    }
    [cast.gpg_sign(&fingerprint), keygen_sign(private)]
}
