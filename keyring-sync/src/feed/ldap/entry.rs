//! One entry of a directory ─► one row. Pure.

use super::config::{Disabled, Ldap, PersonIdFrom};
use super::dn::Dn;
use crate::feed::list::{FIELD_MAX, Row};
use countersign_policy::id::{Email, PersonId};
use countersign_policy::text::{shown, shown_bytes};
use countersign_policy::time::Time;
use ldap3_proto::proto::LdapSearchResultEntry;
use std::collections::{BTreeMap, BTreeSet};

/// The bit ACCOUNTDISABLE of Active Directory's userAccountControl.
const ACCOUNT_DISABLE: i64 = 2;

/// Active Directory counts in ten millionths of a second since 1601: so many milliseconds before 1970.
const FILETIME_EPOCH_MS: i64 = 11_644_473_600_000;
const FILETIME_PER_MS: i64 = 10_000;

/// Two ways to say that an account never expires.
const NEVER_EXPIRES: [i64; 2] = [0, i64::MAX];

/// The time that OpenLDAP's password policy gives to an account that was locked for good.
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// What an entry says, its attributes by their names in lower case.
pub struct Entry {
    pub dn: String,
    values: BTreeMap<String, Vec<Vec<u8>>>,
}

/// Somebody, or why an entry is nobody here.
#[derive(Debug, PartialEq)]
pub enum Read {
    Row(Box<Row>),
    /// It has no such id.
    Nobody,
}

impl Entry {
    /// An attribute that was sent in part is an entry that was sent in part.
    pub fn new(entry: LdapSearchResultEntry) -> Result<Self, String> {
        let mut values: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for attribute in entry.attributes {
            let name = attribute.atype.to_ascii_lowercase();
            if name.contains(";range=") {
                return Err(format!(
                    "has only a part of `{}`: it has more values than are sent at once",
                    shown(&name, 60)
                ));
            }
            values.entry(name).or_default().extend(attribute.vals);
        }
        values.retain(|_, values| !values.is_empty());
        Ok(Entry { dn: entry.dn, values })
    }

    fn all(&self, attribute: &str) -> &[Vec<u8>] {
        self.values.get(&attribute.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Values of a directory have no order: the least is always the same one.
    fn first(&self, attribute: &str) -> Option<&[u8]> {
        self.all(attribute).iter().map(Vec::as_slice).min()
    }

    fn text(&self, attribute: &str) -> Result<Option<&str>, String> {
        let Some(bytes) = self.first(attribute) else { return Ok(None) };
        if bytes.len() > FIELD_MAX {
            return Err(format!("`{attribute}` is longer than {FIELD_MAX} bytes"));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| format!("`{attribute}` is no text: {}", shown_bytes(bytes, 40)))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }

    fn number(&self, attribute: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.text(attribute)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("`{attribute}` is no number: `{}`", shown(text, 40)))
    }
}

/// What an entry says at `now`.
pub fn read(entry: &Entry, settings: &Ldap, now: Time) -> Result<Read, String> {
    let Some(person) = person(entry, &settings.person_id)? else { return Ok(Read::Nobody) };
    let mut row = Row::of_account(person, !is_disabled(entry, &settings.disabled, now)?);
    for attribute in &settings.names {
        if row.name.is_none() {
            row.name = entry.text(attribute)?.map(str::to_owned);
        }
    }
    // What is no address is nobody's address: it keeps nothing back.
    row.email = entry.text(&settings.email)?.and_then(|text| Email::new(text).ok());
    if !settings.groups.is_empty() {
        let groups: BTreeSet<Dn> = entry
            .all(&settings.member_of)
            .iter()
            .filter_map(|value| Dn::new(std::str::from_utf8(value).ok()?))
            .collect();
        row.roles = Some(groups.iter().filter_map(|group| settings.groups.get(group)).cloned().collect());
    }
    Ok(Read::Row(Box::new(row)))
}

fn person(entry: &Entry, from: &PersonIdFrom) -> Result<Option<PersonId>, String> {
    let name = &from.attribute;
    if entry.all(name).len() > 1 {
        return Err(format!("has several values of `{name}`, which is the person's id here"));
    }
    let id = if from.is_guid {
        entry
            .first(name)
            .map(|bytes| guid(bytes).ok_or_else(|| format!("`{name}` has not the 16 bytes of a GUID")))
            .transpose()?
    } else {
        entry.text(name)?.map(str::to_owned)
    };
    id.map(|id| PersonId::new(&id).map_err(|error| format!("`{name}` is the person's id here: {error}"))).transpose()
}

/// The first three fields of a GUID are stored with their least byte first.
fn guid(bytes: &[u8]) -> Option<String> {
    let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, e @ ..]: [u8; 16] = bytes.try_into().ok()?;
    let parts = [&[a3, a2, a1, a0][..], &[b1, b0], &[c1, c0], &[d0, d1], &e];
    Some(parts.map(hex::encode).join("-"))
}

fn is_disabled(entry: &Entry, how: &Disabled, now: Time) -> Result<bool, String> {
    match how {
        Disabled::Never => Ok(false),
        Disabled::UserAccountControl => {
            let flags = entry.number("userAccountControl")?.ok_or_else(|| unreadable("userAccountControl"))?;
            let expires = entry.number("accountExpires")?.filter(|at| !NEVER_EXPIRES.contains(at));
            let expired = expires
                .map(|at| Time::from_unix_millis((at / FILETIME_PER_MS).saturating_sub(FILETIME_EPOCH_MS)))
                .is_some_and(|at| at <= now);
            Ok(flags & ACCOUNT_DISABLE != 0 || expired)
        }
        Disabled::NsAccountLock => match entry.text("nsAccountLock")? {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(other) => Err(format!("`nsAccountLock` is neither true nor false: `{}`", shown(other, 40))),
        },
        Disabled::PwdAccountLockedTime => Ok(entry.text("pwdAccountLockedTime")? == Some(LOCKED_FOR_GOOD)),
        Disabled::Attribute { name, values } => {
            if entry.all(name).is_empty() {
                return Err(unreadable(name));
            }
            let says = |value: &Vec<u8>| values.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value));
            Ok(entry.all(name).iter().any(says))
        }
    }
}

/// Silence must not pass for an account that is in use.
fn unreadable(attribute: &str) -> String {
    format!("shows no `{attribute}`, which says whether it is disabled: let the reader see it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::ldap::config::RawLdap;
    use crate::feed::list::Status;
    use ldap3_proto::proto::LdapPartialAttribute;
    use std::path::Path;

    fn settings(more: &str) -> Ldap {
        let text = format!("{{url: 'ldaps://ldap.example', base: 'dc=x', filter: '(a=b)', {more}}}");
        serde_yaml::from_str::<RawLdap>(&text).unwrap().check(Path::new("")).unwrap()
    }

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Result<Entry, String> {
        let attributes = attributes.iter().map(|(name, values)| LdapPartialAttribute {
            atype: (*name).to_owned(),
            vals: values.iter().map(|value| value.to_vec()).collect(),
        });
        Entry::new(LdapSearchResultEntry { dn: "uid=alice,dc=x".to_owned(), attributes: attributes.collect() })
    }

    fn row(settings: &Ldap, attributes: &[(&str, &[&[u8]])]) -> Result<Row, String> {
        let now = "2026-11-26T12:00:00Z".parse().unwrap();
        match read(&entry(attributes)?, settings, now)? {
            Read::Row(row) => Ok(*row),
            Read::Nobody => Err("nobody".to_owned()),
        }
    }

    #[test]
    fn an_entry_is_a_person_with_a_name_and_roles() {
        let settings = settings("person_id: employeeNumber, disabled: never, groups: {'cn=seniors,dc=x': senior}");
        let alice: &[(&str, &[&[u8]])] = &[
            ("EMPLOYEENUMBER", &[b"E1"]),
            ("cn", &[b"alice"]),
            ("displayName", &[b" Alice Example "]),
            ("mail", &[b"z@hr.example", b"alice@hr.example"]),
            ("memberOf", &[b"CN=Seniors, DC=X", b"cn=others,dc=x"]),
        ];
        let alice = row(&settings, alice).unwrap();
        assert_eq!((alice.person.as_str(), alice.name.as_deref()), ("E1", Some("Alice Example")));
        assert_eq!(alice.email.unwrap().as_str(), "alice@hr.example", "the same one whatever the order");
        assert_eq!(alice.roles.unwrap().iter().map(|role| role.as_str()).collect::<Vec<_>>(), ["senior"]);
        let bare = row(&settings, &[("employeeNumber", &[b"E2"]), ("cn", &[b"bob"]), ("mail", &[b"none"])]).unwrap();
        assert_eq!((bare.name.as_deref(), bare.email, bare.roles), (Some("bob"), None, Some(BTreeSet::new())));
        assert_eq!(row(&settings, &[("cn", &[b"robot"])]), Err("nobody".to_owned()));
    }

    #[test]
    fn what_is_sent_in_part_or_cannot_be_read_is_refused() {
        let settings = settings("person_id: uid, disabled: never");
        let refused = |attributes: &[(&str, &[&[u8]])]| row(&settings, attributes).unwrap_err();
        assert!(refused(&[("uid", &[b"a"]), ("memberOf;range=0-1499", &[b"cn=a,dc=x"])]).contains("only a part of"));
        assert!(refused(&[("uid", &[b"a", b"b"])]).contains("several values"));
        assert!(refused(&[("uid", &[b"a\x1b"])]).contains("control"));
        assert!(refused(&[("uid", &[b"a"]), ("cn", &[b"\xff\x1b"])]).contains(r"is no text: \xff\u{1b}"));
        assert!(refused(&[("uid", &[b"a"]), ("cn", &[&[b'a'; 1001]])]).contains("longer than"));
    }

    #[test]
    fn active_directory_disables_by_a_bit_or_a_day() {
        let settings = settings("person_id: objectGUID, disabled: user_account_control");
        let id: &[u8] = &[0x78, 0x56, 0x34, 0x12, 0xcd, 0xab, 0xf0, 0xde, 1, 2, 3, 4, 5, 6, 7, 8];
        let status = |control: &[u8], expires: &[u8]| {
            row(&settings, &[("objectGUID", &[id]), ("userAccountControl", &[control]), ("accountExpires", &[expires])])
                .map(|row| row.status)
        };
        assert_eq!(status(b"512", b"0"), Ok(Status::Active));
        assert_eq!(status(b"514", b"0"), Ok(Status::Suspended));
        assert_eq!(status(b"66048", b"9223372036854775807"), Ok(Status::Active));
        // The last day of 2025, and of 2026.
        assert_eq!(status(b"512", b"134116128000000000"), Ok(Status::Suspended));
        assert_eq!(status(b"512", b"134431488000000000"), Ok(Status::Active));
        assert!(status(b"x", b"0").unwrap_err().contains("no number"));
        let hidden = row(&settings, &[("objectGUID", &[id])]);
        assert!(hidden.unwrap_err().contains("let the reader see it"), "silence is no active account");
        let alice = row(&settings, &[("objectGUID", &[id]), ("userAccountControl", &[b"512"])]).unwrap();
        assert_eq!(alice.person.as_str(), "12345678-abcd-def0-0102-030405060708");
        let short = row(&settings, &[("objectGUID", &[b"short"]), ("userAccountControl", &[b"512"])]);
        assert!(short.unwrap_err().contains("16 bytes"));
    }

    #[test]
    fn other_directories_disable_in_their_own_words() {
        let status = |how: &str, name: &str, value: &[u8]| {
            let settings = settings(&format!("person_id: uid, disabled: {how}"));
            row(&settings, &[("uid", &[b"a"]), (name, &[value])]).map(|row| row.status)
        };
        assert_eq!(status("ns_account_lock", "nsaccountlock", b"TRUE"), Ok(Status::Suspended));
        assert_eq!(status("ns_account_lock", "cn", b"a"), Ok(Status::Active));
        assert!(status("ns_account_lock", "nsAccountLock", b"maybe").is_err());
        assert_eq!(status("pwd_account_locked_time", "pwdAccountLockedTime", b"000001010000Z"), Ok(Status::Suspended));
        let by_guesses = status("pwd_account_locked_time", "pwdAccountLockedTime", b"20261126115900Z");
        assert_eq!(by_guesses, Ok(Status::Active), "whoever guesses wrong passwords puts nobody out");
        let own = "{attribute: employeeStatus, values: [left, inactive]}";
        assert_eq!(status(own, "employeeStatus", b"Left"), Ok(Status::Suspended));
        assert_eq!(status(own, "employeeStatus", b"here"), Ok(Status::Active));
        assert!(status(own, "cn", b"a").unwrap_err().contains("employeeStatus"));
    }
}
