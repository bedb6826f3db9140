//! The ledger: an append-only, Merkle-hashed record of verdicts and of what became of them.
//!
//! The leaves are the truth, commit packs stand beside them under their digests, and every other
//! table is folded from both ([`Ledger::rebuild`] does it again, [`Ledger::verify`] compares).
//! Writers are short processes that queue at a file lock; readers need none.

mod baseline;
mod column;
mod fold;
mod head;
mod index;
mod leaf;
mod lock;
mod pack;
mod receipt;
mod repository;
mod schema;
mod signer;
mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;
mod update;
mod verdict;
mod verify;
mod wal;

pub use baseline::Baseline;
pub use head::Head;
pub use leaf::{
    AppliedFacts, AppliedHow, BaselineFacts, BaselineId, BaselineUsedFacts, EnrolledFacts, Facts, LEAF_MAX, Leaf,
    LeafKind, Lineage, LineageFacts, MainlineFacts, RefusedFacts, RepositoryFacts, RepositoryId, TipFacts, UpdateFacts,
    UpdateId, VerdictFacts, VerdictId,
};
pub use pack::{IDS_MAX, LIST_MAX, Pack, PackBuilder, Signer};
pub use receipt::{KeyReceipts, KeyUse, Receipt};
pub use repository::Repository;
pub use store::{Ledger, Reader, Snapshot, Writer};
pub use update::{Update, UpdateState};
pub use verdict::{CommitRow, VerdictRecord};
pub use verify::{Fault, VerifyReport};

use std::path::PathBuf;
use std::time::Duration;

/// The ledger could not be read or written. Always the server's fault, never the pusher's.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{}: only root and the user who owns it may read it; run this as that user", .0.display())]
    NotYours(PathBuf),
    #[error("there is no ledger at `{}`", .0.display())]
    Missing(PathBuf),
    #[error("there is already a file at `{}`", .0.display())]
    Exists(PathBuf),
    #[error("`{}` is not a ledger", .0.display())]
    NotALedger(PathBuf),
    #[error("the ledger has format {found}, newer than format {known} which this program knows")]
    Newer { found: i64, known: i64 },
    #[error("the ledger was busy for {} ms", .0.as_millis())]
    Busy(Duration),
    #[error("the ledger does not know repository {0}")]
    UnknownRepository(RepositoryId),
    #[error("the ledger has no baseline {0}")]
    UnknownBaseline(BaselineId),
    #[error("the ledger has no update {} of a verdict at leaf {}", .0.index, .0.verdict)]
    UnknownUpdate(UpdateId),
    #[error("{what} of {size} is larger than {max}")]
    TooLarge { what: &'static str, size: usize, max: usize },
    #[error("object ids of two formats in one pack")]
    Mixed,
    #[error("the ledger is damaged at leaf {seq}: {reason}")]
    BadLeaf { seq: u64, reason: String },
    #[error("the ledger is damaged: {0}")]
    Corrupt(String),
    #[error("an append failed and the writer went on")]
    Unfinished,
    #[error("cannot reach `{}`: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the ledger's database failed: {0}")]
    Database(#[from] rusqlite::Error),
}
