//! Every commit and annotated tag of a repository, judged twice, by as many threads as there are processors.

use crate::compare::compare;
use crate::keys::{Keys, now};
use crate::ours::{self, Kind};
use crate::report::{Case, Report};
use crate::say;
use crate::theirs::{self, Opinion};
use countersign_policy::id::ObjectFormat;
use countersign_policy::time::Time;
use countersign_tests::process::must;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How often to say that it goes on.
const PROGRESS: usize = 5000;
/// Objects read ahead of those who judge them.
const READ_AHEAD: usize = 64;

struct Object {
    kind: Kind,
    id: String,
    raw: Vec<u8>,
}

/// What is the same for every object.
struct Ground<'a> {
    repository: &'a Path,
    keys: &'a Keys,
    format: ObjectFormat,
    now: Time,
}

/// `revisions` are words for `git rev-list`; without them all refs, and the annotated tags besides.
pub fn compare_all(repository: &Path, keys: &Keys, revisions: Option<&str>, limit: Option<usize>) -> Report {
    let git = || theirs::git(repository, keys);
    let format = match must(git().args(["rev-parse", "--show-object-format"])).as_str() {
        "sha1" => ObjectFormat::Sha1,
        "sha256" => ObjectFormat::Sha256,
        other => panic!("an object format that is not known here: {other}"),
    };
    let limit = limit.unwrap_or(usize::MAX);
    let wanted = revisions.unwrap_or("--all").split_whitespace();
    let commits = must(git().arg("rev-list").args(wanted));
    let commits = commits.lines().take(limit).map(|id| (Kind::Commit, id.to_owned()));
    let refs = match revisions {
        None => must(git().args(["for-each-ref", "--format=%(objecttype) %(objectname)", "refs/tags"])),
        Some(_) => String::new(),
    };
    let tags = refs.lines().filter_map(|line| line.strip_prefix("tag ")).take(limit);
    let wanted: Vec<(Kind, String)> = commits.chain(tags.map(|id| (Kind::Tag, id.to_owned()))).collect();

    let begun = Instant::now();
    let ground = Ground { repository, keys, format, now: now() };
    let (sender, receiver) = sync_channel(READ_AHEAD);
    let receiver = Mutex::new(receiver);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut report = Report::new(keys);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(|| ground.work(&receiver))).collect();
        for (count, object) in objects(git(), &wanted).enumerate() {
            if count > 0 && count % PROGRESS == 0 {
                say(&format!("{count} of {} objects, {:.0?}", wanted.len(), begun.elapsed()));
            }
            sender.send(object).expect("somebody who judges");
        }
        drop(sender);
        for worker in running {
            report.add(worker.join().expect("a thread that judges"));
        }
    });
    report.took = begun.elapsed();
    assert_eq!(report.judged(), wanted.len(), "not every object was judged");
    report
}

/// The raw bytes of the objects, by one git process.
fn objects(mut git: std::process::Command, wanted: &[(Kind, String)]) -> impl Iterator<Item = Object> {
    let list: String = wanted.iter().map(|(_, id)| format!("{id}\n")).collect();
    let mut ids = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut ids, list.as_bytes()).expect("the ids");
    std::io::Seek::rewind(&mut ids).expect("the ids");
    let mut child = git.args(["cat-file", "--batch"]).stdin(ids).stdout(Stdio::piped()).spawn().expect("git");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut left = wanted.iter().cloned();
    std::iter::from_fn(move || {
        let Some((kind, id)) = left.next() else {
            assert!(child.wait().is_ok_and(|status| status.success()), "git cat-file failed");
            return None;
        };
        let mut header = String::new();
        output.read_line(&mut header).expect("a header");
        let expected = if kind == Kind::Commit { "commit" } else { "tag" };
        let [name, found, size] = header.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("git cat-file said: {header}")
        };
        assert_eq!((name, found), (id.as_str(), expected));
        let mut raw = vec![0; size.parse::<usize>().expect("a size") + 1];
        output.read_exact(&mut raw).expect("an object");
        raw.pop();
        Some(Object { kind, id, raw })
    })
}

impl Ground<'_> {
    fn work(&self, receiver: &Mutex<Receiver<Object>>) -> Report {
        let mut report = Report::new(self.keys);
        loop {
            let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(object) = next else { return report };
            let begun = Instant::now();
            let judged = ours::judge(object.kind, &object.raw, self.format, &self.keys.keyring, self.now);
            report.ours += begun.elapsed();
            let begun = Instant::now();
            let opinion = if theirs::may_be_signed(&object.raw) {
                theirs::ask(self.repository, self.keys, object.kind, &object.id)
            } else {
                Opinion::unsigned()
            };
            report.theirs += begun.elapsed();
            let relation = compare(&object.raw, &judged.now, &opinion, self.keys);
            report.note(Case { kind: object.kind, id: object.id, judged, opinion, relation });
        }
    }
}
