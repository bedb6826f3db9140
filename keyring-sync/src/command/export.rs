//! `keyring-sync export`

use super::{Context, called, now};
use crate::export::allowed_signers::{self, Exported};
use crate::report::{Failure, Report, count};
use countersign_policy::id::PersonId;
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The SSH keys of current holders, for `gpg.ssh.allowedSignersFile`
    AllowedSigners,
}

pub(super) fn run(context: &Context, command: &Command) -> Result<Report, Failure> {
    let Command::AllowedSigners = command;
    let registry = context.registry()?;
    let tables = registry.tables();
    let (persons, authorities) = (tables.persons()?, tables.authorities()?);
    let Exported { lines, left_out } = allowed_signers::export(&persons, &authorities, now());
    let mut report = Report { text: lines.join("\n"), ..Report::default() };
    if !left_out.is_empty() {
        let names: Vec<String> = left_out.iter().map(|person| called(person)).collect();
        let persons = count(names.len(), "person");
        report.notes.push(format!("left out {persons} without an e-mail address for this file: {}", names.join(", ")));
    }
    let left_out: Vec<&PersonId> = left_out.iter().map(|person| &person.id).collect();
    report.json = json!({"lines": lines, "left_out": left_out});
    Ok(report)
}
