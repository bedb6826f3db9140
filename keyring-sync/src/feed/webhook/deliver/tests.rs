use super::super::config::Kind;
use super::*;
use countersign_registry::Registry;
use proptest::prelude::*;
use tempfile::TempDir;

fn id(notice: Notice, verified: Verified, body: &[u8], now: i64) -> String {
    Delivery::new(verified, Content::Notice(notice), body).id(Time::from_unix_seconds(now))
}

fn notice(id: Option<&str>, dated: bool) -> Notice {
    Notice::new(id.map(str::to_owned), dated, Vec::new()).unwrap()
}

#[test]
fn a_repeated_delivery_has_the_same_name_and_another_has_another() {
    let unsigned = Verified::default;
    let signed = |at: i64| Verified { id: None, signed_at: Some(Time::from_unix_seconds(at)) };
    assert_eq!(id(notice(Some("u1"), true), signed(7), b"a", 0), "u1");
    assert_eq!(id(notice(Some("u1"), true), Verified { id: Some("m1".into()), signed_at: None }, b"a", 0), "m1");
    // The body says when: it is the same one however often it is signed anew.
    assert_eq!(id(notice(None, true), signed(7), b"a", 0), id(notice(None, true), signed(8), b"a", 9999));
    assert_ne!(id(notice(None, true), unsigned(), b"a", 0), id(notice(None, true), unsigned(), b"b", 0));
    // It does not: what was signed later is said anew.
    assert_eq!(id(notice(None, false), signed(7), b"a", 0), id(notice(None, false), signed(7), b"a", 9999));
    assert_ne!(id(notice(None, false), signed(7), b"a", 0), id(notice(None, false), signed(8), b"a", 0));
    // Nothing says when: repetitions are those within five minutes.
    assert_eq!(id(notice(None, false), unsigned(), b"a", 300), id(notice(None, false), unsigned(), b"a", 599));
    assert_ne!(id(notice(None, false), unsigned(), b"a", 599), id(notice(None, false), unsigned(), b"a", 600));
}

/// E1 is active, and a sender that names its deliveries speaks of them.
struct Company {
    registry: Registry,
    now: Time,
    source: Source,
    settings: Webhook,
    _dir: TempDir,
}

impl Company {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let now = Time::from_unix_seconds(1_790_000_000);
        let mut registry = Registry::create(&dir.path().join("registry.db"), &dir.path().join("keyring"), now).unwrap();
        let mut door = Door::new(registry.begin(now).unwrap(), now);
        for kind in ["hired", "activated"] {
            let line = json!({"id": kind, "source": "hr", "person": "E1", "type": kind});
            door.admit(Event::parse(&line.to_string(), now).unwrap()).unwrap();
        }
        door.settle().unwrap();
        let settings = Webhook {
            kind: Kind::Gusto,
            secret_files: Vec::new(),
            person_id: PersonIdFrom::EmployeeId,
            prefix: "E".to_owned(),
            strangers: Strangers::Refuse,
        };
        Company { registry, now, source: Source::new("gusto").unwrap(), settings, _dir: dir }
    }

    /// Said at that second before now, received now.
    fn deliver(&mut self, word: Word, before: u64) -> Outcome {
        let said = Said {
            employee: "1".to_owned(),
            word,
            said: format!("{word:?}"),
            at: Some(self.now.minus(Duration::from_secs(before))),
        };
        let id = format!("{word:?}-{before}");
        let notice = Notice::new(Some(id.clone()), true, vec![said]).unwrap();
        let delivery = Delivery::new(Verified::default(), Content::Notice(notice), id.as_bytes());
        let mut door = Door::new(self.registry.begin(self.now).unwrap(), self.now);
        let limits = Limits::default();
        let task = Task { source: &self.source, settings: &self.settings, limits: &limits };
        let outcome = task.deliver(&mut door, &delivery).unwrap();
        door.settle().unwrap();
        outcome
    }

    fn state(&self) -> Lifecycle {
        self.registry.tables().person(&"E1".parse().unwrap()).unwrap().unwrap().state(self.now)
    }

    fn events(&self) -> u64 {
        self.registry.tables().event_count().unwrap()
    }
}

#[test]
fn what_gave_access_back_is_not_repeated_after_the_next_end() {
    let mut company = Company::new();
    company.deliver(Word::Left, 90);
    company.deliver(Word::Cancelled, 80);
    company.deliver(Word::Left, 70);
    // Longer than any delivery that ends something is remembered.
    company.now = company.now.plus(REMEMBERED + Duration::from_secs(86_400));
    let events = company.events();
    let door = Door::new(company.registry.begin(company.now).unwrap(), company.now);
    assert_eq!(door.tables().prune_deliveries(company.now.minus(REMEMBERED)).unwrap(), 2);
    door.settle().unwrap();
    company.now = company.now.minus(REMEMBERED + Duration::from_secs(86_400));
    for (word, before) in [(Word::Cancelled, 80), (Word::Left, 90), (Word::Left, 70)] {
        assert!(matches!(company.deliver(word, before), Outcome::Unchanged(_)), "{word:?}");
    }
    assert_eq!((company.events(), company.state()), (events, Lifecycle::Suspended));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// In whichever order and however often they come: the newest word counts, and at one instant the end does.
    #[test]
    fn deliveries_may_overtake_each_other_and_come_again(
        words in prop::collection::vec((any::<bool>(), 0_u64..8), 1..7),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut company = Company::new();
        let again: Vec<_> = again.iter().map(|index| *index.get(&words)).collect();
        for (left, before) in words.iter().chain(&again) {
            company.deliver(if *left { Word::Left } else { Word::Cancelled }, *before);
        }
        let newest = words.iter().map(|(_, before)| before).min().unwrap();
        let out = words.contains(&(true, *newest));
        let expected = if out { Lifecycle::Suspended } else { Lifecycle::Active };
        prop_assert_eq!(company.state(), expected, "{:?} {:?}", words, again);
    }
}
