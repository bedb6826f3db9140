//! `keyring-sync sources`: who tells us of persons, and who fell silent.

use super::{Context, now};
use crate::config::Config;
use crate::life::{Degraded, Life};
use crate::report::{Failure, Report};
use crate::sources::{Pull, Settings};
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use countersign_registry::{StoreError, Tables};
use serde_json::json;

/// A source and how it lives.
pub(super) struct Known<'c> {
    pub source: &'c Source,
    pub settings: &'c Settings,
    pub life: Life,
    pub degraded: Option<Degraded>,
}

/// Every source that is configured, by name.
pub(super) fn known<'c>(config: &'c Config, tables: &Tables<'_>, at: Time) -> Result<Vec<Known<'c>>, StoreError> {
    let one = |(source, settings): (&'c Source, &'c Settings)| {
        let life = Life::of(tables.source_life(source)?, tables.last_received(source)?, at);
        let degraded = life.degraded(settings.silent_after, at);
        Ok(Known { source, settings, life, degraded })
    };
    config.sources.iter().map(one).collect()
}

/// `signals, scim`
fn kinds(settings: &Settings) -> Vec<&'static str> {
    let kinds = [
        (matches!(settings.pull, Some(Pull::Csv(_))), "csv"),
        (matches!(settings.pull, Some(Pull::Ldap(_))), "ldap"),
        (matches!(settings.pull, Some(Pull::Scim(_))), "scim_pull"),
        (settings.scim.is_some(), "scim"),
        (settings.signals.is_some(), "signals"),
        (settings.webhook.is_some(), "webhook"),
    ];
    kinds.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

/// Exit 1 where one is degraded.
pub(super) fn run(context: &Context) -> Result<Report, Failure> {
    let config = context.config()?;
    let registry = context.registry()?;
    let known = known(&config, &registry.tables(), now())?;
    let (mut lines, mut all) = (Vec::new(), Vec::new());
    for Known { source, settings, life, degraded } in &known {
        let kinds = kinds(settings);
        let heard = life.heard.map_or_else(|| "never heard".to_owned(), |heard| format!("last heard {heard}"));
        let standing = match (degraded, settings.silent_after) {
            (Some(degraded), _) => format!("DEGRADED: {degraded}"),
            (None, Some(_)) => "alive".to_owned(),
            (None, None) => "not watched: set silent_after".to_owned(),
        };
        let words = if kinds.is_empty() { "events".to_owned() } else { kinds.join(", ") };
        lines.push(format!("{source}  {words}  {heard}  {standing}"));
        all.push(json!({
            "source": source, "kinds": kinds, "rank": settings.rank, "last_heard": life.heard,
            "silent_after_s": settings.silent_after.map(|allowed| allowed.as_secs()),
            "degraded": degraded.is_some(), "reason": degraded.as_ref().map(ToString::to_string),
        }));
    }
    if known.is_empty() {
        lines.push("no sources are configured: set sources in keyring-sync.yaml".to_owned());
    }
    let refused = known.iter().any(|known| known.degraded.is_some());
    Ok(Report { text: lines.join("\n"), json: json!({"sources": all}), refused, ..Report::default() })
}
