//! `keyring-sync import`

use super::{Context, Operator, read_text};
use crate::enrol::advice;
use crate::import::allowed_signers::{self, Line, Signer};
use crate::report::{Failure, Report, count};
use countersign_policy::id::{Email, Fingerprint, PersonId};
use countersign_policy::keyring::Lifecycle;
use countersign_policy::signature::registration::Registration;
use countersign_policy::signature::ssh;
use countersign_policy::text::shown;
use countersign_registry::PendingKey;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// OpenSSH `allowed_signers`: principals are e-mail addresses; who is unknown becomes an active person
    AllowedSigners(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Take the good lines although there are bad ones
    #[arg(long)]
    keep_going: bool,
    /// Say what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Let the keys sign at once: for a file whose writer made sure of each holder. Otherwise each key waits until its
    /// holder shows that they have it (keyring-sync enrol)
    #[arg(long)]
    trust_import: bool,
}

/// What became of a line.
enum Taken {
    Known,
    /// The key may sign.
    Registered,
    /// The key waits for its proof.
    Pending(PersonId, Fingerprint),
}

pub(super) fn run(context: &Context, command: Command) -> Result<Report, Failure> {
    let Command::AllowedSigners(args) = command;
    let texts = args.files.iter().map(|file| Ok((file, read_text(file)?))).collect::<Result<Vec<_>, Failure>>()?;
    let mut registry = context.registry()?;
    let mut operator = Operator::begin(&mut registry)?;
    let (mut problems, mut keys, mut pending) = (Vec::new(), 0, Vec::new());
    for (file, text) in &texts {
        for (number, line) in allowed_signers::lines(text) {
            let taken = match line {
                Ok(line) => take(&mut operator, &line, &origin(file), args.trust_import),
                Err(bad) => Err(Failure::No(bad.to_string())),
            };
            match taken {
                Ok(Taken::Registered) => keys += 1,
                Ok(Taken::Pending(person, key)) => pending.push((person, key)),
                Ok(Taken::Known) => {}
                Err(Failure::No(reason)) => problems.push(format!("{} line {number}: {reason}", file.display())),
                Err(fault) => return Err(fault),
            }
        }
    }
    let refused = !problems.is_empty();
    if args.dry_run || refused && !args.keep_going {
        let text = if refused {
            format!("nothing was changed: {} refused (--keep-going takes the others)", count(problems.len(), "line"))
        } else {
            format!("would import {}{}", count(keys, "key"), waiting(pending.len()))
        };
        let json = json!({"keys": keys, "pending": pending, "changed": false, "refused": problems});
        return Ok(Report { text, json, notes: problems, refused });
    }
    let next: Vec<String> =
        pending.iter().map(|(person, key)| format!("next: {}", advice::begin(person, key))).collect();
    let json = json!({"keys": keys, "pending": pending, "refused": problems});
    let what = format!("imported {}{}", count(keys, "key"), waiting(pending.len()));
    let mut report = if operator.door.is_unchanged() && !pending.is_empty() {
        operator.keep(&what, json)?
    } else {
        operator.finish(&what, "everything is there already", json)?
    };
    report.notes.extend(next);
    report.notes.extend(problems);
    report.refused = refused;
    Ok(report)
}

fn origin(file: &Path) -> String {
    format!("import of {}", shown(&file.display().to_string(), 200))
}

fn waiting(number: usize) -> String {
    if number == 0 { String::new() } else { format!("; {} for proof of possession", more_wait(number)) }
}

fn more_wait(number: usize) -> String {
    if number == 1 { "1 key waits".to_owned() } else { format!("{number} keys wait") }
}

fn take(operator: &mut Operator<'_>, line: &Line, origin: &str, trusted: bool) -> Result<Taken, Failure> {
    match line {
        Line::Authority { .. } if !trusted => Err(Failure::No(
            "an authority speaks for everybody: --trust-import takes it, or keyring-sync key add --ssh-ca".to_owned(),
        )),
        Line::Authority { key } => {
            let registration = ssh::register_authority(key).map_err(|refusal| Failure::No(refusal.to_string()))?;
            let new = operator.door.add_authority(&registration)?;
            Ok(if new { Taken::Registered } else { Taken::Known })
        }
        Line::Signer(signer) => take_signer(operator, signer, origin, trusted),
    }
}

fn take_signer(operator: &mut Operator<'_>, signer: &Signer, origin: &str, trusted: bool) -> Result<Taken, Failure> {
    let now = operator.now();
    // The key first: a refused key must not leave a person behind.
    let registration = ssh::register(&signer.key).map_err(|refusal| Failure::No(format!("key refused: {refusal}")))?;
    let owner = operator.door.tables().owner(registration.fingerprint.as_str())?;
    let id = match holder(operator, &signer.emails)? {
        Some(id) => id,
        None => {
            if let Some(owner) = owner {
                let whose = owner.person.map_or_else(|| "an authority".to_owned(), |id| id.to_string());
                return Err(belongs_to(&registration.fingerprint, &whose));
            }
            let first = signer.emails.first().ok_or_else(|| Failure::No("it has no principal".to_owned()))?;
            let id = PersonId::new(first.as_str()).map_err(|error| Failure::No(error.to_string()))?;
            if operator.door.exists(&id)? {
                return Err(Failure::No(format!("person {id} is there already and does not hold this address")));
            }
            operator.say(&id, "hired", json!({"name": first, "emails": signer.emails}))?;
            operator.say(&id, "activated", json!({}))?;
            id
        }
    };
    let person = operator.person(&id)?;
    // What became of a key since the file was written is not undone by reading the file again.
    let (mut taken, mut end) = (Taken::Known, None);
    match person.key(&registration.fingerprint) {
        Some(known) => end = known.retired.map(|retired| retired.at),
        None if person.state(now) == Lifecycle::Terminated => {
            return Err(Failure::No(format!("its address is that of {id}, who was terminated")));
        }
        None if !trusted => return wait(operator, &id, registration, signer, origin),
        None => {
            let from = signer.valid_after.unwrap_or(now);
            if operator.say_from(&id, "key_added", json!({"ssh": signer.key}), from)? {
                taken = Taken::Registered;
            }
        }
    }
    // An end that the file knows of counts, also where the registry knew the key without one.
    if let Some(before) = signer.valid_before.filter(|before| end.is_none_or(|end| *before < end)) {
        let data = json!({"fingerprint": registration.fingerprint, "since": before, "reason": "retired"});
        operator.say(&id, "key_retired", data)?;
        if before <= now {
            let key = &registration.fingerprint;
            operator
                .notes
                .push(format!("key {key} of {id} ended on {}: it is on record and signs nothing new", before.date()));
        }
    }
    Ok(taken)
}

/// The key is known, and may not sign before its holder has shown that they have it.
fn wait(
    operator: &Operator<'_>,
    person: &PersonId,
    registration: Registration,
    signer: &Signer,
    origin: &str,
) -> Result<Taken, Failure> {
    let tables = operator.door.tables();
    if let Some(owner) = tables.owner(registration.fingerprint.as_str())? {
        let whose = owner.person.map_or_else(|| "an authority".to_owned(), |id| id.to_string());
        return Err(belongs_to(&registration.fingerprint, &whose));
    }
    let new = tables.put_pending_key(&PendingKey {
        person: person.clone(),
        key: registration.fingerprint.clone(),
        data: json!({"ssh": signer.key}).to_string(),
        origin: origin.to_owned(),
        valid_before: signer.valid_before,
        received_at: operator.now(),
    })?;
    Ok(if new { Taken::Pending(person.clone(), registration.fingerprint) } else { Taken::Known })
}

fn belongs_to(key: &Fingerprint, whose: &str) -> Failure {
    Failure::No(format!("key {key} belongs to {whose}: a key belongs to one person, ever"))
}

/// The one person who holds the addresses now.
fn holder(operator: &Operator<'_>, emails: &[Email]) -> Result<Option<PersonId>, Failure> {
    let mut found: Option<PersonId> = None;
    for email in emails {
        for id in operator.door.tables().claimants_of_email(email)? {
            if !operator.door.person(&id)?.has_email(email.as_str(), operator.now()) {
                continue;
            }
            match &found {
                Some(other) if other != &id => {
                    return Err(Failure::No(format!(
                        "its principals are of {other} and {id}: a key belongs to one person"
                    )));
                }
                _ => found = Some(id),
            }
        }
    }
    Ok(found)
}
