//! LDAP, Active Directory among it ─► a list of accounts. All of it or nothing: an answer that is cut short must not
//! put anybody out.
//!
//! `bind ─► search, page by page ─► entries ─► rows`

pub mod config;
mod dn;
mod entry;
mod filter;
mod socket;
mod wire;

pub use config::Ldap;

use super::list::{Answer, BadAccounts, Export, PEOPLE_MAX, Row};
use crate::{secret, tls};
use config::Referrals;
use countersign_policy::id::{PersonId, Role};
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use entry::{Entry, Read};
use ldap3_proto::proto::LdapSearchResultEntry;
use std::collections::BTreeSet;
use wire::Connection;

/// Characters of an entry's name that a message repeats.
const DN_SHOWN: usize = 120;

/// Why a directory's answer is refused whole.
#[derive(Debug, thiserror::Error)]
pub enum BadAnswer {
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("cannot be spoken to in private: {0}")]
    Tls(String),
    #[error("cannot be asked: {0}")]
    Settings(String),
    #[error("was lost before its answer was whole: {0}")]
    Lost(String),
    #[error("did not answer whole in time")]
    Slow,
    #[error("{what} {words}")]
    Refused { what: &'static str, words: String },
    #[error("{0}")]
    Protocol(String),
    #[error("names more than {PEOPLE_MAX} accounts: narrow `filter`")]
    TooMany,
    #[error(
        "says that a part of the tree lies elsewhere ({0}), where nobody is asked: narrow `base` to where the people are, or say `referrals: ignore` if nobody is there"
    )]
    Elsewhere(String),
    #[error("{} {reason}", shown(dn, DN_SHOWN))]
    Entry { dn: String, reason: String },
    #[error(transparent)]
    Accounts(#[from] BadAccounts),
}

/// Asks the directory for everybody. `now` is when it is asked: what is said anywhere later is newer.
pub fn read(settings: &Ldap, now: Time) -> Result<Answer, BadAnswer> {
    let password = settings.bind.as_ref().map(|bind| secret::read(&bind.password_file)).transpose();
    let password = password.map_err(|bad| BadAnswer::Settings(bad.to_string()))?;
    let mut connection = Connection::open(&settings.address, || {
        let roots = tls::roots(settings.ca_file.as_deref());
        let roots = roots.map_err(|(file, error)| BadAnswer::Settings(format!("{}: {error}", file.display())))?;
        tls::client(&roots).map_err(BadAnswer::Tls)
    })?;
    if let Some((bind, password)) = settings.bind.as_ref().zip(password) {
        connection.bind(bind, password)?;
    }
    let mut found = Found::default();
    let mut elsewhere = 0usize;
    connection.search(
        settings,
        &mut |entry| found.take(entry, settings, now),
        &mut |uris| match settings.referrals {
            Referrals::Ignore => {
                elsewhere = elsewhere.saturating_add(1);
                Ok(())
            }
            Referrals::Refuse => {
                Err(BadAnswer::Elsewhere(shown(uris.first().map_or("it does not say where", String::as_str), DN_SHOWN)))
            }
        },
    )?;
    connection.close();
    let mut notes = found.notes(settings);
    if elsewhere > 0 {
        notes.push(format!(
            "{elsewhere} parts of the tree lie elsewhere and were not read, as `referrals: ignore` says"
        ));
    }
    Ok(Answer { export: Export::of_accounts(now, found.rows)?, notes })
}

#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    /// So that a directory whose pages never end is found out by the second of them.
    persons: BTreeSet<PersonId>,
    /// Entries without an id, and the first of them.
    nobody: Option<(usize, String)>,
    groups: BTreeSet<Role>,
}

impl Found {
    fn take(&mut self, entry: LdapSearchResultEntry, settings: &Ldap, now: Time) -> Result<(), BadAnswer> {
        let dn = entry.dn.clone();
        let bad = |reason: String| BadAnswer::Entry { dn: dn.clone(), reason };
        let entry = Entry::new(entry).map_err(bad)?;
        match entry::read(&entry, settings, now).map_err(bad)? {
            Read::Nobody => match &mut self.nobody {
                Some((number, _)) => *number = number.saturating_add(1),
                none => *none = Some((1, entry.dn)),
            },
            Read::Row(row) => {
                if self.rows.len() >= PEOPLE_MAX {
                    return Err(BadAnswer::TooMany);
                }
                if !self.persons.insert(row.person.clone()) {
                    return Err(BadAccounts::Twice(row.person).into());
                }
                self.groups.extend(row.roles.iter().flatten().cloned());
                self.rows.push(*row);
            }
        }
        Ok(())
    }

    fn notes(&self, settings: &Ldap) -> Vec<String> {
        let id = &settings.person_id.attribute;
        let nobody = self.nobody.iter().map(|(number, first)| {
            format!(
                "entries without `{id}` are nobody here: {number}, the first is {}; `filter` may leave them out",
                shown(first, DN_SHOWN)
            )
        });
        let unused = settings.groups.iter().filter(|(_, role)| !self.groups.contains(*role));
        let unused = unused.map(|(group, role)| {
            format!(
                "nobody has the role {role} by {}: is the group named as `{}` names it?",
                group.as_str(),
                settings.member_of
            )
        });
        nobody.chain(unused).collect()
    }
}
