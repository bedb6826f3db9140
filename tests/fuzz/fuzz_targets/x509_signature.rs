//! The CMS message of an X.509 signature.
#![no_main]

use countersign_fuzz::{armoured, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    server().verify(&armoured("SIGNED MESSAGE", message));
});
