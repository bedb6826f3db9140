//! One armoured block and nothing else.

use crate::rule::{malformed_signature, multiple_signatures};
use crate::verdict::Problem;
use base64::{Engine, engine::general_purpose::STANDARD};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    OpenPgp,
    Ssh,
    X509,
    /// How `openssl cms` calls what git calls a signed message; nothing that git takes for a signature.
    Cms,
}

impl Label {
    fn begin(self) -> &'static [u8] {
        match self {
            Label::OpenPgp => b"-----BEGIN PGP SIGNATURE-----",
            Label::Ssh => b"-----BEGIN SSH SIGNATURE-----",
            Label::X509 => b"-----BEGIN SIGNED MESSAGE-----",
            Label::Cms => b"-----BEGIN CMS-----",
        }
    }

    fn end(self) -> &'static [u8] {
        match self {
            Label::OpenPgp => b"-----END PGP SIGNATURE-----",
            Label::Ssh => b"-----END SSH SIGNATURE-----",
            Label::X509 => b"-----END SIGNED MESSAGE-----",
            Label::Cms => b"-----END CMS-----",
        }
    }
}

/// Whether git takes a line that begins so for the start of a signature.
pub(crate) fn begins_signature(line: &[u8]) -> bool {
    [Label::OpenPgp, Label::Ssh, Label::X509].iter().any(|label| line.starts_with(label.begin()))
        || line.starts_with(b"-----BEGIN PGP MESSAGE-----")
}

fn malformed(reason: &str) -> Problem {
    Problem::new(&malformed_signature::RULE, reason)
}

/// The kind of block, by its first line.
pub(crate) fn label(signature: &[u8]) -> Result<Label, Problem> {
    let first = signature.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let all = [Label::OpenPgp, Label::Ssh, Label::X509].into_iter();
    all.clone().find(|label| label.begin() == first).ok_or_else(|| {
        if all.clone().any(|label| label.begin() == first.trim_ascii()) {
            malformed("has a signature block with white space on its first line, beside `-----BEGIN …-----`")
        } else if first.starts_with(b"-----BEGIN PGP") {
            malformed("holds an OpenPGP message where a detached signature belongs")
        } else {
            malformed("has a signature that does not begin with a line this server knows")
        }
    })
}

/// Whether the block is what `openssl cms` writes.
pub(crate) fn is_cms(signature: &[u8]) -> bool {
    signature.split(|&byte| byte == b'\n').next() == Some(Label::Cms.begin())
}

/// Takes the block apart: the base64 lines, decoded.
///
/// Nothing stands before or after the block but one empty line at the end, as GitLab writes it.
/// OpenPGP headers such as `Comment:` are allowed and ignored. The CRC-24 may be missing, as RFC 9580 advises;
/// a wrong one is refused, as GnuPG does. Lines have one width, whichever; only the last is shorter.
pub(crate) fn decode(signature: &[u8], label: Label) -> Result<Vec<u8>, Problem> {
    let text = signature.strip_suffix(b"\n").unwrap_or(signature);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut lines = text.split(|&byte| byte == b'\n');
    if lines.next() != Some(label.begin()) {
        return Err(malformed("has a signature that does not begin with its own line"));
    }
    if lines.clone().any(begins_signature) {
        return Err(Problem::new(&multiple_signatures::RULE, "has more than one signature"));
    }
    if lines.next_back() != Some(label.end()) {
        return Err(malformed("has a signature block that does not end where it should"));
    }
    let mut checksum = None;
    if label == Label::OpenPgp {
        skip_headers(&mut lines)?;
        let before_crc = lines.clone();
        checksum = lines.next_back().and_then(crc_of_line);
        if checksum.is_none() {
            lines = before_crc;
        }
    }
    let mut base64 = Vec::with_capacity(text.len());
    let (mut width, mut ended) = (None, false);
    for line in lines {
        let full = *width.get_or_insert(line.len());
        if line.is_empty() || ended || line.len() > full {
            return Err(malformed("has a signature block with lines of uneven width"));
        }
        ended = line.len() < full;
        base64.extend_from_slice(line);
    }
    let body = STANDARD.decode(base64).map_err(|_| malformed("has a signature block that is not base64"))?;
    if body.is_empty() {
        return Err(malformed("has an empty signature block"));
    }
    if checksum.is_some_and(|checksum| STANDARD.encode(crc24(&body)).as_bytes() != checksum) {
        return Err(malformed("has an OpenPGP signature block whose checksum is wrong"));
    }
    Ok(body)
}

/// Up to and with the empty line that ends the headers.
fn skip_headers<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Result<(), Problem> {
    for line in lines {
        // RFC 9580 calls a line of white space empty too; GnuPG takes no form feed for white space.
        if line.iter().all(|byte| b" \t".contains(byte)) {
            return Ok(());
        }
        if !line.windows(2).any(|pair| pair == b": ") && line.last() != Some(&b':') {
            break;
        }
    }
    Err(malformed("has an OpenPGP signature block without an empty line after its headers"))
}

/// The four characters of a line that holds a checksum.
fn crc_of_line(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"=").filter(|checksum| checksum.len() == 4)
}

/// The checksum of OpenPGP's armor (RFC 9580, section 6.1).
fn crc24(bytes: &[u8]) -> [u8; 3] {
    const GENERATOR: u32 = 0x0186_4cfb;
    let mut crc: u32 = 0x00b7_04ce;
    for &byte in bytes {
        crc ^= u32::from(byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= GENERATOR;
            }
        }
    }
    let [_, a, b, c] = crc.to_be_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(body: &str) -> Result<Vec<u8>, Problem> {
        decode(format!("-----BEGIN SSH SIGNATURE-----\n{body}-----END SSH SIGNATURE-----\n").as_bytes(), Label::Ssh)
    }

    fn pgp(body: &str) -> Result<Vec<u8>, Problem> {
        decode(format!("-----BEGIN PGP SIGNATURE-----\n{body}-----END PGP SIGNATURE-----").as_bytes(), Label::OpenPgp)
    }

    #[test]
    fn e07_any_one_width_is_taken_and_uneven_lines_are_not() {
        assert_eq!(ssh("AAAA\nAAAA\nAA==\n").unwrap(), [0; 7]);
        assert_eq!(ssh("AAAAAAAA\nAA==\n").unwrap(), [0; 7]);
        for bad in [
            "AAAA\nAA\nAAAA\n",
            "AAAAAAAA\nAAAA\nAAAAAAAA\n",
            "AAAAAAAA\nAAAA\nAAAA\n",
            "AAAA\nAAAAAAAA\n",
            "AA\nAAAA\n",
            "AAAA \n",
            " AAAA\n",
            "AAAA\n\n",
            "AAAA\r\n",
            "AAA\n",
            "A\n",
        ] {
            assert_eq!(ssh(bad).unwrap_err().rule.id, "malformed-signature", "{bad:?}");
        }
    }

    #[test]
    fn a_first_line_with_more_on_it_is_called_so() {
        for kind in ["PGP SIGNATURE", "SSH SIGNATURE", "SIGNED MESSAGE"] {
            for (before, after) in [("", " "), ("", "\t"), ("", "\r"), (" ", "")] {
                let block = format!("{before}-----BEGIN {kind}-----{after}\nAAAA\n-----END {kind}-----\n");
                let problem = label(block.as_bytes()).unwrap_err();
                assert_eq!(problem.rule.id, "malformed-signature");
                assert!(problem.reason.contains("white space on its first line"), "{block:?}: {}", problem.reason);
            }
        }
    }

    #[test]
    fn c13_a_block_without_a_body_is_no_signature() {
        assert!(ssh("").is_err() && pgp("\n").is_err() && pgp("").is_err() && pgp("\n=AAAA\n").is_err());
    }

    #[test]
    fn a19_nothing_stands_around_the_block() {
        let good = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";
        assert!(decode(good.as_bytes(), Label::Ssh).is_ok());
        assert!(decode(format!("{good}\n").as_bytes(), Label::Ssh).is_ok(), "as GitLab writes it");
        for bad in [format!("x\n{good}"), format!("{good}x"), format!("{good}\n\n"), format!("\n{good}")] {
            assert_eq!(decode(bad.as_bytes(), Label::Ssh).unwrap_err().rule.id, "malformed-signature", "{bad:?}");
        }
        let twice = format!("{good}{good}");
        assert_eq!(decode(twice.as_bytes(), Label::Ssh).unwrap_err().rule.id, "multiple-signatures");
    }

    #[test]
    fn a20_c32_openpgp_headers_are_ignored_and_a_checksum_may_be_missing_but_not_wrong() {
        assert_eq!(pgp("\nAAAA\n").unwrap(), [0; 3]);
        let right = format!("={}", STANDARD.encode(crc24(&[0; 3])));
        assert_eq!(pgp(&format!("Version: 1\nComment: Reviewed-by: Victim\n\nAAAA\n{right}\n")).unwrap(), [0; 3]);
        assert_eq!(pgp(&format!(" \t\nAAAA\n{right}\n")).unwrap(), [0; 3]);
        assert_eq!(STANDARD.encode(crc24(b"")), "twTO", "known from empty armor");
        for wrong in ["zzzz", "AAAA", "!!!!", "twTO"] {
            let refused = pgp(&format!("Comment:\n\nAAAA\n={wrong}\n")).unwrap_err();
            assert_eq!(refused.rule.id, "malformed-signature", "{wrong}");
        }
        assert!(pgp("\x0c\nAAAA\n").is_err(), "a form feed is no empty line");
        assert_eq!(pgp("\nAAAAAAA\nAAAAA\n").unwrap(), [0; 9], "five characters are a checksum only behind `=`");
        assert!(pgp("\nAAAA\n=AAA\n").is_err() && pgp("\nAAAA\n=AAAAA\n").is_err(), "a checksum has four digits");
        assert!(pgp("AAAA\n").is_err(), "without the empty line it is no armor");
        assert!(pgp("junk\n\nAAAA\n").is_err());
        assert!(pgp("\nAAAA\n=AAAA\nAAAA\n").is_err());
    }

    #[test]
    fn c10_c11_c12_messages_are_no_detached_signatures() {
        for text in ["-----BEGIN PGP MESSAGE-----\n", "-----BEGIN PGP SIGNED MESSAGE-----\n", "x", ""] {
            assert_eq!(label(text.as_bytes()).unwrap_err().rule.id, "malformed-signature");
        }
        assert_eq!(label(b"-----BEGIN SIGNED MESSAGE-----\n").unwrap(), Label::X509);
        assert!(label(b"-----BEGIN PGP SIGNATURE-----\x0c\n").is_err());
    }
}
