//! Events that a transmitter sends by itself (RFC 8935): `POST /ssf/SOURCE`.

use super::Told;
use super::receive::{Code, Refusal};
use super::set::SET_MAX;
use crate::serve::{Caller, Shared, Unchanged};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use std::sync::Arc;

/// RFC 8935, section 2.
const MEDIA_TYPE: &str = "application/secevent+jwt";

/// In seconds: what two people decide takes them minutes.
const HELD_RETRY_AFTER: HeaderValue = HeaderValue::from_static("300");

/// In seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Everything below `/ssf`.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/{source}", post(push))
}

async fn push(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // Who holds another source's token learns nothing of this one.
    let receiver = shared.signals.get(&caller.source).filter(|_| caller.source.as_str() == source);
    let Some(receiver) = receiver else {
        let description =
            format!("the token is one of `{}`, which sends no security events to this address", caller.source);
        return refused(StatusCode::FORBIDDEN, &Refusal::new(Code::AccessDenied, description));
    };
    let no = |description: &str| refused(StatusCode::BAD_REQUEST, &Refusal::new(Code::InvalidRequest, description));
    if !is_set(&headers) {
        return no("the `Content-Type` is not application/secevent+jwt");
    }
    if body.len() > SET_MAX {
        return no(&super::BadSet::TooLarge.to_string());
    }
    let Ok(token) = std::str::from_utf8(&body) else { return no(&super::BadSet::NotCompact.to_string()) };
    // Some clients end a body with a newline.
    let told = receiver.take(&shared, token.trim_ascii_end().to_owned(), None).await;
    match told {
        Told::Taken => StatusCode::ACCEPTED.into_response(),
        Told::Known => (Extension(Unchanged), StatusCode::ACCEPTED).into_response(),
        Told::Refused(refusal) => refused(StatusCode::BAD_REQUEST, &refusal),
        Told::Held(cause) => {
            let reason = format!("held back, and staged until two people decide (keyring-sync staged list): {cause}");
            later(&reason, HELD_RETRY_AFTER)
        }
        Told::Later(reason) => later(&reason, RETRY_AFTER),
        Told::Panicked => crate::serve::incident("POST", "a security event brought a fault to light"),
    }
}

fn is_set(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

/// RFC 8935, section 2.3.
fn refused(status: StatusCode, refusal: &Refusal) -> Response {
    let body = json!({"err": refusal.code.as_str(), "description": refusal.description});
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_LANGUAGE, "en")];
    (status, headers, body.to_string()).into_response()
}

fn later(reason: &str, after: HeaderValue) -> Response {
    let body = json!({"description": countersign_policy::text::shown(reason, 600)}).to_string();
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json")), (header::RETRY_AFTER, after)];
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
}
