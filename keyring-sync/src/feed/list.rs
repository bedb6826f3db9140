//! A whole list of people at one instant, whatever it came from.

use crate::local::Day;
use countersign_policy::id::{Email, EngagementId, PersonId, Role};
use countersign_policy::time::Time;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Most people of one list that comes over a network, as of one in a file.
pub const PEOPLE_MAX: usize = 200_000;
/// Longest field in bytes: names and addresses are shorter, essays are not for these lists.
pub const FIELD_MAX: usize = 1000;

/// What a list says of a person's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Prehire,
    Active,
    Leave,
    Suspended,
    Terminated,
}

/// Roles and reach that go with a department.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    #[serde(default)]
    pub roles: Vec<Role>,
    #[serde(default)]
    pub scope: Vec<countersign_policy::keyring::Scope>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where it begins in the file, from 1; what came over a network has no lines.
    pub line: Option<u64>,
    pub person: PersonId,
    /// Where persons and their employments have ids of their own.
    pub engagement: Option<EngagementId>,
    pub status: Status,
    pub name: Option<String>,
    pub email: Option<Email>,
    pub department: Option<String>,
    pub hired: Option<Day>,
    pub last_day: Option<Day>,
    pub contract_end: Option<Day>,
    /// Since when the status holds.
    pub since: Option<Day>,
    /// The roles that the person's groups give; none: the list does not speak of roles.
    pub roles: Option<BTreeSet<Role>>,
}

/// Of what a list tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subjects {
    /// Of people with and without a place in the company.
    Employees,
    /// Of accounts. One that is shut says nothing of somebody whom nobody knows: directories keep those of years.
    Accounts,
}

/// A whole list that is proven to be whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// When its source wrote it, or when we began to read it there: what was said later is newer.
    pub exported_at: Time,
    /// Lower-case hex, of all that was read.
    pub sha256: String,
    pub rows: Vec<Row>,
    pub subjects: Subjects,
    pub has_contract_ends: bool,
    pub has_departments: bool,
}

/// What was read over a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub export: Export,
    /// What somebody may want to know beside it.
    pub notes: Vec<String>,
}

/// Why accounts that were read are no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAccounts {
    #[error("it names nobody; an empty answer is never taken for the end of everybody")]
    Empty,
    #[error("two accounts are of {0}: an account of its own is what a person is known by")]
    Twice(PersonId),
}

impl Export {
    /// Whoever has an account on a directory that was read whole from `read_at` on.
    pub fn of_accounts(read_at: Time, mut rows: Vec<Row>) -> Result<Self, BadAccounts> {
        rows.sort_by(|a, b| a.person.cmp(&b.person));
        let mut digest = Sha256::new();
        let mut last: Option<&PersonId> = None;
        for row in &rows {
            if last == Some(&row.person) {
                return Err(BadAccounts::Twice(row.person.clone()));
            }
            last = Some(&row.person);
            digest.update(format!("{:?}\n", (&row.person, row.status, &row.name, &row.email, &row.roles)));
        }
        if rows.is_empty() {
            return Err(BadAccounts::Empty);
        }
        Ok(Export {
            exported_at: read_at,
            sha256: hex::encode(digest.finalize()),
            rows,
            subjects: Subjects::Accounts,
            has_contract_ends: false,
            has_departments: false,
        })
    }
}

impl Row {
    /// What a directory tells of one account.
    pub fn of_account(person: PersonId, is_open: bool) -> Self {
        Row {
            line: None,
            person,
            engagement: None,
            status: if is_open { Status::Active } else { Status::Suspended },
            name: None,
            email: None,
            department: None,
            hired: None,
            last_day: None,
            contract_end: None,
            since: None,
            roles: None,
        }
    }

    /// `line 7: ` where there are lines.
    pub fn place(&self) -> String {
        self.line.map_or_else(String::new, |line| format!("line {line}: "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> Row {
        Row::of_account(PersonId::new(id).unwrap(), true)
    }

    #[test]
    fn nobody_stands_in_a_directory_twice_and_somebody_must() {
        let at = Time::from_unix_millis(0);
        assert_eq!(Export::of_accounts(at, Vec::new()), Err(BadAccounts::Empty));
        let twice = Export::of_accounts(at, vec![row("E1"), row("E2"), row("E1")]);
        assert_eq!(twice, Err(BadAccounts::Twice(PersonId::new("E1").unwrap())));
        let list = |ids: &[&str]| Export::of_accounts(at, ids.iter().map(|id| row(id)).collect()).unwrap();
        assert_eq!(list(&["E2", "E1"]), list(&["E1", "E2"]), "the order of an answer means nothing");
        assert_ne!(list(&["E1"]).sha256, list(&["E2"]).sha256);
    }
}
