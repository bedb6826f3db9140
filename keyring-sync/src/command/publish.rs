//! `keyring-sync publish`

use super::{Context, now};
use crate::report::{self, Failure, Report};
use serde_json::json;

/// Publishes what the registry holds, changed or not. Where the policy's `registry_max_age` asks for a keyring
/// that is confirmed from time to time, a timer runs this.
pub(super) fn run(context: &Context) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let published = registry.publish(now())?;
    let mut json = json!({});
    super::add_publication(&mut json, published);
    Ok(Report { text: report::published(published), json, ..Report::default() })
}
