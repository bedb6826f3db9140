//! What git says of one object, with gpg and ssh-keygen doing the arithmetic.

use crate::keys::Keys;
use crate::ours::Kind;
use countersign_tests::process::{Outcome, run};
use std::fmt;
use std::path::Path;
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Good,
    KeyExpired,
    KeyRevoked,
    SignatureExpired,
    Bad,
    NoKey,
    /// There is something like a signature, and no program could say anything of it.
    Unusable,
    Unsigned,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Good => "GOODSIG",
            Status::KeyExpired => "EXPKEYSIG",
            Status::KeyRevoked => "REVKEYSIG",
            Status::SignatureExpired => "EXPSIG",
            Status::Bad => "BADSIG",
            Status::NoKey => "no key",
            Status::Unusable => "unusable",
            Status::Unsigned => "none",
        })
    }
}

/// gpg's numbers for what a signature was made with, where it could read it (RFC 9580, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeWith {
    /// Of the packet; gpg tells it of valid signatures only.
    pub version: Option<u32>,
    pub algorithm: u32,
    pub hash: u32,
    /// 0 for bytes, 1 for text.
    pub class: u32,
}

#[derive(Clone, Debug)]
pub struct Opinion {
    pub status: Status,
    /// The primary key's fingerprint, `SHA256:…` of an SSH key, or whatever of a key's name there is.
    pub key: Option<String>,
    pub made_with: Option<MadeWith>,
    pub words: String,
}

impl Opinion {
    pub fn unsigned() -> Opinion {
        Opinion { status: Status::Unsigned, key: None, made_with: None, words: String::new() }
    }
}

/// Whether there is anything at all to ask about: no signature lacks both of these words.
pub fn may_be_signed(raw: &[u8]) -> bool {
    let holds = |word: &[u8]| raw.windows(word.len()).any(|window| window == word);
    holds(b"gpgsig") || holds(b"-----BEGIN")
}

/// Git with nothing of its user's settings, and no program that the repository's own settings name.
pub fn git(repository: &Path, keys: &Keys) -> Command {
    let mut git = Command::new("git");
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", keys.home());
    git.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_NO_REPLACE_OBJECTS", "1")]);
    git.envs([("LC_ALL", "C"), ("TZ", "UTC"), ("GIT_OPTIONAL_LOCKS", "0")]).env("GNUPGHOME", &keys.gnupg);
    git.args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "gpg.program=gpg"]);
    git.args(["-c", "gpg.openpgp.program=gpg", "-c", "gpg.ssh.program=ssh-keygen", "-c", "gpg.x509.program=false"]);
    git.args(["-c", "gpg.minTrustLevel=undefined", "-c", "gpg.ssh.revocationFile="]);
    git.arg("-c").arg(format!("gpg.ssh.allowedSignersFile={}", keys.allowed_signers.display()));
    git.arg("-C").arg(repository);
    git
}

pub fn ask(repository: &Path, keys: &Keys, kind: Kind, id: &str) -> Opinion {
    let verb = if kind == Kind::Commit { "verify-commit" } else { "verify-tag" };
    read(kind, &run(git(repository, keys).args([verb, "--raw", id]), b""))
}

fn read(kind: Kind, outcome: &Outcome) -> Opinion {
    let words: Vec<&str> = outcome.stderr.lines().filter(|line| !is_chatter(line)).collect();
    let words = words.join("\n");
    let status: Vec<Vec<&str>> = outcome
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("[GNUPG:] "))
        .map(|line| line.split(' ').collect())
        .collect();
    let opinion = if !status.is_empty() {
        openpgp(&status)
    } else if let Some(line) = outcome.stderr.lines().find(|line| line.starts_with("Good \"git\" signature ")) {
        let key = line.rsplit(' ').next().map(str::to_owned);
        // Without `for` it is a good signature of nobody known.
        let known = line.starts_with("Good \"git\" signature for ");
        let status = if known { Status::Good } else { Status::NoKey };
        Opinion { status, key, made_with: None, words: String::new() }
    } else if words.ends_with("no signature found") || (words.is_empty() && kind == Kind::Commit) {
        // Of a signed tag that names no tagger git says nothing at all.
        Opinion::unsigned()
    } else if words.contains("Signature verification failed: incorrect signature") {
        Opinion { status: Status::Bad, key: None, made_with: None, words: String::new() }
    } else {
        Opinion { status: Status::Unusable, key: None, made_with: None, words: String::new() }
    };
    // A good word that git itself does not believe is none.
    let believed = opinion.status != Status::Good || outcome.succeeded();
    Opinion { status: if believed { opinion.status } else { Status::Unusable }, words, ..opinion }
}

/// What gpg says of the keys that it looked at on the way.
fn is_chatter(line: &str) -> bool {
    let words = ["NEWSIG", "KEY_CONSIDERED", "KEYEXPIRED", "SIG_ID", "TRUST_", "VERIFICATION_COMPLIANCE_MODE"];
    line.strip_prefix("[GNUPG:] ").is_some_and(|rest| words.iter().any(|word| rest.starts_with(word)))
}

fn openpgp(lines: &[Vec<&str>]) -> Opinion {
    let mut said = Vec::new();
    let mut made_with = None;
    let mut key = None;
    for line in lines {
        let word = |at: usize| line.get(at).copied().unwrap_or_default();
        let number = |at: usize, radix| u32::from_str_radix(word(at), radix).unwrap_or(u32::MAX);
        let status = match word(0) {
            "GOODSIG" => Status::Good,
            "EXPSIG" => Status::SignatureExpired,
            "EXPKEYSIG" => Status::KeyExpired,
            "REVKEYSIG" => Status::KeyRevoked,
            "BADSIG" => Status::Bad,
            "ERRSIG" if word(6) == "9" => Status::NoKey,
            "ERRSIG" => Status::Unusable,
            "VALIDSIG" => {
                made_with = Some(MadeWith {
                    version: Some(number(5, 10)),
                    algorithm: number(7, 10),
                    hash: number(8, 10),
                    class: number(9, 16),
                });
                key = line.last().map(|name| (*name).to_owned());
                continue;
            }
            _ => continue,
        };
        if word(0) == "ERRSIG" {
            made_with =
                Some(MadeWith { version: None, algorithm: number(2, 10), hash: number(3, 10), class: number(4, 16) });
        }
        key = key.or_else(|| Some(word(1).to_owned()));
        said.push(status);
    }
    let status = match said[..] {
        [one] => one,
        _ => Status::Unusable,
    };
    Opinion { status, key, made_with, words: String::new() }
}

#[test]
fn only_one_good_line_that_git_believes_is_good() {
    let good = "[GNUPG:] GOODSIG 0123456789ABCDEF A\n[GNUPG:] VALIDSIG AA 2026-01-01 1 0 4 0 22 8 00 BB\n";
    let of = |kind, code, text: &str| {
        read(kind, &Outcome { code: Some(code), stdout: String::new(), stderr: text.to_owned() })
    };
    let said = |code, text: &str| of(Kind::Commit, code, text);
    let opinion = said(0, good);
    assert_eq!((opinion.status, opinion.key.as_deref()), (Status::Good, Some("BB")));
    assert_eq!(opinion.made_with, Some(MadeWith { version: Some(4), algorithm: 22, hash: 8, class: 0 }));
    assert_eq!(said(1, good).status, Status::Unusable);
    assert_eq!(said(0, &good.repeat(2)).status, Status::Unusable);
    assert_eq!(said(1, "[GNUPG:] ERRSIG 0123456789ABCDEF 1 8 00 1 9 -").status, Status::NoKey);
    assert_eq!(said(1, "[GNUPG:] ERRSIG 0123456789ABCDEF 1 8 00 1 4 -").status, Status::Unusable);
    assert_eq!(
        said(0, "Good \"git\" signature with ED25519 key SHA256:x\nNo principal matched.").status,
        Status::NoKey
    );
    assert_eq!(said(0, "Good \"git\" signature for a@x with ED25519 key SHA256:x").key.as_deref(), Some("SHA256:x"));
    assert_eq!(said(1, "").status, Status::Unsigned);
    assert_eq!(of(Kind::Tag, 1, "").status, Status::Unusable);
    assert_eq!(of(Kind::Tag, 1, "error: no signature found").status, Status::Unsigned);
    assert_eq!(said(1, "gpg: no valid OpenPGP data found.").status, Status::Unusable);
}
