//! Runs one case on one server.

use super::{
    Call, Case, CloneGit, Commit, Edit, Event, Expect, KeySpec, NewRepository, Person, PullRequest, Push, ServerGit,
    Step, Tag,
};
use crate::keys::{Key, Owner, Workshop};
use crate::process::{Outcome, must, quoted, require, run as run_program, write_program};
use crate::product::Product;
use crate::servers::{Refs, Repository, Server};
use crate::workstation::{Change, Pushed, Signing, Workstation};
use countersign_policy::time::Time;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The state of a story. Agents and servers end before the folder that they work in goes.
struct Story {
    server: Box<dyn Server>,
    product: Product,
    repository: Repository,
    object_format: Option<String>,
    /// Those made by steps.
    others: BTreeMap<String, Repository>,
    members: BTreeMap<String, Member>,
    workshop: Workshop,
    /// What `$name` stands for.
    names: BTreeMap<String, String>,
    /// What clients read of pushes that have a name, masked.
    heard: BTreeMap<String, String>,
    events: usize,
    folder: TempDir,
}

struct Member {
    key: Option<Key>,
    spare: BTreeMap<String, Key>,
    workstation: Workstation,
}

pub fn run(case: &Case, mut server: Box<dyn Server>) {
    let folder = crate::servers::folder();
    let repository = server.create_repository(&case.repository);
    if let Some(format) = &case.object_format {
        std::fs::remove_dir_all(&repository.path).expect("the repository as it was made");
        let path = repository.path.to_string_lossy();
        let format = format!("--object-format={format}");
        let mut git = server.unix_user().command("git", server.home());
        must(git.args(["init", "--quiet", "--bare", "--initial-branch=main", &format, &path]));
    }
    let product = Product::init(folder.path(), server.as_ref());
    if !case.policy.is_null() {
        product.patch_policy(&case.policy);
    }
    let names = [("repository", repository.path.as_path()), ("root", product.root()), ("programs", product.programs())];
    let names = names.map(|(name, path)| (name.to_owned(), path.display().to_string())).into();
    let mut story = Story {
        server,
        product,
        repository,
        object_format: case.object_format.clone(),
        others: BTreeMap::new(),
        members: BTreeMap::new(),
        workshop: Workshop::new(folder.path()),
        names,
        heard: BTreeMap::new(),
        events: 0,
        folder,
    };
    for (id, person) in &case.persons {
        story.hire(id, person);
    }
    for (number, step) in (1..).zip(&case.before_install) {
        println!("before install {number}: {step:?}");
        story.step(step);
    }
    story.product.install(story.server.as_mut(), &story.repository);
    for (number, step) in (1..).zip(&case.steps) {
        println!("step {number}: {step:?}");
        story.step(step);
    }
}

impl Story {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Hire(hire) => self.hire(&hire.id, &hire.person),
            Step::Event(event) => self.event(event.clone()),
            Step::Kill(kill) => {
                let since = kill.since.as_deref().map(|since| instant(&self.named(since)));
                let mut args = vec!["kill", &kill.person, "--reason", &kill.reason];
                args.extend(since.iter().flat_map(|since| ["--since", since]));
                self.registry(&args, "");
            }
            Step::Branch(branch) => {
                let from = branch.from.as_deref().map(|from| self.named(from));
                self.member(&branch.by).workstation.branch(&branch.name, from.as_deref());
            }
            Step::Fetch(fetch) => self.member(&fetch.by).workstation.fetch(),
            Step::Commit(commit) => self.commit(commit),
            Step::Merge(merge) => {
                let branches: Vec<String> = merge.branches.iter().map(|branch| self.named(branch)).collect();
                let workstation = &self.member(&merge.by).workstation;
                let signing = self.signing(&merge.by, &merge.sign);
                let id = workstation.merge(&branches, &merge.message, merge.date.as_deref(), signing);
                self.remember(merge.r#as.as_deref(), id);
            }
            Step::Tag(tag) => self.tag(tag),
            Step::Push(push) => self.push(push),
            Step::Delete(delete) => {
                let mut words = vec!["--delete".to_owned()];
                words.extend(delete.refs.iter().map(|name| self.named(name)));
                let before = self.server.refs(&self.repository);
                let pushed = self.member(&delete.by).workstation.push(&words);
                self.check_push(&self.repository.clone(), &delete.by, (before, pushed), &delete.expect);
            }
            Step::Server(step) => self.server_git(step),
            Step::Git(step) => self.clone_git(step),
            Step::Repository(new) => self.new_repository(new),
            Step::Operator(line) => self.operator(line),
            Step::Clock(clock) => self.set_clock(clock),
            Step::Instant(name) => self.remember(Some(name), instant("now")),
            Step::SameWords([one, other]) => assert_eq!(self.heard[one], self.heard[other], "{one} and {other}"),
            Step::Policy(patch) => self.product.patch_policy(patch),
            Step::Audit(call) => self.call(Some("audit"), call),
            Step::Ledger(call) => self.call(Some("ledger"), call),
            Step::Baseline(call) => self.call(Some("baseline"), call),
            Step::Approve(call) => self.call(Some("approve"), call),
            Step::Countersign(call) => self.call(None, call),
            Step::KeyringSync(call) => {
                let outcome = self.product.keyring_sync(&self.words(None, call), call.input.as_bytes());
                self.check_call(call, &outcome);
            }
            Step::Edit(edit) => self.edit(edit),
            Step::PullRequest(pull) => self.pull_request(pull),
            Step::RewriteHooks(_) => self.server.rewrite_hooks(),
            Step::Sleep(sleep) => std::thread::sleep(Duration::from_millis(sleep.millis)),
        }
    }

    // Persons

    /// Gives somebody a login, keys and a workstation, and registers them unless they are strangers.
    fn hire(&mut self, id: &str, person: &Person) {
        let mut name = id.to_owned();
        name[..1].make_ascii_uppercase();
        let email = person.emails.first().cloned().unwrap_or_else(|| format!("{id}@example.com"));
        let owner = Owner { id: id.to_owned(), name: person.name.clone().unwrap_or(name), email };
        if !person.stranger {
            self.register(&owner, person);
        }
        let key = person.key.as_ref().map(|spec| self.make_key(&owner, person, spec));
        let spare = person.spare.iter();
        let spare = spare.map(|(name, spec)| (name.clone(), self.make_key(&owner, person, spec))).collect();
        for event in &person.events {
            let mut event = event.clone();
            event.entry("person").or_insert_with(|| id.into());
            self.event(event);
        }
        self.server.add_login(id);
        let mut access = self.server.access(&self.repository, id);
        access
            .environment
            .extend(self.object_format.iter().map(|format| ("GIT_DEFAULT_HASH".to_owned(), format.into())));
        let workstation = Workstation::set_up(&self.folder.path().join("people").join(id), &owner, &access);
        self.remember(Some(&format!("{id}_clone")), workstation.folder().display().to_string());
        let fingerprint = key.as_ref().map(|key: &Key| key.fingerprint.clone());
        self.remember(Some(id), fingerprint.unwrap_or_default());
        let replaced = self.members.insert(id.to_owned(), Member { key, spare, workstation });
        assert!(replaced.is_none(), "{id} was hired before");
    }

    fn register(&self, owner: &Owner, person: &Person) {
        let mut args = vec!["person", "add", &owner.id, "--name", &owner.name, "--email", &owner.email];
        let lists = [("--account", &person.accounts), ("--role", &person.roles), ("--scope", &person.scope)];
        for (flag, values) in lists {
            values.iter().for_each(|value| args.extend([flag, value]));
        }
        person.emails.iter().skip(1).for_each(|email| args.extend(["--email", email]));
        for (flag, value) in [("--kind", &person.kind), ("--owner", &person.owner), ("--state", &person.state)] {
            args.extend(value.iter().flat_map(|value| [flag, value]));
        }
        self.registry(&args, "");
    }

    fn make_key(&mut self, owner: &Owner, person: &Person, spec: &KeySpec) -> Key {
        let key = self.workshop.make(owner, &spec.wanted);
        if let Some((flag, file)) = &key.authority {
            self.registry(&["key", "add", flag, &file.to_string_lossy()], "");
        }
        if let (Some((flag, file)), true) = (&key.registration, spec.registered && !person.stranger) {
            let file = file.to_string_lossy();
            let mut args = vec!["key", "add", &owner.id, flag, &file];
            spec.scope.iter().for_each(|scope| args.extend(["--scope", scope]));
            self.registry(&args, "");
        }
        key
    }

    fn event(&mut self, mut event: Event) {
        self.events += 1;
        let id = format!("event-{}", self.events);
        for (field, value) in [("id", id.as_str()), ("source", "case"), ("effective_at", "now"), ("asserted_at", "now")]
        {
            event.entry(field).or_insert_with(|| value.into());
        }
        for field in ["effective_at", "asserted_at"] {
            if let Some(Json::String(text)) = event.get(field) {
                event[field] = instant(text).into();
            }
        }
        let line = self.named(&Json::Object(event).to_string());
        self.registry(&["apply", "-"], &(line + "\n"));
    }

    fn registry(&self, args: &[&str], input: &str) {
        let outcome = self.product.keyring_sync(args, input.as_bytes());
        assert!(outcome.succeeded(), "keyring-sync {args:?} with `{input}`: {outcome:?}");
    }

    fn member(&self, id: &str) -> &Member {
        self.members.get(id).unwrap_or_else(|| panic!("nobody is called {id}"))
    }

    /// `key` is the own key, `none` no key, all else somebody's, `PERSON` or `PERSON.NAME`.
    fn signing(&self, by: &str, sign: &str) -> Signing<'_> {
        let key = match (sign, sign.split_once('.')) {
            ("none", _) => return None,
            ("key", _) => self.member(by).key.as_ref(),
            (_, Some((person, name))) => self.member(person).spare.get(name),
            (person, None) => self.member(person).key.as_ref(),
        };
        Some(&key.unwrap_or_else(|| panic!("`sign: {sign}`: there is no such key")).git)
    }

    // Work on a workstation

    fn commit(&mut self, commit: &Commit) {
        let change = Change {
            files: commit.files.clone(),
            message: &commit.message,
            author: commit.author.as_deref(),
            committer: commit.committer.as_deref(),
            date: commit.date.as_deref(),
        };
        let id = self.member(&commit.by).workstation.commit(&change, self.signing(&commit.by, &commit.sign));
        self.remember(commit.r#as.as_deref(), id);
    }

    fn tag(&mut self, tag: &Tag) {
        let target = self.named(&tag.target);
        let message = tag.annotated.then_some(tag.name.as_str());
        let signing = if tag.annotated { self.signing(&tag.by, &tag.sign) } else { None };
        let id = self.member(&tag.by).workstation.tag(&tag.name, &target, message, tag.date.as_deref(), signing);
        self.remember(tag.r#as.as_deref(), id);
    }

    fn remember(&mut self, name: Option<&str>, value: String) {
        if let Some(name) = name {
            self.names.insert(name.to_owned(), value);
        }
    }

    /// Puts in what each `$name` stands for; `$$` is a `$`.
    fn check_call(&self, call: &Call, outcome: &Outcome) {
        println!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(call.exit), "the exit code (left)");
        if call.expect.is_empty() {
            return;
        }
        let json: Json = serde_json::from_str(&outcome.stdout).expect("JSON on standard output");
        for (pointer, wanted) in &call.expect {
            let wanted = match wanted {
                Json::String(text) => Json::String(self.named(text)),
                other => other.clone(),
            };
            assert_eq!(json.pointer(pointer), Some(&wanted), "{pointer} (left: what it is)");
        }
    }

    fn named(&self, text: &str) -> String {
        let mut parts = text.split('$');
        let mut result = parts.next().unwrap_or_default().to_owned();
        while let Some(part) = parts.next() {
            if part.is_empty() {
                result.push('$');
                result += parts.next().unwrap_or_default();
                continue;
            }
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            result += self.names.get(name).unwrap_or_else(|| panic!("nothing is called ${name}"));
            result += rest;
        }
        result
    }

    // What the server is asked, and what it answers

    fn push(&mut self, push: &Push) {
        let mut words: Vec<String> = push.options.iter().map(|option| format!("--push-option={option}")).collect();
        words.extend(push.force.then(|| "--force".to_owned()));
        words.extend(push.atomic.then(|| "--atomic".to_owned()));
        words.extend(push.refs.iter().map(|name| self.named(name)));
        let (repository, remote) = match &push.to {
            None => (self.repository.clone(), "origin".to_owned()),
            Some(name) => {
                let repository = self.others.get(name).unwrap_or_else(|| panic!("no repository is called {name}"));
                (repository.clone(), self.server.access(repository, &push.by).url)
            }
        };
        let before = self.server.refs(&repository);
        let pushed = self.member(&push.by).workstation.push_to(&remote, &push.environment, &words);
        let remote = self.check_push(&repository, &push.by, (before, pushed), &push.expect);
        if let Some(wanted) = &push.record {
            self.check_record(wanted);
        }
        if let Some(name) = &push.heard {
            self.heard.insert(name.clone(), masked(&remote, &push.by));
        }
    }

    fn check_push(
        &mut self,
        repository: &Repository,
        by: &str,
        (before, pushed): (Refs, Pushed),
        expect: &Expect,
    ) -> Vec<String> {
        let workstation = &self.member(by).workstation;
        println!("{}{}", pushed.outcome.stdout, pushed.outcome.stderr);
        let wanted = match expect {
            Expect::Kept(kept) if kept.refs.is_empty() => before,
            Expect::Accepted | Expect::Noted(_) | Expect::Kept(_) => {
                let mut refs = moved(&before, &pushed, workstation);
                self.follow_aliases(repository, &mut refs, &pushed);
                refs
            }
            Expect::Rejected(_) | Expect::Undecided(_) => before,
        };
        let kept = pushed.updates.iter().filter(|update| update.flag == '!').map(|update| update.to.as_str());
        let kept: BTreeSet<&str> = kept.collect();
        let accepted = match expect {
            Expect::Kept(expected) => {
                assert!(!pushed.outcome.succeeded(), "git moved the refs");
                assert_eq!(
                    kept,
                    expected.refs.iter().map(String::as_str).collect(),
                    "the refs that did not move (left)"
                );
                true
            }
            _ => pushed.outcome.succeeded() && kept.is_empty(),
        };
        let remote = pushed.remote();
        // What reference-transaction says reaches the client beside the channel that git marks with `remote:`.
        let beside: Vec<&str> = pushed.outcome.stderr.lines().collect();
        check_answer(expect, accepted, if matches!(expect, Expect::Kept(_)) { &beside } else { &remote });
        self.names.extend(verdict(&remote).map(|id| ("verdict".to_owned(), id)));
        assert_eq!(self.server.refs(repository), wanted, "the refs on the server (left) are not as expected");
        remote.into_iter().map(str::to_owned).collect()
    }

    /// An alias moves with its target, and the target with the alias.
    fn follow_aliases(&self, repository: &Repository, refs: &mut Refs, pushed: &Pushed) {
        let listed = self.server.git(repository, &["for-each-ref", "--format=%(refname) %(symref)"]);
        let lines = listed.stdout.lines().filter_map(|line| line.split_once(' '));
        let aliases: Vec<(&str, &str)> = lines.filter(|(_, target)| !target.is_empty()).collect();
        for update in &pushed.updates {
            let target =
                aliases.iter().find(|(alias, _)| *alias == update.to).map_or(update.to.as_str(), |pair| pair.1);
            let moved = refs.get(&update.to).cloned();
            let family = aliases.iter().filter(|pair| pair.1 == target).map(|pair| pair.0).chain([target]);
            for name in family.filter(|_| aliases.iter().any(|pair| pair.1 == target)) {
                refs.extend(moved.clone().map(|id| (name.to_owned(), id)));
            }
        }
    }

    /// Every finding of the last verdict, as the audit tells it.
    fn check_record(&self, wanted: &[String]) {
        let outcome = self.product.countersign(&["audit", "push", &self.named("$verdict"), "--format", "json"], b"");
        let verdict: Json = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:?}"));
        let findings = verdict.pointer("/findings").and_then(Json::as_array).expect("findings");
        let found: BTreeSet<&str> = findings.iter().filter_map(|finding| finding.get("id")?.as_str()).collect();
        assert_eq!(found, wanted.iter().map(String::as_str).collect(), "the findings on record (left)");
    }

    // What the operator does

    fn clone_git(&mut self, step: &CloneGit) {
        let args: Vec<String> = step.args.iter().map(|word| self.named(word)).collect();
        let signing = self.signing(&step.by, &step.sign);
        let printed = self.member(&step.by).workstation.git_signing(signing, &args);
        self.remember(step.r#as.as_deref(), printed);
    }

    fn new_repository(&mut self, new: &NewRepository) {
        let repository = self.server.create_repository(&new.name);
        if new.install {
            self.product.install(self.server.as_mut(), &repository);
        }
        self.remember(Some(&new.name), repository.path.display().to_string());
        self.others.insert(new.name.clone(), repository);
    }

    fn operator(&self, line: &str) {
        let mut shell = self.server.unix_user().command("sh", self.product.root());
        let outcome = run_program(shell.args(["-euc", &self.named(line)]), b"");
        assert!(outcome.succeeded(), "`{line}`: {outcome:?}");
    }

    /// Puts the hooks of the repository into another time, or back into the present.
    fn set_clock(&self, clock: &str) {
        let faketime = require(&["/usr/bin/faketime"], "faketime");
        for hook in ["pre-receive", "reference-transaction", "post-receive"] {
            let place = self.repository.path.join("hooks").join(hook);
            let real = place.with_extension("real");
            if clock == "now" {
                std::fs::rename(&real, &place).expect("a hook that has another clock");
                continue;
            }
            if !real.exists() {
                std::fs::rename(&place, &real).expect("an installed hook");
            }
            let (faketime, real) = (quoted(&faketime), quoted(&real));
            write_program(&place, &format!("#!/bin/sh\nexec {faketime} -f {} {real} \"$@\"\n", quoted(clock)));
        }
    }

    fn server_git(&mut self, step: &ServerGit) {
        let args: Vec<String> = step.git.iter().map(|word| self.named(word)).collect();
        let before = self.server.refs(&self.repository);
        let outcome = self.server.git(&self.repository, &args.iter().map(String::as_str).collect::<Vec<_>>());
        println!("{}{}", outcome.stdout, outcome.stderr);
        check_answer(&step.expect, outcome.succeeded(), &outcome.stderr.lines().collect::<Vec<_>>());
        if matches!(step.expect, Expect::Rejected(_) | Expect::Undecided(_)) {
            assert_eq!(self.server.refs(&self.repository), before, "a refused change moved a ref");
        }
    }

    fn edit(&mut self, edit: &Edit) {
        let gitea = self.server.gitea().expect("`edit` needs Gitea");
        let before = self.server.refs(&self.repository);
        let answer = gitea.edit(&self.repository, &edit.by, &edit.branch, &edit.path, &edit.content);
        self.check_web(&edit.expect, &answer, &before);
    }

    fn pull_request(&mut self, pull: &PullRequest) {
        let gitea = self.server.gitea().expect("`pull_request` needs Gitea");
        let opened = gitea.open_pull_request(&self.repository, &pull.by, &pull.head, &pull.base);
        let number = opened.body.get("number").and_then(Json::as_u64);
        let number = number.unwrap_or_else(|| panic!("no pull request: {opened:?}"));
        let before = self.server.refs(&self.repository);
        let clicker = pull.merged_by.as_ref().unwrap_or(&pull.by);
        let answer = gitea.merge_pull_request(&self.repository, clicker, number, &pull.style);
        self.check_web(&pull.expect, &answer, &before);
    }

    fn check_web(&self, expect: &Expect, answer: &crate::servers::Answer, before: &Refs) {
        println!("{answer:?}");
        let message = answer.body.get("message").and_then(Json::as_str).unwrap_or_default();
        let accepted = (200..300).contains(&answer.status);
        check_answer(expect, accepted, &message.lines().collect::<Vec<_>>());
        assert_eq!(self.server.refs(&self.repository) != *before, accepted, "refs move if and only if it is accepted");
    }

    fn call(&mut self, command: Option<&str>, call: &Call) {
        let outcome = self.product.countersign(&self.words(command, call), call.input.as_bytes());
        self.check_call(call, &outcome);
    }

    fn words(&self, command: Option<&str>, call: &Call) -> Vec<String> {
        let mut words: Vec<String> = command.into_iter().map(str::to_owned).collect();
        words.extend(call.args.iter().map(|word| self.named(word)));
        if !call.expect.is_empty() {
            words.extend(["--format".to_owned(), "json".to_owned()]);
        }
        words
    }
}

/// The refs after every update of a push that the client believes done.
fn moved(before: &Refs, pushed: &Pushed, workstation: &Workstation) -> Refs {
    let mut refs = before.clone();
    for update in pushed.updates.iter().filter(|update| update.flag != '!') {
        if update.from.is_empty() {
            refs.remove(&update.to);
        } else {
            refs.insert(update.to.clone(), workstation.resolve(&update.from));
        }
    }
    refs
}

fn check_answer(expect: &Expect, accepted: bool, lines: &[&str]) {
    let said = |words: &str| lines.iter().any(|line| line.contains(words));
    let none = Vec::new();
    let (wanted, ids, right) = match expect {
        Expect::Accepted => ("accepted", &none, accepted),
        Expect::Noted(ids) => ("accepted", ids, accepted),
        Expect::Rejected(ids) => ("rejected", ids, !accepted && said("rejected")),
        Expect::Kept(kept) => ("accepted at first", &kept.shown, accepted),
        Expect::Undecided(ids) => ("undecided", ids, !accepted && said("could not be decided")),
    };
    assert!(right, "expected {wanted}; accepted: {accepted}, the server said {lines:#?}");
    let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let shown: BTreeSet<&str> = lines.iter().copied().filter_map(finding_id).collect();
    assert_eq!(shown, ids, "the findings that were shown (left) are not the expected ones");
}

/// The id at the end of `… is not signed   [unsigned]`.
fn finding_id(line: &str) -> Option<&str> {
    let (_, id) = line.trim_end().strip_suffix(']')?.rsplit_once('[')?;
    countersign_policy::rule::find(id).map(|rule| rule.id)
}

/// The id in the line `verdict 01JD… · policy …`.
fn verdict(lines: &[&str]) -> Option<String> {
    let mut words = lines.iter().flat_map(|line| line.split_whitespace());
    words.find(|word| *word == "verdict")?;
    words.next().map(str::to_owned)
}

/// What a client read, without what differs from push to push: ids of any kind, and who pushed.
fn masked(lines: &[String], by: &str) -> String {
    let words = |line: &String| -> String {
        let words = line.split(' ').map(|word| {
            let letters = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let is_id =
                letters.len() >= 7 && letters.chars().any(|c| c.is_ascii_digit()) || word.starts_with("SHA256:");
            if is_id { "ID".to_owned() } else { word.replace(by, "PERSON") }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(words).collect::<Vec<_>>().join("\n")
}

/// `now`, `now-90m`, `now+2d`, or an instant as it stands; RFC 3339.
pub fn instant(text: &str) -> String {
    let Some(offset) = text.strip_prefix("now") else { return text.to_owned() };
    let now = Time::from_system(SystemTime::now());
    let Some(sign) = offset.chars().next() else { return now.to_string() };
    let (number, unit) = offset[1..].split_at(offset[1..].len().saturating_sub(1));
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("`{text}` is no instant"));
    let seconds = match unit {
        "s" => number,
        "m" => number * 60,
        "h" => number * 3600,
        "d" => number * 86400,
        _ => panic!("`{text}`: the units are s, m, h and d"),
    };
    let offset = Duration::from_secs(seconds);
    if sign == '-' { now.minus(offset).to_string() } else { now.plus(offset).to_string() }
}
