//! A signature block as git hands it over, of any kind.
#![no_main]

use countersign_fuzz::{COMMIT, server};
use libfuzzer_sys::fuzz_target;

/// Were the blocks that really sign no longer taken, nothing behind the armour would be tried.
fn good_blocks_are_taken() {
    for (name, block) in countersign_fuzz::GOOD {
        assert!(server().verify(block).is_some(), "{name} over {}", String::from_utf8_lossy(COMMIT));
    }
}

fuzz_target!(init: good_blocks_are_taken(), |block: &[u8]| {
    server().verify(block);
});
