//! An independent client of the standard, scim2-cli with scim2-tester, against the running service.

use crate::common::Room;
use crate::common::service::Service;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As of the day they were first passed; a newer one may ask for more.
const TOOLS: [&str; 2] = ["scim2-cli==0.6.0", "scim2-tester==0.5.2"];

/// Checks that these versions make of what this server publishes. Fewer would mean that something is not published.
const CHECKS_AT_LEAST: usize = 120;

/// The tool, installed once beside what cargo builds; `SCIM2` names one that is there.
fn tool() -> PathBuf {
    if let Some(path) = std::env::var_os("SCIM2") {
        return path.into();
    }
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scim2");
    let tool = venv.join("bin/scim2");
    if !tool.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status().unwrap();
        assert!(made.success(), "python3 makes no virtual environment");
        let pip =
            Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--no-input"]).args(TOOLS).output().unwrap();
        assert!(pip.status.success(), "{}", String::from_utf8_lossy(&pip.stderr));
    }
    tool
}

#[test]
fn every_check_of_the_standard_client_passes_and_none_is_skipped() {
    let tool = tool();
    let room = Room::new();
    let service = Service::start(&room, "{person_id: id, groups: {countersign-seniors: senior}}");
    let run = Command::new(tool)
        .args(["-u", &service.base(), "test", "-v"])
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {}", service.token))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    let count = |word: &str| said.lines().filter(|line| line.starts_with(word)).count();
    let bad: Vec<&str> = said
        .lines()
        .filter(|line| ["ERROR", "CRITICAL", "SKIPPED"].iter().any(|word| line.starts_with(word)))
        .collect();
    assert!(run.status.success() && bad.is_empty(), "{bad:#?}\n{said}");
    assert!(count("SUCCESS") >= CHECKS_AT_LEAST, "{} checks\n{said}", count("SUCCESS"));
}
