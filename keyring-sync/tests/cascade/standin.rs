//! A forge of one account, `alice`, as Gitea, GitLab or GHES would answer; in whatever mood it is told to be.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the forge takes what it is told; questions are answered truly but for [`Mood::Away`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    /// Says 500.
    Fails,
    /// Says 200 and does nothing.
    Lies,
    /// Does it, and the answer gets lost.
    Mumbles,
    /// Keeps everybody waiting, also with a question.
    Hangs,
    /// Says 503 to everything.
    Away,
    /// Says 403 to everything, as to a token without rights.
    Forbids,
    /// Sends more bytes than anybody wants to read.
    Floods,
}

#[derive(Debug)]
pub struct Account {
    pub blocked: bool,
    /// `keys`, `gpg_keys` and `tokens`, by their numbers.
    pub lists: BTreeMap<&'static str, Vec<u64>>,
}

#[derive(Debug)]
pub struct State {
    pub mood: Mood,
    pub account: Option<Account>,
    pub asked: Vec<String>,
}

#[derive(Clone)]
pub struct Forge {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

impl Forge {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let lists = BTreeMap::from([("keys", vec![11, 12]), ("gpg_keys", vec![21]), ("tokens", vec![31, 32, 33])]);
        let account = Some(Account { blocked: false, lists });
        let state = Arc::new(Mutex::new(State { mood: Mood::Good, account, asked: Vec::new() }));
        let forge = Forge { url, state };
        let server = forge.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(&stream.unwrap()));
            }
        });
        forge
    }

    pub fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// What still works.
    pub fn open(&self) -> Vec<&'static str> {
        let state = self.state.lock().unwrap();
        let account = state.account.as_ref().unwrap();
        let login = (!account.blocked).then_some("login");
        let lists = account.lists.iter().filter(|(_, ids)| !ids.is_empty()).map(|(name, _)| *name);
        login.into_iter().chain(lists).collect()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            head.iter().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let first = head[0].clone();
        let (method, path) = (first.split(' ').next().unwrap(), first.split(' ').nth(1).unwrap());
        let mut state = self.state.lock().unwrap();
        state.asked.push(format!("{method} {path}"));
        let mood = state.mood;
        let asks = method == "GET";
        let authorized = header("private-token").or(header("authorization"));
        let answer = match mood {
            Mood::Away => (503, json!("starting\u{1b}[31m")),
            Mood::Forbids => (403, json!({"message": "token does not have at least one of required scope(s)"})),
            Mood::Fails if !asks => (500, json!({"message": "oops"})),
            Mood::Lies if !asks => (200, json!({})),
            _ => {
                let body = serde_json::from_slice(&body).unwrap_or_default();
                answer(&mut state, method, path, &body, authorized.as_deref(), header("sudo").as_deref())
            }
        };
        drop(state);
        match mood {
            Mood::Hangs => std::thread::sleep(Duration::from_secs(60)),
            Mood::Mumbles if !asks => {}
            Mood::Floods => flood(stream),
            _ => reply(stream, &answer),
        }
    }
}

fn reply(mut stream: &TcpStream, (status, body): &(u16, Value)) {
    let body = match body {
        Value::Null => String::new(),
        // No JSON, but words as they are.
        Value::String(words) => words.clone(),
        body => body.to_string(),
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn flood(mut stream: &TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n[");
    while stream.write_all(&[b' '; 65536]).is_ok() {}
}

const MISSING: (u16, Value) = (404, Value::Null);

fn answer(
    state: &mut State,
    method: &str,
    path: &str,
    body: &Value,
    authorized: Option<&str>,
    sudo: Option<&str>,
) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let first_page = !query.contains("page=") || query.split('&').any(|part| part == "page=1");
    let parts: Vec<&str> = path.split('/').skip(3).collect();
    if parts == ["user"] {
        return (200, json!({"id": 1, "login": "root"}));
    }
    let gitlab = path.starts_with("/api/v4/");
    let Some(account) = &mut state.account else {
        return if gitlab && parts == ["users"] { (200, json!([])) } else { MISSING };
    };
    let user = || {
        let state = if account.blocked { "blocked" } else { "active" };
        let suspended_at = if account.blocked { json!("2026-11-23T17:00:00Z") } else { Value::Null };
        json!({"id": 3, "login": "alice", "username": "alice", "state": state, "source_id": 7, "login_name": "uid=alice",
            "active": !account.blocked, "prohibit_login": account.blocked, "suspended_at": suspended_at})
    };
    let listed = |ids: &[u64]| {
        // Another user's token stands among them, as where an administrator sees all.
        let entry = |id: &u64| json!({"id": id, "user_id": 3, "user": {"login": "alice"}});
        let mut all: Vec<Value> = ids.iter().map(entry).collect();
        if path.ends_with("tokens") && !path.starts_with("/api/v1/") {
            all.push(json!({"id": 99, "user_id": 1, "user": {"login": "root"}}));
        }
        (200, if first_page { json!(all) } else { json!([]) })
    };
    let number = |text: &str| text.parse::<u64>().unwrap();
    let mut delete = |name: &str, id: &str| {
        let ids = account.lists.get_mut(name).unwrap();
        let before = ids.len();
        ids.retain(|known| *known != number(id));
        if ids.len() < before { (204, Value::Null) } else { MISSING }
    };
    match (method, parts.as_slice()) {
        // GitLab's look-up is by name, and finds others too.
        ("GET", ["users"]) if query.starts_with("username=alice&") => (
            200,
            if first_page { json!([{"id": 4, "username": "alice2", "state": "active"}, user()]) } else { json!([]) },
        ),
        ("GET", ["users", "alice"]) => (200, user()),
        ("GET", ["users", "alice", "tokens"]) if authorized != Some("Basic cm9vdDpzZWNyZXQ=") => {
            (401, json!({"message": "auth required"}))
        }
        ("GET", ["users", "alice" | "3", list @ ("keys" | "gpg_keys" | "tokens")]) => listed(&account.lists[list]),
        ("GET", ["personal_access_tokens"] | ["admin", "tokens"]) => listed(&account.lists["tokens"]),
        ("PATCH", ["admin", "users", "alice"]) => {
            if body["source_id"] != 7 || body["login_name"] != "uid=alice" {
                return (422, json!({"message": "[SourceID]: Required"}));
            }
            account.blocked = body["prohibit_login"] == true && body["active"] == false;
            (200, json!({}))
        }
        ("POST", ["users", "3", "block"]) | ("PUT", ["users", "alice", "suspended"]) => {
            account.blocked = true;
            (201, json!(true))
        }
        ("POST", ["users", "3", "unblock"]) | ("DELETE", ["users", "alice", "suspended"]) => {
            account.blocked = false;
            (201, json!(true))
        }
        ("DELETE", ["admin", "users", "alice", "keys", id] | ["users", "3", "keys", id] | ["admin", "keys", id]) => {
            delete("keys", id)
        }
        ("DELETE", ["user", "gpg_keys", id]) if sudo == Some("alice") => delete("gpg_keys", id),
        ("DELETE", ["users", "3", "gpg_keys", id]) => delete("gpg_keys", id),
        ("DELETE", ["users", "alice", "tokens", id]) if authorized.is_some_and(|word| word.starts_with("Basic ")) => {
            delete("tokens", id)
        }
        ("DELETE", ["personal_access_tokens", id] | ["admin", "tokens", id]) => delete("tokens", id),
        _ => MISSING,
    }
}
