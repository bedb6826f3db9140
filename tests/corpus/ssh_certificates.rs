//! Section E, certificates (OpenSSH's `PROTOCOL.certkeys`): an authority's word for who holds a key.
//! Weak and revoked keys under them are in `ssh_certified_keys.rs`.

use crate::bench::Answer;
use crate::desk::{Desk, forms, vector};
use crate::signer::{SshKey, Sshsig, strings};
use crate::ssh_keys::{Pair, SecurityKey, labelled, sshsig};
use crate::vector::Vector;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub fn vectors() -> Vec<Vector> {
    [authorities(), windows(), principals(), options(), forms_of_certificates()].into_iter().flatten().collect()
}

const USER: u32 = 1;

/// A certificate, each field in reach.
#[derive(Clone)]
pub struct Certificate {
    /// The type's name.
    pub kind: String,
    pub nonce: Vec<u8>,
    /// The certified key's fields behind its type's name.
    pub key: Vec<u8>,
    pub serial: u64,
    pub usage: u32,
    pub key_id: Vec<u8>,
    /// Strings, one after the other.
    pub principals: Vec<u8>,
    pub after: u64,
    pub before: u64,
    pub critical: Vec<u8>,
    pub extensions: Vec<u8>,
    pub reserved: Vec<u8>,
    pub authority: Vec<u8>,
}

impl Certificate {
    /// For ever, over `key`, for these principals.
    pub fn of(key: &dyn Pair, principals: &[&str], authority: &dyn Pair) -> Certificate {
        let principals: Vec<&[u8]> = principals.iter().map(|principal| principal.as_bytes()).collect();
        Certificate {
            kind: certificate_kind(key.kind()),
            nonce: vec![7; 32],
            key: key.fields(),
            serial: 1,
            usage: USER,
            key_id: b"key id".to_vec(),
            principals: strings(&principals),
            after: 0,
            before: u64::MAX,
            critical: Vec::new(),
            extensions: strings(&[b"permit-pty", b""]),
            reserved: Vec::new(),
            authority: authority.blob(),
        }
    }

    pub fn body(&self) -> Vec<u8> {
        [
            strings(&[self.kind.as_bytes(), &self.nonce]),
            self.key.clone(),
            self.serial.to_be_bytes().to_vec(),
            self.usage.to_be_bytes().to_vec(),
            strings(&[&self.key_id, &self.principals]),
            self.after.to_be_bytes().to_vec(),
            self.before.to_be_bytes().to_vec(),
            strings(&[&self.critical, &self.extensions, &self.reserved, &self.authority]),
        ]
        .concat()
    }

    pub fn signed(&self, by: &dyn Pair) -> Vec<u8> {
        let body = self.body();
        let signature = by.signature(&body);
        [body, strings(&[&signature])].concat()
    }
}

/// `ssh-ed25519` is certified as `ssh-ed25519-cert-v01@openssh.com`.
pub fn certificate_kind(kind: &str) -> String {
    format!("{}-cert-v01@openssh.com", kind.trim_end_matches("@openssh.com"))
}

/// The vector's own authority, registered.
pub fn authority(desk: &Desk<'_>) -> SshKey {
    let authority = SshKey::named(&format!("{} authority", desk.who));
    add_authority(desk, &authority);
    authority
}

pub fn add_authority(desk: &Desk<'_>, authority: &dyn Pair) {
    desk.bench.lab.must_sync(&["key", "add", "--ssh-ca", "-"], authority.pub_line().as_bytes());
}

/// A signature by `key` under this certificate.
pub fn under(key: &dyn Pair, certificate: &[u8], payload: &[u8]) -> String {
    Sshsig { public_key: certificate.to_vec(), ..key.sshsig(payload) }.armored()
}

/// Done to a certificate after it was signed.
type Edit<'e> = &'e dyn Fn(&mut Certificate);

type Change = (&'static str, Box<dyn Fn(&mut Certificate, &str) + Send + Sync>);

fn change(form: &'static str, change: impl Fn(&mut Certificate, &str) + Send + Sync + 'static) -> Change {
    (form, Box::new(change))
}

/// A vector of changes to a certificate that is good without them; the authority signs what was changed.
fn changes(name: &'static str, about: &str, expected: &'static str, all: fn() -> Vec<Change>) -> Vector {
    forms(name, about, expected, move |desk| {
        let (key, ca) = (SshKey::named(desk.who), authority(desk));
        let good = Certificate::of(&key, &[desk.who], &ca);
        let certificate = good.signed(&ca);
        desk.good("good", |payload| under(&key, &certificate, payload));
        let answers = all().into_iter().map(|(form, change)| {
            let mut changed = good.clone();
            change(&mut changed, desk.who);
            let certificate = changed.signed(&ca);
            (form.to_owned(), desk.push(|payload| under(&key, &certificate, payload)))
        });
        answers.collect()
    })
}

/// Like [`changes`], where each is accepted on a branch of its own.
fn accepted(name: &'static str, about: &str, all: fn() -> Vec<Change>) -> Vector {
    forms(name, about, "accepted", move |desk| {
        let (key, ca) = (SshKey::named(desk.who), authority(desk));
        let answers = all().into_iter().enumerate().map(|(number, (form, change))| {
            let mut changed = Certificate::of(&key, &[desk.who], &ca);
            change(&mut changed, desk.who);
            let certificate = changed.signed(&ca);
            let commit = desk.bench.plain_with_block(desk.who, |payload| under(&key, &certificate, payload));
            let update = crate::bench::Update::create(&format!("refs/heads/form-{number}"), &commit.id);
            (form.to_owned(), desk.bench.push(&[commit], &[update]))
        });
        answers.collect()
    })
}

/// An attempt with a certificate that this authority signed, whatever it says of its own.
pub fn signed_by(desk: &Desk<'_>, says: &dyn Pair, signs: &dyn Pair) -> Answer {
    let key = SshKey::named(desk.who);
    let certificate = Certificate::of(&key, &[desk.who], says).signed(signs);
    desk.push(|payload| under(&key, &certificate, payload))
}

fn authorities() -> Vec<Vector> {
    vec![
        vector("e19-untrusted-authority", "An authority that nobody registered.", "untrusted-chain", |desk| {
            let stranger = SshKey::named("e19 stranger");
            signed_by(desk, &stranger, &stranger)
        }),
        vector("e19-self-signed", "The key certifies itself.", "untrusted-chain", |desk| {
            let key = SshKey::named(desk.who);
            signed_by(desk, &key, &key)
        }),
        forms(
            "e19-user-key-as-authority",
            "A registered person's key, also one's own, plays the authority.",
            "untrusted-chain",
            |desk| {
                let own = SshKey::named("e19 own key");
                desk.register("--ssh", own.pub_line());
                let alice = SshKey::seeded(1);
                vec![
                    ("Alice's".to_owned(), signed_by(desk, &alice, &alice)),
                    ("the person's".to_owned(), signed_by(desk, &own, &own)),
                ]
            },
        ),
        vector(
            "e19-borrowed-name",
            "It names the registered authority, and a stranger signed it.",
            "untrusted-chain",
            |desk| {
                let (ca, stranger) = (authority(desk), SshKey::named("e19 stranger"));
                signed_by(desk, &ca, &stranger)
            },
        ),
        vector(
            "e19-nested",
            "The authority is a certificate itself, by the registered one.",
            "untrusted-chain",
            |desk| {
                let (ca, middle, key) = (authority(desk), SshKey::named("e19 middle"), SshKey::named(desk.who));
                let nested = Certificate::of(&middle, &[desk.who], &ca).signed(&ca);
                let certificate =
                    Certificate { authority: nested, ..Certificate::of(&key, &[desk.who], &middle) }.signed(&middle);
                desk.push(|payload| under(&key, &certificate, payload))
            },
        ),
        vector("e19-nested-deep", "Certificates in certificates, a hundred deep.", "untrusted-chain", |desk| {
            let (ca, key) = (authority(desk), SshKey::named(desk.who));
            let mut nested = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
            for _ in 0..100 {
                nested = Certificate { authority: nested, ..Certificate::of(&key, &[desk.who], &key) }.signed(&key);
            }
            desk.push(|payload| under(&key, &nested, payload))
        }),
        vector(
            "e19-authority-signs-itself",
            "The authority's own key signs a commit; it is nobody's.",
            "unknown-key",
            |desk| {
                let ca = authority(desk);
                desk.push(|payload| ca.sshsig(payload).armored())
            },
        ),
        forms("e19-changed", "A field changed after the authority signed.", "untrusted-chain", |desk| {
            let (key, ca) = (SshKey::named(desk.who), authority(desk));
            let good = Certificate::of(&key, &[desk.who], &ca);
            let body = good.body();
            let signature = ca.signature(&body);
            let changed: [(&str, Edit<'_>); 9] = [
                ("the nonce", &|c| c.nonce[0] ^= 1),
                ("the serial number", &|c| c.serial = 2),
                ("the key's name", &|c| c.key_id = b"another".to_vec()),
                ("one more principal", &|c| c.principals.extend(strings(&[b"deploy"]))),
                ("its start", &|c| c.after = 1),
                ("its end", &|c| c.before -= 1),
                ("an extension more", &|c| c.extensions.extend(strings(&[b"permit-x", b""]))),
                ("reserved bytes", &|c| c.reserved = vec![0]),
                ("a principal's case", &|c| {
                    c.principals = strings(&[desk.who.to_uppercase().as_bytes(), desk.who.as_bytes()])
                }),
            ];
            changed
                .map(|(form, change)| {
                    let mut changed = good.clone();
                    change(&mut changed);
                    let certificate = [changed.body(), strings(&[&signature])].concat();
                    (form.to_owned(), desk.push(|payload| under(&key, &certificate, payload)))
                })
                .into()
        }),
        vector(
            "e19-key-changed",
            "Another key in the certificate of the first: the attacker signs with it.",
            "untrusted-chain",
            |desk| {
                let (key, ca, thief) = (SshKey::named(desk.who), authority(desk), SshKey::named("e19 thief"));
                let good = Certificate::of(&key, &[desk.who], &ca);
                let signature = ca.signature(&good.body());
                let stolen = Certificate { key: thief.fields(), ..good }.body();
                let certificate = [stolen, strings(&[&signature])].concat();
                desk.push(|payload| under(&thief, &certificate, payload))
            },
        ),
        vector(
            "e19-stolen-certificate",
            "A true certificate, which is no secret, and another key's signature.",
            "bad-signature",
            |desk| {
                let (key, ca, thief) = (SshKey::named(desk.who), authority(desk), SshKey::named("e19 thief"));
                let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
                desk.push(|payload| under(&thief, &certificate, payload))
            },
        ),
        forms(
            "e19-authority-signature",
            "The authority's signature is none: empty, garbled, under another label, with bytes behind.",
            "untrusted-chain",
            |desk| {
                let (key, ca) = (SshKey::named(desk.who), authority(desk));
                let body = Certificate::of(&key, &[desk.who], &ca).body();
                let good = ca.signature(&body);
                let signatures = [
                    ("empty", vec![]),
                    ("a label alone", strings(&[b"ssh-ed25519"])),
                    ("zeros", labelled("ssh-ed25519", &strings(&[&[0; 64]]))),
                    ("a byte behind", [good.clone(), vec![0]].concat()),
                    ("another label", labelled("ecdsa-sha2-nistp256", &strings(&[&[1; 64]]))),
                    ("cut", good[..good.len() - 1].to_vec()),
                ];
                signatures
                    .map(|(form, signature)| {
                        let certificate = [body.clone(), strings(&[&signature])].concat();
                        (form.to_owned(), desk.push(|payload| under(&key, &certificate, payload)))
                    })
                    .into()
            },
        ),
        changes("e19-no-authority", "No authority, or one that is garbage.", "untrusted-chain", || {
            vec![
                change("empty", |c, _| c.authority = Vec::new()),
                change("garbage", |c, _| c.authority = vec![0xff; 40]),
                change("another type's name", |c, _| c.authority[5] = b'x'),
                change("a byte behind", |c, _| c.authority.push(0)),
            ]
        }),
        vector(
            "e19-certificate-of-two",
            "Certified for this person, registered to another.",
            "identity-mismatch",
            |desk| {
                let (alice, ca) = (SshKey::seeded(1), authority(desk));
                let certificate = Certificate::of(&alice, &[desk.who], &ca).signed(&ca);
                desk.push(|payload| under(&alice, &certificate, payload))
            },
        ),
        vector(
            "e19-for-a-colleague",
            "A certificate for this person under a colleague's commit.",
            "identity-mismatch",
            |desk| {
                let (key, ca) = (SshKey::named(desk.who), authority(desk));
                let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
                desk.push_as("alice", |payload| under(&key, &certificate, payload))
            },
        ),
    ]
}

fn windows() -> Vec<Vector> {
    /// The server's time in Unix seconds.
    fn now() -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970").as_secs()
    }
    vec![
        changes(
            "e20-expired",
            "It ended last year, today, in the very first second, or before it began.",
            "key-expired",
            || {
                vec![
                    change("last year", |c, _| c.before = now() - 365 * 86_400),
                    change("this second", |c, _| c.before = now()),
                    change("1970", |c, _| c.before = 0),
                    change("its first second", |c, _| c.before = 1),
                    change("before it began", |c, _| (c.after, c.before) = (2_000, 1_000)),
                ]
            },
        ),
        changes("e20-not-yet", "It begins in an hour, in years, or never.", "key-not-yet-valid", || {
            vec![
                change("in an hour", |c, _| c.after = now() + 3_600),
                change("in years", |c, _| c.after = now() + 10 * 365 * 86_400),
                change("in 2^63 seconds", |c, _| c.after = 1 << 63),
                change("never", |c, _| c.after = u64::MAX),
                change("after it ended", |c, _| (c.after, c.before) = (now() + 7_200, now() + 3_600)),
            ]
        }),
        changes("e20-backdated", "It covered the commit's date, and has ended since.", "key-expired", || {
            vec![change("2023", |c, _| (c.after, c.before) = (1_690_000_000, 1_710_000_000))]
        }),
        accepted(
            "e20-in-force",
            "It began this second; it ends with the last of all seconds; ends past all calendars are no end.",
            || {
                vec![
                    change("this second", |c, _| c.after = now()),
                    change("for ever", |c, _| (c.after, c.before) = (0, u64::MAX)),
                    change("2^63", |c, _| c.before = 1 << 63),
                    change("an hour", |c, _| (c.after, c.before) = (now() - 1_800, now() + 1_800)),
                ]
            },
        ),
        changes("e21-host", "A host's certificate, or one of a kind that there is not.", "usage-violation", || {
            vec![
                change("a host", |c, _| c.usage = 2),
                change("0", |c, _| c.usage = 0),
                change("3", |c, _| c.usage = 3),
                change("1 in the wrong byte order", |c, _| c.usage = 1 << 24),
                change("all ones", |c, _| c.usage = u32::MAX),
            ]
        }),
    ]
}

fn principals() -> Vec<Vector> {
    vec![
        changes("e22-no-principals", "An empty list once meant everybody.", "usage-violation", || {
            vec![change("none", |c, _| c.principals = Vec::new())]
        }),
        changes("e22-empty-principal", "A principal of no letters.", "unknown-key", || {
            vec![
                change("one", |c, _| c.principals = strings(&[b""])),
                change("two", |c, _| c.principals = strings(&[b"", b""])),
            ]
        }),
        changes(
            "e23-wildcards",
            "Patterns: they are compared letter by letter, and nobody is called so.",
            "unknown-key",
            || {
                ["*", "?", "e23-wild*", "*@example.com", "e23-wildcard?", "!alice", "e23-wildcards,*"]
                    .map(|pattern| change(pattern, move |c, _| c.principals = strings(&[pattern.as_bytes()])))
                    .into()
            },
        ),
        changes("e23-near-names", "Names near to the person's.", "unknown-key", || {
            let with = |form, name: fn(&str) -> String| {
                change(form, move |c, who| c.principals = strings(&[name(who).as_bytes()]))
            };
            vec![
                with("upper case", str::to_uppercase),
                with("a space before", |who| format!(" {who}")),
                with("a space behind", |who| format!("{who} ")),
                with("a line end", |who| format!("{who}\n")),
                with("NUL", |who| format!("{who}\0")),
                with("NUL and more", |who| format!("{who}\0.evil")),
                with("two in one", |who| format!("{who},alice")),
                with("another domain", |who| format!("{who}@example.org")),
                with("a domain more", |who| format!("{who}@example.com.evil.example")),
                with("a path", |who| format!("../{who}")),
                with("a screen cleared", |who| format!("\x1b[2J{who}")),
                with("written backwards", |who| format!("\u{202e}{who}")),
            ]
        }),
        changes(
            "e23-bytes",
            "A principal that is no text, lengths that lie, or more principals than OpenSSH takes.",
            "malformed-signature",
            || {
                vec![
                    change("0xff", |c, _| c.principals = strings(&[b"\xff"])),
                    change("cut", |c, _| c.principals.truncate(c.principals.len() - 1)),
                    change("too long", |c, _| c.principals = vec![0xff, 0xff, 0xff, 0xff]),
                    change("two bytes", |c, _| c.principals.extend([0, 0])),
                    change("257", |c, who| c.principals = strings(&[who.as_bytes()]).repeat(257)),
                ]
            },
        ),
        changes("e23-two-persons", "It names two persons who work here.", "identity-mismatch", || {
            vec![
                change("by id", |c, who| c.principals = strings(&[who.as_bytes(), b"alice"])),
                change("by address", |c, who| c.principals = strings(&[b"bob@example.com", who.as_bytes()])),
                change("the second has left", |c, who| c.principals = strings(&[who.as_bytes(), b"carol"])),
            ]
        }),
        changes("e23-left", "It names somebody who has left, for the person who commits.", "identity-mismatch", || {
            vec![
                change("carol", |c, _| c.principals = strings(&[b"carol"])),
                change("her address", |c, _| c.principals = strings(&[b"carol@example.com"])),
            ]
        }),
        vector(
            "e23-leaver",
            "Somebody who has left signs with a certificate that is still good.",
            "signer-not-active",
            |desk| {
                let (key, ca) = (SshKey::named(desk.who), authority(desk));
                let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
                desk.good("good", |payload| under(&key, &certificate, payload));
                desk.bench.lab.must_sync(&["kill", desk.who, "--reason", "left"], b"");
                desk.push(|payload| under(&key, &certificate, payload))
            },
        ),
        accepted(
            "e23-among-others",
            "The person among accounts, hosts and groups, by id and address, 256 times.",
            || {
                vec![
                    change("among others", |c, who| c.principals = strings(&[b"root", b"*", who.as_bytes(), b"web-1"])),
                    change("by address", |c, who| c.principals = strings(&[format!("{who}@example.com").as_bytes()])),
                    change("by both", |c, who| {
                        c.principals = strings(&[who.as_bytes(), format!("{who}@example.com").as_bytes()])
                    }),
                    change("256 times", |c, who| c.principals = strings(&[who.as_bytes()]).repeat(256)),
                ]
            },
        ),
    ]
}

fn options() -> Vec<Vector> {
    vec![
        changes(
            "e21-restricted",
            "Critical options that let it do one thing at login, or that nobody here understands.",
            "usage-violation",
            || {
                let data = |text: &[u8]| strings(&[text]);
                let with = |form, name: &'static [u8], value: Vec<u8>| {
                    change(form, move |c, _| c.critical = strings(&[name, &value]))
                };
                vec![
                    with("force-command", b"force-command", data(b"/bin/true")),
                    with("source-address", b"source-address", data(b"192.0.2.0/24")),
                    with("of a company", b"x@example.com", data(b"1")),
                    with("no name", b"", vec![]),
                    with("a screen cleared", b"\x1b[2J", vec![]),
                    with("no text", b"\xff\xfe", vec![]),
                    with("in capitals", b"Verify-Required", vec![]),
                    change("behind another", |c, _| c.critical = strings(&[b"verify-required", b"", b"zzz", b""])),
                ]
            },
        ),
        changes("e21-options-garbled", "Critical options that cannot be read.", "malformed-signature", || {
            vec![
                change("a name alone", |c, _| c.critical = strings(&[b"verify-required"])),
                change("cut", |c, _| c.critical = vec![0, 0, 0, 9, b'v']),
                change("a byte", |c, _| c.critical = vec![0]),
            ]
        }),
        changes(
            "e15-verify-required-plain",
            "The certificate asks for PIN or finger, and the key knows neither.",
            "usage-violation",
            || vec![change("ssh-ed25519", |c, _| c.critical = strings(&[b"verify-required", b""]))],
        ),
        forms(
            "e15-verify-required",
            "The certificate asks for PIN or finger, and the security key was only touched.",
            "usage-violation",
            |desk| {
                let ca = authority(desk);
                let make = |name: &str, flags| [SecurityKey::ed25519(name, flags), SecurityKey::p256(name, flags)];
                let certificate = |key: &SecurityKey| {
                    let critical = strings(&[b"verify-required", b""]);
                    Certificate { critical, ..Certificate::of(key, &[desk.who], &ca) }.signed(&ca)
                };
                for key in make(desk.who, 5) {
                    let certificate = certificate(&key);
                    desk.good(&key.kind()[..6], |payload| under(&key, &certificate, payload));
                }
                make(desk.who, 1)
                    .map(|key| {
                        let certificate = certificate(&key);
                        (key.kind().to_owned(), desk.push(|payload| under(&key, &certificate, payload)))
                    })
                    .into()
            },
        ),
        accepted(
            "e19-extensions",
            "Extensions grant rights at login: in any order, unknown, or none, they take nothing away.",
            || {
                vec![
                    change("none", |c, _| c.extensions = Vec::new()),
                    change("in another order", |c, _| {
                        c.extensions = strings(&[b"permit-user-rc", b"", b"permit-agent-forwarding", b""])
                    }),
                    change("twice", |c, _| c.extensions = strings(&[b"permit-pty", b""]).repeat(2)),
                    change("of a company", |c, _| c.extensions = strings(&[b"x@example.com", b"1"])),
                    change("serial number 0", |c, _| c.serial = 0),
                    change("the last serial number", |c, _| c.serial = u64::MAX),
                    change("no name", |c, _| c.key_id = Vec::new()),
                    change("a name of control characters", |c, _| c.key_id = b"\x1b[2J\xff".to_vec()),
                    change("no nonce", |c, _| c.nonce = Vec::new()),
                ]
            },
        ),
    ]
}

fn forms_of_certificates() -> Vec<Vector> {
    vec![
        vector(
            "e06-certificate-truncated",
            "The certificate, cut off after each of its bytes.",
            "malformed-signature",
            |desk| {
                let (key, ca) = (SshKey::named(desk.who), authority(desk));
                let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
                // The type's name has to be there, or it is no certificate.
                let first = 4 + "ssh-ed25519-cert-v01@openssh.com".len();
                let cut = |length: usize| {
                    let (key, certificate) = (&key, &certificate);
                    move |payload: &[u8]| under(key, &certificate[..length], payload)
                };
                desk.push_each("malformed-signature", &(first..certificate.len()).map(cut).collect::<Vec<_>>())
            },
        ),
        forms("e06-certificate-trailing", "Bytes behind the authority's signature.", "malformed-signature", |desk| {
            let (key, ca) = (SshKey::named(desk.who), authority(desk));
            let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
            [vec![0], strings(&[b""]), certificate.clone()]
                .map(|tail| {
                    let longer = [certificate.clone(), tail.clone()].concat();
                    (format!("{} bytes", tail.len()), desk.push(|payload| under(&key, &longer, payload)))
                })
                .into()
        }),
        forms(
            "e32-certificate-types",
            "A certificate that calls its key by another type, or by one that there is not.",
            "malformed-signature",
            |desk| {
                let (key, ca) = (SshKey::named(desk.who), authority(desk));
                let kinds = [
                    "ssh-rsa-cert-v01@openssh.com",
                    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
                    "sk-ssh-ed25519-cert-v01@openssh.com",
                    "ssh-ed25519-cert-v00@openssh.com",
                    "ssh-ed25519-cert-v01@example.com",
                    "rsa-sha2-512-cert-v01@openssh.com",
                    "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
                    "SSH-ED25519-CERT-V01@OPENSSH.COM",
                ];
                kinds
                    .map(|kind| {
                        let certificate =
                            Certificate { kind: kind.to_owned(), ..Certificate::of(&key, &[desk.who], &ca) }
                                .signed(&ca);
                        (kind.to_owned(), desk.push(|payload| under(&key, &certificate, payload)))
                    })
                    .into()
            },
        ),
        forms(
            "e32-certificate-labels",
            "The signature under the certificate is called by another type's name, or by the certificate's.",
            "malformed-signature",
            |desk| {
                let (key, ca) = (SshKey::named(desk.who), authority(desk));
                let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
                [
                    "ssh-ed25519-cert-v01@openssh.com",
                    "sk-ssh-ed25519@openssh.com",
                    "ecdsa-sha2-nistp256",
                    "rsa-sha2-512",
                    "",
                ]
                .map(|label| {
                    let sign = |payload: &[u8]| {
                        let body = key.body(&Sshsig::to_sign(payload, "git", "sha512"));
                        sshsig(certificate.clone(), labelled(label, &body)).armored()
                    };
                    (label.to_owned(), desk.push(sign))
                })
                .into()
            },
        ),
        vector("e01-certificate", "A certified key signs for `file`.", "wrong-namespace", |desk| {
            let (key, ca) = (SshKey::named(desk.who), authority(desk));
            let certificate = Certificate::of(&key, &[desk.who], &ca).signed(&ca);
            desk.push(|payload| {
                Sshsig { public_key: certificate.clone(), ..Sshsig::made(&key, payload, "file", "sha512") }.armored()
            })
        }),
        vector(
            "e09-certificate-as-key",
            "A certificate's line where the registry wants a key is refused, and helps nobody.",
            "untrusted-chain",
            |desk| {
                let (key, stranger) = (SshKey::named(desk.who), SshKey::named("e09 stranger"));
                let certificate = Certificate::of(&key, &[desk.who], &stranger).signed(&stranger);
                let line = format!("ssh-ed25519-cert-v01@openssh.com {}\n", STANDARD.encode(&certificate));
                for (option, person) in [("--ssh", Some(desk.who)), ("--ssh-ca", None)] {
                    let args: Vec<&str> = ["key", "add"].into_iter().chain(person).chain([option, "-"]).collect();
                    assert!(
                        !desk.bench.lab.sync(&args, line.as_bytes()).succeeded(),
                        "the registry takes a certificate by {option}"
                    );
                }
                desk.push(|payload| under(&key, &certificate, payload))
            },
        ),
    ]
}
