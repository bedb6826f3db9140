//! What a developer pastes to sign a challenge. Pure.

use super::{Challenge, Purpose};
use countersign_policy::id::{Fingerprint, PersonId};
use countersign_policy::keyring::{Material, Person};
use countersign_policy::time::Time;

/// The files that the commands leave behind.
const CHALLENGE: &str = "challenge";
const SIGNATURE: &str = "challenge.sig";
const OLD_SIGNATURE: &str = "challenge.old.sig";

/// Commands for a POSIX shell, and the one that finishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Writes the challenge and signs it, at the desk of whoever holds the key.
    pub sign: String,
    pub finish: String,
}

/// How `challenge` is signed by a key of this `material`, and by the key that it replaces.
pub fn advice(challenge: &Challenge, material: &Material, person: &Person, now: Time) -> Advice {
    let text = challenge.text();
    let namespace = Challenge::namespace(&challenge.server);
    let mut sign = format!("cat > {CHALLENGE} <<'END'\n{text}END\n");
    sign.push_str(&command(material, &challenge.key, &namespace, CHALLENGE, SIGNATURE, now));
    let mut finish = format!(
        "keyring-sync enrol finish {} --nonce {} --signature {SIGNATURE}",
        quoted(challenge.person.as_str()),
        challenge.nonce
    );
    if let Purpose::Replace { key, .. } = &challenge.purpose
        && let Some(old) = person.key(key)
    {
        sign.push('\n');
        sign.push_str(&command(&old.material, key, &namespace, CHALLENGE, OLD_SIGNATURE, now));
        finish.push_str(&format!(" --old-signature {OLD_SIGNATURE}"));
    }
    Advice { sign, finish }
}

/// `keyring-sync enrol begin E1001 --pending SHA256:…`
pub fn begin(person: &PersonId, key: &Fingerprint) -> String {
    format!("keyring-sync enrol begin {} --pending {key}", quoted(person.as_str()))
}

fn command(material: &Material, key: &Fingerprint, namespace: &str, input: &str, output: &str, now: Time) -> String {
    match material {
        // By way of stdin: with a file name ssh-keygen chooses the name of the signature itself.
        Material::Ssh(ssh) => {
            let file = match ssh.algorithm.as_str() {
                "ssh-rsa" => "id_rsa",
                "sk-ssh-ed25519@openssh.com" => "id_ed25519_sk",
                "sk-ecdsa-sha2-nistp256@openssh.com" => "id_ecdsa_sk",
                name if name.starts_with("ecdsa-") => "id_ecdsa",
                _ => "id_ed25519",
            };
            format!(
                "ssh-keygen -Y sign -n {namespace} -f ~/.ssh/{file} < {input} > {output}    # -f: the file of {key}"
            )
        }
        Material::OpenPgp(certificate) => {
            let lives = |end: Option<Time>| end.is_none_or(|end| end > now);
            let mut signers: Vec<_> = certificate.signers.iter().filter(|signer| signer.for_signing).collect();
            signers.retain(|signer| lives(signer.expires) && signer.revoked.is_none());
            // The newest, as gpg itself would choose.
            let signer = signers.iter().max_by_key(|signer| signer.created);
            let fingerprint = signer.map_or(key.as_str(), |signer| signer.fingerprint.as_str());
            format!("gpg --armor --detach-sign --output {output} -u {fingerprint}! {input}")
        }
        Material::X509(_) => format!(
            "openssl cms -sign -binary -md sha256 -outform PEM -signer certificate.pem -inkey key.pem -in {input} -out {output}    # the files of {key}"
        ),
    }
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+' | ':' | '/');
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_id_is_a_command() {
        assert_eq!(quoted("alice@x.example"), "alice@x.example");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
        assert_eq!(quoted("o'hara"), r"'o'\''hara'");
    }
}
