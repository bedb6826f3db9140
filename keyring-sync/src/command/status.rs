//! `keyring-sync status`

use super::{Context, cascade, now, person, sources};
use crate::report::{self, Failure, Report, count};
use crate::review::Late;
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_registry::{EventRow, Publication};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell of this person only
    person: Option<PersonId>,
}

/// The person as the registry has them, and where else they are cut off.
fn of_person(context: &Context, id: &PersonId) -> Result<Report, Failure> {
    let mut report = person::show(context, id)?;
    let (person, events) = known(context, id)?;
    if let Some(late) = Late::of_person(&person, &events, now()) {
        report.text.push_str(&format!("\n  {}", late.words(id)));
        report::set(&mut report.json, "review", json!({"from": late.from, "until": late.said}));
    }
    let cascade = cascade::of_person(context, id)?;
    for line in &cascade.lines {
        report.text.push_str(&format!("\n  {line}"));
    }
    report::set(&mut report.json, "cascade", cascade.json());
    Ok(report)
}

/// The person, and their events as of when they were taken.
fn known(context: &Context, id: &PersonId) -> Result<(Person, Vec<EventRow>), Failure> {
    let registry = context.registry()?;
    let tables = registry.tables();
    let person = tables.person(id)?.ok_or_else(|| Failure::No(format!("unknown person {id}")))?;
    let mut events = tables.events_of(id)?;
    // What waited for two people was taken when they agreed.
    for event in &mut events {
        if let Some(approved) = tables.approved_at(&event.source, &event.id)? {
            event.received_at = approved;
        }
    }
    Ok((person, events))
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    if let Some(id) = &args.person {
        return of_person(context, id);
    }
    let (config, registry) = (context.config()?, context.registry()?);
    let (tables, now) = (registry.tables(), now());
    let persons = tables.persons()?;
    let states = [Lifecycle::Active, Lifecycle::Prehire, Lifecycle::Leave, Lifecycle::Suspended, Lifecycle::Terminated];
    let by_state = states.map(|state| (state, persons.iter().filter(|person| person.state(now) == state).count()));
    let Publication { registry: epoch, published } = registry.publication()?;
    let in_words: Vec<String> = by_state.iter().map(|(state, number)| format!("{number} {}", state.as_str())).collect();
    let publication = match published {
        Some(published) if published == epoch => format!("published as epoch {epoch}"),
        Some(published) if published > epoch => format!(
            "epoch {epoch}, but readers see {published}: an older registry was put back, and nothing is published"
        ),
        Some(published) => format!("epoch {epoch}, but readers see {published}: `keyring-sync publish` mends it"),
        None => format!("epoch {epoch}, not published: `keyring-sync publish` mends it"),
    };
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (keys, events, last) = (tables.key_count()?, tables.event_count()?, tables.last_event()?);
    let last = last.filter(|event| !person::is_of_watch(event));
    let last_words = last.as_ref().map_or(String::new(), |event| {
        format!(", the last {} of {} by {} at {}", event.kind, event.person, event.source, event.received_at)
    });
    let hints = tables.open_hint_counts()?.values().sum::<u64>();
    let hints_words = match hints {
        0 => String::new(),
        _ => format!("\n{} not confirmed and not refuted: keyring-sync hints list", count(number(hints), "hint")),
    };
    let reviews = tables.open_review_counts()?.values().sum::<u64>();
    let reviews_words = match reviews {
        0 => String::new(),
        _ => format!("\n{} to look at: keyring-sync signals list --open", count(number(reviews), "security event")),
    };
    let known = sources::known(&config, &tables, now)?;
    let degraded: Vec<_> = known.iter().filter(|known| known.degraded.is_some()).collect();
    let silent: String = degraded
        .iter()
        .filter_map(|known| Some(format!("\ndegraded: {}: {}", known.source, known.degraded.as_ref()?)))
        .collect();
    let text = format!(
        "{publication}\n{}: {}\n{}\n{}{last_words}{hints_words}{reviews_words}{silent}",
        count(persons.len(), "person"),
        in_words.join(", "),
        count(number(keys), "key"),
        count(number(events), "event"),
    );
    let json = json!({
        "epoch": epoch, "published": published,
        "persons": by_state.iter().map(|(state, number)| (state.as_str().to_owned(), json!(number))).collect::<serde_json::Map<_, _>>(),
        "keys": keys, "events": events, "hints_open": hints, "reviews_open": reviews,
        "degraded": degraded.iter().map(|known| known.source).collect::<Vec<_>>(),
        "last_event": last.map(|event| json!({
            "id": event.id, "source": event.source, "person": event.person, "type": event.kind, "received_at": event.received_at,
        })),
    });
    Ok(Report { text, json, ..Report::default() })
}
