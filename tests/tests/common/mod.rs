//! One installation, one bare repository, and people who push to it on this machine as the server's user.
#![allow(dead_code, reason = "each test program uses a part of it")]

use countersign_tests::keys::{Key, Kind, Owner, Wanted, Workshop};
use countersign_tests::process::{Outcome, must, run};
use countersign_tests::product::Product;
use countersign_tests::servers::{Plain, Repository, Server, folder};
use countersign_tests::workstation::{Change, Workstation};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub struct Site {
    pub product: Product,
    pub server: Plain,
    workshop: Workshop,
    pub folder: TempDir,
}

pub struct Member {
    pub id: String,
    pub key: Key,
    pub station: Workstation,
    path: PathBuf,
}

impl Site {
    pub fn new() -> Site {
        let folder = folder();
        let server = Plain::start();
        // The clones belong to the user of the tests, and git as the server's user must read them.
        std::fs::write(server.home().join(".gitconfig"), "[safe]\n\tdirectory = *\n").expect("a git configuration");
        let product = Product::init(folder.path(), &server);
        let workshop = Workshop::new(&folder.path().join("keys"));
        Site { product, server, workshop, folder }
    }

    pub fn repository(&mut self, name: &str) -> Repository {
        self.server.create_repository(name)
    }

    pub fn install(&mut self, repository: &Repository) {
        self.product.install(&mut self.server, repository);
    }

    /// Registers an active person with a key of this kind, and clones the repository for them.
    pub fn member(&mut self, id: &str, kind: Kind, repository: &Repository) -> Member {
        let owner = Owner { id: id.into(), name: id.into(), email: format!("{id}@example.com") };
        let key = self.workshop.make(&owner, &Wanted::from(kind));
        self.sync(&["person", "add", id, "--name", id, "--email", &owner.email]);
        let (option, file) = key.registration.as_ref().expect("a key that is registered itself");
        self.sync(&["key", "add", id, option, &file.to_string_lossy()]);
        let home = self.folder.path().join(format!("{id}-{}", repository.name));
        self.server.add_login(id);
        let station = Workstation::set_up(&home, &owner, &self.server.access(repository, id));
        // Git runs as the server's user when it pushes on this machine.
        must(Command::new("chmod").args(["-R", "a+rX"]).arg(&home));
        Member { id: id.to_owned(), key, station, path: repository.path.clone() }
    }

    #[track_caller]
    pub fn sync(&self, args: &[&str]) -> Outcome {
        let outcome = self.product.keyring_sync(args, b"");
        assert!(outcome.succeeded(), "keyring-sync {args:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    #[track_caller]
    pub fn ask(&self, args: &[&str]) -> serde_json::Value {
        let mut words = args.to_vec();
        words.extend(["--format", "json"]);
        let outcome = self.product.countersign(&words, b"");
        assert!(outcome.succeeded(), "countersign {args:?}: {}{}", outcome.stdout, outcome.stderr);
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }

    /// Pushes on this machine, with git and its hooks running as the server's user.
    pub fn push(&self, member: &Member, refs: &[&str]) -> Outcome {
        run(&mut push_on_this_machine(&self.server, member, refs), b"")
    }
}

/// No sshd between client and server: a thousand pushes are to take a minute.
pub fn push_on_this_machine(server: &Plain, member: &Member, refs: &[&str]) -> Command {
    let mut git = server.unix_user().command("git", server.home());
    git.current_dir(member.station.folder()).arg("push").arg(&member.path).args(refs);
    git
}

impl Member {
    pub fn commit(&self, name: &str) -> String {
        self.change(name, None)
    }

    pub fn commit_dated(&self, name: &str, date: &str) -> String {
        self.change(name, Some(date))
    }

    fn change(&self, name: &str, date: Option<&str>) -> String {
        let files = BTreeMap::from([(name.to_owned(), Some(name.to_owned()))]);
        self.station.commit(&Change { files, message: name, date, ..Change::default() }, Some(&self.key.git))
    }
}

/// The id of the verdict that an accepted push was told.
#[track_caller]
pub fn verdict_of(outcome: &Outcome) -> String {
    let line = outcome.stderr.lines().find_map(|line| line.split("countersign: accepted, verdict ").nth(1));
    line.unwrap_or_else(|| panic!("not accepted: {}", outcome.stderr)).trim().to_owned()
}

/// The middle one of several measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// History made without signing: `count` commits on `main`, each with one file, through `git fast-import`.
pub fn unsigned_history(server: &Plain, repository: &Repository, count: usize, branch: &str) {
    let mut stream = String::new();
    for number in 0..count {
        let when = 1_500_000_000 + number * 60;
        stream.push_str(&format!(
            "commit refs/heads/{branch}\ncommitter Old Hand <old@example.com> {when} +0000\ndata 4\nold\n\
             M 100644 inline f{}\ndata {}\n{number}\n",
            number % 100,
            number.to_string().len()
        ));
    }
    let mut git = server.unix_user().command("git", server.home());
    let made = run(git.current_dir(&repository.path).args(["fast-import", "--quiet", "--force"]), stream.as_bytes());
    assert!(made.succeeded(), "{}", made.stderr);
}

pub fn root_of(folder: &TempDir) -> PathBuf {
    folder.path().join("root")
}

pub fn must_git(server: &Plain, repository: &Repository, args: &[&str]) -> String {
    let mut git = server.unix_user().command("git", server.home());
    must(git.current_dir(&repository.path).args(args))
}
