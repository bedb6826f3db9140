//! What is shipped as an example is read by the program that it is for.

use keyring_sync::config::Config;
use std::path::Path;

#[test]
fn the_example_for_systemd_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/keyring-sync.yaml");
    let config = Config::read(&path).unwrap();
    assert!(config.serve.unwrap().listen.ip().is_loopback());
    let entra = config.sources[&"entra".parse().unwrap()].scim.as_ref().unwrap();
    assert_eq!(entra.groups["countersign-seniors"].as_str(), "senior");
}

/// The parts on webhooks and security events are commented out, for they need secrets.
#[test]
fn the_examples_with_secrets_are_sound_without_their_marks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/keyring-sync.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, marked) = text.split_once("  # hibob:\n").unwrap();
    let (webhook, signals) = marked.split_once("  # idp:\n").unwrap();
    // Between the two stand sentences.
    let (webhook, _) = webhook.split_once("\n\n").unwrap();
    let bare = |marked: &str| format!("\n{marked}").replace("\n  # ", "\n  ");
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("keyring-sync.yaml");
    std::fs::write(&file, format!("{before}  hibob:{}\n  idp:{}", bare(webhook), bare(signals))).unwrap();
    let config = Config::read(&file).unwrap();
    let hibob = config.sources[&"hibob".parse().unwrap()].webhook.as_ref().unwrap();
    assert_eq!(hibob.secret_files, [dir.path().join("secrets/hibob")]);
    let idp = &config.sources[&"idp".parse().unwrap()];
    assert_eq!(idp.silent_after, Some(std::time::Duration::from_secs(3600)));
    let signals = idp.signals.as_ref().unwrap();
    assert_eq!(signals.expected.issuer, "https://idp.example/");
    assert!(signals.poll.is_some() && signals.verification.is_some());
}
