//! What a profile names: addresses and accounts, of which each is one person's at a time, and who answers for an account.

use super::{Door, Refused};
use crate::event::{Event, Profile};
use crate::fold::fold;
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Held, Lifecycle, Person, PersonKind};
use countersign_policy::time::Time;
use countersign_registry::StoreError;
use serde_json::json;
use std::collections::BTreeMap;

impl Door<'_> {
    /// Taking a renaming back brings former names back, which somebody else may hold by now.
    pub(super) fn check_restored_names(&self, retraction: &Event) -> Result<(), Refused> {
        let id = &retraction.person;
        let mut events = self.events_of(id)?;
        events.push(retraction.clone());
        let restored = fold(id, &events, &BTreeMap::new());
        let refuse_taken = |name: &str, claimants: Vec<PersonId>, holds: &dyn Fn(&Person) -> bool| {
            for other in claimants.into_iter().filter(|other| other != id) {
                let person = self.person(&other)?;
                if holds(&person) {
                    return Err(Refused::NameTaken(name.to_owned(), other, person.state(self.now).as_str()));
                }
            }
            Ok(())
        };
        for email in restored.emails.iter().filter(|held| lasts_beyond(held, self.now)).map(|held| &held.value) {
            let claimants = self.tables().claimants_of_email(email)?;
            refuse_taken(email.as_str(), claimants, &|person| ends_after(&person.emails, email, self.now))?;
        }
        for account in restored.accounts.iter().filter(|held| lasts_beyond(held, self.now)).map(|held| &held.value) {
            let claimants = self.tables().claimants_of_account(account)?;
            refuse_taken(account.as_str(), claimants, &|person| ends_after(&person.accounts, account, self.now))?;
        }
        Ok(())
    }

    /// Checks what a profile names, and returns the events that end recycled names at their former
    /// holders, who have left.
    pub(super) fn check_profile(&self, event: &Event, profile: &Profile) -> Result<Vec<Event>, Refused> {
        self.check_owner(event, profile)?;
        self.check_ahead(event, profile)?;
        let from = event.effective_at.max(self.now);
        let mut former: BTreeMap<PersonId, Person> = BTreeMap::new();
        for email in profile.emails.iter().flatten() {
            for id in self.tables().claimants_of_email(email)? {
                self.take_over(&mut former, event, id, email.as_str(), from, |person| {
                    ends_after(&person.emails, email, from)
                })?;
            }
        }
        for account in profile.accounts.iter().flatten() {
            for id in self.tables().claimants_of_account(account)? {
                self.take_over(&mut former, event, id, account.as_str(), from, |person| {
                    ends_after(&person.accounts, account, from)
                })?;
            }
        }
        former.into_values().map(|person| Ok(self.without_names(&person, profile, event, from)?)).collect()
    }

    /// A human answers for each service account: no chain of accounts outlives whoever began it.
    fn check_owner(&self, event: &Event, profile: &Profile) -> Result<(), Refused> {
        for answerable in [&profile.owner, &profile.deputy].into_iter().flatten() {
            if answerable == &event.person {
                return Err(Refused::OwnOwner(answerable.clone()));
            }
            if !self.exists(answerable)? {
                return Err(Refused::UnknownOwner(answerable.clone()));
            }
            if self.person(answerable)?.kind != PersonKind::Human {
                return Err(Refused::OwnerNotHuman(answerable.clone()));
            }
        }
        let becomes_account = profile.kind.is_some_and(|kind| kind != PersonKind::Human)
            && self.exists(&event.person)?
            && self.person(&event.person)?.kind == PersonKind::Human;
        match becomes_account.then(|| self.account_of(&event.person)).transpose()?.flatten() {
            Some(account) => Err(Refused::OwnsAccount(event.person.clone(), account)),
            None => Ok(()),
        }
    }

    /// A service account that the person answers for.
    fn account_of(&self, owner: &PersonId) -> Result<Option<PersonId>, StoreError> {
        let mut persons = self.touched()?;
        persons.extend(self.tables().persons()?.into_iter().filter(|person| !self.touched.contains(&person.id)));
        let owned = |person: &Person| {
            person.kind == PersonKind::Service && [&person.owner, &person.deputy].contains(&&Some(owner.clone()))
        };
        Ok(persons.into_iter().find(owned).map(|account| account.id))
    }

    /// Kind, owner and scope have no dates of their own: said for a day to come they would hold from now on.
    fn check_ahead(&self, event: &Event, profile: &Profile) -> Result<(), Refused> {
        if event.effective_at <= self.now || !self.exists(&event.person)? {
            return Ok(());
        }
        let person = self.person(&event.person)?;
        let changes = [
            ("kind", profile.kind.is_some_and(|kind| kind != person.kind)),
            ("owner", profile.owner.is_some() && profile.owner != person.owner),
            ("deputy", profile.deputy.is_some() && profile.deputy != person.deputy),
            ("scope", profile.scope.as_ref().is_some_and(|scope| scope != &person.scope)),
        ];
        match changes.into_iter().find(|(_, changes)| *changes) {
            Some((field, _)) => Err(Refused::NotAhead(field)),
            None => Ok(()),
        }
    }

    fn take_over(
        &self,
        former: &mut BTreeMap<PersonId, Person>,
        event: &Event,
        id: PersonId,
        name: &str,
        from: Time,
        holds: impl Fn(&Person) -> bool,
    ) -> Result<(), Refused> {
        if id == event.person {
            return Ok(());
        }
        let person = self.person(&id)?;
        if !holds(&person) {
            return Ok(());
        }
        match person.state(from) {
            Lifecycle::Terminated => {
                former.insert(id, person);
                Ok(())
            }
            state => Err(Refused::NameTaken(name.to_owned(), id, state.as_str())),
        }
    }

    /// `renamed` for somebody who has left, without the names that `profile` takes.
    fn without_names(
        &self,
        person: &Person,
        profile: &Profile,
        cause: &Event,
        from: Time,
    ) -> Result<Event, StoreError> {
        let emails = remaining(&person.emails, profile.emails.as_deref(), from);
        let accounts = remaining(&person.accounts, profile.accounts.as_deref(), from);
        let line = json!({
            "id": format!("{}-names-of-{}", ulid::Ulid::generate(), person.id),
            "source": "keyring-sync",
            "person": person.id,
            "type": "renamed",
            "effective_at": from,
            "asserted_at": self.now,
            "data": {
                "emails": emails, "accounts": accounts,
                "reason": format!("recycled by {} in event {} of {}", cause.person, cause.id, cause.source),
            },
        });
        Event::parse(&line.to_string(), self.now).map_err(|error| StoreError::Damaged(error.to_string()))
    }
}

fn lasts_beyond<T>(held: &Held<T>, now: Time) -> bool {
    held.span.until.is_none_or(|until| until > now)
}

pub(super) fn ends_after<T: PartialEq>(held: &[Held<T>], value: &T, from: Time) -> bool {
    held.iter().any(|held| &held.value == value && held.span.until.is_none_or(|until| until > from))
}

fn remaining<T: Clone + PartialEq>(held: &[Held<T>], taken: Option<&[T]>, from: Time) -> Vec<T> {
    let stays = |held: &&Held<T>| held.span.contains(from) && !taken.unwrap_or_default().contains(&held.value);
    held.iter().filter(stays).map(|held| held.value.clone()).collect()
}
