//! The public-key operations, on raw keys compiled at registration.

use aws_lc_rs::digest;
use aws_lc_rs::signature as aws;
use serde::{Deserialize, Serialize};

/// NIST SP 800-131A: shorter RSA keys are disallowed since 2014.
pub const RSA_MIN_BITS: usize = 2048;

/// Longer RSA keys only make verification slow, and the verifier has no parameters for them.
pub const RSA_MAX_BITS: usize = 8192;

/// Public exponents of more bits serve nobody but those who want verification to be slow.
const RSA_EXPONENT_MAX_BITS: usize = 33;

/// A public key ready for use. Registration refuses weak ones; here they are only used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub enum VerifyKey {
    Ed25519 {
        #[serde(with = "crate::bytes")]
        point: Vec<u8>,
        /// Registration found the point free of torsion, so that no push has to. False: nobody has looked, or it is not.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        torsion_free: bool,
    },
    /// `curve` is `P-256`, `P-384` or `P-521`; `point` is the uncompressed SEC1 form.
    Ecdsa {
        curve: Curve,
        #[serde(with = "crate::bytes")]
        point: Vec<u8>,
    },
    /// Big-endian without leading zeros.
    Rsa {
        #[serde(with = "crate::bytes")]
        modulus: Vec<u8>,
        #[serde(with = "crate::bytes")]
        exponent: Vec<u8>,
    },
    /// A key kept for its name only: its algorithm is refused or it may not sign.
    Unusable { reason: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Curve {
    #[serde(rename = "P-256")]
    P256,
    #[serde(rename = "P-384")]
    P384,
    #[serde(rename = "P-521")]
    P521,
}

impl Curve {
    /// Bytes of one coordinate or of `r` and `s`.
    fn width(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::P521 => "P-521",
        }
    }
}

/// The hashes that a signature may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        }
    }

    /// The digest of the parts, one after the other.
    pub(crate) fn of<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>) -> digest::Digest {
        let mut context = digest::Context::new(self.algorithm());
        for part in parts {
            context.update(part);
        }
        context.finish()
    }
}

/// What was signed: bytes that the signature algorithm hashes, or their digest.
/// For Ed25519 both are simply its message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signed<'a> {
    Message(&'a [u8]),
    Digest(&'a [u8]),
}

/// The numbers of a signature. Big-endian; leading zeros may be there or not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers<'a> {
    Ed25519(&'a [u8; 64]),
    Ecdsa { r: &'a [u8], s: &'a [u8] },
    Rsa(&'a [u8]),
}

/// The signature is not one of this key over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch;

impl VerifyKey {
    /// Refuses points of small order and encodings that are not canonical: one signature by such a
    /// key is good for many messages, and one key would have several names.
    pub(crate) fn ed25519(point: &[u8]) -> Result<Self, String> {
        let bytes: &[u8; 32] = point.try_into().map_err(|_| "Ed25519 key has not 32 bytes".to_owned())?;
        if is_weak_ed25519(bytes) {
            return Err("Ed25519 key is weak: a point of small order, or not in its canonical form".to_owned());
        }
        Ok(VerifyKey::Ed25519 { point: point.to_vec(), torsion_free: false })
    }

    /// With what registration finds out so that no push has to: costs two thirds of a verification.
    pub(crate) fn registered(self) -> Self {
        match self {
            VerifyKey::Ed25519 { point, .. } => {
                let torsion_free = super::ed25519::is_key_torsion_free(&point);
                VerifyKey::Ed25519 { point, torsion_free }
            }
            other => other,
        }
    }

    /// `point` is the uncompressed SEC1 form and must lie on the curve.
    pub(crate) fn ecdsa(curve: Curve, point: &[u8]) -> Result<Self, String> {
        let name = curve.name();
        if point.len() != 1 + 2 * curve.width() || point.first() != Some(&4) {
            return Err(format!("{name} key is not an uncompressed point"));
        }
        aws::ParsedPublicKey::new(ecdsa_algorithm(curve, Hash::Sha256), point)
            .map_err(|_| format!("{name} key is not a point on its curve"))?;
        Ok(VerifyKey::Ecdsa { curve, point: point.to_vec() })
    }

    /// Big-endian numbers, with or without leading zeros.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let (modulus, exponent) = (trimmed(modulus), trimmed(exponent));
        let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        match bits(modulus) {
            short if short < RSA_MIN_BITS => {
                return Err(format!("RSA key of {short} bits is too short: at least {RSA_MIN_BITS}"));
            }
            long if long > RSA_MAX_BITS => {
                return Err(format!("RSA key of {long} bits is too long: at most {RSA_MAX_BITS}"));
            }
            _ => {}
        }
        if !odd(modulus) {
            return Err("RSA key is broken: its modulus is even".to_owned());
        }
        if exponent == [1] || !odd(exponent) {
            return Err("RSA key is broken: its public exponent is 1 or even".to_owned());
        }
        if bits(exponent) > RSA_EXPONENT_MAX_BITS {
            return Err(format!("RSA key has a public exponent of {} bits: at most 33", bits(exponent)));
        }
        aws::RsaPublicKeyComponents { n: modulus, e: exponent }
            .to_parsed_public_key(&aws::RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| "RSA key is broken: no library takes its numbers".to_owned())?;
        Ok(VerifyKey::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// Bits of an RSA modulus, of a curve's field otherwise.
    pub(crate) fn bits(&self) -> usize {
        match self {
            VerifyKey::Ed25519 { .. } => 255,
            VerifyKey::Ecdsa { curve: Curve::P256, .. } => 256,
            VerifyKey::Ecdsa { curve: Curve::P384, .. } => 384,
            VerifyKey::Ecdsa { curve: Curve::P521, .. } => 521,
            VerifyKey::Rsa { modulus, .. } => bits(modulus),
            VerifyKey::Unusable { .. } => 0,
        }
    }

    /// `Ed25519`, `P-256`, `RSA 3072`.
    pub(crate) fn algorithm(&self) -> String {
        match self {
            VerifyKey::Ed25519 { .. } => "Ed25519".to_owned(),
            VerifyKey::Ecdsa { curve, .. } => curve.name().to_owned(),
            VerifyKey::Rsa { .. } => format!("RSA {}", self.bits()),
            VerifyKey::Unusable { .. } => "unusable".to_owned(),
        }
    }

    /// One public-key operation. `S < L` of Ed25519, the range of `r` and `s`, and the strict form
    /// of PKCS#1 v1.5 are enforced below it.
    pub(crate) fn verify(&self, hash: Hash, signed: Signed<'_>, numbers: &Numbers<'_>) -> Result<(), Mismatch> {
        match (self, numbers) {
            (VerifyKey::Ed25519 { point, .. }, Numbers::Ed25519(signature)) => {
                let (Signed::Message(message) | Signed::Digest(message)) = signed;
                aws::UnparsedPublicKey::new(&aws::ED25519, point)
                    .verify(message, signature.as_slice())
                    .map_err(|_| Mismatch)
            }
            (VerifyKey::Ecdsa { curve, point }, Numbers::Ecdsa { r, s }) => {
                let signature = der_pair(trimmed(r), trimmed(s), curve.width())?;
                let key = aws::UnparsedPublicKey::new(ecdsa_algorithm(*curve, hash), point);
                match signed {
                    Signed::Message(message) => key.verify(message, &signature),
                    Signed::Digest(bytes) => key.verify_digest(&imported(hash, bytes)?, &signature),
                }
                .map_err(|_| Mismatch)
            }
            (VerifyKey::Rsa { modulus, exponent }, Numbers::Rsa(signature)) => {
                if signature.len() > modulus.len() {
                    return Err(Mismatch);
                }
                let signature = padded(trimmed(signature), modulus.len()).ok_or(Mismatch)?;
                let key = aws::RsaPublicKeyComponents { n: modulus, e: exponent }
                    .to_parsed_public_key(rsa_algorithm(hash))
                    .map_err(|_| Mismatch)?;
                match signed {
                    Signed::Message(message) => key.verify_sig(message, &signature),
                    Signed::Digest(bytes) => key.verify_digest_sig(&imported(hash, bytes)?, &signature),
                }
                .map_err(|_| Mismatch)
            }
            _ => Err(Mismatch),
        }
    }
}

fn imported(hash: Hash, bytes: &[u8]) -> Result<digest::Digest, Mismatch> {
    digest::Digest::import_less_safe(bytes, hash.algorithm()).map_err(|_| Mismatch)
}

fn rsa_algorithm(hash: Hash) -> &'static aws::RsaParameters {
    match hash {
        Hash::Sha256 => &aws::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &aws::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &aws::RSA_PKCS1_2048_8192_SHA512,
    }
}

fn ecdsa_algorithm(curve: Curve, hash: Hash) -> &'static aws::EcdsaVerificationAlgorithm {
    match (curve, hash) {
        (Curve::P256, Hash::Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Hash::Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Hash::Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Hash::Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Hash::Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, Hash::Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Hash::Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Hash::Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, Hash::Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
    }
}

/// `number` without leading zeros.
fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn padded(number: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; width.checked_sub(number.len())?];
    out.extend_from_slice(number);
    Some(out)
}

fn bits(trimmed: &[u8]) -> usize {
    trimmed.first().map_or(0, |first| trimmed.len() * 8 - first.leading_zeros() as usize)
}

/// `SEQUENCE { INTEGER r, INTEGER s }`; the numbers are at most `width` bytes, hence the whole
/// content is below 256 bytes.
fn der_pair(r: &[u8], s: &[u8], width: usize) -> Result<Vec<u8>, Mismatch> {
    let mut content = Vec::with_capacity(2 * (width + 3));
    for number in [r, s] {
        let sign = number.first().is_none_or(|first| first & 0x80 != 0);
        if number.len() > width {
            return Err(Mismatch);
        }
        let length = u8::try_from(number.len() + usize::from(sign)).map_err(|_| Mismatch)?;
        content.extend_from_slice(&[2, length]);
        if sign {
            content.push(0);
        }
        content.extend_from_slice(number);
    }
    let length = u8::try_from(content.len()).map_err(|_| Mismatch)?;
    let mut out = Vec::with_capacity(content.len() + 3);
    out.push(0x30);
    if length >= 0x80 {
        out.push(0x81);
    }
    out.push(length);
    out.append(&mut content);
    Ok(out)
}

/// Little-endian 2^255 - 19.
const FIELD: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

/// The `y` of every point whose order divides 8, in canonical form: 0, 1, -1 and the two of order 8.
/// Together with the rule that `y` is canonical this covers all their encodings, either sign.
const SMALL_ORDER: [[u8; 32]; 5] = {
    let zero = [0; 32];
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = FIELD;
    minus_one[0] -= 1;
    [
        zero,
        one,
        minus_one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

fn is_weak_ed25519(point: &[u8; 32]) -> bool {
    !is_canonical_ed25519(point) || SMALL_ORDER.contains(&ordinate(point))
}

/// Whether a point has no other form than this: `y` is below the prime, and an `x` of nothing has no sign.
pub(super) fn is_canonical_ed25519(point: &[u8; 32]) -> bool {
    let y = ordinate(point);
    let [_, one, minus_one, ..] = SMALL_ORDER;
    let signed = *point != y;
    y.iter().rev().lt(FIELD.iter().rev()) && !(signed && (y == one || y == minus_one))
}

/// The `y` of a point without the sign of `x`.
fn ordinate(point: &[u8; 32]) -> [u8; 32] {
    let mut y = *point;
    y[31] &= 0x7f;
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};

    #[test]
    fn d15_small_order_and_non_canonical_ed25519_keys_are_refused() {
        for weak in SMALL_ORDER {
            let mut negative = weak;
            negative[31] |= 0x80;
            assert!(VerifyKey::ed25519(&weak).is_err() && VerifyKey::ed25519(&negative).is_err());
        }
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        assert!(VerifyKey::ed25519(&minus_one).is_err(), "of order 2");
        let mut p_plus_three = FIELD;
        p_plus_three[0] = 0xf0;
        assert!(VerifyKey::ed25519(&FIELD).is_err() && VerifyKey::ed25519(&p_plus_three).is_err());
        assert!(VerifyKey::ed25519(&[7; 31]).is_err());
        let pair = Ed25519KeyPair::generate().unwrap();
        assert!(VerifyKey::ed25519(pair.public_key().as_ref()).is_ok());
    }

    #[test]
    fn d13_broken_rsa_keys_are_refused_with_the_reason() {
        let number = |bits: usize, last: u8| {
            let mut out = vec![0xc5; bits / 8];
            *out.last_mut().unwrap() = last;
            out
        };
        let reason = |n: &[u8], e: &[u8]| VerifyKey::rsa(n, e).unwrap_err();
        let e = [1, 0, 1];
        assert_eq!(reason(&number(1024, 1), &e), "RSA key of 1024 bits is too short: at least 2048");
        assert!(reason(&number(16384, 1), &e).contains("too long"));
        assert!(reason(&number(2048, 2), &e).contains("even"));
        assert!(reason(&number(2048, 1), &[1]).contains("exponent is 1"));
        assert!(reason(&number(2048, 1), &[2]).contains("even"));
        assert!(reason(&number(2048, 1), &[0xff; 8]).contains("exponent of 64 bits"));
        assert!(VerifyKey::rsa(&number(2048, 1), &e).is_ok());
        let mut zeros = vec![0; 256];
        zeros.extend(number(1024, 1));
        assert!(VerifyKey::rsa(&zeros, &e).is_err(), "leading zeros do not make a key long");
    }

    #[test]
    fn c30_numbers_out_of_range_verify_nothing() {
        let pair = EcdsaKeyPair::generate(&aws::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let key = VerifyKey::ecdsa(Curve::P256, pair.public_key().as_ref()).unwrap();
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        let (r, s) = signature.as_ref().split_at(32);
        let verify =
            |r: &[u8], s: &[u8]| key.verify(Hash::Sha256, Signed::Message(b"message"), &Numbers::Ecdsa { r, s });
        assert_eq!(verify(r, s), Ok(()));
        let digest = Hash::Sha256.of([b"mess".as_slice(), b"age"]);
        assert_eq!(key.verify(Hash::Sha256, Signed::Digest(digest.as_ref()), &Numbers::Ecdsa { r, s }), Ok(()));
        for bad in [[0; 32].as_slice(), &[], &[0xff; 32], &[1; 33], &[1; 300]] {
            assert_eq!(verify(bad, s), Err(Mismatch));
            assert_eq!(verify(r, bad), Err(Mismatch));
        }

        let pair = Ed25519KeyPair::generate().unwrap();
        let key = VerifyKey::ed25519(pair.public_key().as_ref()).unwrap();
        let mut numbers: [u8; 64] = pair.sign(b"message").as_ref().try_into().unwrap();
        assert_eq!(key.verify(Hash::Sha512, Signed::Message(b"message"), &Numbers::Ed25519(&numbers)), Ok(()));
        // S + L is the same number modulo L, and no signature.
        let order: [u8; 16] =
            [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14];
        let mut carry = 0;
        for (i, byte) in numbers[32..].iter_mut().enumerate() {
            let l = if i < 16 { order[i] } else { u8::from(i == 31) * 0x10 };
            let sum = u16::from(*byte) + u16::from(l) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(key.verify(Hash::Sha512, Signed::Message(b"message"), &Numbers::Ed25519(&numbers)), Err(Mismatch));
    }

    #[test]
    fn d13_rsa_numbers_are_taken_up_to_their_limits() {
        let modulus = |bytes: usize| {
            let mut out = vec![0xc5; bytes];
            *out.last_mut().unwrap() = 1;
            out
        };
        let takes = |modulus: &[u8], exponent: &[u8]| VerifyKey::rsa(modulus, exponent).is_ok();
        assert!(takes(&modulus(RSA_MIN_BITS / 8), &[1, 0, 1]) && !takes(&modulus(RSA_MIN_BITS / 8 - 1), &[1, 0, 1]));
        assert!(takes(&modulus(RSA_MAX_BITS / 8), &[1, 0, 1]) && !takes(&modulus(RSA_MAX_BITS / 8 + 1), &[1, 0, 1]));
        assert!(takes(&modulus(256), &[1, 0, 0, 0, 1]) && !takes(&modulus(256), &[2, 0, 0, 0, 1]), "33 bits");
        let key = VerifyKey::rsa(&[vec![0], modulus(384)].concat(), &[0, 3]).unwrap();
        assert_eq!((key.bits(), key.algorithm().as_str()), (3072, "RSA 3072"));
        let mut short = modulus(384);
        short[0] = 0x40;
        assert_eq!(VerifyKey::rsa(&short, &[3]).unwrap().bits(), 3071);
    }

    #[test]
    fn a_point_has_one_form() {
        let pair = EcdsaKeyPair::generate(&aws::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
        let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
        for other in [compressed, hybrid, point[..64].to_vec(), vec![], [point, &[0]].concat()] {
            assert_eq!(VerifyKey::ecdsa(Curve::P256, &other).unwrap_err(), "P-256 key is not an uncompressed point");
        }
        assert!(VerifyKey::ecdsa(Curve::P384, point).is_err());
        let key = VerifyKey::ecdsa(Curve::P256, point).unwrap();
        assert_eq!((key.bits(), key.algorithm().as_str()), (256, "P-256"));
    }

    #[test]
    fn a_point_off_its_curve_is_no_key() {
        let sign = [
            (Curve::P256, &aws::ECDSA_P256_SHA256_ASN1_SIGNING),
            (Curve::P384, &aws::ECDSA_P384_SHA384_ASN1_SIGNING),
            (Curve::P521, &aws::ECDSA_P521_SHA512_ASN1_SIGNING),
        ];
        for (curve, algorithm) in sign {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            assert!(VerifyKey::ecdsa(curve, pair.public_key().as_ref()).is_ok());
            let mut off = pair.public_key().as_ref().to_vec();
            *off.last_mut().unwrap() ^= 1;
            assert!(VerifyKey::ecdsa(curve, &off).is_err(), "not on the curve");
        }
    }
}
