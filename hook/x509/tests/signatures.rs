//! X.509 signatures by openssl and gpgsm, judged as in a push: by the core, and by gpgsm in the
//! helper. Names begin with the row of the attack catalogue.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

#[path = "../../../policy/src/signature/x509/testing.rs"]
mod testing;

use countersign::x509::Helper;
use countersign_policy::duration::Period;
use countersign_policy::keyring::{Compromised, Keyring, Person, RetireReason, Retired};
use countersign_policy::signature::payload::Payload;
use countersign_policy::signature::settings::Settings;
use countersign_policy::signature::x509::{
    CmsOracle, CmsQuestion, Identity, Opinion, X509Settings, register, register_root,
};
use countersign_policy::signature::{self, Context, SignedBy};
use countersign_policy::testing::{MemoryKeyring, authority, key, person};
use countersign_policy::time::Time;
use countersign_policy::verdict::Problem;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use testing::{CA, LEAF, Make, NOW, Pki, RSA, armored, make};

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage\n";

fn now() -> Time {
    NOW.parse().unwrap()
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_countersign-x509"))
}

fn alice(pki: &Pki, leaves: &[&str]) -> Person {
    let mut alice = person("E1001", "alice@example.com").unwrap();
    alice.keys = leaves.iter().map(|name| key(register(&pki.pem(name), now()).unwrap())).collect();
    alice
}

/// A server whose registry knows one root and Alice.
struct Server {
    keyring: MemoryKeyring,
    helper: Helper,
}

impl Server {
    fn knowing(pki: &Pki, leaves: &[&str]) -> Self {
        Server::with(pki, alice(pki, leaves), X509Settings::default())
    }

    fn with(pki: &Pki, person: Person, settings: X509Settings) -> Self {
        let root = authority(register_root(&pki.pem("root"), now()).unwrap());
        let keyring = MemoryKeyring::default().with(person).with_x509_authority(root);
        Server { keyring, helper: Helper::new(program(), settings, Duration::from_secs(30)) }
    }

    fn verify(&self, payload: &[u8], signature: &[u8]) -> Result<SignedBy, Problem> {
        let settings = Settings::default();
        let context = Context { keyring: &self.keyring, settings: &settings, now: now(), x509: &self.helper };
        signature::verify(&Payload::whole(payload), signature, &context)
    }

    /// `ok`, the finding that spoils a good signature, or why there is none.
    fn says(&self, der: &[u8]) -> &'static str {
        match self.verify(PAYLOAD, &armored(der)) {
            Ok(signed) => signed.problems().first().map_or("ok", |problem| problem.rule.id),
            Err(problem) => problem.rule.id,
        }
    }

    fn reason(&self, der: &[u8]) -> String {
        self.verify(PAYLOAD, &armored(der))
            .map_or_else(|problem| problem.reason, |signed| format!("{:?}", signed.problems()))
    }

    /// What gpgsm says by itself.
    fn gpgsm(&self, der: &[u8]) -> Opinion {
        let roots = self.keyring.authorities().unwrap();
        let roots: Vec<&[u8]> = roots
            .x509
            .iter()
            .map(|root| match &root.material {
                countersign_policy::keyring::Material::X509(certificate) => certificate.der.as_slice(),
                _ => panic!("no certificate"),
            })
            .collect();
        let question = CmsQuestion { payload: Payload::whole(PAYLOAD), signature: der, roots: &roots, now: now() };
        self.helper.check(&question).unwrap().opinion
    }
}

#[test]
fn m_a_signature_of_openssl_is_accepted() {
    let pki = Pki::usual();
    pki.issue(Make { key: RSA, ..make("rsa", "sub", LEAF) });
    let server = Server::knowing(&pki, &["alice", "rsa"]);
    for name in ["alice", "rsa"] {
        let signature = pki.sign(name, &["sub"], PAYLOAD, &[]);
        let signed = server.verify(PAYLOAD, &armored(&signature)).unwrap();
        assert_eq!((signed.person().id.as_str(), signed.problems().len()), ("E1001", 0));
        assert_eq!(signed.key(), &register(&pki.pem(name), now()).unwrap().fingerprint);
        assert_eq!(signed.authority(), Some(&register_root(&pki.pem("root"), now()).unwrap().fingerprint));
        assert_eq!(server.says(&pki.sign(name, &["sub"], PAYLOAD, &["-md", "sha512"])), "ok");
    }
}

#[test]
fn m_a_signature_of_gpgsm_is_accepted() {
    let pki = Pki::usual();
    pki.issue(Make { key: RSA, ..make("rsa", "sub", LEAF) });
    let signature = pki.gpgsm_sign("rsa", &["root", "sub"], PAYLOAD);
    assert!(signature.starts_with(b"-----BEGIN SIGNED MESSAGE-----\n"));
    let server = Server::knowing(&pki, &["rsa"]);
    let signed = server.verify(PAYLOAD, &signature).unwrap();
    assert_eq!((signed.person().id.as_str(), signed.problems().len()), ("E1001", 0));
    assert_eq!(signed.signed_at().unwrap().date(), "2035-06-01");
    assert_eq!(server.verify(b"other", &signature).unwrap_err().rule.id, "bad-signature");
}

#[test]
fn f01_f02_a_message_without_signer_or_certificates_is_no_signature() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    let certs_only = pki.openssl(&["crl2pkcs7", "-nocrl", "-certfile", "alice.pem", "-outform", "DER"], b"");
    assert_eq!(server.says(&certs_only), "malformed-signature");
    let without = pki.sign("alice", &[], PAYLOAD, &["-nocerts"]);
    assert_eq!(server.says(&without), "malformed-signature");
    assert!(matches!(server.gpgsm(&certs_only), Opinion::Refused(_)), "the helper does not trust a mere success");
}

#[test]
fn f03_content_inside_is_refused() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    assert_eq!(server.says(&pki.sign("alice", &["sub"], PAYLOAD, &["-nodetach"])), "malformed-signature");
}

#[test]
fn f04_two_signers_are_refused() {
    let pki = Pki::usual();
    pki.issue(make("second", "sub", LEAF));
    let server = Server::knowing(&pki, &["alice", "second"]);
    let both = pki.sign("alice", &["sub"], PAYLOAD, &["-signer", "second.pem", "-inkey", "second.key"]);
    assert_eq!(server.says(&both), "multiple-signatures");
    assert!(matches!(server.gpgsm(&both), Opinion::Refused(_)));
}

#[test]
fn f05_f06_sha1_and_missing_attributes_are_refused_though_gpgsm_is_content() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    let sha1 = pki.sign("alice", &["sub"], PAYLOAD, &["-md", "sha1"]);
    let bare = pki.sign("alice", &["sub"], PAYLOAD, &["-noattr"]);
    assert_eq!((server.gpgsm(&sha1), server.gpgsm(&bare)), (Opinion::Good, Opinion::Good));
    assert_eq!(server.says(&sha1), "weak-algorithm");
    assert_eq!(server.says(&bare), "malformed-signature");
}

#[test]
fn f07_another_payload_or_a_changed_bit_is_a_bad_signature() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    let mut signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    assert_eq!(server.verify(b"tree x", &armored(&signature)).unwrap_err().rule.id, "bad-signature");
    *signature.last_mut().unwrap() ^= 1;
    assert_eq!(server.says(&signature), "bad-signature");
}

#[test]
fn f07_gpgsm_is_asked_and_its_refusal_counts() {
    let pki = Pki::usual();
    // Within RFC 5280, but gpgsm 2.2 does not understand it.
    pki.issue(make("bound", "root", &format!("{CA}\nnameConstraints=critical,permitted;email:example.com")));
    pki.issue(make("below", "bound", LEAF));
    let server = Server::knowing(&pki, &["alice", "below"]);
    let bound = pki.sign("below", &["bound"], PAYLOAD, &[]);
    assert_eq!(server.says(&bound), "untrusted-chain");
    assert!(server.reason(&bound).contains("gpgsm"));
    assert_eq!(server.says(&pki.sign("alice", &["sub"], PAYLOAD, &[])), "ok", "the next question starts afresh");
}

#[test]
fn f05_a_signer_named_by_key_id_is_told_so() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    // Within RFC 5652, but gpgsm 2.2, which git asks, cannot read it either.
    let by_key_id = armored(&pki.sign("alice", &["sub"], PAYLOAD, &["-keyid"]));
    let problem = server.verify(PAYLOAD, &by_key_id).unwrap_err();
    assert_eq!(problem.rule.id, "malformed-signature");
    assert!(problem.reason.contains("key identifier") && problem.next.unwrap().contains("gpgsm"));
}

#[test]
fn f09_f23_an_unknown_root_and_a_missing_intermediate_are_not_trusted() {
    let pki = Pki::usual();
    let other = Pki::usual();
    let server = Server::with(&pki, alice(&other, &["alice"]), X509Settings::default());
    assert_eq!(server.says(&other.sign("alice", &["sub", "root"], PAYLOAD, &[])), "untrusted-chain");
    let server = Server::knowing(&pki, &["alice"]);
    let with = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    let without = pki.sign("alice", &[], PAYLOAD, &[]);
    assert_eq!((server.says(&with), server.says(&without)), ("ok", "untrusted-chain"));
    assert_eq!(server.says(&with), "ok");
}

#[test]
fn f10_a_retired_or_compromised_root_counts_at_once() {
    let pki = Pki::usual();
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    let mut root = authority(register_root(&pki.pem("root"), now()).unwrap());
    let says = |root| {
        let keyring = MemoryKeyring::default().with(alice(&pki, &["alice"])).with_x509_authority(root);
        Server { keyring, helper: Helper::new(program(), X509Settings::default(), Duration::from_secs(30)) }
            .says(&signature)
    };
    assert_eq!(says(root.clone()), "ok");
    root.retired = Some(Retired { at: now(), reason: RetireReason::Retired });
    assert_eq!(says(root.clone()), "key-revoked");
    root.compromised = Some(Compromised { since: None, from: now() });
    assert_eq!(says(root), "key-compromised");
}

#[test]
fn f10_a_root_that_was_taken_away_is_forgotten_within_one_helper() {
    let pki = Pki::usual();
    let other = Pki::usual();
    let mut server = Server::knowing(&pki, &["alice"]);
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    assert_eq!(server.gpgsm(&signature), Opinion::Good);
    server.keyring = MemoryKeyring::default()
        .with(alice(&pki, &["alice"]))
        .with_x509_authority(authority(register_root(&other.pem("root"), now()).unwrap()));
    assert!(matches!(server.gpgsm(&signature), Opinion::Refused(_)));
}

#[test]
fn f11_a_leaf_is_no_authority() {
    let pki = Pki::usual();
    pki.issue(make("mallory", "alice", LEAF));
    let server = Server::knowing(&pki, &["alice", "mallory"]);
    let signature = pki.sign("mallory", &["alice", "sub"], PAYLOAD, &[]);
    assert_eq!(server.says(&signature), "untrusted-chain");
    assert!(server.reason(&signature).contains("not a certificate authority"));
    assert!(matches!(server.gpgsm(&signature), Opinion::Refused(_)));
}

#[test]
fn f12_f13_an_unregistered_or_marked_certificate_is_refused_by_the_registry() {
    let pki = Pki::usual();
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    let stranger = Server::with(&pki, person("E1001", "alice@example.com").unwrap(), X509Settings::default());
    assert_eq!(stranger.says(&signature), "unknown-key");
    let mut person = alice(&pki, &["alice"]);
    person.keys[0].retired = Some(Retired { at: now(), reason: RetireReason::Retired });
    assert_eq!(Server::with(&pki, person.clone(), X509Settings::default()).says(&signature), "key-revoked");
    person.keys[0].compromised = Some(Compromised { since: None, from: now() });
    assert_eq!(Server::with(&pki, person, X509Settings::default()).says(&signature), "key-compromised");
}

#[test]
fn f14_an_expired_leaf_or_issuer_is_a_problem_that_a_receipt_may_answer() {
    let pki = Pki::usual();
    pki.issue(Make { until: "20350501000000Z", ..make("late", "sub", LEAF) });
    pki.issue(Make { until: "20350501000000Z", ..make("latesub", "root", CA) });
    pki.issue(make("under", "latesub", LEAF));
    pki.issue(Make { from: "20360101000000Z", ..make("early", "sub", LEAF) });
    let server = Server::knowing(&pki, &["late", "under", "early"]);
    let signed = server.verify(PAYLOAD, &armored(&pki.sign("late", &["sub"], PAYLOAD, &[]))).unwrap();
    assert_eq!(signed.problems().iter().map(|problem| problem.rule.id).collect::<Vec<_>>(), ["key-expired"]);
    assert_eq!(server.says(&pki.sign("under", &["latesub"], PAYLOAD, &[])), "key-expired");
    assert_eq!(server.says(&pki.sign("early", &["sub"], PAYLOAD, &[])), "key-not-yet-valid");
}

const CRLS_FROM: &str = "20350530000000Z";
const CRLS_UNTIL: &str = "20350615000000Z";

/// A server that wants revocation lists, from a folder with these.
fn says_with_lists(pki: &Pki, lists: &[(&str, Vec<u8>)]) -> &'static str {
    let folder = tempfile::tempdir().unwrap();
    for (name, list) in lists {
        fs::write(folder.path().join(name), list).unwrap();
    }
    let week = Period::seconds(7 * 86_400);
    let settings = X509Settings { crls: Some(folder.path().to_owned()), crl_max_age: week, ..X509Settings::default() };
    Server::with(pki, alice(pki, &["alice"]), settings).says(&pki.sign("alice", &["sub"], PAYLOAD, &[]))
}

#[test]
fn f17_a_revoked_certificate_is_refused_wherever_it_stands_in_the_chain() {
    let pki = Pki::usual();
    let clear = || {
        vec![
            ("r.crl", pki.crl("root", &[], CRLS_FROM, CRLS_UNTIL)),
            ("s.crl", pki.crl("sub", &[], CRLS_FROM, CRLS_UNTIL)),
        ]
    };
    let before = clear();
    assert_eq!(says_with_lists(&pki, &before), "ok");
    let leaf = pki.crl("sub", &[("alice", "superseded")], CRLS_FROM, CRLS_UNTIL);
    assert_eq!(says_with_lists(&pki, &[before[0].clone(), ("s.crl", leaf.clone())]), "key-revoked");
    assert_eq!(says_with_lists(&pki, &[before[0].clone(), before[1].clone(), ("t.crl", leaf)]), "key-revoked");
    let sub = pki.crl("root", &[("sub", "CACompromise")], CRLS_FROM, CRLS_UNTIL);
    assert_eq!(says_with_lists(&pki, &[("r.crl", sub), before[1].clone()]), "key-revoked");
    let stale = pki.crl("sub", &[], "20350101000000Z", "20350201000000Z");
    assert_eq!(
        says_with_lists(&pki, &[before[0].clone(), ("s.crl", stale)]),
        "key-revoked",
        "an old list still revokes"
    );
}

#[test]
fn f18_a_missing_stale_or_forged_list_leaves_the_verdict_open() {
    let pki = Pki::usual();
    let root = || ("r.crl", pki.crl("root", &[], CRLS_FROM, CRLS_UNTIL));
    let sub = |from: &str, until: &str| pki.crl("sub", &[], from, until);
    assert_eq!(says_with_lists(&pki, &[]), "revocation-unknown");
    assert_eq!(says_with_lists(&pki, &[root()]), "revocation-unknown");
    for (from, until, why) in [
        ("20350501000000Z", "20350531000000Z", "past its next update"),
        ("20350501000000Z", "20350701000000Z", "issued longer ago than the policy believes"),
        ("20350602000000Z", "20350701000000Z", "not issued yet"),
    ] {
        assert_eq!(says_with_lists(&pki, &[root(), ("s.crl", sub(from, until))]), "revocation-unknown", "{why}");
    }
    let mut forged = pki.openssl(&["crl", "-outform", "DER"], &sub(CRLS_FROM, CRLS_UNTIL));
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(says_with_lists(&pki, &[root(), ("s.crl", forged)]), "revocation-unknown");
    let other = Pki::usual().crl("sub", &[], CRLS_FROM, CRLS_UNTIL);
    assert_eq!(says_with_lists(&pki, &[root(), ("s.crl", other)]), "revocation-unknown", "the same name, another key");
    let settings = X509Settings { crls: Some("/nonexistent".into()), ..X509Settings::default() };
    let server = Server::with(&pki, alice(&pki, &["alice"]), settings);
    assert_eq!(server.says(&pki.sign("alice", &["sub"], PAYLOAD, &[])), "revocation-unknown");
}

#[test]
fn f19_a_list_of_a_part_clears_only_that_part_and_revokes_always() {
    let pki = Pki::usual();
    let at = "crlDistributionPoints=URI:http://one/,URI:http://two/";
    pki.issue(make("alice", "sub", &format!("{LEAF}\n{at}")));
    let root = ("r.crl", pki.crl("root", &[], CRLS_FROM, CRLS_UNTIL));
    let part = |revoked: &[(&str, &str)], of: &str| {
        let extension = format!("issuingDistributionPoint=critical,@part\n[part]\n{of}");
        ("s.crl", pki.crl_with("sub", revoked, CRLS_FROM, CRLS_UNTIL, &extension))
    };
    for (of, id) in [
        ("fullname=URI:http://two/", "ok"),
        ("fullname=URI:http://three/", "revocation-unknown"),
        ("onlyuser=TRUE", "ok"),
        ("onlyCA=TRUE", "revocation-unknown"),
        ("onlysomereasons=keyCompromise", "revocation-unknown"),
        ("indirectCRL=TRUE", "revocation-unknown"),
    ] {
        assert_eq!(says_with_lists(&pki, &[root.clone(), part(&[], of)]), id, "{of}");
    }
    let strange = pki.crl_with("sub", &[], CRLS_FROM, CRLS_UNTIL, "1.2.3.4=critical,ASN1:NULL");
    assert_eq!(says_with_lists(&pki, &[root.clone(), ("s.crl", strange)]), "revocation-unknown");
    let revoked = part(&[("alice", "keyCompromise")], "fullname=URI:http://three/");
    assert_eq!(says_with_lists(&pki, &[root, revoked]), "key-revoked");
}

#[test]
fn f20_f21_f22_a_san_stands_for_the_registration_only_where_the_policy_says_so() {
    let pki = Pki::usual();
    let san = |names: &str| format!("{}\nsubjectAltName={names}", LEAF.split("\nsubjectAltName").next().unwrap());
    for (name, names) in [
        ("bob", "email:bob@example.com"),
        ("upper", "email:ALICE@Example.COM"),
        ("two", "email:alice@example.com,email:bob@example.com"),
        ("dns", "DNS:example.com"),
    ] {
        pki.issue(make(name, "sub", &san(names)));
    }
    pki.issue_as(
        make("dn", "sub", LEAF.split("\nsubjectAltName").next().unwrap()),
        "/CN=dn/emailAddress=alice@example.com",
    );
    let settings = X509Settings { identity: Identity::San, ..X509Settings::default() };
    let server = Server::with(&pki, person("E1001", "alice@example.com").unwrap(), settings.clone());
    let says = |server: &Server, name: &str| server.says(&pki.sign(name, &["sub"], PAYLOAD, &[]));
    assert_eq!((says(&server, "alice"), says(&server, "upper")), ("ok", "ok"));
    assert_eq!(says(&server, "bob"), "unknown-key");
    assert_eq!(
        (says(&server, "two"), says(&server, "dns"), says(&server, "dn")),
        ("identity-mismatch", "identity-mismatch", "identity-mismatch")
    );
    let mut two = Server::with(&pki, person("E1001", "alice@example.com").unwrap(), settings.clone());
    two.keyring = two.keyring.with(person("E1002", "alice@example.com").unwrap());
    assert_eq!(says(&two, "alice"), "identity-mismatch", "an address of two persons names none");
    let mut gone = person("E1001", "alice@example.com").unwrap();
    gone.emails[0].span.until = Some(now());
    assert_eq!(
        says(&Server::with(&pki, gone, settings.clone()), "alice"),
        "unknown-key",
        "who holds it now, not who ever did"
    );
    let registered = Server::with(&pki, alice(&pki, &["bob"]), settings);
    let signed = registered.verify(PAYLOAD, &armored(&pki.sign("bob", &["sub"], PAYLOAD, &[]))).unwrap();
    assert_eq!(signed.person().id.as_str(), "E1001", "a registration outranks the name");
}

#[test]
fn f25_path_length_and_name_constraints_bind() {
    let pki = Pki::usual();
    pki.issue(make("flat", "root", &CA.replace("CA:true", "CA:true,pathlen:0")));
    pki.issue(make("below", "flat", CA));
    pki.issue(make("deep", "below", LEAF));
    pki.issue(make("shallow", "flat", LEAF));
    for (name, constraint) in [
        ("others", "permitted;email:other.org"),
        ("ours", "permitted;email:example.com"),
        ("notours", "excluded;email:alice@example.com"),
        ("dnsonly", "permitted;DNS:example.com"),
    ] {
        for critical in ["", "critical,"] {
            let name = format!("{name}{}", critical.trim_end_matches(','));
            pki.issue(make(&name, "root", &format!("{CA}\nnameConstraints={critical}{constraint}")));
            pki.issue(make(&format!("of{name}"), &name, LEAF));
        }
    }
    let leaves =
        ["deep", "shallow", "ofothers", "ofours", "ofnotours", "ofdnsonly", "ofotherscritical", "ofourscritical"];
    let server = Server::knowing(&pki, &leaves);
    let says = |name: &str, with: &[&str]| server.says(&pki.sign(name, with, PAYLOAD, &[]));
    assert_eq!((says("deep", &["below", "flat"]), says("shallow", &["flat"])), ("untrusted-chain", "ok"));
    assert_eq!((says("ofothers", &["others"]), says("ofours", &["ours"])), ("untrusted-chain", "ok"));
    assert_eq!((says("ofnotours", &["notours"]), says("ofdnsonly", &["dnsonly"])), ("untrusted-chain", "ok"));
    assert_eq!(says("ofotherscritical", &["otherscritical"]), "untrusted-chain");
}

#[test]
fn f26_f27_weak_links_are_refused() {
    let pki = Pki::usual();
    pki.issue(Make { digest: "sha1", ..make("oldsub", "root", CA) });
    pki.issue(make("underold", "oldsub", LEAF));
    pki.issue(Make { key: &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], ..make("shortsub", "root", CA) });
    pki.issue(make("undershort", "shortsub", LEAF));
    let server = Server::knowing(&pki, &["underold", "undershort"]);
    let old = pki.sign("underold", &["oldsub"], PAYLOAD, &[]);
    assert_eq!((server.says(&old), server.gpgsm(&old)), ("untrusted-chain", Opinion::Good));
    assert!(server.reason(&old).contains("SHA-1"));
    assert_eq!(server.says(&pki.sign("undershort", &["shortsub"], PAYLOAD, &[])), "untrusted-chain");
}

#[test]
fn f28_usage_is_judged_at_the_push_too() {
    let pki = Pki::usual();
    let san = "subjectAltName=email:alice@example.com";
    pki.issue(make("serves", "sub", &format!("extendedKeyUsage=serverAuth\n{san}")));
    pki.issue(make("encrypts", "sub", &format!("keyUsage=critical,keyEncipherment\n{san}")));
    pki.issue(make("codes", "sub", &format!("extendedKeyUsage=codeSigning\n{san}")));
    let settings = X509Settings { identity: Identity::San, ..X509Settings::default() };
    let server = Server::with(&pki, person("E1001", "alice@example.com").unwrap(), settings);
    let serves = pki.sign("serves", &["sub"], PAYLOAD, &[]);
    assert_eq!((server.says(&serves), server.gpgsm(&serves)), ("usage-violation", Opinion::Good));
    assert_eq!(server.says(&pki.sign("encrypts", &["sub"], PAYLOAD, &[])), "usage-violation");
    assert_eq!(server.says(&pki.sign("codes", &["sub"], PAYLOAD, &[])), "ok");
}

#[test]
fn f29_nothing_of_one_signature_helps_another() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    assert_eq!(server.says(&pki.sign("alice", &["sub"], PAYLOAD, &[])), "ok");
    // gpgsm has the intermediate in its keybox by now and is content; we are not.
    let without = pki.sign("alice", &[], PAYLOAD, &[]);
    assert_eq!((server.gpgsm(&without), server.says(&without)), (Opinion::Good, "untrusted-chain"));
}

#[test]
fn f33_a_helper_that_is_missing_silent_or_lying_blames_nobody() {
    use std::os::unix::fs::PermissionsExt;
    let pki = Pki::usual();
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    let good = r#"{"answer":{"opinion":"good","signer_sha1":""}}"#;
    for (script, id) in [
        ("exec sleep 60".to_owned(), "verifier-unavailable"),
        ("exit 0".to_owned(), "verifier-unavailable"),
        ("echo nonsense; cat >/dev/null".to_owned(), "verifier-unavailable"),
        ("echo '\"ready\"'; head -c 1000000 /dev/zero; cat >/dev/null".to_owned(), "verifier-unavailable"),
        ("echo '\"ready\"'; echo '{\"failed\":\"no gpgsm\"}'; cat >/dev/null".to_owned(), "verifier-unavailable"),
        (format!("read a; echo '\"ready\"'; read b; echo '{good}'; cat >/dev/null"), "untrusted-chain"),
    ] {
        let program = pki.path("helper");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut server = Server::knowing(&pki, &["alice"]);
        server.helper = Helper::new(program, X509Settings::default(), Duration::from_millis(500));
        assert_eq!(server.says(&signature), id, "{script}");
    }
    let mut server = Server::knowing(&pki, &["alice"]);
    server.helper = Helper::new("/nonexistent".into(), X509Settings::default(), Duration::from_secs(1));
    assert_eq!(server.says(&signature), "verifier-unavailable");
}

#[test]
fn f24_f29_no_home_and_no_process_outlive_the_push() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    assert_eq!(server.says(&pki.sign("alice", &["sub"], PAYLOAD, &[])), "ok");
    let root = register_root(&pki.pem("root"), now()).unwrap().source;
    let sha1 = pki.run("sha1sum", &[], &root);
    let sha1 = String::from_utf8(sha1).unwrap().split(' ').next().unwrap().to_uppercase();
    // Other tests have homes beside ours; only this one trusts this root.
    let ours = |home: &PathBuf| fs::read_to_string(home.join("trustlist.txt")).is_ok_and(|list| list.contains(&sha1));
    let homes: Vec<PathBuf> = fs::read_dir("/tmp").unwrap().map(|entry| entry.unwrap().path()).filter(ours).collect();
    let [home] = homes.as_slice() else { panic!("{homes:?}") };
    let name = home.to_str().unwrap();
    let processes = || {
        let all =
            fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok());
        all.filter(|line| String::from_utf8_lossy(line).contains(name)).count()
    };
    assert!(processes() >= 2, "gpgsm and its agent");
    assert!(!processes_started("dirmngr", name));
    drop(server);
    assert!(!home.exists());
    let last = std::time::Instant::now() + Duration::from_secs(5);
    while processes() > 0 {
        assert!(std::time::Instant::now() < last, "the agent lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a program of this name runs with `home` among its arguments.
fn processes_started(program: &str, home: &str) -> bool {
    fs::read_dir("/proc").unwrap().any(|entry| {
        let line = fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains(home) && line.contains(program)
    })
}
