//! `reference-transaction`: the last look before a ref moves.
//!
//! Git calls this with its ref locks held, for pushes and for everything else that moves refs. A push needs
//! the verdict that pre-receive gave a moment ago; what has none is judged here, without a pusher.

use crate::call::{Call, Outcome};
use crate::forge::{self, ServerSays};
use crate::git::{GitEnvironment, Repository};
use crate::ledger::{Facts, Ledger, RepositoryId, Update, UpdateState};
use crate::pass::Passes;
use crate::pre_receive::Gate;
use crate::push::{RefUpdate, read_updates};
use crate::record::Dependencies;
use crate::reported::{Moved, Reported};
use crate::site::{Site, Unfit};
use crate::watchdog::{Voice, Watchdog};
use countersign_policy::config::Level;
use countersign_policy::duration::Period;
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::rule::{self, Rule};
use countersign_policy::time::Time;
use countersign_policy::verdict::{Decision, Mode};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::Path;
use std::time::Instant;

pub fn run(call: &Call, environment: &GitEnvironment, cwd: &Path, state: &str, input: impl Read) -> Outcome {
    match state {
        "prepared" => prepared(call, environment, cwd, input),
        "committed" => {
            if let Err(unfit) = committed(call, environment, cwd, input) {
                tracing::error!(detail = %unfit.detail, "what was applied could not be recorded");
            }
            Outcome::silent(0)
        }
        _ => Outcome::silent(0),
    }
}

fn prepared(call: &Call, environment: &GitEnvironment, cwd: &Path, input: impl Read) -> Outcome {
    let started = Instant::now();
    match check(call, environment, cwd, input, started) {
        Ok(outcome) => outcome,
        Err(unfit) => {
            let finding = unfit.finding();
            Outcome {
                lines: vec![format!(
                    "countersign: the ref update could not be decided: {}   [{}]",
                    unfit.rule.summary,
                    finding.id()
                )],
                exit_code: Decision::Undecided.exit_code(),
            }
        }
    }
}

fn check(
    call: &Call,
    environment: &GitEnvironment,
    cwd: &Path,
    input: impl Read,
    started: Instant,
) -> Result<Outcome, Unfit> {
    let site = Site::read(&call.config)?;
    let environment = environment.after_the_push();
    let read = read_real(call, &site, &environment, cwd, input);
    if read.as_ref().is_ok_and(|(repository, updates)| passed(&site, repository, updates, call.clock.now())) {
        return Ok(Outcome::silent(0));
    }
    // So far only git's lines were read, and a few small files as the policy before: nothing that others hold.
    let watchdog = Watchdog::new(&site.policy.limits, Voice::Silent);
    watchdog.start();
    crate::log::open(&site);
    let (repository, updates) = read?;
    // Which repository this is, the server says here as it did before; who pushes is not asked again.
    let ServerSays { repository_id, repository_name, .. } = forge::ask(call.forge, call.variables);
    let says = ServerSays { repository_id, repository_name, ..ServerSays::default() };
    let names = crate::site::names(&repository, &says)?;
    if site.policy.mode_for(&names) == Mode::Observe {
        return Ok(Outcome::silent(0));
    }
    let ledger = site.ledger()?;
    let now = call.clock.now();
    site.check_clock(&ledger, now)?;
    let mut unjudged = Vec::new();
    // All updates of a push rest on one verdict.
    let mut holding = HashSet::new();
    let known = ledger.read().repository_at(repository.path_text()?)?.map(|known| known.id);
    for update in updates {
        // A symbolic ref is moved under two names; the verdict on either names both.
        match known.as_ref().map(|id| accepted(&ledger, id, &update)).transpose()?.flatten() {
            Some(verdict) if holding.contains(&verdict.id.verdict) && !is_retirement(&verdict) => {}
            Some(verdict) => {
                if let Some(stale) = stale(&site, &ledger, &verdict, now)? {
                    return refuse(&site, ledger, &verdict, &stale, now);
                }
                holding.insert(verdict.id.verdict);
                if is_retirement(&verdict) {
                    unjudged.push(update);
                }
            }
            None => unjudged.push(update),
        }
    }
    drop(ledger);
    if unjudged.is_empty() {
        return Ok(Outcome::silent(0));
    }
    let gate =
        Gate { call, site: &site, says: &says, watchdog: &watchdog, received_at: now, started, in_transaction: true };
    let outcome = gate.pass(&environment, cwd, || Ok(unjudged));
    Ok(if outcome.exit_code == 0 { Outcome::silent(0) } else { outcome })
}

fn read_real(
    call: &Call,
    site: &Site,
    environment: &GitEnvironment,
    cwd: &Path,
    input: impl Read,
) -> Result<(Repository, Vec<RefUpdate>), Unfit> {
    let repository = Repository::from_hook(environment, cwd)?;
    let updates = read_updates(input, &site.policy.limits)
        .map_err(|error| Unfit::new(&rule::repository_unreadable::RULE, error))?;
    let updates = real_updates(call, &repository, updates)?;
    Ok((repository, updates))
}

/// Whether pre-receive left a pass for each of the updates, and all that they rest on still stands. A no only means
/// that the ledger is asked.
fn passed(site: &Site, repository: &Repository, updates: &[RefUpdate], now: Time) -> bool {
    if updates.is_empty() {
        return true;
    }
    let Some(passes) = Passes::of(site, &repository.path) else { return false };
    let holds = |update: &RefUpdate| -> Option<bool> {
        let pass = passes.take(update)?;
        let in_time = pass.is_within(site.policy.apply_within.get(), now);
        Some(in_time && pass.dependencies.broken(&site.keyring().ok()?, now).ok()?.is_none())
    };
    let all = updates.iter().all(|update| holds(update) == Some(true));
    if !all {
        updates.iter().for_each(|update| passes.forget(update));
    }
    all
}

/// The updates that move something a rule speaks of, with the old value that git does not always tell.
fn real_updates(call: &Call, repository: &Repository, updates: Vec<RefUpdate>) -> Result<Vec<RefUpdate>, Unfit> {
    let mut real: Vec<RefUpdate> = Vec::new();
    let mut known = HashSet::new();
    for mut update in updates {
        let name = update.name.clone();
        if !may_have_a_verdict(call, &name) {
            continue;
        }
        if update.is_deletion() && repository.is_packed_copy(&name, &update.old)? {
            continue;
        }
        if update.old.is_zero() {
            match repository.resolve(&name)? {
                Some(current) => update.old = current,
                None if update.new.is_zero() => continue,
                None => {}
            }
        }
        if update.old != update.new && known.insert(update.clone()) {
            real.push(update);
        }
    }
    Ok(real)
}

/// HEAD and its like name no history of their own; what they point to has its own line. Review refs nobody judges.
fn may_have_a_verdict(call: &Call, name: &RefName) -> bool {
    name.as_bytes().starts_with(b"refs/") && !forge::is_review_ref(call.forge, name)
}

/// The newest accepting verdict on exactly this update that nothing has become of yet.
fn accepted(ledger: &Ledger, id: &RepositoryId, update: &RefUpdate) -> Result<Option<Update>, Unfit> {
    let exact = ledger.read().pending(id, &update.name, Some(&update.old), &update.new)?;
    let found = exact.into_iter().find(open);
    if found.is_some() || !update.is_deletion() {
        return Ok(found);
    }
    Ok(ledger.read().pending(id, &update.name, None, &update.new)?.into_iter().find(open))
}

/// A mainline branch that goes because another one holds its tip: whether that one still stays is asked again, for
/// two that hold each other may be on their way out at once.
fn is_retirement(update: &Update) -> bool {
    update.new.is_zero() && update.name.branch().is_some() && update.level == Level::Mainline.number()
}

fn open(update: &Update) -> bool {
    update.decision == Decision::Accept && update.enforced && update.state == UpdateState::Open
}

/// Why an accepting verdict no longer holds.
#[derive(Debug)]
pub enum Stale {
    NoRecord,
    TooOld(Period),
    /// The person or authority whose record changed.
    Changed(String),
}

impl Stale {
    /// For the record.
    pub fn reason(&self) -> String {
        match self {
            Stale::NoRecord => "its record cannot be found".to_owned(),
            Stale::TooOld(within) => format!("more than {within} passed since it was given"),
            Stale::Changed(record) => format!("the record of {record} changed since"),
        }
    }

    /// For the pusher, who is not told whose record it was.
    fn shown(&self) -> String {
        match self {
            Stale::NoRecord | Stale::TooOld(_) => self.reason(),
            Stale::Changed(_) => "what it rested on has changed since".to_owned(),
        }
    }
}

/// Whether the verdict still holds.
pub fn stale(site: &Site, ledger: &Ledger, update: &Update, now: Time) -> Result<Option<Stale>, Unfit> {
    let leaf = ledger.read().leaf(update.id.verdict)?;
    let Some((at, Facts::Verdict(facts))) = leaf.map(|leaf| (leaf.at, leaf.facts)) else {
        return Ok(Some(Stale::NoRecord));
    };
    if now.since(at) > site.policy.apply_within.get() {
        return Ok(Some(Stale::TooOld(site.policy.apply_within)));
    }
    let dependencies: Dependencies = serde_json::from_value(facts.dependencies)
        .map_err(|error| Unfit::new(&rule::ledger_unwritable::RULE, error))?;
    let keyring = site.keyring()?;
    if let Some(record) = dependencies.broken(&keyring, now)? {
        return Ok(Some(Stale::Changed(record.to_owned())));
    }
    Ok(None)
}

fn refuse(site: &Site, mut ledger: Ledger, update: &Update, stale: &Stale, now: Time) -> Result<Outcome, Unfit> {
    let Rule { id, next, .. } = rule::verdict_stale::RULE;
    let (name, verdict) = (update.name.shown(), update.verdict);
    let document = serde_json::json!({
        "schema_version": 1, "at": now,
        "refused": { "ref": update.name.to_string(), "finding": id, "reason": stale.reason() },
    });
    let document = serde_json::to_vec(&document).unwrap_or_default();
    ledger.write(site.policy.limits.ledger_wait.get(), now, |writer| writer.refused(&[update.id], &document))?;
    let lines = vec![
        format!("countersign: push to {name} rejected: the verdict on it no longer holds"),
        String::new(),
        format!("  {name}  was accepted, but {}   [{id}]", stale.shown()),
        format!("           next: {next} (countersign help {id})"),
        String::new(),
        format!("verdict {verdict} · nothing was changed on the server"),
    ];
    Ok(Outcome { lines, exit_code: Decision::Deny.exit_code() })
}

fn was_in_transaction(ledger: &Ledger, verdict: u64) -> Result<bool, Unfit> {
    let Some(Facts::Verdict(facts)) = ledger.read().leaf(verdict)?.map(|leaf| leaf.facts) else { return Ok(false) };
    Ok(serde_json::from_value::<Dependencies>(facts.dependencies).is_ok_and(|found| found.in_transaction))
}

/// What was judged here is reported here; what a push brought is reported by post-receive.
fn committed(call: &Call, environment: &GitEnvironment, cwd: &Path, input: impl Read) -> Result<(), Unfit> {
    let mut moved = Moved::read(call, environment, cwd, input)?;
    moved.updates.retain(|update| may_have_a_verdict(call, &update.name));
    if let Some(passes) = Passes::of(&moved.site, &moved.repository.path)
        && moved.updates.iter().all(|update| passes.was_used(update))
    {
        return Ok(());
    }
    let Some(reported) = moved.on_record()? else { return Ok(()) };
    let Reported { site, mut ledger, id, updates, .. } = reported;
    let mut applied = Vec::new();
    let mut in_transaction = HashMap::new();
    for update in updates {
        let old: Option<&ObjectId> = Some(&update.old).filter(|old| !old.is_zero());
        for pending in ledger.read().pending(&id, &update.name, old, &update.new)?.into_iter().filter(open) {
            let verdict = pending.id.verdict;
            let is_ours = match in_transaction.get(&verdict) {
                Some(&known) => known,
                None => *in_transaction.entry(verdict).or_insert(was_in_transaction(&ledger, verdict)?),
            };
            if is_ours {
                applied.push(pending.id);
                break;
            }
        }
    }
    if applied.is_empty() {
        return Ok(());
    }
    let now = call.clock.now();
    let document = serde_json::to_vec(&serde_json::json!({ "schema_version": 1, "at": now, "applied": applied.len() }))
        .unwrap_or_default();
    ledger.write(site.policy.limits.ledger_wait.get(), now, |writer| writer.applied(&applied, &document))?;
    Ok(())
}
