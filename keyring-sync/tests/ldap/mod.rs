//! `keyring-sync sync` against OpenLDAP, and against a directory that lies.

mod liar;
mod slapd;

use crate::common::Room;
use countersign_policy::id::PersonId;
use countersign_policy::keyring::{Keyring, Lifecycle};
use ldap3_proto::proto::LdapResultCode;
use liar::Say;
use serde_json::Value;
use slapd::{BASE, LIMITED, READER, Slapd};

/// A registry whose source `directory` is read with these settings over the common ones.
fn configure(room: &Room, settings: &[(&str, &str)]) {
    let people = format!("'ou=people,{BASE}'");
    let mut all = vec![
        ("bind_dn", READER),
        ("password_file", "password"),
        ("base", people.as_str()),
        ("filter", "(objectClass=inetOrgPerson)"),
        ("person_id", "employeeNumber"),
        ("disabled", "pwd_account_locked_time"),
        ("page_size", "2"),
    ];
    all.retain(|(name, _)| !settings.iter().any(|(other, _)| name == other));
    all.extend_from_slice(settings);
    let lines: String = all.iter().map(|(name, value)| format!("      {name}: {value}\n")).collect();
    room.write("password", "pass-of-reader\n");
    room.write(
        "keyring-sync.yaml",
        &format!("registry: registry.db\nkeyring: keyring\nsources:\n  directory:\n    rank: 40\n    ldap:\n{lines}"),
    );
}

fn state(room: &Room, id: &str) -> Option<Lifecycle> {
    let person = room.keyring().person(&PersonId::new(id).unwrap()).unwrap()?;
    Some(person.state(room.now()))
}

/// Five people, two of them seniors.
fn staff() -> Slapd {
    let slapd = Slapd::start();
    for (id, name) in [("E1", "Alice Example"), ("E2", "Bob Example"), ("E3", "Carol"), ("E4", "Dave"), ("E5", "Erin")]
    {
        slapd.add_person(id, name);
    }
    slapd.load(&format!(
        "dn: cn=seniors,ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: seniors\n\
         member: uid=alice,ou=people,{BASE}\nmember: uid=carol,ou=people,{BASE}\n"
    ));
    slapd
}

fn url(slapd: &Slapd) -> String {
    format!("ldap://127.0.0.1:{}", slapd.port)
}

#[test]
fn everybody_is_read_page_by_page_over_every_kind_of_connection() {
    let slapd = staff();
    let groups = format!("{{'CN=Seniors, ou=groups,{BASE}': senior}}");
    let whole = format!("ldaps://127.0.0.1:{}", slapd.tls_port);
    let (url, ca) = (url(&slapd), slapd.ca());
    let kinds: [&[(&str, &str)]; 3] = [
        &[("url", &url)],
        &[("url", &url), ("start_tls", "true"), ("ca_file", &ca)],
        &[("url", &whole), ("ca_file", &ca)],
    ];
    for kind in kinds {
        let room = Room::new();
        configure(&room, &[kind, &[("groups", groups.as_str())]].concat());
        let dry = room.run(&["sync", "--dry-run"]);
        assert!(dry.contains("+ E1 (Alice Example): hired, active, by a group senior"), "{kind:?}: {dry}");
        assert!(
            dry.contains("names 5 people") && dry.contains("would take 12 events") && dry.ends_with("= 0\n"),
            "{dry}"
        );
        assert_eq!(state(&room, "E1"), None, "a dry run changes nothing");
        let said = room.run(&["--format", "json", "sync"]);
        let json: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        assert_eq!(json["sources"][0]["plan"].as_array().unwrap().len(), 5, "{said}");
        for id in ["E1", "E2", "E3", "E4", "E5"] {
            assert_eq!(state(&room, id), Some(Lifecycle::Active), "{id}");
        }
        let carol = room.keyring().person(&PersonId::new("E3").unwrap()).unwrap().unwrap();
        assert!(carol.has_role("senior", room.now()) && carol.has_email("carol@hr.example", room.now()));
        assert!(room.run(&["sync"]).ends_with("nothing to do\n= 0\n"), "the same again is no news");
    }
}

#[test]
fn a_disabled_account_is_suspended_and_an_enabled_one_comes_back() {
    let slapd = staff();
    let room = Room::new();
    configure(&room, &[("url", &url(&slapd)), ("groups", &format!("{{'cn=seniors,ou=groups,{BASE}': senior}}"))]);
    room.run(&["sync"]);
    let locked = |change: &str| {
        slapd.modify(&format!("dn: uid=alice,ou=people,{BASE}\nchangetype: modify\n{change}"));
        room.run(&["sync"])
    };
    let said = locked("add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n");
    assert!(said.contains("- E1 (Alice Example): suspended\ntook 1 event"), "{said}");
    assert_eq!(state(&room, "E1"), Some(Lifecycle::Suspended));
    let said = locked("replace: pwdAccountLockedTime\npwdAccountLockedTime: 20260101000000Z\n");
    assert!(
        said.contains("~ E1 (Alice Example): reinstated"),
        "what wrong passwords lock for a while is no word: {said}"
    );
    assert_eq!(state(&room, "E1"), Some(Lifecycle::Active));
    // Out of the group, and under another name.
    slapd.modify(&format!(
        "dn: cn=seniors,ou=groups,{BASE}\nchangetype: modify\ndelete: member\nmember: uid=alice,ou=people,{BASE}\n"
    ));
    let said = locked("replace: displayName\ndisplayName: Alice Married\n");
    assert!(said.contains("~ E1 (Alice Example): called Alice Married, no role by a group"), "{said}");
    let alice = room.keyring().person(&PersonId::new("E1").unwrap()).unwrap().unwrap();
    assert!(!alice.has_role("senior", room.now()) && alice.name(room.now()) == "Alice Married");
}

#[test]
fn who_is_missing_waits_for_two_people_where_they_are_many() {
    let slapd = staff();
    let room = Room::new();
    configure(&room, &[("url", &url(&slapd))]);
    room.run(&["sync"]);
    slapd.remove(&format!("uid=dave,ou=people,{BASE}"));
    let said = room.run(&["sync"]);
    assert!(said.contains("- E4 (Dave): suspended: not in the list\ntook 1 event"), "{said}");
    assert_eq!(state(&room, "E4"), Some(Lifecycle::Suspended));
    for uid in ["bob", "carol", "erin"] {
        slapd.remove(&format!("uid={uid},ou=people,{BASE}"));
    }
    let said = room.run(&["sync", "--dry-run"]);
    assert!(said.contains("3 people would wait for two people's approval") && said.ends_with("= 1\n"), "{said}");
    let said = room.run(&["sync"]);
    assert!(said.contains("directory lacks 3 of 4 active people at once") && said.ends_with("= 1\n"), "{said}");
    for id in ["E1", "E2", "E3", "E5"] {
        assert_eq!(state(&room, id), Some(Lifecycle::Active), "{id}");
    }
}

#[test]
fn an_account_is_no_employment() {
    let slapd = staff();
    let room = Room::new();
    configure(&room, &[("url", &url(&slapd))]);
    // HR is to begin with Alice next year, and let Bob go; Carol's account was shut before anybody heard of her.
    room.write(
        "events",
        r#"{"id":"1","source":"hr","person":"E1","type":"hired","data":{"name":"Alice"}}
{"id":"2","source":"hr","person":"E2","type":"hired","data":{"name":"Bob"}}
{"id":"3","source":"hr","person":"E2","type":"activated"}
{"id":"4","source":"hr","person":"E2","type":"terminated"}"#,
    );
    assert!(room.run(&["apply", "events"]).ends_with("= 0\n"));
    slapd.modify(&format!(
        "dn: uid=carol,ou=people,{BASE}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
    ));
    let said = room.run(&["sync"]);
    assert!(said.contains("~ E1 (Alice): has an account") || said.contains("+ E1 (Alice): has an account"), "{said}");
    assert!(
        said.contains("E2 is listed as active and is terminated here by somebody else's word, which stands"),
        "{said}"
    );
    assert!(said.contains("1 of the list were disabled before the registry knew them"), "{said}");
    assert_eq!(
        ["E1", "E2", "E3"].map(|id| state(&room, id)),
        [Some(Lifecycle::Prehire), Some(Lifecycle::Terminated), None]
    );
    // And whoever loses the account is out, though HR never said so.
    slapd.remove(&format!("uid=alice,ou=people,{BASE}"));
    assert!(room.run(&["sync"]).contains("E1 (Alice Example): suspended: not in the list"));
    assert_eq!(state(&room, "E1"), Some(Lifecycle::Suspended));
}

#[test]
fn an_answer_that_is_not_whole_changes_nothing() {
    let slapd = staff();
    let room = Room::new();
    let plain = url(&slapd);
    configure(&room, &[("url", &plain)]);
    room.run(&["sync"]);
    let limited = [("bind_dn", LIMITED), ("page_size", "500")];
    let (whole, started) = (format!("ldaps://127.0.0.1:{}", slapd.tls_port), [("start_tls", "true")]);
    let foreign = Slapd::start();
    let (nobody, base) = ("(&(objectClass=inetOrgPerson)(uid=nobody))", format!("'ou=nowhere,{BASE}'"));
    let gone = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let gone = format!("ldap://127.0.0.1:{gone}");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&limited, "ends the search with SizeLimitExceeded"),
        (&[("bind_dn", LIMITED)], "ends the search with "),
        (&[("filter", nobody)], "it names nobody; an empty answer is never taken for the end of everybody"),
        (&[("base", &base)], "ends the search with NoSuchObject"),
        (&[("password_file", "wrong")], "does not let bind_dn in InvalidCredentials"),
        (&[("password_file", "nothing")], "nothing holds no secret of one line"),
        (&[("person_id", "ou")], "it names nobody"),
        (&[("url", &whole), ("ca_file", &foreign.ca())], "cannot be spoken to in private: "),
        (&[("url", &gone)], "cannot be reached: "),
        (&[started[0], ("ca_file", "missing.pem")], "missing.pem: "),
        (&[("disabled", "{attribute: employeeType, values: [left]}")], "shows no `employeeType`, which says whether"),
    ];
    room.write("wrong", "another\n");
    room.write("nothing", "\n");
    for (settings, says) in cases {
        let mut all = vec![("url", plain.as_str())];
        all.retain(|(name, _)| !settings.iter().any(|(other, _)| name == other));
        configure(&room, &[&all, *settings].concat());
        let said = room.run(&["sync"]);
        assert!(said.contains(says) && said.ends_with("directory: nothing was changed\n= 1\n"), "{settings:?}: {said}");
        for id in ["E1", "E2", "E3", "E4", "E5"] {
            assert_eq!(state(&room, id), Some(Lifecycle::Active), "{settings:?}");
        }
    }
}

#[test]
fn a_part_of_the_tree_that_lies_elsewhere_is_not_taken_for_empty() {
    let slapd = staff();
    slapd.load(&format!(
        "dn: ou=abroad,ou=people,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: abroad\n\
         ref: ldap://other.example/ou=people,{BASE}\n"
    ));
    let room = Room::new();
    configure(&room, &[("url", &url(&slapd))]);
    let said = room.run(&["sync"]);
    assert!(said.contains("says that a part of the tree lies elsewhere (ldap://other.example/"), "{said}");
    assert_eq!(state(&room, "E1"), None);
    configure(&room, &[("url", &url(&slapd)), ("referrals", "ignore")]);
    let said = room.run(&["sync"]);
    assert!(said.contains("1 parts of the tree lie elsewhere and were not read") && said.ends_with("= 0\n"), "{said}");
}

/// What a directory sends, and what is said of it.
fn lies() -> Vec<(Vec<Say>, &'static str)> {
    use Say::{Bytes, Done, Elsewhere, Entry, More, Other, Person};
    let success = || Done(LdapResultCode::Success);
    // A message that announces four megabytes, and one of elements within elements.
    let huge = [vec![0x30, 0x84, 0x00, 0x40, 0x00, 0x00], vec![0; 5 << 20]].concat();
    let deep: Vec<u8> = (0..60u8).rev().flat_map(|inner| [0x30, 2 * inner]).collect();
    vec![
        (vec![Person("a"), Person("b")], "was lost before its answer was whole: it hung up in the middle"),
        (vec![Person("a"), Bytes(vec![0x30, 0x20, 0x02])], "was lost before its answer was whole"),
        (vec![Person("a"), Done(LdapResultCode::SizeLimitExceeded)], r"SizeLimitExceeded: words\u{1b}[31m"),
        (vec![Person("a"), Done(LdapResultCode::TimeLimitExceeded)], "TimeLimitExceeded"),
        (vec![Person("a"), Done(LdapResultCode::AdminLimitExceeded)], "AdminLimitExceeded"),
        (vec![Person("a"), Done(LdapResultCode::Referral)], "ends the search with Referral"),
        (vec![Person("a"), Elsewhere, success()], "lies elsewhere (ldap://other.example/dc=x)"),
        (vec![success()], "it names nobody"),
        (vec![Person("a"), Person("a"), success()], "two accounts are of a"),
        (vec![More], "pages in a row with nothing in them"),
        (vec![Person("a"), More], "two accounts are of a"),
        (vec![Person("a"), Other], "answered something else than was asked"),
        (vec![Entry(&[("uid", "a"), ("memberOf;range=0-9", "cn=a,dc=x")]), success()], "has only a part of"),
        (vec![Person("a\u{1b}"), success()], r"uid=x,dc=x\u{1b}[31m `uid` is the person's id here"),
        (vec![Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())], "was lost before its answer was whole"),
        (vec![Bytes(vec![0x04, 0x01, 0x41])], "what is no LDAP"),
        (vec![Bytes(huge)], "what is no LDAP, or more than is read at once"),
        (vec![Bytes(deep)], "what is no LDAP"),
    ]
}

#[test]
fn a_directory_that_lies_is_refused_and_named() {
    for (says, message) in lies() {
        let room = Room::new();
        let port = liar::start(says.clone());
        configure(&room, &[("url", &format!("ldap://127.0.0.1:{port}")), ("person_id", "uid"), ("disabled", "never")]);
        let said = room.run(&["sync"]);
        assert!(said.contains(message) && said.ends_with("directory: nothing was changed\n= 1\n"), "{message}: {said}");
        assert!(!said.contains('\u{1b}') && room.run(&["person", "list"]) == "= 0\n", "{said}");
    }
}
