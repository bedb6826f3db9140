//! A registry of its own for each test, and the program run in it.

pub mod service;

use countersign_policy::keyring::Keyring;
use countersign_policy::time::Time;
use countersign_registry::PublishedKeyring;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

pub struct Room(TempDir);

impl Room {
    /// With an empty registry.
    pub fn new() -> Self {
        let room = Room(TempDir::new().unwrap());
        assert!(room.run(&["init"]).ends_with("= 0\n"));
        room
    }

    /// Runs the program: stderr, stdout and `= exit code`, without what differs from run to run.
    pub fn run(&self, args: &[&str]) -> String {
        scrub(&self.raw(args))
    }

    /// Runs the program and returns the object that it printed.
    pub fn json(&self, args: &[&str]) -> Value {
        let said = self.run(&[&["--format", "json"], args].concat());
        let json = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Each person stands in the published keyring as named, or is `nobody` there.
    pub fn check_states(&self, persons: &BTreeMap<String, String>, place: &str) {
        let (keyring, now) = (self.keyring(), self.now());
        for (id, state) in persons {
            let person = keyring.person(&id.parse().unwrap()).unwrap();
            let found = person.map_or("nobody", |person| person.state(now).as_str());
            assert_eq!(found, state, "{place}: {id}");
        }
    }

    /// Runs the program and returns the first event that it printed.
    pub fn event(&self, args: &[&str]) -> String {
        let said = self.raw(args);
        let event = said.lines().find_map(|line| line.strip_prefix("event "));
        event.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    fn raw(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyring-sync"));
        // A later --config of the test's own would be a second one.
        if !args.contains(&"--config") {
            command.args(["--config", "keyring-sync.yaml"]);
        }
        said(&command.args(args).current_dir(self.0.path()).output().unwrap())
    }

    pub fn shell(&self, script: &str) -> String {
        said(&Command::new("sh").args(["-c", script]).current_dir(self.0.path()).output().unwrap())
    }

    /// Makes `name` and `name.pub`; returns the fingerprint.
    pub fn ssh_key(&self, name: &str) -> String {
        let said =
            self.shell(&format!("ssh-keygen -q -t ed25519 -N '' -C {name} -f {name} && ssh-keygen -lf {name}.pub"));
        said.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn keyring(&self) -> PublishedKeyring {
        PublishedKeyring::open(&self.path("keyring")).unwrap()
    }

    pub fn now(&self) -> Time {
        Time::from_system(std::time::SystemTime::now())
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}= {}\n", text(&output.stderr), text(&output.stdout), output.status.code().unwrap())
}

fn scrub(text: &str) -> String {
    let words = |line: &str| {
        let line = match line.rsplit_once(" in ") {
            Some((before, time)) if time.ends_with(" ms") => format!("{before} in TIME"),
            _ => line.to_owned(),
        };
        match line.rsplit_once(" at ") {
            Some((before, time)) if time.ends_with('Z') => format!("{before} at TIME"),
            _ => line.strip_prefix("event ").map_or(line.clone(), |_| "event ULID".to_owned()),
        }
    };
    text.lines().map(|line| words(line) + "\n").collect()
}
