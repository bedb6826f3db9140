//! `keyring-sync staged`: what the brake held back, and the two people who decide.

use super::sync::{count_people, who};
use super::{Context, add_publication, now};
use crate::door::{Admitted, Door};
use crate::event::Event;
use crate::operator::Operator;
use crate::report::{self, Failure, Report};
use countersign_policy::id::PersonId;
use countersign_policy::text::shown;
use countersign_registry::{Outcome, StagedRow, StoreError, Tables, Vote};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Two people: one alone, or one stolen account, lets nobody out and keeps nobody in.
const DECIDERS: usize = 2;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Name everybody for whom something waits
    List,
    /// Let it happen; it does when a second person says so too
    Approve(Decision),
    /// Drop it; it is dropped when a second person says so too
    Reject(Decision),
}

#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    /// What came together, as `staged list` calls it
    batch: String,
    /// Only these people of it
    persons: Vec<PersonId>,
    /// Who decides; by default the Unix user who logged in. Both are recorded
    #[arg(long = "as", value_name = "NAME")]
    operator: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn run(context: &Context, command: &Command) -> Result<Report, Failure> {
    match command {
        Command::List => list(context),
        Command::Approve(decision) => decide(context, decision, true),
        Command::Reject(decision) => decide(context, decision, false),
    }
}

fn list(context: &Context) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let tables = registry.tables();
    let rows = tables.staged()?;
    let mut batches: BTreeMap<&str, Vec<&StagedRow>> = BTreeMap::new();
    for row in &rows {
        batches.entry(row.staged.batch.as_str()).or_default().push(row);
    }
    let (mut lines, mut json) = (Vec::new(), Vec::new());
    for (batch, rows) in &batches {
        let persons: BTreeSet<&PersonId> = rows.iter().map(|row| &row.staged.person).collect();
        let causes: BTreeSet<&str> = rows.iter().map(|row| row.staged.cause.as_str()).collect();
        let since = rows.first().map(|row| row.staged.received_at.to_string()).unwrap_or_default();
        let causes: Vec<&str> = causes.into_iter().collect();
        lines.push(format!("{batch}  {} since {since}: {}", count_people(persons.len()), causes.join("; ")));
        for row in rows {
            let (line, value) = tell(tables, row)?;
            lines.push(line);
            json.push(value);
        }
    }
    if batches.is_empty() {
        lines.push("nothing waits".to_owned());
    } else {
        lines.push("next: two people say keyring-sync staged approve BATCH [PERSON…], or reject".to_owned());
    }
    Ok(Report { text: lines.join("\n"), json: json!({"staged": json}), ..Report::default() })
}

fn tell(tables: Tables<'_>, row: &StagedRow) -> Result<(String, Value), StoreError> {
    let staged = &row.staged;
    let name = tables.person(&staged.person)?.map_or_else(String::new, |person| person.name(now()).to_owned());
    let event =
        Event::parse(&staged.line, staged.received_at).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let votes = latest(tables.votes(row.seq)?);
    let mut line = format!("  {}: {} from {}", who(&staged.person, &name), staged.kind, event.effective_at);
    if staged.absent {
        line.push_str(", not in the list");
    }
    for vote in votes.values() {
        let said = if vote.approve { "approved" } else { "rejected" };
        line.push_str(&format!(", {said} by {}", signed(vote)));
    }
    let json = json!({
        "batch": staged.batch, "source": staged.source, "person": staged.person, "name": name, "type": staged.kind,
        "event": staged.id, "effective_at": event.effective_at, "received_at": staged.received_at,
        "by_absence": staged.absent, "cause": staged.cause,
        "votes": votes.values().map(|vote| json!({"approve": vote.approve, "operator": vote.operator,
            "login": vote.login, "reason": vote.reason, "at": vote.at})).collect::<Vec<_>>(),
    });
    Ok((line, json))
}

/// `alice`, or `alice (logged in as deploy)`
fn signed(vote: &Vote) -> String {
    let name = shown(&vote.operator, 60);
    if vote.operator == vote.login { name } else { format!("{name} (logged in as {})", shown(&vote.login, 60)) }
}

/// Each operator's last word.
fn latest(votes: Vec<Vote>) -> BTreeMap<String, Vote> {
    votes.into_iter().map(|vote| (vote.operator.to_lowercase(), vote)).collect()
}

fn decide(context: &Context, decision: &Decision, approve: bool) -> Result<Report, Failure> {
    let operator = Operator::find(decision.operator.as_deref()).map_err(Failure::Usage)?;
    let mut registry = context.registry()?;
    let mut door = Door::new(registry.begin(now())?, now()).with_ranks(context.config()?.ranks());
    let mut rows = door.tables().staged_of_batch(&decision.batch)?;
    if rows.is_empty() {
        return Err(Failure::No(format!("nothing waits under {}", shown(&decision.batch, 80))));
    }
    if let Some(other) = decision.persons.iter().find(|wanted| !rows.iter().any(|row| &row.staged.person == *wanted)) {
        return Err(Failure::No(format!("nothing of {other} waits under {}", shown(&decision.batch, 80))));
    }
    rows.retain(|row| decision.persons.is_empty() || decision.persons.contains(&row.staged.person));

    let at = door.now();
    let vote = Vote { approve, operator: operator.name, login: operator.login, reason: decision.reason.clone(), at };
    let (mut done, mut waiting, mut notes) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut refused = BTreeSet::new();
    for row in &rows {
        let known = latest(door.tables().votes(row.seq)?).get(&vote.operator.to_lowercase()).map(|vote| vote.approve);
        if known != Some(approve) {
            door.tables().vote(row.seq, &vote)?;
        }
        let agreeing = latest(door.tables().votes(row.seq)?).values().filter(|vote| vote.approve == approve).count();
        let person = row.staged.person.clone();
        if agreeing < DECIDERS {
            waiting.insert(person);
        } else if !approve {
            door.tables().decide(row.seq, Outcome::Rejected, at)?;
            done.insert(person);
        } else {
            match admit(&mut door, row, &mut notes)? {
                true => done.insert(person),
                false => refused.insert(person),
            };
        }
    }
    let (word, past) = if approve { ("approve", "approved") } else { ("reject", "rejected") };
    let mut lines = Vec::new();
    if !done.is_empty() {
        lines.push(format!("{past} by {DECIDERS} people: {}", names(&done)));
    }
    if !waiting.is_empty() {
        lines.push(format!(
            "{past} by {} alone: {}\nnext: a second person says keyring-sync staged {word} {}",
            signed(&vote),
            names(&waiting),
            shown(&decision.batch, 80)
                + &decision.persons.iter().map(|person| format!(" {person}")).collect::<String>()
        ));
    }
    if !refused.is_empty() {
        lines.push(format!("still waiting, as it cannot be taken: {}", names(&refused)));
    }
    let mut json = json!({"batch": decision.batch, "operator": vote.operator, "login": vote.login,
        past: done, "waiting": waiting, "refused": refused});
    if let Some(published) = door.settle()? {
        lines.push(report::published(published));
        add_publication(&mut json, published);
    }
    Ok(Report { text: lines.join("\n"), json, notes, refused: !refused.is_empty() })
}

/// As it was heard then: what was said since is newer. False: the door refuses it now.
fn admit(door: &mut Door<'_>, row: &StagedRow, notes: &mut Vec<String>) -> Result<bool, Failure> {
    let staged = &row.staged;
    let mut event = Event::parse(&staged.line, staged.received_at)
        .map_err(|error| StoreError::Damaged(format!("staged event {}: {error}", staged.id)))?;
    event.rank = staged.rank;
    match door.admit(event) {
        Ok(Admitted::Known) => {}
        Ok(Admitted::Taken { notes: more }) => notes.extend(more),
        Err(refused) if refused.is_fault() => return Err(refused.into()),
        Err(refused) => {
            notes.push(format!("{}: {refused}", staged.person));
            return Ok(false);
        }
    }
    door.tables().decide(row.seq, Outcome::Approved, door.now())?;
    Ok(true)
}

/// How many people a message names.
const NAMED_MAX: usize = 20;

fn names(persons: &BTreeSet<PersonId>) -> String {
    let named: Vec<&str> = persons.iter().take(NAMED_MAX).map(PersonId::as_str).collect();
    let more = persons.len().saturating_sub(NAMED_MAX);
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}
