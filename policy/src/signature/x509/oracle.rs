//! The second opinion on a CMS signature, which needs a process and therefore comes from outside.

use super::revocation::RevocationLists;
use crate::signature::payload::Payload;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Is this signature good, with these roots, at this instant?
#[derive(Clone, Copy, Debug)]
pub struct CmsQuestion<'a> {
    pub payload: Payload<'a>,
    /// The CMS message, BER or DER.
    pub signature: &'a [u8],
    /// The registered roots in DER; no other may be trusted.
    pub roots: &'a [&'a [u8]],
    pub now: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Opinion {
    Good,
    /// Good but for the date of a certificate.
    Expired,
    /// Why not, for people.
    Refused(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CmsAnswer {
    pub opinion: Opinion,
    /// Hex SHA-1 of the certificate that the opinion is about; empty when there was none.
    pub signer_sha1: String,
}

/// Nobody could be asked: a fault of the server, never of the signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Verifies a CMS signature by code that shares nothing with ours, and reads the operator's
/// revocation lists. It never uses the network.
pub trait CmsOracle: Sync {
    fn check(&self, question: &CmsQuestion<'_>) -> Result<CmsAnswer, Unavailable>;

    /// The lists in the folder that the policy names.
    fn revocation_lists(&self) -> Result<Arc<RevocationLists>, Unavailable>;
}

/// The name that gpgsm has for a certificate. Nothing rests on it but that two parsers met; `None`
/// for bytes that were made to collide.
pub(super) fn sha1_hex(der: &[u8]) -> Option<String> {
    use sha1collisiondetection::Sha1CD;
    let mut hash = Sha1CD::default();
    hash.update(der);
    let mut digest = sha1collisiondetection::Output::default();
    hash.finalize_into_dirty_cd(&mut digest).ok().map(|()| hex::encode(digest))
}
