//! What a command has to say, for people and for programs.

use crate::config::ConfigError;
use crate::door::Refused;
use countersign_registry::{Published, StoreError};
use serde_json::{Value, json};

/// Version of the JSON that `--format json` prints.
pub const SCHEMA_VERSION: u32 = 1;

/// The answer of a command.
#[derive(Debug, Default)]
pub struct Report {
    /// For people, without a newline at the end.
    pub text: String,
    /// For programs: an object; `schema_version` is added when it is printed.
    pub json: Value,
    /// For the operator, on stderr.
    pub notes: Vec<String>,
    /// Whether everything asked for was done, although some may be reported as not.
    pub refused: bool,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The answer is no; exit 1.
    #[error("{0}")]
    No(String),
    /// It could not be done; exit 2.
    #[error("{0}")]
    Fault(String),
    /// The command line makes no sense; exit 64.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::No(_) => 1,
            Failure::Fault(_) => 2,
            Failure::Usage(_) => 64,
        }
    }

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Failure {
        move |error| Failure::Fault(format!("{}: {error}", path.display()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Fault(error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::Fault(error.to_string())
    }
}

impl From<crate::keys::KeyRefused> for Failure {
    fn from(refused: crate::keys::KeyRefused) -> Self {
        Failure::No(refused.to_string())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        if refused.is_fault() { Failure::Fault(refused.to_string()) } else { Failure::No(refused.to_string()) }
    }
}

/// `published as epoch 43 in 0.8 ms`
pub(crate) fn published(published: Published) -> String {
    format!("published as epoch {} in {:.1} ms", published.epoch, millis(published))
}

pub(crate) fn published_json(published: Published) -> Value {
    json!({"epoch": published.epoch, "published_in_ms": millis(published)})
}

fn millis(published: Published) -> f64 {
    (published.took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// `1 event`, `2 events`
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Sets a field of a JSON object.
pub(crate) fn set(object: &mut Value, field: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(field.to_owned(), value);
    }
}
