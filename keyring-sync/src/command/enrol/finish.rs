//! `keyring-sync enrol finish`

use super::super::{Context, Operator, called, read_file};
use super::begin::{key_of, registered};
use super::{check_state, server};
use crate::enrol::challenge::statement;
use crate::enrol::{ATTEMPTS_MAX, Challenge, Nonce, Purpose, ServerName};
use crate::report::{self, Failure, Report};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::Material;
use countersign_policy::signature::possession::{self, NotProven};
use countersign_policy::time::Time;
use countersign_registry::{ChallengeRow, Registry};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Args {
    /// Whose key it is to be
    person: PersonId,
    /// The nonce that stands in the challenge
    #[arg(long, value_name = "HEX", value_parser = parsed_nonce)]
    nonce: Nonce,
    /// The new key's signature over the challenge, armoured; `-` is stdin
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    /// The old key's signature over the same challenge, where the new key replaces it
    #[arg(long, value_name = "FILE")]
    old_signature: Option<PathBuf>,
}

fn parsed_nonce(text: &str) -> Result<Nonce, &'static str> {
    text.parse()
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let server = server(context)?;
    let signature = read_signature(&args.signature)?;
    let old_signature = args.old_signature.as_deref().map(read_signature).transpose()?;
    let mut registry = context.registry()?;
    let (row, left) = attempt(&mut registry, &args.nonce)?;
    let again = |reason: String| Failure::No(format!("{reason}; {}", left_words(left)));
    if row.person != args.person {
        return Err(again(format!("the challenge is for {}, not for {}", row.person, args.person)));
    }
    let challenge = challenge(&row, &args.nonce, &server).map_err(again)?;

    let mut operator = Operator::begin(&mut registry)?;
    let now = operator.now();
    let person = operator.person(&args.person)?;
    check_state(&person, now)?;
    let tables = operator.door.tables();
    let pending = tables.pending_key(&person.id, &challenge.key)?;
    let pending = pending.ok_or_else(|| Failure::No(format!("key {} waits no more", challenge.key)))?;
    let registration = registered(&tables, &key_of(&pending)?, now)?;
    let (text, namespace) = (challenge.text(), Challenge::namespace(&server));
    let statement = statement(&text, &namespace);
    possession::of_new_key(&person, &registration, &statement, signature.as_bytes(), now)
        .map_err(|why| again(not_proven("signature", &why)))?;
    let mut data: Value = serde_json::from_str(&pending.data).map_err(|error| Failure::Fault(error.to_string()))?;
    // Unknown to the fold, and kept: whoever doubts the enrolment later can check it.
    let mut proof = json!({"challenge": text, "signature": signature});
    if let Purpose::Replace { key, .. } = &challenge.purpose {
        let old = old_signature
            .ok_or_else(|| again(format!("the signature of the old key {key} is missing: --old-signature")))?;
        possession::of_held_key(&person, key, &statement, old.as_bytes(), now)
            .map_err(|why| again(not_proven("old key's signature", &why)))?;
        report::set(&mut data, "enrolled_by", json!(key));
        report::set(&mut proof, "old_signature", json!(old));
    }
    report::set(&mut data, "proof", proof);
    if !tables.spend_challenge(&row.nonce_sha256, now)? {
        return Err(Failure::No("the challenge was used or expired meanwhile: begin anew".to_owned()));
    }
    tables.prove_pending_key(&person.id, &challenge.key, now)?;
    operator.say(&person.id, "key_added", data)?;
    let mut what = format!("enrolled {} of {}", challenge.key, called(&person));
    if let Purpose::Replace { key, at } = &challenge.purpose {
        operator.say(&person.id, "key_retired", json!({"fingerprint": key, "since": at, "reason": "superseded"}))?;
        what.push_str(&format!("; {key} ends at {at}"));
    }
    if let Some(before) = pending.valid_before {
        let end = json!({"fingerprint": challenge.key, "since": before, "reason": "retired"});
        operator.say(&person.id, "key_retired", end)?;
        what.push_str(&format!("; it ends at {before}, as {} has it", pending.origin));
    }
    if matches!(registration.material, Material::OpenPgp(_)) {
        let key = &challenge.key;
        operator.notes.push(format!(
            "next: have revocation certificates deposited while the key is at hand: gpg --gen-revoke {key} | keyring-sync enrol deposit {key} --revocation -"
        ));
    }
    operator.finish(
        &what,
        "",
        json!({"person": person.id, "key": challenge.key, "replaces": row.replaces.map(|(key, _)| key)}),
    )
}

/// Signatures travel by mail and by Windows: line ends are not what was signed.
fn read_signature(path: &Path) -> Result<String, Failure> {
    let bytes = read_file(path)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.replace("\r\n", "\n")),
        Err(_) => Err(Failure::No(format!("{}: is no armoured signature", path.display()))),
    }
}

/// Counts the answer before it is looked at: whoever asks many times at once gains nothing.
fn attempt(registry: &mut Registry, nonce: &Nonce) -> Result<(ChallengeRow, u32), Failure> {
    let operator = Operator::begin(registry)?;
    let (now, hash) = (operator.now(), nonce.sha256());
    let tables = operator.door.tables();
    let taken = tables.attempt_challenge(&hash, ATTEMPTS_MAX, now)?;
    let row = tables.challenge(&hash)?;
    operator.door.settle()?;
    match row {
        None => Err(Failure::No("no challenge has this nonce: keyring-sync enrol begin makes one".to_owned())),
        Some(row) if taken => {
            let left = ATTEMPTS_MAX.saturating_sub(row.attempts);
            Ok((row, left))
        }
        Some(row) => Err(Failure::No(format!("{}: begin anew", closed(&row, now)))),
    }
}

fn closed(row: &ChallengeRow, now: Time) -> String {
    if let Some(spent) = row.spent_at {
        return format!("the challenge was used at {spent}, and holds once");
    }
    if row.expires_at <= now {
        return format!("the challenge expired at {}", row.expires_at);
    }
    format!("the challenge had {} wrong answers, and takes no more", row.attempts)
}

fn left_words(left: u32) -> String {
    match left {
        0 => "that was the last attempt: begin anew".to_owned(),
        1 => "1 attempt is left".to_owned(),
        more => format!("{more} attempts are left"),
    }
}

/// The challenge that was asked, if this server asked it.
fn challenge(row: &ChallengeRow, nonce: &Nonce, server: &ServerName) -> Result<Challenge, String> {
    if row.server != server.as_str() {
        return Err(format!("the challenge is of {}, and this server is {server}", row.server));
    }
    let purpose = match row.replaces.clone() {
        None => Purpose::NewKey,
        Some((key, at)) => Purpose::Replace { key, at },
    };
    Ok(Challenge {
        server: server.clone(),
        person: row.person.clone(),
        key: row.key.clone(),
        purpose,
        nonce: nonce.clone(),
        expires_at: row.expires_at,
    })
}

fn not_proven(which: &str, why: &NotProven) -> String {
    match why {
        // The verifier's clauses have the signed thing as their subject.
        NotProven::Bad(reason) => format!("the challenge {reason}"),
        NotProven::OtherKey(_) | NotProven::TooLong => format!("the {which} {why}"),
    }
}
