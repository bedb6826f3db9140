//! `git http-backend` behind nginx and fcgiwrap, with passwords: git over HTTP without a forge.

use super::{Access, Repository, Server, folder, folder_of, init_bare};
use crate::process::{Daemon, Ready, must, on_free_port, require};
use crate::unix_user::{UnixUser, is_root};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

#[derive(Debug)]
pub struct Nginx {
    _nginx: Daemon,
    _fcgiwrap: Daemon,
    port: u16,
    user: UnixUser,
    home: PathBuf,
    logins: BTreeSet<String>,
    folder: TempDir,
}

/// Pushes that one fcgiwrap serves at once.
const WORKERS: &str = "8";

impl Nginx {
    pub fn start() -> Nginx {
        let nginx = require(&["/usr/sbin/nginx", "/usr/bin/nginx"], "nginx-light");
        let fcgiwrap = require(&["/usr/sbin/fcgiwrap", "/usr/bin/fcgiwrap"], "fcgiwrap");
        let user = UnixUser::of_servers();
        let folder = folder();
        let home = folder_of(&user, folder.path().join("home"));
        let run = folder_of(&user, folder.path().join("run"));
        std::fs::write(folder.path().join("passwords"), "").expect("the password file");

        let socket = run.join("fcgi");
        let mut command = user.server(&fcgiwrap);
        command.args(["-f", "-c", WORKERS, "-s", &format!("unix:{}", socket.display())]);
        command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")]).env("HOME", &home);
        let backend = Daemon::start("fcgiwrap", &run, &Ready::File(socket.clone()), &command);
        let backend = backend.unwrap_or_else(|error| panic!("{error}"));

        let (front, port) = on_free_port(|port| {
            let config = folder.path().join("nginx.conf");
            std::fs::write(&config, configuration(folder.path(), port, &user, &socket))
                .map_err(|error| error.to_string())?;
            let mut command = Command::new(&nginx);
            command.arg("-p").arg(folder.path()).arg("-c").arg(&config).args(["-e", "stderr"]);
            Ok((Daemon::start("nginx", folder.path(), &Ready::Port(port), &command)?, port))
        });
        Nginx { _nginx: front, _fcgiwrap: backend, port, user, home, logins: BTreeSet::new(), folder }
    }
}

impl Server for Nginx {
    fn forge(&self) -> &'static str {
        "plain"
    }

    fn unix_user(&self) -> &UnixUser {
        &self.user
    }

    fn home(&self) -> &Path {
        &self.home
    }

    fn add_login(&mut self, login: &str) {
        if self.logins.insert(login.to_owned()) {
            let hash = must(Command::new("openssl").args(["passwd", "-apr1", &password(login)]));
            let path = self.folder.path().join("passwords");
            let mut file = OpenOptions::new().append(true).open(path).expect("the password file");
            writeln!(file, "{login}:{hash}").expect("a login");
        }
    }

    fn create_repository(&mut self, name: &str) -> Repository {
        let path = self.home.join(format!("{name}.git"));
        init_bare(&self.user, &self.home, &path);
        Repository { name: name.to_owned(), path }
    }

    fn access(&self, repository: &Repository, login: &str) -> Access {
        assert!(self.logins.contains(login), "{login} has no login");
        let url = format!("http://{login}:{}@127.0.0.1:{}/{}.git", password(login), self.port, repository.name);
        Access { url, environment: Vec::new() }
    }
}

fn password(login: &str) -> String {
    format!("password-of-{login}")
}

fn configuration(folder: &Path, port: u16, user: &UnixUser, socket: &Path) -> String {
    // Only root can make its workers somebody else.
    let user_line = if is_root() { format!("user {0} {0};", user.name) } else { String::new() };
    let git = must(Command::new("git").arg("--exec-path"));
    let folder = folder.display();
    let socket = socket.display();
    format!(
        r#"
daemon off;
{user_line}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/run/body;
    fastcgi_temp_path {folder}/run/fastcgi;
    proxy_temp_path {folder}/run/proxy;
    uwsgi_temp_path {folder}/run/uwsgi;
    scgi_temp_path {folder}/run/scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        auth_basic "git";
        auth_basic_user_file {folder}/passwords;
        location / {{
            fastcgi_pass unix:{socket};
            fastcgi_read_timeout 600s;
            fastcgi_param SCRIPT_FILENAME {git}/git-http-backend;
            fastcgi_param GIT_PROJECT_ROOT {folder}/home;
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
        }}
    }}
}}
"#
    )
}
