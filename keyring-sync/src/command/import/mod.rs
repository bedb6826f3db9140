//! `keyring-sync import`: keys that others kept. A key signs once its holder has shown that they have it, or at once by
//! an operator's word: else a colleague's public key, uploaded early, would be the uploader's.

mod allowed_signers;
mod forge;
mod gnupg;

use super::{Context, Operator};
use crate::enrol::advice;
use crate::event::KeyText;
use crate::report::{Failure, Report, count};
use countersign_policy::id::{Email, Fingerprint, PersonId};
use countersign_policy::keyring::Lifecycle;
use countersign_policy::signature::registration::Registration;
use countersign_policy::time::Time;
use countersign_registry::{PendingKey, Registry};
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// OpenSSH `allowed_signers`: principals are e-mail addresses; who is unknown becomes an active person
    AllowedSigners(allowed_signers::Args),
    /// The keys of accounts on a forge, whose holders the registry knows by `--account FORGE:LOGIN`
    Forge(forge::Args),
    /// The public keys of a GnuPG home or keyring, by the e-mail addresses of persons in the registry
    Gnupg(gnupg::Args),
}

/// How far an import is believed.
#[derive(Debug, clap::Args)]
struct Terms {
    /// Take what is good although something is not
    #[arg(long)]
    keep_going: bool,
    /// Say what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Let the keys sign at once: where somebody made sure of each holder. Otherwise each key waits until its holder
    /// shows that they have it (keyring-sync enrol)
    #[arg(long)]
    trust_import: bool,
}

pub(super) fn run(context: &Context, command: Command) -> Result<Report, Failure> {
    match command {
        Command::AllowedSigners(args) => allowed_signers::run(context, args),
        Command::Forge(args) => forge::run(context, &args),
        Command::Gnupg(args) => gnupg::run(context, &args),
    }
}

/// A key, and from when to when it counts where it comes from.
struct Brought {
    text: KeyText,
    registration: Registration,
    valid_after: Option<Time>,
    valid_before: Option<Time>,
}

/// What became of a key.
enum Taken {
    Known,
    /// The key may sign.
    Registered,
    /// The key waits for its proof.
    Pending(PersonId, Fingerprint),
}

/// One import, all of it or nothing.
struct Import<'r> {
    operator: Operator<'r>,
    terms: &'r Terms,
    /// What cannot be read as a whole: one of them.
    unit: &'static str,
    keys: usize,
    pending: Vec<(PersonId, Fingerprint)>,
    problems: Vec<String>,
}

impl<'r> Import<'r> {
    fn begin(registry: &'r mut Registry, terms: &'r Terms, unit: &'static str) -> Result<Self, Failure> {
        let operator = Operator::begin(registry)?;
        Ok(Import { operator, terms, unit, keys: 0, pending: Vec::new(), problems: Vec::new() })
    }

    /// Counts what became of something; a refusal is a problem of that alone.
    fn count(&mut self, place: &str, taken: Result<Taken, Failure>) -> Result<(), Failure> {
        match taken {
            Ok(Taken::Registered) => self.keys += 1,
            Ok(Taken::Pending(person, key)) => self.pending.push((person, key)),
            Ok(Taken::Known) => {}
            Err(Failure::No(reason)) => self.problems.push(format!("{place}: {reason}")),
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// Gives the key to the person whose it is said to be.
    fn take(&mut self, id: &PersonId, brought: Brought, origin: &str) -> Result<Taken, Failure> {
        let now = self.operator.now();
        let person = self.operator.person(id)?;
        let key = &brought.registration.fingerprint;
        // What became of a key since it was written down is not undone by reading it again.
        let (mut taken, mut end) = (Taken::Known, None);
        match person.key(key) {
            Some(known) => end = known.retired.map(|retired| retired.at),
            None if person.state(now) == Lifecycle::Terminated => {
                return Err(Failure::No(format!("key {key} would be of {id}, who was terminated")));
            }
            None if !self.terms.trust_import => return self.wait(id, brought, origin),
            None => {
                let from = brought.valid_after.unwrap_or(now);
                if self.operator.say_from(id, "key_added", json!(brought.text), from)? {
                    taken = Taken::Registered;
                }
            }
        }
        // An end that is known there counts, also where the registry knew the key without one.
        if let Some(before) = brought.valid_before.filter(|before| end.is_none_or(|end| *before < end)) {
            let data = json!({"fingerprint": key, "since": before, "reason": "retired"});
            self.operator.say(id, "key_retired", data)?;
            if before <= now {
                self.operator.notes.push(format!(
                    "key {key} of {id} ended on {}: it is on record and signs nothing new",
                    before.date()
                ));
            }
        }
        Ok(taken)
    }

    /// The key is known, and may not sign before its holder has shown that they have it.
    fn wait(&self, person: &PersonId, brought: Brought, origin: &str) -> Result<Taken, Failure> {
        let tables = self.operator.door.tables();
        for name in crate::keys::named(&brought.registration) {
            if let Some(owner) = tables.owner(name)? {
                return Err(belongs_to(name, owner.person.as_ref()));
            }
        }
        let key = brought.registration.fingerprint;
        let new = tables.put_pending_key(&PendingKey {
            person: person.clone(),
            key: key.clone(),
            data: json!(brought.text).to_string(),
            origin: origin.to_owned(),
            valid_before: brought.valid_before,
            received_at: self.operator.now(),
        })?;
        Ok(if new { Taken::Pending(person.clone(), key) } else { Taken::Known })
    }

    /// The one person who holds the addresses now.
    fn holder(&self, emails: &[Email]) -> Result<Option<PersonId>, Failure> {
        let mut found: Option<PersonId> = None;
        for email in emails {
            for id in self.operator.door.tables().claimants_of_email(email)? {
                if !self.operator.door.person(&id)?.has_email(email.as_str(), self.operator.now()) {
                    continue;
                }
                match &found {
                    Some(other) if other != &id => {
                        return Err(Failure::No(format!(
                            "its addresses are of {other} and {id}: a key belongs to one person"
                        )));
                    }
                    _ => found = Some(id),
                }
            }
        }
        Ok(found)
    }

    /// Keeps it, unless something was refused and the rest was not asked for.
    fn finish(self) -> Result<Report, Failure> {
        let Import { operator, terms, unit, keys, pending, problems } = self;
        let refused = !problems.is_empty();
        if terms.dry_run || refused && !terms.keep_going {
            let text = if refused {
                format!("nothing was changed: {} refused (--keep-going takes the others)", count(problems.len(), unit))
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
}

fn waiting(number: usize) -> String {
    match number {
        0 => String::new(),
        1 => "; 1 key waits for proof of possession".to_owned(),
        more => format!("; {more} keys wait for proof of possession"),
    }
}

fn belongs_to(key: &str, owner: Option<&PersonId>) -> Failure {
    let whose = owner.map_or_else(|| "an authority".to_owned(), PersonId::to_string);
    Failure::No(format!("key {key} belongs to {whose}: a key belongs to one person, ever"))
}
