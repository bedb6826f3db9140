//! Section C: numbers of signatures out of their range.

use crate::openpgp::commit;
use crate::openpgp_maker::*;
use crate::vector::Vector;

const BAD: &str = "bad-signature";

pub fn vectors() -> Vec<Vector> {
    numbers()
}

/// Big-endian numbers of the curves' groups and of the test key.
fn order(name: &str) -> Vec<u8> {
    let text = match name {
        "p-256" => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        "p-384" => "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        "p-521" => {
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709\
             a5d03bb5c9b8899c47aebb6fb71e91386409"
        }
        _ => panic!("{name} is no curve"),
    };
    hex::decode(text).expect("hex")
}

/// Little-endian order of the Ed25519 group.
const L: [u8; 32] = {
    let low = [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14];
    let mut order = [0; 32];
    let mut place = 0;
    while place < 16 {
        order[place] = low[place];
        place += 1;
    }
    order[31] = 0x10;
    order
};

fn plus_order(s: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let add = |(a, b): (&u8, &u8)| {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        carry = sum >> 8;
        sum as u8
    };
    s.iter().zip(&L).map(add).collect()
}

/// The two numbers of a packet, without their lengths.
fn split_numbers(numbers: &[u8]) -> [Vec<u8>; 2] {
    let bytes = usize::from(u16::from_be_bytes([numbers[0], numbers[1]])).div_ceil(8);
    [numbers[2..2 + bytes].to_vec(), numbers[4 + bytes..].to_vec()]
}

fn padded(number: &[u8], width: usize) -> Vec<u8> {
    [vec![0; width - number.len()], number.to_vec()].concat()
}

/// Numbers out of their range, for each algorithm.
fn numbers() -> Vec<Vector> {
    type Change = Box<dyn Fn(Vec<u8>, Vec<u8>) -> [Vec<u8>; 2] + Send + Sync>;
    let mut vectors = Vec::new();
    for curve in ["p-256", "p-384", "p-521"] {
        let n = order(curve);
        let mut above = n.clone();
        *above.last_mut().expect("a number") += 1;
        let wide = [vec![1], vec![0; n.len()]].concat();
        for (name, odd) in [
            ("zero", vec![]),
            ("order", n.clone()),
            ("order-plus-one", above),
            ("all-ones", vec![0xff; n.len()]),
            ("too-wide", wide),
        ] {
            for place in [0, 1] {
                let (odd, which) = (odd.clone(), ["r", "s"][place]);
                vectors.push(commit(
                    &format!("c30-{curve}-{which}-{name}"),
                    &format!("An ECDSA signature whose {which} is out of range."),
                    BAD,
                    curve,
                    move |holder, payload| {
                        let mut good = holder.sign(payload);
                        let mut numbers = split_numbers(&good.numbers);
                        numbers[place] = odd.clone();
                        good.numbers = numbers.iter().flat_map(|number| mpi(number)).collect();
                        good.armored()
                    },
                ));
            }
        }
        let of = |name: &str, about, change: Change| {
            commit(&format!("c30-{curve}-{name}"), about, BAD, curve, move |holder, payload| {
                let mut good = holder.sign(payload);
                let [r, s] = split_numbers(&good.numbers);
                good.numbers = change(r, s).iter().flat_map(|number| mpi(number)).collect();
                good.armored()
            })
        };
        vectors.push(of(
            "both-zero",
            "Nothing but zeros, good for every message where nobody looks.",
            Box::new(|_, _| [vec![], vec![]]),
        ));
        vectors.push(of("both-one", "Ones.", Box::new(|_, _| [vec![1], vec![1]])));
        vectors.push(of("swapped", "The two numbers in the other order.", Box::new(|r, s| [s, r])));
        vectors.push(of("r-twice", "The first number twice.", Box::new(|r, _| [r.clone(), r])));
    }
    for who in ["ed25519", "ed25519-new", "ed25519-v6"] {
        let of = |name: &str, about, expected, change: fn(&[u8], &[u8]) -> [Vec<u8>; 2]| {
            commit(&format!("c30-{who}-{name}"), about, expected, who, move |holder, payload| {
                let mut good = holder.sign(payload);
                let whole = if good.algorithm == ED25519 {
                    good.numbers.clone()
                } else {
                    split_numbers(&good.numbers).iter().flat_map(|half| padded(half, 32)).collect()
                };
                let (r, s) = whole.split_at(32);
                good.numbers = ed25519_numbers(good.algorithm, &change(r, s).concat());
                good.armored()
            })
        };
        vectors.extend([
            of("unchanged", "A good signature, taken apart and put together.", "accepted", |r, s| {
                [r.to_vec(), s.to_vec()]
            }),
            of("s-plus-order", "The same number, beyond the order.", BAD, |r, s| [r.to_vec(), plus_order(s)]),
            of("s-order", "The order itself.", BAD, |r, _| [r.to_vec(), L.to_vec()]),
            of("s-all-ones", "Nothing but ones.", BAD, |r, _| [r.to_vec(), vec![0xff; 32]]),
            of("s-zero", "The second half zero.", BAD, |r, _| [r.to_vec(), vec![0; 32]]),
            of("zeros", "Nothing but zeros.", BAD, |_, _| [vec![0; 32], vec![0; 32]]),
            of("identity", "The neutral point and zero.", BAD, |_, _| [[vec![1], vec![0; 31]].concat(), vec![0; 32]]),
            of("r-not-canonical", "The neutral point, written beyond the field.", BAD, |_, s| {
                [[vec![0xee], vec![0xff; 30], vec![0x7f]].concat(), s.to_vec()]
            }),
            of("swapped", "The halves in the other order.", BAD, |r, s| [s.to_vec(), r.to_vec()]),
        ]);
    }
    let modulus = || {
        let material = Holder::called("rsa-2048").signer.material;
        material[2..258].to_vec()
    };
    let rsa = |name: &str, about, expected, change: fn(Vec<u8>, Vec<u8>) -> Vec<u8>| {
        commit(&format!("c30-rsa-{name}"), about, expected, "rsa-2048", move |holder, payload| {
            let mut good = holder.sign(payload);
            good.numbers = mpi(&change(good.numbers[2..].to_vec(), modulus()));
            good.armored()
        })
    };
    vectors.extend([
        rsa("modulus", "The modulus itself.", BAD, |_, n| n),
        rsa("plus-modulus", "The same number, beyond the modulus.", BAD, |s, n| sum(&s, &n)),
        rsa("all-ones", "Nothing but ones.", BAD, |_, n| vec![0xff; n.len()]),
        rsa("zero", "Zero.", BAD, |_, _| vec![]),
        rsa("one", "One.", BAD, |_, _| vec![1]),
        rsa("modulus-less-one", "The modulus less one.", BAD, |_, mut n| {
            *n.last_mut().expect("a number") -= 1;
            n
        }),
        rsa("too-wide", "Twice as long as the modulus.", BAD, |s, _| [s.clone(), s].concat()),
        rsa("short", "Half of the number.", BAD, |s, _| s[..128].to_vec()),
        rsa("padding-unsigned", "Padding and no more, which nobody raised to a power.", BAD, |_, n| {
            [vec![1], vec![0xff; n.len() - 2]].concat()
        }),
    ]);
    vectors
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let width = a.len().max(b.len()) + 1;
    let (a, b) = (padded(a, width), padded(b, width));
    let mut carry = 0;
    let mut out: Vec<u8> = a
        .iter()
        .zip(&b)
        .rev()
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            sum as u8
        })
        .collect();
    out.reverse();
    out
}
