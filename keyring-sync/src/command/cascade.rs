//! `keyring-sync cascade`

use super::{Context, Operator, called, now};
use crate::cascade::pass::{Opened, pass};
use crate::cascade::{Orphan, Wanted, orphans, wanted};
use crate::config::Config;
use crate::forge::{BadForge, ForgeName};
use crate::report::{Failure, Report, count};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::Person;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::{CascadeStep, Tables};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often the registry is looked at for somebody who went out.
const LOOK: Duration = Duration::from_secs(2);

/// How often it is read whole although nothing was written: a date may have come.
const READ_WHOLE: Duration = Duration::from_secs(30);

/// Characters of a forge's words on the screen.
const TROUBLE_SHOWN: usize = 300;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Block the accounts of who is suspended or terminated, end their keys and tokens, and read back that it is so
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

fn run_once(context: &Context) -> Result<Report, Failure> {
    let config = Config::read(&context.config)?;
    let steps = plan(context)?;
    let open: Vec<CascadeStep> = steps.into_iter().filter(|step| step.confirmed_at.is_none()).collect();
    work(context, &config, open)?;
    let mut report = status(context, None)?;
    report.refused = report.json.get("open").and_then(Value::as_array).is_some_and(|open| !open.is_empty());
    Ok(report)
}

/// Goes on until the process is stopped; what was noted stays noted whenever that is.
fn run_on(context: &Context) -> Result<Report, Failure> {
    let mut planned: Option<(u64, Time)> = None;
    let mut steps: Vec<CascadeStep> = Vec::new();
    loop {
        let epoch = context.registry()?.tables().epoch()?;
        let is_fresh = |(known, at): (u64, Time)| known == epoch && now().since(at) < READ_WHOLE;
        if !planned.is_some_and(is_fresh) {
            steps = plan(context)?;
            planned = Some((epoch, now()));
        }
        let due: Vec<CascadeStep> =
            steps.iter().filter(|step| step.confirmed_at.is_none() && step.next_at <= now()).cloned().collect();
        if !due.is_empty() {
            // Read each time: a forge may be added, and a token renewed, while somebody waits to be cut.
            let config = Config::read(&context.config)?;
            work(context, &config, due)?;
            planned = None;
        }
        std::thread::sleep(LOOK);
    }
}

/// Brings the journal in line with the registry, and returns what it wants.
fn plan(context: &Context) -> Result<Vec<CascadeStep>, Failure> {
    let mut registry = context.registry()?;
    let (wanted, steps) = compare(&registry.tables(), now())?;
    if !is_in_line(&wanted, &steps) {
        let operator = Operator::begin(&mut registry)?;
        let (tables, now) = (operator.door.tables(), operator.now());
        let (wanted, steps) = compare(&tables, now)?;
        for step in &wanted {
            tables.want_cascade_step(&step.person, &step.account, step.step.as_str(), step.since, now)?;
        }
        for step in steps.iter().filter(|step| !wanted.iter().any(|wanted| is_same(wanted, step))) {
            tables.lift_cascade_step(step, now)?;
        }
        operator.door.settle()?;
    }
    Ok(registry.tables().cascade_steps()?)
}

fn compare(tables: &Tables<'_>, now: Time) -> Result<(Vec<Wanted>, Vec<CascadeStep>), Failure> {
    Ok((wanted(&tables.persons()?, now), tables.cascade_steps()?))
}

fn is_same(wanted: &Wanted, step: &CascadeStep) -> bool {
    (&wanted.person, &wanted.account, wanted.step.as_str()) == (&step.person, &step.account, step.step.as_str())
}

fn is_in_line(wanted: &[Wanted], steps: &[CascadeStep]) -> bool {
    let key = |wanted: &Wanted| {
        (wanted.person.clone(), wanted.account.clone(), wanted.step.as_str().to_owned(), wanted.since)
    };
    let known: BTreeSet<_> = steps
        .iter()
        .map(|step| (step.person.clone(), step.account.clone(), step.step.clone(), step.wanted_at))
        .collect();
    wanted.iter().map(key).collect::<BTreeSet<_>>() == known
}

fn work(context: &Context, config: &Config, due: Vec<CascadeStep>) -> Result<(), Failure> {
    let mut forges: BTreeMap<ForgeName, Opened> = BTreeMap::new();
    for forge in &config.forges {
        let opened = forge.open().map_err(|error| error.to_string());
        if forges.insert(forge.name.clone(), opened).is_some() {
            return Err(Failure::Fault(BadForge::Twice(forge.name.clone()).to_string()));
        }
    }
    let mut registry = context.registry()?;
    // What a forge was seen to have done is noted, however long another writer takes.
    registry.wait_without_end();
    pass(&forges, due, now, |step, attempt| {
        let operator = Operator::begin(&mut registry)?;
        operator.door.tables().note_cascade_attempt(step, attempt, operator.now())?;
        operator.door.settle()?;
        Ok(())
    })
}

fn status(context: &Context, id: Option<&PersonId>) -> Result<Report, Failure> {
    let told = told(context, id)?;
    let nobody = vec!["nobody is to be cut off".to_owned()];
    let lines = if told.lines.is_empty() { &nobody } else { &told.lines };
    Ok(Report { text: lines.join("\n"), json: told.json(), ..Report::default() })
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
    escalated: Vec<Value>,
}

/// Of one person or of all; a way in that the journal has not heard of yet is open.
fn tell(tables: &Tables<'_>, config: &Config, persons: &[Person], id: Option<&PersonId>) -> Result<Told, Failure> {
    let now = now();
    let mut told = Told::default();
    let steps = tables.cascade_steps()?;
    for wanted in wanted(persons, now).iter().filter(|wanted| id.is_none_or(|id| id == &wanted.person)) {
        let known = steps.iter().find(|step| is_same(wanted, step) && step.wanted_at == wanted.since);
        let has_forge = config.forges.iter().any(|forge| forge.name.login(&wanted.account).is_some());
        told.step(wanted, known, has_forge);
    }
    let orphans = orphans(persons, now);
    for orphan in orphans.iter().filter(|orphan| id.is_none_or(|id| id == &orphan.owner || id == &orphan.account)) {
        told.orphan(orphan, persons);
    }
    Ok(told)
}

impl Told {
    pub fn json(&self) -> Value {
        json!({"cut": self.cut, "open": self.open, "escalated": self.escalated})
    }

    fn step(&mut self, wanted: &Wanted, known: Option<&CascadeStep>, has_forge: bool) {
        let Wanted { person, account, step, since } = wanted;
        let what = format!("{person}  {account}  {}", step.as_str());
        let mut json = json!({"person": person, "account": account, "step": step.as_str(), "since": since});
        if let Some((at, found)) = known.and_then(|known| Some((known.confirmed_at?, known.found.as_deref()?))) {
            let found = if found == "absent" { "no such account" } else { found };
            self.lines.push(format!("{what}: {found}, read back {at}"));
            crate::report::set(&mut json, "confirmed_at", json!(at));
            crate::report::set(&mut json, "found", json!(found));
            self.cut.push(json);
            return;
        }
        let why = match known {
            _ if !has_forge => {
                "no forge of this name is configured: cut it by hand, or add it under `forges`".to_owned()
            }
            Some(CascadeStep { trouble: Some(trouble), attempts, next_at, .. }) => {
                let attempts = count(usize::try_from(*attempts).unwrap_or(usize::MAX), "attempt");
                format!("{}; {attempts}, the next at {next_at}", shown(trouble, TROUBLE_SHOWN))
            }
            _ => "not tried yet".to_owned(),
        };
        self.lines.push(format!("{what}: NOT CUT: {why}"));
        crate::report::set(&mut json, "why", json!(why));
        crate::report::set(&mut json, "attempts", json!(known.map_or(0, |known| known.attempts)));
        self.open.push(json);
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
