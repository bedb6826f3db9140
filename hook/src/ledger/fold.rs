//! What each leaf does to the tables. The same code appends, rebuilds and verifies.

use super::leaf::Facts;
use super::{LedgerError, baseline, repository, update, verdict};
use countersign_policy::time::Time;
use rusqlite::Connection;

/// Whether the bytes of packs are to be stored, or are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bodies {
    Store,
    Stored,
}

/// INVARIANT: depends on nothing but the arguments and the tables, so that replaying the leaves
/// gives the same tables again.
pub(super) fn apply(
    connection: &Connection,
    seq: u64,
    at: Time,
    facts: &Facts,
    bodies: Bodies,
) -> Result<(), LedgerError> {
    match facts {
        Facts::Repository(facts) => repository::place(connection, seq, facts),
        Facts::Enrolled(facts) => repository::enrol(connection, seq, at, facts, bodies),
        Facts::Mainline(facts) => repository::set_mainline(connection, seq, facts),
        Facts::Verdict(facts) => verdict::record(connection, seq, facts, bodies),
        Facts::Applied(facts) => facts.updates.iter().try_for_each(|id| update::apply(connection, *id, at)),
        Facts::Refused(facts) => facts.updates.iter().try_for_each(|id| update::refuse(connection, *id, at)),
        Facts::Baseline(facts) => baseline::add(connection, seq, at, facts),
        Facts::BaselineUsed(facts) => baseline::claim(connection, at, facts),
        Facts::Lineage(_) | Facts::Note => Ok(()),
    }
}
