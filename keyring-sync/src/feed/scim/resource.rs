//! A stored row ─► the resource as a client sees it.

use super::schema::{ENTERPRISE, Schemas};
use super::value::Object;
use countersign_registry::{ScimRow, StoreError};
use serde_json::{Value, json};

/// The attributes as they are stored.
pub fn document(row: &ScimRow) -> Result<Object, StoreError> {
    match serde_json::from_str(&row.document) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(StoreError::Damaged(format!("SCIM resource {} is no object", row.id))),
        Err(error) => Err(StoreError::Damaged(format!("SCIM resource {}: {error}", row.id))),
    }
}

/// `W/"3"`, which is both `meta.version` and the header `ETag`.
pub fn etag(row: &ScimRow) -> String {
    format!("W/\"{}\"", row.version)
}

/// `…/Users/ID`
pub fn location(row: &ScimRow, base: &str) -> String {
    format!("{base}/{}s/{}", row.kind.as_str(), row.id)
}

pub fn shown(schemas: &Schemas, row: &ScimRow, base: &str) -> Result<Object, StoreError> {
    let document = document(row)?;
    let mut urns = vec![schemas.core(row.kind).id.as_str()];
    if document.contains_key(ENTERPRISE) {
        urns.push(ENTERPRISE);
    }
    let mut resource = Object::new();
    resource.insert("schemas".to_owned(), json!(urns));
    resource.insert("id".to_owned(), json!(row.id));
    resource.extend(document);
    let meta = json!({
        "resourceType": row.kind.as_str(), "created": row.created, "lastModified": row.modified,
        "location": location(row, base), "version": etag(row),
    });
    resource.insert("meta".to_owned(), meta);
    Ok(resource)
}
