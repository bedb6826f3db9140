//! Where vectors are tried: one installation for all, a fresh bare repository with one accepted commit for each.

use crate::common::Site;
use crate::object::{Format, Kind, Object, pack};
use crate::openpgp_maker::Holder;
use crate::signer::{Signer, SshKey};
use crate::written::fill;
use countersign_tests::handmade::capitalised;
use countersign_tests::process::{Outcome, run};
use countersign_tests::servers::{Repository, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// People whom every vector may name. Each signs with an SSH key made of the seed beside the name.
const EMPLOYED: [(&str, u8); 2] = [("alice", 1), ("bob", 2)];
/// Somebody who has left, and somebody who never was there.
const LEFT: (&str, u8) = ("carol", 3);
const STRANGER: (&str, u8) = ("mallory", 66);

/// The installation.
pub struct Lab {
    site: Mutex<Site>,
    product: countersign_tests::product::Product,
    user: countersign_tests::unix_user::UnixUser,
    home: PathBuf,
    signers: BTreeMap<&'static str, SshKey>,
    admitted: Mutex<BTreeSet<String>>,
    /// Where to leave every object that was pushed, for the fuzz targets.
    out: Option<PathBuf>,
}

impl Lab {
    pub fn new() -> Lab {
        let site = Site::new();
        let signers =
            [EMPLOYED[0], EMPLOYED[1], LEFT, STRANGER].map(|(name, seed)| (name, SshKey::seeded(seed))).into();
        let lab = Lab {
            product: site.product.clone(),
            user: site.server.unix_user().clone(),
            home: site.server.home().to_owned(),
            site: Mutex::new(site),
            signers,
            admitted: Mutex::default(),
            out: std::env::var_os("COUNTERSIGN_CORPUS_OUT").map(PathBuf::from),
        };
        for name in [EMPLOYED[0].0, EMPLOYED[1].0, LEFT.0] {
            lab.employ(name);
            lab.must_sync(&["key", "add", name, "--ssh", "-"], lab.signers[name].line().as_bytes());
        }
        lab.must_sync(&["kill", LEFT.0, "--reason", "left"], b"");
        lab
    }

    /// An active person called like the id, with the address `ID@example.com`.
    pub fn employ(&self, id: &str) {
        let (name, email) = (capitalised(id), format!("{id}@example.com"));
        self.must_sync(&["person", "add", id, "--name", &name, "--email", &email], b"");
    }

    pub fn sync(&self, args: &[&str], input: &[u8]) -> Outcome {
        self.product.keyring_sync(args, input)
    }

    #[track_caller]
    pub fn must_sync(&self, args: &[&str], input: &[u8]) -> Outcome {
        let outcome = self.sync(args, input);
        assert!(outcome.succeeded(), "keyring-sync {args:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// Employs the holder and registers the certificate, unless that was done.
    pub fn admit(&self, holder: &Holder) {
        let mut there = self.admitted.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if there.insert(holder.id.clone()) {
            self.employ(&holder.id);
            self.must_sync(&["key", "add", &holder.id, "--openpgp", "-"], &holder.certificate.armored());
        }
    }

    /// The folder of the installation.
    pub fn root(&self) -> PathBuf {
        self.product.root().to_owned()
    }
}

/// What came of a push.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The hook's exit code, where it was not run by git.
    pub code: Option<i32>,
    /// Whether the last ref of the push stands where the push wanted it.
    pub moved: bool,
    /// What the pusher reads.
    pub said: String,
    /// The ids in square brackets.
    pub findings: Vec<String>,
    /// Git itself refused before any hook ran, so that the hook was started by hand on the same quarantine.
    pub by_hand: bool,
}

/// One ref update; `None` is no object.
#[derive(Clone, Debug)]
pub struct Update {
    pub name: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

impl Update {
    pub fn create(name: &str, new: &str) -> Update {
        Update { name: name.to_owned(), old: None, new: Some(new.to_owned()) }
    }

    pub fn change(name: &str, old: &str, new: &str) -> Update {
        Update { name: name.to_owned(), old: Some(old.to_owned()), new: Some(new.to_owned()) }
    }

    pub fn delete(name: &str, old: &str) -> Update {
        Update { name: name.to_owned(), old: Some(old.to_owned()), new: None }
    }
}

/// The place of one vector.
pub struct Bench<'a> {
    pub lab: &'a Lab,
    vector: &'a str,
    format: OnceLock<Format>,
    repository: OnceLock<Repository>,
}

pub const MAIN: &str = "refs/heads/main";

impl<'a> Bench<'a> {
    pub fn new(lab: &'a Lab, vector: &'a str) -> Bench<'a> {
        Bench { lab, vector, format: OnceLock::new(), repository: OnceLock::new() }
    }

    /// Chooses the format of the ids; SHA-1 unless this comes first.
    pub fn use_format(&self, format: Format) {
        self.format.set(format).expect("the format is chosen before it is used");
    }

    pub fn format(&self) -> Format {
        *self.format.get_or_init(Format::default)
    }

    /// A bare repository with the hook and [`Bench::base`] on `main`.
    pub fn repository(&self) -> &Repository {
        self.repository.get_or_init(|| {
            let repository = self.empty_repository(self.vector);
            let base = self.base();
            let answer = self.offer(&repository, &self.base_objects(), &[Update::create(MAIN, &base)]);
            assert!(answer.moved, "the first commit is not accepted: {}", answer.said);
            repository
        })
    }

    /// Another bare repository with the hook, still empty.
    pub fn empty_repository(&self, name: &str) -> Repository {
        let mut site = self.lab.site.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let path = self.lab.home.join(format!("{name}.git"));
        let format = format!("--object-format={}", self.format().word());
        self.must_git(&["init", "--quiet", "--bare", "--initial-branch=main", &format, &path.to_string_lossy()]);
        let repository = Repository { name: name.to_owned(), path };
        site.install(&repository);
        repository
    }

    /// The id of the commit that every repository begins with: Alice's, signed, with one file.
    pub fn base(&self) -> String {
        self.base_objects().pop().expect("a commit").id
    }

    /// The tree of [`Bench::base`].
    pub fn tree(&self) -> String {
        self.base_objects().swap_remove(1).id
    }

    fn base_objects(&self) -> Vec<Object> {
        let blob = Object::new(self.format(), Kind::Blob, "hello\n");
        let tree = Object::tree(self.format(), &[("100644", "README", &blob.id)]);
        let text = format!("tree {}\nauthor {{alice}}\ncommitter {{alice}}\n{{gpgsig}}\n\nfirst\n", tree.id);
        let header = if self.format() == Format::Sha1 { "{gpgsig}" } else { "{gpgsig-sha256}" };
        let bytes = fill(&text.replace("{gpgsig}", header), &|_| None, &|name| self.signer(name));
        let commit = Object::new(self.format(), Kind::Commit, bytes);
        vec![blob, tree, commit]
    }

    fn signer(&self, name: &str) -> Option<&dyn Signer> {
        let name = if name.is_empty() { "alice" } else { name };
        self.lab.signers.get(name).map(|key| key as &dyn Signer)
    }

    /// A commit or tag from a template (see `README.md`), signed by whom the template names.
    pub fn object(&self, kind: Kind, template: &str) -> Object {
        self.object_by(kind, template, &|name| self.signer(name))
    }

    /// As [`Bench::object`], with this signer wherever the template has a signature.
    pub fn signed_by(&self, kind: Kind, template: &str, signer: &dyn Signer) -> Object {
        self.object_by(kind, template, &|_| Some(signer))
    }

    fn object_by<'s>(&'s self, kind: Kind, template: &str, signer: &dyn Fn(&str) -> Option<&'s dyn Signer>) -> Object {
        let value = |name: &str| match name {
            "base" => Some(self.base()),
            "tree" => Some(self.tree()),
            _ => None,
        };
        Object::new(self.format(), kind, fill(template, &value, signer))
    }

    /// A plain commit on the base by `who`, signed by `signer`.
    pub fn plain(&self, who: &str, signer: &dyn Signer) -> Object {
        self.signed_by(
            Kind::Commit,
            &format!("tree {{tree}}\nparent {{base}}\nauthor {{{who}}}\ncommitter {{{who}}}\n{{gpgsig}}\n\nwork\n"),
            signer,
        )
    }

    /// A commit of the base's tree on `parents`; `signed` is the template's word, `{gpgsig}` or nothing.
    pub fn work(&self, who: &str, parents: &[&str], signed: bool, message: &str) -> Object {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let signature = if signed { format!("{{gpgsig:{who}}}\n") } else { String::new() };
        let people = format!("author {{{who}}}\ncommitter {{{who}}}\n");
        self.object(Kind::Commit, &format!("tree {{tree}}\n{parents}{people}{signature}\n{message}\n"))
    }

    /// A signature of anybody else: a plain commit of Alice's with this text as its signature block.
    pub fn plain_with_block(&self, who: &str, block: impl Fn(&[u8]) -> String + Send + Sync) -> Object {
        struct Block<F>(F);
        impl<F: Fn(&[u8]) -> String + Send + Sync> Signer for Block<F> {
            fn sign(&self, payload: &[u8]) -> String {
                (self.0)(payload)
            }
        }
        self.plain(who, &Block(block))
    }

    /// Pushes to `main`; the last object is its new commit.
    pub fn to_main(&self, objects: &[Object]) -> Answer {
        let new = &objects.last().expect("a commit").id;
        self.push(objects, &[Update::change(MAIN, &self.base(), new)])
    }

    /// Pushes a new tag; the last object is what it names.
    pub fn to_tag(&self, name: &str, objects: &[Object]) -> Answer {
        let new = &objects.last().expect("a tag").id;
        self.push(objects, &[Update::create(&format!("refs/tags/{name}"), new)])
    }

    pub fn push(&self, objects: &[Object], updates: &[Update]) -> Answer {
        self.keep(objects);
        self.offer(self.repository(), objects, updates)
    }

    /// Puts objects and refs into the repository as if somebody had copied files: no hook sees it.
    pub fn plant(&self, objects: &[Object], refs: &[(&str, &str)]) {
        let repository = self.repository().path.clone();
        self.loose(&repository.join("objects"), objects);
        for (name, id) in refs {
            self.write(&repository.join(name), &format!("{id}\n"));
        }
    }

    /// Writes a file of the repository as its owner.
    pub fn write(&self, path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
        self.lab.user.own(&self.repository().path);
    }

    /// What a ref names now.
    pub fn tip(&self, name: &str) -> Option<String> {
        self.tip_in(self.repository(), name)
    }

    fn tip_in(&self, repository: &Repository, name: &str) -> Option<String> {
        let mut git = self.lab.user.command("git", &self.lab.home);
        git.current_dir(&repository.path);
        let seen = run(git.args(["rev-parse", "--verify", "--quiet", "--end-of-options", name]), b"");
        Some(seen.stdout.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// Git in the repository, past every login, as a forge or an operator would run it.
    pub fn on_the_server(&self, args: &[&str], update: &Update) -> Answer {
        let mut git = self.lab.user.command("git", &self.lab.home);
        let outcome = run(git.current_dir(&self.repository().path).args(args), b"");
        Answer::new(None, self.tip(&update.name) == update.new, outcome.stderr, false)
    }

    /// Speaks `git receive-pack`'s protocol, since no `git push` sends such objects. Where git refuses before
    /// the hook, the hook is asked by hand: some other git may be more patient.
    pub fn offer(&self, repository: &Repository, objects: &[Object], updates: &[Update]) -> Answer {
        self.offer_pack(repository, objects, &pack(self.format(), objects), updates)
    }

    /// As [`Bench::push`], with these words after `git push -o`, which the repository allows.
    pub fn push_with_options(&self, objects: &[Object], updates: &[Update], options: &[&str]) -> Answer {
        let wire = self.wire(&pack(self.format(), objects), updates, options);
        let mut git = self.lab.user.command("git", &self.lab.home);
        let answer = run(git.arg("receive-pack").arg(&self.repository().path), &wire);
        let moved = updates.last().is_none_or(|update| self.stands(self.repository(), update));
        Answer::new(None, moved, answer.stderr, false)
    }

    /// As [`Bench::push`], with the hook started by hand under these variables besides git's own.
    pub fn push_by_hand(&self, objects: &[Object], updates: &[Update], variables: &[(&str, &str)]) -> Answer {
        let outcome = self.by_hand(self.repository(), objects, updates, variables);
        Answer::new(outcome.code, outcome.code == Some(0), outcome.stderr, true)
    }

    /// As [`Bench::offer`], with a pack that need not be what [`pack`] would make of the objects.
    pub fn offer_pack(&self, repository: &Repository, objects: &[Object], pack: &[u8], updates: &[Update]) -> Answer {
        let wire = self.wire(pack, updates, &[]);
        let mut git = self.lab.user.command("git", &self.lab.home);
        let answer = run(git.arg("receive-pack").arg(&repository.path), &wire);
        let moved = updates.last().is_none_or(|update| self.stands(repository, update));
        if answer.stderr.lines().any(|line| line.contains("countersign: ")) || moved {
            return Answer::new(None, moved, answer.stderr, false);
        }
        let by_hand = self.by_hand(repository, objects, updates, &[]);
        Answer::new(by_hand.code, false, by_hand.stderr, true)
    }

    fn wire(&self, pack: &[u8], updates: &[Update], options: &[&str]) -> Vec<u8> {
        let mut wire = Vec::new();
        for (number, line) in self.lines(updates).into_iter().enumerate() {
            let format = self.format().word();
            let more = if options.is_empty() { "" } else { " push-options" };
            let capabilities = match number {
                0 => format!("\0report-status delete-refs object-format={format}{more}"),
                _ => String::new(),
            };
            wire.extend(format!("{:04x}{line}{capabilities}", line.len() + capabilities.len() + 4).as_bytes());
        }
        wire.extend(b"0000");
        if !options.is_empty() {
            options.iter().for_each(|option| wire.extend(format!("{:04x}{option}", option.len() + 4).as_bytes()));
            wire.extend(b"0000");
        }
        if updates.iter().any(|update| update.new.is_some()) {
            wire.extend(pack);
        }
        wire
    }

    fn lines(&self, updates: &[Update]) -> Vec<String> {
        let id = |id: &Option<String>| id.clone().unwrap_or_else(|| self.format().null());
        updates.iter().map(|update| format!("{} {} {}", id(&update.old), id(&update.new), update.name)).collect()
    }

    /// The hook as git would start it, with the objects in a quarantine beside the repository's own.
    fn by_hand(
        &self,
        repository: &Repository,
        objects: &[Object],
        updates: &[Update],
        variables: &[(&str, &str)],
    ) -> Outcome {
        let quarantine = repository.path.join("objects/tmp_objdir-incoming-corpus");
        self.loose(&quarantine, objects);
        let mut hook = self.lab.user.command(repository.path.join("hooks/pre-receive"), &self.lab.home);
        hook.current_dir(&repository.path).env("GIT_DIR", ".").env("GIT_QUARANTINE_PATH", &quarantine);
        hook.env("GIT_OBJECT_DIRECTORY", &quarantine);
        hook.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", repository.path.join("objects"));
        hook.envs(variables.iter().copied());
        let input: String = self.lines(updates).into_iter().map(|line| line + "\n").collect();
        let outcome = run(&mut hook, input.as_bytes());
        std::fs::remove_dir_all(&quarantine).expect("the quarantine");
        outcome
    }

    fn loose(&self, store: &Path, objects: &[Object]) {
        std::fs::create_dir_all(store).expect("a folder");
        for object in objects {
            let (folder, file) = object.id.split_at(2);
            std::fs::create_dir_all(store.join(folder)).expect("a folder");
            std::fs::write(store.join(folder).join(file), object.loose()).expect("a loose object");
        }
        self.lab.user.own(store);
    }

    fn stands(&self, repository: &Repository, update: &Update) -> bool {
        self.tip_in(repository, &update.name) == update.new
    }

    #[track_caller]
    pub fn must_git(&self, args: &[&str]) -> String {
        let mut git = self.lab.user.command("git", &self.lab.home);
        countersign_tests::process::must(git.args(args))
    }

    /// Leaves what was pushed where the fuzz targets take their seeds from.
    fn keep(&self, objects: &[Object]) {
        let Some(out) = &self.lab.out else { return };
        for object in objects.iter().filter(|object| object.bytes.len() <= SEED_MAX).take(SEEDS_MAX) {
            let folder = out.join(object.kind.word());
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(folder.join(format!("{}-{}", self.vector, &object.id[..8])), &object.bytes).expect("a seed");
            let Some((format, block)) = block(&object.bytes) else { continue };
            std::fs::create_dir_all(out.join("signature")).expect("a folder");
            std::fs::write(out.join("signature").join(format!("{}.{format}", self.vector)), block).expect("a seed");
        }
    }
}

/// Of a vector of 200,000 commits one is like the other.
const SEEDS_MAX: usize = 16;

/// Larger objects teach a fuzzer nothing.
const SEED_MAX: usize = 64 * 1024;

/// The first signature block of an object, unfolded, and what it is.
fn block(bytes: &[u8]) -> Option<(&'static str, String)> {
    let text = String::from_utf8_lossy(bytes);
    let begin = text.find("-----BEGIN ")?;
    let end = text[begin..].find("-----END ").map(|at| begin + at)?;
    let end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let block = text[begin..end].replace("\n ", "\n");
    let format = match block.lines().next()? {
        label if label.contains("SSH") => "ssh",
        label if label.contains("PGP") => "openpgp",
        _ => "x509",
    };
    Some((format, block))
}

impl Answer {
    fn new(code: Option<i32>, moved: bool, said: String, by_hand: bool) -> Answer {
        let bracketed = said.lines().filter_map(|line| line.trim_end().strip_suffix(']')?.rsplit_once('['));
        let findings = bracketed.map(|(_, id)| id.to_owned()).collect();
        Answer { code, moved, said, findings, by_hand }
    }
}
