//! What `countersign audit` prints, whole: the words are what an auditor reads.

mod common;

use common::{Site, verdict_of};
use countersign_tests::keys::Kind;
use serde_json::Value;

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}")).to_owned()
}

#[track_caller]
fn printed(site: &Site, args: &[&str]) -> String {
    let outcome = site.product.countersign(args, b"");
    assert!(outcome.succeeded(), "countersign {args:?}: {}{}", outcome.stdout, outcome.stderr);
    outcome.stdout
}

#[test]
fn a_person_and_a_push_in_words() {
    let mut site = Site::new();
    let app = site.repository("app");
    site.install(&app);
    let alice = site.member("alice", Kind::SshEd25519, &app);
    let commit = alice.commit("a");
    let accepted = verdict_of(&site.push(&alice, &["main"]));

    let push = site.ask(&["audit", "push", &accepted]);
    let key = text(&push, "/signed/0/key");
    let expected = format!(
        "verdict {accepted}: accept\n\
        \x20 received    {}\n\
        \x20 mode        enforce\n\
        \x20 repository  {}\n\
        \x20 pusher      not named by the server\n\
        \x20 based on    policy {}, registry epoch {}\n\
        \x20 ledger      entry {}, written {}\n\
        \x20 refs\n\
        \x20   refs/heads/main  0000000 → {}  applied\n\
        \x20 commits     1 judged\n\
        \x20   {}  alice  {key}\n",
        text(&push, "/received_at"),
        app.path.display(),
        text(&push, "/policy_digest"),
        push["registry_epoch"],
        push["ledger_entry"],
        text(&push, "/written_at"),
        &commit[..7],
        &commit[..7],
    );
    assert_eq!(printed(&site, &["audit", "push", &accepted]), expected);

    site.sync(&["kill", "alice", "--reason", "left"]);
    alice.commit("b");
    let refused = site.push(&alice, &["main"]);
    assert!(!refused.succeeded(), "{}", refused.stderr);

    let person = site.ask(&["audit", "person", "alice"]);
    let received = text(&person, "/verdicts/0/received_at");
    let expected = format!(
        "alice (alice)\n\
        \x20 state       terminated since {}\n\
        \x20 seen        first {}, last {received}\n\
        \x20 pushes      0 under their own account; 2 more carried their commits, by a pusher whom the registry does \
         not know\n\
        \x20 commits     1 accepted, 1 refused\n\
        \x20 keys\n\
        \x20   {key}  SSH key  unusable\n\
        \x20 verdicts, newest first\n\
        \x20   {received}  {}  deny  {path}  refs/heads/main\n\
        \x20   {}  {accepted}  accept  {path}  refs/heads/main\n",
        text(&person, "/state_since"),
        text(&person, "/first"),
        text(&person, "/verdicts/0/verdict"),
        text(&person, "/verdicts/1/received_at"),
        path = app.path.display(),
    );
    assert_eq!(printed(&site, &["audit", "person", "alice"]), expected);
}
