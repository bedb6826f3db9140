use super::*;
use countersign_policy::keyring::Lifecycle::{self, Active, Leave, Prehire, Suspended, Terminated};
use countersign_policy::keyring::{Change, Compromised, RetireReason, Retired, SshKey};
use countersign_policy::signature::primitive::VerifyKey;
use proptest::prelude::*;
use serde_json::{Value, json};

/// One named case for each row of the lifecycle's reference.
mod rows;

/// Day `n` of the story, at noon.
fn day(n: i64) -> Time {
    Time::from_unix_seconds(1_790_000_000 + n * 86_400)
}

/// An event that is asserted on the day it takes effect.
fn on(n: i64, kind: &str) -> Told {
    Told {
        kind: kind.to_owned(),
        source: "hr".to_owned(),
        effective: n,
        asserted: n,
        data: json!({}),
        id: None,
        rank: None,
    }
}

#[derive(Clone, Debug)]
struct Told {
    kind: String,
    source: String,
    effective: i64,
    asserted: i64,
    data: Value,
    id: Option<String>,
    rank: Option<u8>,
}

impl Told {
    fn ranked(mut self, rank: u8) -> Self {
        self.rank = Some(rank);
        self
    }
    /// Of this engagement.
    fn of(mut self, engagement: &str) -> Self {
        self.data["engagement"] = json!(engagement);
        self
    }
    fn said(mut self, asserted: i64) -> Self {
        self.asserted = asserted;
        self
    }
    fn by(mut self, source: &str) -> Self {
        self.source = source.to_owned();
        self
    }
    fn with(mut self, data: Value) -> Self {
        self.data = data;
        self
    }
    fn called(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }
    fn event(&self, number: usize) -> Event {
        let line = json!({
            "id": self.id.clone().unwrap_or_else(|| format!("e{number}")),
            "source": self.source, "person": "E1", "type": self.kind,
            "effective_at": day(self.effective), "asserted_at": day(self.asserted), "data": self.data,
        });
        let mut event = Event::parse(&line.to_string(), day(1000)).unwrap();
        event.rank = self.rank;
        if let Claim::KeyAdded(added) = &mut event.claim {
            added.fingerprint = Some(Fingerprint::new(self.data["ssh"].as_str().unwrap()).unwrap());
        }
        event
    }
}

fn materials() -> BTreeMap<Fingerprint, Material> {
    let material = Material::Ssh(SshKey {
        algorithm: "ssh-ed25519".to_owned(),
        blob: vec![],
        verify: VerifyKey::Ed25519 { point: vec![], torsion_free: false },
        application: None,
    });
    ["SHA256:a", "SHA256:b", "SHA256:c"].map(|text| (Fingerprint::new(text).unwrap(), material.clone())).into()
}

fn person(told: &[Told]) -> Person {
    let events: Vec<Event> = told.iter().enumerate().map(|(number, told)| told.event(number)).collect();
    fold(&PersonId::new("E1").unwrap(), &events, &materials())
}

/// The states on the given days, after `hired` and `activated` on day 0.
#[track_caller]
fn states(told: &[Told], expected: &[(i64, Lifecycle)]) {
    let mut all = vec![on(0, "hired"), on(0, "activated")];
    all.extend_from_slice(told);
    let person = person(&all);
    for (n, state) in expected {
        assert_eq!(person.state(day(*n)), *state, "on day {n}: {:?}", person.lifecycle);
    }
}

#[test]
fn hiring_makes_a_prehire_and_activation_lets_them_push() {
    let hired = [on(0, "hired"), on(5, "activated").said(0)];
    assert_eq!([0, 4, 5].map(|n| person(&hired).state(day(n))), [Prehire, Prehire, Active]);
    assert_eq!(person(&[on(0, "hired")]).state(day(100)), Prehire);
}

#[test]
fn a_termination_to_come_is_in_the_record_today() {
    states(&[on(20, "terminated").said(3)], &[(19, Active), (20, Terminated), (500, Terminated)]);
}

#[test]
fn a_cancelled_termination_never_happens() {
    states(&[on(20, "terminated").said(3), on(10, "termination_cancelled")], &[(19, Active), (20, Active)]);
    states(
        &[on(20, "terminated"), on(25, "termination_cancelled")],
        &[(20, Terminated), (24, Terminated), (25, Active)],
    );
    // One that is older, or of another source, says nothing about it.
    states(&[on(20, "terminated").said(11), on(10, "termination_cancelled")], &[(20, Terminated)]);
    states(&[on(20, "terminated"), on(25, "termination_cancelled").by("scim")], &[(30, Terminated)]);
    states(&[on(20, "terminated"), on(25, "termination_cancelled").by("operator")], &[(30, Active)]);
}

#[test]
fn ending_a_leave_does_not_end_a_termination() {
    let told = [on(5, "leave_started"), on(10, "terminated"), on(15, "leave_ended")];
    states(&told, &[(4, Active), (5, Leave), (9, Leave), (10, Terminated), (15, Terminated)]);
}

#[test]
fn suspended_during_leave_stays_suspended_after_it() {
    let told = [on(5, "leave_started"), on(8, "suspended"), on(10, "leave_ended"), on(12, "reinstated")];
    states(&told, &[(5, Leave), (8, Suspended), (10, Suspended), (12, Active)]);
    let still_away = [on(5, "leave_started"), on(8, "suspended"), on(9, "reinstated")];
    states(&still_away, &[(8, Suspended), (9, Leave)]);
}

#[test]
fn each_source_lifts_its_own_suspension() {
    let told = [on(5, "suspended").by("scim"), on(6, "suspended").by("hr"), on(7, "reinstated").by("scim")];
    states(&told, &[(7, Suspended), (100, Suspended)]);
    let both = [&told[..], &[on(9, "reinstated").by("hr")]].concat();
    states(&both, &[(8, Suspended), (9, Active)]);
}

#[test]
fn reinstating_needs_newer_evidence() {
    states(&[on(5, "suspended"), on(5, "reinstated")], &[(5, Suspended), (100, Suspended)]);
    states(&[on(5, "suspended"), on(8, "reinstated").said(4)], &[(8, Suspended)]);
    states(&[on(5, "suspended"), on(8, "reinstated").said(5)], &[(7, Suspended), (8, Active)]);
    // Dated back, but said after the suspension had begun: it speaks of that one.
    states(&[on(5, "suspended"), on(2, "reinstated").said(7)], &[(5, Active), (7, Active)]);
    // A leave planned for later is not ended by coming back from an earlier one.
    states(&[on(50, "leave_started").said(1), on(9, "leave_ended")], &[(49, Active), (50, Leave)]);
}

#[test]
fn a_retraction_takes_back_exactly_its_event() {
    let told = [on(5, "suspended"), on(10, "terminated").called("t"), on(12, "retracted").with(json!({"event": "t"}))];
    states(&told, &[(5, Suspended), (10, Terminated), (12, Suspended)]);
    let undone = [
        on(10, "terminated").called("t"),
        on(12, "retracted").called("r").with(json!({"event": "t"})),
        on(14, "retracted").with(json!({"event": "r"})),
    ];
    states(&undone, &[(10, Terminated), (12, Active), (14, Terminated)]);
    // Somebody else's event of that name is another event; the operator may mean anybody's.
    let other =
        |source: &str| [on(10, "terminated").called("t"), on(12, "retracted").by(source).with(json!({"event": "t"}))];
    states(&other("scim"), &[(12, Terminated)]);
    states(&other("operator"), &[(12, Active)]);
}

#[test]
fn retractions_in_a_circle_have_an_end() {
    let told = [
        on(10, "retracted").called("r1").with(json!({"event": "r2"})),
        on(10, "retracted").called("r2").with(json!({"event": "r1"})),
        on(11, "retracted").called("r3").with(json!({"event": "r3"})),
    ];
    states(&told, &[(20, Active)]);
}

#[test]
fn a_rehire_is_a_new_engagement_with_new_keys_and_roles() {
    let key = |n: i64, name: &str| on(n, "key_added").with(json!({"ssh": name}));
    let told = [
        on(0, "hired").with(json!({"roles": ["senior"]})),
        on(0, "activated"),
        key(1, "SHA256:a"),
        on(10, "terminated").called("t"),
        on(20, "rehired").with(json!({"roles": ["reviewer"]})),
        key(20, "SHA256:b"),
    ];
    let back = person(&told);
    assert_eq!([9, 10, 19, 20].map(|n| back.state(day(n))), [Active, Terminated, Terminated, Active]);
    let retired = |person: &Person| person.keys.iter().map(|key| key.retired).collect::<Vec<_>>();
    assert_eq!(retired(&back), [Some(Retired { at: day(10), reason: RetireReason::Retired }), None]);
    assert!(back.has_role("senior", day(9)) && !back.has_role("senior", day(21)) && back.has_role("reviewer", day(21)));
    // Terminated again: the rehiring from before says nothing about it.
    let mut again = told.to_vec();
    again.push(on(30, "terminated"));
    assert_eq!(person(&again).state(day(31)), Terminated);
    // The first termination was a mistake: everything is as it was.
    let mut mistake = told.to_vec();
    mistake.push(on(40, "retracted").with(json!({"event": "t"})));
    assert_eq!(retired(&person(&mistake)), [None, None]);
}

#[test]
fn the_history_of_an_earlier_engagement_changes_nothing_of_this_one() {
    let key = |n: i64, name: &str| on(n, "key_added").with(json!({"ssh": name}));
    // All told on day 50: left on day 10, hired again on day 20. The key of day 40 is of the new engagement.
    let history = [on(10, "terminated").said(50), on(20, "rehired").said(50)];
    let employed = [&[on(0, "hired"), on(0, "activated"), key(40, "SHA256:a")], &history[..]].concat();
    assert_eq!(person(&employed).state(day(60)), Active);
    assert_eq!(person(&employed).keys[0].retired, None);
    // What is told late is nothing that follows a kill.
    let killed = [on(45, "terminated").by("operator")];
    states(&[&killed[..], &history[..]].concat(), &[(44, Active), (60, Terminated)]);
    states(&[&killed[..], &history[..], &[on(55, "rehired")]].concat(), &[(54, Terminated), (60, Active)]);
}

#[test]
fn a_rehire_ends_the_suspensions_of_its_own_source() {
    let told = [on(5, "suspended"), on(10, "terminated"), on(20, "rehired")];
    states(&told, &[(9, Suspended), (19, Terminated), (20, Active)]);
    let others = [on(5, "suspended").by("soc"), on(10, "terminated"), on(20, "rehired")];
    states(&others, &[(20, Suspended)]);
    states(&[on(20, "rehired"), on(21, "suspended")], &[(22, Suspended)]);
}

#[test]
fn a_key_that_is_enrolled_again_keeps_what_was_said_of_it() {
    let told = [
        on(0, "hired"),
        on(0, "activated"),
        on(0, "key_added").with(json!({"ssh": "SHA256:a"})),
        on(1, "key_added").with(json!({"ssh": "SHA256:b", "scope": ["app"], "enrolled_by": "SHA256:a"})),
        on(5, "key_added").with(json!({"ssh": "SHA256:b"})),
        on(9, "key_compromised").with(json!({"fingerprint": "SHA256:a"})),
    ];
    let key = &person(&told).keys[1];
    assert_eq!(key.scope.as_ref().map(Vec::len), Some(1), "silence widens nothing");
    assert!(key.compromised.is_some(), "it falls with the key that vouched for it");
}

#[test]
fn activation_alone_does_not_undo_a_termination() {
    states(&[on(10, "terminated"), on(20, "activated"), on(21, "hired")], &[(22, Terminated)]);
}

#[test]
fn a_compromise_is_never_taken_back() {
    let told = [
        on(1, "key_added").with(json!({"ssh": "SHA256:a"})),
        on(9, "key_compromised").called("c").with(json!({"fingerprint": "a", "since": day(5)})),
        on(10, "retracted").by("operator").with(json!({"event": "c"})),
    ];
    let compromised = Some(Compromised { since: Some(day(5)), from: day(9) });
    assert_eq!(person(&told).keys[0].compromised, compromised);
    let mut always = told.to_vec();
    always.push(on(12, "key_compromised").with(json!({"fingerprint": "SHA256:a"})));
    assert_eq!(person(&always).keys[0].compromised, Some(Compromised { since: None, from: day(9) }));
}

#[test]
fn keys_enrolled_on_a_compromised_word_fall_with_it() {
    let told = [
        on(1, "key_added").with(json!({"ssh": "SHA256:a"})),
        on(6, "key_added").with(json!({"ssh": "SHA256:b", "enrolled_by": "SHA256:a"})),
        on(7, "key_added").with(json!({"ssh": "SHA256:c", "enrolled_by": "b"})),
    ];
    let since = |n: i64| {
        let mut told = told.to_vec();
        told.push(on(9, "key_compromised").with(json!({"fingerprint": "SHA256:a", "since": day(n)})));
        person(&told).keys.iter().map(|key| key.compromised.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(since(5), [true, true, true]);
    assert_eq!(since(8), [true, false, false], "enrolled before it fell into other hands");
}

#[test]
fn a_retired_key_comes_back_when_that_is_retracted_and_an_enrolment_ends_so() {
    let told = [
        on(1, "key_added").called("k").with(json!({"ssh": "SHA256:a"})),
        on(5, "key_retired").called("r").with(json!({"fingerprint": "SHA256:a", "reason": "superseded"})),
    ];
    let retired = |more: &[Told]| person(&[&told[..], more].concat()).keys[0].retired;
    assert_eq!(retired(&[]), Some(Retired { at: day(5), reason: RetireReason::Superseded }));
    let back = on(6, "retracted").with(json!({"event": "r"}));
    assert_eq!(retired(std::slice::from_ref(&back)), None);
    let gone = on(7, "retracted").with(json!({"event": "k"}));
    assert_eq!(retired(&[back, gone]), Some(Retired { at: day(7), reason: RetireReason::Retired }));
}

#[test]
fn a_new_name_ends_the_old_addresses() {
    let told = [
        on(0, "hired").with(json!({"name": "Ann", "emails": ["ann@x.example"], "accounts": ["gitea:ann"]})),
        on(5, "renamed").with(json!({"name": "Ann Lee", "emails": ["ann.lee@x.example", "al@x.example"]})),
    ];
    let ann = person(&told);
    assert_eq!((ann.name(day(4)), ann.name(day(5))), ("Ann", "Ann Lee"), "a name to come is not the name of today");
    assert!(ann.has_email("ann@x.example", day(4)) && !ann.has_email("ann@x.example", day(5)));
    assert!(ann.has_email("AL@x.example", day(5)) && !ann.has_email("al@x.example", day(4)));
    assert!(ann.accounts[0].span.until.is_none(), "what a renaming does not mention stays");
}

#[test]
fn an_account_becomes_no_human_by_a_retraction() {
    let account = json!({"kind": "service", "owner": "E2", "scope": ["app"]});
    let told = [on(0, "hired").called("h").with(account), on(0, "activated")];
    let back = on(5, "retracted").with(json!({"event": "h"}));
    let bot = person(&[&told[..], std::slice::from_ref(&back)].concat());
    assert_eq!((bot.kind, bot.owner, bot.scope.len()), (PersonKind::Service, None, 0), "it may push nowhere");
    let human = on(6, "renamed").called("n").with(json!({"kind": "human"}));
    assert_eq!(person(&[&told[..], &[back.clone(), human.clone()]].concat()).kind, PersonKind::Human);
    let not_so = on(7, "retracted").with(json!({"event": "n"}));
    assert_eq!(person(&[&told[..], &[back, human, not_so]].concat()).kind, PersonKind::Service);
    // What an event still says counts, whatever was taken back beside it.
    let known = [
        on(0, "hired").with(json!({"kind": "human"})),
        on(3, "renamed").called("r").with(json!({"kind": "service"})),
        on(5, "retracted").with(json!({"event": "r"})),
    ];
    assert_eq!(person(&known).kind, PersonKind::Human);
}

#[test]
fn marks_and_roles_begin_and_end() {
    let told = [
        on(1, "probation_started"),
        on(9, "probation_ended").said(1),
        on(2, "watch_started"),
        on(3, "legal_hold_started"),
        on(1, "role_granted").with(json!({"role": "senior"})),
        on(4, "role_removed").with(json!({"role": "senior"})),
        on(4, "role_granted").with(json!({"role": "senior"})),
    ];
    let marked = person(&told);
    assert!(marked.on_probation(day(8)) && !marked.on_probation(day(9)));
    assert!(marked.watched(day(100)) && marked.legal_hold.len() == 1);
    assert!(marked.has_role("senior", day(3)) && !marked.has_role("senior", day(4)), "a removal wins the tie");
}

fn any_told() -> impl Strategy<Value = Told> {
    let kinds = prop::sample::select(vec![
        "hired",
        "activated",
        "terminated",
        "termination_cancelled",
        "rehired",
        "leave_started",
        "leave_ended",
        "suspended",
        "reinstated",
        "key_added",
        "key_retired",
        "key_compromised",
        "role_granted",
        "role_removed",
        "renamed",
        "retracted",
        "probation_started",
        "probation_ended",
        "contract_end",
        "contract_open",
        "transferred",
    ]);
    let key = prop::sample::select(vec!["SHA256:a", "SHA256:b", "SHA256:c"]);
    (kinds, prop::sample::select(vec!["hr", "scim", "operator"]), 0i64..8, 0i64..8, key, 0usize..14).prop_map(
        |(kind, source, effective, asserted, key, target)| {
            let data = match kind {
                "key_added" => {
                    json!({"ssh": key, "enrolled_by": if target % 2 == 0 { Some("SHA256:a") } else { None }})
                }
                "key_retired" => json!({"fingerprint": key}),
                "key_compromised" => json!({"fingerprint": key, "since": (target % 3 == 0).then(|| day(effective))}),
                "role_granted" | "role_removed" => json!({"role": "senior"}),
                "hired" | "rehired" | "renamed" | "transferred" => json!({
                    "name": format!("name {target}"), "emails": [format!("{target}@x.example")],
                    "roles": if target % 2 == 0 { json!(["senior"]) } else { json!([]) },
                }),
                "retracted" => json!({"event": format!("e{target}")}),
                _ => json!({}),
            };
            let rank = [None, None, Some(10), Some(20)].get(target % 4).copied().flatten();
            let told =
                Told { kind: kind.to_owned(), source: source.to_owned(), effective, asserted, data, id: None, rank };
            // Of two engagements, or of none in particular.
            match (kind, target % 5) {
                ("retracted" | "renamed" | "transferred", _) => told,
                (_, 0) => told.of("x"),
                (_, 1) => told.of("y"),
                _ => told,
            }
        },
    )
}

fn events(told: &[Told]) -> Vec<Event> {
    told.iter().enumerate().map(|(number, told)| told.event(number)).collect()
}

/// Named engagements: none of them outlives its own end, and with the last one the person is out.
fn is_out_when_all_ended(events: &[Event], person: &Person, at: Time) -> bool {
    let begun = |event: &&Event| matches!(event.claim, Claim::Activated | Claim::Rehired(_));
    let names: BTreeSet<_> = events.iter().filter(begun).map(|event| event.engagement.clone()).collect();
    let over = |name: &Option<countersign_policy::id::EngagementId>| {
        told(events, name.as_ref()).ends.is_some_and(|end| end <= at)
    };
    !names.iter().all(over) || !person.is_active(at)
}

fn well_ordered(person: &Person) -> bool {
    let differ = |a: &Change, b: &Change| (a.state, a.abrupt) != (b.state, b.abrupt);
    person.lifecycle.windows(2).all(|pair| pair[0].from < pair[1].from && differ(&pair[0], &pair[1]))
}

#[test]
fn a_kill_is_abrupt_and_a_later_ordinary_end_is_not() {
    let told = [on(5, "terminated").by("operator"), on(9, "rehired"), on(20, "terminated")];
    let person = person(&[&[on(0, "hired"), on(0, "activated")], &told[..]].concat());
    let abrupt: Vec<_> = person.lifecycle.iter().map(|change| (change.state, change.abrupt)).collect();
    assert_eq!(abrupt, [(Active, false), (Terminated, true), (Active, false), (Terminated, false)]);
}

#[test]
fn a_suspension_of_somebody_who_has_left_is_abrupt_and_no_kill() {
    let told = [
        on(0, "hired"),
        on(0, "activated"),
        on(5, "terminated"),
        on(7, "suspended").by("soc"),
        on(9, "reinstated").by("soc"),
    ];
    let left: Vec<_> =
        person(&told).lifecycle.iter().map(|change| (change.from, change.state, change.abrupt)).collect();
    let expected =
        [(day(0), Active, false), (day(5), Terminated, false), (day(7), Terminated, true), (day(9), Terminated, false)];
    assert_eq!(left, expected);
    let killed = |told: &[Told], n| is_killed_for_good(&events(told), day(n));
    assert!(!killed(&told[..4], 8), "HR may still cancel what HR said");
    let kill = on(8, "terminated").by("operator");
    assert!(killed(&[&told[..4], std::slice::from_ref(&kill)].concat(), 8));
    assert!(!killed(&[&told[..4], std::slice::from_ref(&kill)].concat(), 7));
    assert!(!killed(&[&told[..4], &[kill, on(20, "rehired").said(9)]].concat(), 10), "a new engagement is planned");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn order_and_repetition_mean_nothing(
        (told, order) in prop::collection::vec(any_told(), 0..14).prop_flat_map(|told| {
            let numbers: Vec<usize> = (0..told.len()).chain(0..told.len()).collect();
            (Just(told), Just(numbers).prop_shuffle())
        }),
    ) {
        let events = events(&told);
        let shuffled: Vec<Event> = order.iter().map(|number| events[*number].clone()).collect();
        let id = PersonId::new("E1").unwrap();
        let person = fold(&id, &events, &materials());
        prop_assert!(well_ordered(&person), "{:?}", person.lifecycle);
        for n in 0..10 {
            prop_assert!(is_out_when_all_ended(&events, &person, day(n)), "on day {}: {:?}", n, person.lifecycle);
        }
        prop_assert_eq!(person, fold(&id, &shuffled, &materials()));
    }

    #[test]
    fn nobody_comes_back_from_a_termination_without_newer_evidence(told in prop::collection::vec(any_told(), 0..14)) {
        let events = events(&told);
        let person = fold(&PersonId::new("E1").unwrap(), &events, &materials());
        let of_all = |event: &&Event| event.claim == Claim::Terminated && event.engagement.is_none();
        for termination in events.iter().filter(of_all) {
            let answered = events.iter().any(|event| {
                let newer = (event.asserted_at, event.effective_at) > (termination.asserted_at, termination.effective_at);
                matches!(&event.claim, Claim::Retracted(retracted) if retracted.event == termination.id)
                    || newer && matches!(event.claim, Claim::Rehired(_) | Claim::TerminationCancelled)
            });
            if !answered {
                for n in 0..10 {
                    let at = day(n);
                    let ended = at >= termination.effective_at;
                    prop_assert!(!ended || person.state(at) == Terminated, "on day {}: {:?}", n, person.lifecycle);
                }
            }
        }
    }

    #[test]
    fn one_more_restriction_never_lets_anybody_do_more(
        told in prop::collection::vec(any_told(), 0..10),
        kind in prop::sample::select(vec!["terminated", "suspended", "leave_started"]),
        effective in 0i64..8, asserted in 0i64..8,
    ) {
        let before = person(&told);
        let mut more = told.clone();
        more.push(on(effective, kind).said(asserted).called("new"));
        let after = person(&more);
        for n in 0..10 {
            prop_assert!(before.is_active(day(n)) || !after.is_active(day(n)), "on day {}", n);
        }
    }

    #[test]
    fn a_compromised_key_stays_compromised(told in prop::collection::vec(any_told(), 0..14)) {
        let person = person(&told);
        for event in events(&told) {
            if let Claim::KeyCompromised(compromised) = &event.claim {
                for key in person.keys.iter().filter(|key| keys::is_called(key, &compromised.fingerprint)) {
                    prop_assert!(key.compromised.is_some());
                }
            }
        }
    }
}
