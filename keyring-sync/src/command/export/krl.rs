//! `keyring-sync export krl`

use super::super::{Context, Operator};
use crate::export::krl;
use crate::report::{Failure, Report, count};
use countersign_registry::ExportVersion;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Args {
    /// Where to
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Also keys that have ended, and those of everybody who is not active: for logins. A reader of signatures would
    /// take what these keys signed in their time for bad too, for the format knows no date
    #[arg(long)]
    with_ended: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let before = std::fs::read(&args.output).ok().and_then(|list| krl::version(&list));
    let mut registry = context.registry()?;
    let operator = Operator::begin(&mut registry)?;
    let (tables, now) = (operator.door.tables(), operator.now());
    let keys = krl::keys(&tables.persons()?, &tables.authorities()?, args.with_ended, now);
    let digest = keys.iter().fold(Sha256::new(), |sum, key| sum.chain_update(Sha256::digest(key))).finalize();
    let digest = hex::encode(digest);
    let name = if args.with_ended { "krl-with-ended" } else { "krl" };
    let known = tables.export_version(name)?;
    // A list already in place counts too: a registry that was put back must not fall behind it.
    let reached = known.as_ref().map_or(0, |known| known.version).max(before.unwrap_or(0));
    let export = match known {
        Some(known) if known.digest == digest && known.version >= reached => known,
        _ => {
            let version = reached.checked_add(1).ok_or_else(|| {
                Failure::Fault(format!("{}: its version cannot rise any more", args.output.display()))
            })?;
            let export = ExportVersion { version, digest, exported_at: now };
            tables.put_export_version(name, &export)?;
            export
        }
    };
    // Noted before it is written: a number is given once, whatever happens to the file.
    operator.door.settle()?;
    let new = super::put(&args.output, &krl::write(&keys, export.version, export.exported_at))?;
    let (path, version) = (args.output.display(), export.version);
    let text = format!("{} {path}: version {version}, {}", super::wrote(new), count(keys.len(), "key"));
    Ok(Report { text, json: json!({"version": version, "keys": keys.len(), "changed": new}), ..Report::default() })
}
