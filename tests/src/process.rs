//! Programs: run one to its end, or keep a server for as long as a value lives.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a finished program said. `code` is `None` when a signal ended it.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs to the end, whatever the end is. A program that cannot even start is a broken set-up.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Outcome {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`{program}` cannot be started ({error}); is its package installed?"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let output = std::thread::scope(|scope| {
        // A program may exit without reading its input.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output()
    });
    let output = output.unwrap_or_else(|error| panic!("`{program}`: {error}"));
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a program that must succeed, and returns its standard output without the last line end.
#[track_caller]
pub fn must(command: &mut Command) -> String {
    must_with_input(command, b"")
}

#[track_caller]
pub fn must_with_input(command: &mut Command, input: &[u8]) -> String {
    let outcome = run(command, input);
    assert!(outcome.succeeded(), "{command:?} ended with {:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr);
    outcome.stdout.trim_end_matches('\n').to_owned()
}

/// Writes a program file. Another process does the writing: were the file open for writing here,
/// a child forked by another test at that moment would make its first run fail with `ETXTBSY`.
pub fn write_program(path: &Path, text: &str) {
    must_with_input(
        Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()),
        text.as_bytes(),
    );
}

/// A word for `sh`.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    format!("'{}'", word.as_ref().to_string_lossy().replace('\'', r"'\''"))
}

/// What tells that a server is up.
#[derive(Debug)]
pub enum Ready {
    Port(u16),
    File(PathBuf),
}

/// How long a server may take to come up on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Somebody else may take a port between the moment it was found free and its use.
const PORT_ATTEMPTS: usize = 5;

/// A running server. Dropping it ends all its processes, also those that left its process group.
///
/// The kernel ends the server too when the *thread* that started it ends, so that an aborted test
/// run leaves nothing behind: keep a daemon on the thread that started it.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    /// A process that works in here is the server's, whoever its parent is.
    folder: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// Starts a server that stays in the foreground. Its output goes to `NAME.log` in `folder`.
    pub fn start(name: &str, folder: &Path, ready: &Ready, server: &Command) -> Result<Daemon, String> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(server.get_program()).args(server.get_args());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let child = command
            .current_dir(folder)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("setpriv: {error}"))?;
        let mut daemon = Daemon { name: name.to_owned(), child, folder: folder.to_owned(), log };
        daemon.wait_until(ready)?;
        Ok(daemon)
    }

    fn wait_until(&mut self, ready: &Ready) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let up = match ready {
                Ready::Port(port) => TcpStream::connect(("127.0.0.1", *port)).is_ok(),
                Ready::File(path) => path.exists(),
            };
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{} ended at once, {status}:\n{}", self.name, self.log()));
            }
            if up {
                return Ok(());
            }
            if begun.elapsed() > START_LIMIT {
                return Err(format!("{} is not up after {START_LIMIT:?}:\n{}", self.name, self.log()));
            }
            sleep(Duration::from_millis(5));
        }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Every process of this server: its descendants, and whoever works in its folder.
    pub fn processes(&self) -> Vec<Pid> {
        processes_of(self.child.id(), &self.folder)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let family = self.processes();
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        kill(family);
        let _ = self.child.wait();
        // Whoever was forked meanwhile has lost its parent, but still works in the folder.
        for _ in 0..200 {
            let rest = processes_of(0, &self.folder);
            if rest.is_empty() {
                break;
            }
            kill(rest);
            sleep(Duration::from_millis(5));
        }
    }
}

/// Ends processes; one that is gone already is fine.
fn kill(processes: Vec<Pid>) {
    for pid in processes {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The descendants of `root` (0: nobody's) with itself, and all processes that work below `folder`.
pub fn processes_of(root: u32, folder: &Path) -> Vec<Pid> {
    let mut parents = HashMap::new();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // The command's name stands in parentheses and may hold anything; state and parent follow it.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        if fields.next() == Some("Z") {
            continue;
        }
        parents.insert(pid, fields.next().and_then(|parent| parent.parse::<u32>().ok()).unwrap_or(0));
        if std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)) {
            found.push(pid);
        }
    }
    let descends = |mut pid: u32| {
        while root != 0 && pid != root {
            match parents.get(&pid) {
                Some(parent) if *parent != 0 => pid = *parent,
                _ => return false,
            }
        }
        root != 0
    };
    found.extend(parents.keys().copied().filter(|pid| descends(*pid)));
    found.sort_unstable();
    found.dedup();
    found.retain(|pid| *pid != std::process::id());
    found.into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())).collect()
}

/// Starts something on a free loopback port, again on another one if that was taken meanwhile.
#[track_caller]
pub fn on_free_port<T>(start: impl Fn(u16) -> Result<T, String>) -> T {
    let mut reason = String::new();
    for _ in 0..PORT_ATTEMPTS {
        match start(free_port()) {
            Ok(server) => return server,
            Err(error) => reason = error,
        }
    }
    panic!("{reason}");
}

/// A loopback port that nobody uses right now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
    listener.local_addr().expect("the port").port()
}

/// The first of these programs that exists; the test fails and names the package otherwise.
#[track_caller]
pub fn require(paths: &[&str], package: &str) -> PathBuf {
    let found = paths.iter().map(PathBuf::from).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{} is missing: install the Debian package `{package}`", paths.join(" or ")))
}
