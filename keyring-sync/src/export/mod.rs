//! The registry in formats of other programs.

pub mod allowed_signers;
