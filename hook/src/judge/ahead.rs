//! The first commits of a push, examined while the ledger still opens: what they are does not depend on it.

use super::batch::Batch;
use super::facts::Facts;
use super::worker::Worker;
use crate::git::history::Parents;
use crate::git::objects::{Found, Objects};
use crate::progress::Progress;
use crate::push::RefUpdate;
use countersign_policy::commit::walk_header;
use countersign_policy::judge::Ground;
use std::collections::{HashSet, VecDeque};

/// A push of a hundred commits is examined as a whole, with no pause between.
const AHEAD_MAX: usize = 128;

/// Beyond so many bytes nothing more is read ahead: commits may have a megabyte each.
const AHEAD_BYTES: usize = 1024 * 1024;

/// What the walk need not find out again: it neither reads nor examines these commits.
#[derive(Debug, Default)]
pub struct Ahead {
    pub facts: Facts,
    /// Of the same commits.
    pub parents: Parents,
}

/// Examines commits that came with the push, from its tips downwards. Nothing is decided here: what cannot be read
/// is left to the walk.
///
/// On this thread alone: their signatures together cost less than two threads lose by waking each other.
pub fn examine(ground: &Ground<'_>, objects: &Objects, updates: &[RefUpdate], progress: &Progress) -> Ahead {
    let mut batch = Batch::default();
    let mut known = Parents::default();
    let mut queue: VecDeque<_> = updates.iter().map(|update| update.new).take(AHEAD_MAX).collect();
    let mut seen = HashSet::new();
    while let Some(id) = queue.pop_front() {
        if seen.len() >= AHEAD_MAX || batch.bytes_held() >= AHEAD_BYTES {
            break;
        }
        if !objects.in_quarantine(&id) || !seen.insert(id) {
            continue;
        }
        let read = objects.commit(&id, ground.policy.limits.commit_bytes, |raw| {
            batch.push(id, raw);
            walk_header(raw, ground.format).map(|(parents, _)| parents)
        });
        if let Ok(Found::Commit(parents)) = read {
            let parents = parents.unwrap_or_default();
            queue.extend(&parents);
            known.keep(id, parents);
        }
    }
    let mut done = Vec::new();
    Worker::new(ground).examine(&[batch], progress, &mut done);
    let mut facts = Facts::default();
    facts.extend(done);
    Ahead { facts, parents: known }
}
