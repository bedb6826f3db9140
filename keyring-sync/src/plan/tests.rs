use super::*;
use crate::feed::csv::{self, Reading, ZoneName};
use countersign_policy::keyring::Lifecycle::{Active, Leave, Prehire, Suspended, Terminated};

/// A registry that knows one source, and whatever else is said.
struct World {
    events: Vec<Event>,
    places: BTreeMap<String, Place>,
}

/// What one night did, in words.
type Night = Vec<String>;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn hr() -> Source {
    Source::new("hr").unwrap()
}

impl World {
    fn new() -> Self {
        World { events: Vec::new(), places: BTreeMap::new() }
    }

    /// The list of the night before `day` of December: a header, and rows that lack the last two columns.
    fn night(&mut self, day: u32, head: &str, rows: &[&str]) -> Night {
        let plan = self.plan(day, head, rows);
        let mut said: Night = Vec::new();
        for step in &plan.steps {
            let absent = step.offers.iter().any(|offer| offer.origin == Origin::Absent);
            let mark = if absent { " (absent)" } else { "" };
            said.push(format!("{}{}: {}{mark}", step.sign(), step.person, step.what.join(", ")));
        }
        said.extend(plan.notes.iter().cloned());
        self.events.extend(plan.offers().into_iter().map(|offer| offer.event));
        said
    }

    fn plan(&self, day: u32, head: &str, rows: &[&str]) -> Plan {
        let exported = format!("2026-12-{day:02}T01:00:00Z");
        let mut text = format!("{head},exported_at,row_count\n");
        for row in rows {
            text.push_str(&format!("{row},{exported},{}\n", rows.len()));
        }
        let reading = Reading { zone: Some(ZoneName::new("Europe/Berlin").unwrap()), ..Reading::default() };
        let now = at(&format!("2026-12-{day:02}T04:00:00Z"));
        let export = csv::read(text.as_bytes(), csv::Beside::default(), &reading, now).unwrap();
        self.compare(&export, now)
    }

    /// What a directory says that was read in the night before `day` of December.
    fn accounts(&mut self, day: u32, rows: Vec<Row>) -> Night {
        let now = at(&format!("2026-12-{day:02}T04:00:00Z"));
        let plan = self.compare(&Export::of_accounts(now, rows).unwrap(), now);
        let said = plan.steps.iter().map(|step| format!("{}{}: {}", step.sign(), step.person, step.what.join(", ")));
        let said = said.chain(plan.notes.iter().cloned()).collect();
        self.events.extend(plan.offers().into_iter().map(|offer| offer.event));
        said
    }

    fn compare(&self, export: &Export, now: Time) -> Plan {
        let mut actual: BTreeMap<PersonId, Actual> = BTreeMap::new();
        for event in &self.events {
            let one = actual.entry(event.person.clone()).or_default();
            if event.source == hr() {
                one.said.push(event.clone());
            }
            one.person = Some(self.person(event.person.as_str()));
        }
        plan(export, &actual, Bearings { source: &hr(), places: &self.places, now }).unwrap()
    }

    fn operator(&mut self, day: u32, kind: &str, data: serde_json::Value) {
        let now = at(&format!("2026-12-{day:02}T09:00:00Z"));
        let line = crate::door::operator_line(&PersonId::new("E1").unwrap(), kind, data, now, now);
        self.events.push(Event::parse(&line, now).unwrap());
    }

    fn person(&self, id: &str) -> Person {
        let id = PersonId::new(id).unwrap();
        let events: Vec<Event> = self.events.iter().filter(|event| event.person == id).cloned().collect();
        fold(&id, &events, &BTreeMap::new())
    }

    #[track_caller]
    fn is(&self, id: &str, when: &str, state: Lifecycle) {
        let person = self.person(id);
        assert_eq!(person.state(at(when)), state, "at {when}: {:?}", person.lifecycle);
    }
}

const STATUS: &str = "employee_id,status,display_name,email";
const DATES: &str = "employee_id,status,hire_date,last_working_day";
const ALICE: &str = "E1,active,Alice,alice@hr.example";

#[test]
fn a_first_list_makes_persons_and_the_same_again_nothing() {
    let mut world = World::new();
    assert_eq!(world.night(1, STATUS, &[ALICE]), ["+E1: hired, active"]);
    assert_eq!(world.night(2, STATUS, &[ALICE]), [""; 0]);
    let alice = world.person("E1");
    assert_eq!(alice.name, "Alice");
    assert!(alice.has_email("alice@hr.example", at("2026-12-02T00:00:00Z")));
    world.is("E1", "2026-12-01T01:00:00Z", Active);
}

#[test]
fn the_same_list_makes_the_same_events() {
    let (a, b) = (World::new().plan(1, STATUS, &[ALICE]), World::new().plan(1, STATUS, &[ALICE]));
    let lines = |plan: &Plan| plan.offers().iter().map(|offer| offer.event.line.clone()).collect::<Vec<_>>();
    assert_eq!(lines(&a), lines(&b));
}

#[test]
fn a_hire_to_come_begins_with_its_day_and_may_be_moved() {
    let mut world = World::new();
    assert_eq!(
        world.night(1, DATES, &["E1,prehire,2026-12-10,"]),
        ["+E1: hired, active from 2026-12-10 (Europe/Berlin)"]
    );
    world.is("E1", "2026-12-09T22:59:59Z", Prehire);
    world.is("E1", "2026-12-09T23:00:00Z", Active);
    assert_eq!(
        world.night(2, DATES, &["E1,prehire,2026-12-15,"]),
        ["~E1: active from 2026-12-15 (Europe/Berlin), not from 2026-12-09T23:00:00Z"]
    );
    world.is("E1", "2026-12-12T00:00:00Z", Prehire);
    world.is("E1", "2026-12-14T23:00:00Z", Active);
    assert_eq!(world.night(20, DATES, &["E1,active,2026-12-15,"]), [""; 0]);
}

#[test]
fn an_end_to_come_is_corrected_and_cancelled() {
    let mut world = World::new();
    world.night(1, DATES, &["E1,active,2020-01-01,"]);
    assert_eq!(
        world.night(2, DATES, &["E1,active,2020-01-01,2026-12-18"]),
        ["-E1: terminated at the end of 2026-12-18 (Europe/Berlin)"]
    );
    world.is("E1", "2026-12-18T22:59:59Z", Active);
    world.is("E1", "2026-12-18T23:00:00Z", Terminated);
    assert_eq!(world.night(3, DATES, &["E1,active,2020-01-01,2026-12-18"]), [""; 0]);
    world.night(4, DATES, &["E1,active,2020-01-01,2026-12-24"]);
    world.is("E1", "2026-12-19T00:00:00Z", Active);
    world.is("E1", "2026-12-24T23:00:00Z", Terminated);
    world.night(5, DATES, &["E1,active,2020-01-01,2026-12-11"]);
    world.is("E1", "2026-12-12T00:00:00Z", Terminated);
    assert_eq!(
        world.night(6, DATES, &["E1,active,2020-01-01,"]),
        ["~E1: stays: the end at 2026-12-11T23:00:00Z is cancelled"]
    );
    world.is("E1", "2026-12-31T00:00:00Z", Active);
    assert_eq!(world.night(7, DATES, &["E1,active,2020-01-01,"]), [""; 0]);
}

#[test]
fn an_end_that_is_moved_into_the_past_is_an_end() {
    let mut world = World::new();
    world.night(1, DATES, &["E1,active,2020-01-01,2026-12-18"]);
    world.night(4, DATES, &["E1,terminated,2020-01-01,2026-12-02"]);
    world.is("E1", "2026-12-04T04:00:00Z", Terminated);
    assert_eq!(world.night(5, DATES, &["E1,terminated,2020-01-01,2026-12-02"]), [""; 0]);
}

#[test]
fn an_end_without_a_day_is_now_and_said_once() {
    let mut world = World::new();
    world.night(1, STATUS, &[ALICE]);
    assert_eq!(world.night(2, STATUS, &["E1,terminated,Alice,"]), ["-E1: terminated"]);
    world.is("E1", "2026-12-02T04:00:00Z", Terminated);
    assert_eq!(world.night(3, STATUS, &["E1,terminated,Alice,"]), [""; 0]);
}

#[test]
fn who_comes_back_is_hired_again_and_who_never_left_is_not() {
    let mut world = World::new();
    world.night(1, DATES, &["E1,active,2020-01-01,2026-12-01", "E2,active,2020-01-01,2026-12-01"]);
    let said = world.night(9, DATES, &["E1,active,2026-12-07,", "E2,active,2020-01-01,"]);
    assert_eq!(
        said,
        [
            "+E1: hired again from 2026-12-07 (Europe/Berlin); the old keys stay retired",
            "~E2: stays: the end at 2026-12-01T23:00:00Z is cancelled"
        ]
    );
    for id in ["E1", "E2"] {
        world.is(id, "2026-12-09T04:00:00Z", Active);
    }
    assert_eq!(world.night(10, DATES, &["E1,active,2026-12-07,2026-12-01", "E2,active,2020-01-01,"]), [""; 0]);
}

#[test]
fn leave_and_suspension_begin_and_end() {
    let head = "employee_id,status,effective_at";
    let mut world = World::new();
    world.night(1, head, &["E1,active,"]);
    assert_eq!(world.night(2, head, &["E1,leave,2026-12-07"]), ["~E1: on leave from 2026-12-07 (Europe/Berlin)"]);
    assert_eq!(world.night(3, head, &["E1,leave,2026-12-07"]), [""; 0]);
    world.is("E1", "2026-12-06T00:00:00Z", Active);
    world.is("E1", "2026-12-07T00:00:00Z", Leave);
    assert_eq!(world.night(9, head, &["E1,suspended,"]), ["-E1: suspended"]);
    world.is("E1", "2026-12-09T04:00:00Z", Suspended);
    assert_eq!(world.night(10, head, &["E1,active,"]), ["~E1: reinstated, back from leave"]);
    world.is("E1", "2026-12-10T04:00:00Z", Active);
}

#[test]
fn an_absent_person_is_suspended_and_restored_when_listed_again() {
    let mut world = World::new();
    world.night(1, STATUS, &[ALICE, "E2,active,Bob,"]);
    assert_eq!(world.night(2, STATUS, &["E2,active,Bob,"]), ["-E1: suspended: not in the list (absent)"]);
    assert_eq!(world.night(3, STATUS, &["E2,active,Bob,"]), [""; 0]);
    world.is("E1", "2026-12-03T00:00:00Z", Suspended);
    assert_eq!(world.night(4, STATUS, &[ALICE, "E2,active,Bob,"]), ["~E1: reinstated"]);
    world.is("E1", "2026-12-04T04:00:00Z", Active);
}

#[test]
fn a_leaver_may_leave_the_list() {
    let mut world = World::new();
    world.night(1, DATES, &["E1,active,,2026-12-01", "E2,active,,"]);
    assert_eq!(world.night(3, DATES, &["E2,active,,"]), [""; 0]);
    assert_eq!(
        world.night(4, DATES, &["E2,active,,", "E9,terminated,2001-01-01,2002-01-01"]),
        ["1 of the list left before the registry knew them: they stay out of it"]
    );
}

#[test]
fn a_new_name_and_address_replace_those_of_the_list_alone() {
    let mut world = World::new();
    world.night(1, STATUS, &[ALICE]);
    let both = serde_json::json!({"emails": ["alice@hr.example", "al@git.example"]});
    world.operator(1, "renamed", both);
    assert_eq!(
        world.night(2, STATUS, &["E1,active,Alice Lee,alice.lee@hr.example"]),
        ["~E1: called Alice Lee, e-mail alice.lee@hr.example"]
    );
    assert_eq!(world.night(3, STATUS, &["E1,active,Alice Lee,alice.lee@hr.example"]), [""; 0]);
    let (alice, now) = (world.person("E1"), at("2026-12-03T00:00:00Z"));
    let held = ["alice@hr.example", "al@git.example", "alice.lee@hr.example"].map(|it| alice.has_email(it, now));
    assert_eq!(held, [false, true, true]);
}

#[test]
fn a_kill_stands_whatever_a_list_says() {
    let mut world = World::new();
    world.night(1, STATUS, &[ALICE]);
    world.operator(1, "terminated", serde_json::json!({}));
    assert_eq!(
        world.night(2, STATUS, &[ALICE]),
        ["line 2: E1 is listed as active and is terminated here by somebody else's word, which stands"]
    );
    world.is("E1", "2026-12-02T04:00:00Z", Terminated);
}

#[test]
fn a_contract_ends_and_is_prolonged() {
    let head = "employee_id,status,contract_end";
    let mut world = World::new();
    world.night(1, head, &["E1,active,2026-12-10"]);
    world.is("E1", "2026-12-10T22:59:59Z", Active);
    world.is("E1", "2026-12-10T23:00:00Z", Suspended);
    assert_eq!(world.night(2, head, &["E1,active,2026-12-10"]), [""; 0]);
    assert_eq!(
        world.night(3, head, &["E1,active,2026-12-20"]),
        ["~E1: contract until the end of 2026-12-20 (Europe/Berlin)"]
    );
    world.is("E1", "2026-12-15T00:00:00Z", Active);
    assert_eq!(world.night(4, head, &["E1,active,"]), ["~E1: contract without end"]);
    world.is("E1", "2026-12-31T00:00:00Z", Active);
}

#[test]
fn somebody_stays_while_one_of_two_engagements_goes_on() {
    let head = "employee_id,person_id,status,hire_date,last_working_day";
    let (a, b) = ("7-a,P7,active,2020-01-01,", "7-b,P7,active,2024-01-01,");
    let mut world = World::new();
    world.night(1, head, &[a, b]);
    world.night(2, head, &["7-a,P7,terminated,2020-01-01,2026-12-01", b]);
    world.is("P7", "2026-12-02T04:00:00Z", Active);
    assert_eq!(world.night(3, head, &["7-a,P7,terminated,2020-01-01,2026-12-01", b]), [""; 0]);
    world.night(4, head, &["7-a,P7,terminated,2020-01-01,2026-12-01", "7-b,P7,terminated,2024-01-01,2026-12-03"]);
    world.is("P7", "2026-12-04T04:00:00Z", Terminated);
}

#[test]
fn an_engagement_that_is_listed_no_more_keeps_nobody_in() {
    let head = "employee_id,person_id,status,last_working_day";
    let mut world = World::new();
    world.night(1, head, &["7-a,P7,active,", "7-b,P7,active,"]);
    assert_eq!(
        world.night(2, head, &["7-b,P7,active,"]),
        ["-P7: engagement 7-a is not in the list and counts as ended (absent)"]
    );
    world.is("P7", "2026-12-02T04:00:00Z", Active);
    assert_eq!(world.night(3, head, &["7-b,P7,active,"]), [""; 0]);
    let mut back = World { events: world.events.clone(), places: BTreeMap::new() };
    assert_eq!(back.night(4, head, &["7-a,P7,active,", "7-b,P7,active,"]), ["~P7: contract without end"]);
    world.night(4, head, &["7-b,P7,terminated,2026-12-03"]);
    world.is("P7", "2026-12-04T04:00:00Z", Suspended);
}

#[test]
fn another_department_brings_its_roles_and_reach() {
    let head = "employee_id,status,department";
    let mut world = World::new();
    let place =
        |role: &str, scope: &str| Place { roles: vec![role.parse().unwrap()], scope: vec![scope.parse().unwrap()] };
    world.places.insert("Kernel".to_owned(), place("senior", "kernel"));
    world.places.insert("Web".to_owned(), place("reviewer", "web"));
    assert_eq!(world.night(1, head, &["E1,active,Kernel"]), ["+E1: hired, active, in Kernel"]);
    assert_eq!(world.night(2, head, &["E1,active,Kernel"]), [""; 0]);
    assert_eq!(world.night(3, head, &["E1,active,Web"]), ["~E1: in Web"]);
    let (person, now) = (world.person("E1"), at("2026-12-03T04:00:00Z"));
    assert_eq!((person.has_role("senior", now), person.has_role("reviewer", now)), (false, true));
    assert_eq!(person.scope.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web"]);
    assert_eq!(
        world.night(4, head, &["E1,active,Moon"]),
        ["line 2: department `Moon` is not in `departments`: roles and scope of E1 stay as they are"]
    );
}

fn account(id: &str, is_open: bool, roles: &[&str]) -> Row {
    let roles = roles.iter().map(|role| countersign_policy::id::Role::new(role).unwrap()).collect();
    Row { roles: Some(roles), ..Row::of_account(PersonId::new(id).unwrap(), is_open) }
}

#[test]
fn a_directory_hires_whom_nobody_knows_and_nobody_else() {
    let mut world = World::new();
    world.operator(1, "hired", serde_json::json!({"name": "Alice"}));
    let rows = || vec![account("E1", true, &[]), account("E2", true, &[]), account("E3", false, &[])];
    assert_eq!(
        world.accounts(2, rows()),
        [
            "+E1: has an account",
            "+E2: hired, active",
            "1 of the list were disabled before the registry knew them: they stay out of it"
        ]
    );
    world.is("E1", "2026-12-03T00:00:00Z", Prehire);
    world.is("E2", "2026-12-03T00:00:00Z", Active);
    assert_eq!(world.accounts(3, rows()).len(), 1, "the same again is no news");
    // Whoever loses the account is out, whoever hired them.
    assert_eq!(
        world.accounts(4, vec![account("E3", true, &[])]),
        ["+E3: hired, active", "-E1: suspended: not in the list", "-E2: suspended: not in the list"]
    );
    assert_eq!(world.accounts(5, rows())[..2], ["~E1: reinstated", "~E2: reinstated"]);
}

#[test]
fn an_account_of_somebody_who_has_left_is_no_way_back() {
    let mut world = World::new();
    world.accounts(1, vec![account("E1", true, &[])]);
    world.operator(2, "terminated", serde_json::json!({}));
    let listed = "E1 is listed as active and is terminated here by somebody else's word, which stands";
    assert_eq!(world.accounts(3, vec![account("E1", true, &["senior"])]), [listed]);
    assert_eq!(world.accounts(4, vec![account("E1", false, &[])]), [""; 0]);
    assert_eq!(world.accounts(5, vec![account("E9", true, &[])]), ["+E9: hired, active"], "and is not missed");
    world.is("E1", "2026-12-06T00:00:00Z", Terminated);
}

#[test]
fn a_group_gives_a_role_until_its_member_leaves_it() {
    let mut world = World::new();
    let mut night = |day, roles: &[&str]| world.accounts(day, vec![account("E1", true, roles)]);
    assert_eq!(night(1, &["senior"]), ["+E1: hired, active, by a group senior"]);
    assert_eq!(night(2, &["senior"]), [""; 0]);
    assert_eq!(night(3, &["reviewer", "senior"]), ["~E1: by a group reviewer, senior"]);
    assert_eq!(night(4, &[]), ["~E1: no role by a group"]);
    assert_eq!(night(5, &["senior"]), ["~E1: by a group senior"]);
    // What an operator took is not given back by a list that says the same again.
    world.operator(6, "role_removed", serde_json::json!({"role": "senior"}));
    assert_eq!(world.accounts(7, vec![account("E1", true, &["senior"])]), [""; 0]);
    assert!(!world.person("E1").has_role("senior", at("2026-12-08T00:00:00Z")));
}
