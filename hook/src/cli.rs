//! The command line, as design section 8 has it.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Accept only what a current employee signed.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, about, disable_help_subcommand = true, propagate_version = true)]
pub struct Cli {
    /// The policy file of this server
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/countersign/policy.yaml")]
    pub config: PathBuf,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = OutputFormat::Text)]
    pub format: OutputFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    Text,
    /// For programs: stable, with a `schema_version`
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a working default: policy, registry, keyring and ledger under one folder
    Init {
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// The Unix user who runs git: the ledger gets a folder that only this user may write
        #[arg(long, value_name = "USER")]
        git_user: Option<String>,
    },
    /// Called by git
    Hook {
        /// pre-receive, post-receive or reference-transaction
        hook: String,
        /// What git passes to the hook
        arguments: Vec<String>,
        /// The kind of server whose variables are believed
        #[arg(long, default_value = "plain", value_name = "KIND")]
        forge: String,
    },
    /// Put the hooks into a repository and trust the history that is there
    Install {
        /// The bare repository on this server
        #[arg(long, value_name = "PATH")]
        repo: PathBuf,
        /// plain, gitea, forgejo, gitlab or gitolite
        #[arg(long, default_value = "plain", value_name = "KIND")]
        forge: String,
        /// Another repository stood here before: nothing that is on record of it counts for this one
        #[arg(long)]
        anew: bool,
        /// Where this very repository was before
        #[arg(long, value_name = "OLD_PATH", conflicts_with = "anew")]
        moved_from: Option<PathBuf>,
    },
    /// History from before, on record
    #[command(subcommand)]
    Baseline(Baseline),
    /// Check or explain the policy
    #[command(subcommand)]
    Policy(Policy),
    /// What would the server say of these commits? (default: @{upstream}..HEAD)
    Check {
        range: Option<String>,
        /// The branch they are meant for
        #[arg(long, value_name = "REF")]
        onto: Option<String>,
    },
    /// Ask the ledger
    #[command(subcommand)]
    Audit(Audit),
    /// Verify the ledger, or accept a new start of its clock or registry
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Explain a finding
    Help {
        /// The id in [square brackets]
        id: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Baseline {
    /// Let a commit and its ancestors in without asking who signed them
    Add {
        /// The bare repository
        repo: PathBuf,
        /// The commit, present already or still to come
        #[arg(required_unless_present = "tips", conflicts_with = "tips")]
        commit: Option<String>,
        /// The branch it may come to
        #[arg(long, value_name = "REF", required_unless_present = "tips", conflicts_with = "tips")]
        onto: Option<String>,
        /// Trust what all branches and tags stand at now
        #[arg(long)]
        tips: bool,
        /// Why, for the record
        #[arg(long, value_name = "TEXT", required_unless_present = "tips")]
        reason: Option<String>,
    },
    /// Show the baselines of a repository
    List { repo: PathBuf },
}

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Is the policy sound?
    Check,
    /// What does the policy ask of this ref, and of this person there?
    Explain {
        #[arg(long = "ref", value_name = "REF")]
        name: Option<String>,
        #[arg(long, value_name = "PATH")]
        repo: Option<PathBuf>,
        #[arg(long, value_name = "ID")]
        person: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Everything known about one verdict
    Push { id: String },
    /// What did this person ever push or sign?
    Person { id: String },
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Hash every entry again and compare
    Verify,
    /// Go on after a clock or a registry was set back on purpose
    Accept {
        what: Accepted,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accepted {
    Clock,
    Registry,
}
