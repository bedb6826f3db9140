use super::*;
use countersign_policy::keyring::{Change, Compromised, Key, Lifecycle, Material, RetireReason, Retired, SshKey};
use countersign_policy::signature::primitive::VerifyKey;
use proptest::prelude::*;
use std::collections::VecDeque;

fn source(name: &str) -> Source {
    Source::new(name).unwrap()
}

fn person(number: usize) -> PersonId {
    PersonId::new(&format!("E{number}")).unwrap()
}

fn losses(origin: Origin, numbers: std::ops::Range<usize>) -> Vec<Loss> {
    numbers.map(|number| Loss { person: person(number), origin, at_stake: true }).collect()
}

/// 10 % or 20 of 100 people: ten.
fn of_a_hundred(losses: &[Loss], counts: Counts) -> Verdict {
    judge(&source("hr"), losses, counts, 100, &Limits::default())
}

fn passed(singles: usize, bulk: usize) -> Counts {
    let count = Count { singles, bulk };
    Counts { source: count, all: count }
}

#[test]
fn a_list_that_lacks_80_of_100_is_staged_whole_and_the_real_end_in_it_passes() {
    let mut batch = losses(Origin::Absent, 0..80);
    batch.extend(losses(Origin::Said, 90..91));
    let verdict = of_a_hundred(&batch, Counts::default());
    assert_eq!(verdict.pass, [(person(90), Class::Single)]);
    assert_eq!(verdict.stage.len(), 80);
    assert_eq!(
        verdict.stage[0].1.to_string(),
        "hr lacks 80 of 100 active people at once; without approval one source may put out 10 within 1d"
    );
}

#[test]
fn a_drip_of_fifty_is_as_much_as_fifty_at_once() {
    for (origin, most) in [(Origin::Said, 20), (Origin::Absent, 10)] {
        let (mut counts, mut gone) = (Counts::default(), 0);
        for number in 0..50 {
            let verdict = of_a_hundred(&losses(origin, number..number + 1), counts);
            for (_, class) in &verdict.pass {
                counts.source.add(*class, 1);
                counts.all.add(*class, 1);
            }
            gone += verdict.pass.len();
        }
        assert_eq!(gone, most, "{origin:?}: ten by name as singles, and ten percent");
    }
}

#[test]
fn several_by_name_are_bulk_and_all_or_none_of_them_pass() {
    assert_eq!(of_a_hundred(&losses(Origin::Said, 0..10), Counts::default()).pass.len(), 10);
    let verdict = of_a_hundred(&losses(Origin::Said, 0..11), Counts::default());
    assert_eq!((verdict.pass.len(), verdict.stage.len()), (0, 11));
    let verdict = of_a_hundred(&losses(Origin::Said, 0..3), passed(0, 8));
    assert_eq!(
        verdict.stage[0].1.to_string(),
        "hr deactivates 3 of 100 active people at once, after 8 within 1d; without approval one source may put out 10 within 1d"
    );
}

#[test]
fn several_sources_together_have_a_limit_of_their_own() {
    let others = Counts { source: Count::default(), all: Count { singles: 20, bulk: 15 } };
    let room = Counts { source: Count::default(), all: Count { singles: 20, bulk: 14 } };
    let verdict = of_a_hundred(&losses(Origin::Said, 0..3), others);
    assert_eq!(
        verdict.stage[0].1.to_string(),
        "hr deactivates 3 of 100 active people at once, after 15 within 1d; without approval all sources together may put out 15 within 1d"
    );
    assert_eq!(of_a_hundred(&losses(Origin::Said, 0..1), room).pass, [(person(0), Class::Bulk)]);
    assert_eq!(of_a_hundred(&losses(Origin::Said, 0..1), others).stage.len(), 1);
}

#[test]
fn the_number_holds_where_the_percentage_would_not() {
    let limits = Limits::default();
    let verdict = judge(&source("hr"), &losses(Origin::Absent, 0..21), Counts::default(), 100_000, &limits);
    assert_eq!(verdict.stage.len(), 21);
    assert_eq!([0, 1, 9, 10, 25, 100_000].map(|staff| limits.per_source.of(staff)), [1, 1, 1, 1, 2, 20]);
    assert_eq!(Bulk { percent: 0, count: 9 }.of(100), 0, "none means none");
}

#[test]
fn limits_that_hold_nothing_are_refused() {
    let mut limits = Limits::default();
    assert_eq!(limits.check(), Ok(()));
    limits.all_sources.percent = 101;
    assert_eq!(limits.check(), Err(BadLimits::Percent));
    let window = Limits { window: "59m".parse().unwrap(), ..Limits::default() };
    assert_eq!(window.check(), Err(BadLimits::Window));
}

fn at(n: i64) -> Time {
    Time::from_unix_seconds(1_790_000_000 + n)
}

fn someone(changes: &[(i64, Lifecycle)]) -> Person {
    let mut person = crate::fold::fold(&person(1), &[], &Default::default());
    person.lifecycle =
        changes.iter().map(|(from, state)| Change { from: at(*from), state: *state, abrupt: false }).collect();
    person
}

fn key(name: &str) -> Key {
    let material = Material::Ssh(SshKey {
        algorithm: "ssh-ed25519".to_owned(),
        blob: vec![],
        verify: VerifyKey::Ed25519 { point: vec![], torsion_free: false },
        application: None,
    });
    Key {
        fingerprint: countersign_policy::id::Fingerprint::new(name).unwrap(),
        added: at(0),
        scope: None,
        retired: None,
        compromised: None,
        enrolled_by: None,
        material,
    }
}

#[test]
fn who_is_out_now_or_at_a_day_to_come_loses_and_who_was_out_does_not() {
    use Lifecycle::{Active, Leave, Prehire, Suspended, Terminated};
    let loses = |before: &[(i64, Lifecycle)], after: &[(i64, Lifecycle)]| {
        super::loses(&someone(before), &someone(after), at(10))
    };
    assert!(loses(&[(0, Active)], &[(0, Active), (5, Terminated)]));
    assert!(loses(&[(0, Active)], &[(0, Active), (500, Terminated)]), "next month");
    assert!(loses(&[(0, Active)], &[(0, Active), (5, Leave), (20, Active)]), "for a while");
    assert!(loses(&[(50, Active)], &[(60, Active)]), "begins later");
    assert!(!loses(&[(0, Active), (5, Suspended)], &[(0, Active), (5, Terminated)]), "was out already");
    assert!(!loses(&[(0, Active), (5, Terminated)], &[(0, Active), (5, Terminated), (20, Active)]));
    assert!(!loses(&[(0, Prehire)], &[(0, Prehire), (5, Terminated)]));
    assert!(!loses(&[(0, Active), (3, Leave), (5, Active)], &[(0, Active)]), "what is past is past");
}

#[test]
fn the_last_key_and_the_reach_count_too() {
    let mut before = someone(&[(0, Lifecycle::Active)]);
    before.keys = vec![key("SHA256:a"), key("SHA256:b")];
    let with = |change: &dyn Fn(&mut Person)| {
        let mut after = before.clone();
        change(&mut after);
        loses(&before, &after, at(10))
    };
    let retired = Some(Retired { at: at(20), reason: RetireReason::Retired });
    assert!(!with(&|after| after.keys[0].retired = retired), "a rotation leaves one");
    assert!(with(&|after| after.keys.iter_mut().for_each(|key| key.retired = retired)));
    let compromised = Some(Compromised { since: None, from: at(5) });
    assert!(with(&|after| after.keys.iter_mut().for_each(|key| key.compromised = compromised)));
    assert!(with(&|after| after.scope = vec!["app".parse().unwrap()]), "a human without a scope reached everything");
    assert!(with(&|after| after.kind = PersonKind::Service));
    assert!(!with(&|after| after.name = "Bob".to_owned()));
}

/// One push of a feed: so many people at once, after so many minutes.
#[derive(Clone, Debug)]
struct Push {
    after: u64,
    source: usize,
    said: usize,
    absent: usize,
}

fn pushes() -> impl Strategy<Value = Vec<Push>> {
    let push = (0u64..600, 0usize..3, prop_oneof![Just(1usize), 0usize..9], prop_oneof![Just(0usize), 0usize..40])
        .prop_map(|(after, source, said, absent)| Push { after, source, said, absent });
    prop::collection::vec(push, 0..120)
}

fn limits() -> impl Strategy<Value = Limits> {
    let bulk = || (0u8..=30, 0u32..40).prop_map(|(percent, count)| Bulk { percent, count });
    (bulk(), bulk(), 0u32..12, 0u32..20).prop_map(|(per_source, all_sources, one, all)| Limits {
        window: WINDOW,
        per_source,
        all_sources,
        singles: Singles { per_source: one, all_sources: all },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The keeper of the window is the simplest there is: a list of what passed, and when.
    #[test]
    fn no_mixture_of_sources_deactivates_more_than_the_limits(pushes in pushes(), limits in limits()) {
        let mut passed: VecDeque<(Duration, usize, Class)> = VecDeque::new();
        let (mut now, mut next) = (Duration::ZERO, 0);
        for push in &pushes {
            now += Duration::from_secs(push.after * 60);
            passed.retain(|(at, _, _)| *at + limits.window.get() > now);
            // Who went longer ago was replaced.
            let staff = 300 - passed.len();
            let count = |of: Option<usize>, class| passed.iter()
                .filter(|(_, source, it)| *it == class && of.is_none_or(|of| of == *source)).count();
            let both = |of| Count { singles: count(of, Class::Single), bulk: count(of, Class::Bulk) };
            let counts = Counts { source: both(Some(push.source)), all: both(None) };
            let mut batch = losses(Origin::Said, next..next + push.said);
            batch.extend(losses(Origin::Absent, next + push.said..next + push.said + push.absent));
            next += batch.len();
            let verdict = judge(&source("s"), &batch, counts, staff, &limits);
            prop_assert_eq!(verdict.pass.len() + verdict.stage.len(), batch.len(), "nobody is forgotten");
            let singles = verdict.pass.iter().filter(|(_, class)| *class == Class::Single).count();
            prop_assert!(singles == 0 || singles == 1 && push.said == 1, "a single is one person by name");
            if push.said == 1 && counts.source.singles < limits.singles.per_source as usize
                && counts.all.singles < limits.singles.all_sources as usize {
                prop_assert_eq!(singles, 1, "within its budget it always passes");
            }
            passed.extend(verdict.pass.iter().map(|(_, class)| (now, push.source, *class)));

            let gone = |of: Option<usize>, class| passed.iter()
                .filter(|(_, source, it)| *it == class && of.is_none_or(|of| of == *source)).count();
            let most = |bulk: Bulk| bulk.of(300);
            prop_assert!(gone(None, Class::Bulk) <= most(limits.all_sources));
            prop_assert!(gone(None, Class::Single) <= limits.singles.all_sources as usize);
            for of in 0..3 {
                prop_assert!(gone(Some(of), Class::Bulk) <= most(limits.per_source));
                prop_assert!(gone(Some(of), Class::Single) <= limits.singles.per_source as usize);
            }
        }
    }
}

#[test]
fn who_has_nothing_to_lose_is_neither_held_nor_counted_when_said_alone() {
    let mut gone = losses(Origin::Said, 0..1);
    gone[0].at_stake = false;
    assert_eq!(of_a_hundred(&gone, passed(99, 99)), Verdict::default());
    gone[0].origin = Origin::Absent;
    assert_eq!(of_a_hundred(&gone, passed(99, 99)).stage.len(), 1, "an absence is no word");
    let mut two = losses(Origin::Said, 0..2);
    two.iter_mut().for_each(|loss| loss.at_stake = false);
    assert_eq!(of_a_hundred(&two, passed(99, 99)).stage.len(), 2, "nor are two one");

    let mut person = someone(&[(0, Lifecycle::Active)]);
    assert!(!has_access(&person, at(10)));
    person.keys = vec![key("SHA256:a")];
    assert!(has_access(&person, at(10)));
    person.keys[0].retired = Some(Retired { at: at(10), reason: RetireReason::Superseded });
    assert!(has_access(&person, at(9)) && !has_access(&person, at(10)));
}
