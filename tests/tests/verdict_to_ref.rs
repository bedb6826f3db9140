//! 4.12 Nothing is written to the client while a lock or transaction is held.

use countersign_tests::keys::{Kind, Owner, Workshop};
use countersign_tests::product::Product;
use countersign_tests::servers::{Local, Repository, Server, folder};
use countersign_tests::workstation::{Change, Workstation};
use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any hook takes on a loaded machine, and far shorter than for ever.
const PATIENCE: Duration = Duration::from_secs(60);

const NEVER: &str = "0000000000000000000000000000000000000000";

/// A client that stopped reading: what is written to it waits.
fn deaf_client() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().expect("a pipe");
    let mut filler = writer.try_clone().expect("a pipe");
    // Ends when the reader goes.
    std::thread::spawn(move || while filler.write_all(&[b'.'; 4096]).is_ok() {});
    std::thread::sleep(Duration::from_millis(300));
    (reader, writer)
}

/// Runs an installed hook as git does.
fn hook(repository: &Repository, name: &str, arguments: &[&str], input: &str, client: PipeWriter) -> Child {
    let mut command = Command::new(repository.path.join("hooks").join(name));
    command.args(arguments).current_dir(&repository.path).env("GIT_DIR", ".");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(client).spawn().expect("the hook");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the hook reads its input");
    child
}

/// The exit code, or `None` when the hook is still there after `patience`.
fn ended(child: &mut Child, patience: Duration) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

fn change(content: &str) -> Change<'static> {
    let files = BTreeMap::from([("a".to_owned(), Some(content.to_owned()))]);
    Change { files, message: "a change", ..Change::default() }
}

/// A guarded repository with a signed main, and an unsigned commit in its store.
struct Scene {
    alice: Workstation,
    key: countersign_tests::keys::Key,
    repository: Repository,
    unsigned: String,
    server: Local,
    product: Product,
}

fn scene(folder: &Path) -> Scene {
    let mut server = Local::start();
    let repository = server.create_repository("app");
    let product = Product::init(folder, &server);
    let owner = Owner { id: "alice".into(), name: "Alice".into(), email: "alice@example.com".into() };
    let key = Workshop::new(folder).make(&owner, &Kind::SshEd25519.into());
    let (flag, file) = key.registration.clone().expect("a key of its own");
    let person = ["person", "add", "alice", "--name", "Alice", "--email", "alice@example.com"];
    assert!(product.keyring_sync(&person, b"").succeeded());
    assert!(product.keyring_sync(&["key", "add", "alice", flag, &file.to_string_lossy()], b"").succeeded());
    product.install(&mut server, &repository);
    let alice = Workstation::set_up(&folder.join("alice"), &owner, &server.access(&repository, "alice"));
    alice.commit(&change("a"), Some(&key.git));
    let pushed = alice.push(&["HEAD:refs/heads/main".to_owned()]);
    assert!(pushed.outcome.succeeded(), "{pushed:?}");
    alice.branch("unsigned", Some("HEAD"));
    let unsigned = alice.commit(&change("b"), None);
    alice.branch("main", None);
    let fetched = server.git(&repository, &["fetch", "--quiet", &alice.folder().to_string_lossy(), "unsigned"]);
    assert!(fetched.succeeded(), "{fetched:?}");
    Scene { alice, key, repository, unsigned, server, product }
}

/// Git holds its ref locks while it waits for `reference-transaction`.
#[test]
fn a_client_that_does_not_read_holds_no_ref_lock() {
    let folder = folder();
    let scene = scene(folder.path());
    let (reader, writer) = deaf_client();
    let input = format!("{NEVER} {} refs/heads/topic\n", scene.unsigned);
    let mut child = hook(&scene.repository, "reference-transaction", &["prepared"], &input, writer);
    let code = ended(&mut child, PATIENCE);
    drop(reader);
    let _ = child.kill();
    assert_eq!(code, Some(1), "the hook refuses, heard or not");
}

/// The ledger has one writer at a time.
#[test]
fn a_client_that_does_not_read_holds_no_lock_of_the_ledger() {
    let folder = folder();
    let scene = scene(folder.path());
    let (reader, writer) = deaf_client();
    let input = format!("{NEVER} {} refs/heads/topic\n", scene.unsigned);
    let mut child = hook(&scene.repository, "pre-receive", &[], &input, writer);
    assert_eq!(ended(&mut child, Duration::from_secs(2)), None, "the hook waits for its reader");
    let begun = Instant::now();
    scene.alice.commit(&change("c"), Some(&scene.key.git));
    let pushed = scene.alice.push(&["main".to_owned()]);
    // Well within the time that a push waits for the ledger.
    assert!(pushed.outcome.succeeded() && begun.elapsed() < Duration::from_secs(25), "{pushed:?}");
    drop(reader);
    assert_eq!(ended(&mut child, PATIENCE), Some(1));
}

/// What pre-receive accepted a moment ago is let through once without the ledger, and no second time.
#[test]
fn a_pass_spares_the_ledger_while_git_holds_its_locks() {
    let folder = folder();
    let scene = scene(folder.path());
    let tip = scene.alice.commit(&change("c"), Some(&scene.key.git));
    let (mut client, writer) = pipe().expect("a pipe");
    let fetched =
        scene.server.git(&scene.repository, &["fetch", "--quiet", &scene.alice.folder().to_string_lossy(), "main"]);
    assert!(fetched.succeeded(), "{fetched:?}");
    let pushed = format!("{NEVER} {tip} refs/heads/topic\n");
    // As git does where HEAD is the branch that moves.
    let moved = format!("{pushed}{NEVER} {tip} HEAD\n");
    let ask = |name: &str, arguments: &[&str]| {
        let input = if name == "pre-receive" { &pushed } else { &moved };
        let mut child = hook(&scene.repository, name, arguments, input, writer.try_clone().expect("a pipe"));
        ended(&mut child, PATIENCE)
    };
    assert_eq!(ask("pre-receive", &[]), Some(0));
    // In place: the file stays the same one.
    let ledger = scene.product.root().join("ledger/ledger.db");
    std::fs::OpenOptions::new().write(true).open(&ledger).expect("the ledger").set_len(100).expect("a cut");
    assert_eq!(ask("reference-transaction", &["prepared"]), Some(0), "passed");
    assert_eq!(ask("reference-transaction", &["committed"]), Some(0));
    let log = std::fs::read_to_string(ledger.with_file_name("countersign.log")).unwrap_or_default();
    assert_eq!(log, "", "the ledger was opened");
    assert_eq!(ask("reference-transaction", &["prepared"]), Some(2), "the ledger is asked, and damaged");
    drop(writer);
    let mut said = String::new();
    client.read_to_string(&mut said).expect("what the hooks said");
    assert!(said.contains("[ledger-unwritable]"), "{said}");
}
