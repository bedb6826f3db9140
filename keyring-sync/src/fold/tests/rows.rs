use super::*;

fn key(n: i64, name: &str) -> Told {
    on(n, "key_added").with(json!({"ssh": name}))
}

fn retired(person: &Person) -> Vec<Option<Retired>> {
    person.keys.iter().map(|key| key.retired).collect()
}

/// An event as it comes, with a day and a zone.
fn on_day(kind: &str, date: &str, zone: &str) -> Event {
    let line = json!({"id": kind, "source": "hr", "person": "E1", "type": kind, "effective_on": date, "zone": zone,
        "asserted_at": "2026-11-01T00:00:00Z"});
    Event::parse(&line.to_string(), day(1000)).unwrap()
}

fn of_events(events: &[Event]) -> Person {
    fold(&PersonId::new("E1").unwrap(), events, &materials())
}

#[test]
fn future_hire_the_key_waits_for_the_first_day_in_the_persons_zone() {
    let hired = on_day("activated", "2026-12-01", "Asia/Tokyo");
    let person = of_events(&[hired]);
    let state = |time: &str| person.state(time.parse().unwrap());
    assert_eq!((state("2026-11-30T14:59:59.999Z"), state("2026-11-30T15:00:00Z")), (Prehire, Active));
}

#[test]
fn future_termination_at_the_end_of_the_last_day_in_the_persons_zone() {
    let hired = on_day("activated", "2020-01-01", "America/Los_Angeles");
    let left = on_day("terminated", "2026-11-27", "America/Los_Angeles");
    let person = of_events(&[left, hired]);
    let state = |time: &str| person.state(time.parse().unwrap());
    assert_eq!((state("2026-11-28T07:59:59.999Z"), state("2026-11-28T08:00:00Z")), (Active, Terminated));
}

#[test]
fn future_termination_the_end_of_a_day_on_which_the_clocks_change() {
    let hired = on_day("activated", "2020-01-01", "Europe/Berlin");
    let left = on_day("terminated", "2026-10-25", "Europe/Berlin");
    let person = of_events(&[hired, left]);
    let state = |time: &str| person.state(time.parse().unwrap());
    assert_eq!((state("2026-10-25T22:59:59Z"), state("2026-10-25T23:00:00Z")), (Active, Terminated));
}

#[test]
fn past_dated_termination_is_in_force_at_once() {
    states(&[on(5, "terminated").said(9)], &[(4, Active), (5, Terminated), (9, Terminated)]);
}

#[test]
fn leave_to_active_restores_the_same_keys() {
    let told = [on(0, "activated"), key(1, "SHA256:a"), on(5, "leave_started"), on(9, "leave_ended")];
    assert_eq!(retired(&person(&told)), [None]);
    states(&told, &[(5, Leave), (9, Active)]);
}

#[test]
fn rehire_under_a_new_engagement_keeps_old_keys_retired_whatever_it_is_called() {
    for begun in ["rehired", "activated"] {
        let told = [
            on(0, "hired").of("x"),
            on(0, "activated").of("x"),
            key(1, "SHA256:a"),
            on(10, "terminated").of("x"),
            on(20, begun).of("y"),
            key(20, "SHA256:b"),
        ];
        let back = person(&told);
        assert_eq!([9, 10, 19, 20].map(|n| back.state(day(n))), [Active, Terminated, Terminated, Active], "{begun}");
        assert_eq!(retired(&back), [Some(Retired { at: day(10), reason: RetireReason::Retired }), None], "{begun}");
    }
}

#[test]
fn conversion_without_a_gap_keeps_keys_and_roles() {
    let told = [
        on(0, "hired").of("contractor").with(json!({"engagement": "contractor", "roles": ["senior"]})),
        on(0, "activated").of("contractor"),
        key(1, "SHA256:a"),
        on(10, "terminated").of("contractor"),
        on(10, "activated").of("employee"),
    ];
    let same = person(&told);
    assert_eq!([9, 10, 99].map(|n| same.state(day(n))), [Active, Active, Active]);
    assert!(same.has_role("senior", day(11)));
    assert_eq!(retired(&same), [None]);
}

#[test]
fn concurrent_engagements_active_while_one_of_them_is() {
    let both = [on(0, "hired"), on(0, "activated").of("x"), on(2, "activated").of("y")];
    let after = |more: &[Told]| {
        let person = person(&[&both[..], more].concat());
        [9, 10, 20, 21].map(|n| person.state(day(n)))
    };
    assert_eq!(after(&[on(10, "terminated").of("x")]), [Active; 4], "one of two is no leaver");
    assert_eq!(
        after(&[on(10, "terminated").of("x"), on(20, "terminated").of("y")]),
        [Active, Active, Terminated, Terminated]
    );
    assert_eq!(after(&[on(10, "terminated")]), [Active, Terminated, Terminated, Terminated], "a kill names none");
    assert_eq!(
        after(&[on(10, "terminated").of("x"), on(20, "activated").of("x")]),
        [Active; 4],
        "and what one activates again is no matter"
    );
}

#[test]
fn concurrent_engagements_one_that_nobody_named_ends_with_any() {
    let told = [on(0, "activated").by("operator"), on(1, "activated").of("x"), on(10, "terminated").of("x")];
    states(&told, &[(9, Active), (10, Terminated)]);
}

#[test]
fn concurrent_engagements_a_cancellation_speaks_of_its_own() {
    let ended = [on(0, "activated").of("x"), on(10, "terminated").of("x").said(2)];
    let cancelled = |name: &str| person(&[&ended[..], &[on(5, "termination_cancelled").of(name)]].concat());
    assert_eq!(cancelled("x").state(day(11)), Active);
    assert_eq!(cancelled("y").state(day(11)), Terminated);
}

#[test]
fn contractor_end_suspends_without_any_word_of_hr() {
    let told = [on(10, "contract_end").said(0)];
    states(&told, &[(9, Active), (10, Suspended), (500, Suspended)]);
    states(&[&told[..], &[on(12, "reinstated")]].concat(), &[(13, Suspended)]);
}

#[test]
fn contractor_end_prolonged_shortened_or_without_end() {
    let until = |n: i64, said: i64| on(n, "contract_end").said(said);
    states(&[until(10, 0), until(30, 5)], &[(10, Active), (29, Active), (30, Suspended)]);
    states(&[until(30, 0), until(10, 5)], &[(9, Active), (10, Suspended)]);
    states(&[until(10, 0), until(30, 12)], &[(10, Suspended), (11, Suspended), (12, Active), (30, Suspended)]);
    states(&[until(10, 0), on(5, "contract_open")], &[(10, Active), (500, Active)]);
    states(&[until(10, 0), until(30, 5).by("scim")], &[(10, Suspended)]);
    states(&[until(10, 5), until(30, 5)], &[(10, Suspended)]);
}

#[test]
fn contractor_end_of_one_engagement_leaves_the_other() {
    let told = [
        on(0, "activated").of("x"),
        on(0, "activated").of("y"),
        on(10, "contract_end").of("x").said(1),
        on(20, "terminated").of("y"),
    ];
    let person = person(&told);
    assert_eq!([9, 10, 19, 20].map(|n| person.state(day(n))), [Active, Active, Active, Suspended]);
}

#[test]
fn contractor_end_a_new_engagement_begins_after_it() {
    let told = [on(10, "contract_end").said(0), on(12, "terminated"), on(20, "rehired")];
    states(&told, &[(10, Suspended), (12, Terminated), (20, Active)]);
}

#[test]
fn transfer_recomputes_roles_and_scope_that_the_source_gave() {
    let place = |role: &str, scope: &str| json!({"roles": [role], "scope": [scope]});
    let told = [
        on(0, "hired").with(json!({"roles": ["senior"], "scope": ["kernel"]})),
        on(1, "role_granted").by("operator").with(json!({"role": "release"})),
        on(10, "transferred").with(place("reviewer", "web")),
    ];
    let moved = person(&told);
    let roles = |n: i64| ["senior", "release", "reviewer"].map(|role| moved.has_role(role, day(n)));
    assert_eq!((roles(9), roles(10)), ([true, true, false], [false, true, true]));
    assert_eq!(moved.scope.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web"]);
}

#[test]
fn rename_the_person_id_is_stable_and_old_addresses_end() {
    let told = [
        on(0, "hired").with(json!({"name": "Alice", "emails": ["alice@git.example"]})),
        on(0, "activated"),
        key(1, "SHA256:a"),
        on(5, "renamed").with(json!({"name": "Alice Lee", "emails": ["alice.lee@git.example"]})),
    ];
    let alice = person(&told);
    assert!(alice.has_email("alice@git.example", day(4)) && !alice.has_email("alice@git.example", day(5)));
    assert_eq!((alice.id.as_str(), retired(&alice).len(), alice.is_active(day(6))), ("E1", 1, true));
}

#[test]
fn probation_is_a_mark_and_changes_no_state() {
    let told = [on(1, "probation_started"), on(9, "probation_ended")];
    states(&told, &[(2, Active)]);
    let marked = person(&told);
    assert_eq!([0, 1, 8, 9].map(|n| marked.on_probation(day(n))), [false, true, true, false]);
}

#[test]
fn legal_hold_stands_beside_a_termination() {
    let held =
        person(&[on(0, "activated"), on(3, "legal_hold_started"), on(5, "terminated"), on(9, "legal_hold_ended")]);
    assert_eq!(held.state(day(6)), Terminated);
    assert_eq!((held.legal_hold[0].from, held.legal_hold[0].until), (day(3), Some(day(9))));
}

#[test]
fn service_account_has_owner_deputy_and_expiry() {
    let told = [
        on(0, "hired").with(json!({"kind": "service", "owner": "E2", "deputy": "E3", "scope": ["app"]})),
        on(0, "activated"),
        on(30, "contract_end").said(0),
        on(9, "renamed").with(json!({"deputy": "E4"})),
    ];
    let bot = person(&told);
    let id = |person: &Option<PersonId>| person.as_ref().unwrap().to_string();
    assert_eq!((id(&bot.owner), id(&bot.deputy)), ("E2".to_owned(), "E4".to_owned()));
    assert_eq!((bot.state(day(29)), bot.state(day(30))), (Active, Suspended));
}

#[test]
fn rotation_overlap_the_old_key_is_good_until_its_end() {
    let told = [
        key(0, "SHA256:a"),
        key(5, "SHA256:b"),
        on(5, "key_retired").with(json!({"fingerprint": "SHA256:a", "since": day(12), "reason": "superseded"})),
    ];
    let superseded = Some(Retired { at: day(12), reason: RetireReason::Superseded });
    assert_eq!(retired(&person(&told)), [superseded, None], "both count from day 5 to day 12");
}

#[test]
fn compromise_since_an_instant_and_no_instant_means_always() {
    let with = |data: Value| {
        let told = [key(0, "SHA256:a"), on(9, "key_compromised").with(data)];
        person(&told).keys[0].compromised.unwrap()
    };
    let since = with(json!({"fingerprint": "SHA256:a", "since": day(5)}));
    assert_eq!(since, Compromised { since: Some(day(5)), from: day(9) });
    assert_eq!(with(json!({"fingerprint": "SHA256:a"})).since, None);
}

#[test]
fn reinstating_what_another_source_suspended_takes_its_rank() {
    let suspended = |rank: Option<u8>| Told { rank, ..on(5, "suspended").by("scim") };
    let lifted = |rank: Option<u8>, by: Told| person(&[on(0, "activated"), suspended(rank), by]).is_active(day(9));
    let hr = || on(7, "reinstated");
    assert!(lifted(Some(10), hr().ranked(20)), "ranked higher");
    assert!(lifted(Some(10), hr().ranked(10)), "ranked the same");
    assert!(!lifted(Some(10), hr().ranked(9)), "ranked lower");
    assert!(!lifted(None, hr().ranked(200)), "nobody knew the rank of who suspended");
    assert!(!lifted(Some(10), hr()), "nor of who reinstates: as in every log from before ranks");
    assert!(!lifted(Some(10), hr().said(4).ranked(20)), "no newer evidence");
    assert!(!lifted(Some(10), on(7, "rehired").ranked(20)), "a new engagement speaks of no suspicion");
    assert!(lifted(None, on(7, "reinstated").by("scim")), "its own source needs no rank");
    let own = |told: Told| Told { data: serde_json::json!({"own": true}), ..told };
    assert!(!lifted(Some(10), own(hr().ranked(20))), "who speaks of their own word alone lifts nobody else's");
    assert!(lifted(Some(10), own(on(7, "reinstated").by("scim").ranked(20))), "and lifts it");
}

#[test]
fn ranks_are_those_of_the_day_on_which_something_was_heard() {
    // The same words, heard when hr was ranked lower and when it was ranked higher.
    let heard = |rank: u8| {
        let told = [on(0, "activated"), on(5, "suspended").by("scim").ranked(10), on(7, "reinstated").ranked(rank)];
        person(&told).state(day(9))
    };
    assert_eq!((heard(5), heard(15)), (Suspended, Active));
}

#[test]
fn out_of_order_and_duplicate_the_older_word_changes_nothing() {
    let told = [on(9, "terminated"), on(7, "termination_cancelled"), on(9, "terminated")];
    states(&told, &[(9, Terminated)]);
    states(&[on(9, "suspended"), on(9, "reinstated")], &[(9, Suspended)]);
}
