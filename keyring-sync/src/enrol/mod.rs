//! Enrolment: a key is registered once its holder has signed a challenge of this server with it.
//!
//! `begin ─► challenge ─► the holder signs ─► finish ─► the event key_added`

pub mod advice;
pub mod challenge;

pub use challenge::{Challenge, Nonce, Purpose, ServerName};

use std::time::Duration;

/// How long a challenge may be answered: time to fetch a smart card, not time for it to lie in a mailbox.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(15 * 60);

/// Answers that one challenge takes, the right one included: a wrong file or two happen, more is somebody trying.
pub const ATTEMPTS_MAX: u32 = 5;

/// Challenges of one person that may be open at a time, so that nobody fills the registry by asking.
pub const OPEN_MAX: usize = 8;

/// How long an old key goes on beside the one that replaces it, unless said otherwise: branches in work get finished.
pub const OVERLAP: Duration = Duration::from_secs(14 * 86_400);
