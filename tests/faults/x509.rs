//! gpgsm, or the helper that asks it, is missing, hangs, dies or talks nonsense.

use crate::stage::{Answer, Kind, Lane, Stage};
use crate::table::{Family, Row};
use countersign_tests::keys::Kind as KeyKind;
use countersign_tests::process::{quoted, run, write_program};
use countersign_tests::servers::Server;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Of the policy: one signature may take this long.
const LIMIT: Duration = Duration::from_secs(4);
/// What comes on top: starting, ending what hangs, a loaded machine.
const MARGIN: Duration = Duration::from_secs(12);

const NONSENSE: &str = "#!/bin/sh\nhead -c 100000 /dev/urandom\n";

/// A stand-in, or `None` where there is nothing at all.
const STAND_INS: [(&str, Option<&str>); 7] = [
    ("missing", None),
    ("ends at once", Some("#!/bin/sh\nexit 1\n")),
    ("crashes", Some("#!/bin/sh\nkill -SEGV $$\n")),
    ("hangs", Some("#!/bin/sh\nexec sleep 600\n")),
    ("answers nonsense", Some(NONSENSE)),
    ("answers for ever", Some("#!/bin/sh\nexec yes 'S nonsense'\n")),
    ("says OK to all it is asked", Some("#!/bin/sh\necho OK ready\nwhile read -r line; do echo OK; done\n")),
];

#[test]
fn x509_verifier_out_of_order() {
    let mut stage = Stage::new();
    let smime = stage.lane("smime", KeyKind::X509);
    let others = [stage.lane("ssh", KeyKind::SshEd25519), stage.lane("pgp", KeyKind::OpenpgpEd25519)];
    stage.patch_policy(&format!("limits: {{ time: {}s }}", LIMIT.as_secs()));
    let mut family = Family::new(
        "06 X.509 verifier out of order",
        "an X.509 push is undecided in bounded time, whatever the verifier says; SSH and OpenPGP pushes pass",
    );
    for (name, stand_in) in STAND_INS {
        let mut row = Row::new(format!("gpgsm {name}"));
        let mut beside = Row::new(format!("gpgsm {name}: SSH and OpenPGP"));
        for _ in 0..2 {
            let answer = push(&stage, &smime, |command| instead_of_gpgsm(&stage, stand_in, command));
            row.count_as(&answer, Kind::Undecided, &["verifier-unavailable", "out-of-time"]);
            row.check(answer.took < LIMIT + MARGIN, || format!("it took {:?}", answer.took));
        }
        for lane in &others {
            let answer = push(&stage, lane, |command| instead_of_gpgsm(&stage, stand_in, command));
            beside.count_as(&answer, Kind::Accepted, &[]);
        }
        family.add(row);
        family.add(beside);
    }
    let helper = stage.site.product.programs().join("countersign-x509");
    let away = helper.with_extension("away");
    std::fs::rename(&helper, &away).expect("the helper");
    for (name, stand_in) in STAND_INS {
        let mut row = Row::new(format!("countersign-x509 {name}"));
        if let Some(text) = stand_in {
            write_program(&helper, text);
        }
        let answer = push(&stage, &smime, |command| command);
        row.count_as(&answer, Kind::Undecided, &["verifier-unavailable", "out-of-time"]);
        row.check(answer.took < LIMIT + MARGIN, || format!("it took {:?}", answer.took));
        for lane in &others {
            let answer = push(&stage, lane, |command| command);
            row.check(answer.kind == Kind::Accepted, || format!("beside it: {}", answer.text));
        }
        let _ = std::fs::remove_file(&helper);
        family.add(row);
    }
    let mut row = Row::new("countersign-x509 not executable");
    std::fs::write(&helper, "").expect("a file");
    row.count_as(&push(&stage, &smime, |command| command), Kind::Undecided, &["verifier-unavailable"]);
    std::fs::rename(&away, &helper).expect("the helper");
    let next = push(&stage, &smime, |command| command);
    row.check(next.kind == Kind::Accepted, || format!("after it: {}", next.text));
    row.check(stage.verify().succeeded(), || "the ledger is not sound".to_owned());
    family.add(row);
    family.finish();
}

fn push(stage: &Stage, lane: &Lane, wrap: impl FnOnce(Command) -> Command) -> Answer {
    let (old, commit) = (stage.tip(lane), lane.member.commit("a change"));
    let begun = Instant::now();
    let told = run(&mut wrap(stage.push_command(lane, &commit)), b"");
    let mut answer = stage.answer(lane, &old, &commit, &told);
    answer.took = begun.elapsed();
    answer
}

/// The same command where another gpgsm, or none, is in /usr/bin: the helper looks nowhere else. Only this command and
/// its children see it, in a mount namespace of their own.
fn instead_of_gpgsm(stage: &Stage, stand_in: Option<&str>, command: Command) -> Command {
    let folder = stage.site.folder.path().join("stand-in");
    let place = match stand_in {
        Some(text) => {
            std::fs::create_dir_all(&folder).expect("a folder");
            let program = folder.join("gpgsm");
            write_program(&program, text);
            format!("mount --bind {} /usr/bin/gpgsm", quoted(&program))
        }
        None => without_gpgsm(&folder),
    };
    let user = stage.site.server.unix_user();
    let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
    let script = format!(
        "{place} && exec setpriv --reuid {} --regid {} --clear-groups -- {}",
        user.uid,
        user.gid,
        words.join(" ")
    );
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "--propagation", "private", "sh", "-c", &script]).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapped.current_dir(command.get_current_dir().expect("a folder"));
    wrapped
}

/// An overlay over /usr/bin from which gpgsm is removed.
fn without_gpgsm(folder: &Path) -> String {
    std::fs::create_dir_all(folder).expect("a folder");
    let at = quoted(folder);
    format!(
        "mount -t tmpfs tmpfs {at} && mkdir {at}/upper {at}/work && mount -t overlay overlay \
         -o lowerdir=/usr/bin,upperdir={at}/upper,workdir={at}/work /usr/bin && rm /usr/bin/gpgsm"
    )
}
