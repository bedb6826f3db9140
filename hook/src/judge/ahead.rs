//! The first commits of a push, examined while the ledger still opens: what they are does not depend on it.

use super::facts::{Examiner, Facts};
use super::hands::Hands;
use crate::git::history::Met;
use crate::git::objects::{Found, Objects};
use crate::progress::Progress;
use crate::push::RefUpdate;
use countersign_policy::commit::walk_header;
use countersign_policy::judge::Ground;
use std::collections::{HashSet, VecDeque};

/// A push of a hundred commits is examined as a whole, with no pause between. Each is read once more by the walk itself.
const AHEAD_MAX: usize = 128;

/// Examines commits that came with the push, from its tips downwards. Nothing is decided here: what cannot be read
/// is left to the walk.
pub fn examine(
    ground: &Ground<'_>,
    objects: &Objects,
    updates: &[RefUpdate],
    progress: &Progress,
    hands: Hands,
) -> Facts {
    let before = Facts::default();
    std::thread::scope(|scope| {
        let mut examiner = Examiner::new(scope, (ground, progress), &before, hands);
        let mut queue: VecDeque<_> = updates.iter().map(|update| update.new).take(AHEAD_MAX).collect();
        let mut seen = HashSet::new();
        while let Some(id) = queue.pop_front() {
            if seen.len() >= AHEAD_MAX {
                break;
            }
            if !objects.in_quarantine(&id) || !seen.insert(id) {
                continue;
            }
            let read = objects.commit(&id, ground.policy.limits.commit_bytes, |raw| {
                examiner.meet(id, Met::Commit(raw));
                walk_header(raw, ground.format).map(|(parents, _)| parents)
            });
            if let Ok(Found::Commit(parents)) = read {
                queue.extend(parents.unwrap_or_default());
            }
        }
        examiner.finish()
    })
}
