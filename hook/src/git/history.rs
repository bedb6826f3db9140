//! Walking history: which commits a ref update brings in.
//!
//! The walk starts at the new tip and goes by commit date, as git does, but dates only order the work:
//! a commit is left out when a path from a trusted id to it was really walked. Back-dated commits can make
//! the walk report too much, never too little; whoever is about to deny asks [`reachable_among`] first.

use super::GitError;
use super::objects::{Kind, Objects};
use countersign_policy::commit::walk_header;
use countersign_policy::id::{ObjectFormat, ObjectId};
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::Instant;

/// Commits of the main store that nothing vouches for, before every trusted tip is asked. Few branches
/// hang further from the mainline than this; reading 100,000 tips costs a third of a second.
const NEAR_PATIENCE: usize = 256;

/// The clock is read once in so many commits.
const CLOCK_EVERY: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum WalkError<E> {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("the time for judging this push ran out")]
    OutOfTime,
    #[error("more than {0} commits")]
    TooMany(usize),
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
    /// Met and not vouched for, newest first as far as dates tell.
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

    fn header(&self, id: &ObjectId) -> Result<Option<(Vec<ObjectId>, i64)>, GitError> {
        match self.objects.header(id)? {
            Some(header) if header.kind == Kind::Commit && header.size <= self.bounds.commit_bytes => {
                Ok(self.objects.read(id, |_, raw| walk_header(raw, self.format))?.flatten())
            }
            _ => Ok(None),
        }
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

/// Walks from the `new` tips down to what `trust` vouches for or the `old` tips reach. Each commit that is met is handed to
/// `meet` once, at once, so that judging can go on beside the walk; some of them may turn out to be vouched
/// for after all, and are then not in the result.
pub fn new_commits<T: Trust>(
    objects: &Objects,
    format: ObjectFormat,
    new: &[ObjectId],
    old: &[ObjectId],
    trust: &mut T,
    bounds: Bounds,
    meet: &mut dyn FnMut(ObjectId, Met<'_>),
) -> Result<NewHistory, WalkError<T::Error>> {
    let mut walk = Walk { objects, format, bounds, flags: HashMap::new(), queue: BinaryHeap::new(), open: 0, steps: 0 };
    let mut met = Vec::new();
    let mut met_old = HashSet::new();
    let mut strangers = 0;
    let (mut near_asked, mut all_asked, mut by_others) = (false, false, false);
    for old in old {
        walk.enqueue(*old, TRUSTED)?;
    }
    for new in new {
        if old.contains(new) {
            met_old.insert(*new);
        }
        walk.enqueue(*new, WANTED)?;
    }
    while walk.open > 0 {
        walk.tick()?;
        let Some((_, id)) = walk.queue.pop() else { break };
        let mut flag = walk.flag(&id);
        let mut stranger = false;
        if flag & DONE != 0 {
            continue;
        }
        if flag & TRUSTED == 0 {
            walk.open = walk.open.saturating_sub(1);
            stranger = !objects.in_quarantine(&id);
            if trust.is_baseline(&id) || stranger && trust.vouches(&id).map_err(WalkError::Trust)? {
                flag |= TRUSTED;
                by_others = true;
            }
        }
        walk.flags.insert(id, flag | DONE);
        if flag & TRUSTED != 0 {
            if let Some((parents, _)) = walk.header(&id)? {
                walk.trust(parents)?;
            }
            continue;
        }
        met.push(id);
        if met.len() > bounds.commits {
            return Err(WalkError::TooMany(bounds.commits));
        }
        for parent in visit(&walk, id, meet)? {
            if old.contains(&parent) {
                met_old.insert(parent);
            }
            walk.enqueue(parent, WANTED)?;
        }
        if stranger {
            strangers += 1;
            if !near_asked {
                (near_asked, by_others) = (true, true);
                let tips = trust.near_tips().map_err(WalkError::Trust)?;
                walk.trust(tips)?;
            }
            if strangers > NEAR_PATIENCE && !all_asked {
                all_asked = true;
                let tips = trust.all_tips().map_err(WalkError::Trust)?;
                walk.trust(tips)?;
            }
        }
    }
    met.retain(|id| walk.flag(id) & TRUSTED == 0);
    Ok(NewHistory { commits: met, met_old, by_others })
}

/// Hands the commit to `meet` and gives its parents.
fn visit(walk: &Walk<'_>, id: ObjectId, meet: &mut dyn FnMut(ObjectId, Met<'_>)) -> Result<Vec<ObjectId>, GitError> {
    let met = match walk.objects.header(&id)? {
        None => Met::Missing,
        Some(header) if header.kind != Kind::Commit => Met::NotACommit(header.kind),
        Some(header) if header.size > walk.bounds.commit_bytes => Met::TooLarge(header.size),
        Some(_) => {
            let parents = walk.objects.read(&id, |_, raw| {
                meet(id, Met::Commit(raw));
                walk_header(raw, walk.format).map(|(parents, _)| parents)
            })?;
            return Ok(parents.flatten().unwrap_or_default());
        }
    };
    meet(id, met);
    Ok(Vec::new())
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
