//! The generators, one for each concept.

pub mod armor;
mod flips;
mod headers;
mod idents;
mod openpgp;
mod openpgp_certificates;
mod ssh_certificates;
mod sshsig;
mod swaps;
mod untouched;

use crate::cast::Cast;
use crate::object::Objects;

/// Everything that is tried. The same mutations in each run, of new signatures.
pub fn all(cast: &mut Cast) -> Vec<crate::object::Object> {
    let mut objects = Objects::default();
    untouched::generate(cast, &mut objects);
    flips::generate(cast, &mut objects);
    headers::generate(cast, &mut objects);
    idents::generate(cast, &mut objects);
    armor::generate(cast, &mut objects);
    swaps::generate(cast, &mut objects);
    openpgp::generate(cast, &mut objects);
    openpgp_certificates::generate(cast, &mut objects);
    sshsig::generate(cast, &mut objects);
    ssh_certificates::generate(cast, &mut objects);
    objects.all
}
