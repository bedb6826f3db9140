//! Table `cascade_step`: what is to end on the forges for whoever is out, what was tried, and what was read back.

use super::{StoreError, Tables};
use countersign_policy::id::{Account, PersonId};
use countersign_policy::time::Time;
use rusqlite::{Row, params};

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
    pub attempts: u32,
    pub tried_at: Option<Time>,
    /// When it is tried next, until it is confirmed.
    pub next_at: Time,
    /// Why the last attempt did not end it.
    pub trouble: Option<String>,
    /// When the forge was seen to have ended it.
    pub confirmed_at: Option<Time>,
    /// What was seen then: `cut`, or `absent` where there is no such account.
    pub found: Option<String>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Confirmed { found: &'static str },
    Failed { trouble: String, next_at: Time },
}

const COLUMNS: &str = "person, account, step, wanted_at, attempts, tried_at, next_at, trouble, confirmed_at, found";

impl Tables<'_> {
    /// Wants the step, since `wanted_at`. One that was confirmed for an earlier absence begins anew.
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
                     next_at = ?5, trouble = NULL, confirmed_at = NULL, found = NULL, lifted_at = NULL
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

    /// The person is in again: nothing more is tried. What was cut stays cut until somebody on the forge gives it back.
    pub fn lift_cascade_step(&self, step: &CascadeStep, now: Time) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE cascade_step SET lifted_at = ?4 WHERE person = ?1 AND account = ?2 AND step = ?3")?
            .execute(params![step.person.as_str(), step.account.as_str(), step.step, now.unix_millis()])?;
        Ok(())
    }

    /// Notes an attempt at a step that is still wanted since then; whoever came back meanwhile is left alone.
    pub fn note_cascade_attempt(&self, step: &CascadeStep, attempt: &Attempt, now: Time) -> Result<(), StoreError> {
        let (confirmed_at, found, trouble, next_at) = match attempt {
            Attempt::Confirmed { found } => (Some(now), Some(*found), None, now),
            Attempt::Failed { trouble, next_at } => (None, None, Some(trouble), *next_at),
        };
        self.connection
            .prepare_cached(
                "UPDATE cascade_step SET attempts = attempts + 1, tried_at = ?5, next_at = ?6, trouble = ?7,
                     confirmed_at = ?8, found = ?9
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
            ])?;
        Ok(())
    }

    /// Every step that is wanted, confirmed or not, by person, account and step.
    pub fn cascade_steps(&self) -> Result<Vec<CascadeStep>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM cascade_step WHERE lifted_at IS NULL ORDER BY person, account, step"
        ))?;
        let mut rows = statement.query([])?;
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            steps.push(read(row)?);
        }
        Ok(steps)
    }
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
    })
}
