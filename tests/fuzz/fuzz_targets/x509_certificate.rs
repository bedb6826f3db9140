//! An X.509 certificate as an employee hands it in, and a root as the operator does.
#![no_main]

use countersign_fuzz::{clean, server};
use countersign_policy::signature::x509::{register, register_root};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    for take in [register, register_root] {
        match take(file, server().now) {
            Ok(registration) => {
                registration.notes.iter().for_each(|note| clean(note));
                assert_eq!(take(&registration.source, server().now), Ok(registration), "a certificate has one form");
            }
            Err(refusal) => clean(&refusal.to_string()),
        }
    }
});
