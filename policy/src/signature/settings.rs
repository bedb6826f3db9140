//! What the policy takes as a signature. The defaults are today's best practice.

use super::Format;
use super::primitive::{Curve, Hash, VerifyKey};
use crate::duration::Period;
use crate::rule::weak_algorithm;
use crate::time::Time;
use crate::verdict::Problem;
use serde::{Deserialize, Serialize};

/// The part of the policy that judges signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub formats: Vec<Format>,
    pub hashes: Vec<Hash>,
    pub curves: Vec<AllowedCurve>,
    /// Values under 2048 have no effect: shorter keys are refused when they are registered.
    pub rsa_min_bits: usize,
    /// How far ahead of the server's clock a signature may be dated.
    pub clock_skew: Period,
    /// Whether a security key must have asked for PIN or fingerprint, not for a touch alone.
    pub sk_require_user_verification: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AllowedCurve {
    Ed25519,
    #[serde(rename = "P-256")]
    P256,
    #[serde(rename = "P-384")]
    P384,
    #[serde(rename = "P-521")]
    P521,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            formats: vec![Format::OpenPgp, Format::Ssh, Format::SshCertificate, Format::X509],
            hashes: vec![Hash::Sha256, Hash::Sha384, Hash::Sha512],
            curves: vec![AllowedCurve::Ed25519, AllowedCurve::P256, AllowedCurve::P384, AllowedCurve::P521],
            rsa_min_bits: super::primitive::RSA_MIN_BITS,
            clock_skew: Period::seconds(5 * 60),
            sk_require_user_verification: false,
        }
    }
}

impl Settings {
    pub(crate) fn takes_hash(&self, hash: Hash) -> bool {
        self.hashes.contains(&hash)
    }

    /// The latest date that a signature may bear at `now`.
    pub(crate) fn latest(&self, now: Time) -> Time {
        now.plus(self.clock_skew.get())
    }

    /// What the policy has against this kind of key. Registration has already refused weak ones.
    pub(crate) fn key_problem(&self, key: &VerifyKey) -> Option<Problem> {
        let curve = match key {
            VerifyKey::Ed25519 { .. } => AllowedCurve::Ed25519,
            VerifyKey::Ecdsa { curve: Curve::P256, .. } => AllowedCurve::P256,
            VerifyKey::Ecdsa { curve: Curve::P384, .. } => AllowedCurve::P384,
            VerifyKey::Ecdsa { curve: Curve::P521, .. } => AllowedCurve::P521,
            VerifyKey::Rsa { .. } => {
                let bits = key.bits();
                return (bits < self.rsa_min_bits).then(|| {
                    let least = self.rsa_min_bits;
                    let reason =
                        format!("is signed with an RSA key of {bits} bits; the policy asks for at least {least}");
                    Problem::new(&weak_algorithm::RULE, reason)
                });
            }
            VerifyKey::Unusable { reason } => {
                let reason = format!("is signed with a key that cannot be used: {reason}");
                return Some(Problem::new(&weak_algorithm::RULE, reason));
            }
        };
        (!self.curves.contains(&curve)).then(|| {
            let reason = format!("is signed with a key on {}, which the policy does not take", key.algorithm());
            Problem::new(&weak_algorithm::RULE, reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_overrides_one_setting_and_may_not_misspell_it() {
        let settings: Settings = serde_json::from_str(r#"{"rsa_min_bits":3072,"formats":["ssh","openpgp"]}"#).unwrap();
        assert_eq!(settings.rsa_min_bits, 3072);
        assert_eq!(settings.formats, [Format::Ssh, Format::OpenPgp]);
        assert_eq!(settings.hashes, Settings::default().hashes);
        assert!(serde_json::from_str::<Settings>(r#"{"rsa_min_bit":3072}"#).is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"hashes":["sha1"]}"#).is_err(), "SHA-1 cannot be allowed");
    }

    #[test]
    fn all_four_formats_have_plain_names() {
        let names = serde_json::to_string(&Settings::default().formats).unwrap();
        assert_eq!(names, r#"["openpgp","ssh","ssh-certificate","x509"]"#);
    }
}
