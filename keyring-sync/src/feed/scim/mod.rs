//! SCIM 2.0 (RFC 7643, RFC 7644), as Okta and Entra speak it.
//!
//! `request ─► call ─► value or patch (pure) ─► user or group ─► events through the door`, and the resource itself is
//! stored beside them, so that a provider reads what it wrote.
//!
//! `active: false` is `suspended` by this source, not a termination: providers send it for an unassignment too.

mod active;
mod call;
pub mod config;
mod discovery;
mod error;
mod filter;
mod group;
mod patch;
pub mod pull;
mod query;
mod resource;
mod say;
mod schema;
mod user;
mod value;

pub(crate) use active::said_active;
pub(crate) use error::{Kind, ScimError};
pub use schema::BadSchema;

use crate::intake::{Said, Stopped};
use crate::serve::{Shared, WriteError};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use call::Call;
use countersign_registry::{ScimKind, ScimNarrow, ScimRow, Tables};
use error::MEDIA_TYPE;
use query::Query;
use say::Task;
use schema::Schemas;
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;
use value::Object;

/// What the handlers share.
#[derive(Debug)]
struct Feed {
    shared: Arc<Shared>,
    schemas: Arc<Schemas>,
}

type Answer = Result<Response, ScimError>;

/// Everything below `/scim/v2`.
pub fn routes<S>(shared: &Arc<Shared>) -> Result<Router<S>, BadSchema> {
    let feed = Arc::new(Feed { shared: Arc::clone(shared), schemas: Arc::new(Schemas::load()?) });
    let router = Router::new()
        .route("/ServiceProviderConfig", get(service_provider_config))
        .route("/ResourceTypes", get(resource_types))
        .route("/ResourceTypes/{name}", get(resource_type))
        .route("/Schemas", get(schemas))
        .route("/Schemas/{id}", get(one_schema))
        .route(
            "/.search",
            post(|state: State<Arc<Feed>>, call| search(state, &[ScimKind::User, ScimKind::Group], call)),
        )
        .route("/Users", collection(ScimKind::User))
        .route("/Users/.search", post(|state: State<Arc<Feed>>, call| search(state, &[ScimKind::User], call)))
        .route("/Users/{id}", member(ScimKind::User))
        .route("/Groups", collection(ScimKind::Group))
        .route("/Groups/.search", post(|state: State<Arc<Feed>>, call| search(state, &[ScimKind::Group], call)))
        .route("/Groups/{id}", member(ScimKind::Group))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed);
    Ok(router.with_state(feed))
}

fn collection(kind: ScimKind) -> MethodRouter<Arc<Feed>> {
    get(move |state: State<Arc<Feed>>, call| list(state, kind, call)).post(move |state, call| create(state, kind, call))
}

fn member(kind: ScimKind) -> MethodRouter<Arc<Feed>> {
    get(move |state: State<Arc<Feed>>, path, call| read(state, kind, path, call))
        .put(move |state, path, call| change(state, kind, Verb::Put, path, call))
        .patch(move |state, path, call| change(state, kind, Verb::Patch, path, call))
        .delete(move |state, path, call| delete(state, kind, path, call))
}

pub async fn not_found() -> ScimError {
    ScimError::new(Kind::NotFound, "there is nothing of this name".to_owned())
}

async fn not_allowed() -> ScimError {
    ScimError::new(Kind::MethodNotAllowed, "this cannot be done here".to_owned())
}

fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
}

async fn service_provider_config(call: Call) -> Answer {
    Ok(json(StatusCode::OK, &discovery::service_provider_config(&call.base)))
}

async fn resource_types(State(feed): State<Arc<Feed>>, call: Call) -> Answer {
    let kinds = [ScimKind::User, ScimKind::Group];
    let all = kinds.map(|kind| discovery::resource_type(&feed.schemas, kind, &call.base)).to_vec();
    Ok(json(StatusCode::OK, &discovery::list(all)))
}

async fn resource_type(State(feed): State<Arc<Feed>>, Path(name): Path<String>, call: Call) -> Answer {
    let kinds = [ScimKind::User, ScimKind::Group];
    match kinds.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(&name)) {
        Some(kind) => Ok(json(StatusCode::OK, &discovery::resource_type(&feed.schemas, kind, &call.base))),
        None => Err(not_found().await),
    }
}

async fn schemas(State(feed): State<Arc<Feed>>, call: Call) -> Answer {
    let all = feed.schemas.all().map(|schema| Schemas::json(schema, &call.base)).collect();
    Ok(json(StatusCode::OK, &discovery::list(all)))
}

async fn one_schema(State(feed): State<Arc<Feed>>, Path(id): Path<String>, call: Call) -> Answer {
    match feed.schemas.all().find(|schema| schema.id.eq_ignore_ascii_case(&id)) {
        Some(schema) => Ok(json(StatusCode::OK, &Schemas::json(schema, &call.base))),
        None => Err(not_found().await),
    }
}

/// A resource with its version, as far as it was asked for.
fn one(schemas: &Schemas, status: StatusCode, row: &ScimRow, call: &Call) -> Answer {
    let shown = resource::shown(schemas, row, &call.base)?;
    let shown = Query::from_pairs(&call.parameters)?.project(schemas, row.kind, shown);
    let mut response = json(status, &Value::Object(shown));
    let headers = response.headers_mut();
    for (name, value) in [(header::ETAG, resource::etag(row)), (header::LOCATION, resource::location(row, &call.base))]
    {
        if name == header::ETAG || status == StatusCode::CREATED {
            headers.extend(HeaderValue::from_str(&value).map(|value| (name, value)));
        }
    }
    Ok(response)
}

fn gone(id: &str) -> ScimError {
    let id = countersign_policy::text::shown(id, 80);
    ScimError::new(Kind::NotFound, format!("there is no resource `{id}`"))
}

/// Reads the registry on a thread that may block.
async fn reading<T: Send + 'static>(
    feed: &Arc<Feed>,
    read: impl FnOnce(&Schemas, Tables<'_>) -> Result<T, ScimError> + Send + 'static,
) -> Result<T, ScimError> {
    let feed = Arc::clone(feed);
    let done = tokio::task::spawn_blocking(move || feed.shared.readers.read(|_, tables| read(&feed.schemas, tables)));
    match done.await {
        Ok(done) => done,
        // Caught again where requests are contained, with an incident id.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ScimError::new(Kind::Unavailable, "the service is stopping".to_owned())),
    }
}

async fn read(State(feed): State<Arc<Feed>>, kind: ScimKind, Path(id): Path<String>, call: Call) -> Answer {
    let source = call.source.clone();
    let row = reading(&feed, move |_, tables| tables.scim(&source, kind, &id)?.ok_or_else(|| gone(&id))).await?;
    if call.has(&resource::etag(&row)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, resource::etag(&row))]).into_response());
    }
    one(&feed.schemas, StatusCode::OK, &row, &call)
}

async fn list(State(feed): State<Arc<Feed>>, kind: ScimKind, call: Call) -> Answer {
    let query = Query::from_pairs(&call.parameters)?;
    listed(&feed, vec![kind], query, call).await
}

async fn search(State(feed): State<Arc<Feed>>, kinds: &'static [ScimKind], call: Call) -> Answer {
    let query = Query::from_body(&call.object()?)?;
    listed(&feed, kinds.to_vec(), query, call).await
}

async fn listed(feed: &Arc<Feed>, kinds: Vec<ScimKind>, query: Query, call: Call) -> Answer {
    let page = reading(feed, move |schemas, tables| found(schemas, tables, &kinds, &query, &call)).await?;
    Ok(json(StatusCode::OK, &page))
}

fn found(
    schemas: &Schemas,
    tables: Tables<'_>,
    kinds: &[ScimKind],
    query: &Query,
    call: &Call,
) -> Result<Value, ScimError> {
    let show = |row: &ScimRow| -> Result<Object, ScimError> { Ok(resource::shown(schemas, row, &call.base)?) };
    let mut page = Vec::new();
    if let ([kind], None) = (kinds, &query.filter) {
        let (total, rows) = tables.scim_page(&call.source, *kind, query.skip, query.count)?;
        for row in &rows {
            page.push(Value::Object(query.project(schemas, *kind, show(row)?)));
        }
        return Ok(discovery::page(total, query.skip, page));
    }
    let mut total = 0_usize;
    let mut refused = Vec::new();
    for kind in kinds {
        let filter = match query.filter.as_deref().map(|text| filter::parse(schemas, *kind, text)).transpose() {
            Ok(filter) => filter,
            // Across kinds an attribute may be of the other one.
            Err(error) => {
                refused.push(error);
                continue;
            }
        };
        let narrow = filter.as_ref().filter(|_| *kind == ScimKind::User).map_or(ScimNarrow::All, filter::narrow);
        let mut failed = None;
        tables.each_scim(&call.source, *kind, &narrow, |row| {
            let shown = match show(&row) {
                Ok(shown) => shown,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            if filter.as_ref().is_none_or(|filter| filter::matches(schemas, *kind, filter, &shown)) {
                total += 1;
                if total > query.skip && page.len() < query.count {
                    page.push(Value::Object(query.project(schemas, *kind, shown)));
                }
            }
            ControlFlow::Continue(())
        })?;
        failed.map_or(Ok(()), Err)?;
    }
    match refused.pop() {
        Some(error) if refused.len() + 1 == kinds.len() => Err(error),
        _ => Ok(discovery::page(total, query.skip, page)),
    }
}

/// Hands work to the writer; the answer comes once it is durable and published.
async fn writing<T: Send + 'static>(
    feed: &Arc<Feed>,
    call: &Call,
    work: impl FnOnce(&mut Task<'_, '_>) -> Result<T, ScimError> + Send + 'static,
) -> Result<T, Response> {
    let (schemas, settings, source) = (Arc::clone(&feed.schemas), call.settings.clone(), call.source.clone());
    let limits = feed.shared.brake.clone();
    let done = feed.shared.writer.write(move |door| {
        let said = Said::begin(door)?;
        let mut task = Task { door, schemas: &schemas, settings: &settings, source: &source, said };
        let done = work(&mut task)?;
        let Task { door, said, .. } = task;
        Ok(match said.settle(door, &source, &limits)? {
            None => Ok(done),
            Some(stopped) => Err(stopped),
        })
    });
    let done = done.await.and_then(|done| {
        // What was staged is durable; the resource is as it was, and the source asks again until two people decided.
        done.map_err(|Stopped { cause }| {
            let reason = format!("held back, and staged until two people decide (keyring-sync staged list): {cause}");
            WriteError::Refused(ScimError::new(Kind::Held, reason))
        })
    });
    done.map_err(|error| match error {
        WriteError::Refused(error) => error.into_response(),
        WriteError::Unavailable(_) => {
            let error = ScimError::new(Kind::Unavailable, "the registry cannot be written now: try again".to_owned());
            let mut response = error.into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
        WriteError::Panicked => crate::serve::incident("write", "work on the registry panicked"),
    })
}

async fn create(State(feed): State<Arc<Feed>>, kind: ScimKind, call: Call) -> Answer {
    let body = call.object()?;
    let done = writing(&feed, &call, move |task| match kind {
        ScimKind::User => user::create(task, &body),
        ScimKind::Group => group::create(task, &body),
    });
    match done.await {
        Ok(row) => one(&feed.schemas, StatusCode::CREATED, &row, &call),
        Err(response) => Ok(response),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Put,
    Patch,
}

async fn change(
    State(feed): State<Arc<Feed>>,
    kind: ScimKind,
    verb: Verb,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    let (body, condition) = (call.object()?, call.condition());
    let done = writing(&feed, &call, move |task| {
        let known = task.door.tables().scim(task.source, kind, &id)?.ok_or_else(|| gone(&id))?;
        condition.check(&known)?;
        match (kind, verb) {
            (ScimKind::User, Verb::Put) => user::replace(task, known, &body),
            (ScimKind::User, Verb::Patch) => user::change(task, known, &body),
            (ScimKind::Group, Verb::Put) => group::replace(task, known, &body),
            (ScimKind::Group, Verb::Patch) => group::change(task, known, &body),
        }
    });
    match done.await {
        // A group of thousands is not sent back for one member more.
        Ok(row) if (kind, verb) == (ScimKind::Group, Verb::Patch) && call.parameters.is_empty() => {
            Ok((StatusCode::NO_CONTENT, [(header::ETAG, resource::etag(&row))]).into_response())
        }
        Ok(row) => one(&feed.schemas, StatusCode::OK, &row, &call),
        Err(response) => Ok(response),
    }
}

async fn delete(State(feed): State<Arc<Feed>>, kind: ScimKind, Path(id): Path<String>, call: Call) -> Answer {
    let condition = call.condition();
    let done = writing(&feed, &call, move |task| {
        let known = task.door.tables().scim(task.source, kind, &id)?.ok_or_else(|| gone(&id))?;
        condition.check(&known)?;
        match kind {
            ScimKind::User => user::delete(task, known),
            ScimKind::Group => group::delete(task, known),
        }
    });
    Ok(done.await.map_or_else(|response| response, |()| StatusCode::NO_CONTENT.into_response()))
}
