//! Runs Countersign as a company would: real Git servers, real keys, real clients.
//!
//! ```text
//! keys ─► workstation ─► server ◄─ product (countersign, keyring-sync)
//!               └──────── case ────────┘
//! ```
//! A [`case`] is a YAML file that tells a story: who is employed, what they push, what the server
//! answers. The rest of the crate is what a story needs. Nothing here is shipped, so a broken
//! set-up panics, with all that the failing program said.

pub mod case;
pub mod crowd;
pub mod handmade;
pub mod keys;
pub mod process;
pub mod product;
pub mod servers;
pub mod service;
pub mod unix_user;
pub mod workstation;
