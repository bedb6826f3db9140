//! The attack corpus: every row of the catalogue as a named vector, through the whole hook.
//!
//! ```text
//! rows.yaml (what must be covered) ─► vectors (commits.yaml, tags.yaml, one Rust file a section)
//!                                        └─► bench: a bare repository, a pack, `git receive-pack`, the hook
//! ```
//! `README.md` shows how to add a vector.

mod bench;
mod certificates;
#[path = "../tests/common/mod.rs"]
mod common;
mod limits;
mod object;
mod refs;
mod openpgp;
mod openpgp_maker;
mod openpgp_packets;
mod run;
mod signer;
mod time;
mod vector;
mod written;

use vector::Vector;

/// Every vector, section by section.
fn vectors() -> Vec<Vector> {
    let mut vectors = written::vectors();
    vectors.extend(time::vectors());
    vectors.extend(refs::vectors());
    vectors.extend(limits::vectors());
    vectors.extend(openpgp::vectors());
    vectors.extend(openpgp_packets::vectors());
    vectors.extend(certificates::vectors());
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    vectors
}

#[test]
fn every_attack_has_the_answer_that_the_catalogue_asks_for() {
    run::all(vectors());
}
