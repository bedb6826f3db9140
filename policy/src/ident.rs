//! `Name <e-mail> seconds zone`: who wrote, committed or tagged, and when, as the object says.

use crate::text::is_deceptive;
use crate::time::Time;

/// 9999-12-31T23:59:59Z in Unix seconds: a later date overflows one reader or another.
const LATEST: i64 = 253_402_300_799;

/// The widest offset that any place on earth uses is +14:00.
const ZONE_MAX_HOURS: u8 = 14;

/// A person line. Nothing in it is proven; it is compared with who signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident<'a> {
    /// May be empty.
    pub name: &'a str,
    /// Never empty.
    pub email: &'a str,
    pub when: Time,
    /// The zone as written, `+0100`.
    pub zone: &'a str,
}

impl<'a> Ident<'a> {
    /// The error completes "has a … line that …".
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, &'static str> {
        let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8")?;
        // Persian names and emoji hold joiners and variation selectors; what turns the reading direction around, or
        // hides text as a whole, belongs into no name. Whatever is shown is escaped besides.
        let is_odd = |c: char| c.is_control() || (is_deceptive(c) && !is_joiner(c));
        let plain = line.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control());
        if !plain && line.chars().any(is_odd) {
            return Err("holds control or invisible characters");
        }
        let (name, rest) = line.split_once(" <").ok_or("has no e-mail in angle brackets")?;
        let (email, rest) = rest.split_once("> ").ok_or("has no date after its e-mail")?;
        if line.bytes().filter(|byte| matches!(byte, b'<' | b'>')).count() > 2 {
            return Err("has more than one pair of angle brackets");
        }
        // Git writes none; a reader that trims would show another line than was signed.
        if [name, email].iter().any(|part| part.trim() != *part) {
            return Err("has spaces around its name or e-mail");
        }
        if email.is_empty() {
            return Err("has an empty e-mail");
        }
        let (seconds, zone) = rest.split_once(' ').ok_or("has no time zone")?;
        Ok(Ident { name, email, when: date(seconds)?, zone: checked_zone(zone)? })
    }
}

/// Zero-width (non-)joiner, left-to-right and right-to-left mark, variation selectors.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}')
}

fn date(text: &str) -> Result<Time, &'static str> {
    let padded = text.len() > 1 && text.starts_with('0');
    if text.is_empty() || padded || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has a date that is not plain Unix seconds");
    }
    match text.parse::<i64>() {
        Ok(seconds) if seconds <= LATEST => Ok(Time::from_unix_seconds(seconds)),
        _ => Err("has a date beyond the year 9999"),
    }
}

fn checked_zone(text: &str) -> Result<&str, &'static str> {
    match text.as_bytes() {
        [b'+' | b'-', digits @ ..] if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit) => {
            let number = |pair: &str| pair.parse::<u8>().unwrap_or(u8::MAX);
            let (hours, minutes) = (text.get(1..3).map(number), text.get(3..5).map(number));
            if hours <= Some(ZONE_MAX_HOURS) && minutes < Some(60) {
                Ok(text)
            } else {
                Err("has an impossible time zone")
            }
        }
        _ => Err("has a malformed time zone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> bool {
        Ident::parse(line.as_bytes()).is_err()
    }

    #[test]
    fn a_plain_line_is_taken_apart() {
        let ident = Ident::parse("Zoë O'Neil <zoe@example.com> 1700000000 -0330".as_bytes()).unwrap();
        assert_eq!((ident.name, ident.email, ident.zone), ("Zoë O'Neil", "zoe@example.com", "-0330"));
        assert_eq!(ident.when.unix_seconds(), 1_700_000_000);
        assert_eq!(Ident::parse(b" <a@x> 0 +0000").unwrap().name, "", "an empty name is the policy's business");
    }

    #[test]
    fn a28_a29_angle_brackets_come_as_one_pair() {
        for line in [
            "A <v@x> <a@x> 1 +0000",
            "A <a@x> x> 1 +0000",
            "A <a@x <v@x> 1 +0000",
            "A < <a@x> 1 +0000",
            "A> <a@x> 1 +0000",
            "A <a@x> 1 +0000>",
            "A<a@x> 1 +0000",
            "<a@x> 1 +0000",
            "A <a@x>1 +0000",
            "A a@x 1 +0000",
        ] {
            assert!(refused(line), "{line}");
        }
    }

    #[test]
    fn a13_nothing_pads_a_name() {
        for line in ["A  <a@x> 1 +0000", " A <a@x> 1 +0000", "A < a@x> 1 +0000", "A <a@x > 1 +0000", "  <a@x> 1 +0000"]
        {
            assert!(refused(line), "{line}");
        }
    }

    #[test]
    fn a31_an_empty_address_is_nobody() {
        assert!(refused("A <> 1 +0000"));
    }

    #[test]
    fn a32_a33_a34_dates_and_zones_are_plain_numbers() {
        for date in ["-1", "01", "", "1.5", "0x1", "+1", "253402300800", "9223372036854775807", "18446744073709551615"]
        {
            assert!(refused(&format!("A <a@x> {date} +0000")), "{date}");
        }
        assert!(!refused("A <a@x> 99999999999 +0000"), "far ahead is skew, not grammar");
        for zone in ["+9999", "-00000", "0000", "+000", "+0060", "+1500", "UTC", "", "+0000 ", "+00é"] {
            assert!(refused(&format!("A <a@x> 1 {zone}")), "{zone:?}");
        }
        assert!(!refused("A <a@x> 1 +1400") && !refused("A <a@x> 1 -0000"));
    }

    #[test]
    fn names_in_every_script_are_names() {
        for name in ["علی\u{200c}رضا", "दे\u{200d}व", "\u{2764}\u{fe0f}", "\u{200f}דנה"] {
            assert!(!refused(&format!("{name} <a@x> 1 +0000")), "{name:?}");
        }
    }

    #[test]
    fn a26_a27_names_hold_nothing_unseen() {
        assert!(Ident::parse(b"A \xe9 <a@x> 1 +0000").is_err());
        for line in
            ["A <a@x> 1 +0000\r", "A\u{1b}[31m <a@x> 1 +0000", "A\u{202e} <a@x> 1 +0000", "A <a\u{200b}@x> 1 +0000"]
        {
            assert!(refused(line), "{line:?}");
        }
    }
}
