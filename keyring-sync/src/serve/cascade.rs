//! What the service tells of the cascade in its metrics.

use super::metrics::label;
use crate::cascade::run::Progress;
use countersign_registry::CascadeOpen;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What waits on forges that are not configured, taken together: names of accounts are other people's words, and as
/// many as they like.
const UNCONFIGURED: &str = "unconfigured";

/// Prometheus text format 0.0.4. `open` is what the journal says, by forge.
pub(super) fn text(progress: &Progress, open: &BTreeMap<String, CascadeOpen>) -> String {
    let attempts = progress.attempts();
    let mut by_forge: BTreeMap<&str, CascadeOpen> =
        attempts.keys().map(|forge| (forge.as_str(), CascadeOpen::default())).collect();
    for (forge, open) in open {
        let name = if attempts.contains_key(forge) { forge.as_str() } else { UNCONFIGURED };
        let sum = by_forge.entry(name).or_default();
        sum.cut += open.cut;
        sum.held += open.held;
        sum.cut_since = [sum.cut_since, open.cut_since].into_iter().flatten().min();
    }
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(out, "{name}{{{labels}}} {value}");
        }
    };
    let mut waiting = Vec::new();
    for (forge, open) in &by_forge {
        waiting.push((format!("forge=\"{}\",what=\"cut\"", label(forge)), open.cut as f64));
        waiting.push((format!("forge=\"{}\",what=\"return\"", label(forge)), open.held as f64));
    }
    let help = "Ways into the forge of people who are out that the forge has not confirmed to be cut, and accounts of people who are in again that could not be given back.";
    family("keyring_sync_cascade_open", "gauge", help, &waiting);
    let since = |open: &CascadeOpen| open.cut_since.map(|since| since.unix_millis() as f64 / 1000.0);
    let oldest: Vec<(String, f64)> = by_forge
        .iter()
        .filter_map(|(forge, open)| Some((format!("forge=\"{}\"", label(forge)), since(open)?)))
        .collect();
    let help = "Since when the oldest way in that is not confirmed to be cut should be.";
    family("keyring_sync_cascade_open_since_timestamp_seconds", "gauge", help, &oldest);
    let mut ended = Vec::new();
    for (forge, attempts) in &attempts {
        for (result, count) in [("confirmed", attempts.confirmed), ("failed", attempts.failed)] {
            ended.push((format!("forge=\"{}\",result=\"{result}\"", label(forge)), count as f64));
        }
    }
    family("keyring_sync_cascade_attempts_total", "counter", "Attempts on the forge by how they ended.", &ended);
    let name = "keyring_sync_orphaned_service_accounts";
    let _ = writeln!(
        out,
        "# HELP {name} Service accounts whose owner is out.\n# TYPE {name} gauge\n{name} {}",
        progress.orphans()
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_policy::time::Time;

    #[test]
    fn what_waits_is_told_by_forge_and_strangers_together() {
        let progress = Progress::named(["gitea"]);
        let at = |seconds| Some(Time::from_unix_seconds(seconds));
        let open = BTreeMap::from([
            ("gitea".to_owned(), CascadeOpen { cut: 3, cut_since: at(70), held: 1 }),
            ("a\"b".to_owned(), CascadeOpen { cut: 1, cut_since: at(60), held: 0 }),
            ("c".to_owned(), CascadeOpen { cut: 4, cut_since: at(50), held: 0 }),
        ]);
        let text = text(&progress, &open);
        for line in [
            "keyring_sync_cascade_open{forge=\"gitea\",what=\"cut\"} 3",
            "keyring_sync_cascade_open{forge=\"gitea\",what=\"return\"} 1",
            "keyring_sync_cascade_open{forge=\"unconfigured\",what=\"cut\"} 5",
            "keyring_sync_cascade_open_since_timestamp_seconds{forge=\"gitea\"} 70",
            "keyring_sync_cascade_open_since_timestamp_seconds{forge=\"unconfigured\"} 50",
            "keyring_sync_cascade_attempts_total{forge=\"gitea\",result=\"failed\"} 0",
            "keyring_sync_orphaned_service_accounts 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
