//! `keyring-sync enrol begin`

use super::super::{Context, Operator, called, read_file};
use super::{check_state, held, one_key, server, taken};
use crate::door::Refused;
use crate::enrol::advice::advice;
use crate::enrol::challenge::NONCE_LEN;
use crate::enrol::{ATTEMPTS_MAX, CHALLENGE_LIFE, Challenge, Nonce, OPEN_MAX, OVERLAP, Purpose};
use crate::event::{KeyName, KeyText};
use crate::keys::{named, register, without_secrets};
use crate::report::{self, Failure, Report};
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::keyring::{Person, Scope};
use countersign_policy::signature::registration::Registration;
use countersign_policy::time::Time;
use countersign_registry::{ChallengeRow, PendingKey, Tables};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["key", "pending"]))]
pub(in crate::command) struct Args {
    /// Whose key it is to be
    person: PersonId,
    /// The public key: a `.pub` line, an OpenPGP certificate, or an X.509 certificate in PEM; `-` is stdin
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A key that waits already, from an import or an earlier begin
    #[arg(long, value_name = "FINGERPRINT")]
    pending: Option<String>,
    /// Where the key may sign
    #[arg(long = "scope", value_name = "REPO[:REF]", conflicts_with = "pending")]
    scope: Vec<Scope>,
    /// The key that the new one replaces; it signs the challenge too
    #[arg(long, value_name = "FINGERPRINT")]
    by_old_key: Option<String>,
    /// How long the old key goes on; 14 days unless said otherwise
    #[arg(long, value_name = "RFC3339", requires = "by_old_key")]
    until: Option<Time>,
}

pub(super) fn run(context: &Context, args: Args) -> Result<Report, Failure> {
    let server = server(context)?;
    let given = args.key.as_deref().map(|file| one_key(&read_file(file)?)).transpose()?;
    let nonce = nonce()?;
    let mut registry = context.registry()?;
    let operator = Operator::begin(&mut registry)?;
    let now = operator.now();
    let person = operator.person(&args.person)?;
    check_state(&person, now)?;
    let tables = operator.door.tables();
    let (key, registration) = match (given, &args.pending) {
        (Some(key), _) => new_key(&tables, &person.id, key, &args.scope, now)?,
        (None, Some(name)) => pending_key(&tables, &person.id, name, now)?,
        (None, None) => return Err(Failure::Usage("give --key or --pending".to_owned())),
    };
    for fingerprint in named(&registration) {
        if let Some(owner) = tables.owner(fingerprint)? {
            return Err(taken(fingerprint, &owner, &person.id));
        }
    }
    let purpose = purpose(&person, args.by_old_key.as_deref(), args.until, now)?;
    let open = tables.open_challenges(ATTEMPTS_MAX, now)?;
    if open.iter().filter(|open| open.person == person.id).count() >= OPEN_MAX {
        return Err(Failure::No(format!(
            "{} has {OPEN_MAX} challenges to answer already: finish one, or wait until they expire",
            called(&person)
        )));
    }
    let expires_at = Time::from_unix_seconds(now.plus(CHALLENGE_LIFE).unix_seconds());
    let challenge = Challenge { server, person: person.id.clone(), key: key.key.clone(), purpose, nonce, expires_at };
    tables.put_pending_key(&key)?;
    tables.add_challenge(&row(&challenge, now))?;
    let mut report = told(&challenge, &registration, &person, now);
    operator.door.settle()?;
    report.notes.extend(registration.notes);
    Ok(report)
}

/// A key as it was handed in.
fn new_key(
    tables: &Tables<'_>,
    person: &PersonId,
    key: KeyText,
    scope: &[Scope],
    now: Time,
) -> Result<(PendingKey, Registration), Failure> {
    let registration = registered(tables, &key, now)?;
    let public = without_secrets(&key).unwrap_or(key);
    let mut data = serde_json::to_value(&public).map_err(|error| Failure::Fault(error.to_string()))?;
    if !scope.is_empty() {
        report::set(&mut data, "scope", json!(scope));
    }
    let pending = PendingKey {
        person: person.clone(),
        key: registration.fingerprint.clone(),
        data: data.to_string(),
        origin: "enrol".to_owned(),
        valid_before: None,
        received_at: now,
    };
    Ok((pending, registration))
}

/// A key that waits.
fn pending_key(
    tables: &Tables<'_>,
    person: &PersonId,
    name: &str,
    now: Time,
) -> Result<(PendingKey, Registration), Failure> {
    let name = KeyName::from(name.to_owned());
    for candidate in name.candidates() {
        let Ok(fingerprint) = Fingerprint::new(&candidate) else { continue };
        if let Some(pending) = tables.pending_key(person, &fingerprint)? {
            let registration = registered(tables, &key_of(&pending)?, now)?;
            return Ok((pending, registration));
        }
    }
    Err(Failure::No(format!("no key {name} waits for {person}: keyring-sync enrol list names those that do")))
}

/// What waits, as text.
pub(super) fn key_of(pending: &PendingKey) -> Result<KeyText, Failure> {
    let damaged = |_| Failure::Fault(format!("the pending key {} of {} is damaged", pending.key, pending.person));
    let data: Value = serde_json::from_str(&pending.data).map_err(damaged)?;
    let key = ["ssh", "openpgp", "x509"].into_iter().find_map(|kind| Some((kind, data.get(kind)?)));
    let only = key.map(|(kind, text)| json!({ kind: text })).unwrap_or_default();
    serde_json::from_value(only).map_err(damaged)
}

/// The key as the door will see it.
pub(super) fn registered(tables: &Tables<'_>, key: &KeyText, now: Time) -> Result<Registration, Failure> {
    let known = |registration: &Registration| -> Result<_, Refused> {
        Ok(tables.key(&registration.fingerprint)?.map(|key| key.source))
    };
    Ok(register(key, now, known)?)
}

fn purpose(person: &Person, old: Option<&str>, until: Option<Time>, now: Time) -> Result<Purpose, Failure> {
    let Some(name) = old else { return Ok(Purpose::NewKey) };
    let key = held(person, name)?;
    if !super::super::key::is_current(key, now) {
        return Err(Failure::No(format!("key {} has ended: it vouches for no new one", key.fingerprint)));
    }
    let at = Time::from_unix_seconds(until.unwrap_or_else(|| now.plus(OVERLAP)).unix_seconds());
    if at <= now {
        return Err(Failure::Usage("--until lies in the past".to_owned()));
    }
    Ok(Purpose::Replace { key: key.fingerprint.clone(), at })
}

/// From the system's own source.
fn nonce() -> Result<Nonce, Failure> {
    let mut random = [0; NONCE_LEN];
    match rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()) {
        Ok(NONCE_LEN) => Ok(Nonce::of(random)),
        Ok(_) => Err(Failure::Fault("the system gave too few random bytes".to_owned())),
        Err(error) => Err(Failure::Fault(format!("the system gives no random bytes: {error}"))),
    }
}

fn row(challenge: &Challenge, now: Time) -> ChallengeRow {
    let replaces = match &challenge.purpose {
        Purpose::NewKey => None,
        Purpose::Replace { key, at } => Some((key.clone(), *at)),
    };
    ChallengeRow {
        nonce_sha256: challenge.nonce.sha256(),
        person: challenge.person.clone(),
        key: challenge.key.clone(),
        server: challenge.server.to_string(),
        replaces,
        begun_at: now,
        expires_at: challenge.expires_at,
        attempts: 0,
        spent_at: None,
    }
}

fn told(challenge: &Challenge, registration: &Registration, person: &Person, now: Time) -> Report {
    let advice = advice(challenge, &registration.material, person, now);
    let Challenge { key, expires_at, nonce, .. } = challenge;
    let text = format!(
        "{} signs this with key {key}, once, until {expires_at}:\n\n{}\n\nthen, with what that wrote:\n\n{}",
        called(person),
        advice.sign,
        advice.finish
    );
    let json = json!({
        "person": person.id, "key": key, "nonce": nonce.to_string(), "challenge": challenge.text(),
        "namespace": Challenge::namespace(&challenge.server), "expires_at": expires_at, "attempts": ATTEMPTS_MAX,
        "sign": advice.sign, "finish": advice.finish,
    });
    Report { text, json, ..Report::default() }
}
