//! `keyring-sync undo`

use super::{Context, Operator, called};
use crate::report::{Failure, Report};
use countersign_policy::id::{EventId, Source};
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
    let what = format!("took back {} of {}, now {state}", event.kind, called(&person));
    let json = json!({"person": person.id, "retracted": event.id, "type": event.kind, "state": state});
    operator.finish(&what, "", json)
}
