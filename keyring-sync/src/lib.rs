//! Keeps the registry of persons and keys, driven by events.
//!
//! `event ─► door ─► fold ─► registry epoch n+1 ─► published keyring ─► the very next push`

pub mod brake;
pub mod cascade;
mod command;
pub mod config;
pub mod door;
pub mod enrol;
pub mod event;
pub mod export;
pub mod feed;
pub mod fold;
pub mod forge;
pub mod hint;
pub mod http;
pub mod import;
pub mod intake;
pub mod keys;
pub mod life;
pub mod local;
pub mod operator;
pub mod plan;
pub mod report;
pub mod review;
pub mod secret;
pub mod serve;
pub mod sources;
pub mod tls;
pub mod watch;

pub use command::{Cli, Format, init};
