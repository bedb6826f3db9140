//! The sources of `keyring-sync.yaml`: who is believed how much, and whose lists are where.

use crate::event::OPERATOR;
use crate::feed::csv::{Reading, ZoneName};
use crate::feed::ldap::Ldap;
use crate::feed::ldap::config::RawLdap;
use crate::feed::list::{Place, Status};
use crate::feed::scim::config::{RawScim, Scim};
use crate::feed::scim::pull::ScimPull;
use crate::feed::signals::config::{RawSignals, Signals};
use crate::feed::webhook::config::{RawWebhook, Webhook};
use crate::serve::METRICS;
use countersign_policy::duration::Period;
use countersign_policy::id::Source;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The source of events that this program makes of others.
const OWN: &str = "keyring-sync";

/// The word of people who run the registry outranks every feed's.
const OPERATOR_RANK: u8 = u8::MAX;

/// A stream that is asked every twenty minutes to show that it works, and did not three times.
const STREAM_SILENT_AFTER: Duration = Duration::from_secs(3600);

/// Signs of life are looked at once a second.
const SILENCE_MIN: Duration = Duration::from_secs(1);

/// The rank that each source has today; a source without one lifts nothing but its own.
///
/// The rank is stamped on an event when it is received, and the fold reads the stamp. So the meaning of a log never
/// depends on today's configuration: a rank that is changed counts for what is heard from then on, and what was heard
/// before there were ranks has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranks(BTreeMap<Source, u8>);

impl Ranks {
    pub fn new(ranks: impl IntoIterator<Item = (Source, u8)>) -> Self {
        Ranks(ranks.into_iter().collect())
    }

    pub fn of(&self, source: &Source) -> Option<u8> {
        if source.as_str() == OPERATOR { Some(OPERATOR_RANK) } else { self.0.get(source).copied() }
    }
}

/// One source as it is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub rank: Option<u8>,
    /// Where `keyring-sync sync` reads a whole list.
    pub pull: Option<Pull>,
    pub scim: Option<Scim>,
    pub webhook: Option<Webhook>,
    pub signals: Option<Signals>,
    /// How long it may be silent.
    pub silent_after: Option<Duration>,
}

/// A source that is asked, and does not speak by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    Csv(CsvSettings),
    Ldap(Box<Ldap>),
    Scim(Box<ScimPull>),
}

/// Where the nightly list of a source is, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvSettings {
    pub file: PathBuf,
    pub reading: Reading,
    pub departments: BTreeMap<String, Place>,
    /// The public keys of which one must have signed each list.
    pub signed_by: Option<PathBuf>,
}

/// A source as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    rank: Option<u8>,
    csv: Option<RawCsv>,
    ldap: Option<RawLdap>,
    scim_pull: Option<ScimPull>,
    scim: Option<RawScim>,
    webhook: Option<RawWebhook>,
    signals: Option<RawSignals>,
    silent_after: Option<Period>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCsv {
    file: PathBuf,
    timezone: Option<String>,
    #[serde(default)]
    statuses: BTreeMap<String, Status>,
    #[serde(default)]
    departments: BTreeMap<String, Place>,
    signed_by: Option<PathBuf>,
    max_age: Option<Period>,
}

impl RawCsv {
    fn check(self, folder: &Path) -> Result<CsvSettings, String> {
        let zone = self.timezone.as_deref().map(ZoneName::new).transpose();
        let zone = zone.map_err(|error| format!("timezone: {error}"))?;
        let reading = Reading { zone, statuses: self.statuses, max_age: self.max_age };
        let signed_by = self.signed_by.map(|file| folder.join(file));
        Ok(CsvSettings { file: folder.join(self.file), reading, departments: self.departments, signed_by })
    }
}

impl RawSettings {
    /// Relative paths count from `folder`.
    pub fn check(self, source: &Source, folder: &Path) -> Result<Settings, String> {
        match source.as_str() {
            OPERATOR => return Err(format!("sources: `{OPERATOR}` is who runs this program, and no feed")),
            name @ (OWN | METRICS) => {
                return Err(format!(
                    "sources: `{name}` is kept for this program itself: call the source something else"
                ));
            }
            _ => {}
        }
        let bad = |error: String| format!("sources: {source}: {error}");
        // Two lists of one source would each lack whom the other one has.
        let pull = match (self.csv, self.ldap, self.scim_pull) {
            (None, None, None) => None,
            (Some(raw), None, None) => Some(Pull::Csv(raw.check(folder).map_err(bad)?)),
            (None, Some(raw), None) => {
                Some(Pull::Ldap(Box::new(raw.check(folder).map_err(|error| bad(format!("ldap: {error}")))?)))
            }
            (None, None, Some(raw)) => Some(Pull::Scim(Box::new(raw.within(folder)))),
            _ => {
                return Err(bad(
                    "it has one list: csv, ldap or scim_pull. Give the others a source of their own".to_owned()
                ));
            }
        };
        let webhook = self.webhook.map(|raw| Webhook::check(raw, source, folder).map_err(bad)).transpose()?;
        // What a stream of events suspended, the stream may lift: it must be told apart from every other word.
        if self.signals.is_some() && (self.scim.is_some() || pull.is_some() || webhook.is_some()) {
            return Err(bad("signals stand in a source of their own: give it another name".to_owned()));
        }
        let signals = self.signals.map(|raw| Signals::check(raw, folder).map_err(|error| bad(error.to_string())));
        let signals = signals.transpose()?;
        let verified = signals.as_ref().is_some_and(|signals| signals.verification.is_some());
        let silent_after = self.silent_after.map(Period::get).or(verified.then_some(STREAM_SILENT_AFTER));
        if silent_after.is_some_and(|silence| silence < SILENCE_MIN) {
            return Err(bad(format!("silent_after must be at least {} s", SILENCE_MIN.as_secs())));
        }
        Ok(Settings { rank: self.rank, pull, scim: self.scim.map(Scim::from), webhook, signals, silent_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_outranks_the_operator_and_who_is_not_listed_has_no_rank() {
        let source = |name: &str| Source::new(name).unwrap();
        let ranks = Ranks::new([(source("hr"), 10), (source(OPERATOR), 1)]);
        assert_eq!(["hr", OPERATOR, "scim"].map(|name| ranks.of(&source(name))), [Some(10), Some(u8::MAX), None]);
    }
}
