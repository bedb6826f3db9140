//! Other programs' opinions: thousands of generated and mutated commits and tags are judged by Countersign, and by
//! `git verify-commit` or `git verify-tag`, `gpg --verify` and `ssh-keygen -Y verify`.
//!
//! We may be stricter, with a reason that stands in `exceptions.yaml`. We may not be laxer. The run fails on a
//! disagreement that is not listed, and on a listed one that no longer occurs.
//!
//! ```text
//! kinds (mutations) ─► object ─┬► ours ───┐
//! cast (people, keys) ─────────┴► oracle ─┴► report ◄─ exceptions
//! ```

mod cast;
mod exceptions;
mod kinds;
mod object;
mod openpgp;
mod oracle;
mod ours;
mod report;
mod sshsig;

use std::io::Write;

/// What the issue asks for.
const AT_LEAST: usize = 5000;

/// Read when the test runs, so that a reason is added without a build.
const EXCEPTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/differential/exceptions.yaml");

#[test]
fn we_are_never_laxer_than_the_other_programs() {
    let begun = std::time::Instant::now();
    let mut cast = cast::Cast::new();
    let objects = kinds::all(&mut cast);
    cast.settle();
    let generated = begun.elapsed();

    let policy = ours::policy();
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let ours: Vec<_> = objects.iter().map(|object| ours::judge(&cast, &policy, object)).collect();
    std::panic::set_hook(quiet);

    let theirs = oracle::ask_all(&cast, &objects);
    let exceptions = exceptions::Exceptions::read(&cast::read(EXCEPTIONS.as_ref()));
    let report = report::Report::new(&objects, &ours, &theirs, &exceptions);
    // Not by `println`, which the test harness swallows when all is well.
    let table = format!(
        "\n{report}{} objects in {} s, {} s of it to make them\n",
        objects.len(),
        begun.elapsed().as_secs(),
        generated.as_secs()
    );
    std::io::stdout().write_all(table.as_bytes()).expect("somewhere to print");
    assert!(objects.len() >= AT_LEAST, "only {} objects", objects.len());
    report.must_be_clean();
}
