use super::*;
use crate::store::Registry;
use countersign_policy::id::Fingerprint;
use countersign_policy::keyring::{Change as LifecycleChange, Held, Key, Lifecycle, Material, PersonKind, SshKey};
use countersign_policy::signature::primitive::VerifyKey;
use countersign_policy::time::Span;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use tempfile::TempDir;

fn now() -> Time {
    Time::from_unix_seconds(1_790_000_000)
}

/// A person with one key, one address and one account, all derived from numbers.
fn person(id: u32, version: u32) -> Person {
    let held = Span::since(now());
    Person {
        id: PersonId::new(&format!("E{id}")).unwrap(),
        name: format!("Person {id} in version {version}"),
        names: vec![],
        kind: PersonKind::Human,
        owner: None,
        deputy: None,
        emails: vec![Held { value: email(id, version), span: held }],
        accounts: vec![Held { value: Account::new(&format!("gitea:e{id}")).unwrap(), span: held }],
        lifecycle: vec![LifecycleChange { from: now(), state: Lifecycle::Active, abrupt: false }],
        probation: vec![],
        watch: vec![],
        legal_hold: vec![],
        roles: vec![],
        scope: vec![],
        keys: vec![Key {
            fingerprint: fingerprint(id),
            added: now(),
            scope: None,
            retired: None,
            compromised: None,
            enrolled_by: None,
            material: Material::Ssh(SshKey {
                algorithm: "ssh-ed25519".to_owned(),
                blob: vec![7; 51],
                verify: VerifyKey::Ed25519 { point: vec![7; 32], torsion_free: false },
                application: None,
            }),
        }],
    }
}

fn email(id: u32, version: u32) -> Email {
    Email::new(&format!("e{id}.{version}@example.com")).unwrap()
}

fn fingerprint(id: u32) -> Fingerprint {
    Fingerprint::new(&format!("SHA256:{id:043}")).unwrap()
}

fn new_registry() -> (TempDir, Registry) {
    let dir = TempDir::new().unwrap();
    let registry = Registry::create(&dir.path().join("registry.db"), &dir.path().join("keyring"), now()).unwrap();
    (dir, registry)
}

fn put(registry: &mut Registry, persons: impl IntoIterator<Item = Person>) {
    let change = registry.begin(now()).unwrap();
    for person in persons {
        change.put_person(&person).unwrap();
    }
    change.commit(now()).unwrap();
}

fn open(dir: &TempDir) -> PublishedKeyring {
    PublishedKeyring::open(&dir.path().join("keyring")).unwrap()
}

#[test]
fn a_new_registry_publishes_an_empty_keyring_that_others_may_read() {
    let (dir, registry) = new_registry();
    let keyring = open(&dir);
    assert_eq!(keyring.epoch(), 0);
    assert_eq!(keyring.published_at(), now());
    assert_eq!(keyring.person(&person(1, 0).id).unwrap(), None);
    assert_eq!(keyring.holders(&KeyHandle::Ssh(fingerprint(1))).unwrap(), []);
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("keyring"), 0o755);
    assert_eq!(mode("keyring/cur"), 0o644);
    assert_eq!(mode("keyring/base-0-1"), 0o644);
    assert_eq!(mode("registry.db"), 0o600);
    assert_eq!(registry.publication().unwrap().published, Some(0));
}

#[test]
fn an_open_reader_stays_at_its_epoch() {
    let (dir, mut registry) = new_registry();
    put(&mut registry, [person(1, 0)]);
    let before = open(&dir);
    // Twice past the limit of the overlay: the base that `before` holds is removed from the folder.
    put(&mut registry, (0..1500).map(|id| person(id, 1)));
    put(&mut registry, (0..1500).map(|id| person(id, 2)));
    assert_eq!(before.person(&person(1, 0).id).unwrap().unwrap().name, "Person 1 in version 0");
    assert_eq!(before.person(&person(2, 0).id).unwrap(), None);
    let after = open(&dir);
    assert_eq!((before.epoch(), after.epoch()), (1, 3));
    assert_eq!(after.person(&person(1, 0).id).unwrap().unwrap().name, "Person 1 in version 2");
    let bases = fs::read_dir(dir.path().join("keyring")).unwrap();
    let bases: Vec<_> = bases.map(|entry| entry.unwrap().file_name()).filter(|name| name != "cur").collect();
    assert_eq!(bases.len(), 2, "the latest and the one before: {bases:?}");
}

#[test]
fn a_reader_notices_that_something_newer_is_published() {
    let (dir, mut registry) = new_registry();
    put(&mut registry, [person(1, 0)]);
    let (folder, before) = (dir.path().join("keyring"), open(&dir));
    assert!(before.is_latest(&folder).unwrap());
    put(&mut registry, [person(2, 0)]);
    assert!(!before.is_latest(&folder).unwrap() && open(&dir).is_latest(&folder).unwrap());
    fs::remove_file(folder.join("cur")).unwrap();
    assert!(before.is_latest(&folder).is_err(), "what cannot be read is not the same");
}

#[test]
fn whose_a_key_is_is_kept_but_strangers_are_not() {
    let (dir, mut registry) = new_registry();
    let handle = KeyHandle::Ssh(fingerprint(1));
    let before = open(&dir);
    put(&mut registry, [person(1, 0)]);
    let after = open(&dir);
    for _ in 0..2 {
        assert_eq!(before.holders(&handle).unwrap(), []);
        assert_eq!(after.holders(&handle).unwrap(), [person(1, 0).id]);
    }
    let kept = |keyring: &PublishedKeyring| keyring.holders.read().unwrap().len();
    assert_eq!((kept(&before), kept(&after)), (0, 1), "a push may name strangers without end");
}

#[test]
fn a_digest_changes_with_the_record_and_only_then() {
    let (dir, mut registry) = new_registry();
    put(&mut registry, [person(1, 0), person(2, 0)]);
    let first = open(&dir);
    put(&mut registry, [person(1, 1)]);
    let second = open(&dir);
    let (one, two) = (person(1, 0).id, person(2, 0).id);
    assert_ne!(first.person_digest(&one).unwrap(), second.person_digest(&one).unwrap());
    assert_eq!(first.person_digest(&two).unwrap(), second.person_digest(&two).unwrap());
    assert_eq!(first.person_digest(&person(3, 0).id).unwrap(), None);
}

#[test]
fn compromised_keys_lead_to_their_persons() {
    let (dir, mut registry) = new_registry();
    let mut bad = person(2, 0);
    bad.keys[0].compromised = Some(countersign_policy::keyring::Compromised { since: None, from: now() });
    put(&mut registry, [person(1, 0), bad, person(3, 0)]);
    assert_eq!(open(&dir).compromised().unwrap(), [person(2, 0).id]);
}

#[test]
fn a_look_up_among_100_000_persons_reads_a_few_kilobytes() {
    let (dir, mut registry) = new_registry();
    put(&mut registry, (0..100_000).map(|id| person(id, 0)));
    for id in [0, 1, 77_777, 99_999] {
        let keyring = open(&dir);
        assert_eq!(keyring.holders(&KeyHandle::Ssh(fingerprint(id))).unwrap(), [person(id, 0).id]);
        assert_eq!(keyring.by_email(&email(id, 0)).unwrap(), [person(id, 0).id]);
        assert!(keyring.bytes_read() < 32 << 10, "{} bytes", keyring.bytes_read());
    }
    let overlay = fs::metadata(dir.path().join("keyring/cur")).unwrap().len();
    assert!(overlay < 1024, "a bulk change goes into the base, not into the overlay: {overlay} bytes");
}

#[test]
fn damage_is_an_error_and_never_another_answer() {
    let (dir, mut registry) = new_registry();
    put(&mut registry, (0..40).map(|id| person(id, 0)));
    drop(registry);
    let folder = dir.path().join("keyring");
    type Answer = (Option<Arc<Person>>, Vec<PersonId>);
    let answers = |keyring: &PublishedKeyring| -> Result<Vec<Answer>, KeyringError> {
        let of = |id| Ok((keyring.person(&person(id, 0).id)?, keyring.holders(&KeyHandle::Ssh(fingerprint(id)))?));
        (0..50).map(of).collect()
    };
    let right = answers(&open(&dir)).unwrap();
    let mut noticed = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        // No divisor of what one person takes in the directory: each part of that is met.
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            fs::write(&path, bytes).unwrap();
            match PublishedKeyring::open(&folder).and_then(|keyring| answers(&keyring)) {
                Ok(found) => assert_eq!(found, right, "{} at {at}", path.display()),
                Err(_) => noticed += 1,
            }
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let cut = PublishedKeyring::open(&folder).and_then(|keyring| answers(&keyring));
        assert!(cut.map_or(true, |found| found == right), "{} cut in half", path.display());
        fs::write(&path, whole).unwrap();
        assert_eq!(answers(&open(&dir)).unwrap(), right, "what was damaged before would hide the rest");
    }
    assert!(noticed > 1000, "only {noticed} were noticed");
}

#[test]
fn a_damaged_record_stops_those_who_need_it_until_somebody_publishes() {
    let (dir, mut registry) = new_registry();
    put(&mut registry, (1..4).map(|id| person(id, 0)));
    let path = dir.path().join("keyring/cur");
    let whole = fs::read(&path).unwrap();
    let name = b"Person 2 in version";
    let mut bytes = whole.clone();
    bytes[whole.windows(name.len()).position(|found| found == name).unwrap()] = b'p';
    let answers = || [1, 2, 3].map(|id| open(&dir).person(&person(id, 0).id).is_ok_and(|found| found.is_some()));
    assert_eq!(answers(), [true; 3]);
    fs::write(&path, bytes).unwrap();
    assert_eq!(answers(), [true, false, true]);
    assert!(open(&dir).holders(&KeyHandle::Ssh(fingerprint(2))).is_err() && open(&dir).person_ids().is_ok());
    // Whoever changes the registry next sees it first.
    drop(registry.begin(now()).unwrap());
    assert_eq!(answers(), [true; 3]);
    for len in [whole.len() - 1, whole.len() + 1] {
        let mut bytes = whole.clone();
        bytes.resize(len, 0);
        fs::write(&path, bytes).unwrap();
        assert!(PublishedKeyring::open(&dir.path().join("keyring")).is_err(), "{len}");
    }
}

#[test]
fn publishing_mends_a_base_that_is_damaged_anywhere() {
    let (dir, mut registry) = new_registry();
    put(&mut registry, (0..2000).map(|id| person(id, 0)));
    let folder = dir.path().join("keyring");
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    // The base before it is small and stays for readers that are at work.
    let base = || fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).max_by_key(size).unwrap();
    let all = |keyring: &PublishedKeyring| (0..2000).all(|id| keyring.person(&person(id, 0).id).is_ok());
    let writable = |path: PathBuf| fs::OpenOptions::new().write(true).open(path).unwrap();
    let len = size(&base());
    writable(base()).write_all_at(&[0xff; 64], len / 2).unwrap();
    assert!(!all(&open(&dir)), "the damage is one that readers meet");
    registry.publish(now()).unwrap();
    assert!(all(&open(&dir)));
    writable(base()).set_len(len / 2).unwrap();
    let cut = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| size(path) == len);
    cut.for_each(|whole| writable(whole).set_len(len / 2).unwrap());
    registry.publish(now()).unwrap();
    assert!(all(&open(&dir)));
}

#[test]
fn readers_in_a_loop_see_every_epoch_whole() {
    let (dir, mut registry) = new_registry();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let keyring = open(&dir);
                assert!(keyring.epoch() >= last, "an epoch never goes back");
                last = keyring.epoch();
                // Every epoch writes the same version to both persons.
                let name = |id| keyring.person(&person(id, 0).id).unwrap().map(|person| person.name.clone());
                let version = |name: Option<String>| name.map(|name| name.rsplit(' ').next().unwrap().to_owned());
                assert_eq!(version(name(1)), version(name(2)));
            }
            last
        });
        for version in 0..300 {
            // Some are past the limit of the overlay, so that bases come and go.
            let bulk = if version % 50 == 49 { 1..1200 } else { 1..3 };
            put(&mut registry, bulk.map(|id| person(id, version)));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn base_and_overlay_answer_like_a_map(
        epochs in prop::collection::vec(prop::collection::vec((0u32..60, 0u32..4), 1..400), 1..8),
        bulk in prop::option::of(0usize..8),
    ) {
        let (dir, mut registry) = new_registry();
        let mut map: BTreeMap<u32, u32> = BTreeMap::new();
        for (number, epoch) in epochs.iter().enumerate() {
            let mut persons: BTreeMap<u32, u32> = epoch.iter().copied().collect();
            if bulk == Some(number) {
                persons.extend((100..1300).map(|id| (id, 0)));
            }
            map.extend(&persons);
            put(&mut registry, persons.iter().map(|(id, version)| person(*id, *version)));
            let keyring = open(&dir);
            for id in 0..60 {
                let version = map.get(&id).copied();
                let ids: Vec<_> = version.iter().map(|_| person(id, 0).id).collect();
                let found = keyring.person(&person(id, 0).id).unwrap();
                prop_assert_eq!(found.as_deref().cloned(), version.map(|version| person(id, version)));
                prop_assert_eq!(&keyring.holders(&KeyHandle::Ssh(fingerprint(id))).unwrap(), &ids);
                prop_assert_eq!(&keyring.by_account(&Account::new(&format!("gitea:e{id}")).unwrap()).unwrap(), &ids);
                for old in 0..4 {
                    let held = if version == Some(old) { ids.clone() } else { vec![] };
                    prop_assert_eq!(keyring.by_email(&email(id, old)).unwrap(), held);
                }
            }
            let ids: Vec<_> = keyring.person_ids().unwrap();
            prop_assert_eq!(ids.len(), map.len());
        }
    }
}
