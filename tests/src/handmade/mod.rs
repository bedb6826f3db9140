//! Objects, keys and signatures written by hand, from fixed seeds and dates: nothing here refuses to make what is wrong.

pub mod object;
pub mod openpgp;
pub mod signer;
pub mod ssh_keys;
pub mod x509;

/// All commits bear this date unless something is about dates.
pub const DATE: u64 = 1_700_000_000;

pub fn capitalised(id: &str) -> String {
    let mut letters = id.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
