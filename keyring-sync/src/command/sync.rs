//! `keyring-sync sync`: makes the registry say what the lists of its sources say.

use super::{Context, add_publication, now};
use crate::config::Config;
use crate::door::Door;
use crate::feed::csv::{self, Export, LIST_MAX};
use crate::hint::{self, Settled};
use crate::intake::{self, Held, Problem, Taken};
use crate::plan::{self, Actual, Bearings, Plan, Step};
use crate::report::{self, Failure, Report, count};
use crate::sources::CsvSettings;
use countersign_policy::id::{PersonId, Source};
use countersign_policy::text::shown;
use countersign_registry::{ExportRow, HintRow, Registry, StagedRow};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How many people a message names; JSON has all of them.
const NAMED_MAX: usize = 100;
/// More than any line of `sha256sum`.
const SIDECAR_MAX: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this source; by default all that have a list
    #[arg(long)]
    source: Option<Source>,
    /// Say what would happen and change nothing; exit 1 where something would wait for approval
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let config = context.config()?;
    let lists: Vec<(&Source, &CsvSettings)> = config
        .sources
        .iter()
        .filter(|(source, _)| args.source.as_ref().is_none_or(|wanted| wanted == *source))
        .filter_map(|(source, settings)| Some((source, settings.csv.as_ref()?)))
        .collect();
    if lists.is_empty() {
        let which = args.source.as_ref().map_or("no source".to_owned(), |source| format!("the source {source}"));
        let not = if args.source.is_some() { "has no list" } else { "has a list" };
        return Err(Failure::Usage(format!(
            "{which} {not} in {}: set sources.NAME.csv.file",
            context.config.display()
        )));
    }
    let mut registry = context.registry()?;
    let (mut report, mut texts, mut all) = (Report::default(), Vec::new(), Vec::new());
    for (source, settings) in lists {
        let one = sync(&mut registry, &config, source, settings, args.dry_run)?;
        report.refused |= one.refused;
        report.notes.extend(one.notes);
        texts.push(one.text);
        all.push(one.json);
    }
    report.text = texts.join("\n");
    report.json = json!({"dry_run": args.dry_run, "sources": all});
    Ok(report)
}

fn sync(
    registry: &mut Registry,
    config: &Config,
    source: &Source,
    settings: &CsvSettings,
    dry_run: bool,
) -> Result<Report, Failure> {
    // Read and checked before the lock: a long list must not hold up an offboarding.
    let bytes = read_bounded(&settings.file, LIST_MAX as u64)?;
    let sidecar = sidecar(&settings.file)?;
    let export = match csv::read(&bytes, sidecar.as_deref(), &settings.reading, now()) {
        Ok(export) => export,
        Err(bad) => return Ok(refuse(source, &format!("{} is refused: {bad}", settings.file.display()))),
    };
    let change = registry.begin(now())?;
    let mut door = Door::new(change, now()).with_ranks(config.ranks());
    let last = door.tables().last_export(source)?;
    let again =
        last.as_ref().is_some_and(|last| (last.exported_at, &last.sha256) == (export.exported_at, &export.sha256));
    if let Some(last) = last.filter(|last| !again && last.exported_at >= export.exported_at) {
        let reason = format!(
            "{} is refused: it was exported at {}, and the list of {} was taken already; lists are taken in their order",
            settings.file.display(),
            export.exported_at,
            last.exported_at
        );
        return Ok(refuse(source, &reason));
    }
    let hints = door.tables().standing_hints(source)?;
    let actual = actual(&door, source, &export, &hints)?;
    let bearings = Bearings { source, places: &settings.departments, now: door.now() };
    let plan = plan::plan(&export, &actual, bearings).map_err(|error| Failure::Fault(format!("{source}: {error}")))?;
    let returned = returned(&door, source, &export)?;
    intake::withdraw(&door, &returned)?;
    let taken = intake::take(&mut door, source, plan.offers(), &config.brake).map_err(super::not_taken)?;
    let told_of = plan.steps.iter().map(|step| step.person.clone()).chain(hint::open(&hints)).collect();
    let settled = hint::settle(&door, source, &hints, &told_of)?;
    door.tables().heard_source(source, door.now())?;
    if !again {
        door.tables().add_export(&ExportRow {
            source: source.clone(),
            exported_at: export.exported_at,
            sha256: export.sha256.clone(),
            rows: export.rows.len() as u64,
            received_at: door.now(),
        })?;
    }
    let mut report = tell(source, &export, &plan, &taken, &returned, dry_run);
    add_hints(&mut report, &settled);
    if !dry_run {
        let published = door.settle()?;
        if let Some(published) = published {
            report.text.push_str(&format!("; {}", report::published(published)));
            add_publication(&mut report.json, published);
        }
    }
    add_next_steps(&mut report, &taken, dry_run);
    Ok(report)
}

fn refuse(source: &Source, reason: &str) -> Report {
    Report {
        text: format!("{source}: nothing was changed"),
        json: json!({"source": source, "refused": reason}),
        notes: vec![format!("{source}: {reason}")],
        refused: true,
    }
}

fn actual(
    door: &Door<'_>,
    source: &Source,
    export: &Export,
    hints: &[HintRow],
) -> Result<BTreeMap<PersonId, Actual>, Failure> {
    let hinted = hint::hinted(hints, export.exported_at);
    let mut persons: BTreeSet<PersonId> = door.tables().persons_of(source)?.into_iter().collect();
    persons.extend(export.rows.iter().map(|row| row.person.clone()));
    let mut actual = BTreeMap::new();
    for id in persons {
        let person = door.tables().person(&id)?;
        if person.is_some() {
            let said = door.events_of(&id)?.into_iter().filter(|event| &event.source == source).collect();
            let hinted = hinted.get(&id).copied();
            actual.insert(id, Actual { said, person, hinted });
        }
    }
    Ok(actual)
}

/// What waits because of an absence that is over.
fn returned(door: &Door<'_>, source: &Source, export: &Export) -> Result<Vec<StagedRow>, Failure> {
    let listed = plan::returned(export);
    let mut rows = door.tables().staged_absent(source)?;
    rows.retain(|row| row.staged.kind == "suspended" && listed.contains(&row.staged.person));
    Ok(rows)
}

fn tell(source: &Source, export: &Export, plan: &Plan, taken: &Taken, returned: &[StagedRow], dry_run: bool) -> Report {
    let held: BTreeMap<&PersonId, &Held> = taken.staged.iter().map(|held| (&held.person, held)).collect();
    let problems: BTreeMap<&PersonId, &Problem> =
        taken.problems.iter().map(|problem| (&problem.person, problem)).collect();
    let mut text = format!("{source}: the list of {} names {}", export.exported_at, people(export));
    let line = |step: &Step| {
        let mark = match (held.get(&step.person), problems.contains_key(&step.person)) {
            (Some(held), _) if held.before => "  [waits already]",
            (Some(_), _) => "  [waits for approval]",
            (None, true) => "  [refused]",
            (None, false) => "",
        };
        format!("\n{} {}: {}{mark}", step.sign(), who(&step.person, &step.name), step.what.join(", "))
    };
    text.extend(plan.steps.iter().take(NAMED_MAX).map(line));
    if plan.steps.len() > NAMED_MAX {
        text.push_str(&format!("\nand {} more (--format json names them)", plan.steps.len() - NAMED_MAX));
    }
    if !returned.is_empty() {
        let names: BTreeSet<&PersonId> = returned.iter().map(|row| &row.staged.person).collect();
        let (are, wait) = if names.len() == 1 { ("is", "waits") } else { ("are", "wait") };
        text.push_str(&format!("\n{} {are} listed again and {wait} no more", count_people(names.len())));
    }
    let took = if dry_run { "would take" } else { "took" };
    text.push_str(&match (taken.events.len(), taken.staged.is_empty()) {
        (0, true) if plan.steps.is_empty() => "\nnothing to do".to_owned(),
        (events, _) => format!("\n{took} {}", count(events, "event")),
    });
    let steps: Vec<Value> = plan.steps.iter().map(|step| step_json(step, &held, &problems)).collect();
    let json = json!({
        "source": source, "exported_at": export.exported_at, "rows": export.rows.len(), "sha256": export.sha256,
        "plan": steps, "taken": taken.events.len(), "known": taken.known, "batch": taken.batch,
        "staged": taken.staged.iter().map(|held| json!({
            "person": held.person, "name": held.name, "cause": held.cause, "waits_already": held.before,
        })).collect::<Vec<_>>(),
        "refused": taken.problems.iter().map(|problem| json!({
            "person": problem.person, "event": problem.event, "reason": problem.refused.to_string(),
        })).collect::<Vec<_>>(),
        "notes": plan.notes,
    });
    let mut notes: Vec<String> = plan.notes.iter().map(|note| format!("{source}: {note}")).collect();
    notes.extend(taken.notes.iter().cloned());
    notes.extend(
        taken.problems.iter().map(|problem| format!("{source}: {} is refused: {}", problem.person, problem.refused)),
    );
    Report { text, json, notes, refused: !taken.is_whole() }
}

fn step_json(step: &Step, held: &BTreeMap<&PersonId, &Held>, problems: &BTreeMap<&PersonId, &Problem>) -> Value {
    let verdict = if held.contains_key(&step.person) {
        "stage"
    } else if problems.contains_key(&step.person) {
        "refuse"
    } else {
        "pass"
    };
    let events: Vec<Value> = step
        .offers
        .iter()
        .map(|offer| {
            let event = &offer.event;
            json!({"id": event.id, "type": event.claim.kind(), "effective_at": event.effective_at,
                "by_absence": offer.origin == crate::brake::Origin::Absent})
        })
        .collect();
    json!({"person": step.person, "name": step.name, "sign": step.sign().to_string(), "changes": step.what,
        "verdict": verdict, "events": events})
}

/// What the list makes of hints that came before it.
fn add_hints(report: &mut Report, settled: &Settled) {
    for (what, persons) in [("confirmed", &settled.confirmed), ("refuted", &settled.refuted)] {
        if !persons.is_empty() {
            let named: Vec<&str> = persons.iter().take(NAMED_MAX).map(PersonId::as_str).collect();
            report.text.push_str(&format!("\nhints {what} by the list: {}", named.join(", ")));
        }
    }
    report::set(&mut report.json, "hints", json!({"confirmed": settled.confirmed, "refuted": settled.refuted}));
}

/// By the limits that held people back, and what to do about it.
fn add_next_steps(report: &mut Report, taken: &Taken, dry_run: bool) {
    let mut causes: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for held in &taken.staged {
        *causes.entry((held.cause.as_str(), held.before)).or_default() += 1;
    }
    for ((cause, before), number) in causes {
        let wait = match (before, dry_run, number == 1) {
            (true, _, true) => "waits already",
            (true, _, false) => "wait already",
            (false, true, _) => "would wait",
            (false, false, true) => "waits",
            (false, false, false) => "wait",
        };
        report.text.push_str(&format!(
            "\n{} {wait} for two people's approval, and nothing changes for them: {cause}",
            count_people(number)
        ));
    }
    if !taken.staged.is_empty() && !dry_run {
        report.text.push_str(
            "\nnext: keyring-sync staged list names them, two people approve or reject; whose end is urgent: \
             keyring-sync kill PERSON --reason TEXT",
        );
    }
}

fn people(export: &Export) -> String {
    let persons: BTreeSet<&PersonId> = export.rows.iter().map(|row| &row.person).collect();
    count_people(persons.len())
}

pub(super) fn count_people(number: usize) -> String {
    if number == 1 { "1 person".to_owned() } else { format!("{number} people") }
}

/// `E1001 (Alice Example)`
pub(super) fn who(person: &PersonId, name: &str) -> String {
    if name.is_empty() { person.to_string() } else { format!("{person} ({})", shown(name, 80)) }
}

fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(Failure::file(path))?;
    Ok(bytes)
}

/// What `sha256sum` wrote beside the list, if it did.
fn sidecar(list: &Path) -> Result<Option<String>, Failure> {
    let mut name = list.as_os_str().to_owned();
    name.push(".sha256");
    let path = PathBuf::from(name);
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&read_bounded(&path, SIDECAR_MAX)?).into_owned()))
}
