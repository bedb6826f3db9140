//! A company of a hundred thousand: persons with real keys, as events for `keyring-sync apply`.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

/// Lines for `count` active persons `P000000…`, each with one Ed25519 key.
pub fn events(count: usize) -> String {
    let mut lines = String::new();
    for number in 0..count {
        let id = format!("P{number:06}");
        let key = Ed25519KeyPair::generate().expect("a key");
        let mut blob = Vec::new();
        for part in [b"ssh-ed25519".as_slice(), key.public_key().as_ref()] {
            blob.extend(u32::try_from(part.len()).expect("a short part").to_be_bytes());
            blob.extend(part);
        }
        let line = format!("ssh-ed25519 {}", STANDARD.encode(blob));
        let mut event = |kind: &str, data: serde_json::Value| {
            let event =
                json!({ "id": format!("{kind}-{id}"), "source": "crowd", "person": id, "type": kind, "data": data });
            lines.push_str(&event.to_string());
            lines.push('\n');
        };
        event("hired", json!({ "name": format!("Person {number}"), "emails": [format!("{id}@crowd.example")] }));
        event("activated", json!({}));
        event("key_added", json!({ "ssh": line }));
    }
    lines
}
