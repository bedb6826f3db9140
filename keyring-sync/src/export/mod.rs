//! What other programs read. Each format is a pure view of the registry; [`file`] puts it into place.

pub mod allowed_signers;
pub mod file;
pub mod krl;
pub mod openpgp;
pub mod wkd;
