//! What is shipped as an example is read by the program that it is for.

use keyring_sync::config::Config;
use std::path::Path;

#[test]
fn the_example_for_systemd_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/keyring-sync.yaml");
    let service = Config::read(&path).unwrap().serve.unwrap();
    assert!(service.listen.ip().is_loopback());
    let entra = service.scim.get(&"entra".parse().unwrap()).unwrap();
    assert_eq!(entra.groups["countersign-seniors"].as_str(), "senior");
}
