//! `keyring-sync export`

use super::{Context, now};
use crate::export::allowed_signers;
use crate::report::{Failure, Report};
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
    let lines = allowed_signers::lines(&tables.persons()?, &tables.authorities()?, now());
    Ok(Report { text: lines.join("\n"), json: json!({"lines": lines}), ..Report::default() })
}
