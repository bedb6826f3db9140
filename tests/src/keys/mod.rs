//! Real signing keys, made by the programs that people make them with.

mod openpgp;
mod security_key;
mod ssh;
mod x509;

pub use openpgp::OpenPgp;
pub use security_key::{SecurityKey, USER_PRESENT, USER_VERIFIED};
pub use x509::X509Authority;

use countersign_policy::time::Time;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// What kind of key; the names are those of the case files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    SshEd25519,
    SshEcdsa,
    SshRsa,
    /// An Ed25519 security key, in software.
    SshSk,
    /// An Ed25519 key with a certificate by the company's SSH authority, the person's id as principal.
    SshCertificate,
    OpenpgpEd25519,
    OpenpgpRsa,
    /// ECDSA nistp256; the primary key only certifies, a subkey signs.
    OpenpgpSubkey,
    /// A leaf of the company's X.509 authority, used through gpgsm.
    X509,
}

/// For whom a key is made.
#[derive(Clone, Debug)]
pub struct Owner {
    pub id: String,
    pub name: String,
    pub email: String,
}

/// The key to make. OpenPGP keys, SSH certificates and X.509 certificates know a time of validity.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub kind: Kind,
    pub from: Option<Time>,
    pub until: Option<Time>,
    /// The clock of the signing computer, for keys that no program uses outside their validity.
    pub signs_at: Option<Time>,
}

impl From<Kind> for Wanted {
    fn from(kind: Kind) -> Self {
        Wanted { kind, from: None, until: None, signs_at: None }
    }
}

impl Wanted {
    /// The signer's clock: as asked, or one hour into a validity that is over.
    fn clock(&self) -> Option<Time> {
        let over = self.until.is_some_and(|until| until < Time::from_system(SystemTime::now()));
        self.signs_at.or_else(|| self.from.filter(|_| over).map(|from| from.plus(Duration::from_secs(3600))))
    }
}

/// A key as its owner's git knows it and as the registry takes it.
#[derive(Debug)]
pub struct Key {
    /// As the registry writes it.
    pub fingerprint: String,
    /// The git settings that make git sign with this key.
    pub git: Vec<(&'static str, String)>,
    /// Flag and file of `keyring-sync key add PERSON`; none where the authority stands for the key.
    pub registration: Option<(&'static str, PathBuf)>,
    /// Flag and file of `keyring-sync key add`.
    pub authority: Option<(&'static str, PathBuf)>,
    _agent: Option<Agent>,
}

/// Makes keys. Authorities are made when the first key needs them, and are the same for all keys.
#[derive(Debug)]
pub struct Workshop {
    folder: PathBuf,
    made: usize,
    ssh_authority: Option<PathBuf>,
    x509_authority: Option<X509Authority>,
}

impl Workshop {
    /// Works in `folder`, which must not be deep: agents put sockets there, whose paths are limited.
    pub fn new(folder: &Path) -> Workshop {
        Workshop { folder: folder.to_owned(), made: 0, ssh_authority: None, x509_authority: None }
    }

    pub fn make(&mut self, owner: &Owner, wanted: &Wanted) -> Key {
        self.made += 1;
        let folder = self.folder.join(format!("{}-{}", owner.id, self.made));
        std::fs::create_dir_all(&folder).expect("a folder for a key");
        match wanted.kind {
            Kind::SshEd25519 => ssh::generate(&folder, &owner.email, &["-t", "ed25519"]),
            Kind::SshEcdsa => ssh::generate(&folder, &owner.email, &["-t", "ecdsa", "-b", "256"]),
            Kind::SshRsa => ssh::generate(&folder, &owner.email, &["-t", "rsa", "-b", "3072"]),
            Kind::SshSk => SecurityKey::generate(&folder, &owner.email).key(),
            Kind::SshCertificate => {
                let workshop = &self.folder;
                let authority = self.ssh_authority.get_or_insert_with(|| ssh::authority(workshop));
                ssh::certified(&folder, authority, owner, wanted)
            }
            Kind::OpenpgpEd25519 => OpenPgp::generate(&folder, owner, wanted, "ed25519", None).key(),
            Kind::OpenpgpRsa => OpenPgp::generate(&folder, owner, wanted, "rsa3072", None).key(),
            Kind::OpenpgpSubkey => OpenPgp::generate(&folder, owner, wanted, "nistp256", Some("nistp256/ecdsa")).key(),
            Kind::X509 => {
                let workshop = &self.folder;
                let authority = self.x509_authority.get_or_insert_with(|| X509Authority::make(workshop));
                authority.leaf(&folder, owner, wanted)
            }
        }
    }
}

/// The daemons that GnuPG leaves behind in a home; they end when this is dropped.
#[derive(Debug)]
struct Agent {
    home: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.home).args(["--kill", "all"]).status();
    }
}

/// A GnuPG home that only its owner can enter, as GnuPG wants it.
fn gnupg_home(folder: &Path) -> (PathBuf, Agent) {
    use std::os::unix::fs::DirBuilderExt;
    let home = folder.join("gnupg");
    std::fs::DirBuilder::new().mode(0o700).create(&home).expect("a GnuPG home");
    (home.clone(), Agent { home })
}

/// GnuPG's way to write an instant, `20240101T000000`.
fn iso_compact(time: Time) -> String {
    time.to_string().chars().filter(|c| c.is_ascii_digit() || *c == 'T').take(15).collect()
}

/// OpenSSL's way to write an instant, `20240101000000Z`.
fn generalized(time: Time) -> String {
    iso_compact(time).replace('T', "") + "Z"
}
