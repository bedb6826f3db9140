//! The gate: a push is judged before git moves any ref.

use crate::both::both;
use crate::call::{Call, Outcome};
use crate::forge::{self, ServerSays};
use crate::git::objects::Objects;
use crate::git::{GitEnvironment, GitError, Repository};
use crate::judge::{Case, Judgement};
use crate::ledger::{Ledger, UpdateFacts, VerdictId};
use crate::pass::Passes;
use crate::progress::Progress;
use crate::push::{InputError, RefUpdate, read_updates};
use crate::record::{self, Dependencies, Entry};
use crate::site::{self, Known, Site, Unfit};
use crate::watchdog::{Voice, Watchdog};
use countersign_policy::config::Answer;
use countersign_policy::judge::Ground;
use countersign_policy::keyring::{Keyring, Person, RepositoryNames};
use countersign_policy::message;
use countersign_policy::rule;
use countersign_policy::time::Time;
use countersign_policy::verdict::{
    Decision, Effect, Finding, Mode, Problem, PusherFact, RepositoryFact, Subject, Verdict, decide,
};
use countersign_registry::PublishedKeyring;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// How often a push is judged anew because the registry changed meanwhile. A bulk sync changes the epoch all
/// the time, but rarely the few persons that one push rests on.
const TRIES: usize = 3;

/// Judges the push that git describes on standard input.
pub fn run(call: &Call, environment: &GitEnvironment, cwd: &Path, input: impl Read) -> Outcome {
    let started = Instant::now();
    let received_at = call.clock.now();
    let says = forge::ask(call.forge, call.variables);
    let site = match Site::read(&call.config) {
        Ok(site) => site,
        Err(unfit) => return without_ledger(call, &says, received_at, &unfit),
    };
    let watchdog = Watchdog::new(&site.policy.limits, Voice::Loud);
    let gate =
        Gate { call, site: &site, says: &says, watchdog: &watchdog, received_at, started, in_transaction: false };
    crate::log::open(&site);
    gate.pass(environment, cwd, || read_updates(input, &site.policy.limits))
}

/// Why what git has written on standard input is no push that can be judged.
fn unreadable(error: &InputError) -> Problem {
    match error {
        InputError::TooManyRefs(_) | InputError::NameTooLong(_) | InputError::NamesTooLong => {
            Problem::new(&rule::limit_exceeded::RULE, format!("is too much: {error}"))
        }
        _ => Problem::new(&rule::repository_unreadable::RULE, "could not be read").detail(error.to_string()),
    }
}

/// One push (or ref transaction) on its way through.
pub struct Gate<'a> {
    pub call: &'a Call<'a>,
    pub site: &'a Site,
    pub says: &'a ServerSays,
    pub watchdog: &'a Watchdog,
    pub received_at: Time,
    pub started: Instant,
    pub in_transaction: bool,
}

impl std::fmt::Debug for Gate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("received_at", &self.received_at).finish_non_exhaustive()
    }
}

/// What is read while the ledger is opened, which takes as long.
struct Scenery {
    repository: Repository,
    objects: Result<Objects, GitError>,
    keyring: Result<PublishedKeyring, Unfit>,
}

impl Scenery {
    fn read(site: &Site, environment: &GitEnvironment, cwd: &Path) -> Result<Self, GitError> {
        let repository = Repository::from_hook(environment, cwd)?;
        Ok(Scenery { objects: Objects::open(&repository), keyring: site.keyring(), repository })
    }
}

/// What is known of the repository, as far as it could be read.
#[derive(Default)]
struct Scene {
    repository: Option<Repository>,
    names: Option<RepositoryNames>,
    known: Option<Known>,
    pusher: Option<Arc<Person>>,
    epoch: u64,
    /// When that epoch of the registry was committed.
    committed_at: Option<Time>,
}

impl Gate<'_> {
    /// Judges, records, and says what to tell whom. `updates` is asked once somebody watches how long that takes.
    pub fn pass(
        &self,
        environment: &GitEnvironment,
        cwd: &Path,
        updates: impl FnOnce() -> Result<Vec<RefUpdate>, InputError>,
    ) -> Outcome {
        let (site, watchdog) = (self.site, self.watchdog);
        let beside = || {
            watchdog.start(); // there is more time there
            Scenery::read(site, environment, cwd)
        };
        let (ledger, scenery) = both(|| site.ledger(), beside);
        let mut ledger = match ledger.map(Ledger::in_a_hurry) {
            Ok(ledger) => ledger,
            Err(unfit) => return without_ledger(self.call, self.says, self.received_at, &unfit),
        };
        let mut scene = Scene::default();
        let updates = match updates() {
            // Git always names one: another program has read the lines that were meant for us.
            Ok(updates) if updates.is_empty() => {
                let problem = Problem::new(&rule::repository_unreadable::RULE, "could not be read");
                let problem = problem.detail("git named no ref updates on standard input".to_owned());
                return self.refuse(scene, scenery, &mut ledger, problem);
            }
            Ok(updates) => updates,
            Err(error) => return self.refuse(scene, scenery, &mut ledger, unreadable(&error)),
        };
        match self.judge(&mut scene, &ledger, scenery, &updates) {
            Ok((judgement, dependencies)) => self.conclude(&scene, &mut ledger, judgement, &dependencies),
            Err(unfit) => {
                let judgement = Judgement {
                    findings: unfit.finding().into(),
                    refs: updates.iter().map(plain_fact).collect(),
                    ..Judgement::default()
                };
                self.conclude(&scene, &mut ledger, judgement, &Dependencies::default())
            }
        }
    }

    fn refuse(
        &self,
        mut scene: Scene,
        scenery: Result<Scenery, GitError>,
        ledger: &mut Ledger,
        problem: Problem,
    ) -> Outcome {
        if let Ok(Scenery { repository, .. }) = scenery {
            scene.names = site::names(&repository, self.says).ok();
            scene.repository = Some(repository);
        }
        let judgement = Judgement { findings: problem.about(Subject::Push).into(), ..Judgement::default() };
        self.conclude(&scene, ledger, judgement, &Dependencies::default())
    }

    fn judge(
        &self,
        scene: &mut Scene,
        ledger: &Ledger,
        scenery: Result<Scenery, GitError>,
        updates: &[RefUpdate],
    ) -> Result<(Judgement, Dependencies), Unfit> {
        let policy = &self.site.policy;
        let Scenery { repository, objects, keyring } = scenery?;
        let repository = scene.repository.insert(repository).clone();
        let names = scene.names.insert(site::names(&repository, self.says)?).clone();
        // The clock of this moment: a push that waited long is no sign of a clock that went back.
        self.site.check_clock(ledger, self.call.clock.now())?;
        scene.known = Some(site::identify(ledger, &repository, self.says)?);
        let objects = objects?;
        let mut keyring = keyring.ok();
        let helper = self.site.x509();
        // A page in a browser shows the end of it; while a ref moves, git holds its locks.
        let heard = !self.in_transaction && self.says.via.as_deref() != Some("web");
        let progress = Progress::new(self.started, heard);
        for _ in 0..TRIES {
            let keyring = self.site.fit_keyring(ledger, keyring.take(), self.received_at)?;
            self.site.check_published(&keyring, self.call.clock.now())?;
            scene.epoch = keyring.epoch();
            scene.committed_at = keyring.committed_at(scene.epoch);
            let (pusher, notes) = self.pusher(&keyring)?;
            scene.pusher = pusher.clone();
            let ground =
                Ground { policy, keyring: &keyring, x509: &helper, now: self.received_at, format: repository.format };
            let case = Case {
                ground,
                repository: &repository,
                names: &names,
                objects: &objects,
                ledger: ledger.read(),
                repository_id: scene.known.as_ref().and_then(Known::id),
                forge: self.call.forge,
                says: self.says,
                pusher,
                deadline: self.started + policy.limits.time.get(),
                progress: &progress,
            };
            let mut judgement = Judgement::default();
            if let Err(error) = case.judge(updates, &mut judgement) {
                tracing::error!(%error, "judging stopped");
                // What is certainly wrong stays so; nothing else that was found so far counts.
                let mut findings = std::mem::take(&mut judgement.findings);
                findings.keep_denials();
                findings.push(error.finding());
                let refs = updates.iter().map(plain_fact).collect();
                return Ok((Judgement { findings, refs, ..Judgement::default() }, Dependencies::default()));
            }
            judgement.findings.extend(notes);
            // Whoever was offboarded while we judged is offboarded now.
            let now = self.call.clock.now();
            let (persons, authorities) = (&judgement.relied_on, &judgement.authorities);
            let dependencies = Dependencies::of(persons, authorities, &keyring, self.received_at, self.in_transaction)?;
            let broken = if keyring.is_latest(&self.site.keyring_path())? {
                dependencies.broken(&keyring, now)?.is_some()
            } else {
                dependencies.broken(&self.site.keyring()?, now)?.is_some()
            };
            if !broken {
                return Ok((judgement, dependencies));
            }
        }
        Err(Unfit::new(&rule::out_of_time::RULE, "the records this push rests on kept changing"))
    }

    /// The person behind the account that the server names.
    fn pusher(&self, keyring: &PublishedKeyring) -> Result<(Option<Arc<Person>>, Vec<Finding>), Unfit> {
        let Some(text) = self.says.account_text.as_deref() else { return Ok((None, Vec::new())) };
        let mut found = None;
        if let Some(account) = &self.says.account {
            for id in keyring.by_account(account)? {
                let person = keyring.person(&id)?;
                found = found.or(person.filter(|person| person.has_account(account, self.received_at)));
            }
        }
        if found.is_some() || self.says.internal {
            return Ok((found, Vec::new()));
        }
        let reason = format!("was made with the account {text}, which the registry does not know");
        let mut finding = Problem::new(&rule::pusher_unmapped::RULE, reason).about(Subject::Push);
        if self.site.policy.people.unmapped_pusher == Answer::Deny {
            finding.effect = Effect::Deny;
        }
        Ok((None, vec![finding]))
    }

    /// The verdict is on disk before anybody hears it. The ledger is closed before anything is written to the client.
    fn conclude(
        &self,
        scene: &Scene,
        ledger: &mut Ledger,
        mut judgement: Judgement,
        dependencies: &Dependencies,
    ) -> Outcome {
        let policy = &self.site.policy;
        let limits = &policy.limits;
        if self.started.elapsed() > limits.time.get() {
            let took = format!("took longer than {}", limits.time);
            judgement.findings.keep_denials();
            judgement.findings.push(Problem::new(&rule::out_of_time::RULE, took).about(Subject::Push));
        }
        let (findings, findings_not_listed) = std::mem::take(&mut judgement.findings).into_parts();
        let id = VerdictId::generate();
        let mode = scene.names.as_ref().map_or(policy.mode, |names| policy.mode_for(names));
        let mut verdict = Verdict {
            schema_version: Verdict::SCHEMA_VERSION,
            verdict: id.to_string(),
            received_at: self.received_at,
            mode,
            decision: decide(&findings),
            enforced: mode == Mode::Enforce,
            repository: RepositoryFact {
                path: scene.names.as_ref().map(|names| names.path.clone()).unwrap_or_default(),
                id: None,
                name: self.says.repository_name.clone(),
            },
            pusher: PusherFact {
                person: scene.pusher.as_ref().map(|person| person.id.clone()),
                account: self.says.account_text.clone(),
                via: if self.in_transaction { Some("ref-update".to_owned()) } else { self.says.via.clone() },
                address: self.says.address.clone(),
            },
            refs: std::mem::take(&mut judgement.refs),
            commits: judgement.counts,
            findings,
            findings_not_listed,
            policy_digest: policy.digest.clone(),
            registry_epoch: scene.epoch,
            recorded: true,
        };
        let updates: Vec<RefUpdate> = judgement.updates.iter().map(moved).collect();
        let entry = Entry {
            id,
            verdict: &verdict,
            judgement: &mut judgement,
            repository: scene.known.as_ref(),
            names: scene.names.as_ref(),
            forge_id: scene.names.as_ref().and_then(|names| site::forge_id(&names.path, self.says)),
            dependencies,
            committed_at: scene.committed_at,
        };
        let now = self.call.clock.now();
        let written = record::write(ledger, entry, limits.ledger_wait.get(), now);
        if written.is_ok() {
            self.leave_passes(scene, &verdict, &updates, now, dependencies);
        }
        if let Err(error) = written {
            tracing::error!(verdict = %id, %error, "the verdict could not be recorded");
            verdict.recorded = false;
            if verdict.decision == Decision::Accept || verdict.mode == Mode::Observe {
                verdict.findings.push(Unfit::from(error).finding());
                verdict.decision = Decision::Undecided;
                // Without its record nothing passes, not even where we only observe.
                verdict.enforced = true;
            }
        }
        Outcome { lines: self.say(&verdict), exit_code: verdict.exit_code() }
    }

    /// Once the verdict is on disk. Whether a branch may go is asked again when it goes, so a deletion gets none.
    fn leave_passes(
        &self,
        scene: &Scene,
        verdict: &Verdict,
        updates: &[RefUpdate],
        at: Time,
        dependencies: &Dependencies,
    ) {
        let good = verdict.decision == Decision::Accept && verdict.enforced && !self.in_transaction;
        if let Some(repository) = scene.repository.as_ref().filter(|_| good)
            && !updates.iter().any(RefUpdate::is_deletion)
            && let Some(passes) = Passes::of(self.site, &repository.path)
        {
            passes.leave(updates, at, dependencies);
        }
    }

    fn say(&self, verdict: &Verdict) -> Vec<String> {
        message::render(verdict).iter().map(|line| forge::line(self.call.forge, self.says, line)).collect()
    }
}

fn moved(facts: &UpdateFacts) -> RefUpdate {
    RefUpdate { name: facts.name.clone(), old: facts.old, new: facts.new }
}

fn plain_fact(update: &RefUpdate) -> countersign_policy::verdict::RefFact {
    countersign_policy::verdict::RefFact { r#ref: update.name.clone(), old: update.old, new: update.new, level: 0 }
}

/// Policy or ledger cannot be read: nothing can be recorded, and nothing passes.
fn without_ledger(call: &Call, says: &ServerSays, now: Time, unfit: &Unfit) -> Outcome {
    let id = VerdictId::generate();
    tracing::error!(verdict = %id, "nothing can be recorded");
    let verdict = Verdict {
        schema_version: Verdict::SCHEMA_VERSION,
        verdict: id.to_string(),
        received_at: now,
        mode: Mode::Enforce,
        decision: Decision::Undecided,
        enforced: true,
        repository: RepositoryFact::default(),
        pusher: PusherFact::default(),
        refs: Vec::new(),
        commits: Default::default(),
        findings: vec![unfit.finding()],
        findings_not_listed: 0,
        policy_digest: String::new(),
        registry_epoch: 0,
        recorded: false,
    };
    let lines = message::render(&verdict).iter().map(|line| forge::line(call.forge, says, line)).collect();
    Outcome { lines, exit_code: Decision::Undecided.exit_code() }
}
