//! `keyring-sync init`

use super::{Context, now};
use crate::config::{Config, DEFAULT_TEXT};
use crate::report::{Failure, Report};
use countersign_registry::Registry;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const CONFIG_NAME: &str = "keyring-sync.yaml";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for everything; by default that of the configuration file
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Makes `keyring-sync.yaml`, `registry.db` and an empty published keyring under `root`. What is
/// there already stays as it is. Returns the path of the configuration, and whether anything is new.
pub fn init(root: &Path) -> Result<(PathBuf, bool), Failure> {
    init_at(&root.join(CONFIG_NAME))
}

fn init_at(path: &Path) -> Result<(PathBuf, bool), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    let mut new = write_new(path, DEFAULT_TEXT)?;
    let config = Config::read(path)?;
    if config.registry.exists() {
        Registry::open(&config.registry, &config.keyring)?.repair(now())?;
    } else {
        Registry::create(&config.registry, &config.keyring, now())?;
        new = true;
    }
    Ok((path.to_owned(), new))
}

fn write_new(path: &Path, text: &str) -> Result<bool, Failure> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(Failure::file(path))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Failure::file(path)(error)),
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let (path, new) = match &args.root {
        Some(root) => init(root)?,
        None => init_at(&context.config)?,
    };
    let text = if new {
        format!("made an empty registry as {} says\nnext: keyring-sync person add", path.display())
    } else {
        format!("{} and its registry are there already", path.display())
    };
    Ok(Report { text, json: json!({"config": path, "changed": new}), ..Report::default() })
}
