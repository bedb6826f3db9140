//! Table `cascade_step`: what is to end on the forges for whoever is out, what was tried, and what was read back.

use super::{StoreError, Tables};
use countersign_policy::id::{Account, PersonId};
use countersign_policy::time::Time;
use rusqlite::{OptionalExtension, Row, ToSql, params};
use std::collections::BTreeMap;

/// One way into one forge that one person had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CascadeStep {
    pub person: PersonId,
    /// `FORGE:NAME`.
    pub account: Account,
    /// `account`, `ssh-keys`, `tokens` or `gpg-keys`.
    pub step: String,
    /// Since when the person is out.
    pub wanted_at: Time,
    /// At ending it, or at giving it back once the person is in again.
    pub attempts: u32,
    pub tried_at: Option<Time>,
    /// When it is tried next, until it is confirmed.
    pub next_at: Time,
    /// Why the last attempt did not succeed.
    pub trouble: Option<String>,
    /// When the forge was seen to have ended it.
    pub confirmed_at: Option<Time>,
    /// What was seen then: `cut`, or `absent` where there is no such account.
    pub found: Option<String>,
    /// Since when the person is in again, or somebody else holds the account.
    pub lifted_at: Option<Time>,
    /// Whether it was open, this program ended it, and it was not given back since.
    pub own: bool,
    /// When the forge was seen to have given it back.
    pub returned_at: Option<Time>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// `own`: it was open before, and ended by this attempt.
    Confirmed {
        found: &'static str,
        own: bool,
    },
    Failed {
        trouble: String,
        next_at: Time,
    },
}

/// How many steps of one forge are wanted and not confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CascadeOpen {
    pub cut: u64,
    /// Since when the oldest of them is wanted.
    pub cut_since: Option<Time>,
    /// Blocked by this program for somebody who is in again, and an attempt to give it back failed.
    pub held: u64,
}

const COLUMNS: &str = "person, account, step, wanted_at, attempts, tried_at, next_at, trouble, confirmed_at, found,
    lifted_at, own, returned_at";

/// Blocks first; then who waits longest.
const MOST_URGENT: &str = "ORDER BY step <> 'account', next_at, person, account, step";

impl Tables<'_> {
    /// Wants the step, since `wanted_at`. One that was confirmed for an earlier absence begins anew; what this program
    /// has blocked since then stays its own.
    pub fn want_cascade_step(
        &self,
        person: &PersonId,
        account: &Account,
        step: &str,
        wanted_at: Time,
        now: Time,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO cascade_step (person, account, step, wanted_at, attempts, next_at) VALUES (?1, ?2, ?3, ?4, 0, ?5)
                 ON CONFLICT (person, account, step) DO UPDATE SET wanted_at = ?4, attempts = 0, tried_at = NULL,
                     next_at = ?5, trouble = NULL, confirmed_at = NULL, found = NULL, lifted_at = NULL, returned_at = NULL
                 WHERE wanted_at <> ?4 OR lifted_at IS NOT NULL",
            )?
            .execute(params![
                person.as_str(),
                account.as_str(),
                step,
                wanted_at.unix_millis(),
                now.unix_millis()
            ])?;
        Ok(())
    }

    /// The person is in again, or the account is somebody else's: nothing more is ended.
    pub fn lift_cascade_step(&self, step: &CascadeStep, now: Time) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE cascade_step SET lifted_at = ?4, attempts = 0, next_at = ?4, trouble = NULL
                 WHERE person = ?1 AND account = ?2 AND step = ?3 AND lifted_at IS NULL",
            )?
            .execute(params![step.person.as_str(), step.account.as_str(), step.step, now.unix_millis()])?;
        Ok(())
    }

    /// Notes an attempt to end a step that is still wanted since then; whoever came back meanwhile is left alone.
    pub fn note_cascade_attempt(&self, step: &CascadeStep, attempt: &Attempt, now: Time) -> Result<(), StoreError> {
        let (confirmed_at, found, own, trouble, next_at) = match attempt {
            Attempt::Confirmed { found, own } => (Some(now), Some(*found), *own, None, now),
            Attempt::Failed { trouble, next_at } => (None, None, false, Some(trouble), *next_at),
        };
        self.connection
            .prepare_cached(
                "UPDATE cascade_step SET attempts = attempts + 1, tried_at = ?5, next_at = ?6, trouble = ?7,
                     confirmed_at = ?8, found = ?9, own = max(own, ?10)
                 WHERE person = ?1 AND account = ?2 AND step = ?3 AND wanted_at = ?4 AND lifted_at IS NULL
                     AND confirmed_at IS NULL",
            )?
            .execute(params![
                step.person.as_str(),
                step.account.as_str(),
                step.step,
                step.wanted_at.unix_millis(),
                now.unix_millis(),
                next_at.unix_millis(),
                trouble,
                confirmed_at.map(Time::unix_millis),
                found,
                own,
            ])?;
        // It ended for somebody who came in again while it was tried: theirs to get back.
        if own {
            self.connection
                .prepare_cached(
                    "UPDATE cascade_step SET own = 1
                     WHERE person = ?1 AND account = ?2 AND step = ?3 AND wanted_at = ?4 AND lifted_at IS NOT NULL",
                )?
                .execute(params![
                    step.person.as_str(),
                    step.account.as_str(),
                    step.step,
                    step.wanted_at.unix_millis()
                ])?;
        }
        Ok(())
    }

    /// Notes an attempt to give back what this program had blocked; whoever went out again meanwhile is left alone.
    pub fn note_cascade_return(&self, step: &CascadeStep, attempt: &Attempt, now: Time) -> Result<(), StoreError> {
        let (returned_at, trouble, next_at) = match attempt {
            Attempt::Confirmed { .. } => (Some(now), None, now),
            Attempt::Failed { trouble, next_at } => (None, Some(trouble), *next_at),
        };
        self.connection
            .prepare_cached(
                "UPDATE cascade_step SET attempts = attempts + 1, tried_at = ?4, next_at = ?5, trouble = ?6,
                     returned_at = ?7, own = (?7 IS NULL)
                 WHERE person = ?1 AND account = ?2 AND step = ?3 AND own = 1 AND lifted_at IS NOT NULL",
            )?
            .execute(params![
                step.person.as_str(),
                step.account.as_str(),
                step.step,
                now.unix_millis(),
                next_at.unix_millis(),
                trouble,
                returned_at.map(Time::unix_millis),
            ])?;
        Ok(())
    }

    /// Every step that is wanted, confirmed or not, by person, account and step.
    pub fn cascade_steps(&self) -> Result<Vec<CascadeStep>, StoreError> {
        self.cascade_where("lifted_at IS NULL ORDER BY person, account, step", &[])
    }

    /// Every step of this person, those that were lifted too.
    pub fn cascade_steps_of(&self, person: &PersonId) -> Result<Vec<CascadeStep>, StoreError> {
        self.cascade_where("person = ?1 ORDER BY account, step", &[&person.as_str()])
    }

    /// What is wanted on the forge and not confirmed; the most urgent first.
    pub fn cascade_open(&self, forge: &str) -> Result<Vec<CascadeStep>, StoreError> {
        self.cascade_where(&format!("{OPEN} AND {ON_FORGE} {MOST_URGENT}"), &[&prefix(forge)])
    }

    /// The most urgent step of the forge whose time has come.
    pub fn cascade_due(&self, forge: &str, now: Time) -> Result<Option<CascadeStep>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM cascade_step WHERE {OPEN} AND {ON_FORGE} AND next_at <= ?2 {MOST_URGENT} LIMIT 1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let row = statement.query_row(params![prefix(forge), now.unix_millis()], |row| Ok(read(row))).optional()?;
        row.transpose()
    }

    /// What this program has blocked on the forge for who is no longer out there.
    pub fn cascade_held(&self, forge: &str) -> Result<Vec<CascadeStep>, StoreError> {
        self.cascade_where(&format!("{HELD} AND {ON_FORGE} {MOST_URGENT}"), &[&prefix(forge)])
    }

    /// What is open, by forge.
    pub fn cascade_counts(&self) -> Result<BTreeMap<String, CascadeOpen>, StoreError> {
        let mut counts: BTreeMap<String, CascadeOpen> = BTreeMap::new();
        let forge = "substr(account, 1, instr(account, ':') - 1)";
        let sql = format!("SELECT {forge}, count(*), min(wanted_at) FROM cascade_step WHERE {OPEN} GROUP BY 1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (forge, cut, since): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let open = counts.entry(forge).or_default();
            open.cut = u64::try_from(cut).map_err(StoreError::damaged)?;
            open.cut_since = Some(Time::from_unix_millis(since));
        }
        let sql = format!("SELECT {forge}, count(*) FROM cascade_step WHERE {HELD} AND attempts > 0 GROUP BY 1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (forge, held): (String, i64) = (row.get(0)?, row.get(1)?);
            counts.entry(forge).or_default().held = u64::try_from(held).map_err(StoreError::damaged)?;
        }
        Ok(counts)
    }

    fn cascade_where(&self, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<CascadeStep>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM cascade_step WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values)?;
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            steps.push(read(row)?);
        }
        Ok(steps)
    }
}

/// Word for word the conditions of the indexes `cascade_open` and `cascade_own`, or they would not be used.
const OPEN: &str = "confirmed_at IS NULL AND lifted_at IS NULL";
const HELD: &str = "own = 1 AND lifted_at IS NOT NULL";
const ON_FORGE: &str = "substr(account, 1, length(?1)) = ?1";

fn prefix(forge: &str) -> String {
    format!("{forge}:")
}

fn read(row: &Row<'_>) -> Result<CascadeStep, StoreError> {
    let (person, account): (String, String) = (row.get(0)?, row.get(1)?);
    let time = |column: usize| -> Result<Option<Time>, StoreError> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Time::from_unix_millis))
    };
    Ok(CascadeStep {
        person: PersonId::new(&person).map_err(StoreError::damaged)?,
        account: Account::new(&account).map_err(StoreError::damaged)?,
        step: row.get(2)?,
        wanted_at: Time::from_unix_millis(row.get(3)?),
        attempts: row.get(4)?,
        tried_at: time(5)?,
        next_at: Time::from_unix_millis(row.get(6)?),
        trouble: row.get(7)?,
        confirmed_at: time(8)?,
        found: row.get(9)?,
        lifted_at: time(10)?,
        own: row.get(11)?,
        returned_at: time(12)?,
    })
}
