//! `keyring-sync sync` against a SCIM server: our own, and one that lies.

mod standin;

use crate::common::Room;
use crate::common::service::Service;
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Keyring, Lifecycle};
use serde_json::{Value, json};
use standin::{Server, Users};

/// A registry whose source `idp` is read from there.
fn room(url: &str, token: &str, more: &str) -> Room {
    let room = Room::new();
    room.write("token", token);
    room.write(
        "keyring-sync.yaml",
        &format!(
            "registry: registry.db\nkeyring: keyring\nsources:\n  idp:\n    rank: 40\n    scim_pull:\n      url: {url}\n      \
             token_file: token\n      person_id: userName\n{more}"
        ),
    );
    room
}

fn state(room: &Room, id: &str) -> Option<Lifecycle> {
    let person = room.keyring().person(&PersonId::new(id).unwrap()).unwrap()?;
    Some(person.state(room.now()))
}

fn user(name: &str, active: bool) -> Value {
    json!({"id": format!("id-{name}"), "userName": name, "active": active, "displayName": name.to_uppercase(),
        "emails": [{"value": format!("{name}@hr.example"), "primary": true}]})
}

fn users(number: usize) -> Vec<Value> {
    (1..=number).map(|number| user(&format!("e{number}"), true)).collect()
}

#[test]
fn our_own_service_is_read_like_any_other() {
    let server = Room::new();
    let service = Service::start(&server, "{person_id: userName}");
    let mut ids = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let mut sent = user(name, true);
        sent.as_object_mut().unwrap().remove("id");
        let made = service.send("POST", "/Users", Some(&sent));
        assert_eq!(made.status, 201, "{made:?}");
        ids.push(made.json()["id"].as_str().unwrap().to_owned());
    }
    let group = json!({"displayName": "seniors", "members": [{"value": ids[0]}]});
    assert_eq!(service.send("POST", "/Groups", Some(&group)).status, 201);
    let room = room(&service.base(), &service.token, "      groups: {seniors: senior}\n");
    let dry = room.run(&["sync", "--dry-run"]);
    assert!(dry.contains("+ alice (ALICE): hired, active, by a group senior") && dry.ends_with("= 0\n"), "{dry}");
    assert_eq!(state(&room, "alice"), None);
    let said = room.run(&["--format", "json", "sync"]);
    let json: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!((&json["sources"][0]["rows"], &json["sources"][0]["taken"]), (&json!(3), &json!(7)), "{said}");
    let alice = room.keyring().person(&PersonId::new("alice").unwrap()).unwrap().unwrap();
    assert!(alice.has_role("senior", room.now()) && alice.has_email("alice@hr.example", room.now()));

    let off = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"active": false}}]});
    assert_eq!(service.send("PATCH", &format!("/Users/{}", ids[1]), Some(&off)).status, 200);
    assert_eq!(service.send("DELETE", &format!("/Users/{}", ids[2]), None).status, 204);
    let said = room.run(&["sync"]);
    assert!(said.contains("- bob (BOB): suspended\n"), "{said}");
    assert!(said.contains("- carol (CAROL): suspended: not in the list"), "{said}");
    assert_eq!(
        ["alice", "bob", "carol"].map(|id| state(&room, id).unwrap()),
        [Lifecycle::Active, Lifecycle::Suspended, Lifecycle::Suspended]
    );
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn every_page_is_read_and_a_busy_server_is_asked_again() {
    let server = Server::start(Users::Pages(7), users(23));
    let said = room(&server.url, "secret-token", "").run(&["sync"]);
    assert!(said.contains("names 23 people") && said.ends_with("= 0\n"), "{said}");
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(asked[3], "/scim/v2/Users?startIndex=22&count=100");
    let server = Server::start(Users::Busy(2), users(3));
    let said = room(&server.url, "secret-token", "      filter: 'userType eq \"staff\"'\n").run(&["sync"]);
    assert!(said.contains("names 3 people") && said.ends_with("= 0\n"), "{said}");
    let asked = server.asked.lock().unwrap().clone();
    assert!(asked[0].starts_with("/scim/v2/Users?filter=userType%20eq%20%22staff%22&startIndex=1"), "{asked:?}");
}

/// What a server does, and what is said of it.
fn lies() -> Vec<(Users, Vec<Value>, &'static str)> {
    let text = |text: &str| Users::Text(text.to_owned());
    let mute = json!({"id": "1", "userName": "a"});
    vec![
        (Users::Short, users(3), "it says that there are 4 and gives 3: the list is not whole"),
        (Users::Long, users(3), "it says that there are 2 and gives at least 3: the list is not whole"),
        (Users::Again, users(3), "it lists id-e1 twice"),
        (Users::Changing, users(3), "it said that there are 4, and now 5: it changed while it was read"),
        (Users::Endless, users(3), "it says that there are 1000000, and 200000 are the most that are read"),
        (Users::Pages(100), users(0), "it names nobody; an empty answer is never taken for the end of everybody"),
        (Users::Pages(100), vec![mute], "user 1: it does not say whether it is `active`"),
        (Users::Pages(100), vec![user("a\u{1b}", true)], "holds control or invisible characters"),
        (
            Users::Pages(100),
            vec![user("a", true), json!({"id": "2", "userName": "a", "active": true})],
            "two accounts are of a",
        ),
        (Users::Pages(100), vec![json!({"userName": "a", "active": true})], "it lists a resource without an id"),
        (Users::Status(500), users(3), r"it answered 500: oops\u{1b}[31m"),
        (Users::Status(302), users(3), "the configured url is not its own"),
        (Users::Status(404), users(3), "it knows no such list: is the configured url that of SCIM?"),
        (text("<html>\u{1b}"), users(3), "it answered with something else than JSON"),
        (text("[]"), users(3), "it answers with no list"),
        (text(r#"{"Resources":[]}"#), users(3), "it does not say how many there are"),
        (Users::Flood, users(3), "is refused: cannot be reached: "),
    ]
}

#[test]
fn a_server_that_lies_is_refused_and_puts_nobody_out() {
    for (lie, all, message) in lies() {
        // The truth first, so that there is somebody to lose.
        let truth = Server::start(Users::Pages(100), users(3));
        let room = room(&truth.url, "secret-token", "");
        assert!(room.run(&["sync"]).ends_with("= 0\n"));
        let server = Server::start(lie.clone(), all);
        let config = room.read("keyring-sync.yaml");
        room.write("keyring-sync.yaml", &config.replace(&truth.url, &server.url));
        let said = room.run(&["sync"]);
        assert!(said.contains(message) && said.ends_with("idp: nothing was changed\n= 1\n"), "{lie:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{said}");
        assert!(["e1", "e2", "e3"].iter().all(|id| state(&room, id) == Some(Lifecycle::Active)), "{lie:?}");
    }
}

#[test]
fn a_token_that_opens_nothing_is_named() {
    let server = Server::start(Users::Pages(100), users(3));
    let said = room(&server.url, "another-token", "").run(&["sync"]);
    assert!(said.contains("it answered 401") && said.ends_with("= 1\n"), "{said}");
    let said = room(&server.url, "\n", "").run(&["sync"]);
    assert!(said.contains("token holds no secret of one line") && said.ends_with("= 1\n"), "{said}");
}
