use super::*;

fn now() -> Time {
    "2026-11-26T04:00:00Z".parse().unwrap()
}

fn berlin() -> Reading {
    Reading { zone: Some(ZoneName::new("Europe/Berlin").unwrap()), ..Reading::default() }
}

fn read_text(text: &str) -> Result<Export, BadExport> {
    read(text.as_bytes(), Beside::default(), &berlin(), now())
}

#[track_caller]
fn refused(text: &str, message: &str) {
    assert_eq!(read_text(text).unwrap_err().to_string(), message);
}

const HEAD: &str = "employee_id,status,email,display_name,exported_at,row_count\n";
const ALICE: &str = "E1,active,alice@hr.example,Alice Example,2026-11-26T01:00:00Z,2\n";
const BOB: &str = "E2,active,bob@hr.example,Bob Example,2026-11-26T01:00:00Z,2\n";

fn list(rows: &[&str]) -> String {
    format!("{HEAD}{}", rows.concat())
}

#[test]
fn a_whole_list_is_read() {
    let export = read_text(&list(&[ALICE, BOB])).unwrap();
    assert_eq!(export.exported_at.to_string(), "2026-11-26T01:00:00Z");
    assert_eq!((export.rows.len(), export.sha256.len()), (2, 64));
    let alice = &export.rows[0];
    assert_eq!((alice.line, alice.person.as_str(), alice.status), (Some(2), "E1", Status::Active));
    assert_eq!(alice.name.as_deref(), Some("Alice Example"));
    assert_eq!(alice.engagement, None, "without ids of persons an employee is one");
}

#[test]
fn bom_crlf_quotes_and_unknown_columns_are_no_matter() {
    let text = "\u{feff}Employee_ID,status,display_name,exported_at,row_count,badge\r\n\
                E1,Active,\"Example, \"\"Al\"\"\",2026-11-26T01:00:00Z,1,7\r\n";
    assert_eq!(read_text(text).unwrap().rows[0].name.as_deref(), Some("Example, \"Al\""));
}

#[test]
fn an_empty_list_is_nobodys_end() {
    let message = "it has no rows; an empty list is never taken for the end of everybody";
    refused(HEAD, message);
    refused(&format!("{HEAD}{TRAILER},rows=0"), message);
    refused("", "the column `employee_id` is missing");
}

#[test]
fn a_list_that_is_cut_off_is_refused() {
    refused(&list(&[ALICE]), "it says that it has 2 rows and has 1: it was cut off, or put together from two");
    refused(
        &list(&[ALICE, "E2,active,bob@hr"]),
        "line 3: it is no CSV: 3 fields where the first line has 6; it may be cut off there",
    );
    let late = format!("{HEAD}{ALICE}E2,active,bob@hr.example,Bob Example,2026-11-26T01:00:00Z,");
    refused(&late, "line 3: `row_count` is empty");
    refused(
        &list(&[ALICE, "E2,active,,\"Bob"]),
        "line 3: it is no CSV: 4 fields where the first line has 6; it may be cut off there",
    );
}

#[test]
fn a_list_that_nothing_proves_whole_is_refused() {
    let text = "employee_id,status,exported_at\nE1,active,2026-11-26T01:00:00Z\n";
    assert!(read_text(text).unwrap_err().to_string().starts_with("nothing proves that it is whole: let the export"));
    assert!(read_text(&format!("{text}{TRAILER},rows=1\n")).is_ok());
    refused(
        &format!("{text}{TRAILER},rows=2\n"),
        "it says that it has 2 rows and has 1: it was cut off, or put together from two",
    );
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    assert!(read_text(&format!("{text}{TRAILER},sha256={digest}")).is_ok());
    let other = format!("{}{TRAILER},sha256={digest}", text.replace("active", "leave"));
    assert!(read_text(&other).unwrap_err().to_string().ends_with("it was changed or cut off"));
    let beside = |said: &str| read(text.as_bytes(), Beside { sha256: Some(said), signed: false }, &berlin(), now());
    assert!(beside(&format!("{digest}  export.csv\n")).is_ok());
    assert!(matches!(beside(&"0".repeat(64)), Err(BadExport::Digest { by: "the file beside it", .. })));
    assert!(matches!(beside("export.csv"), Err(BadExport::Sidecar(_))));
    refused(
        &format!("{text}{TRAILER},rows=many"),
        "its last line is no trailer such as `#trailer,rows=250,sha256=HEX`",
    );
}

#[test]
fn one_bad_row_refuses_all() {
    let with = |row: &str| list(&[ALICE, row]);
    refused(&with("E1,leave,,,2026-11-26T01:00:00Z,2\n"), "line 3: `employee_id` E1 stands in line 2 already");
    refused(&with(",active,,,2026-11-26T01:00:00Z,2\n"), "line 3: `employee_id` is empty");
    refused(
        &with("E2,gone,,,2026-11-26T01:00:00Z,2\n"),
        "line 3: unknown status `gone`: it is prehire, active, leave, suspended or terminated, or a word that `statuses` explains",
    );
    refused(
        &with("E2,active,nobody,,2026-11-26T01:00:00Z,2\n"),
        "line 3: `email`: `nobody` is no e-mail address: it is not of the form name@domain",
    );
    refused(
        &with("E2,active,,,2026-11-25T01:00:00Z,2\n"),
        "line 3: `exported_at` is 2026-11-25T01:00:00Z, and 2026-11-26T01:00:00Z in line 2: these are two exports",
    );
    refused(&with("E2,active,,,2026-11-26T01:00:00Z,3\n"), "line 3: `row_count` is 3, and another one before");
    refused(
        &with("E\u{1b}2,active,,,2026-11-26T01:00:00Z,2\n"),
        "line 3: `employee_id`: `E\\u{1b}2` is no person id: it holds control or invisible characters",
    );
    let long = format!("E2,active,,{},2026-11-26T01:00:00Z,2\n", "x".repeat(FIELD_MAX + 1));
    refused(&with(&long), "line 3: a field is longer than 1000 bytes");
    let latin = [list(&[ALICE]).as_bytes(), b"E2,active,,J\xf6rg,2026-11-26T01:00:00Z,2\n"].concat();
    assert!(matches!(read(&latin, Beside::default(), &berlin(), now()), Err(BadExport::NotUtf8(_))));
}

#[test]
fn a_column_that_is_missing_or_there_twice_is_named() {
    refused("employee_id,exported_at\n", "the column `status` is missing");
    refused("employee_id,status,Status,exported_at\n", "the column `status` is there twice");
    refused(&format!("{}\n", "a,".repeat(COLUMNS_MAX)), "it has more than 200 columns");
}

#[test]
fn a_list_from_the_future_is_a_wrong_clock() {
    let text = list(&[ALICE, BOB]).replace("T01:00:00Z", "T04:06:00Z");
    refused(
        &text,
        "it says that it was exported at 2026-11-26T04:06:00Z, which is still to come here: check both clocks",
    );
    assert!(read_text(&text.replace("T04:06", "T04:04")).is_ok());
}

#[test]
fn days_are_days_where_the_person_is() {
    let text = "employee_id,status,hire_date,last_working_day,termination_date,contract_end,effective_at,source_timezone,exported_at,row_count\n\
                E1,active,2026-12-01,2026-12-24,2026-12-31,2027-01-31,,,2026-11-26T01:00:00Z,2\n\
                E2,leave,,,2026-12-31,,2026-11-20,Asia/Tokyo,2026-11-26T01:00:00Z,2\n";
    let export = read_text(text).unwrap();
    let shown = |day: &Option<Day>| day.as_ref().map(ToString::to_string).unwrap_or_default();
    let [one, two] = &export.rows[..] else { panic!() };
    assert_eq!(
        [&one.hired, &one.last_day, &one.contract_end].map(shown),
        ["2026-12-01 (Europe/Berlin)", "2026-12-24 (Europe/Berlin)", "2027-01-31 (Europe/Berlin)"]
    );
    assert_eq!([&two.last_day, &two.since].map(shown), ["2026-12-31 (Asia/Tokyo)", "2026-11-20 (Asia/Tokyo)"]);
    let nowhere = read(text.as_bytes(), Beside::default(), &Reading::default(), now()).unwrap_err().to_string();
    assert!(nowhere.starts_with("line 2: `hire_date` is a day, and nothing says where"), "{nowhere}");
    let instant = text.replace("2026-12-24,", "2026-12-24T00:00:00Z,");
    refused(&instant, "line 2: `last_working_day`: `2026-12-24T00:00:00Z` is no day such as 2026-11-27");
}

#[test]
fn a_source_may_have_its_own_words_and_ids_of_persons() {
    let mut reading = berlin();
    reading.statuses.insert("U".to_owned(), Status::Leave);
    let text = "employee_id,person_id,status,exported_at,row_count\n\
                7-a,P7,U,2026-11-26T01:00:00Z,2\n7-b,P7,active,2026-11-26T01:00:00Z,2\n";
    let rows = read(text.as_bytes(), Beside::default(), &reading, now()).unwrap().rows;
    assert_eq!(rows[0].status, Status::Leave);
    assert_eq!(rows.iter().map(|row| row.engagement.as_ref().unwrap().as_str()).collect::<Vec<_>>(), ["7-a", "7-b"]);
    assert_eq!(rows[0].person, rows[1].person, "two employments of one person");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_fall(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = read(&bytes, Beside::default(), &berlin(), now());
    }

    /// Whatever is lost of a list, its end or some lines, it is refused or nobody is missing.
    #[test]
    fn no_part_of_a_list_passes_for_the_whole(cut in 0usize..400) {
        let whole = list(&[&ALICE.replace(",2\n", ",3\n"), &BOB.replace(",2\n", ",3\n"),
            "E3,active,,\"Mallory\",2026-11-26T01:00:00Z,3\n"]);
        let part = whole.get(..cut.min(whole.len())).unwrap_or_default();
        if let Ok(export) = read_text(part) {
            proptest::prop_assert_eq!(export.rows.len(), 3);
        }
    }
}
