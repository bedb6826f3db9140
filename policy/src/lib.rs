//! The pure core of Countersign.
//!
//! No files, network, processes, environment or clock: object bytes, a keyring and an instant
//! come in, a verdict goes out.

pub mod bytes;
pub mod commit;
pub mod config;
pub mod duration;
pub mod id;
pub mod ident;
pub mod judge;
pub mod keyring;
pub mod message;
pub mod pattern;
pub mod rule;
pub mod sha256;
pub mod signature;
pub mod tag;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;
pub mod verdict;
