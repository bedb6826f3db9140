//! The schema, one step after the other; `user_version` counts the steps taken.

use super::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Steps are never edited once released: a new one is appended.
const STEPS: &[&str] = &["
    -- What was asserted, exactly as it came. Facts are only ever added.
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        source TEXT NOT NULL,
        person TEXT NOT NULL,
        type TEXT NOT NULL,
        effective_at INTEGER NOT NULL,
        asserted_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        -- The fingerprint that a key_added was found to carry.
        key TEXT,
        line TEXT NOT NULL,
        UNIQUE (source, id)
    ) STRICT;
    CREATE INDEX event_person ON event (person);
    CREATE INDEX event_id ON event (id);
    CREATE TRIGGER event_never_changes BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events never change'); END;
    CREATE TRIGGER event_never_goes BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

    -- The fold of a person's events, kept so that publishing need not fold everybody again.
    CREATE TABLE person (
        id TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        -- What is published.
        record BLOB NOT NULL,
        index_keys BLOB NOT NULL,
        -- What is not: who is watched and why is nobody's business but the registry's.
        marks BLOB NOT NULL
    ) STRICT;
    CREATE INDEX person_epoch ON person (epoch);
    CREATE TRIGGER person_never_goes BEFORE DELETE ON person BEGIN SELECT RAISE(ABORT, 'persons are never deleted'); END;

    -- Who ever claimed an address or account.
    CREATE TABLE claim (
        name TEXT NOT NULL,
        person TEXT NOT NULL,
        PRIMARY KEY (name, person)
    ) STRICT, WITHOUT ROWID;

    -- Keys with the source they were compiled from. The source may grow by later revocations.
    CREATE TABLE key (
        fingerprint TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        material BLOB NOT NULL,
        source BLOB NOT NULL
    ) STRICT;
    CREATE INDEX key_person ON key (person);
    CREATE TRIGGER key_never_goes BEFORE DELETE ON key BEGIN SELECT RAISE(ABORT, 'keys are never deleted'); END;
    CREATE TRIGGER key_never_moves BEFORE UPDATE ON key
        WHEN NEW.fingerprint <> OLD.fingerprint OR NEW.person <> OLD.person
        BEGIN SELECT RAISE(ABORT, 'a key belongs to one person for good'); END;

    -- Every fingerprint that leads to a key, subkeys included. person is NULL for an authority's.
    CREATE TABLE fingerprint (
        fingerprint TEXT PRIMARY KEY,
        key TEXT NOT NULL,
        person TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER fingerprint_never_goes BEFORE DELETE ON fingerprint
        BEGIN SELECT RAISE(ABORT, 'fingerprints are never deleted'); END;
    CREATE TRIGGER fingerprint_never_moves BEFORE UPDATE ON fingerprint
        BEGIN SELECT RAISE(ABORT, 'a fingerprint belongs to one person for good'); END;

    -- SSH authorities and X.509 roots, and what was later said of them.
    CREATE TABLE authority (
        fingerprint TEXT PRIMARY KEY,
        added_at INTEGER NOT NULL,
        material BLOB NOT NULL,
        source BLOB NOT NULL
    ) STRICT;
    CREATE TRIGGER authority_never_changes BEFORE UPDATE ON authority
        BEGIN SELECT RAISE(ABORT, 'authorities never change'); END;
    CREATE TRIGGER authority_never_goes BEFORE DELETE ON authority
        BEGIN SELECT RAISE(ABORT, 'authorities are never deleted'); END;
    CREATE TABLE authority_mark (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL REFERENCES authority (fingerprint),
        reason TEXT NOT NULL CHECK (reason IN ('retired', 'superseded', 'compromised')),
        since INTEGER,
        received_at INTEGER NOT NULL
    ) STRICT;
    CREATE TRIGGER authority_mark_never_changes BEFORE UPDATE ON authority_mark
        BEGIN SELECT RAISE(ABORT, 'marks never change'); END;
    CREATE TRIGGER authority_mark_never_goes BEFORE DELETE ON authority_mark
        BEGIN SELECT RAISE(ABORT, 'marks are never deleted'); END;

    CREATE TABLE publication (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch INTEGER NOT NULL,
        committed_at INTEGER NOT NULL
    ) STRICT;
    INSERT INTO publication VALUES (1, 0, 0);
", "
    -- When the latest epochs were committed: what tells an epoch from one of the same number in a restored registry.
    CREATE TABLE epoch (
        epoch INTEGER PRIMARY KEY,
        committed_at INTEGER NOT NULL
    ) STRICT;
", "
    -- What an identity provider put over SCIM, so that it reads what it wrote. A deleted resource stays as a tombstone.
    CREATE TABLE scim_resource (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('User', 'Group')),
        id TEXT NOT NULL,
        person TEXT,
        name TEXT NOT NULL,
        external_id TEXT,
        version INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        modified_at INTEGER NOT NULL,
        deleted_at INTEGER,
        suspended INTEGER NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (source, id)
    ) STRICT;
    CREATE UNIQUE INDEX scim_user_name ON scim_resource (source, kind, name)
        WHERE deleted_at IS NULL AND kind = 'User';
    CREATE INDEX scim_name ON scim_resource (source, kind, name) WHERE deleted_at IS NULL;
    CREATE INDEX scim_external_id ON scim_resource (source, kind, external_id) WHERE deleted_at IS NULL;
    CREATE INDEX scim_live ON scim_resource (source, kind, seq) WHERE deleted_at IS NULL;
    CREATE INDEX scim_person ON scim_resource (source, person);
    CREATE TRIGGER scim_never_goes BEFORE DELETE ON scim_resource
        BEGIN SELECT RAISE(ABORT, 'resources are never deleted'); END;
    CREATE TRIGGER scim_never_moves BEFORE UPDATE ON scim_resource
        WHEN NEW.person IS NOT OLD.person OR NEW.kind <> OLD.kind OR OLD.deleted_at IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'a resource speaks of one person for good, and a tombstone of none'); END;
    -- Which groups name a member: an index of their documents.
    CREATE TABLE scim_member (
        source TEXT NOT NULL,
        member TEXT NOT NULL,
        group_id TEXT NOT NULL,
        PRIMARY KEY (source, member, group_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX scim_member_group ON scim_member (source, group_id);

    -- By which a source is known; the secret itself is nowhere.
    CREATE TABLE token (
        id TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        hash BLOB NOT NULL,
        made_at INTEGER NOT NULL,
        ended_at INTEGER
    ) STRICT, WITHOUT ROWID;
", "
    -- The rank that the source had when it was heard. NULL: none, as for everything from before ranks.
    ALTER TABLE event ADD COLUMN rank INTEGER;

    -- What the brake held back, by person, until two people decide.
    CREATE TABLE staged (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        batch TEXT NOT NULL,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        person TEXT NOT NULL,
        type TEXT NOT NULL,
        absent INTEGER NOT NULL CHECK (absent IN (0, 1)),
        cause TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        rank INTEGER,
        line TEXT NOT NULL,
        outcome TEXT CHECK (outcome IN ('approved', 'rejected', 'withdrawn')),
        decided_at INTEGER
    ) STRICT;
    CREATE INDEX staged_open ON staged (source, person) WHERE outcome IS NULL;
    CREATE INDEX staged_batch ON staged (batch);
    CREATE TRIGGER staged_is_decided_once BEFORE UPDATE ON staged
        WHEN OLD.outcome IS NOT NULL OR NEW.batch <> OLD.batch OR NEW.line <> OLD.line OR NEW.person <> OLD.person
        BEGIN SELECT RAISE(ABORT, 'what was decided stays so'); END;
    CREATE TRIGGER staged_never_goes BEFORE DELETE ON staged
        BEGIN SELECT RAISE(ABORT, 'staged changes are never deleted'); END;
    CREATE TABLE staged_vote (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        staged INTEGER NOT NULL REFERENCES staged (seq),
        approve INTEGER NOT NULL CHECK (approve IN (0, 1)),
        operator TEXT NOT NULL,
        -- The Unix user who ran the command, whatever name was given.
        login TEXT NOT NULL,
        reason TEXT,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX staged_vote_staged ON staged_vote (staged);
    CREATE TRIGGER staged_vote_never_changes BEFORE UPDATE ON staged_vote
        BEGIN SELECT RAISE(ABORT, 'votes never change'); END;
    CREATE TRIGGER staged_vote_never_goes BEFORE DELETE ON staged_vote
        BEGIN SELECT RAISE(ABORT, 'votes are never deleted'); END;

    -- Whom the brake let go, for its sliding window.
    CREATE TABLE passed (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,
        person TEXT NOT NULL,
        single INTEGER NOT NULL CHECK (single IN (0, 1)),
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX passed_at ON passed (at);
    CREATE TRIGGER passed_never_changes BEFORE UPDATE ON passed
        BEGIN SELECT RAISE(ABORT, 'what passed never changes'); END;
    CREATE TRIGGER passed_never_goes BEFORE DELETE ON passed
        BEGIN SELECT RAISE(ABORT, 'what passed is never deleted'); END;

    -- The whole lists that were taken, so that an older one is told from a newer.
    CREATE TABLE export (
        source TEXT NOT NULL,
        exported_at INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        row_count INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        PRIMARY KEY (source, exported_at)
    ) STRICT;
    CREATE TRIGGER export_never_changes BEFORE UPDATE ON export
        BEGIN SELECT RAISE(ABORT, 'exports never change'); END;
    CREATE TRIGGER export_never_goes BEFORE DELETE ON export
        BEGIN SELECT RAISE(ABORT, 'exports are never deleted'); END;
", "
    -- Enrolment: what is claimed and asked, before anything is registered. None of it is published.
    CREATE TABLE challenge (
        nonce_sha256 TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        key TEXT NOT NULL,
        server TEXT NOT NULL,
        replaces TEXT,
        replaced_at INTEGER,
        begun_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        spent_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX challenge_expires ON challenge (expires_at);
    CREATE TRIGGER challenge_never_goes BEFORE DELETE ON challenge
        BEGIN SELECT RAISE(ABORT, 'challenges are never deleted'); END;
    CREATE TRIGGER challenge_is_spent_once BEFORE UPDATE ON challenge WHEN OLD.spent_at IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'a challenge is spent once'); END;
    CREATE TABLE pending_key (
        person TEXT NOT NULL,
        key TEXT NOT NULL,
        data TEXT NOT NULL,
        origin TEXT NOT NULL,
        valid_before INTEGER,
        received_at INTEGER NOT NULL,
        proven_at INTEGER,
        PRIMARY KEY (person, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE deposit (
        key TEXT NOT NULL REFERENCES key (fingerprint),
        reason TEXT NOT NULL CHECK (reason IN ('unspecified', 'superseded', 'compromised', 'retired')),
        packet BLOB NOT NULL,
        deposited_at INTEGER NOT NULL,
        published_at INTEGER,
        PRIMARY KEY (key, packet)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER deposit_never_goes BEFORE DELETE ON deposit
        BEGIN SELECT RAISE(ABORT, 'deposits are never deleted'); END;
", "
    -- The last of each export that bears a rising version.
    CREATE TABLE export_version (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        digest TEXT NOT NULL,
        exported_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER export_version_rises BEFORE UPDATE ON export_version WHEN NEW.version <= OLD.version
        BEGIN SELECT RAISE(ABORT, 'the version of an export rises'); END;
", "
    -- What is to end on the forges, what was tried, and what was read back.
    CREATE TABLE cascade_step (
        person TEXT NOT NULL,
        account TEXT NOT NULL,
        step TEXT NOT NULL CHECK (step IN ('account', 'ssh-keys', 'tokens', 'gpg-keys')),
        wanted_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        tried_at INTEGER,
        next_at INTEGER NOT NULL,
        trouble TEXT,
        confirmed_at INTEGER,
        found TEXT,
        lifted_at INTEGER,
        PRIMARY KEY (person, account, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER cascade_step_never_goes BEFORE DELETE ON cascade_step
        BEGIN SELECT RAISE(ABORT, 'steps are never deleted'); END;
", "
    -- The webhooks that were taken, kept for as long as their senders may repeat them.
    CREATE TABLE delivery (
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        -- It may have given access back: repeated it would undo what came after it, so it is never forgotten.
        restores INTEGER NOT NULL CHECK (restores IN (0, 1)),
        received_at INTEGER NOT NULL,
        PRIMARY KEY (source, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX delivery_received ON delivery (received_at) WHERE restores = 0;
    CREATE TRIGGER delivery_never_changes BEFORE UPDATE ON delivery
        BEGIN SELECT RAISE(ABORT, 'deliveries never change'); END;
    CREATE TRIGGER delivery_that_restores_never_goes BEFORE DELETE ON delivery WHEN OLD.restores = 1
        BEGIN SELECT RAISE(ABORT, 'a delivery that gave access back is never forgotten'); END;

    -- Senders repeat what two people rejected.
    CREATE INDEX staged_rejected ON staged (source, id) WHERE outcome = 'rejected';

    -- Who was suspended on a hint that they left, and what became of the hint.
    CREATE TABLE hint (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,
        person TEXT NOT NULL,
        event TEXT NOT NULL,
        said TEXT NOT NULL,
        at_once INTEGER NOT NULL CHECK (at_once IN (0, 1)),
        received_at INTEGER NOT NULL,
        outcome TEXT CHECK (outcome IN ('confirmed', 'refuted')),
        decided_at INTEGER,
        decided_by TEXT,
        UNIQUE (source, event)
    ) STRICT;
    CREATE INDEX hint_standing ON hint (source, person) WHERE outcome IS NOT 'refuted';
    CREATE INDEX hint_person ON hint (person) WHERE outcome IS NOT 'refuted';
    CREATE TRIGGER hint_stays_refuted BEFORE UPDATE ON hint
        WHEN OLD.outcome IS 'refuted' OR NEW.source <> OLD.source OR NEW.person <> OLD.person OR NEW.event <> OLD.event
        BEGIN SELECT RAISE(ABORT, 'what was refuted stays so'); END;
    CREATE TRIGGER hint_never_goes BEFORE DELETE ON hint
        BEGIN SELECT RAISE(ABORT, 'hints are never deleted'); END;
", "
    -- Security event tokens, so that none counts twice. What was held back or refused may come again.
    CREATE TABLE signal (
        id TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        issuer TEXT NOT NULL,
        jti TEXT NOT NULL,
        digest TEXT NOT NULL,
        type TEXT NOT NULL,
        person TEXT,
        issued_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('applied', 'recorded', 'withheld', 'held', 'refused')),
        detail TEXT NOT NULL,
        token TEXT,
        -- What an operator has to look at, and who did.
        review TEXT,
        reviewed_at INTEGER,
        reviewed_by TEXT,
        reviewed_login TEXT,
        reviewed_reason TEXT,
        UNIQUE (source, issuer, jti)
    ) STRICT;
    CREATE INDEX signal_received ON signal (received_at);
    CREATE INDEX signal_review ON signal (source, person) WHERE review IS NOT NULL AND reviewed_at IS NULL;
    CREATE TRIGGER signal_never_goes BEFORE DELETE ON signal
        BEGIN SELECT RAISE(ABORT, 'signals are never deleted'); END;
    CREATE TRIGGER signal_is_settled_once BEFORE UPDATE ON signal
        WHEN NEW.id <> OLD.id OR NEW.digest <> OLD.digest OR NEW.type <> OLD.type
            OR OLD.outcome NOT IN ('held', 'refused') AND (NEW.outcome <> OLD.outcome OR NEW.review IS NOT OLD.review)
            OR OLD.reviewed_at IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'what became of a signal stays so'); END;
    -- The key sets of transmitters as they were fetched last.
    CREATE TABLE pinned_keys (
        source TEXT PRIMARY KEY,
        url TEXT NOT NULL,
        body BLOB NOT NULL,
        fetched_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- When each source was last heard of.
    CREATE TABLE source_life (
        source TEXT PRIMARY KEY,
        watched_at INTEGER NOT NULL,
        heard_at INTEGER,
        asked TEXT,
        asked_at INTEGER,
        verified_at INTEGER,
        stopped TEXT
    ) STRICT, WITHOUT ROWID;
", "
    -- What is blocked on a forge by this program's doing alone, and so is its to give back.
    ALTER TABLE cascade_step ADD COLUMN own INTEGER NOT NULL DEFAULT 0 CHECK (own IN (0, 1));
    ALTER TABLE cascade_step ADD COLUMN returned_at INTEGER;
    CREATE INDEX cascade_open ON cascade_step (next_at) WHERE confirmed_at IS NULL AND lifted_at IS NULL;
    CREATE INDEX cascade_own ON cascade_step (next_at) WHERE own = 1 AND lifted_at IS NOT NULL;

    -- Who is watched: the few named may know, and nothing of it is published or counted anywhere else.
    CREATE TABLE watch (
        id TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        reason TEXT NOT NULL,
        legal_basis TEXT NOT NULL,
        -- A list of names, JSON.
        readers TEXT NOT NULL,
        until INTEGER NOT NULL,
        asked_by TEXT NOT NULL,
        asked_login TEXT NOT NULL,
        asked_at INTEGER NOT NULL,
        confirmed_by TEXT,
        confirmed_login TEXT,
        confirmed_at INTEGER,
        ended_by TEXT,
        ended_login TEXT,
        ended_at INTEGER,
        CHECK (until > asked_at),
        CHECK (confirmed_by <> asked_by AND confirmed_login <> asked_login)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER watch_never_goes BEFORE DELETE ON watch
        BEGIN SELECT RAISE(ABORT, 'watches are never deleted'); END;
    CREATE TRIGGER watch_never_changes BEFORE UPDATE ON watch
        WHEN NEW.id <> OLD.id OR NEW.person <> OLD.person OR NEW.reason <> OLD.reason
            OR NEW.legal_basis <> OLD.legal_basis OR NEW.readers <> OLD.readers OR NEW.until <> OLD.until
            OR NEW.asked_by <> OLD.asked_by OR NEW.asked_login <> OLD.asked_login OR NEW.asked_at <> OLD.asked_at
            OR (OLD.confirmed_at IS NOT NULL AND NEW.confirmed_at IS NOT OLD.confirmed_at)
            OR OLD.ended_at IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'a watch is what two people agreed on'); END;
    CREATE TABLE watch_reading (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        watch TEXT NOT NULL REFERENCES watch (id),
        operator TEXT NOT NULL,
        -- The Unix user who ran the command, whatever name was given.
        login TEXT NOT NULL,
        what TEXT NOT NULL,
        -- 0: asked for, and not told.
        told INTEGER NOT NULL CHECK (told IN (0, 1)),
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX watch_reading_watch ON watch_reading (watch);
    CREATE TRIGGER watch_reading_never_changes BEFORE UPDATE ON watch_reading
        BEGIN SELECT RAISE(ABORT, 'readings never change'); END;
    CREATE TRIGGER watch_reading_never_goes BEFORE DELETE ON watch_reading
        BEGIN SELECT RAISE(ABORT, 'readings are never deleted'); END;
"];

/// Whether [`migrate`] has something to do. Fails on a database from a newer program.
pub(super) fn is_due(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = STEPS.len() as i64;
    if found > known {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known });
    }
    Ok(found < known)
}

/// Takes the missing steps, all in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_due(&transaction, path)? {
        let taken: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for step in STEPS.iter().skip(usize::try_from(taken).map_err(StoreError::damaged)?) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    }
    Ok(transaction.commit()?)
}
