//! What identity providers send, and what becomes of it. The stories are data: one file each in `scim/`.

use crate::common::Room;
use crate::common::service::Service;
use countersign_policy::keyring::Keyring;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    #[serde(rename = "about")]
    _about: String,
    source: Value,
    #[serde(default)]
    before: Vec<Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    about: String,
    send: String,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<Value>,
    status: u16,
    expect: Option<Value>,
    exactly: Option<Value>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    #[serde(default)]
    persons: BTreeMap<String, String>,
    #[serde(default)]
    roles: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    events: BTreeMap<String, Vec<String>>,
}

fn tell(file: &str) {
    let path = format!("{}/tests/scim/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
    let story: Story = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let room = Room::new();
    let before: String = story.before.iter().map(|event| format!("{event}\n")).collect();
    room.write("before.jsonl", &before);
    assert!(room.run(&["apply", "before.jsonl"]).ends_with("= 0\n"));
    let service = Service::start(&room, &story.source.to_string());
    let mut saved: BTreeMap<String, String> = BTreeMap::new();
    for step in &story.steps {
        let place = format!("{file}: {} {}", step.send, step.about);
        let filled = |text: &str| {
            saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
        };
        let value = |value: &Value| serde_json::from_str::<Value>(&filled(&value.to_string())).unwrap();
        let (method, path) = step.send.split_once(' ').unwrap();
        let mut headers = vec![format!("Authorization: Bearer {}", service.token)];
        headers.extend(step.headers.iter().cloned());
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let body = step.body.as_ref().map(|body| value(body).to_string());
        let reply = service.raw(method, &format!("/scim/v2{}", filled(path)), &headers, body.as_deref());
        assert_eq!(reply.status, step.status, "{place}\n{}", reply.body);
        let answer = reply.json();
        if let Some(expected) = &step.expect {
            assert!(holds(&answer, &value(expected)), "{place}\nexpected {}\ngot {answer}", value(expected));
        }
        if let Some(expected) = &step.exactly {
            assert_eq!(answer, value(expected), "{place}");
        }
        for name in &step.absent {
            assert!(answer.get(name).is_none(), "{place}: {name} in {answer}");
        }
        if step.status == 201 {
            assert_eq!(reply.header("etag"), answer["meta"]["version"].as_str(), "{place}");
            assert_eq!(reply.header("location"), answer["meta"]["location"].as_str(), "{place}");
        }
        // Whatever was answered is published by now.
        let (keyring, now) = (room.keyring(), room.now());
        room.check_states(&step.persons, &place);
        for (id, roles) in &step.roles {
            let person = keyring.person(&id.parse().unwrap()).unwrap().unwrap();
            let held: Vec<&str> =
                person.roles.iter().filter(|held| held.span.contains(now)).map(|held| held.value.as_str()).collect();
            assert_eq!(&held, roles, "{place}: {id}");
        }
        for (id, expected) in &step.events {
            let shown = room.json(&["person", "show", id]);
            let said: Vec<&str> =
                shown["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
            assert_eq!(&said, expected, "{place}");
        }
        for (name, field) in &step.save {
            saved
                .insert(name.clone(), answer[field].as_str().unwrap_or_else(|| panic!("{place}: {answer}")).to_owned());
        }
    }
}

/// Whether `answer` holds at least `expected`.
fn holds(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            expected.iter().all(|(name, expected)| answer.get(name).is_some_and(|answer| holds(answer, expected)))
        }
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len()
                && answer.iter().zip(expected).all(|(answer, expected)| holds(answer, expected))
        }
        _ => answer == expected,
    }
}

#[test]
fn entra() {
    tell("entra");
}

#[test]
fn entra_flagged() {
    tell("entra-flagged");
}

#[test]
fn okta() {
    tell("okta");
}

#[test]
fn groups() {
    tell("groups");
}

#[test]
fn protocol() {
    tell("protocol");
}

/// A record that its source gave up and puts anew comes back, its keys do not; what nobody gave up keeps its keys.
#[test]
fn the_keys_of_whom_the_source_gave_up_stay_out() {
    let room = Room::new();
    let service = Service::start(&room, "{person_id: externalId}");
    let user = |active: bool| serde_json::json!({"userName": "alice", "externalId": "E1", "active": active});
    let id = service.send("POST", "/Users", Some(&user(true))).json()["id"].as_str().unwrap().to_owned();
    room.ssh_key("alice");
    assert!(room.run(&["key", "add", "E1", "--ssh", "alice.pub"]).ends_with("= 0\n"));
    let retired = || room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap().keys[0].retired.is_some();
    for active in [false, true] {
        assert_eq!(service.send("PUT", &format!("/Users/{id}"), Some(&user(active))).status, 200);
    }
    assert!(!retired(), "a suspension that ends restores what it took");
    service.send("PUT", &format!("/Users/{id}"), Some(&user(false)));
    assert_eq!(service.send("POST", "/Users", Some(&user(true))).status, 201);
    assert!(retired() && room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap().is_active(room.now()));
}

/// Single ends pass up to a number; the rest waits for two people, and the provider is told so until they decided.
#[test]
fn a_flood_waits_for_two_people_and_the_provider_asks_again() {
    let room = Room::new();
    let service = Service::start(&room, "{person_id: externalId}");
    let people = 30;
    let hired: String = (0..people)
        .flat_map(|n| {
            let profile = format!(r#"{{"name":"P{n}","emails":["p{n}@x.example"],"accounts":["gitea:p{n}"]}}"#);
            [("hired", profile), ("activated", "{}".to_owned())].map(|(kind, data)| {
                format!(r#"{{"id":"{kind}-{n}","source":"hr","person":"E{n}","type":"{kind}","data":{data}}}"#) + "\n"
            })
        })
        .collect();
    room.write("hired.jsonl", &hired);
    assert!(room.run(&["apply", "hired.jsonl"]).ends_with("= 0\n"));
    let user = |n: usize, active: bool| {
        serde_json::json!({"userName": format!("p{n}@x.example"), "externalId": format!("E{n}"),
            "displayName": format!("P{n}"), "active": active})
    };
    let ids: Vec<String> = (0..people)
        .map(|n| service.send("POST", "/Users", Some(&user(n, true))).json()["id"].as_str().unwrap().to_owned())
        .collect();
    let off = |n: usize| service.send("PUT", &format!("/Users/{}", ids[n]), Some(&user(n, false)));
    let active = |n: usize| {
        let id = format!("E{n}").parse().unwrap();
        room.keyring().person(&id).unwrap().unwrap().is_active(room.now())
    };
    let held = (0..people).find(|n| off(*n).status != 200).unwrap();
    assert!(held >= 10, "ten pass by name: {held}");
    let reply = off(held);
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.contains("two people decide") && active(held), "{}", reply.body);
    let read = service.send("GET", &format!("/Users/{}", ids[held]), None).json();
    assert_eq!(read["active"], true, "nothing is told that does not hold");

    let listed = room.run(&["staged", "list", "--format", "json"]);
    let batch = listed.split("\"batch\":").nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
    assert_eq!(listed.matches("\"batch\":").count(), 1, "what is repeated is staged once: {listed}");
    for name in ["alice", "bob"] {
        assert!(room.run(&["staged", "approve", &batch, "--as", name]).ends_with("= 0\n"));
    }
    assert!(!active(held));
    assert_eq!(off(held).status, 200);
    assert!(!active(held));

    // Approved, and taken back before the provider asked again: it is said anew, not taken for done.
    assert_eq!(off(held + 1).status, 503);
    let listed = room.run(&["staged", "list", "--format", "json"]);
    let batch = listed.split("\"batch\":").nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
    for name in ["alice", "bob"] {
        assert!(room.run(&["staged", "approve", &batch, "--as", name]).ends_with("= 0\n"));
    }
    let event = format!("scim-{}-2-suspended", ids[held + 1]);
    assert!(room.run(&["undo", &event]).ends_with("= 0\n") && active(held + 1));
    let again = off(held + 1);
    assert_eq!((again.status, active(held + 1)), (503, true), "{}", again.body);
    assert!(again.body.contains("two people decide"), "{}", again.body);
}

/// HR's word outlives the identity provider's.
#[test]
fn nobody_whom_hr_ended_comes_back_over_scim() {
    let room = Room::new();
    let service = Service::start(&room, "{person_id: externalId}");
    let user = |active: bool| serde_json::json!({"userName": "alice", "externalId": "E1", "active": active});
    let id = service.send("POST", "/Users", Some(&user(true))).json()["id"].as_str().unwrap().to_owned();
    room.write("left.jsonl", r#"{"id":"w1","source":"workday","person":"E1","type":"terminated"}"#);
    assert!(room.run(&["apply", "left.jsonl"]).ends_with("= 0\n"));
    for active in [false, true] {
        assert_eq!(service.send("PUT", &format!("/Users/{id}"), Some(&user(active))).status, 200);
        let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
        assert_eq!(person.state(room.now()).as_str(), "terminated", "{active}");
    }
}
