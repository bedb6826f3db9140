//! The registry of persons and keys: its private store and the keyring published from it.
//!
//! [`Registry`] is the SQLite store that only `keyring-sync` opens. [`PublishedKeyring`] is what
//! the hooks read: immutable files that another Unix user can open without any way to hold the
//! writer up.

mod published;
mod store;

pub use published::PublishedKeyring;
pub use published::publish::Published;
pub use store::authority::AuthorityMark;
pub use store::cascade::{Attempt, CascadeOpen, CascadeStep};
pub use store::challenge::ChallengeRow;
pub use store::delivery::DeliveryRow;
pub use store::deposit::Deposit;
pub use store::event::EventRow;
pub use store::export::ExportRow;
pub use store::export_version::ExportVersion;
pub use store::hint::{HintOutcome, HintRow, NewHint};
pub use store::key::{KeyRow, Owner};
pub use store::passed::Passed;
pub use store::pending_key::PendingKey;
pub use store::pinned_keys::PinnedKeys;
pub use store::publication::Publication;
pub use store::scim::{ScimKind, ScimNarrow, ScimRow};
pub use store::signal::{Reviewed, SignalOutcome, SignalRow};
pub use store::source_life::SourceLife;
pub use store::staged::{NewStaged, Outcome, StagedRow, Vote};
pub use store::token::{TOKENS_AT_ONCE, TokenRow};
pub use store::watch::{NewWatch, Signed, WatchReading, WatchRow};
pub use store::{Change, Mark, Registry, StoreError, Tables};
