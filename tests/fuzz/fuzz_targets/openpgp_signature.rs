//! The packets of an OpenPGP signature.
#![no_main]

use countersign_fuzz::{armoured, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packets: &[u8]| {
    server().verify(&armoured("PGP SIGNATURE", packets));
});
