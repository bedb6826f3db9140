//! How fast the gate is: beside git, beside hooks that do nothing and beside the arithmetic, in one run.
//!
//! ```text
//! authors (keys from seeds) ─► histories (packs) ─► lab (our hook on a quarantine) ┐
//!                                                ├► peers (git verify-commit …)    ├─► timing ─► report
//!                                                └► pushes (whole `git push`)  limit┘
//! ```
//! `tests/benches/run` builds what is needed and starts it; `README.md` says how to read the tables.

mod authors;
#[path = "../tests/common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the guard uses the rest")]
mod histories;
#[allow(dead_code, reason = "the guard uses the rest")]
mod lab;
mod limit;
mod peers;
mod pushes;
mod report;
mod timing;

use authors::{Company, Kind};
use common::must_git;
use countersign_tests::crowd;
use countersign_tests::process::run;
use countersign_tests::servers::Server;
use histories::{History, Shape};
use lab::{Lab, server_repository};
use limit::Limit;
use peers::Peers;
use pushes::{Disk, Hooks, Push, no_op};
use report::{Table, put_into};
use std::path::Path;
use timing::{Contender, Sample, interleaved, interleaved_all, paired};

/// What is to be measured.
struct Plan {
    /// Small sizes and few rounds, to see that it works.
    quick: bool,
    /// Puts the tables into the pages.
    write: bool,
    only: Option<String>,
    /// Rows that an interrupted run has printed.
    printed: Vec<Vec<String>>,
}

impl Plan {
    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part.starts_with(only.as_str()))
    }

    /// The row of this name in a table of so many columns, if it was measured already.
    fn printed(&self, what: &str, columns: usize) -> Option<Vec<String>> {
        self.printed.iter().find(|row| row.len() == columns && row[0] == what).cloned()
    }

    /// Commits and rounds.
    fn sizes(&self, kind: Kind) -> Vec<(usize, usize)> {
        let all: &[(usize, usize)] = match kind {
            Kind::SshEd25519 => &[(1, 41), (100, 15), (1_000, 5), (10_000, 3), (100_000, 3)],
            Kind::OpenPgpEd25519 | Kind::OpenPgpRsa4096 => &[(1, 21), (100, 11), (1_000, 3), (10_000, 3)],
            Kind::SshP256 | Kind::OpenPgpRsa3072 => &[(1, 11), (100, 7), (1_000, 3)],
            Kind::X509 => &[(1, 11), (100, 3), (1_000, 1)],
        };
        all.iter().copied().filter(|(size, _)| !self.quick || *size <= 100).collect()
    }

    fn rounds(&self, rounds: usize) -> usize {
        if self.quick { rounds.min(5) } else { rounds }
    }
}

/// The slowest peer takes 10 ms a commit: more commits than this are not given to it.
const PEERS_MAX: usize = 10_000;

/// A process for each commit, and git's log, are measured up to here.
const LOOP_MAX: usize = 100;

/// `sq-git log`, where it is installed, is measured up to here.
const SQ_GIT_MAX: usize = 1_000;

/// What takes milliseconds is timed so often in each round, and the middle one counts: git's own turn takes up to a
/// minute and a half, and warms the processor for itself alone.
const TURNS: usize = 5;

/// What is there before a small push.
const DEEP: usize = 10_000;

/// Persons of a large company, refs of a large repository.
const CROWD: usize = 100_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some((first, rest)) = words.split_first()
        && first == histories::MAKE
    {
        return History::make_here(rest);
    }
    let has = |option: &str| words.iter().any(|word| word == option);
    let after = |option: &str| words.iter().position(|word| word == option).and_then(|at| words.get(at + 1)).cloned();
    let log = after("--resume").map(|log| std::fs::read_to_string(log).expect("what an earlier run printed"));
    let lines = log.iter().flat_map(|log| log.lines()).filter(|line| line.contains(" | ") && !line.starts_with('|'));
    let printed = lines.map(|line| line.split(" | ").map(str::to_owned).collect()).collect();
    let plan = Plan { quick: has("--quick"), write: has("--write"), only: after("--only"), printed };
    let folder = countersign_tests::servers::folder();

    let mut tables = Vec::new();
    tables.extend(signatures(&plan, folder.path()));
    if plan.wants("small") {
        tables.push(small(&plan, folder.path()));
    }
    if plan.wants("whole") {
        tables.push(whole(&plan, folder.path()));
    }
    let text: Vec<String> = tables.iter().map(Table::markdown).collect();
    let text = format!("{}\n\n{}", machine(), text.join("\n"));
    println!("\n{text}");
    if plan.write {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        put_into(&top.join("benches/README.md"), &text);
        put_into(&top.join("../README.md"), &format!("{}\n\n{}", machine(), summary(&tables)));
    }
}

/// Signed histories, our hook beside git and beside the arithmetic.
fn signatures(plan: &Plan, folder: &Path) -> Vec<Table> {
    let mut rows = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| plan.wants(kind.word())) {
        let company = Company::of(kind);
        let peers = Peers::of(&company);
        for (size, rounds) in plan.sizes(kind) {
            rows.push(signed(plan, folder, &company, Some(&peers), Shape::Linear, size, rounds));
        }
        if kind == Kind::SshEd25519 && !plan.quick {
            for shape in [Shape::Merges, Shape::Denied] {
                rows.push(signed(plan, folder, &company, None, shape, 9_999, 5));
            }
        }
    }
    if rows.is_empty() {
        return Vec::new();
    }
    vec![Table {
        title: "Signed histories",
        about:
            "Our whole pre-receive hook, all rules on, verdict and receipts durable in the ledger, each run from the \
                ledger as it was before. How many times longer git takes, then how near the hook is to the arithmetic \
                alone (on all processors, nothing read): one signature after the other, keys parsed; and together, where \
                there are so many Ed25519 signatures that the hook checks them so. Milliseconds are medians, in brackets \
                the fastest and the slowest."
                .to_owned(),
        columns: COLUMNS.to_vec(),
        rows,
    }]
}

const COLUMNS: [&str; 13] = [
    "commits",
    "`git verify-commit`, one call",
    "`git log --format=%G?`",
    "a loop in sh",
    "`sq-git log`",
    "of the arithmetic, one by one",
    "of the arithmetic, together",
    "ours, ms",
    "`git verify-commit`, ms",
    "`sq-git log`, ms",
    "one by one, ms",
    "together, ms",
    "peak MiB",
];

fn signed(
    plan: &Plan,
    folder: &Path,
    company: &Company,
    peers: Option<&Peers>,
    shape: Shape,
    size: usize,
    rounds: usize,
) -> Vec<String> {
    let kind = company.kind;
    let what = match shape {
        Shape::Linear => format!("{} {}", grouped(size), kind.word()),
        _ => format!("{} {}, {}", grouped(size), kind.word(), shape.word()),
    };
    if let Some(row) = plan.printed(&what, COLUMNS.len()) {
        return row;
    }
    // The numbers of an ECDSA signature are new each time, and with them a certificate: it is the company's own.
    let history = match kind {
        Kind::X509 => History::make_small(folder, company, (1, size)),
        _ => History::make(folder, kind, shape, (1, size)),
    };
    let lab = Lab::new(company, &history);
    let limit = Limit::of(kind, company.authors.len(), size);
    let turns = TURNS;
    let of_peers = if size == 1 { TURNS } else { 1 };
    let mut contenders: Vec<Contender<'_>> = vec![often(turns, || lab.millis())];
    let limit_at = limit.as_ref().map(|limit| {
        contenders.push(often(turns, || limit.millis()));
        contenders.len() - 1
    });
    let together_at = limit.as_ref().filter(|limit| limit.is_together()).map(|limit| {
        contenders.push(often(turns, || limit.millis_together()));
        contenders.len() - 1
    });
    let (mut verify_at, mut log_at, mut loop_at, mut sq_git_at) = (None, None, None, None);
    if let Some(peers) = peers.filter(|_| size <= PEERS_MAX) {
        let history = &history;
        contenders.push(often(of_peers, move || peers.verify_commit(history)));
        verify_at = Some(contenders.len() - 1);
        if size <= LOOP_MAX {
            contenders.push(often(of_peers, move || peers.log(history)));
            log_at = Some(contenders.len() - 1);
            contenders.push(often(of_peers, move || peers.shell_loop(history)));
            loop_at = Some(contenders.len() - 1);
        }
        if size <= SQ_GIT_MAX && peers.has_sq_git() {
            contenders.push(often(of_peers, move || peers.sq_git(history)));
            sq_git_at = Some(contenders.len() - 1);
        }
    }
    let samples = interleaved_all(plan.rounds(rounds), &mut contenders);
    drop(contenders);
    let ours = samples[0].median();
    let times = |at: Option<usize>| {
        at.map_or("–".to_owned(), |at| format!("**{}×**", significant(samples[at].median() / ours)))
    };
    let shown = |at: Option<usize>| at.map_or("–".to_owned(), |at| spread(&samples[at]));
    let part =
        |at: Option<usize>| at.map_or("–".to_owned(), |at| format!("{:.0} %", 100.0 * samples[at].median() / ours));
    let peak = (0..3).map(|_| lab.peak()).fold(0.0, f64::max);
    let row = vec![
        what,
        times(verify_at),
        times(log_at),
        times(loop_at),
        times(sq_git_at),
        part(limit_at),
        part(together_at),
        shown(Some(0)),
        shown(verify_at),
        shown(sq_git_at),
        shown(limit_at),
        shown(together_at),
        format!("{peak:.0}"),
    ];
    eprintln!("{}", row.join(" | "));
    row
}

/// The middle one of so many turns.
fn often<'a>(turns: usize, mut work: impl FnMut() -> f64 + 'a) -> Contender<'a> {
    Box::new(move || Sample::of((0..turns).map(|_| work()).collect()).median())
}

/// One commit onto much: what the hook adds to a hook that does nothing, and what people and refs add to that.
fn small(plan: &Plan, folder: &Path) -> Table {
    let kind = Kind::SshEd25519;
    let company = Company::of(kind);
    let rounds = plan.rounds(61);
    let mut rows = Vec::new();
    let mut row = |what: &str, (first, second, more): (Sample, Sample, Sample)| {
        let row = vec![what.to_owned(), format!("{:+.1} ms", more.median()), spread(&second), spread(&first)];
        eprintln!("{}", row.join(" | "));
        rows.push(row);
    };
    let deep = if plan.quick { 100 } else { DEEP };
    let history = History::make(folder, kind, Shape::Linear, (deep, 1));
    let lab = Lab::new(&company, &history);
    let nothing = no_op(lab.site.product.programs());
    let what = format!("one commit onto {}, pre-receive; beside a hook that does nothing", grouped(deep));
    row(&what, paired(rounds, &mut || lab.millis_of(&nothing), &mut || lab.millis()));

    let count = if plan.quick { 1_000 } else { CROWD };
    let mut crowded = Lab::site(&company);
    let taken = crowded.product.keyring_sync(&["apply", "-"], crowd::events(count).as_bytes());
    assert!(taken.succeeded(), "{taken:?}");
    let repository = server_repository(&mut crowded, &history);
    let crowded = Lab::on(crowded, repository, &history, "refs/heads/main", history.base());
    let what = format!("the same, {} persons in the registry; beside {}", grouped(count), company.authors.len());
    row(&what, paired(rounds, &mut || lab.millis(), &mut || crowded.millis()));

    let history = History::make(folder, kind, Shape::Linear, (2, 1));
    let [few, many] = [10, count].map(|refs| with_refs(&company, &history, refs, "refs/heads/main", history.base()));
    let what = format!("one commit, {} refs, each on its own commit; beside 10", grouped(count));
    row(&what, paired(rounds, &mut || few.millis(), &mut || many.millis()));
    drop(many);
    let branch = with_refs(&company, &history, count, "refs/heads/new", "");
    let all = ["rev-list", history.tip(), "--not", "--all"];
    let what = "a new branch there; beside `git rev-list NEW --not --all`";
    row(what, paired(plan.rounds(15), &mut || branch.git_millis(&all), &mut || branch.millis()));
    Table {
        title: "Small pushes",
        about: "What the second of two costs more than the first, measured in pairs, the order changing each round."
            .to_owned(),
        columns: vec!["push", "more", "ours, ms", "beside, ms"],
        rows,
    }
}

/// A push into a repository in which each of `refs` branches stands on a commit of its own.
fn with_refs(company: &Company, history: &History, refs: usize, name: &str, old: &str) -> Lab {
    let mut site = Lab::site(company);
    let repository = site.repository("bench");
    common::unsigned_history(&site.server, &repository, refs, "old");
    let ids = must_git(&site.server, &repository, &["rev-list", "old"]);
    let lines: String =
        ids.lines().enumerate().map(|(number, id)| format!("create refs/heads/b{number:06} {id}\n")).collect();
    let mut git = site.server.unix_user().command("git", site.server.home());
    let made = run(git.current_dir(&repository.path).args(["update-ref", "--stdin"]), lines.as_bytes());
    assert!(made.succeeded(), "{}", made.stderr);
    lab::fetch_base(&site, &repository, history);
    must_git(&site.server, &repository, &["pack-refs", "--all"]);
    site.install(&repository);
    Lab::on(site, repository, history, name, old)
}

/// `git push` as a whole.
fn whole(plan: &Plan, folder: &Path) -> Table {
    let kind = Kind::SshEd25519;
    let mut rows = Vec::new();
    let (deep, large) = if plan.quick { (100, 100) } else { (DEEP, 10_000) };
    for (old, new, rounds) in [(deep, 1, 41), (1, large, 7)] {
        let history = History::make(folder, kind, Shape::Linear, (old, new));
        let [real, memory] = [Disk::Real, Disk::Memory].map(|disk| Push::new(&history, disk));
        let samples = interleaved(
            plan.rounds(rounds),
            [
                Box::new(|| real.millis(Hooks::None)) as Contender<'_>,
                Box::new(|| real.millis(Hooks::NoOp)),
                Box::new(|| real.millis(Hooks::Ours)),
                Box::new(|| memory.millis(Hooks::Ours)),
            ],
        );
        let [none, no_op, ours, in_memory] = &samples;
        let row = vec![
            format!("{} onto {}", grouped(new), grouped(old)),
            format!("{:+.1} ms", in_memory.median() - no_op.median()),
            format!("{:+.1} ms", ours.median() - in_memory.median()),
            format!("{:+.0} %", 100.0 * (ours.median() / none.median() - 1.0)),
            spread(ours),
            spread(no_op),
            spread(none),
        ];
        eprintln!("{}", row.join(" | "));
        rows.push(row);
    }
    Table {
        title: "Whole pushes",
        about:
            "`git push` of ssh-ed25519 commits from one folder to another: what our three hooks cost more than hooks \
                that do nothing in the same places (with the ledger in memory, so that syncing is counted apart), what \
                syncing the ledger to this disk adds, and how much longer the push is than without hooks."
                .to_owned(),
        columns: vec![
            "commits",
            "more than no-op hooks",
            "syncing",
            "longer than without",
            "ours, ms",
            "no-op, ms",
            "none, ms",
        ],
        rows,
    }
}

/// What the page of the project shows: the ratios.
fn summary(tables: &[Table]) -> String {
    let mut text = String::new();
    for table in tables {
        let keep: Vec<usize> = match table.title {
            "Signed histories" => vec![0, 1, 4, 5, 6, 7, 12],
            "Small pushes" => vec![0, 1, 2],
            _ => vec![0, 1, 2, 3, 4],
        };
        let short = Table {
            title: table.title,
            about: String::new(),
            columns: keep.iter().map(|&at| table.columns[at]).collect(),
            rows: table.rows.iter().map(|row| keep.iter().map(|&at| row[at].clone()).collect()).collect(),
        };
        text.push_str(&short.markdown().replace("\n\n\n\n", "\n\n"));
        text.push('\n');
    }
    text
}

/// Where and with what it was measured.
fn machine() -> String {
    let first = |program: &str, args: &[&str]| {
        let outcome = run(std::process::Command::new(program).args(args), b"");
        outcome.stdout.lines().next().unwrap_or("?").trim().to_owned()
    };
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("?").trim_matches('"');
    format!(
        "Measured on {} by `tests/benches/run`: {count} processors {}, {system}, Linux {}, {}, {}, {}, {}.",
        first("date", &["-u", "+%Y-%m-%d"]),
        model.trim_start_matches([' ', '\t', ':']),
        first("uname", &["-r"]),
        first("git", &["--version"]),
        first("gpg", &["--version"]),
        first("sh", &["-c", "ssh -V 2>&1 | cut -d, -f1"]),
        first("rustc", &["--version"]),
    )
}

/// `12.3 (11.9–14.0)`
fn spread(sample: &Sample) -> String {
    let (least, most) = sample.range();
    match sample.rounds() {
        1 => significant(sample.median()),
        _ => format!("{} ({}–{})", significant(sample.median()), significant(least), significant(most)),
    }
}

/// Three digits that mean something.
fn significant(number: f64) -> String {
    match number {
        small if small < 9.995 => format!("{small:.2}"),
        middle if middle < 99.95 => format!("{middle:.1}"),
        large => grouped(large.round() as usize),
    }
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}
