//! What this server can do (RFC 7644 section 4).

use super::query::PAGE_MAX;
use super::schema::Schemas;
use countersign_registry::ScimKind;
use serde_json::{Value, json};

const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

pub fn service_provider_config(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": PAGE_MAX},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "primary": true,
            "description": "a token made with keyring-sync token add",
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

pub fn resource_type(schemas: &Schemas, kind: ScimKind, base: &str) -> Value {
    let core = schemas.core(kind);
    let extensions: Vec<Value> =
        schemas.extension(kind).map(|schema| json!({"schema": schema.id, "required": false})).into_iter().collect();
    let mut json = json!({
        "schemas": [RESOURCE_TYPE], "id": kind.as_str(), "name": kind.as_str(),
        "description": core.description, "endpoint": format!("/{}s", kind.as_str()), "schema": core.id,
    });
    if let Some(json) = json.as_object_mut() {
        if !extensions.is_empty() {
            json.insert("schemaExtensions".to_owned(), extensions.into());
        }
        let location = format!("{base}/ResourceTypes/{}", kind.as_str());
        json.insert("meta".to_owned(), json!({"resourceType": "ResourceType", "location": location}));
    }
    json
}

/// A list that is whole.
pub fn list(resources: Vec<Value>) -> Value {
    page(resources.len(), 0, resources)
}

/// Part of a list, of which `skip` came before.
pub fn page(total: usize, skip: usize, resources: Vec<Value>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
        "startIndex": skip.saturating_add(1), "itemsPerPage": resources.len(), "Resources": resources,
    })
}
