//! Diagnostics for the operator, in a file: what the pusher reads says only what the pusher can act on.

use crate::site::Site;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::sync::Mutex;

/// Starts logging to the file that the policy names. Without one, or where it cannot be opened, there is no
/// log: a push does not depend on it.
pub fn open(site: &Site) {
    let Some(path) = site.log_path() else { return };
    let Ok(file) = OpenOptions::new().append(true).create(true).mode(0o640).open(&path) else { return };
    hand_over(&file, &path);
    let subscriber =
        tracing_subscriber::fmt().with_writer(Mutex::new(file)).with_ansi(false).with_max_level(tracing::Level::INFO);
    // A second call in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
}

/// A log that root made belongs to whom its folder belongs: the hooks go on writing it.
fn hand_over(file: &File, path: &Path) {
    let folder = path.parent().and_then(|folder| folder.metadata().ok());
    if let (Ok(here), Some(there)) = (file.metadata(), folder)
        && here.uid() == 0
        && there.uid() != 0
    {
        // What fails only leaves the log as it is: without one, pushes are judged all the same.
        let _ = fchown(file, Some(there.uid()), Some(there.gid()));
    }
}
