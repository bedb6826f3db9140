//! Nightly lists, the brake, and the two people who decide.

use crate::common::Room;
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Keyring, Lifecycle};

const CONFIG: &str = "\
registry: registry.db
keyring: keyring
sources:
  hr:
    rank: 50
    csv:
      file: export.csv
      timezone: Europe/Berlin
";

const HEAD: &str = "employee_id,status,display_name,last_working_day,exported_at,row_count";

/// A registry whose HR writes `export.csv`.
struct Company(Room);

impl Company {
    fn new() -> Self {
        let room = Room::new();
        room.write("keyring-sync.yaml", CONFIG);
        Company(room)
    }

    /// With so many people, listed on the first night.
    fn of(people: usize) -> Self {
        let company = Company::new();
        company.export(1, &company.all(people));
        let said = company.0.run(&["sync"]);
        assert!(said.ends_with("= 0\n"), "{said}");
        assert_eq!(company.active(people), people);
        company
    }

    fn all(&self, people: usize) -> Vec<String> {
        (1..=people).map(|number| format!("E{number},active,Person {number},")).collect()
    }

    /// The list of night `n`, whole.
    fn export(&self, n: usize, rows: &[String]) {
        self.0.write("export.csv", &list(n, rows));
    }

    fn run(&self, args: &[&str]) -> String {
        scrub(&self.0.run(args))
    }

    fn active(&self, people: usize) -> usize {
        (1..=people).filter(|number| self.is_active(*number)).count()
    }

    fn is_active(&self, number: usize) -> bool {
        let id = PersonId::new(&format!("E{number}")).unwrap();
        let person = self.0.keyring().person(&id).unwrap();
        person.is_some_and(|person| person.state(self.0.now()) == Lifecycle::Active)
    }

    fn batch(&self) -> String {
        let said = self.0.run(&["staged", "list"]);
        let word = said.split_whitespace().find(|word| is_ulid(word));
        word.unwrap_or_else(|| panic!("{said}")).to_owned()
    }
}

fn list(n: usize, rows: &[String]) -> String {
    let exported = format!("2026-01-{:02}T{:02}:00:00Z", 1 + n / 24, n % 24);
    let rows: Vec<String> = rows.iter().map(|row| format!("{row},{exported},{}\n", rows.len())).collect();
    format!("{HEAD}\n{}", rows.concat())
}

fn is_ulid(word: &str) -> bool {
    word.len() == 26 && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Without what differs from run to run: names of batches, and every time but those of the lists.
fn scrub(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches([':', ',']);
        let rest = word.get(bare.len()..).unwrap_or_default();
        let time = bare.ends_with('Z') && bare.contains('T') && bare.starts_with("20") && !bare.starts_with("2026-01");
        match (is_ulid(bare), time) {
            (true, _) => format!("BATCH{rest}"),
            (_, true) => format!("TIME{rest}"),
            _ => word.to_owned(),
        }
    };
    let login = |line: String| match line.split_once(" (logged in as ") {
        Some((before, rest)) => format!("{before}{}", rest.split_once(')').map_or(rest, |(_, rest)| rest)),
        None => line,
    };
    text.lines().map(|line| login(line.split(' ').map(word).collect::<Vec<_>>().join(" ")) + "\n").collect()
}

#[test]
fn a_first_night() {
    let company = Company::new();
    let rows = ["E1,active,Alice Example,", "E2,active,Bob Example,2026-01-02"].map(str::to_owned);
    company.export(1, &rows);
    insta::assert_snapshot!(company.run(&["sync", "--dry-run"]), @r"
    hr: 1 of the list left before the registry knew them: they stay out of it
    hr: the list of 2026-01-01T01:00:00Z names 2 people
    + E1 (Alice Example): hired, active
    would take 2 events
    = 0
    ");
    assert_eq!(company.run(&["person", "list"]), "= 0\n", "a dry run changes nothing");
    let rows = ["E1,active,Alice Example,", "E2,active,Bob Example,2035-01-31"].map(str::to_owned);
    company.export(1, &rows);
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    hr: the list of 2026-01-01T01:00:00Z names 2 people
    + E1 (Alice Example): hired, active
    + E2 (Bob Example): hired, active, terminated at the end of 2035-01-31 (Europe/Berlin)
    took 5 events; published as epoch 1 in TIME
    = 0
    ");
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    hr: the list of 2026-01-01T01:00:00Z names 2 people
    nothing to do
    = 0
    ");
    insta::assert_snapshot!(company.run(&["person", "show", "E2"]), @r"
    E2 (Bob Example), active since 2026-01-01T01:00:00Z
      will be    terminated from TIME
      event      2026-01-01T01:00:00Z-c6e0b502c76972df hired by hr, effective 2026-01-01T01:00:00Z
      event      2026-01-01T01:00:00Z-1176fa724afbc813 activated by hr, effective 2026-01-01T01:00:00Z
      event      2026-01-01T01:00:00Z-6e2ca06c05c84d45 terminated by hr, effective TIME
    = 0
    ");
}

#[test]
fn a_list_that_lacks_most_of_the_staff_puts_nobody_out_but_the_one_real_leaver() {
    let company = Company::of(10);
    let rows = ["E1,active,Person 1,", "E2,terminated,Person 2,2026-01-01"].map(str::to_owned);
    company.export(2, &rows);
    insta::assert_snapshot!(company.run(&["sync", "--dry-run"]), @r"
    event ULID
    hr: the list of 2026-01-01T02:00:00Z names 2 people
    - E2 (Person 2): terminated at the end of 2026-01-01 (Europe/Berlin)
    - E10 (Person 10): suspended: not in the list  [waits for approval]
    - E3 (Person 3): suspended: not in the list  [waits for approval]
    - E4 (Person 4): suspended: not in the list  [waits for approval]
    - E5 (Person 5): suspended: not in the list  [waits for approval]
    - E6 (Person 6): suspended: not in the list  [waits for approval]
    - E7 (Person 7): suspended: not in the list  [waits for approval]
    - E8 (Person 8): suspended: not in the list  [waits for approval]
    - E9 (Person 9): suspended: not in the list  [waits for approval]
    would take 1 event
    8 people would wait for two people's approval, and nothing changes for them: hr lacks 8 of 10 active people at once; without approval one source may put out 1 within 1d
    = 1
    ");
    assert_eq!(company.active(10), 10);
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    event ULID
    hr: the list of 2026-01-01T02:00:00Z names 2 people
    - E2 (Person 2): terminated at the end of 2026-01-01 (Europe/Berlin)
    - E10 (Person 10): suspended: not in the list  [waits for approval]
    - E3 (Person 3): suspended: not in the list  [waits for approval]
    - E4 (Person 4): suspended: not in the list  [waits for approval]
    - E5 (Person 5): suspended: not in the list  [waits for approval]
    - E6 (Person 6): suspended: not in the list  [waits for approval]
    - E7 (Person 7): suspended: not in the list  [waits for approval]
    - E8 (Person 8): suspended: not in the list  [waits for approval]
    - E9 (Person 9): suspended: not in the list  [waits for approval]
    took 1 event; published as epoch 2 in TIME
    8 people wait for two people's approval, and nothing changes for them: hr lacks 8 of 10 active people at once; without approval one source may put out 1 within 1d
    next: keyring-sync staged list names them, two people approve or reject; whose end is urgent: keyring-sync kill PERSON --reason TEXT
    = 1
    ");
    assert_eq!((company.active(10), company.is_active(2)), (9, false));
    insta::assert_snapshot!(company.run(&["staged", "list"]), @r"
    BATCH  8 people since TIME: hr lacks 8 of 10 active people at once; without approval one source may put out 1 within 1d
      E10 (Person 10): suspended from 2026-01-01T02:00:00Z, not in the list
      E3 (Person 3): suspended from 2026-01-01T02:00:00Z, not in the list
      E4 (Person 4): suspended from 2026-01-01T02:00:00Z, not in the list
      E5 (Person 5): suspended from 2026-01-01T02:00:00Z, not in the list
      E6 (Person 6): suspended from 2026-01-01T02:00:00Z, not in the list
      E7 (Person 7): suspended from 2026-01-01T02:00:00Z, not in the list
      E8 (Person 8): suspended from 2026-01-01T02:00:00Z, not in the list
      E9 (Person 9): suspended from 2026-01-01T02:00:00Z, not in the list
    next: two people say keyring-sync staged approve BATCH [PERSON…], or reject
    = 0
    ");

    // The next night the list is whole again, and nothing waits any more.
    let mut rows = company.all(10);
    rows[1] = "E2,terminated,Person 2,2026-01-01".to_owned();
    company.export(3, &rows);
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    hr: the list of 2026-01-01T03:00:00Z names 10 people
    8 people are listed again and wait no more
    nothing to do
    = 0
    ");
    assert_eq!(company.run(&["staged", "list"]), "nothing waits\n= 0\n");
    assert_eq!(company.active(10), 9);
}

#[test]
fn an_empty_list_is_refused() {
    let company = Company::of(3);
    company.export(2, &[]);
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    hr: export.csv is refused: it has no rows; an empty list is never taken for the end of everybody
    hr: nothing was changed
    = 1
    ");
    assert_eq!(company.active(3), 3);
}

#[test]
fn a_list_that_was_cut_off_is_refused() {
    let company = Company::of(20);
    let whole = list(2, &company.all(20));
    for cut in [whole.len() / 2, whole.len() - 1 - whole.len() / 20, HEAD.len() + 1] {
        company.0.write("export.csv", &whole[..cut]);
        let said = company.run(&["sync"]);
        assert!(said.contains("is refused: ") && said.ends_with("= 1\n"), "{said}");
    }
    company.0.write("export.csv", &whole[..whole.len() / 2]);
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    hr: export.csv is refused: line 11: it is no CSV: 3 fields where the first line has 6; it may be cut off there
    hr: nothing was changed
    = 1
    ");
    let rows: String = whole.lines().take(11).map(|line| format!("{line}\n")).collect();
    company.0.write("export.csv", &rows);
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    hr: export.csv is refused: it says that it has 20 rows and has 10: it was cut off, or put together from two
    hr: nothing was changed
    = 1
    ");
    assert_eq!(company.active(20), 20);
}

#[test]
fn a_list_that_was_changed_or_comes_late_is_refused() {
    let company = Company::of(3);
    let rows = company.all(3);
    company.export(3, &rows);
    company.0.shell("sha256sum export.csv > export.csv.sha256; sed -i 's/Person 1/Person 7/' export.csv");
    let said = company.run(&["sync"]);
    assert!(said.contains("and the file beside it says") && said.ends_with("= 1\n"), "{said}");
    company.0.shell("sha256sum export.csv > export.csv.sha256");
    assert!(company.run(&["sync"]).ends_with("= 0\n"));
    company.export(2, &rows);
    company.0.shell("rm export.csv.sha256");
    insta::assert_snapshot!(company.run(&["sync"]), @r"
    hr: export.csv is refused: it is of 2026-01-01T02:00:00Z, and the list of 2026-01-01T03:00:00Z was taken already; lists are taken in their order
    hr: nothing was changed
    = 1
    ");
    company.0.shell("rm export.csv");
    insta::assert_snapshot!(company.run(&["sync"]).replace(&company.0.path("").display().to_string(), ""), @r"
    keyring-sync: export.csv: No such file or directory (os error 2)
    = 2
    ");
}

#[test]
fn a_drip_of_fifty_absences_stops_at_the_limit() {
    let company = Company::of(60);
    let all = company.all(60);
    for night in 1..=50 {
        company.export(1 + night, &all[night..]);
        company.run(&["sync"]);
    }
    // Ten percent of those who are there: six of 60, and of 55 only five.
    assert_eq!(company.active(60), 55);
    let said = company.run(&["staged", "list"]);
    assert_eq!(said.matches("not in the list").count(), 45, "{said}");
}

#[test]
fn a_drip_of_fifty_terminations_stops_at_the_limits() {
    let company = Company::of(60);
    let account = |number| {
        format!(
            "{{\"id\":\"a{number}\",\"source\":\"forge\",\"person\":\"E{number}\",\"type\":\"renamed\",\
             \"data\":{{\"accounts\":[\"gitea:e{number}\"]}}}}\n"
        )
    };
    company.0.write("accounts.jsonl", &(1..=60).map(account).collect::<String>());
    assert!(company.run(&["apply", "accounts.jsonl"]).ends_with("= 0\n"));
    let mut rows = company.all(60);
    for night in 0..50 {
        rows[night] = format!("E{},terminated,Person {},2026-01-01", night + 1, night + 1);
        company.export(2 + night, &rows);
        company.run(&["sync"]);
    }
    // Ten by name, and then ten percent of 50, less as they go.
    assert_eq!(company.active(60), 46);
    let killed = company.run(&["kill", "E40", "--reason", "urgent"]);
    assert!(killed.ends_with("= 0\n") && !company.is_active(40), "an operator is not held back");
}

#[test]
fn two_people_decide_and_one_alone_does_not() {
    let company = Company::of(10);
    company.export(2, &company.all(3));
    company.run(&["sync"]);
    let batch = company.batch();
    insta::assert_snapshot!(company.run(&["staged", "approve", &batch, "E4", "E5", "--as", "alice"]), @r"
    approved by alice alone: E4, E5
    next: a second person says keyring-sync staged approve BATCH E4 E5
    = 0
    ");
    assert_eq!(company.active(10), 10);
    let again = company.run(&["staged", "approve", &batch, "--as", "Alice", "E4"]);
    assert!(again.contains("alone") && company.active(10) == 10, "the same person twice is one: {again}");
    insta::assert_snapshot!(company.run(&["staged", "approve", &batch, "E4", "--as", "bob"]), @r"
    E4 was out from 2026-01-01T02:00:00Z on, and the registry says so since TIME only: what they pushed in between was accepted. Review it: countersign audit person E4
    approved by 2 people: E4
    published as epoch 2 in TIME
    = 0
    ");
    assert_eq!((company.active(10), company.is_active(4)), (9, false));

    company.run(&["staged", "reject", &batch, "--as", "bob", "--reason", "a broken export"]);
    insta::assert_snapshot!(company.run(&["staged", "reject", &batch, "--as", "alice"]), @r"
    rejected by 2 people: E10, E5, E6, E7, E8, E9
    = 0
    ");
    assert_eq!(company.run(&["staged", "list"]), "nothing waits\n= 0\n");
    assert_eq!(company.active(10), 9);
    insta::assert_snapshot!(company.run(&["staged", "approve", &batch, "--as", "bob"]), @r"
    keyring-sync: nothing waits under BATCH
    = 1
    ");
}

#[test]
fn what_was_approved_can_be_taken_back() {
    let company = Company::of(10);
    company.export(2, &company.all(3));
    company.run(&["sync"]);
    let batch = company.batch();
    for name in ["alice", "bob"] {
        company.run(&["staged", "approve", &batch, "--as", name]);
    }
    assert_eq!(company.active(10), 3);
    let shown = company.0.run(&["person", "show", "E4"]);
    let event = shown.lines().find(|line| line.contains(" suspended by hr")).unwrap();
    let event = event.split_whitespace().nth(1).unwrap();
    assert!(company.run(&["undo", event]).ends_with("= 0\n"));
    assert!(company.is_active(4));
    // Or the source itself lists them again.
    company.export(3, &company.all(10));
    company.run(&["sync"]);
    assert_eq!(company.active(10), 10);
}

#[test]
fn the_same_list_again_stages_nobody_twice() {
    let company = Company::of(10);
    company.export(2, &company.all(3));
    company.run(&["sync"]);
    let said = company.run(&["sync"]);
    assert!(said.contains("7 people wait already for two people's approval"), "{said}");
    company.export(3, &company.all(3));
    company.run(&["sync"]);
    assert_eq!(company.run(&["staged", "list"]).matches("not in the list").count(), 7);
}

#[test]
fn a_plan_for_programs() {
    let company = Company::of(10);
    company.export(2, &company.all(3));
    let said = company.0.run(&["sync", "--dry-run", "--format", "json"]);
    let (json, code) = said.rsplit_once("= ").unwrap();
    assert_eq!(code, "1\n", "the brake would trip");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let hr = &json["sources"][0];
    assert_eq!((&json["dry_run"], &hr["rows"], &hr["taken"]), (&true.into(), &3.into(), &0.into()));
    assert_eq!(hr["plan"].as_array().unwrap().len(), 7);
    let step = &hr["plan"][0];
    assert_eq!(
        (&step["verdict"], &step["sign"], &step["events"][0]["type"]),
        (&"stage".into(), &"-".into(), &"suspended".into())
    );
    assert_eq!(step["events"][0]["by_absence"], true);
}

#[test]
fn contracts_that_end_soon_are_named() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "Alice"]);
    room.run(&["person", "add", "E2", "--name", "Bob"]);
    assert_eq!(room.run(&["ending"]), "nothing ends within 30 days\n= 0\n");
    let days = |days: u64| room.now().plus(std::time::Duration::from_secs(days * 86_400 - 60)).to_string();
    let ends = |id: &str, person: &str, kind: &str, at: String| {
        format!(r#"{{"id":"{id}","source":"hr","person":"{person}","type":"{kind}","effective_at":"{at}"}}"#)
    };
    let lines = [ends("a", "E1", "contract_end", days(7)), ends("b", "E2", "terminated", days(40))].join("\n");
    room.write("events.jsonl", &lines);
    assert!(room.run(&["apply", "events.jsonl"]).ends_with("= 0\n"));
    insta::assert_snapshot!(scrub(&room.run(&["ending"])), @r"
    E1 (Alice): the contract ends at TIME, within 7 days
    = 0
    ");
    let json = room.run(&["ending", "--days", "60", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(json.rsplit_once("= ").unwrap().0).unwrap();
    let steps: Vec<_> = json["ending"].as_array().unwrap().iter().map(|end| (&end["what"], &end["step"])).collect();
    assert_eq!(steps, [(&"the contract".into(), &7.into()), (&"the employment".into(), &serde_json::Value::Null)]);
}

#[test]
fn a_service_account_has_a_deputy_who_is_a_human_too() {
    let room = Room::new();
    for id in ["E1", "E2"] {
        room.run(&["person", "add", id, "--name", id]);
    }
    let bot = ["person", "add", "bot", "--name", "Bot", "--kind", "service", "--scope", "app", "--owner", "E1"];
    assert!(room.run(&[&bot[..], &["--deputy", "E2"]].concat()).ends_with("= 0\n"));
    assert!(room.run(&["person", "show", "bot"]).contains("  deputy     E2\n"));
    let said = room.run(&["person", "set", "bot", "--deputy", "bot"]);
    assert!(said.contains("bot cannot own themselves") && said.ends_with("= 1\n"), "{said}");
    let said = room.run(&["person", "set", "E2", "--kind", "service"]);
    assert!(said.contains("E2 owns the service account bot") && said.ends_with("= 1\n"), "{said}");
}

#[test]
fn a_higher_source_lifts_what_a_lower_one_suspended_and_old_words_have_no_rank() {
    let room = Room::new();
    room.run(&["person", "add", "E1", "--name", "Alice"]);
    let event = |id: &str, source: &str, kind: &str| {
        room.write("e.jsonl", &format!(r#"{{"id":"{id}","source":"{source}","person":"E1","type":"{kind}"}}"#));
        assert!(room.run(&["apply", "e.jsonl"]).ends_with("= 0\n"));
        room.run(&["person", "show", "E1"]).contains("E1 (Alice), active")
    };
    assert!(!event("s1", "scim", "suspended"));
    let ranks = "registry: registry.db\nkeyring: keyring\nsources: {hr: {rank: 50}, scim: {rank: 30}}\n";
    room.write("keyring-sync.yaml", ranks);
    assert!(!event("r1", "hr", "reinstated"), "scim had no rank when it was heard");
    assert!(event("r2", "scim", "reinstated"));
    assert!(!event("s2", "scim", "suspended"));
    assert!(event("r3", "hr", "reinstated"));
}

#[test]
fn a_source_without_a_list_is_wrong_usage() {
    let company = Company::new();
    insta::assert_snapshot!(company.run(&["sync", "--source", "scim"]), @r"
    keyring-sync: the source scim has no list in keyring-sync.yaml: set sources.NAME.csv, .ldap or .scim_pull
    = 64
    ");
}

#[test]
fn a_source_that_cannot_be_read_holds_up_no_other() {
    let company = Company::of(2);
    let config = company.0.read("keyring-sync.yaml");
    company.0.write("keyring-sync.yaml", &format!("{config}  a-first:\n    csv: {{file: missing.csv}}\n"));
    company.export(2, &["E1,active,Person 1,", "E2,terminated,Person 2,"].map(str::to_owned));
    let said = company.run(&["sync"]);
    assert!(said.contains("a-first: missing.csv: ") && said.contains("a-first: nothing was changed\n"), "{said}");
    assert!(said.contains("- E2 (Person 2): terminated") && said.ends_with("= 1\n"), "{said}");
    assert!(company.is_active(1) && !company.is_active(2));
}
