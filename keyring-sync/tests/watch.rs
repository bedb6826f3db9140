//! A watch: two people set it, few read of it, and everybody else sees what they saw before.

use crate::common::Room;
use crate::common::service::Service;
use serde_json::Value;

/// A registry with Alice, and operators who log in as different Unix users.
struct Office(Room);

/// Unix users that every machine has.
const DAEMON: u32 = 1;
const BIN: u32 = 2;

impl Office {
    /// `None`, after saying so, where the kernel knows who logged in and lets nobody be somebody else.
    fn open() -> Option<Self> {
        let room = Room::new();
        let login = room.shell(&format!("{}; cat /proc/self/loginuid", as_user(DAEMON)));
        if !["", "1", "4294967295"].contains(&login.lines().next().unwrap_or_default().trim_end_matches("= 0")) {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "\nthe kernel knows this login: the tests of watch DID NOT RUN\n");
            return None;
        }
        assert!(
            room.run(&["person", "add", "E1", "--name", "Alice Example", "--account", "gitea:alice"])
                .ends_with("= 0\n")
        );
        Some(Office(room))
    }

    /// As somebody who logged in as this Unix user.
    fn by(&self, uid: u32, words: &str) -> String {
        let program = env!("CARGO_BIN_EXE_keyring-sync");
        self.0.shell(&format!("{}; SUDO_UID={uid} {program} --config keyring-sync.yaml {words}", as_user(uid)))
    }

    fn ask(&self, more: &str) -> String {
        let until = in_days(30);
        self.by(
            DAEMON,
            &format!("watch set E1 --reason 'source code on a stick' --legal-basis 'case 7' --readers carol,dave --until {until} --by carol {more}"),
        )
    }

    /// What `watch set` called it.
    fn asked(&self) -> String {
        let said = self.ask("");
        let id = said.lines().find_map(|line| line.strip_prefix("asked for watch ")?.split(' ').next());
        id.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    fn running(&self) -> String {
        let id = self.asked();
        let said = self.by(BIN, &format!("watch confirm {id} --by bob"));
        assert!(said.ends_with("= 0\n"), "{said}");
        id
    }
}

/// What the kernel remembers; where it remembers nothing, the program asks sudo.
fn as_user(uid: u32) -> String {
    format!("{{ echo {uid} >/proc/self/loginuid; }} 2>/dev/null")
}

fn in_days(days: u64) -> String {
    let time = std::time::SystemTime::now() + std::time::Duration::from_secs(days * 86_400);
    countersign_policy::time::Time::from_system(time).to_string()
}

fn json(said: &str) -> Value {
    serde_json::from_str(said.lines().next().unwrap()).unwrap()
}

/// Everything that anybody but the readers may see.
fn seen(room: &Room) -> String {
    let service = Service::start(room, "{person_id: externalId}");
    let token = service.token.split('_').nth(1).unwrap().to_owned();
    let listed = service.send("GET", "/Users", None).body;
    let found = service.send("GET", "/Users?filter=externalId%20eq%20%22E1%22", None).body;
    assert_eq!(service.stop(), Some(0));
    room.run(&["token", "revoke", &token]);
    let commands = [
        vec!["status"],
        vec!["status", "E1"],
        vec!["--format", "json", "status"],
        vec!["--format", "json", "status", "E1"],
        vec!["person", "show", "E1"],
        vec!["--format", "json", "person", "show", "E1"],
        vec!["person", "list"],
        vec!["export", "allowed-signers"],
        vec!["staged", "list"],
        vec!["ending"],
        vec!["cascade", "status"],
        vec!["watch", "list", "--by", "mallory"],
    ];
    let said: Vec<String> = commands.iter().map(|command| room.run(command)).collect();
    // Names, sizes, times and content of what the hooks read.
    let published = room.shell("ls -l --time-style=full-iso keyring; cat keyring/* | sha256sum");
    format!("{listed}\n{found}\n{}\n{published}", said.concat())
}

#[test]
fn nobody_else_sees_anything_of_it() {
    let Some(office) = Office::open() else { return };
    let room = &office.0;
    // A first start makes the service's part of the configuration.
    seen(room);
    let before = seen(room);
    let id = office.running();
    assert_eq!(seen(room), before);
    for (uid, words) in [(DAEMON, "show"), (BIN, "report"), (BIN, "log"), (DAEMON, "end")] {
        office.by(uid, &format!("watch {words} {id} --by carol"));
    }
    assert_eq!(seen(room), before, "nor of its being read, nor of its end");
}

#[test]
fn one_person_is_not_enough() {
    let Some(office) = Office::open() else { return };
    let id = office.asked();
    let own = office.by(BIN, &format!("watch confirm {id} --by Carol"));
    assert!(own.contains("you asked for it yourself") && own.ends_with("= 1\n"), "{own}");
    let login = office.by(DAEMON, &format!("watch confirm {id} --by bob"));
    assert!(login.contains("was logged in as you are") && login.ends_with("= 1\n"), "{login}");
    let alice = office.by(BIN, &format!("watch confirm {id} --by 'Alice Example'"));
    assert!(alice.contains("is the person themselves") && alice.ends_with("= 1\n"), "{alice}");
    let shown = office.by(BIN, &format!("watch show {id} --by bob"));
    assert!(
        shown.contains("asked for") && shown.contains("case 7") && shown.ends_with("= 0\n"),
        "who decides reads it: {shown}"
    );
    let done = office.by(BIN, &format!("watch confirm {id} --by bob"));
    assert!(done.contains("nobody but carol, dave may read of it") && done.ends_with("= 0\n"), "{done}");
    // Having agreed to it makes nobody a reader.
    let shown = office.by(BIN, &format!("watch show {id} --by bob"));
    assert_eq!(shown, format!("keyring-sync: there is no watch {id} that you may read of\n= 1\n"));
    let again = office.by(BIN, &format!("watch confirm {id} --by dave"));
    assert!(again.contains("confirmed already"), "{again}");
}

#[test]
fn the_terms_are_hard() {
    let Some(office) = Office::open() else { return };
    for (more, says) in [
        (format!("--until {}", in_days(91)), "a watch lasts 90 days at most"),
        ("--until 2020-01-01T00:00:00Z".to_owned(), "it lies in the past"),
        ("--readers ''".to_owned(), "--readers: between 1 and 10 names"),
        ("--reason ''".to_owned(), "--reason: at most"),
        ("--legal-basis \"$(printf 'a\\033[2Jb')\"".to_owned(), "--legal-basis: at most"),
    ] {
        let until = in_days(30);
        let mut words = vec!["watch set E1 --by carol".to_owned(), more.clone()];
        for (flag, value) in
            [("--reason", "r"), ("--legal-basis", "l"), ("--readers", "carol"), ("--until", until.as_str())]
        {
            if !more.starts_with(flag) {
                words.push(format!("{flag} {value}"));
            }
        }
        let said = office.by(DAEMON, &words.join(" "));
        assert!(said.contains(says) && said.ends_with("= 64\n"), "{more}: {said}");
    }
    let said = office.by(
        DAEMON,
        &format!("watch set E1 --by carol --reason r --legal-basis l --readers carol,Alice --until {}", in_days(1)),
    );
    assert!(said.contains("Alice is the person themselves") && said.ends_with("= 1\n"), "{said}");
    let said = office.by(
        DAEMON,
        &format!("watch set E9 --by carol --reason r --legal-basis l --readers carol --until {}", in_days(1)),
    );
    assert!(said.contains("unknown person E9") && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn no_event_sets_one() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "Alice Example"]);
    for kind in ["watch_started", "watch_ended"] {
        room.write("e", &format!(r#"{{"id":"{kind}","source":"hr","person":"E1","type":"{kind}"}}"#));
        let said = room.run(&["apply", "e"]);
        assert!(said.contains("two people: keyring-sync watch") && said.ends_with("= 1\n"), "{said}");
    }
}

#[test]
fn every_reading_is_on_record_and_so_is_every_refusal() {
    let Some(office) = Office::open() else { return };
    let id = office.running();
    let nobody = office.by(BIN, "watch show 01ARZ3NDEKTSV4RRFFQ69G5FAV --by mallory");
    let refused = office.by(BIN, &format!("watch show {id} --by mallory"));
    assert_eq!(refused, nobody.replace("01ARZ3NDEKTSV4RRFFQ69G5FAV", &id), "it is as if there were none");
    office.by(DAEMON, "watch list --by DAVE");
    office.by(DAEMON, &format!("watch show {id} --by carol"));
    let said = office.by(BIN, &format!("--format json watch log {id} --by dave"));
    let log = json(&said);
    let told: Vec<String> = log["readings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reading| {
            let text = |key: &str| reading[key].as_str().unwrap().to_owned();
            format!("{} {} as {}: {}", text("what"), text("operator"), text("login"), reading["told"])
        })
        .collect();
    assert_eq!(
        told,
        [
            "confirm bob as bin: true",
            "show mallory as bin: false",
            "list DAVE as daemon: true",
            "show carol as daemon: true",
            "log dave as bin: true",
        ]
    );
    let refused = office.by(BIN, &format!("watch log {id} --by bob"));
    assert!(refused.contains("there is no watch"), "{refused}");
}

#[test]
fn readers_hear_what_is_new() {
    let Some(office) = Office::open() else { return };
    let room = &office.0;
    let id = office.running();
    let report = || office.by(DAEMON, &format!("watch report {id} --by carol"));
    let first = report();
    assert!(first.contains("heard nothing of E1") && first.ends_with("= 0\n"), "{first}");
    assert!(first.contains("what they pushed: countersign audit person E1"), "{first}");
    room.run(&["person", "set", "E1", "--email", "alice@elsewhere.example"]);
    let second = report();
    assert!(second.contains("renamed by operator") && second.ends_with("= 1\n"), "{second}");
    assert!(report().contains("since you last read of it"), "told once");
    let other = office.by(BIN, &format!("watch report {id} --by dave"));
    assert!(other.contains("renamed by operator") && other.ends_with("= 1\n"), "each reader for themselves: {other}");
    let ended = office.by(DAEMON, &format!("watch end {id} --by carol"));
    assert!(ended.contains("ended watch") && ended.ends_with("= 0\n"), "{ended}");
    room.run(&["person", "set", "E1", "--email", "alice@third.example"]);
    let shown = office.by(DAEMON, &format!("watch show {id} --by carol"));
    assert!(shown.contains("over") && shown.matches("renamed by").count() == 1, "nothing after its end: {shown}");
    let said = office.by(BIN, &format!("watch confirm {id} --by dave"));
    assert!(said.contains("it is over") && said.ends_with("= 1\n"), "{said}");
}
