//! Little-endian numbers and length-prefixed bytes.

use countersign_policy::keyring::KeyringError;
use std::ops::Range;

/// Reads from the front of a slice; running out is an error, never a panic.
pub(super) struct Input<'a> {
    rest: &'a [u8],
    len: usize,
    /// What is being read, for the error.
    what: &'a str,
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8], what: &'a str) -> Self {
        Input { rest: bytes, len: bytes.len(), what }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], KeyringError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| damaged(self.what, "it is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyringError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| damaged(self.what, "it is cut short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn u32(&mut self) -> Result<u32, KeyringError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, KeyringError> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, KeyringError> {
        self.array().map(i64::from_le_bytes)
    }

    /// Bytes behind a 32-bit length.
    pub fn block(&mut self) -> Result<&'a [u8], KeyringError> {
        let len = self.u32()?;
        self.bytes(usize::try_from(len).map_err(|_| damaged(self.what, "a length is out of range"))?)
    }

    /// Where in the input the bytes behind a 32-bit length lie.
    pub fn block_range(&mut self) -> Result<Range<usize>, KeyringError> {
        let block = self.block()?.len();
        let end = self.len.saturating_sub(self.rest.len());
        Ok(end.saturating_sub(block)..end)
    }

    pub fn text(&mut self) -> Result<&'a str, KeyringError> {
        std::str::from_utf8(self.block()?).map_err(|_| damaged(self.what, "a name is not UTF-8"))
    }
}

pub(super) fn damaged(what: &str, reason: &str) -> KeyringError {
    KeyringError(format!("{what} is damaged: {reason}"))
}

/// Appends a 32-bit length and the bytes.
pub(super) fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes);
    out.extend_from_slice(bytes);
}

/// Appends the length of `bytes`. A keyring part of 4 GiB cannot be built: the limits of ids and key sources are far
/// below.
pub(super) fn put_len(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
}
