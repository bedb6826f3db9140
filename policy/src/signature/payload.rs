//! The bytes that a signature covers.

/// Raw object bytes without the signature itself: slices of the object, never a copy, never
/// anything encoded anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    before: &'a [u8],
    after: &'a [u8],
}

impl<'a> Payload<'a> {
    pub fn whole(bytes: &'a [u8]) -> Self {
        Payload { before: bytes, after: &[] }
    }

    /// What stands before and after the signature header.
    pub(crate) fn around(before: &'a [u8], after: &'a [u8]) -> Self {
        Payload { before, after }
    }

    pub fn parts(&self) -> [&'a [u8]; 2] {
        [self.before, self.after]
    }

    pub fn to_vec(&self) -> Vec<u8> {
        self.parts().concat()
    }
}
