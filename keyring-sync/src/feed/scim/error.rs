//! What went wrong, as RFC 7644 section 3.12 tells it.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_registry::StoreError;
use serde_json::json;

pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
pub const MEDIA_TYPE: &str = "application/scim+json";

/// Longest detail: it may quote what the client sent.
const DETAIL_MAX: usize = 600;

/// What kind of wrong, which decides status and `scimType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    InvalidFilter,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    Mutability,
    Uniqueness,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Timeout,
    PreconditionFailed,
    TooLarge,
    TooMany,
    Internal,
    Unavailable,
    /// By the brake.
    Held,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Kind::InvalidFilter
            | Kind::InvalidSyntax
            | Kind::InvalidPath
            | Kind::NoTarget
            | Kind::InvalidValue
            | Kind::Mutability => StatusCode::BAD_REQUEST,
            Kind::Uniqueness => StatusCode::CONFLICT,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
            Kind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Unavailable | Kind::Held => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn scim_type(self) -> Option<&'static str> {
        match self {
            Kind::InvalidFilter => Some("invalidFilter"),
            Kind::InvalidSyntax => Some("invalidSyntax"),
            Kind::InvalidPath => Some("invalidPath"),
            Kind::NoTarget => Some("noTarget"),
            Kind::InvalidValue => Some("invalidValue"),
            Kind::Mutability => Some("mutability"),
            Kind::Uniqueness => Some("uniqueness"),
            _ => None,
        }
    }
}

/// An answer that is no resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    pub kind: Kind,
    pub detail: String,
}

impl ScimError {
    pub fn new(kind: Kind, detail: String) -> Self {
        ScimError { kind, detail }
    }
}

impl From<StoreError> for ScimError {
    /// The source is told to come back; what is wrong with the store is for the log.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the registry failed a request");
        ScimError::new(Kind::Unavailable, "the registry cannot be used now: try again".to_owned())
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let mut body = json!({
            "schemas": [ERROR], "status": status.as_u16().to_string(),
            "detail": countersign_policy::text::shown(&self.detail, DETAIL_MAX),
        });
        if let (Some(scim_type), Some(body)) = (self.kind.scim_type(), body.as_object_mut()) {
            body.insert("scimType".to_owned(), scim_type.into());
        }
        (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
    }
}
