//! Bearer tokens: `csk_ID_SECRET`. The id finds the stored hash, the secret is compared with it.

use countersign_policy::id::Source;
use countersign_policy::time::Time;
use countersign_registry::{StoreError, Tables, TokenRow};
use sha2::{Digest, Sha256};

/// Tells a secret scanner what it found.
const PREFIX: &str = "csk_";
const ID_BYTES: usize = 8;
/// 256 bits: nobody guesses it, so that one plain hash protects it.
const SECRET_BYTES: usize = 32;

/// The token itself, shown once.
pub struct Made {
    pub text: String,
    pub row: TokenRow,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("row", &self.row).finish_non_exhaustive()
    }
}

/// The system has no random numbers to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// Makes a token for `source`.
pub fn make(source: &Source, now: Time) -> Result<Made, NoRandomness> {
    let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
    aws_lc_rs::rand::fill(&mut id).map_err(|_| NoRandomness)?;
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| NoRandomness)?;
    let (id, secret) = (hex::encode(id), hex::encode(secret));
    let row = TokenRow { id: id.clone(), source: source.clone(), hash: hash(&secret), made: now, ended: None };
    Ok(Made { text: format!("{PREFIX}{id}_{secret}"), row })
}

/// Whose token this is, if it is one that is good now.
pub fn whose(tables: &Tables<'_>, token: &str) -> Result<Option<Source>, StoreError> {
    let Some((id, secret)) = token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')) else { return Ok(None) };
    let Some(row) = tables.token(id)? else { return Ok(None) };
    let same = aws_lc_rs::constant_time::verify_slices_are_equal(&row.hash, &hash(secret)).is_ok();
    Ok((same && row.ended.is_none()).then_some(row.source))
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
