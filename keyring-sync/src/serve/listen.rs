//! Connections: TLS or plain, few at once, none for long without a request.

use super::ServeError;
use super::config::Tls;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Connections at once, and so requests at once: each may hold a body in memory. More wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;

/// For a handshake, and for the head of the first and of each next request.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);

/// Bytes of a request's head; a filter and a token fit many times.
const HEAD_MAX: usize = 32 << 10;

/// What was begun may take so long to finish when the service is to stop; systemd waits 90 s.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// After a failed accept (no descriptor left) something has to end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// TLS 1.2 and 1.3 with the given certificate.
pub(super) fn tls(files: &Tls) -> Result<TlsAcceptor, ServeError> {
    let bad = |path: &std::path::Path, error: String| ServeError::Tls(format!("{}: {error}", path.display()));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| bad(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| bad(&files.key, error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| bad(&files.certificate, error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stop`, then finishes what was begun.
pub(super) async fn serve(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: impl Future<Output = &'static str>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let open = GracefulShutdown::new();
    tokio::pin!(stop);
    let signal = loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, socket.accept().await)
        };
        tokio::select! {
            signal = &mut stop => break signal,
            (place, accepted) = accepted => match (place, accepted) {
                (Ok(place), Ok((stream, _))) => {
                    tokio::spawn(connection(stream, tls.clone(), router.clone(), open.watcher(), place));
                }
                (_, Err(error)) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                (Err(_), _) => break "the end",
            },
        }
    };
    tracing::info!(signal, "stopping");
    super::notify::tell("STOPPING=1");
    drop((socket, router));
    if tokio::time::timeout(STOP_PATIENCE, open.shutdown()).await.is_err() {
        tracing::warn!("connections were still busy and are cut");
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    open: Watcher,
    place: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(HEAD_MAX);
    let service = TowerToHyperService::new(router);
    let ended = match tls {
        None => open.watch(http.serve_connection(TokioIo::new(stream), service)).await,
        Some(tls) => match tokio::time::timeout(HEAD_PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => open.watch(http.serve_connection(TokioIo::new(stream), service)).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no TLS");
                Ok(())
            }
            Err(_) => Ok(()),
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}
