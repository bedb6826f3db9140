//! Our verdict on every commit and tag of a repository, beside the opinion of gpg and ssh-keygen.
//!
//! ```text
//! a folder of keys ─► keys ─┬─► ours   (the pure core, in this process) ─┐
//!                           └─► theirs (git, gpg, ssh-keygen)           ─┴─► compare ─► report
//! ```
//! We may refuse what they take where there is a reason for it, and never the other way round.
//! `real/README.md` says how to point this at a repository of one's own.

mod compare;
mod keys;
mod made;
mod ours;
mod report;
mod run;
mod theirs;

use keys::Keys;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// What the environment asks for.
struct Wanted {
    keys: PathBuf,
    repository: PathBuf,
    revisions: Option<String>,
    limit: Option<usize>,
}

impl Wanted {
    /// `None` when neither variable is set; half a request is a mistake.
    fn from_environment() -> Option<Wanted> {
        let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let (keys, repository) = match (set("COUNTERSIGN_REAL_KEYS"), set("COUNTERSIGN_REAL_REPOSITORY")) {
            (None, None) => return None,
            (Some(keys), Some(repository)) => (keys, repository),
            _ => panic!("COUNTERSIGN_REAL_KEYS and COUNTERSIGN_REAL_REPOSITORY belong together: set both or none"),
        };
        let text = |value: OsString| value.into_string().expect("UTF-8");
        let limit = set("COUNTERSIGN_REAL_LIMIT").map(|value| text(value).parse().expect("COUNTERSIGN_REAL_LIMIT"));
        Some(Wanted {
            keys: PathBuf::from(keys),
            repository: PathBuf::from(repository),
            revisions: set("COUNTERSIGN_REAL_RANGE").map(text),
            limit,
        })
    }
}

/// Not through `eprintln!`, which the test harness keeps to itself when a test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn a_repository_of_ones_own() {
    let Some(wanted) = Wanted::from_environment() else {
        say("\nCOUNTERSIGN_REAL_KEYS and COUNTERSIGN_REAL_REPOSITORY not set: the comparison over a real repository \
             DID NOT RUN (tests/real/README.md)\n");
        return;
    };
    let keys = Keys::read(&wanted.keys);
    assert!(!keys.is_empty(), "{} holds no public key", wanted.keys.display());
    let report = run::compare_all(&wanted.repository, &keys, wanted.revisions.as_deref(), wanted.limit);
    say(&format!("\n{report}"));
    assert!(report.judged() > 0, "nothing to judge in {}", wanted.repository.display());
    assert!(report.is_sound(), "{}", report.faults());
}
