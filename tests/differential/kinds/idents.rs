//! Person lines that readers understand differently, signed by the one who wrote them.

use crate::cast::Cast;
use crate::object::{AUTHOR, BOTH, COMMITTER, Objects, TAGGER, What};
use crate::{openpgp, sshsig};

/// Name, address, date and zone as they stand in the line.
const LINES: [(&str, &str); 44] = [
    ("usual", "Alice <alice@example.com> 1750000000 +0000"),
    ("other-case", "Alice <ALICE@Example.com> 1750000000 +0000"),
    ("colleague", "Bob <bob@example.com> 1750000000 +0000"),
    ("nobody", "Nobody <nobody@example.com> 1750000000 +0000"),
    ("empty-name", " <alice@example.com> 1750000000 +0000"),
    ("no-name", "<alice@example.com> 1750000000 +0000"),
    ("empty-address", "Alice <> 1750000000 +0000"),
    ("no-address", "Alice 1750000000 +0000"),
    ("blank-in-address", "Alice < alice@example.com > 1750000000 +0000"),
    ("two-addresses", "Alice <bob@example.com> <alice@example.com> 1750000000 +0000"),
    ("two-addresses-other-order", "Alice <alice@example.com> <bob@example.com> 1750000000 +0000"),
    ("bracket-after", "Alice <alice@example.com> x> 1750000000 +0000"),
    ("bracket-inside", "Alice <alice@example.com <bob@example.com> 1750000000 +0000"),
    ("bracket-before", "Alice > <alice@example.com> 1750000000 +0000"),
    ("no-closing-bracket", "Alice <alice@example.com 1750000000 +0000"),
    ("no-blank-before-address", "Alice<alice@example.com> 1750000000 +0000"),
    ("no-blank-after-address", "Alice <alice@example.com>1750000000 +0000"),
    ("two-blanks-after-address", "Alice <alice@example.com>  1750000000 +0000"),
    ("no-date", "Alice <alice@example.com>"),
    ("no-zone", "Alice <alice@example.com> 1750000000"),
    ("date-zero", "Alice <alice@example.com> 0 +0000"),
    ("date-negative", "Alice <alice@example.com> -1 +0000"),
    ("date-plus", "Alice <alice@example.com> +1750000000 +0000"),
    ("date-padded", "Alice <alice@example.com> 01750000000 +0000"),
    ("date-hexadecimal", "Alice <alice@example.com> 0x684eb100 +0000"),
    ("date-fraction", "Alice <alice@example.com> 1750000000.5 +0000"),
    ("date-words", "Alice <alice@example.com> yesterday +0000"),
    ("date-2038", "Alice <alice@example.com> 2147483648 +0000"),
    ("date-5138", "Alice <alice@example.com> 99999999999 +0000"),
    ("date-63-bits", "Alice <alice@example.com> 9223372036854775807 +0000"),
    ("date-64-bits", "Alice <alice@example.com> 18446744073709551615 +0000"),
    ("date-65-bits", "Alice <alice@example.com> 18446744073709551616 +0000"),
    ("date-of-2020", "Alice <alice@example.com> 1577836800 +0000"),
    ("zone-9999", "Alice <alice@example.com> 1750000000 +9999"),
    ("zone-five-digits", "Alice <alice@example.com> 1750000000 -00000"),
    ("zone-without-sign", "Alice <alice@example.com> 1750000000 0000"),
    ("zone-name", "Alice <alice@example.com> 1750000000 UTC"),
    ("zone-minutes", "Alice <alice@example.com> 1750000000 +0099"),
    ("blank-at-the-end", "Alice <alice@example.com> 1750000000 +0000 "),
    ("escape", "Al\x1b[31mice <alice@example.com> 1750000000 +0000"),
    ("reversed", "Al\u{202e}ice <alice@example.com> 1750000000 +0000"),
    ("tab", "Al\tice <alice@example.com> 1750000000 +0000"),
    ("accented", "\u{c1}lice <alice@example.com> 1750000000 +0000"),
    ("blanks-around-name", "  Alice  <alice@example.com> 1750000000 +0000"),
];

pub fn generate(cast: &Cast, objects: &mut Objects) {
    let by_openpgp = |payload: &[u8]| {
        let pair = &cast.soft_openpgp.pair;
        openpgp::Recipe::usual(pair).sign(pair, payload)
    };
    let by_ssh = |payload: &[u8]| sshsig::Recipe::usual(&cast.soft_ssh).sign(&cast.soft_ssh, payload);
    for sign in [&by_openpgp as &dyn Fn(&[u8]) -> Vec<u8>, &by_ssh] {
        let mut add = |kind: String, what: What, payload: Vec<u8>| {
            objects.add(kind, what, what.signed(&payload, &sign(&payload)));
        };
        for what in BOTH {
            let roles: &[(&str, &str)] = match what {
                What::Commit => &[("author", AUTHOR), ("committer", COMMITTER)],
                What::Tag => &[("tagger", TAGGER)],
            };
            for (role, line) in roles {
                let payload = String::from_utf8(what.payload()).expect("text");
                for (variant, ident) in LINES {
                    let changed = payload.replace(line, &format!("{role} {ident}\n"));
                    add(format!("ident-{role}/{variant}"), what, changed.into_bytes());
                }
                let mut latin = payload.replace(line, &format!("{role} \u{1} <alice@example.com> 1750000000 +0000\n"));
                add(format!("ident-{role}/control"), what, std::mem::take(&mut latin).into_bytes());
                let bytes = payload.replace(&format!("{role} Alice"), &format!("{role} Alic?")).into_bytes();
                let latin = bytes.iter().map(|&byte| if byte == b'?' { 0xe9 } else { byte }).collect();
                add(format!("ident-{role}/not-utf-8"), what, latin);
            }
        }
    }
}
