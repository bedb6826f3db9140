//! Columns of the ledger's tables as checked types.

use super::LedgerError;
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::time::Time;
use countersign_policy::verdict::Decision;
use rusqlite::types::Type;
use rusqlite::{Error, Row};

/// SQLite's integers are signed.
pub(super) fn to_sql(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|_| LedgerError::Corrupt(format!("{number} is out of range")))
}

pub(super) fn from_sql(number: i64) -> Result<u64, LedgerError> {
    u64::try_from(number).map_err(|_| LedgerError::Corrupt(format!("{number} is negative")))
}

fn bad(at: usize, kind: Type, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(at, kind, reason.into())
}

pub(super) fn object_id(row: &Row<'_>, at: usize) -> Result<ObjectId, Error> {
    let bytes: Vec<u8> = row.get(at)?;
    ObjectId::from_bytes(&bytes).ok_or_else(|| bad(at, Type::Blob, "no object id"))
}

pub(super) fn ref_name(row: &Row<'_>, at: usize) -> Result<RefName, Error> {
    row.get::<_, Vec<u8>>(at).map(|bytes| RefName::new(&bytes))
}

pub(super) fn time(row: &Row<'_>, at: usize) -> Result<Time, Error> {
    row.get(at).map(Time::from_unix_millis)
}

pub(super) fn optional_time(row: &Row<'_>, at: usize) -> Result<Option<Time>, Error> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Time::from_unix_millis))
}

/// A leaf's number.
pub(super) fn seq(row: &Row<'_>, at: usize) -> Result<u64, Error> {
    let number: i64 = row.get(at)?;
    u64::try_from(number).map_err(|error| bad(at, Type::Integer, error))
}

/// A text that one of the core's ids is checked from.
pub(super) fn text<T: std::str::FromStr>(row: &Row<'_>, at: usize) -> Result<T, Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.get::<_, String>(at)?.parse().map_err(|error: T::Err| bad(at, Type::Text, error))
}

pub(super) fn decision_name(decision: Decision) -> &'static str {
    match decision {
        Decision::Accept => "accept",
        Decision::Deny => "deny",
        Decision::Undecided => "undecided",
    }
}

pub(super) fn decision(row: &Row<'_>, at: usize) -> Result<Decision, Error> {
    match row.get_ref(at)?.as_str()? {
        "accept" => Ok(Decision::Accept),
        "deny" => Ok(Decision::Deny),
        "undecided" => Ok(Decision::Undecided),
        _ => Err(bad(at, Type::Text, "no decision")),
    }
}
