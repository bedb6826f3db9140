//! What the fuzz targets share: a server that knows one employee by a key of every kind, and the promises that hold
//! whatever bytes come in.
#![cfg(feature = "targets")]

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_policy::config::Policy;
use countersign_policy::id::{Fingerprint, ObjectFormat, ObjectId, RefName};
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::keyring::{Key, Material, OpenPgpCertificate, OpenPgpSigner};
use countersign_policy::message;
use countersign_policy::signature::primitive::VerifyKey;
use countersign_policy::signature::x509::{self, CmsAnswer, CmsOracle, CmsQuestion, Opinion, X509Settings};
use countersign_policy::signature::x509::{RevocationLists, Unavailable};
use countersign_policy::signature::{self, Context, Payload, SignedBy, X509Verifier, openpgp, ssh};
use countersign_policy::testing::{MemoryKeyring, authority, key, person};
use countersign_policy::time::Time;
use countersign_policy::verdict::{CommitCounts, PusherFact, RefFact, RepositoryFact, Verdict};
use countersign_policy::verdict::{Problem, Subject, decide};
use std::sync::{Arc, LazyLock};

/// The one commit, in a repository of each format, and the tags that the keys in `known/` ever signed.
pub const COMMIT: &[u8] = include_bytes!("../known/commit");
const SIGNED: [&[u8]; 4] = [
    COMMIT,
    include_bytes!("../known/commit-sha256"),
    include_bytes!("../known/tag"),
    include_bytes!("../known/tag-sha256"),
];

/// Signatures over [`COMMIT`] that hold, one by each kind of key.
pub const GOOD: [(&str, &[u8]); 9] = [
    ("ssh-ed25519", include_bytes!("../seeds/openpgp_armor/ssh-ed25519")),
    ("ssh-ecdsa", include_bytes!("../seeds/openpgp_armor/ssh-ecdsa")),
    ("ssh-rsa", include_bytes!("../seeds/openpgp_armor/ssh-rsa")),
    ("ssh-sk", include_bytes!("../seeds/openpgp_armor/ssh-sk")),
    ("ssh-certificate", include_bytes!("../seeds/openpgp_armor/ssh-certificate")),
    ("openpgp-ed25519", include_bytes!("../seeds/openpgp_armor/openpgp-ed25519")),
    ("openpgp-rsa", include_bytes!("../seeds/openpgp_armor/openpgp-rsa")),
    ("openpgp-p256", include_bytes!("../seeds/openpgp_armor/openpgp-p256")),
    ("x509", include_bytes!("../seeds/openpgp_armor/x509")),
];

const POLICY: &str =
    "version: 1\nmode: enforce\nkeyring: keyring\nledger: ledger.db\nidentity: {author_is_signer: true}\n";

/// A key whose secret is known here, to sign what no other key would.
pub fn pair(secret: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[secret; 32]).expect("32 bytes are an Ed25519 secret")
}

/// The OpenPGP key id of `pair(1)`.
pub const OPENPGP_KEY_ID: [u8; 8] = [0xab; 8];

/// Certifies SSH keys.
pub const AUTHORITY: u8 = 2;

/// The key of a certificate by it.
pub const CERTIFIED: u8 = 3;

pub struct Server {
    keyring: MemoryKeyring,
    pub policy: Policy,
    pub now: Time,
}

pub fn server() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(Server::new);
    &SERVER
}

impl Server {
    fn new() -> Server {
        let now = "2030-01-01T00:00:00Z".parse().expect("a time");
        let registered = [
            ssh::register(include_str!("../known/ssh-ed25519.pub")),
            ssh::register(include_str!("../known/ssh-ecdsa.pub")),
            ssh::register(include_str!("../known/ssh-rsa.pub")),
            ssh::register(include_str!("../known/ssh-sk.pub")),
            openpgp::register(include_bytes!("../known/openpgp-ed25519.asc"), None, now),
            openpgp::register(include_bytes!("../known/openpgp-rsa.asc"), None, now),
            openpgp::register(include_bytes!("../known/openpgp-p256.asc"), None, now),
            x509::register(include_bytes!("../known/x509-leaf.pem"), now),
        ];
        let mut employee = person("E1001", "alice@example.com").expect("a person");
        employee.keys = registered.into_iter().map(|registration| key(registration.expect("a key"))).collect();
        employee.keys.push(bare_openpgp_key());
        let root = x509::register_root(include_bytes!("../known/x509-root.pem"), now).expect("a root");
        let mut keyring = MemoryKeyring::default().with(employee).with_x509_authority(authority(root));
        let plain = format!("ssh-ed25519 {}", STANDARD.encode(ssh_blob(&pair(AUTHORITY))));
        for line in [include_str!("../known/ssh-authority.pub"), &plain] {
            keyring = keyring.with_ssh_authority(authority(ssh::register_authority(line).expect("an authority")));
        }
        Server { keyring, policy: Policy::parse(POLICY.as_bytes()).expect("a policy"), now }
    }

    pub fn ground(&self, format: ObjectFormat) -> Ground<'_> {
        Ground { policy: &self.policy, keyring: &self.keyring, x509: &Helper, now: self.now, format }
    }

    /// Whether `signature` is one over [`COMMIT`]. What signs that signs nothing else.
    pub fn verify(&self, signature: &[u8]) -> Option<SignedBy> {
        let settings = &self.policy.signatures;
        let context = Context { keyring: &self.keyring, settings, now: self.now, x509: &Helper };
        match signature::verify(&Payload::whole(COMMIT), signature, &context) {
            Ok(signed) => {
                assert_eq!(signed.person().id.as_str(), "E1001");
                signed.problems().iter().for_each(told);
                let other = signature::verify(&Payload::whole(b"another payload"), signature, &context);
                assert!(other.is_err(), "one signature covers two payloads");
                Some(signed)
            }
            Err(problem) => {
                told(&problem);
                None
            }
        }
    }
}

/// A commit or tag was judged: whoever is named as signer did sign it.
pub fn judged(payload: Option<&[u8]>, examined: &Examined) {
    examined.objections.iter().for_each(|objection| told(&objection.problem));
    if let Some(signer) = &examined.signer {
        let payload = payload.expect("what cannot be parsed has no signer");
        assert!(SIGNED.contains(&payload), "{} never signed this", signer.made_by());
    }
}

/// Nothing that is said of foreign bytes steers a terminal, breaks a line or hides.
pub fn clean(text: &str) {
    let raw = text.chars().find(|c| c.is_control() || countersign_policy::text::is_deceptive(*c));
    assert_eq!(raw, None, "{text:?}");
}

/// A problem in all its words, alone and in the message to the pusher.
pub fn told(problem: &Problem) {
    clean(&problem.reason);
    problem.next.iter().chain(&problem.detail).for_each(|text| clean(text));
    let id = ObjectId::zero(ObjectFormat::Sha1);
    let name = RefName::new(b"refs/heads/main");
    let findings = vec![problem.clone().about(Subject::Commit(id)).on(&name).titled(problem.reason.clone())];
    let verdict = Verdict {
        schema_version: Verdict::SCHEMA_VERSION,
        verdict: "01JDQ3V8T0Z4".to_owned(),
        received_at: server().now,
        mode: server().policy.mode,
        decision: decide(&findings),
        enforced: true,
        repository: RepositoryFact::default(),
        pusher: PusherFact::default(),
        refs: vec![RefFact { r#ref: name, old: id, new: id, level: 2 }],
        commits: CommitCounts { judged: 1, by_receipt: 0 },
        findings,
        findings_not_listed: 0,
        policy_digest: server().policy.digest.clone(),
        registry_epoch: 1,
        recorded: true,
    };
    message::render(&verdict).iter().for_each(|line| clean(line));
}

/// Bytes as the armoured block that git hands over.
pub fn armoured(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let encoded = STANDARD.encode(bytes);
    let mut block = format!("-----BEGIN {kind}-----\n").into_bytes();
    if kind.starts_with("PGP") {
        block.push(b'\n');
    }
    for line in encoded.as_bytes().chunks(64) {
        block.extend_from_slice(line);
        block.push(b'\n');
    }
    block.extend(format!("-----END {kind}-----\n").bytes());
    block
}

/// The SSH wire form: each field behind its length.
pub fn ssh_fields(fields: &[&[u8]]) -> Vec<u8> {
    let framed = |field: &&[u8]| [&u32::try_from(field.len()).expect("a short field").to_be_bytes(), *field].concat();
    fields.iter().flat_map(framed).collect()
}

pub fn ssh_blob(pair: &Ed25519KeyPair) -> Vec<u8> {
    ssh_fields(&[b"ssh-ed25519", pair.public_key().as_ref()])
}

/// An OpenPGP key without a certificate around it, for signatures that are made here.
fn bare_openpgp_key() -> Key {
    let fingerprint = hex(&[0xab; 20]);
    let signer = OpenPgpSigner {
        fingerprint: fingerprint.clone(),
        key_id: hex(&OPENPGP_KEY_ID),
        algorithm: "Ed25519".to_owned(),
        verify: VerifyKey::Ed25519 { point: pair(1).public_key().as_ref().to_vec(), torsion_free: true },
        for_signing: true,
        meant_for_signing: true,
        created: Time::MIN,
        expires: None,
        revoked: None,
    };
    Key {
        fingerprint: Fingerprint::new(&fingerprint).expect("a fingerprint"),
        added: Time::MIN,
        scope: None,
        retired: None,
        compromised: None,
        enrolled_by: None,
        material: Material::OpenPgp(OpenPgpCertificate { emails: Vec::new(), signers: vec![signer] }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Our own X.509 verifier, behind a second opinion that has nothing against any signature: what is refused, is
/// refused here.
struct Helper;

impl X509Verifier for Helper {
    fn verify(&self, payload: &Payload<'_>, signature: &[u8], context: &Context<'_>) -> Result<SignedBy, Problem> {
        x509::verify(payload, signature, context, &X509Settings::default(), self)
    }
}

impl CmsOracle for Helper {
    fn check(&self, _: &CmsQuestion<'_>) -> Result<CmsAnswer, Unavailable> {
        let signer_sha1 = include_str!("../known/x509-leaf.sha1").trim().to_owned();
        Ok(CmsAnswer { opinion: Opinion::Good, signer_sha1 })
    }

    fn revocation_lists(&self) -> Result<Arc<RevocationLists>, Unavailable> {
        Ok(Arc::default())
    }
}
