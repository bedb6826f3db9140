//! `keyring-sync watch`: whom a few may look at more closely, without anybody else seeing that they do.
//!
//! Two people set it, for a time that ends by itself, and whoever reads of it is on record. It makes no event, no epoch
//! and no publication, so that no hook and no other command can behave differently because of it.

use super::{Context, now};
use crate::operator::Operator;
use crate::report::{Failure, Report, set as put};
use crate::watch::{self, State, Terms};
use countersign_policy::id::PersonId;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::{EventRow, NewWatch, Registry, Signed, Tables, WatchReading, WatchRow};
use serde_json::{Value, json};

/// Characters of a text that somebody wrote, on the screen.
const TEXT_SHOWN: usize = 500;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Ask for a watch; it begins when a second person confirms it
    Set(Set),
    /// Agree to what somebody else asked for
    Confirm(Of),
    /// End a watch, or take back what was asked for
    End(Of),
    /// Name the watches that you may read of
    List(By),
    /// Tell what was agreed, and what the registry heard of the person since
    Show(Of),
    /// As `show`, but only what is new since you last read it; exit 1 if something is
    Report(Of),
    /// Tell who read of a watch, and who was refused
    Log(Of),
}

#[derive(Debug, clap::Args)]
pub(super) struct Set {
    person: PersonId,
    /// What is suspected, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What makes it lawful: the paragraph, the works council's consent, the case
    #[arg(long, value_name = "TEXT")]
    legal_basis: String,
    /// When it ends by itself
    #[arg(long, value_name = "RFC3339")]
    until: Time,
    /// Who may read of it, separated by commas
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', required = true)]
    readers: Vec<String>,
    #[command(flatten)]
    by: By,
}

#[derive(Debug, clap::Args)]
pub(super) struct By {
    /// Who you are; by default the Unix user who logged in. Both are recorded
    #[arg(long = "by", value_name = "NAME")]
    operator: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Of {
    /// As `watch set` called it
    id: String,
    #[command(flatten)]
    by: By,
}

pub(super) fn run(context: &Context, command: &Command) -> Result<Report, Failure> {
    match command {
        Command::Set(args) => set(context, args),
        Command::Confirm(of) => confirm(context, of),
        Command::End(of) => end(context, of),
        Command::List(by) => list(context, by),
        Command::Show(of) => read(context, of, "show"),
        Command::Report(of) => read(context, of, "report"),
        Command::Log(of) => log(context, of),
    }
}

impl By {
    fn signed(&self, at: Time) -> Result<Signed, Failure> {
        let Operator { name, login } = Operator::find(self.operator.as_deref()).map_err(Failure::Usage)?;
        Ok(Signed { operator: name, login, at })
    }
}

/// Nobody learns from the answer whether there is such a watch.
fn unknown(id: &str) -> Failure {
    Failure::No(format!("there is no watch {} that you may read of", shown(id, 40)))
}

fn set(context: &Context, args: &Set) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let change = registry.begin(now())?;
    let asked = args.by.signed(now())?;
    let person = change.tables().person(&args.person)?;
    let person = person.ok_or_else(|| Failure::No(format!("unknown person {}", args.person)))?;
    let terms = Terms::check(&args.reason, &args.legal_basis, &args.readers, args.until, asked.at);
    let Terms { reason, legal_basis, readers, until } = terms.map_err(|bad| Failure::Usage(bad.to_string()))?;
    if let Some(own) = readers.iter().chain([&asked.operator]).find(|name| watch::is_called(&person, name, asked.at)) {
        return Err(Failure::No(format!("{} is the person themselves", shown(own, 60))));
    }
    let id = ulid::Ulid::generate().to_string();
    let watch = NewWatch { id: id.clone(), person: args.person.clone(), reason, legal_basis, readers, until, asked };
    change.tables().ask_watch(&watch)?;
    change.commit_unseen()?;
    let before = watch.asked.at.plus(watch::CONFIRM_WITHIN);
    let text = format!(
        "asked for watch {id} of {} until {until}; it has not begun\nnext: a second person reads keyring-sync watch show {id} and says keyring-sync watch confirm {id}, before {before}",
        args.person
    );
    Ok(Report {
        text,
        json: json!({"watch": id, "person": args.person, "until": until, "confirm_before": before}),
        ..Report::default()
    })
}

fn confirm(context: &Context, of: &Of) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let by = of.by.signed(now())?;
    let row = permitted(&mut registry, &of.id, &by, "confirm", may_confirm)?;
    let change = registry.begin(now())?;
    // As it is under the lock: of two who confirm at once one does.
    let at = now();
    let state = change.tables().watch(&of.id)?.map(|row| watch::state(&row, at));
    match state {
        Some(State::Asked) => {}
        Some(State::Running) => return Err(Failure::No("it is confirmed already".to_owned())),
        _ => return Err(Failure::No("it is over: ask for it anew with keyring-sync watch set".to_owned())),
    }
    watch::second(&row, &by).map_err(|same| Failure::No(same.to_string()))?;
    let person = change.tables().person(&row.watch.person)?;
    if person.is_some_and(|person| watch::is_called(&person, &by.operator, at)) {
        return Err(Failure::No(format!("{} is the person themselves", shown(&by.operator, 60))));
    }
    change.tables().confirm_watch(&of.id, &Signed { at, ..by })?;
    change.commit_unseen()?;
    let (person, until) = (&row.watch.person, row.watch.until);
    let text = format!(
        "watch {} of {person} runs until {until}; nobody but {} may read of it",
        of.id,
        shown(&row.watch.readers.join(", "), TEXT_SHOWN)
    );
    Ok(Report { text, json: json!({"watch": of.id, "person": person, "until": until}), ..Report::default() })
}

/// Whoever holds the id of what is asked for was given it to decide.
fn may_confirm(row: &WatchRow, by: &Signed) -> bool {
    watch::is_reader(row, &by.operator) || watch::state(row, by.at) == State::Asked
}

fn end(context: &Context, of: &Of) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let by = of.by.signed(now())?;
    let row = permitted(&mut registry, &of.id, &by, "end", |row, by| {
        watch::is_reader(row, &by.operator) || watch::has_signed(row, &by.operator)
    })?;
    let change = registry.begin(now())?;
    let ended = change.tables().end_watch(&of.id, &by)?;
    change.commit_unseen()?;
    let person = &row.watch.person;
    let text =
        if ended { format!("ended watch {} of {person}", of.id) } else { format!("watch {} had ended before", of.id) };
    Ok(Report { text, json: json!({"watch": of.id, "person": person, "changed": ended}), ..Report::default() })
}

/// The watch, if `may` says so; that somebody asked is on record before they are told, and also if they are not.
fn permitted(
    registry: &mut Registry,
    id: &str,
    by: &Signed,
    what: &str,
    may: impl Fn(&WatchRow, &Signed) -> bool,
) -> Result<WatchRow, Failure> {
    let change = registry.begin(now())?;
    let Some(row) = change.tables().watch(id)? else { return Err(unknown(id)) };
    let told = may(&row, by);
    change.tables().note_watch_reading(id, &WatchReading { by: by.clone(), what: what.to_owned(), told })?;
    change.commit_unseen()?;
    if told { Ok(row) } else { Err(unknown(id)) }
}

fn list(context: &Context, by: &By) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let by = by.signed(now())?;
    let change = registry.begin(now())?;
    let mut rows = change.tables().watches()?;
    rows.retain(|row| watch::is_reader(row, &by.operator));
    for row in &rows {
        let reading = WatchReading { by: by.clone(), what: "list".to_owned(), told: true };
        change.tables().note_watch_reading(&row.watch.id, &reading)?;
    }
    change.commit_unseen()?;
    let line = |row: &WatchRow| {
        let NewWatch { id, person, until, .. } = &row.watch;
        format!("{id}  {person}  {}, until {until}", watch::state(row, by.at).as_str())
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("there is no watch that you may read of".to_owned());
    }
    let json: Vec<Value> = rows.iter().map(|row| facts(row, by.at)).collect();
    Ok(Report { text: lines.join("\n"), json: json!({"watches": json}), ..Report::default() })
}

fn read(context: &Context, of: &Of, what: &str) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let by = of.by.signed(now())?;
    // Before this reading is on record itself.
    let last = last_reading(registry.tables(), &of.id, &by.operator)?;
    let may = |row: &WatchRow, by: &Signed| {
        if what == "show" { may_confirm(row, by) } else { watch::is_reader(row, &by.operator) }
    };
    let row = permitted(&mut registry, &of.id, &by, what, may)?;
    let only_new = what == "report";
    let is_reader = watch::is_reader(&row, &by.operator);
    let heard = if is_reader { heard(registry.tables(), &row, last.filter(|_| only_new))? } else { Vec::new() };
    let mut lines = if only_new { Vec::new() } else { terms(&row, by.at) };
    let mut json = if only_new { json!({"watch": of.id}) } else { facts(&row, by.at) };
    for event in &heard {
        lines.push(format!("  {}  {} {} by {}", event.received_at, event.id, event.kind, event.source));
    }
    if is_reader && row.confirmed.is_some() {
        if heard.is_empty() {
            let since = if only_new { " since you last read of it" } else { "" };
            lines.push(format!("  the registry heard nothing of {}{since}", row.watch.person));
        }
        lines.push(format!("  what they pushed: countersign audit person {}", row.watch.person));
    }
    if only_new && row.confirmed.is_none() {
        lines.push(format!("  watch {} has not begun", of.id));
    }
    let heard_json: Vec<Value> = heard.iter().map(event_facts).collect();
    put(&mut json, "heard", json!(heard_json));
    Ok(Report { text: lines.join("\n"), json, refused: only_new && !heard.is_empty(), ..Report::default() })
}

fn event_facts(event: &EventRow) -> Value {
    json!({"id": event.id, "source": event.source, "type": event.kind, "effective_at": event.effective_at,
        "received_at": event.received_at})
}

/// When this reader was last told what the registry heard.
fn last_reading(tables: Tables<'_>, id: &str, reader: &str) -> Result<Option<Time>, Failure> {
    let readings = tables.watch_readings(id)?;
    let own = readings.iter().filter(|reading| reading.told && watch::is_same(&reading.by.operator, reader));
    Ok(own.filter(|reading| ["show", "report"].contains(&reading.what.as_str())).map(|reading| reading.by.at).max())
}

/// What the registry heard of the person while the watch ran, after `last`.
fn heard(tables: Tables<'_>, row: &WatchRow, last: Option<Time>) -> Result<Vec<EventRow>, Failure> {
    let Some(span) = watch::span(row) else { return Ok(Vec::new()) };
    let mut events = tables.events_of(&row.watch.person)?;
    events.retain(|event| span.contains(event.received_at) && last.is_none_or(|last| event.received_at > last));
    Ok(events)
}

fn log(context: &Context, of: &Of) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let by = of.by.signed(now())?;
    permitted(&mut registry, &of.id, &by, "log", |row, by| watch::is_reader(row, &by.operator))?;
    let readings = registry.tables().watch_readings(&of.id)?;
    let line = |reading: &WatchReading| {
        let refused = if reading.told { "" } else { ", refused" };
        format!("{}  {}  {}{refused}", reading.by.at, shown(&reading.what, 20), who(&reading.by))
    };
    let lines: Vec<String> = readings.iter().map(line).collect();
    let json: Vec<Value> = readings
        .iter()
        .map(|reading| {
            let mut json = signature(&reading.by);
            put(&mut json, "what", json!(reading.what));
            put(&mut json, "told", json!(reading.told));
            json
        })
        .collect();
    Ok(Report { text: lines.join("\n"), json: json!({"watch": of.id, "readings": json}), ..Report::default() })
}

/// `alice`, or `alice (logged in as deploy)`
fn who(by: &Signed) -> String {
    let name = shown(&by.operator, 60);
    if by.operator == by.login { name } else { format!("{name} (logged in as {})", shown(&by.login, 60)) }
}

fn terms(row: &WatchRow, now: Time) -> Vec<String> {
    let NewWatch { id, person, reason, legal_basis, readers, until, asked } = &row.watch;
    let mut lines = vec![format!("watch {id} of {person}, {}", watch::state(row, now).as_str())];
    let mut tell = |what: &str, value: String| lines.push(format!("  {what:<12} {value}"));
    tell("reason", shown(reason, TEXT_SHOWN));
    tell("legal basis", shown(legal_basis, TEXT_SHOWN));
    tell("readers", shown(&readers.join(", "), TEXT_SHOWN));
    tell("until", until.to_string());
    tell("asked by", format!("{} at {}", who(asked), asked.at));
    for (what, by) in [("confirmed by", &row.confirmed), ("ended by", &row.ended)] {
        if let Some(by) = by {
            tell(what, format!("{} at {}", who(by), by.at));
        }
    }
    lines
}

fn signature(by: &Signed) -> Value {
    json!({"operator": by.operator, "login": by.login, "at": by.at})
}

fn facts(row: &WatchRow, now: Time) -> Value {
    let NewWatch { id, person, reason, legal_basis, readers, until, asked } = &row.watch;
    json!({"watch": id, "person": person, "state": watch::state(row, now).as_str(), "reason": reason,
        "legal_basis": legal_basis, "readers": readers, "until": until, "asked": signature(asked),
        "confirmed": row.confirmed.as_ref().map(signature), "ended": row.ended.as_ref().map(signature)})
}
