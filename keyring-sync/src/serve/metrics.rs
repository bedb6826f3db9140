//! What the service counts, and its Prometheus text.

use crate::life::Life;
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds in seconds: a commit is some milliseconds, and one that rewrites the base of 100,000 persons a second.
const BUCKETS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    accepted: u64,
    rejected: u64,
    failed: u64,
    last_event: Option<Time>,
    /// From the receipt of the last change to its publication.
    lag: Duration,
}

#[derive(Debug, Default)]
struct Inner {
    sources: BTreeMap<Source, Counts>,
    epoch: u64,
    buckets: [u64; BUCKETS.len()],
    commits: u64,
    commit_seconds: f64,
    commits_failed: u64,
    unauthorized: u64,
}

/// How a request of a source ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Something was changed.
    Changed(Duration),
    Read,
    /// The request was at fault.
    Rejected,
    /// We were.
    Failed,
}

#[derive(Debug, Default)]
pub struct Metrics(Mutex<Inner>);

/// What the registry says of sources at this moment.
#[derive(Debug)]
pub struct Waiting<'w> {
    /// How many changes of a source wait for two people.
    pub staged: &'w BTreeMap<Source, u64>,
    /// How many of its hints are open.
    pub hints: &'w BTreeMap<Source, u64>,
    /// How many of its security events wait for an operator's look.
    pub reviews: &'w BTreeMap<Source, u64>,
    /// Of those that are to be heard regularly; and whether they are degraded.
    pub lives: &'w BTreeMap<Source, (Life, bool)>,
}

impl Metrics {
    /// With every source that is configured, so that one that never spoke is seen to be silent.
    pub fn new(sources: impl Iterator<Item = (Source, Option<Time>)>, epoch: u64) -> Self {
        let sources =
            sources.map(|(source, last_event)| (source, Counts { last_event, ..Counts::default() })).collect();
        Metrics(Mutex::new(Inner { sources, epoch, ..Inner::default() }))
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn committed(&self, took: Duration, epoch: u64) {
        self.change(|inner| {
            let seconds = took.as_secs_f64();
            inner.epoch = epoch;
            inner.commits += 1;
            inner.commit_seconds += seconds;
            for (count, bound) in inner.buckets.iter_mut().zip(BUCKETS) {
                *count += u64::from(seconds <= bound);
            }
        });
    }

    pub fn commit_failed(&self) {
        self.change(|inner| inner.commits_failed += 1);
    }

    pub fn published(&self, epoch: u64) {
        self.change(|inner| inner.epoch = epoch);
    }

    pub fn unauthorized(&self) {
        self.change(|inner| inner.unauthorized += 1);
    }

    pub fn request(&self, source: &Source, ended: Ended, now: Time) {
        self.change(|inner| {
            // Only sources that hold a token come here, and those are few.
            let counts = inner.sources.entry(source.clone()).or_default();
            match ended {
                Ended::Changed(lag) => {
                    counts.accepted += 1;
                    (counts.last_event, counts.lag) = (Some(now), lag);
                }
                Ended::Read => counts.accepted += 1,
                Ended::Rejected => counts.rejected += 1,
                Ended::Failed => counts.failed += 1,
            }
        });
    }

    /// Prometheus text format 0.0.4.
    pub fn text(&self, waiting: &Waiting<'_>) -> String {
        let Waiting { staged, hints, reviews, lives } = waiting;
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let each = |value: &dyn Fn(&Counts) -> Option<f64>| -> Vec<(String, f64)> {
            let sample = |(source, counts): (&Source, &Counts)| {
                Some((format!("{{source=\"{}\"}}", label(source.as_str())), value(counts)?))
            };
            inner.sources.iter().filter_map(sample).collect()
        };
        let seconds = |time: Time| time.unix_millis() as f64 / 1000.0;
        family(
            "keyring_sync_source_last_event_timestamp_seconds",
            "gauge",
            "When the source last changed something.",
            &each(&|counts| counts.last_event.map(seconds)),
        );
        family(
            "keyring_sync_source_lag_seconds",
            "gauge",
            "From the receipt of the source's last change to its publication.",
            &each(&|counts| counts.last_event.map(|_| counts.lag.as_secs_f64())),
        );
        let of = |source: &Source| format!("{{source=\"{}\"}}", label(source.as_str()));
        let of_each = |counts: &BTreeMap<Source, u64>| -> Vec<(String, f64)> {
            let others = counts.keys().filter(|source| !inner.sources.contains_key(source));
            let sources = inner.sources.keys().chain(others);
            sources.map(|source| (of(source), counts.get(source).copied().unwrap_or(0) as f64)).collect()
        };
        let help = "Changes of the source that wait for two people.";
        family("keyring_sync_staged", "gauge", help, &of_each(staged));
        let help = "People whom the source hinted to have left, not confirmed and not refuted yet.";
        family("keyring_sync_hints_open", "gauge", help, &of_each(hints));
        let help = "Security events of the source that an operator has to look at.";
        family("keyring_sync_signal_reviews_open", "gauge", help, &of_each(reviews));
        let heard: Vec<(String, f64)> =
            lives.iter().filter_map(|(source, (life, _))| Some((of(source), seconds(life.heard?)))).collect();
        let help = "When the source last gave a sign of life.";
        family("keyring_sync_source_last_heard_timestamp_seconds", "gauge", help, &heard);
        let degraded: Vec<(String, f64)> =
            lives.iter().map(|(source, (_, degraded))| (of(source), f64::from(u8::from(*degraded)))).collect();
        let help = "Whether the source is silent for too long, or says that it stopped.";
        family("keyring_sync_source_degraded", "gauge", help, &degraded);
        let mut requests = Vec::new();
        for (source, counts) in &inner.sources {
            let results = [("accepted", counts.accepted), ("rejected", counts.rejected), ("failed", counts.failed)];
            for (result, count) in results {
                let labels = format!("{{source=\"{}\",result=\"{result}\"}}", label(source.as_str()));
                requests.push((labels, count as f64));
            }
        }
        family("keyring_sync_requests_total", "counter", "Requests of the source by how they ended.", &requests);
        family(
            "keyring_sync_unauthorized_total",
            "counter",
            "Requests without a valid token or signature.",
            &[(String::new(), inner.unauthorized as f64)],
        );
        family(
            "keyring_sync_published_epoch",
            "gauge",
            "The epoch of the published keyring.",
            &[(String::new(), inner.epoch as f64)],
        );
        family(
            "keyring_sync_commit_failures_total",
            "counter",
            "Changes that could not be committed or published.",
            &[(String::new(), inner.commits_failed as f64)],
        );
        let name = "keyring_sync_commit_duration_seconds";
        let _ = writeln!(out, "# HELP {name} A commit and its publication.\n# TYPE {name} histogram");
        for (bound, count) in BUCKETS.iter().zip(inner.buckets) {
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {}", inner.commits);
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {}", inner.commit_seconds, inner.commits);
        out
    }
}

pub(super) fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_seen_before_it_speaks_and_after() {
        let okta = Source::new("ok\"ta").unwrap();
        let metrics = Metrics::new([(okta.clone(), None)].into_iter(), 7);
        let (staged, hints) = (BTreeMap::from([(okta.clone(), 3)]), BTreeMap::from([(okta.clone(), 2)]));
        let (none, lives) = (BTreeMap::new(), BTreeMap::new());
        let text = metrics.text(&Waiting { staged: &staged, hints: &hints, reviews: &none, lives: &lives });
        assert!(text.contains("keyring_sync_staged{source=\"ok\\\"ta\"} 3\n"), "{text}");
        assert!(text.contains("keyring_sync_hints_open{source=\"ok\\\"ta\"} 2\n"), "{text}");
        assert!(text.contains("keyring_sync_requests_total{source=\"ok\\\"ta\",result=\"rejected\"} 0\n"), "{text}");
        assert!(!text.contains("timestamp_seconds{"), "who never spoke did not speak in 1970: {text}");
        metrics.request(&okta, Ended::Changed(Duration::from_millis(20)), Time::from_unix_millis(1_500));
        metrics.request(&okta, Ended::Rejected, Time::from_unix_millis(9_000));
        metrics.committed(Duration::from_millis(20), 8);
        let life = Life { heard: Some(Time::from_unix_millis(2_500)), ..Life::begun(Time::from_unix_millis(0)) };
        let lives = BTreeMap::from([(okta, (life, true))]);
        let text = metrics.text(&Waiting { staged: &none, hints: &none, reviews: &none, lives: &lives });
        for line in [
            "keyring_sync_source_last_event_timestamp_seconds{source=\"ok\\\"ta\"} 1.5",
            "keyring_sync_source_lag_seconds{source=\"ok\\\"ta\"} 0.02",
            "keyring_sync_requests_total{source=\"ok\\\"ta\",result=\"rejected\"} 1",
            "keyring_sync_source_last_heard_timestamp_seconds{source=\"ok\\\"ta\"} 2.5",
            "keyring_sync_source_degraded{source=\"ok\\\"ta\"} 1",
            "keyring_sync_signal_reviews_open{source=\"ok\\\"ta\"} 0",
            "keyring_sync_published_epoch 8",
            "keyring_sync_commit_duration_seconds_bucket{le=\"0.01\"} 0",
            "keyring_sync_commit_duration_seconds_bucket{le=\"0.025\"} 1",
            "keyring_sync_commit_duration_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
