//! `countersign ledger verify|accept`.

use super::{CommandError, Done, printed};
use crate::cli::{Accepted, LedgerCommand, OutputFormat};
use crate::ledger::Lineage;
use crate::site::Site;
use countersign_policy::keyring::Keyring;
use countersign_policy::time::Time;
use serde_json::json;

pub fn run(site: &Site, what: &LedgerCommand, format: OutputFormat) -> Result<Done, CommandError> {
    match what {
        LedgerCommand::Verify => verify(site, format),
        LedgerCommand::Accept { what, reason } => accept(site, *what, reason, format),
    }
}

fn verify(site: &Site, format: OutputFormat) -> Result<Done, CommandError> {
    let ledger = site.ledger()?;
    let report = ledger.read().verify(|_, _| {})?;
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    let root = hex::encode(report.root);
    let facts = json!({
        "schema_version": 1, "entries": report.leaves, "root": root, "sound": faults.is_empty(), "faults": faults,
    });
    let text = printed(format, &facts, || {
        if faults.is_empty() {
            format!("{} entries, all as they were written\nroot {root}\n", report.leaves)
        } else {
            format!("{} entries, and these are not as they were written:\n  {}\n", report.leaves, faults.join("\n  "))
        }
    })?;
    Ok(if faults.is_empty() { Done::ok(text) } else { Done::no(text) })
}

fn accept(site: &Site, what: Accepted, reason: &str, format: OutputFormat) -> Result<Done, CommandError> {
    if reason.trim().is_empty() {
        return Err(CommandError::Usage("say why: --reason TEXT".to_owned()));
    }
    let mut ledger = site.ledger()?;
    let now = Time::from_system(std::time::SystemTime::now());
    let (lineage, word) = match what {
        Accepted::Clock => (Lineage::Clock, "clock"),
        Accepted::Registry => {
            let keyring = site.keyring()?;
            let epoch = keyring.epoch();
            (Lineage::Registry { epoch, committed_at: keyring.committed_at(epoch) }, "registry")
        }
    };
    let document = json!({ "schema_version": 1, "accept": word, "reason": reason, "at": now });
    let document = serde_json::to_vec(&document).map_err(|error| CommandError::Could(error.to_string()))?;
    let wait = site.policy.limits.ledger_wait.get();
    let seq = ledger.write(wait, now, |writer| writer.accept(lineage, reason, &document))?;
    let facts = json!({ "schema_version": 1, "accepted": word, "entry": seq });
    Ok(Done::ok(printed(format, &facts, || {
        format!("from now on the {word} as it is counts; entry {seq} of the ledger says why\n")
    })?))
}
