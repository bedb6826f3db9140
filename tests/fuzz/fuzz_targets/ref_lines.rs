//! What git writes to a hook, with ref names that the client chose.
#![no_main]

use countersign::forge::{self, ForgeKind};
use countersign::push::read_updates;
use countersign_fuzz::{clean, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let updates = match read_updates(input, &server().policy.limits) {
        Ok(updates) => updates,
        Err(error) => return clean(&error.to_string()),
    };
    let mut lines = Vec::new();
    for update in &updates {
        clean(&update.name.to_string());
        clean(&update.name.shown());
        let controls = update.name.as_bytes().iter().any(u8::is_ascii_control);
        assert!(!controls || !update.name.is_well_formed(), "{:?}", update.name);
        assert!(!forge::is_review_ref(ForgeKind::Plain, &update.name));
        lines.extend(format!("{} {} ", update.old, update.new).bytes());
        lines.extend(update.name.as_bytes());
        lines.push(b'\n');
    }
    assert_eq!(read_updates(lines.as_slice(), &server().policy.limits).expect("lines of our own"), updates);
});
