//! Who asks, how often, how large; and that nothing that goes wrong in a handler goes further.

use super::rate::Bucket;
use super::{Ended, Shared, now, token};
use crate::feed::scim::{Kind, ScimError};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use countersign_policy::id::Source;
use countersign_policy::text::shown;
use countersign_registry::StoreError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of a request: a group change of ten thousand members fits, and a hundred requests at once fit the memory.
const BODY_MAX: usize = 1 << 20;

/// A client that has not sent its request by then has gone away or means harm.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Failed attempts a second over all clients. A token cannot be guessed anyway; this keeps the log readable.
const FAILED_ATTEMPTS_PER_SECOND: u32 = 10;

/// Longest token looked at.
const TOKEN_MAX: usize = 256;

/// Who sent the request, proved by its token.
#[derive(Clone, Debug)]
pub struct Caller {
    pub source: Source,
}

struct Guard {
    shared: Arc<Shared>,
    sources: Mutex<BTreeMap<Source, Bucket>>,
    failures: Mutex<Bucket>,
}

/// `router` for those who hold a token.
pub(super) fn guarded(router: Router, shared: &Arc<Shared>) -> Router {
    let failures = Mutex::new(Bucket::new(FAILED_ATTEMPTS_PER_SECOND, Instant::now()));
    let guard = Arc::new(Guard { shared: Arc::clone(shared), sources: Mutex::default(), failures });
    router.layer(from_fn_with_state(guard, admit))
}

/// What holds for every request, whoever sends it.
pub(super) fn outermost(router: Router) -> Router {
    router.layer(from_fn(contain))
}

/// A panic is an answer with an incident id, and the log knows more.
async fn contain(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    // On a task of its own: it runs to its end although the client hangs up.
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(_) => incident(method.as_str(), "a handler panicked"),
    }
}

/// 500 with an id that stands in the log too.
pub(crate) fn incident(method: &str, what: &str) -> Response {
    let incident = ulid::Ulid::generate().to_string();
    tracing::error!(%incident, method, what, "a request failed through our fault");
    ScimError::new(Kind::Internal, format!("incident {incident}: tell the operator of this server")).into_response()
}

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let bearer = bearer(&request).map(str::to_owned);
    let source = match guard.whose(bearer).await {
        Ok(Some(source)) => source,
        Ok(None) => return guard.unauthorized(),
        Err(error) => {
            tracing::error!(%error, "a token could not be looked up");
            return ScimError::new(Kind::Unavailable, "the registry cannot be read".to_owned()).into_response();
        }
    };
    let taken = {
        let mut sources = guard.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = guard.shared.service.requests_per_second;
        let bucket = sources.entry(source.clone()).or_insert_with(|| Bucket::new(rate, begun));
        bucket.take(begun)
    };
    if let Err(wait) = taken {
        guard.shared.metrics.request(&source, Ended::Rejected, now());
        return too_many(wait);
    }
    let (method, path) = (request.method().clone(), shown(request.uri().path(), 120));
    let response = match whole(request).await {
        Ok(mut request) => {
            request.extensions_mut().insert(Caller { source: source.clone() });
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    let status = response.status();
    let ended = match status.as_u16() {
        500.. => Ended::Failed,
        400.. => Ended::Rejected,
        _ if method.is_safe() || path.ends_with("/.search") => Ended::Read,
        _ => Ended::Changed(begun.elapsed()),
    };
    guard.shared.metrics.request(&source, ended, now());
    let ms = begun.elapsed().as_millis();
    if status.is_server_error() || status.is_client_error() {
        tracing::warn!(%source, %method, path, status = status.as_u16(), ms, "request");
    } else {
        tracing::info!(%source, %method, path, status = status.as_u16(), ms, "request");
    }
    response
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= TOKEN_MAX).then_some(token)
}

/// The request with its whole body read, so that no slow client holds a handler.
async fn whole(request: Request) -> Result<Request, ScimError> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, BODY_MAX)).await;
    let bytes: Bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let reason = format!("a request has at most {BODY_MAX} bytes: send it in parts");
            return Err(ScimError::new(Kind::TooLarge, reason));
        }
        Err(_) => return Err(ScimError::new(Kind::Timeout, "the request did not arrive in time".to_owned())),
    };
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

impl Guard {
    async fn whose(&self, bearer: Option<String>) -> Result<Option<Source>, StoreError> {
        let Some(bearer) = bearer else { return Ok(None) };
        let shared = Arc::clone(&self.shared);
        let looked =
            tokio::task::spawn_blocking(move || shared.readers.read(|_, tables| token::whose(&tables, &bearer)));
        let source = looked.await.unwrap_or_else(|error| Err(StoreError::Damaged(error.to_string())))?;
        Ok(source)
    }

    fn unauthorized(&self) -> Response {
        self.shared.metrics.unauthorized();
        let taken = self.failures.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if let Err(wait) = taken {
            return too_many(wait);
        }
        tracing::warn!("a request without a valid token");
        let error = ScimError::new(Kind::Unauthorized, "a valid bearer token is needed".to_owned());
        let mut response = error.into_response();
        let challenge = HeaderValue::from_static("Bearer realm=\"keyring-sync\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }
}

fn too_many(wait: Duration) -> Response {
    let seconds = wait.as_secs().saturating_add(1);
    let mut response = ScimError::new(Kind::TooMany, format!("come back in {seconds} s")).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    debug_assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    response
}
