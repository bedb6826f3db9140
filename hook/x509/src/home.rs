//! The throw-away home that gpgsm works in.
//!
//! gpgsm stores every certificate it finds in a pushed signature, and its agent remembers which roots
//! were trusted; both end with the push.

use crate::Failure;
use countersign_policy::signature::x509::wire::Start;
use countersign_policy::time::Time;
use rustix::process::{Resource, Rlimit, setrlimit};
use sha1collisiondetection::Sha1CD;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Address space of each process in bytes: gpgsm needs 100 MB, and a parser of hostile input should
/// not get all there is.
const MEMORY_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of a file, the keybox above all.
const FILE_MAX: u64 = 256 * 1024 * 1024;

/// Sets limits that gpgsm and its agent inherit.
pub fn limit() -> Result<(), Failure> {
    for (resource, most) in [(Resource::As, MEMORY_MAX), (Resource::Fsize, FILE_MAX), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Ends the agent and removes the folder when dropped.
#[derive(Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Takes over an empty folder that nobody else can enter.
    pub fn take(path: PathBuf) -> Result<Self, Failure> {
        let found = fs::symlink_metadata(&path)?;
        let own = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o777 == 0o700;
        if !found.is_dir() || !own || fs::read_dir(&path)?.next().is_some() {
            return Err(Failure::UnfitHome);
        }
        Ok(Home(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes what gpgsm and its agent are to know: these roots, this clock, no network.
    pub fn furnish(&self, start: &Start) -> Result<(), Failure> {
        let clock = clock(start.now);
        // Revocation lists are the hook's own affair; dirmngr, which would fetch them from where a
        // certificate says, is never started.
        self.write(
            "gpgsm.conf",
            &format!(
                "disable-crl-checks\ndisable-trusted-cert-crl-check\ndisable-dirmngr\nno-common-certs-import\n\
                 faked-system-time {clock}\n"
            ),
        )?;
        self.write("gpg-agent.conf", "no-allow-mark-trusted\ndisable-scdaemon\n")?;
        let roots: String = start.roots.iter().map(|root| format!("{} S\n", sha1_hex(&root.0))).collect();
        self.write("trustlist.txt", &roots)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    fn gpgconf(&self, arguments: &[&str]) {
        let mut command = Command::new("gpgconf");
        command.arg("--homedir").arg(&self.0).args(arguments);
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // An agent that survives this ends itself when its socket is gone.
        self.gpgconf(&["--kill", "gpg-agent"]);
        self.gpgconf(&["--remove-socketdir"]);
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `20261123T170000`, the instant as gpgsm's configuration wants it.
fn clock(now: Time) -> String {
    Time::from_unix_seconds(now.unix_seconds())
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == 'T')
        .collect()
}

/// The trust list names certificates by SHA-1; the registry chose them by SHA-256 before.
fn sha1_hex(der: &[u8]) -> String {
    let mut hash = Sha1CD::default();
    hash.update(der);
    let mut digest = sha1collisiondetection::Output::default();
    // A root made to collide gets the name of nothing.
    let _ = hash.finalize_into_dirty_cd(&mut digest);
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_in_the_words_of_gpgsm() {
        assert_eq!(clock("2026-11-23T17:00:00.250Z".parse().unwrap()), "20261123T170000");
    }

    #[test]
    fn a_home_that_others_can_enter_or_that_is_in_use_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Home::take(home.clone()).is_err());
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(home.join("pubring.kbx"), "").unwrap();
        assert!(Home::take(home.clone()).is_err());
        fs::remove_file(home.join("pubring.kbx")).unwrap();
        drop(Home::take(home.clone()).unwrap());
        assert!(!home.exists());
    }
}
