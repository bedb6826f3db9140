//! Many Ed25519 signatures checked at once, each by the equation that one alone is checked by: `s·B − k·A` is `R`,
//! point for point, not only up to the cofactor.
//!
//! A point of the curve is the sum of one in the group of prime order `L`, in which `B` lies, and one of the eight
//! whose order divides 8, its torsion. Keys with torsion are not taken here; then `s·B − k·A` has none, and a
//! signature is good exactly when `R` has none either and agrees in the group of prime order.
//!
//! Each signature gets 96 random bits. Bit `j` says whether its `R` is in the sum `S[j]`. The batch holds when
//! - the first [`TORSION_SUMS`] sums have no torsion, which is tested exactly, and
//! - `Σ 2^j·S[j]`, which is `Σ z·R` with the bits read as numbers `z`, equals `Σ z·s·B − Σ z·k·A`.
//!
//! A batch of good signatures always holds. With a bad one among them there are two cases. Some disagree in the group
//! of prime order: whatever the others' numbers are, at most one value in 2^96 of one such `z` lets the equation hold.
//! Or all agree there and some `R` has torsion: of the two values of its bit, at most one leaves `S[j]` without, so
//! that all sums are free of it at most once in 2^32.
//!
//! Who wants to profit from the second case needs the secret key, since all but the torsion is a signature, and wins
//! that a malformed signature of his own is taken. Each try is a push that is refused with his name on it.

use super::primitive::{Hash, VerifyKey};
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity, VartimeMultiscalarMul};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Bits of a signature's random number, and thereby sums of a batch. They are drawn anew for each batch, once the
/// signatures are there, so that nobody can search for them: a forger must meet them by chance, one push for each try. In
/// a century a server takes 2^40 pushes.
pub(super) const SUMS: usize = 96;

/// Sums that are tested for torsion. Each test costs two thirds of a signature. A try costs a push, of which a server
/// takes some hundred a second: 2^32 of them take months, and win nothing of worth.
const TORSION_SUMS: usize = 32;

/// Signatures whose sums are all worked out beforehand, so that each of the [`SUMS`] takes one addition for all of them:
/// 32 sums of five points are used 96 times. Four and six are as fast.
const GROUP: usize = 5;

/// Below this a batch costs more than its signatures one by one: the sums' tests cost as much as 25 of them, the keys
/// of fifty people as much as ten.
pub(super) const BATCH_LEAST: usize = 40;

/// Sums that one core tests at once, in a tenth of a millisecond.
const TESTED_AT_ONCE: usize = 4;

/// Keys that are kept ready, 200 bytes each: more people do not sign the commits of one push. The signatures of others
/// are checked one by one.
pub(super) const KEYS_MAX: usize = 4096;

/// Keys that were met, ready for use, each made ready once for all batches that share them.
#[derive(Clone, Default)]
pub(super) struct Keys(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    /// Places in `points`; none for keys that are no points or that have torsion.
    places: HashMap<[u8; 32], Option<usize>>,
    points: Vec<EdwardsPoint>,
}

impl Keys {
    /// `torsion_free`: that is known already.
    pub fn place(&self, key: &[u8; 32], torsion_free: bool) -> Option<usize> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.places.get(key) {
            return *place;
        }
        if known.places.len() >= KEYS_MAX {
            return None;
        }
        drop(known);
        // Without the lock: at the start of a push every thread meets somebody else.
        let point = decoded(key).filter(|point| torsion_free || is_torsion_free(point));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Known { places, points } = &mut *known;
        *places.entry(*key).or_insert_with(|| {
            points.push(point?);
            Some(points.len() - 1)
        })
    }

    fn points(&self) -> Vec<EdwardsPoint> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).points.clone()
    }

    /// Whether places in one are places in the other.
    fn are(&self, other: &Keys) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// One signature: good when `s·B − k·A` is `R`.
struct Equation {
    /// The place of `A` among the keys.
    key: usize,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

impl Equation {
    fn holds_alone(&self, key: Option<&EdwardsPoint>) -> bool {
        let left = |key| EdwardsPoint::vartime_double_scalar_mul_basepoint(&-self.k, key, &self.s);
        key.is_some_and(|key| left(key) == self.r)
    }
}

/// Signatures that are checked together. Of most, only what they add up to is kept.
pub(super) struct Batch {
    keys: Keys,
    /// Those that were not added up yet.
    waiting: Vec<Equation>,
    sides: Option<Box<Sides>>,
    random: Random,
}

impl Batch {
    /// Nobody who pushes may know the seed.
    pub fn new(seed: [u8; 32], keys: Keys) -> Self {
        Batch { keys, waiting: Vec::new(), sides: None, random: Random::new(seed) }
    }

    /// Takes a signature that is formed as it should be. Any other is `false`, and not in the batch.
    pub fn take(&mut self, key: &VerifyKey, message: &[u8], signature: &[u8; 64]) -> bool {
        self.equation(key, message, signature).map(|equation| self.waiting.push(equation)).is_some()
    }

    fn equation(&mut self, key: &VerifyKey, message: &[u8], signature: &[u8; 64]) -> Option<Equation> {
        let VerifyKey::Ed25519 { point: key, torsion_free } = key else { return None };
        let (r, s) = signature.split_first_chunk::<32>()?;
        let s = Option::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
        let place = self.keys.place(key.as_slice().try_into().ok()?, *torsion_free)?;
        let k = Hash::Sha512.of([r.as_slice(), key, message]);
        let k = Scalar::from_bytes_mod_order_wide(k.as_ref().try_into().ok()?);
        Some(Equation { key: place, r: decoded(r)?, s, k })
    }

    /// Adds up what waits in whole groups, unless there may be too few at last.
    pub fn sum_up(&mut self) {
        let whole = self.waiting.len() / GROUP * GROUP;
        if self.sides.is_some() || whole >= BATCH_LEAST {
            let summed: Vec<Equation> = self.waiting.drain(..whole).collect();
            self.sides.get_or_insert_default().add(&summed, &mut self.random);
        }
    }

    /// Takes over the signatures of another that shares its keys. Of any other, nothing: `false`.
    #[must_use]
    pub fn absorb(&mut self, other: Batch) -> bool {
        if !self.keys.are(&other.keys) {
            return false;
        }
        self.waiting.extend(other.waiting);
        if let Some(theirs) = other.sides {
            match &mut self.sides {
                Some(sides) => sides.absorb(&theirs),
                None => self.sides = Some(theirs),
            }
        }
        true
    }

    /// What its signatures come down to: they are good if all of this holds. Where there are fewer than
    /// [`BATCH_LEAST`], each by itself.
    pub fn questions(mut self) -> Vec<Question> {
        if self.sides.is_none() && self.waiting.len() < BATCH_LEAST {
            let points = self.keys.points();
            let alone =
                |equation: Equation| Question(Kind::Alone(points.get(equation.key).copied(), Box::new(equation)));
            return self.waiting.into_iter().map(alone).collect();
        }
        let mut sides = self.sides.unwrap_or_default();
        sides.add(&self.waiting, &mut self.random);
        let tested = sides.sums.get(..TORSION_SUMS).unwrap_or(&sides.sums);
        let torsion: Vec<Kind> = tested.chunks(TESTED_AT_ONCE).map(|sums| Kind::Torsion(sums.to_vec())).collect();
        // What takes longest comes first.
        std::iter::once(Kind::Sides(sides, self.keys.points())).chain(torsion).map(Question).collect()
    }
}

/// One part of what the signatures of a batch come down to; it can be answered by itself, on any thread.
pub struct Question(Kind);

enum Kind {
    /// One signature, with its key.
    Alone(Option<EdwardsPoint>, Box<Equation>),
    /// The equation of all, with the keys.
    Sides(Box<Sides>, Vec<EdwardsPoint>),
    /// Sums that must have no torsion.
    Torsion(Vec<EdwardsPoint>),
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").finish_non_exhaustive()
    }
}

impl Question {
    pub fn holds(&self) -> bool {
        match &self.0 {
            Kind::Alone(key, equation) => equation.holds_alone(key.as_ref()),
            Kind::Sides(sides, keys) => sides.are_equal(keys),
            Kind::Torsion(sums) => sums.iter().all(is_torsion_free),
        }
    }
}

/// Both sides of the equation, as far as signatures were added up.
struct Sides {
    sums: [EdwardsPoint; SUMS],
    /// `Σ z·s`
    base: Scalar,
    /// For each key `−Σ z·k`; at the places of keys that came later, nothing yet.
    of_keys: Vec<Scalar>,
}

impl Default for Sides {
    fn default() -> Self {
        Sides { sums: [EdwardsPoint::identity(); SUMS], base: Scalar::ZERO, of_keys: Vec::new() }
    }
}

impl Sides {
    fn add(&mut self, equations: &[Equation], random: &mut Random) {
        let keys = equations.iter().map(|equation| equation.key + 1).max().unwrap_or(0);
        self.make_room(keys);
        equations.chunks(GROUP).for_each(|group| self.add_group(group, random));
    }

    fn absorb(&mut self, other: &Sides) {
        self.make_room(other.of_keys.len());
        self.base += other.base;
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, their)| *sum += their);
        self.of_keys.iter_mut().zip(&other.of_keys).for_each(|(of_key, their)| *of_key += their);
    }

    fn make_room(&mut self, keys: usize) {
        if keys > self.of_keys.len() {
            self.of_keys.resize(keys, Scalar::ZERO);
        }
    }

    fn add_group(&mut self, group: &[Equation], random: &mut Random) {
        // Where the last group has no point, none is chosen.
        let numbers: [u128; GROUP] = std::array::from_fn(|at| if at < group.len() { random.number() } else { 0 });
        for (equation, number) in group.iter().zip(numbers) {
            let z = Scalar::from(number);
            self.base += z * equation.s;
            if let Some(of_key) = self.of_keys.get_mut(equation.key) {
                *of_key -= z * equation.k;
            }
        }
        let subsets = Subsets::of(group);
        for (bit, sum) in self.sums.iter_mut().enumerate() {
            if let Some(chosen) = subsets.sum(numbers.map(|number| number >> bit & 1 == 1)) {
                *sum += chosen;
            }
        }
    }

    fn are_equal(&self, keys: &[EdwardsPoint]) -> bool {
        let mut used: Vec<(&Scalar, &EdwardsPoint)> = self.of_keys.iter().zip(keys).collect();
        used.retain(|(of_key, _)| **of_key != Scalar::ZERO);
        used.push((&self.base, &ED25519_BASEPOINT_POINT));
        let numbers = used.iter().map(|(number, _)| *number);
        let right = EdwardsPoint::vartime_multiscalar_mul(numbers, used.iter().map(|(_, point)| *point));
        let left = self.sums.iter().rev().fold(EdwardsPoint::identity(), |left, sum| left + left + sum);
        left == right
    }
}

/// The sums of all subsets of a few points.
struct Subsets([EdwardsPoint; 1 << GROUP]);

impl Subsets {
    /// At `n` stand together the points at whose places `n` has ones.
    fn of(group: &[Equation]) -> Self {
        let mut sums = [EdwardsPoint::identity(); 1 << GROUP];
        for (place, equation) in group.iter().enumerate() {
            let (without, with) = sums.split_at_mut(1 << place);
            with.iter_mut().zip(without).for_each(|(with, without)| *with = *without + equation.r);
        }
        Subsets(sums)
    }

    fn sum(&self, chosen: [bool; GROUP]) -> Option<&EdwardsPoint> {
        let at: usize = chosen.iter().rev().fold(0, |at, chosen| at << 1 | usize::from(*chosen));
        self.0.get(at)
    }
}

/// Numbers that nobody can foretell who does not know the seed.
pub(super) struct Random {
    seed: [u8; 32],
    block: u64,
    numbers: Vec<u128>,
}

impl Random {
    pub fn new(seed: [u8; 32]) -> Self {
        Random { seed, block: 0, numbers: Vec::new() }
    }

    /// Of [`SUMS`] bits.
    pub fn number(&mut self) -> u128 {
        loop {
            if let Some(number) = self.numbers.pop() {
                return number >> (u128::BITS as usize - SUMS);
            }
            self.block += 1;
            let block = Hash::Sha512.of([self.seed.as_slice(), &self.block.to_le_bytes()]);
            self.numbers.extend(block.as_ref().as_chunks().0.iter().map(|bytes| u128::from_le_bytes(*bytes)));
        }
    }
}

/// The point that these bytes are the one form of. What the single check compares is that form, so that no other is
/// equal to it.
pub(super) fn decoded(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*bytes).decompress()?;
    super::primitive::is_canonical_ed25519(bytes).then_some(point)
}

/// False for what is no point.
pub(super) fn is_key_torsion_free(key: &[u8]) -> bool {
    key.try_into().ok().and_then(decoded).is_some_and(|point| is_torsion_free(&point))
}

/// Exactly: whether `L` times the point is nothing. `-1` is `L − 1` as a number, and taken as such.
pub(super) fn is_torsion_free(point: &EdwardsPoint) -> bool {
    let but_one = EdwardsPoint::vartime_double_scalar_mul_basepoint(&-Scalar::ONE, point, &Scalar::ZERO);
    (but_one + point).is_identity()
}
