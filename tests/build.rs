//! Makes one test of every case file, so that a case is added by adding a file. Cases in a folder of
//! `cases/` are named after it: `section5/carrier.yaml` is `section5_carrier`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=cases");
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("cases");
    let mut files = Vec::new();
    gather(&folder, &mut files);
    files.sort();
    let mut tests = String::new();
    for file in files {
        let name = file.strip_prefix(&folder).expect("below cases/").with_extension("");
        let name = name.to_string_lossy().replace(['-', '/'], "_");
        writeln!(tests, "#[test]\nfn {name}() {{\n    run({file:?});\n}}\n").expect("text");
    }
    let target = Path::new(&std::env::var("OUT_DIR").expect("set by cargo")).join("cases.rs");
    std::fs::write(target, tests).expect("cases.rs");
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of cases") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}
