//! Tables `scim_resource` and `scim_member`: what an identity provider put, so that it reads what it wrote.

use super::{StoreError, Tables};
use countersign_policy::id::{PersonId, Source};
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, Row, params};
use std::ops::ControlFlow;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScimKind {
    User,
    Group,
}

impl ScimKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ScimKind::User => "User",
            ScimKind::Group => "Group",
        }
    }
}

/// One resource of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimRow {
    pub source: Source,
    pub kind: ScimKind,
    pub id: String,
    /// Whom a user resource speaks of; settled when it was made.
    pub person: Option<PersonId>,
    /// `userName` or `displayName` in lower case: it compares that way.
    pub name: String,
    pub external_id: Option<String>,
    /// Rises with every change, deletion included.
    pub version: u64,
    pub created: Time,
    pub modified: Time,
    /// A tombstone: kept, and shown to nobody.
    pub deleted: Option<Time>,
    /// Whether this source's last word on the person was that they are not to work.
    pub suspended: bool,
    /// The attributes as JSON, without `id` and `meta`.
    pub document: String,
}

/// What the index can answer of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScimNarrow {
    All,
    Id(String),
    Name(String),
    ExternalId(String),
}

const COLUMNS: &str =
    "source, kind, id, person, name, external_id, version, created_at, modified_at, deleted_at, suspended, document";

impl Tables<'_> {
    /// Adds a resource or replaces it. `members` are the ids that a group names.
    pub fn put_scim(&self, row: &ScimRow, members: &[&str]) -> Result<(), StoreError> {
        let version = i64::try_from(row.version).map_err(StoreError::damaged)?;
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO scim_resource ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                 ON CONFLICT (source, id) DO UPDATE SET name = ?5, external_id = ?6, version = ?7, modified_at = ?9,
                     deleted_at = ?10, suspended = ?11, document = ?12"
            ))?
            .execute(params![
                row.source.as_str(),
                row.kind.as_str(),
                row.id,
                row.person.as_ref().map(PersonId::as_str),
                row.name,
                row.external_id,
                version,
                row.created.unix_millis(),
                row.modified.unix_millis(),
                row.deleted.map(Time::unix_millis),
                row.suspended,
                row.document,
            ])?;
        if row.kind == ScimKind::Group {
            self.put_members(row, members)?;
        }
        Ok(())
    }

    fn put_members(&self, row: &ScimRow, members: &[&str]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM scim_member WHERE source = ?1 AND group_id = ?2")?
            .execute([row.source.as_str(), &row.id])?;
        let mut insert = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO scim_member (source, member, group_id) VALUES (?1, ?2, ?3)")?;
        for member in members {
            insert.execute([row.source.as_str(), member, &row.id])?;
        }
        Ok(())
    }

    /// A resource that is not deleted.
    pub fn scim(&self, source: &Source, kind: ScimKind, id: &str) -> Result<Option<ScimRow>, StoreError> {
        let narrow = ScimNarrow::Id(id.to_owned());
        Ok(self.scim_matching(source, kind, &narrow)?.into_iter().next())
    }

    /// The resources that are not deleted and that the index leads to.
    pub fn scim_matching(
        &self,
        source: &Source,
        kind: ScimKind,
        narrow: &ScimNarrow,
    ) -> Result<Vec<ScimRow>, StoreError> {
        let mut rows = Vec::new();
        self.each_scim(source, kind, narrow, |row| {
            rows.push(row);
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    /// Walks through the resources that are not deleted, in the order in which they were made.
    pub fn each_scim(
        &self,
        source: &Source,
        kind: ScimKind,
        narrow: &ScimNarrow,
        mut see: impl FnMut(ScimRow) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (condition, value) = match narrow {
            ScimNarrow::All => ("?3 = ''", ""),
            ScimNarrow::Id(id) => ("id = ?3", id.as_str()),
            ScimNarrow::Name(name) => ("name = ?3", name.as_str()),
            ScimNarrow::ExternalId(id) => ("external_id = ?3", id.as_str()),
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM scim_resource
             WHERE source = ?1 AND kind = ?2 AND {condition} AND deleted_at IS NULL ORDER BY seq"
        ))?;
        let mut rows = statement.query([source.as_str(), kind.as_str(), value])?;
        while let Some(row) = rows.next()? {
            if see(read(row)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// How many there are, and `limit` of them after the first `skip`.
    pub fn scim_page(
        &self,
        source: &Source,
        kind: ScimKind,
        skip: usize,
        limit: usize,
    ) -> Result<(usize, Vec<ScimRow>), StoreError> {
        let total: i64 = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM scim_resource WHERE source = ?1 AND kind = ?2 AND deleted_at IS NULL",
            )?
            .query_row([source.as_str(), kind.as_str()], |row| row.get(0))?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM scim_resource
             WHERE source = ?1 AND kind = ?2 AND deleted_at IS NULL ORDER BY seq LIMIT ?3 OFFSET ?4"
        ))?;
        let bound = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![source.as_str(), kind.as_str(), bound(limit), bound(skip)])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(read(row)?);
        }
        Ok((usize::try_from(total).map_err(StoreError::damaged)?, page))
    }

    /// Everything that the source ever put about the person, tombstones included; the oldest first.
    pub fn scim_of_person(&self, source: &Source, person: &PersonId) -> Result<Vec<ScimRow>, StoreError> {
        self.scim_rows("source = ?1 AND person = ?2 ORDER BY seq", [source.as_str(), person.as_str()])
    }

    /// The groups that name this member.
    pub fn scim_groups_of(&self, source: &Source, member: &str) -> Result<Vec<ScimRow>, StoreError> {
        self.scim_rows(
            "source = ?1 AND deleted_at IS NULL AND id IN
             (SELECT group_id FROM scim_member WHERE source = ?1 AND member = ?2) ORDER BY seq",
            [source.as_str(), member],
        )
    }

    fn scim_rows(&self, condition: &str, values: [&str; 2]) -> Result<Vec<ScimRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM scim_resource WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// When something of this source was last received.
    pub fn last_received(&self, source: &Source) -> Result<Option<Time>, StoreError> {
        let millis: Option<i64> = self
            .connection
            .prepare_cached("SELECT received_at FROM event WHERE seq = (SELECT max(seq) FROM event WHERE source = ?1)")?
            .query_row([source.as_str()], |row| row.get(0))
            .optional()?;
        Ok(millis.map(Time::from_unix_millis))
    }
}

fn read(row: &Row<'_>) -> Result<ScimRow, StoreError> {
    let time = |column: usize| -> Result<Time, StoreError> { Ok(Time::from_unix_millis(row.get(column)?)) };
    let (source, kind, person): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(3)?);
    let (version, deleted): (i64, Option<i64>) = (row.get(6)?, row.get(9)?);
    Ok(ScimRow {
        source: Source::new(&source).map_err(StoreError::damaged)?,
        kind: if kind == "User" { ScimKind::User } else { ScimKind::Group },
        id: row.get(2)?,
        person: person.map(|id| PersonId::new(&id).map_err(StoreError::damaged)).transpose()?,
        name: row.get(4)?,
        external_id: row.get(5)?,
        version: u64::try_from(version).map_err(StoreError::damaged)?,
        created: time(7)?,
        modified: time(8)?,
        deleted: deleted.map(Time::from_unix_millis),
        suspended: row.get(10)?,
        document: row.get(11)?,
    })
}
