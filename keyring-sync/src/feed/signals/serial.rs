//! Serial numbers of certificates, as people and programs write them. Pure.

/// Whether `text` is this number, in decimal or in hex with or without colons. The issuer's name is not compared: it
/// has many spellings, and what is asked is which of one person's few certificates is meant.
pub fn is_called(serial: &[u8], text: &str) -> bool {
    let serial: Vec<u8> = serial.iter().copied().skip_while(|byte| *byte == 0).collect();
    let bare: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect::<String>().to_ascii_lowercase();
    let digits = bare.strip_prefix("0x").unwrap_or(&bare).trim_start_matches('0');
    if bare.is_empty() || !bare.trim_start_matches("0x").chars().all(|c| c.is_ascii_hexdigit()) {
        return false;
    }
    digits == hex::encode(&serial).trim_start_matches('0') || bare.trim_start_matches('0') == decimal(&serial)
}

/// RFC 5280 allows 20 bytes; each step divides by ten.
fn decimal(number: &[u8]) -> String {
    let (mut number, mut digits) = (number.to_vec(), Vec::new());
    while number.iter().any(|byte| *byte > 0) {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            // Below 10 * 256, so that its tenth fits a byte.
            *byte = u8::try_from(value / 10).unwrap_or(u8::MAX);
            rest = value % 10;
        }
        digits.push(char::from_digit(rest, 10).unwrap_or('0'));
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_serial_number_has_many_spellings() {
        let serial = [0, 0x8f, 0x01, 0xa0];
        for same in ["8F01A0", "8f:01:a0", "0x8f01a0", "08 F0 1A 0", "9372064", "008f01a0"] {
            assert!(is_called(&serial, same), "{same}");
        }
        for other in ["", "0x", "8f01a", "8f01a00", "9372065", "8f01a0z", ":", "-9372064"] {
            assert!(!is_called(&serial, other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn decimal_is_what_everybody_calls_it(number in 1_u128..) {
            prop_assert_eq!(decimal(&number.to_be_bytes()), number.to_string());
            prop_assert!(is_called(&number.to_be_bytes(), &number.to_string()));
            let hex = format!("{number:x}");
            prop_assert!(is_called(&number.to_be_bytes(), &hex));
        }
    }
}
