//! Security events, pushed and fetched, against the real program. What is sent was signed by `openssl`; the stories
//! are data: one file each in this folder.

mod poll;
mod signer;

use crate::common::Room;
use crate::common::service::{Reply, Service};
use countersign_policy::keyring::Keyring;
use serde::Deserialize;
use serde_json::{Value, json};
use signer::Signer;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    #[serde(rename = "about")]
    _about: String,
    /// Beside issuer, audience and keys.
    #[serde(default)]
    signals: Value,
    /// Of the source itself and beside it.
    #[serde(default)]
    source: Value,
    before: Vec<Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Step {
    about: String,
    /// Over those of an ordinary token; `null` takes one out.
    header: Value,
    /// With which key of the test.
    key: Option<String>,
    claims: Value,
    event: Option<String>,
    data: Value,
    /// Instead of claims: this text is signed.
    text: Option<String>,
    /// Instead of a token: this text is sent.
    raw: Option<String>,
    /// The token of the step that was called so, once more.
    again: Option<String>,
    called: Option<String>,
    content_type: Option<String>,
    status: u16,
    err: Option<String>,
    says: Option<String>,
    persons: BTreeMap<String, String>,
    emails: BTreeMap<String, Vec<String>>,
    events: BTreeMap<String, Vec<String>>,
    reviews: Option<usize>,
    settle: bool,
}

const ISSUER: &str = "https://idp.example/";
const AUDIENCE: &str = "https://hr.example/ssf";

/// A room with a source `idp`, its keys and `before`.
fn room(signals: &Value, source: &Value, before: &[Value]) -> (Room, Signer) {
    let room = Room::new();
    let signer = Signer::new(&room);
    room.write("idp.jwks", &signer.jwks().to_string());
    configure(&room, signals, source);
    let events: String = before.iter().map(|event| format!("{event}\n")).collect();
    room.write("before.jsonl", &events);
    let applied = room.run(&["apply", "before.jsonl"]);
    assert!(applied.ends_with("= 0\n"), "{applied}");
    (room, signer)
}

fn configure(room: &Room, signals: &Value, source: &Value) {
    let mut all = json!({"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": "idp.jwks"});
    merge(&mut all, signals);
    let mut idp = json!({"rank": 50, "signals": all});
    merge(&mut idp, source);
    let serve = "serve:\n  listen: 127.0.0.1:0\n  requests_per_second: 10000\n";
    let config = room.read("keyring-sync.yaml");
    room.write("keyring-sync.yaml", &format!("{config}{serve}sources:\n  hr: {{rank: 10}}\n  idp: {idp}\n"));
}

/// What `more` says is so; `null` takes out.
fn merge(object: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        match value {
            Value::Null => {
                object.as_object_mut().unwrap().remove(name);
            }
            value => object[name] = value.clone(),
        }
    }
}

fn hired(id: &str) -> [Value; 2] {
    let data = json!({"name": id, "emails": [format!("{}@hr.example", id.to_lowercase())]});
    let event = |kind: &str, data: &Value| {
        json!({"id": format!("{kind}-{id}"), "source": "hr", "person": id, "type": kind,
            "effective_at": "2026-01-01T00:00:00Z", "asserted_at": "2026-01-01T00:00:00Z", "data": data})
    };
    [event("hired", &data), event("activated", &json!({}))]
}

fn push(service: &Service, token: &str) -> Reply {
    push_as(service, token, "application/secevent+jwt")
}

fn push_as(service: &Service, token: &str, content_type: &str) -> Reply {
    let headers = [format!("Authorization: Bearer {}", service.token), format!("Content-Type: {content_type}")];
    service.raw("POST", "/ssf/idp", &headers.each_ref().map(String::as_str), Some(token))
}

/// `now`, `now+301` or `now-60` as seconds since 1970.
fn instant(room: &Room, value: &Value) -> Value {
    let Some(offset) = value.as_str().and_then(|text| text.strip_prefix("now")) else { return value.clone() };
    let offset: i64 = if offset.is_empty() { 0 } else { offset.parse().unwrap() };
    json!(room.now().unix_seconds() + offset)
}

/// An ordinary token's claims.
fn claims(room: &Room, jti: &str, event: &str, subject: &Value, data: &Value) -> Value {
    let mut events = serde_json::Map::new();
    events.insert(long(event), if data.is_null() { json!({}) } else { data.clone() });
    json!({"iss": ISSUER, "aud": AUDIENCE, "jti": jti, "iat": room.now().unix_seconds(), "sub_id": subject,
        "events": events})
}

/// `risc/account-disabled` is short for the address of that event.
fn long(event: &str) -> String {
    match event.split_once('/') {
        Some((family @ ("risc" | "caep" | "ssf"), name)) => {
            format!("https://schemas.openid.net/secevent/{family}/event-type/{name}")
        }
        _ => event.replace("scim:", "urn:ietf:params:scim:event:"),
    }
}

fn tell(file: &str) {
    let path = format!("{}/tests/signals/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
    let story: Story = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (room, signer) = room(&story.signals, &story.source, &story.before);
    let service = Service::of(&room, "idp");
    let mut sent: BTreeMap<&str, String> = BTreeMap::new();
    for (number, step) in story.steps.iter().enumerate() {
        let place = format!("{file}: step {}: {}", number + 1, step.about);
        let token = match &step.again {
            Some(name) => sent[name.as_str()].clone(),
            None => token(&room, &signer, step, number),
        };
        let reply = push_as(&service, &token, step.content_type.as_deref().unwrap_or("application/secevent+jwt"));
        sent.extend(step.called.as_deref().map(|name| (name, token)));
        assert_eq!(reply.status, step.status, "{place}\n{}", reply.body);
        match &step.err {
            None => assert_eq!(step.status == 202, reply.body.is_empty(), "{place}: {}", reply.body),
            Some(err) => assert_eq!(reply.json()["err"], json!(err), "{place}\n{}", reply.body),
        }
        assert!(!reply.body.contains('\u{1b}') && !reply.body.contains("\\u001b"), "{place}: {}", reply.body);
        if let Some(says) = &step.says {
            assert!(reply.body.contains(says), "{place}\n{}", reply.body);
        }
        check(&room, step, &place);
    }
}

fn token(room: &Room, signer: &Signer, step: &Step, number: usize) -> String {
    if let Some(raw) = &step.raw {
        return raw.replace("LONG", &"a".repeat(70_000));
    }
    let mut header = json!({"typ": "secevent+jwt", "alg": "RS256", "kid": "rsa"});
    merge(&mut header, &step.header);
    let text = match &step.text {
        Some(text) => text.replace("NOW", &room.now().unix_seconds().to_string()).replace("DEEP", &deep()),
        None => {
            let event = step.event.as_deref().unwrap_or("risc/account-disabled");
            let subject = json!({"format": "email", "email": "e1@hr.example"});
            let mut all = claims(room, &format!("j{number}"), event, &subject, &step.data);
            merge(&mut all, &step.claims);
            if !all["iat"].is_null() {
                all["iat"] = instant(room, &all["iat"]);
            }
            all.to_string()
        }
    };
    signer.token_of(&header.to_string(), &text, step.key.as_deref().unwrap_or("rsa"))
}

fn deep() -> String {
    format!("{}{}", "[".repeat(200), "]".repeat(200))
}

fn check(room: &Room, step: &Step, place: &str) {
    // Whatever was answered is published by now.
    let (keyring, now) = (room.keyring(), room.now());
    room.check_states(&step.persons, place);
    for (id, emails) in &step.emails {
        let person = keyring.person(&id.parse().unwrap()).unwrap().unwrap();
        let held: Vec<&str> =
            person.emails.iter().filter(|held| held.span.contains(now)).map(|held| held.value.as_str()).collect();
        assert_eq!(&held, emails, "{place}: {id}");
    }
    for (id, expected) in &step.events {
        let shown = room.json(&["person", "show", id]);
        let own = shown["events"].as_array().unwrap().iter().filter(|event| event["source"] == "idp");
        let said: Vec<&str> = own.map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(&said, expected, "{place}: {id}");
    }
    if step.reviews.is_some() || step.settle {
        let open = room.json(&["signals", "list", "--open"]);
        let open = open["signals"].as_array().unwrap();
        assert_eq!(Some(open.len()), step.reviews.or(Some(open.len())), "{place}");
        for signal in open.iter().filter(|_| step.settle) {
            let id = signal["id"].as_str().unwrap();
            let settled = room.run(&["signals", "settle", id, "--reason", "looked at"]);
            assert!(settled.contains("settled"), "{place}: {settled}");
        }
    }
}

#[test]
fn the_table_of_events() {
    tell("table");
}

#[test]
fn forged_tokens() {
    tell("forged");
}

#[test]
fn tokens_of_odd_shape() {
    tell("shape");
}

#[test]
fn replayed_late_and_reordered() {
    tell("order");
}

#[test]
fn whom_a_token_names() {
    tell("subjects");
}

#[test]
fn scim_events() {
    tell("scim");
}

#[test]
fn googles_dialect() {
    tell("google");
}

#[test]
fn the_stream_itself() {
    tell("stream");
}

/// The certificate that is named ends, and no other.
#[test]
fn a_certificate_that_is_revoked_ends_here() {
    let (room, signer) = room(&Value::Null, &Value::Null, &hired("E1"));
    let service = Service::of(&room, "idp");
    let mut fingerprints = Vec::new();
    for serial in ["0x8f01a0", "4660"] {
        let made = room.shell(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.pem -days 30 \
             -subj '/CN=E1' -set_serial {serial} -addext basicConstraints=CA:false -addext keyUsage=digitalSignature 2>/dev/null"
        ));
        assert!(made.ends_with("= 0\n"), "{made}");
        let added = room.run(&["key", "add", "E1", "--x509", "leaf.pem"]);
        assert!(added.contains("X509:"), "{added}");
        let at = added.find("X509:").unwrap();
        fingerprints
            .push(added[at..].split(|c: char| !c.is_ascii_alphanumeric() && c != ':').next().unwrap().to_owned());
    }
    let retired = || -> Vec<bool> {
        let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
        let ended =
            |text: &String| person.keys.iter().any(|key| key.fingerprint.as_str() == text && key.retired.is_some());
        fingerprints.iter().map(ended).collect()
    };
    let mut number = 0;
    let mut send = |event: &str, data: Value| {
        number += 1;
        let subject = json!({"format": "email", "email": "e1@hr.example"});
        let claims = claims(&room, &format!("c{number}"), event, &subject, &data);
        push(&service, &signer.token(&claims))
    };
    let change = |serial: &str| json!({"credential_type": "x509", "change_type": "revoke", "x509_issuer": "CN=E1", "x509_serial": serial});
    assert_eq!(send("caep/credential-change", change("ffff")).status, 202, "not one of ours");
    assert_eq!(retired(), [false, false]);
    assert_eq!(send("caep/credential-change", change("8F:01:A0")).status, 202);
    assert_eq!(retired(), [true, false]);
    let unnamed = json!({"credential_type": "x509", "change_type": "revoke"});
    let reply = send("caep/credential-change", unnamed);
    assert_eq!((reply.status, reply.json()["err"].as_str()), (400, Some("invalid_request")), "which one is not said");
    assert_eq!(retired(), [true, false]);
    assert_eq!(send("risc/credential-compromise", json!({"credential_type": "x509"})).status, 202);
    assert_eq!(retired(), [true, true], "the one that fell into other hands is among them");
    let person = room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap();
    assert!(person.is_active(room.now()) && person.keys.iter().all(|key| key.compromised.is_none()));
    let open = room.json(&["signals", "list", "--open"]);
    assert!(open["signals"][0]["review"].as_str().unwrap().contains("--reason compromised --since"), "{open}");
}

/// Many at once are held back by name, and the transmitter keeps what was held.
#[test]
fn a_flood_is_staged_and_single_ends_pass() {
    let people: Vec<Value> = (0..30).flat_map(|number| hired(&format!("P{number}"))).collect();
    let (room, signer) = room(&Value::Null, &Value::Null, &people);
    // Whoever has no key has nothing to lose, and is not counted.
    let keys: Vec<String> = (0..30)
        .map(|number| {
            let name = format!("p{number}");
            room.ssh_key(&name);
            json!({"id": name, "source": "hr", "person": format!("P{number}"), "type": "key_added",
                "data": {"ssh": room.read(&format!("{name}.pub")).trim()}})
            .to_string()
        })
        .collect();
    room.write("keys.jsonl", &(keys.join("\n") + "\n"));
    assert!(room.run(&["apply", "keys.jsonl"]).ends_with("= 0\n"));
    let service = Service::of(&room, "idp");
    let subject = |number: usize| json!({"format": "email", "email": format!("p{number}@hr.example")});
    let tokens: Vec<String> = (0..30)
        .map(|number| {
            signer.token(&claims(&room, &format!("f{number}"), "risc/account-disabled", &subject(number), &json!({})))
        })
        .collect();
    let replies: Vec<Reply> = tokens.iter().map(|token| push(&service, token)).collect();
    let passed = replies.iter().filter(|reply| reply.status == 202).count();
    let held: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert!(
        (10..14).contains(&passed) && passed + held.len() == 30,
        "ten by name, and a tenth of those who are left: {passed}"
    );
    assert!(held.iter().all(|reply| reply.header("retry-after") == Some("300") && reply.body.contains("staged")));
    let suspended = || {
        let (keyring, now) = (room.keyring(), room.now());
        let out =
            |number: &usize| !keyring.person(&format!("P{number}").parse().unwrap()).unwrap().unwrap().is_active(now);
        (0..30).filter(out).count()
    };
    assert_eq!(suspended(), passed);
    let last = tokens.last().unwrap();
    assert_eq!(push(&service, last).status, 503, "it waits, once");
    let staged = room.json(&["staged", "list"]);
    let batch =
        staged["staged"].as_array().unwrap().iter().find(|row| row["person"] == "P29").unwrap()["batch"].clone();
    assert_eq!(staged["staged"].as_array().unwrap().len(), held.len());
    for name in ["alice", "bob"] {
        let said = room.run(&["staged", "approve", batch.as_str().unwrap(), "--as", name]);
        assert!(said.ends_with("= 0\n"), "{said}");
    }
    assert_eq!(suspended(), passed + 1);
    assert_eq!(push(&service, last).status, 202, "approved since");
    assert_eq!(suspended(), passed + 1);
}

/// Who asks for another source, or with another source's token, is told nothing and changes nothing.
#[test]
fn a_token_is_good_for_its_own_source() {
    let (room, signer) = room(&Value::Null, &Value::Null, &hired("E1"));
    let hr = room.run(&["token", "add", "hr"]);
    let hr = hr.lines().find(|line| line.starts_with("csk_")).unwrap().to_owned();
    let service = Service::of(&room, "idp");
    let subject = json!({"format": "email", "email": "e1@hr.example"});
    let token = signer.token(&claims(&room, "a1", "risc/account-disabled", &subject, &json!({})));
    let send = |path: &str, bearer: &str| {
        let bearer = format!("Authorization: Bearer {bearer}");
        service.raw("POST", path, &[&bearer, "Content-Type: application/secevent+jwt"], Some(&token))
    };
    for (path, bearer, status) in [
        ("/ssf/idp", hr.as_str(), 403),
        ("/ssf/hr", hr.as_str(), 403),
        ("/ssf/hr", service.token.as_str(), 403),
        ("/ssf/nobody", service.token.as_str(), 403),
        ("/ssf/idp", "csk_00_00", 401),
        ("/ssf/", service.token.as_str(), 404),
    ] {
        assert_eq!(send(path, bearer).status, status, "{path}");
    }
    assert_eq!(send("/ssf/hr", &hr).json()["err"], "access_denied");
    assert_eq!(service.raw("POST", "/ssf/idp", &["Content-Type: application/secevent+jwt"], Some(&token)).status, 401);
    let get = format!("Authorization: Bearer {}", service.token);
    assert_eq!(service.raw("GET", "/ssf/idp", &[&get], None).status, 405);
    assert!(room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap().is_active(room.now()));
    assert_eq!(send("/ssf/idp", &service.token).status, 202);
    assert!(!room.keyring().person(&"E1".parse().unwrap()).unwrap().unwrap().is_active(room.now()));
}

/// The same token from many at once counts once, and nobody is told that it failed.
#[test]
fn concurrent_copies_count_once() {
    let (room, signer) = room(&Value::Null, &Value::Null, &hired("E1"));
    let service = Service::of(&room, "idp");
    let subject = json!({"format": "email", "email": "e1@hr.example"});
    let token = signer.token(&claims(&room, "c1", "risc/account-disabled", &subject, &json!({})));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(push(&service, &token).status, 202));
        }
    });
    let shown = room.json(&["person", "show", "E1"]);
    let said = shown["events"].as_array().unwrap().iter().filter(|event| event["source"] == "idp").count();
    assert_eq!(said, 1);
}

/// Also across a restart.
#[test]
fn what_was_taken_is_known_after_a_restart() {
    let (room, signer) = room(&Value::Null, &Value::Null, &hired("E1"));
    let subject = json!({"format": "email", "email": "e1@hr.example"});
    let off = signer.token(&claims(&room, "r1", "risc/account-disabled", &subject, &json!({})));
    let service = Service::of(&room, "idp");
    assert_eq!(push(&service, &off).status, 202);
    assert_eq!(service.stop(), Some(0));
    assert!(room.run(&["token", "list"]).contains("idp"));
    let service = Service::of(&room, "idp");
    assert_eq!(push(&service, &off).status, 202);
    let listed = room.json(&["signals", "list"]);
    assert_eq!(listed["signals"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["signals"][0]["outcome"], "applied");
}

/// A service that could verify nothing, or believe the wrong, does not start.
#[test]
fn keys_that_cannot_be_used_are_told_at_the_start() {
    let (room, signer) = room(&Value::Null, &Value::Null, &hired("E1"));
    for (keys, why) in [
        (json!({"keys": [signer.rsa("weak", "w")]}).to_string(), "RSA of 1024 bits"),
        (json!({"keys": [{"kty": "oct", "kid": "s", "k": "AAAA"}]}).to_string(), "holds a secret"),
        (json!({"keys": [signer.rsa("rsa", "r"), signer.rsa("stranger", "r")]}).to_string(), "called `r`"),
        ("<html>".to_owned(), "no JSON"),
    ] {
        room.write("idp.jwks", &keys);
        let said = room.run(&["serve"]);
        assert!(said.contains("sources: idp: signals.jwks_file: idp.jwks: ") && said.contains(why), "{said}");
        assert!(said.ends_with("= 2\n"), "{said}");
    }
}

/// A key that the operator adds to the file counts without a restart.
#[test]
fn a_key_file_that_was_replaced_is_read_again() {
    let (room, signer) = room(&Value::Null, &Value::Null, &hired("E1"));
    let service = Service::of(&room, "idp");
    let subject = json!({"format": "email", "email": "e1@hr.example"});
    let claims = claims(&room, "k1", "risc/account-disabled", &subject, &json!({}));
    let header = json!({"typ": "secevent+jwt", "alg": "RS256", "kid": "new"});
    let token = signer.token_of(&header.to_string(), &claims.to_string(), "stranger");
    assert_eq!(push(&service, &token).json()["err"], "invalid_key");
    let mut keys = signer.jwks();
    keys["keys"].as_array_mut().unwrap().push(signer.rsa("stranger", "new"));
    room.write("idp.jwks", &keys.to_string());
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(push(&service, &token).status, 202);
}

/// Every kind of source may be watched for silence: a request over SCIM and a list that is taken are signs of life.
#[test]
fn other_sources_are_heard_too() {
    let room = Room::new();
    let config = room.read("keyring-sync.yaml");
    let with = |sources: &str| {
        let serve = "serve:\n  listen: 127.0.0.1:0\n";
        room.write("keyring-sync.yaml", &format!("{config}{serve}sources: {sources}\n"));
    };
    with("{okta: {scim: {person_id: externalId}, silent_after: 1s}, hr: {csv: {file: hr.csv}, silent_after: 1d}}");
    let service = Service::of(&room, "okta");
    let heard = |name: &str| {
        let known = room.json(&["sources"]);
        let source =
            known["sources"].as_array().unwrap().iter().find(|source| source["source"] == name).unwrap().clone();
        (source["last_heard"].is_string(), source["degraded"] == true)
    };
    let begun = std::time::Instant::now();
    while !heard("okta").1 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "it is silent");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(service.send("GET", "/Users?count=0", None).status, 200);
    while !heard("okta").0 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "a request is a sign of life");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(heard("hr"), (false, false));
    let now = room.now();
    room.write("hr.csv", &format!("employee_id,status,exported_at,row_count\nE1,active,{now},1\n"));
    let said = room.run(&["sync"]);
    assert!(said.ends_with("= 0\n"), "{said}");
    assert_eq!(heard("hr"), (true, false));

    for (sources, why) in [
        ("{a: {silent_after: 10ms}}", "a: silent_after must be at least 1 s"),
        (
            "{a: {scim: {person_id: id}, signals: {issuer: i, audience: a, jwks_file: k}}}",
            "a: signals stand in a source of their own",
        ),
        ("{a: {signals: {issuer: i, audience: a}}}", "a: signals: give jwks_file"),
        ("{a: {signals: {issuer: i, audience: a, jwks_url: 'http://idp.example/k'}}}", "use https"),
    ] {
        with(sources);
        let said = room.run(&["sources"]);
        assert!(said.contains(why) && said.ends_with("= 2\n"), "{said}");
    }
}
