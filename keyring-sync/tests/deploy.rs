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

/// The part on webhooks is commented out, for it needs a secret.
#[test]
fn the_example_of_a_webhook_is_sound_without_its_marks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/keyring-sync.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, webhook) = text.split_once("  # hibob:\n").unwrap();
    let webhook = webhook.replace("\n  # ", "\n  ").replacen("  # ", "  ", 1);
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("keyring-sync.yaml");
    std::fs::write(&file, format!("{before}  hibob:\n{webhook}")).unwrap();
    let config = Config::read(&file).unwrap();
    let hibob = config.sources[&"hibob".parse().unwrap()].webhook.as_ref().unwrap();
    assert_eq!(hibob.secret_files, [dir.path().join("secrets/hibob")]);
}
