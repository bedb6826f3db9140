//! The CMS message inside a pushed signature: parsed strictly, believed not yet.

use super::certificate::{Certificate, NotTaken, Scheme};
use crate::rule::{limit_exceeded, malformed_signature, multiple_signatures, weak_algorithm};
use crate::signature::primitive::{Hash, VerifyKey};
use crate::time::Time;
use crate::verdict::Problem;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, EncodingRules};
use x509_cert::attr::{Attribute, AttributeValue};

/// Bytes of a message, before base64. A signature with four certificates has 6,000.
const MESSAGE_MAX: usize = 64 * 1024;

/// Certificates in a message. A chain has three or four; more only give path building work.
const CERTIFICATES_MAX: usize = 10;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// A detached signature by one signer, whose certificate came with it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) signer: Certificate,
    /// The other certificates: perhaps a way to a root.
    pub(super) others: Vec<Certificate>,
    pub(super) digest: Hash,
    /// What the signer says is the digest of the payload.
    pub(super) message_digest: Vec<u8>,
    /// When the signer says it signed.
    pub(super) signing_time: Option<Time>,
    /// The attributes in DER: what the signature is over.
    signed_attributes: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
}

fn malformed(reason: impl Into<String>) -> Problem {
    Problem::new(&malformed_signature::RULE, reason)
}

fn not_cms(_: der::Error) -> Problem {
    malformed("has an X.509 signature that cannot be parsed")
}

impl Message {
    /// Takes BER, because `gpgsm` writes indefinite lengths, and nothing after it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() > MESSAGE_MAX {
            let reason = format!("has an X.509 signature of {} bytes; the limit is {MESSAGE_MAX}", bytes.len());
            return Err(Problem::new(&limit_exceeded::RULE, reason));
        }
        let info = ContentInfo::from_ber(bytes).map_err(not_cms)?;
        if info.content_type != SIGNED_DATA {
            return Err(malformed("has a CMS message that is no signature"));
        }
        let data: SignedData = info.content.decode_as_encoding(EncodingRules::Ber).map_err(not_cms)?;
        // Content inside could be anything: what is signed is the object, and nothing else.
        if data.encap_content_info.econtent_type != DATA || data.encap_content_info.econtent.is_some() {
            return Err(malformed("has an X.509 signature over content of its own: it must be detached"));
        }
        let mut signers = data.signer_infos.0.into_vec();
        let (signer, more) = (signers.pop(), signers.len());
        let signer = signer.ok_or_else(|| malformed("has a CMS message without a signer"))?;
        if more > 0 {
            return Err(Problem::new(&multiple_signatures::RULE, format!("is signed by {} X.509 signers", more + 1)));
        }
        let certificates = data.certificates.map(|set| set.0.into_vec()).unwrap_or_default();
        Message::of(&signer, certificates)
    }

    fn of(info: &SignerInfo, certificates: Vec<CertificateChoices>) -> Result<Self, Problem> {
        let (signer, others) = pick_signer(&info.sid, all(certificates)?)?;
        let digest = digest_of(&info.digest_alg.oid)?;
        let scheme = Scheme::of_signer(&info.signature_algorithm, digest).map_err(|not_taken| match not_taken {
            NotTaken::Weak(name) => weak(&format!("is signed with {name}, which is broken")),
            NotTaken::Unknown(name) => weak(&format!("is signed with the unsupported algorithm {name}")),
        })?;
        // Without signed attributes, the attributes of another signature could be passed off as a
        // payload, and the other way round.
        let attributes =
            info.signed_attrs.as_ref().ok_or_else(|| malformed("has an X.509 signature without signed attributes"))?;
        let attributes = attributes.as_slice();
        let content_type: ObjectIdentifier = only(attributes, CONTENT_TYPE)?
            .ok_or_else(|| malformed("has an X.509 signature that does not say what it signs"))?
            .decode_as()
            .map_err(not_cms)?;
        if content_type != DATA {
            return Err(malformed("has an X.509 signature over something else than data"));
        }
        let message_digest = only(attributes, MESSAGE_DIGEST)?
            .ok_or_else(|| malformed("has an X.509 signature without a digest of what it signs"))?;
        let message_digest: &OctetStringRef = message_digest.decode_as().map_err(not_cms)?;
        let signing_time = only(attributes, SIGNING_TIME)?
            .map(|value| value.decode_as::<x509_cert::time::Time>())
            .transpose()
            .map_err(not_cms)?
            .and_then(|time| i64::try_from(time.to_unix_duration().as_secs()).ok())
            .map(Time::from_unix_seconds);
        Ok(Message {
            message_digest: message_digest.as_bytes().to_vec(),
            signing_time,
            signed_attributes: encoded_set(attributes).map_err(not_cms)?,
            signature: info.signature.as_bytes().to_vec(),
            signer,
            others,
            digest,
            scheme,
        })
    }

    /// Whether `key` made the signature over the attributes, and with them over the payload.
    pub(super) fn is_signed_by(&self, key: &VerifyKey) -> bool {
        self.scheme.verifies(key, &self.signed_attributes, &self.signature)
    }
}

fn weak(reason: &str) -> Problem {
    Problem::new(&weak_algorithm::RULE, reason)
}

fn digest_of(oid: &ObjectIdentifier) -> Result<Hash, Problem> {
    match oid.to_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => Ok(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Ok(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Ok(Hash::Sha512),
        "1.3.14.3.2.26" => Err(weak("is signed over a SHA-1 digest, which is broken")),
        "1.2.840.113549.2.5" => Err(weak("is signed over an MD5 digest, which is broken")),
        other => Err(weak(&format!("is signed over a digest of the unsupported kind {other}"))),
    }
}

fn all(choices: Vec<CertificateChoices>) -> Result<Vec<Certificate>, Problem> {
    if choices.len() > CERTIFICATES_MAX {
        let reason = format!("has a signature with {} certificates; the limit is {CERTIFICATES_MAX}", choices.len());
        return Err(Problem::new(&limit_exceeded::RULE, reason));
    }
    choices
        .iter()
        .map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Certificate::of(certificate)
                .map_err(|error| malformed(format!("has an X.509 signature with a bad certificate: {error}"))),
            CertificateChoices::Other(_) => {
                Err(malformed("has an X.509 signature with something else than certificates"))
            }
        })
        .collect()
}

/// The certificate that the signer names, and the rest.
fn pick_signer(id: &SignerIdentifier, all: Vec<Certificate>) -> Result<(Certificate, Vec<Certificate>), Problem> {
    let SignerIdentifier::IssuerAndSerialNumber(id) = id else {
        let next =
            "sign with `gpgsm` (`git config gpg.format x509`), which names the certificate by issuer and serial number";
        let reason = "has an X.509 signature that names its signer by a key identifier, which is not supported";
        return Err(malformed(reason).next(next));
    };
    // An issuer gives a serial number once.
    let (issuer, serial) = (id.issuer.to_der().map_err(not_cms)?, id.serial_number.as_bytes());
    let named = |certificate: &Certificate| certificate.issuer == issuer && certificate.serial == serial;
    let (mut signers, others): (Vec<_>, Vec<_>) = all.into_iter().partition(named);
    signers.dedup_by(|a, b| a.der == b.der);
    match (signers.pop(), signers.is_empty()) {
        (Some(signer), true) => Ok((signer, others)),
        (Some(_), false) => Err(malformed("has an X.509 signature that fits several certificates")),
        (None, _) => Err(malformed("has an X.509 signature without the signer's certificate")),
    }
}

/// The one value of the attribute `oid`, which stands there once or not at all.
fn only(attributes: &[Attribute], oid: ObjectIdentifier) -> Result<Option<&AttributeValue>, Problem> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    match (found.next().map(|attribute| attribute.values.as_slice()), found.next()) {
        (None, _) => Ok(None),
        (Some([value]), None) => Ok(Some(value)),
        _ => Err(malformed("has an X.509 signature that says two things of itself")),
    }
}

/// `SET OF` in DER, whatever order the message had: RFC 5652, section 5.4, signs this encoding.
fn encoded_set(attributes: &[Attribute]) -> der::Result<Vec<u8>> {
    let mut parts = attributes.iter().map(Encode::to_der).collect::<der::Result<Vec<_>>>()?;
    parts.sort();
    der::asn1::Any::new(der::Tag::Set, parts.concat())?.to_der()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Pki, armored};
    use super::*;
    use crate::signature::armor::{Label, decode};
    use der::asn1::SetOfVec;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| Pki::usual().sign("alice", &["sub"], b"payload", &[]));

    fn taken_apart() -> (ContentInfo, SignedData) {
        let info = ContentInfo::from_der(&GOOD).unwrap();
        let data = info.content.decode_as().unwrap();
        (info, data)
    }

    fn put_together(mut info: ContentInfo, data: &SignedData) -> Vec<u8> {
        info.content = der::asn1::Any::encode_from(data).unwrap();
        info.to_der().unwrap()
    }

    #[test]
    fn the_signer_and_the_way_up_are_told_apart() {
        let message = Message::parse(&decode(&armored(&GOOD), Label::X509).unwrap()).unwrap();
        assert_eq!((message.signer.shown_subject(), message.others.len()), ("CN=alice".to_owned(), 1));
        assert_eq!(message.digest.of([b"payload".as_slice()]).as_ref(), message.message_digest);
        assert!(message.is_signed_by(message.signer.key.as_ref().unwrap()));
        assert!(!message.is_signed_by(message.others[0].key.as_ref().unwrap()));
    }

    #[test]
    fn f04_one_signer_written_down_twice_is_two() {
        let (info, mut data) = taken_apart();
        let one = data.signer_infos.0.as_slice()[0].clone();
        data.signer_infos.0 = SetOfVec::try_from(vec![one.clone(), one]).unwrap();
        assert_eq!(Message::parse(&put_together(info, &data)).unwrap_err().rule.id, "multiple-signatures");
    }

    #[test]
    fn f07_an_attribute_stands_there_once_with_one_value() {
        for (oid, count) in [(MESSAGE_DIGEST, 0), (MESSAGE_DIGEST, 2), (CONTENT_TYPE, 0), (CONTENT_TYPE, 2)] {
            let (info, mut data) = taken_apart();
            let mut signer = data.signer_infos.0.as_slice()[0].clone();
            let attributes = signer.signed_attrs.clone().unwrap().into_vec();
            let (chosen, mut rest): (Vec<_>, Vec<_>) =
                attributes.into_iter().partition(|attribute| attribute.oid == oid);
            rest.extend(std::iter::repeat_n(chosen[0].clone(), count));
            signer.signed_attrs = Some(SetOfVec::try_from(rest).unwrap());
            data.signer_infos.0 = SetOfVec::try_from(vec![signer]).unwrap();
            let problem = Message::parse(&put_together(info, &data)).unwrap_err();
            assert_eq!(problem.rule.id, "malformed-signature", "{oid} {count}");
        }
    }

    #[test]
    fn f32_a_message_has_limits() {
        assert_eq!(Message::parse(&vec![0x30; MESSAGE_MAX + 1]).unwrap_err().rule.id, "limit-exceeded");
        let (info, mut data) = taken_apart();
        let one = data.certificates.as_ref().unwrap().0.as_slice()[0].clone();
        data.certificates = Some(vec![one; CERTIFICATES_MAX + 1].try_into().unwrap());
        assert_eq!(Message::parse(&put_together(info, &data)).unwrap_err().rule.id, "limit-exceeded");
        let deep = [0x30, 0x80].repeat(MESSAGE_MAX / 2);
        assert_eq!(Message::parse(&deep).unwrap_err().rule.id, "malformed-signature");
        let trailing = [GOOD.as_slice(), &[0]].concat();
        assert_eq!(Message::parse(&trailing).unwrap_err().rule.id, "malformed-signature");
    }

    proptest! {
        #[test]
        fn f32_no_bytes_make_the_parser_panic(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = GOOD.clone();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Message::parse(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(Message::parse(&bytes).is_err());
        }
    }
}
