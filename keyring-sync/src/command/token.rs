//! `keyring-sync token`: what a source proves itself by to `keyring-sync serve`.

use super::{Context, now};
use crate::report::{Failure, Report};
use crate::serve::token;
use countersign_policy::id::Source;
use countersign_registry::{TOKENS_AT_ONCE, TokenRow};
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a token for a source and print it once; two may be valid at once, for rotation
    Add {
        /// The source as keyring-sync.yaml calls it, or `metrics`
        source: Source,
    },
    /// Tell which tokens there are; their secrets are nowhere
    List,
    /// End a token at once
    Revoke {
        /// The part between the two underscores
        id: String,
    },
}

pub(super) fn run(context: &Context, command: &Command) -> Result<Report, Failure> {
    match command {
        Command::Add { source } => add(context, source),
        Command::List => list(context),
        Command::Revoke { id } => revoke(context, id),
    }
}

fn add(context: &Context, source: &Source) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let change = registry.begin(now())?;
    let tokens = change.tables().tokens()?;
    let valid: Vec<&TokenRow> =
        tokens.iter().filter(|token| token.ended.is_none() && &token.source == source).collect();
    if valid.len() >= TOKENS_AT_ONCE {
        let ids: Vec<&str> = valid.iter().map(|token| token.id.as_str()).collect();
        return Err(Failure::No(format!(
            "{source} has {TOKENS_AT_ONCE} valid tokens already: keyring-sync token revoke {} first",
            ids.join(" or ")
        )));
    }
    let made = token::make(source, now()).map_err(|error| Failure::Fault(error.to_string()))?;
    change.tables().add_token(&made.row)?;
    change.commit_unseen()?;
    let notes = vec!["this is shown once: give it to the source now".to_owned()];
    let json = json!({"source": source, "id": made.row.id, "token": made.text});
    Ok(Report { text: made.text, json, notes, ..Report::default() })
}

fn list(context: &Context) -> Result<Report, Failure> {
    let tokens = context.registry()?.tables().tokens()?;
    let line = |token: &TokenRow| {
        let ended = token.ended.map_or("valid".to_owned(), |ended| format!("revoked {ended}"));
        format!("{}  {}  made {}  {ended}", token.id, token.source, token.made)
    };
    let json: Vec<Value> = tokens
        .iter()
        .map(|token| json!({"id": token.id, "source": token.source, "made_at": token.made, "revoked_at": token.ended}))
        .collect();
    let text = tokens.iter().map(line).collect::<Vec<_>>().join("\n");
    Ok(Report { text, json: json!({"tokens": json}), ..Report::default() })
}

fn revoke(context: &Context, id: &str) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let change = registry.begin(now())?;
    let Some(token) = change.tables().token(id)? else {
        let id = countersign_policy::text::shown(id, 80);
        return Err(Failure::No(format!("there is no token {id}: keyring-sync token list names them")));
    };
    let ended = change.tables().end_token(id, now())?;
    change.commit_unseen()?;
    let text = if ended { "revoked token" } else { "revoked already: token" };
    let json = json!({"id": id, "source": token.source, "changed": ended});
    Ok(Report { text: format!("{text} {id} of {}", token.source), json, ..Report::default() })
}
