//! `keyring-sync signals`: what came as security events, what has to be looked at, and fetching them without a service.

use super::{Context, add_publication, now};
use crate::door::Door;
use crate::feed::signals::poll::{Conversation, Outcome};
use crate::feed::signals::{Receiver, tasks};
use crate::operator::Operator;
use crate::report::{self, Failure, Report, count};
use countersign_policy::id::Source;
use countersign_policy::text::shown;
use countersign_registry::{Reviewed, SignalRow};
use serde_json::{Value, json};

/// How many of the latest are listed.
const LISTED: usize = 50;

/// Requests of one `poll`: a stream that never ends is one for the service.
const ROUNDS_MAX: usize = 200;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Name the latest security events and what became of them
    List {
        /// Only those that somebody has to look at
        #[arg(long)]
        open: bool,
    },
    /// Say that an event was looked at and what it asked for is done
    Settle(Settle),
    /// Fetch what waits at the transmitter, once; keyring-sync serve does so all the time
    Poll {
        /// Only this source; by default all that are polled
        #[arg(long)]
        source: Option<Source>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Settle {
    /// The event, as `signals list` calls it
    id: String,
    /// What was found and done, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who looked; by default the Unix user who logged in. Both are recorded
    #[arg(long = "as", value_name = "NAME")]
    operator: Option<String>,
}

pub(super) fn run(context: &Context, command: &Command) -> Result<Report, Failure> {
    match command {
        Command::List { open } => list(context, *open),
        Command::Settle(args) => settle(context, args),
        Command::Poll { source } => poll(context, source.as_ref()),
    }
}

fn list(context: &Context, open: bool) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let tables = registry.tables();
    let rows = if open { tables.open_reviews()? } else { tables.latest_signals(LISTED)? };
    let (mut lines, mut all) = (Vec::new(), Vec::new());
    for row in &rows {
        let reviewed = tables.reviewed(&row.id)?;
        let who = row.person.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        lines.push(format!(
            "{}  {}  {}: {} of {who}: {}",
            row.id,
            row.received_at,
            row.source,
            shown(kind(row), 80),
            shown(&row.detail, 200)
        ));
        if let Some(review) = row.review.as_ref().filter(|_| reviewed.is_none()) {
            lines.push(format!("  next: {}", shown(review, 400)));
        }
        all.push(json!({
            "id": row.id, "source": row.source, "issuer": row.issuer, "jti": row.jti, "type": row.kind,
            "person": row.person, "issued_at": row.issued_at, "received_at": row.received_at,
            "outcome": row.outcome.as_str(), "detail": row.detail, "review": row.review,
            "reviewed": reviewed.map(|reviewed| json!({"at": reviewed.at, "operator": reviewed.operator,
                "login": reviewed.login, "reason": reviewed.reason})),
        }));
    }
    if rows.is_empty() {
        lines.push(if open { "nothing has to be looked at" } else { "no security events came" }.to_owned());
    }
    Ok(Report { text: lines.join("\n"), json: json!({"signals": all}), ..Report::default() })
}

/// The last part of an event type says enough to people.
fn kind(row: &SignalRow) -> &str {
    row.kind.rsplit('/').next().unwrap_or(&row.kind)
}

fn settle(context: &Context, args: &Settle) -> Result<Report, Failure> {
    let operator = Operator::find(args.operator.as_deref()).map_err(Failure::Usage)?;
    let mut registry = context.registry()?;
    let change = registry.begin(now())?;
    let Some(row) = change.tables().signal(&args.id)? else {
        let id = shown(&args.id, 80);
        return Err(Failure::No(format!("there is no security event {id}: keyring-sync signals list names them")));
    };
    let (at, reason) = (now(), args.reason.clone());
    let reviewed = Reviewed { at, operator: operator.name, login: operator.login, reason };
    let changed = change.tables().end_review(&row.id, &reviewed)?;
    change.commit_unseen()?;
    let text = match (changed, &row.person) {
        (false, _) => format!("nothing is open at {}", row.id),
        (true, None) => format!("settled {}", row.id),
        (true, Some(person)) => format!(
            "settled {0}\nnext: where {person} is to come back, have {1} enable them again; or take back what it said: \
             keyring-sync undo {0}",
            row.id, row.source
        ),
    };
    let json = json!({"id": row.id, "person": row.person, "changed": changed, "operator": reviewed.operator});
    Ok(Report { text, json, ..Report::default() })
}

fn poll(context: &Context, wanted: Option<&Source>) -> Result<Report, Failure> {
    let config = context.config()?;
    let mut registry = context.registry()?;
    let polled: Vec<_> = config
        .sources
        .iter()
        .filter(|(source, _)| wanted.is_none_or(|wanted| wanted == *source))
        .filter_map(|(source, settings)| {
            let signals = settings.signals.as_ref()?;
            Some((source, signals, signals.poll.as_ref()?))
        })
        .collect();
    if polled.is_empty() {
        return Err(Failure::Usage(format!(
            "no such source is polled in {}: set sources.NAME.signals.poll",
            context.config.display()
        )));
    }
    let (mut report, mut texts, mut all) = (Report::default(), Vec::new(), Vec::new());
    let mut last = None;
    for (source, signals, settings) in polled {
        let fault = |error: String| Failure::Fault(format!("{source}: {error}"));
        let receiver = Receiver::open(source, signals, &registry.tables()).map_err(|error| fault(error.to_string()))?;
        let mut talk = Conversation::default();
        let (mut taken, mut refused, mut kept) = (0_usize, 0_usize, 0_usize);
        for _ in 0..ROUNDS_MAX {
            let answer =
                tasks::ask(&receiver, settings, &mut talk, true).map_err(|trouble| fault(trouble.to_string()))?;
            let more = answer.more;
            kept = 0;
            for (jti, token) in answer.sets {
                let mut door = Door::new(registry.begin(now())?, now()).with_ranks(config.ranks());
                let outcome = receiver.take_within(&mut door, &tasks::text(token), &jti, &config.brake)?;
                last = door.settle()?.or(last);
                match &outcome {
                    Outcome::Durable => taken += 1,
                    Outcome::Refused(refusal) => {
                        refused += 1;
                        report.notes.push(format!("{source}: {}: {}", shown(&jti, 80), refusal.description));
                    }
                    Outcome::Kept => kept += 1,
                }
                talk.settled(jti, outcome);
            }
            // The last request says what is durable and brings nothing more.
            if !talk.has_word() && (!more || kept > 0) {
                break;
            }
        }
        report.refused |= refused + kept > 0;
        let what = |number: usize, what: &str| if number > 0 { format!(", {number} {what}") } else { String::new() };
        texts.push(format!(
            "{source}: {} taken{}{}",
            count(taken, "event"),
            what(refused, "refused"),
            what(kept, "left with the transmitter")
        ));
        all.push(json!({"source": source, "taken": taken, "refused": refused, "kept": kept}));
    }
    report.json = json!({"sources": Value::Array(all)});
    if let Some(published) = last {
        texts.push(report::published(published));
        add_publication(&mut report.json, published);
    }
    report.text = texts.join("\n");
    Ok(report)
}
