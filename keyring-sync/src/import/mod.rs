//! Other programs' files ─► what they say.

pub mod allowed_signers;
pub mod gnupg;
