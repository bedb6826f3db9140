//! Countersign beside the repositories: a push comes in, a verdict goes out.
//!
//! ```text
//! stdin refs ─► push ─► judge (git, policy, keyring) ─► verdict ─► record (ledger) ─► message
//!                                                                     │
//!                                     transaction (before the ref moves), post_receive (applied)
//! ```

mod both;
pub mod call;
pub mod cli;
pub mod command;
pub mod enrol;
pub mod forge;
pub mod git;
pub mod hookfile;
pub mod incident;
pub mod judge;
pub mod ledger;
pub mod log;
mod pass;
pub mod placement;
pub mod post_receive;
pub mod pre_receive;
pub mod progress;
pub mod push;
pub mod record;
mod reported;
pub mod site;
mod spread;
pub mod transaction;
pub mod voice;
pub mod watchdog;
pub mod x509;

use call::{Call, Outcome};
use git::GitEnvironment;
use hookfile::HookKind;
use std::io::Read;
use std::path::Path;

/// Runs one hook. A panic anywhere in it is our bug, and an answer of its own: not decided.
pub fn run(hook: HookKind, call: &Call<'_>, arguments: &[String], cwd: &Path, input: impl Read) -> Outcome {
    let environment = GitEnvironment::read();
    let state = arguments.first().map(String::as_str).unwrap_or_default();
    let outcome = incident::caught(|| match hook {
        HookKind::PreReceive => pre_receive::run(call, &environment, cwd, input),
        HookKind::ReferenceTransaction => transaction::run(call, &environment, cwd, state, input),
        HookKind::PostReceive => post_receive::run(call, &environment, cwd, input),
    });
    outcome.unwrap_or_else(|incident| incident.outcome())
}
