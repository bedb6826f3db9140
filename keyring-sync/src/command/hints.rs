//! `keyring-sync hints`: who was suspended on a hint that they left, and people who know whether it is true.

use super::sync::{count_people, who};
use super::{Context, Operator, now};
use crate::event::Event;
use crate::operator;
use crate::report::{self, Failure, Report};
use countersign_policy::id::{PersonId, Source};
use countersign_policy::text::shown;
use countersign_registry::{HintOutcome, HintRow, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Name everybody who is suspended on a hint that nobody confirmed or refuted
    List,
    /// It is true: the person is terminated
    Confirm(Decision),
    /// It is not: what the hint did is taken back, and nothing else
    Refute(Decision),
}

#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    person: PersonId,
    /// Only what this source hinted at
    #[arg(long)]
    source: Option<Source>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) fn run(context: &Context, command: &Command) -> Result<Report, Failure> {
    match command {
        Command::List => list(context),
        Command::Confirm(decision) => decide(context, decision, HintOutcome::Confirmed),
        Command::Refute(decision) => decide(context, decision, HintOutcome::Refuted),
    }
}

fn list(context: &Context) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let tables = registry.tables();
    let (mut lines, mut json, mut persons) = (Vec::new(), Vec::new(), BTreeSet::new());
    for HintRow { hint, .. } in tables.open_hints()? {
        let person = tables.person(&hint.person)?;
        let name = person.as_ref().map_or("", |person| person.name(now()));
        let state = person.as_ref().map_or("", |person| person.state(now()).as_str());
        let said = shown(&hint.said, 80);
        lines.push(format!(
            "{}: {state}, {} said `{said}` at {}",
            who(&hint.person, name),
            hint.source,
            hint.received_at
        ));
        json.push(json!({"person": hint.person, "name": name, "state": state, "source": hint.source, "said": hint.said,
            "at_once": hint.at_once, "event": hint.event, "received_at": hint.received_at}));
        persons.insert(hint.person);
    }
    if persons.is_empty() {
        lines.push("no hint is open".to_owned());
    } else {
        lines.push(format!(
            "{} wait for a later word of their source, or for you: keyring-sync hints confirm|refute PERSON --reason TEXT",
            count_people(persons.len())
        ));
    }
    Ok(Report { text: lines.join("\n"), json: json!({"hints": json}), ..Report::default() })
}

fn decide(context: &Context, decision: &Decision, outcome: HintOutcome) -> Result<Report, Failure> {
    let by = operator::Operator::find(None).map_err(Failure::Usage)?.name;
    let mut registry = context.registry()?;
    let mut task = Operator::begin(&mut registry)?;
    let person = task.person(&decision.person)?;
    let mut hints = task.door.tables().standing_hints_of(&person.id)?;
    hints.retain(|row| decision.source.as_ref().is_none_or(|source| source == &row.hint.source));
    // What was confirmed may turn out to be wrong; the other way round there is nothing left to confirm.
    hints.retain(|row| row.outcome != Some(outcome));
    let Some(first) = hints.first() else {
        let of = decision.source.as_ref().map_or(String::new(), |source| format!(" of {source}"));
        return Err(Failure::No(format!("no hint{of} about {} is open: keyring-sync hints list names them", person.id)));
    };
    match outcome {
        HintOutcome::Confirmed => terminate(&mut task, first, &by, &decision.reason)?,
        HintOutcome::Refuted => {
            for HintRow { hint, .. } in &hints {
                let data = json!({"event": hint.event, "source": hint.source, "reason": decision.reason});
                task.say(&person.id, "retracted", data)?;
            }
        }
    }
    for row in &hints {
        task.door.tables().decide_hint(row.seq, outcome, &by, task.now())?;
    }
    let state = task.person(&person.id)?.state(task.now()).as_str();
    let what = format!("{} what was hinted of {}, now {state}", outcome.as_str(), super::called(&person));
    let hints: Vec<Value> =
        hints.iter().map(|row| json!({"source": row.hint.source, "event": row.hint.event})).collect();
    let mut json = json!({"person": person.id, "hints": hints, "state": state, "reason": decision.reason});
    report::set(&mut json, "outcome", json!(outcome.as_str()));
    task.finish(&what, "", json)
}

/// In the source's name: what it says of the person's return later is then about this end.
fn terminate(task: &mut Operator<'_>, row: &HintRow, by: &str, reason: &str) -> Result<(), Failure> {
    let hint = &row.hint;
    let line = json!({
        "id": format!("{}-confirmed", hint.event), "source": hint.source, "person": hint.person, "type": "terminated",
        "effective_at": task.now(), "asserted_at": task.heard,
        "data": {"reason": reason, "confirmed_by": by, "hint": hint.said},
    });
    let event = Event::parse(&line.to_string(), task.heard).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let id = event.id.to_string();
    task.door.admit(event)?;
    task.events.push(id);
    Ok(())
}
