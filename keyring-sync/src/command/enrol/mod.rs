//! `keyring-sync enrol`

mod begin;
mod deposit;
mod finish;

use super::Context;
use crate::config::Config;
use crate::enrol::{ATTEMPTS_MAX, ServerName};
use crate::event::{KeyName, KeyText};
use crate::keys::openpgp_texts;
use crate::report::{Failure, Report};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_policy::text::shown;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Ask a person for a signature by the key that they want registered
    Begin(begin::Args),
    /// Take the signature, and register the key if it is good
    Finish(finish::Args),
    /// List the keys that wait for their proof, and the challenges that are open
    List { person: Option<PersonId> },
    /// Keep a revocation certificate of a registered OpenPGP key, for the day it is needed
    Deposit(deposit::Deposit),
    /// Revoke an OpenPGP key with the revocation certificate that its owner deposited
    Revoke(deposit::Revoke),
}

pub(super) fn run(context: &Context, command: Command) -> Result<Report, Failure> {
    match command {
        Command::Begin(args) => begin::run(context, args),
        Command::Finish(args) => finish::run(context, &args),
        Command::List { person } => list(context, person.as_ref()),
        Command::Deposit(args) => deposit::deposit(context, args),
        Command::Revoke(args) => deposit::revoke(context, args),
    }
}

/// The name that this server's challenges bear.
fn server(context: &Context) -> Result<ServerName, Failure> {
    Config::read(&context.config)?.server.ok_or_else(|| {
        let path = context.config.display();
        Failure::No(format!("{path} does not say how developers know this server: add `server: git.example`"))
    })
}

/// Who may be asked for a new key.
fn check_state(person: &Person, now: countersign_policy::time::Time) -> Result<(), Failure> {
    match person.state(now) {
        Lifecycle::Prehire | Lifecycle::Active | Lifecycle::Leave => Ok(()),
        state @ (Lifecycle::Suspended | Lifecycle::Terminated) => {
            Err(Failure::No(format!("{} is {}: no new key is enrolled", super::called(person), state.as_str())))
        }
    }
}

/// The one key of a file, whatever its format.
fn one_key(bytes: &[u8]) -> Result<KeyText, Failure> {
    let one = |mut keys: Vec<KeyText>| match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (Some(_), more) => Err(Failure::No(format!("there are {} keys in it: enrol one at a time", more + 1))),
        (None, _) => Err(Failure::No("there is no key in it".to_owned())),
    };
    let text = std::str::from_utf8(bytes).ok();
    match text {
        Some(text) if text.contains("-----BEGIN CERTIFICATE-----") => Ok(KeyText::X509(text.to_owned())),
        Some(text) if !text.contains("-----BEGIN PGP") => {
            one(super::key::ssh_lines(text).map(|line| KeyText::Ssh(line.to_owned())).collect())
        }
        // OpenPGP, armoured or binary.
        _ => one(openpgp_texts(bytes)?),
    }
}

fn list(context: &Context, person: Option<&PersonId>) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let (tables, now) = (registry.tables(), super::now());
    let mine = |id: &PersonId| person.is_none_or(|person| person == id);
    let (mut lines, mut pending_json, mut open_json) = (Vec::new(), Vec::<Value>::new(), Vec::<Value>::new());
    for pending in tables.pending_keys()?.iter().filter(|pending| mine(&pending.person)) {
        // Registered since in another way, or somebody else's.
        if tables.owner(pending.key.as_str())?.is_some() {
            continue;
        }
        let origin = shown(&pending.origin, 80);
        lines.push(format!(
            "{}  pending {}, by {origin} on {}",
            pending.person,
            pending.key,
            pending.received_at.date()
        ));
        pending_json.push(json!({"person": pending.person, "key": pending.key, "origin": pending.origin,
            "received_at": pending.received_at, "valid_before": pending.valid_before}));
    }
    for open in tables.open_challenges(ATTEMPTS_MAX, now)?.iter().filter(|open| mine(&open.person)) {
        let left = ATTEMPTS_MAX.saturating_sub(open.attempts);
        lines.push(format!(
            "{}  challenge for {}, until {}, {}",
            open.person,
            open.key,
            open.expires_at,
            crate::report::count(usize::try_from(left).unwrap_or_default(), "attempt")
        ));
        open_json.push(json!({"person": open.person, "key": open.key, "begun_at": open.begun_at,
            "expires_at": open.expires_at, "attempts_left": left}));
    }
    let json = json!({"pending": pending_json, "challenges": open_json});
    Ok(Report { text: lines.join("\n"), json, ..Report::default() })
}

/// `key SHA256:… belongs to E1002: …`, as the door says it.
fn taken(key: &str, owner: &countersign_registry::Owner, person: &PersonId) -> Failure {
    match &owner.person {
        Some(id) if id == person => Failure::No(format!("key {key} is registered to {person} already")),
        Some(id) => Failure::No(format!("key {key} belongs to {id}: a key belongs to one person, ever")),
        None => Failure::No(format!("key {key} belongs to an authority: a key belongs to one person, ever")),
    }
}

/// The key of a person, in whatever spelling.
fn held<'p>(person: &'p Person, name: &str) -> Result<&'p countersign_policy::keyring::Key, Failure> {
    let name = KeyName::from(name.to_owned());
    let found = person.keys.iter().find(|key| crate::fold::is_called(key, &name));
    found.ok_or_else(|| Failure::No(format!("{} has no key {name}", super::called(person))))
}
