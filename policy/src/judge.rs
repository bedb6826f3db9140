//! What speaks against a commit or tag: first by itself, then at the place it is to enter.

use crate::commit::Commit;
use crate::config::{Level, Policy};
use crate::id::{ObjectFormat, RefName};
use crate::keyring::{Keyring, PersonKind, RepositoryNames};
use crate::rule::{self, Answers};
use crate::signature::together::{Checks, Together};
use crate::signature::{self, SignedBy, X509Verifier};
use crate::tag::Tag;
use crate::time::Time;
use crate::verdict::Problem;
use std::sync::Arc;

/// A reason against a commit, and what may answer it.
#[derive(Clone, Debug)]
pub struct Objection {
    pub problem: Problem,
    pub answers: Answers,
}

impl Objection {
    /// Answered by what the rule says.
    pub fn of(problem: Problem) -> Self {
        Objection { answers: problem.rule.answers, problem }
    }
}

impl From<Problem> for Objection {
    fn from(problem: Problem) -> Self {
        Objection::of(problem)
    }
}

/// The ground on which one push is judged: one policy, one epoch of the keyring, one instant.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    pub policy: &'a Policy,
    pub keyring: &'a dyn Keyring,
    pub x509: &'a dyn X509Verifier,
    pub now: Time,
    pub format: ObjectFormat,
}

impl std::fmt::Debug for Ground<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("now", &self.now).finish_non_exhaustive()
    }
}

/// What was found out about an object wherever it goes.
#[derive(Debug, Default)]
pub struct Examined {
    /// Present when the signature verified, whatever else speaks against it. Apart, since commits of one key share it.
    pub signer: Option<Arc<SignedBy>>,
    pub objections: Vec<Objection>,
    /// A commit without parents.
    pub is_root: bool,
}

impl Examined {
    pub fn refused(problem: Problem) -> Self {
        Examined { objections: vec![problem.into()], ..Examined::default() }
    }
}

impl Ground<'_> {
    fn verify(
        &self,
        payload: &crate::signature::payload::Payload<'_>,
        block: Option<&[u8]>,
        checks: Checks<'_>,
    ) -> Result<SignedBy, Problem> {
        let Some(block) = block else { return Err(Problem::new(&rule::unsigned::RULE, "is not signed")) };
        let context = signature::Context {
            keyring: self.keyring,
            settings: &self.policy.signatures,
            now: self.now,
            x509: self.x509,
        };
        signature::verify_as(payload, block, &context, checks)
    }

    /// The checks that every signer must pass, for commits and tags alike.
    fn object_to(&self, signer: &SignedBy, objections: &mut Vec<Objection>) {
        let person = signer.person();
        objections.extend(signer.problems().iter().cloned().map(|problem| key_objection(signer, problem)));
        objections.extend(rule::forge_key_outside::check(person, &self.policy.people));
        objections.extend(rule::signer_not_active::check(person, self.now));
        match rule::owner_not_active::check(person, self.keyring, &self.policy.people, self.now) {
            Ok(objection) => objections.extend(objection),
            Err(error) => objections.push(Problem::new(&rule::keyring_unreadable::RULE, error.to_string()).into()),
        }
    }

    /// Judges a commit by its raw bytes.
    pub fn examine_commit(&self, raw: &[u8]) -> Examined {
        self.examine(raw, Checks::AT_ONCE)
    }

    /// Judges many commits, once they are settled to the same effect as one by one. `keep` says what is kept of each.
    pub fn examine_commits<'c, K, T>(
        &self,
        commits: impl IntoIterator<Item = (K, &'c [u8])>,
        together: &mut Together<T>,
        mut keep: impl FnMut(K, Examined) -> T,
    ) {
        together.find(|checks, found| {
            found.extend(commits.into_iter().map(|(id, raw)| keep(id, self.examine(raw, checks))));
        });
    }

    fn examine(&self, raw: &[u8], checks: Checks<'_>) -> Examined {
        let commit = match Commit::parse(raw, self.format) {
            Ok(commit) => commit,
            Err(problem) => return Examined::refused(problem),
        };
        let mut objections = Vec::new();
        let skew = self.policy.signatures.clock_skew.get();
        for (what, when) in [("a committer date", commit.committer().when), ("an author date", commit.author().when)] {
            objections.extend(rule::time_skew::check(what, when, skew, self.now).map(Objection::from));
        }
        if commit.parents().len() > self.policy.limits.parents {
            let reason = format!("has {} parents, more than {}", commit.parents().len(), self.policy.limits.parents);
            objections.push(Problem::new(&rule::limit_exceeded::RULE, reason).into());
        }
        let signer = match self.verify(&commit.payload(), commit.signature().as_deref(), checks) {
            Ok(signer) => {
                objections.extend(commit.message_problem().map(Objection::from));
                self.object_to(&signer, &mut objections);
                // The forge's key signs for whoever clicked; its commits never bear its own name.
                if signer.person().kind != PersonKind::Forge {
                    let identity = &self.policy.identity;
                    if identity.committer_is_signer {
                        let email = commit.committer().email;
                        objections.extend(rule::identity_mismatch::check(
                            signer.person(),
                            "committer",
                            email,
                            self.now,
                        ));
                    }
                    if identity.author_is_signer {
                        objections.extend(rule::author_mismatch::check(
                            signer.person(),
                            commit.author().email,
                            self.now,
                        ));
                    }
                }
                Some(Arc::new(signer))
            }
            Err(problem) => {
                // Without a signer nothing else could be asked, and so nothing is answered by a receipt.
                objections.push(Objection { problem, answers: Answers::Never });
                None
            }
        };
        Examined { signer, objections, is_root: commit.parents().is_empty() }
    }

    /// Judges a tag object by its raw bytes; `name` is the part of the ref after `refs/tags/`.
    pub fn examine_tag(&self, tag: &Tag<'_>, name: &[u8]) -> Examined {
        let mut objections = Vec::new();
        if tag.name() != name {
            let reason = format!("calls itself {}", crate::text::shown_bytes(tag.name(), 80));
            objections.push(Problem::new(&rule::tag_name_mismatch::RULE, reason).into());
        }
        let signer = match self.verify(&tag.payload(), tag.signature(), Checks::AT_ONCE) {
            Ok(signer) => {
                objections.extend(tag.message_problem().map(Objection::from));
                self.object_to(&signer, &mut objections);
                let skew = self.policy.signatures.clock_skew.get();
                match tag.tagger() {
                    Some(tagger) => {
                        objections.extend(
                            rule::time_skew::check("a tagger date", tagger.when, skew, self.now).map(Objection::from),
                        );
                        if self.policy.identity.committer_is_signer && signer.person().kind != PersonKind::Forge {
                            objections.extend(rule::identity_mismatch::check(
                                signer.person(),
                                "tagger",
                                tagger.email,
                                self.now,
                            ));
                        }
                    }
                    None => objections.push(
                        Problem::new(&rule::identity_mismatch::RULE, "names no tagger").of(&signer.person().id).into(),
                    ),
                }
                Some(Arc::new(signer))
            }
            Err(problem) => {
                objections.push(problem.into());
                None
            }
        };
        Examined { signer, objections, is_root: false }
    }
}

/// "Compromised since T" leaves what a receipt from before T answers; without T nothing does. Key and authority are
/// told apart to people, but the harsher mark is on both.
pub(crate) fn key_objection(signer: &SignedBy, problem: Problem) -> Objection {
    match signer.compromised_since() {
        Some(since) if problem.rule.id == rule::key_compromised::RULE.id && since > Time::MIN => {
            Objection { problem, answers: Answers::KeyValidityBefore(since) }
        }
        _ => Objection::of(problem),
    }
}

/// Where an object is to enter.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub repository: &'a RepositoryNames,
    pub name: &'a RefName,
    pub level: Level,
}

/// What speaks against the signer here and now, besides what speaks against the object itself.
pub fn objections_at(place: &Place<'_>, signer: &SignedBy, policy: &Policy, now: Time) -> Vec<Objection> {
    let scope = rule::out_of_scope::check(signer.person(), signer.key(), place.repository, place.name);
    let probation = rule::signer_on_probation::check(signer.person(), place.level, &policy.people, now);
    scope.into_iter().chain(probation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{Change, Compromised, Key, Lifecycle, Person, RetireReason, Retired};
    use crate::signature::ssh::register;
    use crate::signature::tests::ssh::Forge;
    use crate::signature::together::all_hold;
    use crate::testing::{self, MemoryKeyring, NoX509};
    use crate::time::Span;

    const LEAST: &str = "version: 1\nmode: enforce\nkeyring: keyring\nledger: ledger.db\n";
    const NOW: i64 = 1_770_000_000;
    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const PARENT: &str = "parent 1111111111111111111111111111111111111111\n";

    fn now() -> Time {
        Time::from_unix_seconds(NOW)
    }

    fn line(role: &str, email: &str, seconds: i64) -> String {
        format!("{role} X <{email}> {seconds} +0000\n")
    }

    /// A server with one policy, and Alice with one key.
    struct Scene {
        policy: Policy,
        alice: Person,
        others: MemoryKeyring,
        forge: Forge,
    }

    impl Scene {
        fn new() -> Self {
            Scene::under("")
        }

        fn under(policy: &str) -> Self {
            let forge = Forge::new();
            let mut alice = testing::person("E1001", "alice@example.com").unwrap();
            alice.keys = vec![testing::key(register(&forge.line()).unwrap())];
            let policy = Policy::parse(format!("{LEAST}{policy}").as_bytes()).unwrap();
            Scene { policy, alice, others: MemoryKeyring::default(), forge }
        }

        fn with_key(change: impl FnOnce(&mut Key)) -> Self {
            let mut scene = Scene::new();
            change(&mut scene.alice.keys[0]);
            scene
        }

        fn on_ground<T>(&self, judge: impl FnOnce(&Ground<'_>) -> T) -> T {
            let keyring = self.others.clone().with(self.alice.clone());
            let format = ObjectFormat::Sha1;
            judge(&Ground { policy: &self.policy, keyring: &keyring, x509: &NoX509, now: now(), format })
        }

        fn signed(&self, headers: &str, message: &str) -> Vec<u8> {
            let block = self.forge.sign(format!("{headers}\n{message}").as_bytes());
            let folded = String::from_utf8(block).unwrap().trim_end().replace('\n', "\n ");
            format!("{headers}gpgsig {folded}\n\n{message}").into_bytes()
        }

        fn commit(&self, author: &str, committer: &str) -> Examined {
            let headers = [TREE, PARENT, author, committer].concat();
            self.on_ground(|ground| ground.examine_commit(&self.signed(&headers, "m\n")))
        }

        /// A commit by Alice, as she would make it now.
        fn plain(&self) -> Examined {
            self.commit(&line("author", "alice@example.com", NOW), &line("committer", "alice@example.com", NOW))
        }

        fn tag(&self, tagger: &str, message: &str, name: &str) -> Examined {
            let text = format!("object {}\ntype commit\ntag v1\n{tagger}\n{message}", "1".repeat(40));
            let raw = [text.as_bytes(), &self.forge.sign(text.as_bytes())].concat();
            let tag = Tag::parse(&raw, ObjectFormat::Sha1).unwrap();
            self.on_ground(|ground| ground.examine_tag(&tag, name.as_bytes()))
        }
    }

    fn said(examined: &Examined) -> Vec<(&'static str, Answers)> {
        examined.objections.iter().map(|objection| (objection.problem.rule.id, objection.answers)).collect()
    }

    fn ids(examined: &Examined) -> Vec<&'static str> {
        examined.objections.iter().map(|objection| objection.problem.rule.id).collect()
    }

    #[test]
    fn nothing_speaks_against_a_commit_by_an_active_person() {
        let scene = Scene::new();
        let examined = scene.plain();
        assert_eq!(said(&examined), []);
        assert_eq!(examined.signer.unwrap().person().id.as_str(), "E1001");
        assert!(!examined.is_root);
        let headers =
            [TREE, &line("author", "alice@example.com", NOW), &line("committer", "alice@example.com", NOW)].concat();
        let root = scene.on_ground(|ground| ground.examine_commit(&scene.signed(&headers, "m\n")));
        assert!(root.is_root && root.signer.is_some());
    }

    #[test]
    fn without_a_signer_nothing_is_answered_by_a_receipt() {
        let scene = Scene::new();
        let headers =
            [TREE, &line("author", "alice@example.com", NOW), &line("committer", "alice@example.com", NOW)].concat();
        let unsigned = scene.on_ground(|ground| ground.examine_commit(format!("{headers}\nm").as_bytes()));
        assert_eq!(said(&unsigned), [("unsigned", Answers::Never)]);
        assert!(unsigned.signer.is_none() && unsigned.is_root);
        let broken = scene.on_ground(|ground| ground.examine_commit(b"tree x\n"));
        assert_eq!(said(&broken), [("malformed-object", Answers::Never)]);
        assert!(broken.signer.is_none());
    }

    #[test]
    fn h01_dates_may_run_ahead_by_what_clocks_differ_and_no_more() {
        let scene = Scene::under("signatures: {clock_skew: 5m}\n");
        let (on_time, ahead) = (NOW + 300, NOW + 301);
        let at = |author, committer| {
            ids(&scene.commit(
                &line("author", "alice@example.com", author),
                &line("committer", "alice@example.com", committer),
            ))
        };
        assert_eq!(at(on_time, on_time), [""; 0]);
        assert_eq!(at(ahead, on_time), ["time-skew"]);
        assert_eq!(at(on_time, ahead), ["time-skew"]);
    }

    /// More than are checked together at least, of every kind that the batch could see differently.
    #[test]
    fn c30_many_commits_are_examined_as_one_by_one() {
        let scene = Scene::new();
        let headers = |n: i64| {
            let alice = |role, n| line(role, "alice@example.com", NOW - n);
            [TREE, PARENT, &alice("author", n), &alice("committer", n)].concat()
        };
        let signed = |n: i64| scene.signed(&headers(n), "m\n");
        let good: Vec<Vec<u8>> = (0..100).map(signed).collect();
        let mut mixed = good.clone();
        mixed[20] = String::from_utf8(signed(20)).unwrap().replace("\nm\n", "\nchanged\n").into_bytes();
        mixed[40] = format!("{}\nm\n", headers(40)).into_bytes();
        mixed[60] = b"tree x\n".to_vec();
        mixed[80] = Scene::new().signed(&headers(80), "m\n");
        for (commits, expected) in
            [(good, vec![]), (mixed, vec!["bad-signature", "unsigned", "malformed-object", "unknown-key"])]
        {
            let raws: Vec<&[u8]> = commits.iter().map(Vec::as_slice).collect();
            scene.on_ground(|ground| {
                let examined = |seed| {
                    let first = Together::new(None);
                    let halves = raws.chunks(raws.len() / 2).map(|half| {
                        let mut together = first.beside(seed);
                        ground.examine_commits(half.iter().map(|raw| ((), *raw)), &mut together, |(), found| found);
                        together
                    });
                    Together::settle(halves, all_hold)
                };
                let together = examined(Some([7; 32]));
                assert_eq!(together.is_some(), expected.is_empty(), "unless all is good, nothing comes out");
                let together = together.or_else(|| examined(None)).unwrap();
                let alone: Vec<Examined> = raws.iter().map(|raw| ground.examine_commit(raw)).collect();
                assert_eq!(format!("{together:?}"), format!("{alone:?}"));
                assert_eq!(together.iter().flat_map(ids).collect::<Vec<_>>(), expected);
                assert_eq!(together.iter().filter(|it| it.signer.is_none()).count(), expected.len());
            });
        }
    }

    #[test]
    fn a_commit_has_as_many_parents_as_the_policy_allows() {
        let scene = Scene::under("limits: {parents: 3}\n");
        let with = |parents: usize| {
            let alice = |role| line(role, "alice@example.com", NOW);
            let headers = [TREE, &PARENT.repeat(parents), &alice("author"), &alice("committer")].concat();
            ids(&scene.on_ground(|ground| ground.examine_commit(&scene.signed(&headers, "m\n"))))
        };
        assert_eq!(with(3), [""; 0]);
        assert_eq!(with(4), ["limit-exceeded"]);
    }

    #[test]
    fn a03_a_nul_in_the_message_is_held_against_the_signer() {
        let scene = Scene::new();
        let alice = |role| line(role, "alice@example.com", NOW);
        let raw = scene.signed(&[TREE, &alice("author"), &alice("committer")].concat(), "m\0hidden");
        let examined = scene.on_ground(|ground| ground.examine_commit(&raw));
        assert_eq!(ids(&examined), ["malformed-object"]);
        assert!(examined.signer.is_some());
        assert_eq!(ids(&scene.tag(&line("tagger", "alice@example.com", NOW), "m\0\n", "v1")), ["malformed-object"]);
    }

    #[test]
    fn the_names_in_a_commit_are_the_signers_where_the_policy_says_so() {
        let mine = "alice@example.com";
        for (policy, author, committer, says) in [
            ("", "bob@example.com", mine, None),
            ("", mine, "bob@example.com", Some("identity-mismatch")),
            ("identity: {committer_is_signer: false}\n", mine, "bob@example.com", None),
            ("identity: {author_is_signer: true}\n", mine, mine, None),
            ("identity: {author_is_signer: true}\n", "bob@example.com", mine, Some("author-mismatch")),
        ] {
            let examined =
                Scene::under(policy).commit(&line("author", author, NOW), &line("committer", committer, NOW));
            assert_eq!(ids(&examined), Vec::from_iter(says), "{policy:?} {author} {committer}");
        }
        let tag = |policy, tagger: &str| ids(&Scene::under(policy).tag(tagger, "m\n", "v1"));
        let bob = line("tagger", "bob@example.com", NOW);
        assert_eq!(tag("", &bob), ["identity-mismatch"]);
        assert_eq!(tag("identity: {committer_is_signer: false}\n", &bob), [""; 0]);
        assert_eq!(tag("", ""), ["identity-mismatch"], "b13: a tag without a tagger names nobody");
    }

    #[test]
    fn an_address_that_was_the_signers_once_is_answered_by_a_receipt() {
        let mut scene = Scene::new();
        let address = |seconds| Span { from: Time::MIN, until: Some(Time::from_unix_seconds(seconds)) };
        scene.alice.emails[0].span = address(NOW);
        assert_eq!(said(&scene.plain()), [("identity-mismatch", Answers::KeyValidity)]);
        scene.alice.emails[0].span = address(NOW + 1);
        assert_eq!(said(&scene.plain()), []);
        let of_bob = scene.commit(&line("author", "bob@example.com", NOW), &line("committer", "bob@example.com", NOW));
        assert_eq!(said(&of_bob), [("identity-mismatch", Answers::Never)]);
    }

    #[test]
    fn the_forges_own_key_signs_only_where_the_policy_accepts_it_and_then_for_anybody() {
        for (policy, says) in [("", Some("forge-key-outside")), ("people: {forge_keys: accept}\n", None)] {
            let mut scene = Scene::under(&format!("{policy}identity: {{author_is_signer: true}}\n"));
            scene.alice.kind = PersonKind::Forge;
            let bob = |role| line(role, "bob@example.com", NOW);
            assert_eq!(ids(&scene.commit(&bob("author"), &bob("committer"))), Vec::from_iter(says), "{policy:?}");
            assert_eq!(ids(&scene.tag(&bob("tagger"), "m\n", "v1")), Vec::from_iter(says), "{policy:?}");
        }
        assert_eq!(ids(&Scene::under("people: {forge_keys: refuse}\n").plain()), [""; 0], "Alice is no forge");
    }

    #[test]
    fn g01_whoever_is_not_active_is_refused_and_a_suspended_person_is_not_carried() {
        use Lifecycle::{Leave, Prehire, Suspended, Terminated};
        for (state, answers) in [
            (Prehire, Answers::KeyValidity),
            (Leave, Answers::KeyValidity),
            (Terminated, Answers::KeyValidity),
            (Suspended, Answers::Never),
        ] {
            let mut scene = Scene::new();
            scene.alice.lifecycle.push(Change { from: now(), state, abrupt: false });
            let examined = scene.plain();
            assert_eq!(said(&examined), [("signer-not-active", answers)], "{state:?}");
            let problem = &examined.objections[0].problem;
            assert_eq!((problem.state, problem.person.as_ref()), (Some(state), Some(&scene.alice.id)));
            assert!(!problem.reason.contains(state.as_str()), "the pusher is not told which: {}", problem.reason);
        }
    }

    #[test]
    fn a_service_account_rests_on_a_person_who_is_there() {
        let service = || {
            let mut scene = Scene::new();
            scene.alice.kind = PersonKind::Service;
            scene
        };
        let mut scene = service();
        assert_eq!(said(&scene.plain()), [("owner-not-active", Answers::Authority)], "without an owner");
        let mut owner = testing::person("E1002", "bob@example.com").unwrap();
        scene.alice.owner = Some(owner.id.clone());
        assert_eq!(ids(&scene.plain()), ["keyring-unreadable"], "an owner whom the keyring does not know");
        scene.others = MemoryKeyring::default().with(owner.clone());
        assert_eq!(ids(&scene.plain()), [""; 0]);
        owner.kind = PersonKind::Service;
        scene.others = MemoryKeyring::default().with(owner.clone());
        assert_eq!(ids(&scene.plain()), ["owner-not-active"], "an account answers for no account");
        owner.kind = PersonKind::Human;
        owner.lifecycle.push(Change { from: now(), state: Lifecycle::Suspended, abrupt: true });
        scene.others = MemoryKeyring::default().with(owner);
        assert_eq!(ids(&scene.plain()), ["owner-not-active"]);
        let mut human = Scene::new();
        human.alice.owner = Some(testing::person("E9", "x@example.com").unwrap().id);
        assert_eq!(ids(&human.plain()), [""; 0], "only accounts have owners who count");
    }

    /// "Compromised since T" leaves what a receipt from before T answers; without T nothing does.
    #[test]
    fn a_compromise_without_a_date_is_answered_by_nothing() {
        let marked = |since| Scene::with_key(|key| key.compromised = Some(Compromised { since, from: now() }));
        assert_eq!(said(&marked(None).plain()), [("key-compromised", Answers::Never)]);
        let yesterday = Time::from_unix_seconds(NOW - 86_400);
        let dated = said(&marked(Some(yesterday)).plain());
        assert_eq!(dated, [("key-compromised", Answers::KeyValidityBefore(yesterday))]);
        let retired = Some(Retired { at: now(), reason: RetireReason::Retired });
        let scene = Scene::with_key(|key| key.retired = retired);
        assert_eq!(said(&scene.plain()), [("key-revoked", Answers::KeyValidity)]);
    }

    #[test]
    fn b01_a_tag_bears_the_name_of_its_ref_and_a_date_of_today() {
        let scene = Scene::new();
        let tagger = line("tagger", "alice@example.com", NOW);
        let examined = scene.tag(&tagger, "first\n", "v1");
        assert_eq!(said(&examined), []);
        assert!(!examined.is_root);
        assert_eq!(ids(&scene.tag(&tagger, "m\n", "v2")), ["tag-name-mismatch"]);
        let tomorrow = line("tagger", "alice@example.com", NOW + 86_400);
        assert_eq!(ids(&scene.tag(&tomorrow, "m\n", "v1")), ["time-skew"]);
        let raw = format!("object {}\ntype commit\ntag v1\n{tagger}\nm\n", "1".repeat(40));
        let tag = Tag::parse(raw.as_bytes(), ObjectFormat::Sha1).unwrap();
        let unsigned = scene.on_ground(|ground| ground.examine_tag(&tag, b"v1"));
        assert_eq!(said(&unsigned), [("unsigned", Answers::Never)]);
        assert!(unsigned.signer.is_none());
    }

    #[test]
    fn what_a_signer_may_do_depends_on_the_place() {
        let repository = RepositoryNames { path: "/srv/git/app.git".to_owned(), forge: None };
        let objections = |scene: &Scene, name: &str, level| {
            let signer = scene.plain().signer.unwrap();
            let name = RefName::new(name.as_bytes());
            let place = Place { repository: &repository, name: &name, level };
            let found = objections_at(&place, &signer, &scene.policy, now());
            found.into_iter().map(|it| (it.problem.rule.id, it.answers)).collect::<Vec<_>>()
        };
        let main = |scene: &Scene| objections(scene, "refs/heads/main", Level::Mainline);
        let topic = |scene: &Scene| objections(scene, "refs/heads/topic", Level::Signed);
        let free = Scene::new();
        assert_eq!((main(&free), topic(&free)), (vec![], vec![]));
        let mut scoped = Scene::new();
        scoped.alice.scope = vec!["app:topic".parse().unwrap()];
        assert_eq!((main(&scoped), topic(&scoped)), (vec![("out-of-scope", Answers::Authority)], vec![]));
        let keyed = Scene::with_key(|key| key.scope = Some(vec!["app:topic".parse().unwrap()]));
        assert_eq!((main(&keyed), topic(&keyed)), (vec![("out-of-scope", Answers::Authority)], vec![]));
        for (policy, on_main) in [
            ("", vec![("signer-on-probation", Answers::Authority)]),
            ("people: {probation_on_mainline: note}\n", vec![]),
        ] {
            let mut new = Scene::under(policy);
            new.alice.probation = vec![Span::since(Time::MIN)];
            assert_eq!((main(&new), topic(&new)), (on_main, vec![]), "{policy:?}");
        }
    }
}
