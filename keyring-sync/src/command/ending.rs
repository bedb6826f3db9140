//! `keyring-sync ending`: whose place ends soon, so that nobody is surprised by a contract that nobody prolonged.

use super::{Context, called, now};
use crate::fold;
use crate::report::{Failure, Report};
use countersign_policy::id::{EngagementId, PersonId};
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_policy::time::Time;
use countersign_registry::Tables;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// A month, a week and a day before: whoever runs this daily hears of each end three times for sure.
const STEPS: [u64; 3] = [1, 7, 30];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many days ahead
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3660))]
    days: u64,
}

/// One end to come.
struct End {
    person: Person,
    at: Time,
    what: &'static str,
    engagement: Option<EngagementId>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let now = now();
    let mut ends =
        ends(registry.tables(), now, now.plus(DAY.saturating_mul(u32::try_from(args.days).unwrap_or(u32::MAX))))?;
    ends.sort_by(|a, b| (a.at, &a.person.id).cmp(&(b.at, &b.person.id)));
    let (mut lines, mut json) = (Vec::new(), Vec::new());
    for end in &ends {
        let left = end.at.since(now).as_secs().div_ceil(DAY.as_secs());
        let engagement = end.engagement.as_ref().map_or(String::new(), |name| format!(" of {name}"));
        lines.push(format!("{}: {}{engagement} ends at {}, {}", called(&end.person), end.what, end.at, in_days(left)));
        json.push(json!({"person": end.person.id, "name": end.person.name(now), "what": end.what,
            "engagement": end.engagement, "at": end.at, "days": left, "step": step(left)}));
    }
    if ends.is_empty() {
        lines.push(format!("nothing ends within {} days", args.days));
    }
    Ok(Report { text: lines.join("\n"), json: json!({"ending": Value::Array(json)}), ..Report::default() })
}

fn in_days(days: u64) -> String {
    if days == 1 { "within a day".to_owned() } else { format!("within {days} days") }
}

/// The warning that is due: within 1, 7 or 30 days.
fn step(days: u64) -> Option<u64> {
    STEPS.into_iter().find(|step| days <= *step)
}

fn ends(tables: Tables<'_>, now: Time, until: Time) -> Result<Vec<End>, Failure> {
    let mut ends = Vec::new();
    for id in persons_with_ends(tables)? {
        let Some(person) = tables.person(&id)? else { continue };
        if person.state(now) == Lifecycle::Terminated {
            continue;
        }
        let events = tables.events_of(&id)?.iter().map(crate::event::Event::from_row).collect::<Result<Vec<_>, _>>()?;
        let mut names: BTreeSet<Option<EngagementId>> = events.iter().map(|event| event.engagement.clone()).collect();
        names.insert(None);
        for engagement in names {
            let told = fold::told(&events, engagement.as_ref());
            let begun = told.begins.is_some();
            for (at, what) in [(told.contract_ends, "the contract"), (told.ends, "the employment")] {
                if let Some(at) = at.filter(|at| begun && (now..=until).contains(at)) {
                    ends.push(End { person: person.clone(), at, what, engagement: engagement.clone() });
                }
            }
        }
    }
    Ok(ends)
}

fn persons_with_ends(tables: Tables<'_>) -> Result<BTreeSet<PersonId>, Failure> {
    let mut persons = BTreeSet::new();
    for kind in ["contract_end", "terminated"] {
        persons.extend(tables.persons_with(kind)?);
    }
    Ok(persons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_due_a_month_a_week_and_a_day_before() {
        assert_eq!([1, 2, 7, 8, 30, 31].map(step), [Some(1), Some(7), Some(7), Some(30), Some(30), None]);
    }
}
