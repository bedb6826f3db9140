use super::*;
use crate::brake::{Bulk, Singles};
use crate::sources::Ranks;
use countersign_registry::Registry;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

/// A registry of so many active people, and the clock of whoever feeds it.
struct Company {
    registry: Registry,
    now: Time,
    people: usize,
    limits: Limits,
    _dir: TempDir,
}

fn source(name: &str) -> Source {
    Source::new(name).unwrap()
}

fn person(number: usize) -> PersonId {
    PersonId::new(&format!("E{number}")).unwrap()
}

impl Company {
    fn of(people: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let now = Time::from_unix_seconds(1_790_000_000);
        let registry = Registry::create(&dir.path().join("registry.db"), &dir.path().join("keyring"), now).unwrap();
        let mut company = Company { registry, now, people, limits: Limits::default(), _dir: dir };
        let hired = (0..people).flat_map(|number| {
            let profile = json!({"name": format!("Person {number}"), "emails": [format!("e{number}@hr.example")],
                "accounts": [format!("gitea:e{number}")]});
            [("hired", profile), ("activated", json!({}))].map(|(kind, data)| company.offer("hr", number, kind, data))
        });
        let hired = hired.collect();
        assert!(company.take("hr", hired).is_whole());
        company
    }

    fn offer(&self, source: &str, number: usize, kind: &str, data: Value) -> Offer {
        let line = json!({"id": format!("{kind}-{number}-{}", self.now.unix_millis()), "source": source,
            "person": person(number), "type": kind, "asserted_at": self.now, "data": data});
        Offer { event: Event::parse(&line.to_string(), self.now).unwrap(), origin: Origin::Said }
    }

    fn absent(&self, source: &str, number: usize) -> Offer {
        Offer { origin: Origin::Absent, ..self.offer(source, number, "suspended", json!({})) }
    }

    fn door(&mut self) -> Door<'_> {
        Door::new(self.registry.begin(self.now).unwrap(), self.now).with_ranks(Ranks::new([(source("hr"), 10)]))
    }

    fn take(&mut self, from: &str, offers: Vec<Offer>) -> Taken {
        let limits = self.limits.clone();
        let mut door = self.door();
        let taken = take(&mut door, &source(from), offers, &limits).unwrap();
        door.settle().unwrap();
        taken
    }

    fn later(&mut self, minutes: u64) {
        self.now = self.now.plus(Duration::from_secs(60 * minutes));
    }

    fn is_active(&self, number: usize) -> bool {
        self.registry.tables().person(&person(number)).unwrap().is_some_and(|person| person.is_active(self.now))
    }

    fn active(&self) -> usize {
        (0..self.people).filter(|number| self.is_active(*number)).count()
    }
}

fn held(taken: &Taken) -> Vec<&str> {
    taken.staged.iter().map(|held| held.person.as_str()).collect()
}

#[test]
fn a_feed_speaks_for_its_source_alone() {
    let mut company = Company::of(3);
    let limits = Limits::default();
    let (other, operator) =
        (company.offer("scim", 1, "terminated", json!({})), company.offer("operator", 1, "terminated", json!({})));
    let mut door = company.door();
    let said = take(&mut door, &source("hr"), vec![other], &limits).unwrap_err().to_string();
    assert!(said.ends_with("is of the source scim, and this feed speaks for hr alone"), "{said}");
    let said = take(&mut door, &source("operator"), vec![operator], &limits).unwrap_err().to_string();
    assert_eq!(said, "no feed speaks as the operator");
}

#[test]
fn one_end_by_name_passes_and_is_counted() {
    let mut company = Company::of(10);
    let taken = company.take("hr", vec![company.offer("hr", 3, "terminated", json!({}))]);
    assert!(taken.is_whole() && !company.is_active(3));
    let since = company.now.minus(Duration::from_secs(1));
    let count = company.registry.tables().passed_since(since, Some(&source("hr"))).unwrap();
    assert!(matches!(count.as_slice(), [passed] if passed.single && passed.person == person(3)));
    // What takes nothing away counts for nothing.
    company.later(1);
    company.take("hr", vec![company.offer("hr", 3, "terminated", json!({}))]);
    assert_eq!(company.registry.tables().passed_since(since, None).unwrap(), count);
}

#[test]
fn a_repeated_request_is_told_the_same_and_staged_once() {
    let mut company = Company::of(10);
    let batch = || (0..5).map(|number| company.offer("scim", number, "suspended", json!({}))).collect::<Vec<_>>();
    let (first, second) = (batch(), batch());
    let taken = company.take("scim", first);
    assert_eq!((held(&taken), taken.events.len()), (vec!["E0", "E1", "E2", "E3", "E4"], 0));
    assert!(!taken.is_whole() && taken.batch.is_some());
    let taken = company.take("scim", second);
    assert!(taken.staged.iter().all(|held| held.before) && taken.batch.is_none());
    assert_eq!(company.registry.tables().staged().unwrap().len(), 5);
    assert_eq!(company.active(), 10);
}

#[test]
fn what_a_batch_takes_and_gives_back_is_no_loss() {
    let mut company = Company::of(10);
    let ends = (0..5).map(|number| company.offer("hr", number, "terminated", json!({})));
    let mut offers: Vec<Offer> = ends.collect();
    company.later(1);
    offers.extend((0..5).map(|number| company.offer("hr", number, "termination_cancelled", json!({}))));
    assert!(company.take("hr", offers).is_whole());
    assert_eq!(company.active(), 10);
}

#[test]
fn two_restrictions_of_one_batch_do_not_hide_each_other() {
    let mut company = Company::of(10);
    let both =
        (0..5).flat_map(|number| ["suspended", "terminated"].map(|kind| company.offer("hr", number, kind, json!({}))));
    let offers: Vec<Offer> = both.collect();
    let taken = company.take("hr", offers);
    assert_eq!((taken.staged.len(), taken.events.len(), company.active()), (5, 0, 10));
    assert_eq!(company.registry.tables().staged().unwrap().len(), 10, "both wait");
}

#[test]
fn what_follows_from_a_staged_change_waits_with_it() {
    let mut company = Company::of(10);
    let mut offers: Vec<Offer> = (0..5).map(|number| company.offer("hr", number, "terminated", json!({}))).collect();
    // The address of somebody whose end waits.
    offers.push(company.offer("hr", 50, "hired", json!({"name": "New", "emails": ["e1@hr.example"]})));
    let taken = company.take("hr", offers);
    assert_eq!(held(&taken).len(), 6);
    assert!(taken.problems.is_empty());
    let new = taken.staged.iter().find(|held| held.person == person(50)).unwrap();
    assert_eq!(new.cause, "follows from changes that wait");
}

#[test]
fn a_problem_of_one_holds_up_nobody_else() {
    let mut company = Company::of(10);
    let offers =
        vec![company.offer("hr", 99, "terminated", json!({})), company.offer("hr", 1, "terminated", json!({}))];
    let taken = company.take("hr", offers);
    assert_eq!(taken.problems.len(), 1);
    assert_eq!(taken.problems[0].refused.to_string(), "unknown person E99");
    assert!(!company.is_active(1));
}

#[test]
fn retracting_everybodys_activation_is_a_flood_too() {
    let mut company = Company::of(10);
    let activated: Vec<EventId> = (0..10)
        .map(|number| EventId::new(&format!("activated-{number}-{}", company.now.unix_millis())).unwrap())
        .collect();
    company.later(5);
    let offers = activated.iter().enumerate();
    let offers = offers.map(|(number, id)| company.offer("hr", number, "retracted", json!({"event": id}))).collect();
    assert_eq!(company.take("hr", offers).staged.len(), 10);
    assert_eq!(company.active(), 10);
}

#[test]
fn what_is_only_staged_makes_no_epoch() {
    let mut company = Company::of(10);
    let epoch = company.registry.tables().epoch().unwrap();
    let offers = (0..5).map(|number| company.absent("hr", number)).collect();
    company.take("hr", offers);
    assert_eq!(company.registry.tables().epoch().unwrap(), epoch);
    assert_eq!(company.registry.tables().staged().unwrap().len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Through the whole registry: three feeds push what they like, and in each window no more people are out than
    /// the limits allow.
    #[test]
    fn no_mixture_of_feeds_puts_out_more_than_the_limits(
        pushes in prop::collection::vec((0usize..3, 1usize..5, any::<bool>(), 0u64..240), 1..25),
    ) {
        let mut company = Company::of(60);
        company.limits = Limits {
            per_source: Bulk { percent: 10, count: 4 },
            all_sources: Bulk { percent: 15, count: 6 },
            singles: Singles { per_source: 2, all_sources: 3 },
            ..Limits::default()
        };
        let begun = company.now;
        let mut next = 0;
        for (feed, people, absent, minutes) in pushes {
            company.later(minutes);
            let feed = ["hr", "scim", "ssf"][feed];
            let targets = next..(next + people).min(60);
            next = targets.end;
            let offers = targets.map(|number| {
                if absent { company.absent(feed, number) } else { company.offer(feed, number, "suspended", json!({})) }
            });
            let offers = offers.collect();
            company.take(feed, offers);
            let windows = 1 + company.now.since(begun).as_secs() / company.limits.window.get().as_secs();
            let most = (6 + 3) * usize::try_from(windows).unwrap();
            prop_assert!(60 - company.active() <= most, "{} are out, and {most} may be", 60 - company.active());
        }
    }
}

#[test]
fn the_same_person_again_and_again_is_one_person() {
    let mut company = Company::of(20);
    for round in 0..40 {
        company.later(1);
        let kind = if round % 2 == 0 { "suspended" } else { "reinstated" };
        assert!(company.take("hr", vec![company.offer("hr", 3, kind, json!({}))]).is_whole(), "{round}");
    }
}
