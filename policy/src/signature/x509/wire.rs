//! What the hook and its helper `countersign-x509` say to each other: one JSON object a line.

use super::CmsAnswer;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// Bytes of one line. The largest tag that the policy lets in fits many times, in base64.
pub const LINE_MAX: usize = 64 * 1024 * 1024;

/// Bytes of one answer: an opinion and its reason.
pub const REPLY_MAX: usize = 16 * 1024;

/// The first line: what holds for all questions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    pub now: Time,
    pub roots: Vec<Der>,
}

/// Every further line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    #[serde(with = "crate::bytes")]
    pub payload: Vec<u8>,
    #[serde(with = "crate::bytes")]
    pub signature: Vec<u8>,
}

/// The answer to each line, the first one included.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    Ready,
    Answer(CmsAnswer),
    /// The question could not be put; nothing is said of the signature.
    Failed(String),
}

/// A certificate.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Der(#[serde(with = "crate::bytes")] pub Vec<u8>);
