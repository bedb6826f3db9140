//! The line of an SSH public key, as an employee hands it in.
#![no_main]

use countersign_fuzz::clean;
use countersign_policy::signature::ssh;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| match ssh::register(line) {
    Ok(registration) => {
        let source = std::str::from_utf8(&registration.source).expect("a line of text");
        assert_eq!(ssh::register(source), Ok(registration.clone()), "a key has one canonical form");
    }
    Err(refusal) => clean(&refusal.to_string()),
});
