//! `keyring-sync undo`

use super::{Context, Operator, called};
use crate::event::Event;
use crate::report::{Failure, Report};
use countersign_policy::id::{EventId, Source};
use countersign_policy::keyring::PersonKind;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The id that the event was taken under
    event: EventId,
    /// Whose event, where two sources use the same id
    #[arg(long)]
    source: Option<Source>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    let mut operator = Operator::begin(&mut registry)?;
    let mut found = operator.door.tables().events_called(&args.event)?;
    found.retain(|event| args.source.as_ref().is_none_or(|source| source == &event.source));
    let event = match found.as_slice() {
        [event] => event,
        [] => return Err(Failure::No(format!("there is no event {}", args.event))),
        several => {
            let sources: Vec<&str> = several.iter().map(|event| event.source.as_str()).collect();
            return Err(Failure::No(format!(
                "event {} is of {}: say which with --source",
                args.event,
                sources.join(" and ")
            )));
        }
    };
    let retracted = json!({"event": event.id, "source": event.source});
    operator.say(&event.person, "retracted", retracted)?;
    let person = operator.person(&event.person)?;
    let state = person.state(operator.now()).as_str();
    let said = Event::from_row(event)?.claim.profile().and_then(|profile| profile.kind);
    if said == Some(person.kind) && person.kind != PersonKind::Human {
        let note = format!("{0} stays no human: keyring-sync person set {0} --kind human if it is one", person.id);
        operator.notes.push(note);
    }
    let what = format!("took back {} of {}, now {state}", event.kind, called(&person));
    let json = json!({"person": person.id, "retracted": event.id, "type": event.kind, "state": state});
    operator.finish(&what, "", json)
}
