//! OpenSSH's key revocation list (PROTOCOL.krl), for `gpg.ssh.revocationFile` and sshd's `RevokedKeys`.
//!
//! The format knows no "since": what is in the list was never good. So by default it holds the compromised keys
//! alone; with the ended ones it is a list for logins, where only today counts.

use countersign_policy::keyring::{Authorities, Compromised, Material, Person, Retired};
use countersign_policy::time::Time;
use std::collections::BTreeSet;

const MAGIC: &[u8; 8] = b"SSHKRL\n\0";
const FORMAT_VERSION: u32 = 1;
const SECTION_EXPLICIT_KEY: u8 = 2;

/// Public keys in SSH wire format, in an order of their own.
pub type Keys = BTreeSet<Vec<u8>>;

/// Which keys the list holds at `now`. With `ended` also the retired ones, and all of who is not active.
pub fn keys(persons: &[Person], authorities: &Authorities, ended: bool, now: Time) -> Keys {
    let is_out = |retired: Option<Retired>, compromised: Option<Compromised>| {
        // A future mark of compromise counts at once: the file may be read long after it was written.
        compromised.is_some() || ended && retired.is_some_and(|retired| retired.at <= now)
    };
    let of_persons = persons.iter().flat_map(|person| {
        let gone = ended && !person.is_active(now);
        let out = person.keys.iter().filter(move |key| gone || is_out(key.retired, key.compromised));
        out.map(|key| &key.material)
    });
    let of_authorities = authorities.ssh.iter().filter(|authority| is_out(authority.retired, authority.compromised));
    let materials = of_persons.chain(of_authorities.map(|authority| &authority.material));
    materials
        .filter_map(|material| match material {
            Material::Ssh(ssh) => Some(ssh.blob.clone()),
            Material::OpenPgp(_) | Material::X509(_) => None,
        })
        .collect()
}

/// The list as bytes; the same keys, version and time give the same bytes.
pub fn write(keys: &Keys, version: u64, generated_at: Time) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&u64::try_from(generated_at.unix_seconds()).unwrap_or_default().to_be_bytes());
    out.extend_from_slice(&0_u64.to_be_bytes()); // flags: none are defined
    put_string(&mut out, b""); // reserved
    put_string(&mut out, b"keyring-sync");
    if !keys.is_empty() {
        let mut section = Vec::new();
        for key in keys {
            put_string(&mut section, key);
        }
        out.push(SECTION_EXPLICIT_KEY);
        put_string(&mut out, &section);
    }
    out
}

/// The version of a list that was written before.
pub fn version(list: &[u8]) -> Option<u64> {
    let version = list.strip_prefix(MAGIC)?.strip_prefix(&FORMAT_VERSION.to_be_bytes())?.first_chunk()?;
    Some(u64::from_be_bytes(*version))
}

/// INVARIANT: nothing here comes near 4 GiB; a registered key has at most 8 KiB.
fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_tells_its_version() {
        let list = write(&Keys::from([b"key".to_vec()]), 42, Time::from_unix_seconds(1));
        assert_eq!(version(&list), Some(42));
        assert_eq!((version(b"SSHKRL\n\0"), version(b""), version(&[0; 40])), (None, None, None));
    }
}
