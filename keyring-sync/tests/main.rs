//! The programs and the service from outside. One test program for all of it: each would be linked by itself for longer
//! than most of them run.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod cascade;
mod cli;
mod common;
mod conformance;
mod deploy;
mod enrol;
mod export;
mod import;
mod ldap;
mod scim;
mod scim_pull;
mod serve;
mod signals;
mod signed_list;
mod sync;
mod watch;
mod webhooks;
