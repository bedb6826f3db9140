//! One command a file. Results go to stdout, diagnostics to stderr; exit codes are those of the design.

pub mod audit;
pub mod baseline;
pub mod check;
pub mod explain;
pub mod help;
pub mod init;
pub mod install;
pub mod ledger;
pub mod policy;

use crate::cli::{Cli, Command, OutputFormat};
use crate::site::{Site, Unfit};
use serde::Serialize;

/// A command came to its end: what to print, and how it went.
#[derive(Debug)]
pub struct Done {
    pub text: String,
    pub code: u8,
}

impl Done {
    pub fn ok(text: impl Into<String>) -> Self {
        Done { text: text.into(), code: 0 }
    }

    pub fn no(text: impl Into<String>) -> Self {
        Done { text: text.into(), code: 1 }
    }
}

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The caller asked for something that makes no sense: exit 64.
    #[error("{0}")]
    Usage(String),
    /// Said no: exit 1.
    #[error("{0}")]
    No(String),
    /// Could not: exit 2.
    #[error("{0}")]
    Could(String),
}

impl CommandError {
    pub fn code(&self) -> u8 {
        match self {
            CommandError::Usage(_) => 64,
            CommandError::No(_) => 1,
            CommandError::Could(_) => 2,
        }
    }
}

impl From<Unfit> for CommandError {
    fn from(unfit: Unfit) -> Self {
        CommandError::Could(format!("{}   [{}]", unfit.detail, unfit.rule.id))
    }
}

impl From<crate::ledger::LedgerError> for CommandError {
    fn from(error: crate::ledger::LedgerError) -> Self {
        CommandError::Could(error.to_string())
    }
}

impl From<crate::git::GitError> for CommandError {
    fn from(error: crate::git::GitError) -> Self {
        CommandError::Could(error.to_string())
    }
}

impl From<countersign_policy::keyring::KeyringError> for CommandError {
    fn from(error: countersign_policy::keyring::KeyringError) -> Self {
        CommandError::Could(error.to_string())
    }
}

/// Carries out everything but the hooks.
pub fn run(cli: &Cli) -> Result<Done, CommandError> {
    let site = || {
        let site = Site::read(&cli.config)?;
        crate::log::open(&site);
        Ok::<Site, CommandError>(site)
    };
    match &cli.command {
        Command::Init { root, git_user } => init::run(root, git_user.as_deref(), cli.format),
        Command::Install { repo, forge, anew, moved_from } => {
            let anew = match (anew, moved_from) {
                (_, Some(former)) => install::Anew::MovedFrom(former),
                (true, None) => install::Anew::Yes,
                (false, None) => install::Anew::No,
            };
            install::run(&site()?, &cli.config, repo, forge, anew, cli.format)
        }
        Command::Baseline(what) => baseline::run(&site()?, what, cli.format),
        Command::Policy(what) => policy::run(&cli.config, what, cli.format),
        Command::Check { range, onto } => check::run(&site()?, range.as_deref(), onto.as_deref(), cli.format),
        Command::Audit(what) => audit::run(&site()?, what, cli.format),
        Command::Ledger(what) => ledger::run(&site()?, what, cli.format),
        Command::Help { id } => help::run(id.as_deref(), cli.format),
        Command::Hook { .. } => Err(CommandError::Usage("hooks are called by git".to_owned())),
    }
}

/// The same facts for people or for programs.
fn printed<T: Serialize>(
    format: OutputFormat,
    facts: &T,
    text: impl FnOnce() -> String,
) -> Result<String, CommandError> {
    match format {
        OutputFormat::Text => Ok(text()),
        OutputFormat::Json => serde_json::to_string_pretty(facts)
            .map(|json| json + "\n")
            .map_err(|error| CommandError::Could(format!("the answer could not be written as JSON: {error}"))),
    }
}
