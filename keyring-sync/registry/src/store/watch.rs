//! Tables `watch` and `watch_reading`: who is watched on whose word, and who read of it.
//!
//! Nothing here is published, makes an epoch or is ever deleted.

use super::{StoreError, Tables};
use countersign_policy::id::PersonId;
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, Row, params};

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub operator: String,
    /// The Unix user who ran the command.
    pub login: String,
    pub at: Time,
}

/// What one person asks another one to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWatch {
    pub id: String,
    pub person: PersonId,
    pub reason: String,
    pub legal_basis: String,
    /// The names of those who may read of it.
    pub readers: Vec<String>,
    pub until: Time,
    pub asked: Signed,
}

/// A watch, or what is asked for and not agreed to yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRow {
    pub watch: NewWatch,
    pub confirmed: Option<Signed>,
    pub ended: Option<Signed>,
}

/// Somebody asked for what a watch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchReading {
    pub by: Signed,
    /// The command.
    pub what: String,
    /// Whether they were told.
    pub told: bool,
}

const COLUMNS: &str = "id, person, reason, legal_basis, readers, until, asked_by, asked_login, asked_at,
    confirmed_by, confirmed_login, confirmed_at, ended_by, ended_login, ended_at";

impl Tables<'_> {
    pub fn ask_watch(&self, watch: &NewWatch) -> Result<(), StoreError> {
        let sql = "INSERT INTO watch (id, person, reason, legal_basis, readers, until, asked_by, asked_login, asked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.connection.prepare_cached(sql)?.execute(params![
            watch.id,
            watch.person.as_str(),
            watch.reason,
            watch.legal_basis,
            serde_json::to_string(&watch.readers).map_err(StoreError::json)?,
            watch.until.unix_millis(),
            watch.asked.operator,
            watch.asked.login,
            watch.asked.at.unix_millis(),
        ])?;
        Ok(())
    }

    /// False: it was confirmed or ended before.
    pub fn confirm_watch(&self, id: &str, by: &Signed) -> Result<bool, StoreError> {
        self.sign_watch("confirmed", id, by)
    }

    /// False: it was ended before.
    pub fn end_watch(&self, id: &str, by: &Signed) -> Result<bool, StoreError> {
        self.sign_watch("ended", id, by)
    }

    fn sign_watch(&self, what: &str, id: &str, by: &Signed) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE watch SET {what}_by = ?2, {what}_login = ?3, {what}_at = ?4
             WHERE id = ?1 AND ended_at IS NULL AND {what}_at IS NULL"
        );
        let changed =
            self.connection.prepare_cached(&sql)?.execute(params![id, by.operator, by.login, by.at.unix_millis()])?;
        Ok(changed == 1)
    }

    pub fn watch(&self, id: &str) -> Result<Option<WatchRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM watch WHERE id = ?1");
        let row = self.connection.prepare_cached(&sql)?.query_row([id], |row| Ok(read(row))).optional()?;
        row.transpose()
    }

    /// All that there ever were, the oldest first.
    pub fn watches(&self) -> Result<Vec<WatchRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM watch ORDER BY asked_at, id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut watches = Vec::new();
        while let Some(row) = rows.next()? {
            watches.push(read(row)?);
        }
        Ok(watches)
    }

    pub fn note_watch_reading(&self, id: &str, reading: &WatchReading) -> Result<(), StoreError> {
        let sql = "INSERT INTO watch_reading (watch, operator, login, what, told, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.prepare_cached(sql)?.execute(params![
            id,
            reading.by.operator,
            reading.by.login,
            reading.what,
            reading.told,
            reading.by.at.unix_millis(),
        ])?;
        Ok(())
    }

    /// Who asked for what this watch holds, the oldest first.
    pub fn watch_readings(&self, id: &str) -> Result<Vec<WatchReading>, StoreError> {
        let sql = "SELECT operator, login, at, what, told FROM watch_reading WHERE watch = ?1 ORDER BY seq";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([id], |row| {
            let by = Signed { operator: row.get(0)?, login: row.get(1)?, at: Time::from_unix_millis(row.get(2)?) };
            Ok(WatchReading { by, what: row.get(3)?, told: row.get(4)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read(row: &Row<'_>) -> Result<WatchRow, StoreError> {
    let (person, readers): (String, String) = (row.get(1)?, row.get(4)?);
    let signed = |first: usize| -> Result<Option<Signed>, StoreError> {
        let at: Option<i64> = row.get(first + 2)?;
        let Some(at) = at.map(Time::from_unix_millis) else { return Ok(None) };
        Ok(Some(Signed { operator: row.get(first)?, login: row.get(first + 1)?, at }))
    };
    let asked = signed(6)?.ok_or_else(|| StoreError::Damaged("a watch that nobody asked for".to_owned()))?;
    Ok(WatchRow {
        watch: NewWatch {
            id: row.get(0)?,
            person: PersonId::new(&person).map_err(StoreError::damaged)?,
            reason: row.get(2)?,
            legal_basis: row.get(3)?,
            readers: serde_json::from_str(&readers).map_err(StoreError::json)?,
            until: Time::from_unix_millis(row.get(5)?),
            asked,
        },
        confirmed: signed(9)?,
        ended: signed(12)?,
    })
}
