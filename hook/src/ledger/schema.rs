//! The ledger's tables and their migrations.

use super::LedgerError;
use rusqlite::Connection;
use std::path::Path;

/// Marks the file as a ledger: `CSLG`.
const APPLICATION_ID: i64 = 0x4353_4c47;

/// One step each; a step that was ever released is never changed.
const MIGRATIONS: &[&str] = &[V1, V2];

const V1: &str = "
-- The truth: exact leaf bytes, and the packs whose digests the leaves name.
CREATE TABLE head (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    size           INTEGER NOT NULL,
    root           BLOB NOT NULL,
    frontier       BLOB NOT NULL,
    written_at     INTEGER,
    registry_epoch INTEGER NOT NULL,
    registry_committed_at INTEGER
) STRICT;
CREATE TABLE leaf (
    seq  INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    hash BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE pack_body (pack INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TRIGGER leaf_kept BEFORE DELETE ON leaf BEGIN SELECT RAISE(ABORT, 'leaves are kept'); END;
CREATE TRIGGER leaf_fixed BEFORE UPDATE ON leaf BEGIN SELECT RAISE(ABORT, 'leaves are fixed'); END;
CREATE TRIGGER leaf_in_order BEFORE INSERT ON leaf WHEN NEW.seq IS NOT (SELECT size FROM head)
    BEGIN SELECT RAISE(ABORT, 'leaves are appended'); END;
CREATE TRIGGER pack_kept BEFORE DELETE ON pack_body BEGIN SELECT RAISE(ABORT, 'packs are kept'); END;
CREATE TRIGGER pack_fixed BEFORE UPDATE ON pack_body BEGIN SELECT RAISE(ABORT, 'packs are fixed'); END;

-- Folded from the leaves.
CREATE TABLE repository (
    num         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    path        TEXT NOT NULL,
    holds_path  INTEGER NOT NULL,
    forge       TEXT UNIQUE,
    enrolled_at INTEGER,
    seq         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX repository_by_path ON repository (path) WHERE holds_path = 1;
CREATE TABLE mainline (
    repo INTEGER NOT NULL,
    ref  BLOB NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (repo, ref)
) STRICT, WITHOUT ROWID;
CREATE TABLE verdict (
    seq      INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    repo     INTEGER,
    at       INTEGER NOT NULL,
    decision TEXT NOT NULL,
    enforced INTEGER NOT NULL
) STRICT;
CREATE TABLE verdict_person (
    person TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (person, seq)
) STRICT, WITHOUT ROWID;
-- `grants`: the level that the new value is trusted at once the update is applied; 0: none.
CREATE TABLE ref_update (
    seq          INTEGER NOT NULL,
    idx          INTEGER NOT NULL,
    repo         INTEGER NOT NULL,
    ref          BLOB NOT NULL,
    old          BLOB NOT NULL,
    new          BLOB NOT NULL,
    level        INTEGER NOT NULL,
    grants       INTEGER NOT NULL,
    fast_forward INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    applied_at   INTEGER,
    refused_at   INTEGER,
    superseded   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (seq, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX ref_update_by_ref ON ref_update (repo, ref, new);
CREATE INDEX ref_update_tips ON ref_update (repo, new, grants) WHERE applied_at IS NOT NULL AND grants > 0;
CREATE INDEX ref_update_standing ON ref_update (repo, grants, new)
    WHERE applied_at IS NOT NULL AND grants > 0 AND superseded = 0;
CREATE TABLE signer (
    num       INTEGER PRIMARY KEY,
    key       TEXT NOT NULL,
    person    TEXT NOT NULL,
    authority TEXT NOT NULL, -- empty: none, so that the index sees equals
    format    TEXT NOT NULL,
    UNIQUE (key, person, authority, format)
) STRICT;
CREATE INDEX signer_by_authority ON signer (authority) WHERE authority <> '';
-- `tips` = 1: enrolled ids; 0: commits of update (seq, idx). `first` and `last` are the fence.
CREATE TABLE pack (
    num   INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    repo  INTEGER,
    tips  INTEGER NOT NULL,
    level INTEGER NOT NULL,
    count INTEGER NOT NULL,
    first BLOB NOT NULL,
    last  BLOB NOT NULL,
    UNIQUE (seq, idx)
) STRICT;
CREATE INDEX pack_of_tips ON pack (repo, level) WHERE tips = 1;
CREATE TABLE pack_signer (
    pack   INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    signer INTEGER NOT NULL,
    PRIMARY KEY (pack, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX pack_signer_by_signer ON pack_signer (signer, pack);
-- Newest receipt of each key in each repository.
CREATE TABLE key_use (
    repo   INTEGER NOT NULL,
    signer INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    PRIMARY KEY (repo, signer)
) STRICT, WITHOUT ROWID;
CREATE TABLE baseline (
    num        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    seq        INTEGER NOT NULL,
    repo       INTEGER NOT NULL,
    commit_id  BLOB NOT NULL,
    onto       BLOB NOT NULL,
    level      INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    used_at    INTEGER,
    used_by    BLOB
) STRICT;
-- Verdicts that let history in by a baseline; it is used once git has applied one of them.
CREATE TABLE baseline_claim (
    verdict  BLOB NOT NULL,
    baseline INTEGER NOT NULL,
    PRIMARY KEY (verdict, baseline)
) STRICT, WITHOUT ROWID;
CREATE INDEX baseline_by_commit ON baseline (repo, commit_id);

-- The look-up index: made after the answer, may be lost.
CREATE TABLE receipt (
    repo   INTEGER NOT NULL,
    id     BLOB NOT NULL,
    pack   INTEGER NOT NULL,
    signer INTEGER,
    PRIMARY KEY (repo, id, pack)
) STRICT, WITHOUT ROWID;
-- Packs of which only the first `done` ids are in `receipt`.
CREATE TABLE unfolded (
    pack INTEGER PRIMARY KEY,
    repo INTEGER NOT NULL,
    done INTEGER NOT NULL
) STRICT;
";

/// The packs of one repository that wait for the index are found without looking at those of all.
const V2: &str = "
CREATE TEMP TABLE kept AS SELECT repo, pack, done FROM main.unfolded;
DROP TABLE main.unfolded;
CREATE TABLE main.unfolded (
    repo INTEGER NOT NULL,
    pack INTEGER NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY (repo, pack)
) STRICT, WITHOUT ROWID;
INSERT INTO main.unfolded SELECT repo, pack, done FROM temp.kept;
DROP TABLE temp.kept;
";

/// A table that is folded from the leaves, with the query that reads it in a fixed order:
/// first the leaf that a row came from, then the row.
pub(super) struct Derived {
    pub table: &'static str,
    pub rows: &'static str,
}

/// Every derived table but the look-up index, which is checked against the packs themselves.
pub(super) const DERIVED: &[Derived] = &[
    Derived { table: "repository", rows: "SELECT seq, * FROM repository ORDER BY num" },
    Derived { table: "mainline", rows: "SELECT seq, * FROM mainline ORDER BY repo, ref" },
    Derived { table: "verdict", rows: "SELECT seq, * FROM verdict ORDER BY seq" },
    Derived { table: "verdict_person", rows: "SELECT seq, * FROM verdict_person ORDER BY person, seq" },
    Derived { table: "ref_update", rows: "SELECT seq, * FROM ref_update ORDER BY seq, idx" },
    Derived { table: "signer", rows: "SELECT NULL, * FROM signer ORDER BY num" },
    Derived { table: "pack", rows: "SELECT seq, * FROM pack ORDER BY num" },
    Derived {
        table: "pack_signer",
        rows: "SELECT (SELECT seq FROM pack WHERE num = pack), * FROM pack_signer ORDER BY pack, idx",
    },
    Derived { table: "key_use", rows: "SELECT NULL, * FROM key_use ORDER BY repo, signer" },
    Derived { table: "baseline", rows: "SELECT seq, * FROM baseline ORDER BY num" },
    Derived {
        table: "baseline_claim",
        rows: "SELECT b.seq, c.* FROM baseline_claim c JOIN baseline b ON b.num = c.baseline ORDER BY c.verdict, c.baseline",
    },
];

/// The look-up index.
pub(super) const INDEX: &[&str] = &["receipt", "unfolded"];

/// Makes an empty database a ledger.
pub(super) fn create(connection: &Connection) -> Result<(), LedgerError> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(connection, 0)
}

/// The format of the file, if it is a ledger of a format known here.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(LedgerError::NotALedger(path.to_owned()));
    }
    let found = pragma("user_version")?;
    if found > KNOWN { Err(LedgerError::Newer { found, known: KNOWN }) } else { Ok(found) }
}

/// The newest format.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Brings a ledger of format `from` to the newest one. Runs in the caller's transaction.
pub(super) fn migrate(connection: &Connection, from: i64) -> Result<(), LedgerError> {
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    for step in MIGRATIONS.iter().skip(done) {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "user_version", KNOWN)?;
    Ok(())
}
