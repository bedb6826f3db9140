//! An OpenPGP certificate as an employee hands it in, and an update of one that is known.
#![no_main]

use countersign_fuzz::{clean, server};
use countersign_policy::signature::openpgp::{register, split, without_secrets};
use libfuzzer_sys::fuzz_target;

const KNOWN: &[u8] = include_bytes!("../known/openpgp-ed25519.asc");

fuzz_target!(|bytes: &[u8]| {
    let now = server().now;
    split(bytes).err().into_iter().for_each(|refusal| clean(&refusal.to_string()));
    without_secrets(bytes).into_iter().for_each(|public| assert_eq!(without_secrets(&public), None));
    for known in [None, Some(KNOWN)] {
        match register(bytes, known, now) {
            Ok(registration) => {
                registration.notes.iter().for_each(|note| clean(note));
                let again = register(&registration.source, None, now).expect("what was registered once");
                assert_eq!((&again.fingerprint, &again.material), (&registration.fingerprint, &registration.material));
                assert_eq!(again.source, registration.source);
            }
            Err(refusal) => clean(&refusal.to_string()),
        }
    }
});
