//! The end-to-end cases of `cases/*.yaml`, one test each. Needs the programs: `cargo build` first.

use countersign_tests::case::Case;
use std::path::Path;

fn run(file: &str) {
    Case::read(Path::new(file)).run();
}

include!(concat!(env!("OUT_DIR"), "/cases.rs"));
