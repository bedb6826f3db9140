//! `keyring-sync serve` in a room of its own, and a client that speaks to it.

use super::Room;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Service {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

impl Service {
    /// Serves the SCIM source `okta` with these settings, YAML in braces.
    pub fn start(room: &Room, okta: &str) -> Self {
        let config = room.read("keyring-sync.yaml");
        if !config.contains("serve:") {
            let serve = "serve:\n  listen: 127.0.0.1:0\n  requests_per_second: 10000\n";
            room.write("keyring-sync.yaml", &format!("{config}{serve}sources:\n  okta: {{scim: {okta}}}\n"));
        }
        Self::of(room, "okta")
    }

    /// Serves what the configuration says, with a new token of `source`.
    pub fn of(room: &Room, source: &str) -> Self {
        let made = room.run(&["token", "add", source]);
        let token = made.lines().find(|line| line.starts_with("csk_")).unwrap_or_else(|| panic!("{made}")).to_owned();
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyring-sync"))
            .args(["--config", "keyring-sync.yaml", "serve"])
            .current_dir(room.path(""))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the service ended: {said}");
            said.push_str(&line);
            if let Some(at) = line.split("at=").nth(1) {
                break at.split_whitespace().next().unwrap().parse().unwrap();
            }
        };
        // Read to the end, or the service would stand still with a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Service { child, address, token }
    }

    pub fn base(&self) -> String {
        format!("http://{}/scim/v2", self.address)
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let token = format!("Authorization: Bearer {}", self.token);
        self.raw(method, &format!("/scim/v2{path}"), &[&token], body.map(Value::to_string).as_deref())
    }

    pub fn raw(&self, method: &str, path: &str, headers: &[&str], body: Option<&str>) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for header in headers {
            head.push_str(&format!("{header}\r\n"));
        }
        if let Some(body) = body {
            if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("content-type:")) {
                head.push_str("Content-Type: application/scim+json\r\n");
            }
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let sent = stream.write_all(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes());
        let mut reply = Vec::new();
        // A service that refuses a large body answers before it was read, and hangs up.
        let read = stream.read_to_end(&mut reply);
        assert!(!reply.is_empty(), "no answer: {sent:?} {read:?}");
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Asks it to stop; says with which code it did.
    pub fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
