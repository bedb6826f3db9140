//! Table `signal`: the security event tokens that came, so that none counts twice, and what an operator has to look at.

use super::{StoreError, Tables};
use countersign_policy::id::{PersonId, Source};
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalOutcome {
    /// Events came of it.
    Applied,
    /// It is on record, and that is all that it asks for.
    Recorded,
    /// It would let somebody back in, and something of them has to be looked at first.
    Withheld,
    /// The brake holds it back. It may come again.
    Held,
    /// It is genuine and cannot be done. It may come again.
    Refused,
}

impl SignalOutcome {
    const ALL: [SignalOutcome; 5] = [
        SignalOutcome::Applied,
        SignalOutcome::Recorded,
        SignalOutcome::Withheld,
        SignalOutcome::Held,
        SignalOutcome::Refused,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            SignalOutcome::Applied => "applied",
            SignalOutcome::Recorded => "recorded",
            SignalOutcome::Withheld => "withheld",
            SignalOutcome::Held => "held",
            SignalOutcome::Refused => "refused",
        }
    }

    /// Whether the same token has nothing more to say.
    pub fn is_final(self) -> bool {
        !matches!(self, SignalOutcome::Held | SignalOutcome::Refused)
    }
}

/// One token of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalRow {
    /// Made of source, issuer and the token's own id; what operators call it.
    pub id: String,
    pub source: Source,
    pub issuer: String,
    pub jti: String,
    /// SHA-256 of the claims in hex.
    pub digest: String,
    /// The type of its event.
    pub kind: String,
    pub person: Option<PersonId>,
    pub issued_at: Time,
    pub received_at: Time,
    pub outcome: SignalOutcome,
    /// In words.
    pub detail: String,
    /// The token itself, where something rests on it.
    pub token: Option<String>,
    /// What an operator has to look at.
    pub review: Option<String>,
}

/// How a review ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    pub at: Time,
    pub operator: String,
    /// The Unix user who ran the command.
    pub login: String,
    pub reason: String,
}

const COLUMNS: &str =
    "id, source, issuer, jti, digest, type, person, issued_at, received_at, outcome, detail, token, review";

impl Tables<'_> {
    pub fn signal(&self, id: &str) -> Result<Option<SignalRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM signal WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(read).transpose()
    }

    /// Adds a token, or what became of one that had to come again.
    pub fn put_signal(&self, row: &SignalRow) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO signal ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                 ON CONFLICT (id) DO UPDATE SET person = ?7, received_at = ?9, outcome = ?10, detail = ?11, token = ?12,
                     review = ?13"
            ))?
            .execute(params![
                row.id,
                row.source.as_str(),
                row.issuer,
                row.jti,
                row.digest,
                row.kind,
                row.person.as_ref().map(PersonId::as_str),
                row.issued_at.unix_millis(),
                row.received_at.unix_millis(),
                row.outcome.as_str(),
                row.detail,
                row.token,
                row.review,
            ])?;
        Ok(())
    }

    /// What operators have to look at, the oldest first.
    pub fn open_reviews(&self) -> Result<Vec<SignalRow>, StoreError> {
        self.signals_where("review IS NOT NULL AND reviewed_at IS NULL ORDER BY received_at, id", &[])
    }

    /// What has to be looked at of one person.
    pub fn open_reviews_of(&self, source: &Source, person: &PersonId) -> Result<Vec<SignalRow>, StoreError> {
        self.signals_where(
            "review IS NOT NULL AND reviewed_at IS NULL AND source = ?1 AND person = ?2 ORDER BY received_at, id",
            &[&source.as_str(), &person.as_str()],
        )
    }

    /// How many of each source have to be looked at.
    pub fn open_review_counts(&self) -> Result<BTreeMap<Source, u64>, StoreError> {
        let sql =
            "SELECT source, count(*) FROM signal WHERE review IS NOT NULL AND reviewed_at IS NULL GROUP BY source";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut counts = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (source, count): (String, i64) = (row.get(0)?, row.get(1)?);
            let count = u64::try_from(count).map_err(StoreError::damaged)?;
            counts.insert(Source::new(&source).map_err(StoreError::damaged)?, count);
        }
        Ok(counts)
    }

    /// The latest `limit` tokens, the newest first.
    pub fn latest_signals(&self, limit: usize) -> Result<Vec<SignalRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.signals_where("TRUE ORDER BY received_at DESC, id LIMIT ?1", &[&limit])
    }

    /// Ends a review; false when there is none that is open.
    pub fn end_review(&self, id: &str, reviewed: &Reviewed) -> Result<bool, StoreError> {
        let sql = "UPDATE signal SET reviewed_at = ?2, reviewed_by = ?3, reviewed_login = ?4, reviewed_reason = ?5
             WHERE id = ?1 AND review IS NOT NULL AND reviewed_at IS NULL";
        let Reviewed { at, operator, login, reason } = reviewed;
        let values = params![id, at.unix_millis(), operator, login, reason];
        Ok(self.connection.prepare_cached(sql)?.execute(values)? > 0)
    }

    /// How a review ended, if it did.
    pub fn reviewed(&self, id: &str) -> Result<Option<Reviewed>, StoreError> {
        let sql = "SELECT reviewed_at, reviewed_by, reviewed_login, reviewed_reason FROM signal
             WHERE id = ?1 AND reviewed_at IS NOT NULL";
        let row = |row: &Row<'_>| {
            let at = Time::from_unix_millis(row.get(0)?);
            Ok(Reviewed { at, operator: row.get(1)?, login: row.get(2)?, reason: row.get(3)? })
        };
        Ok(self.connection.prepare_cached(sql)?.query_row([id], row).optional()?)
    }

    fn signals_where(&self, condition: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<SignalRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM signal WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values)?;
        let mut signals = Vec::new();
        while let Some(row) = rows.next()? {
            signals.push(read(row)?);
        }
        Ok(signals)
    }
}

fn read(row: &Row<'_>) -> Result<SignalRow, StoreError> {
    let time = |column: usize| -> Result<Time, StoreError> { Ok(Time::from_unix_millis(row.get(column)?)) };
    let (source, person, outcome): (String, Option<String>, String) = (row.get(1)?, row.get(6)?, row.get(9)?);
    let known = SignalOutcome::ALL.into_iter().find(|known| known.as_str() == outcome);
    Ok(SignalRow {
        id: row.get(0)?,
        source: Source::new(&source).map_err(StoreError::damaged)?,
        issuer: row.get(2)?,
        jti: row.get(3)?,
        digest: row.get(4)?,
        kind: row.get(5)?,
        person: person.map(|id| PersonId::new(&id).map_err(StoreError::damaged)).transpose()?,
        issued_at: time(7)?,
        received_at: time(8)?,
        outcome: known.ok_or_else(|| StoreError::damaged("a signal of no outcome"))?,
        detail: row.get(10)?,
        token: row.get(11)?,
        review: row.get(12)?,
    })
}
