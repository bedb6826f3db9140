//! What a list came to, for people and as JSON.

use crate::feed::list::Export;
use crate::hint::Settled;
use crate::intake::{Held, Problem, Taken};
use crate::plan::{Plan, Step};
use crate::report::{self, Report, count};
use countersign_policy::id::{PersonId, Source};
use countersign_policy::text::shown;
use countersign_registry::StagedRow;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many people a message names; JSON has all of them.
const NAMED_MAX: usize = 100;

pub(super) fn tell(
    source: &Source,
    export: &Export,
    plan: &Plan,
    taken: &Taken,
    returned: &[StagedRow],
    dry_run: bool,
) -> Report {
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
pub fn add_hints(report: &mut Report, settled: &Settled) {
    for (what, persons) in [("confirmed", &settled.confirmed), ("refuted", &settled.refuted)] {
        if !persons.is_empty() {
            let named: Vec<&str> = persons.iter().take(NAMED_MAX).map(PersonId::as_str).collect();
            report.text.push_str(&format!("\nhints {what} by the list: {}", named.join(", ")));
        }
    }
    report::set(&mut report.json, "hints", json!({"confirmed": settled.confirmed, "refuted": settled.refuted}));
}

/// By the limits that held people back, and what to do about it.
pub(super) fn add_next_steps(report: &mut Report, taken: &Taken, dry_run: bool) {
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

pub(in crate::command) fn count_people(number: usize) -> String {
    if number == 1 { "1 person".to_owned() } else { format!("{number} people") }
}

/// `E1001 (Alice Example)`
pub(in crate::command) fn who(person: &PersonId, name: &str) -> String {
    if name.is_empty() { person.to_string() } else { format!("{person} ({})", shown(name, 80)) }
}
