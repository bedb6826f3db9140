//! SSH signatures (OpenSSH's PROTOCOL.sshsig) and SSH public keys.

use super::armor::{self, Label};
use super::payload::Payload;
use super::primitive::{Hash, VerifyKey};
use super::registration::{Refusal, Registration};
use super::ssh_wire::{BadSignature, Garbled, KeyType, PublicKey, RawSignature, Reader, Touch};
use super::ssh_wire::{fingerprint, put_string};
use super::together::Checks;
use super::{Context, Format, SignedBy, broken_keyring, ssh_certificate, unknown};
use crate::id::{Fingerprint, KeyHandle};
use crate::keyring::{Material, SshKey};
use crate::rule::{bad_signature, format_not_allowed, malformed_signature, usage_violation};
use crate::rule::{weak_algorithm, wrong_namespace};
use crate::verdict::Problem;
use base64::{Engine, engine::general_purpose::STANDARD};

/// What git signs for; a signature for anything else says nothing of a commit.
const NAMESPACE: &[u8] = b"git";

const MAGIC: &[u8] = b"SSHSIG";

/// Bytes of a `.pub` line: an RSA key of 8192 bits needs a fifth of it.
const MAX_LINE: usize = 8 * 1024;

/// Registers one `.pub` line; its comment is ignored.
pub fn register(line: &str) -> Result<Registration, Refusal> {
    let line = line.trim();
    if line.len() > MAX_LINE {
        return Err(Refusal::new(format!("SSH key is longer than {MAX_LINE} bytes")));
    }
    if line.contains(['\n', '\r']) {
        return Err(Refusal::new("holds more than one line where one SSH public key belongs"));
    }
    if line.starts_with("-----BEGIN") {
        return Err(Refusal::new("is not a `.pub` line; give the public key, never the private one"));
    }
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(encoded)) = (words.next(), words.next()) else {
        return Err(Refusal::new("is not of the form `type base64 comment`"));
    };
    let kind = match KeyType::of_key(name) {
        Some(kind) => kind,
        None if name == "ssh-dss" => return Err(Refusal::new("DSA keys are no longer safe")),
        None if KeyType::of_certificate(name).is_some() => {
            return Err(Refusal::new("is an SSH certificate; register its authority, or the plain key"));
        }
        None => return Err(Refusal::new(format!("`{}` is no type of SSH key", crate::text::shown(name, 40)))),
    };
    let blob = STANDARD.decode(encoded).map_err(|_| Refusal::new("SSH key is not base64"))?;
    let key = plain_key(kind, &blob).map_err(|Garbled| Refusal::new("SSH key is garbled"))?;
    let verify = key.compile().map_err(Refusal::new)?.registered();
    let fingerprint = fingerprint(&blob).ok_or_else(|| Refusal::new("SSH key has no fingerprint"))?;
    read_alike(line, &blob, &fingerprint)?;
    let source = format!("{name} {}", STANDARD.encode(&blob)).into_bytes();
    let application = key.application.map(str::to_owned);
    let material = Material::Ssh(SshKey { algorithm: name.to_owned(), verify, application, blob });
    Ok(Registration { fingerprint, material, source, emails: Vec::new(), notes: Vec::new() })
}

/// A key that two readers understand differently is no key: which of them would the next tool be?
fn read_alike(line: &str, blob: &[u8], fingerprint: &Fingerprint) -> Result<(), Refusal> {
    let other = ssh_key::PublicKey::from_openssh(line).map_err(|_| Refusal::new("SSH key is garbled"))?;
    let same = other.to_bytes().is_ok_and(|bytes| bytes == blob)
        && other.fingerprint(ssh_key::HashAlg::Sha256).to_string() == fingerprint.as_str();
    if same { Ok(()) } else { Err(Refusal::new("SSH key is not in its canonical form")) }
}

/// Registers one `.pub` line as an authority that certifies SSH keys.
pub fn register_authority(line: &str) -> Result<Registration, Refusal> {
    register(line)
}

/// The whole blob is one key of this kind.
fn plain_key(kind: KeyType, blob: &[u8]) -> Result<PublicKey<'_>, Garbled> {
    let mut reader = Reader::new(blob);
    if reader.text()? != kind.name() {
        return Err(Garbled);
    }
    let key = PublicKey::read(kind, &mut reader)?;
    reader.end()?;
    Ok(key)
}

pub(super) fn verify(
    payload: &Payload<'_>,
    signature: &[u8],
    context: &Context<'_>,
    checks: Checks<'_>,
) -> Result<SignedBy, Problem> {
    verify_for(NAMESPACE, payload, signature, context, checks)
}

/// Who signed `payload` for the purpose that `namespace` names.
pub(super) fn verify_for(
    namespace: &[u8],
    payload: &Payload<'_>,
    signature: &[u8],
    context: &Context<'_>,
    checks: Checks<'_>,
) -> Result<SignedBy, Problem> {
    let bytes = armor::decode(signature, Label::Ssh)?;
    let envelope = Envelope::read(&bytes, namespace, context)?;
    let Ok(name) = Reader::new(envelope.public_key).text() else {
        return Err(malformed("holds no SSH public key"));
    };
    if let Some(kind) = KeyType::of_certificate(name) {
        context.allows(Format::SshCertificate)?;
        return ssh_certificate::verify(kind, &envelope, payload, context, checks);
    }
    context.allows(Format::Ssh)?;
    let Some(kind) = KeyType::of_key(name) else {
        return Err(if name.starts_with("ssh-dss") {
            Problem::new(&weak_algorithm::RULE, "is signed with a DSA key")
        } else {
            malformed("holds an SSH key of an unknown type")
        });
    };
    let name = fingerprint(envelope.public_key).ok_or_else(|| malformed("holds no SSH public key"))?;
    let Some(person) = context.holder(&KeyHandle::Ssh(name.clone()))? else {
        return Err(unknown(Format::Ssh, name.as_str()));
    };
    let Some(key) = person.key(&name) else {
        return Err(broken_keyring("a holder does not have the key"));
    };
    match &key.material {
        Material::Ssh(registered) if registered.blob == envelope.public_key => {
            let application = registered.application.as_deref();
            envelope
                .check(kind, (&registered.verify, application), payload, context, checks)
                .map_err(|problem| problem.with_key(&name))?;
        }
        _ => return Err(broken_keyring("a key is not what its fingerprint says")),
    }
    let mut signed = SignedBy::new(person.clone(), name.clone(), Format::Ssh);
    signed.judge(key, context.now);
    Ok(signed)
}

/// The fields of an SSHSIG that are not fixed by this server.
pub(super) struct Envelope<'a> {
    pub public_key: &'a [u8],
    namespace: &'a [u8],
    hash: Hash,
    hash_name: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8], wanted: &[u8], context: &Context<'_>) -> Result<Self, Problem> {
        let garbled = |Garbled| malformed("has an SSH signature that is garbled");
        let mut reader = Reader::new(bytes);
        if reader.bytes(MAGIC.len()).map_err(garbled)? != MAGIC || reader.uint32().map_err(garbled)? != 1 {
            return Err(malformed("has an SSH signature of an unknown version"));
        }
        let public_key = reader.string().map_err(garbled)?;
        let namespace = reader.string().map_err(garbled)?;
        let reserved = reader.string().map_err(garbled)?;
        let hash_name = reader.string().map_err(garbled)?;
        let signature = reader.string().map_err(garbled)?;
        reader.end().map_err(garbled)?;
        if namespace != wanted {
            let (shown, wanted) = (crate::text::shown_bytes(namespace, 40), crate::text::shown_bytes(wanted, 300));
            let reason = format!("has an SSH signature made for `{shown}`, not for `{wanted}`");
            return Err(Problem::new(&wrong_namespace::RULE, reason));
        }
        // OpenSSH signs an empty field and ignores what is here: any number of objects would share
        // one signature.
        if !reserved.is_empty() {
            return Err(malformed("has an SSH signature with data in its reserved field"));
        }
        let hash = match hash_name {
            b"sha256" => Hash::Sha256,
            b"sha512" => Hash::Sha512,
            b"sha1" | b"md5" => {
                return Err(Problem::new(&weak_algorithm::RULE, "is signed over a hash that is no longer safe"));
            }
            _ => return Err(malformed("has an SSH signature over an unknown hash")),
        };
        if !context.settings.takes_hash(hash) {
            return Err(Problem::new(&weak_algorithm::RULE, "is signed over a hash that the policy does not take"));
        }
        Ok(Envelope { public_key, namespace, hash, hash_name, signature })
    }

    /// What the key signed: the digest of the payload, bound to purpose and hash.
    fn signed_data(&self, payload: &Payload<'_>) -> Result<Vec<u8>, Garbled> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(MAGIC);
        put_string(&mut out, self.namespace)?;
        put_string(&mut out, b"")?;
        put_string(&mut out, self.hash_name)?;
        put_string(&mut out, self.hash.of(payload.parts()).as_ref())?;
        Ok(out)
    }

    /// The signature is by `key`, as the policy wants it.
    pub fn check(
        &self,
        kind: KeyType,
        (key, application): (&VerifyKey, Option<&str>),
        payload: &Payload<'_>,
        context: &Context<'_>,
        checks: Checks<'_>,
    ) -> Result<(), Problem> {
        let signature = RawSignature::read(kind, self.signature).map_err(bad_label)?;
        if let Some(problem) = context.settings.key_problem(key) {
            return Err(problem);
        }
        let data = self.signed_data(payload).map_err(|Garbled| malformed("is too long to sign"))?;
        if !signature.is_by((key, application), &data, checks) {
            let reason = "has an SSH signature that does not fit its bytes: it was changed after signing, or the signature was taken from elsewhere";
            return Err(Problem::new(&bad_signature::RULE, reason));
        }
        match signature.touch {
            Some(touch) if touch.flags & Touch::PRESENT == 0 => {
                Err(Problem::new(&usage_violation::RULE, "is signed by a security key that nobody touched"))
            }
            Some(touch) if touch.flags & Touch::VERIFIED == 0 && context.settings.sk_require_user_verification => {
                let reason = "is signed by a security key without its PIN or fingerprint, which the policy asks for";
                Err(Problem::new(&usage_violation::RULE, reason))
            }
            _ => Ok(()),
        }
    }

    /// Whether a security key asked for PIN or fingerprint. Meaningful only after [`Envelope::check`].
    pub fn user_verified(&self, kind: KeyType) -> bool {
        RawSignature::read(kind, self.signature)
            .is_ok_and(|signature| signature.touch.is_some_and(|touch| touch.flags & Touch::VERIFIED != 0))
    }
}

pub(super) fn malformed(reason: &str) -> Problem {
    Problem::new(&malformed_signature::RULE, reason)
}

pub(super) fn bad_label(why: BadSignature) -> Problem {
    match why {
        BadSignature::Garbled => malformed("has an SSH signature that is garbled"),
        BadSignature::Sha1 => Problem::new(&weak_algorithm::RULE, "has an SSH signature over SHA-1 or by DSA"),
        BadSignature::WebAuthn => {
            Problem::new(&format_not_allowed::RULE, "has a WebAuthn signature, which this server does not read")
        }
        BadSignature::WrongKind => malformed("has an SSH signature by an algorithm that is not its key's"),
    }
}
