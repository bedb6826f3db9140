//! A real Gitea, when `GITEA_BIN` names one (an official release binary will do).

use super::sshd::{client, ssh_keygen};
use super::{Access, Repository, Server, folder, folder_of};
use crate::process::{Daemon, Ready, free_port, must, must_with_input, on_free_port};
use crate::unix_user::UnixUser;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

#[derive(Debug)]
pub struct Gitea {
    _daemon: Daemon,
    http: u16,
    ssh: u16,
    user: UnixUser,
    home: PathBuf,
    /// Every login's API token; the login key lies in `folder`.
    tokens: BTreeMap<String, String>,
    repositories: Vec<Repository>,
    /// Whether clients come over HTTP rather than SSH.
    over_http: bool,
    folder: TempDir,
}

/// An answer of the REST API; `body` is null when the server sent no JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// What an administrator's program needs to act on this forge.
#[derive(Debug)]
pub struct Administration {
    pub url: String,
    pub token: String,
    /// `NAME:PASSWORD`.
    pub password: String,
}

const OPERATOR: &str = "operator";
/// How often and how long to wait for what Gitea does in the background: 20 s at most.
const ATTEMPTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(100);

impl Gitea {
    /// `None`, after saying so, when `GITEA_BIN` is not set.
    pub fn start(over_http: bool) -> Option<Gitea> {
        let Some(program) = std::env::var_os("GITEA_BIN") else {
            use std::io::Write;
            // Not through `eprintln!`, which the test harness keeps to itself when a test passes.
            let _ = writeln!(std::io::stderr(), "\nGITEA_BIN not set: the Gitea tests DID NOT RUN\n");
            return None;
        };
        let user = UnixUser::of_servers();
        let folder = folder();
        let home = folder_of(&user, folder.path().join("gitea"));
        let config = home.join("app.ini");
        let (daemon, http, ssh) = on_free_port(|http| {
            let ssh = free_port();
            std::fs::write(&config, configuration(&home, &user, http, ssh)).map_err(|error| error.to_string())?;
            user.own(&config);
            let mut gitea = user.server(&program);
            gitea.args(["web", "--config"]).arg(&config).envs([("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")]);
            gitea.env("HOME", &home).env("USER", &user.name).env("GITEA_WORK_DIR", &home);
            Ok((Daemon::start("gitea", folder.path(), &Ready::Port(http), &gitea)?, http, ssh))
        });
        let mut server = Gitea {
            _daemon: daemon,
            http,
            ssh,
            user,
            home,
            tokens: BTreeMap::new(),
            repositories: Vec::new(),
            over_http,
            folder,
        };
        let keys = must(Command::new("ssh-keyscan").args(["-p", &ssh.to_string(), "127.0.0.1"]));
        std::fs::write(server.folder.path().join("known_hosts"), keys + "\n").expect("known_hosts");
        let mut create = server.user.command(&program, &server.home);
        create.args(["admin", "user", "create", "--admin", "--must-change-password=false", "--config"]).arg(&config);
        create.env("GITEA_WORK_DIR", &server.home).args(["--username", OPERATOR, "--password", &password(OPERATOR)]);
        must(create.args(["--email", "operator@example.com"]));
        server.make_token(OPERATOR);
        Some(server)
    }

    /// A call of the REST API as one login: `api("alice", "GET", "/repos/operator/app", Value::Null)`.
    pub fn api(&self, login: &str, method: &str, path: &str, body: &Value) -> Answer {
        let token = self.tokens.get(login).unwrap_or_else(|| panic!("{login} has no login"));
        self.call(&format!("Authorization: token {token}"), method, path, body)
    }

    fn call(&self, authorization: &str, method: &str, path: &str, body: &Value) -> Answer {
        let url = format!("http://127.0.0.1:{}/api/v1{path}", self.http);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "120", "--request", method]);
        curl.args(["--header", authorization, "--header", "Content-Type: application/json"]);
        curl.args(["--write-out", "\n%{http_code}"]);
        if !body.is_null() {
            curl.args(["--data-binary", "@-"]);
        }
        let answer = must_with_input(curl.arg(&url), body.to_string().as_bytes());
        let (body, status) = answer.rsplit_once('\n').expect("curl writes the status last");
        Answer { status: status.parse().expect("a status"), body: serde_json::from_str(body).unwrap_or(Value::Null) }
    }

    /// The same call with the login's password.
    pub fn api_by_password(&self, login: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.call(&basic(login), method, path, body)
    }

    /// As who runs this forge.
    pub fn administration(&self) -> Administration {
        Administration {
            url: format!("http://127.0.0.1:{}", self.http),
            token: self.tokens.get(OPERATOR).expect("the operator's token").clone(),
            password: format!("{OPERATOR}:{}", password(OPERATOR)),
        }
    }

    #[track_caller]
    fn must_api(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.api(OPERATOR, method, path, body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.body
    }

    fn make_token(&mut self, login: &str) {
        let body = json!({"name": "tests", "scopes": ["all"]});
        let answer = self.api_by_password(login, "POST", &format!("/users/{login}/tokens"), &body);
        let token = answer.body.get("sha1").and_then(Value::as_str).unwrap_or_else(|| panic!("no token: {answer:?}"));
        self.tokens.insert(login.to_owned(), token.to_owned());
    }

    fn grant(&self, repository: &Repository, login: &str) {
        let path = format!("/repos/{}/collaborators/{login}", repository.name);
        self.must_api("PUT", &path, &json!({"permission": "write"}));
    }

    /// How to reach a repository over HTTP; [`Server::access`] gives SSH.
    pub fn http_access(&self, repository: &Repository, login: &str) -> Access {
        let token = self.tokens.get(login).unwrap_or_else(|| panic!("{login} has no login"));
        let url = format!("http://{login}:{token}@127.0.0.1:{}/{}.git", self.http, repository.name);
        Access { url, environment: Vec::new() }
    }

    /// Gitea learns of a push from a queue: waits until the API knows what is on disk.
    fn wait_for_branch(&self, repository: &Repository, branch: &str) {
        let tip = self.refs(repository).remove(&format!("refs/heads/{branch}"));
        let path = format!("/repos/{}/branches/{branch}", repository.name);
        for _ in 0..ATTEMPTS {
            let known = self.api(OPERATOR, "GET", &path, &Value::Null);
            if known.body.pointer("/commit/id").and_then(Value::as_str) == tip.as_deref() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Makes or changes a file as the web editor does.
    pub fn edit(&self, repository: &Repository, login: &str, branch: &str, path: &str, content: &str) -> Answer {
        use base64::Engine;
        self.wait_for_branch(repository, branch);
        let url = format!("/repos/{}/contents/{path}", repository.name);
        let old = self.api(login, "GET", &format!("{url}?ref={branch}"), &Value::Null);
        let mut body = json!({
            "branch": branch,
            "message": format!("edit {path}"),
            "content": base64::engine::general_purpose::STANDARD.encode(content),
        });
        let method = match old.body.get("sha") {
            Some(sha) => {
                body["sha"] = sha.clone();
                "PUT"
            }
            None => "POST",
        };
        self.api(login, method, &url, &body)
    }

    /// Opens a pull request from a branch of the same repository, or finds the one that is open;
    /// its number is at `body.number`.
    pub fn open_pull_request(&self, repository: &Repository, login: &str, head: &str, base: &str) -> Answer {
        /// There is one already.
        const CONFLICT: u16 = 409;
        self.wait_for_branch(repository, head);
        let body = json!({"title": head, "head": head, "base": base});
        let pulls = format!("/repos/{}/pulls", repository.name);
        let opened = self.api(login, "POST", &pulls, &body);
        if opened.status != CONFLICT {
            return opened;
        }
        self.api(login, "GET", &format!("{pulls}/{base}/{head}"), &Value::Null)
    }

    /// Merges it; `style` is `merge`, `squash`, `rebase`, `rebase-merge` or `fast-forward-only`.
    pub fn merge_pull_request(&self, repository: &Repository, login: &str, number: u64, style: &str) -> Answer {
        let path = format!("/repos/{}/pulls/{number}/merge", repository.name);
        let mut answer = self.api(login, "POST", &path, &json!({"Do": style}));
        for _ in 0..ATTEMPTS {
            // A new pull request is looked at in the background first.
            let waiting =
                answer.body.get("message").and_then(Value::as_str).is_some_and(|text| text.contains("try again"));
            if answer.status != 405 || !waiting {
                break;
            }
            std::thread::sleep(PAUSE);
            answer = self.api(login, "POST", &path, &json!({"Do": style}));
        }
        answer
    }
}

impl Server for Gitea {
    fn forge(&self) -> &'static str {
        "gitea"
    }

    fn unix_user(&self) -> &UnixUser {
        &self.user
    }

    fn home(&self) -> &Path {
        &self.home
    }

    fn add_login(&mut self, login: &str) {
        if self.tokens.contains_key(login) {
            return;
        }
        let body = json!({
            "username": login, "email": format!("{login}@example.com"), "password": password(login),
            "must_change_password": false,
        });
        self.must_api("POST", "/admin/users", &body);
        self.make_token(login);
        let key = self.folder.path().join(format!("login-{login}"));
        ssh_keygen(&key);
        let public = std::fs::read_to_string(key.with_extension("pub")).expect("a login key");
        self.must_api("POST", &format!("/admin/users/{login}/keys"), &json!({"title": "login", "key": public}));
        self.repositories.iter().for_each(|repository| self.grant(repository, login));
    }

    fn create_repository(&mut self, name: &str) -> Repository {
        let body = json!({"name": name, "default_branch": "main", "auto_init": false});
        self.must_api("POST", "/user/repos", &body);
        let path = self.home.join(format!("repositories/{OPERATOR}/{}.git", name.to_lowercase()));
        let repository = Repository { name: format!("{OPERATOR}/{name}"), path };
        let logins = self.tokens.keys().filter(|login| *login != OPERATOR);
        logins.for_each(|login| self.grant(&repository, login));
        self.repositories.push(repository.clone());
        repository
    }

    fn access(&self, repository: &Repository, login: &str) -> Access {
        assert!(self.tokens.contains_key(login), "{login} has no login");
        if self.over_http {
            return self.http_access(repository, login);
        }
        let key = self.folder.path().join(format!("login-{login}"));
        let ssh = client(&key, &self.folder.path().join("known_hosts"));
        Access {
            url: format!("ssh://{}@127.0.0.1:{}/{}.git", self.user.name, self.ssh, repository.name),
            environment: vec![("GIT_SSH_COMMAND".into(), ssh.into())],
        }
    }

    fn rewrite_hooks(&mut self) {
        self.must_api("POST", "/admin/cron/resync_all_hooks", &Value::Null);
        // It works in the background, and says nothing when it is done.
        std::thread::sleep(PAUSE * 10);
    }

    fn gitea(&self) -> Option<&Gitea> {
        Some(self)
    }
}

fn basic(login: &str) -> String {
    use base64::Engine;
    let words = base64::engine::general_purpose::STANDARD.encode(format!("{login}:{}", password(login)));
    format!("Authorization: Basic {words}")
}

fn password(login: &str) -> String {
    format!("Password-of-{login}-1")
}

fn configuration(home: &Path, user: &UnixUser, http: u16, ssh: u16) -> String {
    format!(
        "APP_NAME = Countersign tests\n\
         RUN_USER = {user}\n\
         RUN_MODE = prod\n\
         WORK_PATH = {home}\n\
         [database]\nDB_TYPE = sqlite3\nPATH = {home}/gitea.db\n\
         [repository]\nROOT = {home}/repositories\nDEFAULT_BRANCH = main\n\
         [server]\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {http}\nROOT_URL = http://127.0.0.1:{http}/\n\
         START_SSH_SERVER = true\nSSH_LISTEN_HOST = 127.0.0.1\nSSH_LISTEN_PORT = {ssh}\nSSH_PORT = {ssh}\n\
         SSH_DOMAIN = 127.0.0.1\nBUILTIN_SSH_SERVER_USER = {user}\nOFFLINE_MODE = true\n\
         [security]\nINSTALL_LOCK = true\nSECRET_KEY = only-for-tests\n\
         [service]\nDISABLE_REGISTRATION = true\n\
         [log]\nMODE = console\nLEVEL = warn\n\
         [indexer]\nISSUE_INDEXER_TYPE = db\n\
         [session]\nPROVIDER = memory\n\
         [picture]\nDISABLE_GRAVATAR = true\n\
         [actions]\nENABLED = false\n\
         [cron.update_checker]\nENABLED = false\n",
        home = home.display(),
        user = user.name,
    )
}
