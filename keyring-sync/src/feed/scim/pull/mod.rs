//! A SCIM server that is asked, and not one that tells us ─► a list of accounts. All of it or nothing.
//!
//! What a user resource means is the same as where it is sent here.

pub mod config;
mod pages;

pub use config::ScimPull;

use super::say::profile;
use super::schema::{BadSchema, ENTERPRISE, Schemas};
use super::user;
use super::value::{self, Object};
use crate::feed::list::{Answer, BadAccounts, Export, FIELD_MAX, PEOPLE_MAX, Row};
use crate::http::Client;
use crate::{secret, tls};
use countersign_policy::id::Role;
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_registry::ScimKind;
use pages::{ID_MAX, List};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Users asked for at a time.
const USERS_PAGE: usize = 100;

/// Groups asked for at a time: one of twenty thousand members fills half of what is read at once.
const GROUPS_PAGE: usize = 5;

/// Groups of one server; those that give a role are a handful.
const GROUPS_MAX: usize = 10_000;

/// Characters of a resource's id that a message repeats.
const ID_SHOWN: usize = 80;

/// What is read of a user. A telephone number that is none keeps no leaver in.
const READ: [&str; 6] = ["userName", "externalId", "active", "displayName", "name", "emails"];

/// Why a server's answer is refused whole.
#[derive(Debug, thiserror::Error)]
pub enum BadList {
    #[error("cannot be asked: {0}")]
    Settings(String),
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("did not answer whole in time")]
    Slow,
    #[error("{0}")]
    Odd(String),
    #[error("it says that there are {said} and gives {}{found}: the list is not whole", if *more { "at least " } else { "" })]
    Count { said: usize, found: usize, more: bool },
    #[error("user {}: {reason}", shown(id, ID_SHOWN))]
    User { id: String, reason: String },
    #[error(transparent)]
    Accounts(#[from] BadAccounts),
    #[error(transparent)]
    Schema(#[from] BadSchema),
}

/// Asks the server for everybody. `now` is when it is asked: what is said anywhere later is newer.
pub fn read(settings: &ScimPull, now: Time) -> Result<Answer, BadList> {
    let unfit = |why: String| BadList::Settings(why);
    let token = secret::read(&settings.token_file).map_err(|bad| unfit(bad.to_string()))?;
    let roots = tls::roots(settings.ca_file.as_deref());
    let roots = roots.map_err(|(file, error)| unfit(format!("{}: {error}", file.display())))?;
    let headers = vec![("authorization", format!("Bearer {token}"))];
    let client = Client::new(settings.url.as_str().to_owned(), headers, &roots).map_err(unfit)?;
    let schemas = Schemas::load()?;
    let filter = settings.filter.as_ref().map(|filter| utf8_percent_encode(filter, NON_ALPHANUMERIC).to_string());
    let path = filter.map_or_else(|| "/Users".to_owned(), |filter| format!("/Users?filter={filter}"));
    // The groups first: who comes into one meanwhile has the role by the next reading.
    let mut groups = Groups::default();
    if !settings.groups.is_empty() {
        let list = List { path: "/Groups", page: GROUPS_PAGE, most: GROUPS_MAX };
        pages::read(&client, list, &mut |_, group| groups.take(&group, &settings.groups))?;
    }
    let roles = (!settings.groups.is_empty()).then_some(&groups.roles);
    let mut rows = Vec::new();
    let list = List { path: &path, page: USERS_PAGE, most: PEOPLE_MAX };
    pages::read(&client, list, &mut |id, user| {
        let row = row(&schemas, id, &user, settings, roles);
        rows.push(row.map_err(|reason| BadList::User { id: id.to_owned(), reason })?);
        Ok(())
    })?;
    let notes = groups.missing(&settings.groups);
    Ok(Answer { export: Export::of_accounts(now, rows)?, notes })
}

/// What the groups give that the configuration names.
#[derive(Debug, Default, PartialEq)]
struct Groups {
    /// By the ids of users.
    roles: BTreeMap<String, BTreeSet<Role>>,
    /// Those that are there.
    named: BTreeSet<String>,
}

impl Groups {
    fn take(&mut self, group: &Object, mapped: &BTreeMap<String, Role>) -> Result<(), BadList> {
        let names = ["displayName", "externalId"].into_iter().filter_map(|name| group.get(name)?.as_str());
        for (name, role) in names.filter_map(|name| mapped.get_key_value(name)) {
            self.named.insert(name.clone());
            let members = group.get("members").and_then(Value::as_array).into_iter().flatten();
            // No user has a longer id.
            let ids = members.filter_map(|member| member.get("value")?.as_str()).filter(|id| id.len() <= ID_MAX);
            for member in ids {
                if self.roles.len() >= PEOPLE_MAX && !self.roles.contains_key(member) {
                    return Err(BadList::Odd(format!("its groups have more than {PEOPLE_MAX} members")));
                }
                self.roles.entry(member.to_owned()).or_default().insert(role.clone());
            }
        }
        Ok(())
    }

    /// The groups that the configuration names and the server does not have.
    fn missing(&self, mapped: &BTreeMap<String, Role>) -> Vec<String> {
        let missing = mapped.iter().filter(|(name, _)| !self.named.contains(*name));
        let say = |(name, role): (&String, &Role)| {
            format!("there is no group `{}`: nobody has the role {role} by it", shown(name, ID_SHOWN))
        };
        missing.map(say).collect()
    }
}

fn row(
    schemas: &Schemas,
    id: &str,
    sent: &Object,
    settings: &ScimPull,
    roles: Option<&BTreeMap<String, BTreeSet<Role>>>,
) -> Result<Row, String> {
    let document = value::resource(schemas, ScimKind::User, &relevant(sent)).map_err(|error| error.to_string())?;
    let person = user::person_called(settings.person_id, id, &document).map_err(|error| error.to_string())?;
    // Silence must not pass for an account that is in use.
    let active = user::said_active(&document).ok_or("it does not say whether it is `active`")?;
    let mut row = Row::of_account(person, active);
    if settings.profile {
        let profile = profile(&document);
        if profile.name.as_ref().is_some_and(|name| name.len() > FIELD_MAX) {
            return Err(format!("the name is longer than {FIELD_MAX} bytes"));
        }
        row.name = profile.name;
        row.email = primary(&document).or_else(|| profile.emails.into_iter().flatten().next());
    }
    row.roles = roles.map(|roles| roles.get(id).cloned().unwrap_or_default());
    Ok(row)
}

fn relevant(sent: &Object) -> Object {
    let is_read = |name: &str| READ.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut kept: Object =
        sent.iter().filter(|(name, _)| is_read(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    let extension =
        sent.iter().find(|(name, _)| name.eq_ignore_ascii_case(ENTERPRISE)).and_then(|(_, value)| value.as_object());
    let number = extension.into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case("employeeNumber"));
    if let Some((name, value)) = number {
        kept.insert(ENTERPRISE.to_owned(), Value::Object(Object::from_iter([(name.clone(), value.clone())])));
    }
    kept
}

fn primary(document: &Object) -> Option<countersign_policy::id::Email> {
    let emails = document.get("emails")?.as_array()?;
    let primary = emails.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)))?;
    countersign_policy::id::Email::new(primary.get("value")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::list::Status;
    use serde_json::json;

    fn read(person_id: &str, user: Value) -> Result<Row, String> {
        let text = format!("{{url: 'https://idp.example/scim/v2', token_file: t, person_id: {person_id}}}");
        let settings: ScimPull = serde_yaml::from_str(&text).unwrap();
        row(&Schemas::load().unwrap(), "7", user.as_object().unwrap(), &settings, None)
    }

    #[test]
    fn a_user_means_what_one_that_is_sent_means() {
        let alice = read(
            "employeeNumber",
            json!({"id": "7", "userName": "alice", "active": "False", "displayName": "Alice Example",
                "emails": [{"value": "a@old.example"}, {"value": "alice@hr.example", "primary": true}],
                "phoneNumbers": "none that could be read", ENTERPRISE: {"employeeNumber": 1001, "manager": 5}}),
        );
        let alice = alice.unwrap();
        assert_eq!((alice.person.as_str(), alice.status), ("1001", Status::Suspended));
        assert_eq!((alice.name.as_deref(), alice.email.unwrap().as_str()), (Some("Alice Example"), "alice@hr.example"));
        let bob = read("id", json!({"id": "7", "USERNAME": "bob@hr.example", "active": true})).unwrap();
        assert_eq!((bob.person.as_str(), bob.status, bob.roles), ("7", Status::Active, None));
        assert_eq!(bob.email.unwrap().as_str(), "bob@hr.example");
    }

    #[test]
    fn a_user_who_cannot_be_understood_is_no_leaver() {
        let refused = |user: Value| read("userName", user).unwrap_err();
        assert_eq!(refused(json!({"userName": "a"})), "it does not say whether it is `active`");
        assert!(refused(json!({"userName": "a", "active": "perhaps"})).contains("active"));
        assert!(refused(json!({"active": true})).contains("`userName` is missing"));
        assert!(refused(json!({"userName": "a\u{1b}", "active": true})).contains("control"));
    }

    #[test]
    fn roles_come_by_the_groups_that_are_mapped() {
        let group = |name: &str, members: &[&str]| {
            let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
            json!({"displayName": name, "members": members}).as_object().unwrap().clone()
        };
        let senior = Role::new("senior").unwrap();
        let mapped = BTreeMap::from([("seniors".to_owned(), senior.clone())]);
        let mut groups = Groups::default();
        groups.take(&group("others", &["9"]), &mapped).unwrap();
        assert_eq!(groups.missing(&mapped), ["there is no group `seniors`: nobody has the role senior by it"]);
        groups.take(&group("seniors", &["7", "8"]), &mapped).unwrap();
        assert!(groups.missing(&mapped).is_empty());
        let wanted = ["7", "8"].map(|id| (id.to_owned(), BTreeSet::from([senior.clone()])));
        assert_eq!(groups.roles, BTreeMap::from(wanted));
    }
}
