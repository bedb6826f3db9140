//! `keyring-sync export allowed-signers`

use super::super::{Context, called, now};
use crate::export::allowed_signers::{self, Exported};
use crate::report::{Failure, Report, count};
use countersign_policy::id::PersonId;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Args {
    /// Where to; stdout without it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also keys that have ended, until their end: to read history, for whoever signs chooses the date of a commit
    #[arg(long)]
    with_ended: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let tables = registry.tables();
    let (persons, authorities) = (tables.persons()?, tables.authorities()?);
    let Exported { lines, left_out } = allowed_signers::export(&persons, &authorities, args.with_ended, now());
    let mut report = Report { text: lines.join("\n"), ..Report::default() };
    if let Some(path) = &args.output {
        let bytes: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let new = super::put(path, bytes.as_bytes())?;
        report.text = format!("{} {}: {}", super::wrote(new), path.display(), count(lines.len(), "line"));
    }
    if !left_out.is_empty() {
        let names: Vec<String> = left_out.iter().map(|person| called(person)).collect();
        let persons = count(names.len(), "person");
        report.notes.push(format!("left out {persons} without an e-mail address for this file: {}", names.join(", ")));
    }
    let left_out: Vec<&PersonId> = left_out.iter().map(|person| &person.id).collect();
    report.json = json!({"lines": lines, "left_out": left_out});
    Ok(report)
}
