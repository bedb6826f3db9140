//! Certificates at the registry's door.

use super::certificate::{CERTIFICATE_MAX, Certificate, NotTaken};
use crate::id::{Email, Fingerprint};
use crate::keyring::{Material, X509Certificate};
use crate::signature::registration::{Refusal, Registration};
use crate::time::Time;
use base64::{Engine, engine::general_purpose::STANDARD};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Bytes of a file with one certificate: base64, and the text that `openssl x509 -text` puts before it.
const FILE_MAX: usize = 4 * CERTIFICATE_MAX;

/// Registers the certificate of a person: PEM or DER, exactly one, not of an authority.
pub fn register(bytes: &[u8], now: Time) -> Result<Registration, Refusal> {
    let certificate = read(bytes)?;
    if let Some(reason) = certificate.usage_problem() {
        return Err(Refusal::new(format!("certificate {reason}")));
    }
    // Its key first: a certificate that its own key signed is refused for that.
    let registration = registration(&certificate, now)?;
    refuse_weak_signature(&certificate)?;
    Ok(registration)
}

/// Registers a root whose word is taken for the certificates below it: PEM or DER, exactly one,
/// self-signed.
pub fn register_root(bytes: &[u8], now: Time) -> Result<Registration, Refusal> {
    let certificate = read(bytes)?;
    if !certificate.is_self_issued() {
        return Err(Refusal::new("certificate is not a root: another authority issued it"));
    }
    if let Some(reason) = certificate.issuer_problem() {
        return Err(Refusal::new(format!("root certificate {reason}")));
    }
    // A root is believed because it is registered; an old hash in its signature on itself says
    // nothing. Where the hash is one of ours, the signature has to be good all the same.
    if certificate.key.is_ok() && certificate.scheme_problem().is_none() && !certificate.is_signed_by(&certificate) {
        return Err(Refusal::new("root certificate is not signed by its own key"));
    }
    registration(&certificate, now)
}

fn refuse_weak_signature(certificate: &Certificate) -> Result<(), Refusal> {
    match certificate.scheme_problem() {
        None => Ok(()),
        Some(NotTaken::Weak(name)) => Err(Refusal::new(format!("certificate is signed with {name}, which is broken"))),
        Some(NotTaken::Unknown(name)) => Err(Refusal::new(format!(
            "certificate is signed with {name}, which is not supported: RSA PKCS#1 or ECDSA with SHA-2"
        ))),
    }
}

fn registration(certificate: &Certificate, now: Time) -> Result<Registration, Refusal> {
    if let Err(reason) = &certificate.key {
        return Err(Refusal::new(reason.clone()));
    }
    let mut notes = Vec::new();
    let mut emails = Vec::new();
    for name in certificate.emails() {
        match Email::new(name) {
            Ok(email) if !emails.contains(&email) => emails.push(email),
            Ok(_) => {}
            Err(error) => notes.push(format!("dropped a name of the certificate: {error}")),
        }
    }
    let mut named = emails.clone();
    named.extend(certificate.subject_emails().filter_map(|name| Email::new(&name).ok()));
    named.sort();
    named.dedup();
    if certificate.not_after() < now {
        notes.push(format!("the certificate expired on {}: it brings nothing new in", certificate.not_after().date()));
    } else if now < certificate.validity.from {
        notes.push(format!("the certificate is not valid before {}", certificate.validity.from.date()));
    }
    Ok(Registration {
        fingerprint: Fingerprint::new(&certificate.fingerprint_text())
            .map_err(|error| Refusal::new(error.to_string()))?,
        material: Material::X509(X509Certificate {
            der: certificate.der.clone(),
            not_before: certificate.validity.from,
            not_after: certificate.not_after(),
            emails,
            subject: certificate.shown_subject(),
        }),
        source: certificate.der.clone(),
        emails: named,
        notes,
    })
}

fn read(bytes: &[u8]) -> Result<Certificate, Refusal> {
    if bytes.len() > FILE_MAX {
        return Err(Refusal::new(format!("file of {} bytes is too large for one certificate", bytes.len())));
    }
    let der = if bytes.first() == Some(&0x30) { bytes.to_vec() } else { from_pem(bytes)? };
    Certificate::parse(&der).map_err(|error| Refusal::new(error.to_string()))
}

fn from_pem(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::new("neither PEM nor DER of a certificate"))?;
    if text.contains("PRIVATE KEY-----") {
        return Err(Refusal::new("file holds a private key: register the certificate alone, and guard the key"));
    }
    let mut blocks = text.split(BEGIN).skip(1);
    let (block, more) = (blocks.next(), blocks.next());
    let block = block.ok_or_else(|| Refusal::new("neither PEM nor DER of a certificate"))?;
    if more.is_some() {
        return Err(Refusal::new(
            "file holds several certificates: register them one by one, without their authorities",
        ));
    }
    let (body, _) = block.split_once(END).ok_or_else(|| Refusal::new("PEM block has no end line"))?;
    let base64: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(base64).map_err(|_| Refusal::new("PEM block is not base64"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CA, LEAF, Make, NOW, P256, Pki, RSA, make};
    use super::*;

    fn now() -> Time {
        NOW.parse().unwrap()
    }

    fn refused(result: Result<Registration, Refusal>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn pem_and_der_give_the_same_registration() {
        let pki = Pki::usual();
        let registration = register(&pki.pem("alice"), now()).unwrap();
        assert_eq!(register(&pki.der("alice"), now()).unwrap(), registration);
        assert_eq!(register(&registration.source, now()).unwrap(), registration);
        let printed =
            String::from_utf8(pki.openssl(&["x509", "-in", "alice.pem", "-noout", "-sha256", "-fingerprint"], b""))
                .unwrap();
        let hex = printed.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
        assert_eq!(registration.fingerprint.as_str(), format!("X509:{hex}"));
        let Material::X509(certificate) = registration.material else { panic!("another kind of key") };
        assert_eq!(certificate.emails, [Email::new("alice@example.com").unwrap()]);
        assert_eq!(certificate.not_after.to_string(), "2040-01-01T00:00:00Z");
        assert_eq!((certificate.subject.as_str(), registration.notes.len()), ("CN=alice", 0));
        let with_text = pki.openssl(&["x509", "-in", "alice.pem", "-text"], b"");
        assert_eq!(register(&with_text, now()).unwrap().fingerprint, registration.fingerprint);
    }

    #[test]
    fn f26_f27_weak_keys_and_explicit_curves_are_refused() {
        let pki = Pki::usual();
        for (name, key, word) in [
            ("short", &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"][..], "1024 bits"),
            (
                "even",
                &["EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"],
                "name its curve",
            ),
            ("odd", &["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "unsupported curve secp256k1:"),
            ("pool", &["EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"], "unsupported curve brainpoolP256r1:"),
            ("edwards", &["ED25519"], "unsupported algorithm Ed25519:"),
        ] {
            pki.issue(Make { key, ..make(name, "sub", LEAF) });
            assert!(refused(register(&pki.pem(name), now())).contains(word), "{name}");
        }
        // Not for the signature on it, which says nothing to its holder.
        let own = ["req", "-x509", "-key", "edwards.key", "-subj", "/CN=own", "-addext", "basicConstraints=CA:false"];
        let own = pki.openssl(&own, b"");
        assert!(refused(register(&own, now())).contains("unsupported algorithm Ed25519:"));
        pki.issue(Make { key: RSA, ..make("good", "sub", LEAF) });
        assert!(register(&pki.pem("good"), now()).is_ok());
    }

    #[test]
    fn a_certificate_signed_with_sha1_is_refused_unless_it_is_a_root() {
        let pki = Pki::empty();
        pki.issue(Make { digest: "sha1", ..make("root", "root", CA) });
        pki.issue(Make { digest: "sha1", ..make("alice", "root", LEAF) });
        assert!(refused(register(&pki.pem("alice"), now())).contains("SHA-1"));
        assert!(register_root(&pki.pem("root"), now()).is_ok());
    }

    #[test]
    fn what_may_not_sign_is_no_leaf() {
        let pki = Pki::usual();
        assert!(refused(register(&pki.pem("sub"), now())).contains("authority"));
        for (name, extensions, word) in [
            ("encrypts", "keyUsage=critical,keyEncipherment", "digitalSignature"),
            ("serves", "extendedKeyUsage=serverAuth", "another purpose"),
            ("strange", "1.2.3.4=critical,ASN1:NULL", "not understood"),
            ("nul", "subjectAltName=DER:30:0a:81:08:61:40:62:2e:63:00:78:79", "characters"),
        ] {
            pki.issue(make(name, "sub", extensions));
            assert!(refused(register(&pki.pem(name), now())).contains(word), "{name}");
        }
        pki.issue(make("plain", "sub", "subjectKeyIdentifier=hash"));
        assert!(register(&pki.pem("plain"), now()).is_ok(), "no usage is every usage");
    }

    #[test]
    fn a_root_is_an_authority_that_signed_itself() {
        let pki = Pki::usual();
        assert!(register_root(&pki.der("root"), now()).is_ok());
        assert!(refused(register_root(&pki.pem("sub"), now())).contains("not a root"));
        pki.issue(make("self", "self", LEAF));
        assert!(refused(register_root(&pki.pem("self"), now())).contains("not a certificate authority"));
        pki.issue(make("mute", "mute", "basicConstraints=critical,CA:true\nkeyUsage=cRLSign"));
        assert!(refused(register_root(&pki.pem("mute"), now())).contains("keyCertSign"));
        let mut forged = pki.der("root");
        *forged.last_mut().unwrap() ^= 1;
        assert!(refused(register_root(&forged, now())).contains("own key"));
        pki.issue(Make { key: &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], ..make("short", "short", CA) });
        assert!(register_root(&pki.pem("short"), now()).is_err());
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let pki = Pki::usual();
        let both = [pki.pem("alice"), pki.pem("sub")].concat();
        assert!(refused(register(&both, now())).contains("several"));
        let with_key = [pki.pem("alice"), std::fs::read(pki.path("alice.key")).unwrap()].concat();
        assert!(refused(register(&with_key, now())).contains("private key"));
        let trailing = [pki.der("alice"), vec![0]].concat();
        assert!(
            register(&trailing, now()).is_err() && register(b"", now()).is_err() && register(b"\xff", now()).is_err()
        );
    }

    #[test]
    fn an_expired_certificate_is_registered_with_a_note() {
        let pki = Pki::usual();
        pki.issue(Make { until: "20350501000000Z", key: P256, ..make("late", "sub", LEAF) });
        assert_eq!(
            register(&pki.pem("late"), now()).unwrap().notes,
            ["the certificate expired on 2035-05-01: it brings nothing new in"]
        );
    }
}
