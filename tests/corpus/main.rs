//! The attack corpus: every row of the catalogue as a named vector, through the whole hook.
//!
//! ```text
//! rows.yaml (what must be covered) ─► vectors (commits.yaml, tags.yaml, one Rust file a section)
//!                                        └─► bench: a bare repository, a pack, `git receive-pack`, the hook
//! ```
//! `README.md` shows how to add a vector.

mod accepted;
mod bench;
mod certificates;
#[path = "../tests/common/mod.rs"]
mod common;
mod desk;
mod holders;
mod limits;
mod openpgp;
mod openpgp_numbers;
mod openpgp_packets;
mod openpgp_subpackets;
mod openpgp_time;
mod refs;
mod run;
mod ssh;
mod ssh_algorithms;
mod ssh_armour;
mod ssh_certificates;
mod ssh_certified_keys;
mod strict;
mod time;
mod vector;
mod weak_keys;
mod written;
mod x509;
mod x509_algorithms;
mod x509_chains;
mod x509_limits;
mod x509_lists;
mod x509_names;
mod x509_weak_links;

use countersign_tests::handmade::{object, openpgp as openpgp_maker, signer, ssh_keys, x509 as x509_maker};
use vector::Vector;

/// Every vector, section by section.
fn vectors() -> Vec<Vector> {
    let mut vectors = written::vectors();
    vectors.extend(accepted::vectors());
    vectors.extend(openpgp_time::vectors());
    vectors.extend(time::vectors());
    vectors.extend(refs::vectors());
    vectors.extend(limits::vectors());
    vectors.extend(openpgp::vectors());
    vectors.extend(openpgp_numbers::vectors());
    vectors.extend(openpgp_packets::vectors());
    vectors.extend(openpgp_subpackets::vectors());
    vectors.extend(certificates::vectors());
    let strict = std::sync::Arc::default();
    vectors.extend(ssh::vectors());
    vectors.extend(ssh_algorithms::vectors(&strict));
    vectors.extend(ssh_armour::vectors());
    vectors.extend(ssh_certificates::vectors());
    vectors.extend(ssh_certified_keys::vectors());
    vectors.extend(x509::vectors());
    vectors.extend(x509_algorithms::vectors());
    vectors.extend(x509_chains::vectors());
    vectors.extend(x509_limits::vectors());
    vectors.extend(x509_weak_links::vectors(&strict));
    vectors.extend(x509_lists::vectors(&strict));
    vectors.extend(x509_names::vectors(&strict));
    vectors.extend(holders::vectors());
    vectors.extend(weak_keys::vectors());
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    vectors
}

#[test]
fn every_attack_has_the_answer_that_the_catalogue_asks_for() {
    run::all(vectors());
}
