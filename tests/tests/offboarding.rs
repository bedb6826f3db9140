//! From the word "gone" to the rejected push: how long it takes, whoever says it, and that none is lost.

mod common;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::Site;
use countersign_policy::keyring::Keyring;
use countersign_policy::time::Time;
use countersign_registry::PublishedKeyring;
use countersign_tests::crowd;
use countersign_tests::handmade::DATE;
use countersign_tests::handmade::object::{Format, Kind, Object, pack};
use countersign_tests::handmade::signer::{SshKey, Sshsig};
use countersign_tests::process::{Outcome, must, must_with_input, run};
use countersign_tests::servers::Server;
use countersign_tests::service::{Service, token};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

const CROWD: usize = 100_000;

/// Of each way to say it.
const RUNS: usize = 200;

/// Offboarding takes seconds; what is ours of it stays below one.
const P99_AT_MOST: Duration = Duration::from_secs(1);

/// Somebody who will leave, with a commit that is ready to be pushed.
struct Leaver {
    id: String,
    commit: String,
}

fn email(id: &str) -> String {
    format!("{id}@leaver.example")
}

/// What HR says of them before.
fn hiring(id: &str, key: &SshKey) -> String {
    let event = |kind: &str, data: serde_json::Value| {
        json!({"id": format!("{kind}-{id}"), "source": "crowd", "person": id, "type": kind, "data": data}).to_string()
            + "\n"
    };
    event("hired", json!({"name": id, "emails": [email(id)]}))
        + &event("activated", json!({}))
        + &event("key_added", json!({"ssh": key.line()}))
}

/// A commit without parents, signed.
fn commit(id: &str, key: &SshKey, tree: &Object) -> Object {
    let who = format!("{id} <{}> {DATE} +0000", email(id));
    let headers = format!("tree {}\nauthor {who}\ncommitter {who}\n", tree.id);
    let signature = Sshsig::of(key, format!("{headers}\n{id}\n").as_bytes()).armored();
    let folded = signature.trim_end().replace('\n', "\n ");
    Object::new(Format::Sha1, Kind::Commit, format!("{headers}gpgsig {folded}\n\n{id}\n"))
}

/// The ways to say it, and who leaves by each.
struct Channel {
    name: &'static str,
    leavers: Vec<Leaver>,
}

/// A repository on this machine that holds the commits of all who will leave.
fn desk(folder: &Path, objects: &[Object]) -> PathBuf {
    let desk = folder.join("desk");
    must(Command::new("git").args(["init", "--quiet", "--bare"]).arg(&desk));
    let mut git = Command::new("git");
    must_with_input(git.current_dir(&desk).args(["unpack-objects", "-q"]), &pack(Format::Sha1, objects));
    must(Command::new("chmod").args(["-R", "a+rX"]).arg(&desk));
    desk
}

fn push(site: &Site, desk: &Path, to: &Path, leaver: &Leaver, branch: &str) -> Outcome {
    let mut git = site.server.unix_user().command("git", site.server.home());
    let refspec = format!("{}:refs/heads/{branch}", leaver.commit);
    run(git.current_dir(desk).arg("push").arg("--quiet").arg(to).arg(refspec), b"")
}

/// Of Standard Webhooks.
const SECRET: [u8; 32] = [7; 32];

/// HR says so itself.
fn webhook(service: &Service, person: &str) {
    let now = Time::from_system(SystemTime::now());
    let body =
        json!({"type": "terminated", "timestamp": now, "data": {"person": person, "reason": "left"}}).to_string();
    let (id, timestamp) = (format!("gone-{person}"), now.unix_seconds().to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(tag));
    let headers = [("webhook-id", id.as_str()), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    let answer = service.send("POST", "/webhooks/webhook", &headers, &body).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// An identity provider says so in a security event token.
fn signal(service: &Service, bearer: &str, transmitter: &Ed25519KeyPair, person: &str) {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": "https://idp.example/", "aud": "https://git.example/", "jti": format!("gone-{person}"),
        "iat": Time::from_system(SystemTime::now()).unix_seconds(),
        "sub_id": {"format": "iss_sub", "iss": "https://idp.example/", "sub": person},
        "events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}},
    });
    let signed = format!("{}.{}", part(&json!({"typ": "secevent+jwt", "alg": "EdDSA", "kid": "k1"})), part(&claims));
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(transmitter.sign(signed.as_bytes())));
    let headers = [("Authorization", bearer), ("Content-Type", "application/secevent+jwt")];
    let answer = service.send("POST", "/ssf/signals", &headers, &token).expect("an answer");
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[test]
fn gone_is_a_rejected_push_within_a_second_whoever_says_it() {
    let mut site = Site::new();
    let repository = site.repository("app");
    site.install(&repository);
    let names = ["scim", "webhook", "signals", "kill"];
    let tree = Object::tree(Format::Sha1, &[]);
    let (mut objects, mut hirings, mut channels) = (vec![tree.clone()], crowd::events(CROWD), Vec::new());
    for name in names {
        let mut leavers = Vec::new();
        // The last one stays.
        for number in 0..=RUNS {
            let id = format!("{name}-{number:03}");
            let key = SshKey::named(&id);
            hirings.push_str(&hiring(&id, &key));
            let object = commit(&id, &key, &tree);
            leavers.push(Leaver { id, commit: object.id.clone() });
            objects.push(object);
        }
        channels.push(Channel { name, leavers });
    }
    let desk = desk(site.folder.path(), &objects);
    let taken = site.product.keyring_sync(&["apply", "-"], hirings.as_bytes());
    assert!(taken.succeeded(), "{taken:?}");

    // Two hundred within a day are more than any source says of single people; the brake is another test's.
    let more = "brake: {singles: {per_source: 1000, all_sources: 10000}}
serve: {listen: '127.0.0.1:0', requests_per_second: 10000}
sources:
  scim: {scim: {person_id: externalId}}
  webhook: {webhook: {kind: standard, secret_files: [webhook.secret]}}
  signals:
    signals:
      issuer: https://idp.example/
      audience: https://git.example/
      jwks_file: idp.jwks
      subjects: {iss_sub: person_id}
";
    let transmitter = Ed25519KeyPair::from_seed_unchecked(&SECRET).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(transmitter.public_key());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": x}]});
    std::fs::write(site.product.root().join("idp.jwks"), keys.to_string()).expect("a key set");
    let secret = format!("whsec_{}", STANDARD.encode(SECRET));
    std::fs::write(site.product.root().join("webhook.secret"), secret).expect("a secret");
    let path = site.product.root().join("keyring-sync.yaml");
    let config = std::fs::read_to_string(&path).expect("keyring-sync.yaml");
    std::fs::write(&path, config + more).expect("keyring-sync.yaml");
    let bearer = format!("Bearer {}", token(&site.product, "scim"));
    let events = format!("Bearer {}", token(&site.product, "signals"));
    let service = Service::start(&site.product);
    let scim = |method: &str, path: &str, body: serde_json::Value| {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/scim+json")];
        let answer = service.send(method, &format!("/scim/v2{path}"), &headers, &body.to_string()).expect("an answer");
        assert!((200..300).contains(&answer.status), "{answer:?}");
        serde_json::from_str::<serde_json::Value>(&answer.body).expect("JSON")
    };

    let mut table = Vec::new();
    for Channel { name, leavers } in &channels {
        // What an identity provider has told before anybody leaves.
        let resources: Vec<String> = match *name {
            "scim" => leavers
                .iter()
                .map(|Leaver { id, .. }| {
                    let user = scim("POST", "/Users", json!({"userName": email(id), "externalId": id, "active": true}));
                    user["id"].as_str().expect("an id").to_owned()
                })
                .collect(),
            _ => Vec::new(),
        };
        let mut times = Vec::new();
        for (number, leaver) in leavers[..RUNS].iter().enumerate() {
            let begun = Instant::now();
            match *name {
                "scim" => {
                    let gone = json!({"Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
                    scim("PATCH", &format!("/Users/{}", resources[number]), gone);
                }
                "webhook" => webhook(&service, &leaver.id),
                "signals" => signal(&service, &events, &transmitter, &leaver.id),
                _ => drop(site.sync(&["kill", &leaver.id, "--reason", "left"])),
            }
            let rejected = push(&site, &desk, &repository.path, leaver, &format!("{name}/{number}"));
            times.push(begun.elapsed());
            assert!(rejected.stderr.contains("[signer-not-active]"), "{name}: {}", rejected.stderr);
        }
        let stays = push(&site, &desk, &repository.path, &leavers[RUNS], &format!("{name}/stays"));
        assert!(stays.succeeded(), "who is here may push: {}", stays.stderr);
        times.sort();
        table.push((name, times));
    }
    println!("from the request to the rejected push, {RUNS} runs each, {CROWD} persons, milliseconds:");
    println!("{:10} {:>8} {:>8} {:>8} {:>8}", "by", "p50", "p90", "p99", "most");
    for (name, times) in &table {
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
        println!("{name:10} {:8.1} {:8.1} {:8.1} {:8.1}", at(50), at(90), at(99), at(100));
    }
    for (name, times) in &table {
        assert!(times[(RUNS - 1) * 99 / 100] <= P99_AT_MOST, "{name}");
    }
}

/// Events of the run that is cut off.
const EVENTS: usize = 1_000;

/// Clients that send them at once.
const CLIENTS: usize = 8;

#[test]
fn a_service_that_is_killed_keeps_what_it_answered_and_nothing_by_halves() {
    let site = Site::new();
    let path = site.product.root().join("keyring-sync.yaml");
    let config = std::fs::read_to_string(&path).expect("keyring-sync.yaml");
    let more = "serve: {listen: '127.0.0.1:0', requests_per_second: 100000}
sources: {okta: {scim: {person_id: externalId}}}
";
    std::fs::write(&path, config + more).expect("keyring-sync.yaml");
    let bearer = format!("Bearer {}", token(&site.product, "okta"));
    let next = std::sync::atomic::AtomicUsize::new(0);
    let acknowledged = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let mut lives = 0;
    // Killed again and again in the middle, until everything was answered.
    while acknowledged.lock().expect("a list").len() < EVENTS {
        lives += 1;
        assert!(lives < 40, "it does not get through");
        let service = Service::start(&site.product);
        let missing: Vec<usize> = {
            let done = acknowledged.lock().expect("a list");
            (0..EVENTS).filter(|number| !done.contains(number)).collect()
        };
        next.store(0, std::sync::atomic::Ordering::SeqCst);
        let killed = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    loop {
                        let turn = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let Some(&number) = missing.get(turn) else { return };
                        let id = format!("E{number:04}");
                        let body = json!({"userName": email(&id), "externalId": id, "active": number % 3 != 0});
                        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/scim+json")];
                        match service.send("POST", "/scim/v2/Users", &headers, &body.to_string()) {
                            // 409: it was durable before the last life ended, and nobody was told.
                            Ok(answer) if matches!(answer.status, 201 | 409) => {
                                acknowledged.lock().expect("a list").insert(number);
                            }
                            Ok(answer) => panic!("{answer:?}"),
                            Err(_) => {
                                assert!(killed.load(std::sync::atomic::Ordering::SeqCst), "a connection broke early");
                                return;
                            }
                        }
                    }
                });
            }
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(150 + 20 * lives));
                killed.store(true, std::sync::atomic::Ordering::SeqCst);
                service.interrupt();
            });
        });
        drop(service);
        // Everything that was answered is in the registry and, once it is published again, in the keyring.
        let stated = site.sync(&["publish"]);
        assert!(stated.succeeded());
        let keyring = PublishedKeyring::open(&site.product.root().join("keyring")).expect("a keyring");
        for number in acknowledged.lock().expect("a list").iter() {
            let person = keyring.person(&format!("E{number:04}").parse().expect("an id")).expect("a keyring");
            let person = person.unwrap_or_else(|| panic!("E{number:04} was answered and is not there"));
            let now = Time::from_system(SystemTime::now());
            assert_eq!(person.is_active(now), number % 3 != 0, "E{number:04} is there by halves");
        }
    }
    println!("{EVENTS} events were answered in {lives} lives");
    assert!(lives > 1, "it was never killed in the middle");
    let verified = site.product.keyring_sync(&["status"], b"");
    assert!(verified.succeeded(), "{verified:?}");
}
