//! `keyring-sync person`

use super::{Context, Operator, called, key, now};
use crate::event::Profile;
use crate::report::{self, Failure, Report};
use clap::ValueEnum;
use countersign_policy::id::{Account, Email, PersonId, Role};
use countersign_policy::keyring::{Held, Lifecycle, Person, PersonKind, Scope};
use countersign_policy::text::shown;
use countersign_policy::time::{Span, Time};
use countersign_registry::EventRow;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Longer reasons are cut on the screen; the event keeps them.
const REASON_SHOWN: usize = 200;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a person, active unless --state says otherwise
    Add(Add),
    /// Change what is said here; lists replace the former ones
    Set(Set),
    /// Show one person
    Show { id: PersonId },
    /// List all persons
    List,
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    id: PersonId,
    #[arg(long)]
    name: String,
    #[command(flatten)]
    profile: ProfileArgs,
    #[arg(long, value_enum, default_value_t = State::Active)]
    state: State,
}

#[derive(Debug, clap::Args)]
pub(super) struct Set {
    id: PersonId,
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    profile: ProfileArgs,
    /// Activate a prehire, end a leave, or hire somebody again who has left
    #[arg(long, value_enum)]
    state: Option<State>,
}

#[derive(Debug, clap::Args)]
struct ProfileArgs {
    #[arg(long = "email", value_name = "ADDR")]
    emails: Vec<Email>,
    #[arg(long = "account", value_name = "FORGE:NAME")]
    accounts: Vec<Account>,
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Who answers for a service account
    #[arg(long, value_name = "PERSON")]
    owner: Option<PersonId>,
    /// Who answers for it while the owner is on leave, or has left and nobody follows yet
    #[arg(long, value_name = "PERSON")]
    deputy: Option<PersonId>,
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    /// Where the person may push. `app` is every repository of that name; with a `/` it is the server's whole name for
    /// one (`team/app`) or its whole path. `*` stands for any run of characters
    #[arg(long = "scope", value_name = "REPO[:REF]")]
    scope: Vec<Scope>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Human,
    Service,
    Forge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Prehire,
    Active,
}

impl ProfileArgs {
    fn profile(self, name: Option<String>) -> Profile {
        let some = |list: bool| if list { None } else { Some(()) };
        Profile {
            name,
            emails: some(self.emails.is_empty()).map(|()| self.emails),
            accounts: some(self.accounts.is_empty()).map(|()| self.accounts),
            kind: self.kind.map(|kind| match kind {
                Kind::Human => PersonKind::Human,
                Kind::Service => PersonKind::Service,
                Kind::Forge => PersonKind::Forge,
            }),
            owner: self.owner,
            deputy: self.deputy,
            roles: some(self.roles.is_empty()).map(|()| self.roles),
            scope: some(self.scope.is_empty()).map(|()| self.scope),
        }
    }
}

pub(super) fn run(context: &Context, command: Command) -> Result<Report, Failure> {
    match command {
        Command::Add(args) => add(context, args),
        Command::Set(args) => set(context, args),
        Command::Show { id } => show(context, &id),
        Command::List => list(context),
    }
}

fn add(context: &Context, args: Add) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let mut operator = Operator::begin(&mut registry)?;
    let profile = args.profile.profile(Some(args.name));
    if operator.door.exists(&args.id)? {
        let person = operator.door.person(&args.id)?;
        let mut notes = Vec::new();
        if !differences(&person, &profile, operator.now()).is_empty() {
            notes.push(format!("what is said of {} now differs: keyring-sync person set changes it", person.id));
        }
        let state = person.state(operator.now()).as_str();
        let already = format!("{} is there already, {state}", called(&person));
        operator.notes = notes;
        return operator.finish("", &already, json!({"person": person.id, "state": state}));
    }
    operator.say(&args.id, "hired", json!(profile))?;
    if args.state == State::Active {
        operator.say(&args.id, "activated", json!({}))?;
    }
    let person = operator.person(&args.id)?;
    let state = person.state(operator.now()).as_str();
    if person.kind == PersonKind::Service && person.scope.is_empty() {
        operator.notes.push(format!("{} is a service account without --scope: it may push nowhere", person.id));
    }
    if person.kind == PersonKind::Service && person.owner.is_none() {
        operator.notes.push(format!("{} is a service account without --owner: nobody answers for it", person.id));
    }
    let what = format!("added {}, {state}", called(&person));
    operator.finish(&what, "", json!({"person": person.id, "state": state}))
}

fn set(context: &Context, args: Set) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let mut operator = Operator::begin(&mut registry)?;
    let person = operator.person(&args.id)?;
    let now = operator.now();
    let profile = args.profile.profile(args.name);
    let differences = differences(&person, &profile, now);
    if !differences.is_empty() {
        let data = Profile { roles: None, ..profile.clone() };
        if data != Profile::default() {
            operator.say(&person.id, "renamed", json!(data))?;
        }
    }
    if let Some(wanted) = &profile.roles {
        let (wanted, held): (BTreeSet<&Role>, BTreeSet<&Role>) = (wanted.iter().collect(), current(&person.roles, now));
        for role in wanted.difference(&held) {
            operator.say(&person.id, "role_granted", json!({"role": role}))?;
        }
        for role in held.difference(&wanted) {
            operator.say(&person.id, "role_removed", json!({"role": role}))?;
        }
    }
    if let Some(state) = args.state {
        set_state(&mut operator, &person, state)?;
    }
    let after = operator.person(&person.id)?;
    let state = after.state(now).as_str();
    let what = format!("changed {}, {state}", called(&after));
    let already = format!("{} is so already, {state}", called(&person));
    operator.finish(&what, &already, json!({"person": person.id, "state": state}))
}

fn set_state(operator: &mut Operator<'_>, person: &Person, wanted: State) -> Result<(), Failure> {
    let kind = match (person.state(operator.now()), wanted) {
        (Lifecycle::Active, State::Active) | (Lifecycle::Prehire, State::Prehire) => return Ok(()),
        (Lifecycle::Prehire, State::Active) => "activated",
        (Lifecycle::Leave, State::Active) => "leave_ended",
        (Lifecycle::Terminated, State::Active) => {
            operator.notes.push("the old keys stay retired: enrol new ones with keyring-sync key add".to_owned());
            "rehired"
        }
        (Lifecycle::Suspended, State::Active) => {
            return Err(Failure::No(format!(
                "{} is suspended: the source that suspended them reinstates them, or undo the event that keyring-sync person show names",
                called(person)
            )));
        }
        (state, State::Prehire) => {
            return Err(Failure::No(format!("{} is {}, which cannot become prehire", called(person), state.as_str())));
        }
    };
    operator.say(&person.id, kind, json!({}))?;
    Ok(())
}

/// What of the profile is not so at `now`.
fn differences(person: &Person, profile: &Profile, now: Time) -> Vec<&'static str> {
    fn other<T: Ord>(wanted: Option<&Vec<T>>, held: BTreeSet<&T>) -> bool {
        wanted.is_some_and(|wanted| wanted.iter().collect::<BTreeSet<_>>() != held)
    }
    let parts = [
        ("name", profile.name.as_ref().is_some_and(|name| name != person.name(now))),
        ("emails", other(profile.emails.as_ref(), current(&person.emails, now))),
        ("accounts", other(profile.accounts.as_ref(), current(&person.accounts, now))),
        ("kind", profile.kind.is_some_and(|kind| kind != person.kind)),
        ("owner", profile.owner.is_some() && profile.owner != person.owner),
        ("deputy", profile.deputy.is_some() && profile.deputy != person.deputy),
        ("roles", other(profile.roles.as_ref(), current(&person.roles, now))),
        ("scope", profile.scope.as_ref().is_some_and(|scope| scope != &person.scope)),
    ];
    parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect()
}

fn current<T: Ord>(held: &[Held<T>], now: Time) -> BTreeSet<&T> {
    held.iter().filter(|held| held.span.contains(now)).map(|held| &held.value).collect()
}

/// What the event's data says under `key`, made safe for a terminal.
fn said(event: &EventRow, key: &str) -> Option<String> {
    let line: Value = serde_json::from_str(&event.line).ok()?;
    line.get("data")?.get(key)?.as_str().map(|text| shown(text, REASON_SHOWN))
}

pub(super) fn show(context: &Context, id: &PersonId) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let tables = registry.tables();
    let Some(mut person) = tables.person(id)? else { return Err(Failure::No(format!("unknown person {id}"))) };
    let mut events = tables.events_of(id)?;
    // What older registries took of it is for those whom `watch` names.
    person.watch.clear();
    events.retain(|event| !is_of_watch(event));
    let now = now();
    let mut lines = vec![format!("{}, {}{}", called(&person), person.state(now).as_str(), since(&person, now))];
    let mut tell = |what: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("  {what:<10} {value}"));
        }
    };
    for change in person.lifecycle.iter().filter(|change| change.from > now) {
        tell("will be", format!("{} from {}", change.state.as_str(), change.from));
    }
    for name in person.names.iter().filter(|held| held.span.from > now) {
        tell("will be", format!("called {} from {}", shown(&name.value, 80), name.span.from));
    }
    let kind = match person.kind {
        PersonKind::Human => "",
        PersonKind::Service => "service account",
        PersonKind::Forge => "forge",
    };
    tell("kind", kind.to_owned());
    tell("owner", person.owner.as_ref().map_or(String::new(), ToString::to_string));
    tell("deputy", person.deputy.as_ref().map_or(String::new(), ToString::to_string));
    tell("e-mail", spans(&person.emails, now));
    tell("account", spans(&person.accounts, now));
    tell("role", spans(&person.roles, now));
    tell("scope", person.scope.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    for (mark, set) in [("probation", &person.probation), ("legal hold", &person.legal_hold)] {
        tell(mark, set.iter().filter(|span| !over(span, now)).map(span_words).collect::<Vec<_>>().join(", "));
    }
    for held in &person.keys {
        tell("key", key::line(held, now));
    }
    for event in &events {
        let what = format!("{} {} by {}, effective {}", event.id, event.kind, event.source, event.effective_at);
        let (reason, about) = (said(event, "reason"), said(event, "event"));
        let about = about.map_or(String::new(), |about| format!(", of {about}"));
        tell("event", what + &about + &reason.map_or(String::new(), |reason| format!(": {reason}")));
    }
    let mut json = serde_json::to_value(&person).map_err(|error| Failure::Fault(error.to_string()))?;
    report::set(&mut json, "state", json!(person.state(now)));
    report::set(&mut json, "name", json!(person.name(now)));
    let events: Vec<Value> = events
        .iter()
        .map(|event| {
            json!({"id": event.id, "source": event.source, "type": event.kind, "effective_at": event.effective_at,
                "asserted_at": event.asserted_at, "received_at": event.received_at,
                "reason": said(event, "reason"), "event": said(event, "event")})
        })
        .collect();
    report::set(&mut json, "events", json!(events));
    Ok(Report { text: lines.join("\n"), json, ..Report::default() })
}

/// Whether the event speaks of a watch.
pub(super) fn is_of_watch(event: &EventRow) -> bool {
    event.kind.starts_with("watch_")
}

fn list(context: &Context) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let (persons, now) = (registry.tables().persons()?, now());
    let line = |person: &Person| {
        let keys = person.keys.iter().filter(|key| key::is_current(key, now)).count();
        format!(
            "{}  {}  {}  {}",
            person.id,
            person.state(now).as_str(),
            shown(person.name(now), 80),
            report::count(keys, "key")
        )
    };
    let json: Vec<Value> = persons
        .iter()
        .map(|person| json!({"id": person.id, "name": person.name(now), "kind": person.kind, "state": person.state(now)}))
        .collect();
    let text = persons.iter().map(line).collect::<Vec<_>>().join("\n");
    Ok(Report { text, json: json!({"persons": json}), ..Report::default() })
}

fn since(person: &Person, now: Time) -> String {
    person.state_since(now).map_or(String::new(), |since| format!(" since {since}"))
}

fn over(span: &Span, now: Time) -> bool {
    span.until.is_some_and(|until| until <= now)
}

fn span_words(span: &Span) -> String {
    match span.until {
        None => format!("since {}", span.from),
        Some(until) => format!("{} to {until}", span.from),
    }
}

/// What is held now, by its name; what is over or to come, with its dates.
fn spans<T: std::fmt::Display>(held: &[Held<T>], now: Time) -> String {
    let words = |held: &Held<T>| {
        if held.span.contains(now) && held.span.until.is_none() {
            held.value.to_string()
        } else {
            format!("{} ({})", held.value, span_words(&held.span))
        }
    };
    held.iter().map(words).collect::<Vec<_>>().join(", ")
}
