//! Which attributes there are: read once from `schema.yaml`, which is also what `/Schemas` publishes.

use countersign_registry::ScimKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// The file that is compiled in cannot be read: a bug, found by every start.
#[derive(Debug, thiserror::Error)]
#[error("schema.yaml: {0}")]
pub struct BadSchema(#[from] serde_yaml::Error);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Type {
    #[default]
    String,
    Boolean,
    Integer,
    DateTime,
    Reference,
    Complex,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    #[default]
    ReadWrite,
    ReadOnly,
    Immutable,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attribute {
    pub name: String,
    #[serde(rename = "type", default)]
    pub kind: Type,
    #[serde(default)]
    pub multi_valued: bool,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub case_exact: bool,
    #[serde(default)]
    pub mutability: Mutability,
    #[serde(default = "by_default")]
    returned: String,
    #[serde(default = "none")]
    uniqueness: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    canonical_values: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reference_types: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<Attribute>,
}

fn by_default() -> String {
    "default".to_owned()
}

fn none() -> String {
    "none".to_owned()
}

impl Attribute {
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }

    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// Returned whatever is asked for.
    pub fn is_always_returned(&self) -> bool {
        self.returned == "always"
    }
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    pub id: String,
    pub name: String,
    pub description: String,
    pub attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    common: Vec<Attribute>,
    user: Schema,
    enterprise: Schema,
    group: Schema,
    discovery: Vec<Schema>,
}

/// All schemas.
#[derive(Debug)]
pub struct Schemas(Raw);

/// Where a name leads to.
#[derive(Clone, Copy, Debug)]
pub enum Place<'s> {
    /// The extension as a whole.
    Extension(&'s Schema),
    Attribute {
        /// The extension that it is of.
        extension: Option<&'s str>,
        attribute: &'s Attribute,
    },
}

impl Schemas {
    pub fn load() -> Result<Self, BadSchema> {
        Ok(Schemas(serde_yaml::from_str(include_str!("schema.yaml"))?))
    }

    pub fn core(&self, kind: ScimKind) -> &Schema {
        match kind {
            ScimKind::User => &self.0.user,
            ScimKind::Group => &self.0.group,
        }
    }

    pub fn extension(&self, kind: ScimKind) -> Option<&Schema> {
        (kind == ScimKind::User).then_some(&self.0.enterprise)
    }

    /// The attribute of this name, without a URN in front.
    pub fn attribute(&self, kind: ScimKind, name: &str) -> Option<&Attribute> {
        find(&self.core(kind).attributes, name).or_else(|| find(&self.0.common, name))
    }

    /// `urn` in front of the name, or the name alone.
    pub fn place(&self, kind: ScimKind, urn: Option<&str>, name: &str) -> Option<Place<'_>> {
        let extension = self.extension(kind);
        let Some(urn) = urn else {
            if let Some(schema) = extension.filter(|schema| schema.id.eq_ignore_ascii_case(name)) {
                return Some(Place::Extension(schema));
            }
            return self.attribute(kind, name).map(|attribute| Place::Attribute { extension: None, attribute });
        };
        if self.core(kind).id.eq_ignore_ascii_case(urn) {
            return self.attribute(kind, name).map(|attribute| Place::Attribute { extension: None, attribute });
        }
        if let Some(schema) = extension.filter(|schema| schema.id.eq_ignore_ascii_case(urn)) {
            let attribute = find(&schema.attributes, name)?;
            return Some(Place::Attribute { extension: Some(schema.id.as_str()), attribute });
        }
        // The grammar takes the last part of a URN for a name.
        let whole = format!("{urn}:{name}");
        extension.filter(|schema| schema.id.eq_ignore_ascii_case(&whole)).map(Place::Extension)
    }

    /// Everything that `/Schemas` publishes.
    pub fn all(&self) -> impl Iterator<Item = &Schema> {
        [&self.0.user, &self.0.enterprise, &self.0.group].into_iter().chain(&self.0.discovery)
    }

    pub fn json(schema: &Schema, base: &str) -> Value {
        json!({
            "schemas": [SCHEMA], "id": schema.id, "name": schema.name, "description": schema.description,
            "attributes": schema.attributes,
            "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id)},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_place_in_any_case() {
        let schemas = Schemas::load().unwrap();
        let name = |urn: Option<&str>, name: &str| match schemas.place(ScimKind::User, urn, name) {
            None => "nowhere".to_owned(),
            Some(Place::Extension(schema)) => schema.name.clone(),
            Some(Place::Attribute { extension, attribute }) => {
                format!("{}{}", extension.map_or("", |_| "+"), attribute.name)
            }
        };
        assert_eq!(name(None, "USERNAME"), "userName");
        assert_eq!(name(None, "externalid"), "externalId");
        assert_eq!(name(Some("urn:ietf:params:scim:schemas:core:2.0:user"), "Active"), "active");
        assert_eq!(name(Some(ENTERPRISE), "employeenumber"), "+employeeNumber");
        assert_eq!(name(None, ENTERPRISE), "EnterpriseUser");
        assert_eq!(name(ENTERPRISE.rsplit_once(':').map(|(urn, _)| urn), "User"), "EnterpriseUser");
        assert_eq!(name(None, "employeeNumber"), "nowhere");
        assert_eq!(name(Some("urn:x"), "userName"), "nowhere");
    }

    #[test]
    fn nothing_published_is_null() {
        let schemas = Schemas::load().unwrap();
        for schema in schemas.all() {
            let text = Schemas::json(schema, "http://h").to_string();
            assert!(!text.contains("null") && text.contains("\"multiValued\""), "{text}");
        }
    }
}
