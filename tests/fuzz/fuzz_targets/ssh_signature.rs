//! The bytes of an SSH signature, plain or by a certificate.
#![no_main]

use countersign_fuzz::{armoured, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|blob: &[u8]| {
    server().verify(&armoured("SSH SIGNATURE", blob));
});
