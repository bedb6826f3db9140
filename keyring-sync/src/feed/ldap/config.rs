//! What is settled for one directory: raw ─► checked.

use super::dn::Dn;
use super::filter;
use countersign_policy::id::Role;
use countersign_policy::text::shown;
use ldap3_proto::proto::{LdapFilter, LdapSearchScope};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The ports of `ldap` and `ldaps` (RFC 4516, and IANA's list).
const PORTS: [u16; 2] = [389, 636];

/// Entries of a page: Active Directory gives at most a thousand.
const PAGE: u16 = 500;

/// How the way to the directory is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte on: `ldaps`.
    Whole,
    /// After StartTLS, before anything else is said.
    Started,
    /// Not at all: on this machine.
    None,
}

/// Where a directory listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
}

/// As whom it is asked. Without it nobody in particular, and the directory shows what it shows to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    pub dn: String,
    pub password_file: PathBuf,
}

/// Which attribute is the person's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonIdFrom {
    pub attribute: String,
    /// Sixteen bytes of Active Directory, which people know as a GUID.
    pub is_guid: bool,
}

/// How a directory says that an account may not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// It does not: only who is missing is out.
    Never,
    /// Active Directory: the bit ACCOUNTDISABLE, or a day of expiry that has come.
    UserAccountControl,
    /// 389 Directory Server and its kin.
    NsAccountLock,
    /// OpenLDAP's password policy: locked by an administrator for good. What five wrong passwords locked for a while
    /// is not disabled, or anybody could put anybody out.
    PwdAccountLockedTime,
    /// One of these values of an attribute that every entry has.
    Attribute { name: String, values: Vec<String> },
}

/// What is done where the directory says that a part of the tree lies elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Referrals {
    /// Whoever is there would seem to be missing.
    #[default]
    Refuse,
    /// Nobody is there: above all below the root of an Active Directory domain.
    Ignore,
}

/// One directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ldap {
    pub address: Address,
    pub ca_file: Option<PathBuf>,
    pub bind: Option<Bind>,
    pub base: String,
    pub scope: LdapSearchScope,
    pub filter: LdapFilter,
    pub person_id: PersonIdFrom,
    /// The first that an entry has is the person's name.
    pub names: Vec<String>,
    pub email: String,
    pub disabled: Disabled,
    /// The attribute that names the groups of an entry.
    pub member_of: String,
    pub groups: BTreeMap<Dn, Role>,
    pub referrals: Referrals,
    pub page: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLdap {
    url: String,
    #[serde(default)]
    start_tls: bool,
    ca_file: Option<PathBuf>,
    bind_dn: Option<String>,
    password_file: Option<PathBuf>,
    base: String,
    #[serde(default)]
    scope: RawScope,
    filter: String,
    person_id: String,
    #[serde(default)]
    attributes: RawAttributes,
    disabled: RawDisabled,
    #[serde(default)]
    groups: BTreeMap<Dn, Role>,
    #[serde(default)]
    referrals: Referrals,
    page_size: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawScope {
    #[default]
    Subtree,
    One,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAttributes {
    name: Vec<String>,
    email: String,
    member_of: String,
}

impl Default for RawAttributes {
    fn default() -> Self {
        RawAttributes {
            name: vec!["displayName".to_owned(), "cn".to_owned()],
            email: "mail".to_owned(),
            member_of: "memberOf".to_owned(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "disabled is `never`, `user_account_control`, `ns_account_lock`, `pwd_account_locked_time`, or {attribute: NAME, values: [WORD]}"
)]
enum RawDisabled {
    Word(Word),
    Attribute(RawAttribute),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Never,
    UserAccountControl,
    NsAccountLock,
    PwdAccountLockedTime,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAttribute {
    attribute: String,
    values: Vec<String>,
}

impl RawLdap {
    /// Relative paths count from `folder`.
    pub fn check(self, folder: &Path) -> Result<Ldap, String> {
        let address = address(&self.url, self.start_tls)?;
        let bind = match (self.bind_dn, self.password_file) {
            (Some(dn), Some(file)) if !dn.trim().is_empty() => Some(Bind { dn, password_file: folder.join(file) }),
            (None, None) => None,
            _ => {
                return Err(
                    "bind_dn and password_file stand together: a bind without a password is nobody's".to_owned()
                );
            }
        };
        let attribute = |name: &str| filter::attribute(name).map_err(|error| format!("attributes: {error}"));
        let page = self.page_size.unwrap_or(PAGE);
        if page == 0 {
            return Err("page_size must be at least 1".to_owned());
        }
        if self.attributes.name.is_empty() {
            return Err("attributes: name: it is at least one attribute".to_owned());
        }
        let is_guid = self.person_id.trim().eq_ignore_ascii_case("objectGUID");
        let person_id = filter::attribute(&self.person_id).map_err(|error| format!("person_id: {error}"))?;
        Ok(Ldap {
            address,
            ca_file: self.ca_file.map(|file| folder.join(file)),
            bind,
            base: Dn::try_from(self.base.clone()).map(|_| self.base).map_err(|error| format!("base: {error}"))?,
            scope: match self.scope {
                RawScope::Subtree => LdapSearchScope::Subtree,
                RawScope::One => LdapSearchScope::OneLevel,
            },
            filter: filter::parse(&self.filter).map_err(|error| format!("filter: {error}"))?,
            person_id: PersonIdFrom { attribute: person_id, is_guid },
            names: self.attributes.name.iter().map(|name| attribute(name)).collect::<Result<_, _>>()?,
            email: attribute(&self.attributes.email)?,
            disabled: self.disabled.check()?,
            member_of: attribute(&self.attributes.member_of)?,
            groups: self.groups,
            referrals: self.referrals,
            page,
        })
    }
}

impl RawDisabled {
    fn check(self) -> Result<Disabled, String> {
        Ok(match self {
            RawDisabled::Word(Word::Never) => Disabled::Never,
            RawDisabled::Word(Word::UserAccountControl) => Disabled::UserAccountControl,
            RawDisabled::Word(Word::NsAccountLock) => Disabled::NsAccountLock,
            RawDisabled::Word(Word::PwdAccountLockedTime) => Disabled::PwdAccountLockedTime,
            RawDisabled::Attribute(RawAttribute { attribute, values }) => {
                if values.is_empty() {
                    return Err("disabled: values: without one nobody is ever disabled; say `never` if that is meant"
                        .to_owned());
                }
                let name = filter::attribute(&attribute).map_err(|error| format!("disabled: {error}"))?;
                Disabled::Attribute { name, values }
            }
        })
    }
}

impl Ldap {
    /// Every attribute that is asked for: operational ones come only by name.
    pub fn attributes(&self) -> Vec<String> {
        let mut all = vec![self.person_id.attribute.clone(), self.email.clone()];
        all.extend(self.names.iter().cloned());
        match &self.disabled {
            Disabled::Never => {}
            Disabled::UserAccountControl => all.extend(["userAccountControl".to_owned(), "accountExpires".to_owned()]),
            Disabled::NsAccountLock => all.push("nsAccountLock".to_owned()),
            Disabled::PwdAccountLockedTime => all.push("pwdAccountLockedTime".to_owned()),
            Disabled::Attribute { name, .. } => all.push(name.clone()),
        }
        if !self.groups.is_empty() {
            all.push(self.member_of.clone());
        }
        all
    }
}

fn address(url: &str, start_tls: bool) -> Result<Address, String> {
    let bad = |why: &str| format!("url `{}` {why}", shown(url, 120));
    let no_address = || bad("is no address such as ldaps://ldap.example");
    let uri: ureq::http::Uri = url.parse().map_err(|_| no_address())?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = matches!(host, "127.0.0.1" | "::1" | "localhost");
    let plain = !matches!(uri.path(), "" | "/")
        || uri.query().is_some()
        || uri.authority().is_some_and(|it| it.as_str().contains('@'));
    if host.is_empty() || plain {
        return Err(no_address());
    }
    let [port, tls_port] = PORTS;
    let (tls, port) = match (uri.scheme_str(), start_tls) {
        (Some("ldaps"), false) => (Tls::Whole, tls_port),
        (Some("ldaps"), true) => return Err(bad("is TLS from the first byte on: start_tls goes with ldap://")),
        (Some("ldap"), true) => (Tls::Started, port),
        (Some("ldap"), false) if is_here => (Tls::None, port),
        (Some("ldap"), false) => {
            return Err(bad("would send the password in the clear: use ldaps://, or start_tls: true"));
        }
        _ => return Err(no_address()),
    };
    Ok(Address { host: host.to_owned(), port: uri.port_u16().unwrap_or(port), tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "base: 'ou=people,dc=x', filter: '(objectClass=person)', person_id: uid, disabled: never";

    fn check(text: &str) -> Result<Ldap, String> {
        let raw: RawLdap = serde_yaml::from_str(&format!("{{{text}}}")).map_err(|error| error.to_string())?;
        raw.check(Path::new("/etc/countersign"))
    }

    fn url(more: &str) -> Result<Address, String> {
        check(&format!("{REST}, {more}")).map(|ldap| ldap.address)
    }

    #[test]
    fn a_password_goes_nowhere_in_the_clear() {
        let whole = Address { host: "ldap.example".to_owned(), port: 636, tls: Tls::Whole };
        assert_eq!(url("url: 'ldaps://ldap.example'"), Ok(whole));
        assert_eq!(
            url("url: 'ldap://ldap.example:3389', start_tls: true").map(|it| (it.port, it.tls)),
            Ok((3389, Tls::Started))
        );
        assert_eq!(url("url: 'ldap://[::1]'").map(|it| it.tls), Ok(Tls::None));
        assert!(url("url: 'ldap://ldap.example'").unwrap_err().contains("in the clear"));
        assert!(url("url: 'ldaps://ldap.example', start_tls: true").unwrap_err().contains("from the first byte on"));
        for bad in
            ["ldap.example", "https://ldap.example", "ldaps://", "ldaps://a@ldap.example", "ldaps://ldap.example/dc=x"]
        {
            assert!(url(&format!("url: '{bad}'")).unwrap_err().contains("is no address"), "{bad}");
        }
    }

    #[test]
    fn a_bind_has_a_password() {
        let bind = |more: &str| check(&format!("url: 'ldaps://ldap.example', {REST}, {more}"));
        let bound = bind("bind_dn: 'cn=reader,dc=x', password_file: pw").unwrap().bind.unwrap();
        assert_eq!(bound.password_file, Path::new("/etc/countersign/pw"));
        assert!(bind("bind_dn: 'cn=reader,dc=x'").unwrap_err().contains("stand together"));
        assert!(bind("bind_dn: ' ', password_file: pw").unwrap_err().contains("stand together"));
    }

    #[test]
    fn what_an_entry_means_is_settled_before_it_is_read() {
        let with = |from: &str, to: &str| check(&format!("url: 'ldaps://ldap.example', {REST}").replace(from, to));
        let own = with("disabled: never", "disabled: {attribute: employeeStatus, values: [left]}").unwrap();
        assert!(own.attributes().contains(&"employeeStatus".to_owned()));
        assert!(with("person_id: uid", "person_id: ObjectGuid").unwrap().person_id.is_guid);
        let refused = |from: &str, to: &str| with(from, to).unwrap_err();
        assert!(refused("disabled: never", "disabled: sometimes").contains("disabled is `never`"));
        assert!(refused("disabled: never", "disabled: {attribute: a, values: []}").contains("nobody is ever disabled"));
        assert!(refused(", disabled: never", "").contains("disabled"));
        assert!(refused("(objectClass=person)", "objectClass").starts_with("filter: "));
        assert!(refused("'ou=people,dc=x'", "people").starts_with("base: "));
        assert!(refused("person_id: uid", "person_id: 'u d'").starts_with("person_id: "));
    }
}
