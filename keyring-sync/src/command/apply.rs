//! `keyring-sync apply`

use super::{Context, add_publication, now, read_file};
use crate::door::{Admitted, Door};
use crate::event::Event;
use crate::report::{self, Failure, Report, count};
use crate::sources::Ranks;
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_registry::Registry;
use serde_json::{Value, json};
use std::path::PathBuf;

/// How many lines a message names: the first ones tell what is wrong with the rest.
const NAMED_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// JSON lines; `-` is stdin
    #[arg(value_name = "EVENTS.jsonl")]
    file: PathBuf,
    /// Say what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take the good lines although there are bad ones
    #[arg(long)]
    keep_going: bool,
}

struct Problem {
    line: usize,
    reason: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let bytes = read_file(&args.file)?;
    let ranks = context.config()?.ranks();
    let mut registry = context.registry()?;
    apply(&mut registry, ranks, &bytes, args.dry_run, args.keep_going)
}

fn apply(
    registry: &mut Registry,
    ranks: Ranks,
    bytes: &[u8],
    dry_run: bool,
    keep_going: bool,
) -> Result<Report, Failure> {
    let change = registry.begin(now())?;
    // Under the lock: what another writer did while this one waited was received before.
    let received = now();
    let mut door = Door::new(change, received).with_ranks(ranks);
    let mut problems = Vec::new();
    let (mut known, mut notes) = (0, Vec::new());
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match admit(&mut door, line, index + 1)? {
            Ok(Admitted::Known) => known += 1,
            Ok(Admitted::Taken { notes: more }) => {
                notes.extend(more.into_iter().map(|note| format!("line {}: {note}", index + 1)));
            }
            Err(reason) => problems.push(Problem { line: index + 1, reason }),
        }
    }
    let refused = !problems.is_empty();
    let taken = if refused && !keep_going { 0 } else { door.taken() };
    let mut json = json!({
        "taken": taken, "known": known, "dry_run": dry_run,
        "refused": problems.iter().map(|problem| json!({"line": problem.line, "reason": problem.reason})).collect::<Vec<_>>(),
    });
    notes.extend(problems.iter().take(NAMED_MAX).map(|problem| format!("line {}: {}", problem.line, problem.reason)));
    if problems.len() > NAMED_MAX {
        notes.push(format!("and {} more", problems.len() - NAMED_MAX));
    }
    let text = if refused && !keep_going {
        format!("nothing was changed: {} refused (--keep-going takes the others)", count(problems.len(), "line"))
    } else if dry_run {
        let plan = plan(&door)?;
        report::set(&mut json, "plan", plan.1);
        format!("would take {}{}{}", count(taken, "event"), also_known(known), plan.0)
    } else if door.is_unchanged() {
        format!("nothing to do{}", also_known(known))
    } else {
        let published = door.commit()?;
        add_publication(&mut json, published);
        format!("took {}{}; {}", count(taken, "event"), also_known(known), report::published(published))
    };
    Ok(Report { text, json, notes, refused })
}

/// The outer error is a fault of ours, the inner one is the line's.
fn admit(door: &mut Door<'_>, line: &[u8], number: usize) -> Result<Result<Admitted, String>, Failure> {
    let Ok(line) = std::str::from_utf8(line) else { return Ok(Err("it is not UTF-8".to_owned())) };
    let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { line };
    let event = match Event::parse(line, door.now()) {
        Ok(event) => event,
        Err(bad) => return Ok(Err(bad.to_string())),
    };
    match door.admit(event) {
        Ok(admitted) => Ok(Ok(admitted)),
        Err(refused) if refused.is_fault() => Err(refused.into()),
        Err(refused) => Ok(Err(refused.to_string())),
    }
}

fn also_known(known: usize) -> String {
    if known == 0 { String::new() } else { format!(", {known} known already") }
}

/// What changes for each person: now, and at the dates to come.
fn plan(door: &Door<'_>) -> Result<(String, Value), Failure> {
    let mut text = String::new();
    let mut json = Vec::new();
    for after in door.touched()? {
        let before = door.tables().person(&after.id)?;
        let steps = steps(before.as_ref(), &after, door);
        text.push_str(&format!("\n  {}: {}", super::called(&after), steps.join(", ")));
        json.push(json!({"person": after.id, "changes": steps}));
    }
    Ok((text, Value::Array(json)))
}

fn steps(before: Option<&Person>, after: &Person, door: &Door<'_>) -> Vec<String> {
    let now = door.now();
    let mut steps = Vec::new();
    match (before.map(|person| person.state(now)), after.state(now)) {
        (None, state) => steps.push(format!("new, {}", state.as_str())),
        (Some(old), new) if old != new => steps.push(format!("{} to {}", old.as_str(), new.as_str())),
        (Some(_), _) => {}
    }
    let planned = |person: Option<&Person>, from, state: Lifecycle| {
        person.is_some_and(|person| person.lifecycle.iter().any(|change| change.from == from && change.state == state))
    };
    for change in after.lifecycle.iter().filter(|change| change.from > now) {
        if !planned(before, change.from, change.state) {
            steps.push(format!("{} from {}", change.state.as_str(), change.from));
        }
    }
    for key in &after.keys {
        let old = before.and_then(|person| person.key(&key.fingerprint));
        match old {
            None => steps.push(format!("key {} added", key.fingerprint)),
            Some(old) if old.compromised != key.compromised => {
                steps.push(format!("key {} compromised", key.fingerprint))
            }
            Some(old) if old.retired != key.retired => {
                let what = if key.retired.is_some() { "retired" } else { "restored" };
                steps.push(format!("key {} {what}", key.fingerprint));
            }
            Some(_) => {}
        }
    }
    if steps.is_empty() {
        steps.push(if before == Some(after) { "no change".to_owned() } else { "other data".to_owned() });
    }
    steps
}
