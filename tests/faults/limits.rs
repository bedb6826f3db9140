//! Hooks that get too little memory, too few files, too small files, no threads.

use crate::stage::{HOOKS, Kind, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;

#[test]
fn too_little_of_everything() {
    let mut stage = Stage::new();
    let mut family = Family::new(
        "09 resource limits",
        "a hook that gets too little ends its push undecided or dies, which git takes for a no; it never denies",
    );
    let mib = |values: &[u64]| values.iter().map(|value| value << 20).collect::<Vec<_>>();
    let memory =
        mib(&[1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40, 48, 64, 80, 96, 128, 256]);
    let stack = [4, 8, 16, 24, 32, 48, 64, 96, 128, 256, 1024].map(|value| value << 10);
    let sizes = [0, 1, 512, 4096, 8192, 16_384, 32_768, 40_000, 65_536, 100_000, 131_072, 200_000, 262_144, 1 << 20];
    let limits: [(&str, &str, Vec<u64>); 5] = [
        ("address space (RLIMIT_AS)", "as", memory),
        ("open files (RLIMIT_NOFILE)", "nofile", (0..26).collect()),
        ("size of a file (RLIMIT_FSIZE)", "fsize", sizes.into()),
        ("processes and threads (RLIMIT_NPROC)", "nproc", vec![0, 1, 2, 3, 4, 6, 8]),
        ("stack (RLIMIT_STACK)", "stack", stack.into()),
    ];
    for (name, option, values) in limits {
        let lane = stage.lane(option, KeyKind::SshEd25519);
        let mut row = Row::new(format!("{name}, {} values", values.len()));
        let kept = stage.kept();
        for value in values {
            stage.wrap_hooks(&lane, &HOOKS, &format!("exec prlimit --{option}={value} --"));
            let answer = stage.push(&lane, &lane.member.commit(&format!("{value}")));
            row.count(&answer);
            stage.unwrap_hooks(&lane);
        }
        row.check(stage.still_holds(kept), || "a leaf was lost".to_owned());
        let next = stage.push(&lane, &lane.member.commit("after"));
        row.check(next.kind == Kind::Accepted && next.wrong.is_none(), || format!("after it: {}", next.text));
        row.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
        row.check(option == "nproc" || row.ended(Kind::Accepted) > 0, || "no value was enough".to_owned());
        row.check(option == "nproc" || row.ended(Kind::Died) + row.ended(Kind::Undecided) > 0, || {
            "no value was too little".to_owned()
        });
        family.add(row);
    }
    family.finish();
}
