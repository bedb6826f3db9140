//! Words of other people made safe for a terminal and a log.

/// Characters that change how their neighbours are read, or are not seen at all.
pub fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// `text` with control and deceptive characters escaped, cut to at most `max` characters.
pub fn shown(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for (count, c) in text.chars().enumerate() {
        if count == max {
            out.push('…');
            break;
        }
        if c.is_control() || is_deceptive(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Like [`shown`] for bytes; what is not UTF-8 becomes `\xNN`.
pub fn shown_bytes(bytes: &[u8], max: usize) -> String {
    let mut text = String::new();
    // A character has at most four bytes: what lies beyond cannot be shown anyway.
    let bytes = bytes.get(..max.saturating_add(1).saturating_mul(4)).unwrap_or(bytes);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown(&text, max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_can_steer_a_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}c\n", 80), "a\\u{1b}[31mb\\u{202e}c\\n");
        assert_eq!((shown("abcdef", 3).as_str(), shown("abc", 3).as_str()), ("abc…", "abc"));
        assert_eq!(shown_bytes("é".repeat(5).as_bytes(), 3), "ééé…");
        assert_eq!(shown_bytes(&[b'a'; 100], 3), "aaa…", "what cannot be shown is not read");
        assert_eq!(shown_bytes(b"ab\xff\x9b", 80), "ab\\xff\\x9b");
        assert_eq!(shown("\u{9b}31m", 80), "\\u{9b}31m", "the C1 form of CSI is a control too");
    }
}
