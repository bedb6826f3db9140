//! The other programs, asked what they think of an object.

use crate::cast::Cast;
use crate::object::{Object, What, as_git_splits};
use countersign_tests::process::{must, must_with_input, run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the programs said, by their names in the file of exceptions: whether each accepts.
pub type Answers = BTreeMap<&'static str, bool>;

/// Everything that the programs may read: nothing of this computer.
pub fn clean(program: &str, cast: &Cast) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", cast.folder())
        .env("GNUPGHOME", cast.gnupg())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    command
}

/// Answers for all objects, in their order.
pub fn ask_all(cast: &Cast, objects: &[Object]) -> Vec<Answers> {
    let repository = Repository::fill(cast, objects);
    let next = AtomicUsize::new(0);
    // Each waits most of the time for a program to start.
    let workers = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    let mut answers: Vec<Answers> = Vec::new();
    answers.resize_with(objects.len(), Answers::new);
    std::thread::scope(|scope| {
        let work = |worker: usize| {
            let folder = cast.folder().join(format!("worker-{worker}"));
            std::fs::create_dir_all(&folder).expect("a folder");
            let mut found = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(object) = objects.get(at) else { return found };
                let mut answers = Answers::new();
                let (name, says) = repository.ask(cast, object, &repository.ids[at]);
                answers.insert(name, says);
                answers.extend(ask_directly(cast, &folder, object));
                found.push((at, answers));
            }
        };
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        for thread in threads {
            for (at, found) in thread.join().expect("a worker ends") {
                answers[at] = found;
            }
        }
    });
    answers
}

/// A repository that holds the objects, well-formed or not.
struct Repository {
    path: PathBuf,
    ids: Vec<String>,
}

impl Repository {
    fn fill(cast: &Cast, objects: &[Object]) -> Repository {
        let path = cast.folder().join("objects.git");
        must(clean("git", cast).args(["init", "--quiet", "--bare"]).arg(&path));
        let allowed = cast.allowed_signers().display().to_string();
        must(clean("git", cast).arg("-C").arg(&path).args(["config", "gpg.ssh.allowedSignersFile", &allowed]));
        let folder = cast.folder().join("raw");
        std::fs::create_dir(&folder).expect("a folder");
        let mut ids = vec![String::new(); objects.len()];
        for what in [What::Commit, What::Tag] {
            let mine: Vec<usize> = (0..objects.len()).filter(|&at| objects[at].what == what).collect();
            let mut list = String::new();
            for &at in &mine {
                let file = folder.join(at.to_string());
                std::fs::write(&file, &objects[at].raw).expect("an object");
                list.push_str(&format!("{}\n", file.display()));
            }
            let mut hash = clean("git", cast);
            hash.arg("-C").arg(&path).args(["hash-object", "-w", "--literally", "--stdin-paths", "-t", what.name()]);
            let written = must_with_input(&mut hash, list.as_bytes());
            assert_eq!(written.lines().count(), mine.len(), "git wrote every object");
            for (at, id) in mine.into_iter().zip(written.lines()) {
                id.clone_into(&mut ids[at]);
            }
        }
        Repository { path, ids }
    }

    fn ask(&self, cast: &Cast, object: &Object, id: &str) -> (&'static str, bool) {
        let (name, command) = match object.what {
            What::Commit => ("git-commit", "verify-commit"),
            What::Tag => ("git-tag", "verify-tag"),
        };
        let outcome = run(clean("git", cast).arg("-C").arg(&self.path).args([command, "--raw", id]), b"");
        (name, outcome.succeeded())
    }
}

/// The program that git would call, on the payload and signature that git would hand it. None where git finds no
/// signature that it would ask anybody about.
fn ask_directly(cast: &Cast, folder: &Path, object: &Object) -> Option<(&'static str, bool)> {
    let (payload, signature) = as_git_splits(object.what, &object.raw)?;
    let file = folder.join("signature");
    std::fs::write(&file, &signature).expect("a signature");
    let contains = |text: &[u8]| signature.windows(text.len()).any(|window| window == text);
    if contains(b"BEGIN SSH SIGNATURE") {
        let mut verify = clean("ssh-keygen", cast);
        verify.args(["-Y", "verify", "-n", "git", "-I", object.principal, "-f"]).arg(cast.allowed_signers());
        let outcome = run(verify.arg("-s").arg(&file), &payload);
        Some(("ssh-keygen", outcome.succeeded()))
    } else {
        let mut verify = clean("gpg", cast);
        let outcome = run(verify.args(["--batch", "--status-fd", "1", "--verify"]).arg(&file).arg("-"), &payload);
        // gpg ends well for a good signature by a key that has expired, too; only this word is its yes.
        let good = outcome.stdout.lines().filter(|line| line.starts_with("[GNUPG:] GOODSIG ")).count() == 1;
        Some(("gpg", outcome.succeeded() && good))
    }
}
