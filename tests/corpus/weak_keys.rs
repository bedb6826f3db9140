//! Section D: keys that are no good, as primary key and as subkey.

use crate::certificates::{grown, refused, taken};
use crate::openpgp_maker::*;
use crate::vector::Vector;

pub fn vectors() -> Vec<Vector> {
    [weak_keys(), small_order()].into_iter().flatten().collect()
}

/// A number of this many bits that begins and ends as given.
fn number(bits: usize, last: u8) -> Vec<u8> {
    let mut number = vec![0xc5; bits.div_ceil(8)];
    number[0] = match bits % 8 {
        0 => 0xc5,
        odd => 1 << (odd - 1),
    };
    *number.last_mut().expect("a number") = last;
    number
}

/// What RSA signs of a SHA-512 digest; with an exponent of one it is the signature itself.
fn encoded_message(digest: &[u8], width: usize) -> Vec<u8> {
    let info = hex::decode("3051300d060960864801650304020305000440").expect("hex");
    let padding = vec![0xff; width - 3 - info.len() - digest.len()];
    [&[0, 1], &padding[..], &[0], &info, digest].concat()
}

fn weak_keys() -> Vec<Vector> {
    let rsa = |modulus: Vec<u8>, exponent: &[u8]| {
        let width = modulus.len();
        Key::forged(RSA, [mpi(&modulus), mpi(exponent)].concat(), move |_, digest| mpi(&encoded_message(digest, width)))
    };
    let good_modulus = || Key::stored("rsa-2048", "").material[2..258].to_vec();
    let e = [1, 0, 1];
    let mut vectors = Vec::new();
    // Where nobody can sign with the key, nobody can consent with it either, and the subkey is dropped.
    let (weak, dropped) = ("weak-algorithm", "unknown-key");
    let keys: [(&'static str, &'static str, &str, &'static str, &str, Key); 9] = [
        ("d13-1024-bits", "d13-1024-bits-subkey", "RSA of 1024 bits", "too short", dropped, rsa(number(1024, 1), &e)),
        ("d13-2047-bits", "d13-2047-bits-subkey", "RSA of 2047 bits", "too short", dropped, rsa(number(2047, 1), &e)),
        ("d13-16k-bits", "d13-16k-bits-subkey", "RSA of 16384 bits", "too long", dropped, rsa(number(16_384, 1), &e)),
        ("d13-even-modulus", "d13-even-modulus-subkey", "An even modulus", "even", dropped, rsa(number(2048, 2), &e)),
        (
            "d13-exponent-one",
            "d13-exponent-one-subkey",
            "An exponent of one, where the padded digest is the signature",
            "exponent is 1",
            weak,
            rsa(good_modulus(), &[1]),
        ),
        (
            "d13-exponent-even",
            "d13-exponent-even-subkey",
            "An even exponent",
            "even",
            dropped,
            rsa(good_modulus(), &[2]),
        ),
        (
            "d13-exponent-64-bits",
            "d13-exponent-64-bits-subkey",
            "An exponent of 64 bits",
            "exponent of 64 bits",
            dropped,
            rsa(good_modulus(), &[0xff; 8]),
        ),
        (
            "d14-rsa-1024",
            "d14-rsa-1024-subkey",
            "A real RSA key of 1024 bits",
            "too short",
            weak,
            Key::stored("rsa-1024", "d14"),
        ),
        ("d14-dsa", "d14-dsa-subkey", "DSA of 2048 bits", "DSA keys are no longer safe", dropped, dsa()),
    ];
    for (name, subkey, what, words, expected, mut key) in keys {
        let primary = key.clone();
        vectors.push(refused(name, &format!("{what}, as primary key."), words, move |holder| {
            let mut holder = Holder::with(&holder.id, primary.clone(), holder.signer);
            holder.signer = primary.clone();
            holder
        }));
        let words = if expected == weak { words } else { "" };
        // Another date, another key: the two certificates have nothing to do with each other.
        key.created += 1;
        vectors.push(taken(
            subkey,
            &format!("{what}, as a second signing subkey, which signs."),
            (words, expected),
            move |holder| {
                let mut holder = grown(holder, |certificate| certificate.subkey(&key, SIGN));
                holder.signer = key.clone();
                holder
            },
        ));
    }
    for (name, algorithm) in [("d14-elgamal", 16), ("d14-elgamal-that-signs", 20)] {
        vectors.push(refused(name, "A primary key of ElGamal.", "", move |holder| {
            let material = [mpi(&number(2048, 1)), mpi(&[2]), mpi(&number(2048, 1))].concat();
            let key = Key::forged(algorithm, material, |_, digest| [mpi(digest), mpi(digest)].concat());
            Holder::with(&holder.id, key, holder.signer)
        }));
    }
    vectors
}

/// Public numbers of a real DSA key; what it signs is made up, since nobody is to look at it.
fn dsa() -> Key {
    let material = ["p", "q", "g", "y"].map(|field| mpi(&stored_number("dsa-2048", field))).concat();
    Key::forged(DSA, material, |_, digest| [mpi(&digest[..32]), mpi(&digest[32..])].concat())
}

/// Points whose order divides eight, and encodings that have a twin.
fn small_order() -> Vec<Vector> {
    // Forged with the neutral point and zero, a consent fits each time where the key is that point, and at times where
    // its order is small. Where it does not, the subkey is dropped.
    let (fits, dropped) = ("weak-algorithm", "unknown-key");
    let points: [(&'static str, &'static str, &str, &str); 11] = [
        ("d15-order-1", "d15-order-1-subkey", "0100000000000000000000000000000000000000000000000000000000000000", fits),
        (
            "d15-order-1-signed",
            "d15-order-1-signed-subkey",
            "0100000000000000000000000000000000000000000000000000000000000080",
            dropped,
        ),
        ("d15-order-2", "d15-order-2-subkey", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", fits),
        (
            "d15-order-4",
            "d15-order-4-subkey",
            "0000000000000000000000000000000000000000000000000000000000000000",
            dropped,
        ),
        (
            "d15-order-4-signed",
            "d15-order-4-signed-subkey",
            "0000000000000000000000000000000000000000000000000000000000000080",
            dropped,
        ),
        (
            "d15-order-8",
            "d15-order-8-subkey",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            dropped,
        ),
        (
            "d15-order-8-signed",
            "d15-order-8-signed-subkey",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            dropped,
        ),
        (
            "d15-other-order-8",
            "d15-other-order-8-subkey",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            fits,
        ),
        (
            "d15-other-order-8-signed",
            "d15-other-order-8-signed-subkey",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            dropped,
        ),
        ("d15-field", "d15-field-subkey", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", dropped),
        (
            "d15-field-plus-one",
            "d15-field-plus-one-subkey",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            dropped,
        ),
    ];
    let mut vectors = Vec::new();
    for (name, subkey, point, expected) in points {
        let key = move |algorithm| {
            let material = ed25519_material(algorithm, &hex::decode(point).expect("hex"));
            let neutral = [&[1], &[0; 63][..]].concat();
            Key::forged(algorithm, material, move |_, _| ed25519_numbers(algorithm, &neutral))
        };
        vectors.push(refused(
            name,
            "A public key of small order, or with two encodings, as primary key.",
            "weak",
            move |holder| {
                let mut holder = Holder::with(&holder.id, key(EDDSA), holder.signer);
                holder.signer = key(EDDSA);
                holder
            },
        ));
        vectors.push(taken(
            subkey,
            "The same as a second signing subkey, which signs.",
            (if expected == fits { "weak" } else { "" }, expected),
            move |holder| {
                let mut holder = grown(holder, |certificate| certificate.subkey(&key(ED25519), SIGN));
                holder.signer = key(ED25519);
                holder
            },
        ));
    }
    vectors
}
