//! A pattern and the name it is tried on, a line each; both are shown to people.
#![no_main]

use countersign_fuzz::clean;
use countersign_policy::id::RefName;
use countersign_policy::pattern::Pattern;
use countersign_policy::text::{shown, shown_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let (pattern, name) = lines.split_at(lines.iter().position(|&byte| byte == b'\n').unwrap_or(lines.len()));
    let ref_name = RefName::new(name);
    [ref_name.to_string(), ref_name.shown(), shown_bytes(lines, 40)].iter().for_each(|text| clean(text));
    let Ok(text) = std::str::from_utf8(pattern) else { return };
    clean(&shown(text, usize::MAX));
    match Pattern::new(text) {
        Ok(pattern) => {
            assert_eq!(pattern.matches(name), by_the_book(text.as_bytes(), name), "{text:?} {name:?}");
            assert!(!pattern.is_literal() || pattern.matches(name) == (text.as_bytes() == name));
        }
        Err(error) => clean(&error.to_string()),
    }
});

/// The definition itself: which prefixes of the pattern match which prefixes of the name.
fn by_the_book(pattern: &[u8], name: &[u8]) -> bool {
    let mut row: Vec<bool> = std::iter::once(true).chain(name.iter().map(|_| false)).collect();
    for &wanted in pattern {
        let mut next = vec![wanted == b'*' && row[0]];
        for (at, &byte) in name.iter().enumerate() {
            next.push(if wanted == b'*' { row[at + 1] || next[at] } else { row[at] && wanted == byte });
        }
        row = next;
    }
    row[name.len()]
}
