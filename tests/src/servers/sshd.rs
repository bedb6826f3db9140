//! OpenSSH's server with a configuration of its own.

use super::Access;
use crate::process::{Daemon, Ready, must, on_free_port, quoted, require};
use crate::unix_user::{UnixUser, is_root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running sshd and the login keys that it knows. Everybody logs in as the same Unix user; the
/// login key tells who it is, as on a forge.
#[derive(Debug)]
pub struct Sshd {
    _daemon: Daemon,
    port: u16,
    user: UnixUser,
    folder: PathBuf,
    logins: BTreeMap<String, PathBuf>,
}

impl Sshd {
    /// Starts in `folder`, which sshd's user can enter. `home` becomes the `HOME` of every session.
    pub fn start(folder: &Path, user: &UnixUser, home: &Path, authorized_keys: &Path) -> Sshd {
        let program = require(&["/usr/sbin/sshd", "/usr/bin/sshd"], "openssh-server");
        if is_root() {
            // Where Debian's sshd confines itself before a login; its service unit makes it.
            std::fs::create_dir_all("/run/sshd").expect("/run/sshd");
        }
        ssh_keygen(&folder.join("host_key"));
        let (daemon, port) = on_free_port(|port| {
            let config = folder.join("sshd_config");
            std::fs::write(&config, configuration(folder, port, user, home, authorized_keys))
                .map_err(|error| error.to_string())?;
            let mut sshd = Command::new(&program);
            sshd.arg("-D").arg("-e").arg("-f").arg(&config);
            Ok((Daemon::start("sshd", folder, &Ready::Port(port), &sshd)?, port))
        });
        let host_key = std::fs::read_to_string(folder.join("host_key.pub")).expect("the host key");
        std::fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).expect("known_hosts");
        Sshd { _daemon: daemon, port, user: user.clone(), folder: folder.to_owned(), logins: BTreeMap::new() }
    }

    /// Makes a login key; returns the line of its public half, or nothing when it exists already.
    pub fn add_login(&mut self, login: &str) -> Option<String> {
        if self.logins.contains_key(login) {
            return None;
        }
        let key = self.folder.join(format!("login-{login}"));
        ssh_keygen(&key);
        let public = std::fs::read_to_string(key.with_extension("pub")).expect("a login key");
        self.logins.insert(login.to_owned(), key);
        Some(public.trim_end().to_owned())
    }

    /// How to reach `path` (absolute, or as the forced command wants it) with a login's key.
    pub fn access(&self, login: &str, path: &str) -> Access {
        let key = self.logins.get(login).unwrap_or_else(|| panic!("{login} has no login"));
        Access {
            url: format!("ssh://{}@127.0.0.1:{}/{}", self.user.name, self.port, path.trim_start_matches('/')),
            environment: vec![("GIT_SSH_COMMAND".into(), client(key, &self.folder.join("known_hosts")).into())],
        }
    }
}

/// An `ssh` that uses this key and nothing of the machine's own configuration.
pub fn client(key: &Path, known_hosts: &Path) -> String {
    format!(
        "ssh -F /dev/null -i {} -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o LogLevel=ERROR \
         -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile={}",
        quoted(key),
        quoted(known_hosts)
    )
}

/// Makes `PATH` and `PATH.pub`.
pub fn ssh_keygen(path: &Path) {
    must(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "login", "-f"]).arg(path));
}

fn configuration(folder: &Path, port: u16, user: &UnixUser, home: &Path, authorized_keys: &Path) -> String {
    format!(
        "ListenAddress 127.0.0.1\n\
         Port {port}\n\
         HostKey {folder}/host_key\n\
         PidFile none\n\
         AllowUsers {user}\n\
         AuthorizedKeysFile {authorized_keys}\n\
         AuthenticationMethods publickey\n\
         StrictModes no\n\
         UsePAM no\n\
         UseDNS no\n\
         PrintMotd no\n\
         PrintLastLog no\n\
         AcceptEnv GIT_PROTOCOL\n\
         MaxStartups 1000\n\
         SetEnv HOME={home} GIT_CONFIG_NOSYSTEM=1 LC_ALL=C\n",
        folder = folder.display(),
        user = user.name,
        home = home.display(),
        authorized_keys = authorized_keys.display(),
    )
}
