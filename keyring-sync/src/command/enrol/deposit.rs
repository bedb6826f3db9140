//! `keyring-sync enrol deposit` and `enrol revoke`: revocation certificates made ahead by a key's owner.

use super::super::{Context, Operator, called, key, read_file};
use super::begin::registered;
use crate::event::{KeyName, KeyText};
use crate::report::{Failure, Report};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::ValueEnum;
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::keyring::Material;
use countersign_policy::signature::openpgp;
use countersign_policy::time::Time;
use countersign_registry::{self as registry, KeyRow, Tables};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Deposit {
    /// The registered OpenPGP key
    fingerprint: String,
    /// What `gpg --gen-revoke` wrote, or the file in `openpgp-revocs.d`; `-` is stdin
    #[arg(long, value_name = "FILE")]
    revocation: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Revoke {
    /// The registered OpenPGP key
    fingerprint: String,
    /// Which of the deposited certificates
    #[arg(long, value_enum)]
    reason: Reason,
    /// Since when the key is in other hands, with a hard reason; without it nothing it ever signed is believed
    #[arg(long, value_name = "RFC3339")]
    since: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reason {
    Superseded,
    Compromised,
    Retired,
    Unspecified,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Superseded => "superseded",
            Reason::Compromised => "compromised",
            Reason::Retired => "retired",
            Reason::Unspecified => "unspecified",
        }
    }
}

pub(super) fn deposit(context: &Context, args: Deposit) -> Result<Report, Failure> {
    let bytes = read_file(&args.revocation)?;
    let mut registry = context.registry()?;
    let operator = Operator::begin(&mut registry)?;
    let tables = operator.door.tables();
    let (person, row) = openpgp_key(&tables, args.fingerprint)?;
    let revocation = openpgp::revocation(&bytes, &row.source)
        .map_err(|refusal| Failure::No(format!("{}: {refusal}", args.revocation.display())))?;
    let reason = revocation.reason.as_str();
    let new = tables.add_deposit(&registry::Deposit {
        key: row.fingerprint.clone(),
        reason: reason.to_owned(),
        packet: revocation.packet,
        deposited_at: operator.now(),
        published_at: None,
    })?;
    operator.door.settle()?;
    let what = if new { "keeps" } else { "keeps already" };
    let mut report = Report {
        text: format!("{what} a revocation certificate of {} of {person}, reason {reason}", row.fingerprint),
        json: json!({"person": person, "key": row.fingerprint, "reason": reason, "changed": new}),
        ..Report::default()
    };
    if revocation.reason == openpgp::Reason::Unspecified {
        report.notes.push(
            "it gives no reason, so it would take back everything the key ever signed: deposit one with reason 2 (superseded) or 3 (no longer used) too".to_owned(),
        );
    }
    Ok(report)
}

pub(super) fn revoke(context: &Context, args: Revoke) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    // Like a kill: giving up would leave a key in that its owner wants out.
    registry.wait_without_end();
    let mut operator = Operator::begin(&mut registry)?;
    let now = operator.now();
    if args.since.is_some_and(|since| since > now) {
        return Err(Failure::Usage("--since lies in the future".to_owned()));
    }
    let tables = operator.door.tables();
    let (id, row) = openpgp_key(&tables, args.fingerprint)?;
    let deposits = tables.deposits_of(&row.fingerprint)?;
    let reason = args.reason.as_str();
    let Some(deposit) = deposits.iter().find(|deposit| deposit.reason == reason) else {
        let kept: Vec<&str> = deposits.iter().map(|deposit| deposit.reason.as_str()).collect();
        let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
        return Err(Failure::No(format!(
            "no revocation certificate of {} with reason {reason} was deposited (kept: {kept}): keyring-sync key revoke ends the key in the registry alone",
            row.fingerprint
        )));
    };
    let refused = |refusal| Failure::Fault(format!("the deposited certificate does not fit any more: {refusal}"));
    let revocation = openpgp::revocation(&deposit.packet, &row.source).map_err(refused)?;
    if args.since.is_some() && !revocation.reason.is_hard() {
        return Err(Failure::Usage("--since goes with --reason compromised or unspecified".to_owned()));
    }
    let revoked = openpgp::revoked(&row.source, &revocation).map_err(refused)?;
    tables.publish_deposit(deposit, now)?;
    let person = operator.person(&id)?;
    let held = person.key(&row.fingerprint).cloned();
    let merged = KeyText::OpenPgp(STANDARD.encode(revoked));
    let news = registered(&operator.door.tables(), &merged, now)?;
    if (&news.source, &news.material) != (&row.source, &row.material) {
        operator.say(&id, "key_added", json!(merged))?;
    }
    let fingerprint = &row.fingerprint;
    if revocation.reason.is_hard() {
        if held.as_ref().is_none_or(|key| key.compromised.is_none_or(|mark| mark.since > args.since)) {
            operator.say(&id, "key_compromised", json!({"fingerprint": fingerprint, "since": args.since}))?;
        }
    } else if held.is_none_or(|key| key.retired.is_none_or(|retired| retired.at > now)) {
        operator.say(&id, "key_retired", json!({"fingerprint": fingerprint, "reason": reason}))?;
    }
    let what = format!("revoked {fingerprint} of {} by its own word, reason {reason}", called(&person));
    let already = format!("{fingerprint} of {} was revoked so already", called(&person));
    let next = "next: keyring-sync export gnupg and export wkd carry the revoked certificate to others";
    operator.notes.push(next.to_owned());
    operator.finish(&what, &already, json!({"person": id, "key": fingerprint, "reason": reason, "since": args.since}))
}

fn openpgp_key(tables: &Tables<'_>, name: String) -> Result<(PersonId, KeyRow), Failure> {
    let owner = key::find(tables, &KeyName::from(name))?;
    let missing = |key: &Fingerprint| Failure::Fault(format!("key {key} is missing"));
    let row = match owner.person {
        Some(_) => tables.key(&owner.key)?.ok_or_else(|| missing(&owner.key))?,
        None => return Err(Failure::No(format!("{} is an authority, and no OpenPGP key", owner.key))),
    };
    match row.material {
        Material::OpenPgp(_) => Ok((row.person.clone(), row)),
        Material::Ssh(_) | Material::X509(_) => Err(Failure::No(format!("{} is no OpenPGP key", row.fingerprint))),
    }
}
