//! `keyring-sync cascade`

use super::{Context, called, now};
use crate::cascade::run::{self, CascadeError, Running};
use crate::cascade::{Orphan, Wanted, is_back, orphans, wanted};
use crate::config::Config;
use crate::forge::Step;
use crate::report::{Failure, Report, count, set};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::Person;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::{CascadeStep, Tables};
use serde_json::{Value, json};

/// Characters of a forge's words on the screen.
const TROUBLE_SHOWN: usize = 300;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Block the accounts of who is suspended or terminated, end their keys and tokens, and read back that it is so;
    /// `keyring-sync serve` does it by itself
    Run(Run),
    /// Tell what is cut where, and what is not yet
    Status { person: Option<PersonId> },
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Try everything that is not confirmed, once, and exit 1 if something is left; otherwise go on until stopped
    #[arg(long)]
    once: bool,
}

pub(super) fn run(context: &Context, command: Command) -> Result<Report, Failure> {
    match command {
        Command::Run(Run { once: true }) => run_once(context),
        Command::Run(Run { once: false }) => run_on(context),
        Command::Status { person } => status(context, person.as_ref()),
    }
}

impl From<CascadeError> for Failure {
    fn from(error: CascadeError) -> Self {
        match error {
            CascadeError::Busy => Failure::No(error.to_string()),
            CascadeError::Forge(_) | CascadeError::Store(_) | CascadeError::Io { .. } => {
                Failure::Fault(error.to_string())
            }
        }
    }
}

fn run_once(context: &Context) -> Result<Report, Failure> {
    context.registry()?;
    run::once(&Config::read(&context.config)?)?;
    let told = told(context, None)?;
    Ok(Report { refused: told.has_open(), ..told.report() })
}

/// Goes on until the process is stopped; what was noted stays noted whenever that is.
fn run_on(context: &Context) -> Result<Report, Failure> {
    context.registry()?;
    Running::start(&Config::read(&context.config)?)?.wait();
    Err(Failure::Fault("the cascade ended by itself".to_owned()))
}

fn status(context: &Context, id: Option<&PersonId>) -> Result<Report, Failure> {
    Ok(told(context, id)?.report())
}

/// What is cut of one person, and what is not.
pub(super) fn of_person(context: &Context, id: &PersonId) -> Result<Told, Failure> {
    told(context, Some(id))
}

fn told(context: &Context, id: Option<&PersonId>) -> Result<Told, Failure> {
    let config = Config::read(&context.config)?;
    let registry = context.registry()?;
    let tables = registry.tables();
    let persons = tables.persons()?;
    match id {
        Some(id) if !persons.iter().any(|person| &person.id == id) => Err(Failure::No(format!("unknown person {id}"))),
        _ => tell(&tables, &config, &persons, id),
    }
}

/// What the journal says, for people and for programs.
#[derive(Default)]
pub(super) struct Told {
    pub lines: Vec<String>,
    cut: Vec<Value>,
    open: Vec<Value>,
    returned: Vec<Value>,
    held: Vec<Value>,
    escalated: Vec<Value>,
}

/// Of one person or of all; a way in that the journal has not heard of yet is open.
fn tell(tables: &Tables<'_>, config: &Config, persons: &[Person], id: Option<&PersonId>) -> Result<Told, Failure> {
    let now = now();
    let mut told = Told::default();
    let is_meant = |person: &PersonId| id.is_none_or(|id| id == person);
    let steps = match id {
        Some(id) => tables.cascade_steps_of(id)?,
        None => {
            let held = config.forges.iter().map(|forge| tables.cascade_held(forge.name.as_str()));
            let held = held.collect::<Result<Vec<_>, _>>()?;
            [tables.cascade_steps()?, held.concat()].concat()
        }
    };
    let wanted: Vec<Wanted> = wanted(persons, now).into_iter().filter(|wanted| is_meant(&wanted.person)).collect();
    for wanted in &wanted {
        let known = steps.iter().find(|step| is_same(wanted, step) && step.wanted_at == wanted.since);
        let has_forge = config.forges.iter().any(|forge| forge.name.login(&wanted.account).is_some());
        told.step(wanted, known.filter(|step| step.lifted_at.is_none()), has_forge);
    }
    let is_back_in = |step: &&CascadeStep| !wanted.iter().any(|wanted| is_same(wanted, step));
    for step in steps.iter().filter(|step| step.step == Step::Block.as_str()).filter(is_back_in) {
        if let Some(person) = persons.iter().find(|person| person.id == step.person) {
            told.back(step, is_back(person, &step.account, now));
        }
    }
    let orphans = orphans(persons, now);
    for orphan in orphans.iter().filter(|orphan| is_meant(&orphan.owner) || is_meant(&orphan.account)) {
        told.orphan(orphan, persons);
    }
    Ok(told)
}

fn is_same(wanted: &Wanted, step: &CascadeStep) -> bool {
    (&wanted.person, &wanted.account, wanted.step.as_str()) == (&step.person, &step.account, step.step.as_str())
}

impl Told {
    pub fn json(&self) -> Value {
        json!({"cut": self.cut, "open": self.open, "returned": self.returned, "held": self.held,
            "escalated": self.escalated})
    }

    fn has_open(&self) -> bool {
        let is_due = |held: &Value| held.get("due").and_then(Value::as_bool) == Some(true);
        !self.open.is_empty() || self.held.iter().any(is_due)
    }

    fn report(&self) -> Report {
        let nobody = ["nobody is to be cut off".to_owned()];
        let lines = if self.lines.is_empty() { &nobody } else { self.lines.as_slice() };
        Report { text: lines.join("\n"), json: self.json(), ..Report::default() }
    }

    fn step(&mut self, wanted: &Wanted, known: Option<&CascadeStep>, has_forge: bool) {
        let Wanted { person, account, step, since } = wanted;
        let what = format!("{person}  {account}  {}", step.as_str());
        let mut json = json!({"person": person, "account": account, "step": step.as_str(), "since": since});
        if let Some((at, found)) = known.and_then(|known| Some((known.confirmed_at?, known.found.as_deref()?))) {
            let found = if found == "absent" { "no such account" } else { found };
            self.lines.push(format!("{what}: {found}, read back {at}"));
            set(&mut json, "confirmed_at", json!(at));
            set(&mut json, "found", json!(found));
            self.cut.push(json);
            return;
        }
        let why = match known {
            _ if !has_forge => {
                "no forge of this name is configured: cut it by hand, or add it under `forges`".to_owned()
            }
            Some(known) if known.trouble.is_some() => trouble(known),
            _ => "not tried yet: keyring-sync serve does it, or keyring-sync cascade run".to_owned(),
        };
        self.lines.push(format!("{what}: NOT CUT: {why}"));
        set(&mut json, "why", json!(why));
        set(&mut json, "attempts", json!(known.map_or(0, |known| known.attempts)));
        self.open.push(json);
    }

    /// The account of somebody who is no longer out. Only what this program alone had blocked is given back by it.
    fn back(&mut self, step: &CascadeStep, due: bool) {
        let CascadeStep { person, account, .. } = step;
        let what = format!("{person}  {account}  {}", step.step);
        let mut json = json!({"person": person, "account": account, "step": step.step});
        if let Some(at) = returned(step) {
            self.lines.push(format!(
                "{what}: given back, read back {at}; keys and tokens stay gone, and are made anew by whom they belong to"
            ));
            set(&mut json, "returned_at", json!(at));
            self.returned.push(json);
            return;
        }
        let why = match (step.own, due) {
            (true, true) if step.lifted_at.is_some() && step.trouble.is_some() => {
                format!("NOT GIVEN BACK: {}", trouble(step))
            }
            (true, true) => "NOT GIVEN BACK: not tried yet".to_owned(),
            (true, false) => "blocked; it is given back when the person is active again".to_owned(),
            (false, true) if step.found.as_deref() == Some("cut") => {
                "blocked, and not surely by this program alone: give it back on the forge if it is to be".to_owned()
            }
            (false, _) => return,
        };
        self.lines.push(format!("{what}: {why}"));
        set(&mut json, "due", json!(step.own && due));
        set(&mut json, "why", json!(why));
        self.held.push(json);
    }

    fn orphan(&mut self, orphan: &Orphan, persons: &[Person]) {
        let Orphan { account, owner, logins } = orphan;
        let find = |id: &PersonId| persons.iter().find(|person| &person.id == id);
        let names = [account, owner].map(|id| find(id).map_or_else(|| id.to_string(), called));
        let [account_name, owner_name] = names;
        let logins: Vec<String> = logins.iter().map(ToString::to_string).collect();
        let on = if logins.is_empty() { String::new() } else { format!(" on {}", logins.join(", ")) };
        self.lines.push(format!(
            "{account}  service account {account_name}{on}: its owner {owner_name} is out. Give it another owner (keyring-sync person set {account} --owner PERSON) or end it (keyring-sync kill {account})"
        ));
        self.escalated.push(json!({"service_account": account, "owner": owner, "accounts": logins}));
    }
}

fn returned(step: &CascadeStep) -> Option<Time> {
    step.returned_at.filter(|_| !step.own)
}

fn trouble(step: &CascadeStep) -> String {
    let attempts = count(usize::try_from(step.attempts).unwrap_or(usize::MAX), "attempt");
    let why = shown(step.trouble.as_deref().unwrap_or_default(), TROUBLE_SHOWN);
    format!("{why}; {attempts}, the next at {}", step.next_at)
}
