//! The text around a good signature: labels, headers, lines, checksum, and what stands before and after.

use crate::cast::Cast;
use crate::object::{BOTH, Objects, What};
use crate::openpgp::{Recipe, notation, packet, sub};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

/// A block as its usual program writes it.
pub fn block(label: &str, bytes: &[u8]) -> Vec<u8> {
    Armor::new(label, bytes).text()
}

/// The bytes in a block that a program has written.
pub fn opened(block: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(block).expect("armor is text");
    let body = text.split_once("\n\n").map_or(text, |(_, body)| body);
    let lines = body.lines().filter(|line| !line.starts_with('-') && !line.starts_with('='));
    STANDARD.decode(lines.collect::<String>()).expect("base64")
}

#[derive(Clone)]
struct Armor {
    begin: String,
    headers: Vec<&'static str>,
    /// The line between headers and body.
    gap: Option<&'static str>,
    lines: Vec<String>,
    crc: Option<String>,
    end: String,
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

impl Armor {
    fn new(label: &str, bytes: &[u8]) -> Armor {
        let openpgp = label.starts_with("PGP");
        Armor {
            begin: format!("-----BEGIN {label}-----"),
            headers: Vec::new(),
            gap: openpgp.then_some(""),
            lines: wrapped(&STANDARD.encode(bytes), if openpgp { 64 } else { 70 }),
            crc: openpgp.then(|| format!("={}", STANDARD.encode(&crc24(bytes).to_be_bytes()[1..]))),
            end: format!("-----END {label}-----"),
        }
    }

    fn text(&self) -> Vec<u8> {
        let mut lines = vec![self.begin.as_str()];
        lines.extend(&self.headers);
        lines.extend(self.gap);
        lines.extend(self.lines.iter().map(String::as_str));
        lines.extend(self.crc.as_deref());
        lines.push(&self.end);
        (lines.join("\n") + "\n").into_bytes()
    }

    fn with(&self, change: impl FnOnce(&mut Armor)) -> Vec<u8> {
        let mut changed = self.clone();
        change(&mut changed);
        changed.text()
    }
}

/// RFC 9580, section 6.1.1.
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00b7_04ce, |crc, &byte| {
        let next = (0..8).fold(crc ^ (u32::from(byte) << 16), |crc, _| {
            let shifted = crc << 1;
            if shifted & 0x0100_0000 == 0 { shifted } else { shifted ^ 0x0186_4cfb }
        });
        next & 0x00ff_ffff
    })
}

pub fn generate(cast: &Cast, objects: &mut Objects) {
    for signer in &cast.signers {
        for what in BOTH {
            let payload = what.payload();
            add(objects, what, &payload, signer.openpgp, &opened(&(signer.sign)(&payload)));
        }
    }
    // Whether base64 ends in padding matters to some readers, and with other signers it is chance.
    let pair = &cast.soft_openpgp.pair;
    for (what, rest) in BOTH.into_iter().flat_map(|what| (0..3).map(move |rest| (what, rest))) {
        let payload = what.payload();
        let filled = |length| {
            let note = notation("filler@example.com", &vec![b'x'; length], [0x80, 0, 0, 0]);
            packet(2, &Recipe::usual(pair).with(sub(20, note)).body(pair, &payload))
        };
        let bytes = (0..30).map(filled).find(|bytes| bytes.len() % 3 == rest).expect("one of that length");
        add(objects, what, &payload, true, &bytes);
    }
}

fn add(objects: &mut Objects, what: What, payload: &[u8], openpgp: bool, bytes: &[u8]) {
    let (group, label) = if openpgp { ("armor-openpgp", "PGP SIGNATURE") } else { ("armor-ssh", "SSH SIGNATURE") };
    let mut games = shared(label, bytes);
    if openpgp {
        games.extend(of_openpgp(bytes));
    }
    for (variant, text) in games {
        objects.add(format!("{group}/{variant}"), what, what.signed(payload, &text));
    }
}

type Games = Vec<(&'static str, Vec<u8>)>;

/// What can be done to either armor.
fn shared(label: &str, bytes: &[u8]) -> Games {
    let armor = Armor::new(label, bytes);
    let whole = armor.lines.concat();
    let good = armor.text();
    let each = |change: &dyn Fn(&str) -> String| {
        armor.with(|armor| armor.lines = armor.lines.iter().map(|line| change(line)).collect())
    };
    let bytes_of = |text: &str| text.as_bytes().to_vec();
    let mut games: Games = Vec::new();
    for (variant, width) in [
        ("width-1", 1),
        ("width-4", 4),
        ("width-60", 60),
        ("width-63", 63),
        ("width-64", 64),
        ("width-65", 65),
        ("width-70", 70),
        ("width-76", 76),
        ("width-100", 100),
        ("one-line", usize::MAX),
    ] {
        games.push((variant, armor.with(|armor| armor.lines = wrapped(&whole, width))));
    }
    games.extend([
        (
            "uneven-lines",
            armor.with(|armor| armor.lines = vec![whole[..8].into(), whole[8..40].into(), whole[40..].into()]),
        ),
        ("short-first-line", armor.with(|armor| armor.lines = vec![whole[..4].into(), whole[4..].into()])),
        ("empty-line-inside", armor.with(|armor| armor.lines.insert(1, String::new()))),
        ("empty-line-before-the-end", armor.with(|armor| armor.lines.push(String::new()))),
        ("blanks-after-lines", each(&|line| format!("{line} "))),
        ("tabs-after-lines", each(&|line| format!("{line}\t"))),
        ("blanks-before-lines", each(&|line| format!(" {line}"))),
        ("blanks-inside-lines", each(&|line| line.replacen(&line[2..3], &format!("{} ", &line[2..3]), 1))),
        ("carriage-returns", String::from_utf8_lossy(&good).replace('\n', "\r\n").into_bytes()),
        ("carriage-returns-in-body", each(&|line| format!("{line}\r"))),
        ("only-carriage-returns", String::from_utf8_lossy(&good).replace('\n', "\r").into_bytes()),
        ("carriage-return-after-begin", armor.with(|armor| armor.begin.push('\r'))),
        ("carriage-return-after-end", armor.with(|armor| armor.end.push('\r'))),
        ("nul-in-body", each(&|line| format!("{line}\0"))),
        ("junk-in-body", each(&|line| format!("{}!{}", &line[..2], &line[2..]))),
        ("dash-escaped-lines", each(&|line| format!("- {line}"))),
        ("blank-after-begin", armor.with(|armor| armor.begin.push(' '))),
        ("tab-after-begin", armor.with(|armor| armor.begin.push('\t'))),
        ("formfeed-after-begin", armor.with(|armor| armor.begin.push('\x0c'))),
        ("text-after-begin", armor.with(|armor| armor.begin.push_str(" by Alice"))),
        ("blank-before-begin", armor.with(|armor| armor.begin.insert(0, ' '))),
        ("four-dashes", armor.with(|armor| armor.begin = armor.begin.replace("-----", "----"))),
        ("six-dashes", armor.with(|armor| armor.begin = armor.begin.replace("-----", "------"))),
        ("lower-case-label", armor.with(|armor| armor.begin = armor.begin.to_lowercase())),
        ("another-begin-label", armor.with(|armor| armor.begin = "-----BEGIN SIGNATURE-----".into())),
        ("another-end-label", armor.with(|armor| armor.end = "-----END SIGNATURE-----".into())),
        ("lower-case-end", armor.with(|armor| armor.end = armor.end.to_lowercase())),
        ("no-end", armor.with(|armor| armor.end.clear())),
        ("half-an-end", armor.with(|armor| armor.end.truncate(12))),
        ("blank-after-end", armor.with(|armor| armor.end.push(' '))),
        ("text-after-end", armor.with(|armor| armor.end.push_str(" by Alice"))),
        ("text-before", [b"Signed by Alice\n".as_slice(), &good].concat()),
        ("empty-line-before", [b"\n".as_slice(), &good].concat()),
        ("byte-order-mark", [b"\xef\xbb\xbf".as_slice(), &good].concat()),
        ("text-after", [good.as_slice(), b"Approved by Bob\n"].concat()),
        ("empty-line-after", [good.as_slice(), b"\n"].concat()),
        ("two-empty-lines-after", [good.as_slice(), b"\n\n"].concat()),
        ("blank-line-after", [good.as_slice(), b" \n"].concat()),
        ("no-final-line-end", good[..good.len() - 1].to_vec()),
        ("twice", [good.as_slice(), &good].concat()),
        ("body-twice", armor.with(|armor| armor.lines.push(whole.clone()))),
        ("no-body", armor.with(|armor| armor.lines.clear())),
        ("first-line-lost", armor.with(|armor| drop(armor.lines.remove(0)))),
        ("last-line-lost", armor.with(|armor| drop(armor.lines.pop()))),
        ("url-safe-alphabet", armor.with(|armor| armor.lines = wrapped(&URL_SAFE.encode(bytes), 64))),
        ("no-padding", armor.with(|armor| armor.lines = wrapped(&STANDARD_NO_PAD.encode(bytes), 64))),
        ("more-padding", armor.with(|armor| armor.lines = wrapped(&format!("{whole}===="), 64))),
        (
            "padding-inside",
            armor.with(|armor| armor.lines = wrapped(&format!("{}={}", &whole[..16], &whole[16..]), 64)),
        ),
        ("in-two-parts", {
            let (one, two) = bytes.split_at(30);
            armor.with(|armor| armor.lines = vec![STANDARD.encode(one), STANDARD.encode([two, &[0]].concat())])
        }),
        ("only-begin", bytes_of(&format!("{}\n", armor.begin))),
        ("hexadecimal", armor.with(|armor| armor.lines = wrapped(&hex::encode(bytes), 64))),
    ]);
    games
}

/// What only the armor of OpenPGP has.
fn of_openpgp(bytes: &[u8]) -> Games {
    let armor = Armor::new("PGP SIGNATURE", bytes);
    let unpadded = bytes.len().is_multiple_of(3);
    let header = |headers: &[&'static str]| armor.with(|armor| armor.headers = headers.to_vec());
    let label = |label: &str| Armor::new(label, bytes).text();
    let crc = |text: &str| armor.with(|armor| armor.crc = Some(text.to_owned()));
    let wrong = format!("={}", STANDARD.encode(&(crc24(bytes) ^ 1).to_be_bytes()[1..]));
    vec![
        (if unpadded { "crc-missing-unpadded" } else { "crc-missing" }, armor.with(|armor| armor.crc = None)),
        ("crc-wrong", crc(&wrong)),
        ("crc-of-nothing", crc("=twTO")),
        ("crc-short", crc("=AAA")),
        ("crc-long", crc("=AAAAA")),
        ("crc-not-base64", crc("=!!!!")),
        ("crc-empty", crc("=")),
        ("crc-blank-after", armor.with(|armor| armor.crc.as_mut().expect("a checksum").push(' '))),
        ("crc-twice", armor.with(|armor| armor.lines.extend(armor.crc.clone()))),
        ("crc-on-the-last-line", {
            armor.with(|armor| {
                let crc = armor.crc.take().expect("a checksum");
                armor.lines.last_mut().expect("a line").push_str(&crc);
            })
        }),
        ("header-version", header(&["Version: GnuPG v2"])),
        ("header-comment", header(&["Comment: Reviewed-by: Victim"])),
        ("header-hash", header(&["Hash: SHA512"])),
        ("header-charset", header(&["Charset: UTF-8"])),
        ("header-unknown", header(&["Approved: yes"])),
        ("header-lower-case", header(&["comment: x"])),
        ("header-without-value", header(&["Comment:"])),
        ("header-blank-value", header(&["Comment: "])),
        ("header-without-blank", header(&["Comment:x"])),
        ("header-without-colon", header(&["Approved by Bob"])),
        ("header-without-name", header(&[": x"])),
        ("header-indented", header(&["Comment: x", "\tmore"])),
        ("header-blank-before", header(&[" Comment: x"])),
        ("header-escape", header(&["Comment: \x1b[31mred"])),
        ("header-not-ascii", header(&["Comment: Zo\u{eb}"])),
        ("header-carriage-return", header(&["Comment: x\r"])),
        ("headers-many", header(&["Comment: x"; 50])),
        ("header-long", header(&[LONG])),
        ("gap-missing", armor.with(|armor| armor.gap = None)),
        ("gap-blank", armor.with(|armor| armor.gap = Some(" "))),
        ("gap-tab", armor.with(|armor| armor.gap = Some("\t"))),
        ("gap-carriage-return", armor.with(|armor| armor.gap = Some("\r"))),
        ("gap-formfeed", armor.with(|armor| armor.gap = Some("\x0c"))),
        ("gap-twice", armor.with(|armor| armor.lines.insert(0, String::new()))),
        ("label-message", label("PGP MESSAGE")),
        ("label-signed-message", label("PGP SIGNED MESSAGE")),
        ("label-public-key", label("PGP PUBLIC KEY BLOCK")),
        ("label-part", label("PGP MESSAGE, PART 1/1")),
        ("label-of-cms", label("SIGNED MESSAGE")),
        ("label-of-ssh", label("SSH SIGNATURE")),
        ("label-begin-message", armor.with(|armor| armor.begin = "-----BEGIN PGP MESSAGE-----".into())),
        ("label-end-message", armor.with(|armor| armor.end = "-----END PGP MESSAGE-----".into())),
    ]
}

const LONG: &str = concat!(
    "Comment: 0123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789"
);
