//! A source's list, from wherever it is.

use super::now;
use crate::config::Config;
use crate::feed::csv::signature::{self, Signers};
use crate::feed::csv::{self, Beside, LIST_MAX};
use crate::feed::ldap;
use crate::feed::list::{Answer, Export};
use crate::feed::scim;
use crate::report::Failure;
use crate::sources::{CsvSettings, Pull};
use countersign_policy::id::Source;
use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More than any line of `sha256sum`, and than any signature.
const BESIDE_MAX: u64 = 64 << 10;

/// A whole list.
pub(super) struct Listed {
    pub export: Export,
    /// Where it is, for people.
    pub place: String,
    pub notes: Vec<String>,
}

/// The inner error says why the list is refused; the other sources may be fine.
pub(super) fn read(config: &Config, source: &Source, pull: &Pull) -> Result<Result<Listed, String>, Failure> {
    match pull {
        Pull::Csv(settings) => file(config, source, settings),
        Pull::Ldap(settings) => {
            let place = format!("the directory at {}", settings.address.host);
            Ok(answered(place, ldap::read(settings, now())))
        }
        Pull::Scim(settings) => Ok(answered(settings.url.as_str().to_owned(), scim::pull::read(settings, now()))),
    }
}

fn answered(place: String, answer: Result<Answer, impl Display>) -> Result<Listed, String> {
    match answer {
        Ok(Answer { export, notes }) => Ok(Listed { export, place, notes }),
        Err(bad) => Err(format!("{place} is refused: {bad}")),
    }
}

fn file(config: &Config, source: &Source, settings: &CsvSettings) -> Result<Result<Listed, String>, Failure> {
    let place = settings.file.display().to_string();
    let bytes = bounded(&settings.file, LIST_MAX as u64)?;
    let signed = match &settings.signed_by {
        None => false,
        Some(keys) => {
            let Some(server) = &config.server else {
                return Err(Failure::Fault(format!(
                    "sources: {source}: signed_by: signatures bind a list to this server: add `server: git.example`"
                )));
            };
            let signers = Signers::read(&bounded(keys, BESIDE_MAX)?, source, now())
                .map_err(|reason| Failure::Fault(format!("{}: {reason}", keys.display())))?;
            let signature = beside(&settings.file, signature::SUFFIX)?;
            if let Err(reason) = signers.check(&bytes, signature.as_deref(), server, now()) {
                return Ok(Err(format!("{place} is refused: {reason}")));
            }
            true
        }
    };
    // What `sha256sum` wrote, if it did.
    let sha256 = beside(&settings.file, ".sha256")?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let beside = Beside { sha256: sha256.as_deref(), signed };
    Ok(match csv::read(&bytes, beside, &settings.reading, now()) {
        Ok(export) => Ok(Listed { export, place, notes: Vec::new() }),
        Err(bad) => Err(format!("{place} is refused: {bad}")),
    })
}

fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(Failure::file(path))?;
    Ok(bytes)
}

/// The file named like the list with something added.
fn beside(list: &Path, suffix: &str) -> Result<Option<Vec<u8>>, Failure> {
    let mut name = list.as_os_str().to_owned();
    name.push(suffix);
    let path = PathBuf::from(name);
    if path.exists() { bounded(&path, BESIDE_MAX).map(Some) } else { Ok(None) }
}
