//! Table `event`: what was asserted, as it came. Insert-only.

use super::{StoreError, Tables};
use countersign_policy::id::{EventId, Fingerprint, PersonId, Source};
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, Row, params};

/// One stored assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub id: EventId,
    pub source: Source,
    pub person: PersonId,
    /// The event's `type`, as it was written.
    pub kind: String,
    pub effective_at: Time,
    pub asserted_at: Time,
    pub received_at: Time,
    /// The key that a `key_added` was found to carry.
    pub key: Option<Fingerprint>,
    /// The rank that the source had when it was heard.
    pub rank: Option<u8>,
    /// The whole line, byte for byte.
    pub line: String,
}

const COLUMNS: &str = "id, source, person, type, effective_at, asserted_at, received_at, key, rank, line";

impl Tables<'_> {
    /// Adds an event. The pair of source and id must be new.
    pub fn add_event(&self, event: &EventRow) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "INSERT INTO event ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        ))?;
        statement.execute(params![
            event.id.as_str(),
            event.source.as_str(),
            event.person.as_str(),
            event.kind,
            event.effective_at.unix_millis(),
            event.asserted_at.unix_millis(),
            event.received_at.unix_millis(),
            event.key.as_ref().map(Fingerprint::as_str),
            event.rank,
            event.line,
        ])?;
        Ok(())
    }

    pub fn event(&self, source: &Source, id: &EventId) -> Result<Option<EventRow>, StoreError> {
        let mut statement =
            self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM event WHERE source = ?1 AND id = ?2"))?;
        let row = statement.query_row([source.as_str(), id.as_str()], |row| Ok(read(row))).optional()?;
        row.transpose()
    }

    /// All events of this id, of whatever source.
    pub fn events_called(&self, id: &EventId) -> Result<Vec<EventRow>, StoreError> {
        self.events("WHERE id = ?1 ORDER BY seq", id.as_str())
    }

    pub fn events_of(&self, person: &PersonId) -> Result<Vec<EventRow>, StoreError> {
        self.events("WHERE person = ?1 ORDER BY seq", person.as_str())
    }

    /// Of whom this source ever spoke.
    pub fn persons_of(&self, source: &Source) -> Result<Vec<PersonId>, StoreError> {
        self.persons_where("source = ?1", source.as_str())
    }

    /// Of whom an event of this type was said.
    pub fn persons_with(&self, kind: &str) -> Result<Vec<PersonId>, StoreError> {
        self.persons_where("type = ?1", kind)
    }

    fn persons_where(&self, condition: &str, value: &str) -> Result<Vec<PersonId>, StoreError> {
        let sql = format!("SELECT DISTINCT person FROM event WHERE {condition} ORDER BY person");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([value])?;
        let mut persons = Vec::new();
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            persons.push(PersonId::new(&id).map_err(StoreError::damaged)?);
        }
        Ok(persons)
    }

    /// The event added last.
    pub fn last_event(&self) -> Result<Option<EventRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM event ORDER BY seq DESC LIMIT 1");
        let row = self.connection.prepare_cached(&sql)?.query_row([], |row| Ok(read(row))).optional()?;
        row.transpose()
    }

    pub fn event_count(&self) -> Result<u64, StoreError> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?;
        u64::try_from(count).map_err(StoreError::damaged)
    }

    fn events(&self, condition: &str, value: &str) -> Result<Vec<EventRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM event {condition}"))?;
        let mut rows = statement.query([value])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            events.push(read(row)?);
        }
        Ok(events)
    }
}

fn read(row: &Row<'_>) -> Result<EventRow, StoreError> {
    let text = |column: usize| -> Result<String, StoreError> { Ok(row.get(column)?) };
    let time = |column: usize| -> Result<Time, StoreError> { Ok(Time::from_unix_millis(row.get(column)?)) };
    let key: Option<String> = row.get(7)?;
    Ok(EventRow {
        id: EventId::new(&text(0)?).map_err(StoreError::damaged)?,
        source: Source::new(&text(1)?).map_err(StoreError::damaged)?,
        person: PersonId::new(&text(2)?).map_err(StoreError::damaged)?,
        kind: text(3)?,
        effective_at: time(4)?,
        asserted_at: time(5)?,
        received_at: time(6)?,
        key: key.map(|key| Fingerprint::new(&key).map_err(StoreError::damaged)).transpose()?,
        rank: row.get(8)?,
        line: text(9)?,
    })
}
