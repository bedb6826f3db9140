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
