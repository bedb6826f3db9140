//! How Ed25519 signatures are checked: one by one, or those of many objects together, which takes a third of the time.
//!
//! Together, a signature is first taken for good. [`Together::judge`] alone makes that possible and lets nothing out
//! of it: unless the whole batch holds, all is done again with each signature checked by itself, and only that counts.
//! What is found is therefore the same either way.

use super::ed25519::{BATCH_LEAST, Batch, Random};
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

/// What one worker keeps from batch to batch.
pub struct Together {
    batch: RefCell<Batch>,
    random: Random,
    /// A batch did not hold. Bad signatures seldom come alone, and each batch with one is worked through twice.
    one_by_one: bool,
}

impl fmt::Debug for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").field("one_by_one", &self.one_by_one).finish_non_exhaustive()
    }
}

impl Together {
    /// `seed` comes from the system's randomness: nobody who pushes may know it. Without one, nothing is checked
    /// together.
    pub fn new(seed: Option<[u8; 32]>) -> Self {
        Together {
            batch: RefCell::default(),
            random: Random::new(seed.unwrap_or_default()),
            one_by_one: seed.is_none(),
        }
    }

    /// What `work` makes of about `count` signatures. It may be done twice, and what it gave first then never was.
    pub(crate) fn judge<T>(&mut self, count: usize, work: impl Fn(Checks<'_>) -> T) -> T {
        if count < BATCH_LEAST || self.one_by_one {
            return work(Checks::AT_ONCE);
        }
        self.batch.get_mut().begin();
        let provisional = work(Checks(Some(&self.batch)));
        if self.batch.get_mut().holds(&mut self.random) {
            return provisional;
        }
        self.one_by_one = true;
        work(Checks::AT_ONCE)
    }
}
