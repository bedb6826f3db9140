//! OpenLDAP's server on loopback, with a directory of its own.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const BASE: &str = "dc=hr,dc=example";

/// Reads everything, in pages of any size.
pub const READER: &str = "cn=reader,dc=hr,dc=example";
/// Reads everything, and is given three entries.
pub const LIMITED: &str = "cn=limited,dc=hr,dc=example";

const TREE: &str = "\
dn: dc=hr,dc=example
objectClass: dcObject
objectClass: organization
dc: hr
o: HR

dn: ou=people,dc=hr,dc=example
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=hr,dc=example
objectClass: organizationalUnit
ou: groups

dn: cn=reader,dc=hr,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: pass-of-reader

dn: cn=limited,dc=hr,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: limited
userPassword: pass-of-reader
";

pub struct Slapd {
    child: Child,
    dir: TempDir,
    pub port: u16,
    pub tls_port: u16,
}

impl Slapd {
    /// With a tree and nobody in it.
    pub fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        shell(
            dir.path(),
            "mkdir db; openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca 2>/dev/null
             openssl req -newkey rsa:2048 -nodes -keyout key.pem -out csr -subj /CN=ldap 2>/dev/null
             printf 'subjectAltName=IP:127.0.0.1' > ext
             openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem 2>/dev/null",
        );
        let schemas =
            ["core", "cosine", "inetorgperson"].map(|name| format!("include /etc/ldap/schema/{name}.schema\n"));
        let config = format!(
            "{}modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\nmoduleload ppolicy\n\
             TLSCertificateFile {}\nTLSCertificateKeyFile {}\n\
             database mdb\nmaxsize 10485760\nsuffix {BASE}\nrootdn cn=admin,{BASE}\nrootpw secret\ndirectory {}\n\
             overlay memberof\noverlay ppolicy\n\
             limits dn.exact={LIMITED} size=3 size.prtotal=3\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact={READER} read by dn.exact={LIMITED} read by * none\n",
            schemas.concat(),
            at("cert.pem"),
            at("key.pem"),
            at("db"),
        );
        std::fs::write(dir.path().join("slapd.conf"), config).unwrap();
        let [port, tls_port] = free_ports();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("/usr/sbin/slapd")
            .args([
                "-d",
                "0",
                "-h",
                &format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"),
                "-f",
                &at("slapd.conf"),
            ])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut slapd = Slapd { child, dir, port, tls_port };
        slapd.wait();
        slapd.load(TREE);
        slapd
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.tls_port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(20), "slapd does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn ca(&self) -> String {
        self.dir.path().join("ca.pem").display().to_string()
    }

    /// Adds entries.
    pub fn load(&self, ldif: &str) {
        self.tell("ldapadd", &["-M"], ldif);
    }

    /// Changes entries.
    pub fn modify(&self, ldif: &str) {
        self.tell("ldapmodify", &[], ldif);
    }

    pub fn remove(&self, dn: &str) {
        self.tell("ldapdelete", &[], &format!("{dn}\n"));
    }

    fn tell(&self, program: &str, args: &[&str], input: &str) {
        let url = format!("ldap://127.0.0.1:{}", self.port);
        let mut child = Command::new(program)
            .args(["-x", "-H", &url, "-D", &format!("cn=admin,{BASE}"), "-w", "secret"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn add_person(&self, id: &str, name: &str) {
        let uid = name.split(' ').next().unwrap().to_lowercase();
        self.load(&format!(
            "dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\nsn: {uid}\n\
             displayName: {name}\nemployeeNumber: {id}\nmail: {uid}@hr.example\n"
        ));
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nobody else's now; slapd takes none that it chooses itself.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn shell(dir: &Path, script: &str) {
    assert!(Command::new("sh").args(["-ec", script]).current_dir(dir).status().unwrap().success());
}
