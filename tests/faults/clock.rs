//! A clock that is set back, or forward and back again.

use crate::stage::{HOOKS, Kind, Lane, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{require, run};
use countersign_tests::servers::Server;
use std::time::Duration;

#[test]
fn a_clock_that_jumps() {
    let mut stage = Stage::new();
    let lane = stage.lane("clock", KeyKind::SshEd25519);
    let mut family = Family::new(
        "07 clock set",
        "behind the ledger's last entry every push is undecided until the operator accepts the clock; nothing is denied",
    );
    // Everybody is registered for longer than the smaller steps.
    std::thread::sleep(Duration::from_secs(12));
    // The ledger's last entry is of this moment again, or a step of ten seconds would be none.
    let fresh = stage.push(&lane, &lane.member.commit("fresh"));
    assert_eq!(fresh.kind, Kind::Accepted, "{}", fresh.text);
    // Behind the keyring's own publication an accepted clock still decides nothing: who was registered since would be
    // unknown.
    for (back, then) in [("-10s", Kind::Accepted), ("-1d", Kind::Undecided), ("-365d", Kind::Undecided)] {
        let mut row = Row::new(format!("clock set by {back}"));
        refused_until_accepted(&stage, &lane, back, then, &mut row);
        back_to_now(&stage, &lane, &mut row);
        family.add(row);
    }

    let mut row = Row::new("clock set by -2s, as time servers do");
    set(&stage, &lane, "-2s");
    for _ in 0..3 {
        row.count_as(&stage.push(&lane, &lane.member.commit("a little back")), Kind::Accepted, &[]);
    }
    back_to_now(&stage, &lane, &mut row);
    family.add(row);

    for forward in ["+1h", "+365d"] {
        let mut row = Row::new(format!("clock set by {forward}, and back"));
        set(&stage, &lane, forward);
        row.count_as(&stage.push(&lane, &lane.member.commit("ahead")), Kind::Accepted, &[]);
        stage.unwrap_hooks(&lane);
        refused_until_accepted(&stage, &lane, "+0", Kind::Accepted, &mut row);
        back_to_now(&stage, &lane, &mut row);
        family.add(row);
    }
    family.finish();
}

fn set(stage: &Stage, lane: &Lane, clock: &str) {
    let faketime = require(&["/usr/bin/faketime"], "faketime");
    stage.wrap_hooks(lane, &HOOKS, &format!("exec {} -f '{clock}'", faketime.display()));
}

fn refused_until_accepted(stage: &Stage, lane: &Lane, clock: &str, then: Kind, row: &mut Row) {
    set(stage, lane, clock);
    for _ in 0..3 {
        let answer = stage.push(lane, &lane.member.commit("in the past"));
        row.count_as(&answer, Kind::Undecided, &["clock-went-back"]);
    }
    let mut accept = stage.site.server.unix_user().command("faketime", stage.site.server.home());
    accept.args(["-f", clock]).arg(stage.site.product.programs().join("countersign"));
    accept.args(["ledger", "accept", "clock", "--reason", "it was wrong", "--config"]).arg(stage.policy_path());
    let accepted = run(&mut accept, b"");
    row.check(accepted.succeeded(), || format!("ledger accept clock: {}", accepted.stderr));
    let answer = stage.push(lane, &lane.member.commit("accepted clock"));
    row.count_as(&answer, then, &["clock-went-back"]);
}

fn back_to_now(stage: &Stage, lane: &Lane, row: &mut Row) {
    stage.unwrap_hooks(lane);
    let answer = stage.push(lane, &lane.member.commit("now"));
    row.check(answer.kind == Kind::Accepted && answer.wrong.is_none(), || format!("now: {}", answer.text));
    row.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
}
