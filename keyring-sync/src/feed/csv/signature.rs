//! Who wrote a list: a detached signature in a file beside it.
//!
//! `ssh-keygen -Y sign -n keyring-list@SERVER -f KEY LIST`, or `gpg --armor --detach-sign --output LIST.sig LIST`.

use crate::enrol::ServerName;
use crate::event::KeyText;
use crate::fold::fold;
use crate::keys::{KeyRefused, openpgp_texts, register};
use countersign_policy::id::{PersonId, Source};
use countersign_policy::signature::possession::{self, NotProven, Statement};
use countersign_policy::signature::registration::Registration;
use countersign_policy::time::Time;
use std::collections::BTreeMap;

/// What the name of the signature's file ends with.
pub const SUFFIX: &str = ".sig";

/// Keys that may sign the lists of one source: the one in use, and the next.
const SIGNERS_MAX: usize = 8;

/// Why a list is not known to be its source's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    #[error(
        "it is not signed: the file beside it with `{SUFFIX}` added is missing; the source signs with ssh-keygen -Y sign -n {0}, or with gpg --armor --detach-sign"
    )]
    Unsigned(String),
    #[error("its signature is by a key that is not in signed_by")]
    Stranger,
    #[error("its signature is not good: the list {0}")]
    Bad(String),
    #[error("its signature {0}")]
    TooLong(NotProven),
}

/// Whose signatures count.
#[derive(Debug)]
pub struct Signers {
    name: PersonId,
    keys: Vec<Registration>,
}

impl Signers {
    /// SSH public keys, one a line, or OpenPGP certificates, armoured or binary.
    pub fn read(bytes: &[u8], source: &Source, now: Time) -> Result<Self, String> {
        let texts = match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains("-----BEGIN PGP") => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                lines.map(|line| KeyText::Ssh(line.to_owned())).collect()
            }
            _ => openpgp_texts(bytes).map_err(|refused| refused.to_string())?,
        };
        if texts.is_empty() || texts.len() > SIGNERS_MAX {
            return Err(format!(
                "it holds {} keys, and 1 to {SIGNERS_MAX} may sign the lists of a source",
                texts.len()
            ));
        }
        let keys: Result<Vec<Registration>, KeyRefused> =
            texts.iter().map(|key| register(key, now, |_| Ok(None))).collect();
        let name = PersonId::new(source.as_str()).map_err(|error| error.to_string())?;
        Ok(Signers { name, keys: keys.map_err(|refused| refused.to_string())? })
    }

    /// Whether one of them signed this list for this server.
    pub fn check(
        &self,
        list: &[u8],
        signature: Option<&[u8]>,
        server: &ServerName,
        now: Time,
    ) -> Result<(), NotSigned> {
        let namespace = format!("keyring-list@{server}");
        let Some(signature) = signature else { return Err(NotSigned::Unsigned(namespace)) };
        // Lists come from Windows too: the ends of the signature's lines are not what was signed.
        let signature = String::from_utf8_lossy(signature).replace("\r\n", "\n");
        let statement = Statement { bytes: list, namespace: &namespace };
        // Nobody in the registry: who signs lists need not be somebody who pushes.
        let signer = fold(&self.name, &[], &BTreeMap::new());
        let mut why = NotSigned::Stranger;
        for key in &self.keys {
            match possession::of_new_key(&signer, key, &statement, signature.as_bytes(), now) {
                Ok(_) => return Ok(()),
                Err(NotProven::OtherKey(_)) => {}
                Err(long @ NotProven::TooLong) => return Err(NotSigned::TooLong(long)),
                Err(bad) => why = NotSigned::Bad(bad.to_string()),
            }
        }
        Err(why)
    }
}
