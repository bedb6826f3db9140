//! Clients that stall: one that stops sending, one that goes away, one that does not read what it is told.

use crate::stage::{Answer, Kind, Lane, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{Outcome, processes_of};
use countersign_tests::servers::Server;
use rustix::process::{Signal, kill_process};
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

/// A push beside a stalled one takes no longer than any other on a loaded machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// How long the hook may wait for a reader, with what a loaded machine adds.
const HEARD: Duration = Duration::from_secs(20);

const ZERO: &str = "0000000000000000000000000000000000000000";

#[test]
fn clients_that_stall() {
    let mut stage = Stage::new();
    let lane = stage.lane("stalled", KeyKind::SshEd25519);
    let other = stage.lane("other", KeyKind::SshEd25519);
    let mut family = Family::new(
        "11 stalling client",
        "nobody else waits for it, no lock is held for it, and what it began ends in bounded time",
    );
    let shares = [0.0, 0.1, 0.5, 0.9];
    let mut stops = Row::new("client stops sending in the middle of the pack, then goes");
    let mut leaves = Row::new("client goes away in the middle of the pack");
    for share in shares {
        for (row, waits) in [(&mut stops, true), (&mut leaves, false)] {
            let (old, commit) = (stage.tip(&lane), lane.member.commit("half sent"));
            let mut client = Client::connect(&stage, &lane);
            client.send(&request(&lane, &old, &commit, share));
            if waits {
                beside(&stage, &other, row);
            }
            client.leave();
            settle(&lane, row);
            row.count_as(&stage.answer(&lane, &old, &commit, &silent()), Kind::Died, &[]);
            let next = stage.push(&lane, &lane.member.commit("after"));
            row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("the next push: {}", next.text));
        }
    }
    family.add(stops);
    family.add(leaves);

    let mut row = Row::new("client goes away after the pack, before the verdict");
    for millis in [0, 5, 10, 20, 30, 40, 60, 80] {
        let (old, commit) = (stage.tip(&lane), lane.member.commit("not waited for"));
        let mut client = Client::connect(&stage, &lane);
        client.send(&request(&lane, &old, &commit, 1.0));
        std::thread::sleep(Duration::from_millis(millis));
        client.leave();
        settle(&lane, &mut row);
        row.count(&stage.answer(&lane, &old, &commit, &silent()));
        let next = stage.push(&lane, &lane.member.commit("after"));
        row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("the next push: {}", next.text));
    }
    family.add(row);

    family.add(deaf_to_git(&stage, &lane, &other));
    family.add(deaf_to_the_hook(&stage, &lane, &other));
    family.finish();
}

fn silent() -> Outcome {
    Outcome { code: None, stdout: String::new(), stderr: String::new() }
}

/// A push to another repository, of the same ledger, while somebody stalls.
fn beside(stage: &Stage, other: &Lane, row: &mut Row) {
    let answer = stage.push(other, &other.member.commit("beside"));
    let held_up = || format!("beside it: {:?} after {:?}: {}", answer.kind, answer.took, answer.text);
    row.check(answer.kind == Kind::Accepted && answer.took < AT_ONCE, held_up);
}

/// Waits until nothing runs in the repository any more.
fn settle(lane: &Lane, row: &mut Row) {
    let begun = Instant::now();
    while !processes_of(0, &lane.repository.path).is_empty() {
        if begun.elapsed() > HEARD {
            row.wrong("something still runs for a client that went away");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Unsigned commits are many findings, and the client reads none of them.
fn deaf_to_git(stage: &Stage, lane: &Lane, other: &Lane) -> Row {
    let mut row = Row::new("client sends a push with 60 unsigned commits and does not read").may_deny(&["unsigned"]);
    lane.member.station.branch("unsigned", Some("HEAD"));
    let change = countersign_tests::workstation::Change { message: "unsigned", ..Default::default() };
    let commits: Vec<String> = (0..60).map(|_| lane.member.station.commit(&change, None)).collect();
    let commit = commits.last().expect("a commit").clone();
    let old = stage.tip(lane);
    let kept = stage.kept();
    let mut client = Client::connect(stage, lane);
    client.stop_reading();
    client.send(&request(lane, &old, &commit, 1.0));
    // Its verdict is on record though nobody hears it.
    let begun = Instant::now();
    while stage.kept().size == kept.size && begun.elapsed() < HEARD {
        std::thread::sleep(Duration::from_millis(20));
    }
    row.check(stage.kept().size > kept.size, || "no verdict on record".to_owned());
    beside(stage, other, &mut row);
    std::thread::sleep(Duration::from_secs(1));
    beside(stage, other, &mut row);
    client.leave();
    settle(lane, &mut row);
    row.count_as(&stage.answer(lane, &old, &commit, &silent()), Kind::Died, &[]);
    lane.member.station.branch("main", None);
    let next = stage.push(lane, &lane.member.commit("after"));
    row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("the next push: {}", next.text));
    row
}

/// The hook itself cannot write a word: a pipe that is full, and stays so.
fn deaf_to_the_hook(stage: &Stage, lane: &Lane, other: &Lane) -> Row {
    let mut row = Row::new("nobody reads the hook's words, for ever");
    let commit = lane.member.commit("unheard");
    stage.bring_objects(lane, "main");
    let (reader, writer) = pipe().expect("a pipe");
    fill(&writer);
    let begun = Instant::now();
    let mut hook = stage.hook(lane);
    let mut hook = hook.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(writer).spawn().expect("the hook");
    let line = format!("{ZERO} {commit} refs/heads/unheard\n");
    hook.stdin.take().expect("a pipe").write_all(line.as_bytes()).expect("the hook reads");
    std::thread::sleep(Duration::from_secs(1));
    beside(stage, other, &mut row);
    let mut ended = None;
    while ended.is_none() && begun.elapsed() < HEARD {
        std::thread::sleep(Duration::from_millis(20));
        ended = hook.try_wait().expect("a child");
    }
    println!("a hook that nobody reads ended after {:?}", begun.elapsed());
    let _ = hook.kill();
    let _ = hook.wait();
    drop(reader);
    let kind = if ended.and_then(|status| status.code()) == Some(0) { Kind::Accepted } else { Kind::Died };
    let text = format!("the hook ended with {ended:?}");
    row.count_as(&Answer { kind, ids: Vec::new(), text, took: begun.elapsed(), wrong: None }, Kind::Accepted, &[]);
    row
}

/// Fills a pipe, and keeps it full until nobody can read from it.
fn fill(pipe: &PipeWriter) {
    let mut filler = pipe.try_clone().expect("a pipe");
    std::thread::spawn(move || while filler.write_all(&[b'.'; 4096]).is_ok() {});
    std::thread::sleep(Duration::from_millis(300));
}

/// A client of `git receive-pack`, as far as it goes.
struct Client {
    server: Child,
    input: Option<ChildStdin>,
    output: Option<PipeReader>,
    /// The server's end of it, for filling it.
    words: PipeWriter,
}

impl Client {
    /// Starts the server and reads what refs it has.
    fn connect(stage: &Stage, lane: &Lane) -> Client {
        let mut server = stage.site.server.unix_user().command("git", stage.site.server.home());
        server.arg("receive-pack").arg(&lane.repository.path);
        let (mut output, words) = pipe().expect("a pipe");
        let server = server.stdin(Stdio::piped()).stdout(words.try_clone().expect("a pipe")).stderr(Stdio::null());
        let mut child = server.spawn().expect("git receive-pack");
        // The command still holds its copy of the pipe.
        server.stdout(Stdio::null());
        let input = child.stdin.take();
        loop {
            let mut length = [0; 4];
            output.read_exact(&mut length).expect("a line");
            let length = usize::from_str_radix(std::str::from_utf8(&length).expect("hex"), 16).expect("hex");
            if length == 0 {
                break;
            }
            output.read_exact(&mut vec![0; length - 4]).expect("a line");
        }
        Client { server: child, input, output: Some(output), words }
    }

    fn send(&mut self, bytes: &[u8]) {
        // A server that has ended reads no more.
        let input = self.input.as_mut().expect("still there");
        let _ = input.write_all(bytes).and_then(|()| input.flush());
    }

    /// From now on there is no room for another word. Ends when nobody can read any more.
    fn stop_reading(&self) {
        fill(&self.words);
    }

    /// The connection is gone, as when sshd ends: nobody reads and nobody writes.
    fn leave(mut self) {
        self.input = None;
        self.output = None;
        drop(self.words);
        let begun = Instant::now();
        while self.server.try_wait().expect("a child").is_none() {
            if begun.elapsed() > HEARD {
                let pid = rustix::process::Pid::from_raw(self.server.id().cast_signed()).expect("a process");
                let _ = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The command and a share of its pack, as `git push` sends them.
fn request(lane: &Lane, old: &str, commit: &str, share: f64) -> Vec<u8> {
    let mut git = lane.member.station.git();
    git.args(["pack-objects", "--revs", "--stdout", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut git = git.spawn().expect("git");
    git.stdin.take().expect("a pipe").write_all(format!("{commit}\n^{old}\n").as_bytes()).expect("git reads");
    let pack = git.wait_with_output().expect("git").stdout;
    let line = format!("{old} {commit} refs/heads/main\0report-status side-band-64k agent=tests");
    let mut bytes = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    let len = (pack.len() as f64 * share) as usize;
    bytes.extend_from_slice(&pack[..len]);
    bytes
}
