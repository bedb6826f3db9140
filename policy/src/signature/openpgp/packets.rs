//! OpenPGP packets as bytes, before Sequoia reads them: framing (RFC 9580, section 4.2), counting, and the
//! numbers of signatures brought to their one form.

use super::super::registration::Refusal;
use std::borrow::Cow;

/// A body with its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawPacket<'a> {
    pub tag: u8,
    pub body: &'a [u8],
}

pub(super) const SIGNATURE: u8 = 2;
const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const USER_ID: u8 = 13;
const PUBLIC_SUBKEY: u8 = 14;
const USER_ATTRIBUTE: u8 = 17;

/// The first packet, and what follows it. Lengths that are partial or open-ended exist only for data packets.
pub(super) fn first(bytes: &[u8]) -> Option<(RawPacket<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let be = |bytes: &[u8]| bytes.iter().fold(0_usize, |sum, &byte| (sum << 8) | usize::from(byte));
    let (tag, width, length) = match (tag >> 6, rest) {
        (0b11, [first @ 0..=191, ..]) => (tag & 0x3f, 1, usize::from(*first)),
        (0b11, [first @ 192..=223, second, ..]) => {
            (tag & 0x3f, 2, ((usize::from(*first) - 192) << 8) + usize::from(*second) + 192)
        }
        (0b11, [255, a, b, c, d, ..]) => (tag & 0x3f, 5, be(&[*a, *b, *c, *d])),
        (0b10, rest) => {
            let width = [1, 2, 4].get(usize::from(tag & 3)).copied()?;
            ((tag >> 2) & 0xf, width, be(rest.get(..width)?))
        }
        _ => return None,
    };
    let (body, after) = rest.get(width..)?.split_at_checked(length)?;
    Some((RawPacket { tag, body }, after))
}

/// The body of a signature packet with each of its numbers in its shortest form. Some signers count the bits of a
/// number by whole bytes, or write leading zeros: gpg takes that, and what is signed does not cover it. A body
/// that cannot be followed is given back as it is, for Sequoia to refuse.
pub(super) fn with_plain_numbers(body: &[u8]) -> Cow<'_, [u8]> {
    plain(body).map_or(Cow::Borrowed(body), Cow::Owned)
}

fn plain(body: &[u8]) -> Option<Vec<u8>> {
    let (version, algorithm) = (*body.first()?, *body.get(2)?);
    let numbers = match algorithm {
        1 | 3 => 1,        // RSA
        17 | 19 | 22 => 2, // DSA, ECDSA, EdDSA
        _ => return None,
    };
    // Hashed area, unhashed area, the first bytes of the digest, and in version 6 the salt.
    let width = match version {
        4 => 2,
        6 => 4,
        _ => return None,
    };
    let mut at = 4;
    for _ in 0..2 {
        let length = body.get(at..at + width)?.iter().fold(0_usize, |sum, &byte| (sum << 8) | usize::from(byte));
        at = at.checked_add(width)?.checked_add(length)?;
    }
    at = at.checked_add(2)?;
    if version == 6 {
        at = at.checked_add(1 + usize::from(*body.get(at)?))?;
    }
    let mut out = body.get(..at)?.to_vec();
    let mut rest = body.get(at..)?;
    for _ in 0..numbers {
        let (&[high, low], tail) = rest.split_first_chunk()?;
        let declared = usize::from(high) << 8 | usize::from(low);
        let (number, tail) = tail.split_at_checked(declared.div_ceil(8))?;
        let number = number.get(number.iter().take_while(|&&byte| byte == 0).count()..)?;
        let bits = number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize);
        if bits > declared {
            return None;
        }
        out.extend_from_slice(&u16::try_from(bits).ok()?.to_be_bytes());
        out.extend_from_slice(number);
        rest = tail;
    }
    rest.is_empty().then_some(out)
}

/// What one certificate may hold. Sequoia tries each signature on each key and user id that it may be about, so
/// that a few hundred kilobytes could keep it busy for minutes; people have a handful of each.
const MAX_USER_IDS: usize = 128;
const MAX_KEYS: usize = 64;
const MAX_SIGNATURES: usize = 1000;

/// Splits a keyring into its certificates, each with plain numbers in its signatures.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let (mut all, mut counts): (Vec<Vec<u8>>, [usize; 3]) = (Vec::new(), [0; 3]);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (packet, after) = first(rest).ok_or_else(|| Refusal::new("OpenPGP certificate is garbled"))?;
        rest = after;
        if matches!(packet.tag, PUBLIC_KEY | SECRET_KEY) {
            all.push(Vec::new());
            counts = [0; 3];
        }
        let [user_ids, keys, signatures] = &mut counts;
        let (count, most, what) = match packet.tag {
            USER_ID | USER_ATTRIBUTE => (user_ids, MAX_USER_IDS, "user ids"),
            SIGNATURE => (signatures, MAX_SIGNATURES, "signatures"),
            PUBLIC_KEY | SECRET_KEY | PUBLIC_SUBKEY | SECRET_SUBKEY => (keys, MAX_KEYS, "keys"),
            _ => continue, // trust and marker packets, and what is still to be invented
        };
        *count += 1;
        if *count > most {
            return Err(Refusal::new(format!(
                "OpenPGP certificate has more than {most} {what}; export it with `gpg --export-options export-minimal`"
            )));
        }
        let current = all.last_mut().ok_or_else(|| Refusal::new("is no OpenPGP certificate: it begins with no key"))?;
        let body = if packet.tag == SIGNATURE { with_plain_numbers(packet.body) } else { packet.body.into() };
        put(current, packet.tag, &body)?;
    }
    Ok(all)
}

fn put(out: &mut Vec<u8>, tag: u8, body: &[u8]) -> Result<(), Refusal> {
    let length = u32::try_from(body.len()).map_err(|_| Refusal::new("OpenPGP certificate is too large"))?;
    out.extend_from_slice(&[0xc0 | tag, 0xff]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_both_formats_are_told_apart() {
        for (bytes, tag, body) in [
            (&[0xc2, 1, 7][..], 2, &[7][..]),
            (&[0xc6, 0xff, 0, 0, 0, 1, 7], 6, &[7]),
            (&[0x88, 1, 7], 2, &[7]),
            (&[0x99, 0, 1, 7], 6, &[7]),
            (&[0x9a, 0, 0, 0, 1, 7], 6, &[7]),
        ] {
            let (packet, rest) = first(bytes).unwrap();
            assert_eq!((packet.tag, packet.body, rest), (tag, body, &[][..]));
        }
        for bad in [&[][..], &[0xc2], &[0xc2, 2, 7], &[0xc2, 0xe0, 7], &[0x8b, 7], &[0x02, 1, 7]] {
            assert!(first(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_get_their_one_form_and_nothing_else_changes() {
        let head = [4, 0, 1, 8, 0, 1, 9, 0, 0, 0xab, 0xcd];
        let signature = |numbers: &[u8]| [&head[..], numbers].concat();
        let canonical = signature(&[0, 9, 1, 2]);
        assert_eq!(*with_plain_numbers(&canonical), canonical);
        assert_eq!(*with_plain_numbers(&signature(&[0, 16, 1, 2])), canonical, "bits by whole bytes");
        assert_eq!(*with_plain_numbers(&signature(&[0, 24, 0, 1, 2])), canonical, "leading zeros");
        for odd in [&[0, 1, 3][..], &[0, 16, 1], &[0, 9, 1, 2, 3], &[]] {
            assert_eq!(
                *with_plain_numbers(&signature(odd)),
                signature(odd),
                "{odd:?} is left for the reader to refuse"
            );
        }
        for end in 0..canonical.len() {
            assert_eq!(*with_plain_numbers(&canonical[..end]), canonical[..end]);
        }
    }

    #[test]
    fn every_number_of_a_signature_is_followed() {
        // RSA has one; DSA, ECDSA and EdDSA have two; version 6 has wider areas and a salt.
        let head = |algorithm| vec![4, 0, algorithm, 8, 0, 0, 0, 0, 0xab, 0xcd];
        let salted = |algorithm| vec![6, 0, algorithm, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 2, 7, 7];
        let (plain, padded) = ([0, 9, 1, 2], [0, 16, 1, 2]);
        for (algorithm, numbers) in [(1, 1), (3, 1), (17, 2), (19, 2), (22, 2)] {
            for head in [head(algorithm), salted(algorithm)] {
                let read = with_plain_numbers(&[head.clone(), padded.repeat(numbers)].concat()).into_owned();
                assert_eq!(read, [head, plain.repeat(numbers)].concat(), "{algorithm}");
            }
        }
        let native = [head(27), padded.to_vec()].concat();
        assert_eq!(*with_plain_numbers(&native), native, "Ed25519 as bytes has no numbers");
    }

    #[test]
    fn lengths_of_two_octets_begin_where_those_of_one_end() {
        for length in [191_usize, 192, 193, 8383] {
            let bytes = match length {
                0..=191 => vec![0xc2, u8::try_from(length).unwrap()],
                _ => vec![0xc2, u8::try_from(((length - 192) >> 8) + 192).unwrap(), ((length - 192) & 0xff) as u8],
            };
            let (packet, rest) =
                first(&[bytes, vec![7; length + 1]].concat()).map(|(a, b)| (a.body.len(), b.len())).unwrap();
            assert_eq!((packet, rest), (length, 1));
        }
    }

    #[test]
    fn a_crowd_of_packets_is_refused_before_anybody_looks_at_it() {
        let mut bytes = vec![0xc6, 1, 4];
        bytes.extend([0xcd, 1, b'x'].repeat(MAX_USER_IDS));
        assert_eq!(certificates(&bytes).unwrap().len(), 1);
        bytes.extend([0xcd, 1, b'x']);
        assert!(certificates(&bytes).unwrap_err().to_string().contains("user ids"));
        assert_eq!(certificates(&[0xc6, 1, 4, 0xcd, 1, b'x', 0xc6, 1, 4]).unwrap().len(), 2);
        assert!(certificates(&[0xcd, 1, b'x']).is_err());
    }
}
