//! The service that HR and identity systems drive.
//!
//! `connection ─► guard (who, how often, how large) ─► feed ─► the one writer ─► published ─► answer`

pub mod config;
mod guard;
mod listen;
mod metrics;
mod notify;
mod pulse;
mod rate;
mod readers;
pub mod token;
mod writer;

pub use config::METRICS;
pub(crate) use guard::incident;
pub use guard::{Caller, Unchanged};
pub use metrics::{Ended, Metrics, Waiting};
pub use pulse::Pulse;
pub use readers::Readers;
pub use writer::{WriteError, Writer};

use crate::brake::Limits;
use crate::config::Config;
use crate::feed::signals::{self, OpenError, Receivers};
use crate::feed::webhook::Endpoints;
use crate::feed::{scim, webhook};
use crate::sources::Settings;
use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use countersign_registry::{Publication, Registry, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("serve.tls: {0}")]
    Tls(String),
    #[error("{0}")]
    Schema(#[from] scim::BadSchema),
    #[error("{0}")]
    Webhook(String),
    #[error("{0}")]
    Signals(#[from] OpenError),
}

/// For work off the runtime, such as a read of the registry, when the service stops.
const TASKS_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn now() -> Time {
    Time::from_system(SystemTime::now())
}

/// What every handler may use.
#[derive(Debug)]
pub struct Shared {
    pub writer: Writer,
    pub readers: Readers,
    pub metrics: Arc<Metrics>,
    pub service: config::Service,
    pub sources: BTreeMap<Source, Settings>,
    pub webhooks: Endpoints,
    pub brake: Limits,
    pub signals: Receivers,
    pub pulse: Pulse,
}

/// Serves until SIGTERM or SIGINT; what was begun is finished.
pub fn run(config: &Config, service: config::Service) -> Result<(), ServeError> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| ServeError::Io { what, source }
    };
    let mut registry = Registry::open(&config.registry, &config.keyring)?;
    registry.repair(now())?;
    let pulse = Pulse::begin(&mut registry, &config.sources)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io("runtime"))?;
    let tables = registry.tables();
    let last = |source: &Source| Ok((source.clone(), tables.last_received(source)?));
    let sources: Vec<_> = config.sources.keys().map(last).collect::<Result<_, StoreError>>()?;
    let metrics = Arc::new(Metrics::new(sources.into_iter(), tables.epoch()?));
    let webhooks = Endpoints::load(config).map_err(ServeError::Webhook)?;
    let with_signals =
        config.sources.iter().filter_map(|(source, settings)| Some((source, settings.signals.as_ref()?)));
    let signals = Receivers::open(with_signals, &tables)?;
    let tls = service.tls.as_ref().map(listen::tls).transpose()?;
    let listen = service.listen;
    let (writer, thread) = Writer::start(registry, config.ranks(), Arc::clone(&metrics), runtime.handle().clone())
        .map_err(io("writer"))?;
    let readers = Readers::new(config.registry.clone(), config.keyring.clone());
    let shared = Arc::new(Shared {
        writer,
        readers,
        metrics,
        service,
        sources: config.sources.clone(),
        webhooks,
        brake: config.brake.clone(),
        signals,
        pulse,
    });
    let router = router(&shared)?;
    runtime.block_on(async {
        let socket = tokio::net::TcpListener::bind(listen).await.map_err(io(&format!("serve.listen {listen}")))?;
        let mut term = signal(SignalKind::terminate()).map_err(io("SIGTERM"))?;
        let mut int = signal(SignalKind::interrupt()).map_err(io("SIGINT"))?;
        let at = socket.local_addr().map_err(io("serve.listen"))?;
        signals::tasks::start(&shared);
        tokio::spawn(pulse::keep(shared));
        tracing::info!(%at, tls = tls.is_some(), "serving");
        notify::tell("READY=1");
        let stop = async move {
            tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = int.recv() => "SIGINT",
            }
        };
        listen::serve(socket, tls, router, stop).await;
        Ok::<(), ServeError>(())
    })?;
    // Connections are gone, and with the runtime its tasks, and so all handles: the writer ends its queue and returns.
    // A transmitter that holds a request open is not waited for.
    runtime.shutdown_timeout(TASKS_PATIENCE);
    if thread.join().is_err() {
        tracing::error!("the writer ended in a panic");
    }
    tracing::info!("stopped");
    Ok(())
}

fn router(shared: &Arc<Shared>) -> Result<Router, ServeError> {
    let known = Router::new()
        .route("/metrics", get(show_metrics))
        .nest("/scim/v2", scim::routes(shared)?)
        .nest("/ssf", signals::routes())
        .nest("/webhooks", webhook::routes(shared))
        .fallback(scim::not_found)
        .with_state(Arc::clone(shared));
    let guarded = guard::guarded(known, shared);
    let open = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    Ok(guard::outermost(open.with_state(Arc::clone(shared)).merge(guarded)))
}

async fn show_metrics(State(shared): State<Arc<Shared>>, Extension(caller): Extension<Caller>) -> Response {
    if caller.source.as_str() != config::METRICS {
        let reason = "only a token of `metrics` reads the metrics: keyring-sync token add metrics\n";
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let read = Arc::clone(&shared);
    let counted = tokio::task::spawn_blocking(move || {
        read.readers.read(|_, tables| -> Result<_, StoreError> {
            let (staged, hints) = (tables.staged_counts()?, tables.open_hint_counts()?);
            Ok((staged, hints, tables.open_review_counts()?, read.pulse.look(&tables, now())?))
        })
    });
    let Ok(Ok((staged, hints, reviews, lives))) = counted.await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the registry cannot be read\n").into_response();
    };
    let waiting = Waiting { staged: &staged, hints: &hints, reviews: &reviews, lives: &lives };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.metrics.text(&waiting)).into_response()
}

/// Ready: the registry can be read, what it holds is what is published, and its writer lives.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let read = Arc::clone(&shared);
    let publication = tokio::task::spawn_blocking(move || read.readers.read(|registry, _| registry.publication()));
    let reason = match publication.await {
        Ok(Ok(Publication { registry, published })) if published != Some(registry) => "the keyring is not published\n",
        Ok(Ok(_)) if !shared.writer.is_alive() => "the writer has ended\n",
        Ok(Ok(_)) => return "ready\n".into_response(),
        Ok(Err(_)) | Err(_) => "the registry cannot be read\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}
