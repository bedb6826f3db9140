//! SSH keys and certificates by `ssh-keygen`.

use super::{Key, Owner, Wanted, iso_compact};
use crate::process::must;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a key pair; `kind` holds the words for `ssh-keygen`.
pub fn generate(folder: &Path, comment: &str, kind: &[&str]) -> Key {
    let private = folder.join("id");
    must(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", comment]).args(kind).arg("-f").arg(&private));
    let public = private.with_extension("pub");
    Key {
        fingerprint: fingerprint(&public),
        git: git_settings(&public, "ssh-keygen"),
        registration: Some(("--ssh", public)),
        authority: None,
        _agent: None,
    }
}

/// Makes the key pair of an authority; returns the private half.
pub fn authority(folder: &Path) -> PathBuf {
    let private = folder.join("ssh-authority");
    must(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", "ca", "-t", "ed25519", "-f"]).arg(&private));
    private
}

/// Makes a key pair and a user certificate over it.
pub fn certified(folder: &Path, authority: &Path, owner: &Owner, wanted: &Wanted) -> Key {
    let key = generate(folder, &owner.email, &["-t", "ed25519"]);
    let from = wanted.from.map_or_else(|| "always".to_owned(), iso_utc);
    let until = wanted.until.map_or_else(|| "forever".to_owned(), iso_utc);
    let mut sign = Command::new("ssh-keygen");
    sign.arg("-q").arg("-s").arg(authority).args(["-I", &owner.id, "-n", &owner.id, "-V", &format!("{from}:{until}")]);
    // Without an offset ssh-keygen reads local time.
    must(sign.env("TZ", "UTC").arg(folder.join("id.pub")));
    Key {
        git: git_settings(&folder.join("id-cert.pub"), "ssh-keygen"),
        registration: None,
        authority: Some(("--ssh-ca", authority.with_extension("pub"))),
        ..key
    }
}

pub fn fingerprint(public: &Path) -> String {
    let line = must(Command::new("ssh-keygen").arg("-lf").arg(public));
    line.split(' ').nth(1).expect("a fingerprint").to_owned()
}

pub fn git_settings(public: &Path, program: &str) -> Vec<(&'static str, String)> {
    vec![
        ("gpg.format", "ssh".to_owned()),
        ("user.signingKey", public.display().to_string()),
        ("gpg.ssh.program", program.to_owned()),
    ]
}

/// ssh-keygen's way to write an instant, `20240101000000`.
fn iso_utc(time: countersign_policy::time::Time) -> String {
    iso_compact(time).replace('T', "")
}
