//! Signatures judged by this half alone: the second verifier nods at everything, so that whatever is refused here
//! is refused by our own reading. With `gpgsm` they are judged in `hook/x509/tests`.

use super::testing::{CA, LEAF, Make, NOW, P256, Pki, RSA, armored, make};
use super::*;
use crate::keyring::{Authority, Compromised, RetireReason, Retired};
use crate::signature::settings::Settings;
use crate::testing::{MemoryKeyring, NoX509, authority, key, person};
use crate::time::Time;
use std::fs;

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage\n";

fn now() -> Time {
    NOW.parse().unwrap()
}

/// An oracle without an opinion of its own.
struct Nodding {
    opinion: Opinion,
    /// `None`: of the certificate in the message.
    signer_sha1: Option<String>,
    lists: Arc<RevocationLists>,
}

impl CmsOracle for Nodding {
    fn check(&self, question: &CmsQuestion<'_>) -> Result<CmsAnswer, Unavailable> {
        let leaf = Message::parse(question.signature).unwrap().signer;
        let signer_sha1 = self.signer_sha1.clone().or_else(|| oracle::sha1_hex(&leaf.der)).unwrap();
        Ok(CmsAnswer { opinion: self.opinion.clone(), signer_sha1 })
    }

    fn revocation_lists(&self) -> Result<Arc<RevocationLists>, Unavailable> {
        Ok(self.lists.clone())
    }
}

struct Absent;

impl CmsOracle for Absent {
    fn check(&self, _: &CmsQuestion<'_>) -> Result<CmsAnswer, Unavailable> {
        Err(Unavailable("it did not start".to_owned()))
    }

    fn revocation_lists(&self) -> Result<Arc<RevocationLists>, Unavailable> {
        Err(Unavailable("the folder is gone".to_owned()))
    }
}

/// A server that knows one root, and Alice by some of her certificates.
struct Server {
    alice: Person,
    bob: Person,
    root: Authority,
    more_roots: Vec<Authority>,
    settings: X509Settings,
    oracle: Nodding,
    now: Time,
}

impl Server {
    fn knowing(pki: &Pki, leaves: &[&str]) -> Self {
        let mut alice = person("E1001", "alice@example.com").unwrap();
        alice.keys = leaves.iter().map(|name| key(register(&pki.pem(name), now()).unwrap())).collect();
        let root = authority(register_root(&pki.pem("root"), now()).unwrap());
        let oracle = Nodding { opinion: Opinion::Good, signer_sha1: None, lists: Arc::default() };
        let bob = person("E1002", "robert@example.com").unwrap();
        Server { alice, bob, root, more_roots: Vec::new(), settings: X509Settings::default(), oracle, now: now() }
    }

    fn by_address(pki: &Pki) -> Self {
        let mut server = Server::knowing(pki, &[]);
        server.settings.identity = Identity::San;
        server
    }

    fn asking(&self, oracle: &dyn CmsOracle, payload: &[u8], der: &[u8]) -> Result<SignedBy, Problem> {
        let persons = MemoryKeyring::default().with(self.alice.clone()).with(self.bob.clone());
        let keyring = persons.with_x509_authority(self.root.clone());
        let keyring = self.more_roots.iter().cloned().fold(keyring, MemoryKeyring::with_x509_authority);
        let settings = Settings::default();
        let context = Context { keyring: &keyring, settings: &settings, now: self.now, x509: &NoX509 };
        verify(&Payload::whole(payload), &armored(der), &context, &self.settings, oracle)
    }

    fn verify(&self, der: &[u8]) -> Result<SignedBy, Problem> {
        self.asking(&self.oracle, PAYLOAD, der)
    }

    /// `ok`, the findings that spoil a good signature, or why there is none.
    fn says(&self, der: &[u8]) -> String {
        match self.verify(der) {
            Ok(signed) if signed.problems().is_empty() => "ok".to_owned(),
            Ok(signed) => signed.problems().iter().map(|problem| problem.rule.id).collect::<Vec<_>>().join(" "),
            Err(problem) => problem.rule.id.to_owned(),
        }
    }

    fn reason(&self, der: &[u8]) -> String {
        self.verify(der).unwrap_err().reason
    }
}

#[test]
fn m_a_good_signature_names_person_authority_date_and_end() {
    let pki = Pki::usual();
    pki.issue(Make { until: "20360101000000Z", ..make("short", "sub", LEAF) });
    let server = Server::knowing(&pki, &["short"]);
    let signed = server.verify(&pki.sign("short", &["sub"], PAYLOAD, &[])).unwrap();
    assert_eq!((signed.person().id.as_str(), signed.format(), signed.problems().len()), ("E1001", Format::X509, 0));
    assert_eq!((signed.authority(), signed.key()), (Some(&server.root.fingerprint), &server.alice.keys[0].fingerprint));
    assert!(signed.signed_at().unwrap() < now());
    assert_eq!(signed.valid_until().unwrap().to_string(), "2036-01-01T00:00:00.001Z", "its last second counts");
}

#[test]
fn f05_a_signer_named_by_the_id_of_its_key_is_refused_for_that() {
    let pki = Pki::usual();
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &["-keyid"]);
    let server = Server::knowing(&pki, &["alice"]);
    assert_eq!(server.says(&signature), "malformed-signature");
    assert!(server.reason(&signature).contains("key identifier"));
}

#[test]
fn the_second_verifier_names_a_certificate_by_its_sha1() {
    assert_eq!(oracle::sha1_hex(b"abc").as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
}

#[test]
fn a_certificate_is_registered_with_each_address_once_and_a_note_once_it_is_over() {
    let pki = Pki::usual();
    let plain = LEAF.split("\nsubjectAltName").next().unwrap();
    let twice = format!("{plain}\nsubjectAltName=email:alice@example.com,email:ALICE@example.com");
    pki.issue(Make { until: "20350601120000Z", ..make("twice", "sub", &twice) });
    let registered = |now: &str| register(&pki.pem("twice"), now.parse().unwrap()).unwrap();
    let Material::X509(certificate) = registered(NOW).material else { panic!() };
    assert_eq!(certificate.emails.len(), 1);
    assert_eq!((registered(NOW).notes.len(), registered("2035-06-01T12:00:00.001Z").notes.len()), (0, 1));
}

#[test]
fn f07_another_payload_and_a_changed_bit_are_bad_signatures() {
    let pki = Pki::usual();
    let server = Server::knowing(&pki, &["alice"]);
    let good = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    assert_eq!(server.says(&good), "ok");
    assert_eq!(server.asking(&server.oracle, b"other", &good).unwrap_err().rule.id, "bad-signature");
    let mut changed = good;
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(server.says(&changed), "bad-signature");
}

#[test]
fn m_every_algorithm_that_is_taken_signs_certificates_and_messages() {
    let pki = Pki::usual();
    pki.issue(Make { key: RSA, ..make("rsasub", "root", CA) });
    for (sub, key) in [("sub", P256), ("rsasub", RSA)] {
        for digest in ["sha256", "sha384", "sha512"] {
            let name = format!("{sub}{digest}");
            pki.issue(Make { key, digest, ..make(&name, sub, LEAF) });
            let signature = pki.sign(&name, &[sub], PAYLOAD, &["-md", digest]);
            assert_eq!(Server::knowing(&pki, &[&name]).says(&signature), "ok", "{name}");
        }
    }
    pki.issue(Make { digest: "sha224", ..make("short", "sub", LEAF) });
    assert!(register(&pki.pem("short"), now()).unwrap_err().to_string().contains("SHA-224"));
}

#[test]
fn f05_an_algorithm_is_taken_as_its_standard_writes_it() {
    use crate::signature::primitive::Hash::{Sha256, Sha512};
    use certificate::{NotTaken, Scheme};
    let named = |oid: &str, parameters: Option<der::asn1::Any>| {
        let oid = der::asn1::ObjectIdentifier::new_unwrap(oid);
        x509_cert::AlgorithmIdentifier { oid, parameters }
    };
    let (rsa, ecdsa) = ("1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2");
    assert_eq!(Scheme::of(&named(rsa, Some(der::asn1::Any::null()))), Ok(Scheme::Rsa(Sha256)));
    assert_eq!(Scheme::of(&named(ecdsa, None)), Ok(Scheme::Ecdsa(Sha256)));
    let odd = der::asn1::Any::new(der::Tag::Integer, [1]).unwrap();
    assert!(matches!(Scheme::of(&named(ecdsa, Some(odd))), Err(NotTaken::Unknown(_))), "nobody looked at it");
    for (oid, name) in [("1.2.840.113549.1.1.5", "SHA-1"), ("1.2.840.113549.1.1.4", "MD5")] {
        assert_eq!(Scheme::of(&named(oid, None)), Err(NotTaken::Weak(name)));
    }
    let of_signer = |oid: &str| Scheme::of_signer(&named(oid, None), Sha512);
    assert_eq!(of_signer("1.2.840.113549.1.1.1"), Ok(Scheme::Rsa(Sha512)), "the key's algorithm alone");
    assert_eq!(of_signer("1.2.840.10045.2.1"), Ok(Scheme::Ecdsa(Sha512)));
    assert_eq!(of_signer("1.2.840.10045.4.3.4"), Ok(Scheme::Ecdsa(Sha512)));
    assert!(matches!(of_signer(ecdsa), Err(NotTaken::Unknown(why)) if why.contains("another hash")));
}

#[test]
fn f32_a_certificate_has_limits() {
    use certificate::{Broken, CERTIFICATE_MAX};
    let broken = |bytes: usize| Certificate::parse(&vec![0x30; bytes]).unwrap_err();
    assert_eq!(broken(CERTIFICATE_MAX + 1), Broken::TooLarge(CERTIFICATE_MAX + 1));
    assert!(matches!(broken(CERTIFICATE_MAX), Broken::Parse(_)));
    let pki = Pki::usual();
    let names = |count: usize| (0..count).map(|number| format!("email:a{number}@example.com")).collect::<Vec<_>>();
    for (count, taken) in [(32, true), (33, false)] {
        let name = format!("names{count}");
        let plain = LEAF.split("\nsubjectAltName").next().unwrap();
        pki.issue(make(&name, "sub", &format!("{plain}\nsubjectAltName={}", names(count).join(","))));
        assert_eq!(register(&pki.pem(&name), now()).is_ok(), taken, "{count}");
    }
}

#[test]
fn f08_a_signature_of_tomorrow_is_refused() {
    let pki = Pki::usual();
    let mut server = Server::knowing(&pki, &["alice"]);
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    server.now = "2025-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(server.says(&signature), "time-skew");
}

#[test]
fn f09_f23_a_way_to_a_registered_root_is_needed() {
    let (pki, other) = (Pki::usual(), Pki::usual());
    let mut server = Server::knowing(&pki, &["alice"]);
    assert_eq!(server.says(&pki.sign("alice", &["sub"], PAYLOAD, &[])), "ok");
    assert_eq!(server.says(&pki.sign("alice", &["sub", "root"], PAYLOAD, &[])), "ok", "the root may come along");
    let without = pki.sign("alice", &[], PAYLOAD, &[]);
    assert_eq!(server.says(&without), "untrusted-chain");
    assert!(server.reason(&without).contains("no registered root"));
    server.root = authority(register_root(&other.pem("root"), now()).unwrap());
    assert_eq!(server.says(&pki.sign("alice", &["sub", "root"], PAYLOAD, &[])), "untrusted-chain");
}

#[test]
fn f10_the_registrys_marks_on_a_root_count_from_their_day() {
    let pki = Pki::usual();
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    let says = |change: &dyn Fn(&mut Authority)| {
        let mut server = Server::knowing(&pki, &["alice"]);
        change(&mut server.root);
        server.says(&signature)
    };
    let later: Time = "2035-06-01T12:00:01Z".parse().unwrap();
    let retired = |at| Some(Retired { at, reason: RetireReason::Retired });
    let compromised = |from| Some(Compromised { since: None, from });
    assert_eq!(says(&|root| root.retired = retired(now())), "key-revoked");
    assert_eq!(says(&|root| root.retired = retired(later)), "ok");
    assert_eq!(says(&|root| root.compromised = compromised(now())), "key-compromised");
    assert_eq!(says(&|root| root.compromised = compromised(later)), "ok");
    assert_eq!(says(&|root| root.added = now()), "ok");
    assert_eq!(says(&|root| root.added = later), "untrusted-chain", "not registered yet");
    let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB+wAdWZaBRAWSYoS8+AwUfPL7LbfTTz6JLGwiaybL6D";
    let material = crate::signature::ssh::register(ssh).unwrap().material;
    assert_eq!(says(&|root| root.material = material.clone()), "keyring-unreadable");
}

#[test]
fn f10_a_root_that_replaces_another_of_its_name_and_key_is_found() {
    let pki = Pki::usual();
    fs::copy(pki.path("root.key"), pki.path("renewed.key")).unwrap();
    pki.issue_as(make("renewed", "renewed", CA), "/CN=root");
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    let mut server = Server::knowing(&pki, &["alice"]);
    server.more_roots = vec![authority(register_root(&pki.pem("renewed"), now()).unwrap())];
    let by = |server: &Server| server.verify(&signature).unwrap().authority().cloned();
    assert_eq!(by(&server).as_ref(), Some(&server.root.fingerprint));
    let mut retired = server;
    retired.root.retired = Some(Retired { at: now(), reason: RetireReason::Superseded });
    assert_eq!(by(&retired).as_ref(), Some(&retired.more_roots[0].fingerprint));
    assert_eq!(retired.says(&signature), "ok");
    retired.root.retired = None;
    retired.root.compromised = Some(Compromised { since: None, from: now() });
    assert_eq!(retired.says(&signature), "ok");
    retired.more_roots[0].compromised = retired.root.compromised;
    assert_eq!(retired.says(&signature), "key-compromised");
}

#[test]
fn f12_f13_the_registrys_marks_on_a_certificate_count() {
    let pki = Pki::usual();
    let signature = pki.sign("alice", &["sub"], PAYLOAD, &[]);
    assert_eq!(Server::knowing(&pki, &[]).says(&signature), "unknown-key");
    let mut server = Server::knowing(&pki, &["alice"]);
    server.alice.keys[0].retired = Some(Retired { at: now(), reason: RetireReason::Retired });
    assert_eq!(server.says(&signature), "key-revoked");
}

#[test]
fn f14_whatever_expired_in_the_chain_is_found() {
    let pki = Pki::usual();
    let ended = "20350601115959Z";
    pki.issue(Make { until: ended, ..make("late", "sub", LEAF) });
    pki.issue(Make { until: "20350601120000Z", ..make("last", "sub", LEAF) });
    pki.issue(Make { until: ended, ..make("latesub", "root", CA) });
    pki.issue(make("under", "latesub", LEAF));
    pki.issue(Make { from: "20350601120001Z", ..make("early", "sub", LEAF) });
    pki.issue(Make { from: "20350601120000Z", ..make("begun", "sub", LEAF) });
    pki.issue(Make { from: "20350601120001Z", ..make("earlysub", "root", CA) });
    pki.issue(make("ahead", "earlysub", LEAF));
    let server = Server::knowing(&pki, &["late", "last", "under", "early", "begun", "ahead"]);
    let signed = |name: &str, with: &str| server.verify(&pki.sign(name, &[with], PAYLOAD, &[]));
    let reasons = |name: &str, with: &str| {
        signed(name, with).unwrap().problems().iter().map(|problem| problem.reason.clone()).collect::<Vec<_>>()
    };
    assert_eq!(reasons("last", "sub"), [""; 0], "the last second belongs to it");
    assert!(matches!(reasons("late", "sub").as_slice(), [one] if one.ends_with("which expired on 2035-06-01")));
    assert!(matches!(reasons("under", "latesub").as_slice(), [one] if one.contains("comes from CN=latesub, which")));
    assert_eq!(signed("early", "sub").unwrap_err().rule.id, "key-not-yet-valid");
    assert_eq!(reasons("begun", "sub"), [""; 0]);
    assert_eq!(signed("ahead", "earlysub").unwrap_err().rule.id, "untrusted-chain");
}

#[test]
fn f14_a_way_that_is_good_today_is_taken_before_one_that_was() {
    let pki = Pki::usual();
    // The same authority twice, by one key: an old certificate and a new one.
    fs::copy(pki.path("sub.key"), pki.path("old.key")).unwrap();
    pki.issue_as(Make { until: "20350101000000Z", ..make("old", "root", CA) }, "/CN=sub");
    let server = Server::knowing(&pki, &["alice"]);
    assert_eq!(server.says(&pki.sign("alice", &["old", "sub"], PAYLOAD, &[])), "ok");
    assert_eq!(server.says(&pki.sign("alice", &["sub", "old"], PAYLOAD, &[])), "ok");
    assert_eq!(server.says(&pki.sign("alice", &["old"], PAYLOAD, &[])), "key-expired");
}

#[test]
fn f11_f25_authorities_issue_only_what_they_may() {
    let pki = Pki::usual();
    pki.issue(make("mallory", "alice", LEAF));
    pki.issue(make("flat", "root", &CA.replace("CA:true", "CA:true,pathlen:0")));
    pki.issue(make("below", "flat", CA));
    pki.issue(make("deep", "below", LEAF));
    pki.issue(make("shallow", "flat", LEAF));
    pki.issue(make("mute", "root", "basicConstraints=critical,CA:true\nkeyUsage=critical,cRLSign"));
    pki.issue(make("ofmute", "mute", LEAF));
    let server = Server::knowing(&pki, &["mallory", "deep", "shallow", "ofmute"]);
    for (name, with, why) in [
        ("mallory", &["alice", "sub"][..], "CN=alice is not a certificate authority"),
        ("deep", &["below", "flat"], "CN=flat may not stand so high: path length"),
        ("ofmute", &["mute"], "lacks keyCertSign"),
    ] {
        let signature = pki.sign(name, with, PAYLOAD, &[]);
        assert_eq!(server.says(&signature), "untrusted-chain", "{name}");
        assert!(server.reason(&signature).contains(why), "{name}: {}", server.reason(&signature));
    }
    assert_eq!(server.says(&pki.sign("shallow", &["flat"], PAYLOAD, &[])), "ok");
}

#[test]
fn f25_a_certificate_that_an_authority_issued_to_itself_does_not_lengthen_the_path() {
    let pki = Pki::empty();
    pki.issue(make("root", "root", CA));
    pki.issue(make("flat", "root", &CA.replace("CA:true", "CA:true,pathlen:0")));
    // A new key under the old name, certified by the old key.
    pki.issue_as(make("flatnew", "flat", CA), "/CN=flat");
    pki.issue(make("alice", "flatnew", LEAF));
    let server = Server::knowing(&pki, &["alice"]);
    assert_eq!(server.says(&pki.sign("alice", &["flatnew", "flat"], PAYLOAD, &[])), "ok");
}

#[test]
fn f24_a_chain_has_as_many_links_as_are_followed() {
    let pki = Pki::usual();
    let subs = ["sub", "sub2", "sub3", "sub4", "sub5"];
    for pair in subs.windows(2) {
        pki.issue(make(pair[1], pair[0], CA));
    }
    pki.issue(make("six", "sub4", LEAF));
    pki.issue(make("seven", "sub5", LEAF));
    let server = Server::knowing(&pki, &["six", "seven"]);
    assert_eq!(server.says(&pki.sign("six", &subs[..4], PAYLOAD, &[])), "ok", "with leaf and root six");
    assert_eq!(server.says(&pki.sign("seven", &subs, PAYLOAD, &[])), "untrusted-chain");
}

#[test]
fn f24_entangled_certificates_are_not_followed_for_ever() {
    let pki = Pki::usual();
    let mut all = Vec::new();
    // Three authorities, each certified three times by the next; the last by a root that nobody registered.
    for (name, by) in [("c", "stranger"), ("b", "c1"), ("a", "b1")] {
        for number in 1..=3 {
            let file = format!("{name}{number}");
            if by == "stranger" && number == 1 {
                pki.issue(make("stranger", "stranger", CA));
            }
            if number > 1 {
                fs::copy(pki.path(&format!("{name}1.key")), pki.path(&format!("{file}.key"))).unwrap();
            }
            pki.issue_as(make(&file, by, CA), &format!("/CN={name}"));
            all.push(file);
        }
    }
    pki.issue(make("tangled", "a1", LEAF));
    let server = Server::knowing(&pki, &["tangled"]);
    let with: Vec<&str> = all.iter().map(String::as_str).collect();
    let signature = pki.sign("tangled", &with, PAYLOAD, &[]);
    assert!(server.reason(&signature).contains("too entangled"), "{}", server.reason(&signature));
}

#[test]
fn f25_name_constraints_bind_whoever_stands_below() {
    let pki = Pki::usual();
    for (name, constraint, says) in [
        ("host", "permitted;email:example.com", "ok"),
        ("hostcase", "permitted;email:EXAMPLE.com", "ok"),
        ("otherhost", "permitted;email:other.org", "untrusted-chain"),
        ("twohosts", "permitted;email:other.org,permitted;email:example.com", "ok"),
        ("domain", "permitted;email:.example.com", "untrusted-chain"),
        ("parent", "permitted;email:.com", "ok"),
        ("box", "permitted;email:alice@example.com", "ok"),
        ("otherbox", "permitted;email:bob@example.com", "untrusted-chain"),
        ("notbox", "excluded;email:alice@example.com", "untrusted-chain"),
        ("nothost", "excluded;email:other.org", "ok"),
        ("notparent", "excluded;email:.com", "untrusted-chain"),
        ("dns", "permitted;DNS:example.com", "ok"),
        ("organisation", "permitted;dirName:ours", "ok"),
        ("notours", "excluded;dirName:ours", "untrusted-chain"),
        ("theirs", "permitted;dirName:theirs", "untrusted-chain"),
        ("nottheirs", "excluded;dirName:theirs", "ok"),
        ("longer", "permitted;dirName:longer", "untrusted-chain"),
    ] {
        let names = "[ours]\nCN=LEAF\n[theirs]\nCN=other\n[longer]\nCN=leaf\nOU=more";
        pki.issue(make(name, "root", &format!("{CA}\nnameConstraints=critical,{constraint}\n{names}")));
        let under = format!("of{name}");
        pki.issue_as(make(&under, name, LEAF), "/CN=leaf");
        let server = Server::knowing(&pki, &[&under]);
        assert_eq!(server.says(&pki.sign(&under, &[name], PAYLOAD, &[])), says, "{name}");
    }
}

#[test]
fn f25_a_constraint_of_a_kind_that_nobody_reads_forbids_names_of_that_kind() {
    let pki = Pki::usual();
    let names = |names: &str| format!("{}\nsubjectAltName={names}", LEAF.split("\nsubjectAltName").next().unwrap());
    pki.issue(make("dns", "root", &format!("{CA}\nnameConstraints=critical,permitted;DNS:example.com")));
    for (name, san, says) in [
        ("web", "email:alice@example.com,DNS:example.com", "untrusted-chain"),
        ("uri", "email:alice@example.com,URI:https://example.com/", "ok"),
    ] {
        pki.issue(make(name, "dns", &names(san)));
        let server = Server::knowing(&pki, &[name]);
        assert_eq!(server.says(&pki.sign(name, &["dns"], PAYLOAD, &[])), says, "{name}");
    }
    pki.issue(make("mail", "root", &format!("{CA}\nnameConstraints=critical,permitted;email:other.org")));
    pki.issue_as(make("dn", "mail", &names("DNS:example.com")), "/CN=dn/emailAddress=alice@example.com");
    let server = Server::knowing(&pki, &["dn"]);
    assert_eq!(server.says(&pki.sign("dn", &["mail"], PAYLOAD, &[])), "untrusted-chain", "an address in the subject");
}

#[test]
fn f25_a_constraint_holds_for_authorities_in_between_too() {
    let pki = Pki::usual();
    let ours = "[ours]\nCN=ours";
    pki.issue(make("top", "root", &format!("{CA}\nnameConstraints=critical,permitted;dirName:ours\n{ours}")));
    for (middle, subject, says) in [("mine", "/CN=ours", "ok"), ("other", "/CN=other", "untrusted-chain")] {
        pki.issue_as(make(middle, "top", CA), subject);
        let under = format!("of{middle}");
        pki.issue_as(make(&under, middle, LEAF), "/CN=ours/emailAddress=alice@example.com");
        let server = Server::knowing(&pki, &[&under]);
        assert_eq!(server.says(&pki.sign(&under, &[middle, "top"], PAYLOAD, &[])), says, "{middle}");
    }
}

#[test]
fn f26_f27_weak_links_are_named() {
    let pki = Pki::usual();
    pki.issue(Make { digest: "sha1", ..make("oldsub", "root", CA) });
    pki.issue(make("underold", "oldsub", LEAF));
    pki.issue(Make { key: &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], ..make("shortsub", "root", CA) });
    pki.issue(make("undershort", "shortsub", LEAF));
    pki.issue(Make { key: RSA, ..make("rsasub", "root", CA) });
    pki.issue(make("underrsa", "rsasub", LEAF));
    let server = Server::knowing(&pki, &["underold", "undershort", "underrsa"]);
    for (name, with, why) in [("underold", "oldsub", "signed with SHA-1"), ("undershort", "shortsub", "1024 bits")] {
        let signature = pki.sign(name, &[with], PAYLOAD, &[]);
        assert_eq!(server.says(&signature), "untrusted-chain", "{name}");
        assert!(server.reason(&signature).contains(why), "{}", server.reason(&signature));
    }
    assert_eq!(server.says(&pki.sign("underrsa", &["rsasub"], PAYLOAD, &[])), "ok");
}

#[test]
fn f20_f21_f22_the_one_address_of_a_certificate_names_whoever_holds_it_now() {
    let pki = Pki::usual();
    let plain = LEAF.split("\nsubjectAltName").next().unwrap();
    for (name, names) in [
        ("bob", "email:bob@example.com"),
        ("upper", "email:ALICE@Example.COM"),
        ("two", "email:alice@example.com,email:bob@example.com"),
        ("both", "email:alice@example.com,email:robert@example.com"),
        ("twice", "email:alice@example.com,email:Alice@example.com"),
        ("dns", "DNS:example.com"),
    ] {
        pki.issue(make(name, "sub", &format!("{plain}\nsubjectAltName={names}")));
    }
    pki.issue_as(make("dn", "sub", plain), "/CN=dn/emailAddress=alice@example.com");
    let mut server = Server::by_address(&pki);
    let sign = |name: &str| pki.sign(name, &["sub"], PAYLOAD, &[]);
    for (name, says) in [
        ("alice", "ok"),
        ("upper", "ok"),
        ("bob", "unknown-key"),
        ("two", "identity-mismatch"),
        ("both", "identity-mismatch"),
        ("twice", "ok"),
        ("dns", "identity-mismatch"),
        ("dn", "identity-mismatch"),
    ] {
        assert_eq!(server.says(&sign(name)), says, "{name}");
    }
    let own = server.bob.emails[0].clone();
    server.bob.emails = server.alice.emails.clone();
    assert!(server.reason(&sign("alice")).contains("names two persons"), "an address of two persons names none");
    server.bob.emails = vec![own];
    server.alice.emails[0].span.until = Some(now());
    assert_eq!(server.says(&sign("alice")), "unknown-key", "hers once");
    server.settings.identity = Identity::Registered;
    assert_eq!(server.says(&sign("alice")), "unknown-key");
}

#[test]
fn f28_what_a_certificate_is_for_is_asked_at_the_push_too() {
    let pki = Pki::usual();
    let san = "subjectAltName=email:alice@example.com";
    for (name, extensions, says) in [
        ("serves", "extendedKeyUsage=serverAuth", "usage-violation"),
        ("encrypts", "keyUsage=critical,keyEncipherment", "usage-violation"),
        ("certifies", "keyUsage=critical,digitalSignature,keyCertSign", "usage-violation"),
        ("strange", "1.2.3.4=critical,ASN1:NULL", "usage-violation"),
        ("witnesses", "keyUsage=critical,nonRepudiation", "ok"),
        ("codes", "extendedKeyUsage=codeSigning", "ok"),
        ("mails", "extendedKeyUsage=serverAuth,emailProtection", "ok"),
        ("anything", "extendedKeyUsage=anyExtendedKeyUsage", "ok"),
    ] {
        pki.issue(make(name, "sub", &format!("{extensions}\n{san}")));
        assert_eq!(Server::by_address(&pki).says(&pki.sign(name, &["sub"], PAYLOAD, &[])), says, "{name}");
    }
}

#[test]
fn f33_the_second_opinion_counts() {
    let pki = Pki::usual();
    pki.issue(Make { until: "20350501000000Z", ..make("late", "sub", LEAF) });
    let (good, late) = (pki.sign("alice", &["sub"], PAYLOAD, &[]), pki.sign("late", &["sub"], PAYLOAD, &[]));
    let mut server = Server::knowing(&pki, &["alice", "late"]);
    let refused = Opinion::Refused("no".to_owned());
    for (opinion, of_good, of_late) in [
        (Opinion::Good, "ok", "key-expired"),
        (Opinion::Expired, "untrusted-chain", "key-expired"),
        (refused, "untrusted-chain", "untrusted-chain"),
    ] {
        server.oracle.opinion = opinion.clone();
        assert_eq!((server.says(&good).as_str(), server.says(&late).as_str()), (of_good, of_late), "{opinion:?}");
    }
    server.oracle.opinion = Opinion::Good;
    server.oracle.signer_sha1 = Some("00".repeat(20));
    assert_eq!(server.says(&good), "untrusted-chain", "of another certificate");
    let problem = server.asking(&Absent, PAYLOAD, &good).unwrap_err();
    assert_eq!((problem.rule.id, problem.detail.as_deref()), ("verifier-unavailable", Some("it did not start")));
}

const FROM: &str = "20350530000000Z";
const UNTIL: &str = "20350615000000Z";

/// What is said where the policy wants revocation lists and these are there.
fn says_with_lists(pki: &Pki, lists: &[Vec<u8>]) -> String {
    let mut server = Server::knowing(pki, &["alice"]);
    let mut all = RevocationLists::default();
    for list in lists {
        all.add(list);
    }
    server.oracle.lists = Arc::new(all);
    server.settings.crls = Some(PathBuf::from("crls"));
    server.settings.crl_max_age = Period::seconds(7 * 86_400);
    let signed = server.verify(&pki.sign("alice", &["sub"], PAYLOAD, &[])).unwrap();
    match signed.problems() {
        [] => "ok".to_owned(),
        [one] => format!("{}: {}", one.rule.id, one.reason.split_once(", which ").unwrap().1),
        more => panic!("{more:?}"),
    }
}

#[test]
fn f17_a_list_revokes_wherever_the_certificate_stands_and_however_old_it_is() {
    let pki = Pki::usual();
    let (root, sub) = (pki.crl("root", &[], FROM, UNTIL), pki.crl("sub", &[], FROM, UNTIL));
    assert_eq!(says_with_lists(&pki, &[root.clone(), sub.clone()]), "ok");
    let stale = pki.crl("sub", &[("alice", "keyCompromise")], "20350101000000Z", "20350201000000Z");
    let says = says_with_lists(&pki, &[root, sub.clone(), stale]);
    assert!(says.starts_with("key-revoked: was revoked by its authority on "), "{says}");
    assert!(says.ends_with(": key compromise"), "{says}");
    let above = pki.crl("root", &[("sub", "superseded")], FROM, UNTIL);
    let says = says_with_lists(&pki, &[above, sub]);
    assert!(says.starts_with("key-revoked: is under CN=sub, which was revoked"), "{says}");
    assert!(says.ends_with(": superseded"), "{says}");
}

#[test]
fn f18_a_list_clears_from_its_issue_to_its_end_and_only_for_its_issuer() {
    let pki = Pki::usual();
    let root = pki.crl("root", &[], FROM, UNTIL);
    let none = "revocation-unknown: may be revoked: there is no revocation list of CN=sub";
    let old = |day: &str| {
        format!("revocation-unknown: may be revoked: the revocation list of CN=sub is from {day} and too old")
    };
    assert_eq!(says_with_lists(&pki, std::slice::from_ref(&root)), none);
    for (from, until, says) in [
        ("20350601120000Z", UNTIL, "ok".to_owned()),
        ("20350601120001Z", UNTIL, old("2035-06-01")),
        ("20350525120000Z", UNTIL, "ok".to_owned()),
        ("20350525115959Z", UNTIL, old("2035-05-25")),
        (FROM, "20350601120001Z", "ok".to_owned()),
        (FROM, "20350601120000Z", old("2035-05-30")),
    ] {
        let sub = pki.crl("sub", &[], from, until);
        assert_eq!(says_with_lists(&pki, &[root.clone(), sub]), says, "{from} {until}");
    }
    let other = Pki::usual().crl("sub", &[], FROM, UNTIL);
    assert_eq!(says_with_lists(&pki, &[root.clone(), other]), none, "the same name, another key");
    assert_eq!(says_with_lists(&pki, &[root.clone(), b"no list".to_vec()]), none);
    let der = pki.openssl(&["crl", "-outform", "DER"], &pki.crl("sub", &[], FROM, UNTIL));
    assert_eq!(says_with_lists(&pki, &[root.clone(), der.clone()]), "ok");
    let mut forged = der;
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(says_with_lists(&pki, &[root, forged]), none);
    let server = {
        let mut server = Server::knowing(&pki, &["alice"]);
        server.settings.crls = Some(PathBuf::from("crls"));
        server
    };
    struct Listless(Nodding);
    impl CmsOracle for Listless {
        fn check(&self, question: &CmsQuestion<'_>) -> Result<CmsAnswer, Unavailable> {
            self.0.check(question)
        }
        fn revocation_lists(&self) -> Result<Arc<RevocationLists>, Unavailable> {
            Absent.revocation_lists()
        }
    }
    let listless = Listless(Nodding { opinion: Opinion::Good, signer_sha1: None, lists: Arc::default() });
    let problem = server.asking(&listless, PAYLOAD, &pki.sign("alice", &["sub"], PAYLOAD, &[])).unwrap_err();
    assert_eq!(problem.rule.id, "revocation-unknown", "never that nothing is revoked");
}

#[test]
fn f18_an_authority_that_may_not_sign_lists_clears_nobody() {
    let pki = Pki::empty();
    pki.issue(make("root", "root", CA));
    pki.issue(make("sub", "root", "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign"));
    pki.issue(make("alice", "sub", LEAF));
    let lists = [pki.crl("root", &[], FROM, UNTIL), pki.crl("sub", &[], FROM, UNTIL)];
    assert!(says_with_lists(&pki, &lists).ends_with("there is no revocation list of CN=sub"));
}

#[test]
fn f19_a_list_of_a_part_clears_only_that_part_and_revokes_always() {
    let pki = Pki::usual();
    let at = "crlDistributionPoints=URI:http://one/,URI:http://two/";
    pki.issue(make("alice", "sub", &format!("{LEAF}\n{at}")));
    let root = |of: &str| match of {
        "" => pki.crl("root", &[], FROM, UNTIL),
        of => pki.crl_with("root", &[], FROM, UNTIL, &format!("issuingDistributionPoint=critical,@part\n[part]\n{of}")),
    };
    let part = |revoked: &[(&str, &str)], of: &str| {
        let extension = format!("issuingDistributionPoint=critical,@part\n[part]\n{of}");
        pki.crl_with("sub", revoked, FROM, UNTIL, &extension)
    };
    for (of, cleared) in [
        ("fullname=URI:http://two/", true),
        ("fullname=URI:http://three/", false),
        ("onlyuser=TRUE", true),
        ("onlyCA=TRUE", false),
        ("onlyAA=TRUE", false),
        ("onlysomereasons=keyCompromise", false),
        ("indirectCRL=TRUE", false),
    ] {
        assert_eq!(says_with_lists(&pki, &[root(""), part(&[], of)]) == "ok", cleared, "{of}");
    }
    for (of, cleared) in [("onlyCA=TRUE", true), ("onlyuser=TRUE", false)] {
        assert_eq!(says_with_lists(&pki, &[root(of), part(&[], "onlyuser=TRUE")]) == "ok", cleared, "{of} of a root");
    }
    let strange = |critical: &str| pki.crl_with("sub", &[], FROM, UNTIL, &format!("1.2.3.4={critical}ASN1:NULL"));
    assert_ne!(says_with_lists(&pki, &[root(""), strange("critical,")]), "ok");
    assert_eq!(says_with_lists(&pki, &[root(""), strange("")]), "ok", "what is not critical may be unknown");
    let revoked = part(&[("alice", "keyCompromise")], "fullname=URI:http://three/");
    assert!(says_with_lists(&pki, &[root(""), revoked]).starts_with("key-revoked"));
}
