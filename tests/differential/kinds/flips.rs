//! Bytes changed after signing. Which bit of which byte depends on nothing but the place.

use crate::cast::Cast;
use crate::object::{BOTH, Objects, What};
use std::ops::Range;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A number that looks like chance (SplitMix64) and is the same for the same place.
fn mixed(signer: usize, at: usize) -> u64 {
    let seed = 0x5eed_u64 ^ ((signer as u64) << 32) ^ at as u64;
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// At most `count` places of `range`, spread over it.
fn places(range: Range<usize>, count: usize) -> impl Iterator<Item = usize> {
    let length = range.len();
    (0..count.min(length)).map(move |index| range.start + index * length / count.min(length))
}

pub fn generate(cast: &Cast, objects: &mut Objects) {
    for (number, signer) in cast.signers.iter().enumerate() {
        for what in BOTH {
            let payload = what.payload();
            let signature = (signer.sign)(&payload);
            let raw = what.signed(&payload, &signature);
            let find = |text: &[u8]| raw.windows(text.len()).position(|window| window == text).expect("it is there");
            let begin = find(b"-----BEGIN ");
            let end = find(b"-----END ");
            let body = begin + raw[begin..].iter().position(|&byte| byte == b'\n').expect("a line end");
            let after = end + raw[end..].iter().position(|&byte| byte == b'\n').expect("a line end") + 1;
            let flip = |at: usize| {
                let mut changed = raw.clone();
                changed[at] ^= 1 << (mixed(number, at) % 8);
                changed
            };
            for at in places(0..begin, 30) {
                objects.add("flip/before-the-signature", what, flip(at));
            }
            for at in places(after..raw.len(), 15) {
                objects.add("flip/after-the-signature", what, flip(at));
            }
            let digit = |at: &usize| ALPHABET.iter().position(|byte| *byte == raw[*at]);
            // What stands before the padding has bits that mean nothing: whether they change would be chance.
            let whole = |at: &usize| digit(at).is_some() && raw[at + 1] != b'=';
            for at in places(body..end, 30).filter(whole) {
                let mut changed = raw.clone();
                let step = 1 + mixed(number, at) as usize % 63;
                changed[at] = ALPHABET[(digit(&at).expect("a digit") + step) % 64];
                objects.add("flip/base64", what, changed);
            }
            if signer.steady {
                armor(what, &raw, number, [begin, body, end, after], objects);
            }
            signed_bytes(&signature, signer.openpgp, number, &mut |kind, text| {
                objects.add(kind, what, what.signed(&payload, text));
            });
        }
    }
}

/// Bytes of the armor. Digits become what is no digit: any bit of theirs could make a line end by chance.
fn armor(what: What, raw: &[u8], number: usize, [begin, body, end, after]: [usize; 4], objects: &mut Objects) {
    let flip = |at: usize| {
        let mut changed = raw.to_vec();
        let digit = (body..end).contains(&at) && ALPHABET.contains(&raw[at]);
        changed[at] ^= if digit { 0x80 } else { 1 << (mixed(number, at) % 8) };
        changed
    };
    for at in (begin..body).chain(end..after).step_by(2) {
        objects.add("flip/labels", what, flip(at));
    }
    for at in places(body..end, 30).chain((body..end).filter(|at| !ALPHABET.contains(&raw[*at]))) {
        objects.add("flip/body", what, flip(at));
    }
    for at in places(0..raw.len(), 24) {
        objects.add("flip/cut-short", what, raw[..at].to_vec());
        let mut changed = raw.to_vec();
        changed.remove(at);
        objects.add("flip/byte-lost", what, changed.clone());
        changed.insert(at, raw[at]);
        changed.insert(at, raw[at]);
        objects.add("flip/byte-doubled", what, changed.clone());
        changed[at] = b"\0\n\r\t <>\x1b\xff"[mixed(number, at) as usize % 9];
        objects.add("flip/byte-put-in", what, changed);
    }
}

/// Bits of the signature itself, in armor that is right again.
fn signed_bytes(signature: &[u8], openpgp: bool, number: usize, add: &mut dyn FnMut(&str, &[u8])) {
    let bytes = super::armor::opened(signature);
    for at in places(0..bytes.len(), 40) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (mixed(number, at) % 8);
        if openpgp {
            add("flip/openpgp-packet", &crate::openpgp::armored(&changed));
        } else {
            add("flip/sshsig-fields", &crate::sshsig::armored(&changed));
        }
    }
}
