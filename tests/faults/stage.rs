//! One server with people who push to it, and the question that every fault ends with: what came of the push, and does
//! the ledger hold the leaf for it?

use crate::common::{Member, Site, push_on_this_machine};
use countersign::ledger::{AppliedFacts, Facts, Ledger, Reader, UpdateId};
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::verdict::Decision;
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{Outcome, must, quoted, run, write_program};
use countersign_tests::servers::{Repository, Server};
use countersign_tests::unix_user::is_root;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub const HOOKS: [&str; 3] = ["pre-receive", "reference-transaction", "post-receive"];

/// What came of a push, told by where the ref stands and by what the client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The ref moved.
    Accepted,
    Undecided,
    Denied,
    /// The ref stands, and no verdict was heard: a program was killed, or git itself failed.
    Died,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub kind: Kind,
    /// Ids of the findings that the client was told.
    pub ids: Vec<String>,
    pub text: String,
    pub took: Duration,
    /// What must never be: a ref that moved without a leaf.
    pub wrong: Option<String>,
}

/// A repository with a person who may push to it.
pub struct Lane {
    pub repository: Repository,
    pub member: Member,
}

/// The ledger at one moment: its leaves are the first of every later ledger.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub size: u64,
    root: [u8; 32],
}

pub struct Stage {
    pub site: Site,
}

impl Stage {
    /// Mounts, owners and other users' files need root; a test without it would show nothing.
    pub fn new() -> Stage {
        assert!(is_root(), "the fault tests mount file systems and change owners: run them as root");
        Stage { site: Site::new() }
    }

    /// A guarded repository whose `main` holds one signed commit.
    pub fn lane(&mut self, name: &str, kind: KeyKind) -> Lane {
        let repository = self.site.repository(name);
        self.site.install(&repository);
        let member = self.site.member(&format!("dev-{name}"), kind, &repository);
        if let Some((flag, file)) = &member.key.authority {
            self.site.sync(&["key", "add", flag, &file.to_string_lossy()]);
        }
        let lane = Lane { repository, member };
        let first = lane.member.commit("first");
        let answer = self.push(&lane, &first);
        assert_eq!(answer.kind, Kind::Accepted, "{}", answer.text);
        lane
    }

    pub fn root(&self) -> &Path {
        self.site.product.root()
    }

    pub fn ledger_folder(&self) -> PathBuf {
        self.root().join("ledger")
    }

    pub fn ledger_path(&self) -> PathBuf {
        self.ledger_folder().join("ledger.db")
    }

    pub fn policy_path(&self) -> PathBuf {
        self.root().join("policy.yaml")
    }

    pub fn keyring(&self) -> PathBuf {
        self.root().join("keyring")
    }

    pub fn patch_policy(&self, yaml: &str) {
        let patch: serde_yaml::Value = serde_yaml::from_str(yaml).expect("YAML");
        self.site.product.patch_policy(&patch);
    }

    /// The command of a push to `main`, not yet started.
    pub fn push_command(&self, lane: &Lane, commit: &str) -> Command {
        push_on_this_machine(&self.site.server, &lane.member, &[&format!("{commit}:refs/heads/main")])
    }

    /// Pushes to `main` and says what came of it.
    pub fn push(&self, lane: &Lane, commit: &str) -> Answer {
        let old = self.tip(lane);
        let begun = Instant::now();
        let outcome = run(&mut self.push_command(lane, commit), b"");
        let mut answer = self.answer(lane, &old, commit, &outcome);
        answer.took = begun.elapsed();
        answer
    }

    /// Where `main` stands; zeros when nowhere.
    pub fn tip(&self, lane: &Lane) -> String {
        self.site.server.refs(&lane.repository).remove("refs/heads/main").unwrap_or_else(|| "0".repeat(40))
    }

    /// What became of a push of `commit` onto `old`, whatever its client was told.
    pub fn answer(&self, lane: &Lane, old: &str, commit: &str, outcome: &Outcome) -> Answer {
        let mut answer = told(&outcome.stderr);
        let tip = self.tip(lane);
        if tip == commit {
            answer.kind = Kind::Accepted;
            answer.wrong = match self.leaf_of(lane, old, commit) {
                Some(_) => None,
                None => Some("the ref moved without an accepting leaf".to_owned()),
            };
        } else if tip != old {
            answer.wrong = Some(format!("the ref stands at {tip}, where nobody put it"));
        } else if answer.kind == Kind::Accepted {
            answer.kind = Kind::Died;
        }
        answer
    }

    fn ledger(&self) -> Ledger {
        Ledger::open_read_only(&self.ledger_path()).expect("a ledger that can be read")
    }

    /// The newest accepting verdict on exactly this update, read from the leaves themselves.
    pub fn leaf_of(&self, lane: &Lane, old: &str, new: &str) -> Option<UpdateId> {
        let ledger = self.ledger();
        let path = lane.repository.path.canonicalize().expect("the repository");
        let id = ledger.read().repository_at(&path.to_string_lossy()).expect("the ledger")?.id;
        let object = |hex: &str| ObjectId::from_hex(hex.as_bytes()).expect("an object id");
        let (old, new, name) = (object(old), object(new), RefName::new(b"refs/heads/main"));
        let mut found = None;
        each_facts(ledger.read(), |seq, facts| {
            let Facts::Verdict(verdict) = facts else { return };
            if verdict.repository != Some(id) || verdict.decision != Decision::Accept || !verdict.enforced {
                return;
            }
            for (index, update) in (0u32..).zip(&verdict.updates) {
                if update.name == name && update.old == old && update.new == new {
                    found = Some(UpdateId { verdict: seq, index });
                }
            }
        });
        found
    }

    /// Whether a leaf says that git applied this update.
    pub fn is_applied(&self, id: UpdateId) -> bool {
        let mut applied = false;
        each_facts(self.ledger().read(), |_, facts| {
            if let Facts::Applied(AppliedFacts { updates, .. }) = facts {
                applied |= updates.contains(&id);
            }
        });
        applied
    }

    pub fn kept(&self) -> Kept {
        let head = self.ledger().head().expect("a head");
        Kept { size: head.size, root: head.root }
    }

    /// That no leaf of an earlier moment was lost or changed.
    pub fn still_holds(&self, kept: Kept) -> bool {
        let ledger = self.ledger();
        ledger.read().root_of(0..kept.size).is_ok_and(|root| root == kept.root)
    }

    /// `countersign ledger verify`.
    pub fn verify(&self) -> Outcome {
        self.site.product.countersign(&["ledger", "verify"], b"")
    }

    /// `git fsck` in the bare repository.
    pub fn fsck(&self, lane: &Lane) -> Outcome {
        self.site.server.git(&lane.repository, &["fsck", "--strict", "--no-dangling"])
    }

    /// Puts the objects of the person's clone into the repository, without moving a ref.
    pub fn bring_objects(&self, lane: &Lane, branch: &str) {
        let from = lane.member.station.folder().to_string_lossy().into_owned();
        let fetched = self.site.server.git(&lane.repository, &["fetch", "--quiet", &from, branch]);
        assert!(fetched.succeeded(), "{fetched:?}");
    }

    /// The installed pre-receive hook, as git starts it for this update.
    pub fn hook(&self, lane: &Lane) -> Command {
        let program = lane.repository.path.join("hooks/pre-receive");
        let mut hook = self.site.server.unix_user().command(program, self.site.server.home());
        hook.current_dir(&lane.repository.path).env("GIT_DIR", ".");
        hook
    }

    /// Asks the pre-receive hook alone; the ref does not move.
    pub fn ask(&self, lane: &Lane, name: &str, old: &str, new: &str) -> Answer {
        let begun = Instant::now();
        Self::said_by_hook(&run(&mut self.hook(lane), format!("{old} {new} {name}\n").as_bytes()), begun)
    }

    /// What a hook that was begun then has answered.
    pub fn said_by_hook(outcome: &Outcome, begun: Instant) -> Answer {
        let mut answer = told(&outcome.stderr);
        answer.kind = match outcome.code {
            Some(0) => Kind::Accepted,
            Some(1) => Kind::Denied,
            Some(2) => Kind::Undecided,
            _ => Kind::Died,
        };
        if answer.kind == Kind::Died {
            answer.text = format!("the hook ended with {:?}: {}", outcome.code, answer.text);
        }
        answer.took = begun.elapsed();
        answer
    }

    /// Puts words of a shell before each hook of the repository: `ulimit …; exec`, `exec faketime …`.
    pub fn wrap_hooks(&self, lane: &Lane, hooks: &[&str], words: &str) {
        for hook in hooks {
            let place = lane.repository.path.join("hooks").join(hook);
            let real = place.with_extension("real");
            if !real.exists() {
                std::fs::rename(&place, &real).expect("an installed hook");
            }
            write_program(&place, &format!("#!/bin/sh\n{words} {} \"$@\"\n", quoted(&real)));
        }
    }

    pub fn unwrap_hooks(&self, lane: &Lane) {
        for hook in HOOKS {
            let place = lane.repository.path.join("hooks").join(hook);
            let real = place.with_extension("real");
            if real.exists() {
                std::fs::rename(&real, &place).expect("a wrapped hook");
            }
        }
    }

    pub fn own(&self, path: &Path) {
        self.site.server.unix_user().own(path);
    }
}

/// What the words to the client say.
fn told(stderr: &str) -> Answer {
    let said = |words: &str| stderr.lines().any(|line| line.contains("countersign: ") && line.contains(words));
    let kind = if said("could not be decided") {
        Kind::Undecided
    } else if said(" rejected: ") {
        Kind::Denied
    } else if said("accepted, verdict") {
        Kind::Accepted
    } else {
        Kind::Died
    };
    let id = |line: &str| Some(line.trim_end().strip_suffix(']')?.rsplit_once('[')?.1.to_owned());
    let ids =
        stderr.lines().filter_map(id).filter(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
    Answer { kind, ids: ids.collect(), text: stderr.to_owned(), took: Duration::ZERO, wrong: None }
}

fn each_facts(read: Reader<'_>, mut see: impl FnMut(u64, &Facts)) {
    read.each_leaf(0, |seq, _, bytes| {
        see(seq, &countersign::ledger::Leaf::decode(seq, bytes).expect("a leaf").facts);
        true
    })
    .expect("the ledger can be read");
}

/// A mounted file system, unmounted when dropped.
pub struct Mount(PathBuf);

impl Mount {
    pub fn tmpfs(at: &Path, size: &str) -> Mount {
        must(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "tmpfs"]).arg(at));
        Mount(at.to_owned())
    }

    pub fn remount(&self, options: &str) {
        must(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.0), b"");
    }
}

/// `FAULTS_TIMES=10` tries ten times as much of what is random.
pub fn times() -> usize {
    std::env::var("FAULTS_TIMES").map_or(1, |times| times.parse().expect("FAULTS_TIMES is a number"))
}

/// Numbers that are random to the product and the same in every run.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn seeded(family: &str, seed: u64) -> Dice {
        println!("{family}: seed {seed}");
        Dice(seed)
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// In `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
