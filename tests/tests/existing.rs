//! Repositories that were there before: old commits are not judged, and imports are on record.

mod common;

use common::{Site, must_git, unsigned_history, verdict_of};
use countersign_tests::keys::Kind;
use countersign_tests::servers::Server;

#[test]
fn ten_thousand_old_commits_are_not_judged() {
    let mut site = Site::new();
    let repository = site.repository("old");
    unsigned_history(&site.server, &repository, 10_000, "main");
    site.install(&repository);
    let alice = site.member("alice", Kind::SshEd25519, &repository);

    alice.commit("new");
    let pushed = site.push(&alice, &["main"]);
    let verdict = site.ask(&["audit", "push", &verdict_of(&pushed)]);
    assert_eq!(verdict["commits"]["judged"], 1, "{verdict}");

    let pushed = site.push(&alice, &["main~5000:refs/heads/from-the-middle"]);
    let verdict = site.ask(&["audit", "push", &verdict_of(&pushed)]);
    assert_eq!(verdict["commits"]["judged"], 0, "a branch made of old commits brings nothing in");

    let old = alice.station.resolve("main~5000");
    assert_eq!(site.server.refs(&repository)["refs/heads/from-the-middle"], old);
}

#[test]
fn foreign_history_comes_in_by_a_baseline_and_is_on_record() {
    let mut site = Site::new();
    let repository = site.repository("app");
    let foreign = site.repository("foreign");
    unsigned_history(&site.server, &foreign, 300, "main");
    let tip = must_git(&site.server, &foreign, &["rev-parse", "main"]);
    site.install(&repository);
    let alice = site.member("alice", Kind::SshEd25519, &repository);
    alice.commit("own");
    assert!(site.push(&alice, &["main"]).succeeded());

    alice.station.must(&["fetch", "--quiet", &site.server.access(&foreign, "alice").url, "main:vendor"]);
    let mut git = alice.station.git();
    for (name, value) in &alice.key.git {
        git.arg("-c").arg(format!("{name}={value}"));
    }
    git.args(["merge", "--quiet", "--allow-unrelated-histories", "-S", "-m", "import vendor", "vendor"]);
    countersign_tests::process::must(&mut git);

    let refused = site.push(&alice, &["main"]);
    assert!(!refused.succeeded() && refused.stderr.contains("[unsigned]"), "{}", refused.stderr);
    assert!(refused.stderr.lines().count() < 30, "300 findings are no wall of text: {}", refused.stderr);

    let path = repository.path.to_string_lossy().into_owned();
    let added = site
        .product
        .countersign(&["baseline", "add", &path, &tip, "--onto", "main", "--reason", "vendor import, ticket 12"], b"");
    assert!(added.succeeded(), "{added:?}");
    let elsewhere = site.push(&alice, &["main:refs/heads/release/1"]);
    assert!(elsewhere.stderr.contains("[unsigned]"), "the baseline is for main only: {}", elsewhere.stderr);

    let pushed = site.push(&alice, &["main"]);
    let verdict = verdict_of(&pushed);
    assert_eq!(site.ask(&["audit", "push", &verdict])["commits"]["judged"], 1, "the merge alone was judged");
    let listed = site.ask(&["baseline", "list", &path]);
    assert_eq!(listed["baselines"][0]["used_by"], verdict.as_str());
    assert_eq!(listed["baselines"][0]["reason"], "vendor import, ticket 12");
    assert!(site.push(&alice, &["main:refs/heads/release/1"]).succeeded(), "what main holds may go elsewhere");
}
