//! Diagnostics for the operator, in a file: what the pusher reads says only what the pusher can act on.

use crate::site::Site;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

/// Starts logging to the file that the policy names. Without one, or where it cannot be opened, there is no
/// log: a push does not depend on it.
pub fn open(site: &Site) {
    let Some(path) = site.log_path() else { return };
    let Ok(file) = OpenOptions::new().append(true).create(true).mode(0o640).open(path) else { return };
    let subscriber =
        tracing_subscriber::fmt().with_writer(Mutex::new(file)).with_ansi(false).with_max_level(tracing::Level::INFO);
    // A second call in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
}
