//! `keyring-sync key`

use super::{Context, Operator, called, now, read_file, read_text};
use crate::door::Refused;
use crate::event::{KeyName, KeyText};
use crate::keys::{KeyRefused, openpgp_texts};
use crate::report::{self, Failure, Report, count};
use clap::ValueEnum;
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::keyring::{Authority, Compromised, Key, Person, RetireReason, Retired, Scope};
use countersign_policy::signature::{ssh, x509};
use countersign_policy::time::Time;
use countersign_registry::{AuthorityMark, Owner, Tables};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a person's key, or an authority whose word on keys is taken
    Add(Add),
    /// Show one key
    Show { fingerprint: String },
    /// List the keys of one person, or all keys and authorities
    List { person: Option<PersonId> },
    /// End a key or an authority
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("key").required(true).args(["ssh", "openpgp", "x509", "ssh_ca", "x509_root"]))]
pub(super) struct Add {
    /// Whose key; not with an authority
    #[arg(required_unless_present_any = ["ssh_ca", "x509_root"], conflicts_with_all = ["ssh_ca", "x509_root"])]
    person: Option<PersonId>,
    /// One `.pub` line or more; `-` is stdin
    #[arg(long, value_name = "FILE")]
    ssh: Option<PathBuf>,
    /// One OpenPGP certificate or more, armoured or binary
    #[arg(long, value_name = "FILE")]
    openpgp: Option<PathBuf>,
    /// One X.509 certificate, PEM
    #[arg(long, value_name = "FILE")]
    x509: Option<PathBuf>,
    /// SSH authority, one `.pub` line or more
    #[arg(long, value_name = "FILE")]
    ssh_ca: Option<PathBuf>,
    /// X.509 root certificate, PEM
    #[arg(long, value_name = "FILE")]
    x509_root: Option<PathBuf>,
    /// Where the key may sign
    #[arg(long = "scope", value_name = "REPO[:REF]", conflicts_with_all = ["ssh_ca", "x509_root"])]
    scope: Vec<Scope>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    fingerprint: String,
    /// retired and superseded end what it may bring in; compromised distrusts what it signed
    #[arg(long, value_enum)]
    reason: Reason,
    /// From when on; a compromised key without it is distrusted altogether
    #[arg(long, value_name = "RFC3339")]
    since: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reason {
    Retired,
    Compromised,
    Superseded,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Retired => "retired",
            Reason::Compromised => "compromised",
            Reason::Superseded => "superseded",
        }
    }
}

pub(super) fn run(context: &Context, command: Command) -> Result<Report, Failure> {
    match command {
        Command::Add(args) => add(context, args),
        Command::Show { fingerprint } => show(context, fingerprint),
        Command::List { person } => list(context, person.as_ref()),
        Command::Revoke(args) => revoke(context, args),
    }
}

fn add(context: &Context, args: Add) -> Result<Report, Failure> {
    if let Some(person) = &args.person {
        let texts = match (&args.ssh, &args.openpgp, &args.x509) {
            (Some(file), ..) => ssh_lines(&read_text(file)?).map(|line| KeyText::Ssh(line.to_owned())).collect(),
            (_, Some(file), _) => openpgp_texts(&read_file(file)?)?,
            (.., Some(file)) => vec![KeyText::X509(read_text(file)?)],
            _ => return Err(Failure::Usage("give --ssh, --openpgp or --x509".to_owned())),
        };
        return add_keys(context, person, &texts, &args.scope);
    }
    let text = match (&args.ssh_ca, &args.x509_root) {
        (Some(file), _) | (_, Some(file)) => read_text(file)?,
        _ => return Err(Failure::Usage("give PERSON, --ssh-ca or --x509-root".to_owned())),
    };
    let mut registry = context.registry()?;
    let mut operator = Operator::begin(&mut registry)?;
    let refused = |refusal| Failure::from(Refused::from(KeyRefused::Refused(refusal)));
    let registrations = if args.ssh_ca.is_some() {
        ssh_lines(&text).map(|line| ssh::register_authority(line).map_err(refused)).collect::<Result<Vec<_>, _>>()?
    } else {
        vec![x509::register_root(text.as_bytes(), operator.now()).map_err(refused)?]
    };
    let mut names = Vec::new();
    for registration in &registrations {
        if !operator.door.add_authority(registration)? {
            let known = authority(&operator.door.tables(), &registration.fingerprint)?;
            if known.retired.is_some() || known.compromised.is_some() {
                return Err(Failure::No(format!(
                    "authority {} was ended{}: make a new one",
                    registration.fingerprint,
                    end_words(known.retired, known.compromised)
                )));
            }
        }
        operator.notes.extend(registration.notes.iter().cloned());
        names.push(registration.fingerprint.to_string());
    }
    nonempty(&names)?;
    let what = format!("added {} as {}", names.join(", "), authority_word(names.len()));
    let already = format!("{} is there already", names.join(", "));
    operator.finish(&what, &already, json!({"authorities": names}))
}

fn authority_word(number: usize) -> &'static str {
    if number == 1 { "an authority" } else { "authorities" }
}

pub(super) fn ssh_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn nonempty(keys: &[String]) -> Result<(), Failure> {
    if keys.is_empty() { Err(Failure::No("there is no key in it".to_owned())) } else { Ok(()) }
}

fn add_keys(context: &Context, id: &PersonId, texts: &[KeyText], scope: &[Scope]) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let mut operator = Operator::begin(&mut registry)?;
    let before = operator.person(id)?;
    for text in texts {
        let mut data = serde_json::to_value(text).map_err(|error| Failure::Fault(error.to_string()))?;
        if !scope.is_empty() {
            report::set(&mut data, "scope", json!(scope));
        }
        operator.say(id, "key_added", data)?;
    }
    let after = operator.person(id)?;
    let named = |wanted: &dyn Fn(Option<&Key>, &Key) -> bool| -> Vec<String> {
        let keys = after.keys.iter().filter(|key| wanted(before.key(&key.fingerprint), key));
        keys.map(|key| key.fingerprint.to_string()).collect()
    };
    let added = named(&|before, _| before.is_none());
    let changed = named(&|before, key| before.is_some_and(|before| before != key));
    if texts.is_empty() {
        nonempty(&added)?;
    }
    let mut what = Vec::new();
    if !added.is_empty() {
        what.push(format!("added {} of {}", added.join(", "), called(&after)));
    }
    if !changed.is_empty() {
        what.push(format!("updated {} of {}", changed.join(", "), called(&after)));
    }
    let already = format!("{} is there already", count(texts.len(), "key"));
    operator.finish(&what.join("; "), &already, json!({"person": id, "keys": added, "updated": changed}))
}

/// Whose the fingerprint is, in whatever spelling.
pub(super) fn find(tables: &Tables<'_>, name: &KeyName) -> Result<Owner, Failure> {
    for candidate in name.candidates() {
        if let Some(owner) = tables.owner(&candidate)? {
            return Ok(owner);
        }
    }
    // The 16 digits that git and gpg print are the end of an OpenPGP fingerprint.
    let mut owners = match name.key_id() {
        Some(id) => tables.owners_by_key_id(&id)?,
        None => Vec::new(),
    };
    match (owners.pop(), owners.is_empty()) {
        (Some(owner), true) => Ok(owner),
        (Some(_), false) => Err(Failure::No(format!("several keys end in {name}: give the whole fingerprint"))),
        (None, _) => Err(Failure::No(format!("unknown key {name}"))),
    }
}

fn revoke(context: &Context, args: Revoke) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let mut operator = Operator::begin(&mut registry)?;
    let name = KeyName::from(args.fingerprint);
    let owner = find(&operator.door.tables(), &name)?;
    let (key, reason, now) = (owner.key, args.reason, operator.now());
    if reason == Reason::Compromised && args.since.is_some_and(|since| since > now) {
        return Err(Failure::Usage("--since lies in the future".to_owned()));
    }
    let Some(id) = owner.person else {
        let mark = match reason {
            Reason::Retired => {
                AuthorityMark::Retired(Retired { at: args.since.unwrap_or(now), reason: RetireReason::Retired })
            }
            Reason::Superseded => {
                AuthorityMark::Retired(Retired { at: args.since.unwrap_or(now), reason: RetireReason::Superseded })
            }
            Reason::Compromised => AuthorityMark::Compromised(Compromised { since: args.since, from: now }),
        };
        let before = authority(&operator.door.tables(), &key)?;
        if !ended(before.retired, before.compromised, reason, args.since, now) {
            operator.door.mark_authority(&key, mark)?;
        }
        let what = format!("authority {key} is {} now", reason.as_str());
        let already = format!("authority {key} was {} already", reason.as_str());
        return operator.finish(
            &what,
            &already,
            json!({"authority": key, "reason": reason.as_str(), "since": args.since}),
        );
    };
    let person = operator.person(&id)?;
    let held = person.key(&key).ok_or_else(|| Failure::Fault(format!("{id} lacks their key {key}")))?;
    if !ended(held.retired, held.compromised, reason, args.since, now) {
        let data = json!({"fingerprint": key, "since": args.since, "reason": reason.as_str()});
        let kind = if reason == Reason::Compromised { "key_compromised" } else { "key_retired" };
        operator.say(&id, kind, data)?;
        if reason == Reason::Compromised {
            operator.notes.push("this is never taken back: the person enrols a new key".to_owned());
        }
    }
    let since = args.since.map_or(String::new(), |since| format!(" since {since}"));
    let what = format!("key {key} of {} is {}{since}", called(&person), reason.as_str());
    let already = format!("key {key} of {} was {} already", called(&person), reason.as_str());
    operator.finish(
        &what,
        &already,
        json!({"person": id, "fingerprint": key, "reason": reason.as_str(), "since": args.since}),
    )
}

/// Whether saying it (again) would change nothing.
fn ended(
    retired: Option<Retired>,
    compromised: Option<Compromised>,
    reason: Reason,
    since: Option<Time>,
    now: Time,
) -> bool {
    match reason {
        Reason::Compromised => compromised.is_some_and(|mark| mark.from <= now && mark.since <= since),
        // An end that lies ahead is none yet.
        Reason::Retired | Reason::Superseded => retired.is_some_and(|mark| mark.at <= since.unwrap_or(now)),
    }
}

fn authority(tables: &Tables<'_>, fingerprint: &Fingerprint) -> Result<Authority, Failure> {
    let authorities = tables.authorities()?;
    let found =
        authorities.ssh.into_iter().chain(authorities.x509).find(|authority| &authority.fingerprint == fingerprint);
    found.ok_or_else(|| Failure::Fault(format!("authority {fingerprint} is missing")))
}

fn show(context: &Context, fingerprint: String) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let (tables, now) = (registry.tables(), now());
    let owner = find(&tables, &KeyName::from(fingerprint))?;
    let Some(id) = owner.person else {
        let authority = authority(&tables, &owner.key)?;
        let text = format!("authority {}", authority_line(&authority, now));
        return Ok(Report { text, json: json!({"authority": authority}), ..Report::default() });
    };
    let person = tables.person(&id)?.ok_or_else(|| Failure::Fault(format!("person {id} is missing")))?;
    let key = person.key(&owner.key).ok_or_else(|| Failure::Fault(format!("{id} lacks their key {}", owner.key)))?;
    let text = format!("{}\n  of {}, {}", line(key, now), called(&person), person.state(now).as_str());
    Ok(Report { text, json: json!({"person": id, "key": key}), ..Report::default() })
}

fn list(context: &Context, id: Option<&PersonId>) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let (tables, now) = (registry.tables(), now());
    let persons: Vec<Person> = match id {
        None => tables.persons()?,
        Some(id) => vec![tables.person(id)?.ok_or_else(|| Failure::No(format!("unknown person {id}")))?],
    };
    let mut lines = Vec::new();
    let mut json: Vec<Value> = Vec::new();
    for person in &persons {
        for key in &person.keys {
            lines.push(format!("{}  {}", person.id, line(key, now)));
            json.push(json!({"person": person.id, "key": key}));
        }
    }
    let mut all = json!({"keys": json});
    if id.is_none() {
        let authorities = tables.authorities()?;
        let both = authorities.ssh.iter().chain(&authorities.x509);
        lines.extend(both.map(|authority| format!("authority  {}", authority_line(authority, now))));
        report::set(&mut all, "authorities", json!(authorities));
    }
    Ok(Report { text: lines.join("\n"), json: all, ..Report::default() })
}

/// Whether the key may bring something in at `now`, as far as the registry says.
pub(super) fn is_current(key: &Key, now: Time) -> bool {
    key.added <= now
        && key.retired.is_none_or(|retired| retired.at > now)
        && key.compromised.is_none_or(|mark| mark.from > now)
}

/// `SSH key SHA256:…, added …, retired …`
pub(super) fn line(key: &Key, now: Time) -> String {
    let scope: Vec<String> = key.scope.iter().flatten().map(ToString::to_string).collect();
    let scope = if scope.is_empty() { String::new() } else { format!(", only {}", scope.join(" ")) };
    let begun = if key.added <= now { "added" } else { "valid from" };
    format!(
        "{} {}, {begun} {}{scope}{}",
        key.kind(),
        key.fingerprint,
        key.added,
        end_words(key.retired, key.compromised)
    )
}

fn authority_line(authority: &Authority, _now: Time) -> String {
    format!(
        "{}, added {}{}",
        authority.fingerprint,
        authority.added,
        end_words(authority.retired, authority.compromised)
    )
}

fn end_words(retired: Option<Retired>, compromised: Option<Compromised>) -> String {
    let mut words = String::new();
    if let Some(retired) = retired {
        let reason = match retired.reason {
            RetireReason::Retired => "retired",
            RetireReason::Superseded => "superseded",
        };
        words.push_str(&format!(", {reason} {}", retired.at));
    }
    match compromised {
        Some(Compromised { since: Some(since), .. }) => words.push_str(&format!(", compromised since {since}")),
        Some(Compromised { since: None, .. }) => words.push_str(", compromised, never to be believed"),
        None => {}
    }
    words
}
