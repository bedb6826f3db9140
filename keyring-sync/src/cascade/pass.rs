//! One pass over the forges: each in a thread of its own, so that a slow one holds up no other.

use super::next_attempt;
use crate::forge::{Forge, ForgeName, Standing, Step, Trouble, settle};
use countersign_policy::time::Time;
use countersign_registry::{Attempt, CascadeStep};
use std::collections::BTreeMap;
use std::sync::mpsc;

/// Characters of a trouble that the journal keeps.
const TROUBLE_KEPT: usize = 300;

/// A forge that can be asked, or why not.
pub type Opened = Result<Box<dyn Forge>, String>;

/// Does what is due, and hands each outcome to `note` as soon as it is there. Blocks come first, whoever waits for the
/// rest. What is due on a forge without an entry in `forges` is left alone.
pub fn pass<E>(
    forges: &BTreeMap<ForgeName, Opened>,
    due: Vec<CascadeStep>,
    clock: impl Fn() -> Time + Sync,
    mut note: impl FnMut(&CascadeStep, &Attempt) -> Result<(), E>,
) -> Result<(), E> {
    let mut by_forge: BTreeMap<&ForgeName, Vec<CascadeStep>> = BTreeMap::new();
    for step in due {
        if let Some(name) = forges.keys().find(|name| name.login(&step.account).is_some()) {
            by_forge.entry(name).or_default().push(step);
        }
    }
    let (sender, receiver) = mpsc::channel();
    let clock = &clock;
    std::thread::scope(|scope| {
        for (name, mut steps) in by_forge {
            let Some(forge) = forges.get(name) else { continue };
            let sender = sender.clone();
            steps.sort_by_key(|step| Step::of(&step.step));
            scope.spawn(move || work(name, forge, steps, clock, &sender));
        }
        drop(sender);
        // Where nobody listens any more, the threads end with the step they are at.
        receiver.into_iter().try_for_each(|(step, attempt)| note(&step, &attempt))
    })
}

fn work(
    name: &ForgeName,
    forge: &Opened,
    steps: Vec<CascadeStep>,
    clock: &(dyn Fn() -> Time + Sync),
    sender: &mpsc::Sender<(CascadeStep, Attempt)>,
) {
    let mut unreachable: Option<String> = None;
    for step in steps {
        let outcome = match (&unreachable, forge) {
            // One lost answer is enough of a sign: a hundred timeouts would keep a forge waiting that is back by then.
            (Some(why), _) => Err(Trouble::Unreachable(why.clone())),
            (None, Err(why)) => Err(Trouble::Odd(why.clone())),
            (None, Ok(forge)) => match (name.login(&step.account), Step::of(&step.step)) {
                (Some(login), Some(way)) => settle(forge.as_ref(), login, way),
                _ => Err(Trouble::Odd("it is no step of this forge".to_owned())),
            },
        };
        let attempt = match outcome {
            Ok(Standing::Cut) => Attempt::Confirmed { found: "cut" },
            Ok(Standing::Absent) => Attempt::Confirmed { found: "absent" },
            Ok(Standing::Open(what)) => failed(&step, what, clock()),
            Err(trouble) => {
                if let Trouble::Unreachable(why) = &trouble {
                    unreachable = Some(why.clone());
                }
                failed(&step, trouble.to_string(), clock())
            }
        };
        if sender.send((step, attempt)).is_err() {
            return;
        }
    }
}

fn failed(step: &CascadeStep, trouble: String, now: Time) -> Attempt {
    let trouble = trouble.chars().take(TROUBLE_KEPT).collect();
    Attempt::Failed { trouble, next_at: next_attempt(step.attempts.saturating_add(1), now) }
}
