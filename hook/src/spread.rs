//! Threads that begin at once, each on a processor of its own.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// While it lives, this thread keeps the processor that it runs on to itself, as far as the threads of this process
/// go. A kernel that spreads its work by itself has put them elsewhere already. But there are kernels, in virtual
/// machines above all, that put a thread behind the one that started or woke it, and leave it there for milliseconds,
/// which is longer than a push of hundreds takes.
///
/// Best effort: where it fails, they work later.
#[derive(Debug)]
pub struct Spread {
    /// Where this thread may run afterwards.
    before: Option<CpuSet>,
}

impl Spread {
    /// Keeps away all threads that are not `known`.
    pub fn new(known: &[Pid]) -> Self {
        let here = sched_getcpu();
        let Ok(everywhere) = sched_getaffinity(None) else { return Spread { before: None } };
        let (mut elsewhere, mut only_here) = (everywhere, CpuSet::new());
        if here < CpuSet::MAX_CPU {
            elsewhere.unset(here);
            only_here.set(here);
        }
        let others: Vec<Pid> = threads().filter(|thread| !known.contains(thread)).collect();
        if others.is_empty() || elsewhere.count() == 0 || only_here.count() == 0 {
            return Spread { before: None };
        }
        for thread in others {
            let _ = sched_setaffinity(Some(thread), &elsewhere);
        }
        Spread { before: sched_setaffinity(None, &only_here).is_ok().then_some(everywhere) }
    }
}

impl Drop for Spread {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = sched_setaffinity(None, before);
        }
    }
}

/// All of this process.
pub fn threads() -> impl Iterator<Item = Pid> {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn new_threads_run_elsewhere_where_there_is_more_than_one_processor() {
        let (all, known) = (sched_getaffinity(None).unwrap(), threads().collect::<Vec<_>>());
        let (started, over) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                started.wait();
                over.wait();
                sched_getaffinity(None).unwrap()
            });
            started.wait();
            assert!(threads().count() > known.len());
            let spread = Spread::new(&known);
            let here = sched_getaffinity(None).unwrap();
            over.wait();
            let there = other.join().unwrap();
            assert_eq!((here.count(), there.count()), (1, (all.count() - 1).max(1)));
            drop(spread);
        });
        assert_eq!(sched_getaffinity(None).unwrap(), all, "this one goes on as before");
    }
}
