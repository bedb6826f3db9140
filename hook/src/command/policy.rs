//! `countersign policy check`.

use super::{CommandError, Done, explain, printed};
use crate::cli::{OutputFormat, Policy as Which};
use crate::site::Site;
use serde_json::json;
use std::path::Path;

pub fn run(config: &Path, which: &Which, format: OutputFormat) -> Result<Done, CommandError> {
    match which {
        Which::Check => check(config, format),
        Which::Explain { name, repo, person } => {
            explain::run(&Site::read(config)?, name.as_deref(), repo.as_deref(), person.as_deref(), format)
        }
    }
}

/// Says no to a policy that is wrong, and names what the policy points to and is not there.
fn check(config: &Path, format: OutputFormat) -> Result<Done, CommandError> {
    let site = match Site::read(config) {
        Ok(site) => site,
        Err(unfit) if std::fs::read(config).is_ok() => return Err(CommandError::No(unfit.detail)),
        Err(unfit) => return Err(CommandError::Could(unfit.detail)),
    };
    let mut wrong = Vec::new();
    match site.keyring() {
        Ok(_) => {}
        Err(unfit) => wrong.push(format!("keyring {}: {}", site.keyring_path().display(), unfit.detail)),
    }
    match site.ledger() {
        Ok(ledger) => {
            if let Err(error) = ledger.head() {
                wrong.push(format!("ledger {}: {error}", site.ledger_path().display()));
            }
        }
        Err(unfit) => wrong.push(format!("ledger {}: {}", site.ledger_path().display(), unfit.detail)),
    }
    let digest = &site.policy.digest;
    let facts = json!({ "schema_version": 1, "sound": wrong.is_empty(), "policy_digest": digest, "wrong": wrong });
    let text = printed(format, &facts, || {
        if wrong.is_empty() {
            format!("{} is sound (digest {digest})\n", config.display())
        } else {
            format!("{} can be read, but:\n  {}\n", config.display(), wrong.join("\n  "))
        }
    })?;
    Ok(if wrong.is_empty() { Done::ok(text) } else { Done::no(text) })
}
