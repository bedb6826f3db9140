//! The service itself: who may speak to it, how much, and what it does when it has to stop.

use crate::common::Room;
use crate::common::service::Service;
use countersign_policy::keyring::{Keyring, Lifecycle};
use serde_json::json;

const OWN: &str = "{person_id: externalId}";

fn user(id: &str, active: bool) -> serde_json::Value {
    json!({"userName": format!("user-{id}"), "externalId": id, "active": active})
}

#[test]
fn only_a_valid_token_opens() {
    let room = Room::new();
    let service = Service::start(&room, OWN);
    let second = room.run(&["token", "add", "okta"]);
    let second = second.lines().find(|line| line.starts_with("csk_")).unwrap().to_owned();
    let third = room.run(&["token", "add", "okta"]);
    assert!(third.contains("has 2 valid tokens already") && third.ends_with("= 1\n"), "{third}");
    let status = |header: &str| service.raw("GET", "/scim/v2/Users", &[header], None).status;
    assert_eq!(status(&format!("Authorization: Bearer {}", service.token)), 200);
    assert_eq!(status(&format!("authorization: bearer {second}")), 200, "two at once, for rotation");
    let id = service.token.split('_').nth(1).unwrap();
    let (start, last) = second.split_at(second.len() - 1);
    let forged = format!("{start}{}", if last == "0" { "1" } else { "0" });
    for header in [
        "X-Nothing: x".to_owned(),
        "Authorization: Bearer".to_owned(),
        "Authorization: Basic YTpi".to_owned(),
        format!("Authorization: Bearer {forged}"),
        format!("Authorization: Bearer csk_{id}_"),
        format!("Authorization: Bearer {}", "a".repeat(5000)),
    ] {
        let reply = service.raw("GET", "/scim/v2/Users", &[&header], None);
        assert_eq!((reply.status, reply.json()["status"].as_str()), (401, Some("401")), "{header}");
        assert!(reply.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{header}");
    }
    assert!(room.run(&["token", "revoke", id]).contains("revoked token"));
    assert_eq!(status(&format!("Authorization: Bearer {}", service.token)), 401, "at once, without a restart");
    let listed = room.run(&["token", "list"]);
    assert_eq!((listed.matches("valid").count(), listed.matches("revoked 2").count()), (1, 1), "{listed}");
    assert!(!listed.contains(second.rsplit('_').next().unwrap()), "a secret is told once");
}

#[test]
fn a_token_is_good_for_its_own_part() {
    let room = Room::new();
    let service = Service::start(&room, OWN);
    let made = room.run(&["token", "add", "metrics"]);
    let metrics = format!("Authorization: Bearer {}", made.lines().find(|line| line.starts_with("csk_")).unwrap());
    let okta = format!("Authorization: Bearer {}", service.token);
    assert_eq!(service.raw("GET", "/scim/v2/Users", &[&metrics], None).status, 403);
    assert_eq!(service.raw("GET", "/metrics", &[&okta], None).status, 403);
    assert_eq!(service.raw("GET", "/metrics", &[], None).status, 401);
    service.send("POST", "/Users", Some(&user("E1", true)));
    service.send("POST", "/Users", Some(&json!([])));
    let text = service.raw("GET", "/metrics", &[&metrics], None).body;
    for line in [
        "keyring_sync_requests_total{source=\"okta\",result=\"accepted\"} 1",
        "keyring_sync_requests_total{source=\"okta\",result=\"rejected\"} 2",
        "keyring_sync_published_epoch 1",
        "keyring_sync_unauthorized_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("keyring_sync_source_last_event_timestamp_seconds{source=\"okta\"} 1"), "{text}");
}

#[test]
fn health_needs_no_token_and_tells_nothing() {
    let room = Room::new();
    let service = Service::start(&room, OWN);
    assert_eq!(service.raw("GET", "/healthz", &[], None).body, "ok\n");
    assert_eq!(service.raw("GET", "/readyz", &[], None).body, "ready\n");
    std::fs::remove_file(room.path("keyring/cur")).unwrap();
    let reply = service.raw("GET", "/readyz", &[], None);
    assert_eq!((reply.status, reply.body.as_str()), (503, "the keyring is not published\n"));
}

#[test]
fn what_is_too_large_is_refused_and_the_rest_goes_on() {
    let room = Room::new();
    let service = Service::start(&room, OWN);
    let large = json!({"userName": "a", "externalId": "E1", "title": "x".repeat(1 << 20)});
    let reply = service.send("POST", "/Users", Some(&large));
    assert_eq!((reply.status, reply.json()["status"].as_str()), (413, Some("413")));
    let long = json!({"userName": "a", "externalId": "E1", "title": "x".repeat(5000)});
    assert_eq!(service.send("POST", "/Users", Some(&long)).json()["scimType"], "invalidValue");
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let token = format!("Authorization: Bearer {}", service.token);
    assert_eq!(service.raw("POST", "/scim/v2/Users", &[&token], Some(&nested)).status, 400);
    let path = format!("/scim/v2/Users?filter={}", "(".repeat(8000));
    assert_eq!(service.raw("GET", &path, &[&token], None).status, 400);
    assert_eq!(service.raw("GET", &format!("/{}", "a".repeat(100_000)), &[&token], None).status / 100, 4);
    let steering = json!({"userName": "a\u{1b}[2Jb", "externalId": "E\u{1b}1"});
    let reply = service.send("POST", "/Users", Some(&steering));
    assert_eq!(reply.status, 400);
    assert!(!reply.body.contains('\u{1b}') && !reply.body.contains("\\u001b"), "{}", reply.body);
    assert_eq!(service.send("POST", "/Users", Some(&user("E1", true))).status, 201);
}

/// Requests that wait share a commit, and one that is refused, or repeats a name, never fails another.
#[test]
fn a_burst_is_taken_whole_beside_what_is_refused() {
    let room = Room::new();
    let service = Service::start(&room, OWN);
    std::thread::scope(|scope| {
        for client in 0..16 {
            let service = &service;
            scope.spawn(move || {
                for number in 0..25 {
                    let id = format!("E{client}-{number}");
                    assert_eq!(service.send("POST", "/Users", Some(&user(&id, true))).status, 201, "{id}");
                    let bad = json!({"userName": format!("user-{id}"), "externalId": format!("F{client}-{number}")});
                    assert_eq!(service.send("POST", "/Users", Some(&bad)).status, 409, "{id}");
                }
            });
        }
    });
    let persons = room.keyring().person_ids().unwrap();
    assert_eq!(persons.len(), 16 * 25);
    assert!(persons.iter().all(|id| id.as_str().starts_with('E')), "a refused request leaves nothing");
    assert_eq!(service.send("GET", "/Users?count=0", None).json()["totalResults"], 400);
}

/// An end within the millisecond of its beginning is still the newer word.
#[test]
fn off_and_on_and_off_ends_off() {
    let room = Room::new();
    let service = Service::start(&room, OWN);
    let made = service.send("POST", "/Users", Some(&user("E1", true))).json();
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    for round in 0..40 {
        let active = round % 2 == 1;
        let reply = service.send("PUT", &path, Some(&user("E1", active)));
        assert_eq!((reply.status, reply.json()["active"].as_bool()), (200, Some(active)), "{round}");
    }
    assert_eq!(service.send("PUT", &path, Some(&user("E1", false))).status, 200);
    let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(person.state(room.now()), Lifecycle::Suspended);
}

#[test]
fn it_stops_when_it_is_told_to_and_goes_on_where_it_was() {
    let room = Room::new();
    let service = Service::start(&room, OWN);
    let made = service.send("POST", "/Users", Some(&user("E1", true))).json();
    assert_eq!(service.stop(), Some(0));
    let service = Service::start(&room, OWN);
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert_eq!(service.send("GET", &path, None).json()["userName"], made["userName"]);
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let room = Room::new();
    drop(Service::start(&room, OWN));
    let path = room.path("notify.sock");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_keyring-sync"))
        .args(["--config", "keyring-sync.yaml", "serve"])
        .current_dir(room.path(""))
        .env("NOTIFY_SOCKET", &path)
        .env("KEYRING_SYNC_LOG", "error")
        .spawn()
        .unwrap();
    let mut word = [0; 64];
    let read = socket.recv(&mut word).unwrap();
    assert_eq!(&word[..read], b"READY=1");
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let read = socket.recv(&mut word).unwrap();
    assert_eq!(&word[..read], b"STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_source_that_runs_wild_is_told_to_wait() {
    let room = Room::new();
    let config = room.read("keyring-sync.yaml");
    let serve =
        format!("serve: {{listen: '127.0.0.1:0', requests_per_second: 1}}\nsources: {{okta: {{scim: {OWN}}}}}\n");
    room.write("keyring-sync.yaml", &(config + &serve));
    let service = Service::start(&room, OWN);
    let replies: Vec<_> = (0..15).map(|_| service.send("GET", "/Users", None)).collect();
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert!((10..15).contains(&passed), "a burst passes: {passed}");
    let waits = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert!(waits.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0)));
    let attempts: Vec<u16> = (0..150).map(|_| service.raw("GET", "/scim/v2/Users", &[], None).status).collect();
    assert!(attempts.contains(&401) && attempts.contains(&429), "attempts without a token wait too");
}

#[test]
fn tls_is_spoken_with_the_given_certificate() {
    let room = Room::new();
    let made = room.shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hr.example \
         -addext subjectAltName=DNS:hr.example -keyout tls.key -out tls.pem 2>/dev/null",
    );
    assert_eq!(made, "= 0\n");
    let config = room.read("keyring-sync.yaml");
    let tls = "{certificate: tls.pem, key: tls.key}";
    room.write(
        "keyring-sync.yaml",
        &format!("{config}serve: {{listen: '127.0.0.1:0', tls: {tls}}}\nsources: {{okta: {{scim: {OWN}}}}}\n"),
    );
    let service = Service::start(&room, OWN);
    let (port, token) = (service.address.port(), &service.token);
    let ask = |protocol: &str| {
        room.shell(&format!(
            "printf 'POST /scim/v2/Users HTTP/1.1\\r\\nHost: hr.example\\r\\nAuthorization: Bearer {token}\\r\\nConnection: close\\r\\n\
             Content-Length: 44\\r\\n\\r\\n{{\"userName\":\"a{protocol}\",\"externalId\":\"{protocol}\"}}' \
             | openssl s_client -{protocol} -quiet -CAfile tls.pem -verify_return_error -verify_hostname hr.example \
               -connect 127.0.0.1:{port} 2>&1"
        ))
    };
    for protocol in ["tls1_2", "tls1_3"] {
        let said = ask(protocol);
        assert!(said.contains("HTTP/1.1 201 Created"), "{said}");
        assert!(said.contains("location: https://hr.example/scim/v2/Users/"), "{said}");
    }
    assert!(!ask("tls1_1").contains("HTTP/1.1"), "too old");
    room.write("tls.key", "no key");
    assert_eq!(service.stop(), Some(0));
    let said = room.run(&["serve"]);
    assert!(said.contains("tls.key") && said.ends_with("= 2\n"), "{said}");
}

#[test]
fn without_a_section_it_says_what_is_missing() {
    let room = Room::new();
    let said = room.run(&["serve"]);
    assert!(said.contains("has no section `serve:`") && said.ends_with("= 64\n"), "{said}");
    let config = room.read("keyring-sync.yaml");
    room.write("keyring-sync.yaml", &format!("{config}serve: {{listen: '0.0.0.0:0'}}\n"));
    let said = room.run(&["serve"]);
    assert!(said.contains("is not a loopback address") && said.ends_with("= 2\n"), "{said}");
}
