//! Offboarding carried to a real Gitea, where `GITEA_BIN` names one: no hook is installed here, so that whatever is
//! refused is refused by the forge.

use countersign_tests::keys::{Kind, Owner, Workshop};
use countersign_tests::process::{Daemon, Ready, free_port};
use countersign_tests::product::Product;
use countersign_tests::servers::{Gitea, Repository, Server, folder};
use countersign_tests::workstation::{Change, Pushed, Workstation};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

/// For a forge and a service on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    gitea: Gitea,
    repository: Repository,
    product: Product,
    alice: Workstation,
    work: tempfile::TempDir,
}

impl Site {
    /// Alice with an SSH key, a GPG key and a token on Gitea, and registered with her account. `None`, after saying
    /// so, without `GITEA_BIN`.
    fn set_up() -> Option<Site> {
        let mut gitea = Gitea::start(false)?;
        gitea.add_login("alice");
        let repository = gitea.create_repository("app");
        let work = folder();
        let owner = Owner { id: "alice".into(), name: "alice".into(), email: "alice@example.com".into() };
        let alice = Workstation::set_up(&work.path().join("alice"), &owner, &gitea.access(&repository, "alice"));

        let key = Workshop::new(&work.path().join("keys")).make(&owner, &Kind::OpenpgpEd25519.into());
        let (_, file) = key.registration.as_ref().expect("a key with a file");
        let armour = std::fs::read_to_string(file).expect("an armoured key");
        let added = gitea.api("alice", "POST", "/user/gpg_keys", &json!({"armored_public_key": armour}));
        assert_eq!(added.status, 201, "{added:?}");

        let product = Product::init(work.path(), &gitea);
        let site = Site { gitea, repository, product, alice, work };
        site.configure();
        site.sync(&["person", "add", "alice", "--name", "Alice", "--account", "gitea:alice"]);
        Some(site)
    }

    fn configure(&self) {
        let administration = self.gitea.administration();
        let root = self.product.root();
        std::fs::write(root.join("gitea.token"), administration.token).expect("a token");
        std::fs::write(root.join("gitea.password"), administration.password).expect("a password");
        let path = root.join("keyring-sync.yaml");
        let config = std::fs::read_to_string(&path).expect("keyring-sync.yaml");
        let forge = format!(
            "forges:\n  - {{name: gitea, kind: gitea, url: \"{}\", token_file: gitea.token, password_file: gitea.password}}\n",
            administration.url
        );
        std::fs::write(&path, config + &forge).expect("a configuration");
    }

    /// `keyring-sync serve`, for as long as the value lives.
    fn serve(&self) -> Daemon {
        let path = self.product.root().join("keyring-sync.yaml");
        let config = std::fs::read_to_string(&path).expect("keyring-sync.yaml");
        let port = free_port();
        let section = format!("serve: {{listen: \"127.0.0.1:{port}\"}}\n");
        std::fs::write(&path, config + &section).expect("a configuration");
        let mut serve = Command::new(self.product.programs().join("keyring-sync"));
        serve.arg("--config").arg(&path).arg("serve");
        let daemon = Daemon::start("keyring-sync", self.work.path(), &Ready::Port(port), &serve);
        daemon.unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn sync(&self, args: &[&str]) -> String {
        let outcome = self.product.keyring_sync(args, b"");
        assert!(outcome.succeeded(), "keyring-sync {args:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome.stdout
    }

    /// Until `status alice` says so, so often.
    #[track_caller]
    fn wait_for(&self, words: &str, times: usize) {
        let begun = Instant::now();
        loop {
            let said = self.sync(&["status", "alice"]);
            if said.matches(words).count() == times {
                println!("`{words}` after {:?}", begun.elapsed());
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn commit(&self, name: &str) {
        let files = BTreeMap::from([(name.to_owned(), Some(name.to_owned()))]);
        self.alice.commit(&Change { files, message: name, ..Change::default() }, None);
    }

    fn push_by_ssh(&self) -> Pushed {
        self.alice.push(&["HEAD:refs/heads/main".to_owned()])
    }

    fn push_by_token(&self, url: &str) -> Pushed {
        self.alice.push_to(url, &BTreeMap::new(), &["HEAD:refs/heads/main".to_owned()])
    }

    /// How many of each kind the forge knows of alice's.
    fn counts(&self) -> [usize; 3] {
        ["keys", "gpg_keys", "tokens"].map(|list| {
            let answer = self.gitea.api_by_password("operator", "GET", &format!("/users/alice/{list}"), &Value::Null);
            assert_eq!(answer.status, 200, "{list}: {answer:?}");
            answer.body.as_array().map_or(0, Vec::len)
        })
    }

    /// `active` and `prohibit_login`.
    fn login(&self) -> [bool; 2] {
        let user = self.gitea.api("operator", "GET", "/users/alice", &Value::Null).body;
        ["active", "prohibit_login"].map(|flag| user[flag].as_bool().unwrap_or_else(|| panic!("{flag} in {user}")))
    }
}

/// A new file by the web, as whoever knows alice's password.
fn edit_by_password(site: &Site) -> u16 {
    let body = json!({"branch": "main", "message": "by the web", "content": "YnkgdGhlIHdlYgo="});
    site.gitea.api_by_password("alice", "POST", "/repos/operator/app/contents/more", &body).status
}

#[test]
fn who_is_killed_is_out_of_gitea_and_who_is_back_has_the_account_and_no_key() {
    let Some(site) = Site::set_up() else { return };
    let by_token = site.gitea.http_access(&site.repository, "alice").url;

    // Everything works before.
    site.commit("one");
    assert!(site.push_by_ssh().outcome.succeeded());
    site.commit("two");
    assert!(site.push_by_token(&by_token).outcome.succeeded());
    let edited = site.gitea.edit(&site.repository, "alice", "main", "web", "by the web");
    assert_eq!(edited.status, 201, "{edited:?}");
    site.alice.must(&["pull", "--quiet", "--rebase", "origin", "main"]);
    assert_eq!((site.counts(), site.login()), ([1, 1, 1], [true, false]));
    let tips = site.gitea.refs(&site.repository);

    let _service = site.serve();
    let killed = site.sync(&["kill", "alice", "--reason", "left"]);
    site.wait_for(": cut, read back ", 4);
    assert_eq!((site.counts(), site.login()), ([0, 0, 0], [false, true]), "as an administrator reads it");

    site.commit("three");
    let pushed = site.push_by_ssh();
    assert!(!pushed.outcome.succeeded(), "{pushed:?}");
    let pushed = site.push_by_token(&by_token);
    assert!(!pushed.outcome.succeeded(), "{pushed:?}");
    let by_token = site.gitea.edit(&site.repository, "alice", "main", "web", "by the web, later");
    assert!(matches!(by_token.status, 401 | 403), "{by_token:?}");
    let by_password = edit_by_password(&site);
    assert!(matches!(by_password, 401 | 403), "{by_password}");
    assert_eq!(site.gitea.refs(&site.repository), tips, "nothing came in");

    let event = killed.lines().find_map(|line| line.strip_prefix("event ")).expect("the event of the kill");
    site.sync(&["undo", event]);
    site.wait_for(": given back, read back ", 1);
    assert_eq!((site.counts(), site.login()), ([0, 0, 0], [true, false]));
    let pushed = site.push_by_ssh();
    assert!(!pushed.outcome.succeeded(), "the key stays gone: {pushed:?}");
    assert_eq!(edit_by_password(&site), 201);
}
