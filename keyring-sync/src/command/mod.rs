//! The command line. One file a command; each turns its arguments into events and a [`Report`].

mod apply;
mod cascade;
mod ending;
mod enrol;
mod export;
mod hints;
mod import;
mod init;
mod key;
mod kill;
mod person;
mod publish;
mod serve;
mod signals;
mod sources;
mod staged;
mod status;
mod sync;
mod token;
mod undo;
mod watch;

pub use init::init;

use crate::config::{Config, DEFAULT_PATH};
use crate::door::{Admitted, Door, operator_line};
use crate::event::Event;
use crate::intake::NotTaken;
use crate::report::{self, Failure, Report};
use clap::{Parser, Subcommand, ValueEnum};
use countersign_policy::id::PersonId;
use countersign_policy::keyring::Person;
use countersign_policy::time::Time;
use countersign_registry::{Published, Registry};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Largest file read whole: ten million short events.
const FILE_MAX: u64 = 1 << 30;

/// Keeps the registry of persons and keys, and publishes it for the hooks.
#[derive(Debug, Parser)]
#[command(name = "keyring-sync", version, max_term_width = 100)]
pub struct Cli {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Text for people or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an empty registry, its configuration and its published keyring
    Init(init::Args),
    /// Tell the state of the registry, or of one person
    Status(status::Args),
    /// Add, change and show persons
    #[command(subcommand)]
    Person(person::Command),
    /// Add, show and revoke keys
    #[command(subcommand)]
    Key(key::Command),
    /// Have a key registered by whoever shows that they hold it
    #[command(subcommand)]
    Enrol(enrol::Command),
    /// Take events, one JSON object a line; all of them or none
    Apply(apply::Args),
    /// Terminate a person at once
    Kill(kill::Args),
    /// Make the registry say what the lists of HR systems say
    Sync(sync::Args),
    /// Decide, two of you, about what would have put too many people out at once
    #[command(subcommand)]
    Staged(staged::Command),
    /// See, confirm and refute what HR systems hinted at: who was suspended because they seem to have left
    #[command(subcommand)]
    Hints(hints::Command),
    /// Name those whose contract or employment ends soon
    Ending(ending::Args),
    /// Carry terminations and suspensions to the forges
    #[command(subcommand)]
    Cascade(cascade::Command),
    /// Look more closely at somebody, two of you, without their seeing it
    #[command(subcommand)]
    Watch(watch::Command),
    /// Take an event back
    Undo(undo::Args),
    /// Bring persons and keys over from elsewhere
    #[command(subcommand)]
    Import(import::Command),
    /// Serve HR and identity systems: SCIM 2.0, webhooks, health and metrics
    Serve,
    /// Name the sources, when each was last heard, and who fell silent
    Sources,
    /// Look at security events, and fetch them
    #[command(subcommand)]
    Signals(signals::Command),
    /// Make and revoke the tokens of sources
    #[command(subcommand)]
    Token(token::Command),
    /// Publish the keyring again: confirms that it is current, and mends one that is damaged
    Publish,
    /// Write persons and keys for other programs
    #[command(subcommand)]
    Export(export::Command),
}

impl Cli {
    /// What is logged where the environment does not say: a service tells what it does, a command only what is wrong.
    pub fn log_level(&self) -> &'static str {
        if matches!(self.command, Command::Serve) { "info" } else { "warn" }
    }

    pub fn run(self) -> Result<Report, Failure> {
        let context = Context { config: self.config };
        match self.command {
            Command::Init(args) => init::run(&context, &args),
            Command::Status(args) => status::run(&context, &args),
            Command::Person(command) => person::run(&context, command),
            Command::Key(command) => key::run(&context, command),
            Command::Enrol(command) => enrol::run(&context, command),
            Command::Apply(args) => apply::run(&context, &args),
            Command::Kill(args) => kill::run(&context, &args),
            Command::Sync(args) => sync::run(&context, &args),
            Command::Staged(command) => staged::run(&context, &command),
            Command::Hints(command) => hints::run(&context, &command),
            Command::Ending(args) => ending::run(&context, &args),
            Command::Cascade(command) => cascade::run(&context, command),
            Command::Undo(args) => undo::run(&context, &args),
            Command::Watch(command) => watch::run(&context, &command),
            Command::Serve => serve::run(&context),
            Command::Sources => sources::run(&context),
            Command::Signals(command) => signals::run(&context, &command),
            Command::Token(command) => token::run(&context, &command),
            Command::Publish => publish::run(&context),
            Command::Import(command) => import::run(&context, command),
            Command::Export(command) => export::run(&context, &command),
        }
    }
}

/// What every command starts from.
struct Context {
    config: PathBuf,
}

impl Context {
    fn config(&self) -> Result<Config, Failure> {
        Ok(Config::read(&self.config)?)
    }

    fn registry(&self) -> Result<Registry, Failure> {
        let config = self.config()?;
        let registry = Registry::open(&config.registry, &config.keyring)?;
        // A program that ended between its commit and its rename left readers with an older state.
        if let Err(error) = registry.repair(now()) {
            tracing::warn!(%error, "the published keyring is not this registry's latest");
        }
        Ok(registry)
    }
}

fn now() -> Time {
    Time::from_system(SystemTime::now())
}

/// The operator's own assertions, taken one after the other and committed together.
struct Operator<'r> {
    door: Door<'r>,
    /// When this is heard: after everything that was heard before, even where the clock was set back since.
    heard: Time,
    events: Vec<String>,
    notes: Vec<String>,
}

impl<'r> Operator<'r> {
    /// The instant is taken under the lock: what waits for another writer happens after it.
    fn begin(registry: &'r mut Registry) -> Result<Self, Failure> {
        let door = Door::new(registry.begin(now())?, now());
        let last = door.tables().last_event()?.map_or(Time::MIN, |event| event.received_at);
        let heard = door.now().max(last.plus(Duration::from_millis(1)));
        Ok(Operator { door, heard, events: Vec::new(), notes: Vec::new() })
    }

    fn now(&self) -> Time {
        self.door.now()
    }

    fn person(&self, id: &PersonId) -> Result<Person, Failure> {
        if !self.door.exists(id)? {
            return Err(Failure::No(format!("unknown person {id}")));
        }
        Ok(self.door.person(id)?)
    }

    /// False: it was there already.
    fn say(&mut self, person: &PersonId, kind: &str, data: Value) -> Result<bool, Failure> {
        self.say_from(person, kind, data, self.now())
    }

    fn say_from(&mut self, person: &PersonId, kind: &str, data: Value, effective: Time) -> Result<bool, Failure> {
        let line = operator_line(person, kind, data, effective, self.heard);
        let event = Event::parse(&line, self.heard).map_err(|error| Failure::No(error.to_string()))?;
        let id = event.id.to_string();
        match self.door.admit(event)? {
            Admitted::Known => Ok(false),
            Admitted::Taken { notes } => {
                self.events.push(id);
                self.notes.extend(notes);
                Ok(true)
            }
        }
    }

    /// Makes durable what was noted and is not published, and reports it.
    fn keep(self, what: &str, mut json: Value) -> Result<Report, Failure> {
        report::set(&mut json, "changed", json!(true));
        report::set(&mut json, "events", json!(self.events));
        self.door.settle()?;
        Ok(Report { text: what.to_owned(), json, notes: self.notes, refused: false })
    }

    /// Commits and reports `what` was done; where nothing was to be done, `already` says so.
    fn finish(self, what: &str, already: &str, mut json: Value) -> Result<Report, Failure> {
        let mut report = Report { notes: self.notes, ..Report::default() };
        let changed = !self.door.is_unchanged();
        report::set(&mut json, "changed", json!(changed));
        report::set(&mut json, "events", json!(self.events));
        if changed {
            let published = self.door.commit()?;
            report.text = format!("{what}; {}", report::published(published));
            add_publication(&mut json, published);
            for event in &self.events {
                report.text.push_str(&format!("\nevent {event}"));
            }
        } else {
            already.clone_into(&mut report.text);
        }
        report.json = json;
        Ok(report)
    }
}

fn not_taken(not_taken: NotTaken) -> Failure {
    match not_taken {
        NotTaken::Store(fault) => fault.into(),
        other => Failure::No(other.to_string()),
    }
}

fn add_publication(json: &mut Value, published: Published) {
    if let (Value::Object(json), Value::Object(more)) = (json, report::published_json(published)) {
        json.extend(more);
    }
}

/// `-` is stdin. Read before any lock is taken: a slow pipe must not hold up an offboarding.
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut read = |input: &mut dyn Read| input.take(FILE_MAX + 1).read_to_end(&mut bytes);
    let done = if path == Path::new("-") {
        read(&mut std::io::stdin().lock())
    } else {
        std::fs::File::open(path).and_then(|mut file| read(&mut file))
    };
    done.map_err(Failure::file(path))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Failure::No(format!("{}: larger than {FILE_MAX} bytes", path.display())));
    }
    Ok(bytes)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read_file(path)?).map_err(|_| Failure::No(format!("{}: not UTF-8 text", path.display())))
}

/// `E1001 (Alice Example)`
fn called(person: &Person) -> String {
    format!("{} ({})", person.id, countersign_policy::text::shown(person.name(now()), 80))
}
