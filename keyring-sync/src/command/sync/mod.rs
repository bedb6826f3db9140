//! `keyring-sync sync`: makes the registry say what the lists of its sources say.

mod read;
mod tell;

use super::{Context, add_publication, now};
use crate::config::Config;
use crate::door::Door;
use crate::feed::list::Export;
use crate::hint;
use crate::intake;
use crate::plan::{self, Actual, Bearings};
use crate::report::{self, Failure, Report};
use crate::sources::Pull;
use countersign_policy::id::{PersonId, Source};
use countersign_registry::{ExportRow, HintRow, Registry, StagedRow};
use read::Listed;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tell::{add_hints, add_next_steps, tell};

pub(super) use tell::{count_people, who};

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
    let lists: Vec<(&Source, &Pull)> = config
        .sources
        .iter()
        .filter(|(source, _)| args.source.as_ref().is_none_or(|wanted| wanted == *source))
        .filter_map(|(source, settings)| Some((source, settings.pull.as_ref()?)))
        .collect();
    if lists.is_empty() {
        let which = args.source.as_ref().map_or("no source".to_owned(), |source| format!("the source {source}"));
        let not = if args.source.is_some() { "has no list" } else { "has a list" };
        return Err(Failure::Usage(format!(
            "{which} {not} in {}: set sources.NAME.csv, .ldap or .scim_pull",
            context.config.display()
        )));
    }
    let mut registry = context.registry()?;
    let (mut report, mut texts, mut all) = (Report::default(), Vec::new(), Vec::new());
    let several = lists.len() > 1;
    for (source, pull) in lists {
        let one = match sync(&mut registry, &config, source, pull, args.dry_run) {
            Ok(one) => one,
            // A source whose file is gone does not keep in whom another one lets go.
            Err(failure) if several => refuse(source, &failure.to_string()),
            Err(failure) => return Err(failure),
        };
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
    pull: &Pull,
    dry_run: bool,
) -> Result<Report, Failure> {
    // Read and checked before the lock: a long list must not hold up an offboarding.
    let Listed { export, place, notes } = match read::read(config, source, pull)? {
        Ok(listed) => listed,
        Err(reason) => return Ok(refuse(source, &reason)),
    };
    let change = registry.begin(now())?;
    let mut door = Door::new(change, now()).with_ranks(config.ranks());
    let last = door.tables().last_export(source)?;
    let again =
        last.as_ref().is_some_and(|last| (last.exported_at, &last.sha256) == (export.exported_at, &export.sha256));
    if let Some(last) = last.filter(|last| !again && last.exported_at >= export.exported_at) {
        let reason = format!(
            "{} is refused: it is of {}, and the list of {} was taken already; lists are taken in their order",
            place, export.exported_at, last.exported_at
        );
        return Ok(refuse(source, &reason));
    }
    let hints = door.tables().standing_hints(source)?;
    let actual = actual(&door, source, &export, &hints)?;
    let nowhere = BTreeMap::new();
    let places = if let Pull::Csv(csv) = pull { &csv.departments } else { &nowhere };
    let bearings = Bearings { source, places, now: door.now() };
    let mut plan =
        plan::plan(&export, &actual, bearings).map_err(|error| Failure::Fault(format!("{source}: {error}")))?;
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
    plan.notes.splice(0..0, notes);
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
