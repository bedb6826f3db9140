//! Signed histories from fixed seeds: one file is changed by each commit, the authors take turns.

use crate::authors::{Company, Kind, date};
use countersign_tests::handmade::object::{self, Format, Object, pack};
use countersign_tests::process::{must, must_with_input};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files in each tree.
const FILES: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Linear,
    /// Every third commit merges the two before it.
    Merges,
    /// Linear; the last commit is not signed, so that the push is denied.
    Denied,
}

/// The first word of the other process.
pub const MAKE: &str = "make-history";

impl Shape {
    const ALL: [Shape; 3] = [Shape::Linear, Shape::Merges, Shape::Denied];

    pub fn word(self) -> &'static str {
        match self {
            Shape::Linear => "linear",
            Shape::Merges => "every third a merge",
            Shape::Denied => "the last unsigned",
        }
    }

    /// The parents of a commit, by number. Numbers 3k+1 and 3k+2 both stand on 3k, and 3k+3 merges them.
    fn parents(self, number: usize) -> Vec<usize> {
        match (self, number) {
            (_, 0) => Vec::new(),
            (Shape::Linear | Shape::Denied, number) => vec![number - 1],
            (Shape::Merges, number) if number % 3 == 0 => vec![number - 2, number - 1],
            (Shape::Merges, number) => vec![number - number % 3],
        }
    }
}

/// A history in a bare repository of its own.
pub struct History {
    pub shape: Shape,
    pub path: PathBuf,
    /// In order of making; the first `old` ones are on the server already.
    pub ids: Vec<String>,
    pub old: usize,
}

impl History {
    /// Makes `old + new` commits below `folder`. Anybody may read them there.
    ///
    /// Another process does it: what it needed of memory would be copied with each program that is started here.
    pub fn make(folder: &Path, kind: Kind, shape: Shape, (old, new): (usize, usize)) -> History {
        let path = place(folder, kind, shape, (old, new));
        let mut maker = Command::new(std::env::current_exe().expect("this program"));
        maker.arg(MAKE).arg(&path).args([kind.word(), shape.word(), &old.to_string(), &new.to_string()]);
        must(&mut maker);
        History::read(path, shape, old)
    }

    fn read(path: PathBuf, shape: Shape, old: usize) -> History {
        let ids = std::fs::read_to_string(path.join("ids")).expect("the ids");
        History { shape, path, ids: ids.lines().map(str::to_owned).collect(), old }
    }

    /// As [`History::make`], in this process.
    pub fn make_small(folder: &Path, company: &Company, (old, new): (usize, usize)) -> History {
        let path = place(folder, company.kind, Shape::Linear, (old, new));
        fill(&path, company, Shape::Linear, (old, new));
        History::read(path, Shape::Linear, old)
    }

    /// The other process: `words` are those of [`History::make`].
    pub fn make_here(words: &[String]) {
        let [path, kind, shape, old, new] = words else { panic!("{words:?}") };
        let (path, number) = (PathBuf::from(path), |text: &String| text.parse::<usize>().expect("a number"));
        let kind = Kind::ALL.into_iter().find(|known| known.word() == kind).expect("a kind");
        let shape = Shape::ALL.into_iter().find(|known| known.word() == shape).expect("a shape");
        fill(&path, &Company::of(kind), shape, (number(old), number(new)));
    }

    pub fn base(&self) -> &str {
        &self.ids[self.old - 1]
    }

    pub fn tip(&self) -> &str {
        &self.ids[self.ids.len() - 1]
    }

    /// What a push brings in.
    pub fn new_ids(&self) -> &[String] {
        &self.ids[self.old..]
    }

    /// The pack of a push, in a file.
    pub fn pushed_pack(&self) -> PathBuf {
        let file = self.path.join("pushed.pack");
        if !file.exists() {
            let out = std::fs::File::create(&file).expect("a pack");
            let mut pack = git(&self.path);
            pack.args(["pack-objects", "--revs", "--thin", "--delta-base-offset", "--stdout", "-q"]);
            let mut child = pack.stdin(std::process::Stdio::piped()).stdout(out).spawn().expect("git");
            let revs = format!("{}\n^{}\n", self.tip(), self.base());
            std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), revs.as_bytes()).expect("git reads");
            drop(child.stdin.take());
            assert!(child.wait().expect("git ends").success(), "git pack-objects");
        }
        file
    }
}

fn place(folder: &Path, kind: Kind, shape: Shape, (old, new): (usize, usize)) -> PathBuf {
    folder.join(format!("{}-{}-{old}-{new}.git", kind.word(), shape.word().replace(' ', "-")))
}

fn fill(path: &Path, company: &Company, shape: Shape, (old, new): (usize, usize)) {
    let (objects, ids) = objects(company, shape, old + new);
    must(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(path));
    must_with_input(git(path).args(["index-pack", "--stdin"]), &pack(Format::Sha1, &objects));
    drop(objects);
    // As a client holds and sends them: packed against each other.
    must(git(path).args(["update-ref", "refs/heads/main", &ids[old + new - 1]]));
    if new > 1 {
        must(git(path).args(["repack", "-adfq", "--window=10"]));
    }
    std::fs::write(path.join("ids"), ids.join("\n")).expect("the ids");
    must(Command::new("chmod").args(["-R", "a+rX"]).arg(path));
}

pub fn git(path: &Path) -> Command {
    let mut git = Command::new("git");
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("GIT_CONFIG_NOSYSTEM", "1");
    git.env("HOME", path).args(["-c", "safe.directory=*"]).arg("-C").arg(path);
    git
}

/// All objects of the history, and the ids of its commits.
fn objects(company: &Company, shape: Shape, count: usize) -> (Vec<Object>, Vec<String>) {
    let mut objects = Vec::with_capacity(3 * count);
    let mut ids: Vec<String> = Vec::with_capacity(count);
    let names: Vec<String> = (0..FILES).map(|number| format!("file{number:02}.rs")).collect();
    let first = Object::new(Format::Sha1, object::Kind::Blob, "fn main() {}\n");
    let mut blobs = vec![first.id.clone(); FILES];
    objects.push(first);
    let policy = company.policy_for_sq_git().map(|text| Object::new(Format::Sha1, object::Kind::Blob, text));
    objects.extend(policy.clone());
    for number in 0..count {
        let blob = Object::new(Format::Sha1, object::Kind::Blob, format!("// change {number}\nfn main() {{}}\n"));
        blobs[number % FILES].clone_from(&blob.id);
        let files = names.iter().zip(&blobs).map(|(name, id)| ("100644", name.as_str(), id.as_str()));
        let policy = policy.iter().map(|policy| ("100644", "openpgp-policy.toml", policy.id.as_str()));
        let entries: Vec<(&str, &str, &str)> = files.chain(policy).collect();
        let tree = Object::tree(Format::Sha1, &entries);
        let author = &company.authors[number % company.authors.len()];
        let parents: String =
            shape.parents(number).into_iter().map(|parent| format!("parent {}\n", ids[parent])).collect();
        let ident = author.ident(date(number));
        let headers = format!("tree {}\n{parents}author {ident}\ncommitter {ident}\n", tree.id);
        let message = format!("Change number {number}\n\nWhat was changed, and why it had to be.\n");
        let header = if shape == Shape::Denied && number + 1 == count {
            String::new()
        } else {
            let signature = author.sign(format!("{headers}\n{message}").as_bytes());
            format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "))
        };
        let commit = Object::new(Format::Sha1, object::Kind::Commit, format!("{headers}{header}\n{message}"));
        ids.push(commit.id.clone());
        objects.extend([blob, tree, commit]);
    }
    (objects, ids)
}
