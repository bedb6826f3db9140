//! What HR systems send, and what becomes of it. The stories are data: one file each in `webhooks/`. Signatures are made
//! by openssl, which knows nothing of the code under test.

use crate::common::Room;
use crate::common::service::{Reply, Service};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_policy::keyring::Keyring;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    #[serde(rename = "about")]
    _about: String,
    kind: String,
    /// Of the webhook, beside `kind` and `secret_files`.
    #[serde(default)]
    settings: serde_json::Map<String, Value>,
    #[serde(default)]
    secrets: Vec<String>,
    before: Vec<Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    about: String,
    body: Option<Value>,
    text: Option<String>,
    #[serde(default)]
    sign: Sign,
    /// Standard Webhooks name each delivery.
    id: Option<String>,
    /// A command instead of a delivery, and what it says.
    run: Option<String>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    persons: BTreeMap<String, String>,
    #[serde(default)]
    events: BTreeMap<String, Vec<String>>,
    hints: Option<Vec<String>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sign {
    #[default]
    Good,
    /// By the second secret.
    Second,
    /// By a secret that nobody knows here.
    Stranger,
    /// Over another body.
    Forged,
    /// Ten minutes ago.
    Late,
    /// In ten minutes.
    Early,
    None,
}

const STRANGER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// One source of webhooks and its sender.
struct Sender<'r> {
    room: &'r Room,
    kind: String,
    secrets: Vec<String>,
    token: Option<String>,
    files: Cell<u32>,
}

impl<'r> Sender<'r> {
    /// Writes the configuration, with a source called like its kind.
    fn configure(
        room: &'r Room,
        kind: &str,
        settings: serde_json::Map<String, Value>,
        secrets: &[String],
        more: &str,
    ) -> Self {
        let mut webhook = settings;
        webhook.insert("kind".to_owned(), json!(kind));
        let files: Vec<String> = (0..secrets.len()).map(|number| format!("{kind}.secret{number}")).collect();
        for (file, secret) in files.iter().zip(secrets) {
            room.write(file, &format!("{secret}\n"));
        }
        if !files.is_empty() {
            webhook.insert("secret_files".to_owned(), json!(files));
        }
        let config = room.read("keyring-sync.yaml");
        let serve = "serve:\n  listen: 127.0.0.1:0\n  requests_per_second: 10000\n";
        let source = format!("  {kind}:\n    webhook: {}\n{more}", Value::Object(webhook));
        let config = if config.contains("serve:") { config } else { format!("{config}{serve}sources:\n") };
        room.write("keyring-sync.yaml", &format!("{config}{source}"));
        let token = secrets.is_empty().then(|| {
            let made = room.run(&["token", "add", kind]);
            made.lines().find(|line| line.starts_with("csk_")).unwrap().to_owned()
        });
        Sender { room, kind: kind.to_owned(), secrets: secrets.to_vec(), token, files: Cell::new(0) }
    }

    fn openssl(&self, input: &[u8], script: &str) -> String {
        let number = self.files.get();
        self.files.set(number + 1);
        let name = format!("{}-input{number}", self.kind);
        std::fs::write(self.room.path(&name), input).unwrap();
        let said = self.room.shell(&script.replace("INPUT", &name));
        said.strip_suffix("= 0\n").unwrap_or_else(|| panic!("{said}")).trim().to_owned()
    }

    /// `hash` over the input, keyed with these bytes, in base64.
    fn mac(&self, hash: &str, key: &[u8], input: &[u8]) -> String {
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let script = format!("openssl dgst -{hash} -mac HMAC -macopt hexkey:{key} -binary INPUT | base64 -w0");
        self.openssl(input, &script)
    }

    /// The headers that prove a body.
    fn prove(&self, body: &str, sign: Sign, id: &str) -> Vec<String> {
        if let Some(token) = &self.token {
            return match sign {
                Sign::None => Vec::new(),
                Sign::Good => vec![format!("Authorization: Bearer {token}")],
                _ => {
                    let (start, last) = token.split_at(token.len() - 1);
                    vec![format!("Authorization: Bearer {start}{}", if last == "0" { "1" } else { "0" })]
                }
            };
        }
        let secret = match sign {
            Sign::None => return Vec::new(),
            Sign::Second => &self.secrets[1],
            Sign::Stranger => STRANGER,
            _ => &self.secrets[0],
        };
        let offset = match sign {
            Sign::Late => -600,
            Sign::Early => 600,
            _ => 0,
        };
        let at = self.room.now().unix_seconds() + offset;
        let signed = if sign == Sign::Forged { format!("{body} ") } else { body.to_owned() };
        match self.kind.as_str() {
            "standard" => {
                let signed = format!("{id}.{at}.{signed}");
                let signature = match secret.strip_prefix("whsec_") {
                    Some(key) => {
                        format!("v1,{}", self.mac("sha256", &STANDARD.decode(key).unwrap(), signed.as_bytes()))
                    }
                    None => {
                        let script = "openssl pkeyutl -sign -rawin -inkey ed25519.pem -in INPUT | base64 -w0";
                        format!("v1a,{}", self.openssl(signed.as_bytes(), script))
                    }
                };
                vec![
                    format!("webhook-id: {id}"),
                    format!("webhook-timestamp: {at}"),
                    format!("webhook-signature: v1,AAAA {signature}"),
                ]
            }
            "bamboohr" => {
                let mac = self.mac("sha256", secret.as_bytes(), format!("{signed}{at}").as_bytes());
                let hex: String = STANDARD.decode(mac).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
                vec![format!("X-BambooHR-Signature: {hex}"), format!("X-BambooHR-Timestamp: {at}")]
            }
            "hibob" => vec![format!("Bob-Signature: {}", self.mac("sha512", secret.as_bytes(), signed.as_bytes()))],
            "gusto" => {
                let mac = self.mac("sha256", secret.as_bytes(), signed.as_bytes());
                let hex: String = STANDARD.decode(mac).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
                vec![format!("X-Gusto-Signature: {hex}")]
            }
            other => panic!("{other}"),
        }
    }

    fn send(&self, service: &Service, body: &str, sign: Sign, id: &str) -> Reply {
        let headers = self.prove(body, sign, id);
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        service.raw("POST", &format!("/webhooks/{}", self.kind), &headers, Some(body))
    }
}

/// `$TIME-30` is half a minute ago; a string that is `$SECONDS-30` alone is the number.
fn filled(text: &str, room: &Room) -> String {
    let now = room.now();
    let mut text = text.to_owned();
    for back in [0_u64, 10, 20, 30, 40, 50, 60] {
        let then = now.minus(Duration::from_secs(back));
        text = text.replace(&format!("\"$SECONDS-{back}\""), &then.unix_seconds().to_string());
        text = text.replace(&format!("$TIME-{back}"), &then.to_string());
    }
    text
}

fn state(room: &Room, id: &str) -> String {
    let person = room.keyring().person(&id.parse().unwrap()).unwrap();
    person.map_or("nobody", |person| person.state(room.now()).as_str()).to_owned()
}

fn open_hints(room: &Room) -> Vec<String> {
    let hints = room.json(&["hints", "list"])["hints"].clone();
    let mut persons: Vec<String> =
        hints.as_array().unwrap().iter().map(|hint| hint["person"].as_str().unwrap().to_owned()).collect();
    persons.sort();
    persons
}

fn events(room: &Room, id: &str) -> Vec<String> {
    let shown = room.json(&["person", "show", id]);
    shown["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// A registry of active people who have something to lose.
fn hire(room: &Room, persons: &[&str]) {
    let line = |person: &&str| {
        format!(
            "{{\"id\":\"h-{person}\",\"source\":\"hr\",\"person\":\"{person}\",\"type\":\"hired\",\
             \"data\":{{\"accounts\":[\"gitea:{person}\"]}}}}\n\
             {{\"id\":\"a-{person}\",\"source\":\"hr\",\"person\":\"{person}\",\"type\":\"activated\"}}\n"
        )
    };
    room.write("hired.jsonl", &persons.iter().map(line).collect::<String>());
    assert!(room.run(&["apply", "hired.jsonl"]).ends_with("= 0\n"));
}

fn tell(file: &str) {
    let path = format!("{}/tests/webhooks/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
    let story: Story = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let room = Room::new();
    let before: String = story.before.iter().map(|event| format!("{event}\n")).collect();
    room.write("before.jsonl", &before);
    assert!(room.run(&["apply", "before.jsonl"]).ends_with("= 0\n"));
    let mut secrets = story.secrets.clone();
    for secret in secrets.iter_mut().filter(|secret| *secret == "ed25519") {
        let made = room.shell(
            "openssl genpkey -algorithm ed25519 -out ed25519.pem && openssl pkey -in ed25519.pem -pubout -outform DER \
             | tail -c 32 | base64 -w0",
        );
        *secret = format!("whpk_{}", made.trim_end_matches("= 0\n"));
    }
    let sender = Sender::configure(&room, &story.kind, story.settings, &secrets, "");
    let service = Service::start(&room, "{}");
    for (number, step) in story.steps.iter().enumerate() {
        let place = format!("{file}: step {} {}", number + 1, step.about);
        if let Some(command) = &step.run {
            let args: Vec<&str> = command.split(' ').collect();
            let said = room.run(&args);
            assert!(step.says.iter().all(|words| said.contains(words)), "{place}\n{said}");
        } else {
            let body = match (&step.text, &step.body) {
                (Some(text), None) => text.clone(),
                (None, Some(body)) => body.to_string(),
                _ => panic!("{place}: one body"),
            };
            let id = step.id.clone().unwrap_or_else(|| format!("msg_{number}"));
            let reply = sender.send(&service, &filled(&body, &room), step.sign, &id);
            assert_eq!(reply.status, step.status, "{place}\n{}", reply.body);
            assert!(reply.body.contains(&step.answer), "{place}\n{}", reply.body);
            assert_eq!(reply.status == 503, reply.header("retry-after").is_some(), "{place}");
        }
        for (id, expected) in &step.persons {
            assert_eq!(&state(&room, id), expected, "{place}: {id}");
        }
        for (id, expected) in &step.events {
            assert_eq!(&events(&room, id), expected, "{place}: {id}");
        }
        if let Some(expected) = &step.hints {
            assert_eq!(&open_hints(&room), expected, "{place}");
        }
    }
}

#[test]
fn standard() {
    tell("standard");
}

#[test]
fn bamboohr() {
    tell("bamboohr");
}

#[test]
fn hibob() {
    tell("hibob");
}

#[test]
fn personio() {
    tell("personio");
}

#[test]
fn rippling() {
    tell("rippling");
}

#[test]
fn gusto() {
    tell("gusto");
}

const BOB_SECRET: &str = "0123456789abcdef0123456789abcdef";

fn bob(employee: &str, kind: &str, n: u32) -> String {
    json!({"companyId": 1, "type": kind, "triggeredBy": "1", "triggeredAt": format!("2026-01-08T13:06:26.{n:06}"),
        "version": "v2", "data": {"employeeId": employee}})
    .to_string()
}

fn bobs<'r>(room: &'r Room, more: &str) -> (Sender<'r>, Service) {
    let sender = Sender::configure(room, "hibob", serde_json::Map::new(), &[BOB_SECRET.to_owned()], more);
    let service = Service::start(room, "{}");
    (sender, service)
}

#[test]
fn a_proof_is_good_for_its_own_source_alone() {
    let room = Room::new();
    hire(&room, &["E1"]);
    let gusto = Sender::configure(&room, "gusto", serde_json::Map::new(), &[BOB_SECRET.replace('0', "9")], "");
    let personio = Sender::configure(&room, "personio", serde_json::Map::new(), &[], "");
    Sender::configure(&room, "rippling", serde_json::Map::new(), &[], "");
    let (sender, service) = bobs(&room, "");
    let body = bob("E1", "employee.left", 1);
    let proof = sender.prove(&body, Sign::Good, "");
    let to = |path: &str, headers: &[String]| {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        service.raw("POST", path, &headers, Some(&body)).status
    };
    assert_eq!(to("/webhooks/gusto", &proof), 401, "without a header of Gusto");
    assert_eq!(to("/webhooks/gusto", &gusto.prove("{}", Sign::Good, "")), 401);
    assert_eq!(to("/webhooks/nobody", &proof), 401, "nor does anybody learn which sources there are");
    assert_eq!(to("/webhooks/hibob/", &proof), 401);
    let token = personio.prove("", Sign::Good, "");
    assert_eq!(to("/webhooks/rippling", &token), 403);
    assert_eq!(to("/webhooks/hibob", &token), 401, "a token is no signature");
    assert_eq!(to("/webhooks/personio", &proof), 401, "nor a signature a token");
    assert_eq!(to("/scim/v2/Users", &proof), 401);
    assert_eq!(state(&room, "E1"), "active");
    assert_eq!(to("/webhooks/hibob", &proof), 200);
    assert_eq!(state(&room, "E1"), "suspended");
}

#[test]
fn who_repeats_at_once_is_heard_once_and_nobody_else_is_touched() {
    let room = Room::new();
    let persons: Vec<String> = (0..9).map(|number| format!("E{number}")).collect();
    hire(&room, &persons.iter().map(String::as_str).collect::<Vec<_>>());
    let (sender, service) = bobs(&room, "");
    let deliveries: Vec<(String, Vec<String>)> = (0..5)
        .map(|number| {
            let body = bob(&format!("E{number}"), "employee.left", number);
            let proof = sender.prove(&body, Sign::Good, "");
            (body, proof)
        })
        .collect();
    let taken: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40)
            .map(|number| {
                let (body, proof) = &deliveries[number % 5];
                let service = &service;
                scope.spawn(move || {
                    let proof: Vec<&str> = proof.iter().map(String::as_str).collect();
                    let reply = service.raw("POST", "/webhooks/hibob", &proof, Some(body));
                    assert_eq!(reply.status, 200, "{}", reply.body);
                    reply.json()["taken"].as_u64().unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().sum::<u64>(), 5);
    for (number, person) in persons.iter().enumerate() {
        let expected = if number < 5 { "suspended" } else { "active" };
        assert_eq!(state(&room, person), expected, "{person}");
    }
    assert_eq!(open_hints(&room), ["E0", "E1", "E2", "E3", "E4"].map(str::to_owned));
}

#[test]
fn what_is_large_slow_or_forged_ends_nothing() {
    let room = Room::new();
    hire(&room, &["E1"]);
    let (sender, service) = bobs(&room, "");
    let large =
        json!({"type": "employee.left", "triggeredAt": "x".repeat(1 << 20), "data": {"employeeId": "E1"}}).to_string();
    assert_eq!(sender.send(&service, &large, Sign::Good, "").status, 413);
    // A request that never comes to its end holds up nobody.
    let mut slow = TcpStream::connect(service.address).unwrap();
    slow.write_all(b"POST /webhooks/hibob HTTP/1.1\r\nHost: x\r\nBob-Signature: AAAA\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    let body = bob("E1", "employee.left", 1);
    let attempts: Vec<u16> = {
        let forged = sender.prove(&body, Sign::Forged, "");
        let forged: Vec<&str> = forged.iter().map(String::as_str).collect();
        (0..150).map(|_| service.raw("POST", "/webhooks/hibob", &forged, Some(&body)).status).collect()
    };
    assert!(attempts.contains(&401) && attempts.contains(&429), "failed attempts wait");
    assert!(attempts.iter().all(|status| [401, 429].contains(status)));
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(sender.send(&service, &nested, Sign::Good, "").status, 400);
    let steering = r#"{"type":"employee.\u001b[2J","triggeredAt":"x"}"#;
    let reply = sender.send(&service, steering, Sign::Good, "");
    assert_eq!(reply.status, 422);
    assert!(!reply.body.contains('\u{1b}') && !reply.body.contains("\\u001b"), "{}", reply.body);
    assert_eq!(state(&room, "E1"), "active");
    assert_eq!(sender.send(&service, &body, Sign::Good, "").status, 200, "and forgers take nothing from the sender");
    assert_eq!(state(&room, "E1"), "suspended");
}

/// Single ends pass; more than a day may bring wait for two people, and the sender is told so until they decided.
#[test]
fn a_flood_waits_for_two_people_and_is_answered_once_they_decided() {
    let room = Room::new();
    let persons: Vec<String> = (0..30).map(|number| format!("E{number}")).collect();
    hire(&room, &persons.iter().map(String::as_str).collect::<Vec<_>>());
    let (sender, service) = bobs(&room, "");
    let left =
        |number: u32| sender.send(&service, &bob(&format!("E{number}"), "employee.left", number), Sign::Good, "");
    let first_held = (0..20).find(|number| left(*number).status == 503).unwrap();
    assert!(first_held >= 10, "ten pass: {first_held}");
    let held = [first_held, first_held + 1];
    for number in held {
        let reply = left(number);
        assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{}", reply.body);
        assert!(reply.body.contains("keyring-sync staged list"), "{}", reply.body);
        assert_eq!(state(&room, &format!("E{number}")), "active");
    }
    let staged = room.json(&["staged", "list"])["staged"].clone();
    let batches: Vec<&str> = staged.as_array().unwrap().iter().map(|row| row["batch"].as_str().unwrap()).collect();
    assert_eq!(batches.len(), 2, "what is repeated is staged once: {staged}");
    for (batch, verb) in batches.iter().zip(["approve", "reject"]) {
        for name in ["alice", "bob"] {
            assert!(room.run(&["staged", verb, batch, "--as", name]).ends_with("= 0\n"));
        }
    }
    assert_eq!(left(held[0]).status, 200);
    assert_eq!(state(&room, &format!("E{}", held[0])), "suspended");
    assert!(open_hints(&room).contains(&format!("E{}", held[0])), "what was approved is a hint all the same");
    assert_eq!(left(held[1]).status, 422, "and what was rejected is not staged again");
    assert_eq!(room.json(&["staged", "list"])["staged"], json!([]));
}

/// The nightly list of the same source is the confirming reading.
#[test]
fn the_list_of_the_source_settles_its_hints() {
    let room = Room::new();
    hire(&room, &["E1", "E2", "E3", "E4"]);
    let (sender, service) = bobs(&room, "    csv: {file: hr.csv, timezone: Europe/Berlin}\n");
    let list = |rows: &[&str]| {
        let header = "employee_id,status,last_working_day,exported_at,row_count\n";
        let (at, count) = (room.now(), rows.len());
        let rows: String = rows.iter().map(|row| format!("{row},{at},{count}\n")).collect();
        room.write("hr.csv", &format!("{header}{rows}"));
        room.json(&["sync", "--source", "hibob"])["sources"][0]["hints"].clone()
    };
    let active = ["E1,active,", "E2,active,", "E3,active,", "E4,active,"];
    list(&active);
    for (number, (person, kind)) in [
        ("E1", "employee.left"),
        ("E2", "employee.left"),
        ("E3", "employee.left"),
        ("E4", "employee.access.revoked.immediately"),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = sender.send(&service, &bob(person, kind, u32::try_from(number).unwrap()), Sign::Good, "");
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    assert_eq!(open_hints(&room).len(), 4);
    let hints = list(&["E1,terminated,2026-01-08", "E2,active,", "E3,active,2099-12-31", "E4,active,"]);
    assert_eq!(hints, json!({"confirmed": ["E1", "E3"], "refuted": ["E2"]}));
    let states = || ["E1", "E2", "E3", "E4"].map(|id| state(&room, id));
    assert_eq!(states(), ["terminated", "active", "suspended", "suspended"]);
    assert_eq!(open_hints(&room), ["E4"], "no list says that access at once was a mistake");
    list(&["E1,terminated,2026-01-08", "E2,active,", "E3,active,2099-12-31", "E4,active,"]);
    assert_eq!(states(), ["terminated", "active", "suspended", "suspended"], "night after night");
    let hints = list(&["E1,terminated,2026-01-08", "E2,active,", "E3,active,", "E4,terminated,2026-01-08"]);
    assert_eq!(hints, json!({"confirmed": ["E4"], "refuted": ["E3"]}));
    assert_eq!(states(), ["terminated", "active", "active", "terminated"]);
}

#[test]
fn open_hints_are_seen_from_outside() {
    let room = Room::new();
    hire(&room, &["E1"]);
    let (sender, service) = bobs(&room, "");
    sender.send(&service, "Ping test", Sign::None, "");
    sender.send(&service, &bob("E1", "employee.updated", 1), Sign::Good, "");
    sender.send(&service, &bob("E1", "employee.left", 2), Sign::Good, "");
    sender.send(&service, &bob("E1", "employee.left", 2), Sign::Good, "");
    sender.send(&service, &bob("E1", "employee.left", 3), Sign::Forged, "");
    let made = room.run(&["token", "add", "metrics"]);
    let metrics = format!("Authorization: Bearer {}", made.lines().find(|line| line.starts_with("csk_")).unwrap());
    let text = service.raw("GET", "/metrics", &[&metrics], None).body;
    for line in [
        "keyring_sync_hints_open{source=\"hibob\"} 1",
        "keyring_sync_requests_total{source=\"hibob\",result=\"accepted\"} 3",
        "keyring_sync_unauthorized_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let status = room.run(&["status"]);
    assert!(status.contains("1 hint not confirmed and not refuted: keyring-sync hints list"), "{status}");
}

/// The secret of Gusto comes with its first request, and is nobody's before an operator takes it.
#[test]
fn an_offered_secret_is_kept_and_not_trusted() {
    let room = Room::new();
    hire(&room, &["E1"]);
    let token = "6590f590-3dba-495e-9bea-c361e1e2efc0";
    let sender = Sender::configure(&room, "gusto", serde_json::Map::new(), &[token.to_owned()], "");
    std::fs::remove_file(room.path("gusto.secret0")).unwrap();
    let left = json!({"uuid": "u1", "event_type": "employee.termination_effective", "entity_type": "Employee",
        "entity_uuid": "E1", "timestamp": room.now().unix_seconds()})
    .to_string();
    let service = Service::start(&room, "{}");
    let offer = format!("{{\"verification_token\": \"{token}\"}}");
    assert_eq!(sender.send(&service, &offer, Sign::None, "").status, 200);
    assert_eq!(sender.send(&service, &left, Sign::Good, "").status, 401, "not before the operator took it");
    assert_eq!(room.read("gusto.offered-secret"), format!("{token}\n"));
    assert_eq!(room.shell("stat -c %a gusto.offered-secret"), "600\n= 0\n");
    std::fs::rename(room.path("gusto.offered-secret"), room.path("gusto.secret0")).unwrap();
    assert_eq!(service.stop(), Some(0));
    let service = Service::start(&room, "{}");
    assert_eq!(sender.send(&service, &left, Sign::Good, "").status, 200);
    assert_eq!(state(&room, "E1"), "suspended");
    assert_eq!(sender.send(&service, &offer, Sign::None, "").status, 401, "and no other one is taken after it");
}

#[test]
fn a_secret_that_cannot_be_read_stops_the_service() {
    let room = Room::new();
    Sender::configure(&room, "hibob", serde_json::Map::new(), &["short".to_owned()], "");
    let said = room.run(&["serve"]);
    assert!(
        said.contains("sources: hibob: webhook:") && said.contains("at least 16") && said.ends_with("= 2\n"),
        "{said}"
    );
    std::fs::remove_file(room.path("hibob.secret0")).unwrap();
    let said = room.run(&["serve"]);
    assert!(said.contains("hibob.secret0") && said.ends_with("= 2\n"), "{said}");
    assert!(room.run(&["status"]).ends_with("= 0\n"), "which is no matter for a command");
}
