//! One certificate, taken apart into the facts that decisions rest on.

use crate::signature::oid::called;
use crate::signature::primitive::{Curve, Hash, Numbers, Signed, VerifyKey};
use crate::text::{shown, shown_bytes};
use crate::time::{Span, Time};
use der::asn1::{BitString, ObjectIdentifier, UintRef};
use der::oid::AssociatedOid;
use der::{AnyRef, Decode, Encode, Reader, SliceReader};
use x509_cert::AlgorithmIdentifier;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName,
    SubjectKeyIdentifier,
};

/// Bytes of one certificate. Ours have about 1,500; the largest seen in public, full of names, 30,000.
pub(super) const CERTIFICATE_MAX: usize = 32 * 1024;

/// Names kept of one certificate; one is the rule.
const NAMES_MAX: usize = 32;

const EMAIL_PROTECTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4");
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// How a signature over a certificate, a revocation list or a message was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Rsa(Hash),
    Ecdsa(Hash),
}

/// Why an algorithm is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    Weak(&'static str),
    /// In good standing perhaps, but nothing here verifies it.
    Unknown(String),
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotTaken::Weak(name) => f.write_str(name),
            NotTaken::Unknown(oid) => write!(f, "the unsupported algorithm {oid}"),
        }
    }
}

impl Scheme {
    /// Of an algorithm identifier that names the hash too.
    pub(super) fn of(algorithm: &AlgorithmIdentifier) -> Result<Self, NotTaken> {
        let text = algorithm.oid.to_string();
        let scheme = match text.as_str() {
            "1.2.840.113549.1.1.11" => Scheme::Rsa(Hash::Sha256),
            "1.2.840.113549.1.1.12" => Scheme::Rsa(Hash::Sha384),
            "1.2.840.113549.1.1.13" => Scheme::Rsa(Hash::Sha512),
            "1.2.840.10045.4.3.2" => Scheme::Ecdsa(Hash::Sha256),
            "1.2.840.10045.4.3.3" => Scheme::Ecdsa(Hash::Sha384),
            "1.2.840.10045.4.3.4" => Scheme::Ecdsa(Hash::Sha512),
            "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.3.14.3.2.29" => return Err(NotTaken::Weak("SHA-1")),
            "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.2" => return Err(NotTaken::Weak("MD5")),
            "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => return Err(NotTaken::Weak("SHA-224")),
            _ => return Err(NotTaken::Unknown(called(&algorithm.oid))),
        };
        // RFC 4055 wants NULL, RFC 5758 nothing; anything else would be a parameter nobody looked at.
        match &algorithm.parameters {
            None => Ok(scheme),
            Some(parameters) if parameters.is_null() => Ok(scheme),
            Some(_) => Err(NotTaken::Unknown(called(&algorithm.oid))),
        }
    }

    /// Of the `signatureAlgorithm` of a signer, which may name the key's algorithm alone and leave the
    /// hash to `digest`; where it names a hash, it must be the same one.
    pub(super) fn of_signer(algorithm: &AlgorithmIdentifier, digest: Hash) -> Result<Self, NotTaken> {
        if algorithm.oid == RSA_ENCRYPTION {
            return Ok(Scheme::Rsa(digest));
        }
        if algorithm.oid == EC_PUBLIC_KEY {
            return Ok(Scheme::Ecdsa(digest));
        }
        let scheme = Scheme::of(algorithm)?;
        let (Scheme::Rsa(named) | Scheme::Ecdsa(named)) = scheme;
        if named == digest {
            Ok(scheme)
        } else {
            Err(NotTaken::Unknown(format!("{} over another hash", algorithm.oid)))
        }
    }

    /// Whether `signature` is one of `key` over `message`.
    pub(super) fn verifies(self, key: &VerifyKey, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Scheme::Rsa(hash) => key.verify(hash, Signed::Message(message), &Numbers::Rsa(signature)).is_ok(),
            Scheme::Ecdsa(hash) => ecdsa_numbers(signature)
                .is_some_and(|(r, s)| key.verify(hash, Signed::Message(message), &Numbers::Ecdsa { r, s }).is_ok()),
        }
    }
}

fn ecdsa_numbers(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(signature).ok()?;
    let numbers = reader
        .sequence(|inner| -> der::Result<_> { Ok((UintRef::decode(inner)?, UintRef::decode(inner)?)) })
        .ok()
        .map(|(r, s)| (r.as_bytes(), s.as_bytes()))?;
    reader.is_finished().then_some(numbers)
}

/// A parsed certificate; nothing in it is believed before its chain has been checked.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    /// What the issuer signed.
    tbs: Vec<u8>,
    scheme: Result<Scheme, NotTaken>,
    signature: Vec<u8>,
    /// Names in DER: compared byte by byte, because two names that only look alike are two names.
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) subject_name: x509_cert::name::Name,
    pub(super) serial: Vec<u8>,
    pub(super) validity: Span,
    pub(super) key: Result<VerifyKey, String>,
    key_usage: Option<KeyUsage>,
    extended_usage: Option<Vec<ObjectIdentifier>>,
    basic: Option<BasicConstraints>,
    pub(super) alternative_names: Vec<GeneralName>,
    pub(super) constraints: Option<NameConstraints>,
    pub(super) distribution_points: Option<CrlDistributionPoints>,
    /// The first critical extension that nothing here understands.
    not_understood: Option<ObjectIdentifier>,
}

/// What is wrong with the bytes of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("certificate of {0} bytes is too large: at most {CERTIFICATE_MAX}")]
    TooLarge(usize),
    #[error("certificate cannot be parsed: {0}")]
    Parse(String),
    #[error("certificate is not in DER, so its fingerprint would name several encodings")]
    NotDer,
    #[error("certificate names one signature algorithm inside and another outside")]
    TwoAlgorithms,
    #[error("certificate has an e-mail address with characters that do not belong there: {0}")]
    BadName(String),
    #[error("certificate has more than {NAMES_MAX} names")]
    TooManyNames,
}

impl From<der::Error> for Broken {
    fn from(error: der::Error) -> Self {
        Broken::Parse(shown(&error.to_string(), 120))
    }
}

impl Certificate {
    /// Takes exactly one certificate in canonical DER.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.len() > CERTIFICATE_MAX {
            return Err(Broken::TooLarge(bytes.len()));
        }
        let certificate = x509_cert::Certificate::from_der(bytes)?;
        let parsed = Certificate::of(&certificate)?;
        if parsed.der != bytes {
            return Err(Broken::NotDer);
        }
        Ok(parsed)
    }

    /// Of a certificate that was parsed inside a message, encoded anew: where it was not canonical
    /// before, its issuer's signature does not verify.
    pub(super) fn of(certificate: &x509_cert::Certificate) -> Result<Self, Broken> {
        let der = certificate.to_der()?;
        if der.len() > CERTIFICATE_MAX {
            return Err(Broken::TooLarge(der.len()));
        }
        let tbs = certificate.tbs_certificate();
        if tbs.signature() != certificate.signature_algorithm() {
            return Err(Broken::TwoAlgorithms);
        }
        let alternative_names = extension::<SubjectAltName>(tbs)?.map(|names| names.0).unwrap_or_default();
        if alternative_names.len() > NAMES_MAX {
            return Err(Broken::TooManyNames);
        }
        for name in &alternative_names {
            if let GeneralName::Rfc822Name(name) = name
                && !name.as_str().bytes().all(|byte| byte.is_ascii_graphic())
            {
                return Err(Broken::BadName(shown(name.as_str(), 80)));
            }
        }
        // Nothing rests on it here, but other readers must not stumble over it.
        extension::<SubjectKeyIdentifier>(tbs)?;
        Ok(Certificate {
            tbs: tbs.to_der()?,
            scheme: Scheme::of(certificate.signature_algorithm()),
            signature: whole_bytes(certificate.signature())?.to_vec(),
            issuer: tbs.issuer().to_der()?,
            subject: tbs.subject().to_der()?,
            subject_name: tbs.subject().clone(),
            serial: tbs.serial_number().as_bytes().to_vec(),
            validity: Span {
                from: instant(tbs.validity().not_before),
                // RFC 5280: the last second belongs to the validity.
                until: Some(instant(tbs.validity().not_after).plus(std::time::Duration::from_secs(1))),
            },
            key: public_key(tbs.subject_public_key_info()),
            key_usage: extension(tbs)?,
            extended_usage: extension::<ExtendedKeyUsage>(tbs)?.map(|usage| usage.0),
            basic: extension(tbs)?,
            alternative_names,
            constraints: extension(tbs)?,
            distribution_points: extension(tbs)?,
            not_understood: not_understood(tbs),
            der,
        })
    }

    /// The instant after which the certificate is no longer valid, and from which on it is.
    pub(super) fn not_after(&self) -> Time {
        self.validity.until.map_or(self.validity.from, |until| until.minus(std::time::Duration::from_secs(1)))
    }

    /// The subject as text for people.
    pub(super) fn shown_subject(&self) -> String {
        shown(&self.subject_name.to_string(), 200)
    }

    /// `X509:` and the lower-case hex SHA-256 of the whole certificate.
    pub(super) fn fingerprint_text(&self) -> String {
        format!("X509:{}", hex::encode(Hash::Sha256.of([self.der.as_slice()])))
    }

    /// What the subject may be called in mail, as the certificate spells it.
    pub(super) fn emails(&self) -> impl Iterator<Item = &str> {
        self.alternative_names.iter().filter_map(|name| match name {
            GeneralName::Rfc822Name(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// `emailAddress` attributes of the subject: never an identity, but bound by name constraints.
    pub(super) fn subject_emails(&self) -> impl Iterator<Item = String> {
        self.subject_name.iter_rdn().flat_map(|rdn| rdn.iter()).filter(|pair| pair.oid == EMAIL_ADDRESS).map(|pair| {
            std::str::from_utf8(pair.value.value()).map_or_else(|_| shown_bytes(pair.value.value(), 80), str::to_owned)
        })
    }

    pub(super) fn is_ca(&self) -> bool {
        self.basic.as_ref().is_some_and(|basic| basic.ca)
    }

    pub(super) fn path_len(&self) -> Option<u8> {
        self.basic.as_ref().and_then(|basic| basic.path_len_constraint)
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    pub(super) fn may_sign_lists(&self) -> bool {
        // RFC 5280 lets an authority do without the extension; then nothing is ruled out.
        self.key_usage.as_ref().is_none_or(KeyUsage::crl_sign)
    }

    /// Whether the issuer's key made the signature on this certificate, by an algorithm that is taken.
    pub(super) fn is_signed_by(&self, issuer: &Certificate) -> bool {
        self.issuer == issuer.subject
            && matches!((&self.scheme, &issuer.key), (Ok(scheme), Ok(key)) if scheme.verifies(key, &self.tbs, &self.signature))
    }

    /// What forbids the certificate to stand behind a commit, whoever issued it.
    pub(super) fn usage_problem(&self) -> Option<String> {
        if self.is_ca() {
            return Some("belongs to a certificate authority".to_owned());
        }
        if self.key_usage.as_ref().is_some_and(|usage| usage.key_cert_sign()) {
            return Some("may sign certificates".to_owned());
        }
        if self.key_usage.as_ref().is_some_and(|usage| !usage.digital_signature() && !usage.non_repudiation()) {
            return Some("is not for signatures: its key usage lacks digitalSignature and nonRepudiation".to_owned());
        }
        if !self.serves_signing() {
            return Some(
                "is for another purpose: its extended key usage names neither emailProtection nor codeSigning".into(),
            );
        }
        self.critical_problem()
    }

    /// What forbids the certificate to issue others.
    pub(super) fn issuer_problem(&self) -> Option<String> {
        if !self.is_ca() {
            return Some("is not a certificate authority".to_owned());
        }
        if !self.key_usage.as_ref().is_none_or(KeyUsage::key_cert_sign) {
            return Some("may not sign certificates: its key usage lacks keyCertSign".to_owned());
        }
        if !self.serves_signing() {
            return Some("issues for other purposes than signing".to_owned());
        }
        self.critical_problem()
    }

    /// No extended key usage is every usage.
    fn serves_signing(&self) -> bool {
        self.extended_usage
            .as_ref()
            .is_none_or(|usages| usages.iter().any(|usage| [EMAIL_PROTECTION, CODE_SIGNING, ANY_USAGE].contains(usage)))
    }

    fn critical_problem(&self) -> Option<String> {
        self.not_understood.map(|oid| format!("has a critical extension that is not understood: {oid}"))
    }

    /// Why the issuer's signature is not taken, for people.
    pub(super) fn scheme_problem(&self) -> Option<&NotTaken> {
        self.scheme.as_ref().err()
    }
}

/// Whole seconds, as certificates and revocation lists have them.
pub(super) fn instant(time: x509_cert::time::Time) -> Time {
    Time::from_unix_seconds(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
}

/// The extension, at most once.
fn extension<'a, T: Decode<'a, Error = der::Error> + AssociatedOid>(
    tbs: &'a x509_cert::TbsCertificate,
) -> Result<Option<T>, Broken> {
    Ok(tbs.get_extension::<T>()?.map(|(_, value)| value))
}

fn not_understood(tbs: &x509_cert::TbsCertificate) -> Option<ObjectIdentifier> {
    let understood =
        [KeyUsage::OID, ExtendedKeyUsage::OID, BasicConstraints::OID, SubjectAltName::OID, NameConstraints::OID];
    let critical = tbs.extensions().into_iter().flatten().filter(|extension| extension.critical);
    critical.map(|extension| extension.extn_id).find(|oid| !understood.contains(oid))
}

/// A signature or key is a whole number of bytes.
fn whole_bytes(bits: &BitString) -> Result<&[u8], Broken> {
    bits.as_bytes().ok_or_else(|| Broken::Parse("a signature that is no whole number of bytes".to_owned()))
}

/// RSA, or ECDSA on a curve that is named: explicit parameters let an attacker choose the generator
/// (CVE-2020-0601), so they are not read at all.
fn public_key(info: &x509_cert::SubjectPublicKeyInfo) -> Result<VerifyKey, String> {
    let bytes = info.subject_public_key.as_bytes().ok_or("key is no whole number of bytes")?;
    let parameters = info.algorithm.parameters.as_ref();
    if info.algorithm.oid == RSA_ENCRYPTION {
        let mut reader = SliceReader::new(bytes).map_err(|_| "RSA key cannot be parsed")?;
        let (modulus, exponent) = reader
            .sequence(|inner| -> der::Result<_> { Ok((UintRef::decode(inner)?, UintRef::decode(inner)?)) })
            .map_err(|_| "RSA key cannot be parsed")?;
        return VerifyKey::rsa(modulus.as_bytes(), exponent.as_bytes());
    }
    if info.algorithm.oid == EC_PUBLIC_KEY {
        let named = parameters.and_then(|any| AnyRef::from(any).decode_as::<ObjectIdentifier>().ok());
        let named = named.ok_or("elliptic-curve key does not name its curve")?;
        let curve = match named.to_string().as_str() {
            "1.2.840.10045.3.1.7" => Curve::P256,
            "1.3.132.0.34" => Curve::P384,
            "1.3.132.0.35" => Curve::P521,
            _ => return Err(format!("key is on the unsupported curve {}: P-256, P-384 or P-521", called(&named))),
        };
        return VerifyKey::ecdsa(curve, bytes);
    }
    Err(format!("key has the unsupported algorithm {}: RSA or ECDSA", called(&info.algorithm.oid)))
}

/// The serial number of a certificate in DER, big-endian.
pub fn serial_number(der: &[u8]) -> Option<Vec<u8>> {
    Certificate::parse(der).ok().map(|certificate| certificate.serial)
}
