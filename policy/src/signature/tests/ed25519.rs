//! A batch takes exactly the signatures that are taken one by one. Whoever has the secret key can make every kind that
//! the two might see differently; these are made here.

use crate::signature::ed25519::{BATCH_LEAST, Batch, KEYS_MAX, Keys, Random, SUMS, decoded, is_torsion_free};
use crate::signature::primitive::{Hash, Numbers, Signed, VerifyKey};
use crate::signature::together::{Checks, Together, all_hold};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use proptest::prelude::*;

const MESSAGE: &[u8] = b"what is signed";

/// A number that depends on `n` alone and is any of them.
fn scalar(n: u64) -> Scalar {
    let hash = Hash::Sha512.of([b"scalar".as_slice(), &n.to_le_bytes()]);
    Scalar::from_bytes_mod_order_wide(hash.as_ref().try_into().unwrap())
}

fn hashed(r: &[u8; 32], key: &[u8; 32]) -> Scalar {
    let hash = Hash::Sha512.of([r.as_slice(), key, MESSAGE]);
    Scalar::from_bytes_mod_order_wide(hash.as_ref().try_into().unwrap())
}

/// A key with its secret, and a torsion point that is part of it.
struct Pair {
    secret: Scalar,
    key: [u8; 32],
}

impl Pair {
    fn new(n: u64) -> Self {
        Pair::with(n, 0)
    }

    fn with(n: u64, torsion: usize) -> Self {
        let secret = scalar(n);
        Pair { secret, key: (secret * B + EIGHT_TORSION[torsion]).compress().to_bytes() }
    }

    /// Good for all but what `r` is beside `number` times the base point.
    fn sign_as(&self, r: [u8; 32], number: Scalar) -> Made {
        let s = number + hashed(&r, &self.key) * self.secret;
        Made { key: self.key, signature: joined(&r, s.as_bytes()) }
    }

    fn sign_with(&self, n: u64, torsion: usize) -> Made {
        let number = scalar(n ^ 0x5555);
        self.sign_as((number * B + EIGHT_TORSION[torsion]).compress().to_bytes(), number)
    }

    fn sign(&self, n: u64) -> Made {
        self.sign_with(n, 0)
    }
}

fn joined(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    [*r, *s].concat().try_into().unwrap()
}

#[derive(Clone, Debug)]
struct Made {
    key: [u8; 32],
    signature: [u8; 64],
}

impl Made {
    /// As registration leaves it.
    fn verify_key(&self) -> VerifyKey {
        VerifyKey::Ed25519 { point: self.key.to_vec(), torsion_free: false }.registered()
    }

    fn verify(&self, checks: Checks<'_>) -> bool {
        checks
            .verify(&self.verify_key(), Hash::Sha512, Signed::Message(MESSAGE), &Numbers::Ed25519(&self.signature))
            .is_ok()
    }

    fn alone(&self) -> bool {
        self.verify(Checks::AT_ONCE)
    }

    /// Its `s` changed by so much.
    fn moved(&self, by: Scalar) -> Made {
        let (r, s) = self.signature.split_first_chunk::<32>().unwrap();
        let s = Scalar::from_canonical_bytes(s.try_into().unwrap()).unwrap() + by;
        Made { signature: joined(r, s.as_bytes()), ..*self }
    }
}

/// Good signatures by a few keys, more than a batch has at least.
fn good() -> Vec<Made> {
    (0..BATCH_LEAST as u64 + 24).map(|n| Pair::new(n % 5).sign(n)).collect()
}

fn seed(n: u64) -> [u8; 32] {
    Hash::Sha256.of([n.to_le_bytes().as_slice()]).as_ref().try_into().unwrap()
}

/// Whether all get into a batch, and it holds.
fn holds(made: &[Made], seed_of: u64) -> bool {
    batch(made, seed_of).is_some_and(|batch| all_hold(batch.questions()))
}

fn batch(made: &[Made], seed_of: u64) -> Option<Batch> {
    batch_with(&Keys::default(), made, seed_of)
}

fn batch_with(keys: &Keys, made: &[Made], seed_of: u64) -> Option<Batch> {
    let mut batch = Batch::new(seed(seed_of), keys.clone());
    // In parts, as they come.
    let taken = made.chunks(29).all(|part| {
        let taken = part.iter().all(|made| batch.take(&made.verify_key(), MESSAGE, &made.signature));
        batch.sum_up();
        taken
    });
    taken.then_some(batch)
}

/// As workers find it, for each: `Err` where it had to be done again one by one.
fn settled(made: &[Made], seed_of: u64) -> Result<Vec<bool>, Vec<bool>> {
    let by_workers = |seed: &dyn Fn(u64) -> Option<[u8; 32]>| {
        let (many, few) = made.split_at(made.len() * 3 / 4);
        let first = Together::new(None);
        let workers = [many, few].into_iter().zip(0..).map(|(made, worker)| {
            let mut together = first.beside(seed(worker));
            for part in made.chunks(17) {
                together.find(|checks, found| found.extend(part.iter().map(|made| made.verify(checks))));
            }
            together
        });
        Together::settle(workers, all_hold)
    };
    let together = by_workers(&|worker| Some(seed(seed_of.wrapping_mul(2) + worker)));
    together.ok_or_else(|| by_workers(&|_| None).unwrap())
}

fn judged(made: &[Made], seed_of: u64) -> Vec<bool> {
    settled(made, seed_of).unwrap_or_else(|again| again)
}

fn one_by_one(made: &[Made]) -> Vec<bool> {
    made.iter().map(Made::alone).collect()
}

#[test]
fn good_signatures_hold_in_batches_of_every_size() {
    let made: Vec<Made> = (0..150).map(|n| Pair::new(n % 7).sign(n)).collect();
    assert!(one_by_one(&made).iter().all(|good| *good));
    for size in (0..=10).chain(BATCH_LEAST - 2..BATCH_LEAST + 12).chain([150]) {
        assert!(holds(&made[..size], size as u64), "{size}");
    }
}

#[test]
fn one_bad_signature_spoils_a_batch_wherever_it_is() {
    let changed = Hash::Sha512.of([MESSAGE]);
    for size in [1, BATCH_LEAST - 1, BATCH_LEAST, 2 * BATCH_LEAST + 3] {
        let made: Vec<Made> = (0..size as u64).map(|n| Pair::new(n % 5).sign(n)).collect();
        assert_eq!(settled(&made, 1), Ok(vec![true; size]));
        for at in [0, size / 2, size - 1] {
            let mut spoiled = made.clone();
            spoiled[at] = made[at].moved(Scalar::ONE);
            assert!(!holds(&spoiled, at as u64), "{at} of {size}");
            assert_eq!(settled(&spoiled, at as u64), Err((0..size).map(|other| other != at).collect()));
            spoiled[at] = Pair::new(99).sign_as(changed.as_ref()[..32].try_into().unwrap(), scalar(1));
            assert!(!holds(&spoiled, at as u64), "{at} of {size}");
        }
    }
}

#[test]
fn torsion_is_told_exactly() {
    for n in 0..20 {
        for (at, torsion) in EIGHT_TORSION.iter().enumerate() {
            let point = scalar(n) * B + torsion;
            assert_eq!(is_torsion_free(&point), at == 0, "{at}");
            assert_eq!(is_torsion_free(torsion), at == 0);
            assert_eq!(is_torsion_free(&point), point.is_torsion_free(), "as the library tells it, slower");
        }
    }
}

/// All but the cofactor of such a signature is good, which is what other batches take.
#[test]
fn c30_torsion_in_r_is_refused_as_it_is_alone() {
    for torsion in 1..8 {
        let odd = Pair::new(1).sign_with(2, torsion);
        let r = decoded(odd.signature.first_chunk().unwrap()).unwrap();
        let s = Scalar::from_canonical_bytes(odd.signature[32..].try_into().unwrap()).unwrap();
        let left = s * B - hashed(odd.signature.first_chunk().unwrap(), &odd.key) * Pair::new(1).secret * B - r;
        assert!(!left.is_identity() && left.mul_by_cofactor().is_identity());
        let mut made = good();
        made[7] = odd;
        for seed in 0..20 {
            assert!(!holds(&made, seed), "{torsion}");
        }
        assert_eq!(judged(&made, 0), one_by_one(&made));
        assert!(!judged(&made, 0)[7]);
    }
}

/// Sums in which each counts once would not see these.
#[test]
fn bad_signatures_that_cancel_are_seen() {
    let order_two = 4;
    for seed in 0..20 {
        let mut made = good();
        (made[3], made[40]) = (made[3].moved(scalar(7)), made[40].moved(-scalar(7)));
        assert!(!holds(&made, seed), "what one has too much, the other lacks");
        assert_eq!(judged(&made, seed), one_by_one(&made));
        for (one, other) in [(1, 7), (2, 6), (order_two, order_two)] {
            let mut made = good();
            made[3] = Pair::new(3).sign_with(3, one);
            made[40] = Pair::new(3).sign_with(40, other);
            assert!(!holds(&made, seed), "two torsion points that are nothing together");
            assert_eq!(judged(&made, seed), one_by_one(&made));
        }
        let all: Vec<Made> = (0..128).map(|n| Pair::new(n).sign_with(n, order_two)).collect();
        assert!(!holds(&all, seed));
    }
}

/// Such a key makes signatures with torsion in `R` that are good alone: they are never deferred.
#[test]
fn keys_with_torsion_are_left_to_the_single_check() {
    let mut alone = [0, 0];
    for (torsion, small) in (1..8).flat_map(|torsion| [(torsion, false), (torsion, true)]) {
        let mut pair = Pair::with(5, torsion);
        if small {
            pair = Pair { secret: Scalar::ZERO, key: EIGHT_TORSION[torsion].compress().to_bytes() };
        }
        let mut made = good();
        for n in 0..16 {
            for in_r in 0..8 {
                let odd = pair.sign_with(n, in_r);
                assert!(!holds(std::slice::from_ref(&odd), n));
                alone[usize::from(odd.alone())] += 1;
                made.push(odd);
            }
        }
        assert_eq!(judged(&made, 0), one_by_one(&made));
    }
    assert!(alone[0] > 100 && alone[1] > 100, "{alone:?}");
}

#[test]
fn c30_s_has_one_form() {
    let order = {
        let mut bytes = (-Scalar::ONE).to_bytes();
        bytes[0] += 1;
        bytes
    };
    let good = Pair::new(1).sign(1);
    let mut carry = 0;
    let mut beyond = good.clone();
    for (byte, of_order) in beyond.signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(of_order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    let of = |s: &[u8; 32]| Made { signature: joined(good.signature.first_chunk().unwrap(), s), ..good };
    for bad in [beyond, of(&order), of(&[0xff; 32])] {
        assert!(!holds(std::slice::from_ref(&bad), 0) && !bad.alone());
    }
    assert!(holds(&[good], 0));
}

/// The single check compares bytes, of which a point that it has worked out has one form.
#[test]
fn r_has_one_form() {
    let one = EIGHT_TORSION[0].compress().to_bytes();
    let pair = Pair::new(1);
    let nothing = pair.sign_as(one, Scalar::ZERO);
    assert!(nothing.alone() && holds(std::slice::from_ref(&nothing), 0), "nothing is a point as others are");
    let mut prime = [0xff; 32];
    (prime[0], prime[31]) = (0xed, 0x7f);
    let beyond = |y: u8| {
        let mut bytes = prime;
        bytes[0] += y;
        bytes
    };
    let signed = |mut bytes: [u8; 32]| {
        bytes[31] |= 0x80;
        bytes
    };
    let mut minus_one = prime;
    minus_one[0] -= 1;
    let forms = (0..19).flat_map(|y| [beyond(y), signed(beyond(y))]);
    let mut points = 0;
    for r in forms.chain([signed(one), signed(minus_one)]) {
        points += usize::from(curve25519_dalek::edwards::CompressedEdwardsY(r).decompress().is_some());
        assert_eq!(decoded(&r), None);
        let odd = pair.sign_as(r, Scalar::ZERO);
        assert!(!holds(std::slice::from_ref(&odd), 0) && !odd.alone());
        let mut made = good();
        made[1] = odd;
        assert_eq!(judged(&made, 0), one_by_one(&made));
    }
    assert!(points > 10, "other readers take {points} of them");
    let no_point = (2..).map(|y| [[y].as_slice(), &[0; 31]].concat().try_into().unwrap());
    let no_point = no_point.into_iter().find(|r| decoded(r).is_none()).unwrap();
    let odd = pair.sign_as(no_point, Scalar::ZERO);
    assert!(!holds(std::slice::from_ref(&odd), 0) && !odd.alone());
}

/// Whoever absorbs whom, and however many each has.
#[test]
fn what_workers_have_holds_as_if_one_had_it() {
    let made: Vec<Made> = (0..120).map(|n| Pair::new(n % 7).sign(n)).collect();
    let mut bad = made.clone();
    bad[100] = bad[100].moved(Scalar::ONE);
    for cut in [0, 1, 5, BATCH_LEAST - 1, BATCH_LEAST, 60, 119, 120] {
        for turn in [false, true] {
            let held = |made: &[Made]| {
                let (first, second) = made.split_at(cut);
                let keys = Keys::default();
                let mut one = batch_with(&keys, first, 1).unwrap();
                let mut other = batch_with(&keys, second, 2).unwrap();
                if turn {
                    std::mem::swap(&mut one, &mut other);
                }
                assert!(one.absorb(other));
                all_hold(one.questions())
            };
            assert!(held(&made) && !held(&bad), "{cut} {turn}");
        }
    }
    let few = &made[..20];
    let keys = Keys::default();
    let mut one = batch_with(&keys, &few[..7], 1).unwrap();
    assert!(one.absorb(batch_with(&keys, &few[7..], 2).unwrap()));
    assert!(all_hold(one.questions()), "so few are checked one by one");
}

/// Places of keys mean nothing elsewhere.
#[test]
fn who_does_not_share_keys_settles_nothing() {
    let made: Vec<Made> = (0..60).map(|n| Pair::new(n % 7).sign(n)).collect();
    assert!(!batch(&made, 1).unwrap().absorb(batch(&made, 2).unwrap()));
    let alone = |made: &[Made]| {
        let mut together = Together::new(Some(seed(1)));
        together.find(|checks, found| found.extend(made.iter().map(|made| made.verify(checks))));
        together
    };
    assert_eq!(Together::settle([alone(&made)], all_hold), Some(vec![true; 60]));
    assert_eq!(Together::settle([alone(&made[..30]), alone(&made[30..])], all_hold), None);
}

#[test]
fn without_a_seed_nothing_is_put_off() {
    let bad = Pair::new(1).sign(1).moved(Scalar::ONE);
    let mut together = Together::new(None);
    together.find(|checks, found| found.push(bad.verify(checks)));
    assert_eq!(Together::settle([together], all_hold), Some(vec![false]));
    assert_eq!(Together::<bool>::settle([], all_hold), Some(vec![]));
}

#[test]
fn each_signature_has_a_number_of_its_own_that_only_the_seed_tells() {
    let numbers = |n| {
        let mut random = Random::new(seed(n));
        (0..1000).map(|_| random.number()).collect::<Vec<u128>>()
    };
    assert_eq!(numbers(1), numbers(1));
    let mut all = [numbers(1), numbers(2)].concat();
    assert!(all.iter().all(|number| number >> SUMS == 0));
    for bit in 0..SUMS {
        let ones = all.iter().filter(|number| *number >> bit & 1 == 1).count();
        assert!((850..1150).contains(&ones), "bit {bit}: {ones}");
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 2000);
}

#[test]
fn a_key_is_looked_at_once_and_too_many_keys_are_left_to_the_single_check() {
    let keys = Keys::default();
    let (good, torsion) = (Pair::new(1).key, Pair::with(1, 3).key);
    assert_eq!(
        (keys.place(&good, false), keys.place(&torsion, false), keys.place(&[2; 32], false)),
        (Some(0), None, None)
    );
    assert_eq!(
        (keys.place(&Pair::new(2).key, false), keys.place(&good, false), keys.place(&torsion, false)),
        (Some(1), Some(0), None)
    );
    assert_eq!(Keys::default().place(&torsion, true), Some(0), "what registration says is believed");
    for n in 0..KEYS_MAX as u64 {
        keys.place(&seed(n), false);
    }
    assert_eq!((keys.place(&Pair::new(3).key, false), keys.place(&good, false)), (None, Some(0)));
}

#[test]
fn registration_says_of_each_key_whether_it_has_torsion() {
    let says = |key: &[u8; 32]| match VerifyKey::ed25519(key).unwrap().registered() {
        VerifyKey::Ed25519 { point, torsion_free } => {
            assert_eq!(point, key);
            torsion_free
        }
        other => panic!("{other:?}"),
    };
    for n in 0..8 {
        assert!(says(&Pair::new(n).key));
        assert_eq!(says(&Pair::with(n, n as usize).key), n == 0, "{n}");
    }
    let no_point = VerifyKey::Ed25519 { point: vec![2; 32], torsion_free: true }.registered();
    assert!(matches!(no_point, VerifyKey::Ed25519 { torsion_free: false, .. }), "a point that is none has no group");
}

/// What a registry says that was written before it said so.
#[test]
fn a_key_of_which_nothing_is_said_is_looked_at() {
    let key: VerifyKey = serde_json::from_str(r#"{"type":"ed25519","point":"AAAA"}"#).unwrap();
    assert!(matches!(key, VerifyKey::Ed25519 { torsion_free: false, .. }));
}

/// One of the kinds above.
fn any_signature() -> impl Strategy<Value = Made> {
    let good = (0..9_u64, any::<u64>()).prop_map(|(pair, n)| Pair::new(pair).sign(n));
    let changed =
        (0..9_u64, any::<u64>(), any::<u64>()).prop_map(|(pair, n, by)| Pair::new(pair).sign(n).moved(scalar(by)));
    let torsion = (0..9_u64, any::<u64>(), 0..8_usize).prop_map(|(pair, n, at)| Pair::new(pair).sign_with(n, at));
    let mixed = (any::<u64>(), 0..8_usize, 0..8_usize).prop_map(|(n, at, in_r)| Pair::with(3, at).sign_with(n, in_r));
    let noise = (0..9_u64, any::<[u8; 32]>(), any::<[u8; 32]>())
        .prop_map(|(pair, r, s)| Made { key: Pair::new(pair).key, signature: joined(&r, &s) });
    let noisy_key = any::<[u8; 32]>().prop_map(|key| Made { key, ..Pair::new(1).sign(1) });
    prop_oneof![60 => good, 1 => changed, 2 => torsion, 2 => mixed, 1 => noise, 1 => noisy_key]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn together_is_as_one_by_one(
        made in prop::collection::vec(any_signature(), 60..100),
        all_good in any::<bool>(),
        seed_of in any::<u64>(),
    ) {
        let made: Vec<Made> = made.into_iter().filter(|made| !all_good || made.alone()).collect();
        prop_assert_eq!(judged(&made, seed_of), one_by_one(&made));
        let fit = made.iter().filter(|made| holds(std::slice::from_ref(made), 0)).cloned().collect::<Vec<_>>();
        prop_assert!(fit.iter().all(Made::alone) && holds(&fit, seed_of));
    }
}

/// What is a point of the curve for one is for the other.
#[test]
fn points_have_the_form_that_they_are_written_in() {
    for n in 0..200 {
        let bytes = seed(n);
        let written = decoded(&bytes).map(|point: EdwardsPoint| point.compress().to_bytes());
        assert!(written.is_none_or(|written| written == bytes));
    }
}
