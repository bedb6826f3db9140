//! Who signs: people with keys from fixed seeds, and how each program is told of these keys.

use countersign_tests::handmade::DATE;
use countersign_tests::handmade::openpgp::{Holder, Key, armor_with_checksum};
use countersign_tests::handmade::signer::{Signer, SshKey};
use countersign_tests::handmade::ssh_keys::{EcdsaKey, P256, Pair};
use countersign_tests::handmade::x509::{Certificate, Entity, Message};

/// What the commits of a history are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    SshEd25519,
    SshP256,
    OpenPgpEd25519,
    OpenPgpRsa3072,
    OpenPgpRsa4096,
    X509,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::SshEd25519, Kind::SshP256, Kind::OpenPgpEd25519, Kind::OpenPgpRsa3072, Kind::OpenPgpRsa4096, Kind::X509];

    pub fn word(self) -> &'static str {
        match self {
            Kind::SshEd25519 => "ssh-ed25519",
            Kind::SshP256 => "ssh-p256",
            Kind::OpenPgpEd25519 => "openpgp-ed25519",
            Kind::OpenPgpRsa3072 => "openpgp-rsa3072",
            Kind::OpenPgpRsa4096 => "openpgp-rsa4096",
            Kind::X509 => "x509-p256",
        }
    }

    /// Fifty people work on one repository; RSA keys take a second each to make, and ten tell the same.
    fn people(self) -> usize {
        match self {
            Kind::OpenPgpRsa3072 | Kind::OpenPgpRsa4096 | Kind::X509 => 10,
            _ => 50,
        }
    }
}

/// What the programs are given of a key.
pub enum Public {
    /// A line as in a `.pub` file.
    Ssh(String),
    /// An armoured certificate.
    OpenPgp(Vec<u8>),
    /// A certificate in PEM.
    X509(String),
}

pub struct Author {
    pub id: String,
    pub public: Public,
    signer: Box<dyn Signer>,
}

impl Author {
    pub fn email(&self) -> String {
        format!("{}@example.com", self.id)
    }

    /// As an author or committer line names them.
    pub fn ident(&self, seconds: u64) -> String {
        format!("{} <{}> {seconds} +0000", self.id, self.email())
    }

    pub fn sign(&self, payload: &[u8]) -> String {
        self.signer.sign(payload)
    }
}

/// The people of one kind, and the authority behind their certificates.
pub struct Company {
    pub kind: Kind,
    pub authors: Vec<Author>,
    pub root: Option<String>,
}

struct Ssh<P>(P);

impl<P: Pair> Signer for Ssh<P> {
    fn sign(&self, payload: &[u8]) -> String {
        self.0.sshsig(payload).armored()
    }
}

struct OpenPgp(Holder);

impl Signer for OpenPgp {
    fn sign(&self, payload: &[u8]) -> String {
        armor_with_checksum(&self.0.sign(payload).packet())
    }
}

struct Cms(Entity);

impl Signer for Cms {
    fn sign(&self, payload: &[u8]) -> String {
        Message::of(&self.0, &[], payload).armored()
    }
}

impl Company {
    pub fn of(kind: Kind) -> Company {
        let root = (kind == Kind::X509).then(|| Entity::root(Certificate::authority("Benchmark Root")));
        let authors = (0..kind.people()).map(|number| author(kind, number, root.as_ref())).collect();
        Company { kind, authors, root: root.map(|root| root.pem()) }
    }

    /// The file in each tree by which `sq-git` knows who may sign; it reads OpenPGP alone.
    pub fn policy_for_sq_git(&self) -> Option<String> {
        let mut policy = "version = 0\n".to_owned();
        for author in &self.authors {
            let Public::OpenPgp(certificate) = &author.public else { return None };
            let certificate = String::from_utf8_lossy(certificate);
            policy.push_str(&format!("\n[authorization.\"{}\"]\nsign_commit = true\n", author.email()));
            policy.push_str(&format!("keyring = \"\"\"\n{certificate}\"\"\"\n"));
        }
        Some(policy)
    }
}

fn author(kind: Kind, number: usize, root: Option<&Entity>) -> Author {
    let id = format!("{}-{number:02}", kind.word());
    let ssh = |line: String| Public::Ssh(line.trim_end().to_owned());
    let openpgp = |signer: Option<Key>| {
        let primary = Key::ed25519(&format!("{id} primary"));
        let holder = Holder::with(&id, primary, signer.unwrap_or_else(|| Key::ed25519(&format!("{id} signer"))));
        (Public::OpenPgp(holder.certificate.armored()), Box::new(OpenPgp(holder)) as Box<dyn Signer>)
    };
    let (public, signer): (Public, Box<dyn Signer>) = match kind {
        Kind::SshEd25519 => {
            let key = SshKey::named(&id);
            (ssh(key.line()), Box::new(key))
        }
        Kind::SshP256 => {
            let key = EcdsaKey::named(P256, &id);
            (ssh(key.pub_line()), Box::new(Ssh(key)))
        }
        Kind::OpenPgpEd25519 => openpgp(None),
        Kind::OpenPgpRsa3072 => openpgp(Some(Key::rsa(3072, &id))),
        Kind::OpenPgpRsa4096 => openpgp(Some(Key::rsa(4096, &id))),
        Kind::X509 => {
            let leaf = Certificate::leaf(&id, &format!("{id}@example.com"));
            let entity = root.expect("an authority").issue(leaf);
            (Public::X509(entity.pem()), Box::new(Cms(entity)))
        }
    };
    Author { id, public, signer }
}

/// A second for each commit, so that git shows them in order.
pub fn date(number: usize) -> u64 {
    DATE + number as u64
}
