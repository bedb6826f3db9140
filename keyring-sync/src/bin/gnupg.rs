//! `keyring-sync-gnupg`: writes the public keys of the GnuPG home `$HOME`, as OpenPGP certificates one after the other.
//!
//! GnuPG alone reads its own keyboxes, and its library would be loaded by every start of keyring-sync. `$HOME` is a
//! folder made for this run, with a copy of a keyring in it: nothing of anybody's own is written to.

use gpgme::{Context, ExportMode, Protocol};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Address space of each process in bytes: a keyring of 100,000 keys is read whole.
const MEMORY_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes of a file that is written: GnuPG's index of trust, and no copy of a keyring.
const FILE_MAX: u64 = 256 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("HOME does not name a folder")]
    NoHome,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Gpgme(#[from] gpgme::Error),
    #[error("limits cannot be set: {0}")]
    Limit(#[from] rustix::io::Errno),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    for (resource, most) in [(Resource::As, MEMORY_MAX), (Resource::Fsize, FILE_MAX), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_dir()).ok_or(Failure::NoHome)?;
    let mut context = Context::from_protocol(Protocol::OpenPgp)?;
    context.set_engine_info(None::<&str>, Some(home.as_os_str().as_encoded_bytes()))?;
    context.set_offline(true);
    let mut certificates = Vec::new();
    context.export_all(ExportMode::empty(), &mut certificates)?;
    std::io::stdout().write_all(&certificates)?;
    Ok(())
}
