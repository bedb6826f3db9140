//! Walking history: which commits a ref update brings in.
//!
//! What came with the push is walked first, without looking at dates: one commit dated 1970 must not make the
//! walk read all of history. Where it meets commits that were here before, nothing vouches for them by
//! themselves, and only then do trusted tips and those commits walk towards each other, by date, as git does.
//! Dates only order that work: a commit is left out when a path from a trusted id to it was really walked.

use super::GitError;
use super::objects::{Found, Kind, Objects};
use countersign_policy::commit::walk_header;
use countersign_policy::id::{ObjectFormat, ObjectId};
use countersign_policy::tag::Tag;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Instant;

/// Commits of the main store that nothing vouches for, before every trusted tip is asked. Few branches
/// hang further from the mainline than this; reading 100,000 tips costs a third of a second.
const NEAR_PATIENCE: usize = 256;

/// The clock is read once in so many commits.
const CLOCK_EVERY: usize = 256;

/// Bytes of a commit that is trusted already, where only its parents are of interest. What is judged has the
/// policy's own, smaller limit.
const TRUSTED_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum WalkError<E> {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("the time for judging this push ran out")]
    OutOfTime,
    #[error("{0}")]
    Trust(E),
}

/// What vouches for history that need not be judged again.
pub trait Trust {
    type Error;
    /// Whether an operator's baseline names this commit; asked of every commit, so it must be quick.
    fn is_baseline(&self, id: &ObjectId) -> bool;
    /// Whether this very commit, and with it all its ancestors, is vouched for. Asked only of commits that
    /// the push did not bring along.
    fn vouches(&mut self, id: &ObjectId) -> Result<bool, Self::Error>;
    /// The few ids most likely to lie above any older commit: the mainline tips.
    fn near_tips(&mut self) -> Result<Vec<ObjectId>, Self::Error>;
    /// Ids whose ancestors are everything that is vouched for.
    fn all_tips(&mut self) -> Result<Vec<ObjectId>, Self::Error>;
}

/// A commit met on the way from the new tip.
#[derive(Debug)]
pub enum Met<'a> {
    Commit(&'a [u8]),
    /// Larger than the limit; not read, and its parents not followed.
    TooLarge(usize),
    Missing,
    /// The id names something else.
    NotACommit(Kind),
}

/// What a walk may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub commit_bytes: usize,
    pub commits: usize,
    pub deadline: Instant,
}

/// The outcome of a walk.
#[derive(Debug, Default)]
pub struct NewHistory {
    /// Met and not vouched for, children before their parents as far as the walk could tell.
    pub commits: Vec<ObjectId>,
    /// The old tips that were met on the way down from the new ones.
    pub met_old: HashSet<ObjectId>,
    /// Something else than the old tips vouched for a part of what was met.
    pub by_others: bool,
}

const WANTED: u8 = 1;
const TRUSTED: u8 = 2;
const QUEUED: u8 = 4;
const DONE: u8 = 8;

struct Walk<'a> {
    objects: &'a Objects,
    format: ObjectFormat,
    bounds: Bounds,
    flags: HashMap<ObjectId, u8>,
    queue: BinaryHeap<(i64, ObjectId)>,
    /// How many of the queue are wanted and not trusted; the walk ends at zero.
    open: usize,
    steps: usize,
}

impl Walk<'_> {
    fn tick<E>(&mut self) -> Result<(), WalkError<E>> {
        self.steps += 1;
        if self.steps.is_multiple_of(CLOCK_EVERY) && Instant::now() > self.bounds.deadline {
            return Err(WalkError::OutOfTime);
        }
        Ok(())
    }

    fn flag(&self, id: &ObjectId) -> u8 {
        self.flags.get(id).copied().unwrap_or(0)
    }

    /// The commit date of `id`; 0 for what cannot be read, so that it comes last.
    fn date(&self, id: &ObjectId) -> Result<i64, GitError> {
        Ok(self.header(id)?.map_or(0, |(_, date)| date))
    }

    /// Parents and date. A tag that is a trusted tip counts as a child of what it names.
    fn header(&self, id: &ObjectId) -> Result<Option<(Vec<ObjectId>, i64)>, GitError> {
        match self.objects.header(id)? {
            Some(header) if header.kind == Kind::Commit && header.size <= TRUSTED_BYTES => {
                Ok(self.objects.read(id, |_, raw| walk_header(raw, self.format))?.flatten())
            }
            Some(header) if header.kind == Kind::Tag && header.size <= TRUSTED_BYTES => {
                let target = self.objects.read(id, |_, raw| Tag::target(raw, self.format))?.flatten();
                Ok(target.map(|target| (vec![target], i64::MAX)))
            }
            _ => Ok(None),
        }
    }

    /// Whether the id names something else than a commit.
    fn is_no_commit(&self, id: &ObjectId) -> Result<bool, GitError> {
        Ok(self.objects.header(id)?.is_some_and(|header| header.kind != Kind::Commit))
    }

    fn enqueue(&mut self, id: ObjectId, colour: u8) -> Result<(), GitError> {
        let before = self.flag(&id);
        let after = before | colour | QUEUED;
        if before & QUEUED == 0 {
            let date = self.date(&id)?;
            self.queue.push((date, id));
            if after & TRUSTED == 0 {
                self.open += 1;
            }
        } else if colour & TRUSTED != 0 && before & TRUSTED == 0 && before & DONE == 0 {
            self.open = self.open.saturating_sub(1);
        }
        self.flags.insert(id, after);
        Ok(())
    }

    /// Marks `ids` trusted, and what was already walked below them.
    fn trust(&mut self, ids: Vec<ObjectId>) -> Result<(), GitError> {
        let mut stack = ids;
        while let Some(id) = stack.pop() {
            let before = self.flag(&id);
            if before & TRUSTED != 0 {
                continue;
            }
            self.enqueue(id, TRUSTED)?;
            if before & DONE != 0
                && let Some((parents, _)) = self.header(&id)?
            {
                stack.extend(parents);
            }
        }
        Ok(())
    }
}

/// Parents of commits that were read during this push, for a push in which several refs bring in the same ones.
#[derive(Debug, Default)]
pub struct Parents(HashMap<ObjectId, Vec<ObjectId>>);

/// Walks from `new` down to what `trust` vouches for or the `old` tips reach. Each commit that may have to be
/// judged is handed to `meet` at once, so that judging can go on beside the walk; some of them may turn out to be
/// vouched for after all, and are then not in the result. `None`: there are more than the bounds allow.
pub fn new_commits<T: Trust>(
    (objects, format): (&Objects, ObjectFormat),
    new: &[ObjectId],
    old: &[ObjectId],
    trust: &mut T,
    bounds: Bounds,
    mut parents: Option<&mut Parents>,
    meet: &mut dyn FnMut(ObjectId, Met<'_>),
) -> Result<Option<NewHistory>, WalkError<T::Error>> {
    let mut walk = Walk { objects, format, bounds, flags: HashMap::new(), queue: BinaryHeap::new(), open: 0, steps: 0 };
    let old: HashSet<ObjectId> = old.iter().copied().collect();
    let mut history = NewHistory::default();
    let mut seen: HashSet<ObjectId> = new.iter().copied().collect();
    let mut queue: VecDeque<ObjectId> = new.iter().copied().collect();
    let mut strangers = Vec::new();
    while let Some(id) = queue.pop_front() {
        walk.tick()?;
        if old.contains(&id) {
            history.met_old.insert(id);
        } else if trust.is_baseline(&id) {
            history.by_others = true;
        } else if !objects.in_quarantine(&id) {
            // A trusted tag is nobody's parent.
            if walk.is_no_commit(&id)? {
                if !history.take(id, bounds) {
                    return Ok(None);
                }
                visit(&walk, id, parents.as_deref_mut(), meet)?;
            } else if trust.vouches(&id).map_err(WalkError::Trust)? {
                history.by_others = true;
            } else {
                strangers.push(id);
            }
        } else {
            if !history.take(id, bounds) {
                return Ok(None);
            }
            for parent in visit(&walk, id, parents.as_deref_mut(), meet)? {
                if seen.insert(parent) {
                    queue.push_back(parent);
                }
            }
        }
    }
    if strangers.is_empty() {
        return Ok(Some(history));
    }
    history.by_others = true;
    let met: HashSet<ObjectId> = history.commits.iter().copied().collect();
    let unsettled = settle(&mut walk, &strangers, &old, trust, &mut history.met_old)?;
    history.commits.retain(|id| walk.flag(id) & TRUSTED == 0);
    for id in unsettled {
        // What the push brought along although it was here was met above.
        if !met.contains(&id) {
            if !history.take(id, bounds) {
                return Ok(None);
            }
            visit(&walk, id, parents.as_deref_mut(), meet)?;
        }
    }
    Ok(Some(history))
}

impl NewHistory {
    /// False: that was one too many.
    #[must_use]
    fn take(&mut self, id: ObjectId, bounds: Bounds) -> bool {
        self.commits.push(id);
        self.commits.len() <= bounds.commits
    }
}

/// Lets the strangers and the trusted tips walk towards each other, and gives what no trusted tip reached.
fn settle<T: Trust>(
    walk: &mut Walk<'_>,
    strangers: &[ObjectId],
    old: &HashSet<ObjectId>,
    trust: &mut T,
    met_old: &mut HashSet<ObjectId>,
) -> Result<Vec<ObjectId>, WalkError<T::Error>> {
    let (mut wanted, mut no_commits) = (Vec::new(), Vec::new());
    walk.trust(old.iter().copied().collect())?;
    walk.trust(trust.near_tips().map_err(WalkError::Trust)?)?;
    for id in strangers {
        walk.enqueue(*id, WANTED)?;
    }
    let mut all_asked = false;
    while walk.open > 0 {
        walk.tick()?;
        let Some((_, id)) = walk.queue.pop() else { break };
        let mut flag = walk.flag(&id);
        if flag & DONE != 0 {
            continue;
        }
        if flag & TRUSTED == 0 {
            walk.open = walk.open.saturating_sub(1);
            // Once all tips walk, what they vouch for they will reach.
            if trust.is_baseline(&id) || !all_asked && trust.vouches(&id).map_err(WalkError::Trust)? {
                flag |= TRUSTED;
            }
        }
        walk.flags.insert(id, flag | DONE);
        let parents = walk.header(&id)?.map(|(parents, _)| parents).unwrap_or_default();
        if flag & TRUSTED != 0 {
            walk.trust(parents)?;
            continue;
        }
        wanted.push(id);
        for parent in parents {
            if old.contains(&parent) {
                met_old.insert(parent);
            }
            if walk.is_no_commit(&parent)? {
                no_commits.push(parent);
            } else {
                walk.enqueue(parent, WANTED)?;
            }
        }
        if wanted.len() > NEAR_PATIENCE && !all_asked {
            all_asked = true;
            walk.trust(trust.all_tips().map_err(WalkError::Trust)?)?;
        }
    }
    wanted.retain(|id| walk.flag(id) & TRUSTED == 0);
    no_commits.sort_unstable();
    no_commits.dedup();
    wanted.append(&mut no_commits);
    Ok(wanted)
}

/// Hands the commit to `meet` and gives its parents. One that was met for another ref is not read again.
fn visit(
    walk: &Walk<'_>,
    id: ObjectId,
    known: Option<&mut Parents>,
    meet: &mut dyn FnMut(ObjectId, Met<'_>),
) -> Result<Vec<ObjectId>, GitError> {
    if let Some(parents) = known.as_ref().and_then(|known| known.0.get(&id)) {
        return Ok(parents.clone());
    }
    let mut parents = Vec::new();
    let found = walk.objects.commit(&id, walk.bounds.commit_bytes, |raw| {
        meet(id, Met::Commit(raw));
        walk_header(raw, walk.format).map(|(parents, _)| parents)
    })?;
    match found {
        Found::Commit(read) => parents = read.unwrap_or_default(),
        Found::Missing => meet(id, Met::Missing),
        Found::NotACommit(kind) => meet(id, Met::NotACommit(kind)),
        Found::TooLarge(size) => meet(id, Met::TooLarge(size)),
    }
    if let Some(known) = known {
        known.0.insert(id, parents.clone());
    }
    Ok(parents)
}

/// Which of `wanted` can be reached from `tips`, exactly, whatever the dates say. In the worst case it reads
/// all history of the tips, so it is asked only before a denial.
pub fn reachable_among<E>(
    objects: &Objects,
    format: ObjectFormat,
    tips: &[ObjectId],
    wanted: &HashSet<ObjectId>,
    bounds: Bounds,
) -> Result<HashSet<ObjectId>, WalkError<E>> {
    let mut walk = Walk { objects, format, bounds, flags: HashMap::new(), queue: BinaryHeap::new(), open: 0, steps: 0 };
    let mut found = HashSet::new();
    for tip in tips {
        walk.enqueue(*tip, TRUSTED)?;
    }
    while found.len() < wanted.len() {
        walk.tick()?;
        let Some((_, id)) = walk.queue.pop() else { break };
        if wanted.contains(&id) {
            found.insert(id);
        }
        if let Some((parents, _)) = walk.header(&id)? {
            for parent in parents {
                walk.enqueue(parent, TRUSTED)?;
            }
        }
    }
    Ok(found)
}

/// Whether `old` is `new` or one of its ancestors.
pub fn is_ancestor<E>(
    objects: &Objects,
    format: ObjectFormat,
    old: ObjectId,
    new: ObjectId,
    bounds: Bounds,
) -> Result<bool, WalkError<E>> {
    let wanted = HashSet::from([old]);
    Ok(!reachable_among(objects, format, &[new], &wanted, bounds)?.is_empty())
}
