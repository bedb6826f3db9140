//! X.509 signatures, by a helper process that serves one push.
//!
//! gpgme costs every cold start a millisecond and gpgsm keeps what it is shown; so both live in
//! `countersign-x509`, which is started at the first X.509 signature and ends with the push.

use countersign_policy::signature::payload::Payload;
use countersign_policy::signature::x509::wire::{Ask, Der, LINE_MAX, REPLY_MAX, Reply, Start};
use countersign_policy::signature::x509::{
    self, CmsAnswer, CmsOracle, CmsQuestion, LISTS_BYTES_MAX, LISTS_MAX, RevocationLists, Unavailable, X509Settings,
};
use countersign_policy::signature::{Context, SignedBy, X509Verifier};
use countersign_policy::time::Time;
use countersign_policy::verdict::Problem;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Where the helper's home is made. The agent's socket lives there, and a socket's path has at most
/// 107 bytes; `TMPDIR` may be the pusher's.
const HOMES: &str = "/tmp";

/// The only folders in which the helper looks for programs.
const SEARCHED: &str = "/usr/bin:/bin";

/// Time for one answer. gpgsm takes 2 ms, its first start 50; a loaded server some seconds.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// How long a helper may take to clean up after itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Answers questions about CMS signatures; clean to share among the threads of one push.
#[derive(Debug)]
pub struct Helper {
    program: PathBuf,
    settings: X509Settings,
    /// No question is asked, or waited for, after this.
    until: Instant,
    process: Mutex<Option<Process>>,
    lists: OnceLock<Result<Arc<RevocationLists>, Unavailable>>,
}

impl Helper {
    /// `program` is `countersign-x509`; nothing runs before the first question. `limit` is for all
    /// answers together: a helper that hangs costs a push no more, however many commits it brings. The folder of
    /// revocation lists in `settings` is taken as it stands there.
    pub fn new(program: PathBuf, settings: X509Settings, limit: Duration) -> Self {
        let until = Instant::now() + limit;
        Helper { program, settings, until, process: Mutex::default(), lists: OnceLock::new() }
    }
}

impl X509Verifier for Helper {
    fn verify(&self, payload: &Payload<'_>, signature: &[u8], context: &Context<'_>) -> Result<SignedBy, Problem> {
        x509::verify(payload, signature, context, &self.settings, self)
    }
}

impl CmsOracle for Helper {
    fn check(&self, question: &CmsQuestion<'_>) -> Result<CmsAnswer, Unavailable> {
        let mut slot = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now >= self.until {
            return Err(Unavailable("the time for this push ran out".to_owned()));
        }
        let deadline = self.until.min(now + ANSWER_MAX);
        let start = Start { now: question.now, roots: question.roots.iter().map(|root| Der(root.to_vec())).collect() };
        // Taken out: a helper that fails once is out of step and answers no other question.
        let mut process = match slot.take().filter(|process| process.serves(&start)) {
            Some(process) => process,
            None => Process::start(&self.program, start, deadline)?,
        };
        let ask = Ask { payload: question.payload.to_vec(), signature: question.signature.to_vec() };
        match process.exchange(&ask, deadline)? {
            Reply::Answer(answer) => {
                *slot = Some(process);
                Ok(answer)
            }
            Reply::Failed(reason) => Err(Unavailable(reason)),
            Reply::Ready => Err(Unavailable("the helper is out of step".to_owned())),
        }
    }

    fn revocation_lists(&self) -> Result<Arc<RevocationLists>, Unavailable> {
        let read = || match &self.settings.crls {
            Some(folder) => read_lists(folder).map(Arc::new),
            None => Ok(Arc::default()),
        };
        self.lists.get_or_init(read).clone()
    }
}

/// Every `*.crl` of the folder. Without the folder nothing can be said; a list that is none is as if
/// it were missing.
fn read_lists(folder: &Path) -> Result<RevocationLists, Unavailable> {
    let unreadable = |error: std::io::Error| Unavailable(format!("the revocation lists cannot be read: {error}"));
    let mut lists = RevocationLists::default();
    let (mut count, mut left) = (0, LISTS_BYTES_MAX as u64);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "crl") {
            continue;
        }
        // A folder or a pipe by that name is no list, and reading it could wait for ever.
        if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            tracing::warn!(path = %path.display(), "no revocation list");
            continue;
        }
        count += 1;
        let mut bytes = Vec::new();
        let read =
            fs::File::open(&path).and_then(|file| file.take(left + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
        left = left.checked_sub(read as u64).filter(|_| count <= LISTS_MAX).ok_or_else(|| {
            Unavailable(format!("there are more than {LISTS_MAX} revocation lists or {LISTS_BYTES_MAX} bytes of them"))
        })?;
        if !lists.add(&bytes) {
            tracing::warn!(path = %path.display(), "no revocation list");
        }
    }
    Ok(lists)
}

/// A running helper and its home.
#[derive(Debug)]
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    home: PathBuf,
    now: Time,
    roots: Vec<Der>,
    /// The last question was answered, so it can be left to end by itself.
    in_step: bool,
}

impl Process {
    fn start(program: &Path, start: Start, deadline: Instant) -> Result<Self, Unavailable> {
        let home = Path::new(HOMES).join(format!("cs-{}", ulid::Ulid::generate()));
        // Fails where the name is taken, by whomever.
        DirBuilder::new()
            .mode(0o700)
            .create(&home)
            .map_err(|error| Unavailable(format!("no home for the helper: {error}")))?;
        let spawned = Command::new(program)
            .env_clear()
            .env("PATH", SEARCHED)
            .env("HOME", &home)
            .env("GNUPGHOME", &home)
            .env("LC_ALL", "C")
            .current_dir(&home)
            // A group of its own: gpgsm dies with the helper.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = spawned.map_err(|error| {
            let _ = fs::remove_dir(&home);
            Unavailable(format!("{} does not start: {error}", program.display()))
        })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Unavailable("the helper has no pipes".to_owned()));
        };
        let mut process =
            Process { child, input: Some(input), output, home, now: start.now, roots: Vec::new(), in_step: false };
        for pipe in
            [process.input.as_ref().map(std::os::fd::AsFd::as_fd), Some(std::os::fd::AsFd::as_fd(&process.output))]
        {
            let Some(pipe) = pipe else { continue };
            rustix::io::ioctl_fionbio(pipe, true).map_err(|error| Unavailable(format!("a pipe is unfit: {error}")))?;
        }
        let reply = process.exchange(&start, deadline)?;
        process.roots = start.roots;
        match reply {
            Reply::Ready => Ok(process),
            Reply::Failed(reason) => Err(Unavailable(reason)),
            Reply::Answer(_) => Err(Unavailable("the helper is out of step".to_owned())),
        }
    }

    /// Roots may change between two tries of one push, and the agent remembers the old ones.
    fn serves(&self, start: &Start) -> bool {
        self.now == start.now && self.roots == start.roots
    }

    fn exchange(&mut self, line: &impl serde::Serialize, deadline: Instant) -> Result<Reply, Unavailable> {
        let mut bytes = serde_json::to_vec(line).map_err(|error| Unavailable(error.to_string()))?;
        bytes.push(b'\n');
        if bytes.len() > LINE_MAX {
            return Err(Unavailable("the signed object is too large for the helper".to_owned()));
        }
        self.in_step = false;
        self.send(&bytes, deadline)?;
        let reply = self.receive(deadline)?;
        self.in_step = true;
        serde_json::from_slice(&reply)
            .map_err(|error| Unavailable(format!("the helper's answer is no answer: {error}")))
    }

    fn send(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), Unavailable> {
        let Some(input) = &mut self.input else { return Err(gone()) };
        while !bytes.is_empty() {
            wait(&*input, PollFlags::OUT, deadline)?;
            match input.write(bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                // It may have said why before it went: the answer is read all the same.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(Unavailable(error.to_string())),
            }
        }
        Ok(())
    }

    /// One line, without its end.
    fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, Unavailable> {
        let mut line = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            wait(&self.output, PollFlags::IN, deadline)?;
            match self.output.read(&mut chunk) {
                Ok(0) => return Err(gone()),
                Ok(read) => line.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
                Err(error) => return Err(Unavailable(error.to_string())),
            }
            if line.last() == Some(&b'\n') {
                line.pop();
                return Ok(line);
            }
            if line.len() > REPLY_MAX {
                return Err(Unavailable(format!("the helper's answer is longer than {REPLY_MAX} bytes")));
            }
        }
    }

    /// Whether the helper ended by itself, its input closed, in good time.
    fn ends(&mut self) -> bool {
        let last = Instant::now() + GRACE;
        while Instant::now() < last {
            match self.child.try_wait() {
                Ok(Some(_)) => return true,
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Err(_) => return false,
            }
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        if !self.in_step || !self.ends() {
            if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.wait();
        }
        // Without its home an agent that was left behind ends itself.
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn gone() -> Unavailable {
    Unavailable("the helper has ended".to_owned())
}

fn wait(pipe: impl std::os::fd::AsFd, flags: PollFlags, deadline: Instant) -> Result<(), Unavailable> {
    let late = || Unavailable("the helper did not answer in time".to_owned());
    let left = deadline.checked_duration_since(Instant::now()).ok_or_else(late)?;
    let left = Timespec::try_from(left).map_err(|_| late())?;
    let mut wanted = [PollFd::new(&pipe, flags)];
    match poll(&mut wanted, Some(&left)) {
        Ok(0) => Err(late()),
        // Woken early: the caller finds nothing and waits again.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(Unavailable(error.to_string())),
    }
}
