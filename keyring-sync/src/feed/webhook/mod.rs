//! Webhooks: `POST /webhooks/SOURCE`.
//!
//! `raw bytes ─► proof (a signature, or our token) ─► notice (one file a sender) ─► events through door and brake, and the
//! delivery remembered in the same change ─► 2xx`
//!
//! Standard Webhooks carry our own events. All other senders hint: whoever left by a hint is suspended at once, and the
//! hint is settled after ([`crate::hint`]). What may end somebody's access and cannot be taken is never answered 2xx,
//! so that its sender repeats it.

mod bamboohr;
pub mod config;
mod deliver;
mod endpoint;
mod gusto;
mod hibob;
mod notice;
mod personio;
mod proof;
mod rippling;
mod secret;
mod standard;

pub use endpoint::{Endpoint, Endpoints, Greeting};
pub use notice::{Notice, Said, Unreadable, Word};
pub use proof::{Refused, Verified, verify};
pub use secret::{BadSecret, Secrets};
pub use standard::event;

use crate::door;
use crate::serve::{Caller, Shared, Unchanged, WriteError};
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::Router;
use config::{Kind, PersonIdFrom, Proof};
use countersign_policy::text::shown;
use deliver::{Content, Delivery, Outcome, Refusal, Task};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Where the webhooks of a source come in: `/webhooks/SOURCE`.
pub const PATH: &str = "/webhooks/";

/// People of a message; all of them may be in a delivery.
const NAMED_MAX: usize = 5;

/// When what waits for people is asked for again: they are told, and have to come.
const RETRY_PEOPLE: Duration = Duration::from_secs(600);

/// When what waits for us is.
const RETRY_SOON: Duration = Duration::from_secs(5);

/// Reads a delivery of a sender that hints. Pure.
pub fn read(kind: Kind, body: &[u8], person_id: PersonIdFrom) -> Result<Notice, Unreadable> {
    match kind {
        Kind::BambooHr => bamboohr::read(body, person_id),
        Kind::HiBob => hibob::read(body),
        Kind::Personio => personio::read(body),
        Kind::Rippling => rippling::read(body),
        Kind::Gusto => gusto::read(body),
        Kind::Standard => Err(Unreadable::Malformed("it is an event, and no hint".to_owned())),
    }
}

pub fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new().route("/{source}", post(receive)).with_state(Arc::clone(shared))
}

/// What a sender reads, and may show to whoever set it up.
fn answer(status: StatusCode, body: Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn refused(status: StatusCode, reason: &str) -> Response {
    answer(status, json!({"error": shown(reason, 600)}))
}

fn later(reason: &str, retry: Duration) -> Response {
    let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, reason);
    response.headers_mut().insert(header::RETRY_AFTER, retry.as_secs().into());
    response
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    verified: Option<Extension<Verified>>,
    body: Bytes,
) -> Response {
    let source = caller.source;
    let Some(endpoint) = shared.webhooks.get(&source).filter(|_| name == source.as_str()) else {
        return refused(StatusCode::FORBIDDEN, "this token is for another source, or its source has no webhook here");
    };
    // INVARIANT: whoever signs is believed by the signature alone, and only the guard says that it holds.
    if endpoint.settings.kind.proof() == Proof::Signature && verified.is_none() {
        return refused(StatusCode::UNAUTHORIZED, "a signature is needed");
    }
    let settings = endpoint.settings.clone();
    let content = match settings.kind {
        Kind::Standard => Ok(Content::Event(body.clone())),
        kind => read(kind, &body, settings.person_id).map(Content::Notice),
    };
    let content = match content {
        Ok(content) => content,
        Err(unreadable) => return unread(&unreadable),
    };
    let verified = verified.map(|Extension(verified)| verified).unwrap_or_default();
    let delivery = Delivery::new(verified, content, &body);
    let limits = shared.brake.clone();
    let done = shared.writer.write({
        let source = source.clone();
        move |door| Task { source: &source, settings: &settings, limits: &limits }.deliver(door, &delivery)
    });
    match done.await {
        Ok(outcome) => told(outcome),
        Err(WriteError::Refused(refusal)) => not_kept(refusal),
        Err(WriteError::Unavailable(_)) => later("the registry cannot be written now: try again", RETRY_SOON),
        Err(WriteError::Panicked) => crate::serve::incident("write", "a webhook at work on the registry panicked"),
    }
}

fn unread(unreadable: &Unreadable) -> Response {
    let status = match unreadable {
        Unreadable::Malformed(_) => StatusCode::BAD_REQUEST,
        Unreadable::Unknown { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Unreadable::TooMany => StatusCode::PAYLOAD_TOO_LARGE,
    };
    refused(status, &unreadable.to_string())
}

fn told(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Taken { events, settled } => answer(
            StatusCode::OK,
            json!({"taken": events, "confirmed": settled.confirmed, "refuted": settled.refuted}),
        ),
        Outcome::Unchanged(why) => {
            let mut response = answer(StatusCode::OK, json!({"taken": 0, "why": why}));
            response.extensions_mut().insert(Unchanged);
            response
        }
        Outcome::Held(cause) => {
            let reason = format!("held back, and staged until two people decide (keyring-sync staged list): {cause}");
            later(&reason, RETRY_PEOPLE)
        }
        Outcome::Strangers(employees) => {
            let named: Vec<String> = employees.iter().take(NAMED_MAX).map(|employee| shown(employee, 60)).collect();
            let more = employees.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let reason = format!(
                "nobody here is called {}{more}, whose access it ends: add the person, map their id, or set strangers: ignore for this source",
                named.join(", ")
            );
            tracing::error!(%reason, "a webhook ends the access of somebody unknown");
            later(&reason, RETRY_PEOPLE)
        }
    }
}

fn not_kept(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Unreadable(unreadable) => unread(&unreadable),
        Refusal::OtherContent => refused(StatusCode::CONFLICT, &refusal.to_string()),
        Refusal::Rejected => refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal.to_string()),
        // Whoever is unknown may be known when it comes again.
        Refusal::Door(door::Refused::UnknownPerson(_)) => later(&refusal.to_string(), RETRY_PEOPLE),
        Refusal::Door(door::Refused::OtherContent(..)) => refused(StatusCode::CONFLICT, &refusal.to_string()),
        Refusal::Door(refused_by) => refused(StatusCode::UNPROCESSABLE_ENTITY, &refused_by.to_string()),
        Refusal::Store(error) => {
            tracing::error!(%error, "the registry failed a webhook");
            later("the registry cannot be used now: try again", RETRY_SOON)
        }
    }
}
