//! Who asks, how often, how large; and that nothing that goes wrong in a handler goes further.

use super::rate::Bucket;
use super::{Ended, Shared, now, token};
use crate::feed::scim::{Kind, ScimError};
use crate::feed::webhook::{Endpoint, Greeting, Refused};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
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

/// Who sent the request, proved by its token or its signature.
#[derive(Clone, Debug)]
pub struct Caller {
    pub source: Source,
}

/// Of an answer of success to a request that changed nothing: its source has said nothing new.
#[derive(Clone, Copy, Debug)]
pub struct Unchanged;

struct Guard {
    shared: Arc<Shared>,
    sources: Mutex<BTreeMap<Source, Bucket>>,
    failures: Mutex<Bucket>,
}

/// `router` for those who hold a token or sign what they send.
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
    let proved = match guard.shared.webhooks.signed_at(request.uri().path()) {
        Some(endpoint) => guard.by_signature(endpoint, request).await,
        None => guard.by_token(request).await,
    };
    let (source, request) = match proved {
        Ok(proved) => proved,
        Err(response) => return response,
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
        Ok((parts, body)) => {
            let mut request = Request::from_parts(parts, Body::from(body));
            request.extensions_mut().insert(Caller { source: source.clone() });
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    let status = response.status();
    let unchanged = method.is_safe() || path.ends_with("/.search") || response.extensions().get::<Unchanged>().is_some();
    let ended = match status.as_u16() {
        500.. => Ended::Failed,
        400.. => Ended::Rejected,
        _ if unchanged => Ended::Read,
        _ => Ended::Changed(begun.elapsed()),
    };
    guard.shared.metrics.request(&source, ended, now());
    if matches!(ended, Ended::Changed(_) | Ended::Read) {
        guard.shared.pulse.heard(&source, now());
    }
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
async fn whole(request: Request) -> Result<(Parts, Bytes), ScimError> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, BODY_MAX)).await;
    match read {
        Ok(Ok(bytes)) => Ok((parts, bytes)),
        Ok(Err(_)) => {
            let reason = format!("a request has at most {BODY_MAX} bytes: send it in parts");
            Err(ScimError::new(Kind::TooLarge, reason))
        }
        Err(_) => Err(ScimError::new(Kind::Timeout, "the request did not arrive in time".to_owned())),
    }
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

    /// Looks at the token alone; the body is read once it is known whose it is.
    async fn by_token(&self, request: Request) -> Result<(Source, Request), Response> {
        let bearer = bearer(&request).map(str::to_owned);
        match self.whose(bearer).await {
            Ok(Some(source)) => Ok((source, request)),
            Ok(None) => Err(self.unauthorized("a valid bearer token is needed", "Bearer realm=\"keyring-sync\"")),
            Err(error) => {
                tracing::error!(%error, "a token could not be looked up");
                Err(ScimError::new(Kind::Unavailable, "the registry cannot be read".to_owned()).into_response())
            }
        }
    }

    /// A signature is over the whole body, so that anybody may send one: it is as bounded in size and time as any other,
    /// and what nobody signed takes nothing from the source's own allowance.
    async fn by_signature(&self, endpoint: &Endpoint, request: Request) -> Result<(Source, Request), Response> {
        let (mut parts, body) = whole(request).await.map_err(IntoResponse::into_response)?;
        if let Some(greeting) = endpoint.greeting(&body) {
            return Err(self.greet(endpoint, greeting).await);
        }
        match endpoint.verify(&parts.headers, &body, now()) {
            Ok(verified) => {
                parts.extensions.insert(verified);
                Ok((endpoint.source.clone(), Request::from_parts(parts, Body::from(body))))
            }
            // Signed by who should: its sender is told to come again, as some never do after 4xx, and a clock of ours that
            // is wrong must not let a leaver stay.
            Err(late @ Refused::Late) => {
                self.shared.metrics.unauthorized();
                tracing::warn!(source = %endpoint.source, %late, "a webhook is not fresh");
                let mut response = ScimError::new(Kind::Unavailable, late.to_string()).into_response();
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("300"));
                Err(response)
            }
            Err(refused) => {
                tracing::debug!(source = %endpoint.source, %refused, "a webhook is not believed");
                Err(self.unauthorized(&refused.to_string(), "Signature realm=\"keyring-sync\""))
            }
        }
    }

    /// Answers what nobody can prove and what changes nothing, as seldom as a failed attempt.
    async fn greet(&self, endpoint: &Endpoint, greeting: Greeting) -> Response {
        if let Err(wait) = self.failures.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()) {
            return too_many(wait);
        }
        let source = endpoint.source.clone();
        let Greeting::Offer(token) = greeting else {
            tracing::info!(%source, "a webhook asks whether anybody is here");
            return "ok\n".into_response();
        };
        let shared = Arc::clone(&self.shared);
        let kept = tokio::task::spawn_blocking(move || {
            let endpoint = shared.webhooks.get(&source).ok_or(std::io::ErrorKind::NotFound)?;
            let file = endpoint.keep_offer(&token)?;
            let (source, file) = (&endpoint.source, file.display());
            tracing::warn!(
                %source, %file,
                "a secret was offered: show it to the sender, and once it is taken move the file to secret_files and restart"
            );
            Ok::<_, std::io::Error>(())
        });
        match kept.await {
            Ok(Ok(())) => "ok\n".into_response(),
            Ok(Err(error)) => {
                tracing::error!(source = %endpoint.source, %error, "an offered secret could not be kept");
                incident("offer", "an offered secret could not be kept")
            }
            Err(_) => incident("offer", "keeping an offered secret panicked"),
        }
    }

    fn unauthorized(&self, reason: &str, challenge: &'static str) -> Response {
        self.shared.metrics.unauthorized();
        let taken = self.failures.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if let Err(wait) = taken {
            return too_many(wait);
        }
        tracing::warn!(reason, "a request that proves nothing");
        let mut response = ScimError::new(Kind::Unauthorized, reason.to_owned()).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
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
