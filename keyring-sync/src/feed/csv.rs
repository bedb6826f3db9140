//! An HR system's nightly list ─► checked rows. All of it or nothing: a list that is cut off must not put anybody out.

pub mod signature;

use super::list::{Export, FIELD_MAX, Row, Status, Subjects};
use crate::local::{Day, NotADay, Zone};
use countersign_policy::duration::Period;
use countersign_policy::id::{BadId, Email, EngagementId, PersonId};
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// Largest list in bytes: 200,000 people with 300 bytes each.
pub const LIST_MAX: usize = 64 << 20;
/// More columns than any HR system exports; each costs memory in every row.
const COLUMNS_MAX: usize = 200;
/// How far the clock of the HR system may run ahead of ours, as elsewhere in the lifecycle.
const SKEW: Duration = Duration::from_secs(300);
/// What a last line begins with that says how the list ends.
const TRAILER: &str = "#trailer";

/// How to read the lists of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Of dates in rows without `source_timezone`.
    pub zone: Option<ZoneName>,
    /// The source's own words for a status.
    pub statuses: BTreeMap<String, Status>,
    /// An older list is refused: whoever holds the new ones back must not go unnoticed.
    pub max_age: Option<Period>,
}

/// A time zone that was checked when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneName(String);

impl ZoneName {
    pub fn new(text: &str) -> Result<Self, NotADay> {
        text.parse::<Zone>().map(|_| ZoneName(text.to_owned()))
    }
}

/// Why a list is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExport {
    #[error("it is larger than {LIST_MAX} bytes")]
    TooLarge,
    #[error("it is not UTF-8 text from byte {0} on")]
    NotUtf8(usize),
    #[error("it has no rows; an empty list is never taken for the end of everybody")]
    Empty,
    #[error("line {line}: it is no CSV: {reason}")]
    Csv { line: u64, reason: String },
    #[error("the column `{0}` is missing")]
    Missing(&'static str),
    #[error("the column `{0}` is there twice")]
    Twice(String),
    #[error("it has more than {COLUMNS_MAX} columns")]
    Columns,
    #[error(
        "nothing proves that it is whole: let the export have a column `row_count`, a last line \
         `{TRAILER},rows=N,sha256=HEX`, or a file beside it that `sha256sum` wrote, named like it with `.sha256` added"
    )]
    Unproven,
    #[error("it says that it has {said} rows and has {found}: it was cut off, or put together from two")]
    RowCount { said: u64, found: u64 },
    #[error("its SHA-256 is {found}, and {by} says {said}: it was changed or cut off")]
    Digest { by: &'static str, said: String, found: String },
    #[error("its last line is no trailer such as `{TRAILER},rows=250,sha256=HEX`")]
    Trailer,
    #[error("{0}")]
    Sidecar(&'static str),
    #[error("line {line}: {reason}")]
    Row { line: u64, reason: String },
    #[error("it says that it was exported at {0}, which is still to come here: check both clocks")]
    Future(Time),
    #[error("it was exported at {exported_at}, more than {most} ago: has the export stopped?")]
    Old { exported_at: Time, most: Period },
}

/// What else there is of a list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'b> {
    /// The text of the file that `sha256sum` wrote.
    pub sha256: Option<&'b str>,
    /// Whether a signature over the whole of it was found to be good.
    pub signed: bool,
}

/// Reads a list that was received at `now`.
pub fn read(bytes: &[u8], beside: Beside<'_>, reading: &Reading, now: Time) -> Result<Export, BadExport> {
    if bytes.len() > LIST_MAX {
        return Err(BadExport::TooLarge);
    }
    let sha256 = hex::encode(Sha256::digest(bytes));
    let mut proof = Proof { whole: beside.signed, ..Proof::default() };
    if let Some(sidecar) = beside.sha256 {
        let said = sidecar.split_whitespace().next().filter(|word| is_sha256(word));
        let said = said.ok_or(BadExport::Sidecar("the file beside it with `.sha256` added holds no SHA-256 in hex"))?;
        proof.digest("the file beside it", said, &sha256)?;
    }
    let text = std::str::from_utf8(bytes).map_err(|error| BadExport::NotUtf8(error.valid_up_to()))?;
    let (text, trailer) = split_trailer(text);
    if let Some(trailer) = trailer {
        proof.trailer(trailer, &hex::encode(Sha256::digest(text.as_bytes())))?;
    }
    let mut reader = csv::ReaderBuilder::new().from_reader(text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes());
    let columns = Columns::read(reader.headers().map_err(no_csv)?)?;
    let mut rows = Vec::new();
    let mut exported_at: Option<(Time, u64)> = None;
    let mut seen: BTreeMap<(PersonId, Option<EngagementId>), u64> = BTreeMap::new();
    let mut employees: BTreeMap<String, u64> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(no_csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = Cells { columns: &columns, record: &record };
        let bad = |reason: String| BadExport::Row { line, reason };
        if record.iter().any(|field| field.len() > FIELD_MAX) {
            return Err(bad(format!("a field is longer than {FIELD_MAX} bytes")));
        }
        let row = cells.row(line, reading).map_err(bad)?;
        let at = cells.exported_at().map_err(bad)?;
        match exported_at {
            None => exported_at = Some((at, line)),
            Some((first, _)) if first == at => {}
            Some((first, at_line)) => {
                return Err(bad(format!(
                    "`exported_at` is {at}, and {first} in line {at_line}: these are two exports"
                )));
            }
        }
        if let Some(said) = cells.row_count().map_err(bad)? {
            if proof.rows.is_some_and(|known| known != said) {
                return Err(bad(format!("`row_count` is {said}, and another one before")));
            }
            proof.rows = Some(said);
        }
        let employee = cells.get("employee_id").unwrap_or_default();
        if let Some(first) = employees.insert(employee.to_owned(), line) {
            return Err(bad(format!("`employee_id` {} stands in line {first} already", shown(employee, 80))));
        }
        if let Some(first) = seen.insert((row.person.clone(), row.engagement.clone()), line) {
            return Err(bad(format!("{} stands in line {first} already", row.person)));
        }
        rows.push(row);
    }
    let Some((exported_at, _)) = exported_at else { return Err(BadExport::Empty) };
    proof.check(rows.len() as u64)?;
    if exported_at > now.plus(SKEW) {
        return Err(BadExport::Future(exported_at));
    }
    if let Some(most) = reading.max_age.filter(|most| now.since(exported_at) > most.get()) {
        return Err(BadExport::Old { exported_at, most });
    }
    Ok(Export {
        exported_at,
        sha256,
        rows,
        subjects: Subjects::Employees,
        has_contract_ends: columns.has("contract_end"),
        has_departments: columns.has("department"),
    })
}

/// What says that the list is whole.
#[derive(Default)]
struct Proof {
    rows: Option<u64>,
    /// By a digest or a signature of all of it.
    whole: bool,
}

impl Proof {
    fn digest(&mut self, by: &'static str, said: &str, found: &str) -> Result<(), BadExport> {
        if !said.eq_ignore_ascii_case(found) {
            return Err(BadExport::Digest { by, said: said.to_ascii_lowercase(), found: found.to_owned() });
        }
        self.whole = true;
        Ok(())
    }

    fn trailer(&mut self, trailer: &str, found: &str) -> Result<(), BadExport> {
        for part in trailer.trim_end().split(',').skip(1).map(str::trim) {
            match part.split_once('=') {
                Some(("rows", rows)) => self.rows = Some(rows.parse().map_err(|_| BadExport::Trailer)?),
                Some(("sha256", said)) if is_sha256(said) => self.digest("its last line", said, found)?,
                _ => return Err(BadExport::Trailer),
            }
        }
        Ok(())
    }

    fn check(&self, found: u64) -> Result<(), BadExport> {
        match self.rows {
            Some(said) if said != found => Err(BadExport::RowCount { said, found }),
            None if !self.whole => Err(BadExport::Unproven),
            _ => Ok(()),
        }
    }
}

/// The list without its last line, where that is a trailer.
fn split_trailer(text: &str) -> (&str, Option<&str>) {
    let body = text.trim_end_matches(['\r', '\n']);
    let start = body.rfind('\n').map_or(0, |newline| newline + 1);
    match (text.get(..start), text.get(start..)) {
        (Some(list), Some(last)) if last.starts_with(TRAILER) => (list, Some(last)),
        _ => (text, None),
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn no_csv(error: csv::Error) -> BadExport {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the first line has {expected_len}; it may be cut off there")
        }
        _ => shown(&error.to_string(), 200),
    };
    BadExport::Csv { line, reason }
}

/// Where each column stands.
struct Columns(BTreeMap<String, usize>);

impl Columns {
    fn read(header: &csv::StringRecord) -> Result<Self, BadExport> {
        if header.len() > COLUMNS_MAX {
            return Err(BadExport::Columns);
        }
        let mut columns = BTreeMap::new();
        for (at, name) in header.iter().enumerate() {
            let name = name.trim().to_ascii_lowercase();
            if columns.insert(name.clone(), at).is_some() {
                return Err(BadExport::Twice(shown(&name, 80)));
            }
        }
        for needed in ["employee_id", "status", "exported_at"] {
            if !columns.contains_key(needed) {
                return Err(BadExport::Missing(needed));
            }
        }
        Ok(Columns(columns))
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

struct Cells<'r> {
    columns: &'r Columns,
    record: &'r csv::StringRecord,
}

impl Cells<'_> {
    /// What stands there, if anything does.
    fn get(&self, column: &str) -> Option<&str> {
        let text = self.record.get(*self.columns.0.get(column)?)?.trim();
        (!text.is_empty()).then_some(text)
    }

    fn row(&self, line: u64, reading: &Reading) -> Result<Row, String> {
        let employee = self.get("employee_id").ok_or("`employee_id` is empty")?;
        let bad = |column: &'static str| move |error: BadId| format!("`{column}`: {error}");
        let (person, engagement) = match self.get("person_id") {
            Some(person) => {
                let engagement = EngagementId::new(employee).map_err(bad("employee_id"))?;
                (PersonId::new(person).map_err(bad("person_id"))?, Some(engagement))
            }
            None if self.columns.has("person_id") => return Err("`person_id` is empty".to_owned()),
            None => (PersonId::new(employee).map_err(bad("employee_id"))?, None),
        };
        let zone = match (self.get("source_timezone"), &reading.zone) {
            (Some(name), _) => Some(name.parse::<Zone>().map_err(|error| format!("`source_timezone`: {error}"))?),
            (None, Some(ZoneName(name))) => Some(name.parse::<Zone>().map_err(|error| error.to_string())?),
            (None, None) => None,
        };
        let day = |column: &'static str| -> Result<Option<Day>, String> {
            let Some(date) = self.get(column) else { return Ok(None) };
            let zone = zone.as_ref().ok_or_else(|| {
                format!("`{column}` is a day, and nothing says where: let the export have a column `source_timezone`, or set `timezone` for the source")
            })?;
            Day::new(date, zone).map(Some).map_err(|error| format!("`{column}`: {error}"))
        };
        Ok(Row {
            line: Some(line),
            person,
            engagement,
            status: self.status(reading)?,
            name: self.get("display_name").map(str::to_owned),
            email: self.get("email").map(Email::new).transpose().map_err(bad("email"))?,
            department: self.get("department").map(str::to_owned),
            hired: day("hire_date")?,
            last_day: day("last_working_day")?.map_or_else(|| day("termination_date"), |last| Ok(Some(last)))?,
            contract_end: day("contract_end")?,
            since: day("effective_at")?,
            roles: None,
        })
    }

    fn status(&self, reading: &Reading) -> Result<Status, String> {
        let word = self.get("status").ok_or("`status` is empty")?;
        if let Some(status) = reading.statuses.get(word) {
            return Ok(*status);
        }
        Ok(match word.to_ascii_lowercase().as_str() {
            "prehire" => Status::Prehire,
            "active" => Status::Active,
            "leave" => Status::Leave,
            "suspended" => Status::Suspended,
            "terminated" => Status::Terminated,
            _ => {
                return Err(format!(
                    "unknown status `{}`: it is prehire, active, leave, suspended or terminated, or a word that `statuses` explains",
                    shown(word, 40)
                ));
            }
        })
    }

    fn exported_at(&self) -> Result<Time, String> {
        let text = self.get("exported_at").ok_or("`exported_at` is empty")?;
        text.parse().map_err(|error| format!("`exported_at`: {error}"))
    }

    fn row_count(&self) -> Result<Option<u64>, String> {
        if !self.columns.has("row_count") {
            return Ok(None);
        }
        let text = self.get("row_count").ok_or("`row_count` is empty")?;
        text.parse().map(Some).map_err(|_| format!("`row_count` is `{}`", shown(text, 40)))
    }
}

#[cfg(test)]
mod tests;
