//! How Ed25519 signatures are checked: one by one, or those of many objects together, which takes a quarter of the time.
//!
//! Together, a signature is first taken for good. What was found by that stays inside of [`Together`], and comes out only
//! by [`Together::settle`], once all signatures of all workers hold. Where they do not, nothing comes out: then all is to
//! be done again one by one. What is found is therefore the same either way.

pub use super::ed25519::Question;
use super::ed25519::{Batch, Keys};
use super::primitive::{Hash, Mismatch, Numbers, Signed, VerifyKey};
use std::cell::RefCell;
use std::fmt;

/// When a signature is checked.
#[derive(Clone, Copy)]
pub(crate) struct Checks<'a>(Option<&'a RefCell<Batch>>);

impl Checks<'_> {
    /// Each where it is met.
    pub const AT_ONCE: Checks<'static> = Checks(None);

    /// As [`VerifyKey::verify`]. An Ed25519 signature may be taken for good until the batch is through; one that
    /// cannot be put into a batch is verified at once.
    pub fn verify(
        self,
        key: &VerifyKey,
        hash: Hash,
        signed: Signed<'_>,
        numbers: &Numbers<'_>,
    ) -> Result<(), Mismatch> {
        if let (Some(batch), Numbers::Ed25519(signature)) = (self.0, numbers) {
            let (Signed::Message(message) | Signed::Digest(message)) = signed;
            if batch.borrow_mut().take(key, message, signature) {
                return Ok(());
            }
        }
        key.verify(hash, signed, numbers)
    }
}

/// What one worker found, and the signatures that it rests on.
pub struct Together<T> {
    found: Vec<T>,
    keys: Keys,
    batch: Option<RefCell<Batch>>,
}

impl<T> fmt::Debug for Together<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").field("found", &self.found.len()).finish_non_exhaustive()
    }
}

impl<T> Together<T> {
    /// `seed` comes from the system's randomness: nobody who pushes may know it. Without one, each signature is
    /// checked where it is met.
    pub fn new(seed: Option<[u8; 32]>) -> Self {
        Self::with(seed, Keys::default())
    }

    /// For another worker, with a seed of its own. All that is settled at once comes from one: the workers share the
    /// keys that they have met.
    pub fn beside(&self, seed: Option<[u8; 32]>) -> Self {
        Self::with(seed, self.keys.clone())
    }

    fn with(seed: Option<[u8; 32]>, keys: Keys) -> Self {
        let batch = seed.map(|seed| RefCell::new(Batch::new(seed, keys.clone())));
        Together { found: Vec::new(), keys, batch }
    }

    /// Adds what `work` finds.
    pub(crate) fn find(&mut self, work: impl FnOnce(Checks<'_>, &mut Vec<T>)) {
        work(Checks(self.batch.as_ref()), &mut self.found);
        if let Some(batch) = &mut self.batch {
            batch.get_mut().sum_up();
        }
    }

    /// What all have found, if every signature is good: if all questions hold that `ask` is given.
    pub fn settle(
        all: impl IntoIterator<Item = Together<T>>,
        ask: impl FnOnce(Vec<Question>) -> bool,
    ) -> Option<Vec<T>> {
        let mut found = Vec::new();
        let mut batch: Option<Batch> = None;
        for one in all {
            found.extend(one.found);
            if let Some(other) = one.batch.map(RefCell::into_inner) {
                match &mut batch {
                    Some(batch) => batch.absorb(other).then_some(())?,
                    None => batch = Some(other),
                }
            }
        }
        let questions = batch.map(Batch::questions).unwrap_or_default();
        (questions.is_empty() || ask(questions)).then_some(found)
    }
}

/// Asks one question after the other.
pub fn all_hold(questions: Vec<Question>) -> bool {
    questions.iter().all(Question::holds)
}
