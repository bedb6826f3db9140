//! Keeps the registry of persons and keys, driven by events.
//!
//! `event ─► door ─► fold ─► registry epoch n+1 ─► published keyring ─► the very next push`

pub mod cascade;
mod command;
pub mod config;
pub mod door;
pub mod enrol;
pub mod event;
pub mod export;
pub mod fold;
pub mod forge;
pub mod import;
pub mod keys;
pub mod report;

pub use command::{Cli, Format, init};
