//! What is settled for one SCIM source.

use countersign_policy::id::Role;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Which attribute of a user is the person's id. It is read when the resource is made, and never again: whatever is
/// renamed later, it stays the same person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum PersonIdFrom {
    /// What the identity provider calls the user for good; set it to HR's number where HR is a source too.
    #[serde(rename = "externalId")]
    ExternalId,
    /// Of the enterprise extension.
    #[serde(rename = "employeeNumber")]
    EmployeeNumber,
    #[serde(rename = "userName")]
    UserName,
    /// The id that this server gives the resource: for persons whom no other source knows.
    #[serde(rename = "id")]
    Id,
}

impl PersonIdFrom {
    pub fn as_str(self) -> &'static str {
        match self {
            PersonIdFrom::ExternalId => "externalId",
            PersonIdFrom::EmployeeNumber => "employeeNumber",
            PersonIdFrom::UserName => "userName",
            PersonIdFrom::Id => "id",
        }
    }
}

/// What a DELETE says of the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// They are gone, and their name may be given to somebody else. Only HR or an operator brings them back.
    #[default]
    Terminate,
    /// They are not to work for now; the same source may put them again.
    Suspend,
}

/// One SCIM source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scim {
    pub person_id: PersonIdFrom,
    /// By `displayName` or `externalId` of the group.
    pub groups: BTreeMap<String, Role>,
    pub on_delete: OnDelete,
    /// Whether names and addresses of persons are this source's to tell.
    pub profile: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawScim {
    person_id: PersonIdFrom,
    #[serde(default)]
    groups: BTreeMap<String, Role>,
    #[serde(default)]
    on_delete: OnDelete,
    #[serde(default = "yes")]
    profile: bool,
}

fn yes() -> bool {
    true
}

impl From<RawScim> for Scim {
    fn from(raw: RawScim) -> Self {
        Scim { person_id: raw.person_id, groups: raw.groups, on_delete: raw.on_delete, profile: raw.profile }
    }
}
