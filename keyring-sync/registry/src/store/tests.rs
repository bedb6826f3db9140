use super::*;
use crate::published::PublishedKeyring;
use crate::store::authority::AuthorityMark;
use crate::store::cascade::{Attempt, CascadeStep};
use crate::store::delivery::DeliveryRow;
use crate::store::event::EventRow;
use crate::store::export::ExportRow;
use crate::store::hint::{HintOutcome, NewHint};
use crate::store::key::KeyRow;
use crate::store::scim::{ScimKind, ScimNarrow, ScimRow};
use crate::store::staged::{NewStaged, Outcome, Vote};
use crate::store::token::TokenRow;
use crate::store::watch::{NewWatch, Signed, WatchReading, WatchRow};
use countersign_policy::id::{EventId, Fingerprint, PersonId, Source};
use countersign_policy::keyring::{Compromised, Keyring, Material, RetireReason, Retired, SshKey};
use countersign_policy::signature::primitive::VerifyKey;
use tempfile::TempDir;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_790_000_000 + seconds)
}

fn new_registry() -> (TempDir, Registry) {
    let dir = TempDir::new().unwrap();
    let registry = Registry::create(&dir.path().join("registry.db"), &dir.path().join("keyring"), at(0)).unwrap();
    (dir, registry)
}

fn reopened(dir: &TempDir) -> Result<Registry, StoreError> {
    Registry::open(&dir.path().join("registry.db"), &dir.path().join("keyring"))
}

fn event(id: &str) -> EventRow {
    EventRow {
        id: EventId::new(id).unwrap(),
        source: Source::new("workday").unwrap(),
        person: PersonId::new("E1").unwrap(),
        kind: "terminated".to_owned(),
        effective_at: at(1),
        asserted_at: at(2),
        received_at: at(3),
        key: None,
        rank: Some(7),
        line: r#"{"id":"x",  "odd":1.50}"#.to_owned(),
    }
}

fn material() -> Material {
    Material::Ssh(SshKey {
        algorithm: "ssh-ed25519".to_owned(),
        blob: vec![1; 51],
        verify: VerifyKey::Ed25519 { point: vec![1; 32], torsion_free: false },
        application: None,
    })
}

fn fingerprint(text: &str) -> Fingerprint {
    Fingerprint::new(text).unwrap()
}

#[test]
fn events_are_kept_to_the_byte_and_never_change() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    tables.add_event(&event("a")).unwrap();
    assert_eq!(tables.events_of(&event("a").person).unwrap(), [event("a")]);
    assert!(tables.add_event(&event("a")).is_err(), "source and id name one event");
    for sql in ["UPDATE event SET person = 'E2'", "DELETE FROM event"] {
        let refused = registry.connection.execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains("never"), "{refused}");
    }
}

#[test]
fn a_key_never_changes_hands() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let mut key = KeyRow {
        fingerprint: fingerprint("AA"),
        person: PersonId::new("E1").unwrap(),
        material: material(),
        source: vec![1],
    };
    tables.put_key(&key, &["AA", "BB"]).unwrap();
    key.source = vec![1, 2];
    tables.put_key(&key, &["AA", "BB", "CC"]).unwrap();
    assert_eq!(tables.key(&key.fingerprint).unwrap().unwrap().source, [1, 2], "a source may grow");
    assert_eq!(tables.owner("CC").unwrap().unwrap().key, key.fingerprint);
    key.person = PersonId::new("E2").unwrap();
    assert!(tables.put_key(&key, &["AA"]).is_err());
    key.fingerprint = fingerprint("DD");
    assert!(tables.put_key(&key, &["DD", "BB"]).is_err(), "nor does a subkey");
}

#[test]
fn a_change_that_is_not_committed_never_was() {
    let (dir, mut registry) = new_registry();
    let change = registry.begin(at(1)).unwrap();
    change.tables().add_event(&event("a")).unwrap();
    drop(change);
    assert_eq!(reopened(&dir).unwrap().tables().event_count().unwrap(), 0);
    assert_eq!(PublishedKeyring::open(registry.keyring()).unwrap().epoch(), 0);
}

/// Back to the first schema, which had these tables alone.
fn without_later_tables(connection: &Connection) {
    let first = "'event', 'person', 'claim', 'key', 'fingerprint', 'authority', 'authority_mark', 'publication'";
    let sql = format!(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN ({first})"
    );
    let mut statement = connection.prepare(&sql).unwrap();
    let later: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let drop: String = later.iter().map(|table| format!("DROP TABLE {table};")).collect();
    let back = "ALTER TABLE event DROP COLUMN rank; PRAGMA user_version = 1; PRAGMA foreign_keys = ON";
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {drop} {back}")).unwrap();
}

#[test]
fn a_registry_of_the_first_schema_goes_on() {
    let (dir, mut registry) = new_registry();
    registry.begin(at(1)).unwrap().commit(at(1)).unwrap();
    without_later_tables(&registry.connection);
    drop(registry);
    let mut registry = reopened(&dir).unwrap();
    registry.begin(at(2)).unwrap().commit(at(2)).unwrap();
    let keyring = PublishedKeyring::open(registry.keyring()).unwrap();
    assert_eq!([1, 2, 3].map(|epoch| keyring.committed_at(epoch)), [None, Some(at(2)), None]);
}

#[test]
fn only_the_latest_epochs_are_told_apart() {
    let (_dir, registry) = new_registry();
    for epoch in 1..=600 {
        registry.tables().put_epoch(epoch, at(epoch as i64)).unwrap();
    }
    let commits = registry.tables().commits().unwrap();
    assert_eq!((commits.len(), commits[0], commits[511]), (512, (89, at(89)), (600, at(600))));
}

#[test]
fn a_publication_that_is_missing_is_made_up_for() {
    let (dir, mut registry) = new_registry();
    registry.begin(at(1)).unwrap().commit(at(1)).unwrap();
    let keyring = dir.path().join("keyring");
    for damage in ["removed", "cut", "base removed"] {
        match damage {
            "removed" => std::fs::remove_file(keyring.join("cur")).unwrap(),
            "cut" => std::fs::write(keyring.join("cur"), b"CSK").unwrap(),
            _ => std::fs::read_dir(&keyring)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.to_string_lossy().contains("base-"))
                .for_each(|path| std::fs::remove_file(path).unwrap()),
        }
        assert!(PublishedKeyring::open(&keyring).is_err(), "{damage}");
        drop(registry.begin(at(2)).unwrap());
        assert_eq!(PublishedKeyring::open(&keyring).unwrap().epoch(), 1, "{damage}");
    }
    // As if the program had ended between commit and rename.
    registry.tables().put_epoch(2, at(3)).unwrap();
    drop(registry.begin(at(3)).unwrap());
    assert_eq!(PublishedKeyring::open(&keyring).unwrap().epoch(), 2);
}

#[test]
fn an_older_registry_does_not_overwrite_a_newer_keyring() {
    let (dir, mut registry) = new_registry();
    registry.begin(at(1)).unwrap().commit(at(1)).unwrap();
    registry.tables().put_epoch(0, at(2)).unwrap();
    let refused = registry.begin(at(2)).unwrap_err();
    assert!(matches!(refused, StoreError::Rollback { published: 1, registry: 0, .. }), "{refused}");
    assert_eq!(PublishedKeyring::open(&dir.path().join("keyring")).unwrap().epoch(), 1);
    // Nor one whose base is gone: what was announced is announced.
    for entry in std::fs::read_dir(dir.path().join("keyring")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("cur") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let refused = registry.begin(at(3)).unwrap_err();
    assert!(matches!(refused, StoreError::Rollback { published: 1, registry: 0, .. }), "{refused}");
}

#[test]
fn a_newer_database_is_named_and_left_alone() {
    let (dir, registry) = new_registry();
    registry.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(registry);
    let error = reopened(&dir).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
}

#[test]
fn there_is_one_registry_a_path() {
    let (dir, _registry) = new_registry();
    let again = Registry::create(&dir.path().join("registry.db"), &dir.path().join("keyring"), at(0));
    assert!(matches!(again, Err(StoreError::Exists(_))));
    assert!(matches!(Registry::open(&dir.path().join("none.db"), dir.path()), Err(StoreError::Missing(_))));
}

#[test]
fn the_harshest_mark_of_an_authority_counts() {
    let (_dir, mut registry) = new_registry();
    let change = registry.begin(at(1)).unwrap();
    let ca = fingerprint("SHA256:ca");
    change.tables().add_authority(&ca, &material(), b"ssh-ed25519 AAAA", at(1)).unwrap();
    for mark in [
        AuthorityMark::Retired(Retired { at: at(9), reason: RetireReason::Superseded }),
        AuthorityMark::Retired(Retired { at: at(8), reason: RetireReason::Retired }),
        AuthorityMark::Compromised(Compromised { since: Some(at(7)), from: at(10) }),
        AuthorityMark::Compromised(Compromised { since: None, from: at(11) }),
    ] {
        change.tables().mark_authority(&ca, mark, at(10)).unwrap();
    }
    change.commit(at(1)).unwrap();
    let authorities = PublishedKeyring::open(registry.keyring()).unwrap().authorities().unwrap();
    let published = authorities.ssh.first().unwrap();
    assert_eq!(published.retired, Some(Retired { at: at(8), reason: RetireReason::Retired }));
    assert_eq!(published.compromised, Some(Compromised { since: None, from: at(10) }));
}

fn resource(kind: ScimKind, id: &str, name: &str) -> ScimRow {
    ScimRow {
        source: Source::new("okta").unwrap(),
        kind,
        id: id.to_owned(),
        person: (kind == ScimKind::User).then(|| PersonId::new("E1").unwrap()),
        name: name.to_owned(),
        external_id: Some(format!("x-{id}")),
        version: 1,
        created: at(1),
        modified: at(2),
        deleted: None,
        suspended: false,
        document: r#"{"userName":"A"}"#.to_owned(),
    }
}

#[test]
fn a_resource_is_read_as_it_was_put_until_it_is_a_tombstone() {
    let (_dir, registry) = new_registry();
    let (tables, okta) = (registry.tables(), Source::new("okta").unwrap());
    let mut user = resource(ScimKind::User, "1", "a");
    tables.put_scim(&user, &[]).unwrap();
    tables.put_scim(&resource(ScimKind::Group, "2", "seniors"), &["1", "9"]).unwrap();
    assert!(tables.put_scim(&resource(ScimKind::User, "3", "a"), &[]).is_err(), "a name is one user's");
    (user.version, user.suspended, user.document) = (2, true, r#"{"userName":"A","active":false}"#.to_owned());
    tables.put_scim(&user, &[]).unwrap();
    let found = |narrow: ScimNarrow| tables.scim_matching(&okta, ScimKind::User, &narrow).unwrap().len();
    assert_eq!(tables.scim(&okta, ScimKind::User, "1").unwrap().as_ref(), Some(&user));
    for narrow in [ScimNarrow::All, ScimNarrow::Name("a".to_owned()), ScimNarrow::ExternalId("x-1".to_owned())] {
        assert_eq!(found(narrow.clone()), 1, "{narrow:?}");
    }
    assert_eq!(tables.scim_page(&okta, ScimKind::User, 0, 10).unwrap(), (1, vec![user.clone()]));
    assert_eq!(tables.scim_groups_of(&okta, "1").unwrap().len(), 1);
    assert!(tables.scim(&Source::new("entra").unwrap(), ScimKind::User, "1").unwrap().is_none(), "it is its source's");
    tables.put_scim(&resource(ScimKind::Group, "2", "seniors"), &["9"]).unwrap();
    assert!(tables.scim_groups_of(&okta, "1").unwrap().is_empty());

    user.deleted = Some(at(5));
    tables.put_scim(&user, &[]).unwrap();
    assert_eq!(
        (found(ScimNarrow::All), tables.scim_of_person(&okta, user.person.as_ref().unwrap()).unwrap().len()),
        (0, 1)
    );
    assert!(tables.put_scim(&user, &[]).is_err(), "a tombstone stays as it is");
    assert!(registry.connection.execute("DELETE FROM scim_resource", []).is_err());
    tables.put_scim(&resource(ScimKind::User, "3", "a"), &[]).unwrap();
}

#[test]
fn a_token_is_found_by_its_id_and_ends_once() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let token = TokenRow {
        id: "ab".to_owned(),
        source: Source::new("okta").unwrap(),
        hash: vec![1, 2],
        made: at(1),
        ended: None,
    };
    tables.add_token(&token).unwrap();
    assert_eq!(tables.token("ab").unwrap(), Some(token));
    assert_eq!(tables.token("cd").unwrap(), None);
    assert!(tables.end_token("ab", at(2)).unwrap() && !tables.end_token("ab", at(3)).unwrap());
    assert_eq!(tables.tokens().unwrap()[0].ended, Some(at(2)));
}

#[test]
fn what_fails_within_a_change_leaves_the_rest() {
    let (dir, mut registry) = new_registry();
    let change = registry.begin(at(1)).unwrap();
    for (id, keep) in [("a", true), ("b", false), ("c", true)] {
        let mark = change.mark().unwrap();
        change.tables().add_event(&event(id)).unwrap();
        if keep { change.keep(mark).unwrap() } else { change.back(mark).unwrap() }
    }
    change.commit_unseen().unwrap();
    assert_eq!(reopened(&dir).unwrap().tables().event_count().unwrap(), 2);
    assert_eq!(PublishedKeyring::open(registry.keyring()).unwrap().epoch(), 0, "nothing to see for a reader");
}

fn staged(batch: &str, person: &str, absent: bool) -> NewStaged {
    NewStaged {
        batch: batch.to_owned(),
        source: Source::new("hr").unwrap(),
        id: EventId::new("x").unwrap(),
        person: PersonId::new(person).unwrap(),
        kind: "suspended".to_owned(),
        absent,
        cause: "too many".to_owned(),
        received_at: at(3),
        rank: Some(10),
        line: "{}".to_owned(),
    }
}

#[test]
fn what_is_staged_is_decided_once_and_stays_on_record() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    tables.stage(&staged("b1", "E1", true)).unwrap();
    tables.stage(&staged("b1", "E2", false)).unwrap();
    let rows = tables.staged_of_batch("b1").unwrap();
    assert_eq!(rows[0].staged, staged("b1", "E1", true));
    assert_eq!(tables.staged_absent(&rows[0].staged.source).unwrap().len(), 1);
    let vote = Vote { approve: true, operator: "alice".into(), login: "alice".into(), reason: None, at: at(4) };
    tables.vote(rows[0].seq, &vote).unwrap();
    assert_eq!(tables.votes(rows[0].seq).unwrap(), [vote]);
    tables.decide(rows[0].seq, Outcome::Rejected, at(5)).unwrap();
    assert_eq!(tables.staged().unwrap(), rows[1..]);
    let approved = || tables.approved_at(&rows[1].staged.source, &rows[1].staged.id).unwrap();
    assert_eq!(approved(), None, "rejected is not approved");
    tables.decide(rows[1].seq, Outcome::Approved, at(7)).unwrap();
    assert_eq!(approved(), Some(at(7)));
    assert!(tables.decide(rows[0].seq, Outcome::Approved, at(6)).unwrap_err().to_string().contains("stays so"));
    for sql in ["DELETE FROM staged", "DELETE FROM staged_vote", "UPDATE staged_vote SET operator = 'bob'"] {
        assert!(registry.connection.execute(sql, []).is_err(), "{sql}");
    }
}

#[test]
fn the_window_slides_over_what_passed() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let (hr, scim) = (Source::new("hr").unwrap(), Source::new("scim").unwrap());
    let person = PersonId::new("E1").unwrap();
    tables.add_passed(&hr, &person, true, at(10)).unwrap();
    tables.add_passed(&scim, &person, false, at(20)).unwrap();
    tables.add_passed(&hr, &person, true, at(11)).unwrap();
    let passed = |since, source: Option<&Source>| -> Vec<bool> {
        tables.passed_since(at(since), source).unwrap().iter().map(|passed| passed.single).collect()
    };
    assert_eq!([passed(9, None), passed(11, None), passed(20, None)], [vec![false], vec![false], vec![]]);
    assert_eq!([passed(0, Some(&hr)), passed(0, Some(&scim))], [vec![true], vec![false]], "each person once");
}

#[test]
fn the_newest_list_of_a_source_is_known() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let list = |n: i64| ExportRow {
        source: Source::new("hr").unwrap(),
        exported_at: at(n),
        sha256: "ab".to_owned(),
        rows: 3,
        received_at: at(n + 1),
    };
    assert_eq!(tables.last_export(&list(0).source).unwrap(), None);
    tables.add_export(&list(20)).unwrap();
    tables.add_export(&list(10)).unwrap();
    assert_eq!(tables.last_export(&list(0).source).unwrap(), Some(list(20)));
    assert!(tables.add_export(&list(10)).is_err());
}

#[test]
fn a_change_goes_back_to_its_mark() {
    let (_dir, mut registry) = new_registry();
    let change = registry.begin(at(1)).unwrap();
    change.tables().add_event(&event("a")).unwrap();
    let mark = change.mark().unwrap();
    change.tables().add_event(&event("b")).unwrap();
    let _inner = change.mark().unwrap();
    change.tables().add_event(&event("c")).unwrap();
    change.back(mark).unwrap();
    change.commit_unseen().unwrap();
    assert_eq!(registry.tables().event_count().unwrap(), 1);
    assert_eq!(registry.tables().epoch().unwrap(), 0, "readers have nothing new to see");
}

#[test]
fn a_delivery_is_remembered_until_it_is_pruned() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let delivery = |source: &str, id: &str, n: i64| DeliveryRow {
        source: Source::new(source).unwrap(),
        id: id.to_owned(),
        sha256: "ab".to_owned(),
        restores: id == "back",
        received_at: at(n),
    };
    tables.add_delivery(&delivery("bob", "back", 5)).unwrap();
    tables.add_delivery(&delivery("bob", "1", 10)).unwrap();
    tables.add_delivery(&delivery("gusto", "1", 20)).unwrap();
    assert!(tables.add_delivery(&delivery("bob", "1", 30)).is_err(), "source and id name one delivery");
    assert!(registry.connection.execute("UPDATE delivery SET sha256 = 'cd'", []).is_err());
    assert_eq!(tables.prune_deliveries(at(20)).unwrap(), 1);
    let bob = delivery("bob", "1", 10).source;
    assert_eq!(tables.delivery(&bob, "1").unwrap(), None);
    assert!(tables.delivery(&bob, "back").unwrap().is_some(), "what gave access back is never forgotten");
    assert!(registry.connection.execute("DELETE FROM delivery", []).is_err());
    assert_eq!(tables.delivery(&delivery("gusto", "1", 20).source, "1").unwrap(), Some(delivery("gusto", "1", 20)));
}

#[test]
fn a_hint_is_open_then_confirmed_and_refuted_for_good() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let hint = |event: &str| NewHint {
        source: Source::new("bob").unwrap(),
        person: PersonId::new("E1").unwrap(),
        event: EventId::new(event).unwrap(),
        said: "employee.left".to_owned(),
        at_once: true,
        received_at: at(3),
    };
    for event in ["a", "a", "b"] {
        tables.open_hint(&hint(event)).unwrap();
    }
    let open = tables.open_hints().unwrap();
    assert_eq!(open.iter().map(|row| row.hint.clone()).collect::<Vec<_>>(), [hint("a"), hint("b")]);
    assert_eq!(tables.open_hint_counts().unwrap(), [(hint("a").source, 2)].into());
    tables.decide_hint(open[0].seq, HintOutcome::Confirmed, "bob", at(4)).unwrap();
    assert_eq!(tables.open_hints().unwrap(), open[1..]);
    let confirmed = &tables.standing_hints(&hint("a").source).unwrap()[0];
    assert_eq!((confirmed.outcome, confirmed.decided_at), (Some(HintOutcome::Confirmed), Some(at(4))));
    tables.decide_hint(open[0].seq, HintOutcome::Refuted, "alice", at(5)).unwrap();
    assert_eq!(tables.standing_hints_of(&hint("a").person).unwrap(), open[1..]);
    let refused = tables.decide_hint(open[0].seq, HintOutcome::Confirmed, "bob", at(6)).unwrap_err().to_string();
    assert!(refused.contains("stays so"), "{refused}");
    assert!(registry.connection.execute("DELETE FROM hint", []).is_err());
}

#[test]
fn what_became_of_a_signal_stays_so() {
    use crate::store::signal::{Reviewed, SignalOutcome, SignalRow};
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let mut row = SignalRow {
        id: "set-1".to_owned(),
        source: Source::new("idp").unwrap(),
        issuer: "https://idp.example/".to_owned(),
        jti: "j1".to_owned(),
        digest: "aa".to_owned(),
        kind: "urn:x".to_owned(),
        person: None,
        issued_at: at(1),
        received_at: at(2),
        outcome: SignalOutcome::Refused,
        detail: "nobody is called so".to_owned(),
        token: Some("a.b.c".to_owned()),
        review: None,
    };
    tables.put_signal(&row).unwrap();
    row.outcome = SignalOutcome::Applied;
    row.person = Some(PersonId::new("E1").unwrap());
    row.review = Some("look at the keys".to_owned());
    tables.put_signal(&row).unwrap();
    assert_eq!(tables.signal("set-1").unwrap().as_ref(), Some(&row));
    let refused = SignalRow { outcome: SignalOutcome::Refused, ..row.clone() };
    assert!(tables.put_signal(&refused).is_err());
    assert!(registry.connection.execute("DELETE FROM signal", []).is_err());
    assert_eq!(tables.open_reviews_of(&row.source, row.person.as_ref().unwrap()).unwrap(), [row.clone()]);
    let name = |text: &str| text.to_owned();
    let reviewed = Reviewed { at: at(3), operator: name("alice"), login: name("root"), reason: name("keys are new") };
    assert!(tables.end_review("set-1", &reviewed).unwrap());
    assert!(!tables.end_review("set-1", &reviewed).unwrap(), "once");
    assert_eq!((tables.open_reviews().unwrap(), tables.reviewed("set-1").unwrap()), (vec![], Some(reviewed)));
}

#[test]
fn a_sign_of_life_is_never_older_than_the_last() {
    let (_dir, registry) = new_registry();
    let (tables, idp) = (registry.tables(), Source::new("idp").unwrap());
    assert_eq!(tables.source_life(&idp).unwrap(), None);
    tables.watch_source(&idp, at(1)).unwrap();
    tables.watch_source(&idp, at(5)).unwrap();
    for seconds in [7, 6] {
        tables.heard_source(&idp, at(seconds)).unwrap();
    }
    tables.asked_source(&idp, "s1", at(8)).unwrap();
    tables.stopped_source(&idp, Some("moving")).unwrap();
    let life = tables.source_life(&idp).unwrap().unwrap();
    assert_eq!((life.watched_at, life.heard_at, life.asked.as_deref()), (at(1), Some(at(7)), Some("s1")));
    assert_eq!(life.stopped.as_deref(), Some("moving"));
    tables.verified_source(&idp, at(9)).unwrap();
    let life = tables.source_life(&idp).unwrap().unwrap();
    assert_eq!((life.verified_at, life.stopped), (Some(at(9)), None));
}

fn only_step(tables: Tables<'_>) -> CascadeStep {
    let mut steps = tables.cascade_steps_of(&PersonId::new("E1").unwrap()).unwrap();
    assert_eq!(steps.len(), 1);
    steps.remove(0)
}

#[test]
fn a_block_of_our_own_stays_ours_until_it_is_given_back() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let (person, account) = (PersonId::new("E1").unwrap(), "gitea:alice".parse().unwrap());
    let want = |since| tables.want_cascade_step(&person, &account, "account", at(since), at(since)).unwrap();
    let failed = |next| Attempt::Failed { trouble: "away".to_owned(), next_at: at(next) };
    let done = |own| Attempt::Confirmed { found: "cut", own };
    want(1);
    assert_eq!(tables.cascade_due("gitea", at(0)).unwrap(), None);
    assert_eq!(tables.cascade_due("gitea", at(1)).unwrap(), Some(only_step(tables)));
    assert_eq!(tables.cascade_due("git", at(1)).unwrap(), None, "another forge");
    tables.note_cascade_attempt(&only_step(tables), &failed(9), at(1)).unwrap();
    assert_eq!((tables.cascade_due("gitea", at(8)).unwrap(), tables.cascade_open("gitea").unwrap().len()), (None, 1));
    let counts = tables.cascade_counts().unwrap()["gitea"];
    assert_eq!((counts.cut, counts.cut_since, counts.held), (1, Some(at(1)), 0));
    tables.note_cascade_attempt(&only_step(tables), &done(true), at(9)).unwrap();
    assert!(tables.cascade_open("gitea").unwrap().is_empty() && tables.cascade_held("gitea").unwrap().is_empty());

    // In, out and in again before the forge heard of it.
    for since in [10, 20] {
        tables.lift_cascade_step(&only_step(tables), at(since)).unwrap();
        assert_eq!(tables.cascade_held("gitea").unwrap(), [only_step(tables)]);
        tables.note_cascade_return(&only_step(tables), &failed(since + 5), at(since)).unwrap();
        assert_eq!(tables.cascade_counts().unwrap()["gitea"].held, 1);
        want(since + 6);
        tables.note_cascade_attempt(&only_step(tables), &done(false), at(since + 7)).unwrap();
        assert!(only_step(tables).own);
    }
    tables.lift_cascade_step(&only_step(tables), at(30)).unwrap();
    tables.note_cascade_return(&only_step(tables), &Attempt::Confirmed { found: "open", own: false }, at(31)).unwrap();
    let step = only_step(tables);
    assert_eq!((step.own, step.returned_at), (false, Some(at(31))));
    assert!(tables.cascade_held("gitea").unwrap().is_empty());
}

#[test]
fn a_watch_is_what_two_agreed_on_and_who_read_of_it_stays_on_record() {
    let (_dir, registry) = new_registry();
    let tables = registry.tables();
    let by = |operator: &str, login: &str, second| Signed {
        operator: operator.to_owned(),
        login: login.to_owned(),
        at: at(second),
    };
    let watch = NewWatch {
        id: "W".to_owned(),
        person: PersonId::new("E1").unwrap(),
        reason: "r".to_owned(),
        legal_basis: "l".to_owned(),
        readers: vec!["carol".to_owned(), "da,ve".to_owned()],
        until: at(100),
        asked: by("alice", "a", 1),
    };
    tables.ask_watch(&watch).unwrap();
    assert!(
        tables.confirm_watch("W", &by("bob", "a", 2)).is_err()
            && tables.confirm_watch("W", &by("alice", "b", 2)).is_err()
    );
    assert!(tables.confirm_watch("W", &by("bob", "b", 2)).unwrap());
    assert!(!tables.confirm_watch("W", &by("carol", "c", 3)).unwrap(), "once");
    assert!(
        tables.end_watch("W", &by("carol", "c", 4)).unwrap() && !tables.end_watch("W", &by("bob", "b", 5)).unwrap()
    );
    let row = WatchRow { watch, confirmed: Some(by("bob", "b", 2)), ended: Some(by("carol", "c", 4)) };
    assert_eq!(tables.watches().unwrap(), [row]);
    let reading = WatchReading { by: by("carol", "c", 6), what: "show".to_owned(), told: true };
    tables.note_watch_reading("W", &reading).unwrap();
    assert!(tables.note_watch_reading("V", &reading).is_err(), "there is no such watch");
    assert_eq!(tables.watch_readings("W").unwrap(), [reading]);
    for sql in [
        "UPDATE watch SET until = 1",
        "UPDATE watch SET readers = '[]'",
        "DELETE FROM watch",
        "UPDATE watch_reading SET told = 0",
        "DELETE FROM watch_reading",
    ] {
        assert!(registry.connection.execute(sql, []).is_err(), "{sql}");
    }
}
