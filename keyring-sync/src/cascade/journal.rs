//! Brings the journal of steps in line with the registry: what is wanted is in it, and nothing else is tried.

use super::task::Task;
use super::{Orphan, Wanted, is_back, is_out, orphans, wanted_of};
use countersign_policy::id::{Account, PersonId};
use countersign_policy::keyring::{Person, PersonKind};
use countersign_policy::time::Time;
use countersign_registry::{CascadeStep, Registry, StoreError, Tables};
use std::collections::BTreeSet;

/// Of everybody, which a date that has come needs; returns the accounts that nobody answers for.
pub fn align(registry: &mut Registry, now: impl Fn() -> Time) -> Result<Vec<Orphan>, StoreError> {
    let Survey { wanted, orphans } = survey(&registry.tables(), now())?;
    let seen = compare(wanted, registry.tables().cascade_steps()?);
    mend(registry, seen, Scope::All, now)?;
    Ok(orphans)
}

/// Of those whose record was changed after `epoch`.
pub fn follow(registry: &mut Registry, epoch: u64, now: impl Fn() -> Time) -> Result<(), StoreError> {
    let seen = difference(&registry.tables(), Scope::Since(epoch), now())?;
    mend(registry, seen, Scope::Since(epoch), now)
}

#[derive(Clone, Copy, Debug)]
enum Scope {
    All,
    Since(u64),
}

#[derive(Debug, Default)]
struct Difference {
    want: Vec<Wanted>,
    lift: Vec<CascadeStep>,
}

/// Of everybody, what the cascade has to do with.
struct Survey {
    wanted: Vec<Wanted>,
    orphans: Vec<Orphan>,
}

fn survey(tables: &Tables<'_>, now: Time) -> Result<Survey, StoreError> {
    let (mut wanted, mut services) = (Vec::new(), Vec::new());
    tables.show_persons(|person| {
        let held = held_by_others(tables, &person, now)?;
        wanted.extend(wanted_of(&person, |account| held.contains(account), now));
        if person.kind == PersonKind::Service {
            services.push(person);
        }
        Ok(())
    })?;
    let owners: BTreeSet<PersonId> = services.iter().filter_map(|service| service.owner.clone()).collect();
    let owners: Vec<Option<Person>> = owners.iter().map(|owner| tables.person(owner)).collect::<Result<_, _>>()?;
    let persons: Vec<Person> = services.into_iter().chain(owners.into_iter().flatten()).collect();
    Ok(Survey { wanted, orphans: orphans(&persons, now) })
}

fn difference(tables: &Tables<'_>, scope: Scope, now: Time) -> Result<Difference, StoreError> {
    match scope {
        Scope::All => Ok(compare(survey(tables, now)?.wanted, tables.cascade_steps()?)),
        Scope::Since(epoch) => {
            let mut all = Difference::default();
            for person in tables.persons_changed_since(epoch)? {
                let mut known = tables.cascade_steps_of(&person.id)?;
                known.retain(|step| step.lifted_at.is_none());
                let held = held_by_others(tables, &person, now)?;
                let Difference { want, lift } =
                    compare(wanted_of(&person, |account| held.contains(account), now), known);
                all.want.extend(want);
                all.lift.extend(lift);
            }
            Ok(all)
        }
    }
}

/// The accounts of somebody who is out that somebody else holds by now.
fn held_by_others(tables: &Tables<'_>, person: &Person, now: Time) -> Result<BTreeSet<Account>, StoreError> {
    let mut held = BTreeSet::new();
    if !is_out(person, now) {
        return Ok(held);
    }
    for account in person.accounts.iter().map(|held| &held.value) {
        for other in tables.claimants_of_account(account)?.iter().filter(|other| *other != &person.id) {
            let other = tables.person(other)?;
            if other.is_some_and(|other| !is_out(&other, now) && other.has_account(account, now)) {
                held.insert(account.clone());
            }
        }
    }
    Ok(held)
}

fn compare(wanted: Vec<Wanted>, known: Vec<CascadeStep>) -> Difference {
    let name = |wanted: &Wanted| key(&wanted.person, &wanted.account, wanted.step.as_str());
    let named = |step: &CascadeStep| key(&step.person, &step.account, &step.step);
    let goes_on: BTreeSet<_> = wanted.iter().map(name).collect();
    let stands: BTreeSet<_> = known.iter().map(|step| (named(step), step.wanted_at)).collect();
    Difference {
        want: wanted.into_iter().filter(|wanted| !stands.contains(&(name(wanted), wanted.since))).collect(),
        lift: known.into_iter().filter(|step| !goes_on.contains(&named(step))).collect(),
    }
}

fn key(person: &PersonId, account: &Account, step: &str) -> (PersonId, Account, String) {
    (person.clone(), account.clone(), step.to_owned())
}

/// Looks again under the lock: the registry may have changed while this waited for it.
fn mend(registry: &mut Registry, seen: Difference, scope: Scope, now: impl Fn() -> Time) -> Result<(), StoreError> {
    if seen.want.is_empty() && seen.lift.is_empty() {
        return Ok(());
    }
    let change = registry.begin(now())?;
    let (tables, now) = (change.tables(), now());
    let Difference { want, lift } = difference(&tables, scope, now)?;
    for step in &want {
        tables.want_cascade_step(&step.person, &step.account, step.step.as_str(), step.since, now)?;
    }
    for step in &lift {
        tables.lift_cascade_step(step, now)?;
    }
    change.commit_unseen()
}

/// What is to be given back on the forge, whenever it is next tried.
pub fn returns(tables: &Tables<'_>, forge: &str, now: Time) -> Result<Vec<Task>, StoreError> {
    let mut returns = Vec::new();
    for step in tables.cascade_held(forge)? {
        if tables.person(&step.person)?.is_some_and(|person| is_back(&person, &step.account, now)) {
            returns.push(Task::Return(step));
        }
    }
    Ok(returns)
}

/// Everything that is not confirmed on the forge, whenever it is next tried; the most urgent first.
pub fn open(tables: &Tables<'_>, forge: &str, now: Time) -> Result<Vec<Task>, StoreError> {
    let mut open: Vec<Task> = tables.cascade_open(forge)?.into_iter().map(Task::Cut).collect();
    open.extend(returns(tables, forge, now)?);
    Ok(open)
}

/// The one to do next on the forge. Nobody waits for a return before somebody is cut.
pub fn next(tables: &Tables<'_>, forge: &str, now: Time) -> Result<Option<Task>, StoreError> {
    if let Some(step) = tables.cascade_due(forge, now)? {
        return Ok(Some(Task::Cut(step)));
    }
    Ok(returns(tables, forge, now)?.into_iter().find(|task| task.step().next_at <= now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::Step;

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(seconds)
    }

    fn wants(person: &str, since: i64) -> Wanted {
        let (person, account) = (person.parse().unwrap(), "gitea:alice".parse().unwrap());
        Wanted { person, account, step: Step::Block, since: at(since) }
    }

    fn stands(person: &str, since: i64) -> CascadeStep {
        CascadeStep {
            person: person.parse().unwrap(),
            account: "gitea:alice".parse().unwrap(),
            step: Step::Block.as_str().to_owned(),
            wanted_at: at(since),
            attempts: 0,
            tried_at: None,
            next_at: at(since),
            trouble: None,
            confirmed_at: None,
            found: None,
            lifted_at: None,
            own: false,
            returned_at: None,
        }
    }

    #[test]
    fn what_stands_is_left_and_the_rest_is_wanted_or_lifted() {
        let Difference { want, lift } = compare(
            vec![wants("E1", 1), wants("E2", 5), wants("E3", 1)],
            vec![stands("E1", 1), stands("E2", 2), stands("E4", 1)],
        );
        let ids = want.iter().map(|wanted| wanted.person.as_str()).collect::<Vec<_>>();
        assert_eq!(ids, ["E2", "E3"], "who went out anew, and who went out");
        assert_eq!(lift.iter().map(|step| step.person.as_str()).collect::<Vec<_>>(), ["E4"]);
    }
}
