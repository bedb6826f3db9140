//! A stand-in for a transmitter that is polled, in whatever mood it is told to be; and what becomes of its events.

use super::signer::Signer;
use super::{Room, claims, configure, hired, room};
use crate::common::service::Service;
use countersign_policy::keyring::Keyring;
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    /// Says 500.
    Fails,
    /// Does what it is told, and the answer gets lost.
    Mumbles,
    /// Keeps everybody waiting.
    Hangs,
    /// Sends more bytes than anybody wants to read.
    Floods,
    /// Says something that is no answer.
    Lies,
    /// Sends elsewhere.
    Redirects,
    /// Forgets what was acknowledged.
    Repeats,
}

struct State {
    mood: Mood,
    queue: Map<String, Value>,
    asked: Vec<Value>,
    errors: Map<String, Value>,
    /// Tokens of one answer at most.
    page: usize,
    verifications: Vec<Value>,
}

#[derive(Clone)]
struct Transmitter {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Transmitter {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            mood: Mood::Good,
            queue: Map::new(),
            asked: Vec::new(),
            errors: Map::new(),
            page: 2,
            verifications: Vec::new(),
        };
        let transmitter = Transmitter { url, state: Arc::new(Mutex::new(state)) };
        let server = transmitter.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(&stream.unwrap()));
            }
        });
        transmitter
    }

    fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    fn queue(&self, jti: &str, token: impl Into<Value>) {
        self.state.lock().unwrap().queue.insert(jti.to_owned(), token.into());
    }

    fn waits(&self, until: impl Fn(&State) -> bool) {
        let begun = Instant::now();
        while !until(&self.state.lock().unwrap()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", self.state.lock().unwrap().asked.last());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let (mut first, mut length, mut authorized) = (String::new(), 0, false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            if first.is_empty() {
                line.clone_into(&mut first);
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            authorized |= line.eq_ignore_ascii_case("authorization: bearer idp-secret");
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mood = self.state.lock().unwrap().mood;
        match mood {
            _ if !authorized => reply(stream, 401, "{}"),
            _ if first.contains("/verify") => {
                self.state.lock().unwrap().verifications.push(body);
                reply(stream, 204, "");
            }
            Mood::Fails => reply(stream, 500, "oops\u{1b}[31m"),
            Mood::Hangs => std::thread::sleep(Duration::from_secs(60)),
            Mood::Floods => flood(stream),
            Mood::Lies => reply(stream, 200, "<html>all is well</html>"),
            Mood::Redirects => reply(stream, 302, ""),
            Mood::Mumbles => {
                self.answer(&body, mood);
            }
            Mood::Good | Mood::Repeats => {
                let answer = self.answer(&body, mood);
                reply(stream, 200, &answer.to_string());
            }
        }
    }

    fn answer(&self, body: &Value, mood: Mood) -> Value {
        let begun = Instant::now();
        loop {
            let mut state = self.state.lock().unwrap();
            if begun.elapsed() < Duration::from_millis(1) {
                state.asked.push(body.clone());
                for jti in body["ack"].as_array().into_iter().flatten().filter(|_| mood != Mood::Repeats) {
                    state.queue.remove(jti.as_str().unwrap());
                }
                for (jti, error) in body["setErrs"].as_object().into_iter().flatten() {
                    state.queue.remove(jti);
                    state.errors.insert(jti.clone(), error.clone());
                }
            }
            // Held open until there is an event, or for a while.
            let waits = body["returnImmediately"] == false && begun.elapsed() < Duration::from_secs(2);
            if state.queue.is_empty() && waits {
                drop(state);
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            let page = state.page.min(usize::try_from(body["maxEvents"].as_u64().unwrap()).unwrap());
            let sets: Map<String, Value> = state.queue.clone().into_iter().take(page).collect();
            return json!({"moreAvailable": state.queue.len() > sets.len(), "sets": sets});
        }
    }
}

fn reply(mut stream: &TcpStream, status: u16, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn flood(mut stream: &TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n{");
    while stream.write_all(&[b' '; 65536]).is_ok() {}
}

fn polled(people: &[Value]) -> (Room, Signer, Transmitter) {
    let transmitter = Transmitter::start();
    let poll = json!({"url": format!("{}/poll", transmitter.url), "token_file": "idp.token", "pause": "1s"});
    let (room, signer) = room(&json!({"poll": poll}), &Value::Null, people);
    room.write("idp.token", "idp-secret\n");
    (room, signer, transmitter)
}

fn off(room: &Room, signer: &Signer, jti: &str, person: &str) -> String {
    let subject = json!({"format": "email", "email": format!("{}@hr.example", person.to_lowercase())});
    signer.token(&claims(room, jti, "risc/account-disabled", &subject, &json!({})))
}

fn is_out(room: &Room, person: &str) -> bool {
    !room.keyring().person(&person.parse().unwrap()).unwrap().unwrap().is_active(room.now())
}

#[test]
fn what_is_fetched_is_acknowledged_once_it_is_durable() {
    let people: Vec<Value> = ["E1", "E2", "E3", "E4", "E5"].iter().flat_map(|id| hired(id)).collect();
    let (room, signer, transmitter) = polled(&people);
    for (jti, person) in [("a", "E1"), ("b", "E2"), ("c", "E3")] {
        transmitter.queue(jti, off(&room, &signer, jti, person));
    }
    let service = Service::of(&room, "idp");
    transmitter.waits(|state| state.queue.is_empty());
    assert!(["E1", "E2", "E3"].iter().all(|id| is_out(&room, id)) && !is_out(&room, "E4"));
    {
        let state = transmitter.state.lock().unwrap();
        assert_eq!(state.asked[0], json!({"maxEvents": 50, "returnImmediately": true}));
        assert_eq!(state.asked[1]["ack"], json!(["a", "b"]), "and the rest was asked for at once");
        assert_eq!(state.asked[2]["ack"], json!(["c"]));
    }
    // From here on a request waits at the transmitter, so that an event comes without delay.
    transmitter.waits(|state| state.asked.last().is_some_and(|asked| asked["returnImmediately"] == false));
    let begun = Instant::now();
    transmitter.queue("d", off(&room, &signer, "d", "E4"));
    transmitter.waits(|state| state.queue.is_empty());
    assert!(is_out(&room, "E4") && begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(service.stop(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "a request that waits keeps nobody from stopping");
}

#[test]
fn what_cannot_be_taken_is_told_and_holds_nothing_up() {
    let people: Vec<Value> = ["E1", "E2"].iter().flat_map(|id| hired(id)).collect();
    let (room, signer, transmitter) = polled(&people);
    transmitter.state.lock().unwrap().page = 50;
    transmitter.queue("nobody", off(&room, &signer, "nobody", "E9"));
    transmitter.queue("other", off(&room, &signer, "mine", "E2"));
    transmitter.queue("number", 7);
    transmitter.queue("odd\u{1b}[2J", "a.b.c");
    let forged = off(&room, &signer, "forged", "E2");
    transmitter.queue("forged", format!("{}AAAA", &forged[..forged.len() - 4]));
    transmitter.queue("good", off(&room, &signer, "good", "E1"));
    let _service = Service::of(&room, "idp");
    transmitter.waits(|state| state.queue.is_empty());
    assert!(is_out(&room, "E1") && !is_out(&room, "E2"));
    let state = transmitter.state.lock().unwrap();
    let code = |jti: &str| state.errors[jti]["err"].as_str().unwrap().to_owned();
    assert_eq!(
        ["nobody", "other", "number", "odd\u{1b}[2J", "forged"].map(code),
        ["invalid_request", "invalid_request", "invalid_request", "invalid_request", "authentication_failed"]
    );
    assert!(state.errors["nobody"]["description"].as_str().unwrap().contains("e9@hr.example"));
}

/// Whatever the transmitter does, nothing is lost and nothing is done twice.
#[test]
fn a_transmitter_that_fails_lies_and_repeats() {
    let (room, signer, transmitter) = polled(&hired("E1"));
    let service = Service::of(&room, "idp");
    for mood in [Mood::Fails, Mood::Lies, Mood::Floods, Mood::Redirects] {
        transmitter.mood(mood);
        std::thread::sleep(Duration::from_millis(1200));
    }
    assert_eq!(service.raw("GET", "/healthz", &[], None).body, "ok\n");
    transmitter.queue("a", off(&room, &signer, "a", "E1"));
    transmitter.mood(Mood::Repeats);
    transmitter.waits(|state| state.asked.iter().filter(|asked| asked["ack"] == json!(["a"])).count() >= 2);
    let begun = Instant::now();
    let before = transmitter.state.lock().unwrap().asked.len();
    std::thread::sleep(Duration::from_millis(2500));
    let asked = transmitter.state.lock().unwrap().asked.len() - before;
    assert!(asked <= 6, "asked {asked} times in {:?}: it is not asked in a circle", begun.elapsed());
    // It hears of the acknowledgement, but its answer gets lost: it is told again.
    transmitter.mood(Mood::Mumbles);
    transmitter.waits(|state| state.queue.is_empty());
    transmitter.mood(Mood::Good);
    let told = transmitter.state.lock().unwrap().asked.len();
    transmitter.waits(|state| state.asked.iter().skip(told).any(|asked| asked["ack"] == json!(["a"])));
    let shown = room.json(&["person", "show", "E1"]);
    let said = shown["events"].as_array().unwrap().iter().filter(|event| event["source"] == "idp").count();
    assert_eq!(said, 1);
    transmitter.mood(Mood::Hangs);
    transmitter.queue("b", off(&room, &signer, "b", "E1"));
    std::thread::sleep(Duration::from_secs(3));
    let begun = Instant::now();
    assert_eq!(service.stop(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}: who never answers is not waited for", begun.elapsed());
}

#[test]
fn one_fetch_without_a_service() {
    let people: Vec<Value> = ["E1", "E2", "E3"].iter().flat_map(|id| hired(id)).collect();
    let (room, signer, transmitter) = polled(&people);
    for (jti, person) in [("a", "E1"), ("b", "E2"), ("c", "E3")] {
        transmitter.queue(jti, off(&room, &signer, jti, person));
    }
    let said = room.run(&["signals", "poll"]);
    assert!(said.contains("idp: 3 events taken") && said.ends_with("= 0\n"), "{said}");
    assert!(["E1", "E2", "E3"].iter().all(|id| is_out(&room, id)));
    assert!(transmitter.state.lock().unwrap().queue.is_empty(), "and acknowledged");
    transmitter.queue("x", off(&room, &signer, "x", "E9"));
    let said = room.run(&["signals", "poll", "--source", "idp"]);
    assert!(said.contains("0 events taken, 1 refused") && said.ends_with("= 1\n"), "{said}");
    transmitter.mood(Mood::Fails);
    let said = room.run(&["signals", "poll"]);
    assert!(
        said.contains("idp: it answered 500: oops") && said.ends_with("= 2\n") && !said.contains('\u{1b}'),
        "{said}"
    );
    room.write("idp.token", "another\n");
    let said = room.run(&["signals", "poll"]);
    assert!(said.contains("it does not take our token") && said.ends_with("= 2\n"), "{said}");
    let said = room.run(&["signals", "poll", "--source", "hr"]);
    assert!(said.contains("no such source is polled") && said.ends_with("= 64\n"), "{said}");
}

/// Silence is told once, in the metrics, by `sources` and by `status`; a verification ends it.
#[test]
fn silence_degrades_a_source_and_a_verification_ends_it() {
    let transmitter = Transmitter::start();
    let verification = json!({"url": format!("{}/verify", transmitter.url), "stream_id": "s1", "token_file": "idp.token",
        "every": "1s"});
    let (room, signer) = room(&json!({"verification": verification}), &json!({"silent_after": "2s"}), &hired("E1"));
    room.write("idp.token", "idp-secret\n");
    let service = Service::of(&room, "idp");
    let metrics = room.run(&["token", "add", "metrics"]);
    let metrics = format!("Authorization: Bearer {}", metrics.lines().find(|line| line.starts_with("csk_")).unwrap());
    let degraded = || {
        let text = service.raw("GET", "/metrics", &[&metrics], None).body;
        let line = text.lines().find(|line| line.starts_with("keyring_sync_source_degraded{source=\"idp\"}")).unwrap();
        line.ends_with(" 1")
    };
    assert!(!degraded() && room.run(&["sources"]).ends_with("= 0\n"));
    transmitter.waits(|_| degraded());
    let said = room.run(&["sources"]);
    assert!(said.contains("idp  signals  never heard  DEGRADED: silent since") && said.ends_with("= 1\n"), "{said}");
    assert!(room.run(&["status"]).contains("degraded: idp: silent since"));
    assert_eq!(room.json(&["status"])["degraded"], json!(["idp"]));
    let (begun, mut number) = (Instant::now(), 0);
    // The latest that was asked for: another one may have been asked for meanwhile.
    loop {
        number += 1;
        assert!(begun.elapsed() < Duration::from_secs(20), "no verification was taken");
        let asked = transmitter.state.lock().unwrap().verifications.last().unwrap().clone();
        assert_eq!(asked["stream_id"], "s1");
        let subject = json!({"format": "opaque", "id": "s1"});
        let verified =
            claims(&room, &format!("v{number}"), "ssf/verification", &subject, &json!({"state": asked["state"]}));
        if super::push(&service, &signer.token(&verified)).status == 202 {
            break;
        }
    }
    assert!(!degraded());
    let said = room.run(&["sources"]);
    assert!(said.contains("alive") && said.ends_with("= 0\n"), "{said}");
    let replayed =
        claims(&room, "old", "ssf/verification", &json!({"format": "opaque", "id": "s1"}), &json!({"state": "x"}));
    assert_eq!(super::push(&service, &signer.token(&replayed)).json()["err"], "invalid_state");
}

/// Keys that are fetched are fetched once, kept, and looked for again when one is unknown; not for every forged token.
#[test]
fn keys_are_fetched_and_pinned() {
    let room = Room::new();
    let signer = Signer::new(&room);
    let keys = Arc::new(Mutex::new((signer.jwks().to_string(), 0)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let served = Arc::clone(&keys);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                line.clear();
            }
            let mut keys = served.lock().unwrap();
            keys.1 += 1;
            reply(&stream, 200, &keys.0);
        }
    });
    configure(&room, &json!({"jwks_file": null, "jwks_url": url}), &Value::Null);
    let people: String = ["E1", "E2", "E3"].iter().flat_map(|id| hired(id)).map(|event| format!("{event}\n")).collect();
    room.write("before.jsonl", &people);
    assert!(room.run(&["apply", "before.jsonl"]).ends_with("= 0\n"));
    let service = Service::of(&room, "idp");
    assert_eq!(super::push(&service, &off(&room, &signer, "a", "E1")).status, 202);
    let fetched = keys.lock().unwrap().1;
    assert_eq!(fetched, 1);
    let stranger = |jti: &str| {
        let subject = json!({"format": "email", "email": "e2@hr.example"});
        let claims = claims(&room, jti, "risc/account-disabled", &subject, &json!({}));
        let header = json!({"typ": "secevent+jwt", "alg": "RS256", "kid": "new"});
        signer.token_of(&header.to_string(), &claims.to_string(), "stranger")
    };
    for number in 0..5 {
        assert_eq!(super::push(&service, &stranger(&format!("n{number}"))).json()["err"], "invalid_key");
    }
    assert_eq!(keys.lock().unwrap().1, 1, "looked a moment ago");
    assert_eq!(service.stop(), Some(0));
    // The transmitter is away, and what was pinned still verifies.
    *keys.lock().unwrap() = ("<html>".to_owned(), 0);
    assert!(room.run(&["token", "revoke", "none"]).ends_with("= 1\n"));
    let service = Service::of(&room, "idp");
    assert_eq!(super::push(&service, &off(&room, &signer, "b", "E3")).status, 202);
    // A new key: looked for once, and refused while the transmitter talks nonsense.
    assert_eq!(super::push(&service, &stranger("m")).json()["err"], "invalid_key");
    drop(service);
    let mut set = signer.jwks();
    set["keys"].as_array_mut().unwrap().push(signer.rsa("stranger", "new"));
    *keys.lock().unwrap() = (set.to_string(), 0);
    let tokens = room.run(&["token", "list"]);
    let first = tokens.split_whitespace().next().unwrap();
    assert!(room.run(&["token", "revoke", first]).ends_with("= 0\n"));
    let service = Service::of(&room, "idp");
    assert_eq!(super::push(&service, &stranger("n")).status, 202, "a key that the transmitter has now");
    assert!(is_out(&room, "E2"));
}
