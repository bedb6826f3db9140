//! The certificates of a GnuPG keyring, by a helper that GnuPG's library is linked into.

use std::fs::{self, DirBuilder};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes of a keyring, and of what is read from it: some 100,000 certificates.
const KEYRING_MAX: u64 = 512 << 20;

/// Time for all of it; GnuPG reads a thousand certificates a second.
const READING_MAX: Duration = Duration::from_secs(300);

/// The only folders in which the helper looks for programs.
const SEARCHED: &str = "/usr/bin:/bin";

/// What stands in a keybox, from its ninth byte on.
const KEYBOX: &[u8] = b"KBXf";

/// Bytes of the helper's own words that are repeated.
const WORDS_MAX: u64 = 2000;

/// Why a keyring is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    #[error("{0} is larger than {KEYRING_MAX} bytes")]
    TooLarge(String),
    #[error(
        "{0} has no pubring.kbx and no pubring.gpg; a home with keyboxd, or with another keyring, is exported first: gpg --export > FILE, and then --keyring FILE"
    )]
    NoKeyring(String),
    #[error("{program} does not start: {error}", program = program.display())]
    NoHelper { program: PathBuf, error: std::io::Error },
    #[error("GnuPG cannot read it: {}", countersign_policy::text::shown(.0.trim(), 300))]
    GnuPg(String),
    #[error("GnuPG did not read it within {} s", READING_MAX.as_secs())]
    Slow,
}

/// The keyring of a GnuPG home.
pub fn keyring_of(home: &Path) -> Result<PathBuf, Unreadable> {
    let known = ["pubring.kbx", "pubring.gpg"].map(|name| home.join(name));
    known.into_iter().find(|path| path.is_file()).ok_or_else(|| Unreadable::NoKeyring(home.display().to_string()))
}

/// OpenPGP certificates, armoured or one after the other.
pub fn certificates(keyring: &Path) -> Result<Vec<u8>, Unreadable> {
    let named = || keyring.display().to_string();
    let mut bytes = Vec::new();
    let read = fs::File::open(keyring).and_then(|file| file.take(KEYRING_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| Unreadable::File(named(), error))?;
    if bytes.len() as u64 > KEYRING_MAX {
        return Err(Unreadable::TooLarge(named()));
    }
    let name = match bytes.get(8..12) {
        Some(magic) if magic == KEYBOX => "pubring.kbx",
        // The high bit is set in every packet's first byte: everything else is text.
        _ if bytes.first().is_none_or(u8::is_ascii) => return Ok(bytes),
        _ => "pubring.gpg",
    };
    let home = Home::make().map_err(|error| Unreadable::File("a folder of its own".to_owned(), error))?;
    fs::write(home.0.join(name), bytes).map_err(|error| Unreadable::File(named(), error))?;
    ask(&home)
}

/// A folder that ends with its use.
struct Home(PathBuf);

impl Home {
    fn make() -> std::io::Result<Self> {
        let home = std::env::temp_dir().join(format!("keyring-sync-{}", ulid::Ulid::generate()));
        DirBuilder::new().mode(0o700).create(&home)?;
        Ok(Home(home))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ask(home: &Home) -> Result<Vec<u8>, Unreadable> {
    let program = std::env::current_exe().unwrap_or_default().with_file_name("keyring-sync-gnupg");
    let spawned = Command::new(&program)
        .env_clear()
        .env("PATH", SEARCHED)
        .env("HOME", &home.0)
        .env("GNUPGHOME", &home.0)
        .env("LC_ALL", "C")
        .current_dir(&home.0)
        // A group of its own: gpg dies with the helper.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut helper = Helper(spawned.map_err(|error| Unreadable::NoHelper { program, error })?);
    let output = reader(helper.0.stdout.take(), KEYRING_MAX);
    let words = reader(helper.0.stderr.take(), WORDS_MAX);
    let until = Instant::now() + READING_MAX;
    // It ends by itself, or its pipes do when it is killed.
    let (Some(output), Some(words)) = (output.wait(until), words.wait(until)) else { return Err(Unreadable::Slow) };
    let ended = helper.0.wait().map_err(|error| Unreadable::GnuPg(error.to_string()))?;
    if ended.success() { Ok(output) } else { Err(Unreadable::GnuPg(String::from_utf8_lossy(&words).into_owned())) }
}

struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            if let Some(group) = rustix::process::Pid::from_raw(self.0.id().cast_signed()) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }
}

/// A pipe that is read by a thread of its own: neither of two may fill up.
struct Reading(std::sync::mpsc::Receiver<Vec<u8>>);

fn reader(pipe: Option<impl Read + Send + 'static>, most: u64) -> Reading {
    let (told, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(most).read_to_end(&mut bytes);
        }
        let _ = told.send(bytes);
    });
    Reading(hears)
}

impl Reading {
    fn wait(self, until: Instant) -> Option<Vec<u8>> {
        self.0.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }
}
