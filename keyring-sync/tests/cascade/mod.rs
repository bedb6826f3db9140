//! Terminations and suspensions carried to forges that fail, hang and lie.

mod standin;

use crate::common::Room;
use crate::common::service::Service;
use serde_json::{Value, json};
use standin::{Forge, Mood};
use std::time::{Duration, Instant};

/// A registry with Alice, whose account is on one forge of each given kind.
fn room(forges: &[(&str, &Forge)]) -> Room {
    let room = Room::new();
    room.write("token", "secret-token\n");
    room.write("password", "root:secret\n");
    let entry = |(kind, forge): &(&str, &Forge)| {
        format!(
            "  - {{name: {kind}, kind: {kind}, url: \"{}\", token_file: token, password_file: password}}\n",
            forge.url
        )
    };
    let config = room.read("keyring-sync.yaml");
    room.write("keyring-sync.yaml", &format!("{config}forges:\n{}", forges.iter().map(entry).collect::<String>()));
    let accounts: Vec<String> = forges.iter().map(|(kind, _)| format!("{kind}:alice")).collect();
    let mut args = vec!["person", "add", "E1", "--name", "Alice Example"];
    args.extend(accounts.iter().flat_map(|account| ["--account", account]));
    assert!(room.run(&args).ends_with("= 0\n"));
    room
}

fn kill(room: &Room) {
    assert!(room.run(&["kill", "E1", "--reason", "left"]).ends_with("= 0\n"));
}

fn once(room: &Room) -> String {
    room.run(&["cascade", "run", "--once"])
}

#[test]
fn who_is_active_is_left_alone() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    assert_eq!(once(&room), "nobody is to be cut off\n= 0\n");
    assert!(forge.state.lock().unwrap().asked.is_empty());
}

#[test]
fn every_way_in_ends_on_gitea_and_gitlab() {
    for kind in ["gitea", "gitlab"] {
        let forge = Forge::start();
        let room = room(&[(kind, &forge)]);
        kill(&room);
        let said = room.run(&["cascade", "status", "E1"]);
        assert_eq!(said.matches("NOT CUT: not tried yet").count(), 4, "{said}");
        let said = once(&room);
        assert_eq!(said.matches(": cut, read back ").count(), 4, "{kind}: {said}");
        assert!(said.ends_with("= 0\n"), "{kind}: {said}");
        assert!(forge.open().is_empty(), "{kind}: {:?}", forge.open());
        let asked = forge.state.lock().unwrap().asked.len();
        assert!(once(&room).ends_with("= 0\n"));
        assert_eq!(forge.state.lock().unwrap().asked.len(), asked, "what is confirmed is not asked again");
    }
}

#[test]
fn a_suspension_blocks_first() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    room.write("e", r#"{"id":"1","source":"hr","person":"E1","type":"suspended"}"#);
    room.run(&["apply", "e"]);
    assert!(once(&room).ends_with("= 0\n"));
    let asked = forge.state.lock().unwrap().asked.clone();
    let told: Vec<&String> = asked.iter().filter(|line| !line.starts_with("GET")).collect();
    assert_eq!(told[0], "PATCH /api/v1/admin/users/alice");
    assert!(forge.open().is_empty());
}

#[test]
fn github_keeps_gpg_keys_and_that_is_told() {
    let forge = Forge::start();
    let room = room(&[("ghes", &forge)]);
    kill(&room);
    let said = once(&room);
    assert_eq!(forge.open(), ["gpg_keys"]);
    assert!(said.contains("E1  ghes:alice  account: cut, read back "), "{said}");
    assert!(said.contains("gpg-keys: NOT CUT: this server lets nobody but the user delete a GPG key"), "{said}");
    assert!(said.ends_with("= 1\n"), "{said}");
}

/// What a forge does, and what is said of it.
const MOODS: &[(Mood, &str)] = &[
    (Mood::Fails, "NOT CUT: it answered 500: {\"message\":\"oops\"}; 1 attempt, the next at "),
    (Mood::Lies, "account: NOT CUT: it answered that all is done, but there is still a login"),
    (Mood::Lies, "ssh-keys: NOT CUT: it answered that all is done, but there is still 2 SSH keys"),
    (Mood::Away, "NOT CUT: it answered 503: starting\\u{1b}[31m; 1 attempt"),
    (
        Mood::Forbids,
        "it answered 403: the token is not good here, or may not do this (a forge wants an administrator's)",
    ),
    (Mood::Floods, "NOT CUT: "),
];

#[test]
fn what_a_forge_says_counts_only_when_it_is_so() {
    for (mood, says) in MOODS {
        let forge = Forge::start();
        let room = room(&[("gitea", &forge)]);
        kill(&room);
        forge.mood(*mood);
        let said = once(&room);
        assert!(said.contains(says) && said.ends_with("= 1\n"), "{mood:?}: {said}");
        assert!(!said.contains("cut, read back"), "{mood:?}: {said}");
        // It comes to its senses, and everything ends.
        forge.mood(Mood::Good);
        let said = once(&room);
        assert!(said.ends_with("= 0\n") && forge.open().is_empty(), "{mood:?}: {said}");
    }
}

#[test]
fn what_was_done_counts_although_no_answer_came() {
    let forge = Forge::start();
    let room = room(&[("gitlab", &forge)]);
    kill(&room);
    forge.mood(Mood::Mumbles);
    let mut said = once(&room);
    assert!(said.contains("account: cut, read back"), "{said}");
    // A list is deleted one by one, and each lost answer ends the attempt.
    for _ in 0..3 {
        said = once(&room);
    }
    assert!(said.ends_with("= 0\n") && forge.open().is_empty(), "{said}");
}

#[test]
fn a_forge_that_hangs_holds_up_no_other() {
    let (slow, good) = (Forge::start(), Forge::start());
    let room = room(&[("gitea", &slow), ("gitlab", &good)]);
    kill(&room);
    slow.mood(Mood::Hangs);
    let begun = Instant::now();
    let said = once(&room);
    assert!(good.open().is_empty() && said.ends_with("= 1\n"), "{said}");
    assert_eq!(said.matches("E1  gitea:alice").count(), 4, "{said}");
    assert_eq!(said.matches("NOT CUT: timeout").count(), 4, "{said}");
    let took = begun.elapsed();
    assert!((Duration::from_secs(14)..Duration::from_secs(40)).contains(&took), "one timeout and not four: {took:?}");
}

#[test]
fn an_account_that_is_not_there_is_cut_if_the_forge_is() {
    let forge = Forge::start();
    forge.state.lock().unwrap().account = None;
    for kind in ["gitea", "gitlab", "ghes"] {
        let room = room(&[(kind, &forge)]);
        kill(&room);
        let said = once(&room);
        assert_eq!(said.matches(": no such account, read back ").count(), 4, "{kind}: {said}");
    }
    // The same 404s from an address that is no forge mean nothing.
    let room = room(&[("gitea", &forge)]);
    let config = room.read("keyring-sync.yaml");
    room.write("keyring-sync.yaml", &config.replace(&forge.url, &format!("{}/elsewhere", forge.url)));
    kill(&room);
    let said = once(&room);
    assert!(said.contains("is the configured url that of the forge?") && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn who_comes_back_is_left_alone_and_who_goes_again_is_cut_again() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    let event = room.event(&["kill", "E1", "--reason", "a mistake"]);
    forge.mood(Mood::Fails);
    once(&room);
    room.run(&["undo", &event]);
    forge.mood(Mood::Good);
    assert_eq!(once(&room), "nobody is to be cut off\n= 0\n");
    assert!(!forge.open().is_empty(), "nothing that was wanted before is done now");
    kill(&room);
    assert!(once(&room).ends_with("= 0\n"));
    assert!(forge.open().is_empty());
}

#[test]
fn what_nobody_is_configured_for_is_named() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    room.run(&["person", "set", "E1", "--account", "gitea:alice", "--account", "bitbucket:alice"]);
    room.run(&[
        "person",
        "add",
        "ci",
        "--name",
        "Builder",
        "--kind",
        "service",
        "--owner",
        "E1",
        "--account",
        "gitea:ci",
    ]);
    kill(&room);
    let said = once(&room);
    assert_eq!(said.matches("bitbucket:alice").count(), 4, "{said}");
    assert!(said.contains("NOT CUT: no forge of this name is configured: cut it by hand"), "{said}");
    assert!(
        said.contains("ci  service account ci (Builder) on gitea:ci: its owner E1 (Alice Example) is out."),
        "{said}"
    );
    assert!(!forge.state.lock().unwrap().asked.iter().any(|asked| asked.contains("/ci")), "it is escalated, not cut");
    let said = room.run(&["--format", "json", "cascade", "status", "ci"]);
    let json: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!((json["escalated"][0]["owner"].as_str(), json["open"].as_array().unwrap().len()), (Some("E1"), 0));
    // Where people look first.
    let said = room.run(&["status", "E1"]);
    assert!(said.contains("E1  gitea:alice  account: cut, read back "), "{said}");
}

#[test]
fn a_missing_secret_is_told_and_a_url_in_the_clear_is_refused() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    kill(&room);
    room.shell("mv token kept");
    let said = once(&room);
    assert!(
        said.contains("NOT CUT: forge gitea: ./token: No such file") || said.contains("token: No such file"),
        "{said}"
    );
    room.shell("mv kept token; rm password");
    let config = room.read("keyring-sync.yaml");
    room.write("keyring-sync.yaml", &config.replace(", password_file: password", ""));
    let said = once(&room);
    assert!(said.contains("tokens: NOT CUT: Gitea shows tokens only to a password"), "{said}");
    assert_eq!(forge.open(), ["tokens"]);
    assert!(!said.contains("secret"), "{said}");
    room.write("keyring-sync.yaml", &config.replace(&forge.url, "http://git.example"));
    let said = once(&room);
    assert!(said.contains("would send the token in the clear: use https") && said.ends_with("= 2\n"), "{said}");
}

#[test]
fn the_service_goes_on_until_all_is_confirmed() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    forge.mood(Mood::Fails);
    let mut service = std::process::Command::new(env!("CARGO_BIN_EXE_keyring-sync"))
        .args(["--config", "keyring-sync.yaml", "cascade", "run"])
        .current_dir(room.path(""))
        .spawn()
        .unwrap();
    // It finds out by itself, fails, and tries again.
    kill(&room);
    let patience = Instant::now();
    while !room.run(&["cascade", "status"]).contains("attempt, the next at")
        && patience.elapsed() < Duration::from_secs(30)
    {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(!forge.open().is_empty());
    forge.mood(Mood::Good);
    while !forge.open().is_empty() && patience.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(200));
    }
    let said = room.run(&["cascade", "status"]);
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(forge.open().is_empty(), "{said}");
}

const OKTA: &str = "{person_id: externalId}";

/// Waits until it is so; says whether it became so.
fn soon(is_so: impl Fn() -> bool) -> bool {
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_secs(30) {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn metrics(room: &Room, service: &Service) -> impl Fn() -> String {
    let made = room.run(&["token", "add", "metrics"]);
    let token = format!("Authorization: Bearer {}", made.lines().find(|line| line.starts_with("csk_")).unwrap());
    move || service.raw("GET", "/metrics", &[&token], None).body
}

#[test]
fn serve_cuts_at_once_whoever_said_it() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    let service = Service::start(&room, OKTA);
    // It has looked at everybody once by then, and finds the rest by what changes.
    std::thread::sleep(Duration::from_secs(1));
    kill(&room);
    assert!(soon(|| forge.open().is_empty()), "{:?}", forge.open());
    assert!(soon(|| room.run(&["status", "E1"]).matches(": cut, read back ").count() == 4));

    let other = Forge::start();
    let room = self::room(&[("gitlab", &other)]);
    let service_of_other = Service::start(&room, OKTA);
    let user = json!({"userName": "alice@x.example", "externalId": "E1", "active": true});
    let made = service_of_other.send("POST", "/Users", Some(&user));
    assert_eq!(made.status, 201, "{made:?}");
    let gone = json!({"Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
    let path = format!("/Users/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(service_of_other.send("PATCH", &path, Some(&gone)).status, 200);
    assert!(soon(|| other.open().is_empty()), "{:?}", other.open());
    assert_eq!((service.stop(), service_of_other.stop()), (Some(0), Some(0)));
}

#[test]
fn serve_tries_again_tells_what_is_open_and_goes_on_after_a_restart() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    let service = Service::start(&room, OKTA);
    let read = metrics(&room, &service);
    forge.mood(Mood::Fails);
    kill(&room);
    let has = |line: &str| read().lines().any(|found| found == line);
    assert!(soon(|| has("keyring_sync_cascade_open{forge=\"gitea\",what=\"cut\"} 4")), "{}", read());
    assert!(soon(|| has("keyring_sync_cascade_attempts_total{forge=\"gitea\",result=\"failed\"} 4")), "{}", read());
    assert!(read().contains("keyring_sync_cascade_open_since_timestamp_seconds{forge=\"gitea\"} 1"), "{}", read());
    // A forge that is away makes the service no less ready.
    assert_eq!(service.raw("GET", "/readyz", &[], None).status, 200);
    drop(read);
    assert_eq!(service.stop(), Some(0));
    forge.mood(Mood::Good);
    assert!(!forge.open().is_empty());
    let service = Service::start(&room, OKTA);
    assert!(soon(|| forge.open().is_empty()), "{:?}", forge.open());
    assert!(soon(|| room.run(&["status", "E1"]).matches(": cut, read back ").count() == 4));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_forge_that_hangs_keeps_no_service_from_its_end() {
    let (slow, good) = (Forge::start(), Forge::start());
    let room = room(&[("gitea", &slow), ("gitlab", &good)]);
    slow.mood(Mood::Hangs);
    let service = Service::start(&room, OKTA);
    kill(&room);
    assert!(soon(|| good.open().is_empty()), "{:?}", good.open());
    assert!(soon(|| !slow.state.lock().unwrap().asked.is_empty()));
    let begun = Instant::now();
    assert_eq!(service.stop(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
}

#[test]
fn two_processes_do_not_work_against_each_other() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    forge.mood(Mood::Fails);
    kill(&room);
    let service = Service::start(&room, OKTA);
    assert!(soon(|| room.run(&["cascade", "status"]).contains("1 attempt")));
    let said = once(&room);
    assert!(said.contains("another keyring-sync carries it out right now") && said.ends_with("= 1\n"), "{said}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn who_is_active_again_gets_the_account_back_and_no_key() {
    for kind in ["gitea", "gitlab", "ghes"] {
        let forge = Forge::start();
        let room = room(&[(kind, &forge)]);
        let event = room.event(&["kill", "E1", "--reason", "a mistake"]);
        once(&room);
        assert!(forge.state.lock().unwrap().account.as_ref().unwrap().blocked, "{kind}");
        room.run(&["undo", &event]);
        let said = room.run(&["cascade", "status", "E1"]);
        assert!(said.contains("account: NOT GIVEN BACK: not tried yet"), "{kind}: {said}");
        assert!(once(&room).ends_with("= 0\n"), "{kind}");
        let open = forge.open();
        assert!(open.contains(&"login") && !open.contains(&"keys") && !open.contains(&"tokens"), "{kind}: {open:?}");
        let said = room.run(&["status", "E1"]);
        assert!(
            said.contains("account: given back, read back ") && said.contains("keys and tokens stay gone"),
            "{kind}: {said}"
        );
    }
}

#[test]
fn what_somebody_else_had_blocked_stays_blocked() {
    let forge = Forge::start();
    let room = room(&[("gitlab", &forge)]);
    forge.state.lock().unwrap().account.as_mut().unwrap().blocked = true;
    let event = room.event(&["kill", "E1", "--reason", "a mistake"]);
    assert!(once(&room).ends_with("= 0\n"));
    room.run(&["undo", &event]);
    assert!(once(&room).ends_with("= 0\n"));
    assert!(forge.open().is_empty(), "{:?}", forge.open());
    assert!(!forge.state.lock().unwrap().asked.iter().any(|asked| asked.contains("unblock")));
    let said = room.run(&["status", "E1"]);
    assert!(said.contains("not surely by this program alone: give it back on the forge"), "{said}");
}

#[test]
fn what_was_not_given_back_in_time_is_still_ours_the_next_time() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    let first = room.event(&["kill", "E1", "--reason", "a mistake"]);
    once(&room);
    room.run(&["undo", &first]);
    forge.mood(Mood::Fails);
    let said = once(&room);
    assert!(said.contains("account: NOT GIVEN BACK: it answered 500") && said.ends_with("= 1\n"), "{said}");
    let second = room.event(&["kill", "E1", "--reason", "no mistake"]);
    assert!(once(&room).ends_with("= 0\n"), "it is blocked, which is all that is wanted");
    room.run(&["undo", &second]);
    forge.mood(Mood::Good);
    assert!(once(&room).ends_with("= 0\n"));
    assert_eq!(forge.open(), ["login"]);
}

#[test]
fn who_comes_back_on_leave_waits() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    room.write(
        "e",
        concat!(
            r#"{"id":"1","source":"hr","person":"E1","type":"leave_started"}"#,
            "\n",
            r#"{"id":"2","source":"hr","person":"E1","type":"suspended"}"#
        ),
    );
    room.run(&["apply", "e"]);
    once(&room);
    room.write("e", r#"{"id":"3","source":"hr","person":"E1","type":"reinstated"}"#);
    room.run(&["apply", "e"]);
    let said = once(&room);
    assert!(
        said.contains("blocked; it is given back when the person is active again") && said.ends_with("= 0\n"),
        "{said}"
    );
    assert!(forge.open().is_empty());
    room.write("e", r#"{"id":"4","source":"hr","person":"E1","type":"leave_ended"}"#);
    room.run(&["apply", "e"]);
    once(&room);
    assert_eq!(forge.open(), ["login"]);
}

#[test]
fn an_end_that_comes_late_says_what_to_review() {
    let forge = Forge::start();
    let room = room(&[("gitea", &forge)]);
    let late = |id: &str| {
        format!(
            r#"{{"id":"{id}","source":"hr","person":"E1","type":"terminated","effective_at":"2026-01-02T17:00:00Z"}}"#
        )
    };
    room.write("e", &late("1"));
    let said = room.run(&["apply", "e"]);
    let words = "E1 was out from 2026-01-02T17:00:00Z on, and the registry says so since ";
    assert!(said.contains(words) && said.contains("Review it: countersign audit person E1"), "{said}");
    room.write("e", &late("2"));
    assert!(!room.run(&["apply", "e"]).contains(words), "nothing was accepted since");
    let said = room.run(&["status", "E1"]);
    assert!(said.contains(words), "{said}");
    let said = room.run(&["--format", "json", "status", "E1"]);
    let json: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(json["review"]["from"], "2026-01-02T17:00:00Z");
}
