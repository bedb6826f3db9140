//! Section H, the part that certificates tell: keys that end, and revocations. The push is what counts, not the
//! date that a signature bears.

use crate::bench::Answer;
use crate::openpgp_maker::*;
use crate::vector::Vector;

/// Seconds from a key's making to its end, long before the commits.
const LIFE: u32 = 50_000_000;
/// A moment of that life.
const IN_LIFE: u32 = KEY_DATE + 1_000_000;

pub fn vectors() -> Vec<Vector> {
    vec![
        pushed(
            "h01-older-than-its-key",
            "A signature from before its key was made.",
            "key-not-yet-valid",
            Holder::of,
            |made| {
                made.set(Subpacket::time(2, KEY_DATE - 86_400));
            },
        ),
        pushed("h02-signature-of-the-next-century", "A signature of the year 2100.", "time-skew", Holder::of, |made| {
            made.set(Subpacket::time(2, 4_102_444_800));
        }),
        pushed(
            "h04-expired-key-in-its-time",
            "Dated while the key was good, seen first after its end.",
            "key-expired",
            expired,
            |made| made.set(Subpacket::time(2, IN_LIFE)),
        ),
        pushed("h04-expired-key-today", "Dated after the key's end.", "key-expired", expired, |_| {}),
        pushed(
            "h05-backdated-with-a-superseded-certificate",
            "Dated before the owner replaced the key, seen first after.",
            "key-revoked",
            |id| revoked(id, 1, SHA512),
            |made| made.set(Subpacket::time(2, KEY_DATE + 150_000)),
        ),
        pushed(
            "h05-backdated-with-a-retired-certificate",
            "Dated before the owner gave the key up, seen first after.",
            "key-revoked",
            |id| revoked(id, 3, SHA512),
            |made| made.set(Subpacket::time(2, KEY_DATE + 150_000)),
        ),
        pushed(
            "h06-stolen-certificate",
            "The owner says the key was stolen: no date helps.",
            "key-revoked",
            |id| revoked(id, 2, SHA512),
            |made| made.set(Subpacket::time(2, KEY_DATE + 150_000)),
        ),
        pushed(
            "h06-revoked-without-reason",
            "A revocation that gives no reason is taken for the worst.",
            "key-revoked",
            |id| revoked(id, 0, SHA512),
            |made| made.set(Subpacket::time(2, KEY_DATE + 150_000)),
        ),
        pushed(
            "h09-revocation-by-sha-1",
            "The revocation itself is signed over SHA-1: it is honoured, though nothing else would be.",
            "key-revoked",
            |id| revoked(id, 2, SHA1),
            |_| {},
        ),
        renewed("h15-extended-key", "The owner moved the key's end, and the registry took the new copy.", expired),
        renewed("m13-extended-key", "A key whose end was moved before it was used again.", expired),
        revived("h07-key-taken-up-again", "Given up, then bound anew by the owner later."),
        revived("m13-key-taken-up-again", "Given up, then bound anew by the owner later."),
    ]
}

/// A registered person's commit, whose signature `change` has been at.
fn pushed(
    name: &'static str,
    about: &str,
    expected: &str,
    holder: impl Fn(&str) -> Holder + Send + Sync + 'static,
    change: impl Fn(&mut Signature) + Send + Sync + 'static,
) -> Vector {
    Vector::new(name, about, expected, move |bench| {
        let holder = holder(name);
        bench.lab.admit(&holder);
        bench.to_main(&[bench.plain_with_block(name, |payload| holder.sign_as(payload, &change).armored())])
    })
}

/// The first copy is of no use any more; the second, of the same keys, is.
fn renewed(name: &'static str, about: &str, first: fn(&str) -> Holder) -> Vector {
    Vector::new(name, about, "accepted", move |bench| {
        bench.lab.admit(&first(name));
        let refused = bench.to_main(&[bench.plain(name, &Holder::of(name))]);
        assert!(!refused.moved, "{}", refused.said);
        updated(bench, &Holder::of(name))
    })
}

fn revived(name: &'static str, about: &str) -> Vector {
    Vector::new(name, about, "accepted", move |bench| {
        let mut holder = Holder::of(name);
        let user_id = user_id(name);
        let primary = holder.primary().clone();
        holder.certificate = holder.certificate.revoked(&primary, 3).user_id_by(None, &user_id, |made| {
            made.set(Subpacket::time(2, KEY_DATE + 300_000));
            made.set(Subpacket::new(27, [CERTIFY]));
        });
        bench.lab.admit(&holder);
        bench.to_main(&[bench.plain(name, &holder)])
    })
}

/// The registry takes this copy, and its holder commits.
fn updated(bench: &crate::bench::Bench<'_>, holder: &Holder) -> Answer {
    let taken = bench.lab.sync(&["key", "add", &holder.id, "--openpgp", "-"], &holder.certificate.armored());
    assert!(taken.succeeded(), "the door: {}{}", taken.stdout, taken.stderr);
    bench.to_main(&[bench.plain(&holder.id, holder)])
}

fn user_id(id: &str) -> Vec<u8> {
    format!("{} <{id}@example.com>", countersign_tests::handmade::capitalised(id)).into_bytes()
}

/// Its primary key, and all with it, ended in 2022.
fn expired(id: &str) -> Holder {
    let mut holder = Holder::of(id);
    let signer = holder.signer.clone();
    holder.certificate = Certificate::bare(&holder.certificate.primary)
        .user_id_by(None, &user_id(id), |made| {
            made.set(Subpacket::time(2, KEY_DATE + 50_000));
            made.set(Subpacket::new(27, [CERTIFY]));
            made.set(Subpacket::time(9, LIFE));
        })
        .subkey(&signer, SIGN);
    holder
}

/// Revoked by its owner, two days after it was made.
fn revoked(id: &str, reason: u8, hash: u8) -> Holder {
    let mut holder = Holder::of(id);
    let primary = holder.primary().clone().always(move |made| made.hash = hash);
    holder.certificate = holder.certificate.revoked(&primary, reason);
    holder
}
