//! One request, checked: who asks, under which name the server was called, with what.

use super::Feed;
use super::config::Scim;
use super::error::{Kind, ScimError};
use super::value::Object;
use crate::serve::Caller;
use axum::body::Bytes;
use axum::extract::{FromRequest, Query as UrlQuery, Request};
use axum::http::{HeaderMap, HeaderName, header};
use countersign_policy::id::Source;
use countersign_policy::text::shown;
use countersign_registry::ScimRow;
use serde_json::Value;
use std::sync::Arc;

/// Longest accepted `Host`; a DNS name has 253 characters, and a port.
const HOST_MAX: usize = 260;

/// What every handler needs of its request.
#[derive(Debug)]
pub struct Call {
    pub source: Source,
    pub settings: Scim,
    /// `https://hr.example/scim/v2`
    pub base: String,
    pub parameters: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<Arc<Feed>> for Call {
    type Rejection = ScimError;

    async fn from_request(request: Request, feed: &Arc<Feed>) -> Result<Self, ScimError> {
        let caller = request.extensions().get::<Caller>().cloned();
        let source = caller.map(|caller| caller.source);
        let source =
            source.ok_or_else(|| ScimError::new(Kind::Unauthorized, "a valid bearer token is needed".to_owned()))?;
        let settings = feed.shared.sources.get(&source).and_then(|settings| settings.scim.clone());
        let settings = settings.ok_or_else(|| {
            ScimError::new(Kind::Forbidden, format!("`{source}` is no SCIM source: set sources.{source}.scim"))
        })?;
        let UrlQuery(parameters) = UrlQuery::try_from_uri(request.uri())
            .map_err(|_| ScimError::new(Kind::InvalidValue, "the query string cannot be read".to_owned()))?;
        let base = base(&feed.shared.service, request.headers());
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, feed)
            .await
            .map_err(|_| ScimError::new(Kind::InvalidSyntax, "the body cannot be read".to_owned()))?;
        Ok(Call { source, settings, base, parameters, headers, body })
    }
}

fn base(service: &crate::serve::config::Service, headers: &HeaderMap) -> String {
    if let Some(url) = &service.public_url {
        return format!("{url}/scim/v2");
    }
    let scheme = if service.tls.is_some() { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain =
        |host: &&str| host.len() <= HOST_MAX && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
    match host.filter(plain) {
        Some(host) => format!("{scheme}://{host}/scim/v2"),
        None => format!("{scheme}://{}/scim/v2", service.listen),
    }
}

impl Call {
    /// The body as a JSON object.
    pub fn object(&self) -> Result<Object, ScimError> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(ScimError::new(Kind::InvalidSyntax, "the body is no JSON object".to_owned())),
            Err(error) => {
                let error = shown(&error.to_string(), 120);
                Err(ScimError::new(Kind::InvalidSyntax, format!("the body is no JSON: {error}")))
            }
        }
    }

    /// What `If-Match` asks for.
    pub fn condition(&self) -> Condition {
        Condition(self.tags(&header::IF_MATCH))
    }

    /// Whether the client has this version already.
    pub fn has(&self, etag: &str) -> bool {
        self.tags(&header::IF_NONE_MATCH).is_some_and(|tags| named(&tags, etag))
    }

    fn tags(&self, name: &HeaderName) -> Option<Vec<String>> {
        let values: Vec<String> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap_or_default())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect();
        (!values.is_empty()).then_some(values)
    }
}

/// The versions that a change is meant for; `None`: whichever there is.
#[derive(Debug)]
pub struct Condition(Option<Vec<String>>);

impl Condition {
    pub fn check(&self, row: &ScimRow) -> Result<(), ScimError> {
        let etag = super::resource::etag(row);
        match &self.0 {
            Some(tags) if !named(tags, &etag) => {
                let reason = format!("the resource is at version {etag} now: read it again");
                Err(ScimError::new(Kind::PreconditionFailed, reason))
            }
            _ => Ok(()),
        }
    }
}

fn named(tags: &[String], etag: &str) -> bool {
    let bare = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags.iter().any(|tag| tag == "*" || bare(tag) == bare(etag))
}
